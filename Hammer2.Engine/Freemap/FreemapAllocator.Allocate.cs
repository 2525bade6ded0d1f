// Assigning, giving back and retaining blocks (format page 9.6, with a policy of our own that gives legal states).
// Each class of blockrefs and each size has a cursor that moves forward through segments of its class or of none, so
// that large files lie contiguous and metadata of a class together; when a whole round finds nothing, any class will do.
// Fragments fill an open 16 KiB block, discarded ones are used first. Taking a block looks at one segment only.

using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Freemap;

internal sealed partial class FreemapAllocator
{
    private const int BlockRadix = 14;
    private const int Sizes = FormatLimits.AllocationRadixMax - BlockRadix + 1;
    private const int KindBits = 4;
    private const uint EveryClass = 0x111111;

    // Zones read for the sake of a class, before a segment of another class is taken.
    private const int StrictLooksMax = 16;
    private readonly Cursor[] _cursors = new Cursor[(FragmentClasses + 1) * Sizes];
    private readonly Place[] _openFragments = new Place[FragmentClasses + 1];
    private readonly FragmentPool[] _pools = [new(), new(), new(), new(), new()];
    private const int RetainedMax = 1 << 18;
    private readonly HashSet<ulong> _retained = [];
    private bool _retainedOverflowed;

    // Counts events that may give a class what it did not find before.
    private long _findings;

    /// <inheritdoc/>
    public PhysicalOffset Allocate(BlockRefType type, int radix, ulong key)
    {
        CheckRequest(type, radix);
        lock (_gate)
            return Take(type, radix);
    }

    /// <inheritdoc/>
    public void AllocateRun(BlockRefType type, ReadOnlySpan<int> radixes, Span<PhysicalOffset> result)
    {
        foreach (int radix in radixes)
            CheckRequest(type, radix);
        Invariant.Check(result.Length >= radixes.Length);
        lock (_gate)
        {
            int done = 0;
            try
            {
                for (; done < radixes.Length; done++)
                    result[done] = Take(type, radixes[done]);
            }
            catch
            {
                while (done > 0)
                    GiveBack(type, result[--done]);
                throw;
            }
        }
    }

    /// <inheritdoc/>
    public void Discard(BlockRefType type, PhysicalOffset block)
    {
        if (!block.HasData)
            return;
        CheckRequest(type, block.Radix);
        lock (_gate)
        {
            if (!_retained.Contains(block.Offset) && !MayBeForgottenRetained(block))
                GiveBack(type, block);
        }
    }

    /// <inheritdoc/>
    public bool TryRetain(PhysicalOffset block)
    {
        if (!IsManaged(block))
            return false;
        lock (_gate)
        {
            FreemapLeaf? leaf = LeafOf(FreemapGeometry.ZoneOf(block.Offset));
            if (leaf is null)
                return false;
            (int segment, int first, int count) = BlocksOf(block);
            if (!IsInUse(leaf, segment, first, count, block))
                return false;
            for (int i = first; i < first + count; i++)
            {
                if (leaf.StateOf(segment, i) != FreemapState.Allocated)
                    leaf.SetBlocks(segment, i, 1, FreemapState.Allocated);
            }

            if (leaf.ClassOf(segment) == FreemapLeaf.EmptyClass)
                leaf.SetClass(segment, BlockRefType.Data);
            Touch(leaf, segment, first, count);
            _retained.Add(block.Offset);
            _retainedOverflowed |= _retained.Count > RetainedMax;
            return true;
        }
    }

    private static void CheckRequest(BlockRefType type, int radix)
    {
        Invariant.Check(type is BlockRefType.Inode or BlockRefType.Indirect or BlockRefType.Data or BlockRefType.Dirent);
        Invariant.Check(radix is >= FormatLimits.AllocationRadixMin and <= FormatLimits.AllocationRadixMax);
    }

    // Segment, first 16 KiB block in it, and number of blocks.
    private static (int Segment, int First, int Count) BlocksOf(PhysicalOffset block)
    {
        int within = (int)(block.Offset & (FormatLimits.ZoneBytes - 1));
        int segment = within >> FormatLimits.SegmentRadix;
        int first = (within & (FreemapGeometry.SegmentBytes - 1)) / BlockBytes;
        int last = ((within & (FreemapGeometry.SegmentBytes - 1)) + block.Bytes - 1) / BlockBytes;
        return (segment, first, last - first + 1);
    }

