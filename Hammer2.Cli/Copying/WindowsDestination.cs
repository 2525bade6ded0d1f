// Copies onto Windows. Paths carry the \\?\ prefix: longer than 260 characters is normal for trees of
// Unix, and without it Windows would interpret names. Owners, modes and special files have no place here and
// are left out (docs/cli.md says so). Calls .NET and three functions of kernel32.

using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Text;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Primitives;
using Microsoft.Win32.SafeHandles;

namespace Hammer2.Cli.Copying;

/// <summary>A folder on Windows.</summary>
internal sealed partial class WindowsDestination(string root) : ICopyDestination
{
    private const uint SetSparse = 0x000900C4;

    // The range of FILETIME that Windows accepts; older times on the medium are clamped.
    private static readonly DateTime s_oldest = new(1601, 1, 2, 0, 0, 0, DateTimeKind.Utc);
    private readonly string _root = root.StartsWith(@"\\?\", StringComparison.Ordinal) ? root : @"\\?\" + root;

    public HostNames NewNames() => new WindowsNames();

    public string Show(byte[] path) => Absolute(path)[4..];

    public ExistingEntry Look(byte[] path)
    {
        var info = new FileInfo(Absolute(path));
        if (!info.Exists && !Directory.Exists(info.FullName) && info.LinkTarget is null)
            return new ExistingEntry(ExistingKind.None, 0, 0);
        ExistingKind kind = info.LinkTarget is not null ? ExistingKind.Symlink
            : info.Attributes.HasFlag(FileAttributes.Directory) ? ExistingKind.Directory : ExistingKind.File;
        return new ExistingEntry(kind, kind == ExistingKind.File ? info.Length : 0, MediaTime.FromUtc(info.LastWriteTimeUtc));
    }

    public void MakeDirectory(byte[] path) => Directory.CreateDirectory(Absolute(path));

    public SafeFileHandle CreateFile(byte[] path) =>
        File.OpenHandle(Absolute(path), FileMode.CreateNew, FileAccess.Write, FileShare.None);

    public void AllowHoles(SafeFileHandle file)
    {
        // A file system without sparse files refuses: the file is then simply written in full.
        _ = DeviceIoControl(file, SetSparse, 0, 0, 0, 0, out _, 0);
    }

    public void MakeSymlink(byte[] path, byte[] target, bool targetIsDirectory)
    {
        string text = Encoding.UTF8.GetString(target).Replace('/', '\\');
        if (targetIsDirectory)
            Directory.CreateSymbolicLink(Absolute(path), text);
        else
            File.CreateSymbolicLink(Absolute(path), text);
    }

    public byte[] ReadSymlink(byte[] path) =>
        Encoding.UTF8.GetBytes((new FileInfo(Absolute(path)).LinkTarget ?? "").Replace('\\', '/'));

    public void MakeHardLink(byte[] existing, byte[] path)
    {
        if (!CreateHardLink(Absolute(path), Absolute(existing), 0))
            throw new IOException($"{Show(path)}: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}");
    }

    public string? TryMakeSpecial(byte[] path, in InodeAttributes attributes) =>
        $"Windows has no {MethodNames.Of(attributes.Type)} files";

    public void SetAttributes(byte[] path, in InodeAttributes attributes)
    {
        // The times of a link would be set on what it points to.
        if (attributes.Type == ObjectType.Symlink)
            return;
        DateTime modified = Clamp(attributes.ModifyTimeUs);
        if (attributes.Type == ObjectType.Directory)
            Directory.SetLastWriteTimeUtc(Absolute(path), modified);
        else
            File.SetLastWriteTimeUtc(Absolute(path), modified);
    }

    public void Delete(byte[] path)
    {
        string absolute = Absolute(path);
        if (File.GetAttributes(absolute).HasFlag(FileAttributes.Directory))
            Directory.Delete(absolute);
        else
            File.Delete(absolute);
    }

    public void Rename(byte[] from, byte[] to) => File.Move(Absolute(from), Absolute(to), overwrite: true);

    private static DateTime Clamp(long us)
    {
        DateTime time = MediaTime.ToUtc(us);
        return time < s_oldest ? s_oldest : time;
    }

    private string Absolute(byte[] path) =>
        path.Length == 0 ? _root : _root.TrimEnd('\\') + '\\' + Encoding.UTF8.GetString(path).Replace('/', '\\');

    [LibraryImport("kernel32", EntryPoint = "CreateHardLinkW", StringMarshalling = StringMarshalling.Utf16, SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool CreateHardLink(string path, string existing, nint security);

    [LibraryImport("kernel32", SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool DeviceIoControl(
        SafeFileHandle file,
        uint code,
        nint input,
        int inputBytes,
        nint output,
        int outputBytes,
        out int returned,
        nint overlapped);
}
