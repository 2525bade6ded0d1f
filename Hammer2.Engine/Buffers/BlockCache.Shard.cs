// The parts of the block cache: pages, entries, and the shards that own them. A shard's lock guards everything in it; only
// finding, pinning and unpinning a block that is there go without. For that, a page counts its users atomically and is closed
// while it is emptied, an entry has a version that is odd while it becomes one of another block, and what a reader finds in
// the table counts only when version, page and marks are the same after he pinned the page.

using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Buffers;

internal sealed partial class BlockCache
{
    // Measured: an entry, its place in lists, in the table and in the index by address. At most; the table is a part of it.
    private const int EntryBytes = 288;

    /// <summary>What lies on the way to a block: its place in the table, its entry, its bytes.</summary>
    internal enum HintStep
    {
        Bucket,
        Entry,
        Block,
    }

    internal sealed class Page : IDisposable
    {
        internal readonly NativeBlock Memory = new(PageBytes);
        internal readonly List<Entry> Entries = [];
        internal int SlotBytes;
        internal int Used;
        internal bool Referenced;

        // Not counted atomically: it is about right.
        internal long Hits;
        private const int Closed = int.MinValue / 2;
        private int _pins;

        /// <summary>Keeps the page as it is; false when it is being emptied.</summary>
        internal bool TryPin()
        {
            if (Interlocked.Increment(ref _pins) > 0)
                return true;
            Interlocked.Decrement(ref _pins);
            return false;
        }

        internal void Unpin() => Invariant.Check(Interlocked.Decrement(ref _pins) >= 0);

        internal bool IsPinned => Volatile.Read(ref _pins) > 0;

        /// <summary>Keeps others from pinning it, unless somebody has; under the shard's lock.</summary>
        internal bool TryClose() => Interlocked.CompareExchange(ref _pins, Closed, 0) == 0;

        internal void Open() => Interlocked.Add(ref _pins, -Closed);

        public void Dispose() => Memory.Dispose();
    }

    internal sealed class Entry
    {
        internal BlockKey Key;
        internal volatile Page? Page;
        internal int Offset;
        internal int Length;
        internal volatile bool Loading;

        /// <summary>It can be found.</summary>
        internal volatile bool Listed;

        /// <summary>Odd while the entry is made one of another block.</summary>
        internal int Version;

        /// <summary>The next one of the same bucket.</summary>
        internal volatile Entry? Chain;

        // Neighbours in the list of the blocks of one 64 KiB region; the first one is in the shard's index.
        internal Entry? Previous;
        internal Entry? Next;

        internal Span<byte> Memory => Page!.Memory.Slice(Offset, Page.SlotBytes);
    }

    internal sealed class Shard(long bytesMax) : IDisposable
    {
        private const int BucketsMin = 64;
        private const int ChainMax = 64;
        private const int LineBytes = 64;
        private readonly object _gate = new();
        private readonly Dictionary<ulong, Entry> _regions = [];
        private readonly List<Page> _pages = [];
        private readonly Stack<Entry> _freeEntries = new();
        private readonly Page?[] _open = new Page?[FormatLimits.AllocationRadixMax + 1];
        private volatile Entry?[] _buckets = new Entry?[BucketsMin];
        private int _listed;
        private int _hand;
        private int _entriesMade;
        private long _hits;
        internal long Misses;

        internal long Hits
        {
            get
            {
                lock (_gate)
                    return _hits + _pages.Sum(page => page.Hits);
            }
        }

        internal int PagesHeld => _pages.Count;

        private long BytesHeld => (long)_pages.Count * PageBytes + (long)_entriesMade * EntryBytes;

        /// <summary>
        /// Finds and pins a block without the lock. Meanwhile its entry may become one of another block, and chains may be
        /// changed: the version tells the first, the second only hides what is there. Whoever is told that there is nothing
        /// asks again with the lock.
        /// </summary>
        internal Entry? TryLease(in BlockKey key)
        {
            Entry?[] buckets = _buckets;
            Entry? entry = Volatile.Read(ref buckets[key.Hash & (uint)(buckets.Length - 1)]);
            for (int steps = 0; entry is not null && steps < ChainMax; steps++, entry = entry.Chain)
            {
                int version = Volatile.Read(ref entry.Version);
                if (!entry.Key.Equals(key))
                    continue;
                Page? page = entry.Page;
                if (page is null || !page.TryPin())
                    return null;

                // Pinning is a fence. From here on the page keeps its blocks, all but those whose load may still fail.
                if (Volatile.Read(ref entry.Version) == version && (version & 1) == 0 && entry.Listed && !entry.Loading)
                {
                    page.Hits++;
                    if (!page.Referenced)
                        page.Referenced = true;
                    return entry;
                }

                page.Unpin();
                return null;
            }

            return null;
        }

        /// <summary>One step on the way to the first block of a bucket: each touches what the step before it asked for.</summary>
        internal unsafe void Hint(uint hash, HintStep step, int bytes)
        {
            Entry?[] buckets = _buckets;
            ref Entry? first = ref buckets[hash & (uint)(buckets.Length - 1)];
            if (step == HintStep.Bucket)
            {
                Sse.Prefetch0(Unsafe.AsPointer(ref first));
                return;
            }

            if (Volatile.Read(ref first) is not Entry entry)
                return;
            if (step == HintStep.Entry)
            {
                // Only addresses are taken, and it does no harm if the collector moves the entry meanwhile.
                Sse.Prefetch0(Unsafe.AsPointer(ref entry.Key));
                Sse.Prefetch0(Unsafe.AsPointer(ref entry.Version));
                return;
            }

            // The memory may go away meanwhile: asking for what is not there has no effect.
            if (entry.Page is not Page page)
                return;
            for (int at = 0; at < bytes; at += LineBytes)
                Sse.Prefetch0(page.Memory.Pointer + entry.Offset + at);
        }

