// One open as driver and library know it: its control block, the adapter's context, and the library's listing.
// Invariants: the context is copied into each event and written back after it; CloseFile waits until no callback of the
// handle runs. Guarded by the lock of the driver, except the context, which only events touch. Calls nothing.

using DokanNet;

namespace Hammer2.Tests.SimulatedDriver;

/// <summary>An open handle.</summary>
internal sealed class SimulatedHandle(ControlBlock block)
{
    internal ControlBlock Block { get; } = block;

    /// <summary>The adapter's context as the library stores it.</summary>
    internal ulong Context { get; set; }

    /// <summary>What CreateFile left in IsDirectory.</summary>
    internal bool IsDirectory { get; set; }

    internal bool DeleteOnClose { get; set; }

    /// <summary>Was something written that watchers hear of at Cleanup?</summary>
    internal bool WroteData { get; set; }

    /// <summary>Callbacks of this handle that run now.</summary>
    internal int Running { get; set; }

    /// <summary>Mapped sections that keep the file alive after its handle is closed.</summary>
    internal int Sections { get; set; }

    internal bool CleanedUp { get; set; }

    internal bool CloseWanted { get; set; }

    internal bool Closed { get; set; }

    /// <summary>The pattern of the first query; it sticks.</summary>
    internal string? Pattern { get; set; }

    /// <summary>The library's snapshot of the listing.</summary>
    internal List<FindFileInformation>? Listing { get; set; }

    internal int ListingPosition { get; set; }
}
