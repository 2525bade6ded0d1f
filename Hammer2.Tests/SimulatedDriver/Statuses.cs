// Status values by the names of the semantics page, and what Win32 programs make of them.
// Calls nothing.

using DokanNet;

namespace Hammer2.Tests.SimulatedDriver;

/// <summary>Status names and Win32 error numbers.</summary>
internal static class Statuses
{
    internal const NtStatus FileIsADirectory = (NtStatus)0xC00000BA;
    internal const NtStatus MediaWriteProtected = (NtStatus)0xC00000A2;
    internal const NtStatus NotSupported = (NtStatus)0xC00000BB;
    internal const NtStatus IoDeviceError = (NtStatus)0xC0000185;
    internal const NtStatus FileCorruptError = (NtStatus)0xC0000102;

    internal const NtStatus UserMappedFile = (NtStatus)0xC0000243;
    internal const NtStatus InsufficientResources = (NtStatus)0xC000009A;

    /// <summary>GetLastError after a status.</summary>
    internal static int ToWin32(NtStatus status) => status switch
    {
        NtStatus.Success => 0,
        NtStatus.ObjectNameNotFound or NtStatus.NoSuchFile => 2,
        NtStatus.ObjectPathNotFound => 3,
        NtStatus.AccessDenied or NtStatus.DeletePending or NtStatus.CannotDelete or FileIsADirectory => 5,
        NtStatus.NoMoreFiles => 18,
        MediaWriteProtected => 19,
        NtStatus.CrcError or NtStatus.DataError => 23,
        NtStatus.NotSameDevice => 17,
        NtStatus.SharingViolation => 32,
        NtStatus.EndOfFile => 38,
        NotSupported => 50,
        NtStatus.InvalidParameter => 87,
        NtStatus.DiskFull => 112,
        NtStatus.ObjectNameInvalid => 123,
        NtStatus.DirectoryNotEmpty => 145,
        NtStatus.ObjectNameCollision => 183,
        NtStatus.BufferOverflow => 234,
        NtStatus.NotADirectory => 267,
        NtStatus.NoSuchDevice => 433,
        IoDeviceError => 1117,
        UserMappedFile => 1224,
        FileCorruptError => 1392,
        _ => 1,
    };
}
