// Snapshots are taken of live PFSs, keep what was
// there, and give it back.

using System.Text;
using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Requirements;

namespace Hammer2.Tests.Managing;

[TestClass]
public sealed class SnapshotTests
{
    [TestMethod]
    public void ASnapshotKeepsWhatWasThereAndOnlyThat()
    {
        using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
        rig.MakeDirectory("dir");
        using Vnode file = rig.Create("dir/file", EngineRig.Bytes(300_000, 1));
        using Vnode small = rig.Create("small", EngineRig.Bytes(100, 2));
        rig.Sync();
        Assert.AreEqual(Hammer2Error.None, file.TryWrite(70_000, EngineRig.Bytes(1000, 3)));
        byte[] expected = EngineRig.ReadAll(file);
        PfsInfo taken = rig.Volume.Snapshot("DATA", "before");
        Assert.IsTrue(taken.IsSnapshot);
        Assert.AreEqual(PfsType.Master, taken.Type);

        Assert.AreEqual(Hammer2Error.None, file.TryWrite(0, EngineRig.Bytes(300_000, 4)));
        rig.Unlink("small");
        rig.Create("new", EngineRig.Bytes(10, 5)).Dispose();
        rig.Sync();
        rig.Volume.Bulkfree();
        CollectionAssert.AreEqual(expected, PfsTests.Get(rig.Volume, "before", "dir/file"));
        CollectionAssert.AreEqual(EngineRig.Bytes(100, 2), PfsTests.Get(rig.Volume, "before", "small"));
        using (PfsMount pfs = rig.Volume.OpenPfs("before"))
            Assert.AreEqual(Hammer2Error.NotFound, pfs.TryResolve("new", out _));
        rig.Check();
        using Hammer2Volume crashed = rig.OpenMedium();
        CollectionAssert.AreEqual(expected, PfsTests.Get(crashed, "before", "dir/file"));
        CollectionAssert.AreEqual(EngineRig.Bytes(300_000, 4), PfsTests.Get(crashed, "DATA", "dir/file"));
    }

    // The reference makes the root of a snapshot with attributes of its own: 0755, root, autozero (format page, bug B4).
    [TestMethod]
    public void TheRootDirectoryOfASnapshotKeepsItsAttributes()
    {
        using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
        using (Vnode root = rig.Pfs.OpenRoot())
        {
            Assert.AreEqual(Hammer2Error.None, root.TrySetAttributes(new AttributeChanges
            {
                Mode = 0x1C9,
                Uid = 77,
                Gid = 88,
                Compression = CompressionMethod.Zlib,
                CompressionLevel = 9,
                Check = CheckMethod.Sha192,
                ModifyTimeUs = 12345,
            }));
        }

        rig.Volume.Snapshot("DATA", "kept");
        rig.Remount();
        using PfsMount pfs = rig.Volume.OpenPfs("kept");
        using Vnode kept = pfs.OpenRoot();
        InodeAttributes a = kept.GetAttributes();
        Assert.AreEqual((0x1C9u, 77u, 88u, CompressionMethod.Zlib, 9, CheckMethod.Sha192, 12345L), (a.Mode, a.Uid, a.Gid, a.Compression, a.CompressionLevel, a.Check, a.ModifyTimeUs));
        rig.Check();
    }

    [TestMethod]
    public void ASnapshotCanBeWrittenAndHasSnapshotsItself()
    {
        using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
        rig.Create("file", EngineRig.Bytes(200_000, 1)).Dispose();
        rig.Volume.Snapshot("DATA", "one");
        PfsTests.Put(rig.Volume, "one", "file", EngineRig.Bytes(200_000, 2));
        PfsTests.Put(rig.Volume, "one", "more", EngineRig.Bytes(1000, 3));
        rig.Volume.Snapshot("one", "two");
        PfsTests.Put(rig.Volume, "one", "file", EngineRig.Bytes(200_000, 4));
        rig.Remount();
        rig.Volume.Snapshot("two", "three");
        CollectionAssert.AreEqual(EngineRig.Bytes(200_000, 1), PfsTests.Get(rig.Volume, "DATA", "file"));
        CollectionAssert.AreEqual(EngineRig.Bytes(200_000, 4), PfsTests.Get(rig.Volume, "one", "file"));
        CollectionAssert.AreEqual(EngineRig.Bytes(200_000, 2), PfsTests.Get(rig.Volume, "two", "file"));
        CollectionAssert.AreEqual(EngineRig.Bytes(1000, 3), PfsTests.Get(rig.Volume, "three", "more"));
        rig.Volume.DeletePfs("one");
        rig.Volume.Bulkfree();
        CollectionAssert.AreEqual(EngineRig.Bytes(200_000, 2), PfsTests.Get(rig.Volume, "three", "file"));
        rig.Check();
    }

