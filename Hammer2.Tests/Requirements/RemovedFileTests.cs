// R8 and R17: a file that lost its last name lives on through its handles. It can be read, written, cut and synced, nothing
// of it is on the medium after a commit, and what it writes from then on takes no more space than what it replaces.

using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Freemap;

namespace Hammer2.Tests.Requirements;

[TestClass]
public sealed class RemovedFileTests
{
    private const int FileBytes = 300_000;

    // What a crash at this moment would leave has no inode of that number, and no block of the given ones.
    private static void AssertGoneFromMedium(EngineRig rig, ulong number, ulong[] blocks)
    {
        rig.Check();
        using (Hammer2Volume medium = rig.OpenMedium())
        {
            using PfsMount pfs = medium.OpenPfs();
            Assert.AreEqual(Hammer2Error.NotFound, pfs.TryOpen(number, out _), "the flush wrote an inode without names");
        }

        HashSet<ulong> used = [.. UsedBlocks.Of([rig.Memory]).Select(b => b.DataOff)];
        Assert.IsFalse(blocks.Any(used.Contains), "a block of the removed file is still part of the topology");
    }

    [TestMethod]
    [DataRow(false, DisplayName = "committed before")]
    [DataRow(true, DisplayName = "never committed")]
    public void RemovedFileIsLostToItsHandlesOrStaysOnTheMedium(bool neverCommitted)
    {
        using var rig = new EngineRig();
        byte[] content = EngineRig.Bytes(FileBytes, 1);
        using Vnode file = rig.Create("gone", content);
        using Vnode other = rig.Open("gone");
        if (neverCommitted)
            rig.WriteOut();
        else
            rig.Sync();
        ulong[] blocks = [.. Enumerable.Range(0, 4).Select(i => rig.DataRef(file, (ulong)i << 16).DataOff)];
        rig.Unlink("gone");
        CollectionAssert.AreEqual(content, EngineRig.ReadAll(file));
        file.Sync();
        AssertGoneFromMedium(rig, file.InodeNumber, blocks);

        for (int round = 0; round < 3; round++)
        {
            byte[] change = EngineRig.Bytes(100_000, 10 + round);
            change.CopyTo(content, round * 70_001);
            Assert.AreEqual(Hammer2Error.None, file.TryWrite(round * 70_001, change));
            CollectionAssert.AreEqual(content, EngineRig.ReadAll(other), "before the sync");
            file.Sync();
            CollectionAssert.AreEqual(content, EngineRig.ReadAll(other), "after the sync");
            AssertGoneFromMedium(rig, file.InodeNumber, blocks);
        }

        Assert.AreEqual(0UL, other.GetAttributes().LinkCount);
        Assert.AreEqual(Hammer2Error.None, other.TrySetSize(1000));
        CollectionAssert.AreEqual(content[..1000], EngineRig.ReadAll(file));
        using Vnode root = rig.Pfs.OpenRoot();
        Assert.AreEqual(Hammer2Error.NotFound, rig.Pfs.TryLink(file, root, "back"u8), "what is removed must not come back");
        rig.Sync();
        AssertGoneFromMedium(rig, file.InodeNumber, blocks);
    }

    [TestMethod]
    public void LastCloseKeepsTheRemovedInodeInMemory()
    {
        using var rig = new EngineRig();
        Vnode file = rig.Create("gone", EngineRig.Bytes(FileBytes, 2)), other = rig.Open("gone");
        ulong number = file.InodeNumber;
        rig.Sync();
        rig.Unlink("gone");
        rig.Sync();
        file.Dispose();
        Assert.IsTrue(rig.Pfs.Index.IsRemoved(number), "one handle is still there");
        Assert.AreEqual(FileBytes, EngineRig.ReadAll(other).Length);
        other.Dispose();
        Assert.IsFalse(rig.Pfs.Index.IsRemoved(number), "nothing holds it any more");
        Assert.AreEqual(0, rig.Pfs.OpenInodes);
    }

    [TestMethod]
    public void CrashWithAnOpenRemovedFileLeavesSomethingOfIt()
    {
        using var rig = new EngineRig();
        using Vnode file = rig.Create("gone", EngineRig.Bytes(FileBytes, 3));
        rig.Sync();
        rig.Unlink("gone");
        Assert.AreEqual(Hammer2Error.None, file.TryWrite(0, EngineRig.Bytes(FileBytes, 4)));
        rig.Sync();
        using var after = new EngineRig(rig.Memory.Clone());
        Assert.IsFalse(after.Exists("gone"));
        Assert.AreEqual(Hammer2Error.NotFound, after.Pfs.TryOpen(file.InodeNumber, out _));
        after.Check();
    }

    [TestMethod]
    public void EveryRewriteOfARemovedFileTakesFreshSpace()
    {
        using var rig = new EngineRig();
        Vnode file = rig.Create("gone", EngineRig.Bytes(1 << 20, 0));
        rig.Sync();
        rig.Unlink("gone");
        rig.Sync();
        long before = rig.Volume.FreeBytes;
        var used = new HashSet<ulong>();
        for (int round = 1; round <= 100; round++)
        {
            byte[] content = EngineRig.Bytes(1 << 20, round);
            Assert.AreEqual(Hammer2Error.None, file.TryWrite(0, content));
            file.Sync();
            for (int i = 0; i < 16; i++)
                used.Add(rig.DataRef(file, (ulong)i << 16).Physical.Offset);
            Assert.IsLessThanOrEqualTo(3L << 20, before - rig.Volume.FreeBytes, $"round {round}: blocks that nothing refers to are not reused");
            if (round % 25 == 0)
                CollectionAssert.AreEqual(content, EngineRig.ReadAll(file));
        }

        Assert.IsLessThanOrEqualTo(64, used.Count, "each round went to other places");
        file.Dispose();

        // What stays away are the super-roots of the hundred commits, 1 KiB each: they come back with bulkfree.
        Assert.IsLessThanOrEqualTo(8 * 16384L, before - rig.Volume.FreeBytes, "the close did not give back what the file wrote since it was removed");
        rig.Sync();
        rig.Check();
    }

    [TestMethod]
    public void ClosingAFileThatNoCommitEverSawLosesItsSpace()
    {
        using var rig = new EngineRig();
        rig.Create("stays", EngineRig.Bytes(5000, 1)).Dispose();
        rig.Sync();
        long before = rig.Volume.FreeBytes;
        for (int i = 0; i < 30; i++)
        {
            using (Vnode file = rig.Create($"t{i}", EngineRig.Bytes(700_000, i)))
            {
                rig.WriteOut();
                rig.Unlink($"t{i}");
            }

            // Only the commit lets an inode go that waits to be written.
            if (i == 15)
                rig.Sync();
        }

        rig.Sync();
        Assert.IsLessThan(200_000L, before - rig.Volume.FreeBytes, "temporary files cost more than the commits' own metadata");
        rig.Check();
    }
}
