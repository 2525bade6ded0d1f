// Trees that no honest writer makes: loops, endless depth, overlaps, absurd numbers, impossible names. Each question
// must get an error or a bounded answer, in time, on a small stack, without memory that grows with a field of the image.

using System.Diagnostics;
using System.Text;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Tests.Hostile;

[TestClass]
public sealed class HostileTreeTests
{
    private const int Block = FormatLimits.LogicalBlockBytes;

    // A file of the given blockset, read once at an offset.
    private static Hammer2Exception ReadFails(ImageBuilder image, BlockRef[] blockset, long offset, params Hammer2Error[] errors)
    {
        ulong number = image.NewInodeNumber();
        image.AddInode(number, ImageBuilder.InodeBlock(number, ObjectType.File, 1UL << 40, blockset));
        image.AddName("f", number, ObjectType.File);
        Hammer2Exception? met = null;
        Bounded.Run("survey", () => Survey.Of([image.Finish()]));
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        Assert.AreEqual(Hammer2Error.None, pfs.TryResolve("f", out Vnode? vnode));
        using (vnode)
            met = Bounded.Fails("read", () => vnode!.Read(offset, new byte[3 * Block]), errors);
        return met;
    }

    // An indirect block whose contents are written after its address is known.
    private static BlockRef Late(ImageBuilder image, ulong at, ulong key, int bits, BlockRef[] slots, CheckMethod check = CheckMethod.Disabled)
    {
        byte[] block = new byte[16384];
        System.Runtime.InteropServices.MemoryMarshal.AsBytes<BlockRef>(slots).CopyTo(block);
        return image.Put(BlockRefType.Indirect, at, block, key, bits, check);
    }

    private static BlockRef Unwritten(ulong at, ulong key, int bits) => new()
    {
        Type = BlockRefType.Indirect,
        Methods = (byte)CheckMethod.Disabled << 4,
        Key = key,
        KeyBits = (byte)bits,
        DataOff = at | 14,
    };

    [TestMethod]
    public void IndirectBlockThatPointsToItselfEnds()
    {
        var image = new ImageBuilder();
        ulong at = image.Allocate(14);
        BlockRef self = Late(image, at, 0, 40, [Unwritten(at, 0, 40)]);
        StringAssert.Contains(ReadFails(image, [self], 0, Hammer2Error.Corrupt).Message, "above itself", StringComparison.Ordinal);
    }

    [TestMethod]
    public void TwoIndirectBlocksThatPointToEachOtherEnd()
    {
        var image = new ImageBuilder();
        ulong a = image.Allocate(14), b = image.Allocate(14);
        Late(image, b, 0, 40, [Unwritten(a, 0, 40)]);
        ReadFails(image, [Late(image, a, 0, 40, [Unwritten(b, 0, 40)])], 0, Hammer2Error.Corrupt);
    }

    [TestMethod]
    public void LoopThroughOtherSizesOfOneBlockEnds()
    {
        // The same bytes under another radix are another address to a naive comparison.
        var image = new ImageBuilder();
        ulong at = image.Allocate(16);
        BlockRef other = Unwritten(at, 0, 40);
        other.DataOff = at | 12;
        BlockRef third = Unwritten(at, 0, 40);
        third.DataOff = at | 16;
        BlockRef self = Late(image, at, 0, 40, [other, third]);
        Assert.AreEqual(14, self.Physical.Radix);
        ReadFails(image, [self], 0, Hammer2Error.Corrupt);
    }

    [TestMethod]
    public void SeventyLevelsOfIndirectBlocksAreRefused()
    {
        var image = new ImageBuilder();
        BlockRef inner = image.Data(0, CraftedTreeTests.Text(Block, 1));
        for (int level = 0; level < 70; level++)
            inner = image.Indirect(0, 40, [inner], radix: 12);
        StringAssert.Contains(ReadFails(image, [inner], 0, Hammer2Error.Corrupt).Message, "levels", StringComparison.Ordinal);
    }

    [TestMethod]
    public void SixtyLevelsOfIndirectBlocksAreRead()
    {
        var image = new ImageBuilder();
        BlockRef inner = image.Data(0, CraftedTreeTests.Text(Block, 1));
        for (int level = 0; level < 60; level++)
            inner = image.Indirect(0, 40, [inner], radix: 12);
        image.AddFile("deep", Block, [inner]);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        CollectionAssert.AreEqual(CraftedTreeTests.Text(Block, 1), CraftedTreeTests.ReadAll(pfs, "deep"));
    }