    // A system that overwrites in place does so with blocks whose modify TID is above that of the last snapshot.
    [TestMethod]
    public void EverythingThatASnapshotSharesIsOlderThanItsMark()
    {
        using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
        using (Vnode root = rig.Pfs.OpenRoot())
            Assert.AreEqual(Hammer2Error.None, root.TrySetAttributes(new AttributeChanges { Check = CheckMethod.None, Compression = CompressionMethod.None }));
        using Vnode file = rig.Create("file", EngineRig.Bytes(300_000, 1));
        rig.Volume.Snapshot("DATA", "mark");
        foreach (string label in (string[])["DATA", "mark"])
        {
            ulong mark = rig.Volume.ListPfs().Single(p => p.Label == label).LastSnapshotTid;
            Assert.IsGreaterThan(0ul, mark);
            for (ulong key = 0; key < 300_000; key += 65536)
                Assert.IsLessThanOrEqualTo(mark, rig.DataRef(file, key).ModifyTid, label);
        }

        Assert.AreEqual(Hammer2Error.None, file.TryWrite(0, EngineRig.Bytes(65536, 2)));
        rig.Sync();
        Assert.IsGreaterThan(rig.Volume.ListPfs().Single(p => p.Label == "DATA").LastSnapshotTid, rig.DataRef(file, 0).ModifyTid);
    }

    [TestMethod]
    public void WithoutASyncASnapshotIsTheLastCommit()
    {
        using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
        rig.Create("file", EngineRig.Bytes(1000, 1)).Dispose();
        rig.Sync();
        rig.Create("late", EngineRig.Bytes(1000, 2)).Dispose();
        rig.Volume.Snapshot("DATA", "committed", sync: false);
        using (PfsMount pfs = rig.Volume.OpenPfs("committed"))
        {
            Assert.AreEqual(Hammer2Error.None, pfs.TryResolve("file", out Vnode? file));
            file!.Dispose();
            Assert.AreEqual(Hammer2Error.NotFound, pfs.TryResolve("late", out _));
        }

        rig.Check();
    }

    [TestMethod]
    public void ARestoredPfsHasTheSnapshotsContentAndItsOwnIdentity()
    {
        using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
        PfsInfo made = rig.Volume.CreatePfs("WORK");
        PfsTests.Put(rig.Volume, "WORK", "file", EngineRig.Bytes(100_000, 1));
        rig.Volume.Snapshot("WORK", "good");
        PfsTests.Put(rig.Volume, "WORK", "file", EngineRig.Bytes(100_000, 2));
        PfsTests.Put(rig.Volume, "WORK", "wrong", EngineRig.Bytes(100_000, 3));
        string? kept = rig.Volume.RestoreSnapshot("good", "WORK");
        Assert.IsNotNull(kept);
        PfsInfo restored = rig.Volume.ListPfs().Single(p => p.Label == "WORK");
        Assert.AreEqual((made.FileSystemId, made.ClusterId, PfsSubtype.None), (restored.FileSystemId, restored.ClusterId, restored.Subtype));
        Assert.IsTrue(rig.Volume.ListPfs().Single(p => p.Label == kept).IsSnapshot);
        CollectionAssert.AreEqual(EngineRig.Bytes(100_000, 1), PfsTests.Get(rig.Volume, "WORK", "file"));
        PfsTests.Put(rig.Volume, "WORK", "after", EngineRig.Bytes(10, 4));
        rig.Remount();
        rig.Check();
        CollectionAssert.AreEqual(EngineRig.Bytes(100_000, 3), PfsTests.Get(rig.Volume, kept, "wrong"));
        CollectionAssert.AreEqual(EngineRig.Bytes(100_000, 2), PfsTests.Get(rig.Volume, kept, "file"));
        CollectionAssert.AreEqual(EngineRig.Bytes(10, 4), PfsTests.Get(rig.Volume, "WORK", "after"));
        string? again = rig.Volume.RestoreSnapshot(kept, "WORK");
        Assert.AreNotEqual(kept, again);
        Assert.IsNull(rig.Volume.RestoreSnapshot("good", "WORK", keepPrevious: false));
        rig.Volume.Bulkfree();
        CollectionAssert.AreEqual(EngineRig.Bytes(100_000, 1), PfsTests.Get(rig.Volume, "WORK", "file"));
        CollectionAssert.AreEqual(EngineRig.Bytes(100_000, 1), PfsTests.Get(rig.Volume, "good", "file"));
        rig.Check();
    }

