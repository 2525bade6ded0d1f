// The bitmap records of one zone in memory, with what searching them needs: free blocks, pairs and groups of each
// segment, and how many segments of each class have some. All changes of states go through one function that keeps
// record, counts and capabilities in step. Invariants: segments that are not usable are all ones; avail of a record is
// 16 KiB times its blocks in state 00; a wholly free segment has no class and linear 0.

using System.Numerics;
using System.Runtime.InteropServices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Freemap;

/// <summary>What a search looks for in a segment.</summary>
internal enum SpaceKind
{
    /// <summary>A free block of 16 KiB.</summary>
    Block = 0,

    /// <summary>A free aligned pair, 32 KiB.</summary>
    Pair = 1,

    /// <summary>A free aligned group, 64 KiB.</summary>
    Group = 2,

    /// <summary>A free block of 16 KiB in a group that is partly used.</summary>
    Remainder = 3,
}

/// <summary>A freemap leaf.</summary>
internal sealed class FreemapLeaf
{
    /// <summary>Index of segments without a class; 1 to 4 are the blockref types.</summary>
    internal const int EmptyClass = 0;

    /// <summary>Index of classes that this engine does not know.</summary>
    internal const int ForeignClass = 5;

    /// <summary>Memory of a leaf with its counts.</summary>
    internal const int MemoryBytes = FreemapGeometry.BlockBytes + 2048;

    private const int Kinds = 4;
    private const int Classes = 6;
    private const int BlockBytes = FormatLimits.FreemapGranularity;
    private const ushort ClassLowByte = 16;

    // Bytes of a record between class and avail, and between avail and the words, hold nothing.
    private const int UnusedBegin = 0x06;
    private const int AvailAt = 0x1C;
    private const int WordsAt = 0x40;
    private readonly ushort[] _freeBlocks = new ushort[FreemapGeometry.SegmentsPerZone];
    private readonly byte[] _freePairs = new byte[FreemapGeometry.SegmentsPerZone];
    private readonly byte[] _freeGroups = new byte[FreemapGeometry.SegmentsPerZone];
    private readonly byte[] _class = new byte[FreemapGeometry.SegmentsPerZone];
    private readonly byte[] _capable = new byte[FreemapGeometry.SegmentsPerZone];
    private readonly ushort[] _capableSegments = new ushort[Classes * Kinds];

    private FreemapLeaf(long zone, int firstUsable, int endUsable)
    {
        Zone = zone;
        FirstUsable = firstUsable;
        EndUsable = endUsable;
    }

    internal long Zone { get; }

    /// <summary>The 32 KiB as they go to the medium.</summary>
    internal byte[] Bytes { get; } = new byte[FreemapGeometry.BlockBytes];

    /// <summary>Rotation that the committed reference points to; -1 when there is none.</summary>
    internal int Rotation { get; set; } = -1;

    /// <summary>avail of the reference: written at creation and never again (trap T16).</summary>
    internal ulong CreationAvail { get; set; }

    internal int FirstUsable { get; private set; }

    internal int EndUsable { get; private set; }

    internal int FreeBlocks { get; private set; }

    internal int FreeGroups { get; private set; }

    /// <summary>Bit class * 4 + kind: some segment of this class has space of this kind.</summary>
    internal uint Capabilities { get; private set; }

    internal bool IsDirty { get; set; }

    /// <summary>Records on the medium contradict their bitmap.</summary>
    internal bool WasCorrected { get; private set; }

    internal long LastUse { get; set; }

    /// <summary>Blocks of the zone, one bit each, that were assigned, retained or given back since the last freeze; shared with the allocator.</summary>
    internal ulong[]? Touched { get; set; }

    /// <summary>Summary of the zone that is kept when the leaf is dropped.</summary>
    internal ZonePage? Page { get; set; }

    private Span<FreemapBitmap> Records => MemoryMarshal.Cast<byte, FreemapBitmap>(Bytes.AsSpan());

    /// <summary>A leaf as format page 9.4 initialises it.</summary>
    internal static FreemapLeaf Create(FreemapGeometry geometry, long zone)
    {
        (int first, int end) = geometry.UsableSegmentsOf(zone);
        var leaf = new FreemapLeaf(zone, first, end) { CreationAvail = (ulong)(end - first) * FreemapGeometry.SegmentBytes };
        for (int i = 0; i < FreemapGeometry.SegmentsPerZone; i++)
        {
            if (leaf.IsUsable(i))
                leaf.Records[i].Avail = FreemapGeometry.SegmentBytes;
            else
                SetStatic(ref leaf.Records[i]);
        }

        leaf.CountAll();
        return leaf;
    }

