// Data and size (dokan-semantics A.5, A.6, A.10).
// Invariants: a write is taken whole or not at all; a paging write never changes the size; the end of an appending write is
// found under the engine's inode lock; a flush answers Success only when a commit holds the data; no callback allocates
// once warm.

using DokanNet;
using Hammer2.Dokan.Opens;
using Hammer2.Dokan.Requests;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using LTRData.Extensions.Native.Memory;

namespace Hammer2.Dokan.Operations;

internal sealed partial class Hammer2Operations
{
    /// <inheritdoc />
    public NtStatus WriteFile(
        ReadOnlyNativeMemory<char> fileNamePtr, ReadOnlyNativeMemory<byte> buffer, out int bytesWritten, long offset,
        ref DokanFileInfo info)
    {
        bytesWritten = 0;
        if (!_gate.TryEnter())
            return NtStatus.NoSuchDevice;
        try
        {
            if (OpenOf(ref info) is not { } open)
                return NtStatus.InvalidHandle;
            NtStatus status = CheckData(open);
            return status == NtStatus.Success ? Write(open, buffer.Span, offset, ref info, out bytesWritten) : status;
        }
        catch (Exception thrown)
        {
            bytesWritten = 0;
            return Fault(nameof(WriteFile), fileNamePtr, thrown);
        }
        finally
        {
            _gate.Exit();
        }
    }

    /// <inheritdoc />
    public NtStatus FlushFileBuffers(ReadOnlyNativeMemory<char> fileNamePtr, ref DokanFileInfo info)
    {
        if (!_gate.TryEnter())
            return NtStatus.NoSuchDevice;
        try
        {
            if (OpenOf(ref info) is not { } open)
                return NtStatus.InvalidHandle;
            if (_isWritable)
                open.Vnode.Sync();
            return NtStatus.Success;
        }
        catch (Exception thrown)
        {
            return Fault(nameof(FlushFileBuffers), fileNamePtr, thrown);
        }
        finally
        {
            _gate.Exit();
        }
    }

    /// <inheritdoc />
    public NtStatus SetEndOfFile(ReadOnlyNativeMemory<char> fileNamePtr, long length, ref DokanFileInfo info) =>
        Resize(nameof(SetEndOfFile), fileNamePtr, length, grows: true, ref info);

    /// <inheritdoc />
    /// <remarks>A hint about space, except that it cuts what is longer; it never makes a file longer.</remarks>
    public NtStatus SetAllocationSize(ReadOnlyNativeMemory<char> fileNamePtr, long length, ref DokanFileInfo info) =>
        Resize(nameof(SetAllocationSize), fileNamePtr, length, grows: false, ref info);

    private static NtStatus Write(OpenFile open, ReadOnlySpan<byte> data, long offset, ref DokanFileInfo info, out int written)
    {
        written = 0;
        Hammer2Error error;
        if (info.PagingIo)
        {
            if (offset < 0)
                return NtStatus.InvalidParameter;
            error = open.Vnode.TryOverwrite(offset, data, out written);
        }
        else if (info.WriteToEndOfFile)
        {
            error = open.Vnode.TryAppend(data, out _);
        }
        else
        {
            if (offset < 0)
                return NtStatus.InvalidParameter;
            error = open.Vnode.TryWrite(offset, data);
        }

        if (error != Hammer2Error.None)
        {
            written = 0;
            return ErrorStatus.Of(error);
        }

        if (!info.PagingIo)
            written = data.Length;
        if (open.IsFirstWrite())
            MarkForArchive(open);
        if (open.WriteThrough)
            open.Vnode.Sync();
        return NtStatus.Success;
    }

    /// <summary>A file that changes is to be archived again.</summary>
    private static void MarkForArchive(OpenFile open)
    {
        uint flags = open.Vnode.GetAttributes().UserFlags;
        if ((flags & WindowsAttributes.ArchivedFlag) != 0)
            open.Vnode.TrySetAttributes(new AttributeChanges { UserFlags = flags & ~WindowsAttributes.ArchivedFlag });
    }

    private NtStatus Resize(
        string callback, ReadOnlyNativeMemory<char> fileName, long length, bool grows, ref DokanFileInfo info)
    {
        if (!_gate.TryEnter())
            return NtStatus.NoSuchDevice;
        try
        {
            if (OpenOf(ref info) is not { } open)
                return NtStatus.InvalidHandle;
            NtStatus status = CheckData(open);
            if (status != NtStatus.Success)
                return status;
            if (length < 0)
                return NtStatus.InvalidParameter;
            long size = open.Vnode.GetAttributes().Size;
            if (length > size)
            {
                // Copy tools set the size first and rely on hearing then that it cannot fit.
                if (length - size > _pfs.GetStatistics().FreeBytes)
                    return NtStatus.DiskFull;
                if (!grows)
                    return NtStatus.Success;
            }

            Hammer2Error error = length == size ? Hammer2Error.None : open.Vnode.TrySetSize(length);
            if (error == Hammer2Error.None && open.IsFirstWrite())
                MarkForArchive(open);
            return ErrorStatus.Of(error);
        }
        catch (Exception thrown)
        {
            return Fault(callback, fileName, thrown);
        }
        finally
        {
            _gate.Exit();
        }
    }

    /// <summary>Can data of this open be changed at all?</summary>
    private NtStatus CheckData(OpenFile open)
    {
        if (!_isWritable)
            return Status.MediaWriteProtected;
        return open.Kind switch
        {
            TargetKind.File => NtStatus.Success,
            TargetKind.Directory => NtStatus.InvalidParameter,
            _ => NtStatus.AccessDenied,
        };
    }
}
