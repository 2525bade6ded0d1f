// Bulkfree while others allocate, share and give back: nothing in use is ever freed, and in the end everything unused is.
// And bulkfree on trees that lie: loops, wrong types, keys out of range, impossible addresses; it ends and frees nothing.

using System.Runtime.InteropServices;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;
using Hammer2.Tests.Hostile;

namespace Hammer2.Tests.Freemap;

[TestClass]
public sealed class BulkfreeLiveTests
{
    [TestMethod]
    public void PassesDuringTrafficNeverFreeWhatIsInUse()
    {
        int seed = HammerSeed.Get();
        using FreemapRig rig = FreemapRig.Format(2L << 30);
        var model = new SpaceModel(rig.Header.AllocatorBegin, rig.Header.LogicalSize);
        BlockRef[] superRoot = [Craft.SuperRootOver(rig), default, default, default];
        PhysicalOffset[] metadata = [new(40UL << 20 | 10), new(40UL << 20 | 1024 | 10)];
        rig.Commit(superRoot);
        using var stop = new CancellationTokenSource();
        Task[] traffic = [.. Enumerable.Range(0, 2).Select(i => Task.Run(() => Traffic(rig.Allocator, model, new Random(seed + i), stop.Token)))];
        for (int pass = 0; pass < 12; pass++)
        {
            PassOver(rig, model, superRoot);
            lock (model)
            {
                rig.Commit(superRoot);
                FreemapChecker.Run(rig.Devices, [.. model.Blocks, .. metadata], exactFree: false).AssertClean();
            }
        }

        stop.Cancel();
        Task.WaitAll(traffic, CancellationToken.None);
        for (int pass = 0; pass < 2; pass++)
        {
            PassOver(rig, model, superRoot);
            rig.Commit(superRoot);
        }

        FreemapChecker after = FreemapChecker.Run(rig.Devices, [.. model.Blocks, .. metadata]);
        after.AssertClean();
        long expected = model.Blocks.Concat(metadata).SelectMany(b => Enumerable.Range(0, (b.Bytes + 16383) / 16384).Select(i => (b.Offset >> 14) + (ulong)i)).Distinct().LongCount();
        Assert.AreEqual(expected, after.Blocks[3]);
        Assert.AreEqual(0L, after.Blocks[2]);
    }

    [TestMethod]
    public void LyingTreesFreeNothingAndEnd()
    {
        foreach ((string what, Func<FreemapRig, BlockRef> craft) in Lies())
        {
            using FreemapRig rig = FreemapRig.Format(64L << 20);
            rig.Allocator.Allocate(BlockRefType.Data, 16, 0);
            BlockRef[] superRoot = [craft(rig), default, default, default];
            rig.Commit(superRoot);
            using var pass = new Bulkfree(rig.Reader, superRoot, rig.Allocator, rig.Log);
            BulkfreeReport report = pass.Run();
            Assert.IsGreaterThan(0, report.Damaged, what);
            Assert.AreEqual(0L, report.StagedBlocks + report.FreedBlocks, what);
        }
    }

    [TestMethod]
    public void SharedTreesAreFollowedOnce()
    {
        // A thousand snapshots of one tree: the walk costs as much as one.
        using FreemapRig rig = FreemapRig.Format(64L << 20);
        BlockRef[] data = [.. Enumerable.Range(0, 128).Select(i => new BlockRef { Type = BlockRefType.Data, Methods = 0x30, KeyBits = 16, Key = (ulong)i << 16, DataOff = (48UL << 20) + (ulong)i * 65536 | 16 })];
        BlockRef indirect = Craft.Indirect(rig, 46UL << 20, 0, 23, data);
        BlockRef[] snapshots = [.. Enumerable.Range(0, 128).Select(i => Craft.Inode(rig, (42UL << 20) + (ulong)i * 1024, (ulong)i + 1, ObjectType.Directory, [indirect]))];
        BlockRef index = Craft.Indirect(rig, 45UL << 20, 0, 8, snapshots);
        BlockRef[] superRoot = [Craft.Inode(rig, 44UL << 20, 0, ObjectType.Directory, [index]), default, default, default];
        rig.Commit(superRoot);
        using var pass = new Bulkfree(rig.Reader, superRoot, rig.Allocator, rig.Log);
        BulkfreeReport report = pass.Run();
        Assert.AreEqual(0L, report.Damaged);
        Assert.AreEqual(1L + 1 + 128 + 128 + 128, report.References, "the shared data is met once");
    }

