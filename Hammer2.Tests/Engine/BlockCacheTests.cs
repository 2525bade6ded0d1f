// The cache of decoded blocks on its own: budget, one load for many waiters, failed loads, pins, identity of blocks.
// The loader is a fake that can count, wait and fail; no device is involved.

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Hammer2.Tests.Hostile;

namespace Hammer2.Tests.Engine;

[TestClass]
[DoNotParallelize]
public sealed class BlockCacheTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private static BlockRef Ref(long index, int radix, ulong check = 0) => new()
    {
        Type = BlockRefType.Data,
        Methods = (byte)CheckMethod.XxHash64 << 4,
        DataOff = (ulong)index << 16 | (uint)radix,
        Check64 = check,
    };

    /// <summary>Fills a block with its own address and check code; counts, delays and fails on demand.</summary>
    private sealed class Loader : IBlockLoader
    {
        private int _loads;

        internal int Loads => Volatile.Read(ref _loads);

        internal ManualResetEventSlim? Hold { get; init; }

        internal ManualResetEventSlim Entered { get; } = new();

        internal Func<bool> Fails { get; init; } = () => false;

        public int Load(in BlockRef bref, Span<byte> slot)
        {
            Interlocked.Increment(ref _loads);
            Entered.Set();
            Hold?.Wait(s_patience);
            if (Fails())
                throw new Hammer2Exception(Hammer2Error.CheckFailed, "crafted failure");
            int length = bref.Physical.Bytes;
            MemoryMarshal.Cast<byte, ulong>(slot[..length]).Fill(bref.DataOff ^ bref.Check64);
            return length;
        }
    }

    private static void CheckContents(in BlockRef bref, ReadOnlySpan<byte> data)
    {
        Assert.AreEqual(bref.Physical.Bytes, data.Length);
        ulong expected = bref.DataOff ^ bref.Check64;
        if (MemoryMarshal.Cast<byte, ulong>(data).ContainsAnyExcept(expected))
            Assert.Fail($"block {bref} holds the bytes of another");
    }

    private static void Touch(BlockCache cache, in BlockRef bref, Loader loader)
    {
        using BlockLease lease = cache.Get(bref, bref.Physical.Bytes, loader);
        CheckContents(bref, lease.Data);
    }

    [TestMethod]
    [DataRow(1L << 20)]
    [DataRow(8L << 20)]
    [DataRow(24L << 20)]
    public void BudgetIsKeptForEveryMixOfSizes(long budget)
    {
        using var cache = new BlockCache(budget);
        var loader = new Loader();
        var random = new Random(7);
        for (int i = 0; i < 20000; i++)
        {
            Touch(cache, Ref(random.Next(100000), random.Next(10, 17)), loader);
            if (i % 500 == 0)
                Assert.IsLessThanOrEqualTo(budget + budget / 10, cache.Statistics.Bytes, $"after {i} blocks");
        }

        Assert.IsGreaterThan(budget / 2, cache.Statistics.Bytes, "the budget is there to be used");
        Assert.AreEqual(20000, cache.Statistics.Hits + cache.Statistics.Misses);
    }

    [TestMethod]
    public void BudgetIncludesTheBookkeepingOfSmallBlocks()
    {
        // 64 entries a page with their keys and tables were a fifth of the budget on top, for a cache full of inodes.
        const long budget = 48L << 20;
        var loader = new Loader();
        long before = GC.GetTotalMemory(forceFullCollection: true);
        using var cache = new BlockCache(budget);
        for (int phase = 0; phase < 3; phase++)
        {
            // Large blocks first, so that all memory is in pages when the small ones come; and large ones again.
            int radix = phase == 1 ? 10 : 16;
            for (int i = 0; i < (phase == 1 ? 60000 : 1000); i++)
                Touch(cache, Ref(i + phase * 100000, radix), loader);
            long all = GC.GetTotalMemory(forceFullCollection: true) - before + cache.Statistics.Bytes;
            Assert.IsLessThanOrEqualTo(budget + budget / 10, all, $"phase {phase}: {all - cache.Statistics.Bytes} bytes beside the pages");
            Assert.IsGreaterThan(budget * 7 / 10, cache.Statistics.Bytes, $"phase {phase}: the budget is there to be used");
        }
    }

    [TestMethod]
    public void CachedBlockIsNotLoadedAgain()
    {
        using var cache = new BlockCache(1 << 20);
        var loader = new Loader();
        for (int i = 0; i < 10; i++)
            Touch(cache, Ref(5, 12), loader);
        Assert.AreEqual(1, loader.Loads);
        cache.Clear();
        Assert.IsFalse(cache.Contains(Ref(5, 12)));
        Touch(cache, Ref(5, 12), loader);
        Assert.AreEqual(2, loader.Loads);
    }

    [TestMethod]
    public void RecentlyUsedBlocksSurviveAScan()
    {
        // A clock, not a queue: what is used between two rounds of the hand stays.
        using var cache = new BlockCache(1 << 20);
        var loader = new Loader();
        var hot = new Loader();
        for (int i = 0; i < 400; i++)
        {
            Touch(cache, Ref(1000 + i, 16), loader);
            Touch(cache, Ref(1, 16), hot);
        }

        Assert.IsLessThan(20, hot.Loads);
    }

    [TestMethod]
    public void FailedLoadLeavesNothingBehind()
    {
        using var cache = new BlockCache(1 << 20);
        bool fails = true;
        var loader = new Loader { Fails = () => fails };
        BlockRef bref = Ref(9, 14);
        Assert.ThrowsExactly<Hammer2Exception>(() => cache.Get(bref, 16384, loader));
        Assert.IsFalse(cache.Contains(bref));
        cache.Prefetch(bref, 16384, loader);
        Assert.IsFalse(cache.Contains(bref), "a failed prefetch is silent and leaves nothing either");
        fails = false;
        Touch(cache, bref, loader);
        Assert.AreEqual(3, loader.Loads);
    }

    [TestMethod]
    public void DamagedBlocksDoNotPushGoodOnesOut()
    {
        // A failed load kept its slot until the page was reused: a program that reads one bad block again and again
        // emptied the cache.
        using var cache = new BlockCache(1 << 20);
        var good = new Loader();
        var bad = new Loader { Fails = () => true };
        for (int i = 0; i < 8; i++)
            Touch(cache, Ref(i, 16), good);
        for (int i = 0; i < 2000; i++)
            Assert.ThrowsExactly<Hammer2Exception>(() => cache.Get(Ref(100 + i % 3, 10 + i % 7), 1 << (10 + i % 7), bad));
        for (int i = 0; i < 8; i++)
            Touch(cache, Ref(i, 16), good);
        Assert.AreEqual(8, good.Loads);
    }

    [TestMethod]
    public void ManyWaitersShareOneLoad()
    {
        using var cache = new BlockCache(1 << 20);
        using var hold = new ManualResetEventSlim();
        var loader = new Loader { Hold = hold };
        BlockRef bref = Ref(3, 16);
        Task[] tasks = [.. Enumerable.Range(0, 6).Select(_ => Task.Factory.StartNew(() => Touch(cache, bref, loader), TaskCreationOptions.LongRunning))];
        Assert.IsTrue(loader.Entered.Wait(s_patience));
        Assert.IsTrue(cache.Contains(bref), "a block on its way counts as there, so that nobody prefetches it twice");
        cache.Prefetch(bref, 65536, loader);

        // Other blocks of the same shard are not held up by the one that is being loaded.
        Touch(cache, Ref(4, 16), new Loader());
        hold.Set();
        Assert.IsTrue(Task.WaitAll(tasks, s_patience));
        Assert.AreEqual(1, loader.Loads);
    }

    [TestMethod]
    public void WaitersOfAFailedLoadTryForThemselves()
    {
        using var cache = new BlockCache(1 << 20);
        using var hold = new ManualResetEventSlim();
        int calls = 0;
        var loader = new Loader { Hold = hold, Fails = () => Interlocked.Increment(ref calls) == 1 };
        BlockRef bref = Ref(3, 16);
        int failures = 0;
        Task[] tasks =
        [
            .. Enumerable.Range(0, 4).Select(_ => Task.Factory.StartNew(() =>
            {
                try
                {
                    Touch(cache, bref, loader);
                }
                catch (Hammer2Exception)
                {
                    Interlocked.Increment(ref failures);
                }
            }, TaskCreationOptions.LongRunning)),
        ];
        Assert.IsTrue(loader.Entered.Wait(s_patience));
        hold.Set();
        Assert.IsTrue(Task.WaitAll(tasks, s_patience));
        Assert.AreEqual(1, failures, "only the reader whose load failed is told so");
        Assert.AreEqual(2, loader.Loads);
    }

    [TestMethod]
    public void BlocksInUseKeepTheirBytes()
    {
        // More leases than the budget has pages: readers go on, nothing that is leased moves.
        using var cache = new BlockCache(1 << 20);
        var loader = new Loader();
        var held = new List<(BlockRef Ref, BlockLease Lease)>();
        for (int i = 0; i < 40; i++)
            held.Add((Ref(i, 16), cache.Get(Ref(i, 16), 65536, loader)));
        for (int i = 100; i < 300; i++)
            Touch(cache, Ref(i, 10 + i % 7), loader);
        cache.Clear();
        foreach ((BlockRef bref, BlockLease lease) in held)
        {
            CheckContents(bref, lease.Data);
            lease.Dispose();
        }

        cache.Clear();
        Assert.IsFalse(cache.Contains(Ref(0, 16)));
    }

    [TestMethod]
    public void OneAddressUnderTwoChecksIsTwoBlocks()
    {
        using var cache = new BlockCache(1 << 20);
        var loader = new Loader();
        BlockRef bref = Ref(7, 12, check: 1);
        Touch(cache, bref, loader);
        foreach (BlockRef other in Variants(bref))
        {
            Assert.IsFalse(cache.Contains(other), $"{other}");
            Assert.IsFalse(new BlockKey(other).Equals(new BlockKey(bref)));
        }

        // Fields that do not change what the bytes mean: key, transaction ids, flags.
        BlockRef same = bref;
        (same.Key, same.KeyBits, same.MirrorTid, same.ModifyTid, same.Flags, same.CopyId) = (5, 3, 9, 9, 1, 255);
        Assert.IsTrue(cache.Contains(same));
    }

    private static IEnumerable<BlockRef> Variants(BlockRef bref)
    {
        BlockRef other = bref;
        other.Check64 = 2;
        yield return other;
        other = bref;
        other.Methods = (byte)CheckMethod.Iscsi32 << 4;
        yield return other;
        other = bref;
        other.Methods |= (byte)CompressionMethod.Lz4;
        yield return other;
        other = bref;
        other.Type = BlockRefType.Indirect;
        yield return other;
        other = bref;
        other.DataOff = bref.DataOff & ~0x3FUL | 13;
        yield return other;
        other = bref;
        other.Methods = (byte)CheckMethod.Sha192 << 4;
        yield return other;
        for (int at = 0; at < 24; at += 8)
        {
            // sha192 has three words, each of them counts.
            other = bref;
            other.Methods = (byte)CheckMethod.Sha192 << 4;
            BinaryPrimitives.WriteUInt64LittleEndian(ImageBuilder.Area(ref other)[at..], 77);
            yield return other;
        }
    }

    [TestMethod]
    public void ManyThreadsAndATinyBudgetNeverMixBlocksUp()
    {
        int seed = HammerSeed.Get();
        Console.WriteLine($"{HammerSeed.Variable}={seed}");
        using var cache = new BlockCache(1 << 20);
        var threads = new Thread[8];
        Exception? failure = null;
        for (int t = 0; t < threads.Length; t++)
        {
            var random = new Random(seed + t);
            threads[t] = new Thread(() =>
            {
                try
                {
                    var loader = new Loader { Fails = () => random.Next(50) == 0 };
                    for (int i = 0; i < 8000; i++)
                        OneStep(cache, random, loader);
                }
#pragma warning disable CA1031 // carried to the test's own thread
                catch (Exception e)
#pragma warning restore CA1031
                {
                    Interlocked.CompareExchange(ref failure, e, null);
                }
            });
            threads[t].Start();
        }

        foreach (Thread thread in threads)
            Assert.IsTrue(thread.Join(TimeSpan.FromSeconds(60)), "a thread waits for ever");
        Assert.IsNull(failure, $"{failure}");

        // All pins are gone: whatever was over the budget can be reused.
        cache.Clear();
        Assert.IsLessThanOrEqualTo((1 << 20) + 8 * 65536, cache.Statistics.Bytes);
    }

    private static void OneStep(BlockCache cache, Random random, Loader loader)
    {
        BlockRef bref = Ref(random.Next(60), random.Next(10, 17), (ulong)random.Next(2));
        try
        {
            if (random.Next(10) == 0)
                cache.Prefetch(bref, bref.Physical.Bytes, loader);
            else if (random.Next(200) == 0)
                cache.Clear();
            else
                Touch(cache, bref, loader);
        }
        catch (Hammer2Exception)
        {
            // The crafted failure of the loader, met by whoever loaded.
            return;
        }
    }
}
