// System calls of the tests that change something, on paths as bytes and on descriptors.
// Every method returns what the call returns, or a negative errno. BytePaths has the reading ones.
// Layers: libc only.

using System.Runtime.InteropServices;
using System.Text;

namespace Hammer2.Tests.Fuse;

internal static unsafe partial class Posix
{
    public const int ReadOnly = 0, WriteOnly = 1, ReadWrite = 2, Create = 0x40, Exclusive = 0x80, Truncate = 0x200, Append = 0x400;
    public const int Direct = 0x4000, PathOnly = 0x200000, Data = 3, Hole = 4;
    public const uint KeepSize = 1, PunchHole = 2, CollapseRange = 8, ZeroRange = 0x10;
    public const uint NoReplace = 1, Exchange = 2, Whiteout = 4;
    public const long Now = (1L << 30) - 1, Omit = (1L << 30) - 2;
    private const int CurrentDirectory = -100, NoFollow = 0x100;
    private const int ProtectRead = 1, ProtectWrite = 2, MapShared = 1, MapPrivate = 2, SyncNow = 4;

    [LibraryImport("libc", EntryPoint = "pwrite", SetLastError = true)]
    private static partial nint WriteCall(int descriptor, byte* data, nint length, long offset);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint WriteHereCall(int descriptor, byte* data, nint length);

    [LibraryImport("libc", EntryPoint = "ftruncate", SetLastError = true)]
    private static partial int SetSizeCall(int descriptor, long size);

    [LibraryImport("libc", EntryPoint = "truncate", SetLastError = true)]
    private static partial int SetSizeCall(byte* path, long size);

    [LibraryImport("libc", EntryPoint = "unlink", SetLastError = true)]
    private static partial int UnlinkCall(byte* path);

