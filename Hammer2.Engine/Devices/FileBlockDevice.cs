// An image file, a Linux block device or a Windows disk or partition, through positional system reads.
// Opened for reading it never writes: the handle itself lacks the right. Raw Windows devices want aligned
// requests, so unaligned ones are widened here and nowhere else.

using System.Buffers;
using System.Runtime.InteropServices;
using Hammer2.Engine.Primitives;
using Microsoft.Win32.SafeHandles;

namespace Hammer2.Engine.Devices;

/// <summary>A file or raw device as <see cref="IBlockDevice"/>.</summary>
public sealed class FileBlockDevice : IBlockDevice
{
    private const int DefaultSectorSize = 512;
    private readonly SafeFileHandle _handle;
    private readonly bool _aligned;
    private readonly bool _writable;

    private FileBlockDevice(string path, SafeFileHandle handle, long length, int sectorSize, bool aligned, bool writable)
    {
        Name = path;
        _handle = handle;
        Length = length;
        SectorSize = sectorSize;
        _aligned = aligned;
        _writable = writable;
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public long Length { get; }

    /// <inheritdoc/>
    public int SectorSize { get; }

    /// <summary>Opens an image file, block device (Linux: /dev/...) or raw device (Windows: \\.\PhysicalDrive1, \\.\X:).</summary>
    /// <param name="path">Path of the file or device.</param>
    /// <param name="writable">False opens without the right to write.</param>
    /// <exception cref="Hammer2Exception"><c>Io</c> with a sentence that says what to do.</exception>
    public static FileBlockDevice Open(string path, bool writable = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        try
        {
            if (OperatingSystem.IsWindows() && RawDisk.IsRawPath(path))
            {
                SafeFileHandle raw = RawDisk.OpenWindows(path, writable, out long rawLength, out int sector);
                return new FileBlockDevice(path, raw, rawLength, sector, aligned: true, writable);
            }

            if (Directory.Exists(path))
                throw new Hammer2Exception(Hammer2Error.Io, $"{path} is a directory; name an image file, disk or partition.");
            SafeFileHandle handle = File.OpenHandle(
                path, FileMode.Open, writable ? FileAccess.ReadWrite : FileAccess.Read, FileShare.ReadWrite, FileOptions.RandomAccess);
            long length = RandomAccess.GetLength(handle);
            if (length == 0 && !OperatingSystem.IsWindows())
                length = RawDisk.UnixDeviceLength(handle);
            return new FileBlockDevice(path, handle, length, DefaultSectorSize, aligned: false, writable);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new Hammer2Exception(Hammer2Error.Io, $"{path} does not exist; check the spelling of the path.", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new Hammer2Exception(
                Hammer2Error.Io, $"{path} cannot be opened: access denied; raw disks need administrator rights.", e);
        }
        catch (Exception e) when (e is IOException and not Hammer2Exception or NotSupportedException or ArgumentException)
        {
            throw new Hammer2Exception(Hammer2Error.Io, $"{path} cannot be opened: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public void Read(long offset, Span<byte> buffer)
    {
        DeviceBounds.Check(this, offset, buffer.Length);
        if (_aligned && (offset % SectorSize != 0 || buffer.Length % SectorSize != 0))
        {
            ReadWidened(offset, buffer);
            return;
        }

        ReadWhole(offset, buffer);
    }

    /// <inheritdoc/>
    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        if (!_writable)
            throw new Hammer2Exception(Hammer2Error.ReadOnly, $"{Name} was opened for reading only.");
        DeviceBounds.Check(this, offset, data.Length);
        try
        {
            RandomAccess.Write(_handle, data, offset);
        }
        catch (IOException e)
        {
            throw new Hammer2Exception(Hammer2Error.Io, $"Writing {data.Length} bytes at 0x{offset:x} of {Name} failed: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public void Flush()
    {
        if (_writable)
            RandomAccess.FlushToDisk(_handle);
    }

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();

    private void ReadWhole(long offset, Span<byte> buffer)
    {
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

    private void ReadWidened(long offset, Span<byte> buffer)
    {
        long start = offset - offset % SectorSize;
        long end = Math.Min(Length, (offset + buffer.Length + SectorSize - 1) / SectorSize * SectorSize);
        byte[] wide = ArrayPool<byte>.Shared.Rent((int)(end - start));
        try
        {
            ReadWhole(start, wide.AsSpan(0, (int)(end - start)));
            wide.AsSpan((int)(offset - start), buffer.Length).CopyTo(buffer);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(wide);
        }
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
