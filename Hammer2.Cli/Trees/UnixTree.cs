// Files of a Linux host, or of a mount, as a tree. Every node is a descriptor and every call is relative to one, so that
// somebody who moves directories about meanwhile cannot lead a recursive removal or copy out of its tree. Invariants: no
// call follows a symbolic link; descriptors are close-on-exec; reading attributes never opens a device or a fifo.

using System.Runtime.InteropServices;
using System.Text;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using static Hammer2.Cli.Trees.UnixCalls;

namespace Hammer2.Cli.Trees;

/// <summary>A directory of the host and everything below it.</summary>
/// <param name="root">Its path; links in it are followed.</param>
/// <param name="commits">It is a mount whose changes <see cref="Commit"/> makes durable.</param>
internal sealed class UnixTree(string root, bool commits) : IFileTree
{
    public bool KeepsOwners { get; } = Environment.IsPrivilegedProcess;

    public uint? DefaultOwner => null;

    public IFileNode OpenRoot()
    {
        int descriptor = OpenAt(AtCurrentDirectory, Terminated(Encoding.UTF8.GetBytes(root)), PathOnly | DirectoryOnly | CloseOnExec, 0);
        if (descriptor < 0)
            throw new IOException($"{root}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
        return UnixNode.Of(descriptor, isPath: true);
    }

    public NodeMark MarkOf(IFileNode node, Func<byte[]> path) => new(node.Identity.Inode, path());

    public Hammer2Error TryReopen(NodeMark mark, out IFileNode? node)
    {
        node = OpenRoot();
        foreach (Range part in mark.Path.AsSpan().Split((byte)'/'))
        {
            ReadOnlySpan<byte> name = mark.Path.AsSpan()[part];
            if (name.IsEmpty)
                continue;
            using IFileNode directory = node;
            Hammer2Error error = directory.TryLookup(name, NodeUse.Look, out node);
            if (error != Hammer2Error.None || node is null)
                return error;
        }

        return Hammer2Error.None;
    }

    public void Commit()
    {
        if (!commits)
            return;
        int descriptor = OpenAt(
            AtCurrentDirectory, Terminated(Encoding.UTF8.GetBytes(root)), UnixCalls.ReadOnly | DirectoryOnly | CloseOnExec, 0);
        // First the kernel's own dirty pages, then the filesystem behind the mount.
        bool done = descriptor >= 0 && SynchroniseAll(descriptor) == 0 && Synchronise(descriptor) == 0;
        int errno = Marshal.GetLastPInvokeError();
        if (descriptor >= 0)
            _ = Close(descriptor);
        if (!done)
            throw new IOException($"{root}: not everything could be made durable: {Marshal.GetPInvokeErrorMessage(errno)}");
    }

    public void Dispose()
    {
        // Nodes hold the descriptors; the tree is only a path.
    }

    internal static byte[] Terminated(ReadOnlySpan<byte> name) => [.. name, 0];
}

/// <summary>An open descriptor.</summary>
internal sealed unsafe class UnixNode : IFileNode
{
    private const uint PrivateFile = 0x180, PrivateDirectory = 0x1C0, SetIdBits = 0xC00, OthersBits = 0x3F;
    private const int TargetBytesMax = 65536;
    private static readonly byte[] s_itself = [0];
    private static readonly byte[] s_dot = [(byte)'.', 0];
    private readonly bool _isPath;
    private int _descriptor;

    private UnixNode(int descriptor, bool isPath, in StatxBuffer stat)
    {
        _descriptor = descriptor;
        _isPath = isPath;
        Type = TypeOf(stat.Mode);
        Identity = stat.Identity;
    }

    public NodeIdentity Identity { get; }

    public ObjectType Type { get; }

    /// <summary>Takes a descriptor over.</summary>
    public static UnixNode Of(int descriptor, bool isPath)
    {
        if (TryStat(descriptor, s_itself, out StatxBuffer stat))
            return new UnixNode(descriptor, isPath, stat);
        int errno = Marshal.GetLastPInvokeError();
        _ = Close(descriptor);
        throw new IOException(Marshal.GetPInvokeErrorMessage(errno));
    }

    public InodeAttributes GetAttributes()
    {
        if (!TryStat(_descriptor, s_itself, out StatxBuffer stat))
            throw Failed();
        return AttributesOf(stat);
    }

