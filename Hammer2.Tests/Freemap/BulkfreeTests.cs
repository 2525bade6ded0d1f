// Bulkfree on golden images and crafted states: after two passes with a commit between, the bitmaps say exactly what a
// plain walk finds in use; blocks that change hands meanwhile are left alone; damage frees nothing; windows, cancelling
// and files that are open without a name. Rebuilding gives the same bitmaps at once.

using System.Runtime.InteropServices;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;
using Hammer2.Engine.Primitives;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Freemap;

[TestClass]
public sealed class BulkfreeTests
{
    [TestMethod]
    [DataRow("churn")]
    [DataRow("small-mixed")]
    [DataRow("multi-pfs")]
    [DataRow("multi-volume")]
    [DataRow("bigdir")]
    [DataRow("grown")]
    [DataRow("check-none")]
    [DataRow("empty")]
    public void TwoPassesFreeExactlyWhatNothingRefersTo(string image)
    {
        MemoryBlockDevice[] devices = GoldenImages.Get(image).CloneDevices();
        List<PhysicalOffset> used = [.. UsedBlocks.Of(devices).Select(r => r.Physical)];
        using var rig = new FreemapRig([.. devices]);
        FreemapChecker before = FreemapChecker.Run(devices, used, exactFree: false);
        before.AssertClean();
        long freeBefore = rig.Allocator.FreeBytes;

        BulkfreeReport first = Pass(rig);
        rig.Commit(rig.Header.SuperRoot.ToArray());
        FreemapChecker between = FreemapChecker.Run(devices, used, exactFree: false);
        between.AssertClean();
        Assert.AreEqual(0L, first.Damaged);
        Assert.AreEqual(between.Blocks[2], first.StagedBlocks + before.Blocks[2] - first.FreedBlocks);
        Assert.AreEqual(before.Blocks[2], first.FreedBlocks, "staged by an earlier pass");

        rig.Reopen();
        BulkfreeReport second = Pass(rig);
        rig.Commit(rig.Header.SuperRoot.ToArray());
        FreemapChecker after = FreemapChecker.Run(devices, used, exactFree: false);
        after.AssertClean();
        Assert.AreEqual(first.StagedBlocks, second.FreedBlocks);
        Assert.AreEqual(0L, second.StagedBlocks + second.RestoredBlocks + second.CorrectedBlocks);
        Assert.AreEqual(Blocks16(rig, used), after.Blocks[3], "allocated is what is in use");
        Assert.AreEqual(0L, after.Blocks[2]);
        Assert.AreEqual(freeBefore + (first.FreedBlocks + second.FreedBlocks) * 16384, rig.Allocator.FreeBytes);
        Console.WriteLine($"{image}: {first.References} references, {first.StagedBlocks} blocks freed, {used.Count} in use");

        BulkfreeReport third = Pass(rig);
        Assert.AreEqual(0, third.LeavesChanged);
        Assert.IsFalse(rig.Allocator.IsDirty);
    }

    [TestMethod]
    [DataRow(1L << 10)]
    [DataRow(60L << 10)]
    public void SmallWindowsGiveTheSameResult(long memory)
    {
        MemoryBlockDevice[] devices = GoldenImages.Get("multi-volume").CloneDevices();
        using var rig = new FreemapRig([.. devices]);
        List<PhysicalOffset> used = [.. UsedBlocks.Of(devices).Select(r => r.Physical)];
        var options = new BulkfreeOptions { MemoryBytesMax = memory };
        for (int i = 0; i < 2; i++)
        {
            BulkfreeReport report = Pass(rig, options);
            Assert.AreEqual(0L, report.Damaged);
            rig.Commit(rig.Header.SuperRoot.ToArray());
        }

        FreemapChecker after = FreemapChecker.Run(devices, used, exactFree: false);
        after.AssertClean();
        Assert.AreEqual(Blocks16(rig, used), after.Blocks[3]);
    }

