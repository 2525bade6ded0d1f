// A drive with rights=posix under several users: who may delete, who may change rights, and what the library makes of a
// refusal (C32, L20). Every fault of the driver's rules fails the test, above all AccessDenied beside Delete.

using System.Security.AccessControl;
using DokanNet;
using Hammer2.Dokan;
using Hammer2.Dokan.Security;
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
}
