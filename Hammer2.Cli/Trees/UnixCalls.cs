// The calls of libc that a tree on Linux is made of: all relative to an open directory and by bytes, because names are
// bytes there and .NET's paths are text. Invariants: no call follows a symbolic link at the end of a path; every failure
// leaves errno for Marshal.GetLastPInvokeError. Structures and numbers of 64-bit Linux, glibc and musl.

using System.Runtime.InteropServices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Trees;

/// <summary>Functions and numbers of libc.</summary>
internal static unsafe partial class UnixCalls
{
    public const int ReadOnly = 0, WriteOnly = 1, ReadWrite = 2, Create = 0x40, Exclusive = 0x80, NonBlocking = 0x800;
    public const int CloseOnExec = 0x80000, PathOnly = 0x200000;
    public const int AtCurrentDirectory = -100, AtNoFollow = 0x100, AtRemoveDirectory = 0x200, AtEmptyPath = 0x1000;
    public const int AtFollow = 0x400;
    public const uint RenameNoReplace = 1, RenameExchange = 2;
    public const int SeekData = 3, SeekHole = 4;
    public const int ENoEntry = 2, EIo = 5, ENoDeviceOrAddress = 6, EInterrupted = 4;

    // These two differ between the processors.
    public static readonly int NoFollow = IsArm ? 0x8000 : 0x20000;
    public static readonly int DirectoryOnly = IsArm ? 0x4000 : 0x10000;

    private const uint StatxBasicAndBirth = 0xFFF;
    private const uint TypeMask = 0xF000;

    private static bool IsArm => RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm;

    /// <summary>The error that errno stands for.</summary>
    /// <exception cref="IOException">It is none that a caller would expect.</exception>
    public static Hammer2Error Translate(int errno) => errno switch
    {
        2 => Hammer2Error.NotFound,
        1 or 13 => Hammer2Error.NotPermitted,
        17 => Hammer2Error.Exists,
        20 => Hammer2Error.NotADirectory,
        21 => Hammer2Error.IsADirectory,
        22 or 40 => Hammer2Error.InvalidArgument,
        27 => Hammer2Error.FileTooLarge,
        28 or 122 => Hammer2Error.NoSpace,
        30 => Hammer2Error.ReadOnly,
        31 => Hammer2Error.TooManyLinks,
        36 => Hammer2Error.NameTooLong,
        39 => Hammer2Error.NotEmpty,
        38 or 95 => Hammer2Error.Unsupported,
        16 => Hammer2Error.InUse,
        EIo => throw new Hammer2Exception(Hammer2Error.Io, Marshal.GetPInvokeErrorMessage(errno)),
        _ => throw new IOException(Marshal.GetPInvokeErrorMessage(errno)),
    };

    /// <summary>None when the call succeeded, else what errno says.</summary>
    public static Hammer2Error Outcome(int result) =>
        result >= 0 ? Hammer2Error.None : Translate(Marshal.GetLastPInvokeError());

    /// <summary>Attributes of a name below a directory, or of the directory itself when the name is empty.</summary>
    public static bool TryStat(int directory, byte[] name, out StatxBuffer stat)
    {
        int flags = AtNoFollow | (name.Length == 1 ? AtEmptyPath : 0);
        return Statx(directory, name, flags, StatxBasicAndBirth, out stat) == 0;
    }

    public static ObjectType TypeOf(uint mode) => (mode & TypeMask) switch
    {
        0x8000 => ObjectType.File,
        0x4000 => ObjectType.Directory,
        0xA000 => ObjectType.Symlink,
        0x1000 => ObjectType.Fifo,
        0x2000 => ObjectType.CharDevice,
        0x6000 => ObjectType.BlockDevice,
        0xC000 => ObjectType.Socket,
        _ => ObjectType.Unknown,
    };

    public static uint ModeOf(ObjectType type) => type switch
    {
        ObjectType.Fifo => 0x1000,
        ObjectType.CharDevice => 0x2000,
        ObjectType.BlockDevice => 0x6000,
        ObjectType.Socket => 0xC000,
        _ => 0,
    };

    // DT_xx of a directory entry.
    public static ObjectType TypeOfEntry(byte type) => TypeOf((uint)type << 12);