    [TestMethod]
    public void ZonesBeyondTheMemoryAreTakenInFurtherWindows()
    {
        // Six zones in use and memory for four: two walks, and each zone merged once.
        using FreemapRig rig = FreemapRig.Format(40L << 30);
        BlockRef[] files = new BlockRef[6];
        var model = new SpaceModel(rig.Header.AllocatorBegin, rig.Header.LogicalSize);
        for (int i = 0; i < files.Length; i++)
        {
            ulong offset = ((ulong)(35 - i * 7) << 30) + (100UL << 20);
            files[i] = new BlockRef { Type = BlockRefType.Data, Methods = 0x30, KeyBits = 16, Key = (ulong)i << 16, DataOff = offset | 16 };
            rig.Allocator.MarkUsed(files[i]);
            rig.Allocator.MarkUsed(files[i] with { DataOff = offset + 65536 | 16 });
            model.Add(BlockRefType.Data, 16, files[i].Physical);
        }

        BlockRef superRoot = Craft.SuperRootOver(rig, files[..4], files[4..]);
        rig.Commit([superRoot, default, default, default]);
        rig.Reopen();
        var options = new BulkfreeOptions { MemoryBytesMax = 1 << 10 };
        BulkfreeReport first = Pass(rig, options);
        Assert.AreEqual(2, first.Windows);
        Assert.AreEqual(6 * 4, first.StagedBlocks);
        rig.Commit(rig.Header.SuperRoot.ToArray());
        Assert.AreEqual(6 * 4, Pass(rig, options).FreedBlocks);
        rig.Commit(rig.Header.SuperRoot.ToArray());
        FreemapChecker.Run(rig.Devices, model.Blocks, exactFree: false).AssertClean();
    }

    [TestMethod]
    public void BlocksThatChangeHandsDuringThePassAreLeftAlone()
    {
        MemoryBlockDevice[] devices = GoldenImages.Get("churn").CloneDevices();
        using var rig = new FreemapRig([.. devices]);
        HashSet<ulong> used = [.. UsedBlocks.Of(devices).SelectMany(r => Numbers(r.Physical))];
        FreemapChecker before = FreemapChecker.Run(devices, exactFree: false);
        ulong[] leaked = [.. AllocatedBlocks(before).Where(b => !used.Contains(b)).Take(80)];
        Assert.HasCount(80, leaked, "the image has something to free");
        var fresh = new List<PhysicalOffset>();
        using (var pass = new Bulkfree(rig.Reader, rig.Header.SuperRoot, rig.Allocator, rig.Log))
        {
            foreach (ulong block in leaked[..40])
                Assert.IsTrue(rig.Allocator.TryRetain(new PhysicalOffset(block << 14 | 14)));
            for (int i = 0; i < 40; i++)
                fresh.Add(rig.Allocator.Allocate((BlockRefType)(1 + i % 4), 10 + i % 7, 0));
            rig.Commit(rig.Header.SuperRoot.ToArray());
            for (int i = 0; i < 40; i++)
                fresh.Add(rig.Allocator.Allocate((BlockRefType)(1 + i % 4), 10 + i % 7, 0));
            BulkfreeReport report = pass.Run();
            Assert.IsGreaterThanOrEqualTo(40, report.KeptBlocks);
        }

        rig.Commit(rig.Header.SuperRoot.ToArray());
        FreemapChecker after = FreemapChecker.Run(devices, fresh, exactFree: false);
        after.AssertClean();
        foreach (ulong block in leaked[..40])
            Assert.AreEqual(FreemapState.Allocated, after.StateOf(block << 14));

        // Where the image's last fragments lie, new ones were put behind them: those blocks changed hands too.
        foreach (ulong block in leaked[40..].Except(fresh.Select(b => b.Offset >> 14)))
            Assert.AreEqual(FreemapState.PossiblyFree, after.StateOf(block << 14));

        // Staged blocks are allocatable for nobody, but a dedup hit makes them allocated again.
        ulong staged = leaked[40..].First(b => after.StateOf(b << 14) == FreemapState.PossiblyFree);
        Assert.IsTrue(rig.Allocator.TryRetain(new PhysicalOffset(staged << 14 | 14)));
        rig.Commit(rig.Header.SuperRoot.ToArray());
        Assert.AreEqual(FreemapState.Allocated, FreemapChecker.Run(devices, exactFree: false).StateOf(staged << 14));
    }

