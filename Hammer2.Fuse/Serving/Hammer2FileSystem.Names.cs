// What this is: making, linking, renaming and removing through FUSE.
// Invariants: whatever may lose its last name is opened before and kept while the kernel knows it (RemovedNodes); one vnode
// stands for both directories of a rename within one. The kernel has applied the umask and checked permissions; group
// inheritance of set-group-id directories is left to us, and done here.
// Layers: Engine, Protocol.

using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Fuse.Protocol;
using Hammer2.Fuse.Sessions;

namespace Hammer2.Fuse.Serving;

internal sealed partial class Hammer2FileSystem
{
    private const uint PermissionMask = 0xFFF;
    private const uint SetGroupId = 0x400;
    private const uint LinkPermissions = 0x1FF;

    private readonly RemovedNodes _removed = new();

    /// <inheritdoc/>
    public int Create(FuseCaller caller, ulong parent, ReadOnlySpan<byte> name, in FuseCreateIn create, ref FuseCreateOut created)
    {
        var errno = Make(caller, parent, name, new Shape(ObjectType.File, create.Mode), [], ref created.Entry, out var vnode);
        if (errno != 0)
            return errno;
        created.Opened.Handle = _files.Add(vnode!);
        created.Opened.Flags = OpenFlags;
        return 0;
    }

    /// <inheritdoc/>
    public int MakeNode(FuseCaller caller, ulong parent, ReadOnlySpan<byte> name, uint mode, uint device, ref FuseEntryOut entry)
    {
        if (AttributeConversion.TypeOf(mode) is not { } type || type is ObjectType.Directory or ObjectType.Symlink)
            return Errno.EINVAL;
        var shape = new Shape(type, mode) { Device = type is ObjectType.CharDevice or ObjectType.BlockDevice ? device : 0 };
        return Make(caller, parent, name, shape, [], ref entry);
    }

    /// <inheritdoc/>
    public int MakeDirectory(FuseCaller caller, ulong parent, ReadOnlySpan<byte> name, uint mode, ref FuseEntryOut entry) =>
        Make(caller, parent, name, new Shape(ObjectType.Directory, mode), [], ref entry);

    /// <inheritdoc/>
    public int MakeLink(FuseCaller caller, ulong parent, ReadOnlySpan<byte> name, ReadOnlySpan<byte> target, ref FuseEntryOut entry) =>
        Make(caller, parent, name, new Shape(ObjectType.Symlink, LinkPermissions), target, ref entry);

    /// <inheritdoc/>
    public int Link(ulong node, ulong parent, ReadOnlySpan<byte> name, ref FuseEntryOut entry)
    {
        var errno = OpenVnode(node, out var target);
        if (errno != 0)
            return errno;
        using (target)
        {
            errno = OpenVnode(parent, out var directory);
            if (errno != 0)
                return errno;
            using (directory)
            {
                try
                {
                    errno = Errno.From(_pfs.TryLink(target!, directory!, name));
                    if (errno == 0)
                        FillEntry(target!.GetAttributes(), ref entry);
                    return errno;
                }
                catch (Hammer2Exception exception)
                {
                    return Failed(exception, "linking inode", node);
                }
                finally
                {
                    Changed();
                }
            }
        }
    }

    /// <inheritdoc/>
    public int Unlink(ulong parent, ReadOnlySpan<byte> name) => Remove(parent, name, isDirectory: false);

    /// <inheritdoc/>
    public int RemoveDirectory(ulong parent, ReadOnlySpan<byte> name) => Remove(parent, name, isDirectory: true);

    /// <inheritdoc/>
    public int Rename(ulong parent, ReadOnlySpan<byte> name, ulong newParent, ReadOnlySpan<byte> newName, uint flags)
    {
        if (flags is not (0 or FuseRename2In.NoReplace or FuseRename2In.Exchange))
            return Errno.EINVAL;
        var mode = flags switch
        {
            FuseRename2In.NoReplace => RenameMode.NoReplace,
            FuseRename2In.Exchange => RenameMode.Exchange,
            _ => RenameMode.Replace,
        };
        var errno = OpenVnode(parent, out var from);
        if (errno != 0)
            return errno;
        using (from)
        {
            if (parent == newParent)
                return Rename(from!, name, from!, newName, mode);
            errno = OpenVnode(newParent, out var to);
            if (errno != 0)
                return errno;
            using (to)
                return Rename(from!, name, to!, newName, mode);
        }
    }

