// The reference model of the allocator tests: which bytes are in use, to the 1 KiB. Every block handed out must be
// legal and overlap nothing in use. Simple on purpose.

using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;

namespace Hammer2.Tests.Freemap;

/// <summary>Blocks in use.</summary>
internal sealed class SpaceModel(ulong allocatorBegin, ulong totalBytes)
{
    private readonly Dictionary<ulong, ulong> _units = [];

    /// <summary>All blocks, in the order of their allocation.</summary>
    internal List<(BlockRefType Type, PhysicalOffset Block)> Live { get; } = [];

    /// <summary>How many of the first ones a commit made permanent.</summary>
    internal int Committed { get; set; }

    internal void Add(BlockRefType type, int radix, PhysicalOffset block)
    {
        Assert.AreEqual(radix, block.Radix);
        Assert.IsTrue(block.IsLegal, $"{block} is no legal address");
        Assert.IsGreaterThanOrEqualTo(allocatorBegin, block.Offset);
        Assert.IsLessThanOrEqualTo(totalBytes, block.Offset + (ulong)block.Bytes);
        Assert.IsGreaterThanOrEqualTo(4UL << 20, block.Offset & ((1UL << 30) - 1), $"{block} lies in the reserve of its zone");
        if (radix >= 14)
            Assert.AreEqual(0UL, block.Offset & ((ulong)block.Bytes - 1), $"{block} is not aligned");
        ulong mask = MaskOf(block);
        ulong used = _units.GetValueOrDefault(block.Offset >> 16);
        Assert.AreEqual(0UL, used & mask, $"{block} overlaps a block in use");
        _units[block.Offset >> 16] = used | mask;
        Live.Add((type, block));
    }

    internal (BlockRefType Type, PhysicalOffset Block) RemoveAt(int index)
    {
        (BlockRefType type, PhysicalOffset block) = Live[index];
        Live.RemoveAt(index);
        _units[block.Offset >> 16] &= ~MaskOf(block);
        return (type, block);
    }

    internal IEnumerable<PhysicalOffset> Blocks => Live.Select(l => l.Block);

    /// <summary>Claims, allocates and releases one block; false when the claim was refused.</summary>
    internal bool TryAllocate(FreemapAllocator allocator, BlockRefType type, int radix, ClaimLevel level = ClaimLevel.Remove)
    {
        SpaceClaim claim = SpaceClaim.OfBlock(radix);
        if (!allocator.TryClaim(claim, level))
            return false;
        Add(type, radix, allocator.Allocate(type, radix, 0));
        allocator.Release(claim);
        return true;
    }

    // A block never crosses 64 KiB, so its 1 KiB units fit into one word.
    private static ulong MaskOf(PhysicalOffset block)
    {
        int count = block.Bytes >> 10;
        int first = (int)(block.Offset >> 10) & 63;
        return (count == 64 ? ulong.MaxValue : (1UL << count) - 1) << first;
    }
}
