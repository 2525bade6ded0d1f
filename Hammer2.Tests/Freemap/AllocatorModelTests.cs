// The allocator against the reference model: random allocations, claims, discards, retains, commits and remounts, on
// volumes from 32 MiB up, with every committed state held against the strict rules of the format. And the promise that
// matters most: what a claim was accepted for can be allocated, in any order, however fragmented the space is.

using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;
using Hammer2.Engine.Primitives;
using Hammer2.Tests.Hostile;

namespace Hammer2.Tests.Freemap;

[TestClass]
public sealed class AllocatorModelTests
{
    private const long Mib = FreemapRig.Mib;
    private static readonly BlockRefType[] s_types = [BlockRefType.Inode, BlockRefType.Indirect, BlockRefType.Data, BlockRefType.Dirent];

    [TestMethod]
    [DataRow(32L, 3000)]
    [DataRow(40L, 4000)]
    [DataRow(96L, 6000)]
    [DataRow(1024L, 6000)]
    [DataRow(1032L, 6000)]
    [DataRow(2060L, 6000)]
    public void RandomOperationsGiveLegalStates(long mib, int operations)
    {
        int seed = HammerSeed.Get();
        var random = new Random(seed);
        using FreemapRig rig = FreemapRig.Format(mib / 8 * 8 * Mib);
        var model = new SpaceModel(rig.Header.AllocatorBegin, rig.Header.LogicalSize);
        int fragments = random.Next(100);
        int discards = random.Next(60);
        for (int i = 0; i < operations; i++)
        {
            int what = random.Next(100);
            if (what < 2)
                Commit(rig, model, reopen: what == 0);
            else if (what < 2 + discards)
                DiscardOne(rig, model, random);
            else
                model.TryAllocate(rig.Allocator, s_types[random.Next(4)], random.Next(100) < fragments ? random.Next(10, 14) : random.Next(14, 17));
        }

        Commit(rig, model, reopen: true);
        Assert.IsTrue(rig.Allocator.Claimed.IsEmpty);
    }

    [TestMethod]
    [DataRow(32L)]
    [DataRow(48L)]
    [DataRow(256L)]
    public void AcceptedClaimsCanAlwaysBeAllocated(long mib)
    {
        int seed = HammerSeed.Get();
        for (int round = 0; round < 40; round++)
        {
            var random = new Random(seed + round);
            using FreemapRig rig = FreemapRig.Format(mib * Mib);
            var model = new SpaceModel(rig.Header.AllocatorBegin, rig.Header.LogicalSize);
            Fragment(rig, model, random);
            if (random.Next(2) == 0)
                Commit(rig, model, reopen: true);
            int accepted = PromiseAndKeep(rig, model, random);
            Commit(rig, model, reopen: false);
            Console.WriteLine($"round {round}: {accepted} claims accepted, {rig.Allocator.FreeBytes >> 10} KiB left");
        }
    }

    [TestMethod]
    public void SmallBlocksDoNotBreakPromisedGroups()
    {
        // Half of the groups are free, the others have one free block each; everything is promised, and the small blocks
        // come first. Only if they go into the remainders are there groups left for the large ones.
        using FreemapRig rig = FreemapRig.Format(64 * Mib);
        var model = new SpaceModel(rig.Header.AllocatorBegin, rig.Header.LogicalSize);
        while (model.TryAllocate(rig.Allocator, BlockRefType.Data, 14))
        {
        }

        int groups = 0;
        var claim = new SpaceClaim();
        for (int i = model.Live.Count - 1; i >= 0; i--)
        {
            ulong block = model.Live[i].Block.Offset >> 14;
            if ((block >> 2) % 2 == 0 || block % 4 == 3)
                rig.Allocator.Discard(BlockRefType.Data, model.RemoveAt(i).Block);
            if (block % 4 == 0)
                claim.AddBlock((block >> 2) % 2 == 0 ? 16 : 14);
            groups += block % 8 == 0 ? 1 : 0;
        }

        Assert.AreEqual(groups, claim.Groups);
        Assert.IsTrue(rig.Allocator.TryClaim(claim, ClaimLevel.Remove));
        Assert.IsFalse(rig.Allocator.TryClaim(SpaceClaim.OfBlock(10), ClaimLevel.Remove), "everything is promised");
        for (long i = claim.Blocks; i > 0; i--)
            model.Add(s_types[i % 4], 14, rig.Allocator.Allocate(s_types[i % 4], 14, 0));
        for (long i = claim.Groups; i > 0; i--)
            model.Add(s_types[i % 4], 16, rig.Allocator.Allocate(s_types[i % 4], 16, 0));
        rig.Allocator.Release(claim);
        Commit(rig, model, reopen: true);
    }