    [TestMethod]
    public void UnsortedAndOverlappingArraysAreRefused()
    {
        foreach (ulong[] keys in (ulong[][])[[1, 0], [0, 0], [0, 2, 1]])
        {
            var image = new ImageBuilder();
            BlockRef[] slots = [.. keys.Select(k => image.Data(k * Block, CraftedTreeTests.Text(Block, (int)k)))];
            ReadFails(image, [image.Indirect(0, 40, slots)], 0, Hammer2Error.Corrupt);
        }

        var overlap = new ImageBuilder();
        BlockRef wide = overlap.Indirect(0, 30, [overlap.Data(0, CraftedTreeTests.Text(Block, 1))]);
        ReadFails(overlap, [overlap.Indirect(0, 40, [wide, overlap.Data(2 * Block, CraftedTreeTests.Text(Block, 1))])], 0, Hammer2Error.Corrupt);

        var unaligned = new ImageBuilder();
        ReadFails(unaligned, [unaligned.Indirect(0, 40, [unaligned.Data(Block + 4096, CraftedTreeTests.Text(Block, 1))])], 0, Hammer2Error.Corrupt);

        foreach (int bits in new[] { 64, 65, 128, 255 })
        {
            var absurd = new ImageBuilder();
            BlockRef bref = absurd.Data(0, CraftedTreeTests.Text(Block, 1));
            bref.KeyBits = (byte)bits;
            ReadFails(absurd, [absurd.Indirect(0, 40, [bref])], 0, Hammer2Error.Corrupt);
        }
    }

    [TestMethod]
    public void InodeWithAnUnsortedBlocksetIsRefused()
    {
        var image = new ImageBuilder();
        ulong number = image.NewInodeNumber();
        BlockRef a = image.Data(Block, CraftedTreeTests.Text(Block, 1)), b = image.Data(0, CraftedTreeTests.Text(Block, 1));
        image.AddInode(number, ImageBuilder.InodeBlock(number, ObjectType.File, 2 * Block, [a, b]));
        image.AddName("f", number, ObjectType.File);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        Bounded.Fails("open", () => pfs.TryResolve("f", out _), Hammer2Error.Corrupt);
    }

    [TestMethod]
    public void OneBlockSharedByManySlotsCausesNoExponentialWork()
    {
        // Ten levels of 512 slots that all point to the next level's one block: 512^10 paths, all but empty.
        var image = new ImageBuilder { IndirectRadix = 16 };
        BlockRef level = image.Indirect(1UL << 63, 0, [], check: CheckMethod.Disabled);
        ulong leaf = image.AddEmbedded("found", "x"u8);
        BlockRef entry = image.Dirent("inside"u8, leaf, ObjectType.File, (1UL << 63) + 0x8001);
        level = image.Indirect(1UL << 63, 9, [entry], check: CheckMethod.Disabled);
        for (int bits = 9; bits <= 54; bits += 9)
        {
            var slots = new BlockRef[512];
            for (int i = 0; i < slots.Length; i++)
            {
                slots[i] = level;
                slots[i].Key = (1UL << 63) + ((ulong)i << bits);
                slots[i].KeyBits = (byte)bits;
            }

            level = image.Indirect(1UL << 63, bits + 9, slots, check: CheckMethod.Disabled);
        }

        image.AddDirectory("d", [level]);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        var clock = Stopwatch.StartNew();
        Bounded.Run("listing", () => Assert.IsLessThanOrEqualTo(64, CraftedTreeTests.Names(pfs, "d").Count));
        Bounded.Run("look-up", () => Assert.AreEqual(Hammer2Error.NotFound, pfs.TryResolve("d/nothing", out _)));
        Assert.IsLessThan(20, clock.Elapsed.TotalSeconds);
    }