    /// <inheritdoc/>
    public void Forget(ulong node) => _removed.Forget(node);

    private int Rename(Vnode from, ReadOnlySpan<byte> name, Vnode to, ReadOnlySpan<byte> newName, RenameMode mode)
    {
        Vnode? replaced = null;
        try
        {
            if (mode == RenameMode.Replace)
                replaced = OpenDoomed(to, newName);
            var errno = Errno.From(_pfs.TryRename(from, name, to, newName, mode));
            if (errno == 0)
                Doom(ref replaced);
            return errno;
        }
        catch (Hammer2Exception exception)
        {
            return Failed(exception, "renaming in directory inode", from.InodeNumber);
        }
        finally
        {
            replaced?.Dispose();
            Changed();
        }
    }

    private int Remove(ulong parent, ReadOnlySpan<byte> name, bool isDirectory)
    {
        var errno = OpenVnode(parent, out var directory);
        if (errno != 0)
            return errno;
        Vnode? target = null;
        try
        {
            target = OpenDoomed(directory!, name);
            var error = isDirectory ? _pfs.TryRemoveDirectory(directory!, name) : _pfs.TryUnlink(directory!, name);
            if (error == Hammer2Error.None)
                Doom(ref target);
            return Errno.From(error);
        }
        catch (Hammer2Exception exception)
        {
            return Failed(exception, "removing a name in directory inode", parent);
        }
        finally
        {
            target?.Dispose();
            directory!.Dispose();
            Changed();
        }
    }

    // What a name that is about to go refers to; null if there is none, or if it is so damaged that it cannot be opened: then
    // the kernel could not look it up either, and knows no node of it.
    private Vnode? OpenDoomed(Vnode directory, ReadOnlySpan<byte> name)
    {
        try
        {
            return _pfs.TryLookup(directory, name, out var vnode) == Hammer2Error.None ? vnode : null;
        }
        catch (Hammer2Exception exception)
        {
            _damage.Report($"removing a name in directory inode {directory.InodeNumber}", exception);
            return null;
        }
    }

    private void Doom(ref Vnode? removed)
    {
        if (removed is not null)
            _removed.Take(removed);
        removed = null;
    }

    private int Make(
        FuseCaller caller, ulong parent, ReadOnlySpan<byte> name, Shape shape, ReadOnlySpan<byte> target, ref FuseEntryOut entry)
    {
        var errno = Make(caller, parent, name, shape, target, ref entry, out var vnode);
        vnode?.Dispose();
        return errno;
    }

    private int Make(
        FuseCaller caller, ulong parent, ReadOnlySpan<byte> name, Shape shape, ReadOnlySpan<byte> target, ref FuseEntryOut entry,
        out Vnode? vnode)
    {
        vnode = null;
        var errno = OpenVnode(parent, out var directory);
        if (errno != 0)
            return errno;
        try
        {
            var around = directory!.GetAttributes();
            var inherits = (around.Mode & SetGroupId) != 0;
            var (major, minor) = AttributeConversion.DeviceOf(shape.Device);
            var what = new NewInode
            {
                Type = shape.Type,
                Mode = (shape.Mode & PermissionMask) | (inherits && shape.Type == ObjectType.Directory ? SetGroupId : 0),
                Uid = caller.Uid,
                Gid = inherits ? around.Gid : caller.Gid,
                DeviceMajor = major,
                DeviceMinor = minor,
                SymlinkTarget = target,
            };
            errno = Errno.From(_pfs.TryCreate(directory, name, what, out vnode));
            if (errno == 0)
                FillEntry(vnode!.GetAttributes(), ref entry);
            return errno;
        }
        catch (Hammer2Exception exception)
        {
            vnode?.Dispose();
            vnode = null;
            return Failed(exception, "creating in directory inode", parent);
        }
        finally
        {
            directory!.Dispose();
            Changed();
        }
    }

    /// <summary>What is to be made: type, permissions and for devices the number as the kernel packs it.</summary>
    private readonly record struct Shape(ObjectType Type, uint Mode)
    {
        public uint Device { get; init; }
    }
}
