// Asks the driver for more time while a request works on a slow medium (dokan-semantics D.8).
// Invariants: one timer a request, on the stack; asks at most every ten seconds, and only between pieces of work that are
// far shorter than the limit. Calls DokanFileInfo.TryResetTimeout and the clock it was given.

using System.Runtime.Versioning;
using DokanNet;

namespace Hammer2.Dokan.Requests;

/// <summary>The age of one request.</summary>
[SupportedOSPlatform("windows")]
internal struct RequestTimer(TimeProvider clock)
{
    /// <summary>What a request is given when it asks for more, in milliseconds; the driver allows 300 000 at most.</summary>
    internal const int ExtensionMs = 120_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private long _asked = clock.GetTimestamp();

    /// <summary>To be called between pieces of work.</summary>
    internal void Extend(ref DokanFileInfo info)
    {
        long now = clock.GetTimestamp();
        if (clock.GetElapsedTime(_asked, now) < Patience)
            return;
        _asked = now;
        info.TryResetTimeout(ExtensionMs);
    }
}
