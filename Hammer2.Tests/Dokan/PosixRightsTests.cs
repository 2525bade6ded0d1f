// The mode rights=posix: modes as access lists and back, and who is granted what. Lists are judged by a second evaluation of
// Windows' rule that is written down here.

using Hammer2.Dokan.Security;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Tests.Hostile;
using FileAccess = DokanNet.FileAccess;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class PosixRightsTests
{
    private const string Alice = "S-1-5-21-1-2-3-1001";
    private const string Staff = "S-1-5-21-1-2-3-2001";
    private const uint AliceId = 1001;
    private const uint StaffId = 20;

    private static readonly OwnerMap s_owners = OwnerMap.Parse(
        ["# accounts", "", $"uid {AliceId} = {Alice} # the owner", $"  gid   {StaffId}={Staff}"]);

    private static readonly PosixRights s_rights = new(s_owners);

    private static InodeAttributes Inode(uint mode, ObjectType type = ObjectType.File, uint uid = AliceId, uint gid = StaffId) =>
        new() { Type = type, Mode = mode, Uid = uid, Gid = gid, InodeNumber = 1024 };

    private static Requestor Who(string user, params string[] groups) =>
        new(user, new HashSet<string>(groups, StringComparer.OrdinalIgnoreCase));

    [TestMethod]
    public void EveryModeBecomesAListThatGrantsWhatTheModeDoes()
    {
        foreach (ObjectType type in new[] { ObjectType.File, ObjectType.Directory })
        {
            for (uint mode = 0; mode < 512; mode++)
            {
                byte[] bytes = s_rights.DescriptorOf(Inode(mode, type), type == ObjectType.Directory);
                SecurityDescriptorTests.Parsed parsed = SecurityDescriptorTests.Parse(bytes);
                Assert.AreEqual(Alice, parsed.Owner);
                Assert.AreEqual(Staff, parsed.Group);
                Assert.AreEqual(mode >> 6 & 7, Granted(parsed, Alice, SecurityIdentifierBytes.Everyone), $"owner of {Octal(mode)}");
                Assert.AreEqual(mode >> 6 & 7, Granted(parsed, Alice, Staff, SecurityIdentifierBytes.Everyone), $"owner in the group of {Octal(mode)}");
                Assert.AreEqual(mode >> 3 & 7, Granted(parsed, "S-1-5-21-9", Staff, SecurityIdentifierBytes.Everyone), $"member of {Octal(mode)}");
                Assert.AreEqual(mode & 7, Granted(parsed, "S-1-5-21-9", SecurityIdentifierBytes.Everyone), $"others of {Octal(mode)}");
                Assert.AreEqual(7u, Granted(parsed, "S-1-5-18"), "the system is root");
            }
        }
    }

    [TestMethod]
    public void EveryModeSurvivesItsOwnList()
    {
        for (uint mode = 0; mode < 512; mode++)
        {
            InodeAttributes inode = Inode(mode | 0x800);
            Assert.IsTrue(SecurityDescriptorBytes.TryParse(s_rights.DescriptorOf(inode, isDirectory: false), out ParsedDescriptor parsed));
            Assert.IsNull(s_rights.Change(inode, parsed), Octal(mode));
            AttributeChanges? change = s_rights.Change(Inode(mode ^ 0x1FF | 0xC00, uid: 5, gid: 6), parsed); // A new owner: no setuid.
            Assert.AreEqual(mode, change!.Value.Mode, Octal(mode));
            Assert.AreEqual(AliceId, change.Value.Uid);
            Assert.AreEqual(StaffId, change.Value.Gid);
        }
    }

    [TestMethod]
    public void GenericRightsAndStrangersInAList()
    {
        byte[] bytes = SecurityDescriptorBytes.Build(
            "S-1-5-21-7-7-7-7", Staff,
            [
                new AccessEntry(Allows: true, 0x80000000, SecurityIdentifierBytes.Everyone),
                new AccessEntry(Allows: true, 0x10000000, Alice),
                new AccessEntry(Allows: true, 0x1F01FF, "S-1-5-21-4-4-4-4"),
            ],
            inherits: false);
        Assert.IsTrue(SecurityDescriptorBytes.TryParse(bytes, out ParsedDescriptor parsed));
        AttributeChanges? change = s_rights.Change(Inode(0), parsed);
        Assert.AreEqual(Convert.ToUInt32("744", 8), change!.Value.Mode);
        Assert.IsNull(change.Value.Uid, "an owner who is not in the map stays out");
    }

    [TestMethod]
    public void TheNearestClassAloneDecides()
    {
        InodeAttributes parent = Inode(Convert.ToUInt32("755", 8), ObjectType.Directory);
        InodeAttributes file = Inode(Convert.ToUInt32("064", 8));
        Requestor owner = Who(Alice, Staff), member = Who("S-1-5-21-9", Staff), other = Who("S-1-5-21-9");
        Assert.IsFalse(s_rights.Grants(FileAccess.ReadData, file, parent, owner), "the owner has nothing, although the group has");
        Assert.IsTrue(s_rights.Grants(FileAccess.ReadData | FileAccess.WriteData, file, parent, member));
        Assert.IsTrue(s_rights.Grants(FileAccess.ReadData, file, parent, other));
        Assert.IsFalse(s_rights.Grants(FileAccess.AppendData, file, parent, other));
        Assert.IsTrue(s_rights.Grants(FileAccess.ReadData, file, parent, null), "who is unknown is anybody");
        Assert.IsTrue(s_rights.Grants(FileAccess.WriteData, file, parent, Who("S-1-5-21-9", SecurityIdentifierBytes.Administrators)));
        Assert.IsTrue(s_rights.Grants(FileAccess.WriteAttributes, file, parent, owner), "an owner may always mend the rights");
        Assert.IsFalse(s_rights.Grants(FileAccess.WriteAttributes, file, parent, other));
        Assert.IsTrue(s_rights.Grants(FileAccess.ReadAttributes, file, parent, other));
    }

    [TestMethod]
    public void DeletingIsARightOnTheDirectory()
    {
        InodeAttributes file = Inode(0, uid: 5);
        Requestor owner = Who(Alice), other = Who("S-1-22-1-5"), third = Who("S-1-22-1-6");
        InodeAttributes own = Inode(Convert.ToUInt32("755", 8), ObjectType.Directory);
        Assert.IsTrue(s_rights.Grants(FileAccess.Delete, file, own, owner));
        Assert.IsFalse(s_rights.Grants(FileAccess.Delete, file, own, other), "it is somebody else's directory");
        InodeAttributes common = Inode(Convert.ToUInt32("1777", 8), ObjectType.Directory, uid: 0);
        Assert.IsTrue(s_rights.Grants(FileAccess.Delete, file, common, other), "one's own file in a sticky directory");
        Assert.IsFalse(s_rights.Grants(FileAccess.Delete, file, common, third));
        Assert.IsTrue(s_rights.Grants(FileAccess.Delete, file, Inode(Convert.ToUInt32("777", 8), ObjectType.Directory, uid: 0), third));
    }

    [TestMethod]
    [DataRow("uid 5", 1)]
    [DataRow("uid x = S-1-5-18", 1)]
    [DataRow("user 5 = S-1-5-18", 1)]
    [DataRow("uid 5 = nobody", 1)]
    [DataRow("uid 5 = S-1-5-18\nuid 5 = S-1-5-19", 2)]
    [DataRow("gid 5 = S-1-5-18\n\ngid 6 = s-1-5-18", 3)]
    public void AWrongMapNamesItsLine(string text, int line)
    {
        FormatException wrong = Assert.ThrowsExactly<FormatException>(() => OwnerMap.Parse(text.Split('\n')));
        StringAssert.Contains(wrong.Message, $"line {line} ");
    }

    [TestMethod]
    public void BrokenDescriptorsAreRefusedAndNeverReadBeyond()
    {
        int seed = HammerSeed.Get();
        var random = new Random(seed);
        byte[] whole = s_rights.DescriptorOf(Inode(Convert.ToUInt32("640", 8)), isDirectory: false);
        for (int length = 0; length < whole.Length; length++)
            Assert.IsFalse(SecurityDescriptorBytes.TryParse(whole.AsSpan(0, length), out _), $"cut at {length}");
        int accepted = 0;
        for (int round = 0; round < 20_000; round++)
        {
            byte[] broken = (byte[])whole.Clone();
            for (int i = random.Next(1, 5); i > 0; i--)
                broken[random.Next(broken.Length)] = (byte)random.Next(256);
            accepted += SecurityDescriptorBytes.TryParse(broken, out _) ? 1 : 0;
        }

        Assert.IsInRange(1, 19_999, accepted);
    }

    /// <summary>The rwx bits that a list gives to somebody: in order, the first entry that speaks of a right decides.</summary>
    private static uint Granted(SecurityDescriptorTests.Parsed parsed, params string[] identities)
    {
        uint bits = 0;
        foreach ((uint right, uint bit) in new[] { (0x01u, 4u), (0x02u, 2u), (0x20u, 1u) })
        {
            foreach ((byte type, _, uint mask, string sid) in parsed.Dacl)
            {
                if ((mask & right) == 0 || !identities.Contains(sid))
                    continue;
                if (type == 0)
                    bits |= bit;
                break;
            }
        }

        return bits;
    }

    private static string Octal(uint mode) => Convert.ToString(mode, 8);
}
