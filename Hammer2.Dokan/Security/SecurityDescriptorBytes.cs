// Self-relative security descriptors as bytes, made and taken apart without any Windows class, so that both are tested
// everywhere. Layout: revision, control bits, offsets of owner, group, SACL and DACL, then those parts (MS-DTYP 2.4).
// Invariants: what is made has owner, group and a protected DACL, because the driver checks that every part that is asked
// for is valid (dokan-semantics E.5); what is taken apart may come from any program, so every offset and length is checked.
// Calls SecurityIdentifierBytes.

using System.Buffers.Binary;

namespace Hammer2.Dokan.Security;

/// <summary>One entry of an access control list.</summary>
/// <param name="Allows">Allows the rights, or denies them.</param>
/// <param name="Rights">Access mask.</param>
/// <param name="Sid">Whom it is about, as text.</param>
internal readonly record struct AccessEntry(bool Allows, uint Rights, string Sid);

/// <summary>What of a descriptor was present.</summary>
internal sealed record ParsedDescriptor(string? Owner, string? Group, IReadOnlyList<AccessEntry>? Dacl);

/// <summary>Making and reading of descriptors.</summary>
internal static class SecurityDescriptorBytes
{
    private const int HeaderLength = 20;
    private const int AclHeaderLength = 8;
    private const int AceHeaderLength = 8;
    private const ushort DaclPresent = 0x0004;
    private const ushort DaclProtected = 0x1000;
    private const ushort SelfRelative = 0x8000;
    private const byte ObjectAndContainerInherit = 0x03;
    private const byte InheritOnly = 0x08;

    /// <summary>A descriptor with these parts.</summary>
    /// <param name="owner">SID.</param>
    /// <param name="group">SID.</param>
    /// <param name="entries">The list, in the order in which Windows looks at it.</param>
    /// <param name="inherits">Do new objects below a directory get the same?</param>
    internal static byte[] Build(string owner, string group, ReadOnlySpan<AccessEntry> entries, bool inherits)
    {
        byte[] ownerBytes = SecurityIdentifierBytes.Parse(owner);
        byte[] groupBytes = SecurityIdentifierBytes.Parse(group);
        byte[] acl = Acl(entries, inherits ? ObjectAndContainerInherit : (byte)0);
        int groupOffset = HeaderLength + ownerBytes.Length;
        int aclOffset = groupOffset + groupBytes.Length;
        var descriptor = new byte[aclOffset + acl.Length];
        descriptor[0] = 1;
        BinaryPrimitives.WriteUInt16LittleEndian(descriptor.AsSpan(2), SelfRelative | DaclPresent | DaclProtected);
        BinaryPrimitives.WriteUInt32LittleEndian(descriptor.AsSpan(4), HeaderLength);
        BinaryPrimitives.WriteUInt32LittleEndian(descriptor.AsSpan(8), (uint)groupOffset);
        BinaryPrimitives.WriteUInt32LittleEndian(descriptor.AsSpan(16), (uint)aclOffset);
        ownerBytes.CopyTo(descriptor, HeaderLength);
        groupBytes.CopyTo(descriptor, groupOffset);
        acl.CopyTo(descriptor, aclOffset);
        return descriptor;
    }

    /// <summary>Takes a descriptor apart.</summary>
    /// <returns>False when it is not one.</returns>
    internal static bool TryParse(ReadOnlySpan<byte> descriptor, out ParsedDescriptor parsed)
    {
        parsed = new ParsedDescriptor(null, null, null);
        if (descriptor.Length < HeaderLength || descriptor[0] != 1)
            return false;
        ushort control = BinaryPrimitives.ReadUInt16LittleEndian(descriptor[2..]);
        if ((control & SelfRelative) == 0
            || !TrySid(descriptor, Offset(descriptor, 4), out string? owner)
            || !TrySid(descriptor, Offset(descriptor, 8), out string? group))
        {
            return false;
        }

        IReadOnlyList<AccessEntry>? dacl = null;
        int aclOffset = Offset(descriptor, 16);
        if ((control & DaclPresent) != 0 && aclOffset != 0 && !TryAcl(descriptor, aclOffset, out dacl))
            return false;
        parsed = new ParsedDescriptor(owner, group, dacl);
        return true;
    }

    private static byte[] Acl(ReadOnlySpan<AccessEntry> entries, byte inheritance)
    {
        var sids = new byte[entries.Length][];
        int length = AclHeaderLength;
        for (int i = 0; i < entries.Length; i++)
        {
            sids[i] = SecurityIdentifierBytes.Parse(entries[i].Sid);
            length += AceHeaderLength + sids[i].Length;
        }

        var acl = new byte[length];
        acl[0] = 2;
        BinaryPrimitives.WriteUInt16LittleEndian(acl.AsSpan(2), (ushort)length);
        BinaryPrimitives.WriteUInt16LittleEndian(acl.AsSpan(4), (ushort)entries.Length);
        Span<byte> rest = acl.AsSpan(AclHeaderLength);
        for (int i = 0; i < entries.Length; i++)
        {
            rest[0] = entries[i].Allows ? (byte)0 : (byte)1;
            rest[1] = inheritance;
            BinaryPrimitives.WriteUInt16LittleEndian(rest[2..], (ushort)(AceHeaderLength + sids[i].Length));
            BinaryPrimitives.WriteUInt32LittleEndian(rest[4..], entries[i].Rights);
            sids[i].CopyTo(rest[AceHeaderLength..]);
            rest = rest[(AceHeaderLength + sids[i].Length)..];
        }

        return acl;
    }

    private static int Offset(ReadOnlySpan<byte> descriptor, int at)
    {
        uint offset = BinaryPrimitives.ReadUInt32LittleEndian(descriptor[at..]);
        return offset > int.MaxValue ? int.MaxValue : (int)offset;
    }

    private static bool TrySid(ReadOnlySpan<byte> descriptor, int offset, out string? sid)
    {
        sid = null;
        if (offset == 0)
            return true;
        if (offset >= descriptor.Length)
            return false;
        sid = SecurityIdentifierBytes.ToText(descriptor[offset..]);
        return sid is not null;
    }

    private static bool TryAcl(ReadOnlySpan<byte> descriptor, int offset, out IReadOnlyList<AccessEntry>? entries)
    {
        entries = null;
        if (offset > descriptor.Length - AclHeaderLength)
            return false;
        ReadOnlySpan<byte> acl = descriptor[offset..];
        int length = BinaryPrimitives.ReadUInt16LittleEndian(acl[2..]);
        int count = BinaryPrimitives.ReadUInt16LittleEndian(acl[4..]);
        if (length < AclHeaderLength || length > acl.Length)
            return false;
        ReadOnlySpan<byte> rest = acl[AclHeaderLength..length];
        var found = new List<AccessEntry>();
        for (int i = 0; i < count; i++)
        {
            if (rest.Length < AceHeaderLength)
                return false;
            int size = BinaryPrimitives.ReadUInt16LittleEndian(rest[2..]);
            if (size < AceHeaderLength || size > rest.Length)
                return false;

            // Only the two plain kinds say something of rights; one that is only to be inherited says nothing of this object.
            if (rest[0] <= 1 && (rest[1] & InheritOnly) == 0)
            {
                if (SecurityIdentifierBytes.ToText(rest[AceHeaderLength..size]) is not { } sid)
                    return false;
                found.Add(new AccessEntry(rest[0] == 0, BinaryPrimitives.ReadUInt32LittleEndian(rest[4..]), sid));
            }

            rest = rest[size..];
        }

        entries = found;
        return true;
    }
}
