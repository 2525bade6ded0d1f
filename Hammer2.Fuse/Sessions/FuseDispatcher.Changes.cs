// What this is: the requests that change something: decoded, passed on, answered.
// Invariants: as in FuseDispatcher.cs. On a read-only mount none of them reaches the filesystem. The data of a WRITE is passed
// on where the kernel put it, without a copy, and nothing is allocated.
// Layers: Protocol, IFuseFileSystem.

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hammer2.Fuse.Protocol;

namespace Hammer2.Fuse.Sessions;

internal sealed partial class FuseDispatcher
{
    // One COPY_FILE_RANGE is answered after so much, so that a signal can end a long copy.
    private const ulong CopyBytesMax = 64 << 20;

    private int RouteChange(in FuseRequest request, FuseReply reply, out int length)
    {
        length = 0;
        if (options.ReadOnly && Changes(request.Header.Opcode))
            return Errno.EROFS;
        switch (request.Header.Opcode)
        {
            case FuseOpcode.SetAttributes:
                length = Unsafe.SizeOf<FuseAttributesOut>();
                return request.TryRead(out FuseSetAttributesIn change)
                    ? fileSystem.SetAttributes(request.Header.NodeId, change, ref reply.Prepare<FuseAttributesOut>())
                    : Errno.EINVAL;
            case FuseOpcode.Create:
                length = Unsafe.SizeOf<FuseCreateOut>();
                return request.TryReadNamed(out FuseCreateIn create, out var name)
                    ? fileSystem.Create(CallerOf(request), request.Header.NodeId, name, create, ref reply.Prepare<FuseCreateOut>())
                    : Errno.EINVAL;
            case FuseOpcode.MakeNode:
            case FuseOpcode.MakeDirectory:
            case FuseOpcode.SymbolicLink:
            case FuseOpcode.Link:
                length = Unsafe.SizeOf<FuseEntryOut>();
                return Make(request, ref reply.Prepare<FuseEntryOut>());
            case FuseOpcode.Unlink:
            case FuseOpcode.RemoveDirectory:
                return Remove(request);
            case FuseOpcode.Rename:
            case FuseOpcode.Rename2:
                return Rename(request);
            case FuseOpcode.FAllocate:
                return request.TryRead(out FuseFAllocateIn allocate)
                    ? fileSystem.Allocate(allocate.Handle, allocate.Offset, allocate.Length, allocate.Mode)
                    : Errno.EINVAL;
            case FuseOpcode.CopyFileRange:
            case FuseOpcode.CopyFileRange64:
                return CopyRange(request, reply, out length);
            default:
                // There are no nameless files, for one; ENOSYS makes the kernel say so by itself from now on.
                return Errno.ENOSYS;
        }
    }

    private static bool Changes(FuseOpcode opcode) => opcode is FuseOpcode.SetAttributes or FuseOpcode.Create or FuseOpcode.MakeNode
        or FuseOpcode.MakeDirectory or FuseOpcode.SymbolicLink or FuseOpcode.Link or FuseOpcode.Unlink or FuseOpcode.RemoveDirectory
        or FuseOpcode.Rename or FuseOpcode.Rename2 or FuseOpcode.FAllocate or FuseOpcode.CopyFileRange or FuseOpcode.CopyFileRange64;

    private int Write(in FuseRequest request, FuseReply reply, out int length)
    {
        length = Unsafe.SizeOf<FuseWriteOut>();
        if (options.ReadOnly)
            return Errno.EROFS;
        if (!request.TryRead(out FuseWriteIn write))
            return Errno.EINVAL;
        var data = request.Body[Unsafe.SizeOf<FuseWriteIn>()..];
        if (write.Size > (uint)data.Length)
            return Errno.EINVAL;
        reply.Prepare<FuseWriteOut>().Size = write.Size;
        return fileSystem.Write(write.Handle, write.Offset, data[..(int)write.Size]);
    }

    private int Make(in FuseRequest request, ref FuseEntryOut entry)
    {
        var parent = request.Header.NodeId;
        var caller = CallerOf(request);
        ReadOnlySpan<byte> name;
        switch (request.Header.Opcode)
        {
            case FuseOpcode.MakeNode:
                return request.TryReadNamed(out FuseMakeNodeIn node, out name)
                    ? fileSystem.MakeNode(caller, parent, name, node.Mode, node.Device, ref entry)
                    : Errno.EINVAL;
            case FuseOpcode.MakeDirectory:
                return request.TryReadNamed(out FuseMakeDirectoryIn directory, out name)
                    ? fileSystem.MakeDirectory(caller, parent, name, directory.Mode, ref entry)
                    : Errno.EINVAL;
            case FuseOpcode.SymbolicLink:
                return request.TryReadNameAndText(out name, out var target)
                    ? fileSystem.MakeLink(caller, parent, name, target, ref entry)
                    : Errno.EINVAL;
            default:
                return request.TryReadNamed(out FuseLinkIn link, out name)
                    ? fileSystem.Link(link.OldNode, parent, name, ref entry)
                    : Errno.EINVAL;
        }
    }