    // One thread makes pairs of files, the second after the first is done: no snapshot has a second without its first.
    [TestMethod]
    public void SnapshotsOfABusyPfsAreMomentsOfIt()
    {
        using var rig = new EngineRig();
        using var stop = new CancellationTokenSource();
        Task writer = Task.Run(() =>
        {
            for (int i = 0; !stop.IsCancellationRequested; i++)
            {
                rig.Create($"a{i}", EngineRig.Bytes(70_000 + i, i)).Dispose();
                rig.Create($"b{i}", EngineRig.Bytes(100, i)).Dispose();
                if (i >= 20)
                    rig.Unlink($"b{i - 20}");
                if (i >= 20)
                    rig.Unlink($"a{i - 20}");
            }
        });
        for (int i = 0; i < 12; i++)
            rig.Volume.Snapshot("DATA", $"s{i}");
        stop.Cancel();
        Assert.IsTrue(writer.Wait(EngineRig.Patience));
        rig.Remount();
        rig.Check();
        for (int i = 0; i < 12; i++)
        {
            using PfsMount pfs = rig.Volume.OpenPfs($"s{i}");
            for (int n = 0; n < 2000; n++)
            {
                if (pfs.TryResolve($"b{n}", out Vnode? second) != Hammer2Error.None)
                    continue;
                using Vnode b = second!;
                Assert.AreEqual(Hammer2Error.None, pfs.TryResolve($"a{n}", out Vnode? first), $"s{i} has b{n} without a{n}");
                using Vnode a = first!;
                Assert.IsTrue(EngineRig.Bytes(70_000 + n, n).AsSpan().SequenceEqual(EngineRig.ReadAll(a)), $"a{n} in s{i}");
            }
        }
    }

    [TestMethod]
    public void AFullVolumeStillTakesSnapshotsAndDeletesThem()
    {
        using var rig = new EngineRig(bytes: 64L << 20);
        for (int i = 0; ; i++)
        {
            using Vnode root = rig.Pfs.OpenRoot();
            Hammer2Error error = rig.Pfs.TryCreate(root, Encoding.ASCII.GetBytes($"f{i}"), new NewInode { Type = ObjectType.File, Mode = 0x1A4 }, out Vnode? file);
            if (error == Hammer2Error.None)
                error = file!.TryWrite(0, EngineRig.Bytes(400_000, i));
            file?.Dispose();
            if (error == Hammer2Error.None)
                continue;
            Assert.AreEqual(Hammer2Error.NoSpace, error);
            break;
        }

        rig.Volume.Snapshot("DATA", "full");
        rig.Unlink("f0");
        rig.Volume.RenamePfs("full", "renamed");
        rig.Volume.DeletePfs("renamed");
        rig.Sync();
        rig.Check();
        Assert.IsGreaterThan(0L, rig.Volume.Writer!.Freemap.FreeBytes);
    }

    [TestMethod]
    public void ASnapshotTakesNoLongerOfALargePfs()
    {
        using var rig = new EngineRig();
        Assert.IsLessThan(60L, Writes("one"));
        for (int d = 0; d < 10; d++)
        {
            rig.MakeDirectory($"d{d}");
            for (int i = 0; i < 300; i++)
                rig.Create($"d{d}/f{i}", EngineRig.Bytes(600, i)).Dispose();
        }

        rig.Sync();
        Assert.IsLessThan(60L, Writes("two"));
        rig.Check();

        long Writes(string label)
        {
            long before = rig.Device.Writes;
            rig.Volume.Snapshot("DATA", label);
            return rig.Device.Writes - before;
        }
    }
}
