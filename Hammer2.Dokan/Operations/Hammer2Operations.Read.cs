// Data and attributes of a handle (dokan-semantics A.4, A.7): the hot paths.
// Invariants: neither allocates once warm; a read gives every byte that exists or an error, never fewer; attributes come
// without I/O and never fail for a living handle, because every failure reaches programs as "the parameter is incorrect".

using DokanNet;
using Hammer2.Dokan.Opens;
using Hammer2.Dokan.Requests;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Primitives;
using LTRData.Extensions.Native.Memory;

namespace Hammer2.Dokan.Operations;

internal sealed partial class Hammer2Operations
{
    /// <summary>Large reads go to the engine in pieces, so that a slow medium leaves time to ask for more.</summary>
    private const int ReadPieceBytes = 256 * 1024;

    /// <inheritdoc />
    public NtStatus ReadFile(
        ReadOnlyNativeMemory<char> fileNamePtr, NativeMemory<byte> buffer, out int bytesRead, long offset,
        ref DokanFileInfo info)
    {
        bytesRead = 0;
        if (!_gate.TryEnter())
            return NtStatus.NoSuchDevice;
        try
        {
            return OpenOf(ref info) is { } open
                ? Read(open, buffer.Span, offset, ref info, out bytesRead)
                : NtStatus.InvalidHandle;
        }
        catch (Exception thrown)
        {
            bytesRead = 0;
            return Fault(nameof(ReadFile), fileNamePtr, thrown);
        }
        finally
        {
            _gate.Exit();
        }
    }

    /// <inheritdoc />
    public NtStatus GetFileInformation(
        ReadOnlyNativeMemory<char> fileNamePtr, out ByHandleFileInformation fileInfo, ref DokanFileInfo info)
    {
        fileInfo = default;
        if (!_gate.TryEnter())
            return NtStatus.NoSuchDevice;
        try
        {
            if (OpenOf(ref info) is not { } open)
                return NtStatus.InvalidHandle;
            fileInfo = Record(open).ToHandleInformation();
            return NtStatus.Success;
        }
        catch (Exception thrown)
        {
            return Fault(nameof(GetFileInformation), fileNamePtr, thrown);
        }
        finally
        {
            _gate.Exit();
        }
    }

    private NtStatus Read(OpenFile open, Span<byte> buffer, long offset, ref DokanFileInfo info, out int bytesRead)
    {
        bytesRead = 0;
        if (offset < 0 || open.Kind == TargetKind.Directory)
            return NtStatus.InvalidParameter;
        if (open.Kind == TargetKind.Special)
            return NtStatus.AccessDenied;
        if (open.LinkText is { } text)
        {
            if (offset < text.Length)
            {
                bytesRead = (int)Math.Min(buffer.Length, text.Length - offset);
                text.AsSpan((int)offset, bytesRead).CopyTo(buffer);
            }

            return NtStatus.Success;
        }

        var timer = new RequestTimer(_clock);
        int done = 0;
        while (done < buffer.Length)
        {
            if (offset > long.MaxValue - done)
                break;
            int piece = Math.Min(ReadPieceBytes, buffer.Length - done);
            int got = open.Vnode.Read(offset + done, buffer.Slice(done, piece));
            done += got;
            if (got < piece)
                break;
            timer.Extend(ref info);
        }

        bytesRead = done;
        return NtStatus.Success;
    }

    private FileRecord Record(OpenFile open) => FileRecord.Of(
        open.Kind, AttributesOf(open), Remembered(open.Vnode.InodeNumber), IsHidden(open.Place.FileName));

    private RememberedFacts Remembered(ulong inodeNumber) => _memory.IsEmpty ? default : _memory[inodeNumber];

    /// <summary>The attributes as they are now; those of the open when the engine cannot say (it is being closed).</summary>
    private static InodeAttributes AttributesOf(OpenFile open)
    {
        try
        {
            return open.Vnode.GetAttributes();
        }
        catch (Hammer2Exception)
        {
            return open.AtOpen;
        }
    }
}
