// Files whose blocks lie so far apart that no two of them share a group: the arrays above them must still find a range to push
// down, one that is smaller than their own. A child as wide as its parent is as full as its parent, and splitting goes on until
// memory ends. The order of the writes is random, from a printed seed.

using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Topology;
using Hammer2.Tests.Hostile;

namespace Hammer2.Tests.Requirements;

[TestClass]
public sealed class SparseTreeTests
{
    private const int NodeCount = 128;
    private const int LevelBits = 7;

    // The lowest indirect block that our trees have spans 8 MiB, the next one 1 GiB.
    private const int GroupBits = FormatLimits.LogicalBlockRadix + LevelBits;

    [TestMethod]
    public void One_block_in_every_group_and_then_another_one()
    {
        var random = new Random(HammerSeed.Get());
        using var rig = new EngineRig();
        using Vnode file = rig.Create("sparse");
        var places = new List<long>();
        // The second gibibyte of the file, so that it has a node of its own: full with one block per group.
        for (int group = 0; group < NodeCount; group++)
            places.Add((1L << 30) + ((long)group << GroupBits) + (random.Next(NodeCount) << FormatLimits.LogicalBlockRadix));
        Write(rig, file, places, random);
        var more = new List<long>();
        for (int i = 0; i < 40; i++)
            more.Add((1L << 30) + ((long)random.Next(NodeCount * NodeCount) << FormatLimits.LogicalBlockRadix));
        Write(rig, file, more, random);
        places.AddRange(more);
        Compare(file, places);
    }

    [TestMethod]
    public void Blocks_anywhere_in_a_large_file()
    {
        var random = new Random(HammerSeed.Get());
        using var rig = new EngineRig();
        using Vnode file = rig.Create("sparse");
        var places = new List<long>();
        for (int round = 0; round < 4; round++)
        {
            var some = new List<long>();
            for (int i = 0; i < 400; i++)
                some.Add(random.NextInt64(1L << random.Next(24, 50)) & -FormatLimits.LogicalBlockBytes);
            Write(rig, file, some, random);
            places.AddRange(some);
        }

        Compare(file, places);
    }

    [TestMethod]
    public void A_range_is_smaller_than_the_array_and_gets_on()
    {
        var random = new Random(HammerSeed.Get());
        for (int round = 0; round < 2000; round++)
        {
            int ownBits = random.Next(GroupBits + 1, 65);
            int levelBits = random.Next(2) == 0 ? LevelBits : 5;
            ulong mask = (ownBits > 62 ? ulong.MaxValue >> 1 : (1UL << ownBits) - 1) & ~(FormatLimits.LogicalBlockBytes - 1UL);
            var keys = new SortedSet<ulong>();
            while (keys.Count < 1 << levelBits)
                keys.Add((ulong)random.NextInt64() >> random.Next(20) & mask);
            ulong newKey;
            do
                newKey = (ulong)random.NextInt64() & mask;
            while (keys.Contains(newKey));
            BlockRef[] refs = [.. keys.Select(key => new BlockRef { Type = BlockRefType.Data, Key = key, KeyBits = FormatLimits.LogicalBlockRadix })];

            (ulong begin, int bits) = MutableTree.FileRange(refs, ownBits, newKey, levelBits);

            Assert.IsLessThan(ownBits, bits, "as wide as the array itself");
            ulong end = begin | (1UL << bits) - 1;
            int inside = refs.Count(bref => bref.Key >= begin && bref.LastKey <= end);
            Assert.AreEqual(inside, refs.Count(bref => bref.LastKey >= begin && bref.Key <= end), "an entry is cut");
            Assert.IsTrue(inside >= 2 || (inside == 1 && newKey >= begin && newKey <= end), "neither frees a slot nor takes the key");
        }
    }

    private static void Write(EngineRig rig, Vnode file, List<long> places, Random random)
    {
        long[] order = [.. places];
        random.Shuffle(order);
        foreach (long at in order)
            Assert.AreEqual(Hammer2Error.None, file.TryWrite(at, BitConverter.GetBytes(at + 1)));
        rig.Sync();
        rig.Check();
    }

    private static void Compare(Vnode file, List<long> places)
    {
        byte[] read = new byte[8];
        foreach (long at in places)
        {
            Assert.AreEqual(8, file.Read(at, read));
            Assert.AreEqual(at + 1, BitConverter.ToInt64(read), $"0x{at:x}");
        }
    }
}
