// The rules of format page 13.2 for the freemap on a medium, checked with code of its own: places, check codes and
// rotations of nodes and leaves, every field of every record, the static areas, and that what is in use is allocated.
// Knows Format and Devices only; nothing of the allocator is used to judge it.

using System.Numerics;
using System.Runtime.InteropServices;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;

namespace Hammer2.Tests.Freemap;

/// <summary>What a strict look at a freemap found.</summary>
internal sealed class FreemapChecker
{
    private const int SegmentBytes = 4 << 20;
    private readonly VolumeSet _volumes;
    private readonly VolumeHeader _header;
    private readonly Dictionary<long, FreemapBitmap[]> _leaves = [];

    private FreemapChecker(VolumeSet volumes)
    {
        _volumes = volumes;
        _header = volumes.Header;
    }

    internal List<string> Violations { get; } = [];

    /// <summary>Free bytes by the bitmaps, missing leaves included.</summary>
    internal long FreeBytes { get; private set; }

    /// <summary>16 KiB blocks in each state, in leaves and outside static areas.</summary>
    internal long[] Blocks { get; } = new long[4];

    internal IReadOnlyDictionary<long, FreemapBitmap[]> Leaves => _leaves;

    /// <summary>Depth of the deepest leaf: 0 when all hang in the header.</summary>
    internal int Depth { get; private set; }

    /// <summary>Reads the freemap of the newest header; blocks are what is in use.</summary>
    internal static FreemapChecker Run(IReadOnlyList<IBlockDevice> devices, IEnumerable<PhysicalOffset>? inUse = null, bool exactFree = true)
    {
        var checker = new FreemapChecker(VolumeSet.Open(devices));
        checker.Walk(checker._header.Freemap.ToArray(), 62 + 8, 0, ulong.MaxValue, checker._header.FreemapTid, 0);
        foreach ((long zone, FreemapBitmap[] records) in checker._leaves)
            checker.CheckLeaf(zone, records);
        checker.CountUntouched();
        foreach (PhysicalOffset block in inUse ?? [])
            checker.CheckInUse(block);
        if (exactFree && (long)checker._header.AllocatorFree is long stored && stored != checker.FreeBytes && stored != checker.FreeBytes + SegmentBytes)
            checker.Violations.Add($"allocator_free is {stored}, the bitmaps say {checker.FreeBytes}");
        return checker;
    }

    internal void AssertClean() => Assert.IsEmpty(Violations, string.Join('\n', Violations.Take(20)));

    internal FreemapState StateOf(ulong offset) =>
        _leaves.TryGetValue((long)(offset >> 30), out FreemapBitmap[]? records)
            ? records[(int)(offset >> 22) & 255].StateOf((int)(offset >> 14) & 255)
            : FreemapState.Free;

    private void Walk(BlockRef[] refs, int parentBits, ulong low, ulong high, ulong tidMax, int depth)
    {
        ulong next = low;
        foreach (BlockRef bref in refs)
        {
            if (bref.Type == BlockRefType.Empty)
            {
                Require(MemoryMarshal.AsBytes(new ReadOnlySpan<BlockRef>(in bref)).IndexOfAnyExcept((byte)0) < 0, bref, "an empty slot is not zero");
                continue;
            }

            Require(bref.KeyBits is 30 or 38 or 46 or 54 or 62 && bref.KeyBits < parentBits, bref, "key bits");
            Require((bref.Key & ((1UL << bref.KeyBits) - 1)) == 0 && bref.Key >= next && bref.LastKey <= high, bref, "key order or range");
            next = bref.LastKey + 1;
            Require(bref.Type == (bref.KeyBits == 30 ? BlockRefType.FreemapLeaf : BlockRefType.FreemapNode), bref, "type");
            Require(bref.Methods == 0x50, bref, "methods");
            Require(bref.MirrorTid <= tidMax, bref, "mirror tid");
            Require(bref.UpdateTid == 0 && bref.DataCount == 0 && bref.InodeCount == 0 && bref.LeafCount == 0, bref, "unused fields");
            ulong slot = (bref.Physical.Offset - bref.Key) / 65536;
            int level = (bref.KeyBits - 22) / 8;
            Require((bref.Physical.Offset - bref.Key) % 65536 == 0 && slot is >= 1 and <= 40 && (int)(slot - 1) % 5 == level - 1 && bref.Physical.Radix == 15, bref, "address");
            byte[] block = new byte[32768];
            _volumes.Read((long)bref.Physical.Offset, block);
            Require(Crc32C.Compute(block) == bref.Check32, bref, "check code");
            if (level > 1)
            {
                Require(bref.FreemapBigMask == 0 && bref.FreemapAvail == 0, bref, "hints of a node");
                Walk(MemoryMarshal.Cast<byte, BlockRef>(block).ToArray(), bref.KeyBits, bref.Key, bref.LastKey, bref.MirrorTid, depth + 1);
                continue;
            }

            Depth = Math.Max(Depth, depth);
            FreemapBitmap[] records = MemoryMarshal.Cast<byte, FreemapBitmap>(block).ToArray();
            _leaves.Add((long)(bref.Key >> 30), records);
            CheckHints(bref, records);
        }
    }