    [LibraryImport("libc", EntryPoint = "rmdir", SetLastError = true)]
    private static partial int RemoveDirectoryCall(byte* path);

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true)]
    private static partial int RenameCall(int from, byte* path, int to, byte* newPath, uint flags);

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true)]
    private static partial int LinkCall(byte* path, byte* newPath);

    [LibraryImport("libc", EntryPoint = "symlink", SetLastError = true)]
    private static partial int MakeLinkCall(byte* target, byte* path);

    [LibraryImport("libc", EntryPoint = "mknod", SetLastError = true)]
    private static partial int MakeNodeCall(byte* path, uint mode, ulong device);

    [LibraryImport("libc", EntryPoint = "chmod", SetLastError = true)]
    private static partial int SetModeCall(byte* path, uint mode);

    [LibraryImport("libc", EntryPoint = "fchmod", SetLastError = true)]
    private static partial int SetModeCall(int descriptor, uint mode);

    [LibraryImport("libc", EntryPoint = "lchown", SetLastError = true)]
    private static partial int SetOwnerCall(byte* path, uint uid, uint gid);

    [LibraryImport("libc", EntryPoint = "utimensat", SetLastError = true)]
    private static partial int SetTimesCall(int directory, byte* path, long* times, int flags);

    [LibraryImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    private static partial int AllocateCall(int descriptor, uint mode, long offset, long length);

    [LibraryImport("libc", EntryPoint = "copy_file_range", SetLastError = true)]
    private static partial nint CopyRangeCall(int from, long* offset, int to, long* offsetTo, nint length, uint flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int SyncCall(int descriptor);

    [LibraryImport("libc", EntryPoint = "syncfs", SetLastError = true)]
    private static partial int SyncFileSystemCall(int descriptor);

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial byte* MapCall(nint address, nint length, int protection, int flags, int descriptor, long offset);

    [LibraryImport("libc", EntryPoint = "msync", SetLastError = true)]
    private static partial int SyncMapCall(byte* address, nint length, int flags);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int UnmapCall(byte* address, nint length);

    [LibraryImport("libc", EntryPoint = "memcpy")]
    private static partial byte* CopyCall(byte* to, byte* from, nint length);

    [LibraryImport("libc", EntryPoint = "setxattr", SetLastError = true)]
    private static partial int SetAttributeCall(byte* path, byte* name, byte* value, nint length, int flags);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int LockCall(int descriptor, int operation);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int FileControlCall(int descriptor, int command, byte* argument);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int ControlCall(int descriptor, ulong command, ulong* argument);

    public static long Write(int descriptor, ReadOnlySpan<byte> data, long offset)
    {
        fixed (byte* start = data)
            return Checked(WriteCall(descriptor, start, data.Length, offset));
    }

    public static long WriteHere(int descriptor, ReadOnlySpan<byte> data)
    {
        fixed (byte* start = data)
            return Checked(WriteHereCall(descriptor, start, data.Length));
    }

    public static long SetSize(int descriptor, long size) => Checked(SetSizeCall(descriptor, size));

    public static long SetSize(byte[] path, long size)
    {
        fixed (byte* name = Terminated(path))
            return Checked(SetSizeCall(name, size));
    }

    public static long Unlink(byte[] path)
    {
        fixed (byte* name = Terminated(path))
            return Checked(UnlinkCall(name));
    }

    public static long RemoveDirectory(byte[] path)
    {
        fixed (byte* name = Terminated(path))
            return Checked(RemoveDirectoryCall(name));
    }

    public static long Rename(byte[] path, byte[] newPath, uint flags = 0)
    {
        fixed (byte* name = Terminated(path), newName = Terminated(newPath))
            return Checked(RenameCall(CurrentDirectory, name, CurrentDirectory, newName, flags));
    }

    public static long Link(byte[] path, byte[] newPath)
    {
        fixed (byte* name = Terminated(path), newName = Terminated(newPath))
            return Checked(LinkCall(name, newName));
    }

    public static long MakeLink(byte[] target, byte[] path)
    {
        fixed (byte* text = Terminated(target), name = Terminated(path))
            return Checked(MakeLinkCall(text, name));
    }

    public static long MakeNode(byte[] path, uint mode, ulong device)
    {
        fixed (byte* name = Terminated(path))
            return Checked(MakeNodeCall(name, mode, device));
    }

    public static long SetMode(byte[] path, uint mode)
    {
        fixed (byte* name = Terminated(path))
            return Checked(SetModeCall(name, mode));
    }

    public static long SetMode(int descriptor, uint mode) => Checked(SetModeCall(descriptor, mode));

    public static long SetOwner(byte[] path, uint uid, uint gid)
    {
        fixed (byte* name = Terminated(path))
            return Checked(SetOwnerCall(name, uid, gid));
    }

    /// <summary>Times as seconds and nanoseconds; the nanoseconds may be <see cref="Now"/> or <see cref="Omit"/>.</summary>
    public static long SetTimes(byte[] path, (long Seconds, long Nanoseconds) access, (long Seconds, long Nanoseconds) modify)
    {
        var times = stackalloc long[] { access.Seconds, access.Nanoseconds, modify.Seconds, modify.Nanoseconds };
        fixed (byte* name = Terminated(path))
            return Checked(SetTimesCall(CurrentDirectory, name, times, NoFollow));
    }

    public static long Allocate(int descriptor, uint mode, long offset, long length) => Checked(AllocateCall(descriptor, mode, offset, length));

    public static long CopyRange(int from, long offset, int to, long offsetTo, long length) =>
        Checked(CopyRangeCall(from, &offset, to, &offsetTo, (nint)length, 0));

    public static long Sync(int descriptor) => Checked(SyncCall(descriptor));

    public static long SyncFileSystem(int descriptor) => Checked(SyncFileSystemCall(descriptor));

    public static long SetAttribute(byte[] path, string attribute, byte[] value)
    {
        fixed (byte* name = Terminated(path), key = Terminated(Encoding.UTF8.GetBytes(attribute)), data = value)
            return Checked(SetAttributeCall(name, key, data, value.Length, 0));
    }

    /// <summary>flock without waiting: 1 shared, 2 exclusive, 8 unlock.</summary>
    public static long Lock(int descriptor, int operation) => Checked(LockCall(descriptor, operation | 4));

    /// <summary>A write lock of an open file description over a range, without waiting; or its release.</summary>
    public static long LockRange(int descriptor, long offset, long length, bool release = false)
    {
        var request = stackalloc byte[32];
        new Span<byte>(request, 32).Clear();
        *(short*)request = (short)(release ? 2 : 1);
        *(long*)(request + 8) = offset;
        *(long*)(request + 16) = length;
        return Checked(FileControlCall(descriptor, 37, request));
    }

    /// <summary>FS_IOC_GETFLAGS; negative errno on failure.</summary>
    public static long GetFlags(int descriptor)
    {
        ulong flags = 0;
        var result = Checked(ControlCall(descriptor, 0x80086601, &flags));
        return result < 0 ? result : (uint)flags;
    }

    public static long SetFlags(int descriptor, uint flags)
    {
        ulong value = flags;
        return Checked(ControlCall(descriptor, 0x40086602, &value));
    }

    /// <summary>A mapping of a file; throws if it cannot be made.</summary>
    public static Mapping Map(int descriptor, int length, bool shared)
    {
        var start = MapCall(0, length, ProtectRead | ProtectWrite, shared ? MapShared : MapPrivate, descriptor, 0);
        if ((nint)start == -1)
            throw new IOException("mmap: " + Marshal.GetLastPInvokeErrorMessage());
        return new Mapping(start, length);
    }

    /// <summary>
    /// Mapped bytes. They are touched by the C library only: a thread that waits for a page in managed code would stop the garbage
    /// collector, and with it the filesystem in this same process that is to deliver the page.
    /// </summary>
    internal sealed class Mapping(byte* start, int length) : IDisposable
    {
        public byte this[int offset]
        {
            get => ToArray(offset, 1)[0];
            set => Write(offset, [value]);
        }

        public byte[] ToArray() => ToArray(0, length);

        public void Write(int offset, ReadOnlySpan<byte> data)
        {
            fixed (byte* from = data)
                CopyCall(start + offset, from, data.Length);
        }

        public void Fill(int offset, int count, byte value)
        {
            var data = new byte[count];
            data.AsSpan().Fill(value);
            Write(offset, data);
        }

        public void Sync() => Assert.AreEqual(0, SyncMapCall(start, length, SyncNow), "msync");

        public void Dispose() => _ = UnmapCall(start, length);

        private byte[] ToArray(int offset, int count)
        {
            var data = new byte[count];
            fixed (byte* to = data)
                CopyCall(to, start + offset, count);
            return data;
        }
    }

    private static byte[] Terminated(byte[] path) => [.. path, 0];

    private static long Checked(nint result) => result >= 0 ? result : -Marshal.GetLastPInvokeError();
}
