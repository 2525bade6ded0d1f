// The cache of decoded blocks. Memory is 64 KiB pages of unmanaged memory; a page holds blocks of one size
// class (1 to 64 KiB), so nothing fragments; the budget counts pages and bookkeeping. Eviction takes whole pages by a clock.
// Split into shards by 64 KiB of address; a shard's lock is held for table work only, never during I/O or decoding:
// a block being loaded is in the table as "loading", and others who want it wait for that one load.
// Invariants: a block in use (leased or loading) keeps its page; a failed load leaves nothing behind; a block whose address
// was written to is never found again under any key, also when it was being loaded or in use meanwhile.

using System.Numerics;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Buffers;

/// <summary>Fills a cache slot: reads, verifies and decodes the block of a reference.</summary>
internal interface IBlockLoader
{
    /// <summary>Loads into <paramref name="slot"/> and returns the decoded bytes' count; throws Hammer2Exception.</summary>
    int Load(in BlockRef bref, Span<byte> slot);
}

/// <summary>A decoded block in use; dispose it soon, exactly once.</summary>
internal readonly struct BlockLease : IDisposable
{
    private readonly BlockCache.Entry _entry;

    internal BlockLease(BlockCache.Entry entry) => _entry = entry;

    /// <summary>The decoded bytes; shorter than the logical block when the rest is zeros.</summary>
    internal ReadOnlySpan<byte> Data => _entry.Memory[.._entry.Length];

    public void Dispose() => _entry.Shard.Release(_entry);
}

/// <summary>Counters of a cache since it was made.</summary>
/// <param name="Hits">Look-ups answered from memory.</param>
/// <param name="Misses">Look-ups that loaded the block.</param>
/// <param name="Bytes">Memory held now.</param>
public readonly record struct CacheStatistics(long Hits, long Misses, long Bytes);

internal sealed class BlockCache : IDisposable
{
    private const int PageBytes = FormatLimits.BlockBytesMax;
    private const int PagesPerShardMin = 64;

    // Measured: an entry, its key in the table, its place in lists and in the index by address.
    private const int EntryBytes = 288;
    private const int ShardsMax = 32;
    private const int SlotBytesMin = 1 << FormatLimits.AllocationRadixMin;
    private readonly Shard[] _shards;