    [TestMethod]
    public void WideBlocksSharedByManySlotsCauseNoExponentialWork()
    {
        // As above, but every level claims the whole range, so that no level narrows what its parent allows.
        var image = new ImageBuilder { IndirectRadix = 16 };
        BlockRef level = image.Indirect(1UL << 63, 63, [], check: CheckMethod.Disabled);
        for (int depth = 0; depth < 40; depth++)
        {
            var slots = new BlockRef[512];
            for (int i = 0; i < slots.Length; i++)
            {
                slots[i] = level;
                slots[i].Key = (1UL << 63) + ((ulong)i << 54);
                slots[i].KeyBits = 54;
            }

            level = image.Indirect(1UL << 63, 63, slots, check: CheckMethod.Disabled);
        }

        image.AddDirectory("d", [level]);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        Bounded.Run("listing", () => Assert.IsEmpty(CraftedTreeTests.Names(pfs, "d")));
    }

    [TestMethod]
    public void UnknownNumbersAreNamedInTheError()
    {
        var check = new ImageBuilder();
        BlockRef bref = check.Data(0, CraftedTreeTests.Text(Block, 1));
        bref.Methods = 0x90;
        StringAssert.Contains(ReadFails(check, [bref], 0, Hammer2Error.Unsupported).Message, "9", StringComparison.Ordinal);

        foreach (int compression in new[] { 1, 4, 7, 15 })
        {
            var image = new ImageBuilder();
            bref = image.Data(0, CraftedTreeTests.Text(Block, 1));
            bref.Methods = (byte)(0x30 | compression);
            StringAssert.Contains(ReadFails(image, [bref], 0, Hammer2Error.Unsupported).Message, $"{compression}", StringComparison.Ordinal);
        }

        foreach (int type in new[] { 1, 4, 5, 6, 7, 8, 200, 254, 255 })
        {
            var image = new ImageBuilder();
            bref = image.Data(0, CraftedTreeTests.Text(Block, 1));
            bref.Type = (BlockRefType)type;
            ReadFails(image, [bref], 0, Hammer2Error.Corrupt, Hammer2Error.Unsupported);
        }
    }

    [TestMethod]
    [DataRow(0x000, (byte)9, Hammer2Error.Unsupported, "version 9")]
    [DataRow(0x050, (byte)3, Hammer2Error.Unsupported, "type 3")]
    [DataRow(0x050, (byte)77, Hammer2Error.Unsupported, "type 77")]
    [DataRow(0x067, (byte)0x80, Hammer2Error.Corrupt, "size")]
    [DataRow(0x081, (byte)0x01, Hammer2Error.Corrupt, "name length")]
    [DataRow(0x058, (byte)0x55, Hammer2Error.Corrupt, "holds inode")]
    public void InodeWithAnImpossibleFieldIsRefusedByNumber(int offset, byte value, Hammer2Error error, string word)
    {
        var image = new ImageBuilder();
        ulong number = image.NewInodeNumber();
        byte[] block = ImageBuilder.InodeBlock(number, ObjectType.File, 100, []);
        block[offset] = value;
        image.AddInode(number, block);
        image.AddName("f", number, ObjectType.File);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        Hammer2Exception e = Bounded.Fails("open", () => pfs.TryResolve("f", out _), error);
        StringAssert.Contains(e.Message, word, StringComparison.Ordinal);
        Bounded.Fails("attributes", () => pfs.TryGetAttributes(number, out _), error);
        Bounded.Run("survey", () => Survey.Of([image.Device]));
    }

    [TestMethod]
    [DataRow(ObjectType.Directory)]
    [DataRow(ObjectType.Fifo)]
    public void EmbeddedDataOnOtherThanFilesIsRefused(ObjectType type)
    {
        var image = new ImageBuilder();
        ulong number = image.NewInodeNumber();
        image.AddInode(number, ImageBuilder.EmbeddedInodeBlock(number, type, "abc"u8));
        image.AddName("d", number, type);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        Bounded.Fails("open", () => pfs.TryResolve("d", out _), Hammer2Error.Corrupt);
    }

    [TestMethod]
    public void EmbeddedDataBeyondTheInodeIsRefused()
    {
        var image = new ImageBuilder();
        image.AddEmbedded("f", "abc"u8, (ref InodeData d) => d.Size = 513);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        Bounded.Fails("open", () => pfs.TryResolve("f", out _), Hammer2Error.Corrupt);
    }

