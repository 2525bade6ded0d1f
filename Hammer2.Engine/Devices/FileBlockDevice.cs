// An image file, a Linux block device or a Windows disk or partition, through positional system calls.
// Opened for reading it never writes: the handle itself lacks the right. Opened for writing it excludes every
// other open of this engine, in this process and others (DeviceOpening). After a flush that failed nothing is
// written any more: the system may have dropped what it could not write, and a second flush would not tell.

using Hammer2.Engine.Primitives;
using Microsoft.Win32.SafeHandles;

namespace Hammer2.Engine.Devices;

/// <summary>A file or raw device as <see cref="IBlockDevice"/>.</summary>
public sealed class FileBlockDevice : IGrowableDevice
{
    private const int DefaultSectorSize = 512;

    // What the framework reports as HResult when no space is left: errno on Unix (also for quotas and the
    // file size limit), Win32 codes on Windows.
    private const int NoSpaceUnix = 28;
    private const int TooLargeUnix = 27;
    private const int QuotaUnix = 122;
    private const int NoSpaceWindows = unchecked((int)0x80070070);
    private const int HandleFullWindows = unchecked((int)0x80070027);

    private readonly SafeFileHandle _handle;
    private readonly IDisposable? _claim;
    private readonly bool _writable;
    private readonly Action<SafeFileHandle> _flushToDisk;
    private volatile string? _flushFailure;

