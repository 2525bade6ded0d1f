// The changing half of a PFS: names come and go here. Expected outcomes are return values; what the device or the
// medium does wrong is an exception. Every call is one operation of the commit gate: a commit has all of it or nothing.

using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Pfs;

public sealed partial class PfsMount
{
    /// <summary>Makes a new object under a new name and opens it.</summary>
    /// <returns>Exists, NotADirectory, NotFound (the directory was removed), NameTooLong, InvalidName, NoSpace, ReadOnly.</returns>
    public Hammer2Error TryCreate(Vnode directory, ReadOnlySpan<byte> name, in NewInode what, out Vnode? vnode)
    {
        vnode = null;
        return Refusal;
    }

    /// <summary>Gives an object another name.</summary>
    /// <returns>As <see cref="TryCreate"/>; NotPermitted for directories, TooManyLinks.</returns>
    public Hammer2Error TryLink(Vnode target, Vnode directory, ReadOnlySpan<byte> name) => Refusal;

    /// <summary>Removes a name of something that is not a directory; the object goes with its last name and last handle.</summary>
    /// <returns>NotFound, IsADirectory, NotPermitted, ReadOnly.</returns>
    public Hammer2Error TryUnlink(Vnode directory, ReadOnlySpan<byte> name) => Refusal;

    /// <summary>Removes an empty directory.</summary>
    /// <returns>NotFound, NotADirectory, NotEmpty, InvalidArgument ("."), NotPermitted, ReadOnly.</returns>
    public Hammer2Error TryRemoveDirectory(Vnode directory, ReadOnlySpan<byte> name) => Refusal;

    /// <summary>Moves a name, within one directory or to another.</summary>
    /// <returns>NotFound, Exists, NotEmpty, IsADirectory, NotADirectory, InvalidArgument (into its own subtree), NoSpace, ReadOnly.</returns>
    public Hammer2Error TryRename(Vnode from, ReadOnlySpan<byte> name, Vnode to, ReadOnlySpan<byte> newName, RenameMode mode) => Refusal;

    private Hammer2Error Refusal => Volume.IsWritable ? Hammer2Error.Unsupported : Hammer2Error.ReadOnly;
}
