// From the program's names of failures to PowerShell's ids and categories. Invariant: a name that is not known here has an id too, made of
// its words, so that scripts can tell failures apart. Calls nothing.

using System.Management.Automation;

namespace Hammer2.PowerShell.Running;

/// <summary>Names of failures.</summary>
internal static class FailureKinds
{
    /// <summary>check_failed as CheckFailed.</summary>
    public static string Id(string code) => string.Concat(
        code.Split(['_'], StringSplitOptions.RemoveEmptyEntries).Select(static word => char.ToUpperInvariant(word[0]) + word.Substring(1)));

    /// <summary>The nearest category.</summary>
    public static ErrorCategory Category(string code) => code switch
    {
        "check_failed" or "corrupt" or "damaged" => ErrorCategory.InvalidData,
        "not_found" or "no_such_pfs" or "not_readable" => ErrorCategory.ObjectNotFound,
        "exists" => ErrorCategory.ResourceExists,
        "busy" or "in_use" => ErrorCategory.ResourceBusy,
        "no_space" => ErrorCategory.LimitsExceeded,
        "io" => ErrorCategory.ReadError,
        "cannot_write" => ErrorCategory.WriteError,
        "refused" or "access_denied" or "permission_denied" or "read_only" => ErrorCategory.PermissionDenied,
        "unsupported" or "not_supported" => ErrorCategory.NotImplemented,
        "invalid_name" or "name_too_long" or "invalid_argument" or "not_a_file" => ErrorCategory.InvalidArgument,
        _ => ErrorCategory.NotSpecified,
    };
}
