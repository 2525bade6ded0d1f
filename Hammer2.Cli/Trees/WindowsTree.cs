// Files of a Windows host, or of a mounted drive, as a tree. Names are mapped as a mount shows them, so that what a PFS
// holds and what Windows can name correspond. Invariants: paths carry the \\?\ prefix; no call follows a symbolic link at
// the end of a path. Owners, modes and devices have no place here: setting them is refused, a copy leaves them out.

using System.Runtime.InteropServices;
using System.Text;
using Hammer2.Dokan.Names;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Microsoft.Win32.SafeHandles;

namespace Hammer2.Cli.Trees;

/// <summary>A directory of the host and everything below it.</summary>
internal sealed partial class WindowsTree(string root, bool commits) : IFileTree
{
    private const uint GenericWrite = 0x40000000, ShareAll = 7, OpenExisting = 3, BackupSemantics = 0x02000000;

    public bool KeepsOwners => false;

    public uint? DefaultOwner => null;

    public IFileNode OpenRoot() => new WindowsNode(
        root.StartsWith(@"\\?\", StringComparison.Ordinal) ? root : @"\\?\" + Path.GetFullPath(root), ObjectType.Directory);

    public NodeMark MarkOf(IFileNode node, Func<byte[]> path) => new(0, Encoding.UTF8.GetBytes(((WindowsNode)node).FullPath));

    public Hammer2Error TryReopen(NodeMark mark, out IFileNode? node)
    {
        string path = Encoding.UTF8.GetString(mark.Path!);
        node = File.Exists(path) ? new WindowsNode(path, ObjectType.File) : null;
        return node is null ? Hammer2Error.NotFound : Hammer2Error.None;
    }

    public void Commit()
    {
        if (!commits)
            return;
        using SafeFileHandle directory = OpenHandle(root, GenericWrite, ShareAll, 0, OpenExisting, BackupSemantics, 0);
        if (directory.IsInvalid || !Flush(directory))
        {
            throw new IOException(
                $"{root}: not everything could be made durable: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
        }
    }

    public void Dispose()
    {
        // A path holds nothing.
    }

    [LibraryImport("kernel32", EntryPoint = "CreateFileW", StringMarshalling = StringMarshalling.Utf16, SetLastError = true)]
    private static partial SafeFileHandle OpenHandle(
        string path, uint access, uint share, nint security, uint disposition, uint flags, nint template);

    [LibraryImport("kernel32", EntryPoint = "FlushFileBuffers", SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool Flush(SafeFileHandle handle);

    [LibraryImport("kernel32", EntryPoint = "CreateHardLinkW", StringMarshalling = StringMarshalling.Utf16, SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    internal static partial bool CreateHardLink(string path, string existing, nint security);
}

/// <summary>A path.</summary>
internal sealed class WindowsNode(string path, ObjectType type, FileStream? stream = null) : IFileNode
{
    // Windows error codes, as HRESULTs carry them.
    private const int AlreadyExists = 183, FileExists = 80, DirectoryNotEmpty = 145, DiskFull = 112, WriteProtected = 19;

    public NodeIdentity Identity => new(0, (ulong)StringComparer.OrdinalIgnoreCase.GetHashCode(path));

    public ObjectType Type => type;

    public InodeAttributes GetAttributes()
    {
        FileSystemInfo info = Info(path);
        return new InodeAttributes
        {
            Type = type,
            Mode = type == ObjectType.Directory ? 0x1EDu : info.Attributes.HasFlag(FileAttributes.ReadOnly) ? 0x124u : 0x1A4u,
            Size = stream?.Length ?? (info is FileInfo { Exists: true } file && type == ObjectType.File ? file.Length : 0),
            LinkCount = 1,
            ModifyTimeUs = MediaTime.FromUtc(info.LastWriteTimeUtc),
            ChangeTimeUs = MediaTime.FromUtc(info.LastWriteTimeUtc),
            AccessTimeUs = MediaTime.FromUtc(info.LastAccessTimeUtc),
            BirthTimeUs = MediaTime.FromUtc(info.CreationTimeUtc),
        };
    }

    public int Read(long offset, Span<byte> buffer)
    {
        int done = 0;
        while (done < buffer.Length)
        {
            int read = RandomAccess.Read(Handle, buffer[done..], offset + done);
            if (read == 0)
                break;
            done += read;
        }

        return done;
    }

    public long? NextData(long offset) => offset < (stream?.Length ?? 0) ? offset : null;

    public long NextHole(long offset) => Math.Max(offset, stream?.Length ?? 0);

    public byte[] ReadLink() => Encoding.UTF8.GetBytes((Info(path).LinkTarget ?? "").Replace('\\', '/'));

    public IEnumerable<ListedName> ReadDirectory()
    {
        var options = new EnumerationOptions { AttributesToSkip = 0, IgnoreInaccessible = false, ReturnSpecialDirectories = false };
        foreach (FileSystemInfo info in new DirectoryInfo(path).EnumerateFileSystemInfos("*", options))
            yield return new ListedName(ToMedium(info.Name), TypeOf(info));
    }

    public Hammer2Error TryGetAttributes(ReadOnlySpan<byte> name, out InodeAttributes attributes, out NodeIdentity identity)
    {
        Hammer2Error error = TryLookup(name, NodeUse.Look, out IFileNode? node);
        attributes = node?.GetAttributes() ?? default;
        identity = node?.Identity ?? default;
        return error;
    }

    public Hammer2Error TryLookup(ReadOnlySpan<byte> name, NodeUse use, out IFileNode? node)
    {
        node = null;
        string child = PathOf(name);
        FileSystemInfo info = Info(child);
        if (!info.Exists && info.LinkTarget is null)
            return Hammer2Error.NotFound;
        ObjectType kind = TypeOf(info);
        IFileNode? made = null;
        Hammer2Error error = Attempt(() => made = new WindowsNode(child, kind, Open(child, kind, use)));
        node = made;
        return error;
    }

    public Hammer2Error TryCreate(ReadOnlySpan<byte> name, in NewInode what, out IFileNode? node)
    {
        string child = PathOf(name);
        ObjectType kind = what.Type;
        string target = Encoding.UTF8.GetString(what.SymlinkTarget).Replace('/', '\\');
        IFileNode? made = null;
        Hammer2Error error = kind is ObjectType.File or ObjectType.Directory or ObjectType.Symlink
            ? Attempt(() => made = Make(child, kind, target))
            : Hammer2Error.Unsupported;
        node = made;
        return error;
    }

    public Hammer2Error TryLink(IFileNode existing, ReadOnlySpan<byte> name)
    {
        string child = PathOf(name);
        if (WindowsTree.CreateHardLink(child, ((WindowsNode)existing).FullPath, 0))
            return Hammer2Error.None;
        return Path.Exists(child) ? Hammer2Error.Exists : Hammer2Error.NotPermitted;
    }

    public Hammer2Error TryUnlink(ReadOnlySpan<byte> name)
    {
        string child = PathOf(name);
        return Attempt(() => Delete(child));
    }

    public Hammer2Error TryRemoveDirectory(ReadOnlySpan<byte> name)
    {
        string child = PathOf(name);
        return Attempt(() => Directory.Delete(child, recursive: false));
    }

    public Hammer2Error TryRename(ReadOnlySpan<byte> name, IFileNode to, ReadOnlySpan<byte> newName, RenameMode mode)
    {
        if (mode == RenameMode.Exchange)
            return Hammer2Error.Unsupported;
        string from = PathOf(name), target = ((WindowsNode)to).PathOf(newName);
        return Attempt(() =>
        {
            if (Directory.Exists(from))
                Directory.Move(from, target);
            else
                File.Move(from, target, overwrite: mode == RenameMode.Replace);
        });
    }

    public Hammer2Error TryWrite(long offset, ReadOnlySpan<byte> data)
    {
        try
        {
            RandomAccess.Write(Handle, data, offset);
            return Hammer2Error.None;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return Translate(failure);
        }
    }

    public Hammer2Error TryAppend(ReadOnlySpan<byte> data) => TryWrite(RandomAccess.GetLength(Handle), data);

    public Hammer2Error TrySetSize(long size) => Attempt(() => RandomAccess.SetLength(Handle, size));

    public Hammer2Error TrySetAttributes(in AttributeChanges changes)
    {
        if (changes.Uid is not null || changes.Gid is not null || changes.Mode is not null)
            return Hammer2Error.Unsupported;
        if (type == ObjectType.Symlink || changes.ModifyTimeUs is not { } us)
            return Hammer2Error.None;
        return Attempt(() =>
        {
            stream?.Flush();
            DateTime time = MediaTime.ToUtc(us);
            if (stream is not null)
                File.SetLastWriteTimeUtc(stream.SafeFileHandle, time);
            else if (type == ObjectType.Directory)
                Directory.SetLastWriteTimeUtc(path, time);
            else
                File.SetLastWriteTimeUtc(path, time);
        });
    }

    public void Dispose() => stream?.Dispose();

    internal string FullPath => path;

    private SafeFileHandle Handle => stream?.SafeFileHandle ?? throw new IOException($"{path} is not open for its bytes");

    private static FileStream? Open(string path, ObjectType type, NodeUse use) => type == ObjectType.File && use != NodeUse.Look
        ? new FileStream(path, FileMode.Open, use == NodeUse.Read ? FileAccess.Read : FileAccess.ReadWrite, FileShare.ReadWrite, 0)
        : null;

    private static WindowsNode Make(string path, ObjectType type, string target)
    {
        if (Path.Exists(path))
            throw new IOException("exists", FileExists);
        if (type == ObjectType.File)
            return new WindowsNode(path, type, new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 0));
        if (type == ObjectType.Directory)
            Directory.CreateDirectory(path);
        else if (Directory.Exists(Path.Combine(Path.GetDirectoryName(path)!, target)))
            Directory.CreateSymbolicLink(path, target);
        else
            File.CreateSymbolicLink(path, target);
        return new WindowsNode(path, type);
    }

    private static void Delete(string path)
    {
        FileSystemInfo info = Info(path);
        if (info is DirectoryInfo && info.LinkTarget is null)
            throw new IOException("is a directory", DirectoryNotEmpty);
        info.Delete();
    }

    private static Hammer2Error Attempt(Action action)
    {
        try
        {
            action();
            return Hammer2Error.None;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return Translate(failure);
        }
    }

    private static Hammer2Error Translate(Exception failure) => failure switch
    {
        FileNotFoundException or DirectoryNotFoundException => Hammer2Error.NotFound,
        UnauthorizedAccessException => Hammer2Error.NotPermitted,
        PathTooLongException => Hammer2Error.NameTooLong,
        _ => (failure.HResult & 0xFFFF) switch
        {
            AlreadyExists or FileExists => Hammer2Error.Exists,
            DirectoryNotEmpty => Hammer2Error.NotEmpty,
            DiskFull => Hammer2Error.NoSpace,
            WriteProtected => Hammer2Error.ReadOnly,
            _ => throw new IOException(failure.Message, failure),
        },
    };

    private static FileSystemInfo Info(string path)
    {
        var directory = new DirectoryInfo(path);
        return directory.Exists ? directory : new FileInfo(path);
    }

    private static ObjectType TypeOf(FileSystemInfo info) => info.LinkTarget is not null ? ObjectType.Symlink
        : info.Attributes.HasFlag(FileAttributes.Directory) ? ObjectType.Directory : ObjectType.File;

    private string PathOf(ReadOnlySpan<byte> name) => path.TrimEnd('\\') + '\\' + NameMapping.ToWindows(name);

    private static byte[] ToMedium(string shown)
    {
        byte[] name = new byte[shown.Length * 3];
        int length = NameMapping.ToMedium(shown, name);
        return length > 0 ? name[..length] : Encoding.UTF8.GetBytes(shown);
    }
}
