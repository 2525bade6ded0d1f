// PFSs are made, deleted and renamed on a live volume; what the calls
// promise is on the medium when they return.

using System.Text;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Requirements;

namespace Hammer2.Tests.Managing;

[TestClass]
public sealed class PfsTests
{
    [TestMethod]
    public void ANewPfsIsOnTheMediumAndLooksAsNewfsMakesThem()
    {
        using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
        PfsInfo made = rig.Volume.CreatePfs("MORE");
        using (Hammer2Volume crashed = rig.OpenMedium())
        {
            PfsInfo seen = crashed.ListPfs().Single(p => p.Label == "MORE");
            Assert.AreEqual(made, seen);
            Assert.AreEqual(PfsType.Master, seen.Type);
            Assert.AreEqual(PfsSubtype.None, seen.Subtype);
            Assert.AreEqual(CompressionMethod.Lz4, seen.Compression);
            Assert.AreEqual(CheckMethod.XxHash64, seen.Check);
            using PfsMount pfs = crashed.OpenPfs("MORE");
            using Vnode root = pfs.OpenRoot();
            InodeAttributes attributes = root.GetAttributes();
            Assert.AreEqual(0x1EDu, attributes.Mode);
            Assert.AreEqual(1ul, attributes.LinkCount);
            Assert.AreEqual(1ul, attributes.ParentInode);
        }

        Assert.AreEqual(CompressionMethod.AutoZero, rig.Volume.CreatePfs("boot").Compression);
        var cluster = Guid.NewGuid();
        PfsInfo slave = rig.Volume.CreatePfs("REPLICA", new PfsOptions { ClusterId = cluster, Compression = CompressionMethod.None, Check = CheckMethod.Sha192 });
        Assert.AreEqual((PfsType.Slave, cluster, CompressionMethod.None, CheckMethod.Sha192), (slave.Type, slave.ClusterId, slave.Compression, slave.Check));
        rig.Check();
    }

    [TestMethod]
    public void ANewPfsTakesFilesAndKeepsThem()
    {
        using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
        rig.Volume.CreatePfs("MORE");
        Put(rig.Volume, "MORE", "file", EngineRig.Bytes(100_000, 1));
        rig.Remount();
        CollectionAssert.AreEqual(EngineRig.Bytes(100_000, 1), Get(rig.Volume, "MORE", "file"));
        rig.Check();
    }

    [TestMethod]
    public void ManyPfsesGrowTheSuperRootAndGoAgain()
    {
        using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
        for (int i = 0; i < 200; i++)
            rig.Volume.CreatePfs($"number {i}");
        rig.Check();
        Assert.HasCount(202, rig.Volume.ListPfs());
        rig.Remount();
        for (int i = 0; i < 200; i += 2)
            rig.Volume.DeletePfs($"number {i}");
        rig.Check();
        for (int i = 1; i < 200; i += 2)
            rig.Volume.RenamePfs($"number {i}", $"odd {i}");
        rig.Check();
        rig.Remount();
        Assert.HasCount(100, rig.Volume.ListPfs().Where(p => p.Label.StartsWith("odd", StringComparison.Ordinal)).ToList());
        Assert.HasCount(102, rig.Volume.ListPfs());
    }

    [TestMethod]
    public void WhatAPfsHeldIsFreeAfterItWasDeleted()
    {
        using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
        rig.Volume.Bulkfree();
        long before = rig.Volume.FreeBytes;
        rig.Volume.CreatePfs("MORE");
        Put(rig.Volume, "MORE", "file", EngineRig.Bytes(40_000_000, 1));
        rig.Sync();
        Assert.IsLessThan(before - 40_000_000, rig.Volume.FreeBytes);

        // Changes that wait are no reason to refuse, and do not bring it back.
        Put(rig.Volume, "MORE", "other", EngineRig.Bytes(1000, 2));
        rig.Volume.DeletePfs("MORE");
        using (Hammer2Volume crashed = rig.OpenMedium())
            Assert.IsFalse(crashed.ListPfs().Any(p => p.Label == "MORE"));
        rig.Volume.Bulkfree();
        Assert.IsGreaterThan(before - (1 << 20), rig.Volume.FreeBytes);
        rig.Check();
    }

    [TestMethod]
    public void AnOpenPfsIsNeitherDeletedNorRenamed()
    {
        using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
        rig.Volume.CreatePfs("MORE");
        PfsMount pfs = rig.Volume.OpenPfs("MORE");
        Vnode root = pfs.OpenRoot();
        Refused(Hammer2Error.InUse, () => rig.Volume.DeletePfs("MORE"));
        pfs.Dispose();
        pfs.Dispose();
        Refused(Hammer2Error.InUse, () => rig.Volume.DeletePfs("MORE"));
        Refused(Hammer2Error.InUse, () => rig.Volume.RenamePfs("MORE", "LESS"));
        root.Dispose();
        rig.Volume.RenamePfs("MORE", "LESS");
        Assert.AreEqual(Hammer2Error.Closed, Assert.ThrowsExactly<Hammer2Exception>(() => pfs.OpenRoot()).Error);
        rig.Volume.DeletePfs("LESS");
        rig.Check();
    }

