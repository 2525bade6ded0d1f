// What the allocator does with single blocks: reuse of discarded ones, shared ones that stay, placement, fragments,
// statistics, recovery after a crash, headers that make no sense, and how little it reads.

using System.Runtime.InteropServices;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;
using Hammer2.Engine.Primitives;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Freemap;

[TestClass]
public sealed class AllocatorTests
{
    private const long Mib = FreemapRig.Mib;
    private const long Gib = FreemapRig.Gib;

    [TestMethod]
    public void DiscardedBlocksAreHandedOutAgain()
    {
        using FreemapRig rig = FreemapRig.Format(64 * Mib);
        for (int radix = 10; radix <= 16; radix++)
        {
            PhysicalOffset block = rig.Allocator.Allocate(BlockRefType.Data, radix, 0);
            rig.Allocator.Allocate(BlockRefType.Data, radix, 0);
            rig.Allocator.Discard(BlockRefType.Data, block);
            Assert.AreEqual(block, rig.Allocator.Allocate(BlockRefType.Data, radix, 0), $"radix {radix}");
        }
    }

    [TestMethod]
    public void AnEndlessRewriteNeedsNoMoreSpace()
    {
        // An unlinked open file that is written over and over: its blocks go round (R17).
        using FreemapRig rig = FreemapRig.Format(32 * Mib);
        var last = new Queue<(PhysicalOffset, BlockRefType)>();
        for (int i = 0; i < 50_000; i++)
        {
            var type = (BlockRefType)(1 + i % 4);
            last.Enqueue((rig.Allocator.Allocate(type, 10 + i % 7, 0), type));
            if (last.Count > 30)
            {
                (PhysicalOffset block, BlockRefType ofType) = last.Dequeue();
                rig.Allocator.Discard(ofType, block);
            }

            if (i % 1000 == 999)
                rig.Commit();
        }

        Assert.IsGreaterThan(rig.Allocator.AllocatableBytes - 6 * Mib, rig.Allocator.FreeBytes);
        foreach ((PhysicalOffset block, BlockRefType type) in last)
            rig.Allocator.Discard(type, block);
        rig.Commit();
        FreemapChecker after = FreemapChecker.Run(rig.Devices);
        after.AssertClean();
        Assert.AreEqual(rig.Allocator.AllocatableBytes, after.FreeBytes, "blocks of nothing but discarded fragments are free too");
    }

    [TestMethod]
    public void RetainedBlocksAreNotGivenBack()
    {
        using FreemapRig rig = FreemapRig.Format(64 * Mib);
        for (int radix = 10; radix <= 16; radix++)
        {
            PhysicalOffset block = rig.Allocator.Allocate(BlockRefType.Data, radix, 0);
            Assert.IsTrue(rig.Allocator.TryRetain(block));
            if (radix % 2 == 0)
                rig.Commit();
            rig.Allocator.Discard(BlockRefType.Data, block);
            Assert.AreNotEqual(block, rig.Allocator.Allocate(BlockRefType.Data, radix, 0), $"radix {radix}");
            Assert.IsTrue(rig.Allocator.TryRetain(block));
        }
    }

    [TestMethod]
    public void RetainedBlocksTooManyToRememberAreNotGivenBackEither()
    {
        using FreemapRig rig = FreemapRig.Format(8 * Gib);
        PhysicalOffset[] blocks = [.. Enumerable.Range(0, (1 << 18) + 2).Select(_ => rig.Allocator.Allocate(BlockRefType.Data, 14, 0))];
        Assert.IsTrue(blocks.All(rig.Allocator.TryRetain));
        rig.Allocator.Discard(BlockRefType.Data, blocks[7]);
        rig.Commit();
        rig.Allocator.Discard(BlockRefType.Data, blocks[8]);
        Assert.IsTrue(rig.Allocator.TryRetain(blocks[7]));
        Assert.IsTrue(rig.Allocator.TryRetain(blocks[8]));
        PhysicalOffset fresh = rig.Allocator.Allocate(BlockRefType.Data, 14, 0);
        rig.Allocator.Discard(BlockRefType.Data, fresh);
        Assert.IsFalse(rig.Allocator.TryRetain(fresh), "what is younger than the last freeze is known for certain");
    }

