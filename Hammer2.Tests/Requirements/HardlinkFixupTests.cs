// R1: several names of one file, looked up on a fresh mount, are separate vnodes over one chain. Commits replace the chain,
// and when the index shrinks its reference moves up into another array: every view must follow, in its inode lock.
// HandleTests proves the same with chains replaced by hand; here the engine replaces them.

using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Tests.Requirements;

[TestClass]
public sealed class HardlinkFixupTests
{
    private const int Others = 3000;
    private static readonly string[] s_names = ["one", "two", "three"];

    // A file with three names in the middle of many others, so that its index entry lies below indirect blocks.
    private static EngineRig Crowded(out ulong number)
    {
        var rig = new EngineRig();
        using (Vnode file = rig.Create("one", "first"u8))
        {
            number = file.InodeNumber;
            for (int i = 0; i < Others; i++)
                rig.Create($"x{i}").Dispose();
        }

        rig.Link("one", "two");
        rig.Link("one", "three");
        rig.Remount();
        Assert.IsGreaterThan(0, rig.LevelsAbove(number), "the index has no indirect blocks: nothing can move up");
        return rig;
    }

    private static void AssertAllFollow(EngineRig rig, ulong number, Vnode[] views)
    {
        BlockRef current = rig.InodeRef(number);
        foreach (Vnode view in views)
        {
            using InodeLock held = InodeLock.Shared(view.Inode);
            Assert.AreEqual(current.DataOff, held.Chain.Ref.DataOff, "a view went on with a chain that was replaced");
            Assert.AreEqual(current.Check64, held.Chain.Ref.Check64);
            Assert.AreSame(view.Inode.Slot.Current, held.Chain);
        }
    }

    [TestMethod]
    public void ViewGoesOnWithTheChainThatACommitReplaced()
    {
        using EngineRig rig = Crowded(out ulong number);
        Vnode[] views = [.. s_names.Select(rig.Open)];
        AssertAllFollow(rig, number, views);
        ulong before = rig.InodeRef(number).DataOff;
        Assert.AreEqual(Hammer2Error.None, views[0].TryWrite(0, "second, longer"u8));
        rig.Sync();
        Assert.AreNotEqual(before, rig.InodeRef(number).DataOff, "the commit did not replace the chain");
        Assert.IsTrue(views.All(v => v.Inode.IsStale), "nothing re-points a view but taking its lock");
        AssertAllFollow(rig, number, views);
        foreach (Vnode view in views)
        {
            CollectionAssert.AreEqual("second, longer"u8.ToArray(), EngineRig.ReadAll(view));
            Assert.AreEqual(3UL, view.GetAttributes().LinkCount);
            view.Dispose();
        }

    }

    [TestMethod]
    public void ViewIsLostWhenTheIndexCollapsesAndItsInodeMovesUp()
    {
        using EngineRig rig = Crowded(out ulong number);
        Vnode[] views = [.. s_names.Select(rig.Open)];
        int before = rig.LevelsAbove(number);
        for (int i = 0; i < Others; i++)
            rig.Unlink($"x{i}");
        Assert.AreEqual(Hammer2Error.None, views[1].TrySetAttributes(new AttributeChanges { Mode = 0x180 }));
        rig.Sync();
        Assert.IsLessThan(before, rig.LevelsAbove(number), "no indirect block collapsed: the inode did not move");
        AssertAllFollow(rig, number, views);

        // Writers through every view at once, while commits go on replacing the chain.
        const int Rounds = 60, Piece = 700;
        Task[] writers = [.. views.Select((view, who) => Task.Factory.StartNew(
            () =>
            {
                for (int round = 0; round < Rounds; round++)
                    Assert.AreEqual(Hammer2Error.None, view.TryWrite((round * views.Length + who) * Piece, EngineRig.Bytes(Piece, round * 10 + who)));
            },
            TaskCreationOptions.LongRunning))];
        while (!Task.WaitAll(writers, 0))
            rig.Sync();
        rig.Sync();
        AssertAllFollow(rig, number, views);
        byte[] expected = [.. Enumerable.Range(0, Rounds * views.Length).SelectMany(n => EngineRig.Bytes(Piece, n / views.Length * 10 + n % views.Length))];
        foreach (Vnode view in views)
        {
            CollectionAssert.AreEqual(expected, EngineRig.ReadAll(view));
            view.Dispose();
        }

        rig.Remount();
        using (Vnode again = rig.Open("three"))
            CollectionAssert.AreEqual(expected, EngineRig.ReadAll(again));
        rig.Check();
    }
}
