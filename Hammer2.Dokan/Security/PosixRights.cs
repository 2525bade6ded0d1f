// The mode rights=posix: owner, group and mode of the medium count. Administrators and SYSTEM may do everything, as root may.
// What a mode says becomes a DACL and back: an entry for the owner, one for the group, one for everyone, with denials in
// between where somebody nearer has less than somebody farther (dokan-semantics G.4).
// Invariants: the nearest of owner, group and everyone alone decides, as on POSIX; deleting a name is a right on its
// directory, where the sticky bit leaves it to the owners; setuid and setgid do not go to a new owner. Calls OwnerMap and SecurityDescriptorBytes.

using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using FileAccess = DokanNet.FileAccess;

namespace Hammer2.Dokan.Security;

/// <summary>The rights that the medium has.</summary>
internal sealed class PosixRights(OwnerMap owners) : IRights
{
    // Bits of one class of a mode.
    private const uint Read = 4;
    private const uint Write = 2;
    private const uint Execute = 1;
    private const uint Sticky = 0x200;

    /// <summary>Octal 06000: whoever runs the file becomes its owner or group.</summary>
    private const uint BecomesOwner = 0xC00;

    private const uint ReadControl = 0x20000;
    private const uint WriteDac = 0x40000;
    private const uint WriteOwner = 0x80000;
    private const uint Synchronize = 0x100000;

    // What each bit is in an access mask: data, extended attributes, and of directories the entries.
    private const uint ReadMask = 0x01 | 0x08;
    private const uint WriteMask = 0x02 | 0x04 | 0x10;
    private const uint ExecuteMask = 0x20;
    private const uint DeleteChildMask = 0x40;
    private const uint AlwaysMask = 0x80 | ReadControl | Synchronize;
    private const uint OwnerMask = 0x100 | WriteDac;

    /// <inheritdoc />
    public bool AsksWho => true;

    /// <inheritdoc />
    public byte[] DescriptorOf(in InodeAttributes inode, bool isDirectory)
    {
        string owner = owners.SidOfUser(inode.Uid);
        string group = owners.SidOfGroup(inode.Gid);
        uint user = inode.Mode >> 6 & 7, members = inode.Mode >> 3 & 7, others = inode.Mode & 7;
        var entries = new List<AccessEntry>(7);
        Deny(owner, ~user & (members | others));
        entries.Add(new AccessEntry(Allows: true, MaskOf(user, isDirectory) | AlwaysMask | OwnerMask, owner));
        Deny(group, ~members & others);
        entries.Add(new AccessEntry(Allows: true, MaskOf(members, isDirectory) | AlwaysMask, group));
        entries.Add(new AccessEntry(Allows: true, MaskOf(others, isDirectory) | AlwaysMask, SecurityIdentifierBytes.Everyone));
        entries.Add(new AccessEntry(Allows: true, UserRights.FullControl, SecurityIdentifierBytes.LocalSystem));
        entries.Add(new AccessEntry(Allows: true, UserRights.FullControl, SecurityIdentifierBytes.Administrators));
        return SecurityDescriptorBytes.Build(owner, group, [.. entries], inherits: false);

        void Deny(string sid, uint bits)
        {
            if (bits != 0)
                entries.Add(new AccessEntry(Allows: false, MaskOf(bits, isDirectory), sid));
        }
    }

    /// <inheritdoc />
    public bool Grants(FileAccess wanted, in InodeAttributes inode, in InodeAttributes parent, Requestor? who)
    {
        if (IsRoot(who))
            return true;
        uint mask = (uint)wanted;
        uint bits = BitsOf(inode, who);
        bool isOwner = IsOwner(inode, who);
        uint need = 0;
        if ((mask & ReadMask) != 0)
            need |= Read;
        if ((mask & (WriteMask | DeleteChildMask)) != 0)
            need |= inode.Type == ObjectType.Directory ? Write | Execute : Write;
        if ((mask & ExecuteMask) != 0 && inode.Type != ObjectType.Directory)
            need |= Execute; // Windows lets everybody pass through directories.
        if ((bits & need) != need)
            return false;
        if ((mask & (uint)FileAccess.WriteAttributes) != 0 && !isOwner && (bits & Write) == 0)
            return false;
        if ((mask & (WriteDac | WriteOwner)) != 0 && !isOwner)
            return false;
        return (mask & (uint)FileAccess.Delete) == 0 || MayTakeName(inode, parent, who);
    }

