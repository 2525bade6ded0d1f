// Writing inodes, arrays and long names: fresh address, check code in the reference (R10), sealed bytes (R7), readable at
// once without I/O and from the medium afterwards.

using System.Runtime.InteropServices;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Hammer2.Tests.Hostile;

namespace Hammer2.Tests.Writing;

[TestClass]
[DoNotParallelize]
public sealed class MetadataWriterTests
{
    private static BlockRef Ref(BlockRefType type, CheckMethod check = CheckMethod.XxHash64, byte compression = 0) =>
        new() { Type = type, Methods = (byte)((int)check << 4 | compression), Key = 5, MirrorTid = 9, ModifyTid = 8, LeafCount = 3 };

    private static byte[] Array(int bytes, params int[] slots)
    {
        byte[] block = new byte[bytes];
        foreach (int slot in slots)
        {
            var bref = new BlockRef { Type = BlockRefType.Data, Methods = 0x30, KeyBits = 16, Key = (ulong)slot << 16, DataOff = 1 << 20 | 16 };
            MemoryMarshal.Write(block.AsSpan(slot * FormatLimits.BlockRefBytes), bref);
        }

        return block;
    }

    private static byte[] Content(BlockRefType type, int radix) => type == BlockRefType.Indirect
        ? Array(1 << radix, 1, 5, 7, 31)
        : WritingVolume.Bytes(1 << radix, radix);

    [TestMethod]
    [DataRow(BlockRefType.Inode, 10)]
    [DataRow(BlockRefType.Dirent, 10)]
    [DataRow(BlockRefType.Indirect, 12)]
    [DataRow(BlockRefType.Indirect, 14)]
    [DataRow(BlockRefType.Indirect, 16)]
    public void ReferenceIsCompletedAndTheBlockReadsBack(BlockRefType type, int radix)
    {
        using var v = new WritingVolume();
        using var writer = new BlockWriter(v.Reader, v.Buffer, v.Allocator);
        for (CheckMethod check = CheckMethod.Disabled; check <= CheckMethod.Sha192; check++)
        {
            byte[] block = Content(type, radix);
            BlockRef bref = Ref(type, check);

            // Leftovers of an earlier code must not stay behind a shorter one.
            ImageBuilder.Area(ref bref).Fill(0xEE);
            writer.WriteMetadata(ref bref, block);
            Assert.AreEqual(v.Allocator.Allocated[^1].Raw, bref.DataOff);
            Assert.AreEqual(radix, bref.Physical.Radix);
            Assert.AreEqual((5UL, 9UL, 8UL, (ushort)3), (bref.Key, bref.MirrorTid, bref.ModifyTid, bref.LeafCount));
            Assert.AreEqual(check, bref.CheckMethod);
            byte[] code = new byte[CheckArea.Bytes];
            Checks.Compute(check, block, code);
            Assert.IsTrue(BlockRef.CheckBytes(bref).SequenceEqual(code));

            v.Device.Reset();
            byte[] live;
            using (BlockLease lease = v.Reader.GetMetadata(bref))
                live = lease.Data.ToArray();
            Assert.AreEqual(0, v.Device.Reads, "the block just written is in memory");
            v.Buffer.Flush();
            v.Cache.Clear();
            using BlockLease loaded = v.Reader.GetMetadata(bref);
            Assert.IsTrue(loaded.Data.SequenceEqual(live), "the cache held something else than loading gives");
            Assert.AreEqual(type == BlockRefType.Indirect ? 4 * FormatLimits.BlockRefBytes : block.Length, live.Length);
            CollectionAssert.AreEqual(block, v.OnMedium((long)bref.Physical.Offset, block.Length));
        }
    }

    [TestMethod]
    public void RewrittenBlockOfAnotherSizeHasANewCheckInItsReference()
    {
        // R10: the same reference, first 4 KiB, then 16 KiB.
        using var v = new WritingVolume();
        using var writer = new BlockWriter(v.Reader, v.Buffer, v.Allocator);
        BlockRef bref = Ref(BlockRefType.Indirect);
        writer.WriteMetadata(ref bref, Array(4096, 0, 1, 2));
        BlockRef before = bref;
        writer.WriteMetadata(ref bref, Array(16384, 0, 1, 2));
        Assert.AreNotEqual(before.DataOff, bref.DataOff);
        Assert.AreNotEqual(before.Check64, bref.Check64);
        v.Cache.Clear();
        v.Reader.GetMetadata(bref).Dispose();
        v.Reader.GetMetadata(before).Dispose();
    }

    [TestMethod]
    public void DirectoryEntryWithItsNameInTheReferenceHasNoBlock()
    {
        using var v = new WritingVolume();
        using var writer = new BlockWriter(v.Reader, v.Buffer, v.Allocator);
        BlockRef bref = Ref(BlockRefType.Dirent);
        bref.DirentNameLength = 3;
        "abc"u8.CopyTo(ImageBuilder.Area(ref bref));
        bref.DataOff = 0x1234000A;
        writer.WriteMetadata(ref bref, []);
        Assert.AreEqual(0UL, bref.DataOff);
        Assert.IsTrue(BlockRef.CheckBytes(bref)[..3].SequenceEqual("abc"u8));
        Assert.IsEmpty(v.Allocator.Allocated);
    }

