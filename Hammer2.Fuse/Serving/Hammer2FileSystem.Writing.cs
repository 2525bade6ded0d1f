// What this is: bytes, sizes, attributes and durability through FUSE.
// Invariants: data goes to the engine where the kernel put it, without a copy. The kernel gives every write its offset, also
// appending ones: nobody but this mount changes the file, so its idea of the end is right. Clearing set-user-id and
// set-group-id on writes, truncation and chown is the kernel's, who sends the mode (FUSE_HANDLE_KILLPRIV is not offered).
// Layers: Engine, Protocol.

using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Fuse.Protocol;

namespace Hammer2.Fuse.Serving;

internal sealed partial class Hammer2FileSystem
{
    private const uint KnownAllocateModes = FuseFAllocateIn.KeepSize | FuseFAllocateIn.PunchHole | FuseFAllocateIn.ZeroRange;

    /// <inheritdoc/>
    public int Write(ulong handle, ulong offset, ReadOnlySpan<byte> data)
    {
        if (_files.Find(handle) is not { } vnode)
            return Errno.EBADF;
        if (offset > (ulong)(long.MaxValue - data.Length))
            return Errno.EFBIG;
        try
        {
            return Errno.From(vnode.TryWrite((long)offset, data));
        }
        catch (Hammer2Exception exception)
        {
            return Failed(exception, "writing inode", vnode.InodeNumber);
        }
        finally
        {
            Changed();
        }
    }

    /// <inheritdoc/>
    public int SetAttributes(ulong node, in FuseSetAttributesIn change, ref FuseAttributesOut attributes)
    {
        var errno = TryConvert(change, out var changes);
        if (errno != 0)
            return errno;
        Vnode? opened = null;
        var vnode = (change.Valid & FuseSetAttributesFlags.Handle) != 0 ? _files.Find(change.Handle) : null;
        if (vnode is null)
        {
            errno = OpenVnode(node, out opened);
            if (errno != 0)
                return errno;
            vnode = opened;
        }

        try
        {
            errno = Errno.From(vnode!.TrySetAttributes(KernelKeepsTimes ? WithoutOwnTimes(changes, change.Valid, vnode) : changes));
            if (errno != 0)
                return errno;
            attributes.ValidSeconds = _validSeconds;
            AttributeConversion.Fill(vnode.GetAttributes(), _owners, ref attributes.Attributes);
            return 0;
        }
        catch (Hammer2Exception exception)
        {
            return Failed(exception, "setting attributes of inode", node);
        }
        finally
        {
            opened?.Dispose();
            Changed();
        }
    }

    /// <inheritdoc/>
    public int Allocate(ulong handle, ulong offset, ulong length, uint mode)
    {
        if (_files.Find(handle) is not { } vnode)
            return Errno.EBADF;
        if ((mode & ~KnownAllocateModes) != 0)
            return Errno.EOPNOTSUPP;
        if (length == 0 || offset > long.MaxValue)
            return Errno.EINVAL;
        if (length > long.MaxValue - offset)
            return Errno.EFBIG;
        try
        {
            return Errno.From(Allocate(vnode, (long)offset, (long)length, mode));
        }
        catch (Hammer2Exception exception)
        {
            return Failed(exception, "allocating for inode", vnode.InodeNumber);
        }
        finally
        {
            Changed();
        }
    }

    /// <inheritdoc/>
    public int CopyRange(in FuseCopyFileRangeIn copy, Span<byte> scratch, out ulong copied)
    {
        copied = 0;
        if (_files.Find(copy.HandleIn) is not { } source || _files.Find(copy.HandleOut) is not { } target)
            return Errno.EBADF;
        if (copy.OffsetIn > long.MaxValue || copy.OffsetOut > long.MaxValue || copy.Length > long.MaxValue - copy.OffsetOut)
            return Errno.EFBIG;
        try
        {
            while (copied < copy.Length)
            {
                var piece = scratch[..(int)Math.Min((ulong)scratch.Length, copy.Length - copied)];
                var read = source.Read((long)(copy.OffsetIn + copied), piece);
                if (read == 0)
                    return 0;
                var errno = Errno.From(target.TryWrite((long)(copy.OffsetOut + copied), piece[..read]));
                if (errno != 0)
                    return copied > 0 ? 0 : errno;
                copied += (uint)read;
            }

            return 0;
        }
        catch (Hammer2Exception exception)
        {
            // What was copied so far counts; whoever goes on meets the failure with the next request.
            var errno = Failed(exception, "copying inode", source.InodeNumber);
            return copied > 0 ? 0 : errno;
        }
        finally
        {
            Changed();
        }
    }

    /// <inheritdoc/>
    public int Sync(ulong handle, bool isDirectory)
    {
        var vnode = isDirectory ? _directories.Find(handle)?.Vnode : _files.Find(handle);
        if (vnode is null)
            return Errno.EBADF;
        try
        {
            vnode.Sync();
            return 0;
        }
        catch (Hammer2Exception exception)
        {
            return SyncFailed(exception, vnode.InodeNumber);
        }
    }

