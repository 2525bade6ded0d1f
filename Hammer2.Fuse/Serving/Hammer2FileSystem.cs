// What this is: a PFS served through FUSE: lookups, attributes and files. Listings are in Hammer2FileSystem.Directories.cs,
// what changes names in .Names.cs, what changes contents in .Writing.cs.
// Invariants: a node id is an inode number (the root's is 1 in both worlds, and none is ever used twice), so nothing is kept
// for a lookup; an open handle owns one vnode until its release, and by it an object without names stays reachable by its
// number. The volume changes only through this mount, so the kernel may keep what it learned.
// Layers: Engine, Protocol.

using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Fuse.Protocol;
using Hammer2.Fuse.Sessions;
using Microsoft.Extensions.Logging;

namespace Hammer2.Fuse.Serving;

/// <summary>Answers FUSE requests from the engine.</summary>
internal sealed partial class Hammer2FileSystem : IFuseFileSystem
{
    private const uint AccessModeMask = 3;
    private const uint AppendFlag = 0x400;
    private const uint WriteAccess = 2;
    private const uint NameBytesMax = 255;
    private const uint InodeBytes = 1024;

    // Every file: what programs wrote is with the engine or in the page cache when they close it; there is nothing to flush.
    private const FuseOpenFlags OpenFlags = FuseOpenFlags.KeepCache | FuseOpenFlags.NoFlush;

    private readonly PfsMount _pfs;
    private readonly FuseOwners _owners;
    private readonly ulong _validSeconds;
    private readonly DamageLog _damage;
    private readonly HandleTable<Vnode> _files = new();
    private long _changes;

    /// <summary>Serves a PFS, which the caller keeps open until this is disposed of.</summary>
    public Hammer2FileSystem(PfsMount pfs, FuseOwners owners, TimeSpan cacheTime, ILogger logger)
    {
        _pfs = pfs;
        _owners = owners;
        _validSeconds = (ulong)Math.Max(0, cacheTime.TotalSeconds);
        _damage = new DamageLog(logger);
    }

    /// <summary>The kernel collects writes, and what it says about the times of files is what counts.</summary>
    internal bool KernelKeepsTimes { get; init; }

    /// <inheritdoc/>
    public int Lookup(ulong parent, ReadOnlySpan<byte> name, ref FuseEntryOut entry)
    {
        try
        {
            var error = _pfs.TryLookup(parent, name, out var attributes);
            if (error == Hammer2Error.None)
            {
                FillEntry(attributes, ref entry);
                return 0;
            }

            // No node and a validity: the kernel remembers that there is no such name.
            entry.EntryValidSeconds = _validSeconds;
            return error == Hammer2Error.NotFound ? 0 : Errno.From(error);
        }
        catch (Hammer2Exception exception)
        {
            return Failed(exception, "looking up a name in directory inode", parent);
        }
    }

    /// <inheritdoc/>
    public int GetAttributes(ulong node, ref FuseAttributesOut attributes)
    {
        var errno = Attributes(node, out var found);
        if (errno != 0)
            return errno;
        attributes.ValidSeconds = _validSeconds;
        AttributeConversion.Fill(found, _owners, ref attributes.Attributes);
        return 0;
    }

    /// <inheritdoc/>
    public int GetStatx(ulong node, ref FuseStatxOut statx)
    {
        var errno = Attributes(node, out var found);
        if (errno != 0)
            return errno;
        statx.ValidSeconds = _validSeconds;
        AttributeConversion.Fill(found, _owners, ref statx.Statx);
        return 0;
    }

    /// <inheritdoc/>
    public int ReadLink(ulong node, Span<byte> target, out int length)
    {
        length = 0;
        var errno = OpenVnode(node, out var vnode);
        if (errno != 0)
            return errno;
        try
        {
            using (vnode)
            {
                var bytes = vnode!.ReadLink();
                if (bytes.Length > target.Length)
                    return Errno.ENAMETOOLONG;
                bytes.CopyTo(target);
                length = bytes.Length;
                return 0;
            }
        }
        catch (Hammer2Exception exception)
        {
            return Failed(exception, "reading symlink inode", node);
        }
    }

    /// <inheritdoc/>
    public int Open(ulong node, uint flags, ref FuseOpenOut opened)
    {
        var writes = (flags & AccessModeMask) != 0;
        if (writes && !_pfs.Volume.IsWritable)
            return Errno.EROFS;
        var errno = OpenVnode(node, out var vnode);
        if (errno != 0)
            return errno;
        if (writes && IsProtected(vnode!.GetAttributes().UserFlags, flags))
        {
            vnode.Dispose();
            return Errno.EPERM;
        }

        opened.Handle = _files.Add(vnode!);
        opened.Flags = OpenFlags;
        return 0;
    }

