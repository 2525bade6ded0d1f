// The closed set of things that can go wrong. Every layer speaks in these; each front end owns one table
// that turns them into its system's codes (errno, NTSTATUS). Nothing here knows about I/O or the format.

namespace Hammer2.Engine.Primitives;

/// <summary>Outcome of an engine operation.</summary>
public enum Hammer2Error
{
    /// <summary>Success.</summary>
    None = 0,

    /// <summary>No such name or inode number.</summary>
    NotFound,

    /// <summary>A path component or the target is not a directory.</summary>
    NotADirectory,

    /// <summary>The target is a directory where a file is needed.</summary>
    IsADirectory,

    /// <summary>The target is not a symbolic link.</summary>
    NotASymlink,

    /// <summary>A name component is longer than 255 bytes.</summary>
    NameTooLong,

    /// <summary>A name is empty or contains NUL or '/'.</summary>
    InvalidName,

    /// <summary>An argument is out of its range.</summary>
    InvalidArgument,

    /// <summary>The volume, device or mount does not accept changes.</summary>
    ReadOnly,

    /// <summary>The check code of a block does not match its contents.</summary>
    CheckFailed,

    /// <summary>A structure has the right check code but makes no sense.</summary>
    Corrupt,

    /// <summary>The device could not deliver or take the bytes, or an address lies outside it.</summary>
    Io,

    /// <summary>A version, type or method that this engine does not know.</summary>
    Unsupported,

    /// <summary>The device holds no HAMMER2 volume.</summary>
    NotHammer2,

    /// <summary>The volume has no PFS of that label.</summary>
    NoSuchPfs,

    /// <summary>The volume, PFS or vnode was closed.</summary>
    Closed,

    /// <summary>The name exists already.</summary>
    Exists,

    /// <summary>The directory still has entries.</summary>
    NotEmpty,

    /// <summary>The volume is full.</summary>
    NoSpace,

    /// <summary>An offset or size beyond the largest file.</summary>
    FileTooLarge,

    /// <summary>The object has as many names as can be counted.</summary>
    TooManyLinks,

    /// <summary>The kind of object or its flags do not allow the operation.</summary>
    NotPermitted,

    /// <summary>Another program has the volume open.</summary>
    InUse,
}
