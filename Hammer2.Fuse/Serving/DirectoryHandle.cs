// What this is: an open directory: its vnode and, while it is being listed, the batch of entries that the last request did
// not use up. A directory that is merely open has none: programs hold thousands, and a batch takes 50 KiB.
// Invariants: used under its own lock; Next is the index of the first entry of the batch that was not delivered, and
// Position the cookie a reader that simply goes on will send. Damage seen since the start of the listing is remembered,
// so that the listing ends with an error and not as if it were complete.
// Layers: Engine.

using Hammer2.Engine.Directories;
using Hammer2.Engine.Pfs;

namespace Hammer2.Fuse.Serving;

/// <summary>State between two READDIR requests of one handle.</summary>
internal sealed class DirectoryHandle(Vnode vnode)
{
    /// <summary>Taken for the whole of a request.</summary>
    public Lock Gate { get; } = new();

    /// <summary>The directory.</summary>
    public Vnode Vnode { get; } = vnode;

    /// <summary>
    /// Entries read ahead, of the kind, with or without attributes, that was asked for last. Null before the first request and
    /// after the last entry was delivered.
    /// </summary>
    public DirectoryBatch? Batch { get; set; }

    /// <summary>Index of the next entry of the batch.</summary>
    public int Next { get; set; }

    /// <summary>The cookie that continues at <see cref="Next"/>.</summary>
    public ulong Position { get; set; }

    /// <summary>How many changes the filesystem had seen when the batch was filled.</summary>
    public long Changes { get; set; }

    /// <summary>False until the batch was filled, and after a failure.</summary>
    public bool HasBatch { get; set; }

    /// <summary>Part of the directory could not be read.</summary>
    public bool Damaged { get; set; }
}
