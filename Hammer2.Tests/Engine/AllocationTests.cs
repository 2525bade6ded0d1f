// What must not allocate: reads and listings of cached data, look-ups by number, and the way of a cold LZ4 block or
// array of references from the device into the cache. Measured on the calling thread after a warm-up.

using System.Text;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Hostile;

namespace Hammer2.Tests.Engine;

[TestClass]
[DoNotParallelize]
public sealed class AllocationTests
{
    private const int Block = FormatLimits.LogicalBlockBytes;
    private const int Blocks = 400;

    private static Hammer2Volume Build(long cacheBytes, CompressionMethod method = CompressionMethod.Lz4)
    {
        var image = new ImageBuilder { IndirectRadix = 12 };
        var refs = new List<BlockRef>();
        for (int i = 0; i < Blocks; i++)
            refs.Add(image.Data((ulong)i * Block, CraftedTreeTests.Text(Block, i), method));
        image.AddFile("big", (ulong)Blocks * Block, refs);
        for (int i = 0; i < 300; i++)
            image.AddEmbedded($"file {i}" + (i % 20 == 0 ? new string('x', 80) : ""), "x"u8);
        return image.Open(new VolumeOptions { CacheBytesMax = cacheBytes, ReadAheadBlocksMax = 0 });
    }

    private static void AllocatesNothing(string what, int times, Action action)
    {
        // Two warm-ups: the second finds pools, thread statics and tiered code in place.
        for (int i = 0; i < 3; i++)
            action();
        long allocated = Allocations.Least(() =>
        {
            for (int i = 0; i < times; i++)
                action();
        });
        Assert.AreEqual(0L, allocated, $"{what}: {allocated} bytes in {times} runs");
    }

    [TestMethod]
    public void CachedReadsAllocateNothing()
    {
        using Hammer2Volume volume = Build(64 << 20);
        using PfsMount pfs = volume.OpenPfs();
        Assert.AreEqual(Hammer2Error.None, pfs.TryResolve("big", out Vnode? vnode));
        using (vnode)
        {
            byte[] buffer = new byte[4 * Block];
            AllocatesNothing("64 KiB", 50, () => vnode!.Read(Block, buffer.AsSpan(0, Block)));
            AllocatesNothing("4 KiB", 50, () => vnode!.Read(3 * Block + 4096, buffer.AsSpan(0, 4096)));
            AllocatesNothing("unaligned 200 KiB", 50, () => vnode!.Read(777, buffer.AsSpan(0, 200 << 10)));
            AllocatesNothing("attributes", 50, () => vnode!.GetAttributes());
            AllocatesNothing("holes", 50, () => vnode!.NextHole(vnode.NextData(Block) ?? 0));
        }
    }

    [TestMethod]
    public void CachedListingsAndLookupsAllocateNothing()
    {
        using Hammer2Volume volume = Build(64 << 20);
        using PfsMount pfs = volume.OpenPfs();
        using Vnode root = pfs.OpenRoot();
        var batch = new DirectoryBatch(128) { WithDots = true };
        AllocatesNothing("listing", 20, () =>
        {
            ulong position = 0;
            do
            {
                root.ReadDirectory(position, batch);
                position = batch.NextPosition;
            }
            while (!batch.EndOfDirectory);
        });
        byte[] name = Encoding.ASCII.GetBytes("file 7");
        AllocatesNothing("look-up", 50, () => Assert.IsTrue(pfs.TryLookup(1, name, out InodeAttributes _) == Hammer2Error.None));
        AllocatesNothing("look-up of nothing", 50, () => Assert.IsTrue(pfs.TryLookup(1, "nothing"u8, out InodeAttributes _) == Hammer2Error.NotFound));
        AllocatesNothing("attributes", 50, () => Assert.IsTrue(pfs.TryGetAttributes(ImageBuilder.FirstInode, out _) == Hammer2Error.None));
    }

    [TestMethod]
    [DataRow(CompressionMethod.Lz4)]
    [DataRow(CompressionMethod.None)]
    public void ColdBlocksAllocateNothingEach(CompressionMethod method)
    {
        // 25 MiB through a cache of 1 MiB: every block and every array of references comes from the device each time.
        using Hammer2Volume volume = Build(1 << 20, method);
        using PfsMount pfs = volume.OpenPfs();
        Assert.AreEqual(Hammer2Error.None, pfs.TryResolve("big", out Vnode? vnode));
        using (vnode)
        {
            byte[] buffer = new byte[Block];
            void ReadAll()
            {
                for (int i = 0; i < Blocks; i++)
                    vnode!.Read((long)i * Block, buffer);
            }

            ReadAll();
            ReadAll();
            long misses = volume.CacheStatistics.Misses;
            long allocated = Allocations.Least(ReadAll, enough: 8L * Blocks - 1);
            Assert.IsGreaterThan(Blocks - 1, volume.CacheStatistics.Misses - misses, "the blocks were not cold");

            // Tables of the cache may still grow once; that is not per block.
            Assert.IsLessThan(8L * Blocks, allocated, $"{allocated} bytes for {Blocks} cold blocks");
        }
    }
}
