// Opening files and devices, and who may have them open together: any number of readers, or one writer. A reader
// beside a writer would serve stale blocks from its cache, so it is refused too unless it says that it knows.
// Linux: flock, which other opens of this process see as well, and O_EXCL on block devices, which keeps the system
// from mounting them. Windows: share modes for files, named kernel objects for raw devices. Elsewhere the framework's
// own file locks. All of it ends with the process.

using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using Hammer2.Engine.Primitives;
using Microsoft.Win32.SafeHandles;

namespace Hammer2.Engine.Devices;

/// <summary>What an open gives.</summary>
/// <param name="Handle">The handle.</param>
/// <param name="Length">Bytes.</param>
/// <param name="SectorSize">Sector size in bytes.</param>
/// <param name="WholeSectors">True when only whole sectors can be transferred.</param>
/// <param name="Claim">What to let go after the handle.</param>
internal sealed record DeviceHandle(SafeFileHandle Handle, long Length, int SectorSize, bool WholeSectors = false, IDisposable? Claim = null);

/// <summary>Opens a path with the right locks.</summary>
internal static class DeviceOpening
{
    private const int SharingViolation = unchecked((int)0x80070020);
    private const int WouldBlock = 11;
    private static readonly TimeSpan s_probeTime = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_probePause = TimeSpan.FromMilliseconds(20);

    internal static DeviceHandle Open(string path, bool writable, bool ignoreInUse, int sectorSize)
    {
        bool claim = writable || !ignoreInUse;
        if (OperatingSystem.IsLinux())
            return OpenLinux(path, writable, claim, sectorSize);
        if (OperatingSystem.IsWindows() && RawDisk.IsRawPath(path))
            return RawDisk.OpenWindows(path, writable, claim);
        return OpenByFramework(path, writable, claim, sectorSize);
    }

    [SupportedOSPlatform("linux")]
    private static DeviceHandle OpenLinux(string path, bool writable, bool claim, int sectorSize)
    {
        FileIdentity file = LinuxFile.Identify(path);
        if (file.Kind == FileKind.Other)
            throw new Hammer2Exception(Hammer2Error.Io, $"{path} is neither a file nor a disk; name an image file, disk or partition.");
        bool isDevice = file.Kind == FileKind.BlockDevice;
        if (isDevice && claim && DeviceUsers.FindMountPoint(file, onlyWritable: !writable) is { } mountPoint)
            throw InUse(path, $"it is mounted at {mountPoint}; unmount it first");
        if (!isDevice && writable && DeviceUsers.FindLoopDevice(file) is { } loop)
            throw InUse(path, $"{loop} shows it as a disk; detach that with losetup -d");

        int error = LinuxFile.Open(path, writable, exclusive: isDevice && writable, out SafeFileHandle handle);
        try
        {
            if (error != 0)
                throw OpenFailed(path, writable, error);
            if (claim && !Lock(handle, writable))
                throw InUse(path, $"{DeviceUsers.DescribeHolder(file)} has it open{(writable ? "" : " for writing")}");
            return new DeviceHandle(handle, LinuxFile.Length(handle), sectorSize);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    // Some hold a lock for a moment only: device daemons, who look at a block device just after somebody wrote to it, and a
    // process that was just started by a program that had the volume open, until it is a program of its own.
    [SupportedOSPlatform("linux")]
    private static bool Lock(SafeFileHandle handle, bool exclusive)
    {
        long end = Environment.TickCount64 + (long)s_probeTime.TotalMilliseconds;
        using var pause = new ManualResetEventSlim();
        while (!LinuxFile.TryLock(handle, exclusive))
        {
            if (Environment.TickCount64 >= end)
                return false;
            pause.Wait(s_probePause);
        }

        return true;
    }

    [SupportedOSPlatform("linux")]
    private static Exception OpenFailed(string path, bool writable, int error) => error switch
    {
        LinuxFile.NoEntry or LinuxFile.NotADirectory => new FileNotFoundException(),
        LinuxFile.NoAccess or LinuxFile.NotPermitted => new UnauthorizedAccessException(),
        LinuxFile.ReadOnlyFileSystem => new Hammer2Exception(
            Hammer2Error.ReadOnly, $"{path} cannot be opened for writing: it, or the file system that holds it, is read-only."),
        LinuxFile.Busy when writable => InUse(path, "the system uses it, or a partition of it; unmount it, or name the partition's own device"),
        LinuxFile.Busy or LinuxFile.TextBusy => InUse(path, "the system uses it"),
        _ => new IOException(Marshal.GetPInvokeErrorMessage(error)),
    };

    private static DeviceHandle OpenByFramework(string path, bool writable, bool claim, int sectorSize)
    {
        // A reader with FileShare.Read refuses to stand beside a writer, and a writer lets readers in that ask for it.
        // Other Unix systems know only shared and exclusive locks, and there None is the exclusive one.
        FileShare share = !claim ? FileShare.ReadWrite | FileShare.Delete : writable && !OperatingSystem.IsWindows() ? FileShare.None : FileShare.Read;
        try
        {
            SafeFileHandle handle = File.OpenHandle(
                path, FileMode.Open, writable ? FileAccess.ReadWrite : FileAccess.Read, share, FileOptions.RandomAccess);
            return new DeviceHandle(handle, RandomAccess.GetLength(handle), sectorSize);
        }
        catch (IOException e) when (e.HResult is SharingViolation or WouldBlock)
        {
            throw InUse(path, $"another program has it open{(writable ? "" : " for writing")}", e);
        }
    }

    internal static Hammer2Exception InUse(string path, string reason, Exception? inner = null) =>
        new(Hammer2Error.InUse, $"{path} is in use: {reason}.", inner);
}
