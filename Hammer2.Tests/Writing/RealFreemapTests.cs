// Writer and allocator together, on a volume that the reference implementation made: what several threads write lies in free
// space, apart from each other except where it is shared, and reads back from the medium.

using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Checking;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Hostile;
using Hammer2.Tests.Images;
using Hammer2.Torture.Devices;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hammer2.Tests.Writing;

[TestClass]
[DoNotParallelize]
public sealed class RealFreemapTests
{
    private const int Threads = 4;

    private sealed record Written(BlockRef Ref, byte[] Logical);

    [TestMethod]
    [DataRow("comp-lz4")]
    [DataRow("churn")]
    public void BlocksLieApartInFreeSpaceAndReadBack(string image)
    {
        int seed = HammerSeed.Get();
        IBlockDevice[] devices = [.. GoldenImages.Get(image).Devices.Select(d => new OneAtATime(new OverlayDevice(d)))];
        using VolumeSet volumes = VolumeSet.Open(devices);
        var cache = new BlockCache(8 << 20);
        using var buffer = new DeviceBuffer(volumes, 8 << 20, cache);
        using var reader = new BlockReader(volumes, cache, buffer);
        var allocator = new FreemapAllocator(reader, volumes.Header, NullLogger.Instance, 16 << 20);
        using var writer = new BlockWriter(reader, buffer, allocator, new DedupTable());
        var all = new List<Written>[Threads];
        Task[] tasks = [.. Enumerable.Range(0, Threads).Select(t => Task.Run(() => all[t] = WriteSome(writer, allocator, seed + t)))];
        Assert.IsTrue(Task.WaitAll(tasks, WritingVolume.Patience), "the writer hangs");
        buffer.Flush();

        var ends = new SortedDictionary<ulong, ulong>();
        foreach (Written written in all.SelectMany(w => w))
            ends[written.Ref.Physical.Offset] = written.Ref.Physical.Offset + (ulong)written.Ref.Physical.Bytes;
        ulong last = 0;
        foreach ((ulong start, ulong end) in ends)
        {
            Assert.IsGreaterThanOrEqualTo(last, start, $"seed {seed}: blocks overlap at 0x{start:x}");
            last = end;
        }

        Assert.IsLessThan(all.Sum(w => w.Count), ends.Count, "nothing was shared");
        using var plain = new BlockReader(volumes, new BlockCache(1 << 20));
        foreach (Written written in all.SelectMany(w => w))
        {
            using BlockLease lease = written.Ref.Type == BlockRefType.Data
                ? plain.GetData(written.Ref, written.Logical.Length)
                : plain.GetMetadata(written.Ref);
            Assert.IsTrue(lease.Data.SequenceEqual(written.Logical), $"seed {seed}: {written.Ref}");
        }

        // Nothing refers to these blocks: what was there before must be there untouched.
        using Hammer2Volume volume = Hammer2Volume.Open(devices);
        Assert.IsTrue(new VolumeVerifier(volume).Run().IsClean, $"seed {seed}: a block of the image was overwritten");
    }

    private static List<Written> WriteSome(BlockWriter writer, FreemapAllocator allocator, int seed)
    {
        var random = new Random(seed);
        var written = new List<Written>();
        for (int round = 0; round < 10; round++)
        {
            byte[][] logical = [.. Enumerable.Range(0, random.Next(1, 40)).Select(_ => random.Next(2) == 0
                ? WritingVolume.Bytes(1 << random.Next(10, 17), random.Next(100))
                : CraftedTreeTests.Text(1 << random.Next(10, 17), random.Next(100)))];
            var claim = new SpaceClaim();
            foreach (byte[] block in logical)
                claim.AddBlock(int.Log2(block.Length));
            claim.AddBlock(FormatLimits.AllocationRadixMin);
            Assert.IsTrue(allocator.TryClaim(claim, ClaimLevel.Write));
            using var source = new BlockWriterTests.Source(logical);
            writer.WriteData(source.Blocks, 1, 1);
            for (int i = 0; i < logical.Length; i++)
                written.Add(new Written(source.Blocks[i].Ref, logical[i]));
            var bref = new BlockRef { Type = BlockRefType.Inode, Methods = 0x32, Key = (ulong)round };
            byte[] inode = WritingVolume.Bytes(FormatLimits.InodeBytes, random.Next());
            writer.WriteMetadata(ref bref, inode);
            written.Add(new Written(bref, inode));
            allocator.Release(claim);
        }

        return written;
    }

    // An overlay is for one writer at a time, and here are many: the engine's threads take turns at the device.
    private sealed class OneAtATime(OverlayDevice inner) : IBlockDevice
    {
        private readonly object _gate = new();

        public string Name => inner.Name;

        public long Length => inner.Length;

        public int SectorSize => inner.SectorSize;

        public void Read(long offset, Span<byte> buffer)
        {
            lock (_gate)
                inner.Read(offset, buffer);
        }

        public void Write(long offset, ReadOnlySpan<byte> data)
        {
            lock (_gate)
                inner.Write(offset, data);
        }

        public void Flush() => inner.Flush();

        public void Dispose() => inner.Dispose();
    }
}
