// The freemap against the map of what is really in use (format page 9 and 13.2): addresses and levels of its own blocks, then
// every bitmap record of every leaf. A block in use that the freemap calls free could be given out again: that is the error
// which this check is for. Space that is marked and not used is normal; bulkfree finds it.

using System.Runtime.InteropServices;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Checking;

/// <summary>Checks the freemap. Shares no arithmetic with the allocator, whose judge it is.</summary>
internal sealed class FreemapCheck(FindingList findings, VolumeSet volumes, VolumeHeader header, UsageMap usage)
{
    private const int LevelsMax = 5;
    private const int Rotations = 8;
    private const int SlotsPerRotation = 5;
    private const ulong SlotBytes = 65536;
    private const int LeafKeyBits = FormatLimits.ZoneRadix;
    private const int LevelBits = 8;
    private const ulong SegmentBytes = 1UL << FormatLimits.SegmentRadix;
    private readonly BlockRefRules _refs = new(findings, volumes, header);
    private readonly HashSet<ulong> _zonesSeen = [];
    private readonly byte[] _block = new byte[1 << FormatLimits.FreemapRadix];
    private readonly ulong _low = RoundUp(header.AllocatorBegin);
    private readonly ulong _high = header.LogicalSize & ~(SegmentBytes - 1);
    private ulong _free;
    private bool _incomplete;
    private int _leaves;

    /// <summary>Checks everything; returns the number of leaves.</summary>
    internal int Run(CancellationToken cancel)
    {
        var pending = new Stack<(BlockRef Ref, int Depth)>();
        CheckArray(header.Freemap, new BlockRef { MirrorTid = header.MirrorTid }, 0, ulong.MaxValue, 0, pending);
        while (pending.TryPop(out (BlockRef Ref, int Depth) item))
        {
            cancel.ThrowIfCancellationRequested();
            if (!TryRead(item.Ref))
                _incomplete = true;
            else if (item.Ref.Type == BlockRefType.FreemapLeaf)
                CheckLeaf(item.Ref);
            else
                CheckArray(MemoryMarshal.Cast<byte, BlockRef>(_block).ToArray(), item.Ref, item.Ref.Key, item.Ref.LastKey, item.Depth + 1, pending);
        }

        CheckMissingLeaves();
        CheckFreeCount();
        return _leaves;
    }

    private static ulong RoundUp(ulong offset) => (offset + SegmentBytes - 1) & ~(SegmentBytes - 1);

    private void CheckArray(
        ReadOnlySpan<BlockRef> refs, in BlockRef parent, ulong low, ulong high, int depth, Stack<(BlockRef Ref, int Depth)> pending)
    {
        var order = new ArrayOrder(low, high);
        for (int i = 0; i < refs.Length; i++)
        {
            ref readonly BlockRef bref = ref refs[i];
            if (bref.Type == BlockRefType.Empty)
            {
                if (!BlockRefRules.IsZero(bref))
                    findings.Add(CheckCodes.SlotNotZero, default, parent, $"Empty slot {i} of the freemap array is not all zero.");
                continue;
            }

            if (bref.MirrorTid > parent.MirrorTid)
                findings.Add(CheckCodes.MirrorTidOrder, default, bref, $"Mirror TID 0x{bref.MirrorTid:x} is ahead of 0x{parent.MirrorTid:x} above it.");
            bool usable = _refs.Check(bref, TreeKind.Freemap, default);
            CheckCode? misplaced = order.Place(bref);
            if (misplaced is not null)
                findings.Add(misplaced, default, bref, $"The key range of slot {i} is not aligned, not in order or not inside 0x{low:x}..0x{high:x}.");
            if (usable && misplaced is null && CheckPosition(bref, parent) && depth < LevelsMax)
                pending.Push((bref, depth));
            else
                _incomplete = true;
        }
    }

    // Level and address of a freemap block follow from its key range (format page 9.1, 9.2).
    private bool CheckPosition(in BlockRef bref, in BlockRef parent)
    {
        int level = (bref.KeyBits - LeafKeyBits) / LevelBits + 1;
        bool isLeaf = bref.Type == BlockRefType.FreemapLeaf;
        bool fits = bref.KeyBits >= LeafKeyBits && (bref.KeyBits - LeafKeyBits) % LevelBits == 0 && level <= LevelsMax && isLeaf == (level == 1)
            && (parent.Type == BlockRefType.Empty || bref.KeyBits < parent.KeyBits) && bref.Key < header.LogicalSize;
        if (!fits)
        {
            findings.Add(CheckCodes.FreemapLevel, default, bref, $"A key range of 2^{bref.KeyBits} from 0x{bref.Key:x} is not one of the freemap's levels here.");
            return false;
        }

        ulong slot = bref.Physical.Offset - bref.Key;
        ulong number = slot / SlotBytes;
        bool placed = slot % SlotBytes == 0 && number >= 1 && (number - 1) % SlotsPerRotation == (ulong)level - 1 && (number - 1) / SlotsPerRotation < Rotations;
        if (!placed)
            findings.Add(CheckCodes.FreemapAddress, default, bref, $"The block does not lie in one of the eight places that belong to its key and level.");
        return true;
    }

