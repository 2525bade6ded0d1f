// What this is: the seam between a session and the kernel: one end of a FUSE connection.
// Invariants: a channel is used by one worker at a time; the reply to a request goes through the channel it came from.
// Layers: an interface; implemented over /dev/fuse by DeviceChannel and in memory by tests.

namespace Hammer2.Fuse.Sessions;

/// <summary>Receives requests and sends replies. Errors are negative errno values, never exceptions.</summary>
internal interface IFuseChannel : IDisposable
{
    /// <summary>Waits for one request. Returns its length, or a negative errno (-ENODEV: the filesystem was unmounted).</summary>
    int Receive(Span<byte> buffer);

    /// <summary>Sends one whole reply. Returns 0 or a negative errno (-ENOENT: nobody waits for it any more).</summary>
    int Send(ReadOnlySpan<byte> reply);

    /// <summary>
    /// Another end of the same connection for another worker, or null if there can be none: then workers share this
    /// one.
    /// </summary>
    IFuseChannel? TryClone();
}