        internal Entry Acquire(in BlockKey key, int slotBytes, out bool mustLoad)
        {
            mustLoad = false;
            if (TryLease(key) is Entry ready)
                return ready;
            lock (_gate)
            {
                while (Find(key) is Entry entry)
                {
                    if (!entry.Loading)
                    {
                        _hits++;
                        Pin(entry);
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
                if (Find(key) is not null)
                    return null;
                Misses++;
                return Reserve(key, slotBytes);
            }
        }

        internal bool Contains(in BlockKey key)
        {
            lock (_gate)
                return Find(key) is not null;
        }

        internal void FinishLoad(Entry entry, int length)
        {
            lock (_gate)
            {
                if (length < 0)
                {
                    Unlist(entry);
                    entry.Page!.Unpin();
                    TakeBack(entry);
                }

                // What is in the slot is complete before anybody may find it so.
                entry.Length = length;
                entry.Loading = false;

                Monitor.PulseAll(_gate);
            }
        }

        internal Entry Replace(in BlockKey key, int slotBytes)
        {
            lock (_gate)
            {
                if (Find(key) is Entry old)
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
                    if (!page.TryClose())
                        continue;
                    Empty(page);
                    page.Open();
                }
            }
        }

        public void Dispose()
        {
            lock (_gate)
            {
                _buckets = new Entry?[BucketsMin];
                _regions.Clear();
                foreach (Page page in _pages)
                    page.Dispose();
                _pages.Clear();
            }
        }

        // Under the lock, where no page that has blocks is closed.
        private static void Pin(Entry entry)
        {
            Invariant.Check(entry.Page!.TryPin());
            entry.Page.Referenced = true;
        }

        private Entry? Find(in BlockKey key)
        {
            Entry? entry = _buckets[BucketOf(key, _buckets)];
            while (entry is not null && !entry.Key.Equals(key))
                entry = entry.Chain;
            return entry;
        }

        private static uint BucketOf(in BlockKey key, Entry?[] buckets) => key.Hash & (uint)(buckets.Length - 1);

        private void List(Entry entry)
        {
            if (++_listed > _buckets.Length)
                Grow();
            ref Entry? first = ref _buckets[BucketOf(entry.Key, _buckets)];
            entry.Chain = first;
            entry.Listed = true;
            Volatile.Write(ref first, entry);
        }

        private void Grow()
        {
            Entry?[] old = _buckets;
            var buckets = new Entry?[old.Length * 2];
            foreach (Entry? chain in old)
            {
                for (Entry? entry = chain, next; entry is not null; entry = next)
                {
                    next = entry.Chain;
                    ref Entry? first = ref buckets[BucketOf(entry.Key, buckets)];
                    entry.Chain = first;
                    first = entry;
                }
            }

            _buckets = buckets;
        }

        // Who stands on the entry without the lock goes on along its chain.
        private void Unchain(Entry entry)
        {
            _listed--;
            entry.Listed = false;
            ref Entry? first = ref _buckets[BucketOf(entry.Key, _buckets)];
            if (ReferenceEquals(first, entry))
            {
                Volatile.Write(ref first, entry.Chain);
                return;
            }

            Entry before = first!;
            while (!ReferenceEquals(before.Chain, entry))
                before = before.Chain!;
            before.Chain = entry.Chain;
        }

        private Entry Reserve(in BlockKey key, int slotBytes)
        {
            int radix = Math.Max(FormatLimits.AllocationRadixMin, BitOperations.Log2((uint)slotBytes - 1) + 1);
            Page page = PageFor(radix);
            Entry entry = _freeEntries.Count > 0 ? _freeEntries.Pop() : NewEntry();
            Interlocked.Increment(ref entry.Version);
            entry.Key = key;
            entry.Page = page;
            entry.Offset = page.Used;
            entry.Length = 0;
            entry.Loading = true;
            Interlocked.Increment(ref entry.Version);
            page.Used += page.SlotBytes;
            page.Entries.Add(entry);
            List(entry);
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
            if (!entry.Listed)
                return;
            Unchain(entry);
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
            else
            {
                Empty(page);
                page.Open();
            }

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
            return new Entry();
        }

        // Bookkeeping grew into the budget (many small blocks), or a page went over it: one page less each time.
        private void GiveUpOther(Page kept)
        {
            Invariant.Check(kept.TryPin());
            Page? victim = Victim();
            kept.Unpin();
            if (victim is null)
                return;
            Empty(victim);
            _hits += victim.Hits;
            _pages.Remove(victim);
            victim.Dispose();
        }

        // A page that nobody uses, closed.
        private Page? Victim()
        {
            for (int step = 0; step < 2 * _pages.Count; step++)
            {
                _hand = (_hand + 1) % _pages.Count;
                Page page = _pages[_hand];
                if (page.Referenced)
                    page.Referenced = page.IsPinned;
                else if (page.TryClose())
                    return page;
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
