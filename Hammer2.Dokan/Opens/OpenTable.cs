// All opens of a mount, so that Unmounted can release what got neither Cleanup nor CloseFile: handles that were open, and
// opens that the driver gave up while CreateFile still ran (dokan-semantics A.3, D.8).
// Invariant: an open is in the table from its success in CreateFile until exactly one of CloseFile and Unmounted takes it
// out, and whoever takes it out disposes it. Calls OpenFile.

using System.Collections.Concurrent;

namespace Hammer2.Dokan.Opens;

/// <summary>The table of opens.</summary>
internal sealed class OpenTable
{
    private readonly ConcurrentDictionary<OpenFile, byte> _opens = new(ReferenceEqualityComparer.Instance);

    /// <summary>Number of opens.</summary>
    internal int Count => _opens.Count;

    /// <summary>The opens of this moment.</summary>
    internal IEnumerable<OpenFile> All => _opens.Keys;

    /// <summary>Enters an open.</summary>
    internal void Add(OpenFile open) => _opens.TryAdd(open, 0);

    /// <summary>Takes an open out and releases it.</summary>
    /// <returns>False when it was released before.</returns>
    internal bool Release(OpenFile open)
    {
        if (!_opens.TryRemove(open, out _))
            return false;
        open.Dispose();
        return true;
    }
}
