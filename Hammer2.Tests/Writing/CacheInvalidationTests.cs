// The cache of decoded blocks when blocks are written: what overlaps written bytes is never found again, whatever its key and
// whatever was going on with it (R9); what was just written is found without I/O.

using Hammer2.Engine.Buffers;
using Hammer2.Engine.Format;
using Hammer2.Tests.Hostile;

namespace Hammer2.Tests.Writing;

[TestClass]
[DoNotParallelize]
public sealed class CacheInvalidationTests
{
    private static BlockRef Ref(long address, int radix, ulong check = 0) => new()
    {
        Type = BlockRefType.Data,
        Methods = (byte)CheckMethod.XxHash64 << 4,
        DataOff = (ulong)address | (uint)radix,
        Check64 = check,
    };

    // Fills a block with one byte; holds on demand.
    private sealed class Loader(byte fill) : IBlockLoader
    {
        private int _loads;

        internal int Loads => Volatile.Read(ref _loads);

        internal ManualResetEventSlim? Hold { get; init; }

        internal ManualResetEventSlim Entered { get; } = new();

        public int Load(in BlockRef bref, Span<byte> slot)
        {
            Interlocked.Increment(ref _loads);
            Entered.Set();
            Hold?.Wait(WritingVolume.Patience);
            slot[..bref.Physical.Bytes].Fill(fill);
            return bref.Physical.Bytes;
        }
    }

    private static byte First(BlockCache cache, in BlockRef bref, Loader loader)
    {
        using BlockLease lease = cache.Get(bref, bref.Physical.Bytes, loader);
        return lease.Data[0];
    }

    [TestMethod]
    public void EveryBlockThatOverlapsIsForgottenAndNoOther()
    {
        int seed = HammerSeed.Get();
        var random = new Random(seed);
        using var cache = new BlockCache(64 << 20);
        var loader = new Loader(1);
        const int regions = 40;
        for (int round = 0; round < 200; round++)
        {
            var refs = new List<BlockRef>();
            for (int i = 0; i < 100; i++)
            {
                int radix = random.Next(10, 17);
                int places = 65 - (1 << radix - 10);
                BlockRef bref = Ref(random.Next(regions) * 65536L + random.Next(places) * 1024L, radix, (ulong)random.Next(2));
                refs.Add(bref);
                First(cache, bref, loader);
            }

            long start = random.Next(regions * 64) * 1024L;
            int bytes = random.Next(1, 200) * 1024;
            bool[] known = [.. refs.Select(r => cache.Contains(r))];
            cache.Invalidate(start, bytes);
            for (int i = 0; i < refs.Count; i++)
            {
                PhysicalOffset at = refs[i].Physical;
                bool overlaps = (long)at.Offset < start + bytes && (long)at.Offset + at.Bytes > start;
                Assert.AreEqual(known[i] && !overlaps, cache.Contains(refs[i]), $"seed {seed}: {refs[i]} and {bytes} bytes at 0x{start:x}");
            }
        }
    }

    [TestMethod]
    public void LeasedBlockKeepsItsBytesAndIsForgotten()
    {
        using var cache = new BlockCache(1 << 20);
        BlockRef bref = Ref(1 << 20, 16);
        var before = new Loader(1);
        var after = new Loader(2);
        using (BlockLease lease = cache.Get(bref, 65536, before))
        {
            cache.Invalidate(1 << 20, 1024);
            Assert.IsFalse(cache.Contains(bref));
            Assert.AreEqual((byte)2, First(cache, bref, after));

            // Push everything through a small cache: the leased page must survive.
            for (int i = 0; i < 200; i++)
                First(cache, Ref((2 << 20) + i * 65536L, 16), after);
            Assert.IsFalse(lease.Data.ContainsAnyExcept((byte)1));
        }
    }

    [TestMethod]
    public void LoadInProgressIsNotPublished()
    {
        using var cache = new BlockCache(1 << 20);
        BlockRef bref = Ref(1 << 20, 12);
        var slow = new Loader(1) { Hold = new ManualResetEventSlim() };
        Task<byte> first = Task.Run(() => First(cache, bref, slow));
        Assert.IsTrue(slow.Entered.Wait(WritingVolume.Patience));
        cache.Invalidate(1 << 20, 4096);

        // Who comes now loads anew and does not wait for the old load.
        var fast = new Loader(2);
        Task<byte> second = Task.Run(() => First(cache, bref, fast));
        Assert.IsTrue(second.Wait(WritingVolume.Patience));
        Assert.AreEqual((byte)2, second.Result);
        slow.Hold.Set();
        Assert.IsTrue(first.Wait(WritingVolume.Patience));
        Assert.AreEqual((byte)1, first.Result, "who asked before the write may see the old bytes");
        Assert.AreEqual((byte)2, First(cache, bref, slow));
        Assert.AreEqual(1, slow.Loads);
    }

