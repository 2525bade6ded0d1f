// A drive with rights=posix under several users: who may delete, who may change rights, and what the library makes of a
// refusal (C32, L20). Every fault of the driver's rules fails the test, above all AccessDenied beside Delete.

using System.Security.AccessControl;
using DokanNet;
using Hammer2.Dokan;
using Hammer2.Dokan.Security;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Tests.SimulatedDriver;
using static Hammer2.Tests.SimulatedDriver.CreateDisposition;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class PosixMountTests
{
    private const string Alice = "S-1-5-21-1-2-3-1001";
    private const string Bob = "S-1-5-21-1-2-3-1002";
    private const string Staff = "S-1-5-21-1-2-3-2001";
    private static readonly Requestor s_root = new("S-1-5-18", new HashSet<string>());
    private static readonly Requestor s_alice = new(Alice, new HashSet<string>());
    private static readonly Requestor s_bob = new(Bob, new HashSet<string>());

    private static DokanVolume New(int threads)
    {
        OwnerMap owners = OwnerMap.Parse([$"uid 1001 = {Alice}", $"uid 1002 = {Bob}", $"gid 20 = {Staff}"]);
        DokanVolume v = DokanVolume.New(threads, options: new DokanMountOptions { Rights = RightsMode.Posix, Owners = owners });
        v.Identity.Asks = s_root;
        return v;
    }

    /// <summary>Gives an object to somebody, with a list that says what owner and others may do.</summary>
    private static void Give(DokanVolume v, string path, string owner, uint ownerMask, uint othersMask)
    {
        v.Identity.Descriptor = SecurityDescriptorBytes.Build(
            owner, Staff, [new AccessEntry(Allows: true, ownerMask, owner), new AccessEntry(Allows: true, othersMask, SecurityIdentifierBytes.Everyone)], inherits: false);
        SimulatedHandle handle = v.Ok(path, Open, DokanNet.FileAccess.ChangePermissions | DokanNet.FileAccess.SetOwnership | CanReadAttributes);
        Assert.AreEqual(NtStatus.Success, v.Driver.SetSecurity(handle, AccessControlSections.Owner | AccessControlSections.Group | AccessControlSections.Access));
        v.Close(handle);
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void C32_L20_WhoMayNotDeleteIsToldSoAndTheParentStays(int threads)
    {
        const uint All = 0x1F01FF;
        const uint ReadOnly = 0x1200A9;
        using DokanVolume v = New(threads);
        v.MakeDirectory(@"\d");
        v.Put(@"\d\f", "text"u8);
        Give(v, @"\d", Alice, All, ReadOnly);
        Give(v, @"\d\f", Alice, All, ReadOnly);

        v.Identity.Asks = s_bob;
        v.Close(v.Ok(@"\d\f", Open, AllRead));
        v.No(NtStatus.CannotDelete, @"\d\f", Open, CanDelete);
        v.No(NtStatus.CannotDelete, @"\d\f", Open, ToDelete);
        v.No(NtStatus.CannotDelete, @"\d\f", Open, ToDelete, options: FileOptions.DeleteOnClose);
        v.No(NtStatus.AccessDenied, @"\d\f", Open, AllWrite);
        v.No(NtStatus.AccessDenied, @"\d\new", Create, AllWrite);
        v.No(NtStatus.CannotDelete, @"\d\new", Create, AllWrite | CanDelete);
        v.No(NtStatus.AccessDenied, @"\d\f", Open, DokanNet.FileAccess.ChangePermissions);
        Assert.IsEmpty(v.Driver.Faults.All, "the library was not made to try the parent");

        v.Identity.Asks = s_alice;
        Assert.IsTrue(v.Exists(@"\d\f"));
        Give(v, @"\d\f", Alice, ReadOnly, 0);
        v.Identity.Asks = s_bob;
        v.No(NtStatus.AccessDenied, @"\d\f", Open, AllRead);
        v.Remount();
        v.Identity.Asks = s_bob;
        v.No(NtStatus.AccessDenied, @"\d\f", Open, AllRead);
        v.Identity.Asks = s_alice;
        CollectionAssert.AreEqual("text"u8.ToArray(), v.Client.ReadAll(@"\d\f"));
        Assert.AreEqual(0, v.Client.SetFileAttributes(@"\d\f", FileAttributes.Normal));
        Assert.AreEqual(0, v.Client.DeleteFile(@"\d\f"));
        Assert.AreEqual(5, v.Client.RemoveDirectory(@"\d"), "the directory above belongs to root");
        v.Identity.Asks = s_root;
        Assert.AreEqual(0, v.Client.RemoveDirectory(@"\d"));
    }

    /// <summary>Where the sticky bit leaves names to their owners, a rename over a name takes it away as a deletion does.</summary>
    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void M03_L20_NobodyReplacesWhatHeMayNotDelete(int threads)
    {
        const uint StickyForAll = 0x3FF;
        using DokanVolume v = New(threads);
        v.MakeDirectory(@"\tmp");
        Assert.AreEqual(Hammer2Error.None, v.Pfs.TryResolve("/tmp", out Vnode? found));
        using (Vnode directory = found!)
            Assert.AreEqual(Hammer2Error.None, directory.TrySetAttributes(new AttributeChanges { Mode = StickyForAll }));
        v.Put(@"\tmp\alice", "hers"u8);
        v.Put(@"\tmp\bob", "his"u8);
        Give(v, @"\tmp\alice", Alice, 0x1F01FF, 0x1F01FF);
        Give(v, @"\tmp\bob", Bob, 0x1F01FF, 0x1F01FF);

        v.Identity.Asks = s_bob;
        SimulatedHandle handle = v.Ok(@"\tmp\bob", Open, ToMove);
        Assert.AreEqual(NtStatus.AccessDenied, v.Driver.MoveFile(handle, @"\tmp\alice", replace: true));
        v.Close(handle);
        SimulatedHandle fresh = v.Ok(@"\tmp\new", Create, AllWrite | CanDelete);
        Assert.AreEqual(NtStatus.AccessDenied, v.Driver.MoveFile(fresh, @"\tmp\alice", replace: true));
        Assert.AreEqual(NtStatus.Success, v.Driver.MoveFile(fresh, @"\tmp\bob", replace: true), "his own");
        v.Close(fresh);
        CollectionAssert.AreEqual("hers"u8.ToArray(), v.Client.ReadAll(@"\tmp\alice"));
        v.Identity.Asks = s_root;
        handle = v.Ok(@"\tmp\bob", Open, ToMove);
        Assert.AreEqual(NtStatus.Success, v.Driver.MoveFile(handle, @"\tmp\alice", replace: true));
        v.Close(handle);
    }
}