    [TestMethod]
    public void NoCheckBecomesXxHashAndUnknownChecksAreRefused()
    {
        using var v = new WritingVolume();
        using var writer = new BlockWriter(v.Reader, v.Buffer, v.Allocator);
        BlockRef bref = Ref(BlockRefType.Inode, CheckMethod.None, compression: 2);
        writer.WriteMetadata(ref bref, new byte[1024]);
        Assert.AreEqual((byte)0x32, bref.Methods);
        v.Cache.Clear();
        v.Reader.GetMetadata(bref).Dispose();
        foreach (int check in (int[])[5, 6, 15])
        {
            bref = Ref(BlockRefType.Inode, (CheckMethod)check);
            Assert.AreEqual(Hammer2Error.Unsupported, Assert.ThrowsExactly<Hammer2Exception>(() => writer.WriteMetadata(ref bref, new byte[1024])).Error);
        }
    }

    [TestMethod]
    public void IllegalShapesAreOurOwnFault()
    {
        using var v = new WritingVolume();
        using var writer = new BlockWriter(v.Reader, v.Buffer, v.Allocator);
        foreach ((BlockRefType type, int length) in ((BlockRefType, int)[])[(BlockRefType.Inode, 2048), (BlockRefType.Inode, 0), (BlockRefType.Inode, 512),
            (BlockRefType.Indirect, 8192), (BlockRefType.Indirect, 5000), (BlockRefType.Dirent, 4096), (BlockRefType.Data, 1024), (BlockRefType.FreemapLeaf, 32768)])
        {
            BlockRef bref = Ref(type);
            Assert.ThrowsExactly<InvariantException>(() => writer.WriteMetadata(ref bref, new byte[length]), $"{type} {length}");
        }

        // Out of order: an array that the reader would refuse is not handed out as written.
        byte[] disorder = Array(4096, 3, 4);
        disorder.AsSpan(3 * 128, 128).CopyTo(disorder.AsSpan(9 * 128));
        BlockRef node = Ref(BlockRefType.Indirect);
        Assert.ThrowsExactly<Hammer2Exception>(() => writer.WriteMetadata(ref node, disorder));
        Assert.AreEqual(0UL, node.DataOff);
        Assert.HasCount(1, v.Allocator.Discarded);
    }

    [TestMethod]
    public void RefusedWriteLeavesTheReferenceAndGivesTheBlockBack()
    {
        using var v = new WritingVolume(bufferBytes: 1 << 19);
        using var writer = new BlockWriter(v.Reader, v.Buffer, new SpreadAllocator(v.Allocator));
        v.Device.FailsWrite = _ => true;
        Hammer2Exception? refused = null;
        BlockRef bref = default;
        BlockRef before = default;
        for (int i = 0; i < 100 && refused is null; i++)
        {
            bref = before = Ref(BlockRefType.Inode);
            try
            {
                writer.WriteMetadata(ref bref, WritingVolume.Bytes(1024, i));
            }
            catch (Hammer2Exception e)
            {
                refused = e;
            }
        }

        Assert.IsNotNull(refused);
        Assert.AreEqual(before.DataOff, bref.DataOff);
        Assert.HasCount(1, v.Allocator.Discarded);
    }

    [TestMethod]
    public void GivenBackMetadataNeedNotReachTheMedium()
    {
        // R17: its address is free at once, its bytes are dropped, and nobody finds it in the cache.
        using var v = new WritingVolume();
        using var writer = new BlockWriter(v.Reader, v.Buffer, v.Allocator, new DedupTable());
        BlockRef bref = Ref(BlockRefType.Inode);
        writer.WriteMetadata(ref bref, WritingVolume.Bytes(1024, 1));
        writer.Discard(BlockRefType.Inode, bref.Physical);
        writer.Discard(BlockRefType.Dirent, default);
        Assert.HasCount(1, v.Allocator.Discarded);
        Assert.IsFalse(v.Cache.Contains(bref));
        v.Buffer.Flush();
        Assert.IsEmpty(v.Device.Writes);
    }

    [TestMethod]
    public void PrefetchOfPendingBlocksReadsWhatIsPending()
    {
        // Groups are read as one region: pending and stored neighbours together.
        using var v = new WritingVolume();
        using var writer = new BlockWriter(v.Reader, v.Buffer, v.Allocator);
        var refs = new BlockRef[20];
        for (int i = 0; i < refs.Length; i++)
        {
            refs[i] = Ref(BlockRefType.Inode);
            writer.WriteMetadata(ref refs[i], WritingVolume.Bytes(1024, i));
            if (i == 9)
                v.Buffer.WriteOut();
        }

        v.Cache.Clear();
        v.Reader.Prefetch([.. refs], 0);
        for (int i = 0; i < refs.Length; i++)
        {
            Assert.IsTrue(v.Cache.Contains(refs[i]), $"inode {i}");
            using BlockLease lease = v.Reader.GetMetadata(refs[i]);
            Assert.IsTrue(lease.Data.SequenceEqual(WritingVolume.Bytes(1024, i)));
        }
    }

    // One block per 64 KiB, so that the buffer is full soon.
    private sealed class SpreadAllocator(CountingAllocator inner) : IBlockAllocator
    {
        public PhysicalOffset Allocate(BlockRefType type, int radix, ulong key)
        {
            PhysicalOffset at = inner.Allocate(type, radix, key);
            inner.Skip();
            return at;
        }

        public void AllocateRun(BlockRefType type, ReadOnlySpan<int> radixes, Span<PhysicalOffset> result) => inner.AllocateRun(type, radixes, result);

        public void Discard(BlockRefType type, PhysicalOffset block) => inner.Discard(type, block);

        public bool TryRetain(PhysicalOffset block) => inner.TryRetain(block);
    }
}
