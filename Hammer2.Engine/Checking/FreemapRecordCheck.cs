// One bitmap record of the freemap, 4 MiB, against the use of these bytes. Words of 32 two-bit states are turned into masks
// with one bit for each 16 KiB, so that 32 blocks are compared at once.

using System.Numerics;
using Hammer2.Engine.Format;

namespace Hammer2.Engine.Checking;

/// <summary>What sizes could be allocated in a leaf: the hint that its reference must not deny.</summary>
internal struct FreemapRoom
{
    /// <summary>Bit r set: a block of 2^r bytes fits somewhere.</summary>
    internal uint Mask;
}

/// <summary>Checks one record of a leaf.</summary>
internal readonly struct FreemapRecordCheck(FindingList findings, BlockRef leaf, ulong start, FreemapBitmap record)
{
    private const int SegmentBytes = 1 << FormatLimits.SegmentRadix;
    private const int UnitsPerWord = 32;
    private const int UnitBytes = FormatLimits.FreemapGranularity;
    private const int ClassLow = 16;
    private const uint SmallRadixes = 0b1111 << FormatLimits.AllocationRadixMin;

    /// <summary>First byte of the segment.</summary>
    internal ulong Start => start;

    /// <summary>A segment that may be allocated from.</summary>
    internal void CheckDynamic(UsageMap.SegmentUse? segment, ref FreemapRoom room, ref long leaked, ref long staged)
    {
        int freeUnits = 0, allocated = 0;
        for (int i = 0; i < FreemapWords.Count; i++)
        {
            uint low = Squeeze(record.Words[i]);
            uint high = Squeeze(record.Words[i] >> 1);
            uint used = UsedIn(segment, i);
            uint free = ~(low | high);
            if ((low & ~high) != 0)
                Add(CheckCodes.FreemapReservedState, i, low & ~high, "in the reserved state 01, which nobody writes");
            if ((used & free) != 0)
                ReportFree(segment!, i, used & free);
            if ((used & high & ~low) != 0)
                Add(CheckCodes.FreemapUsedButStaged, i, used & high & ~low, "in use, but staged for being freed");
            leaked += BitOperations.PopCount(~used & low & high);
            staged += BitOperations.PopCount(~used & high & ~low);
            freeUnits += BitOperations.PopCount(free);
            allocated += BitOperations.PopCount(low & high);
            AddRoom(free, ref room);
        }

        CheckAvail(freeUnits);
        CheckLinear(segment, ref room);
        CheckClass(freeUnits, allocated);
    }

    /// <summary>A segment without a record: nothing in it may be in use.</summary>
    internal void CheckUsed(UsageMap.SegmentUse segment)
    {
        for (int i = 0; i < FreemapWords.Count; i++)
        {
            uint used = UsedIn(segment, i);
            if (used != 0)
                ReportFree(segment, i, used);
        }
    }

    /// <summary>A segment outside of what may be allocated: all ones.</summary>
    internal void CheckStatic()
    {
        for (int i = 0; i < FreemapWords.Count; i++)
        {
            uint missing = ~(Squeeze(record.Words[i]) & Squeeze(record.Words[i] >> 1));
            if (missing != 0)
                Add(CheckCodes.FreemapStatic, i, missing, "not marked, although they can never be allocated");
        }

        CheckAvail(0);
        if (record.Class != 0)
            findings.Add(CheckCodes.FreemapClass, default, leaf, $"Segment 0x{start:x} has class 0x{record.Class:x4}, although nothing can be allocated in it.");
    }

    /// <summary>Bytes of a record that hold nothing.</summary>
    internal void CheckUnused(ReadOnlySpan<byte> bytes)
    {
        if (bytes[0x06..0x1C].IndexOfAnyExcept((byte)0) >= 0 || bytes[0x20..0x40].IndexOfAnyExcept((byte)0) >= 0)
            findings.Add(CheckCodes.FreemapUnused, default, leaf, $"Unused bytes in the record of segment 0x{start:x} are not zero.");
    }

    // Every second bit, from bit 0 on, moved together.
    private static uint Squeeze(ulong word)
    {
        word &= 0x5555555555555555;
        word = (word | word >> 1) & 0x3333333333333333;
        word = (word | word >> 2) & 0x0F0F0F0F0F0F0F0F;
        word = (word | word >> 4) & 0x00FF00FF00FF00FF;
        word = (word | word >> 8) & 0x0000FFFF0000FFFF;
        return (uint)(word | word >> 16);
    }

    private static uint UsedIn(UsageMap.SegmentUse? segment, int word) =>
        segment is null ? 0 : (uint)(segment.UsedWord(word >> 1) >> (UnitsPerWord * (word & 1)));

    // What was written after the freemap's own commit is marked by recovery (format page 10.6).
    private void ReportFree(UsageMap.SegmentUse segment, int word, uint units)
    {
        uint committed = (uint)(segment.CommittedWord(word >> 1) >> (UnitsPerWord * (word & 1)));
        if ((units & committed) != 0)
            Add(CheckCodes.FreemapUsedButFree, word, units & committed, "in use, but free in the freemap");
        if ((units & ~committed) != 0)
            Add(CheckCodes.FreemapPendingRecovery, word, units & ~committed, "in use and newer than the freemap, which does not know them yet");
    }

    private static void AddRoom(uint free, ref FreemapRoom room)
    {
        if (free == 0)
            return;
        uint pairs = free & free >> 1 & 0x55555555;
        room.Mask |= SmallRadixes | 1u << 14;
        if (pairs != 0)
            room.Mask |= 1u << 15;
        if ((pairs & pairs >> 2 & 0x11111111) != 0)
            room.Mask |= 1u << 16;
    }

    private void CheckAvail(int freeUnits)
    {
        if (record.Avail != (uint)(freeUnits * UnitBytes))
            findings.Add(CheckCodes.FreemapAvail, default, leaf, $"Segment 0x{start:x} says {record.Avail} bytes available, {freeUnits * UnitBytes} are free.");
    }

    private void CheckLinear(UsageMap.SegmentUse? segment, ref FreemapRoom room)
    {
        int linear = record.Linear;
        if (linear is < 0 or > SegmentBytes)
        {
            findings.Add(CheckCodes.FreemapLinearRange, default, leaf, $"Segment 0x{start:x} has its next small block at 0x{linear:x}, outside of it.");
            return;
        }

        int inUnit = linear % UnitBytes;
        if (inUnit == 0)
            return;
        int unit = linear / UnitBytes;
        if (linear % (1 << FormatLimits.AllocationRadixMin) != 0)
            findings.Add(CheckCodes.FreemapLinearRange, default, leaf, $"Segment 0x{start:x} has its next small block at 0x{linear:x}, which is not aligned.");
        else if (segment is not null && segment.UsedGranules(unit) >> (inUnit >> FormatLimits.AllocationRadixMin) != 0)
            findings.Add(CheckCodes.FreemapLinear, default, leaf, $"Segment 0x{start:x} would allocate its next small block at 0x{linear:x}, where a block is in use.");
        else if (record.StateOf(unit) == FreemapState.Free)
            findings.Add(CheckCodes.FreemapLinear, default, leaf, $"Segment 0x{start:x} would allocate its next small block at 0x{linear:x}, in 16 KiB that are free.");
        for (int radix = FormatLimits.AllocationRadixMin; radix < 14; radix++)
            room.Mask |= inUnit + (1 << radix) <= UnitBytes ? 1u << radix : 0;
    }

    // The tail of a volume that was grown stays as it was: all ones without a class.
    private void CheckClass(int freeUnits, int allocated)
    {
        bool unassigned = freeUnits == FreemapBitmap.States || allocated == FreemapBitmap.States && record.Avail == 0;
        bool assigned = freeUnits != FreemapBitmap.States;
        bool known = record.Class >> 8 is >= (int)BlockRefType.Inode and <= (int)BlockRefType.Dirent && (record.Class & 0xFF) == ClassLow;
        if (record.Class == 0 ? !unassigned : !assigned || !known)
            findings.Add(CheckCodes.FreemapClass, default, leaf, $"Segment 0x{start:x} with {freeUnits} free blocks has class 0x{record.Class:x4}.");
    }

    private void Add(CheckCode code, int word, uint units, string what)
    {
        int first = BitOperations.TrailingZeroCount(units);
        ulong at = start + (ulong)(word * UnitsPerWord + first) * UnitBytes;
        findings.Add(code, default, at, $"{BitOperations.PopCount(units)} blocks of 16 KiB from 0x{at:x} on (in 512 KiB) are {what}.");
    }
}