    /// <inheritdoc/>
    public int SyncAll()
    {
        try
        {
            _pfs.Volume.Sync();
            return 0;
        }
        catch (Hammer2Exception exception)
        {
            return SyncFailed(exception, FuseProtocol.RootNode);
        }
    }

    /// <inheritdoc/>
    public int GetFlags(ulong node, out uint flags)
    {
        var errno = Attributes(node, out var found);
        flags = FileFlags.ToLinux(found.UserFlags);
        return errno;
    }

    /// <inheritdoc/>
    public int SetFlags(ulong node, uint flags)
    {
        if ((flags & ~FileFlags.LinuxKnown) != 0)
            return Errno.EOPNOTSUPP;
        var errno = OpenVnode(node, out var vnode);
        if (errno != 0)
            return errno;
        try
        {
            var wanted = FileFlags.FromLinux(vnode!.GetAttributes().UserFlags, flags);
            return Errno.From(vnode.TrySetAttributes(new AttributeChanges { UserFlags = wanted }));
        }
        catch (Hammer2Exception exception)
        {
            return Failed(exception, "setting flags of inode", node);
        }
        finally
        {
            vnode!.Dispose();
            Changed();
        }
    }

    private static Hammer2Error Allocate(Vnode vnode, long offset, long length, uint mode)
    {
        var keepSize = (mode & FuseFAllocateIn.KeepSize) != 0;
        if ((mode & FuseFAllocateIn.PunchHole) != 0)
            return keepSize ? vnode.TryPunchHole(offset, length) : Hammer2Error.Unsupported;
        if ((mode & FuseFAllocateIn.ZeroRange) == 0)
            return vnode.TryAllocate(offset, length, keepSize);
        // Room first: a range that is to be written later should not turn out not to fit after it was zeroed.
        var error = vnode.TryAllocate(offset, length, keepSize);
        return error == Hammer2Error.None ? vnode.TryPunchHole(offset, length) : error;
    }

    private int TryConvert(in FuseSetAttributesIn change, out AttributeChanges changes)
    {
        changes = default;
        var valid = change.Valid;
        var now = MediaTime.FromUtc(DateTime.UtcNow);
        // Whoever shows other owners than the medium's cannot let them be changed: nobody would see it.
        var uid = (valid & FuseSetAttributesFlags.Uid) != 0 ? change.Uid : (uint?)null;
        var gid = (valid & FuseSetAttributesFlags.Gid) != 0 ? change.Gid : (uint?)null;
        if (_owners.Uid is { } shownUid && uid is not null && uid != shownUid)
            return Errno.EPERM;
        if (_owners.Gid is { } shownGid && gid is not null && gid != shownGid)
            return Errno.EPERM;
        long? size = null;
        if ((valid & FuseSetAttributesFlags.Size) != 0)
        {
            if (change.Size > long.MaxValue)
                return Errno.EFBIG;
            size = (long)change.Size;
        }

        long? modified = (valid & FuseSetAttributesFlags.ModifyTimeNow) != 0 || (size is not null && (valid & FuseSetAttributesFlags.ModifyTime) == 0)
            ? now
            : (valid & FuseSetAttributesFlags.ModifyTime) != 0 ? AttributeConversion.Join(change.ModifySeconds, change.ModifyNanoseconds) : null;
        long? accessed = (valid & FuseSetAttributesFlags.AccessTimeNow) != 0
            ? now
            : (valid & FuseSetAttributesFlags.AccessTime) != 0 ? AttributeConversion.Join(change.AccessSeconds, change.AccessNanoseconds) : null;
        changes = new AttributeChanges
        {
            Mode = (valid & FuseSetAttributesFlags.Mode) != 0 ? change.Mode & PermissionMask : null,
            Uid = _owners.Uid is null ? uid : null,
            Gid = _owners.Gid is null ? gid : null,
            Size = size,
            AccessTimeUs = accessed,
            ModifyTimeUs = modified,
            ChangeTimeUs = (valid & FuseSetAttributesFlags.ChangeTime) != 0
                ? AttributeConversion.Join(change.ChangeSeconds, change.ChangeNanoseconds)
                : null,
        };
        return 0;
    }

    // A size that comes without a time is truncate(2) to the size that the file has: the kernel changes no time for it, nor would
    // it take one from here, so the times would be others after the next mount than programs saw.
    private static AttributeChanges WithoutOwnTimes(in AttributeChanges changes, FuseSetAttributesFlags valid, Vnode vnode)
    {
        const FuseSetAttributesFlags Times = FuseSetAttributesFlags.ModifyTime | FuseSetAttributesFlags.ModifyTimeNow | FuseSetAttributesFlags.ChangeTime;
        if (changes.Size is null || (valid & Times) != 0)
            return changes;
        var now = vnode.GetAttributes();
        return changes with { ModifyTimeUs = now.ModifyTimeUs, ChangeTimeUs = now.ChangeTimeUs };
    }

    // fsync(2) of a volume that stopped taking changes: the program must learn that its data is not safe.
    private int SyncFailed(Hammer2Exception exception, ulong inode)
    {
        var errno = Failed(exception, "syncing inode", inode);
        return errno == Errno.EROFS ? Errno.EIO : errno;
    }
}