    [TestMethod]
    public void AbsurdFileSizesGiveBoundedAnswers()
    {
        var image = new ImageBuilder();
        ulong number = image.NewInodeNumber();
        image.AddInode(number, ImageBuilder.InodeBlock(number, ObjectType.File, long.MaxValue, [image.Data(0, CraftedTreeTests.Text(Block, 1))]));
        image.AddName("f", number, ObjectType.File);
        image.AddDirectory("dir", [], (ref InodeData d) => d.Size = ulong.MaxValue >> 1);
        Bounded.Run("survey", () =>
        {
            using Hammer2Volume volume = image.Open();
            using PfsMount pfs = volume.OpenPfs();
            Assert.AreEqual(Hammer2Error.None, pfs.TryResolve("f", out Vnode? vnode));
            using (vnode)
            {
                byte[] buffer = new byte[200000];
                foreach (long at in new[] { 0, 1L << 40, long.MaxValue - 100, long.MaxValue - 1, long.MaxValue })
                {
                    int wanted = (int)Math.Min(buffer.Length, long.MaxValue - at);
                    for (int again = 0; again < 4; again++)
                        Assert.AreEqual(wanted, vnode!.Read(at, buffer), $"at {at}");
                }

                Assert.AreEqual(long.MaxValue, vnode!.GetAttributes().Size);
                Assert.AreEqual(Block, vnode.NextHole(0));
                Assert.IsNull(vnode.NextData(Block));
            }

            Assert.AreEqual(Hammer2Error.None, pfs.TryResolve("dir", out Vnode? directory));
            using (directory)
                Assert.AreEqual(0L, directory!.GetAttributes().Size);
        });
    }

    [TestMethod]
    public void HugeSymlinkIsRefusedWithoutMemoryForIt()
    {
        var image = new ImageBuilder();
        ulong number = image.NewInodeNumber();
        image.AddInode(number, ImageBuilder.InodeBlock(number, ObjectType.Symlink, 1UL << 40, [image.Data(0, CraftedTreeTests.Text(Block, 1))]));
        image.AddName("link", number, ObjectType.Symlink);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        Assert.AreEqual(Hammer2Error.None, pfs.TryResolve("link", out Vnode? vnode));
        using (vnode)
            Bounded.Fails("readlink", () => vnode!.ReadLink(), Hammer2Error.Corrupt);
    }

    [TestMethod]
    [DataRow(".")]
    [DataRow("..")]
    [DataRow("a/b")]
    [DataRow("/")]
    [DataRow("a\0b")]
    [DataRow("\0")]
    public void ImpossibleNamesAreNotListedAndNotFound(string name)
    {
        var image = new ImageBuilder();
        ulong number = image.AddEmbedded("sound", "x"u8);
        image.AddDirectory("d", [image.Dirent(Encoding.UTF8.GetBytes(name), number, ObjectType.File), image.Dirent("fine"u8, number, ObjectType.File)]);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        Assert.AreEqual(Hammer2Error.None, pfs.TryResolve("d", out Vnode? vnode));
        using (vnode)
        {
            var batch = new DirectoryBatch();
            vnode!.ReadDirectory(0, batch);
            Assert.AreEqual(1, batch.Count);
            Assert.AreEqual("fine", Encoding.UTF8.GetString(batch.NameOf(0)));
            Assert.HasCount(1, batch.Damage);
            Hammer2Error error = pfs.TryLookup(vnode, Encoding.UTF8.GetBytes(name), out Vnode? found);
            Assert.AreNotEqual(number, found?.InodeNumber, "the crafted entry was followed");
            found?.Dispose();
            Assert.IsTrue(error is Hammer2Error.None or Hammer2Error.InvalidName, $"{error}");
        }
    }

    [TestMethod]
    [DataRow(0, false)]
    [DataRow(65, false)]
    [DataRow(65535, false)]
    [DataRow(0, true)]
    [DataRow(256, true)]
    [DataRow(1025, true)]
    [DataRow(65535, true)]
    public void ImpossibleNameLengthsAreReported(int length, bool inBlock)
    {
        var image = new ImageBuilder();
        ulong number = image.AddEmbedded("sound", "x"u8);
        byte[] name = Encoding.ASCII.GetBytes(new string('q', inBlock ? 100 : 20));
        BlockRef bref = image.Dirent(name, number, ObjectType.File);
        bref.DirentNameLength = (ushort)length;
        image.AddDirectory("d", [bref, image.Dirent("fine"u8, number, ObjectType.File)]);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        Assert.AreEqual(Hammer2Error.None, pfs.TryResolve("d", out Vnode? vnode));
        using (vnode)
        {
            var batch = new DirectoryBatch();
            vnode!.ReadDirectory(0, batch);
            Assert.AreEqual(1, batch.Count);
            Assert.HasCount(1, batch.Damage);
            Bounded.Fails("look-up", () => pfs.TryLookup(vnode, name, out Vnode? _), Hammer2Error.Corrupt);
        }

        Bounded.Run("survey", () => Survey.Of([image.Device]));
    }

