// System calls of the tests over paths as bytes: names on a HAMMER2 volume need not be valid UTF-8, which .NET's file
// API cannot express.
// Layers: libc only.

using System.Runtime.InteropServices;
using System.Text;

namespace Hammer2.Tests.Fuse;

/// <summary>What statx reports.</summary>
internal readonly record struct FileStatus(
    uint Mode, ulong Inode, uint LinkCount, uint Uid, uint Gid, ulong Size, ulong Blocks, uint BlockSize, long ModifyTimeUs,
    long? BirthTimeUs, uint DeviceMajor, uint DeviceMinor, long AccessTimeUs, long ChangeTimeUs);

/// <summary>A name in a directory, with what the listing itself says about it.</summary>
internal sealed record ListedName(byte[] Name, ulong Inode, byte Type);

internal static unsafe partial class BytePaths
{
    private const int CurrentDirectory = -100;
    private const int NoFollow = 0x100;
    private const int EmptyPath = 0x1000;
    private const uint BasicAndBirthTime = 0xFFF;

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true)]
    private static partial int StatxCall(int directory, byte* path, int flags, uint mask, byte* result);

    [LibraryImport("libc", EntryPoint = "readlink", SetLastError = true)]
    private static partial nint ReadLinkCall(byte* path, byte* buffer, nint length);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true)]
    private static partial int OpenCall(byte* path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int CloseCall(int descriptor);

    [LibraryImport("libc", EntryPoint = "pread", SetLastError = true)]
    private static partial nint ReadCall(int descriptor, byte* buffer, nint length, long offset);

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    private static partial long SeekFileCall(int descriptor, long offset, int whence);

    [LibraryImport("libc", EntryPoint = "opendir", SetLastError = true)]
    private static partial nint OpenDirectoryCall(byte* path);

    [LibraryImport("libc", EntryPoint = "readdir", SetLastError = true)]
    private static partial byte* ReadDirectoryCall(nint directory);

    [LibraryImport("libc", EntryPoint = "closedir", SetLastError = true)]
    private static partial int CloseDirectoryCall(nint directory);

    [LibraryImport("libc", EntryPoint = "telldir")]
    private static partial long TellCall(nint directory);

    [LibraryImport("libc", EntryPoint = "seekdir")]
    private static partial void SeekCall(nint directory, long position);

    [LibraryImport("libc", EntryPoint = "mkdir", SetLastError = true)]
    private static partial int MakeDirectoryCall(byte* path, uint mode);

    [LibraryImport("libc", EntryPoint = "statvfs", SetLastError = true)]
    private static partial int StatFsCall(byte* path, ulong* result);

    /// <summary>lstat with birth time; negative errno on failure.</summary>
    public static int Status(byte[] path, out FileStatus status) => Status(CurrentDirectory, path, NoFollow, out status);

    /// <summary>fstat with birth time; negative errno on failure.</summary>
    public static int Status(int descriptor, out FileStatus status) => Status(descriptor, [], EmptyPath, out status);

    private static int Status(int directory, byte[] path, int flags, out FileStatus status)
    {
        var raw = stackalloc byte[256];
        fixed (byte* name = Terminated(path))
        {
            status = default;
            if (StatxCall(directory, name, flags, BasicAndBirthTime, raw) != 0)
                return -Marshal.GetLastPInvokeError();
        }

        var mask = *(uint*)raw;
        status = new FileStatus(
            *(ushort*)(raw + 28), *(ulong*)(raw + 32), *(uint*)(raw + 16), *(uint*)(raw + 20), *(uint*)(raw + 24), *(ulong*)(raw + 40),
            *(ulong*)(raw + 48), *(uint*)(raw + 4), Microseconds(raw + 112), (mask & 0x800) != 0 ? Microseconds(raw + 80) : null,
            *(uint*)(raw + 128), *(uint*)(raw + 132), Microseconds(raw + 64), Microseconds(raw + 96));
        return 0;
    }

    /// <summary>The target of a symlink; negative errno on failure.</summary>
    public static int ReadLink(byte[] path, out byte[] target)
    {
        var buffer = new byte[4096];
        target = [];
        fixed (byte* name = Terminated(path), room = buffer)
        {
            var length = ReadLinkCall(name, room, buffer.Length);
            if (length < 0)
                return -Marshal.GetLastPInvokeError();
            target = buffer[..(int)length];
            return 0;
        }
    }

    /// <summary>Opens for reading, or with other flags of open(2); negative errno on failure.</summary>
    public static int Open(byte[] path, int flags = 0)
    {
        fixed (byte* name = Terminated(path))
        {
            var descriptor = OpenCall(name, flags | 0x80000, 0x1A4);
            return descriptor >= 0 ? descriptor : -Marshal.GetLastPInvokeError();
        }
    }

    public static void Close(int descriptor) => _ = CloseCall(descriptor);

    /// <summary>Reads at an offset; negative errno on failure.</summary>
    public static int Read(int descriptor, Span<byte> buffer, long offset)
    {
        fixed (byte* room = buffer)
        {
            var count = ReadCall(descriptor, room, buffer.Length, offset);
            return count >= 0 ? (int)count : -Marshal.GetLastPInvokeError();
        }
    }

    /// <summary>lseek; negative errno on failure.</summary>
    public static long Seek(int descriptor, long offset, int whence)
    {
        var found = SeekFileCall(descriptor, offset, whence);
        return found >= 0 ? found : -Marshal.GetLastPInvokeError();
    }

    /// <summary>mkdir; negative errno on failure.</summary>
    public static int MakeDirectory(byte[] path)
    {
        fixed (byte* name = Terminated(path))
            return MakeDirectoryCall(name, 0x1ED) == 0 ? 0 : -Marshal.GetLastPInvokeError();
    }

    /// <summary>Block size, blocks, free blocks, available blocks, files.</summary>
    public static ulong[] StatFs(byte[] path)
    {
        var raw = stackalloc ulong[32];
        fixed (byte* name = Terminated(path))
            Assert.AreEqual(0, StatFsCall(name, raw), "statvfs");
        return [raw[1], raw[2], raw[3], raw[4], raw[5]];
    }

    /// <summary>Every name, dots included, and the errno that ended the listing (0: its end).</summary>
    public static int List(byte[] path, out List<ListedName> names, bool seekEveryTime = false)
    {
        names = [];
        nint directory;
        fixed (byte* name = Terminated(path))
            directory = OpenDirectoryCall(name);
        if (directory == 0)
            return -Marshal.GetLastPInvokeError();
        try
        {
            while (true)
            {
                var entry = ReadDirectoryCall(directory);
                if (entry == null)
                    return -Marshal.GetLastPInvokeError();
                var text = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(entry + 19);
                names.Add(new ListedName(text.ToArray(), *(ulong*)entry, entry[18]));
                if (seekEveryTime)
                    SeekCall(directory, TellCall(directory));
            }
        }
        finally
        {
            _ = CloseDirectoryCall(directory);
        }
    }

    /// <summary>A path below a directory.</summary>
    public static byte[] Below(string directory, ReadOnlySpan<byte> path) => [.. Encoding.UTF8.GetBytes(directory), .. path];

    private static byte[] Terminated(byte[] path) => [.. path, 0];

    private static long Microseconds(byte* time) => *(long*)time * 1_000_000 + *(uint*)(time + 8) / 1000;
}