    /// <summary>Takes over a verified block. What its records say against the invariants is put right in memory.</summary>
    /// <param name="geometry">Shape of the volume.</param>
    /// <param name="zone">Its zone.</param>
    /// <param name="bref">The reference to it.</param>
    /// <param name="block">Its 32 KiB.</param>
    /// <param name="corrected">Number of segments that were put right.</param>
    internal static FreemapLeaf Load(FreemapGeometry geometry, long zone, in BlockRef bref, ReadOnlySpan<byte> block, out int corrected)
    {
        (int first, int end) = geometry.UsableSegmentsOf(zone);
        var leaf = new FreemapLeaf(zone, first, end)
        {
            CreationAvail = bref.FreemapAvail,
            Rotation = FreemapGeometry.RotationOf(bref),
        };
        block.CopyTo(leaf.Bytes);
        corrected = 0;
        for (int i = 0; i < FreemapGeometry.SegmentsPerZone; i++)
        {
            if (leaf.Correct(i))
                corrected++;
        }

        leaf.WasCorrected = corrected > 0;
        leaf.CountAll();
        return leaf;
    }

    internal bool IsUsable(int segment) => segment >= FirstUsable && segment < EndUsable;

    internal ref readonly FreemapBitmap Record(int segment) => ref Records[segment];

    internal int ClassOf(int segment) => _class[segment];

    internal bool Has(int segment, SpaceKind kind) => (_capable[segment] >> (int)kind & 1) != 0;

    internal int FreeBlocksOf(int segment) => _freeBlocks[segment];

    /// <summary>State of block <paramref name="block"/> (0..255) of a segment.</summary>
    internal FreemapState StateOf(int segment, int block) => Records[segment].StateOf(block);

    /// <summary>First segment from <paramref name="from"/> on whose capability is among <paramref name="wanted"/>; -1 when there is none.</summary>
    internal int FindSegment(int from, uint wanted)
    {
        for (int i = Math.Max(from, FirstUsable); i < EndUsable; i++)
        {
            if ((wanted >> _class[i] * Kinds & _capable[i]) != 0)
                return i;
        }

        return -1;
    }

    /// <summary>The lowest place for this kind in a segment; -1 when there is none.</summary>
    internal int FindBlock(int segment, SpaceKind kind)
    {
        ref readonly FreemapBitmap record = ref Records[segment];
        for (int i = 0; i < FreemapWords.Count; i++)
        {
            ulong free = SegmentWord.Free(record.Words[i]);
            ulong found = kind switch
            {
                SpaceKind.Block => free,
                SpaceKind.Pair => SegmentWord.Pairs(free),
                SpaceKind.Group => SegmentWord.Groups(free),
                _ => SegmentWord.OutsideGroups(free),
            };
            if (found != 0)
                return i * SegmentWord.Blocks + SegmentWord.First(found);
        }

        return -1;
    }

    /// <summary>Sets one word of a segment and everything that follows from it.</summary>
    internal void SetWord(int segment, int word, ulong value)
    {
        ref FreemapBitmap record = ref Records[segment];
        ulong before = SegmentWord.Free(record.Words[word]);
        ulong after = SegmentWord.Free(value);
        record.Words[word] = value;
        IsDirty = true;
        if (before == after)
            return;
        int blocks = BitOperations.PopCount(after) - BitOperations.PopCount(before);
        int groups = BitOperations.PopCount(SegmentWord.Groups(after)) - BitOperations.PopCount(SegmentWord.Groups(before));
        int pairs = BitOperations.PopCount(SegmentWord.Pairs(after)) - BitOperations.PopCount(SegmentWord.Pairs(before));
        _freeBlocks[segment] = (ushort)(_freeBlocks[segment] + blocks);
        _freePairs[segment] = (byte)(_freePairs[segment] + pairs);
        _freeGroups[segment] = (byte)(_freeGroups[segment] + groups);
        FreeBlocks += blocks;
        FreeGroups += groups;
        record.Avail = (uint)(_freeBlocks[segment] * BlockBytes);
        UpdateCapability(segment);
    }