    [TestMethod]
    public void RefusedClaimsWouldReallyNotFit()
    {
        // The other side of the promise: a volume is not called full while much of it is free.
        using FreemapRig rig = FreemapRig.Format(64 * Mib);
        var model = new SpaceModel(rig.Header.AllocatorBegin, rig.Header.LogicalSize);
        while (model.TryAllocate(rig.Allocator, BlockRefType.Data, 16, ClaimLevel.Write))
        {
        }

        long free = rig.Allocator.AllocatableBytes - model.Live.Count * 65536L;
        Assert.IsLessThanOrEqualTo(rig.Allocator.ReserveBytes + 65536, free);
        Assert.IsGreaterThanOrEqualTo(rig.Allocator.ReserveBytes, free);
        while (model.TryAllocate(rig.Allocator, BlockRefType.Inode, 14, ClaimLevel.Metadata))
        {
        }

        free = rig.Allocator.AllocatableBytes - model.Live.Sum(l => (long)l.Block.Bytes);
        Assert.IsLessThanOrEqualTo(rig.Allocator.ReserveBytes / 2 + 16384, free);
        while (model.TryAllocate(rig.Allocator, BlockRefType.Indirect, 14))
        {
        }

        Assert.AreEqual(rig.Allocator.AllocatableBytes, model.Live.Sum(l => (long)l.Block.Bytes), "deletes may use everything");
        Assert.AreEqual(Hammer2Error.NoSpace, Assert.ThrowsExactly<Hammer2Exception>(() => rig.Allocator.Allocate(BlockRefType.Inode, 10, 0)).Error);
        Commit(rig, model, reopen: true);
        Assert.IsFalse(rig.Allocator.TryClaim(SpaceClaim.OfBlock(10), ClaimLevel.Remove));
    }

    [TestMethod]
    public void FailedRunGivesBackWhatItTook()
    {
        using FreemapRig rig = FreemapRig.Format(32 * Mib);
        int[] radixes = [.. Enumerable.Repeat(16, (int)(rig.Allocator.AllocatableBytes >> 16) + 1)];
        var result = new PhysicalOffset[radixes.Length];
        Assert.ThrowsExactly<Hammer2Exception>(() => rig.Allocator.AllocateRun(BlockRefType.Data, radixes, result));
        rig.Allocator.AllocateRun(BlockRefType.Data, radixes.AsSpan(1), result);
        Assert.HasCount(radixes.Length - 1, result.Take(radixes.Length - 1).Distinct().ToList());
    }

    [TestMethod]
    public void ConcurrentCallersGetDifferentBlocks()
    {
        int seed = HammerSeed.Get();
        using FreemapRig rig = FreemapRig.Format(1024 * Mib);
        var model = new SpaceModel(rig.Header.AllocatorBegin, rig.Header.LogicalSize);
        Parallel.For(0, 8, worker =>
        {
            var random = new Random(seed + worker);
            for (int i = 0; i < 2000; i++)
            {
                BlockRefType type = s_types[random.Next(4)];
                int radix = random.Next(10, 17);
                PhysicalOffset block = rig.Allocator.Allocate(type, radix, 0);
                if (random.Next(3) == 0)
                {
                    rig.Allocator.Discard(type, block);
                    continue;
                }

                lock (model)
                    model.Add(type, radix, block);
            }
        });
        Commit(rig, model, reopen: true);
    }

