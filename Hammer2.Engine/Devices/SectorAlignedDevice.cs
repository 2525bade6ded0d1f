// Raw Windows devices take only whole sectors. This decorator widens unaligned requests, and nothing else does:
// reads go through a larger buffer, writes read the sectors at their ends first. Such writes exclude each other,
// because two of them may share a sector; aligned ones pass through untouched. Owns the device below.

using System.Buffers;

namespace Hammer2.Engine.Devices;

/// <summary>Gives a device that wants whole sectors the byte addressing of <see cref="IBlockDevice"/>.</summary>
internal sealed class SectorAlignedDevice(IBlockDevice below) : IBlockDevice
{
    private readonly Lock _widening = new();

    public string Name => below.Name;

    /// <summary>Whole sectors only; what may be left behind them cannot be reached.</summary>
    public long Length { get; } = below.Length - below.Length % below.SectorSize;

    public int SectorSize => below.SectorSize;

    public void Read(long offset, Span<byte> buffer)
    {
        DeviceBounds.Check(this, offset, buffer.Length);
        if (IsAligned(offset, buffer.Length))
        {
            below.Read(offset, buffer);
            return;
        }

        (long start, int length) = Widen(offset, buffer.Length);
        byte[] wide = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            below.Read(start, wide.AsSpan(0, length));
            wide.AsSpan((int)(offset - start), buffer.Length).CopyTo(buffer);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(wide);
        }
    }

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        DeviceBounds.Check(this, offset, data.Length);
        if (IsAligned(offset, data.Length))
        {
            below.Write(offset, data);
            return;
        }

        (long start, int length) = Widen(offset, data.Length);
        byte[] rented = ArrayPool<byte>.Shared.Rent(length);
        Span<byte> wide = rented.AsSpan(0, length);
        try
        {
            lock (_widening)
            {
                below.Read(start, wide[..Math.Min(SectorSize, length)]);
                if (length > SectorSize)
                    below.Read(start + length - SectorSize, wide[^SectorSize..]);
                data.CopyTo(wide[(int)(offset - start)..]);
                below.Write(start, wide);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    public void Flush() => below.Flush();

    public void Dispose() => below.Dispose();

    private bool IsAligned(long offset, int length) => offset % SectorSize == 0 && length % SectorSize == 0;

    private (long Start, int Length) Widen(long offset, int length)
    {
        long start = offset - offset % SectorSize;
        long end = (offset + length + SectorSize - 1) / SectorSize * SectorSize;
        return (start, (int)(end - start));
    }
}
