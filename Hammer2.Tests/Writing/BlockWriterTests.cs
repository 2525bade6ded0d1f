// Writing blocks and reading them back through the ordinary reader: references complete, checks right, runs joined, nothing
// shared that should not be, everything given back when the device refuses.

using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Hammer2.Tests.Hostile;

namespace Hammer2.Tests.Writing;

[TestClass]
[DoNotParallelize]
public sealed unsafe class BlockWriterTests
{
    private const int Block = FormatLimits.BlockBytesMax;

    /// <summary>Logical blocks in unmanaged memory, one after the other in 64 KiB places.</summary>
    internal sealed class Source : IDisposable
    {
        private readonly NativeBlock _memory;

        internal Source(params byte[][] blocks)
        {
            _memory = new NativeBlock(Math.Max(1, blocks.Length) * Block);
            Blocks = new DataBlock[blocks.Length];
            for (int i = 0; i < blocks.Length; i++)
            {
                Span<byte> place = _memory.Slice(i * Block, blocks[i].Length);
                blocks[i].CopyTo(place);
                fixed (byte* p = place)
                {
                    Blocks[i] = new DataBlock
                    {
                        Key = (ulong)i * Block,
                        Logical = p,
                        LogicalBytes = blocks[i].Length,
                        CompressionSetting = (byte)CompressionMethod.Lz4,
                        Check = CheckMethod.XxHash64,
                    };
                }
            }
        }

        internal DataBlock[] Blocks { get; }

        internal Source With(CompressionMethod method, CheckMethod check)
        {
            for (int i = 0; i < Blocks.Length; i++)
            {
                Blocks[i].CompressionSetting = (byte)method;
                Blocks[i].Check = check;
            }

            return this;
        }

        internal Source Reversed()
        {
            Array.Reverse(Blocks);
            return this;
        }

        public void Dispose() => _memory.Dispose();
    }

    private static BlockWriter Writer(WritingVolume v, bool dedup = false, int workers = 0) =>
        new(v.Reader, v.Buffer, v.Allocator, dedup ? new DedupTable() : null, workers);

    private static void ReadsBack(WritingVolume v, in DataBlock block, string what)
    {
        using BlockLease lease = v.Reader.GetData(block.Ref, block.LogicalBytes);
        ReadOnlySpan<byte> data = lease.Data;
        Assert.IsTrue(data.SequenceEqual(block.Bytes), $"{what}: {block.Ref}");
    }

    private static byte[] Random(int seed, int length = Block) => WritingVolume.Bytes(length, seed);

    private static byte[] Text(int seed, int length = Block) => CraftedTreeTests.Text(length, seed);

    [TestMethod]
    [DataRow(1)]
    [DataRow(0)]
    [DataRow(6)]
    public void EveryMethodSizeAndCheckReadsBack(int workers)
    {
        using var v = new WritingVolume();
        using BlockWriter writer = Writer(v, workers: workers);
        foreach (CompressionMethod method in (CompressionMethod[])[CompressionMethod.None, CompressionMethod.AutoZero, CompressionMethod.Lz4, CompressionMethod.Zlib])
        {
            for (CheckMethod check = CheckMethod.None; check <= CheckMethod.Sha192; check++)
            {
                byte[][] logical = [.. Enumerable.Range(10, 7).SelectMany(r => new[] { Random(r, 1 << r), Text(r, 1 << r), new byte[1 << r] })];
                using Source source = new Source(logical).With(method, check);
                writer.WriteData(source.Blocks, mirrorTid: 70, modifyTid: 71);
                foreach (ref readonly DataBlock block in source.Blocks.AsSpan())
                {
                    bool zeros = BlockEncoder.IsZero(block.Bytes);
                    Assert.AreEqual(zeros && method != CompressionMethod.None && check != CheckMethod.None, block.IsHole, $"{method} {check}");
                    if (block.IsHole)
                        continue;
                    BlockRef bref = block.Ref;
                    Assert.AreEqual(BlockRefType.Data, bref.Type);
                    Assert.AreEqual(FormatLimits.LogicalBlockRadix, bref.KeyBits);
                    Assert.AreEqual(block.Key, bref.Key);
                    Assert.AreEqual(check, bref.CheckMethod);
                    Assert.AreEqual((70UL, 71UL, 0UL, (ushort)0, 0UL), (bref.MirrorTid, bref.ModifyTid, bref.UpdateTid, bref.LeafCount, bref.DataCount));
                    Assert.IsTrue(bref.Compression is CompressionMethod.None || bref.Compression == method);
                    ReadsBack(v, block, $"{method} {check} {block.LogicalBytes}");
                }
            }
        }

        v.Buffer.Flush();
        v.Cache.Clear();
    }

