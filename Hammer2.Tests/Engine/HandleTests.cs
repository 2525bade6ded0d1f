// Vnodes, inode views and slots: R1 (several names of one file on a fresh mount, the chain replaced under them), the
// life of handles, and what closed things answer. The engine writes nothing yet, so chains are replaced by hand,
// under the lock under which a writer will do it.

using Hammer2.Engine.Directories;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Hostile;

namespace Hammer2.Tests.Engine;

[TestClass]
public sealed class HandleTests
{
    private static Hammer2Volume TwoNames(out ulong number)
    {
        var image = new ImageBuilder();
        number = image.AddEmbedded("one", "old"u8, (ref InodeData d) => d.LinkCount = 2);
        image.AddName("two", number, ObjectType.File);
        image.AddDirectory("dir", [image.Dirent("three"u8, number, ObjectType.File)]);
        return image.Open();
    }

    private static Vnode Open(PfsMount pfs, string path)
    {
        Assert.AreEqual(Hammer2Error.None, pfs.TryResolve(path, out Vnode? vnode), path);
        return vnode!;
    }

    private static InodeChain Other(InodeChain chain, ReadOnlySpan<byte> bytes)
    {
        byte[] block = ImageBuilder.EmbeddedInodeBlock(chain.Content.Data.InodeNumber, ObjectType.File, bytes);
        return new InodeChain(chain.Ref, InodeContent.Decode(chain.Ref, block));
    }

    private static string Read(Vnode vnode)
    {
        byte[] bytes = new byte[100];
        return System.Text.Encoding.ASCII.GetString(bytes.AsSpan(0, vnode.Read(0, bytes)));
    }

    [TestMethod]
    public void NamesOfOneFileAreSeparateVnodesOverOneChain()
    {
        using Hammer2Volume volume = TwoNames(out ulong number);
        using PfsMount pfs = volume.OpenPfs();
        using Vnode one = Open(pfs, "one"), two = Open(pfs, "two"), three = Open(pfs, "dir/three");
        Assert.AreEqual(Hammer2Error.None, pfs.TryOpen(number, out Vnode? four));
        Vnode[] all = [one, two, three, four!];
        Assert.HasCount(4, all.Select(v => v.Inode).Distinct().ToList(), "each handle has its own view");
        Assert.HasCount(1, all.Select(v => v.Inode.Slot).Distinct().ToList());
        Assert.HasCount(1, all.Select(v => v.Inode.Fixup()).Distinct().ToList(), "one common chain");
        Assert.AreEqual(1, pfs.OpenInodes);
        four!.Dispose();
        Assert.AreEqual(1, pfs.OpenInodes);
    }

    [TestMethod]
    public void ReplacedChainIsSeenThroughEveryOtherView()
    {
        // R1. Without the fixup pass in InodeLock the other views go on with the chain they had.
        using Hammer2Volume volume = TwoNames(out _);
        using PfsMount pfs = volume.OpenPfs();
        using Vnode one = Open(pfs, "one"), two = Open(pfs, "two"), three = Open(pfs, "dir/three");
        Assert.AreEqual("old old old", $"{Read(one)} {Read(two)} {Read(three)}");
        using (InodeLock held = InodeLock.Exclusive(one.Inode))
        {
            one.Inode.Slot.Replace(Other(held.Chain, "newer"u8));
            Assert.IsTrue(two.Inode.IsStale && three.Inode.IsStale);
        }

        Assert.IsTrue(two.Inode.IsStale, "nothing re-points a view but taking its lock");
        Assert.AreEqual(5L, two.GetAttributes().Size);
        Assert.IsFalse(two.Inode.IsStale);
        Assert.AreEqual("newer newer newer", $"{Read(one)} {Read(two)} {Read(three)}");
        using Vnode later = Open(pfs, "two");
        Assert.AreEqual("newer", Read(later), "a view opened afterwards shares the slot");
        using InodeLock shared = InodeLock.Shared(three.Inode);
        Assert.AreSame(one.Inode.Slot.Current, shared.Chain);
    }