    /// <inheritdoc />
    public AttributeChanges? Change(in InodeAttributes inode, ParsedDescriptor descriptor)
    {
        uint uid = descriptor.Owner is { } owner && owners.TryUser(owner, out uint user) ? user : inode.Uid;
        uint gid = descriptor.Group is { } group && owners.TryGroup(group, out uint members) ? members : inode.Gid;
        uint mode = descriptor.Dacl is { } dacl ? ModeOf(inode, dacl, uid, gid) : inode.Mode;
        if (inode.Type != ObjectType.Directory && (uid != inode.Uid || gid != inode.Gid))
            mode &= ~BecomesOwner; // As by chown: otherwise a program of one's own could be made one that runs as somebody else.
        if (uid == inode.Uid && gid == inode.Gid && mode == inode.Mode)
            return null;
        return new AttributeChanges
        {
            Uid = uid == inode.Uid ? null : uid,
            Gid = gid == inode.Gid ? null : gid,
            Mode = mode == inode.Mode ? null : mode,
        };
    }

    private uint ModeOf(in InodeAttributes inode, IReadOnlyList<AccessEntry> dacl, uint uid, uint gid)
    {
        string owner = owners.SidOfUser(uid);
        string group = owners.SidOfGroup(gid);
        uint others = BitsFor(dacl, SecurityIdentifierBytes.Everyone);
        uint members = BitsFor(dacl, group, SecurityIdentifierBytes.Everyone);
        uint user = BitsFor(dacl, owner, SecurityIdentifierBytes.Everyone);
        return inode.Mode & ~0x1FFu | user << 6 | members << 3 | others;
    }

    /// <summary>The bits that somebody with these identities gets, by Windows' rule: in order, what is decided stays decided.</summary>
    private static uint BitsFor(IReadOnlyList<AccessEntry> dacl, params ReadOnlySpan<string> identities)
    {
        uint allowed = 0, decided = 0;
        foreach (AccessEntry entry in dacl)
        {
            bool applies = false;
            foreach (string identity in identities)
                applies |= string.Equals(identity, entry.Sid, StringComparison.OrdinalIgnoreCase);
            if (!applies)
                continue;
            uint fresh = Expand(entry.Rights) & ~decided;
            decided |= fresh;
            if (entry.Allows)
                allowed |= fresh;
        }

        return ((allowed & 0x01) != 0 ? Read : 0) | ((allowed & 0x02) != 0 ? Write : 0) | ((allowed & ExecuteMask) != 0 ? Execute : 0);
    }

    /// <summary>The rights that generic ones stand for.</summary>
    private static uint Expand(uint rights) => (uint)Requests.AccessMask.Expand((FileAccess)rights);

    private static uint MaskOf(uint bits, bool isDirectory)
    {
        uint mask = 0;
        if ((bits & Read) != 0)
            mask |= ReadMask;
        if ((bits & Write) != 0)
            mask |= isDirectory ? WriteMask | DeleteChildMask : WriteMask;
        if ((bits & Execute) != 0)
            mask |= ExecuteMask;
        return mask;
    }

    private bool MayTakeName(in InodeAttributes inode, in InodeAttributes parent, Requestor? who)
    {
        uint bits = BitsOf(parent, who);
        if ((bits & (Write | Execute)) != (Write | Execute))
            return false;
        return (parent.Mode & Sticky) == 0 || IsOwner(inode, who) || IsOwner(parent, who);
    }

    private uint BitsOf(in InodeAttributes inode, Requestor? who)
    {
        if (IsOwner(inode, who))
            return inode.Mode >> 6 & 7;
        bool isMember = who is not null
            && (who.Groups.Contains(owners.SidOfGroup(inode.Gid)) || who.User == owners.SidOfGroup(inode.Gid));
        return isMember ? inode.Mode >> 3 & 7 : inode.Mode & 7;
    }

    private bool IsOwner(in InodeAttributes inode, Requestor? who) =>
        who is not null && string.Equals(who.User, owners.SidOfUser(inode.Uid), StringComparison.OrdinalIgnoreCase);

    private static bool IsRoot(Requestor? who) =>
        who is not null && (who.User == SecurityIdentifierBytes.LocalSystem || who.Groups.Contains(SecurityIdentifierBytes.Administrators));
}