    private void CheckHints(in BlockRef bref, FreemapBitmap[] records)
    {
        (int first, int end) = Usable((long)(bref.Key >> 30));
        Require(bref.FreemapAvail == (ulong)(end - first) * SegmentBytes || bref.FreemapAvail == 0, bref, "avail at creation");
        foreach (FreemapBitmap record in records)
        {
            if (record.Avail == 0)
                continue;
            for (int i = 0; i < 256; i++)
            {
                bool block = record.StateOf(i) == FreemapState.Free;
                bool pair = i % 2 == 0 && block && record.StateOf(i + 1) == FreemapState.Free;
                bool group = i % 4 == 0 && pair && record.StateOf(i + 2) == FreemapState.Free && record.StateOf(i + 3) == FreemapState.Free;
                uint needed = (block ? 0x7C00u : 0) | (pair ? 0x8000u : 0) | (group ? 0x10000u : 0);
                if ((bref.FreemapBigMask & needed) != needed)
                    Violations.Add($"{bref}: bigmask 0x{bref.FreemapBigMask:x} hides free space");
            }
        }
    }

    private (int First, int End) Usable(long zone)
    {
        ulong start = (ulong)zone << 30;
        ulong low = Math.Max((_header.AllocatorBegin + SegmentBytes - 1) / SegmentBytes * SegmentBytes, start + SegmentBytes);
        ulong high = Math.Min(start + (1UL << 30), _header.LogicalSize / SegmentBytes * SegmentBytes);
        if (low >= high)
            return (256, 256);
        return ((int)((low - start) / SegmentBytes), (int)((high - start) / SegmentBytes));
    }

    private void CheckLeaf(long zone, FreemapBitmap[] records)
    {
        (int first, int end) = Usable(zone);
        for (int segment = 0; segment < records.Length; segment++)
        {
            ref readonly FreemapBitmap record = ref records[segment];
            string where = $"zone {zone} segment {segment}";
            int[] states = new int[4];
            for (int i = 0; i < 256; i++)
                states[(int)record.StateOf(i)]++;
            Expect(record.Avail == states[0] * 16384, $"{where}: avail {record.Avail}, free blocks {states[0]}");
            Expect(states[1] == 0, $"{where}: {states[1]} blocks in state 01");
            Expect(record.Linear is >= 0 and <= SegmentBytes, $"{where}: linear {record.Linear}");
            ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(new ReadOnlySpan<FreemapBitmap>(in record));
            Expect(bytes[6..0x1C].IndexOfAnyExcept((byte)0) < 0 && bytes[0x20..0x40].IndexOfAnyExcept((byte)0) < 0, $"{where}: reserved bytes");
            if (segment < first || segment >= end)
            {
                Expect(states[3] == 256 && record.Class == 0 && record.Linear == SegmentBytes, $"{where}: static area with linear {record.Linear}, class {record.Class:x}, {states[3]} allocated");
                continue;
            }

            for (int i = 0; i < 4; i++)
                Blocks[i] += states[i];
            FreeBytes += record.Avail;
            // What growfs of the reference left behind is all ones without a class, and staged as such by bulkfree.
            bool leftByGrow = record.Class == 0 && states[3] is 0 or 256;
            Expect(leftByGrow || states[0] == 256 == (record.Class == 0), $"{where}: class {record.Class:x} with {states[0]} free");
            Expect(record.Class is 0 or 0x110 or 0x210 or 0x310 or 0x410, $"{where}: class {record.Class:x}");
            Expect(states[0] < 256 || record.Linear == 0, $"{where}: linear {record.Linear} of an empty segment");
            if (record.Linear % 16384 != 0)
                Expect(record.Linear % 1024 == 0 && record.StateOf(record.Linear / 16384) == FreemapState.Allocated, $"{where}: linear {record.Linear} in a block that is not allocated");
        }
    }

    private void CountUntouched()
    {
        long zones = (long)((_header.LogicalSize + (1UL << 30) - 1) >> 30);
        if (zones > 1 << 20)
            return;
        for (long zone = 0; zone < zones; zone++)
        {
            (int first, int end) = Usable(zone);
            if (!_leaves.ContainsKey(zone))
                FreeBytes += (long)(end - first) * SegmentBytes;
        }
    }

    private void CheckInUse(PhysicalOffset block)
    {
        if (!block.HasData || block.Offset < _header.AllocatorBegin)
            return;
        long zone = (long)(block.Offset >> 30);
        int segment = (int)(block.Offset >> 22) & 255;
        int within = (int)(block.Offset & (SegmentBytes - 1));
        if (!_leaves.TryGetValue(zone, out FreemapBitmap[]? records))
        {
            Violations.Add($"{block} is in use and its zone has no leaf");
            return;
        }

        (int first, int end) = Usable(zone);
        Expect(segment >= first && segment < end, $"{block} lies in a static area");
        for (int at = within / 16384; at <= (within + block.Bytes - 1) / 16384; at++)
            Expect(records[segment].StateOf(at) == FreemapState.Allocated, $"{block} is in use and in state {records[segment].StateOf(at)}");
        int linear = records[segment].Linear;
        if (linear % 16384 != 0 && linear / 16384 == within / 16384 && block.Radix < 14)
            Expect(within + block.Bytes <= linear, $"{block} lies behind linear {linear:x} of its block");
    }

    private void Require(bool condition, in BlockRef bref, string what)
    {
        if (!condition)
            Violations.Add($"{bref}: {what}");
    }

    private void Expect(bool condition, string message)
    {
        if (!condition)
            Violations.Add(message);
    }
}
