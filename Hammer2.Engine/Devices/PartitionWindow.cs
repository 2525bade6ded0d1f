// A contiguous part of another device: one partition of a disk. Owns the device below.
// Nothing outside the window can be read or written through it.

namespace Hammer2.Engine.Devices;

/// <summary>A partition as a device of its own.</summary>
public sealed class PartitionWindow : IBlockDevice
{
    private readonly IBlockDevice _disk;
    private readonly long _start;

    /// <summary>Creates the window.</summary>
    /// <param name="disk">The disk; disposed with the window.</param>
    /// <param name="start">First byte of the partition.</param>
    /// <param name="length">Bytes of the partition; cut at the end of the disk.</param>
    /// <param name="name">What messages call it.</param>
    public PartitionWindow(IBlockDevice disk, long start, long length, string name)
    {
        ArgumentNullException.ThrowIfNull(disk);
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start, disk.Length);
        _disk = disk;
        _start = start;
        Length = Math.Min(length, disk.Length - start);
        Name = name;
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public long Length { get; }

    /// <inheritdoc/>
    public int SectorSize => _disk.SectorSize;

    /// <inheritdoc/>
    public void Read(long offset, Span<byte> buffer)
    {
        DeviceBounds.Check(this, offset, buffer.Length);
        _disk.Read(_start + offset, buffer);
    }

    /// <inheritdoc/>
    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        DeviceBounds.Check(this, offset, data.Length);
        _disk.Write(_start + offset, data);
    }

    /// <inheritdoc/>
    public void Flush() => _disk.Flush();

    /// <inheritdoc/>
    public void Dispose() => _disk.Dispose();
}