    // Stands for the files of a mounted volume: what the model has is in use, though no tree on the medium says so.
    private static void PassOver(FreemapRig rig, SpaceModel model, BlockRef[] superRoot)
    {
        Bulkfree pass;
        lock (model)
        {
            rig.Commit(superRoot);
            BlockRef[][] open = [.. model.Live.Select((l, i) => (BlockRef[])[new BlockRef { Type = BlockRefType.Data, Methods = 0x30, KeyBits = 16, Key = (ulong)i << 16, DataOff = l.Block.Raw }, default, default, default])];
            pass = new Bulkfree(rig.Reader, superRoot, rig.Allocator, rig.Log, new BulkfreeOptions { OpenBlocksets = open });
        }

        using (pass)
            Assert.AreEqual(0L, pass.Run().Damaged);
    }

    private static void Traffic(FreemapAllocator allocator, SpaceModel model, Random random, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            lock (model)
            {
                if (model.Live.Count > 2000 || model.Live.Count > 0 && random.Next(3) == 0)
                {
                    (BlockRefType type, PhysicalOffset block) = model.RemoveAt(random.Next(model.Live.Count));

                    // Half is given back, half is only forgotten, as blocks of committed files are.
                    if (random.Next(2) == 0)
                        allocator.Discard(type, block);
                }
                else
                {
                    var type = (BlockRefType)random.Next(1, 5);
                    int radix = random.Next(10, 17);
                    model.Add(type, radix, allocator.Allocate(type, radix, 0));
                }
            }
        }
    }

    private static IEnumerable<(string What, Func<FreemapRig, BlockRef> Craft)> Lies()
    {
        yield return ("a leaf of the freemap among files", rig => Over(rig, new BlockRef { Type = BlockRefType.FreemapLeaf, Methods = 0x50, KeyBits = 30, DataOff = 65536 | 15 }));
        yield return ("an unknown type", rig => Over(rig, new BlockRef { Type = (BlockRefType)77, DataOff = (41UL << 20) | 10 }));
        yield return ("an address outside", rig => Over(rig, new BlockRef { Type = BlockRefType.Data, KeyBits = 16, DataOff = (41UL << 30) | 16 }));
        yield return ("a radix of 63", rig => Over(rig, new BlockRef { Type = BlockRefType.Data, KeyBits = 16, DataOff = (41UL << 20) | 63 }));
        yield return ("a block across 64 KiB", rig => Over(rig, new BlockRef { Type = BlockRefType.Data, KeyBits = 16, DataOff = (41UL << 20) + 4096 | 16 }));
        yield return ("an inode that is not there", rig => Over(rig, new BlockRef { Type = BlockRefType.Inode, Methods = 0x30, Key = 5, DataOff = (41UL << 20) | 10 }));
        yield return ("unsorted keys", rig => Over(rig, Data(5), Data(3)));
        yield return ("children outside the parent's range", rig => Over(rig, Craft.Indirect(rig, 46UL << 20, 0, 17, [Data(0), Data(9)])));
        yield return ("an indirect block that contains itself", rig =>
        {
            var self = new BlockRef { Type = BlockRefType.Indirect, Methods = 0x10, KeyBits = 40, DataOff = 46UL << 20 | 12 };
            byte[] block = new byte[4096];
            MemoryMarshal.Write(block, self);
            MemoryMarshal.Write(block.AsSpan(128), new BlockRef { Type = (BlockRefType)99, Key = 1UL << 41 });
            rig.WriteAt(46L << 20, block);
            return Over(rig, self);
        }
        );
        yield return ("inodes in inodes without end", rig =>
        {
            BlockRef inode = Craft.Inode(rig, 46UL << 20, 3, ObjectType.File, []);
            for (ulong i = 1; i < 80; i++)
                inode = Craft.Inode(rig, (46UL << 20) + i * 1024, 3, ObjectType.Directory, [inode]);
            return Over(rig, inode);
        }
        );
    }

    private static BlockRef Data(ulong block) => new() { Type = BlockRefType.Data, KeyBits = 16, Key = block << 16, DataOff = (42UL << 20) + (block << 16) | 16 };

    private static BlockRef Over(FreemapRig rig, params BlockRef[] refs) =>
        Craft.Inode(rig, 44UL << 20, 0, ObjectType.Directory, [Craft.Inode(rig, (44UL << 20) + 1024, 1, ObjectType.Directory, refs)]);
}
