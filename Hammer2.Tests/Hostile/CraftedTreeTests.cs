// Legal but unusual trees that no golden image has: old directory layouts, the largest indirect blocks, gaps, short
// blocks inside files, every pair of methods. What was put in must come out, byte for byte.

using System.Text;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Microsoft.Extensions.Logging;

namespace Hammer2.Tests.Hostile;

[TestClass]
public sealed class CraftedTreeTests
{
    private const int Block = FormatLimits.LogicalBlockBytes;

    internal static byte[] Text(int length, int seed)
    {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++)
            bytes[i] = (byte)("abcdefgh \n"[(i / 7 + seed) % 10] + (i % 31 == seed % 31 ? 1 : 0));
        return bytes;
    }

    internal static byte[] Noise(int length, int seed)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    internal static byte[] ReadAll(PfsMount pfs, string path)
    {
        Assert.AreEqual(Hammer2Error.None, pfs.TryResolve(path, out Vnode? vnode), path);
        using (vnode)
        {
            byte[] bytes = new byte[vnode!.GetAttributes().Size];
            Assert.AreEqual(bytes.Length, vnode.Read(0, bytes));
            return bytes;
        }
    }

    internal static List<string> Names(PfsMount pfs, string path, int capacity = 64, bool attributes = true)
    {
        Assert.AreEqual(Hammer2Error.None, pfs.TryResolve(path, out Vnode? vnode), path);
        using (vnode)
        {
            var names = new List<string>();
            var batch = new DirectoryBatch(capacity) { WithAttributes = attributes };
            ulong position = 0;
            do
            {
                vnode!.ReadDirectory(position, batch);
                Assert.IsEmpty(batch.Damage);
                for (int i = 0; i < batch.Count; i++)
                    names.Add(Encoding.UTF8.GetString(batch.NameOf(i)));
                position = batch.NextPosition;
            }
            while (!batch.EndOfDirectory);
            return names;
        }
    }

    [TestMethod]
    [DynamicData(nameof(MethodPairs))]
    public void EveryCheckWithEveryCompressionReadsBack(int check, int compression)
    {
        var image = new ImageBuilder { Check = (CheckMethod)check };
        byte[] content = [.. Text(2 * Block, 1), .. Text(14192, 2)];
        var method = (CompressionMethod)compression;
        image.AddFile("file", (ulong)content.Length,
        [
            image.Data(0, content.AsSpan(0, Block), method),
            image.Data(Block, content.AsSpan(Block, Block), method),
            image.Data(2 * Block, ImageBuilder.Padded(content.AsSpan(2 * Block)), method),
        ]);
        image.AddEmbedded("embedded", Text(512, 3));
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        CollectionAssert.AreEqual(content, ReadAll(pfs, "file"));
        CollectionAssert.AreEqual(Text(512, 3), ReadAll(pfs, "embedded"));
        CollectionAssert.AreEquivalent(new[] { "file", "embedded" }, Names(pfs, "/"));
    }

    public static IEnumerable<object[]> MethodPairs =>
        from check in Enumerable.Range(0, 6)
        from compression in new[] { 0, 2, 3 }
        select new object[] { check, compression };

    [TestMethod]
    public void MixedBlocksOfOneFileReadBack()
    {
        // zlib of every level, LZ4, raw because incompressible, a hole, and check methods changed on the way.
        var image = new ImageBuilder();
        var refs = new List<BlockRef>();
        byte[] content = new byte[14 * Block];
        for (int i = 0; i < 13; i++)
        {
            if (i == 5)
                continue;
            byte[] bytes = i == 7 ? Noise(Block, i) : Text(Block, i);
            bytes.CopyTo(content, i * Block);
            CompressionMethod method = i < 10 && i != 7 ? CompressionMethod.Zlib : i < 12 && i != 7 ? CompressionMethod.Lz4 : CompressionMethod.None;
            refs.Add(image.Data((ulong)(i * Block), bytes, method, (CheckMethod)(i % 6), level: Math.Clamp(i, 1, 9)));
        }

        image.AddFile("mixed", (ulong)content.Length, refs);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        CollectionAssert.AreEqual(content, ReadAll(pfs, "mixed"));
    }

    [TestMethod]
    public void ShortBlocksInTheMiddleAreFollowedByZeros()
    {
        // T9: blocks written when the file ended there; it grew later and they stayed short.
        var image = new ImageBuilder();
        byte[] content = new byte[4 * Block];
        Text(1024, 1).CopyTo(content, 0);
        Text(2048, 2).CopyTo(content, Block);
        Text(16384, 3).CopyTo(content, 2 * Block);
        Text(Block, 4).CopyTo(content, 3 * Block);
        image.AddFile("grown", (ulong)content.Length,
        [
            image.Data(0, Text(1024, 1)),
            image.Data(Block, Text(2048, 2), CompressionMethod.Lz4),
            image.Data(2 * Block, Text(16384, 3), CompressionMethod.Zlib),
            image.Data(3 * Block, Text(Block, 4)),
        ]);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        CollectionAssert.AreEqual(content, ReadAll(pfs, "grown"));
        Assert.AreEqual(Hammer2Error.None, pfs.TryResolve("grown", out Vnode? vnode));
        using (vnode)
        {
            // A read that begins and ends inside the missing tail must not see what the buffer held.
            byte[] piece = new byte[3000];
            Array.Fill(piece, (byte)0xEE);
            Assert.AreEqual(piece.Length, vnode!.Read(Block + 1500, piece));
            CollectionAssert.AreEqual(content[(Block + 1500)..(Block + 4500)], piece);
        }
    }

    [TestMethod]
    [DataRow(CompressionMethod.Lz4)]
    [DataRow(CompressionMethod.Zlib)]
    public void BlockLongerThanTheShortenedFileReadsBack(CompressionMethod method)
    {
        // The reader guesses a small buffer from the size; the stored block still decodes to 64 KiB.
        var image = new ImageBuilder();
        byte[] content = Text(Block, 9);
        image.AddFile("cut", 700, [image.Data(0, content, method)]);
        image.AddFile("cut2", Block + 700, [image.Data(0, content, method), image.Data(Block, content, method)]);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        CollectionAssert.AreEqual(content[..700], ReadAll(pfs, "cut"));
        CollectionAssert.AreEqual((byte[])[.. content, .. content[..700]], ReadAll(pfs, "cut2"));
    }

    [TestMethod]
    public void LastBlockThatDecodesToLessThanTheSizeIsFilledWithZeros()
    {
        var image = new ImageBuilder();
        image.AddFile("f", 20000, [image.Data(0, Text(1024, 1), CompressionMethod.Lz4)]);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        CollectionAssert.AreEqual((byte[])[.. Text(1024, 1), .. new byte[20000 - 1024]], ReadAll(pfs, "f"));
    }

    [TestMethod]
    public void EmptyFilesAndPureHolesReadBack()
    {
        var image = new ImageBuilder();
        image.AddEmbedded("empty", []);
        image.AddFile("empty-blockset", 0, []);
        image.AddFile("hole", 300000, []);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        Assert.IsEmpty(ReadAll(pfs, "empty"));
        Assert.IsEmpty(ReadAll(pfs, "empty-blockset"));
        CollectionAssert.AreEqual(new byte[300000], ReadAll(pfs, "hole"));
        Assert.AreEqual(Hammer2Error.None, pfs.TryResolve("hole", out Vnode? vnode));
        using (vnode)
        {
            Assert.IsNull(vnode!.NextData(0));
            Assert.AreEqual(5L, vnode.NextHole(5));
        }
    }

    [TestMethod]
    [DataRow(12)]
    [DataRow(14)]
    [DataRow(16)]
    public void IndirectBlocksOfEverySizeAreRead(int radix)
    {
        // 64 KiB arrays are legal and never produced by today's writers.
        var image = new ImageBuilder { IndirectRadix = radix };
        var expected = new List<string>();
        for (int i = 0; i < 1500; i++)
        {
            expected.Add($"entry-{i}");
            image.AddEmbedded(expected[^1], Text(i % 513, i));
        }

        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        CollectionAssert.AreEquivalent(expected, Names(pfs, "/"));
        foreach (int i in new[] { 0, 1, 31, 700, 1499 })
            CollectionAssert.AreEqual(Text(i % 513, i), ReadAll(pfs, $"entry-{i}"));
        Assert.AreEqual(Hammer2Error.NotFound, pfs.TryResolve("entry-1500", out _));
    }

    [TestMethod]
    [DataRow("start", 0, 1, 2)]
    [DataRow("middle", 5, 6, 40)]
    [DataRow("end", 124, 126, 127)]
    public void GapsAnywhereInArraysHideNothing(string where, int a, int b, int c)
    {
        // T17: three live slots, everything else EMPTY.
        var image = new ImageBuilder();
        ulong[] keys = [0x10000, 0x20000, 0x70000];
        var slots = new BlockRef[128];
        int[] places = [a, b, c];
        for (int i = 0; i < 3; i++)
            slots[places[i]] = image.Data(keys[i], Text(Block, i));
        ulong number = image.NewInodeNumber();
        var blockset = new BlockRef[4];
        blockset[3] = image.Indirect(0, 23, slots);
        image.AddInode(number, ImageBuilder.InodeBlock(number, ObjectType.File, 8 * Block, blockset));
        image.AddName(where, number, ObjectType.File);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        byte[] read = ReadAll(pfs, where);
        byte[] expected = new byte[8 * Block];
        for (int i = 0; i < 3; i++)
            Text(Block, i).CopyTo(expected, (int)keys[i]);
        CollectionAssert.AreEqual(expected, read);
    }

    [TestMethod]
    public void EmptyIndirectBlocksAreTolerated()
    {
        var image = new ImageBuilder();
        ulong number = image.NewInodeNumber();
        BlockRef[] blockset =
        [
            image.Indirect(0, 20, []),
            image.Indirect(1 << 20, 20, [image.Indirect(1 << 20, 18, []), image.Data((1 << 20) + (1 << 18), Text(Block, 1))]),
            image.Indirect(1 << 21, 21, [], radix: 12),
        ];
        image.AddInode(number, ImageBuilder.InodeBlock(number, ObjectType.File, 2 << 20, blockset));
        image.AddName("f", number, ObjectType.File);
        image.AddDirectory("d", [image.Indirect(1UL << 63, 63, [])]);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        byte[] read = ReadAll(pfs, "f");
        Assert.IsFalse(read.AsSpan(0, (1 << 20) + (1 << 18)).ContainsAnyExcept((byte)0));
        CollectionAssert.AreEqual(Text(Block, 1), read[((1 << 20) + (1 << 18))..][..Block]);
        Assert.IsEmpty(Names(pfs, "d"));
    }

    [TestMethod]
    public void IndirectRangeWiderThanTheParentIsClipped()
    {
        // Left behind by odd collapses: the inner block claims everything, its parent only 8 MiB.
        var image = new ImageBuilder();
        ulong number = image.NewInodeNumber();
        BlockRef inner = image.Indirect(0, 63,
        [
            image.Data(0, Text(Block, 1)),
            image.Data(Block, Text(Block, 2)),
            image.Data(9 << 20, Noise(Block, 3)),
        ]);
        BlockRef[] blockset = [image.Indirect(0, 23, [inner]), image.Indirect(1 << 23, 23, [image.Data(9 << 20, Text(Block, 4))])];
        image.AddInode(number, ImageBuilder.InodeBlock(number, ObjectType.File, 10 << 20, blockset));
        image.AddName("f", number, ObjectType.File);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        byte[] read = ReadAll(pfs, "f");
        CollectionAssert.AreEqual(Text(Block, 2), read[Block..(2 * Block)]);
        CollectionAssert.AreEqual(Text(Block, 4), read[(9 << 20)..((9 << 20) + Block)], "the entry outside the parent's range must not count");
    }

    [TestMethod]
    public void MixedHalvesOfThePfsRootAreKeptApart()
    {
        // Inode index below 2^63 and entries above it in one array, and one indirect block for each half.
        var image = new ImageBuilder();
        ulong a = image.AddEmbedded("a", Text(10, 1));
        using (Hammer2Volume volume = image.Open())
        using (PfsMount pfs = volume.OpenPfs())
            CollectionAssert.AreEqual(new[] { "a" }, Names(pfs, "/"));

        for (int i = 0; i < 100; i++)
            image.AddEmbedded($"n{i}", Text(10, i));
        image.RootBlockset = [image.Indirect(0, 63, [.. image.Inodes.OrderBy(r => r.Key)]), image.Indirect(1UL << 63, 63, [.. image.RootEntries.OrderBy(r => r.Key)])];
        using Hammer2Volume again = image.Open();
        using PfsMount root = again.OpenPfs();
        Assert.HasCount(101, Names(root, "/"));
        Assert.AreEqual(Hammer2Error.None, root.TryGetAttributes(a, out InodeAttributes attributes));
        Assert.AreEqual(10, attributes.Size);
    }

    [TestMethod]
    public void NamesAtTheEdgesOfTheirStorageAreFound()
    {
        var image = new ImageBuilder();
        string[] names = [new('n', 1), new('n', 64), new('n', 65), new('n', 255), "x" + new string('y', 63)];
        foreach (string name in names)
            image.AddEmbedded(name, Encoding.UTF8.GetBytes(name));
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        CollectionAssert.AreEquivalent(names, Names(pfs, "/"));
        foreach (string name in names)
            Assert.AreEqual(name, Encoding.UTF8.GetString(ReadAll(pfs, name)));
        Assert.AreEqual(Hammer2Error.NameTooLong, pfs.TryResolve(new string('n', 256), out _));
        Assert.AreEqual(Hammer2Error.NotFound, pfs.TryResolve(new string('n', 63), out _));
        Assert.AreEqual(Hammer2Error.NotFound, pfs.TryResolve(new string('n', 254), out _));
        using Vnode root = pfs.OpenRoot();
        Assert.AreEqual(Hammer2Error.InvalidName, pfs.TryLookup(root, "a\0b"u8, out Vnode? _));
        Assert.AreEqual(Hammer2Error.InvalidName, pfs.TryLookup(root, "a/b"u8, out Vnode? _));
        Assert.AreEqual(Hammer2Error.InvalidName, pfs.TryLookup(root, ""u8, out Vnode? _));
    }

    [TestMethod]
    public void CollidingNamesAreAllFound()
    {
        // Any free key of the hash's range may hold the entry (T4): hash, hash + 1, the last one.
        var image = new ImageBuilder();
        ulong hash = DirectoryHash.Compute("target"u8);
        var entries = new List<BlockRef>();
        var expected = new List<string>();
        ulong[] offsets = [0, 1, 2, 3, 9, 10, 11, 12, 0x4000, 0x7FFE, 0x7FFF];
        for (int i = 0; i < offsets.Length; i++)
        {
            string name = i == 7 ? "target" : i % 3 == 0 ? new string((char)('a' + i), 100) : $"other{i}";
            ulong number = image.NewInodeNumber();
            image.AddInode(number, ImageBuilder.EmbeddedInodeBlock(number, ObjectType.File, Encoding.UTF8.GetBytes(name)));
            entries.Add(image.Dirent(Encoding.UTF8.GetBytes(name), number, ObjectType.File, hash + offsets[i]));
            expected.Add(name);
        }

        image.AddDirectory("dir", entries);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        CollectionAssert.AreEqual(expected, Names(pfs, "dir"), "names come in key order");
        Assert.AreEqual("target", Encoding.UTF8.GetString(ReadAll(pfs, "dir/target")));
        Assert.AreEqual(Hammer2Error.NotFound, pfs.TryResolve("dir/targeT", out _));
    }

    [TestMethod]
    public void InodesInsideDirectoriesOfVeryOldVolumesAreRead()
    {
        var image = new ImageBuilder();
        ulong number = 0x777;
        byte[] name = "old-file"u8.ToArray();
        byte[] block = ImageBuilder.EmbeddedInodeBlock(number, ObjectType.File, "old"u8, (ref InodeData d) => d.NameLength = (ushort)name.Length);
        block.AsSpan(InodeData.NameOffset, 64).Clear();
        name.CopyTo(block, InodeData.NameOffset);
        BlockRef legacy = image.Store(BlockRefType.Inode, block, DirectoryHash.Compute(name), 0);
        image.AddDirectory("dir", [legacy]);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        CollectionAssert.AreEqual("old"u8.ToArray(), ReadAll(pfs, "dir/old-file"));
        CollectionAssert.AreEqual(new[] { "old-file" }, Names(pfs, "dir"));
        Assert.AreEqual(Hammer2Error.None, pfs.TryOpen(number, out Vnode? vnode), "by number, once its directory was seen");
        using (vnode)
            Assert.AreEqual(3L, vnode!.GetAttributes().Size);
    }

    [TestMethod]
    public void DirectoriesInsideDirectoriesOfVeryOldVolumesAreReadAndVerified()
    {
        // There the tree of inodes is as deep as the tree of names.
        var image = new ImageBuilder();
        BlockRef inner = Legacy(image, 0x700, "file", ImageBuilder.EmbeddedInodeBlock(0x700, ObjectType.File, "deep"u8));
        string path = "file";
        for (int depth = 9; depth >= 0; depth--)
        {
            ulong number = 0x700 - (ulong)depth - 1;
            inner = Legacy(image, number, $"d{depth}", ImageBuilder.InodeBlock(number, ObjectType.Directory, 0, [inner]));
            path = $"d{depth}/{path}";
        }

        image.RootEntries.Add(inner);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        Assert.AreEqual("deep", Encoding.ASCII.GetString(ReadAll(pfs, path)));
        CollectionAssert.AreEqual(new[] { "d9" }, Names(pfs, "d0/d1/d2/d3/d4/d5/d6/d7/d8"));
        Assert.IsEmpty(new Hammer2.Engine.Checking.VolumeVerifier(volume).Run(workers: 1).Findings);
    }

    private static BlockRef Legacy(ImageBuilder image, ulong number, string name, byte[] block)
    {
        block.AsSpan(InodeData.NameOffset, InodeData.NameFieldBytes).Clear();
        Encoding.ASCII.GetBytes(name, block.AsSpan(InodeData.NameOffset));
        System.Runtime.InteropServices.MemoryMarshal.AsRef<InodeData>(block.AsSpan()).NameLength = (ushort)name.Length;
        BlockRef bref = image.Store(BlockRefType.Inode, block, DirectoryHash.Compute(Encoding.ASCII.GetBytes(name)) + 1, 0);
        Assert.AreNotEqual(0UL, number);
        return bref;
    }

    [TestMethod]
    public void TransactionIdsAheadOfTheHeaderAreComplainedAboutAndOverridden()
    {
        // R2: mirror TIDs beyond the header's, modify TIDs that leave nothing to count on, on every kind of inode.
        var log = new ListLogger();
        var image = new ImageBuilder
        {
            EditRootRef = (ref BlockRef r) => r.MirrorTid = ImageBuilder.HeaderTid + 1,
            EditSuperRootRef = (ref BlockRef r) => r.ModifyTid = ulong.MaxValue,
        };
        ulong number = image.NewInodeNumber();
        image.AddInode(number, ImageBuilder.EmbeddedInodeBlock(number, ObjectType.File, "x"u8), (ref BlockRef r) =>
        {
            r.MirrorTid = ulong.MaxValue;
            r.ModifyTid = 1UL << 62;
        });
        image.AddName("f", number, ObjectType.File);
        using Hammer2Volume volume = image.Open(new VolumeOptions { Logger = log });
        Assert.AreEqual(1, volume.OverriddenTransactionIds, "super-root");
        using PfsMount pfs = volume.OpenPfs(ImageBuilder.Label);
        Assert.IsGreaterThanOrEqualTo(2, volume.OverriddenTransactionIds, "PFS root");
        Assert.IsTrue(pfs.Index.TryFind(1, out BlockRef root));
        Assert.AreEqual(ImageBuilder.HeaderTid, root.MirrorTid);
        Assert.IsTrue(pfs.Index.TryFind(number, out BlockRef bref));
        Assert.AreEqual(ImageBuilder.HeaderTid, bref.MirrorTid);
        Assert.IsLessThan(1UL << 62, bref.ModifyTid);
        Assert.AreEqual(Hammer2Error.None, pfs.TryOpen(number, out Vnode? vnode));
        using (vnode)
            Assert.AreEqual(ImageBuilder.HeaderTid, vnode!.Inode.Fixup().Ref.MirrorTid, "the chain itself holds the overridden id");
        Assert.IsTrue(log.Warnings.All(w => w.Contains("too large", StringComparison.Ordinal)));
        Assert.IsNotEmpty(log.Warnings);
    }

    [TestMethod]
    public void SaneTransactionIdsAreLeftAlone()
    {
        var log = new ListLogger();
        var image = new ImageBuilder();
        image.AddEmbedded("f", "x"u8);
        using Hammer2Volume volume = image.Open(new VolumeOptions { Logger = log });
        using PfsMount pfs = volume.OpenPfs();
        ReadAll(pfs, "f");
        Assert.AreEqual(0, volume.OverriddenTransactionIds);
        Assert.IsEmpty(log.Warnings);
    }

    private sealed class ListLogger : ILogger
    {
        internal List<string> Warnings { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (logLevel >= LogLevel.Warning)
                Warnings.Add(formatter(state, exception));
        }
    }
}
