// The changing half of the filesystem in memory. It follows what Hammer2FileSystem leaves to the kernel and what not, so that
// the same tests run over both.
// Layers: Fuse.Sessions, Fuse.Protocol.

using System.Runtime.CompilerServices;
using Hammer2.Fuse;
using Hammer2.Fuse.Protocol;
using Hammer2.Fuse.Sessions;

namespace Hammer2.Tests.Fuse;

internal sealed partial class MemoryFileSystem
{
    private const uint SetGroupId = 0x400;

    private static long NowUs => (DateTime.UtcNow - DateTime.UnixEpoch).Ticks / 10;

    public int SetAttributes(ulong node, in FuseSetAttributesIn change, ref FuseAttributesOut attributes)
    {
        lock (_gate)
        {
            if (!_nodes.TryGetValue(node, out var found))
                return Errno.ESTALE;
            var now = NowUs;
            var valid = change.Valid;
            if ((valid & FuseSetAttributesFlags.Mode) != 0)
                found.Mode = (found.Mode & TypeMask) | (change.Mode & ~TypeMask);
            if ((valid & FuseSetAttributesFlags.Uid) != 0)
                found.Uid = change.Uid;
            if ((valid & FuseSetAttributesFlags.Gid) != 0)
                found.Gid = change.Gid;
            if ((valid & FuseSetAttributesFlags.Size) != 0)
            {
                found.SetSize((long)change.Size, zero: !ForgetsToZero);
                found.ModifyUs = now;
            }

            if ((valid & FuseSetAttributesFlags.AccessTime) != 0)
            {
                found.AccessUs = (valid & FuseSetAttributesFlags.AccessTimeNow) != 0
                    ? now : change.AccessSeconds * 1_000_000 + change.AccessNanoseconds / 1000;
            }

            if ((valid & FuseSetAttributesFlags.ModifyTime) != 0)
            {
                found.ModifyUs = (valid & FuseSetAttributesFlags.ModifyTimeNow) != 0
                    ? now : change.ModifySeconds * 1_000_000 + change.ModifyNanoseconds / 1000;
            }

            found.ChangeUs = (valid & FuseSetAttributesFlags.ChangeTime) != 0
                ? change.ChangeSeconds * 1_000_000 + change.ChangeNanoseconds / 1000 : now;
            attributes.ValidSeconds = Validity;
            Fill(found, ref attributes.Attributes);
            return 0;
        }
    }

    public int Create(FuseCaller caller, ulong parent, ReadOnlySpan<byte> name, in FuseCreateIn create, ref FuseCreateOut created)
    {
        lock (_gate)
        {
            var errno = Make(caller, parent, name, create.Mode, 0, [], ref created.Entry);
            return errno != 0 ? errno : Open(created.Entry.NodeId, create.Flags, ref created.Opened);
        }
    }

    public int MakeNode(FuseCaller caller, ulong parent, ReadOnlySpan<byte> name, uint mode, uint device, ref FuseEntryOut entry) =>
        Make(caller, parent, name, mode, device, [], ref entry);

    public int MakeDirectory(FuseCaller caller, ulong parent, ReadOnlySpan<byte> name, uint mode, ref FuseEntryOut entry) =>
        Make(caller, parent, name, DirectoryType | mode, 0, [], ref entry);

    public int MakeLink(FuseCaller caller, ulong parent, ReadOnlySpan<byte> name, ReadOnlySpan<byte> target, ref FuseEntryOut entry) =>
        Make(caller, parent, name, 0xA1FF, 0, target.ToArray(), ref entry);

    public int Link(ulong node, ulong parent, ReadOnlySpan<byte> name, ref FuseEntryOut entry)
    {
        lock (_gate)
        {
            if (!_nodes.TryGetValue(node, out var target) || !_nodes.TryGetValue(parent, out var directory))
                return Errno.ESTALE;
            if (directory.Names.ContainsKey(Text(name)))
                return Errno.EEXIST;
            target.Links++;
            target.ChangeUs = NowUs;
            Add(directory, name, target);
            Fill(target, ref entry);
            return 0;
        }
    }

    public int Unlink(ulong parent, ReadOnlySpan<byte> name) => Remove(parent, name, isDirectory: false);

    public int RemoveDirectory(ulong parent, ReadOnlySpan<byte> name) => Remove(parent, name, isDirectory: true);

    public int Rename(ulong parent, ReadOnlySpan<byte> name, ulong newParent, ReadOnlySpan<byte> newName, uint flags)
    {
        lock (_gate)
        {
            if (flags is not (0 or FuseRename2In.NoReplace or FuseRename2In.Exchange))
                return Errno.EINVAL;
            var from = _nodes[parent];
            var to = _nodes[newParent];
            if (!from.Names.TryGetValue(Text(name), out var moved))
                return Errno.ENOENT;
            var exists = to.Names.TryGetValue(Text(newName), out var other);
            if (exists && flags == FuseRename2In.NoReplace)
                return Errno.EEXIST;
            moved.ChangeUs = NowUs;
            if (flags == FuseRename2In.Exchange)
            {
                if (!exists)
                    return Errno.ENOENT;
                other!.ChangeUs = NowUs;
                Drop(from, name);
                Drop(to, newName);
                Add(from, name, other);
                Add(to, newName, moved);
                return 0;
            }

            if (exists && other!.IsDirectory && other.Names.Count > 0)
                return Errno.ENOTEMPTY;
            if (exists)
                Unlink(to, newName, other!);
            Drop(from, name);
            Add(to, newName, moved);
            return 0;
        }
    }

