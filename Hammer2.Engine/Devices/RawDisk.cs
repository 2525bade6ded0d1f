// What the framework does not offer for raw devices: their length (lseek on Unix, an IOCTL on Windows),
// their sector size, and opening \\.\ paths. Numbers are those of the public Windows and POSIX headers.

using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using Hammer2.Engine.Primitives;
using Microsoft.Win32.SafeHandles;

namespace Hammer2.Engine.Devices;

internal static partial class RawDisk
{
    private const uint GenericRead = 0x80000000;
    private const uint GenericWrite = 0x40000000;
    private const uint ShareReadWrite = 3;
    private const uint OpenExisting = 3;
    private const uint IoctlDiskGetLengthInfo = 0x0007405C;
    private const uint IoctlDiskGetDriveGeometry = 0x00070000;
    private const int DiskGeometryBytes = 24;
    private const int DiskGeometrySectorOffset = 20;
    private const int SeekEnd = 2;

    internal static bool IsRawPath(string path) =>
        path.StartsWith(@"\\.\", StringComparison.Ordinal) || path.StartsWith("//./", StringComparison.Ordinal);

    internal static long UnixDeviceLength(SafeFileHandle handle) =>
        Math.Max(0, Seek(handle, 0, SeekEnd));

    [SupportedOSPlatform("windows")]
    internal static SafeFileHandle OpenWindows(string path, bool writable, out long length, out int sectorSize)
    {
        SafeFileHandle handle = CreateFile(
            path, writable ? GenericRead | GenericWrite : GenericRead, ShareReadWrite, 0, OpenExisting, 0, 0);
        if (handle.IsInvalid)
        {
            int code = Marshal.GetLastPInvokeError();
            handle.Dispose();
            string hint = code == 5 ? "; raw disks need an elevated prompt" : "";
            throw new Hammer2Exception(Hammer2Error.Io, $"{path} cannot be opened: {new Win32Exception(code).Message}{hint}.");
        }

        Span<byte> answer = stackalloc byte[DiskGeometryBytes];
        length = Control(handle, IoctlDiskGetLengthInfo, answer[..sizeof(long)]) ? BitConverter.ToInt64(answer) : 0;
        if (length <= 0)
        {
            handle.Dispose();
            throw new Hammer2Exception(Hammer2Error.Io, $"{path} does not tell its length; is there a medium in the drive?");
        }

        sectorSize = Control(handle, IoctlDiskGetDriveGeometry, answer)
            ? BitConverter.ToInt32(answer[DiskGeometrySectorOffset..]) : 512;
        if (sectorSize is < 512 or > 65536)
            sectorSize = 512;
        return handle;
    }

    private static unsafe bool Control(SafeFileHandle handle, uint code, Span<byte> answer)
    {
        fixed (byte* p = answer)
            return DeviceIoControl(handle, code, null, 0, p, (uint)answer.Length, out _, 0);
    }

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    private static partial long Seek(SafeFileHandle fd, long offset, int whence);

    [LibraryImport("kernel32.dll", EntryPoint = "CreateFileW", SetLastError = true, StringMarshalling = StringMarshalling.Utf16)]
    private static partial SafeFileHandle CreateFile(
        string name, uint access, uint share, nint security, uint disposition, uint flags, nint template);

    [LibraryImport("kernel32.dll", SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static unsafe partial bool DeviceIoControl(
        SafeFileHandle handle, uint code, byte* input, uint inputBytes, byte* output, uint outputBytes, out uint returned, nint overlapped);
}