    [TestMethod]
    public void ReplacingNeedsTheExclusiveLock()
    {
        using Hammer2Volume volume = TwoNames(out _);
        using PfsMount pfs = volume.OpenPfs();
        using Vnode one = Open(pfs, "one");
        InodeChain chain = one.Inode.Fixup();
        Assert.ThrowsExactly<InvariantException>(() => one.Inode.Slot.Replace(chain));
        using InodeLock held = InodeLock.Shared(one.Inode);
        Assert.ThrowsExactly<InvariantException>(() => one.Inode.Slot.Replace(chain));
    }

    [TestMethod]
    public void ReadersNeverSeeHalfAReplacement()
    {
        // Size and bytes of a file change together; every view must see them together, and never an older state again.
        using Hammer2Volume volume = TwoNames(out ulong number);
        using PfsMount pfs = volume.OpenPfs();
        using Vnode writer = Open(pfs, "one"), shared = Open(pfs, "two");
        InodeChain[] states = [.. Enumerable.Range(0, 300).Select(i => Other(writer.Inode.Fixup(), Enumerable.Repeat((byte)(i % 256), 20 + i).ToArray()))];
        using (InodeLock held = InodeLock.Exclusive(writer.Inode))
            writer.Inode.Slot.Replace(states[0]);
        int done = 0;
        Task[] readers =
        [
            .. Enumerable.Range(0, 4).Select(r => Task.Factory.StartNew(() =>
            {
                using Vnode? own = r < 2 ? Open(pfs, "two") : null;
                byte[] bytes = new byte[400];
                int last = 0;
                while (Volatile.Read(ref done) == 0)
                {
                    int got = (own ?? shared).Read(0, bytes);
                    Assert.IsGreaterThanOrEqualTo(last, got, "an older state came back");
                    Assert.IsFalse(bytes.AsSpan(0, got).ContainsAnyExcept((byte)((got - 20) % 256)));
                    last = got;
                }
            }, TaskCreationOptions.LongRunning)),
        ];
        try
        {
            foreach (InodeChain state in states)
            {
                using InodeLock held = InodeLock.Exclusive(writer.Inode);
                writer.Inode.Slot.Replace(state);
            }
        }
        finally
        {
            Volatile.Write(ref done, 1);
        }

        Assert.IsTrue(Task.WaitAll(readers, TimeSpan.FromSeconds(30)));
        Assert.AreEqual(319L, shared.GetAttributes().Size);
        Assert.AreEqual(number, shared.InodeNumber);
    }

    [TestMethod]
    public void ReadersOfOneInodeDoNotExcludeEachOther()
    {
        using Hammer2Volume volume = TwoNames(out _);
        using PfsMount pfs = volume.OpenPfs();
        using Vnode one = Open(pfs, "one"), two = Open(pfs, "two"), dir = Open(pfs, "dir");
        using InodeLock held = InodeLock.Shared(one.Inode);
        Assert.IsTrue(Task.Run(() => Read(two)).Wait(TimeSpan.FromSeconds(30)), "a shared lock held up a reader");
        Assert.IsTrue(Task.Run(() => dir.GetAttributes()).Wait(TimeSpan.FromSeconds(30)));
    }

    [TestMethod]
    public void LastCloseLetsTheInodeGo()
    {
        using Hammer2Volume volume = TwoNames(out ulong number);
        using PfsMount pfs = volume.OpenPfs();
        Vnode one = Open(pfs, "one"), two = Open(pfs, "two");
        InodeSlot slot = one.Inode.Slot;
        one.Dispose();
        one.Dispose();
        Assert.AreEqual(1, pfs.OpenInodes, "disposing twice must not take the other handle's view away");
        Assert.AreEqual("old", Read(two));
        two.Dispose();
        Assert.AreEqual(0, pfs.OpenInodes);
        Assert.AreEqual(Hammer2Error.None, pfs.TryOpen(number, out Vnode? again));
        using (again)
            Assert.AreNotSame(slot, again!.Inode.Slot);
    }