    public int Write(ulong handle, ulong offset, ReadOnlySpan<byte> data)
    {
        lock (_gate)
        {
            if (!_handles.TryGetValue(handle, out var node))
                return Errno.EBADF;
            if ((long)offset + data.Length > BytesMax)
                return Errno.ENOSPC;
            if (data.Length > 0 && (AddressOf(data) & 4095) != 0)
                UnalignedWrites++;
            node.Write((long)offset, data);
            node.ModifyUs = node.ChangeUs = NowUs;
            return 0;
        }
    }

    public int Allocate(ulong handle, ulong offset, ulong length, uint mode)
    {
        lock (_gate)
        {
            if (!_handles.TryGetValue(handle, out var node))
                return Errno.EBADF;
            var end = (long)(offset + length);
            if (end > BytesMax)
                return Errno.ENOSPC;
            if ((mode & (FuseFAllocateIn.PunchHole | FuseFAllocateIn.ZeroRange)) != 0)
                node.Zero((long)offset, end);
            if ((mode & FuseFAllocateIn.KeepSize) == 0 && end > node.Size)
                node.SetSize(end);
            node.ModifyUs = node.ChangeUs = NowUs;
            return 0;
        }
    }

    public int CopyRange(in FuseCopyFileRangeIn copy, Span<byte> scratch, out ulong copied)
    {
        lock (_gate)
        {
            copied = 0;
            var source = _handles[copy.HandleIn];
            var target = _handles[copy.HandleOut];
            while (copied < copy.Length)
            {
                var left = Math.Min((long)(copy.Length - copied), source.Size - (long)(copy.OffsetIn + copied));
                if (left <= 0)
                    return 0;
                var piece = scratch[..(int)Math.Min(scratch.Length, left)];
                source.Read((long)(copy.OffsetIn + copied), piece);
                target.Write((long)(copy.OffsetOut + copied), piece);
                copied += (uint)piece.Length;
            }

            return 0;
        }
    }

    public int Sync(ulong handle, bool isDirectory)
    {
        lock (_gate)
            Syncs++;
        return 0;
    }

    public int GetFlags(ulong node, out uint flags)
    {
        lock (_gate)
            flags = _nodes[node].Flags;
        return 0;
    }

    public int SetFlags(ulong node, uint flags)
    {
        lock (_gate)
            _nodes[node].Flags = flags;
        return 0;
    }

    public void Forget(ulong node)
    {
        lock (_gate)
        {
            if (!_nodes.TryGetValue(node, out var found))
                return;
            found.IsKnown = false;
            DropIfDone(found);
        }
    }

    private static unsafe nuint AddressOf(ReadOnlySpan<byte> data) => (nuint)Unsafe.AsPointer(ref Unsafe.AsRef(in data[0]));

    private int Make(
        FuseCaller caller, ulong parent, ReadOnlySpan<byte> name, uint mode, uint device, byte[] target, ref FuseEntryOut entry)
    {
        lock (_gate)
        {
            if (name.Length > 255)
                return Errno.ENAMETOOLONG;
            if (!_nodes.TryGetValue(parent, out var directory))
                return Errno.ESTALE;
            if (directory.Links == 0)
                return Errno.ENOENT;
            if (directory.Names.ContainsKey(Text(name)))
                return Errno.EEXIST;
            var inherits = (directory.Mode & SetGroupId) != 0;
            var node = new Node
            {
                Number = ++_lastNode,
                Mode = mode | (inherits && (mode & TypeMask) == DirectoryType ? SetGroupId : 0),
                Uid = caller.Uid,
                Gid = inherits ? directory.Gid : caller.Gid,
                Device = device,
                Links = 1,
                Target = target,
                Size = target.Length,
            };
            node.AccessUs = node.ModifyUs = node.ChangeUs = NowUs;
            _nodes.Add(node.Number, node);
            Add(directory, name, node);
            Fill(node, ref entry);
            return 0;
        }
    }

    private int Remove(ulong parent, ReadOnlySpan<byte> name, bool isDirectory)
    {
        lock (_gate)
        {
            if (!_nodes.TryGetValue(parent, out var directory))
                return Errno.ESTALE;
            if (!directory.Names.TryGetValue(Text(name), out var node))
                return Errno.ENOENT;
            if (node.IsDirectory != isDirectory)
                return isDirectory ? Errno.ENOTDIR : Errno.EISDIR;
            if (node.Names.Count > 0)
                return Errno.ENOTEMPTY;
            Unlink(directory, name, node);
            return 0;
        }
    }

    private void Unlink(Node directory, ReadOnlySpan<byte> name, Node node)
    {
        Drop(directory, name);
        node.Links--;
        node.ChangeUs = NowUs;
        DropIfDone(node);
    }

    private static void Add(Node directory, ReadOnlySpan<byte> name, Node node)
    {
        directory.Names.Add(Text(name), node);
        directory.Order.Add(Text(name), ++directory.LastOrder);
        directory.ModifyUs = directory.ChangeUs = NowUs;
    }

    private static void Drop(Node directory, ReadOnlySpan<byte> name)
    {
        directory.Names.Remove(Text(name));
        directory.Order.Remove(Text(name));
        directory.ModifyUs = directory.ChangeUs = NowUs;
    }
}