    [TestMethod]
    public void DirectoryCyclesGiveBoundedAnswers()
    {
        var image = new ImageBuilder();
        ulong a = image.NewInodeNumber(), b = image.NewInodeNumber();
        image.AddInode(a, ImageBuilder.InodeBlock(a, ObjectType.Directory, 0, image.Pack([image.Dirent("b"u8, b, ObjectType.Directory), image.Dirent("self"u8, a, ObjectType.Directory)], 4)));
        image.AddInode(b, ImageBuilder.InodeBlock(b, ObjectType.Directory, 0, [image.Dirent("a"u8, a, ObjectType.Directory)], (ref InodeData d) => d.ParentInode = b));
        image.AddName("a", a, ObjectType.Directory);
        image.AddName("root", 1, ObjectType.Directory);
        Bounded.Run("cycle", () =>
        {
            Assert.IsGreaterThan(3, Survey.Of([image.Finish()]).Entries);
            using Hammer2Volume volume = image.Open();
            using PfsMount pfs = volume.OpenPfs();
            string path = string.Concat(Enumerable.Repeat("root/", 200)) + string.Concat(Enumerable.Repeat("a/self/b/", 200)) + "../../..";
            Assert.AreEqual(Hammer2Error.None, pfs.TryResolve(path, out Vnode? vnode));
            vnode!.Dispose();
            Assert.AreEqual(0, pfs.OpenInodes);
        });
    }

    [TestMethod]
    [DataRow(0x7FFFFFFFFFFF0000UL | 16, Hammer2Error.Io)]
    [DataRow(0xFFFFFFFFFFFF0000UL | 16, Hammer2Error.Io)]
    [DataRow(64UL << 20 | 16, Hammer2Error.Io)]
    [DataRow(0x508000UL | 16, Hammer2Error.Corrupt)]
    [DataRow(0x500200UL | 10, Hammer2Error.Corrupt)]
    [DataRow(0x500040UL | 10, Hammer2Error.Corrupt)]
    [DataRow(0x500000UL | 9, Hammer2Error.Corrupt)]
    [DataRow(0x500000UL | 17, Hammer2Error.Corrupt)]
    [DataRow(0x500000UL | 32, Hammer2Error.Corrupt)]
    [DataRow(0x500000UL | 63, Hammer2Error.Corrupt)]
    [DataRow(0x500000UL, Hammer2Error.Corrupt)]
    public void AddressesThatCannotBeAreRefused(ulong dataOff, Hammer2Error error)
    {
        var image = new ImageBuilder();
        BlockRef bref = image.Data(0, CraftedTreeTests.Text(Block, 1));
        bref.DataOff = dataOff;
        ReadFails(image, [bref], 0, error);
    }

    [TestMethod]
    [DataRow(BlockRefType.Indirect, 10)]
    [DataRow(BlockRefType.Indirect, 11)]
    [DataRow(BlockRefType.Indirect, 13)]
    [DataRow(BlockRefType.Indirect, 15)]
    [DataRow(BlockRefType.FreemapNode, 15)]
    public void ArraysOfIllegalSizeOrKindInAFileAreRefused(BlockRefType type, int radix)
    {
        var image = new ImageBuilder();
        BlockRef bref = image.Store(type, new byte[1 << radix], 0, 40);
        if (type == BlockRefType.FreemapNode)
        {
            // A node of the freemap with file blocks in it must not pass for an indirect block.
            byte[] block = new byte[1 << radix];
            BlockRef[] data = [image.Data(0, CraftedTreeTests.Text(Block, 1))];
            System.Runtime.InteropServices.MemoryMarshal.AsBytes<BlockRef>(data).CopyTo(block);
            bref = image.Store(type, block, 0, 40);
        }

        ReadFails(image, [bref], 0, Hammer2Error.Corrupt);
    }

