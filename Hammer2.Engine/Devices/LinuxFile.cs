// Linux system calls that the framework hides or does differently: opening a device exclusively, advisory
// locks that are ours to choose, and the identity of a file. Numbers are those of the public kernel headers,
// the same on x86-64 and arm64; statx is used because its layout does not depend on the machine.

using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using Microsoft.Win32.SafeHandles;

namespace Hammer2.Engine.Devices;

/// <summary>What a path leads to.</summary>
internal enum FileKind
{
    /// <summary>Not there, or not to be looked at.</summary>
    Unknown,

    /// <summary>A regular file.</summary>
    Regular,

    /// <summary>A block device.</summary>
    BlockDevice,

    /// <summary>A directory, pipe, socket or character device.</summary>
    Other,
}

/// <summary>What identifies a file: its filesystem and inode, and for block devices the device that it stands for.</summary>
internal readonly record struct FileIdentity(FileKind Kind, uint FsMajor, uint FsMinor, ulong Inode, uint Major, uint Minor);

[SupportedOSPlatform("linux")]
internal static partial class LinuxFile
{
    internal const int NotPermitted = 1;
    internal const int NoEntry = 2;
    internal const int NoAccess = 13;
    internal const int Busy = 16;
    internal const int NotADirectory = 20;
    internal const int NoSpace = 28;
    internal const int ReadOnlyFileSystem = 30;
    internal const int TextBusy = 26;

    private const int Interrupted = 4;
    private const int WouldBlock = 11;
    private const int OpenReadWrite = 2;
    private const int OpenExclusive = 0x80;
    private const int OpenCloseOnExec = 0x80000;
    private const int LockShared = 1;
    private const int LockExclusive = 2;
    private const int LockNonBlocking = 4;
    private const int AdviseRandom = 1;
    private const int SeekEnd = 2;
    private const int CurrentDirectory = -100;
    private const uint StatBasic = 0x7FF;
    private const int TypeMask = 0xF000;
    private const int TypeRegular = 0x8000;
    private const int TypeBlock = 0x6000;

    /// <summary>Opens without any lock; returns 0 or the error number.</summary>
    internal static int Open(string path, bool writable, bool exclusive, out SafeFileHandle handle)
    {
        int flags = OpenCloseOnExec | (writable ? OpenReadWrite : 0) | (exclusive ? OpenExclusive : 0);
        int fd, error;
        do
        {
            fd = OpenFile(path, flags);
            error = fd < 0 ? Marshal.GetLastPInvokeError() : 0;
        }
        while (error == Interrupted);
        handle = new SafeFileHandle(fd, ownsHandle: true);

        // Advice only: where it is not taken, reads are merely preceded by larger ones.
        if (error == 0)
            _ = Advise(handle, 0, 0, AdviseRandom);
        return error;
    }

    /// <summary>Takes an advisory lock; false when somebody else has one that forbids it.</summary>
    internal static bool TryLock(SafeFileHandle handle, bool exclusive)
    {
        int error;
        do
        {
            error = Lock(handle, LockNonBlocking | (exclusive ? LockExclusive : LockShared)) < 0 ? Marshal.GetLastPInvokeError() : 0;
        }
        while (error == Interrupted);

        // Any other failure means a filesystem without locks; there is nothing to ask.
        return error != WouldBlock;
    }

    /// <summary>Identity of what the path leads to, links followed.</summary>
    internal static FileIdentity Identify(string path)
    {
        var stat = default(StatX);
        int result = Stat(CurrentDirectory, path, 0, StatBasic, ref stat);
        if (result < 0)
            return default;
        FileKind kind = (stat.Mode & TypeMask) switch
        {
            TypeRegular => FileKind.Regular,
            TypeBlock => FileKind.BlockDevice,
            _ => FileKind.Other,
        };
        return new FileIdentity(kind, stat.FsMajor, stat.FsMinor, stat.Inode, stat.Major, stat.Minor);
    }

    /// <summary>Length by seeking to the end: the only way for block devices.</summary>
    internal static long Length(SafeFileHandle handle) => Math.Max(0, Seek(handle, 0, SeekEnd));

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenFile(string path, int flags);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int Lock(SafeFileHandle fd, int operation);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Stat(int directory, string path, int flags, uint mask, ref StatX stat);

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    private static partial long Seek(SafeFileHandle fd, long offset, int whence);

    [LibraryImport("libc", EntryPoint = "posix_fadvise")]
    private static partial int Advise(SafeFileHandle fd, long offset, long length, int advice);

    /// <summary>The fields of struct statx that are used.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct StatX
    {
        [FieldOffset(0x1C)] public ushort Mode;
        [FieldOffset(0x20)] public ulong Inode;
        [FieldOffset(0x80)] public uint Major;
        [FieldOffset(0x84)] public uint Minor;
        [FieldOffset(0x88)] public uint FsMajor;
        [FieldOffset(0x8C)] public uint FsMinor;
    }
}