    [TestMethod]
    public void ARenamedPfsKeepsItsContentAndItsIdentity()
    {
        using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
        PfsInfo made = rig.Volume.CreatePfs("MORE");
        Put(rig.Volume, "MORE", "file", EngineRig.Bytes(100_000, 1));
        PfsInfo renamed = rig.Volume.RenamePfs("MORE", "Ä new name");
        Assert.AreEqual((made.ClusterId, made.FileSystemId, "Ä new name"), (renamed.ClusterId, renamed.FileSystemId, renamed.Label));
        CollectionAssert.AreEqual(EngineRig.Bytes(100_000, 1), Get(rig.Volume, "Ä new name", "file"));
        Refused(Hammer2Error.NoSuchPfs, () => rig.Volume.OpenPfs("MORE"));
        Put(rig.Volume, "Ä new name", "second", EngineRig.Bytes(10, 1));
        rig.Remount();
        CollectionAssert.AreEqual(EngineRig.Bytes(100_000, 1), Get(rig.Volume, "Ä new name", "file"));
        CollectionAssert.AreEqual(EngineRig.Bytes(10, 1), Get(rig.Volume, "Ä new name", "second"));
        rig.Check();
    }

    [TestMethod]
    public void WhatCannotBeDoneIsSaidInOneLine()
    {
        using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
        rig.Volume.CreatePfs("MORE");
        Refused(Hammer2Error.Exists, () => rig.Volume.CreatePfs("MORE"));
        Refused(Hammer2Error.Exists, () => rig.Volume.RenamePfs("MORE", "DATA"));
        Refused(Hammer2Error.Exists, () => rig.Volume.Snapshot("MORE", "MORE"));
        Refused(Hammer2Error.InvalidName, () => rig.Volume.CreatePfs(""));
        Refused(Hammer2Error.InvalidName, () => rig.Volume.CreatePfs("a/b"));
        Refused(Hammer2Error.InvalidName, () => rig.Volume.CreatePfs("a@b"));
        Refused(Hammer2Error.InvalidName, () => rig.Volume.Snapshot("MORE", "a\0b"));
        Refused(Hammer2Error.NameTooLong, () => rig.Volume.CreatePfs(new string('x', 256)));
        Refused(Hammer2Error.NoSuchPfs, () => rig.Volume.DeletePfs("NONE"));
        Refused(Hammer2Error.NoSuchPfs, () => rig.Volume.RenamePfs("NONE", "SOME"));
        Refused(Hammer2Error.NoSuchPfs, () => rig.Volume.Snapshot("NONE", "SOME"));
        Refused(Hammer2Error.NoSuchPfs, () => rig.Volume.RestoreSnapshot("NONE", "MORE"));
        Refused(Hammer2Error.NoSuchPfs, () => rig.Volume.RestoreSnapshot("MORE", "NONE"));
        Refused(Hammer2Error.InvalidArgument, () => rig.Volume.RestoreSnapshot("MORE", "MORE"));
        Refused(Hammer2Error.InUse, () => rig.Volume.RestoreSnapshot("MORE", "DATA"));
        Refused(Hammer2Error.NotPermitted, () => rig.Volume.DeletePfs("LOCAL"));
        Assert.HasCount(255, rig.Volume.CreatePfs(new string('x', 255)).Label);
        using Hammer2Volume reading = rig.OpenMedium();
        Refused(Hammer2Error.ReadOnly, () => reading.CreatePfs("SOME"));
        rig.Check();
    }

    internal static void Refused(Hammer2Error error, Action action)
    {
        Hammer2Exception refusal = Assert.ThrowsExactly<Hammer2Exception>(action);
        Assert.AreEqual(error, refusal.Error, refusal.Message);
        Console.WriteLine(refusal.Message);
    }

    internal static void Put(Hammer2Volume volume, string label, string name, byte[] content)
    {
        using PfsMount pfs = volume.OpenPfs(label);
        using Vnode root = pfs.OpenRoot();
        Hammer2Error error = pfs.TryCreate(root, Encoding.UTF8.GetBytes(name), new NewInode { Type = ObjectType.File, Mode = 0x1A4 }, out Vnode? file);
        if (error == Hammer2Error.Exists)
            error = pfs.TryResolve(name, out file);
        Assert.AreEqual(Hammer2Error.None, error, name);
        using Vnode open = file!;
        Assert.AreEqual(Hammer2Error.None, open.TryWrite(0, content), name);
    }

    internal static byte[] Get(Hammer2Volume volume, string label, string name)
    {
        using PfsMount pfs = volume.OpenPfs(label);
        Assert.AreEqual(Hammer2Error.None, pfs.TryResolve(name, out Vnode? file), name);
        using Vnode open = file!;
        return EngineRig.ReadAll(open);
    }
}
