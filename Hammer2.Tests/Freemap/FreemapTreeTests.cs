// Leaves and nodes on the medium: rotations, nodes that appear when a set overflows, volumes of many zones on sparse
// devices, damaged blocks, several volumes. Every state is held against the strict rules of the format.

using System.Runtime.InteropServices;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;
using Hammer2.Tests.Hostile;

namespace Hammer2.Tests.Freemap;

[TestClass]
public sealed class FreemapTreeTests
{
    private const long Mib = FreemapRig.Mib;
    private const long Gib = FreemapRig.Gib;

    [TestMethod]
    public void FreezesRotateThroughAllEightSlots()
    {
        using FreemapRig rig = FreemapRig.Format(64 * Mib);
        var model = new SpaceModel(rig.Header.AllocatorBegin, rig.Header.LogicalSize);
        for (int i = 0; i < 20; i++)
        {
            model.TryAllocate(rig.Allocator, BlockRefType.Data, 16);
            rig.Commit();
            Assert.AreEqual((1 + i % 8 * 5) * 65536L, rig.Written.Single(), $"commit {i}");
            Assert.AreEqual(rig.MirrorTid, rig.Blockset[0].MirrorTid);
            FreemapChecker.Run(rig.Devices, model.Blocks).AssertClean();
            if (i % 3 == 0)
                rig.Reopen();
        }
    }

    [TestMethod]
    public void UnchangedFreemapIsNotWritten()
    {
        using FreemapRig rig = FreemapRig.Format(64 * Mib);
        rig.Commit();
        Assert.IsEmpty(rig.Written);
        Assert.AreEqual(BlockRefType.Empty, rig.Blockset[0].Type);
        rig.Allocator.Allocate(BlockRefType.Data, 16, 0);
        Assert.IsTrue(rig.Allocator.IsDirty);
        rig.Commit();
        BlockRef before = rig.Blockset[0];
        rig.Commit();
        Assert.IsEmpty(rig.Written);
        Assert.AreEqual(before.DataOff, rig.Blockset[0].DataOff);
        rig.Reopen();
        rig.Allocator.TryClaim(SpaceClaim.OfBlock(16), ClaimLevel.Write);
        rig.Commit();
        Assert.IsEmpty(rig.Written, "looking at leaves changes nothing");
    }

    [TestMethod]
    public void TheCommittedFreemapSurvivesTheNextSevenCommits()
    {
        using FreemapRig rig = FreemapRig.Format(64 * Mib);
        rig.Allocator.Allocate(BlockRefType.Data, 16, 0);
        rig.Commit();
        BlockRef first = rig.Blockset[0];
        for (int i = 0; i < 7; i++)
        {
            rig.Allocator.Allocate(BlockRefType.Data, 16, 0);
            rig.Commit();
            byte[] block = new byte[32768];
            rig.Reader.ReadStored(first, block);
        }
    }

    [TestMethod]
    [DataRow(5L)]
    [DataRow(300L)]
    public void NodesAppearWhenTheHeaderOverflows(long zones)
    {
        using FreemapRig rig = FreemapRig.Format(zones * Gib);
        var model = new SpaceModel(rig.Header.AllocatorBegin, rig.Header.LogicalSize);
        for (long zone = 0; zone < zones; zone++)
        {
            // As after a crash: blocks all over the volume are found in use.
            MarkUsed(rig, model, zone);
            if (zone is 0 or 3 or 4 or 5 or 255 or 256 or 259 || zone == zones - 1)
            {
                rig.Commit();
                FreemapChecker checker = FreemapChecker.Run(rig.Devices, model.Blocks, exactFree: false);
                checker.AssertClean();
                Assert.AreEqual(zone < 4 ? 0 : 1, checker.Depth);
                if (zone == 4)
                {
                    // Seen on reference images: node of key 0 in slot 2 of zone 0, the new leaf under it.
                    Assert.AreEqual(BlockRefType.FreemapNode, rig.Blockset[0].Type);
                    Assert.AreEqual(0x20000L, (long)rig.Blockset[0].Physical.Offset);
                    Assert.AreEqual(38, rig.Blockset[0].KeyBits);
                    Assert.HasCount(2, rig.Written);
                }

                rig.Reopen();
            }
        }
    }

