// Bugs of the reading engine that tests of this folder found, one test each. A test opens with the story of its bug.
// Each failed before the engine was corrected.

using System.Text;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Tests.Hostile;

[TestClass]
public sealed class RegressionTests
{
    private const int Block = FormatLimits.LogicalBlockBytes;

    [TestMethod]
    public void ReadOfNoBytesGivesNothing()
    {
        // An empty buffer at offset 0 made the last key of the range wrap around to all keys.
        var image = new ImageBuilder();
        image.AddFile("f", 3 * Block, [.. Enumerable.Range(0, 3).Select(i => image.Data((ulong)(i * Block), CraftedTreeTests.Text(Block, i)))]);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        Assert.AreEqual(Hammer2Error.None, pfs.TryResolve("f", out Vnode? vnode));
        using (vnode)
        {
            foreach (long at in new[] { 0L, 1, Block, 3 * Block - 1, 3 * Block, long.MaxValue })
                Assert.AreEqual(0, vnode!.Read(at, []), $"at {at}");
            Assert.AreEqual(0, vnode!.Read(long.MaxValue, new byte[100]));
            Assert.AreEqual(0, vnode.Read(long.MaxValue - 1, new byte[100]));
            Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => vnode.Read(-1, new byte[1]));
            Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => vnode.Read(long.MinValue, new byte[1]));
        }
    }

    [TestMethod]
    public void TransactionIdsOfInodesInsideDirectoriesAreGuardedToo()
    {
        // R2 looked at the inode index only; inodes of very old volumes, which lie in their directory, went past it.
        var image = new ImageBuilder();
        byte[] block = ImageBuilder.EmbeddedInodeBlock(0x777, ObjectType.File, "old"u8, (ref InodeData d) => d.NameLength = 3);
        "old\0"u8.CopyTo(block.AsSpan(InodeData.NameOffset));
        BlockRef legacy = image.Store(BlockRefType.Inode, block, DirectoryHash.Compute("old"u8), 0);
        legacy.MirrorTid = ImageBuilder.HeaderTid + 5;
        image.AddDirectory("dir", [legacy]);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        Assert.AreEqual(Hammer2Error.None, pfs.TryResolve("dir/old", out Vnode? vnode));
        using (vnode)
            Assert.AreEqual(ImageBuilder.HeaderTid, vnode!.Inode.Fixup().Ref.MirrorTid);
        Assert.AreEqual(1, volume.OverriddenTransactionIds);
    }

    [TestMethod]
    public void FileBlockWithAnAbsurdRangeDoesNotStallTheSearchForHoles()
    {
        // A data reference that claimed 2^40 bytes answered "data here" and "hole here" for one offset: a program that
        // alternates between the two questions never got on.
        var image = new ImageBuilder();
        BlockRef wide = image.Data(0, CraftedTreeTests.Text(Block, 1));
        wide.KeyBits = 40;
        image.AddFile("f", 1 << 20, [wide]);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        Assert.AreEqual(Hammer2Error.None, pfs.TryResolve("f", out Vnode? vnode));
        using (vnode)
        {
            Assert.AreEqual(Hammer2Error.Corrupt, Assert.ThrowsExactly<Hammer2Exception>(() => vnode!.NextData(0)).Error);
            Assert.AreEqual(Hammer2Error.Corrupt, Assert.ThrowsExactly<Hammer2Exception>(() => vnode!.NextHole(0)).Error);
        }
    }

    [TestMethod]
    public void EntryThatClaimsManyKeysDoesNotRepeatForEver()
    {
        // Who continues after the position of such an entry met the same entry again, and again.
        var image = new ImageBuilder();
        ulong number = image.AddEmbedded("sound", "x"u8);
        ulong key = DirectoryHash.Compute("wide"u8) & ~0xFFFFFFUL;
        BlockRef wide = image.Dirent("wide"u8, number, ObjectType.File, key);
        wide.KeyBits = 24;
        image.AddDirectory("d", [wide]);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        Assert.AreEqual(Hammer2Error.None, pfs.TryResolve("d", out Vnode? vnode));
        using (vnode)
        {
            var batch = new DirectoryBatch(1);
            ulong position = 0;
            for (int i = 0; i < 3; i++)
            {
                vnode!.ReadDirectory(position, batch);
                position = batch.Count > 0 ? batch[0].Position : batch.NextPosition;
            }

            Assert.AreEqual(0, batch.Count, "the listing goes on for ever");
        }
    }

    [TestMethod]
    public void DotsFitIntoBatchesOfOne()
    {
        // A batch with room for one record overflowed on "..", one with room for none never ended.
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new DirectoryBatch(0));
        var image = new ImageBuilder();
        image.AddEmbedded("a", "x"u8);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        using Vnode root = pfs.OpenRoot();
        var batch = new DirectoryBatch(1) { WithDots = true };
        var names = new List<string>();
        ulong position = 0;
        do
        {
            root.ReadDirectory(position, batch);
            for (int i = 0; i < batch.Count; i++)
            {
                names.Add(Encoding.UTF8.GetString(batch.NameOf(i)));
                Assert.AreEqual(Hammer2Error.None, batch[i].Error);
                Assert.AreNotEqual(0UL, batch[i].Attributes.InodeNumber);
            }

            position = batch.NextPosition;
        }
        while (!batch.EndOfDirectory);
        CollectionAssert.AreEqual(new[] { ".", "..", "a" }, names);
    }
}
