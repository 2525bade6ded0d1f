// The map of used bytes against a list of extents: what it says to a block must be what the list says, for blocks of all
// sizes at all places. And the costs of a check of a small volume, which crash tests run by the thousand.

using Hammer2.Engine.Checking;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Tests.Hostile;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Checking;

[TestClass]
public sealed class UsageMapTests
{
    private const ulong Segment = 1UL << FormatLimits.SegmentRadix;

    [TestMethod]
    public void AgreesWithAListOfExtents()
    {
        var random = new Random(HammerSeed.Get());
        var seen = new int[Enum.GetValues<BlockClaim>().Length];
        for (int round = 0; round < 150; round++)
        {
            var map = new UsageMap();
            var list = new Dictionary<PhysicalOffset, (bool Metadata, int Tree)>();
            int tree = 0;
            BlockClaim claim = BlockClaim.New;
            for (int step = 0; step < 200 && claim != BlockClaim.Overlap; step++)
            {
                if (random.Next(30) == 0)
                {
                    tree++;
                    map.NextTree();
                }

                PhysicalOffset block = Pick(random, list);
                bool metadata = list.TryGetValue(block, out var known) && random.Next(8) > 0 ? known.Metadata : random.Next(2) == 0;
                BlockClaim expected = Expect(list, block, metadata, tree);
                claim = map.Claim(block, metadata, committed: true);
                Assert.AreEqual(expected, claim, $"round {round}, step {step}: {block} metadata {metadata}");
                seen[(int)claim]++;
                if (claim is BlockClaim.New or BlockClaim.Shared)
                    list[block] = (metadata, metadata ? tree : -1);
            }

            if (claim != BlockClaim.Overlap)
                CompareUnits(map, list);
        }

        Assert.DoesNotContain(0, seen, "every answer must have been given");
    }

    [TestMethod]
    public void SmallVolumesCostLittle()
    {
        IReadOnlyList<IBlockDevice> devices = [.. GoldenImages.Get("empty-tiny").Devices];
        VolumeChecker.Check(devices);
        var pfs = new List<int>();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
            pfs.Add(VolumeChecker.Check(devices).Totals.Pfs);
        long each = (GC.GetAllocatedBytesForCurrentThread() - before) / 100;
        Assert.IsTrue(pfs.TrueForAll(n => n == 2));
        Assert.IsLessThan(256 * 1024, each, "a header copy and a freemap block, and little else");
    }

    private static BlockClaim Expect(Dictionary<PhysicalOffset, (bool Metadata, int Tree)> list, PhysicalOffset block, bool metadata, int tree)
    {
        if (list.TryGetValue(block, out var known))
        {
            if (known.Metadata != metadata)
                return BlockClaim.TypeClash;
            return metadata && known.Tree == tree ? BlockClaim.Twice : BlockClaim.Shared;
        }

        bool overlaps = list.Keys.Any(k => k.Offset < block.Offset + (ulong)block.Bytes && block.Offset < k.Offset + (ulong)k.Bytes);
        return overlaps ? BlockClaim.Overlap : BlockClaim.New;
    }

    // Mostly free space or a known block; now and then anything. The upper end of one segment and the start of the next.
    private static PhysicalOffset Pick(Random random, Dictionary<PhysicalOffset, (bool Metadata, int Tree)> list)
    {
        if (list.Count > 0 && random.Next(3) == 0)
            return list.Keys.ElementAt(random.Next(list.Count));
        for (int tries = 0; ; tries++)
        {
            int radix = random.Next(10, 17);
            ulong bytes = 1UL << radix;
            ulong at = Segment - (8UL << 16) + (ulong)random.Next(16 << 6) * 1024;
            if ((at & 0xFFFF) + bytes > 65536)
                continue;
            var block = new PhysicalOffset(at | (uint)radix);
            if (tries > 50 || random.Next(100) == 0 || Expect(list, block, true, 0) == BlockClaim.New)
                return block;
        }
    }

    private static void CompareUnits(UsageMap map, Dictionary<PhysicalOffset, (bool Metadata, int Tree)> list)
    {
        for (ulong unit = Segment - (8UL << 16); unit < Segment + (8UL << 16); unit += FormatLimits.FreemapGranularity)
        {
            bool used = list.Keys.Any(k => k.Offset < unit + FormatLimits.FreemapGranularity && unit < k.Offset + (ulong)k.Bytes);
            UsageMap.SegmentUse? segment = map.SegmentAt(unit / Segment);
            int index = (int)(unit % Segment / FormatLimits.FreemapGranularity);
            ulong word = segment?.UsedWord(index >> 6) ?? 0;
            Assert.AreEqual(used, (word >> (index & 63) & 1) != 0, $"unit at 0x{unit:x}");
            int granules = 0;
            for (int g = 0; g < 16; g++)
                granules |= list.Keys.Any(k => k.Offset <= unit + (ulong)g * 1024 && unit + (ulong)g * 1024 < k.Offset + (ulong)k.Bytes) ? 1 << g : 0;
            Assert.AreEqual(granules, segment?.UsedGranules(index) ?? 0);
        }
    }
}
