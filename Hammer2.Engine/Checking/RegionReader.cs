// Reads blocks in the order of the medium with few device calls: neighbours come in one region, small gaps included. When
// a region fails its blocks are read one by one, so that only the one that is really unreadable fails. One thread each.

using System.Buffers;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Checking;

/// <summary>Something that lies on the medium.</summary>
internal interface IPlaced
{
    PhysicalOffset Physical { get; }
}

/// <summary>Reads sorted blocks in regions.</summary>
internal sealed class RegionReader(VolumeSet volumes) : IDisposable
{
    private const int RegionBytes = 1 << 20;
    private const int GapBytesMax = 16 * 1024;
    private readonly byte[] _region = ArrayPool<byte>.Shared.Rent(RegionBytes);
    private ulong _start;
    private bool _whole;

    public void Dispose() => ArrayPool<byte>.Shared.Return(_region);

    /// <summary>Reads the longest run of blocks from the first on that fits a region; returns how many.</summary>
    /// <param name="blocks">At least one; ascending, with legal addresses.</param>
    internal int Load<T>(ReadOnlySpan<T> blocks)
        where T : struct, IPlaced
    {
        PhysicalOffset first = blocks[0].Physical;
        _start = first.Offset;
        ulong bytes = (ulong)first.Bytes;
        int length = 1;
        for (; length < blocks.Length; length++)
        {
            PhysicalOffset next = blocks[length].Physical;
            ulong end = Math.Max(bytes, next.Offset - _start + (ulong)next.Bytes);
            if (next.Offset > _start + bytes + GapBytesMax || end > RegionBytes || !volumes.Contains(_start, (int)end))
                break;
            bytes = end;
        }

        _whole = length > 1 && TryRead(_region.AsSpan(0, (int)bytes));
        return length;
    }

    /// <summary>A block of the run that was loaded last; valid until the next call.</summary>
    /// <exception cref="Hammer2Exception"><c>Io</c>.</exception>
    internal ReadOnlySpan<byte> Get(PhysicalOffset at)
    {
        if (_whole)
            return _region.AsSpan((int)(at.Offset - _start), at.Bytes);
        Span<byte> block = _region.AsSpan(0, at.Bytes);
        volumes.Read((long)at.Offset, block);
        return block;
    }

    private bool TryRead(Span<byte> region)
    {
        try
        {
            volumes.Read((long)_start, region);
            return true;
        }
        catch (Hammer2Exception)
        {
            // Then each block is read for itself, and the unreadable one is the one that is reported.
            return false;
        }
    }
}
