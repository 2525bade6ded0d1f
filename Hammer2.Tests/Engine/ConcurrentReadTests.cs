// Many threads read the same and different files through a cache far too small for them, list directories and look
// names up meanwhile, and every byte is compared with a model kept in memory.

using Hammer2.Engine.Directories;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Hostile;

namespace Hammer2.Tests.Engine;

[TestClass]
public sealed class ConcurrentReadTests
{
    private const int Files = 48;
    private const int Threads = 8;
    private const int Steps = 700;
    private const int Block = FormatLimits.LogicalBlockBytes;

    private static byte[] Content(int file) => file % 4 == 3
        ? CraftedTreeTests.Noise(file * 9973, file)
        : CraftedTreeTests.Text(file * 9973 + (file % 5 == 0 ? 4 * Block : 0), file);

    private static Hammer2Volume Build(out byte[][] model, int readAhead)
    {
        var image = new ImageBuilder { IndirectRadix = 12 };
        model = new byte[Files][];
        for (int f = 0; f < Files; f++)
        {
            byte[] content = model[f] = Content(f);
            var refs = new List<BlockRef>();
            for (int at = 0; at < content.Length; at += Block)
            {
                byte[] piece = ImageBuilder.Padded(content.AsSpan(at, Math.Min(Block, content.Length - at)));
                refs.Add(image.Data((ulong)at, piece, f % 4 == 3 ? CompressionMethod.None : f % 4 == 2 ? CompressionMethod.Zlib : CompressionMethod.Lz4, (CheckMethod)(f % 5)));
            }

            if (content.Length <= FormatLimits.EmbeddedBytes)
                image.AddEmbedded($"f{f}", content);
            else
                image.AddFile($"f{f}", (ulong)content.Length, refs);
        }

        return image.Open(new VolumeOptions { CacheBytesMax = 1 << 20, ReadAheadBlocksMax = readAhead });
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(32)]
    public void EveryByteIsRightUnderEightThreadsAndATinyCache(int readAhead)
    {
        int seed = HammerSeed.Get();
        Console.WriteLine($"{HammerSeed.Variable}={seed}");
        using Hammer2Volume volume = Build(out byte[][] model, readAhead);
        using PfsMount pfs = volume.OpenPfs();
        Vnode[] shared = [.. Enumerable.Range(0, Files).Select(f => Open(pfs, f))];
        Exception? failure = null;
        Thread[] threads =
        [
            .. Enumerable.Range(0, Threads).Select(t => new Thread(() =>
            {
                try
                {
                    Work(pfs, shared, model, new Random(seed + t));
                }
#pragma warning disable CA1031 // carried to the test's own thread
                catch (Exception e)
#pragma warning restore CA1031
                {
                    Interlocked.CompareExchange(ref failure, e, null);
                }
            })),
        ];
        Array.ForEach(threads, t => t.Start());
        foreach (Thread thread in threads)
            Assert.IsTrue(thread.Join(TimeSpan.FromSeconds(120)), "a reader waits for ever");
        Assert.IsNull(failure, $"{failure}");
        Array.ForEach(shared, v => v.Dispose());
        Assert.AreEqual(0, pfs.OpenInodes);
    }

    private static Vnode Open(PfsMount pfs, int file)
    {
        Assert.AreEqual(Hammer2Error.None, pfs.TryResolve($"f{file}", out Vnode? vnode));
        return vnode!;
    }

    private static void Work(PfsMount pfs, Vnode[] shared, byte[][] model, Random random)
    {
        byte[] buffer = new byte[5 * Block];
        var batch = new DirectoryBatch(20);
        for (int step = 0; step < Steps; step++)
        {
            int file = random.Next(3) == 0 ? 1 + random.Next(3) * 15 : random.Next(Files);
            switch (random.Next(12))
            {
                case 0:
                    ListAll(pfs, batch, model);
                    break;
                case 1:
                    Assert.AreEqual(Hammer2Error.None, pfs.TryLookup(1, System.Text.Encoding.ASCII.GetBytes($"f{file}"), out InodeAttributes attributes));
                    Assert.AreEqual(model[file].Length, attributes.Size);
                    break;
                case 2:
                    using (Vnode own = Open(pfs, file))
                        Compare(own, model[file], 0, buffer.AsSpan(0, Math.Min(buffer.Length, model[file].Length + 10)));
                    break;
                case 3:
                    for (int at = 0; at < model[file].Length; at += Block)
                        Compare(shared[file], model[file], at, buffer.AsSpan(0, Block));
                    break;
                default:
                    Compare(shared[file], model[file], random.Next(model[file].Length + 100), buffer.AsSpan(0, random.Next(1, random.Next(2) == 0 ? 5000 : buffer.Length)));
                    break;
            }
        }
    }

    private static void Compare(Vnode vnode, byte[] content, int offset, Span<byte> buffer)
    {
        buffer.Fill(0xDD);
        int got = vnode.Read(offset, buffer);
        Assert.AreEqual(Math.Clamp(content.Length - offset, 0, buffer.Length), got);
        if (!buffer[..got].SequenceEqual(content.AsSpan(Math.Min(offset, content.Length), got)))
            Assert.Fail($"wrong bytes in {got} at {offset} of inode {vnode.InodeNumber}");
        Assert.IsFalse(buffer[got..].ContainsAnyExcept((byte)0xDD), "bytes beyond the end were touched");
    }

    private static void ListAll(PfsMount pfs, DirectoryBatch batch, byte[][] model)
    {
        using Vnode root = pfs.OpenRoot();
        ulong position = 0;
        int count = 0;
        do
        {
            root.ReadDirectory(position, batch);
            Assert.IsEmpty(batch.Damage);
            for (int i = 0; i < batch.Count; i++)
            {
                int file = int.Parse(batch.NameOf(i)[1..], System.Globalization.CultureInfo.InvariantCulture);
                Assert.AreEqual(model[file].Length, batch[i].Attributes.Size);
                count++;
            }

            position = batch.NextPosition;
        }
        while (!batch.EndOfDirectory);
        Assert.AreEqual(Files, count);
    }
}