    // True when the freemap has a say about the block: a legal address in usable segments.
    private bool IsManaged(PhysicalOffset block)
    {
        if (!block.IsLegal || block.Offset >= _geometry.TotalBytes)
            return false;
        (int first, int end) = _geometry.UsableSegmentsOf(FreemapGeometry.ZoneOf(block.Offset));
        int segment = BlocksOf(block).Segment;
        return segment >= first && segment < end;
    }

    // Retained blocks are remembered for good, because a block of an unlinked open file may be given back long after
    // another file's committed tree came to share it. When there were too many to remember, only blocks assigned since
    // the last freeze can be told for certain; the others wait for bulkfree.
    private bool MayBeForgottenRetained(PhysicalOffset block)
    {
        if (!_retainedOverflowed)
            return false;
        if (block.Radix < BlockRadix || LeafOf(FreemapGeometry.ZoneOf(block.Offset)) is not { } leaf)
            return true;
        (int segment, int first, int count) = BlocksOf(block);
        return !IsTouched(leaf, segment, first, count);
    }

    private bool IsInUse(FreemapLeaf leaf, int segment, int first, int count, PhysicalOffset block)
    {
        for (int i = 0; i < count; i++)
        {
            if (leaf.StateOf(segment, first + i) is not (FreemapState.Allocated or FreemapState.PossiblyFree))
                return false;
        }

        if (block.Radix >= BlockRadix)
            return true;
        int linear = leaf.Record(segment).Linear;
        int at = (int)(block.Offset & (FreemapGeometry.SegmentBytes - 1));
        if (FreemapLeaf.LinearRoom(linear) > 0 && linear / BlockBytes == first && at >= linear)
            return false;
        ushort units = FragmentPool.UnitsOf(block.Offset, block.Bytes);
        return (FreeUnits(FragmentPool.BlockOf(block.Offset)) & units) == 0;
    }

    private PhysicalOffset Take(BlockRefType type, int radix)
    {
        ulong offset = _isEmergency ? TakeInEmergency(type, radix) : radix < BlockRadix ? TakeFragment(type, radix) : TakeBlock(type, radix);
        var block = new PhysicalOffset(offset | (uint)radix);
        Invariant.Check(offset >= _geometry.AllocatorBegin && offset + (ulong)block.Bytes <= _geometry.TotalBytes);
        Invariant.Check((offset & (FormatLimits.ZoneBytes - 1)) >= FormatLimits.ReservedBytes && block.IsLegal);
        if (_retained.Count > 0)
            _retained.Remove(offset);
        return block;
    }

    private ulong TakeBlock(BlockRefType type, int radix)
    {
        Place place = Locate(type, radix);
        Occupy(place, type, 1 << (radix - BlockRadix));
        return place.Offset;
    }

    private ulong TakeFragment(BlockRefType type, int radix)
    {
        int bytes = 1 << radix;
        if (_pools[(int)type].TryTake(radix, out ulong offset))
        {
            var known = new PhysicalOffset(offset | (uint)radix);
            (int segment, int first, int count) = BlocksOf(known);
            if (LeafOf(FreemapGeometry.ZoneOf(offset)) is { } owner)
                Touch(owner, segment, first, count);
            return offset;
        }

        ref Place open = ref _openFragments[(int)type];
        if (open.Segment > 0 && LeafOf(open.Zone) is { } leaf && TryTakeLinear(leaf, open.Segment, type, bytes, out offset))
            return offset;

        // A segment that the search leads to may have an open block of an earlier mount; else a new block is opened there.
        open = Locate(type, BlockRadix);
        leaf = LeafOf(open.Zone)!;
        if (TryTakeLinear(leaf, open.Segment, type, bytes, out offset))
            return offset;
        Occupy(open, type, 1);
        if (leaf.ClassOf(open.Segment) == (int)type)
        {
            CloseLinear(leaf, open.Segment);
            leaf.SetLinear(open.Segment, open.Block * BlockBytes + bytes);
        }
        else
        {
            // In a segment of another class its own fragments go on at the linear point; ours share this one block.
            _pools[(int)type].Add(open.Offset + (ulong)bytes, BlockBytes - bytes, always: true);
        }

        return open.Offset;
    }