    [TestMethod]
    public void ZonesInAnyOrderGiveALegalTree()
    {
        int seed = HammerSeed.Get();
        for (int round = 0; round < 4; round++)
        {
            var random = new Random(seed + round);
            using FreemapRig rig = FreemapRig.Format(70_000 * Gib, memoryBytes: 1 << 20);
            var model = new SpaceModel(rig.Header.AllocatorBegin, rig.Header.LogicalSize);
            var used = new HashSet<long>();
            for (int i = 0; i < 300; i++)
            {
                // Near each other and far apart, so that leaves hang in nodes of different levels.
                long zone = random.Next(3) switch { 0 => random.Next(70_000), 1 => random.Next(600), _ => 65_536 + random.Next(300) };
                if (used.Add(zone))
                    MarkUsed(rig, model, zone);
                if (i % 40 == 39)
                {
                    rig.Commit();
                    FreemapChecker.Run(rig.Devices, model.Blocks, exactFree: false).AssertClean();
                    rig.Reopen();
                }
            }
        }
    }

    [TestMethod]
    public void AVolumeOfManyZonesFillsFromTheFront()
    {
        using FreemapRig rig = FreemapRig.Format(70_000 * Gib);
        ulong next = 24 * (ulong)Mib;
        for (int i = 0; i < 40_000; i++)
        {
            PhysicalOffset block = rig.Allocator.Allocate(BlockRefType.Data, 16, 0);
            Assert.AreEqual(next, block.Offset, "large files lie contiguous");
            next += 65536;
            if ((next & ((1UL << 30) - 1)) == 0)
                next += 4 * (ulong)Mib;
        }

        rig.Commit();
        FreemapChecker.Run(rig.Devices, exactFree: false).AssertClean();
    }

    [TestMethod]
    [DoNotParallelize] // What other tests hold counts too.
    public void MemoryIsBoundedByTheBudget()
    {
        using FreemapRig rig = FreemapRig.Format(2000 * Gib, memoryBytes: 1 << 20);
        for (long zone = 0; zone < 2000; zone++)
        {
            MarkUsed(rig, null, zone);
            if (zone % 100 == 99)
                rig.Commit();
        }

        rig.Reopen();
        long before = GC.GetTotalMemory(forceFullCollection: true);
        for (long zone = 0; zone < 2000; zone++)
            Assert.IsTrue(rig.Allocator.TryRetain(BlockIn(zone)));
        long grown = GC.GetTotalMemory(forceFullCollection: true) - before;

        // Eight KiB a zone remember what was touched; the leaves themselves are 32.
        Assert.IsLessThan(2000L * 9 * 1024 + (3 << 20), grown);
        rig.Commit();
        Assert.IsEmpty(rig.Written);
        grown = GC.GetTotalMemory(forceFullCollection: true) - before;
        Assert.IsLessThan(3L << 20, grown);
    }

    [TestMethod]
    public void ADamagedLeafIsLeftAloneAndItsZoneIsPassedOver()
    {
        using FreemapRig rig = FreemapRig.Format(3 * Gib);
        var model = new SpaceModel(rig.Header.AllocatorBegin, rig.Header.LogicalSize);
        for (long zone = 0; zone < 3; zone++)
            MarkUsed(rig, model, zone);
        rig.Commit();
        BlockRef damaged = rig.Blockset[1];
        rig.WriteAt((long)damaged.Physical.Offset + 77, [0xEE]);
        rig.Reopen();
        var wide = new SpaceClaim();
        wide.AddBlocks(16, 2 * 1024 * 16);
        Assert.IsFalse(rig.Allocator.TryClaim(wide, ClaimLevel.Write), "the damaged zone promises nothing");
        int count = 0;
        while (model.TryAllocate(rig.Allocator, BlockRefType.Data, 16))
            count++;
        Assert.AreEqual(1, rig.Allocator.DamagedZones);
        Assert.IsFalse(model.Live.Skip(3).Any(l => l.Block.Offset >> 30 == 1));
        Assert.IsGreaterThan(2 * 1000 * 16 - 600, count);
        Assert.IsFalse(rig.Allocator.TryRetain(BlockIn(1)));
        rig.Allocator.MarkUsed(new BlockRef { Type = BlockRefType.Data, DataOff = BlockIn(1).Raw });
        rig.Commit();
        Assert.IsTrue(MemoryMarshal.AsBytes(new ReadOnlySpan<BlockRef>(in damaged)).SequenceEqual(MemoryMarshal.AsBytes(rig.Blockset.AsSpan(1, 1))));
        Assert.HasCount(1, rig.Log.Lines.Where(l => l.Contains("damaged", StringComparison.Ordinal)).ToList());
    }

