// Whose rights count on a mount: one implementation for each mode. Pure: attributes and identities in, answers out.
// Invariants: the mask is expanded; nobody is asked about reading attributes, which everybody may. Calls nothing.

using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using FileAccess = DokanNet.FileAccess;

namespace Hammer2.Dokan.Security;

/// <summary>Who asks: a user and the groups of its token.</summary>
/// <param name="User">SID.</param>
/// <param name="Groups">SIDs; those that are only for denying are left out.</param>
internal sealed record Requestor(string User, IReadOnlySet<string> Groups);

/// <summary>The rights of a mount.</summary>
internal interface IRights
{
    /// <summary>Does it matter who asks?</summary>
    bool AsksWho { get; }

    /// <summary>The descriptor of an object, self-relative.</summary>
    byte[] DescriptorOf(in InodeAttributes inode, bool isDirectory);

    /// <summary>May somebody open the object in this way?</summary>
    /// <param name="wanted">Expanded rights.</param>
    /// <param name="inode">The object.</param>
    /// <param name="parent">The directory of the name that is used.</param>
    /// <param name="who">Null when nobody knows; then only what everybody may is granted.</param>
    bool Grants(FileAccess wanted, in InodeAttributes inode, in InodeAttributes parent, Requestor? who);

    /// <summary>What of a descriptor the medium can keep; null when nothing is to change.</summary>
    AttributeChanges? Change(in InodeAttributes inode, ParsedDescriptor descriptor);
}
