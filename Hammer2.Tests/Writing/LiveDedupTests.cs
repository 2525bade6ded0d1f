// Live dedup through the writer (format page 16): equal stored bytes are stored once, and only while the block that holds
// them can be trusted: allocated, not given back, really equal.

using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Format;

namespace Hammer2.Tests.Writing;

[TestClass]
[DoNotParallelize]
public sealed class LiveDedupTests
{
    private static byte[] Random(int seed, int length = FormatLimits.BlockBytesMax) => WritingVolume.Bytes(length, seed);

    private static BlockWriter Writer(WritingVolume v) => new(v.Reader, v.Buffer, v.Allocator, new DedupTable());

    private static BlockRef[] Write(BlockWriter writer, CheckMethod check, params byte[][] blocks)
    {
        using BlockWriterTests.Source source = new BlockWriterTests.Source(blocks).With(CompressionMethod.Lz4, check);
        writer.WriteData(source.Blocks, 1, 1);
        return [.. source.Blocks.Select(b => b.Ref)];
    }

    [TestMethod]
    [DataRow(CheckMethod.Iscsi32, true)]
    [DataRow(CheckMethod.XxHash64, true)]
    [DataRow(CheckMethod.Sha192, true)]
    [DataRow(CheckMethod.None, false)]
    [DataRow(CheckMethod.Disabled, false)]
    public void EqualBlocksAreStoredOnceWhereTheyAreChecked(CheckMethod check, bool shared)
    {
        using var v = new WritingVolume();
        using BlockWriter writer = Writer(v);
        byte[] text = Hammer2.Tests.Hostile.CraftedTreeTests.Text(65536, 1);
        foreach (byte[] block in (byte[][])[Random(1), Random(2, 4096), text])
        {
            BlockRef first = Write(writer, check, block)[0];
            BlockRef second = Write(writer, check, block)[0];
            Assert.AreEqual(shared, first.DataOff == second.DataOff);
            Assert.AreEqual(first.Methods, second.Methods);
            Assert.IsTrue(BlockRef.CheckBytes(first).SequenceEqual(BlockRef.CheckBytes(second)));
            using BlockLease lease = v.Reader.GetData(second, block.Length);
            Assert.IsTrue(lease.Data.SequenceEqual(block));
        }

        Assert.HasCount(shared ? 3 : 0, v.Allocator.Retained);
    }

    [TestMethod]
    public void EqualBlocksOfOneBatchAreStoredOnce()
    {
        using var v = new WritingVolume();
        using BlockWriter writer = Writer(v);
        BlockRef[] refs = Write(writer, CheckMethod.XxHash64, Random(1), Random(2), Random(1), Random(1), Random(2));
        Assert.HasCount(2, v.Allocator.Allocated);
        Assert.AreEqual(refs[0].DataOff, refs[2].DataOff);
        Assert.AreEqual(refs[0].DataOff, refs[3].DataOff);
        Assert.AreEqual(refs[1].DataOff, refs[4].DataOff);
        Assert.AreNotEqual(refs[0].DataOff, refs[1].DataOff);
        Assert.HasCount(3, v.Allocator.Retained);
    }

    [TestMethod]
    public void DifferentBytesUnderTheSameHashAreNotShared()
    {
        // The hash only proposes: here the stored block was changed behind the table's back.
        using var v = new WritingVolume();
        using BlockWriter writer = Writer(v);
        BlockRef first = Write(writer, CheckMethod.XxHash64, Random(1, 4096))[0];
        v.Buffer.Write((long)first.Physical.Offset, Random(9, 4096));
        BlockRef second = Write(writer, CheckMethod.XxHash64, Random(1, 4096))[0];
        Assert.AreNotEqual(first.DataOff, second.DataOff);
    }

    [TestMethod]
    public void BlockThatWasGivenBackIsNotShared()
    {
        // The story: 1 KiB is written, its file grows, the block is given back and its address becomes the start of a 64 KiB
        // block that begins with the same bytes. A third file must not share a piece of that block.
        using var v = new WritingVolume();
        using BlockWriter writer = Writer(v);
        byte[] small = Random(1, 1024);
        BlockRef first = Write(writer, CheckMethod.XxHash64, small)[0];
        writer.Discard(BlockRefType.Data, first.Physical);
        Assert.HasCount(1, v.Allocator.Discarded);
        byte[] large = Random(2);
        small.CopyTo(large, 0);
        v.Buffer.WriteDirect((long)first.Physical.Offset & ~0xFFFF, large);
        v.Allocator.Revive(first.Physical);
        BlockRef again = Write(writer, CheckMethod.XxHash64, small)[0];
        Assert.AreNotEqual(first.DataOff, again.DataOff);
        Assert.IsEmpty(v.Allocator.Retained);
    }

    [TestMethod]
    public void AllocatorHasTheLastWord()
    {
        using var v = new WritingVolume();
        using BlockWriter writer = Writer(v);
        BlockRef first = Write(writer, CheckMethod.XxHash64, Random(1))[0];
        v.Allocator.RefusesToShare = true;
        BlockRef second = Write(writer, CheckMethod.XxHash64, Random(1))[0];
        Assert.AreNotEqual(first.DataOff, second.DataOff);
    }

    [TestMethod]
    public void UnreadableCandidateIsStoredAgain()
    {
        using var v = new WritingVolume();
        using BlockWriter writer = Writer(v);
        BlockRef first = Write(writer, CheckMethod.XxHash64, Random(1))[0];
        v.Device.FailsRead = _ => true;
        BlockRef second = Write(writer, CheckMethod.XxHash64, Random(1))[0];
        Assert.AreNotEqual(first.DataOff, second.DataOff);
    }

    [TestMethod]
    public void SwitchedOffNothingIsShared()
    {
        using var v = new WritingVolume();
        using var writer = new BlockWriter(v.Reader, v.Buffer, v.Allocator);
        BlockRef[] refs = Write(writer, CheckMethod.XxHash64, Random(1), Random(1));
        Assert.AreNotEqual(refs[0].DataOff, refs[1].DataOff);
        Assert.AreNotEqual(refs[0].DataOff, Write(writer, CheckMethod.XxHash64, Random(1))[0].DataOff);
    }

    [TestMethod]
    public void BytesOfASharedBlockReachTheMediumThoughOneOwnerGaveItBack()
    {
        using var v = new WritingVolume();
        using BlockWriter writer = Writer(v);
        BlockRef[] refs = Write(writer, CheckMethod.XxHash64, Random(1, 2048), Random(1, 2048));
        writer.Discard(BlockRefType.Data, refs[0].Physical);
        v.Buffer.Flush();
        CollectionAssert.AreEqual(Random(1, 2048), v.OnMedium((long)refs[1].Physical.Offset, 2048));
    }
}
