// Everything that would change the volume, on a volume that is mounted read-only (dokan-semantics A.5 to A.13, A.18).
// The driver refuses most of these itself on a write-protected mount; the answers here are the same ones, so that nothing
// depends on it. Invariants: nothing is changed; taking a deletion back succeeds, flushing what is never dirty succeeds.

using System.Security.AccessControl;
using DokanNet;
using Hammer2.Dokan.Requests;
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
        return Status.MediaWriteProtected;
    }

    /// <inheritdoc />
    public NtStatus FlushFileBuffers(ReadOnlyNativeMemory<char> fileNamePtr, ref DokanFileInfo info) =>
        _gate.IsClosed ? NtStatus.NoSuchDevice : NtStatus.Success;

    /// <inheritdoc />
    public NtStatus SetFileAttributes(
        ReadOnlyNativeMemory<char> fileNamePtr, FileAttributes attributes, ref DokanFileInfo info) =>
        Status.MediaWriteProtected;

    /// <inheritdoc />
    public NtStatus SetFileTime(
        ReadOnlyNativeMemory<char> fileNamePtr, DateTime? creationTime, DateTime? lastAccessTime, DateTime? lastWriteTime,
        ref DokanFileInfo info) => Status.MediaWriteProtected;

    /// <inheritdoc />
    public NtStatus SetEndOfFile(ReadOnlyNativeMemory<char> fileNamePtr, long length, ref DokanFileInfo info) =>
        Status.MediaWriteProtected;

    /// <inheritdoc />
    public NtStatus SetAllocationSize(ReadOnlyNativeMemory<char> fileNamePtr, long length, ref DokanFileInfo info) =>
        Status.MediaWriteProtected;

    /// <inheritdoc />
    public NtStatus DeleteFile(ReadOnlyNativeMemory<char> fileNamePtr, ref DokanFileInfo info) => MayDelete(ref info);

    /// <inheritdoc />
    public NtStatus DeleteDirectory(ReadOnlyNativeMemory<char> fileNamePtr, ref DokanFileInfo info) => MayDelete(ref info);

    /// <inheritdoc />
    public NtStatus MoveFile(
        ReadOnlyNativeMemory<char> oldNamePtr, ReadOnlyNativeMemory<char> newNamePtr, bool replace, ref DokanFileInfo info) =>
        Status.MediaWriteProtected;

    /// <inheritdoc />
    public NtStatus SetFileSecurity(
        ReadOnlyNativeMemory<char> fileNamePtr, FileSystemSecurity security, AccessControlSections sections,
        ref DokanFileInfo info) => Status.MediaWriteProtected;

    /// <inheritdoc />
    /// <remarks>Byte-range locks stay in the driver; this is not called.</remarks>
    public NtStatus LockFile(ReadOnlyNativeMemory<char> fileNamePtr, long offset, long length, ref DokanFileInfo info) =>
        NtStatus.Success;

    /// <inheritdoc />
    public NtStatus UnlockFile(ReadOnlyNativeMemory<char> fileNamePtr, long offset, long length, ref DokanFileInfo info) =>
        NtStatus.Success;

    private static NtStatus MayDelete(ref DokanFileInfo info)
    {
        if (!info.DeletePending)
            return NtStatus.Success;
        return OpenOf(ref info) is { IsRoot: true } ? NtStatus.CannotDelete : Status.MediaWriteProtected;
    }
}