    [TestMethod]
    public void WrittenBlocksAreSoundOnTheMedium()
    {
        using var v = new WritingVolume();
        using BlockWriter writer = Writer(v);
        using var source = new Source([.. Enumerable.Range(0, 100).Select(i => i % 3 == 0 ? Random(i) : Text(i))]);
        writer.WriteData(source.Blocks, 1, 1);
        v.Buffer.Flush();
        v.Cache.Clear();
        using var plain = new BlockReader(v.Volumes, new BlockCache(1 << 20));
        foreach (ref readonly DataBlock block in source.Blocks.AsSpan())
        {
            using BlockLease lease = plain.GetData(block.Ref, Block);
            Assert.IsTrue(lease.Data.SequenceEqual(block.Bytes));
        }
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void FullRawBlocksGoOutInJoinedRuns(bool scattered)
    {
        using var v = new WritingVolume();
        using BlockWriter writer = Writer(v);
        using Source source = new Source([.. Enumerable.Range(0, 64).Select(i => Random(i))]).With(CompressionMethod.None, CheckMethod.XxHash64);
        if (scattered)
            source.Reversed();
        writer.WriteData(source.Blocks, 1, 1);
        Assert.HasCount(4, v.Device.Writes, "64 blocks of 64 KiB in runs of 1 MiB, without a flush");
        Assert.AreEqual(64L * Block, v.Device.Writes.Sum(w => (long)w.Length));
        Assert.AreEqual(0L, v.Buffer.Statistics.PendingBytes);
        Assert.AreEqual(0, v.Device.Reads);
        foreach (ref readonly DataBlock block in source.Blocks.AsSpan())
            ReadsBack(v, block, "run");
    }

    [TestMethod]
    public void BlocksLieInFileOrderWhateverTheyCompressTo()
    {
        using var v = new WritingVolume();
        using BlockWriter writer = Writer(v);
        using var source = new Source([.. Enumerable.Range(0, 70).Select(i => i % 3 == 0 ? Random(i) : Text(i))]);
        writer.WriteData(source.Blocks, 1, 1);
        ulong last = 0;
        foreach (ref readonly DataBlock block in source.Blocks.AsSpan())
        {
            Assert.IsGreaterThan(last, block.Ref.Physical.Offset);
            last = block.Ref.Physical.Offset;
        }
    }

    [TestMethod]
    public void BlocksOfThousandsOfSmallFilesAreFewWrites()
    {
        // R6, the data's side and the inodes': 5,000 files of 3 KiB.
        using var v = new WritingVolume(bufferBytes: 32 << 20);
        using BlockWriter writer = Writer(v);
        byte[] inode = ImageBuilder.InodeBlock(2000, ObjectType.File, 3072, []);
        var bytes = new byte[4096];
        for (int file = 0; file < 5000; file++)
        {
            new Random(file).NextBytes(bytes.AsSpan(0, 3072));
            using var source = new Source(bytes);
            writer.WriteData(source.Blocks, 1, 1);
            var bref = new BlockRef { Type = BlockRefType.Inode, Methods = 0x32, Key = (ulong)file };
            writer.WriteMetadata(ref bref, inode);
        }

        v.Buffer.Flush();
        Assert.IsLessThan(20, v.Device.Writes.Length, "device writes for 10,000 blocks of 5,000 files");
        Assert.AreEqual(0, v.Device.Reads);
    }

    [TestMethod]
    public void OverwrittenAddressIsForgottenByTheCache()
    {
        // R9: a block that comes to an address that held another one; without a check code the key is the same.
        using var v = new WritingVolume();
        var first = new FixedAllocator((ulong)WritingVolume.Area);
        using var writer = new BlockWriter(v.Reader, v.Buffer, first);
        using Source a = new Source(Random(1)).With(CompressionMethod.None, CheckMethod.None);
        using Source b = new Source(Random(2)).With(CompressionMethod.None, CheckMethod.None);
        using Source c = new Source(Random(3, 4096)).With(CompressionMethod.None, CheckMethod.None);
        using Source d = new Source(Random(4, 4096)).With(CompressionMethod.None, CheckMethod.None);
        foreach (Source source in (Source[])[a, b, c, d])
        {
            writer.WriteData(source.Blocks, 1, 1);
            ReadsBack(v, source.Blocks[0], "direct, direct, buffered, buffered");
        }
    }

    [TestMethod]
    public void DecodedBlocksAreCachedOnlyWhenAskedFor()
    {
        using var v = new WritingVolume(cacheBytes: 32 << 20);
        using BlockWriter writer = Writer(v);
        using var source = new Source(Random(1), Text(2), Text(3, 4096));
        writer.WriteData(source.Blocks, 1, 1);
        Assert.IsFalse(source.Blocks.Any(b => v.Cache.Contains(b.Ref)));
        writer.WriteData(source.Blocks, 1, 1, cache: true);
        Assert.IsTrue(source.Blocks.All(b => v.Cache.Contains(b.Ref)));
        v.Device.Reset();
        foreach (ref readonly DataBlock block in source.Blocks.AsSpan())
            ReadsBack(v, block, "cached");
        Assert.AreEqual(0, v.Device.Reads);
    }

    [TestMethod]
    public void RefusedWriteGivesTheBlocksBack()
    {
        using var v = new WritingVolume();
        using BlockWriter writer = Writer(v, dedup: true);
        using var source = new Source([.. Enumerable.Range(0, 40).Select(i => i % 2 == 0 ? Random(i) : Text(i))]);
        v.Device.FailsWrite = _ => true;
        Assert.ThrowsExactly<Hammer2Exception>(() => writer.WriteData(source.Blocks, 1, 1));
        CollectionAssert.AreEquivalent(v.Allocator.Allocated, v.Allocator.Discarded);

        // And dedup does not know them.
        v.Device.FailsWrite = _ => false;
        writer.WriteData(source.Blocks, 1, 1);
        Assert.IsEmpty(v.Allocator.Retained);
        foreach (ref readonly DataBlock block in source.Blocks.AsSpan())
            ReadsBack(v, block, "after the failure");
    }

    [TestMethod]
    public void FailureWhileEncodingIsTheCallersAndTheWriterGoesOn()
    {
        using var v = new WritingVolume();
        using BlockWriter writer = Writer(v);
        using var source = new Source([.. Enumerable.Range(0, 100).Select(i => Random(i))]);
        source.Blocks[50].CompressionSetting = 7;
        Assert.AreEqual(Hammer2Error.Unsupported, Assert.ThrowsExactly<Hammer2Exception>(() => writer.WriteData(source.Blocks, 1, 1)).Error);
        source.Blocks[50].CompressionSetting = 2;
        source.Blocks[60].Check = CheckMethod.Freemap;
        Assert.AreEqual(Hammer2Error.Unsupported, Assert.ThrowsExactly<Hammer2Exception>(() => writer.WriteData(source.Blocks, 1, 1)).Error);
        source.Blocks[60].Check = CheckMethod.Iscsi32;
        writer.WriteData(source.Blocks, 1, 1);
        foreach (ref readonly DataBlock block in source.Blocks.AsSpan())
            ReadsBack(v, block, "after the failures");
    }

    [TestMethod]
    public void ManyThreadsWriteAtOnce()
    {
        int seed = HammerSeed.Get();
        using var v = new WritingVolume(bufferBytes: 2 << 20, background: true);
        using BlockWriter writer = Writer(v, dedup: true);
        Task[] tasks = [.. Enumerable.Range(0, 8).Select(t => Task.Run(() =>
        {
            var random = new Random(seed + t);
            for (int round = 0; round < 12; round++)
            {
                using var source = new Source([.. Enumerable.Range(0, random.Next(1, 45)).Select(i => random.Next(3) switch
                {
                    0 => Random(random.Next(1000), 1 << random.Next(10, 17)),
                    1 => Text(random.Next(1000), 1 << random.Next(10, 17)),
                    _ => new byte[Block],
                })]);
                writer.WriteData(source.Blocks, 1, 1, cache: random.Next(2) == 0);
                foreach (ref readonly DataBlock block in source.Blocks.AsSpan())
                {
                    if (!block.IsHole)
                        ReadsBack(v, block, $"seed {seed}");
                }
            }
        }))];
        Assert.IsTrue(Task.WaitAll(tasks, WritingVolume.Patience), "the writer hangs");
    }

    [TestMethod]
    public void WritingAllocatesNothing()
    {
        using var v = new WritingVolume(bufferBytes: 4 << 20);
        v.Allocator.Allocated.Capacity = 4096;
        v.Memory.Write(WritingVolume.Area, new byte[80 << 20]);
        using BlockWriter writer = Writer(v, dedup: true, workers: 1);
        using var source = new Source([.. Enumerable.Range(0, 40).Select(i => i % 2 == 0 ? Random(i) : Text(i))]);
        ulong next = 0;
        void Round()
        {
            foreach (ref DataBlock block in source.Blocks.AsSpan())
                *(ulong*)block.Logical = next++;
            writer.WriteData(source.Blocks, 1, 1);
        }

        for (int i = 0; i < 20; i++)
            Round();
        long allocated = Allocations.Least(
            () =>
            {
                for (int i = 0; i < 5; i++)
                    Round();
            },
            enough: 100_000);

        // 200 blocks; the allocator of the test and the list of the probe grow now and then.
        Assert.IsLessThan(100_000L, allocated);
        Console.WriteLine($"{allocated} bytes for 200 blocks");
    }

    private sealed class FixedAllocator(ulong address) : IBlockAllocator
    {
        public PhysicalOffset Allocate(BlockRefType type, int radix, ulong key) => new(address | (uint)radix);

        public void AllocateRun(BlockRefType type, ReadOnlySpan<int> radixes, Span<PhysicalOffset> result) =>
            result[0] = new PhysicalOffset(address | (uint)radixes[0]);

        public void Discard(BlockRefType type, PhysicalOffset block) => throw new InvalidOperationException();

        public bool TryRetain(PhysicalOffset block) => false;
    }
}