    private bool TryTakeLinear(FreemapLeaf leaf, int segment, BlockRefType type, int bytes, out ulong offset)
    {
        int linear = leaf.Record(segment).Linear;
        offset = FreemapGeometry.KeyOf(leaf.Zone) + (ulong)segment * FreemapGeometry.SegmentBytes + (ulong)linear;
        if (leaf.ClassOf(segment) != (int)type || FreemapLeaf.LinearRoom(linear) < bytes)
            return false;
        Invariant.Check(leaf.StateOf(segment, linear / BlockBytes) == FreemapState.Allocated);
        Touch(leaf, segment, linear / BlockBytes, 1);
        leaf.SetLinear(segment, linear + bytes);
        return true;
    }

    // The tail of an open block that a larger fragment did not fit into goes to the pool of its class.
    private void CloseLinear(FreemapLeaf leaf, int segment)
    {
        int linear = leaf.Record(segment).Linear;
        int room = FreemapLeaf.LinearRoom(linear);
        if (room == 0)
            return;
        ulong offset = FreemapGeometry.KeyOf(leaf.Zone) + (ulong)segment * FreemapGeometry.SegmentBytes + (ulong)linear;
        int classIndex = leaf.ClassOf(segment);
        if (classIndex is > FreemapLeaf.EmptyClass and < FreemapLeaf.ForeignClass)
            _pools[classIndex].Add(offset, room);
        leaf.SetLinear(segment, FreemapLeaf.LinearClosed(linear));
    }

    // Finds a place and leaves it free. While every free group is promised to someone, 16 KiB blocks take remainders of
    // partly used groups: that is what makes claims safe.
    private Place Locate(BlockRefType type, int radix)
    {
        int size = radix - BlockRadix;
        ref Cursor cursor = ref _cursors[(int)type * Sizes + size];
        bool scarce = size == 0 && _zones.FreeGroups <= _claimed.Groups;
        if (scarce && TryLocate(ref cursor, type, SpaceKind.Remainder, out Place place))
            return place;
        if (TryLocate(ref cursor, type, (SpaceKind)size, out place))
            return place;
        throw new Hammer2Exception(
            Hammer2Error.NoSpace, $"No free block of {1 << radix} bytes: {_zones.FreeBlocks} blocks of 16 KiB and {_zones.FreeGroups} groups of 64 KiB are free, promised are {_claimed}.");
    }

    private bool TryLocate(ref Cursor cursor, BlockRefType type, SpaceKind kind, out Place place)
    {
        uint own = (1u << ((int)type * KindBits) | 1u << FreemapLeaf.EmptyClass * KindBits) << (int)kind;
        if (TryHere(cursor, own, kind, out place))
            return true;
        if (cursor.RelaxedAt != _findings + 1)
        {
            if (TryAdvance(ref cursor, own, kind, kind == SpaceKind.Remainder ? 0 : StrictLooksMax, out place))
                return true;
            if (kind != SpaceKind.Remainder)
                cursor.RelaxedAt = _findings + 1;
        }

        return TryHere(cursor, EveryClass << (int)kind, kind, out place)
            || TryAdvance(ref cursor, EveryClass << (int)kind, kind, kind == SpaceKind.Remainder ? 0 : int.MaxValue, out place);
    }

    private bool TryHere(in Cursor cursor, uint wanted, SpaceKind kind, out Place place)
    {
        place = default;
        if (cursor.Segment == 0 || LeafOf(cursor.Zone) is not { } leaf)
            return false;
        if ((wanted >> leaf.ClassOf(cursor.Segment) * KindBits & 1u << (int)kind) == 0 || !leaf.Has(cursor.Segment, kind))
            return false;
        place = new Place(cursor.Zone, cursor.Segment, leaf.FindBlock(cursor.Segment, kind));
        return true;
    }

    // Forward from the cursor: the rest of its zone, the zones behind it, and from the start to the end of its zone.
    private bool TryAdvance(ref Cursor cursor, uint wanted, SpaceKind kind, int looksMax, out Place place)
    {
        if (TrySegment(ref cursor, cursor.Zone, cursor.Segment + 1, wanted, kind, out place))
            return true;
        int looks = 0;
        for (int half = 0; half < 2; half++)
        {
            long zone = half == 0 ? cursor.Zone + 1 : 0;
            long end = half == 0 ? _geometry.ZoneCount : Math.Min(cursor.Zone + 1, _geometry.ZoneCount);
            while ((zone = _zones.Find(zone, end, wanted, unseenToo: looks < looksMax)) >= 0)
            {
                if (!_zones[zone].IsSeen)
                {
                    looks++;
                    See(zone);
                }

                if (TrySegment(ref cursor, zone, 0, wanted, kind, out place))
                    return true;
                zone++;
            }
        }

        return false;
    }

