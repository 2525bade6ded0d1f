// An adapter that hands every callback to another one: the base of adapters that do one thing differently.
// Calls the inner adapter only.

using System.Security.AccessControl;
using DokanNet;
using LTRData.Extensions.Native.Memory;
using FileAccess = DokanNet.FileAccess;

namespace Hammer2.Tests.SimulatedDriver;

/// <summary>Passes everything on.</summary>
internal abstract class DelegatingOperations(IDokanOperations2 inner) : IDokanOperations2
{
    /// <summary>The adapter below.</summary>
    protected IDokanOperations2 Inner { get; } = inner;

    public virtual int DirectoryListingTimeoutResetIntervalMs => Inner.DirectoryListingTimeoutResetIntervalMs;

    public virtual NtStatus CreateFile(
        ReadOnlyNativeMemory<char> fileNamePtr, FileAccess access, FileShare share, FileMode mode, FileOptions options,
        FileAttributes attributes, ref DokanFileInfo info) =>
        Inner.CreateFile(fileNamePtr, access, share, mode, options, attributes, ref info);

    public virtual void Cleanup(ReadOnlyNativeMemory<char> fileNamePtr, ref DokanFileInfo info) =>
        Inner.Cleanup(fileNamePtr, ref info);

    public virtual void CloseFile(ReadOnlyNativeMemory<char> fileNamePtr, ref DokanFileInfo info) =>
        Inner.CloseFile(fileNamePtr, ref info);

    public virtual NtStatus ReadFile(
        ReadOnlyNativeMemory<char> fileNamePtr, NativeMemory<byte> buffer, out int bytesRead, long offset,
        ref DokanFileInfo info) =>
        Inner.ReadFile(fileNamePtr, buffer, out bytesRead, offset, ref info);

    public virtual NtStatus WriteFile(
        ReadOnlyNativeMemory<char> fileNamePtr, ReadOnlyNativeMemory<byte> buffer, out int bytesWritten, long offset,
        ref DokanFileInfo info) =>
        Inner.WriteFile(fileNamePtr, buffer, out bytesWritten, offset, ref info);

    public virtual NtStatus FlushFileBuffers(ReadOnlyNativeMemory<char> fileNamePtr, ref DokanFileInfo info) =>
        Inner.FlushFileBuffers(fileNamePtr, ref info);

    public virtual NtStatus GetFileInformation(
        ReadOnlyNativeMemory<char> fileNamePtr, out ByHandleFileInformation fileInfo, ref DokanFileInfo info) =>
        Inner.GetFileInformation(fileNamePtr, out fileInfo, ref info);

    public virtual NtStatus FindFilesWithPattern(
        ReadOnlyNativeMemory<char> fileNamePtr, ReadOnlyNativeMemory<char> searchPatternPtr,
        out IEnumerable<FindFileInformation> files, ref DokanFileInfo info) =>
        Inner.FindFilesWithPattern(fileNamePtr, searchPatternPtr, out files, ref info);

    public virtual NtStatus FindFiles(
        ReadOnlyNativeMemory<char> fileNamePtr, out IEnumerable<FindFileInformation> files, ref DokanFileInfo info) =>
        Inner.FindFiles(fileNamePtr, out files, ref info);

    public virtual NtStatus SetFileAttributes(
        ReadOnlyNativeMemory<char> fileNamePtr, FileAttributes attributes, ref DokanFileInfo info) =>
        Inner.SetFileAttributes(fileNamePtr, attributes, ref info);

    public virtual NtStatus SetFileTime(
        ReadOnlyNativeMemory<char> fileNamePtr, DateTime? creationTime, DateTime? lastAccessTime, DateTime? lastWriteTime,
        ref DokanFileInfo info) =>
        Inner.SetFileTime(fileNamePtr, creationTime, lastAccessTime, lastWriteTime, ref info);

    public virtual NtStatus DeleteFile(ReadOnlyNativeMemory<char> fileNamePtr, ref DokanFileInfo info) =>
        Inner.DeleteFile(fileNamePtr, ref info);

    public virtual NtStatus DeleteDirectory(ReadOnlyNativeMemory<char> fileNamePtr, ref DokanFileInfo info) =>
        Inner.DeleteDirectory(fileNamePtr, ref info);

    public virtual NtStatus MoveFile(
        ReadOnlyNativeMemory<char> oldNamePtr, ReadOnlyNativeMemory<char> newNamePtr, bool replace, ref DokanFileInfo info) =>
        Inner.MoveFile(oldNamePtr, newNamePtr, replace, ref info);

    public virtual NtStatus SetEndOfFile(ReadOnlyNativeMemory<char> fileNamePtr, long length, ref DokanFileInfo info) =>
        Inner.SetEndOfFile(fileNamePtr, length, ref info);

    public virtual NtStatus SetAllocationSize(ReadOnlyNativeMemory<char> fileNamePtr, long length, ref DokanFileInfo info) =>
        Inner.SetAllocationSize(fileNamePtr, length, ref info);

    public virtual NtStatus LockFile(ReadOnlyNativeMemory<char> fileNamePtr, long offset, long length, ref DokanFileInfo info) =>
        Inner.LockFile(fileNamePtr, offset, length, ref info);

    public virtual NtStatus UnlockFile(ReadOnlyNativeMemory<char> fileNamePtr, long offset, long length, ref DokanFileInfo info) =>
        Inner.UnlockFile(fileNamePtr, offset, length, ref info);

    public virtual NtStatus GetDiskFreeSpace(
        out long freeBytesAvailable, out long totalNumberOfBytes, out long totalNumberOfFreeBytes, ref DokanFileInfo info) =>
        Inner.GetDiskFreeSpace(out freeBytesAvailable, out totalNumberOfBytes, out totalNumberOfFreeBytes, ref info);

    public virtual NtStatus GetVolumeInformation(
        NativeMemory<char> volumeLabel, out FileSystemFeatures features, NativeMemory<char> fileSystemName,
        out uint maximumComponentLength, ref uint volumeSerialNumber, ref DokanFileInfo info) =>
        Inner.GetVolumeInformation(volumeLabel, out features, fileSystemName, out maximumComponentLength, ref volumeSerialNumber, ref info);

    public virtual NtStatus Mounted(ReadOnlyNativeMemory<char> mountPoint, ref DokanFileInfo info) =>
        Inner.Mounted(mountPoint, ref info);

    public virtual NtStatus Unmounted(ref DokanFileInfo info) => Inner.Unmounted(ref info);

    public virtual NtStatus GetFileSecurity(
        ReadOnlyNativeMemory<char> fileNamePtr, out FileSystemSecurity? security, AccessControlSections sections,
        ref DokanFileInfo info) =>
        Inner.GetFileSecurity(fileNamePtr, out security, sections, ref info);

    public virtual NtStatus SetFileSecurity(
        ReadOnlyNativeMemory<char> fileNamePtr, FileSystemSecurity security, AccessControlSections sections,
        ref DokanFileInfo info) =>
        Inner.SetFileSecurity(fileNamePtr, security, sections, ref info);

    public virtual NtStatus FindStreams(
        ReadOnlyNativeMemory<char> fileNamePtr, out IEnumerable<FindFileInformation> streams, ref DokanFileInfo info) =>
        Inner.FindStreams(fileNamePtr, out streams, ref info);
}
