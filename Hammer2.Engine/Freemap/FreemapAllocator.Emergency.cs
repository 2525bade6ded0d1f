// Emergency mode of the allocator: whoever removes or changes attributes may use everything that is free, and the pool beside the
// freemap when nothing else is left. The pool is found once and then lives as long as the allocator, since only it knows which of
// its blocks changed hands since the last commit.

using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Freemap;

internal sealed partial class FreemapAllocator
{
    private EmergencyPool? _pool;
    private bool _isEmergency;

    /// <summary>True while emergency mode is on.</summary>
    internal bool IsEmergency => Volatile.Read(ref _isEmergency);

    /// <summary>True when the pool is known.</summary>
    internal bool HasPool => Volatile.Read(ref _pool) is not null;

    /// <summary>Zone of the segment in which allocator_beg lies; null when none of it is out of the freemap's reach.</summary>
    internal long? PoolZone => PoolSegment > 0 ? FreemapGeometry.ZoneOf(_geometry.AllocatorBegin) : null;

    // Never the first segment of a zone, which is reserved.
    private int PoolSegment => _geometry.AllocatorBegin % FreemapGeometry.SegmentBytes == 0 || _geometry.AllocatorBegin + FreemapGeometry.SegmentBytes > _geometry.TotalBytes
        ? 0
        : (int)(_geometry.AllocatorBegin % (ulong)FormatLimits.ZoneBytes / FreemapGeometry.SegmentBytes);

    /// <summary>Makes the pool of what no tree refers to. Only once.</summary>
    /// <param name="usage">What is in use in the zone; null when nothing is.</param>
    internal void SetPool(ZoneUsage? usage)
    {
        lock (_gate)
        {
            Invariant.Check(_pool is null && PoolSegment > 0);
            int segment = PoolSegment;

            // The inodes of newfs, and what shares a buffer with them, are left alone whatever the trees say of them.
            ulong begin = _geometry.AllocatorBegin / FreemapGeometry.SegmentBytes * FreemapGeometry.SegmentBytes;
            int first = (int)((_geometry.AllocatorBegin - begin + FormatLimits.BlockBytesMax - 1) / FormatLimits.BlockBytesMax * FormatLimits.BlockBytesMax / BlockBytes);
            _pool = new EmergencyPool(begin, block =>
                block >= first && ((usage?.Used(segment, block / SegmentWord.Blocks) ?? 0) >> block % SegmentWord.Blocks & 1) == 0);
        }
    }

    /// <summary>Switches emergency mode.</summary>
    internal void SetEmergency(bool on)
    {
        lock (_gate)
            Volatile.Write(ref _isEmergency, on);
    }

    // Blocks and groups that a claim of this level may count on beyond the freemap's.
    private (long Blocks, long Groups) PoolFor(ClaimLevel level) =>
        _isEmergency && level != ClaimLevel.Write && _pool is not null ? (_pool.FreeBlocks, _pool.FreeGroups) : default;

    private ulong TakeInEmergency(BlockRefType type, int radix)
    {
        try
        {
            return radix < BlockRadix ? TakeFragment(type, radix) : TakeBlock(type, radix);
        }
        catch (Hammer2Exception e) when (e.Error == Hammer2Error.NoSpace && _pool is not null && _pool.TryTake(radix, out ulong offset))
        {
            return offset;
        }
    }
}
