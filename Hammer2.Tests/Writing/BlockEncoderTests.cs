// Encoding of logical blocks: what is a hole, what stays raw, what is kept compressed and in how many bytes (format page 7.4),
// and that the reader's decoder gives the bytes back.

using System.Buffers.Binary;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Hammer2.Tests.Hostile;
using K4os.Compression.LZ4;

namespace Hammer2.Tests.Writing;

[TestClass]
[DoNotParallelize]
public sealed class BlockEncoderTests
{
    private static readonly byte[] s_stored = new byte[BlockEncoder.StoredBytesMax];

    private static byte Setting(CompressionMethod method, int level = 0) => (byte)((int)method | level << 4);

    private static StoredForm Encode(byte[] logical, byte setting, CheckMethod check = CheckMethod.XxHash64, CompressionHistory? history = null)
    {
        Array.Fill(s_stored, (byte)0xEE);
        return BlockEncoder.Encode(logical, setting, check, history, s_stored);
    }

    /// <summary>Bytes of which a share is random and the rest repeats.</summary>
    internal static byte[] Mixed(int length, double random, int seed)
    {
        byte[] bytes = CraftedTreeTests.Text(length, seed);
        new Random(seed).NextBytes(bytes.AsSpan(0, (int)(length * random)));
        return bytes;
    }

    [TestMethod]
    public void EveryMethodAndSizeDecodesToWhatItWas()
    {
        byte[] decoded = new byte[FormatLimits.LogicalBlockBytes];
        foreach (CompressionMethod method in (CompressionMethod[])[CompressionMethod.Lz4, CompressionMethod.Zlib])
        {
            int compressed = 0;
            for (int radix = 10; radix <= 16; radix++)
            {
                for (double share = 0; share < 0.7; share += 0.05)
                {
                    byte[] logical = Mixed(1 << radix, share, radix);
                    StoredForm form = Encode(logical, Setting(method));
                    if (form.IsRaw)
                    {
                        Assert.AreEqual(radix, form.Radix);
                        continue;
                    }

                    compressed++;
                    Assert.AreEqual(method, form.Method);
                    Assert.IsTrue(form.Radix < radix || radix == 10);
                    int length = Compression.Decode(method, s_stored.AsSpan(0, 1 << form.Radix), decoded);
                    Assert.AreEqual(logical.Length, length, $"{method} {logical.Length}");
                    Assert.IsTrue(logical.AsSpan().SequenceEqual(decoded.AsSpan(0, length)));
                }
            }

            Assert.IsGreaterThan(30, compressed, $"{method}");
        }
    }

    [TestMethod]
    public void RestOfACompressedBlockIsZeroAndTheSizeTheSmallestThatFits()
    {
        for (double share = 0; share < 0.5; share += 0.02)
        {
            byte[] logical = Mixed(65536, share, 3);
            StoredForm form = Encode(logical, Setting(CompressionMethod.Lz4));
            if (form.IsRaw)
                continue;
            int total = BinaryPrimitives.ReadInt32LittleEndian(s_stored) + 4;
            Assert.IsTrue(total <= 1 << form.Radix && (total > 1 << form.Radix - 1 || form.Radix == 10), $"{total} in {1 << form.Radix}");
            Assert.IsFalse(s_stored.AsSpan(total, (1 << form.Radix) - total).ContainsAnyExcept((byte)0));
            Assert.IsFalse(s_stored.AsSpan(1 << form.Radix).ContainsAnyExcept((byte)0xEE), "beyond the block");
        }
    }

    [TestMethod]
    [DataRow(1024)]
    [DataRow(4096)]
    [DataRow(65536)]
    public void Lz4IsKeptExactlyUpToItsLimit(int length)
    {
        // n <= P/2 - 8 is kept, n + 4 bytes are stored; one byte more and the block stays raw.
        int kept = 0, raw = 0;
        byte[] unlimited = new byte[LZ4Codec.MaximumOutputSize(length)];
        for (int random = 0; random < length; random += Math.Max(1, length / 4096))
        {
            byte[] logical = new byte[length];
            new Random(random).NextBytes(logical.AsSpan(0, random));
            if (random == 0)
                logical[0] = 1;
            int n = LZ4Codec.Encode(logical, unlimited);
            if (n < length / 2 - 40 || n > length / 2 + 40)
                continue;
            StoredForm form = Encode(logical, Setting(CompressionMethod.Lz4));
            Assert.AreEqual(n <= length / 2 - 8, !form.IsRaw, $"stream of {n} for {length}");
            if (form.IsRaw)
            {
                raw++;
                continue;
            }

            kept++;
            Assert.AreEqual(n, BinaryPrimitives.ReadInt32LittleEndian(s_stored));
            Assert.AreEqual(Math.Max(10, length == 1024 ? 10 : int.Log2(length) - 1), form.Radix);
        }

        Assert.IsTrue(kept > 0 && raw > 0, $"{kept} kept, {raw} raw: the limit was not met");
    }

    [TestMethod]
    public void SmallestBlockIsStoredCompressedWithoutGain()
    {
        byte[] logical = new byte[1024];
        WritingVolume.Bytes(300, 1).CopyTo(logical, 0);
        StoredForm form = Encode(logical, Setting(CompressionMethod.Lz4));
        Assert.AreEqual(new StoredForm(CompressionMethod.Lz4, 10), form);
        form = Encode(logical, Setting(CompressionMethod.Zlib));
        Assert.AreEqual(new StoredForm(CompressionMethod.Zlib, 10), form);
    }