    /// <summary>Sets <paramref name="count"/> blocks that lie in one word to a state.</summary>
    internal void SetBlocks(int segment, int block, int count, FreemapState state)
    {
        int word = block / SegmentWord.Blocks;
        ulong mask = SegmentWord.Mask(block % SegmentWord.Blocks, count);
        ulong bits = (SegmentWord.All * ((ulong)state & 3)) & mask;
        SetWord(segment, word, Records[segment].Words[word] & ~mask | bits);
    }

    /// <summary>Gives an empty segment to a class of blockrefs.</summary>
    internal void SetClass(int segment, BlockRefType type) => StoreClass(segment, (ushort)((int)type << 8 | ClassLowByte));

    /// <summary>Sets the next point for fragments.</summary>
    internal void SetLinear(int segment, int linear)
    {
        Invariant.Check(linear is >= 0 and <= FreemapGeometry.SegmentBytes);
        ref FreemapBitmap record = ref Records[segment];
        if (record.Linear == linear)
            return;
        record.Linear = linear;
        IsDirty = true;
    }

    /// <summary>A segment that became wholly free belongs to nobody.</summary>
    internal void ResetIfEmpty(int segment)
    {
        if (_freeBlocks[segment] != FreemapBitmap.States)
            return;
        SetLinear(segment, 0);
        StoreClass(segment, 0);
    }

    /// <summary>The volume grew: more segments can be used, once they are opened.</summary>
    internal void Extend(int firstUsable, int endUsable) => (FirstUsable, EndUsable) = (firstUsable, endUsable);

    /// <summary>A segment that was static because the volume ended before it: now it can be used.</summary>
    internal void Open(int segment)
    {
        Invariant.Check(IsUsable(segment));
        for (int i = 0; i < FreemapWords.Count; i++)
            SetWord(segment, i, 0);
        ResetIfEmpty(segment);
        CreationAvail += FreemapGeometry.SegmentBytes;
    }

    /// <summary>Clears what no reader depends on and nobody should have written; to be written anew.</summary>
    internal void Tidy()
    {
        for (int i = 0; i < FreemapGeometry.SegmentsPerZone; i++)
        {
            ref FreemapBitmap record = ref Records[i];
            Span<byte> bytes = MemoryMarshal.AsBytes(new Span<FreemapBitmap>(ref record));
            bytes[UnusedBegin..AvailAt].Clear();
            bytes[(AvailAt + sizeof(uint))..WordsAt].Clear();
            if (!IsUsable(i))
                SetStatic(ref record);
            else if (_class[i] == ForeignClass)
                StoreClass(i, 0);
            if (record.Linear % (1 << FormatLimits.AllocationRadixMin) != 0)
                record.Linear = LinearClosed(record.Linear);
        }

        IsDirty = true;
    }

    /// <summary>Bigmask of the reference: bit r unless an allocation of radix r must fail here.</summary>
    internal uint BigMask()
    {
        uint mask = uint.MaxValue & ~(0x7Fu << FormatLimits.AllocationRadixMin);
        if (FreeBlocks > 0)
            mask |= 0x1Fu << FormatLimits.AllocationRadixMin;
        for (int i = FirstUsable; i < EndUsable; i++)
        {
            mask |= _freePairs[i] > 0 ? 1u << 15 : 0;
            mask |= _freeGroups[i] > 0 ? 1u << 16 : 0;
            int room = LinearRoom(Records[i].Linear);
            for (int radix = FormatLimits.AllocationRadixMin; radix < 14 && 1 << radix <= room; radix++)
                mask |= 1u << radix;
        }

        return mask;
    }

    /// <summary>Bytes that fragments may still take behind a linear point, in its block.</summary>
    internal static int LinearRoom(int linear) => linear % BlockBytes == 0 ? 0 : BlockBytes - linear % BlockBytes;

    /// <summary>The end of the block that a linear point lies in; such a point is ignored.</summary>
    internal static int LinearClosed(int linear) => (linear + BlockBytes - 1) / BlockBytes * BlockBytes;

