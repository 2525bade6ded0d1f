// What front ends need of the engine beyond the calls of POSIX: writes that never change the size, removal of a name only
// as long as it leads to a certain object, and a version of a directory's names.

using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Tests.Requirements;

namespace Hammer2.Tests.Engine;

[TestClass]
public sealed class FrontEndCallsTests
{
    [TestMethod]
    public void OverwritingNeverChangesTheSize()
    {
        using var rig = new EngineRig();
        byte[] content = EngineRig.Bytes(100_000, 1), pages = EngineRig.Bytes(65536, 2);
        using Vnode file = rig.Create("f", content);
        foreach ((long offset, int expected) in new[] { (0L, 65536), (65536L, 34464), (99_999L, 1), (100_000L, 0), (1L << 40, 0) })
        {
            Assert.AreEqual(Hammer2Error.None, file.TryOverwrite(offset, pages, out int written));
            Assert.AreEqual(expected, written, $"at {offset}");
            pages.AsSpan(0, expected).CopyTo(content.AsSpan((int)Math.Min(offset, content.Length)));
            Assert.AreEqual(100_000L, file.GetAttributes().Size);
        }

        CollectionAssert.AreEqual(content, EngineRig.ReadAll(file));
        rig.Remount();
        using Vnode again = rig.Open("f");
        CollectionAssert.AreEqual(content, EngineRig.ReadAll(again));
        rig.Check();
    }

    [TestMethod]
    public void OverwritingMeetsATruncationAndStaysInside()
    {
        using var rig = new EngineRig();
        using Vnode file = rig.Create("f", EngineRig.Bytes(100_000, 1));
        byte[] pages = EngineRig.Bytes(8192, 2);
        using var stop = new CancellationTokenSource();
        Task pager = Task.Run(() =>
        {
            for (int i = 0; !stop.IsCancellationRequested; i++)
            {
                Assert.AreEqual(Hammer2Error.None, file.TryOverwrite(i % 20 * 4096, pages, out int written));
                Assert.IsLessThanOrEqualTo(pages.Length, written);
            }
        });
        for (int i = 0; i < 2000; i++)
        {
            long size = i * 7919 % 90_000;
            Assert.AreEqual(Hammer2Error.None, file.TrySetSize(size));
            Assert.AreEqual(size, file.GetAttributes().Size);
        }

        stop.Cancel();
        pager.GetAwaiter().GetResult();
        rig.Sync();
        rig.Check();
    }

    [TestMethod]
    public void ANameIsRemovedOnlyWhileItLeadsToItsObject()
    {
        using var rig = new EngineRig();
        using Vnode root = rig.Pfs.OpenRoot();
        using Vnode first = rig.Create("a");
        rig.Link("a", "b");
        Assert.AreEqual(Hammer2Error.None, rig.Pfs.TryRemoveName(root, "a"u8, first));
        Assert.AreEqual(Hammer2Error.NotFound, rig.Pfs.TryRemoveName(root, "a"u8, first));
        using Vnode second = rig.Create("a");
        Assert.AreEqual(Hammer2Error.NotFound, rig.Pfs.TryRemoveName(root, "a"u8, first), "the name is somebody else's now");
        Assert.IsTrue(rig.Exists("a") && rig.Exists("b"));
        rig.MakeDirectory("d");
        using (Vnode directory = rig.Open("d"))
        {
            rig.Create("d/x").Dispose();
            Assert.AreEqual(Hammer2Error.NotEmpty, rig.Pfs.TryRemoveName(root, "d"u8, directory));
            rig.Unlink("d/x");
            Assert.AreEqual(Hammer2Error.None, rig.Pfs.TryRemoveName(root, "d"u8, directory));
        }

        rig.Sync();
        rig.Check();
    }

    [TestMethod]
    public void TheVersionOfADirectoryChangesWithEachOfItsNames()
    {
        using var rig = new EngineRig();
        rig.MakeDirectory("d");
        rig.MakeDirectory("e");
        using Vnode d = rig.Open("d"), e = rig.Open("e");
        long before = d.NamesVersion, other = e.NamesVersion;
        Expect(1, 0, () => rig.Create("d/a").Dispose());
        Expect(1, 0, () => rig.Link("d/a", "d/b"));
        Expect(1, 0, () => rig.Unlink("d/b"));
        Expect(1, 0, () => Assert.AreEqual(Hammer2Error.None, rig.Pfs.TryRename(d, "a"u8, d, "c"u8, RenameMode.Replace)));
        Expect(1, 1, () => Assert.AreEqual(Hammer2Error.None, rig.Pfs.TryRename(d, "c"u8, e, "c"u8, RenameMode.Replace)));
        Expect(0, 0, () => Assert.AreEqual(Hammer2Error.NotFound, rig.Pfs.TryUnlink(d, "nothing"u8)));
        Expect(0, 0, () =>
        {
            using Vnode file = rig.Open("e/c");
            Assert.AreEqual(Hammer2Error.None, file.TryWrite(0, "x"u8));
            rig.Sync();
        });

        void Expect(int inD, int inE, Action act)
        {
            act();
            Assert.AreEqual(before += inD, d.NamesVersion);
            Assert.AreEqual(other += inE, e.NamesVersion);
        }
    }

    [TestMethod]
    public void ANewObjectCanBringItsFlagsAndBirthTime()
    {
        using var rig = new EngineRig();
        using Vnode root = rig.Pfs.OpenRoot();
        var what = new NewInode { Type = ObjectType.File, Mode = 0x1A4, UserFlags = 0x8000, BirthTimeUs = 1_000_000 };
        Assert.AreEqual(Hammer2Error.None, rig.Pfs.TryCreate(root, "f"u8, what, out Vnode? made));
        made!.Dispose();
        rig.Remount();
        using Vnode file = rig.Open("f");
        Assert.AreEqual(0x8000u, file.GetAttributes().UserFlags);
        Assert.AreEqual(1_000_000L, file.GetAttributes().BirthTimeUs);
    }
}
