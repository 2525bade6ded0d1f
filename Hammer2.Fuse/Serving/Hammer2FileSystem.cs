// What this is: a PFS served through FUSE: lookups, attributes and files. Directories are in Hammer2FileSystem.Directories.cs.
// Invariants: a node id is an inode number (the root's is 1 in both worlds), so nothing is kept for a lookup; an open handle
// owns one vnode until its release. The volume changes only through this mount, so the kernel may keep what it learned.
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
    private const uint WriteAccess = 2;
    private const uint NameBytesMax = 255;

    private readonly PfsMount _pfs;
    private readonly FuseOwners _owners;
    private readonly ulong _validSeconds;
    private readonly DamageLog _damage;
    private readonly HandleTable<Vnode> _files = new();

    /// <summary>Serves a PFS, which the caller keeps open until this is disposed of.</summary>
    public Hammer2FileSystem(PfsMount pfs, FuseOwners owners, TimeSpan cacheTime, ILogger logger)
    {
        _pfs = pfs;
        _owners = owners;
        _validSeconds = (ulong)Math.Max(0, cacheTime.TotalSeconds);
        _damage = new DamageLog(logger);
    }

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
        if ((flags & AccessModeMask) != 0)
            return Errno.EROFS;
        var errno = OpenVnode(node, out var vnode);
        if (errno != 0)
            return errno;
        opened.Handle = _files.Add(vnode!);
        opened.Flags = FuseOpenFlags.KeepCache | FuseOpenFlags.NoFlush;
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
        statistics.Files = (ulong)known.InodeCount;
        statistics.NameLengthMax = NameBytesMax;
        return 0;
    }

    /// <inheritdoc/>
    public int Access(ulong node, uint mask) => (mask & WriteAccess) != 0 ? Errno.EROFS : 0;

    /// <summary>Closes every handle the kernel left open. No request may be under way any more.</summary>
    public void Dispose()
    {
        foreach (var vnode in _files.RemoveAll())
            vnode.Dispose();
        foreach (var directory in _directories.RemoveAll())
            directory.Vnode.Dispose();
    }

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
            return Errno.From(_pfs.TryGetAttributes(node, out attributes));
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
            return Errno.From(_pfs.TryOpen(node, out vnode));
        }
        catch (Hammer2Exception exception)
        {
            vnode = null;
            return Failed(exception, "opening inode", node);
        }
    }

    private int Failed(Hammer2Exception exception, string what, ulong inode)
    {
        _damage.Report($"{what} {inode}", exception);
        return Errno.From(exception.Error);
    }
}