    /// <summary>The 64-bit encoding of a device number that glibc and musl share.</summary>
    public static ulong DeviceOf(uint major, uint minor) =>
        ((ulong)major & 0xFFFFF000) << 32 | ((ulong)major & 0xFFF) << 8 | ((ulong)minor & 0xFFFFFF00) << 12 | (ulong)minor & 0xFF;

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true)]
    public static partial int OpenAt(int directory, byte[] path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    public static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "pread", SetLastError = true)]
    public static partial nint Read(int descriptor, byte* buffer, nint length, long offset);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    public static partial nint ReadNext(int descriptor, byte* buffer, nint length);

    [LibraryImport("libc", EntryPoint = "pwrite", SetLastError = true)]
    public static partial nint Write(int descriptor, byte* buffer, nint length, long offset);

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    public static partial long Seek(int descriptor, long offset, int whence);

    [LibraryImport("libc", EntryPoint = "ftruncate", SetLastError = true)]
    public static partial int SetSize(int descriptor, long size);

    [LibraryImport("libc", EntryPoint = "mkdirat", SetLastError = true)]
    public static partial int MakeDirectoryAt(int directory, byte[] name, uint mode);

    [LibraryImport("libc", EntryPoint = "mknodat", SetLastError = true)]
    public static partial int MakeNodeAt(int directory, byte[] name, uint mode, ulong device);

    [LibraryImport("libc", EntryPoint = "symlinkat", SetLastError = true)]
    public static partial int SymlinkAt(byte[] target, int directory, byte[] name);

    [LibraryImport("libc", EntryPoint = "readlinkat", SetLastError = true)]
    public static partial nint ReadLinkAt(int directory, byte[] name, byte* buffer, nint size);

    [LibraryImport("libc", EntryPoint = "linkat", SetLastError = true)]
    public static partial int LinkAt(int fromDirectory, byte[] from, int toDirectory, byte[] to, int flags);

    [LibraryImport("libc", EntryPoint = "unlinkat", SetLastError = true)]
    public static partial int UnlinkAt(int directory, byte[] name, int flags);

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true)]
    public static partial int RenameAt(int fromDirectory, byte[] from, int toDirectory, byte[] to, uint flags);

    [LibraryImport("libc", EntryPoint = "fchownat", SetLastError = true)]
    public static partial int ChangeOwnerAt(int directory, byte[] name, uint uid, uint gid, int flags);

    [LibraryImport("libc", EntryPoint = "fchmodat", SetLastError = true)]
    public static partial int ChangeModeAt(int directory, byte[] name, uint mode, int flags);

    [LibraryImport("libc", EntryPoint = "utimensat", SetLastError = true)]
    public static partial int SetTimesAt(int directory, byte[] name, Span<TimeSpec> times, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    public static partial int Synchronise(int descriptor);

    [LibraryImport("libc", EntryPoint = "syncfs", SetLastError = true)]
    public static partial int SynchroniseAll(int descriptor);

    [LibraryImport("libc", EntryPoint = "fdopendir", SetLastError = true)]
    public static partial nint OpenDirectory(int descriptor);

    [LibraryImport("libc", EntryPoint = "readdir", SetLastError = true)]
    public static partial byte* ReadDirectory(nint directory);

    [LibraryImport("libc", EntryPoint = "closedir", SetLastError = true)]
    public static partial int CloseDirectory(nint directory);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    public static partial uint EffectiveUserId();

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true)]
    private static partial int Statx(int directory, byte[] path, int flags, uint mask, out StatxBuffer buffer);

    /// <summary>struct timespec.</summary>
    public readonly record struct TimeSpec(long Seconds, long Nanoseconds)
    {
        // UTIME_OMIT
        public static readonly TimeSpec Unchanged = new(0, 0x3FFFFFFE);

        public static TimeSpec Of(long? us)
        {
            if (us is not { } value)
                return Unchanged;
            long seconds = Math.DivRem(value, 1_000_000, out long rest);
            return rest < 0 ? new TimeSpec(seconds - 1, (rest + 1_000_000) * 1000) : new TimeSpec(seconds, rest * 1000);
        }
    }

    /// <summary>struct statx, the same on every processor.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    public struct StatxBuffer
    {
        [FieldOffset(0x00)] public uint Mask;
        [FieldOffset(0x10)] public uint LinkCount;
        [FieldOffset(0x14)] public uint Uid;
        [FieldOffset(0x18)] public uint Gid;
        [FieldOffset(0x1C)] public ushort Mode;
        [FieldOffset(0x20)] public ulong Inode;
        [FieldOffset(0x28)] public ulong Size;
        [FieldOffset(0x30)] public ulong Blocks;
        [FieldOffset(0x40)] public StatxTime AccessTime;
        [FieldOffset(0x50)] public StatxTime BirthTime;
        [FieldOffset(0x60)] public StatxTime ChangeTime;
        [FieldOffset(0x70)] public StatxTime ModifyTime;
        [FieldOffset(0x80)] public uint DeviceMajor;
        [FieldOffset(0x84)] public uint DeviceMinor;
        [FieldOffset(0x88)] public uint OnDeviceMajor;
        [FieldOffset(0x8C)] public uint OnDeviceMinor;

        // STATX_BTIME
        public readonly bool HasBirthTime => (Mask & 0x800) != 0;

        public readonly NodeIdentity Identity => new((ulong)OnDeviceMajor << 32 | OnDeviceMinor, Inode);
    }

    /// <summary>struct statx_timestamp.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 16)]
    public struct StatxTime
    {
        public long Seconds;
        public uint Nanoseconds;

        public readonly long Us => Seconds * 1_000_000 + Nanoseconds / 1000;
    }
}
