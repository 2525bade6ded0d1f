// The bytes of security descriptors, read back by hand: the classes of Windows exist on Windows alone.
// Offsets and flags are written down here a second time, independently of the code under test.

using System.Buffers.Binary;
using Hammer2.Dokan.Security;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class SecurityDescriptorTests
{
    private const string User = "S-1-5-21-1111-2222-3333-1001";

    /// <summary>A descriptor taken apart. Throws when any part lies outside the bytes.</summary>
    internal sealed record Parsed(string Owner, string Group, ushort Control, List<(byte Type, byte Flags, uint Mask, string Sid)> Dacl);

    internal static Parsed Parse(ReadOnlySpan<byte> bytes)
    {
        Assert.AreEqual(1, bytes[0], "revision");
        ushort control = BinaryPrimitives.ReadUInt16LittleEndian(bytes[2..]);
        int owner = BinaryPrimitives.ReadInt32LittleEndian(bytes[4..]);
        int group = BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]);
        Assert.AreEqual(0, BinaryPrimitives.ReadInt32LittleEndian(bytes[12..]), "no SACL");
        int dacl = BinaryPrimitives.ReadInt32LittleEndian(bytes[16..]);
        Assert.AreEqual(0, (owner | group | dacl) & 3, "alignment");
        ReadOnlySpan<byte> acl = bytes[dacl..];
        Assert.AreEqual(2, acl[0]);
        acl = acl[..BinaryPrimitives.ReadUInt16LittleEndian(acl[2..])];
        int count = BinaryPrimitives.ReadUInt16LittleEndian(acl[4..]);
        acl = acl[8..];
        var entries = new List<(byte, byte, uint, string)>();
        for (int i = 0; i < count; i++)
        {
            int length = BinaryPrimitives.ReadUInt16LittleEndian(acl[2..]);
            entries.Add((acl[0], acl[1], BinaryPrimitives.ReadUInt32LittleEndian(acl[4..]), Sid(acl[8..length])));
            acl = acl[length..];
        }

        Assert.IsTrue(acl.IsEmpty, "the ACL ends with its last entry");
        return new Parsed(Sid(bytes[owner..]), Sid(bytes[group..]), control, entries);
    }

    private static string Sid(ReadOnlySpan<byte> bytes)
    {
        int count = bytes[1];
        ulong authority = BinaryPrimitives.ReadUInt64BigEndian(bytes) & 0xFFFF_FFFF_FFFF;
        string text = $"S-{bytes[0]}-{authority}";
        for (int i = 0; i < count; i++)
            text += $"-{BinaryPrimitives.ReadUInt32LittleEndian(bytes[(8 + (4 * i))..])}";
        return text;
    }

    [TestMethod]
    public void L19_OwnerGroupAndAProtectedDaclAreAlwaysThere()
    {
        var descriptors = new UserRights(User);
        foreach ((byte[] bytes, byte flags) in new[] { (descriptors.DescriptorOf(default, isDirectory: false), (byte)0), (descriptors.DescriptorOf(default, isDirectory: true), (byte)3) })
        {
            Parsed parsed = Parse(bytes);
            Assert.AreEqual(User, parsed.Owner);
            Assert.AreEqual("S-1-5-21-1111-2222-3333-513", parsed.Group);
            Assert.AreEqual(0x9004, parsed.Control, "self-relative, DACL present and protected");
            CollectionAssert.AreEqual(new[] { "S-1-5-18", "S-1-5-32-544", User, "S-1-5-11" }, parsed.Dacl.ConvertAll(entry => entry.Sid));
            Assert.IsTrue(parsed.Dacl.TrueForAll(entry => entry is { Type: 0, Mask: 0x1F01FF } && entry.Flags == flags));
        }
    }

    [TestMethod]
    public void AServiceAccountIsItsOwnGroupAndListedOnce()
    {
        Parsed parsed = Parse(new UserRights("S-1-5-18").DescriptorOf(default, isDirectory: false));
        Assert.AreEqual("S-1-5-18", parsed.Group);
        Assert.HasCount(3, parsed.Dacl);
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("S-1-5")]
    [DataRow("S-2-5-18")]
    [DataRow("S-1-5-99999999999")]
    [DataRow("S-1-999999999999999-1")]
    [DataRow("S-1-5-x")]
    [DataRow("S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16")]
    public void NonsenseIsNoSid(string text) => Assert.ThrowsExactly<FormatException>(() => SecurityIdentifierBytes.Parse(text));

    [TestMethod]
    public void TheClassesOfWindowsAreNotNeeded()
    {
        if (OperatingSystem.IsWindows())
        {
            var descriptors = new UserRights(WindowsSecurity.CurrentUserSid());
            byte[] file = descriptors.DescriptorOf(default, isDirectory: false);
            CollectionAssert.AreEqual(file, WindowsSecurity.FromBytes(file, false).GetSecurityDescriptorBinaryForm());
            return;
        }

        Assert.ThrowsExactly<PlatformNotSupportedException>(() => WindowsSecurity.FromBytes([1], isDirectory: false));
    }
}