    internal BlockCache(long bytesMax)
    {
        int pages = (int)Math.Clamp(bytesMax / PageBytes, PagesPerShardMin / 4, int.MaxValue / 2);
        int shards = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Clamp(pages / PagesPerShardMin, 1, ShardsMax));
        _shards = new Shard[shards];
        for (int i = 0; i < shards; i++)
            _shards[i] = new Shard(Math.Max(1, pages / shards) * (long)PageBytes);
    }

    internal CacheStatistics Statistics => new(
        _shards.Sum(s => Interlocked.Read(ref s.Hits)),
        _shards.Sum(s => Interlocked.Read(ref s.Misses)),
        _shards.Sum(s => (long)s.PagesHeld * PageBytes));

    /// <summary>Leases the block, loading it if it is not there.</summary>
    /// <param name="bref">The reference.</param>
    /// <param name="slotBytes">Bytes to provide for the decoded block; rounded up to a size class.</param>
    /// <param name="loader">Who loads it.</param>
    internal BlockLease Get(in BlockRef bref, int slotBytes, IBlockLoader loader)
    {
        var key = new BlockKey(bref);
        Shard shard = ShardOf(key);
        Entry entry = shard.Acquire(key, slotBytes, out bool mustLoad);
        if (mustLoad)
            LoadInto(shard, entry, bref, loader);
        return new BlockLease(entry);
    }

    /// <summary>True when the block is there or on its way.</summary>
    internal bool Contains(in BlockRef bref)
    {
        var key = new BlockKey(bref);
        return ShardOf(key).Contains(key);
    }

    /// <summary>Copies the beginning of a block that is there: cheaper than a lease when little of it is wanted.</summary>
    /// <returns>False when it is not there yet, or shorter than what is wanted.</returns>
    internal bool TryCopy(in BlockRef bref, Span<byte> into)
    {
        var key = new BlockKey(bref);
        return ShardOf(key).TryCopy(key, into);
    }

    /// <summary>Loads the block unless it is there or on its way; failures stay unreported: whoever needs it will see them.</summary>
    internal void Prefetch(in BlockRef bref, int slotBytes, IBlockLoader loader)
    {
        var key = new BlockKey(bref);
        Shard shard = ShardOf(key);
        Entry? entry = shard.TryReserve(key, slotBytes);
        if (entry is null)
            return;
        try
        {
            LoadInto(shard, entry, bref, loader);
        }
        catch (Hammer2Exception)
        {
            // The slot is already given back; the reader that wants these bytes loads again and reports.
            return;
        }

        shard.Release(entry);
    }

    /// <summary>Takes a block that was just written, so that reading it needs no I/O; one under the same key is forgotten.</summary>
    /// <param name="bref">Its reference, complete: address, methods and check code are its identity.</param>
    /// <param name="decoded">What loading it would give: file data decoded, of an array its live entries.</param>
    internal void Insert(in BlockRef bref, ReadOnlySpan<byte> decoded)
    {
        var key = new BlockKey(bref);
        Shard shard = ShardOf(key);
        Entry entry = shard.Replace(key, Math.Max(decoded.Length, SlotBytesMin));
        decoded.CopyTo(entry.Memory);
        shard.FinishLoad(entry, decoded.Length);
        shard.Release(entry);
    }

    /// <summary>
    /// Forgets every block, of any key, that overlaps these physical bytes (R9). Leases of such blocks keep their memory;
    /// a load in progress serves who asked for it and is not found by anybody later.
    /// </summary>
    internal void Invalidate(long address, int bytes)
    {
        for (long at = address & ~(long)(FormatLimits.BlockBytesMax - 1); at < address + bytes; at += FormatLimits.BlockBytesMax)
            ShardAt((ulong)at).Invalidate((ulong)at, (ulong)address, (ulong)(address + bytes));
    }

    /// <summary>Forgets every block that is not in use.</summary>
    internal void Clear()
    {
        foreach (Shard shard in _shards)
            shard.Clear();
    }

    public void Dispose()
    {
        foreach (Shard shard in _shards)
            shard.Dispose();
    }

    private static void LoadInto(Shard shard, Entry entry, in BlockRef bref, IBlockLoader loader)
    {
        int length = -1;
        try
        {
            length = loader.Load(bref, entry.Memory);
        }
        finally
        {
            shard.FinishLoad(entry, length);
        }
    }

    private Shard ShardOf(in BlockKey key) => ShardAt(key.Region);

    // All blocks of one 64 KiB are in one shard: who overwrites them looks in one place.
    private Shard ShardAt(ulong region) => _shards[(uint)(region * 0x9E3779B97F4A7C15UL >> 48) & (uint)(_shards.Length - 1)];

    internal sealed class Page : IDisposable
    {
        internal readonly NativeBlock Memory = new(PageBytes);
        internal readonly List<Entry> Entries = [];
        internal int SlotBytes;
        internal int Used;
        internal int Pins;
        internal bool Referenced;

        public void Dispose() => Memory.Dispose();
    }

    internal sealed class Entry(Shard shard)
    {
        internal readonly Shard Shard = shard;
        internal BlockKey Key;
        internal Page? Page;
        internal int Offset;
        internal int Length;
        internal int Pins;
        internal bool Loading;

        // Neighbours in the list of the blocks of one 64 KiB region; the first one is in the shard's index.
        internal Entry? Previous;
        internal Entry? Next;

        internal Span<byte> Memory => Page!.Memory.Slice(Offset, Page.SlotBytes);
    }

    internal sealed class Shard(long bytesMax) : IDisposable
    {
        private readonly object _gate = new();
        private readonly Dictionary<BlockKey, Entry> _table = [];
        private readonly Dictionary<ulong, Entry> _regions = [];
        private readonly List<Page> _pages = [];
        private readonly Stack<Entry> _freeEntries = new();
        private readonly Page?[] _open = new Page?[FormatLimits.AllocationRadixMax + 1];
        private int _hand;
        private int _entriesMade;
        internal long Hits;
        internal long Misses;

        internal int PagesHeld => _pages.Count;

        private long BytesHeld => (long)_pages.Count * PageBytes + (long)_entriesMade * EntryBytes;

        internal Entry Acquire(in BlockKey key, int slotBytes, out bool mustLoad)
        {
            lock (_gate)
            {
                while (_table.TryGetValue(key, out Entry? entry))
                {
                    if (!entry.Loading)
                    {
                        Hits++;
                        Pin(entry);
                        mustLoad = false;
                        return entry;
                    }

                    Monitor.Wait(_gate);
                }

                Misses++;
                mustLoad = true;
                return Reserve(key, slotBytes);
            }
        }

        internal Entry? TryReserve(in BlockKey key, int slotBytes)
        {
            lock (_gate)
            {
                if (_table.ContainsKey(key))
                    return null;
                Misses++;
                return Reserve(key, slotBytes);
            }
        }

        internal bool Contains(in BlockKey key)
        {
            lock (_gate)
                return _table.ContainsKey(key);
        }

        internal bool TryCopy(in BlockKey key, Span<byte> into)
        {
            lock (_gate)
            {
                if (!_table.TryGetValue(key, out Entry? entry) || entry.Loading || entry.Length < into.Length)
                    return false;
                Hits++;
                entry.Page!.Referenced = true;
                entry.Memory[..into.Length].CopyTo(into);
                return true;
            }
        }

        internal void FinishLoad(Entry entry, int length)
        {
            lock (_gate)
            {
                entry.Loading = false;
                entry.Length = length;
                if (length < 0)
                {
                    Unlist(entry);
                    Unpin(entry);
                    TakeBack(entry);
                }

                Monitor.PulseAll(_gate);
            }
        }

        internal void Release(Entry entry)
        {
            lock (_gate)
                Unpin(entry);
        }

        internal Entry Replace(in BlockKey key, int slotBytes)
        {
            lock (_gate)
            {
                if (_table.TryGetValue(key, out Entry? old))
                {
                    Unlist(old);
                    Monitor.PulseAll(_gate);
                }

                return Reserve(key, slotBytes);
            }
        }

        internal void Invalidate(ulong region, ulong start, ulong end)
        {
            lock (_gate)
            {
                if (!_regions.TryGetValue(region, out Entry? entry))
                    return;
                bool loading = false;
                while (entry is not null)
                {
                    Entry? next = entry.Next;
                    if (entry.Key.Overlaps(start, end))
                    {
                        loading |= entry.Loading;
                        Unlist(entry);
                    }

                    entry = next;
                }

                // Who waits for a load that will not be found begins its own.
                if (loading)
                    Monitor.PulseAll(_gate);
            }
        }

        internal void Clear()
        {
            lock (_gate)
            {
                foreach (Page page in _pages)
                {
                    if (page.Pins == 0)
                        Empty(page);
                }
            }
        }

        public void Dispose()
        {
            lock (_gate)
            {
                _table.Clear();
                _regions.Clear();
                foreach (Page page in _pages)
                    page.Dispose();
                _pages.Clear();
            }
        }

        private static void Pin(Entry entry)
        {
            entry.Pins++;
            entry.Page!.Pins++;
            entry.Page.Referenced = true;
        }

        private static void Unpin(Entry entry)
        {
            Invariant.Check(entry.Pins > 0);
            entry.Pins--;
            entry.Page!.Pins--;
        }

        private Entry Reserve(in BlockKey key, int slotBytes)
        {
            int radix = Math.Max(FormatLimits.AllocationRadixMin, BitOperations.Log2((uint)slotBytes - 1) + 1);
            Page page = PageFor(radix);
            Entry entry = _freeEntries.Count > 0 ? _freeEntries.Pop() : NewEntry();
            entry.Key = key;
            entry.Page = page;
            entry.Offset = page.Used;
            entry.Length = 0;
            entry.Loading = true;
            page.Used += page.SlotBytes;
            page.Entries.Add(entry);
            _table.Add(key, entry);
            if (_regions.TryGetValue(key.Region, out Entry? first))
            {
                entry.Next = first;
                first.Previous = entry;
            }

            _regions[key.Region] = entry;
            Pin(entry);
            return entry;
        }

        // Takes the entry out of table and index, where it may no longer be; its memory stays until its page is emptied.
        private void Unlist(Entry entry)
        {
            if (!_table.TryGetValue(entry.Key, out Entry? current) || !ReferenceEquals(current, entry))
                return;
            _table.Remove(entry.Key);
            if (entry.Next is not null)
                entry.Next.Previous = entry.Previous;
            if (entry.Previous is not null)
                entry.Previous.Next = entry.Next;
            else if (entry.Next is not null)
                _regions[entry.Key.Region] = entry.Next;
            else
                _regions.Remove(entry.Key.Region);
            entry.Previous = null;
            entry.Next = null;
        }

        // A failed load gives its slot back, or reading one damaged block again and again would push the good ones out.
        // Where a neighbour was begun meanwhile, the slot stays empty until its page is reused.
        private void TakeBack(Entry entry)
        {
            Page page = entry.Page!;
            if (!ReferenceEquals(page.Entries[^1], entry))
                return;
            page.Entries.RemoveAt(page.Entries.Count - 1);
            page.Used -= page.SlotBytes;
            entry.Page = null;
            _freeEntries.Push(entry);
        }

        private Page PageFor(int radix)
        {
            int slotBytes = 1 << radix;
            Page? page = _open[radix];
            if (page is not null && page.SlotBytes == slotBytes && page.Used + slotBytes <= PageBytes)
                return page;

            // A fresh page while below the budget; else the first unpinned one that the clock finds; if all are
            // pinned (more readers than pages) one page over the budget is better than a reader that cannot go on.
            page = BytesHeld + PageBytes <= bytesMax ? null : Victim();
            if (page is null)
            {
                page = new Page();
                _pages.Add(page);
            }

            Empty(page);
            page.SlotBytes = slotBytes;
            page.Referenced = true;
            _open[radix] = page;
            if (BytesHeld > bytesMax)
                GiveUpOther(page);
            return page;
        }

        private Entry NewEntry()
        {
            _entriesMade++;
            return new Entry(this);
        }

        // Bookkeeping grew into the budget (many small blocks), or a page went over it: one page less each time.
        private void GiveUpOther(Page kept)
        {
            kept.Pins++;
            Page? victim = Victim();
            kept.Pins--;
            if (victim is null)
                return;
            Empty(victim);
            _pages.Remove(victim);
            victim.Dispose();
        }

        private Page? Victim()
        {
            for (int step = 0; step < 2 * _pages.Count; step++)
            {
                _hand = (_hand + 1) % _pages.Count;
                Page page = _pages[_hand];
                if (page.Pins > 0)
                    continue;
                if (!page.Referenced)
                    return page;
                page.Referenced = false;
            }

            return null;
        }

        private void Empty(Page page)
        {
            foreach (Entry entry in page.Entries)
            {
                Unlist(entry);
                entry.Page = null;
                _freeEntries.Push(entry);
            }

            page.Entries.Clear();
            page.Used = 0;
            for (int radix = 0; radix < _open.Length; radix++)
            {
                if (ReferenceEquals(_open[radix], page))
                    _open[radix] = null;
            }
        }
    }
}