    private bool TryRead(in BlockRef bref)
    {
        try
        {
            volumes.Read((long)bref.Physical.Offset, _block);
        }
        catch (Hammer2Exception e)
        {
            findings.Add(CheckCodes.BlockUnreadable, default, bref, $"The freemap block cannot be read: {e.Message}");
            return false;
        }

        if (Checks.Matches(bref, _block))
            return true;
        findings.Add(CheckCodes.CheckMismatch, default, bref, $"The check code of the freemap block differs: it is damaged.");
        return false;
    }

    private void CheckLeaf(in BlockRef bref)
    {
        _leaves++;
        _zonesSeen.Add(bref.Key >> FormatLimits.ZoneRadix);
        long leaked = 0, staged = 0;
        var room = new FreemapRoom();
        ReadOnlySpan<FreemapBitmap> records = MemoryMarshal.Cast<byte, FreemapBitmap>(_block);
        for (int i = 0; i < records.Length; i++)
        {
            var check = new FreemapRecordCheck(findings, bref, bref.Key + (ulong)i * SegmentBytes, records[i]);
            ulong start = check.Start;
            if (IsDynamic(start))
                check.CheckDynamic(usage.SegmentAt(start >> FormatLimits.SegmentRadix), ref room, ref leaked, ref staged);
            else
                check.CheckStatic();
            check.CheckUnused(MemoryMarshal.AsBytes(records.Slice(i, 1)));
            _free += records[i].Avail;
        }

        if (leaked > 0)
            findings.Add(CheckCodes.FreemapLeaked, default, bref.Key, $"{leaked} blocks of 16 KiB in zone {bref.Key >> FormatLimits.ZoneRadix} are marked as allocated and not in use.");
        if (staged > 0)
            findings.Add(CheckCodes.FreemapStaged, default, bref.Key, $"{staged} blocks of 16 KiB in zone {bref.Key >> FormatLimits.ZoneRadix} wait for the second pass of bulkfree.");
        uint missing = room.Mask & ~bref.FreemapBigMask;
        if (missing != 0)
            findings.Add(CheckCodes.FreemapBigMask, default, bref, $"The leaf's mask 0x{bref.FreemapBigMask:x} hides space that is there for sizes 0x{missing:x}.");
    }

    // Manageable: not below the allocator's first byte, not reserved, not beyond the end (format page 9.4).
    private bool IsDynamic(ulong segment) =>
        segment >= _low && segment + SegmentBytes <= _high && segment % (ulong)FormatLimits.ZoneBytes != 0;

    // No leaf: the zone is untouched, and everything in it counts as free.
    private void CheckMissingLeaves()
    {
        if (_incomplete)
            return;
        foreach ((ulong number, UsageMap.SegmentUse segment) in usage.Segments.OrderBy(s => s.Key))
        {
            ulong start = number << FormatLimits.SegmentRadix;
            if (_zonesSeen.Contains(start >> FormatLimits.ZoneRadix) || !IsDynamic(start))
                continue;
            var check = new FreemapRecordCheck(findings, default, start, default);
            check.CheckUsed(segment);
        }
    }

    private void CheckFreeCount()
    {
        if (_incomplete)
            return;
        ulong free = _free + UsableIn(0, _high);
        foreach (ulong zone in _zonesSeen)
        {
            ulong start = zone << FormatLimits.ZoneRadix;
            free -= UsableIn(start, Math.Min(start + (ulong)FormatLimits.ZoneBytes, _high));
        }

        // newfs counts the rest of the segment in which its own inodes lie; nobody can allocate there.
        ulong over = header.AllocatorFree - free;
        if (over != 0 && over != _low - (header.AllocatorBegin & ~(SegmentBytes - 1)))
            findings.Add(CheckCodes.FreemapFreeCount, default, 0UL, $"The header says {header.AllocatorFree} free bytes, the freemap has {free}.");
    }

    /// <summary>Bytes of manageable segments in a range of whole segments.</summary>
    private ulong UsableIn(ulong from, ulong to)
    {
        from = Math.Max(from, _low);
        if (from >= to)
            return 0;
        ulong zoneMask = (ulong)FormatLimits.ZoneBytes - 1;
        ulong firstZone = (from + zoneMask) >> FormatLimits.ZoneRadix;
        ulong endZone = (to + zoneMask) >> FormatLimits.ZoneRadix;
        return to - from - (endZone - firstZone) * SegmentBytes;
    }
}