    [TestMethod]
    public void FreeFragmentsOfFreedBlocksAreForgotten()
    {
        // A discarded fragment waits for reuse in a block that bulkfree then frees: it must not be handed out from memory too.
        using FreemapRig rig = FreemapRig.Format(64L << 20);
        PhysicalOffset[] inodes = [.. Enumerable.Range(0, 16).Select(_ => rig.Allocator.Allocate(BlockRefType.Inode, 10, 0))];
        rig.Allocator.Discard(BlockRefType.Inode, inodes[3]);
        BlockRef superRoot = Craft.SuperRootOver(rig);
        rig.Commit([superRoot, default, default, default]);
        Pass(rig, superRoot: [superRoot, default, default, default]);
        rig.Commit();
        Assert.AreEqual(FreemapState.PossiblyFree, FreemapChecker.Run(rig.Devices).StateOf(inodes[3].Offset));
        PhysicalOffset next = rig.Allocator.Allocate(BlockRefType.Inode, 10, 0);
        Assert.AreNotEqual(inodes[3].Offset >> 14, next.Offset >> 14);
        Pass(rig, superRoot: [superRoot, default, default, default]);
        rig.Commit();
        FreemapChecker.Run(rig.Devices, [next]).AssertClean();
    }

    [TestMethod]
    public void ABlockThatWasSharedOnceIsOrdinaryAfterItWasFreed()
    {
        using FreemapRig rig = FreemapRig.Format(64L << 20);
        PhysicalOffset block = rig.Allocator.Allocate(BlockRefType.Data, 16, 0);
        Assert.IsTrue(rig.Allocator.TryRetain(block));
        BlockRef[] superRoot = [Craft.SuperRootOver(rig), default, default, default];
        for (int i = 0; i < 2; i++)
        {
            rig.Commit(superRoot);
            Pass(rig, superRoot: superRoot);
        }

        Assert.IsFalse(rig.Allocator.TryRetain(block));
        while (rig.Allocator.Allocate(BlockRefType.Data, 16, 0) != block)
        {
        }

        rig.Allocator.Discard(BlockRefType.Data, block);
        Assert.IsFalse(rig.Allocator.TryRetain(block), "given back");
    }

    [TestMethod]
    public void OpenFilesWithoutANameKeepTheirBlocks()
    {
        using FreemapRig rig = FreemapRig.Format(64L << 20);
        PhysicalOffset data = rig.Allocator.Allocate(BlockRefType.Data, 16, 0);
        PhysicalOffset lost = rig.Allocator.Allocate(BlockRefType.Data, 16, 0);
        BlockRef superRoot = Craft.SuperRootOver(rig);
        rig.Commit([superRoot, default, default, default]);
        BlockRef[] open = [new BlockRef { Type = BlockRefType.Data, Methods = 0x30, KeyBits = 16, DataOff = data.Raw }, default, default, default];
        BulkfreeReport report = Pass(rig, new BulkfreeOptions { OpenBlocksets = [open] }, [superRoot, default, default, default]);
        Assert.AreEqual(4, report.StagedBlocks);
        rig.Commit();
        FreemapChecker after = FreemapChecker.Run(rig.Devices, [data]);
        after.AssertClean();
        Assert.AreEqual(FreemapState.PossiblyFree, after.StateOf(lost.Offset));
    }

    [TestMethod]
    public void DamageFreesNothing()
    {
        MemoryBlockDevice[] devices = GoldenImages.Get("churn").CloneDevices();
        BlockRef victim = UsedBlocks.Of(devices).Last(r => r.Type == BlockRefType.Indirect);
        devices[0].Write((long)victim.Physical.Offset + 200, [0xEE, 0xDD]);
        using var rig = new FreemapRig([.. devices]);
        for (int i = 0; i < 2; i++)
        {
            BulkfreeReport report = Pass(rig);
            Assert.AreEqual(1L, report.Damaged);
            Assert.HasCount(1, report.Failures);
            Assert.AreEqual(0L, report.StagedBlocks + report.FreedBlocks);
            rig.Commit(rig.Header.SuperRoot.ToArray());
        }

        using var pass = new Bulkfree(rig.Reader, rig.Header.SuperRoot, rig.Allocator, rig.Log);
        Assert.AreEqual(1L, pass.Rebuild().Damaged);
        Assert.IsFalse(rig.Allocator.IsDirty, "nothing is replaced on half the truth");
    }