    private static int ClassIndex(ushort value) => value switch
    {
        0 => EmptyClass,
        (int)BlockRefType.Inode << 8 | ClassLowByte => (int)BlockRefType.Inode,
        (int)BlockRefType.Indirect << 8 | ClassLowByte => (int)BlockRefType.Indirect,
        (int)BlockRefType.Data << 8 | ClassLowByte => (int)BlockRefType.Data,
        (int)BlockRefType.Dirent << 8 | ClassLowByte => (int)BlockRefType.Dirent,
        _ => ForeignClass,
    };

    private static void SetStatic(ref FreemapBitmap record)
    {
        for (int i = 0; i < FreemapWords.Count; i++)
            record.Words[i] = ulong.MaxValue;
        record.Avail = 0;
        record.Class = 0;
        record.Linear = FreemapGeometry.SegmentBytes;
    }

    private bool Correct(int segment)
    {
        ref FreemapBitmap record = ref Records[segment];
        FreemapBitmap before = record;
        if (!IsUsable(segment))
        {
            // Static areas in other states: what is allocated stays so, the rest must never be given out.
            bool free = false;
            for (int i = 0; i < FreemapWords.Count; i++)
                free |= SegmentWord.Allocated(record.Words[i]) != SegmentWord.All;
            if (free)
                SetStatic(ref record);
            return free;
        }

        int freeBlocks = 0;
        for (int i = 0; i < FreemapWords.Count; i++)
            freeBlocks += BitOperations.PopCount(SegmentWord.Free(record.Words[i]));
        record.Avail = (uint)(freeBlocks * BlockBytes);
        if (freeBlocks == FreemapBitmap.States)
            (record.Class, record.Linear) = (0, 0);
        if (record.Linear is < 0 or > FreemapGeometry.SegmentBytes)
            record.Linear = 0;
        if (LinearRoom(record.Linear) > 0 && record.StateOf(record.Linear / BlockBytes) != FreemapState.Allocated)
            record.Linear = LinearClosed(record.Linear);
        return record.Avail != before.Avail || record.Class != before.Class || record.Linear != before.Linear;
    }

    private void CountAll()
    {
        for (int i = FirstUsable; i < EndUsable; i++)
        {
            ref FreemapBitmap record = ref Records[i];
            for (int word = 0; word < FreemapWords.Count; word++)
            {
                ulong free = SegmentWord.Free(record.Words[word]);
                _freeBlocks[i] += (ushort)BitOperations.PopCount(free);
                _freePairs[i] += (byte)BitOperations.PopCount(SegmentWord.Pairs(free));
                _freeGroups[i] += (byte)BitOperations.PopCount(SegmentWord.Groups(free));
            }

            FreeBlocks += _freeBlocks[i];
            FreeGroups += _freeGroups[i];
            _class[i] = (byte)ClassIndex(record.Class);
            UpdateCapability(i);
        }
    }

    private void StoreClass(int segment, ushort value)
    {
        ref FreemapBitmap record = ref Records[segment];
        if (record.Class == value)
            return;
        record.Class = value;
        IsDirty = true;
        int capable = _capable[segment];
        Count(_class[segment], capable, -1);
        _class[segment] = (byte)ClassIndex(value);
        Count(_class[segment], capable, 1);
    }

    private void UpdateCapability(int segment)
    {
        int capable = (_freeBlocks[segment] > 0 ? 1 << (int)SpaceKind.Block : 0)
            | (_freePairs[segment] > 0 ? 1 << (int)SpaceKind.Pair : 0)
            | (_freeGroups[segment] > 0 ? 1 << (int)SpaceKind.Group : 0)
            | (_freeBlocks[segment] > 4 * _freeGroups[segment] ? 1 << (int)SpaceKind.Remainder : 0);
        int changed = capable ^ _capable[segment];
        if (changed == 0)
            return;
        Count(_class[segment], changed & ~capable, -1);
        Count(_class[segment], changed & capable, 1);
        _capable[segment] = (byte)capable;
    }

    private void Count(int classIndex, int kinds, int change)
    {
        for (; kinds != 0; kinds &= kinds - 1)
        {
            int index = classIndex * Kinds + BitOperations.TrailingZeroCount(kinds);
            _capableSegments[index] = (ushort)(_capableSegments[index] + change);
            Capabilities = _capableSegments[index] > 0 ? Capabilities | 1u << index : Capabilities & ~(1u << index);
        }
    }
}
