// What these declarations do in place of the native library: refuse with a sentence that names the missing package.
// Invariant: nothing in this assembly mounts anything. The one hook exists for the simulated driver of the tests,
// which wants to see requests for more time. Calls nothing.

namespace DokanNet;

/// <summary>The refusal that stands in for the native library.</summary>
internal static class ContractsOnly
{
    /// <summary>Told (event, milliseconds) when an adapter asks for more time; null when nobody listens.</summary>
    internal static Func<ulong, int, bool>? ResetTimeout { get; set; }

    internal static PlatformNotSupportedException Refusal() => new(
        "This build carries only the declarations of DokanNet, which cannot mount. Build on Windows, or with " +
        "-p:UseDokanNetPackage=true, so that the package DokanNet 2.3.0.3 is used, and " +
        "install the Dokany driver 2.3.1 or later.");
}
