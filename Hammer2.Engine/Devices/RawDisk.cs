// What the framework does not offer on Windows: opening \\.\ paths, the length and sector size of raw devices,
// locking a volume, sparse files, and a claim on a device that other processes see. Numbers are those of the public
// Windows headers.

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
    private const uint FsctlLockVolume = 0x00090018;
    private const uint FsctlSetSparse = 0x000900C4;
    private const int AccessDenied = 5;
    private const int WriteProtected = 19;
    private const int SharingViolation = 32;

    internal static bool IsRawPath(string path) =>
        path.StartsWith(@"\\.\", StringComparison.Ordinal) || path.StartsWith("//./", StringComparison.Ordinal);

    /// <summary>Marks a file as sparse; where the file system cannot, the file is merely larger.</summary>
    [SupportedOSPlatform("windows")]
    internal static void MakeSparse(SafeFileHandle file) => Control(file, FsctlSetSparse, []);

    [SupportedOSPlatform("windows")]
    internal static DeviceHandle OpenWindows(string path, bool writable, bool claim)
    {
        RawDeviceClaim? claimed = claim ? RawDeviceClaim.Take(path, writable) : null;
        try
        {
            SafeFileHandle handle = OpenRaw(path, writable, out long length, out int sectorSize);
            return new DeviceHandle(handle, length, sectorSize, WholeSectors: true, claimed);
        }
        catch
        {
            claimed?.Dispose();
            throw;
        }
    }

    [SupportedOSPlatform("windows")]
    private static SafeFileHandle OpenRaw(string path, bool writable, out long length, out int sectorSize)
    {
        SafeFileHandle handle = CreateFile(
            path, writable ? GenericRead | GenericWrite : GenericRead, ShareReadWrite, 0, OpenExisting, 0, 0);
        if (handle.IsInvalid)
        {
            int code = Marshal.GetLastPInvokeError();
            handle.Dispose();
            string hint = code == AccessDenied ? "; raw disks need an elevated prompt" : "";
            Hammer2Error error = code switch
            {
                WriteProtected => Hammer2Error.ReadOnly,
                SharingViolation => Hammer2Error.InUse,
                _ => Hammer2Error.Io,
            };
            throw new Hammer2Exception(error, $"{path} cannot be opened: {new Win32Exception(code).Message}{hint}.");
        }

        // A volume with a drive letter has a file system on it that must not write meanwhile. Disks have no such lock:
        // there Windows itself refuses writes into mounted partitions.
        if (writable && path.EndsWith(':') && !Control(handle, FsctlLockVolume, []))
        {
            handle.Dispose();
            throw DeviceOpening.InUse(path, "Windows has mounted it and files on it are open; close them first");
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

    [LibraryImport("kernel32.dll", EntryPoint = "CreateFileW", SetLastError = true, StringMarshalling = StringMarshalling.Utf16)]
    private static partial SafeFileHandle CreateFile(
        string name, uint access, uint share, nint security, uint disposition, uint flags, nint template);

    [LibraryImport("kernel32.dll", SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static unsafe partial bool DeviceIoControl(
        SafeFileHandle handle, uint code, byte* input, uint inputBytes, byte* output, uint outputBytes, out uint returned, nint overlapped);
}

/// <summary>
/// A claim on a raw device, which has no share modes: two named kernel objects that exist while a writer or readers have
/// the device. Each side makes its own first and then looks for the other, so of two that meet at least one gives way.
/// </summary>
[SupportedOSPlatform("windows")]
internal sealed class RawDeviceClaim : IDisposable
{
    private readonly EventWaitHandle _mark;

    private RawDeviceClaim(EventWaitHandle mark) => _mark = mark;

    internal static RawDeviceClaim Take(string path, bool writable)
    {
        string name = @"Global\Hammer2-device-" + path.TrimStart('\\', '.', '/', '?').TrimEnd('\\').ToUpperInvariant().Replace('\\', '/');
        string own = name + (writable ? "-writer" : "-reader");
        string other = name + (writable ? "-reader" : "-writer");
        try
        {
            var mark = new EventWaitHandle(false, EventResetMode.ManualReset, own, out bool isNew);
            if (writable && !isNew || Exists(other))
            {
                mark.Dispose();
                throw DeviceOpening.InUse(path, $"another process has it open{(writable ? "" : " for writing")}");
            }

            return new RawDeviceClaim(mark);
        }
        catch (UnauthorizedAccessException e)
        {
            throw DeviceOpening.InUse(path, "a process of another user has it open", e);
        }
    }

    public void Dispose() => _mark.Dispose();

    private static bool Exists(string name)
    {
        if (!EventWaitHandle.TryOpenExisting(name, out EventWaitHandle? mark))
            return false;
        mark.Dispose();
        return true;
    }
}
