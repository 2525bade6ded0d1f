// The status values of the adapter in one place: those that DokanNet 2.3.0.3 has no name for, and the refusals that
// depend on the access mask. Invariant: AccessDenied is never answered to a request that asks for Delete, because the
// library would then try again on the parent directory (dokan-semantics A.1). Calls AccessMask.

using DokanNet;
using FileAccess = DokanNet.FileAccess;

namespace Hammer2.Dokan.Requests;

/// <summary>Status values and the choice between look-alikes.</summary>
internal static class Status
{
    internal const NtStatus FileIsADirectory = (NtStatus)0xC00000BA;
    internal const NtStatus MediaWriteProtected = (NtStatus)0xC00000A2;
    internal const NtStatus NotSupported = (NtStatus)0xC00000BB;
    internal const NtStatus IoDeviceError = (NtStatus)0xC0000185;
    internal const NtStatus FileCorruptError = (NtStatus)0xC0000102;
    internal const NtStatus TooManyLinks = (NtStatus)0xC0000265;
    internal const NtStatus InsufficientResources = (NtStatus)0xC000009A;

    /// <summary>The refusal for lack of rights that fits the expanded mask.</summary>
    internal static NtStatus Denied(FileAccess expanded) =>
        AccessMask.WantsDelete(expanded) ? NtStatus.CannotDelete : NtStatus.AccessDenied;
}