    [TestMethod]
    public void FreeBlocksCannotBeRetained()
    {
        using FreemapRig rig = FreemapRig.Format(64 * Mib);
        PhysicalOffset large = rig.Allocator.Allocate(BlockRefType.Data, 16, 0);
        PhysicalOffset small = rig.Allocator.Allocate(BlockRefType.Data, 11, 0);
        PhysicalOffset other = rig.Allocator.Allocate(BlockRefType.Data, 11, 0);
        rig.Allocator.Discard(BlockRefType.Data, large);
        rig.Allocator.Discard(BlockRefType.Data, small);
        Assert.IsFalse(rig.Allocator.TryRetain(large));
        Assert.IsFalse(rig.Allocator.TryRetain(small));
        Assert.IsTrue(rig.Allocator.TryRetain(other));
        Assert.IsFalse(rig.Allocator.TryRetain(new PhysicalOffset(other.Offset + 2048 | 11)), "never given out");
        Assert.IsFalse(rig.Allocator.TryRetain(new PhysicalOffset(4096 | 12)), "in the reserve");
        Assert.IsFalse(rig.Allocator.TryRetain(new PhysicalOffset(1UL << 40 | 12)), "outside the volume");
        Assert.IsFalse(rig.Allocator.TryRetain(default));
    }

    [TestMethod]
    public void ALargeFileIsContiguousAndClassesKeepApart()
    {
        using FreemapRig rig = FreemapRig.Format(1 * Gib);
        ulong next = 0;
        var segments = new Dictionary<ulong, BlockRefType>();
        for (int i = 0; i < 400; i++)
        {
            int[] radixes = [16, 16, 16, 16, 16, 16, 16, 16];
            var run = new PhysicalOffset[radixes.Length];
            rig.Allocator.AllocateRun(BlockRefType.Data, radixes, run);
            foreach (PhysicalOffset block in run)
            {
                // Contiguous up to the end of a segment, where other classes may have the next one.
                Assert.IsTrue(block.Offset == next || next % (4 * (ulong)Mib) == 0);
                next = block.Offset + 65536;
                segments[block.Offset >> 22] = BlockRefType.Data;
            }

            foreach (BlockRefType type in (BlockRefType[])[BlockRefType.Inode, BlockRefType.Indirect, BlockRefType.Dirent])
            {
                ulong segment = rig.Allocator.Allocate(type, type == BlockRefType.Indirect ? 14 : 10, 0).Offset >> 22;
                Assert.IsTrue(segments.TryAdd(segment, type) || segments[segment] == type, "a segment belongs to one class");
            }
        }

        Assert.IsLessThanOrEqualTo(400 * 8 / 64 + 5, segments.Count);
    }

    [TestMethod]
    public void MixedSizesLeaveNoHoles()
    {
        // What compression makes of a file: sizes change from block to block, and yet nothing is wasted.
        using FreemapRig rig = FreemapRig.Format(1 * Gib);
        long bytes = 0;
        var segments = new HashSet<ulong>();
        for (int i = 0; i < 4000; i++)
        {
            int radix = 14 + i * 7 % 5 % 3;
            PhysicalOffset block = rig.Allocator.Allocate(BlockRefType.Data, radix, 0);
            bytes += block.Bytes;
            segments.Add(block.Offset >> 22);
        }

        Assert.IsLessThanOrEqualTo(bytes / (4 * Mib) + 2, segments.Count);
    }