    // Fills a part of the volume with blocks of all sizes and gives back a random part of them.
    private static void Fragment(FreemapRig rig, SpaceModel model, Random random)
    {
        long fill = rig.Allocator.AllocatableBytes / 100 * random.Next(100);
        int keep = random.Next(1, 100);
        int small = random.Next(100);
        while (model.Live.Count < 20_000 && rig.Allocator.AllocatableBytes - rig.Allocator.FreeBytes + 4 * Mib < fill)
        {
            if (!model.TryAllocate(rig.Allocator, s_types[random.Next(4)], random.Next(100) < small ? random.Next(10, 15) : random.Next(14, 17)))
                break;
        }

        for (int i = model.Live.Count - 1; i >= 0; i--)
        {
            if (random.Next(100) < keep)
                continue;
            (BlockRefType type, PhysicalOffset block) = model.RemoveAt(i);
            rig.Allocator.Discard(type, block);
        }
    }

    private static int PromiseAndKeep(FreemapRig rig, SpaceModel model, Random random)
    {
        var pending = new List<(SpaceClaim Claim, List<(BlockRefType Type, int Radix)> Blocks)>();
        int accepted = 0;
        int refused = 0;
        int bias = random.Next(3);
        int pendingMax = random.Next(2) == 0 ? random.Next(1, 50) : int.MaxValue;
        while (refused < 60)
        {
            var blocks = new List<(BlockRefType, int)>();
            var claim = new SpaceClaim();
            for (int i = random.Next(1, 30); i > 0; i--)
            {
                int radix = bias == 0 ? random.Next(10, 14) : bias == 1 ? 14 + 2 * random.Next(2) : random.Next(10, 17);
                blocks.Add((s_types[random.Next(4)], radix));
                claim.AddBlock(radix);
            }

            if (rig.Allocator.TryClaim(claim, (ClaimLevel)random.Next(3)))
            {
                pending.Add((claim, blocks));
                accepted++;
            }
            else
            {
                refused++;
            }

            // Promises are kept late and in any order, or given back.
            while (pending.Count > pendingMax)
            {
                int index = random.Next(pending.Count);
                if (random.Next(10) > 0)
                    Keep(rig, model, pending[index].Blocks, random);
                rig.Allocator.Release(pending[index].Claim);
                pending.RemoveAt(index);
            }
        }

        // What is still promised comes at once: the worst order is small blocks first.
        List<(BlockRefType Type, int Radix)> rest = [.. pending.SelectMany(p => p.Blocks)];
        Keep(rig, model, random.Next(2) == 0 ? [.. rest.OrderBy(b => b.Radix)] : [.. rest.OrderBy(_ => random.Next())], random);
        foreach ((SpaceClaim claim, _) in pending)
            rig.Allocator.Release(claim);
        return accepted;
    }

    // Sometimes a block needs less than was promised for it: compression did better than feared.
    private static void Keep(FreemapRig rig, SpaceModel model, List<(BlockRefType Type, int Radix)> blocks, Random random)
    {
        int better = random.Next(2) * 25;
        foreach ((BlockRefType type, int radix) in blocks)
        {
            int actual = radix > 14 && random.Next(100) < better ? random.Next(14, radix + 1) : radix;
            model.Add(type, actual, rig.Allocator.Allocate(type, actual, 0));
        }
    }

    private static void DiscardOne(FreemapRig rig, SpaceModel model, Random random)
    {
        if (model.Committed >= model.Live.Count)
            return;
        int index = random.Next(model.Committed, model.Live.Count);
        (BlockRefType type, PhysicalOffset block) = model.RemoveAt(index);
        rig.Allocator.Discard(type, block);
    }

    private static void Commit(FreemapRig rig, SpaceModel model, bool reopen)
    {
        rig.Commit();
        model.Committed = model.Live.Count;
        Assert.IsFalse(rig.Allocator.IsDirty);
        FreemapChecker.Run(rig.Devices, model.Blocks).AssertClean();
        if (reopen)
            rig.Reopen();
    }
}
