// Half operations on purpose: a name without its object, an object without its names. Each leaves exactly what the check then says.
// Invariant: the two halves together are a whole removal, after which the strict check is clean again.

using Hammer2.Engine.Checking;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Tests.Requirements;

namespace Hammer2.Tests.Managing;

[TestClass]
public sealed class DestroyTests
{
    [TestMethod]
    public void ADestroyedNameLeavesItsObject()
    {
        using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
        ulong number;
        using (Vnode file = rig.Create("file", EngineRig.Bytes(100_000, 1)))
            number = file.InodeNumber;
        using Vnode root = rig.Pfs.OpenRoot();
        Assert.AreEqual(Hammer2Error.NotFound, rig.Pfs.TryDestroyName(root, "none"u8));
        Assert.AreEqual(Hammer2Error.InvalidName, rig.Pfs.TryDestroyName(root, ".."u8));
        Assert.AreEqual(Hammer2Error.None, rig.Pfs.TryDestroyName(root, "file"u8));
        Assert.IsFalse(rig.Exists("file"));
        Assert.AreEqual(Hammer2Error.None, rig.Pfs.TryOpen(number, out Vnode? orphan));
        using (Vnode open = orphan!)
            CollectionAssert.AreEqual(EngineRig.Bytes(100_000, 1), EngineRig.ReadAll(open));
        rig.Sync();
        CheckReport report = VolumeChecker.Check([rig.Memory]);
        Console.WriteLine(report);
        Assert.IsTrue(report.Findings.Any(f => f.ToString()!.Contains($"{number}", StringComparison.Ordinal)), report.ToString());

        // The other half: then the volume is sound again.
        Assert.AreEqual(Hammer2Error.None, rig.Pfs.TryDestroyInode(number));
        Assert.AreEqual(Hammer2Error.NotFound, rig.Pfs.TryOpen(number, out _));
        rig.Sync();
        rig.Check();
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void ADestroyedInodeLeavesItsNames(bool open)
    {
        using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
        ulong number;
        using (Vnode file = rig.Create("file", EngineRig.Bytes(100_000, 1)))
            number = file.InodeNumber;
        rig.Remount();
        Vnode? held = open ? rig.Open("file") : null;
        Assert.AreEqual(Hammer2Error.None, rig.Pfs.TryDestroyInode(number));
        Assert.AreEqual(Hammer2Error.NotFound, rig.Pfs.TryDestroyInode(number));
        Assert.AreEqual(Hammer2Error.Corrupt, Assert.ThrowsExactly<Hammer2Exception>(() => rig.Pfs.TryResolve("file", out _)).Error);
        rig.Sync();
        Assert.IsGreaterThan(0L, VolumeChecker.Check([rig.Memory]).Errors, "the name leads nowhere");
        if (held is not null)
            CollectionAssert.AreEqual(EngineRig.Bytes(100_000, 1), EngineRig.ReadAll(held));
        held?.Dispose();
        using (Vnode root = rig.Pfs.OpenRoot())
            Assert.AreEqual(Hammer2Error.None, rig.Pfs.TryDestroyName(root, "file"u8));
        rig.Sync();
        rig.Check();
        rig.Volume.Bulkfree();
        rig.Check();
    }

    [TestMethod]
    public void AnInodeThatCannotBeReadIsDestroyed()
    {
        using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
        ulong number;
        rig.MakeDirectory("dir");
        using (Vnode file = rig.Create("dir/file", EngineRig.Bytes(100_000, 1)))
            number = file.InodeNumber;
        rig.Sync();
        BlockRef bref = rig.InodeRef(number);
        rig.Memory.Write((long)bref.Physical.Offset, EngineRig.Bytes(1024, 9));
        rig.Remount();
        Assert.ThrowsExactly<Hammer2Exception>(() => rig.Pfs.TryResolve("dir/file", out _));
        Assert.AreEqual(Hammer2Error.None, rig.Pfs.TryDestroyInode(number));
        using (Vnode directory = rig.Open("dir"))
            Assert.AreEqual(Hammer2Error.None, rig.Pfs.TryDestroyName(directory, "file"u8));
        rig.Sync();
        rig.Check();
    }

    [TestMethod]
    public void NumbersThatAreNoObjectsAreRefused()
    {
        using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
        Assert.AreEqual(Hammer2Error.InvalidArgument, rig.Pfs.TryDestroyInode(0));
        Assert.AreEqual(Hammer2Error.InvalidArgument, rig.Pfs.TryDestroyInode(1));
        Assert.AreEqual(Hammer2Error.InvalidArgument, rig.Pfs.TryDestroyInode(1UL << 63));
        Assert.AreEqual(Hammer2Error.NotFound, rig.Pfs.TryDestroyInode(4711));
        using Vnode file = rig.Create("file");
        Assert.AreEqual(Hammer2Error.NotADirectory, rig.Pfs.TryDestroyName(file, "x"u8));
        rig.Sync();
        rig.Check();
    }
}