    [TestMethod]
    public void FragmentsShareBlocksAlsoAfterARemount()
    {
        using FreemapRig rig = FreemapRig.Format(64 * Mib);
        PhysicalOffset first = rig.Allocator.Allocate(BlockRefType.Inode, 10, 0);
        for (ulong i = 1; i < 20; i++)
        {
            Assert.AreEqual(first.Offset + i * 1024, rig.Allocator.Allocate(BlockRefType.Inode, 10, 0).Offset);
            if (i == 5)
            {
                rig.Commit();
                rig.Reopen();
            }
        }
    }

    [TestMethod]
    public void RecoveryMarksEveryBlockOfAWord()
    {
        // The reference marks only half of each word (format page 10.6): a crash there gives blocks out twice.
        MemoryBlockDevice[] devices = GoldenImages.Get("churn").CloneDevices();
        List<BlockRef> used = UsedBlocks.Of(devices);
        using FreemapRig rig = FreemapRig.Format(devices[0].Length, VolumeSet.Open(devices).Header.AllocatorBegin);
        long free = rig.Allocator.FreeBytes;
        foreach (BlockRef bref in used)
            rig.Allocator.MarkUsed(bref);
        rig.Allocator.MarkUsed(new BlockRef { Type = BlockRefType.Dirent });
        rig.Allocator.MarkUsed(new BlockRef { Type = BlockRefType.Data, DataOff = 1UL << 50 | 16 });
        rig.Commit();
        FreemapChecker after = FreemapChecker.Run(rig.Devices, used.Select(r => r.Physical));
        after.AssertClean();
        Assert.AreEqual(free - after.Blocks[3] * 16384, rig.Allocator.FreeBytes);
        foreach (BlockRef bref in used)
            rig.Allocator.MarkUsed(bref);
        Assert.IsFalse(rig.Allocator.IsDirty, "a second recovery finds nothing to do");
    }

    [TestMethod]
    public void RecoveredFragmentsAreNotOverwritten()
    {
        // A fragment that was written behind the committed linear point: its block is allocated already, so nothing
        // but the point itself tells that it is there.
        using FreemapRig rig = FreemapRig.Format(64 * Mib);
        PhysicalOffset committed = rig.Allocator.Allocate(BlockRefType.Inode, 10, 0);
        rig.Commit();
        rig.Reopen();
        var lost = new PhysicalOffset(committed.Offset + 1024 | 10);
        rig.Allocator.MarkUsed(new BlockRef { Type = BlockRefType.Inode, DataOff = lost.Raw });
        Assert.AreNotEqual(lost, rig.Allocator.Allocate(BlockRefType.Inode, 10, 0));
        rig.Commit();
        FreemapChecker.Run(rig.Devices, [committed, lost]).AssertClean();
    }

    [TestMethod]
    [DataRow("churn")]
    [DataRow("small-mixed")]
    [DataRow("grown")]
    [DataRow("bigfile")]
    public void AllocatingOnVolumesOfTheReferenceTouchesNothingInUse(string image)
    {
        MemoryBlockDevice[] devices = GoldenImages.Get(image).CloneDevices();
        List<PhysicalOffset> used = [.. UsedBlocks.Of(devices).Select(r => r.Physical)];
        using var rig = new FreemapRig([.. devices]);
        long free = rig.Allocator.FreeBytes;
        Assert.AreEqual((long)rig.Header.AllocatorFree, free);
        var model = new SpaceModel(rig.Header.AllocatorBegin, rig.Header.LogicalSize);
        for (int i = 0; i < 3000; i++)
        {
            Assert.IsTrue(model.TryAllocate(rig.Allocator, (BlockRefType)(1 + i % 4), 10 + i % 7, ClaimLevel.Write));
            if (i % 500 == 499)
                rig.Commit(rig.Header.SuperRoot.ToArray());
        }

        FreemapChecker.Run(devices, [.. used, .. model.Blocks], exactFree: false).AssertClean();
        Assert.IsFalse(FreemapTreeTests.Overlap(used, model.Blocks));
    }

