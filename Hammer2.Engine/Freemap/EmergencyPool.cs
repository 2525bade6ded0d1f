// The space of last resort: the rest of the segment in which newfs put its own inodes. The freemap calls all of that segment
// allocated for ever (format page 9.4), so nobody assigns blocks there, and yet a reference into it is legal, for it lies at or
// behind allocator_beg. Invariants: only blocks that no tree refers to are handed out; what was handed out comes back only if no
// commit has seen it; the freemap on the medium never changes by it. Numbers only; the allocator's lock guards it.

using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Freemap;

/// <summary>Free blocks outside the freemap.</summary>
internal sealed class EmergencyPool
{
    private const int BlockRadix = 14;
    private const int GroupBlocks = FormatLimits.BlockBytesMax / FormatLimits.FreemapGranularity;
    private readonly ulong _begin;
    private readonly bool[] _free = new bool[FreemapBitmap.States];
    private ulong _openAt;
    private ulong _openEnd;

    /// <param name="segmentBegin">Address of the segment.</param>
    /// <param name="isFree">Says of each 16 KiB block whether it may be handed out.</param>
    internal EmergencyPool(ulong segmentBegin, Func<int, bool> isFree)
    {
        _begin = segmentBegin;
        for (int i = 0; i < _free.Length; i++)
            _free[i] = isFree(i);
    }

    /// <summary>Free blocks of 16 KiB.</summary>
    internal long FreeBlocks => _free.Count(static f => f);

    /// <summary>Wholly free groups of 64 KiB.</summary>
    internal long FreeGroups => Enumerable.Range(0, _free.Length / GroupBlocks).Count(g => _free.AsSpan(g * GroupBlocks, GroupBlocks).IndexOf(false) < 0);

    internal bool Contains(ulong offset) => offset >= _begin && offset - _begin < FreemapGeometry.SegmentBytes;

    /// <summary>Takes a block of 2^<paramref name="radix"/> bytes.</summary>
    internal bool TryTake(int radix, out ulong offset)
    {
        if (radix >= BlockRadix)
            return TryTakeBlocks(1 << (radix - BlockRadix), out offset);
        ulong bytes = 1UL << radix;
        offset = _openAt;
        if (_openEnd - _openAt < bytes)
        {
            if (!TryTakeBlocks(1, out offset))
                return false;
            _openEnd = offset + FormatLimits.FreemapGranularity;
        }

        _openAt = offset + bytes;
        return true;
    }

    /// <summary>Takes a block back that no commit has seen; parts of 16 KiB stay used until the next look at the volume.</summary>
    internal void GiveBack(PhysicalOffset block)
    {
        Invariant.Check(Contains(block.Offset));
        if (block.Radix < BlockRadix)
            return;
        int first = (int)((block.Offset - _begin) / FormatLimits.FreemapGranularity);
        _free.AsSpan(first, 1 << (block.Radix - BlockRadix)).Fill(true);
    }

    private bool TryTakeBlocks(int count, out ulong offset)
    {
        for (int i = 0; i < _free.Length; i += count)
        {
            Span<bool> blocks = _free.AsSpan(i, count);
            if (blocks.IndexOf(false) >= 0)
                continue;
            blocks.Clear();
            offset = _begin + (ulong)i * FormatLimits.FreemapGranularity;
            return true;
        }

        offset = 0;
        return false;
    }
}