    private bool TrySegment(ref Cursor cursor, long zone, int from, uint wanted, SpaceKind kind, out Place place)
    {
        place = default;
        if (zone >= _geometry.ZoneCount)
            return false;
        ZoneSummary summary = _zones[zone];
        if (!summary.IsSeen)
        {
            See(zone);
            summary = _zones[zone];
        }

        if ((summary.Mask & wanted) == 0 || LeafOf(zone) is not { } leaf)
            return false;
        int segment = leaf.FindSegment(from, wanted);
        if (segment < 0)
            return false;
        cursor.Zone = zone;
        cursor.Segment = segment;
        place = new Place(zone, segment, leaf.FindBlock(segment, kind));
        return true;
    }

    private void Occupy(in Place place, BlockRefType type, int count)
    {
        FreemapLeaf leaf = LeafOf(place.Zone)!;
        for (int i = 0; i < count; i++)
            Invariant.Check(leaf.StateOf(place.Segment, place.Block + i) == FreemapState.Free);
        if (leaf.ClassOf(place.Segment) == FreemapLeaf.EmptyClass)
            leaf.SetClass(place.Segment, type);
        leaf.SetBlocks(place.Segment, place.Block, count, FreemapState.Allocated);
        Touch(leaf, place.Segment, place.Block, count);
        AddFree(-count);
        Note(leaf);
    }

    private void GiveBack(BlockRefType type, PhysicalOffset block)
    {
        if (_pool?.Contains(block.Offset) == true)
        {
            _pool.GiveBack(block);
            return;
        }

        Invariant.Check(IsManaged(block));
        FreemapLeaf leaf = LeafOf(FreemapGeometry.ZoneOf(block.Offset))
            ?? throw new Hammer2Exception(Hammer2Error.Io, $"The freemap leaf of block {block} cannot be read any more.");
        (int segment, int first, int count) = BlocksOf(block);
        Invariant.Check(IsInUse(leaf, segment, first, count, block));
        Touch(leaf, segment, first, count);
        if (block.Radix < BlockRadix && !IsNowWhole(leaf, type, segment, first, block))
            return;
        leaf.SetBlocks(segment, first, count, FreemapState.Free);
        leaf.ResetIfEmpty(segment);
        AddFree(count);
        Note(leaf);
        _findings++;
    }

    // Adds the fragment to its pool; true when nothing of its 16 KiB block is in use any more.
    private bool IsNowWhole(FreemapLeaf leaf, BlockRefType type, int segment, int block, PhysicalOffset fragment)
    {
        ulong number = FragmentPool.BlockOf(fragment.Offset);
        int free = _pools[(int)type].Add(fragment.Offset, fragment.Bytes) | FreeUnits(number);
        int linear = leaf.Record(segment).Linear;
        bool open = FreemapLeaf.LinearRoom(linear) > 0 && linear / BlockBytes == block;
        if (open)
            free |= FragmentPool.UnitsOf((ulong)linear, FreemapLeaf.LinearRoom(linear));
        if (free != FragmentPool.WholeBlock)
            return false;
        foreach (FragmentPool pool in _pools)
            pool.Forget(number);
        if (open)
            leaf.SetLinear(segment, FreemapLeaf.LinearClosed(linear));
        return true;
    }

    private int FreeUnits(ulong block)
    {
        int units = 0;
        foreach (FragmentPool pool in _pools)
            units |= pool.FreeUnits(block);
        return units;
    }

    private void AddFree(long blocks) => Interlocked.Add(ref _freeBytes, blocks * BlockBytes);

    /// <summary>A block of 16 KiB in the volume.</summary>
    private readonly record struct Place(long Zone, int Segment, int Block)
    {
        internal ulong Offset => FreemapGeometry.KeyOf(Zone) + (ulong)Segment * FreemapGeometry.SegmentBytes + (ulong)(Block * BlockBytes);
    }

    private struct Cursor
    {
        internal long Zone;

        // 0, which is never usable, means: nothing chosen yet.
        internal int Segment;

        // One more than the count of findings when a round for this class found nothing; then any class will do.
        internal long RelaxedAt;
    }
}