    [TestMethod]
    public void WaitersOfAnInvalidatedLoadBeginTheirOwn()
    {
        using var cache = new BlockCache(1 << 20);
        BlockRef bref = Ref(1 << 20, 12);
        var slow = new Loader(1) { Hold = new ManualResetEventSlim() };
        Task<byte> first = Task.Run(() => First(cache, bref, slow));
        Assert.IsTrue(slow.Entered.Wait(WritingVolume.Patience));
        var fast = new Loader(2);
        var started = new ManualResetEventSlim();
        Task<byte> waiter = Task.Run(() =>
        {
            started.Set();
            return First(cache, bref, fast);
        });
        Assert.IsTrue(started.Wait(WritingVolume.Patience));
        cache.Invalidate(1 << 20, 4096);
        Assert.IsTrue(waiter.Wait(WritingVolume.Patience), "waits for a load that it cannot use");
        Assert.AreEqual((byte)2, waiter.Result);
        slow.Hold.Set();
        Assert.IsTrue(first.Wait(WritingVolume.Patience));
    }

    [TestMethod]
    public void FailedLoadOfAForgottenBlockTakesNothingWithIt()
    {
        using var cache = new BlockCache(1 << 20);
        BlockRef bref = Ref(1 << 20, 12);
        var slow = new FailingLoader();
        Task failing = Task.Run(() => cache.Get(bref, 4096, slow).Dispose());
        Assert.IsTrue(slow.Entered.Wait(WritingVolume.Patience));
        cache.Invalidate(1 << 20, 4096);
        cache.Insert(bref, WritingVolume.Bytes(4096, 5));
        slow.Hold.Set();
        Assert.ThrowsExactly<AggregateException>(() => failing.Wait(WritingVolume.Patience));
        Assert.IsTrue(cache.Contains(bref), "the newer block of the same key went with the failed load");
    }

    [TestMethod]
    public void InsertedBlockIsFoundAndReplacesOneOfTheSameKey()
    {
        using var cache = new BlockCache(1 << 20);
        var loader = new Loader(1);
        foreach (int length in (int[])[0, 128, 1024, 3000, 65536])
        {
            BlockRef bref = Ref((1 << 20) + length * 64L, 16);
            cache.Insert(bref, WritingVolume.Bytes(length, 1));
            using (BlockLease old = cache.Get(bref, 65536, loader))
            {
                cache.Insert(bref, WritingVolume.Bytes(length, 2));
                Assert.IsTrue(old.Data.SequenceEqual(WritingVolume.Bytes(length, 1)));
            }

            using BlockLease lease = cache.Get(bref, 65536, loader);
            Assert.IsTrue(lease.Data.SequenceEqual(WritingVolume.Bytes(length, 2)));
        }

        Assert.AreEqual(0, loader.Loads);
    }

    [TestMethod]
    public void ThreadsThatLoadInvalidateAndInsertNeverSeeOldBytes()
    {
        // Each block holds its version; a writer raises it, then invalidates: whoever asks afterwards sees the new one or a later one.
        int seed = HammerSeed.Get();
        using var cache = new BlockCache(2 << 20);
        const int blocks = 60;
        int[] versions = new int[blocks];
        var loader = new VersionLoader(versions);
        Task[] tasks = [.. Enumerable.Range(0, 4).Select(t => Task.Run(() =>
        {
            var random = new Random(seed + t);
            byte[] bytes = new byte[1024];
            for (int i = 0; i < 20000; i++)
            {
                int block = random.Next(blocks);
                BlockRef bref = Ref((1 << 20) + block * 1024L, 10);
                if (random.Next(4) == 0 && block % 4 == t)
                {
                    int version = Interlocked.Increment(ref versions[block]);
                    cache.Invalidate((1 << 20) + block * 1024L, 1024);
                    BitConverter.TryWriteBytes(bytes, version);
                    if (random.Next(2) == 0)
                        cache.Insert(bref, bytes);
                }

                int least = Volatile.Read(ref versions[block]);
                bool mine = block % 4 == t;
                using BlockLease lease = cache.Get(bref, 1024, loader);
                int seen = BitConverter.ToInt32(lease.Data);
                Assert.IsTrue(!mine || seen == least, $"seed {seed}: version {seen} instead of {least}");
            }
        }))];
        Assert.IsTrue(Task.WaitAll(tasks, WritingVolume.Patience), "the cache hangs");
    }

    private sealed class FailingLoader : IBlockLoader
    {
        internal ManualResetEventSlim Hold { get; } = new();

        internal ManualResetEventSlim Entered { get; } = new();

        public int Load(in BlockRef bref, Span<byte> slot)
        {
            Entered.Set();
            Hold.Wait(WritingVolume.Patience);
            throw new Hammer2.Engine.Primitives.Hammer2Exception(Hammer2.Engine.Primitives.Hammer2Error.Io, "crafted failure");
        }
    }

    private sealed class VersionLoader(int[] versions) : IBlockLoader
    {
        public int Load(in BlockRef bref, Span<byte> slot)
        {
            int block = (int)((long)bref.Physical.Offset - (1 << 20)) / 1024;
            BitConverter.TryWriteBytes(slot, Volatile.Read(ref versions[block]));
            return 1024;
        }
    }
}
