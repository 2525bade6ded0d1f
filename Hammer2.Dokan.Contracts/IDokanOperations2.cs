// The callbacks of DokanNet 2.3.0.3, declared anew: same order of parameters, same types.
// Invariant: equal to the published list (Hammer2.Tests/Dokan/dokannet-api.txt); a test compares them. Calls nothing.

using System.Security.AccessControl;
using LTRData.Extensions.Native.Memory;

namespace DokanNet;

#pragma warning disable CA1045, CA1021, CA1716 // The shapes are those of the package that these declarations stand for.

/// <summary>What a file system answers to the driver's user library.</summary>
public interface IDokanOperations2
{
    /// <summary>How often a listing asks for more time, in milliseconds; zero never.</summary>
    int DirectoryListingTimeoutResetIntervalMs { get; }

    /// <summary>The last handle of an open was closed.</summary>
    void Cleanup(ReadOnlyNativeMemory<char> fileNamePtr, ref DokanFileInfo info);

    /// <summary>Nothing refers to the open any more.</summary>
    void CloseFile(ReadOnlyNativeMemory<char> fileNamePtr, ref DokanFileInfo info);

    /// <summary>Opens or creates.</summary>
    NtStatus CreateFile(
        ReadOnlyNativeMemory<char> fileNamePtr,
        FileAccess access,
        FileShare share,
        FileMode mode,
        FileOptions options,
        FileAttributes attributes,
        ref DokanFileInfo info);

    /// <summary>May this directory be deleted?</summary>
    NtStatus DeleteDirectory(ReadOnlyNativeMemory<char> fileNamePtr, ref DokanFileInfo info);

    /// <summary>May this file be deleted?</summary>
    NtStatus DeleteFile(ReadOnlyNativeMemory<char> fileNamePtr, ref DokanFileInfo info);

    /// <summary>Lists all entries.</summary>
    NtStatus FindFiles(
        ReadOnlyNativeMemory<char> fileNamePtr,
        out IEnumerable<FindFileInformation> files,
        ref DokanFileInfo info);

    /// <summary>Lists the entries that match.</summary>
    NtStatus FindFilesWithPattern(
        ReadOnlyNativeMemory<char> fileNamePtr,
        ReadOnlyNativeMemory<char> searchPatternPtr,
        out IEnumerable<FindFileInformation> files,
        ref DokanFileInfo info);

    /// <summary>Lists the streams.</summary>
    NtStatus FindStreams(
        ReadOnlyNativeMemory<char> fileNamePtr,
        out IEnumerable<FindFileInformation> streams,
        ref DokanFileInfo info);

    /// <summary>Makes data and metadata durable.</summary>
    NtStatus FlushFileBuffers(ReadOnlyNativeMemory<char> fileNamePtr, ref DokanFileInfo info);

    /// <summary>Space of the volume.</summary>
    NtStatus GetDiskFreeSpace(
        out long freeBytesAvailable,
        out long totalNumberOfBytes,
        out long totalNumberOfFreeBytes,
        ref DokanFileInfo info);

    /// <summary>Attributes, times, size, identity.</summary>
    NtStatus GetFileInformation(
        ReadOnlyNativeMemory<char> fileNamePtr,
        out ByHandleFileInformation fileInfo,
        ref DokanFileInfo info);

    /// <summary>The security descriptor.</summary>
    NtStatus GetFileSecurity(
        ReadOnlyNativeMemory<char> fileNamePtr,
        out FileSystemSecurity? security,
        AccessControlSections sections,
        ref DokanFileInfo info);

    /// <summary>Name and abilities of the volume.</summary>
    NtStatus GetVolumeInformation(
        NativeMemory<char> volumeLabel,
        out FileSystemFeatures features,
        NativeMemory<char> fileSystemName,
        out uint maximumComponentLength,
        ref uint volumeSerialNumber,
        ref DokanFileInfo info);

    /// <summary>Locks a range.</summary>
    NtStatus LockFile(ReadOnlyNativeMemory<char> fileNamePtr, long offset, long length, ref DokanFileInfo info);

    /// <summary>The volume is there.</summary>
    NtStatus Mounted(ReadOnlyNativeMemory<char> mountPoint, ref DokanFileInfo info);

    /// <summary>Renames.</summary>
    NtStatus MoveFile(
        ReadOnlyNativeMemory<char> oldNamePtr,
        ReadOnlyNativeMemory<char> newNamePtr,
        bool replace,
        ref DokanFileInfo info);

    /// <summary>Reads at an absolute offset.</summary>
    NtStatus ReadFile(
        ReadOnlyNativeMemory<char> fileNamePtr,
        NativeMemory<byte> buffer,
        out int bytesRead,
        long offset,
        ref DokanFileInfo info);

    /// <summary>Sets the space set aside.</summary>
    NtStatus SetAllocationSize(ReadOnlyNativeMemory<char> fileNamePtr, long length, ref DokanFileInfo info);

    /// <summary>Sets the size.</summary>
    NtStatus SetEndOfFile(ReadOnlyNativeMemory<char> fileNamePtr, long length, ref DokanFileInfo info);

    /// <summary>Sets attributes; zero leaves them.</summary>
    NtStatus SetFileAttributes(ReadOnlyNativeMemory<char> fileNamePtr, FileAttributes attributes, ref DokanFileInfo info);

    /// <summary>Changes the security descriptor.</summary>
    NtStatus SetFileSecurity(
        ReadOnlyNativeMemory<char> fileNamePtr,
        FileSystemSecurity security,
        AccessControlSections sections,
        ref DokanFileInfo info);

    /// <summary>Sets times; null leaves them.</summary>
    NtStatus SetFileTime(
        ReadOnlyNativeMemory<char> fileNamePtr,
        DateTime? creationTime,
        DateTime? lastAccessTime,
        DateTime? lastWriteTime,
        ref DokanFileInfo info);

    /// <summary>Unlocks a range.</summary>
    NtStatus UnlockFile(ReadOnlyNativeMemory<char> fileNamePtr, long offset, long length, ref DokanFileInfo info);

    /// <summary>The volume is gone.</summary>
    NtStatus Unmounted(ref DokanFileInfo info);

    /// <summary>Writes at an absolute offset, or at the end.</summary>
    NtStatus WriteFile(
        ReadOnlyNativeMemory<char> fileNamePtr,
        ReadOnlyNativeMemory<byte> buffer,
        out int bytesWritten,
        long offset,
        ref DokanFileInfo info);
}