    [TestMethod]
    public void VerifierRefusesABlockOfTheFreemapInAFile()
    {
        // Its check code is right, and so is everything in it; only its place is wrong.
        var image = new ImageBuilder();
        byte[] block = new byte[1 << FormatLimits.FreemapRadix];
        BlockRef[] data = [image.Data(0, CraftedTreeTests.Text(Block, 1))];
        System.Runtime.InteropServices.MemoryMarshal.AsBytes<BlockRef>(data).CopyTo(block);
        BlockRef bref = image.Store(BlockRefType.FreemapNode, block, 0, 40);
        ReadFails(image, [bref], 0, Hammer2Error.Corrupt);
        using Hammer2Volume volume = image.Open();
        Assert.Contains("does not belong", new Hammer2.Engine.Checking.VolumeVerifier(volume).Run().Findings.Single().Message);
    }

    [TestMethod]
    public void InodeReferenceOfAnotherSizeIsRefused()
    {
        var image = new ImageBuilder();
        ulong number = image.NewInodeNumber();
        image.Inodes.Add(image.Store(BlockRefType.Inode, new byte[4096], number, 0));
        image.AddName("f", number, ObjectType.File);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        Bounded.Fails("open", () => pfs.TryResolve("f", out _), Hammer2Error.Corrupt);
    }

    [TestMethod]
    public void WrongCheckCodeIsNeverServedEvenWhenTheSameBlockIsCached()
    {
        // Two references to one block, one with a wrong code: the right one being cached must not help the wrong one.
        var image = new ImageBuilder();
        BlockRef right = image.Data(0, CraftedTreeTests.Text(Block, 1));
        BlockRef wrong = right;
        wrong.Check64 ^= 1;
        BlockRef otherMethod = right;
        otherMethod.Methods = (byte)CheckMethod.Iscsi32 << 4;
        image.AddFile("right", Block, [right]);
        image.AddFile("wrong", Block, [wrong]);
        image.AddFile("other", Block, [otherMethod]);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        CraftedTreeTests.ReadAll(pfs, "right");
        Bounded.Fails("wrong", () => CraftedTreeTests.ReadAll(pfs, "wrong"), Hammer2Error.CheckFailed);
        Bounded.Fails("other", () => CraftedTreeTests.ReadAll(pfs, "other"), Hammer2Error.CheckFailed);
        CraftedTreeTests.ReadAll(pfs, "right");
    }

    [TestMethod]
    public void BrokenSuperRootsAreRefused()
    {
        Bounded.Run("none", () =>
        {
            var none = new ImageBuilder();
            none.WriteHeader([]);
            Assert.AreEqual(Hammer2Error.Corrupt, Assert.ThrowsExactly<Hammer2Exception>(() => Hammer2Volume.Open([none.Device])).Error);
        });
        Bounded.Run("file", () =>
        {
            var file = new ImageBuilder();
            BlockRef root = file.Store(BlockRefType.Inode, ImageBuilder.InodeBlock(2, ObjectType.File, 0, []), DirectoryHash.Compute("X"u8), 0);
            using Hammer2Volume volume = Hammer2Volume.Open([file.Finish([root])]);
            Assert.IsEmpty(volume.ListPfs(out IReadOnlyList<Hammer2Exception> failures));
            Assert.HasCount(1, failures);
            Assert.ThrowsExactly<Hammer2Exception>(() => volume.OpenPfs("X"));
            Assert.ThrowsExactly<Hammer2Exception>(() => volume.OpenPfs());
        });
        Bounded.Run("dirent", () =>
        {
            var dirent = new ImageBuilder();
            dirent.WriteHeader([dirent.Dirent("x"u8, 5, ObjectType.File, key: 0)]);
            Assert.AreEqual(Hammer2Error.Corrupt, Assert.ThrowsExactly<Hammer2Exception>(() => Hammer2Volume.Open([dirent.Device])).Error);
        });
    }

    [TestMethod]
    public void MessagesStayOnOneLineWhateverTheNamesAre()
    {
        var image = new ImageBuilder();
        image.AddName("two\nlines", 0x123456, ObjectType.File);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        Bounded.Fails("dangling", () => pfs.TryResolve("two\nlines", out _), Hammer2Error.Corrupt);
        Bounded.Fails("no such PFS", () => volume.OpenPfs("a\nb"), Hammer2Error.NoSuchPfs);
    }
}