    [TestMethod]
    public void FailedOpensLeaveNothingOpen()
    {
        var image = new ImageBuilder();
        ulong number = image.NewInodeNumber();
        image.AddInode(number, ImageBuilder.EmbeddedInodeBlock(number, ObjectType.File, "x"u8), (ref BlockRef r) => r.Check64 ^= 1);
        image.AddName("bad", number, ObjectType.File);
        image.AddName("gone", 0x9999, ObjectType.File);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        Assert.AreEqual(Hammer2Error.CheckFailed, Assert.ThrowsExactly<Hammer2Exception>(() => pfs.TryResolve("bad", out _)).Error);
        Assert.AreEqual(Hammer2Error.Corrupt, Assert.ThrowsExactly<Hammer2Exception>(() => pfs.TryResolve("gone", out _)).Error);
        Assert.AreEqual(Hammer2Error.NotFound, pfs.TryResolve("none/below", out _));
        Assert.AreEqual(Hammer2Error.NotFound, pfs.TryOpen(0x9999, out _));
        Assert.AreEqual(0, pfs.OpenInodes);
    }

    [TestMethod]
    public void ClosedThingsSayThatTheyAreClosed()
    {
        Hammer2Volume volume = TwoNames(out ulong number);
        PfsMount pfs = volume.OpenPfs();
        Vnode one = Open(pfs, "one"), root = pfs.OpenRoot();
        one.Dispose();
        Action[] onHandle = [() => one.Read(0, new byte[1]), () => one.GetAttributes(), () => one.NextData(0), () => one.NextHole(0), () => one.ReadLink()];
        foreach (Action action in onHandle)
            Assert.AreEqual(Hammer2Error.Closed, Assert.ThrowsExactly<Hammer2Exception>(action).Error);
        root.Dispose();
        Assert.AreEqual(Hammer2Error.Closed, Assert.ThrowsExactly<Hammer2Exception>(() => root.ReadDirectory(0, new DirectoryBatch())).Error);
        Assert.AreEqual(Hammer2Error.Closed, Assert.ThrowsExactly<Hammer2Exception>(() => pfs.TryLookup(root, "one"u8, out Vnode? _)).Error);
        volume.Dispose();
        volume.Dispose();
        Action[] onVolume = [() => volume.OpenPfs(), () => volume.ListPfs(), () => pfs.OpenRoot(), () => pfs.TryOpen(number, out _), () => pfs.TryGetAttributes(number, out _), () => pfs.TryLookup(1, "one"u8, out InodeAttributes _)];
        foreach (Action action in onVolume)
            Assert.AreEqual(Hammer2Error.Closed, Assert.ThrowsExactly<Hammer2Exception>(action).Error);
    }

    [TestMethod]
    public void WrongKindsOfObjectsAreTold()
    {
        var image = new ImageBuilder();
        image.AddEmbedded("file", "x"u8);
        ulong fifo = image.NewInodeNumber();
        image.AddInode(fifo, ImageBuilder.InodeBlock(fifo, ObjectType.Fifo, 0, []));
        image.AddName("fifo", fifo, ObjectType.Fifo);
        using Hammer2Volume volume = image.Open();
        using PfsMount pfs = volume.OpenPfs();
        using Vnode root = pfs.OpenRoot(), file = Open(pfs, "file"), pipe = Open(pfs, "fifo");
        Assert.AreEqual(Hammer2Error.IsADirectory, Assert.ThrowsExactly<Hammer2Exception>(() => root.Read(0, new byte[1])).Error);
        Assert.AreEqual(Hammer2Error.InvalidArgument, Assert.ThrowsExactly<Hammer2Exception>(() => pipe.Read(0, new byte[1])).Error);
        Assert.AreEqual(Hammer2Error.NotASymlink, Assert.ThrowsExactly<Hammer2Exception>(() => file.ReadLink()).Error);
        Assert.AreEqual(Hammer2Error.NotADirectory, Assert.ThrowsExactly<Hammer2Exception>(() => file.ReadDirectory(0, new DirectoryBatch())).Error);
        Assert.AreEqual(Hammer2Error.NotADirectory, pfs.TryLookup(file, "x"u8, out Vnode? _));
        Assert.AreEqual(Hammer2Error.NotADirectory, pfs.TryResolve("file/x", out _));
        Assert.AreEqual(Hammer2Error.NotADirectory, pfs.TryLookup(file.InodeNumber, "x"u8, out InodeAttributes _));
    }
}
