// The one table from the engine's errors to status values, and the mapping of everything else that may be thrown.
// Invariant: no error becomes Success, NotImplemented or Pending: the library reads the second as "use the default",
// the driver reports the third as a fault (dokan-semantics A.0.11). Calls Status.

using DokanNet;
using Hammer2.Engine.Primitives;

namespace Hammer2.Dokan.Requests;

/// <summary>Errors as status values.</summary>
internal static class ErrorStatus
{
    /// <summary>The status of an error met while reading data.</summary>
    internal static NtStatus Of(Hammer2Error error) => error switch
    {
        Hammer2Error.None => NtStatus.Success,
        Hammer2Error.NotFound => NtStatus.ObjectNameNotFound,
        Hammer2Error.Exists => NtStatus.ObjectNameCollision,
        Hammer2Error.NotEmpty => NtStatus.DirectoryNotEmpty,
        Hammer2Error.NoSpace or Hammer2Error.FileTooLarge => NtStatus.DiskFull,
        Hammer2Error.NotPermitted => NtStatus.AccessDenied,
        Hammer2Error.TooManyLinks => Status.TooManyLinks,
        Hammer2Error.InUse => NtStatus.SharingViolation,
        Hammer2Error.NotADirectory => NtStatus.ObjectPathNotFound,
        Hammer2Error.IsADirectory => Status.FileIsADirectory,
        Hammer2Error.NameTooLong or Hammer2Error.InvalidName => NtStatus.ObjectNameInvalid,
        Hammer2Error.InvalidArgument or Hammer2Error.NotASymlink => NtStatus.InvalidParameter,
        Hammer2Error.ReadOnly => Status.MediaWriteProtected,
        Hammer2Error.CheckFailed => NtStatus.CrcError,
        Hammer2Error.Corrupt => Status.FileCorruptError,
        Hammer2Error.Unsupported => Status.NotSupported,
        Hammer2Error.NoSuchPfs or Hammer2Error.NotHammer2 or Hammer2Error.Closed => NtStatus.NoSuchDevice,
        _ => Status.IoDeviceError,
    };

    /// <summary>The status of an error met while opening an object whose name is there: a name without an inode, or with
    /// a damaged one, is a corrupt file and not a missing one.</summary>
    internal static NtStatus OfOpening(Hammer2Error error) => error switch
    {
        Hammer2Error.NotFound or Hammer2Error.CheckFailed or Hammer2Error.Corrupt => Status.FileCorruptError,
        _ => Of(error),
    };

    /// <summary>The status of anything that was thrown.</summary>
    internal static NtStatus Of(Exception thrown) => thrown switch
    {
        Hammer2Exception known => Of(known.Error) is var status && status != NtStatus.Success ? status : Status.IoDeviceError,
        ObjectDisposedException => NtStatus.NoSuchDevice,
        OutOfMemoryException => Status.InsufficientResources,
        _ => Status.IoDeviceError,
    };
}
