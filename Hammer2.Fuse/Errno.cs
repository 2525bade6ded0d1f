// What this is: the errno values this front end answers with, and the one table from engine errors to them.
// Invariants: values are Linux's on every architecture .NET runs on; every Hammer2Error has a row or falls to EIO.
// Layers: Engine.Primitives only.

using Hammer2.Engine.Primitives;

namespace Hammer2.Fuse;

/// <summary>Linux error numbers.</summary>
internal static class Errno
{
    public const int EPERM = 1;
    public const int ENOENT = 2;
    public const int EINTR = 4;
    public const int EIO = 5;
    public const int ENXIO = 6;
    public const int EBADF = 9;
    public const int EAGAIN = 11;
    public const int EACCES = 13;
    public const int EBUSY = 16;
    public const int EEXIST = 17;
    public const int ENODEV = 19;
    public const int ENOTDIR = 20;
    public const int EISDIR = 21;
    public const int EINVAL = 22;
    public const int ENOTTY = 25;
    public const int EFBIG = 27;
    public const int ENOSPC = 28;
    public const int EROFS = 30;
    public const int EMLINK = 31;
    public const int ENAMETOOLONG = 36;
    public const int ENOSYS = 38;
    public const int ENOTEMPTY = 39;
    public const int ELOOP = 40;
    public const int EPROTO = 71;
    public const int EOPNOTSUPP = 95;
    public const int ECONNABORTED = 103;
    public const int ENOTCONN = 107;
    public const int ESTALE = 116;

    /// <summary>The errno that tells a program about an engine error. Whatever says "the medium is wrong" is EIO.</summary>
    public static int From(Hammer2Error error) => error switch
    {
        Hammer2Error.None => 0,
        Hammer2Error.NotFound => ENOENT,
        Hammer2Error.NotADirectory => ENOTDIR,
        Hammer2Error.IsADirectory => EISDIR,
        Hammer2Error.NameTooLong => ENAMETOOLONG,
        Hammer2Error.InvalidName => EINVAL,
        Hammer2Error.InvalidArgument => EINVAL,
        Hammer2Error.NotASymlink => EINVAL,
        Hammer2Error.ReadOnly => EROFS,
        Hammer2Error.Unsupported => EOPNOTSUPP,
        Hammer2Error.Closed => EBADF,
        Hammer2Error.Exists => EEXIST,
        Hammer2Error.NotEmpty => ENOTEMPTY,
        Hammer2Error.NoSpace => ENOSPC,
        Hammer2Error.FileTooLarge => EFBIG,
        Hammer2Error.TooManyLinks => EMLINK,
        Hammer2Error.NotPermitted => EPERM,
        Hammer2Error.InUse => EBUSY,
        // CheckFailed, Corrupt, Io, and whatever a mounted volume should not be able to say.
        _ => EIO,
    };
}