    private static InodeAttributes AttributesOf(in StatxBuffer stat)
    {
        ObjectType type = TypeOf(stat.Mode);
        return new InodeAttributes
        {
            InodeNumber = stat.Inode,
            Type = type,
            Mode = stat.Mode & 0xFFFu,
            Uid = stat.Uid,
            Gid = stat.Gid,
            Size = type is ObjectType.File or ObjectType.Symlink ? (long)stat.Size : 0,
            LinkCount = stat.LinkCount,
            ModifyTimeUs = stat.ModifyTime.Us,
            ChangeTimeUs = stat.ChangeTime.Us,
            AccessTimeUs = stat.AccessTime.Us,
            BirthTimeUs = stat.HasBirthTime ? stat.BirthTime.Us : 0,
            DeviceMajor = stat.DeviceMajor,
            DeviceMinor = stat.DeviceMinor,
            AllocatedBytes = (long)stat.Blocks * 512,
        };
    }

    public int Read(long offset, Span<byte> buffer)
    {
        int done = 0;
        fixed (byte* start = buffer)
        {
            while (done < buffer.Length)
            {
                nint read = UnixCalls.Read(_descriptor, start + done, buffer.Length - done, offset + done);
                if (read < 0 && Marshal.GetLastPInvokeError() == EInterrupted)
                    continue;
                if (read < 0)
                    throw Failed();
                if (read == 0)
                    break;
                done += (int)read;
            }
        }

        return done;
    }

    public long? NextData(long offset)
    {
        long data = Seek(_descriptor, offset, SeekData);
        if (data >= 0)
            return data;
        return Marshal.GetLastPInvokeError() == ENoDeviceOrAddress ? null : offset;
    }

    public long NextHole(long offset)
    {
        long hole = Seek(_descriptor, offset, SeekHole);
        return hole >= 0 ? hole : long.MaxValue;
    }

    public byte[] ReadLink()
    {
        byte[] target = new byte[TargetBytesMax];
        fixed (byte* start = target)
        {
            nint length = ReadLinkAt(_descriptor, s_itself, start, target.Length);
            return length >= 0 ? target[..(int)length] : throw Failed();
        }
    }

    public IEnumerable<ListedName> ReadDirectory()
    {
        int own = OpenAt(_descriptor, s_dot, UnixCalls.ReadOnly | DirectoryOnly | CloseOnExec, 0);
        nint listing = own < 0 ? 0 : OpenDirectory(own);
        if (listing == 0)
            throw Failed();
        try
        {
            while (NextName(listing) is { } name)
                yield return name;
        }
        finally
        {
            _ = CloseDirectory(listing);
        }
    }

    // struct dirent: d_ino, d_off (8 bytes each), d_reclen (2), d_type (1), d_name.
    private static ListedName? NextName(nint listing)
    {
        while (true)
        {
            Marshal.SetLastSystemError(0);
            byte* entry = UnixCalls.ReadDirectory(listing);
            if (entry is null)
            {
                return Marshal.GetLastPInvokeError() == 0 ? null : throw Failed();
            }

            ReadOnlySpan<byte> name = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(entry + 19);
            if (!name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8))
                return new ListedName(name.ToArray(), TypeOfEntry(entry[18]));
        }
    }

    public Hammer2Error TryGetAttributes(ReadOnlySpan<byte> name, out InodeAttributes attributes, out NodeIdentity identity)
    {
        if (!TryStat(_descriptor, UnixTree.Terminated(name), out StatxBuffer stat))
        {
            (attributes, identity) = (default, default);
            return Translate(Marshal.GetLastPInvokeError());
        }

        (attributes, identity) = (AttributesOf(stat), stat.Identity);
        return Hammer2Error.None;
    }

    public Hammer2Error TryLookup(ReadOnlySpan<byte> name, NodeUse use, out IFileNode? node)
    {
        node = null;
        byte[] path = UnixTree.Terminated(name);
        int flags = CloseOnExec | NoFollow;
        int descriptor = use switch
        {
            NodeUse.Read => OpenAt(_descriptor, path, flags | UnixCalls.ReadOnly | NonBlocking, 0),
            NodeUse.Write => OpenAt(_descriptor, path, flags | ReadWrite | NonBlocking, 0),
            _ => OpenAt(_descriptor, path, flags | PathOnly, 0),
        };
        if (descriptor < 0)
            return Translate(Marshal.GetLastPInvokeError());
        node = Of(descriptor, use == NodeUse.Look);
        return Hammer2Error.None;
    }