    [TestMethod]
    public void BlocksInUseThatWereFreeAreAllocatedAgain()
    {
        MemoryBlockDevice[] devices = GoldenImages.Get("small-mixed").CloneDevices();
        List<PhysicalOffset> used = [.. UsedBlocks.Of(devices).Select(r => r.Physical)];
        using var rig = new FreemapRig([.. devices]);
        EmptyLeaf(rig, 0);
        Assert.IsNotEmpty(FreemapChecker.Run(devices, used, exactFree: false).Violations, "the checker sees the damage");
        rig.Reopen();
        BulkfreeReport report = Pass(rig);
        Assert.IsGreaterThan(100, report.CorrectedBlocks);
        rig.Commit(rig.Header.SuperRoot.ToArray());
        FreemapChecker.Run(devices, used, exactFree: false).AssertClean();
    }

    [TestMethod]
    public void CancellingLeavesTheFreemapAlone()
    {
        MemoryBlockDevice[] devices = GoldenImages.Get("churn").CloneDevices();
        using var rig = new FreemapRig([.. devices]);
        using var stop = new CancellationTokenSource();
        var options = new BulkfreeOptions { Progress = new Immediate(stop.Cancel) };
        Assert.ThrowsExactly<OperationCanceledException>(() => Pass(rig, options, stop: stop.Token));
        Assert.IsFalse(rig.Allocator.IsDirty);
        Assert.IsGreaterThan(0, Pass(rig).StagedBlocks, "and another pass may follow");
    }

    [TestMethod]
    public void OnePassAtATime()
    {
        using FreemapRig rig = FreemapRig.Format(64L << 20);
        using var pass = new Bulkfree(rig.Reader, rig.Header.SuperRoot, rig.Allocator, rig.Log);
        Assert.AreEqual(
            Hammer2Error.InUse,
            Assert.ThrowsExactly<Hammer2Exception>(() => new Bulkfree(rig.Reader, rig.Header.SuperRoot, rig.Allocator, rig.Log)).Error);
    }

    [TestMethod]
    public void ManyChangedLeavesAreCommittedInBetween()
    {
        using FreemapRig rig = FreemapRig.Format(100L << 30, memoryBytes: 1 << 20);
        for (ulong zone = 0; zone < 100; zone++)
            rig.Allocator.MarkUsed(new BlockRef { Type = BlockRefType.Data, DataOff = (zone << 30) + (100UL << 20) | 16 });
        BlockRef superRoot = Craft.SuperRootOver(rig);
        BlockRef[] blockset = [superRoot, default, default, default];
        rig.Commit(blockset);
        int commits = 0;
        var options = new BulkfreeOptions
        {
            DirtyLeavesMax = 10,
            Commit = () =>
            {
                Assert.IsLessThanOrEqualTo(11, rig.Allocator.DirtyLeaves);
                rig.Commit(blockset);
                commits++;
            },
        };
        Assert.AreEqual(400L, Pass(rig, options, blockset).StagedBlocks);
        rig.Commit(blockset);
        Assert.AreEqual(400L, Pass(rig, options, blockset).FreedBlocks);
        rig.Commit(blockset);
        Assert.IsGreaterThan(10, commits);
        FreemapChecker.Run(rig.Devices, exactFree: false).AssertClean();
    }

    [TestMethod]
    [DataRow("churn")]
    [DataRow("small-mixed")]
    [DataRow("multi-volume")]
    [DataRow("grown")]
    [DataRow("dmg-freemap-leaf")]
    public void RebuildingGivesTheRightFreemapAtOnce(string image)
    {
        MemoryBlockDevice[] devices = GoldenImages.Get(image).CloneDevices();
        List<PhysicalOffset> used = [.. UsedBlocks.Of(devices).Select(r => r.Physical)];
        using var rig = new FreemapRig([.. devices]);
        using (var pass = new Bulkfree(rig.Reader, rig.Header.SuperRoot, rig.Allocator, rig.Log))
            Assert.AreEqual(0L, pass.Rebuild().Damaged);
        rig.Commit(rig.Header.SuperRoot.ToArray());
        AssertExact(rig, used);
    }