    [TestMethod]
    public void AHeaderThatWouldOverwriteItsOwnAreasIsRefused()
    {
        byte[] header = FreemapRig.NewHeader(64 * Mib, (ulong)(20 * Mib + 2048));
        BitConverter.TryWriteBytes(header.AsSpan(0x70), 4096UL);
        VolumeHeader.Seal(header);
        var device = new MemoryBlockDevice(64 * Mib);
        device.Write(0, header);
        Assert.AreEqual(Hammer2Error.Corrupt, Assert.ThrowsExactly<Hammer2Exception>(() => new FreemapRig([device])).Error);
    }

    [TestMethod]
    public void MountingReadsNothingAndTheFirstBlockLittle()
    {
        using FreemapRig rig = FreemapRig.Format(3000 * Gib, memoryBytes: 1 << 20);
        for (ulong zone = 0; zone < 3000; zone++)
            rig.Allocator.MarkUsed(new BlockRef { Type = BlockRefType.Data, DataOff = (zone << 30) + (100UL << 20) | 16 });
        rig.Commit();
        var counting = new CountingDevice(rig.Devices[0]);
        using var again = new FreemapRig([counting]);
        int header = counting.Reads;
        Assert.IsTrue(again.Allocator.TryClaim(SpaceClaim.OfBlock(16), ClaimLevel.Write));
        again.Allocator.Allocate(BlockRefType.Data, 16, 0);
        again.Allocator.Allocate(BlockRefType.Inode, 10, 0);
        Assert.IsLessThanOrEqualTo(4, counting.Reads - header, "one leaf and the nodes above it");
    }

    [TestMethod]
    public void FullZonesArePassedOverWithoutReadingTheirLeaves()
    {
        using FreemapRig rig = FreemapRig.Format(40 * Gib);
        int[] radixes = [.. Enumerable.Repeat(16, 64)];
        var run = new PhysicalOffset[64];
        while (run[63].Offset >> 30 < 30)
            rig.Allocator.AllocateRun(BlockRefType.Data, radixes, run);
        rig.Commit();
        var counting = new CountingDevice(rig.Devices[0]);
        using var again = new FreemapRig([counting]);
        int header = counting.Reads;
        Assert.AreEqual(30UL, again.Allocator.Allocate(BlockRefType.Data, 16, 0).Offset >> 30);
        Assert.IsLessThanOrEqualTo(4, counting.Reads - header);
    }

    [TestMethod]
    [DataRow(32L)]
    [DataRow(24L)]
    [DataRow(1024L)]
    public void TheReserveLeavesTinyVolumesUsable(long mib)
    {
        using FreemapRig rig = FreemapRig.Format(mib * Mib);
        long allocatable = rig.Allocator.AllocatableBytes;
        Assert.AreEqual(mib == 24 ? 0 : mib * Mib - 24 * Mib, allocatable);
        Assert.AreEqual(mib == 1024 ? (long)rig.Header.AllocatorSize / 20 : allocatable / 4, rig.Allocator.ReserveBytes);
        Assert.AreEqual(mib > 24, rig.Allocator.TryClaim(SpaceClaim.OfBlock(16), ClaimLevel.Write));
        Assert.AreEqual(mib > 24, rig.Allocator.TryClaim(SpaceClaim.OfBlock(10), ClaimLevel.Remove));
    }

