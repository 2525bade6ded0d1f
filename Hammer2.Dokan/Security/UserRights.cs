// The mode rights=user: everything belongs to the user who mounted; SYSTEM, administrators, that user and every
// authenticated user may do everything. The same bytes for every object, made at mount time (dokan-semantics G.4).
// Calls SecurityDescriptorBytes.

using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using FileAccess = DokanNet.FileAccess;

namespace Hammer2.Dokan.Security;

/// <summary>Everything for everybody.</summary>
internal sealed class UserRights : IRights
{
    internal const uint FullControl = 0x001F01FF;
    private readonly byte[] _file;
    private readonly byte[] _directory;

    /// <summary>Descriptors owned by the given user; the group is derived when it is not given.</summary>
    internal UserRights(string ownerSid, string? groupSid = null)
    {
        string group = groupSid ?? SecurityIdentifierBytes.PrimaryGroupOf(ownerSid);
        string[] trustees =
        [
            SecurityIdentifierBytes.LocalSystem, SecurityIdentifierBytes.Administrators, ownerSid,
            SecurityIdentifierBytes.AuthenticatedUsers,
        ];
        AccessEntry[] entries =
        [
            .. trustees.Distinct(StringComparer.OrdinalIgnoreCase).Select(sid => new AccessEntry(Allows: true, FullControl, sid)),
        ];
        _file = SecurityDescriptorBytes.Build(ownerSid, group, entries, inherits: false);
        _directory = SecurityDescriptorBytes.Build(ownerSid, group, entries, inherits: true);
    }

    /// <inheritdoc />
    public bool AsksWho => false;

    /// <inheritdoc />
    public byte[] DescriptorOf(in InodeAttributes inode, bool isDirectory) => isDirectory ? _directory : _file;

    /// <inheritdoc />
    public bool Grants(FileAccess wanted, in InodeAttributes inode, in InodeAttributes parent, Requestor? who) => true;

    /// <inheritdoc />
    public AttributeChanges? Change(in InodeAttributes inode, ParsedDescriptor descriptor) => null;
}