    private int Remove(in FuseRequest request)
    {
        if (!request.TryReadName(out var name))
            return Errno.EINVAL;
        return request.Header.Opcode == FuseOpcode.Unlink
            ? fileSystem.Unlink(request.Header.NodeId, name)
            : fileSystem.RemoveDirectory(request.Header.NodeId, name);
    }

    private int Rename(in FuseRequest request)
    {
        ReadOnlySpan<byte> name, newName;
        if (request.Header.Opcode == FuseOpcode.Rename)
        {
            return request.TryReadNames(out FuseRenameIn plain, out name, out newName)
                ? fileSystem.Rename(request.Header.NodeId, name, plain.NewDirectory, newName, 0)
                : Errno.EINVAL;
        }

        return request.TryReadNames(out FuseRename2In rename, out name, out newName)
            ? fileSystem.Rename(request.Header.NodeId, name, rename.NewDirectory, newName, rename.Flags)
            : Errno.EINVAL;
    }

    private int CopyRange(in FuseRequest request, FuseReply reply, out int length)
    {
        length = 0;
        if (!request.TryRead(out FuseCopyFileRangeIn copy) || copy.Flags != 0)
            return Errno.EINVAL;
        copy.Length = Math.Min(copy.Length, CopyBytesMax);
        var errno = fileSystem.CopyRange(copy, reply.Payload, out var copied);
        if (request.Header.Opcode == FuseOpcode.CopyFileRange)
        {
            length = Unsafe.SizeOf<FuseWriteOut>();
            reply.Prepare<FuseWriteOut>().Size = (uint)copied;
        }
        else
        {
            length = Unsafe.SizeOf<FuseCopyFileRangeOut>();
            reply.Prepare<FuseCopyFileRangeOut>().Copied = copied;
        }

        return errno;
    }

    private int Sync(in FuseRequest request) => request.TryRead(out FuseFSyncIn sync)
        ? fileSystem.Sync(sync.Handle, request.Header.Opcode == FuseOpcode.FSyncDirectory)
        : Errno.EINVAL;

    private int IoControl(in FuseRequest request, FuseReply reply, out int length)
    {
        length = 0;
        if (!request.TryRead(out FuseIoControlIn control))
            return Errno.EINVAL;
        var input = request.Body[Unsafe.SizeOf<FuseIoControlIn>()..];
        ref var answer = ref reply.Prepare<FuseIoControlOut>();
        switch (control.Command)
        {
            case FuseIoControlIn.GetFlags or FuseIoControlIn.GetFlags32:
                var errno = fileSystem.GetFlags(request.Header.NodeId, out var flags);
                answer.Value = flags;
                // What was asked for, no more: the kernel counts the bytes.
                length = FuseIoControlOut.HeadBytes + (int)Math.Min(control.OutSize, sizeof(ulong));
                return errno;
            case FuseIoControlIn.GetAttributes:
                errno = fileSystem.GetFlags(request.Header.NodeId, out flags);
                answer.Extended = new FuseExtendedFlags { Flags = FuseExtendedFlags.FromFlags(flags) };
                length = FuseIoControlOut.HeadBytes + (int)Math.Min(control.OutSize, (uint)Unsafe.SizeOf<FuseExtendedFlags>());
                return errno;
            case FuseIoControlIn.SetFlags or FuseIoControlIn.SetFlags32:
                length = FuseIoControlOut.HeadBytes;
                if (!MemoryMarshal.TryRead(input, out uint wanted))
                    return Errno.EINVAL;
                return options.ReadOnly ? Errno.EROFS : fileSystem.SetFlags(request.Header.NodeId, wanted);
            default:
                return Errno.ENOTTY;
        }
    }

    private void Forget(in FuseRequest request)
    {
        if (request.Header.Opcode == FuseOpcode.Forget)
        {
            fileSystem.Forget(request.Header.NodeId);
            return;
        }

        if (!request.TryRead(out FuseBatchForgetIn batch))
            return;
        var list = MemoryMarshal.Cast<byte, FuseForgetOne>(request.Body[Unsafe.SizeOf<FuseBatchForgetIn>()..]);
        foreach (ref readonly var one in list[..(int)Math.Min(batch.Count, (uint)list.Length)])
            fileSystem.Forget(one.NodeId);
    }

    private static FuseCaller CallerOf(in FuseRequest request) => new(request.Header.Uid, request.Header.Gid);
}