    [TestMethod]
    [DataRow(64L, 96L)]
    [DataRow(1000L, 2000L)]
    [DataRow(1024L, 1032L)]
    public void AGrownVolumeUsesAllOfItsNewSpace(long before, long after)
    {
        using FreemapRig rig = FreemapRig.Format(before * Mib);
        var model = new SpaceModel(rig.Header.AllocatorBegin, (ulong)(after * Mib));
        for (int i = 0; i < 30; i++)
            model.TryAllocate(rig.Allocator, BlockRefType.Data, 16);
        rig.Commit();
        var larger = new MemoryBlockDevice(after * Mib);
        byte[] bytes = new byte[4 << 20];
        rig.Devices[0].Read(0, bytes);
        larger.Write(0, bytes);
        byte[] header = FreemapRig.NewHeader(after * Mib, rig.Header.AllocatorBegin);
        MemoryMarshal.AsBytes(rig.Blockset.AsSpan()).CopyTo(header.AsSpan(VolumeHeader.FreemapOffset));
        BitConverter.TryWriteBytes(header.AsSpan(0x68), BitConverter.ToInt64(header.AsSpan(0x68)) - 30 * 65536);
        BitConverter.TryWriteBytes(header.AsSpan(0x78), 100UL);
        BitConverter.TryWriteBytes(header.AsSpan(0x90), 100UL);
        VolumeHeader.Seal(header);
        larger.Write(0, header);
        using var grown = new FreemapRig([larger]);
        grown.Allocator.OpenGrownSegments((ulong)(before * Mib));
        grown.Commit();
        FreemapChecker.Run(grown.Devices, model.Blocks).AssertClean();
        while (model.TryAllocate(grown.Allocator, BlockRefType.Data, 16))
        {
        }

        Assert.AreEqual(grown.Allocator.AllocatableBytes, model.Live.Count * 65536L);
        grown.Commit();
        FreemapChecker.Run(grown.Devices, model.Blocks).AssertClean();
    }

    [TestMethod]
    public void AClaimOfExabytesIsRefusedSoon()
    {
        using FreemapRig rig = FreemapRig.Format(1L << 52);
        var claim = new SpaceClaim();
        claim.AddBlocks(16, 1L << 46);
        Assert.IsFalse(rig.Allocator.TryClaim(claim, ClaimLevel.Write));
        var fitting = new SpaceClaim();
        fitting.AddBlocks(16, 1L << 24);
        Assert.IsTrue(rig.Allocator.TryClaim(fitting, ClaimLevel.Write));
    }

    [TestMethod]
    public void AllocatingAllocatesNoMemory()
    {
        using FreemapRig rig = FreemapRig.Format(1 * Gib);
        int[] radixes = [10, 12, 14, 15, 16, 16, 13, 11];
        var run = new PhysicalOffset[radixes.Length];
        PhysicalOffset shared = rig.Allocator.Allocate(BlockRefType.Data, 16, 0);
        for (int i = 0; i < 200; i++)
            Work();
        long allocated = Allocations.Least(() =>
        {
            for (int i = 0; i < 1000; i++)
                Work();
        });
        Assert.AreEqual(0L, allocated);

        void Work()
        {
            SpaceClaim claim = SpaceClaim.OfBlock(16);
            Invariant.Check(rig.Allocator.TryClaim(claim, ClaimLevel.Write));
            rig.Allocator.AllocateRun(BlockRefType.Data, radixes, run);
            Invariant.Check(rig.Allocator.TryRetain(shared));
            for (int i = 0; i < run.Length; i++)
                rig.Allocator.Discard(BlockRefType.Data, run[i]);
            rig.Allocator.Discard(BlockRefType.Data, rig.Allocator.Allocate(BlockRefType.Inode, 10, 0));
            rig.Allocator.Release(claim);
        }
    }