    /// <summary>Owners are the kernel's choice here; <see cref="TrySetAttributes"/> changes them.</summary>
    public Hammer2Error TryCreate(ReadOnlySpan<byte> name, in NewInode what, out IFileNode? node)
    {
        node = null;
        byte[] path = UnixTree.Terminated(name);
        int descriptor = -1;
        int result;
        switch (what.Type)
        {
            case ObjectType.File:
                result = descriptor = OpenAt(_descriptor, path, ReadWrite | UnixCalls.Create | Exclusive | CloseOnExec | NoFollow, PrivateFile);
                break;
            case ObjectType.Directory:
                result = MakeDirectoryAt(_descriptor, path, PrivateDirectory);
                break;
            case ObjectType.Symlink:
                result = SymlinkAt(UnixTree.Terminated(what.SymlinkTarget), _descriptor, path);
                break;
            default:
                uint type = ModeOf(what.Type);
                if (type == 0)
                    return Hammer2Error.Unsupported;
                result = MakeNodeAt(_descriptor, path, type | PrivateFile, DeviceOf(what.DeviceMajor, what.DeviceMinor));
                break;
        }

        if (result < 0)
            return Translate(Marshal.GetLastPInvokeError());
        if (descriptor < 0)
        {
            Hammer2Error error = TryLookup(name, NodeUse.Look, out node);
            if (error != Hammer2Error.None)
                return error;
        }
        else
        {
            node = Of(descriptor, isPath: false);
        }

        // Made private: bits of others are given here, whatever the umask is.
        bool needsMode = what.Type != ObjectType.Symlink && (what.Mode & (OthersBits | SetIdBits | 0x240)) != 0;
        return needsMode ? node!.TrySetAttributes(new AttributeChanges { Mode = what.Mode }) : Hammer2Error.None;
    }

    public Hammer2Error TryLink(IFileNode existing, ReadOnlySpan<byte> name) => Outcome(LinkAt(
        AtCurrentDirectory, ((UnixNode)existing).PathOfItself(), _descriptor, UnixTree.Terminated(name), AtFollow));

    public Hammer2Error TryUnlink(ReadOnlySpan<byte> name) => Outcome(UnlinkAt(_descriptor, UnixTree.Terminated(name), 0));

    public Hammer2Error TryRemoveDirectory(ReadOnlySpan<byte> name) =>
        Outcome(UnlinkAt(_descriptor, UnixTree.Terminated(name), AtRemoveDirectory));

    public Hammer2Error TryRename(ReadOnlySpan<byte> name, IFileNode to, ReadOnlySpan<byte> newName, RenameMode mode)
    {
        uint flags = mode switch
        {
            RenameMode.NoReplace => RenameNoReplace,
            RenameMode.Exchange => RenameExchange,
            _ => 0,
        };
        return Outcome(RenameAt(
            _descriptor, UnixTree.Terminated(name), ((UnixNode)to)._descriptor, UnixTree.Terminated(newName), flags));
    }

    public Hammer2Error TryWrite(long offset, ReadOnlySpan<byte> data)
    {
        fixed (byte* start = data)
        {
            int done = 0;
            while (done < data.Length)
            {
                nint written = Write(_descriptor, start + done, data.Length - done, offset + done);
                if (written < 0 && Marshal.GetLastPInvokeError() == EInterrupted)
                    continue;
                if (written < 0)
                    return Translate(Marshal.GetLastPInvokeError());
                done += (int)written;
            }
        }

        return Hammer2Error.None;
    }

    public Hammer2Error TryAppend(ReadOnlySpan<byte> data) => TryWrite(GetAttributes().Size, data);

    public Hammer2Error TrySetSize(long size) => Outcome(SetSize(_descriptor, size));

    public Hammer2Error TrySetAttributes(in AttributeChanges changes)
    {
        if (changes.Uid is not null || changes.Gid is not null)
        {
            int result = ChangeOwnerAt(
                _descriptor, s_itself, changes.Uid ?? uint.MaxValue, changes.Gid ?? uint.MaxValue, AtEmptyPath);
            if (result < 0)
                return Translate(Marshal.GetLastPInvokeError());
        }

        // Links have no mode of their own here. The owner was set first: that clears the set-id bits.
        if (changes.Mode is { } mode && Type != ObjectType.Symlink
            && ChangeModeAt(AtCurrentDirectory, PathOfItself(), mode, 0) < 0)
            return Translate(Marshal.GetLastPInvokeError());
        if (changes.AccessTimeUs is null && changes.ModifyTimeUs is null)
            return Hammer2Error.None;
        Span<TimeSpec> times = [TimeSpec.Of(changes.AccessTimeUs), TimeSpec.Of(changes.ModifyTimeUs)];
        return Outcome(SetTimesAt(_descriptor, s_itself, times, AtEmptyPath));
    }

    public void Dispose()
    {
        int descriptor = Interlocked.Exchange(ref _descriptor, -1);
        if (descriptor >= 0)
            _ = Close(descriptor);
    }

    public override string ToString() => $"{Type} {Identity}{(_isPath ? " (path)" : "")}";

    // The way to calls that have no form for a descriptor; it leads to this object whatever its name is by now.
    private byte[] PathOfItself() => Encoding.UTF8.GetBytes($"/proc/self/fd/{_descriptor}\0");

    private static Hammer2Exception Failed()
    {
        Hammer2Error error = Translate(Marshal.GetLastPInvokeError());
        return new Hammer2Exception(error, Listing.ErrorText.Of(error));
    }
}
