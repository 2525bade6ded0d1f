// The security descriptor of the mode rights=user: the same for every object, in self-relative form.
// Invariants: owner, group and a protected DACL are always present (the driver checks that what was asked for is valid);
// the driver enforces nothing by it, Windows shows it and judges ownership by it (dokan-semantics E.5, G.4).
// Calls SecurityIdentifierBytes.

using System.Buffers.Binary;

namespace Hammer2.Dokan.Security;

/// <summary>Descriptors made at mount time, one for files and one for directories.</summary>
internal sealed class SecurityDescriptorBytes
{
    private const int HeaderLength = 20;
    private const ushort DaclPresent = 0x0004;
    private const ushort DaclProtected = 0x1000;
    private const ushort SelfRelative = 0x8000;
    private const byte ObjectAndContainerInherit = 0x03;
    private const uint FullControl = 0x001F01FF;

    /// <summary>Descriptors owned by the given user; the group is derived when it is not given.</summary>
    internal SecurityDescriptorBytes(string ownerSid, string? groupSid = null)
    {
        byte[] owner = SecurityIdentifierBytes.Parse(ownerSid);
        byte[] group = SecurityIdentifierBytes.Parse(groupSid ?? SecurityIdentifierBytes.PrimaryGroupOf(ownerSid));
        string[] trustees =
        [
            SecurityIdentifierBytes.LocalSystem, SecurityIdentifierBytes.Administrators, ownerSid,
            SecurityIdentifierBytes.AuthenticatedUsers,
        ];
        byte[][] allowed = [.. trustees.Distinct(StringComparer.OrdinalIgnoreCase).Select(SecurityIdentifierBytes.Parse)];
        File = Build(owner, group, Acl(allowed, inheritance: 0));
        Directory = Build(owner, group, Acl(allowed, ObjectAndContainerInherit));
    }

    /// <summary>The descriptor of every object that is not a directory.</summary>
    internal byte[] File { get; }

    /// <summary>The descriptor of every directory: inherited by what is made below.</summary>
    internal byte[] Directory { get; }

    private static byte[] Acl(byte[][] allowed, byte inheritance)
    {
        int length = 8 + allowed.Sum(sid => 8 + sid.Length);
        var acl = new byte[length];
        acl[0] = 2;
        BinaryPrimitives.WriteUInt16LittleEndian(acl.AsSpan(2), (ushort)length);
        BinaryPrimitives.WriteUInt16LittleEndian(acl.AsSpan(4), (ushort)allowed.Length);
        Span<byte> rest = acl.AsSpan(8);
        foreach (byte[] sid in allowed)
        {
            rest[1] = inheritance;
            BinaryPrimitives.WriteUInt16LittleEndian(rest[2..], (ushort)(8 + sid.Length));
            BinaryPrimitives.WriteUInt32LittleEndian(rest[4..], FullControl);
            sid.CopyTo(rest[8..]);
            rest = rest[(8 + sid.Length)..];
        }

        return acl;
    }

    private static byte[] Build(byte[] owner, byte[] group, byte[] acl)
    {
        int groupOffset = HeaderLength + owner.Length;
        int aclOffset = groupOffset + group.Length;
        var descriptor = new byte[aclOffset + acl.Length];
        descriptor[0] = 1;
        BinaryPrimitives.WriteUInt16LittleEndian(descriptor.AsSpan(2), SelfRelative | DaclPresent | DaclProtected);
        BinaryPrimitives.WriteUInt32LittleEndian(descriptor.AsSpan(4), HeaderLength);
        BinaryPrimitives.WriteUInt32LittleEndian(descriptor.AsSpan(8), (uint)groupOffset);
        BinaryPrimitives.WriteUInt32LittleEndian(descriptor.AsSpan(16), (uint)aclOffset);
        owner.CopyTo(descriptor, HeaderLength);
        group.CopyTo(descriptor, groupOffset);
        acl.CopyTo(descriptor, aclOffset);
        return descriptor;
    }
}