    /// <inheritdoc/>
    public int Read(ulong handle, ulong offset, Span<byte> buffer, out int length)
    {
        length = 0;
        if (_files.Find(handle) is not { } vnode)
            return Errno.EBADF;
        if (offset > long.MaxValue)
            return Errno.EINVAL;
        try
        {
            length = vnode.Read((long)offset, buffer);
            return 0;
        }
        catch (Hammer2Exception exception)
        {
            // Never a part of the range: a short reply means the end of the file to the kernel. It asks again page by
            // page for what the program really wants, so good blocks beside the damaged one stay readable.
            return Failed(exception, "reading inode", vnode.InodeNumber);
        }
    }

    /// <inheritdoc/>
    public int Seek(ulong handle, ulong offset, uint whence, out ulong found)
    {
        found = 0;
        if (_files.Find(handle) is not { } vnode)
            return Errno.EBADF;
        if (offset > long.MaxValue || whence is not (FuseLSeekIn.SeekData or FuseLSeekIn.SeekHole))
            return Errno.EINVAL;
        try
        {
            if (offset >= (ulong)vnode.GetAttributes().Size)
                return Errno.ENXIO;
            var at = whence == FuseLSeekIn.SeekData ? vnode.NextData((long)offset) : vnode.NextHole((long)offset);
            found = (ulong)at.GetValueOrDefault();
            return at is null ? Errno.ENXIO : 0;
        }
        catch (Hammer2Exception exception)
        {
            return Failed(exception, "seeking in inode", vnode.InodeNumber);
        }
    }

    /// <inheritdoc/>
    public void Release(ulong handle) => _files.Remove(handle)?.Dispose();

    /// <inheritdoc/>
    public int StatFs(ref FuseStatFsOut statistics)
    {
        var known = _pfs.GetStatistics();
        statistics.BlockSize = AttributeConversion.BlockBytes;
        statistics.FragmentSize = AttributeConversion.BlockBytes;
        statistics.Blocks = (ulong)known.TotalBytes / AttributeConversion.BlockBytes;
        statistics.BlocksFree = (ulong)known.FreeBytes / AttributeConversion.BlockBytes;
        statistics.BlocksAvailable = (ulong)known.FreeBytes / AttributeConversion.BlockBytes;
        // There is no table of inodes that could fill up: the free space is what limits them.
        statistics.FilesFree = (ulong)known.FreeBytes / InodeBytes;
        statistics.Files = (ulong)known.InodeCount + statistics.FilesFree;
        statistics.NameLengthMax = NameBytesMax;
        return 0;
    }

    /// <inheritdoc/>
    public int Access(ulong node, uint mask) => (mask & WriteAccess) != 0 && !_pfs.Volume.IsWritable ? Errno.EROFS : 0;

    /// <summary>Closes every handle the kernel left open. No request may be under way any more.</summary>
    public void Dispose()
    {
        foreach (var vnode in _files.RemoveAll())
            vnode.Dispose();
        foreach (var directory in _directories.RemoveAll())
            directory.Vnode.Dispose();
        _removed.ForgetAll();
    }

    private static bool IsProtected(uint fileFlags, uint openFlags) =>
        FileFlags.IsImmutable(fileFlags) || (FileFlags.IsAppendOnly(fileFlags) && (openFlags & AppendFlag) == 0);

    /// <summary>Another mount of the PFS changed something.</summary>
    public void ChangedElsewhere() => Changed();

    // After every change, before its reply: listings that were read ahead are not to be delivered any more.
    private void Changed() => Interlocked.Increment(ref _changes);

    private void FillEntry(in InodeAttributes attributes, ref FuseEntryOut entry)
    {
        entry.NodeId = attributes.InodeNumber;
        entry.EntryValidSeconds = _validSeconds;
        entry.AttributesValidSeconds = _validSeconds;
        AttributeConversion.Fill(attributes, _owners, ref entry.Attributes);
    }

    private int Attributes(ulong node, out InodeAttributes attributes)
    {
        try
        {
            return FromNode(_pfs.TryGetAttributes(node, out attributes));
        }
        catch (Hammer2Exception exception)
        {
            attributes = default;
            return Failed(exception, "attributes of inode", node);
        }
    }

    private int OpenVnode(ulong node, out Vnode? vnode)
    {
        try
        {
            return FromNode(_pfs.TryReopen(node, out vnode));
        }
        catch (Hammer2Exception exception)
        {
            vnode = null;
            return Failed(exception, "opening inode", node);
        }
    }

    // The kernel asks for a node by its number, not by a name: if it is gone, what the kernel has is stale.
    private static int FromNode(Hammer2Error error) => error == Hammer2Error.NotFound ? Errno.ESTALE : Errno.From(error);

    private int Failed(Hammer2Exception exception, string what, ulong inode)
    {
        _damage.Report($"{what} {inode}", exception);
        return Errno.From(exception.Error);
    }
}
