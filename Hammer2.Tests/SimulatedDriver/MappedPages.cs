// The pages that Windows keeps of a mapped file, one set for each control block.
// Invariants: a page is whole (4096 bytes); a dirty one stays dirty until it is taken for writing; under its own lock,
// which is never held while the adapter works. Calls nothing.

namespace Hammer2.Tests.SimulatedDriver;

/// <summary>Mapped pages of one file.</summary>
internal sealed class MappedPages
{
    internal const int PageBytes = 4096;
    private readonly Lock _gate = new();
    private readonly SortedDictionary<long, byte[]> _pages = [];
    private readonly SortedSet<long> _dirty = [];

    /// <summary>A copy of a page, if it is here.</summary>
    internal byte[]? Find(long page)
    {
        lock (_gate)
            return _pages.TryGetValue(page, out byte[]? bytes) ? [.. bytes] : null;
    }

    /// <summary>Keeps a page that was read, unless it is here already.</summary>
    internal void Keep(long page, byte[] bytes)
    {
        lock (_gate)
            _pages.TryAdd(page, bytes);
    }

    /// <summary>A program stores into a page that is here.</summary>
    internal void Store(long page, int at, ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            bytes.CopyTo(_pages[page].AsSpan(at));
            _dirty.Add(page);
        }
    }

    /// <summary>Takes a run of dirty pages to be written; null when none is left.</summary>
    internal (long Offset, byte[] Bytes)? TakeDirty()
    {
        lock (_gate)
        {
            if (_dirty.Count == 0)
                return null;
            long first = _dirty.Min;
            var bytes = new List<byte>();
            for (long page = first; _dirty.Remove(page); page++)
                bytes.AddRange(_pages[page]);
            return (first * PageBytes, [.. bytes]);
        }
    }

    /// <summary>Drops the pages of a range, which somebody is about to write.</summary>
    internal void Purge(long offset, long length)
    {
        lock (_gate)
        {
            for (long page = offset / PageBytes; page * PageBytes < offset + length; page++)
            {
                _pages.Remove(page);
                _dirty.Remove(page);
            }
        }
    }

    /// <summary>Drops everything.</summary>
    internal void Clear()
    {
        lock (_gate)
        {
            _pages.Clear();
            _dirty.Clear();
        }
    }
}