    [TestMethod]
    public void RebuildingReplacesDamagedNodesAndLeaves()
    {
        using FreemapRig rig = FreemapRig.Format(600L << 30);
        var model = new SpaceModel(rig.Header.AllocatorBegin, rig.Header.LogicalSize);
        BlockRef[] files = new BlockRef[12];
        for (int i = 0; i < files.Length; i++)
        {
            ulong offset = ((ulong)(i * 50) << 30) + (100UL << 20);
            files[i] = new BlockRef { Type = BlockRefType.Data, Methods = 0x30, KeyBits = 16, Key = (ulong)i << 16, DataOff = offset | 16 };
            rig.Allocator.MarkUsed(files[i]);
            model.Add(BlockRefType.Data, 16, files[i].Physical);
        }

        BlockRef superRoot = Craft.SuperRootOver(rig, files[..4], files[4..8], files[8..]);
        rig.Commit([superRoot, default, default, default]);
        rig.WriteAt((long)rig.Blockset[0].Physical.Offset + 130, [0xEE]);
        rig.WriteAt((300L << 30) + 65536 + 5, [0xEE, 0xEE]);
        rig.Reopen();
        using (var pass = new Bulkfree(rig.Reader, rig.Header.SuperRoot, rig.Allocator, rig.Log))
            Assert.AreEqual(0L, pass.Rebuild().Damaged);
        rig.Commit(rig.Header.SuperRoot.ToArray());
        AssertExact(rig, [.. model.Blocks, .. UsedBlocks.Of(rig.Devices).Select(r => r.Physical)]);
    }

    private static void AssertExact(FreemapRig rig, List<PhysicalOffset> used)
    {
        FreemapChecker after = FreemapChecker.Run(rig.Devices, used, exactFree: false);
        after.AssertClean();
        Assert.AreEqual(Blocks16(rig, used), after.Blocks[3]);
        Assert.AreEqual(0L, after.Blocks[2]);
        Assert.AreEqual(after.FreeBytes, (long)VolumeSet.Open(rig.Devices).Header.AllocatorFree);
    }

    private static BulkfreeReport Pass(FreemapRig rig, BulkfreeOptions? options = null, BlockRef[]? superRoot = null, CancellationToken stop = default)
    {
        using var pass = new Bulkfree(rig.Reader, superRoot ?? rig.Header.SuperRoot, rig.Allocator, rig.Log, options);
        return pass.Run(stop);
    }

    // 16 KiB blocks that these blocks occupy, outside static areas.
    private static long Blocks16(FreemapRig rig, List<PhysicalOffset> used)
    {
        ulong begin = (rig.Header.AllocatorBegin + (4UL << 20) - 1) >> 22 << 22;
        return used.Where(b => b.HasData && b.Offset >= begin).SelectMany(Numbers).Distinct().LongCount();
    }

    private static IEnumerable<ulong> Numbers(PhysicalOffset block) =>
        Enumerable.Range(0, (block.Bytes + 16383) / 16384).Select(i => (block.Offset >> 14) + (ulong)i);

    private static IEnumerable<ulong> AllocatedBlocks(FreemapChecker checker) =>
        from leaf in checker.Leaves
        from segment in Enumerable.Range(1, 255)
        where leaf.Value[segment].Class != 0
        from block in Enumerable.Range(0, 256)
        where leaf.Value[segment].StateOf(block) == FreemapState.Allocated
        select ((ulong)leaf.Key << 16) + (ulong)(segment * 256 + block);

    // As the reference's recovery leaves it: a leaf that knows nothing of what is in use.
    private static void EmptyLeaf(FreemapRig rig, int index)
    {
        BlockRef bref = rig.Blockset[index];
        byte[] block = new byte[32768];
        rig.Reader.ReadStored(bref, block);
        foreach (ref FreemapBitmap record in MemoryMarshal.Cast<byte, FreemapBitmap>(block.AsSpan()))
        {
            if (record.Class != 0)
                record = new FreemapBitmap { Avail = 4 << 20 };
        }

        bref.Check32 = Crc32C.Compute(block);
        rig.WriteAt((long)bref.Physical.Offset, block);
        byte[] header = rig.Header.Bytes.ToArray();
        MemoryMarshal.Write(header.AsSpan(VolumeHeader.FreemapOffset + index * FormatLimits.BlockRefBytes), bref);
        BitConverter.TryWriteBytes(header.AsSpan(0x78), rig.MirrorTid + 1);
        VolumeHeader.Seal(header);
        rig.WriteAt(0, header);
    }

    private sealed class Immediate(Action action) : IProgress<BulkfreeProgress>
    {
        public void Report(BulkfreeProgress value) => action();
    }
}