    private FileBlockDevice(string path, DeviceHandle opened, bool writable, Action<SafeFileHandle>? flushToDisk)
    {
        Name = path;
        _handle = opened.Handle;
        _claim = opened.Claim;
        _length = opened.Length;
        CanExtend = OperatingSystem.IsLinux() ? LinuxFile.Identify(path).Kind == FileKind.Regular : !RawDisk.IsRawPath(path);
        SectorSize = opened.SectorSize;
        _writable = writable;
        _flushToDisk = flushToDisk ?? RandomAccess.FlushToDisk;
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public long Length => Interlocked.Read(ref _length);

    private long _length;

    /// <inheritdoc/>
    public bool CanExtend { get; }

    /// <inheritdoc/>
    public int SectorSize { get; }

    /// <summary>Opens an image file, block device (Linux: /dev/...) or raw device (Windows: \\.\PhysicalDrive1, \\.\X:).</summary>
    /// <param name="path">Path of the file or device.</param>
    /// <param name="writable">False opens without the right to write.</param>
    /// <param name="ignoreInUse">Reads beside a writer, whose changes caches would not see; never for writing.</param>
    /// <exception cref="Hammer2Exception"><c>Io</c>, <c>ReadOnly</c> or <c>InUse</c> with a sentence that says what to do.</exception>
    public static IBlockDevice Open(string path, bool writable = false, bool ignoreInUse = false) =>
        Open(path, writable, ignoreInUse, null);

    /// <summary>The same with another way to flush, since no ordinary file lets a test fail one.</summary>
    internal static IBlockDevice Open(string path, bool writable, bool ignoreInUse, Action<SafeFileHandle>? flushToDisk)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        try
        {
            if (Directory.Exists(path))
                throw new Hammer2Exception(Hammer2Error.Io, $"{path} is a directory; name an image file, disk or partition.");
            DeviceHandle opened = DeviceOpening.Open(path, writable, ignoreInUse, DefaultSectorSize);
            var device = new FileBlockDevice(path, opened, writable, flushToDisk);
            return opened.WholeSectors ? new SectorAlignedDevice(device) : device;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new Hammer2Exception(Hammer2Error.Io, $"{path} does not exist; check the spelling of the path.", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw writable
                ? new Hammer2Exception(Hammer2Error.ReadOnly, $"{path} cannot be opened for writing: access denied; it may be write-protected, and raw disks need administrator rights.", e)
                : new Hammer2Exception(Hammer2Error.Io, $"{path} cannot be opened: access denied; raw disks need administrator rights.", e);
        }
        catch (Exception e) when (e is IOException and not Hammer2Exception or NotSupportedException or ArgumentException)
        {
            throw new Hammer2Exception(Hammer2Error.Io, $"{path} cannot be opened: {e.Message}", e);
        }
    }

    /// <summary>Creates a sparse file of zeros and opens it for writing; nothing that exists is touched.</summary>
    /// <exception cref="Hammer2Exception"><c>Io</c>: it exists, or cannot be created.</exception>
    public static IBlockDevice Create(string path, long length)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        bool created = false;
        try
        {
            using (SafeFileHandle handle = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None))
            {
                created = true;
                if (OperatingSystem.IsWindows())
                    RawDisk.MakeSparse(handle);
                RandomAccess.SetLength(handle, length);
            }

            return Open(path, writable: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            if (created)
                File.Delete(path);
            if (e is Hammer2Exception)
                throw;
            throw new Hammer2Exception(Hammer2Error.Io, $"{path} cannot be created with {length} bytes: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public void Read(long offset, Span<byte> buffer)
    {
        DeviceBounds.Check(this, offset, buffer.Length);
        try
        {
            while (!buffer.IsEmpty)
            {
                int got = RandomAccess.Read(_handle, buffer, offset);
                if (got == 0)
                    throw new Hammer2Exception(Hammer2Error.Io, $"{Name} ends at 0x{offset:x}, {buffer.Length} bytes short; the image was cut.");
                buffer = buffer[got..];
                offset += got;
            }
        }
        catch (Exception e) when (e is IOException and not Hammer2Exception or UnauthorizedAccessException)
        {
            throw new Hammer2Exception(Hammer2Error.Io, $"Reading {buffer.Length} bytes at 0x{offset:x} of {Name} failed: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        CheckWritable();
        DeviceBounds.Check(this, offset, data.Length);
        try
        {
            // Completes or throws: the framework goes on after partial writes.
            RandomAccess.Write(_handle, data, offset);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            string reason = IsNoSpace(e) ? "no space is left for the image file on the disk that holds it" : e.Message;
            throw new Hammer2Exception(Hammer2Error.Io, $"Writing {data.Length} bytes at 0x{offset:x} of {Name} failed: {reason}", e);
        }
    }

    /// <inheritdoc/>
    public void Flush()
    {
        if (!_writable)
            return;
        CheckWritable();
        try
        {
            _flushToDisk(_handle);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _flushFailure = IsNoSpace(e) ? "no space is left for the image file on the disk that holds it" : e.Message;
            throw new Hammer2Exception(Hammer2Error.Io, $"Flushing {Name} failed, what was written since the last flush may be lost: {_flushFailure}", e);
        }
    }

    /// <inheritdoc/>
    public void Refresh()
    {
        long length = OperatingSystem.IsLinux() ? LinuxFile.Length(_handle) : CanExtend ? RandomAccess.GetLength(_handle) : Length;
        Interlocked.Exchange(ref _length, Math.Max(length, Length));
    }

    /// <inheritdoc/>
    public void Extend(long length)
    {
        CheckWritable();
        ArgumentOutOfRangeException.ThrowIfLessThan(length, Length);
        if (!CanExtend)
            throw new Hammer2Exception(Hammer2Error.Io, $"{Name} is no file and cannot be made longer.");
        try
        {
            RandomAccess.SetLength(_handle, length);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new Hammer2Exception(Hammer2Error.Io, $"{Name} cannot be made {length} bytes long: {e.Message}", e);
        }

        Interlocked.Exchange(ref _length, length);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _handle.Dispose();
        _claim?.Dispose();
    }

    private static bool IsNoSpace(Exception e) => OperatingSystem.IsWindows()
        ? e.HResult is NoSpaceWindows or HandleFullWindows
        : e.HResult is NoSpaceUnix or TooLargeUnix or QuotaUnix;

    private void CheckWritable()
    {
        if (!_writable)
            throw new Hammer2Exception(Hammer2Error.ReadOnly, $"{Name} was opened for reading only.");
        if (_flushFailure is { } failure)
            throw new Hammer2Exception(Hammer2Error.Io, $"{Name} takes no more writes since a flush failed ({failure}); open it again.");
    }
}

/// <summary>The range check that every device makes.</summary>
internal static class DeviceBounds
{
    internal static void Check(IBlockDevice device, long offset, int length)
    {
        if (offset < 0 || offset > device.Length - length)
            throw new Hammer2Exception(
                Hammer2Error.Io, $"{length} bytes at 0x{offset:x} lie outside {device.Name}, which has 0x{device.Length:x} bytes.");
    }
}