    [TestMethod]
    [DataRow(CompressionMethod.None, CheckMethod.XxHash64, false)]
    [DataRow(CompressionMethod.AutoZero, CheckMethod.XxHash64, true)]
    [DataRow(CompressionMethod.Lz4, CheckMethod.XxHash64, true)]
    [DataRow(CompressionMethod.Zlib, CheckMethod.Iscsi32, true)]
    [DataRow(CompressionMethod.Lz4, CheckMethod.Disabled, true)]
    [DataRow(CompressionMethod.Lz4, CheckMethod.None, false)]
    [DataRow(CompressionMethod.AutoZero, CheckMethod.None, false)]
    public void ZerosAreAHoleUnlessTheMethodsStoreThem(CompressionMethod method, CheckMethod check, bool hole)
    {
        for (int radix = 10; radix <= 16; radix++)
        {
            byte[] zeros = new byte[1 << radix];
            Assert.AreEqual(hole, Encode(zeros, Setting(method), check).IsHole);
            zeros[^1] = 1;
            Assert.IsFalse(Encode(zeros, Setting(method), check).IsHole, "the last byte counts");
        }
    }

    [TestMethod]
    public void ZerosWithoutCheckAreCompressed()
    {
        // Seen on the medium of the reference: a stream of 267 bytes.
        StoredForm form = Encode(new byte[65536], Setting(CompressionMethod.Lz4), CheckMethod.None);
        Assert.AreEqual(new StoredForm(CompressionMethod.Lz4, 10), form);
        Assert.AreEqual(267, BinaryPrimitives.ReadInt32LittleEndian(s_stored));
    }

    [TestMethod]
    public void IncompressibleBlocksStayRaw()
    {
        foreach (CompressionMethod method in (CompressionMethod[])[CompressionMethod.None, CompressionMethod.AutoZero, CompressionMethod.Lz4, CompressionMethod.Zlib])
        {
            for (int radix = 10; radix <= 16; radix++)
                Assert.AreEqual(new StoredForm(CompressionMethod.None, radix), Encode(WritingVolume.Bytes(1 << radix, radix), Setting(method)));
        }
    }

    [TestMethod]
    public void ZlibLevelsAreThoseOfTheSetting()
    {
        // 0 means 6, less than 6 is 6, more than 9 is 9.
        byte[] logical = Mixed(65536, 0.1, 9);
        byte[] Stream(int level)
        {
            StoredForm form = Encode(logical, Setting(CompressionMethod.Zlib, level));
            Assert.AreEqual(CompressionMethod.Zlib, form.Method);
            return s_stored[..(1 << form.Radix)];
        }

        CollectionAssert.AreEqual(Stream(6), Stream(0));
        CollectionAssert.AreEqual(Stream(6), Stream(3));
        CollectionAssert.AreEqual(Stream(9), Stream(15));
        CollectionAssert.AreNotEqual(Stream(6), Stream(9));
    }

    [TestMethod]
    public void UnknownMethodIsRefused()
    {
        Hammer2Exception e = Assert.ThrowsExactly<Hammer2Exception>(() => Encode(Mixed(1024, 0.2, 1), 7));
        Assert.AreEqual(Hammer2Error.Unsupported, e.Error);
        Assert.ThrowsExactly<InvariantException>(() => Encode(new byte[3000], Setting(CompressionMethod.Lz4)));
        Assert.ThrowsExactly<InvariantException>(() => Encode(new byte[512], Setting(CompressionMethod.Lz4)));
    }

    [TestMethod]
    public void AfterFailuresOnlyEveryEighthBlockIsTried()
    {
        var history = new CompressionHistory();
        byte[] random = WritingVolume.Bytes(65536, 1);
        byte[] text = Mixed(65536, 0, 1);
        for (int i = 0; i < 8; i++)
        {
            Assert.IsTrue(history.ShouldTry, $"block {i}");
            Encode(random, Setting(CompressionMethod.Lz4), history: history);
        }

        // Counter at 8: tried. Then seven blocks are not, whatever they hold.
        Assert.IsTrue(Encode(random, Setting(CompressionMethod.Lz4), history: history).IsRaw);
        for (int i = 0; i < 7; i++)
            Assert.IsTrue(Encode(text, Setting(CompressionMethod.Lz4), history: history).IsRaw, $"block {i} was to be passed over");
        Assert.IsFalse(Encode(text, Setting(CompressionMethod.Lz4), history: history).IsRaw);
        Assert.IsFalse(Encode(text, Setting(CompressionMethod.Lz4), history: history).IsRaw, "a success forgets the failures");

        // For ever incompressible: still tried now and then, zeros are found always.
        for (int i = 0; i < 1000; i++)
            Encode(random, Setting(CompressionMethod.Lz4), history: history);
        Assert.IsTrue(Encode(new byte[65536], Setting(CompressionMethod.Lz4), history: history).IsHole);
        int until = 0;
        while (Encode(text, Setting(CompressionMethod.Lz4), history: history).IsRaw)
            Assert.IsLessThan(8, until++);
    }

    [TestMethod]
    public void EncodingAllocatesNothing()
    {
        byte[] text = Mixed(65536, 0.1, 4);
        void Round()
        {
            for (int i = 0; i < 20; i++)
            {
                Encode(text, Setting(CompressionMethod.Lz4));
                Encode(text, Setting(CompressionMethod.AutoZero));
            }
        }

        Round();
        Round();
        Assert.AreEqual(0L, Allocations.Least(Round));
    }
}