    [TestMethod]
    public void TheCheckerSeesDamage()
    {
        using FreemapRig rig = FreemapRig.Format(64 * Mib);
        PhysicalOffset block = rig.Allocator.Allocate(BlockRefType.Data, 16, 0);
        PhysicalOffset inode = rig.Allocator.Allocate(BlockRefType.Inode, 10, 0);
        rig.Commit();
        FreemapChecker.Run(rig.Devices, [block, inode]).AssertClean();
        Assert.IsNotEmpty(FreemapChecker.Run(rig.Devices, [new PhysicalOffset(block.Offset + 65536 | 16)]).Violations);
        Assert.IsNotEmpty(FreemapChecker.Run(rig.Devices, [new PhysicalOffset(inode.Offset + 1024 | 10)]).Violations, "behind linear");
        int data = (int)(block.Offset >> 22) & 255;
        foreach (Action<FreemapBitmap[]> damage in (Action<FreemapBitmap[]>[])[
            r => r[data].Avail += 16384, r => r[data].Class = 0, r => r[data].Linear = 1024 + 65536, r => r[data].Linear = -1,
            r => r[data].Words[0] &= ~3UL, r => r[data].Words[7] = 1, r => r[0].Words[3] = 0, r => r[0].Linear = 0, r => r[255].Class = 0x310])
        {
            using FreemapRig damaged = WithRecords(rig, damage);
            Assert.IsNotEmpty(FreemapChecker.Run(damaged.Devices, [block]).Violations);
        }

        rig.WriteAt((long)rig.Blockset[0].Physical.Offset, [1]);
        Assert.IsNotEmpty(FreemapChecker.Run(rig.Devices).Violations, "check code");
    }

    [TestMethod]
    public void RecordsThatContradictTheirBitmapAreCorrected()
    {
        using FreemapRig rig = FreemapRig.Format(64 * Mib);
        PhysicalOffset block = rig.Allocator.Allocate(BlockRefType.Data, 16, 0);
        rig.Commit();
        int data = (int)(block.Offset >> 22) & 255;
        using FreemapRig damaged = WithRecords(rig, r =>
        {
            (r[data].Avail, r[data].Linear) = (4 << 20, -77);
            (r[data + 1].Avail, r[data + 1].Class, r[data + 1].Linear) = (0, 0x310, 5000);
            r[0].Words[1] = 0;
        });
        var model = new SpaceModel(damaged.Header.AllocatorBegin, damaged.Header.LogicalSize);
        model.Add(BlockRefType.Data, 16, block);
        while (model.TryAllocate(damaged.Allocator, BlockRefType.Data, 16))
        {
        }

        damaged.Commit();
        FreemapChecker.Run(damaged.Devices, model.Blocks).AssertClean();
        Assert.IsTrue(damaged.Log.Lines.Any(l => l.Contains("contradict", StringComparison.Ordinal)));
    }

    private static FreemapRig WithRecords(FreemapRig rig, Action<FreemapBitmap[]> damage)
    {
        MemoryBlockDevice device = ((MemoryBlockDevice)rig.Devices[0]).Clone();
        var copy = new FreemapRig([device]);
        BlockRef bref = copy.Header.Freemap[0];
        byte[] block = new byte[32768];
        copy.Reader.ReadStored(bref, block);
        FreemapBitmap[] records = MemoryMarshal.Cast<byte, FreemapBitmap>(block.AsSpan()).ToArray();
        damage(records);
        MemoryMarshal.AsBytes(records.AsSpan()).CopyTo(block);
        bref.Check32 = Crc32C.Compute(block);
        copy.WriteAt((long)bref.Physical.Offset, block);
        byte[] header = copy.Header.Bytes.ToArray();
        MemoryMarshal.Write(header.AsSpan(VolumeHeader.FreemapOffset), bref);
        BitConverter.TryWriteBytes(header.AsSpan(0x78), copy.MirrorTid + 1);
        VolumeHeader.Seal(header);
        copy.WriteAt(0, header);
        copy.Reopen();
        return copy;
    }

    private sealed class CountingDevice(IBlockDevice inner) : IBlockDevice
    {
        private int _reads;

        internal int Reads => Volatile.Read(ref _reads);

        public string Name => inner.Name;

        public long Length => inner.Length;

        public int SectorSize => inner.SectorSize;

        public void Read(long offset, Span<byte> buffer)
        {
            Interlocked.Increment(ref _reads);
            inner.Read(offset, buffer);
        }

        public void Write(long offset, ReadOnlySpan<byte> data) => inner.Write(offset, data);

        public void Flush() => inner.Flush();

        public void Dispose() => inner.Dispose();
    }
}