    [TestMethod]
    public void ADamagedNodeHidesItsRange()
    {
        using FreemapRig rig = FreemapRig.Format(600 * Gib);
        for (long zone = 0; zone < 600; zone += 50)
            MarkUsed(rig, null, zone);
        rig.Commit();
        BlockRef damaged = rig.Blockset[0];
        Assert.AreEqual(BlockRefType.FreemapNode, damaged.Type);
        rig.WriteAt((long)damaged.Physical.Offset + 200, [0xEE]);
        rig.Reopen();
        PhysicalOffset block = rig.Allocator.Allocate(BlockRefType.Inode, 10, 0);
        Assert.IsGreaterThanOrEqualTo(256UL << 30, block.Offset);
        rig.Commit();
        Assert.AreEqual(damaged.DataOff, rig.Blockset[0].DataOff);
        Assert.AreEqual(damaged.Check32, rig.Blockset[0].Check32);
    }

    [TestMethod]
    public void AReferenceToAForeignPlaceIsNotFollowed()
    {
        using FreemapRig rig = FreemapRig.Format(2 * Gib);
        MarkUsed(rig, null, 0);
        rig.Commit();
        byte[] leaf = new byte[32768];
        rig.Reader.ReadStored(rig.Blockset[0], leaf);
        BlockRef foreign = rig.Blockset[0];
        foreign.DataOff = (ulong)(100 * Mib) | 15;
        rig.WriteAt(100 * Mib, leaf);
        using FreemapRig crafted = WithBlockset(rig, [foreign, default, default, default]);
        Assert.IsGreaterThanOrEqualTo(1UL << 30, crafted.Allocator.Allocate(BlockRefType.Data, 16, 0).Offset);
        crafted.Commit();
        Assert.AreEqual(foreign.DataOff, crafted.Blockset[0].DataOff);
    }

    [TestMethod]
    public void SeveralVolumesAreOneSpace()
    {
        MemoryBlockDevice[] devices = Images.GoldenImages.Get("multi-volume").CloneDevices();
        using var rig = new FreemapRig([.. devices], 1 << 20);
        List<BlockRef> refs = UsedBlocks.Of(devices);
        FreemapChecker before = FreemapChecker.Run(devices, refs.Select(r => r.Physical));
        before.AssertClean();
        var model = new SpaceModel(rig.Header.AllocatorBegin, rig.Header.LogicalSize);
        while (model.TryAllocate(rig.Allocator, BlockRefType.Data, 16, ClaimLevel.Write))
        {
        }

        Assert.IsTrue(model.Blocks.Any(b => b.Offset > (ulong)(3 * Gib)), "the last volume is used too");
        rig.Commit();
        FreemapChecker.Run(devices, [.. refs.Select(r => r.Physical), .. model.Blocks]).AssertClean();
        Assert.IsFalse(Overlap(refs.Select(r => r.Physical), model.Blocks));
    }

    internal static bool Overlap(IEnumerable<PhysicalOffset> one, IEnumerable<PhysicalOffset> other)
    {
        HashSet<ulong> units = [.. one.Where(b => b.HasData).SelectMany(Units)];
        return other.SelectMany(Units).Any(units.Contains);
        static IEnumerable<ulong> Units(PhysicalOffset block) => Enumerable.Range(0, block.Bytes >> 10).Select(i => (block.Offset >> 10) + (ulong)i);
    }

    private static PhysicalOffset BlockIn(long zone) => new(((ulong)zone << 30) + 300 * (ulong)Mib + 65536 * (ulong)(zone % 60) | 16);

    private static void MarkUsed(FreemapRig rig, SpaceModel? model, long zone)
    {
        PhysicalOffset block = BlockIn(zone);
        rig.Allocator.MarkUsed(new BlockRef { Type = BlockRefType.Data, DataOff = block.Raw });
        model?.Add(BlockRefType.Data, 16, block);
    }

    private static FreemapRig WithBlockset(FreemapRig rig, BlockRef[] blockset)
    {
        byte[] header = rig.Header.Bytes.ToArray();
        MemoryMarshal.AsBytes(blockset.AsSpan()).CopyTo(header.AsSpan(VolumeHeader.FreemapOffset));
        BitConverter.TryWriteBytes(header.AsSpan(0x78), rig.MirrorTid + 1);
        VolumeHeader.Seal(header);
        rig.WriteAt(0, header);
        return new FreemapRig(rig.Devices);
    }
}
