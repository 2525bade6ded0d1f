// The fold indexes of recently used directories, least recently used dropped first.
// Invariants: bounded by bytes, except that the newest index is always kept (a directory larger than the budget would
// otherwise be read anew for every look-up). A directory is read by one thread at a time; others that want it wait for
// that one, which waits for no callback. An index counts as long as its version is that of the directory; changes made
// through this mount are entered into it, after anybody else's it is built anew. Calls FoldIndex and the engine.

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.Versioning;
using DokanNet;
using Hammer2.Dokan.Requests;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Dokan.Directories;

/// <summary>Fold indexes by inode number of the directory.</summary>
/// <param name="pfs">Where the directories are.</param>
/// <param name="bytesMax">Memory for all indexes.</param>
/// <param name="caseSensitive">Names that differ in case are different names.</param>
[SupportedOSPlatform("windows")]
internal sealed class FoldIndexCache(PfsMount pfs, long bytesMax, bool caseSensitive) : IDisposable
{
    internal sealed class Slot(ulong inodeNumber)
    {
        private volatile FoldIndex? _index;
        private volatile bool _changing;
        private long _lastUsed;

        internal ulong InodeNumber { get; } = inodeNumber;

        /// <summary>Held while the directory is read, and while the slot is dropped.</summary>
        internal Lock Building { get; } = new();

        /// <summary>Held open as long as the slot stands in the cache; guarded by <see cref="Building"/>.</summary>
        internal Vnode? Directory { get; set; }

        /// <summary>No longer in the cache; guarded by <see cref="Building"/>.</summary>
        internal bool IsDropped { get; set; }

        /// <summary>When it was last asked for, in ticks of the stopwatch. Written by anybody, in any order.</summary>
        internal long LastUsed
        {
            get => Volatile.Read(ref _lastUsed);
            set => Volatile.Write(ref _lastUsed, value);
        }

        /// <summary>What the sum of bytes has of it; guarded by the gate of the cache.</summary>
        internal long CountedBytes { get; set; }

        /// <summary>Is this mount changing the directory? Until it is done the index shows what was before.</summary>
        internal bool IsChanging
        {
            get => _changing;
            set => _changing = value;
        }

        internal FoldIndex? Index
        {
            get => _index;
            set => _index = value;
        }

        /// <summary>The index when it can be used as it is.</summary>
        internal FoldIndex? Ready()
        {
            FoldIndex? index = _index;
            return index is null || index.IsCurrent || _changing || index.IsCurrent ? index : null;
        }
    }

    private readonly ConcurrentDictionary<ulong, Slot> _slots = new();

    /// <summary>Guards the sum of bytes. Look-ups do not take it.</summary>
    private readonly Lock _gate = new();
    private long _bytes;

    /// <summary>Bytes held by the indexes.</summary>
    internal long BytesUsed
    {
        get
        {
            lock (_gate)
                return _bytes;
        }
    }

    /// <summary>Number of directories held.</summary>
    internal int Count => _slots.Count;

    /// <summary>The index of a directory if it is at hand, or null.</summary>
    internal FoldIndex? Peek(ulong directoryInode)
    {
        if (!_slots.TryGetValue(directoryInode, out Slot? slot))
            return null;
        slot.LastUsed = Stopwatch.GetTimestamp();
        return slot.Ready();
    }

    /// <summary>The index of a directory, read when it is not at hand. Throws Hammer2Exception when it cannot be read.</summary>
    internal FoldIndex Get(ulong directoryInode, ref DokanFileInfo info, ref RequestTimer timer)
    {
        while (true)
        {
            Slot slot = Touch(directoryInode);
            if (slot.Ready() is { } ready)
                return ready;
            FoldIndex index;
            lock (slot.Building)
            {
                if (slot.IsDropped)
                    continue;
                if (slot.Ready() is { } built)
                    return built;
                try
                {
                    slot.Directory ??= Open(directoryInode);
                    slot.Index = index = FoldIndex.Build(slot.Directory, caseSensitive, ref info, ref timer);
                }
                catch
                {
                    Drop(slot);
                    throw;
                }
            }

            Account(slot);
            return index;
        }
    }

    /// <summary>To be held around a change of a directory's names. One change at a time: the caller holds the lock of the names.</summary>
    internal DirectoryChange Change(ulong directoryInode) => new(this, _slots.GetValueOrDefault(directoryInode));

    /// <summary>Forgets a directory that is gone.</summary>
    internal void Drop(ulong directoryInode)
    {
        if (!_slots.TryGetValue(directoryInode, out Slot? slot))
            return;
        lock (slot.Building)
            Drop(slot);
    }

    /// <summary>Drops everything; no callback runs any more.</summary>
    public void Dispose()
    {
        foreach (ulong inode in _slots.Keys)
            Drop(inode);
    }

    private Vnode Open(ulong directoryInode)
    {
        Hammer2Error error = pfs.TryOpen(directoryInode, out Vnode? directory);
        if (error != Hammer2Error.None || directory is null)
            throw new Hammer2Exception(error, $"directory inode {directoryInode} cannot be opened: {error}");
        return directory;
    }

    /// <summary>The slot of a directory, now the most recently used one.</summary>
    private Slot Touch(ulong directoryInode)
    {
        Slot slot = _slots.GetOrAdd(directoryInode, static inode => new Slot(inode));
        slot.LastUsed = Stopwatch.GetTimestamp();
        return slot;
    }

    /// <summary>Brings the sum of bytes up to date and drops the least recently used indexes beyond the budget.</summary>
    private void Account(Slot mine)
    {
        List<Slot>? surplus = null;
        lock (_gate)
        {
            if (!_slots.TryGetValue(mine.InodeNumber, out Slot? held) || held != mine)
                return;
            long bytes = mine.Index?.Bytes ?? 0;
            _bytes += bytes - mine.CountedBytes;
            mine.CountedBytes = bytes;
            long excess = _bytes - bytesMax;
            if (excess > 0)
            {
                foreach (Slot old in _slots.Values.OrderBy(static slot => slot.LastUsed))
                {
                    if (excess <= 0)
                        break;
                    if (old == mine || old.CountedBytes == 0)
                        continue;
                    (surplus ??= []).Add(old);
                    excess -= old.CountedBytes;
                }
            }
        }

        foreach (Slot old in surplus ?? [])
        {
            // One that is being read at this moment is in use; the next account finds it again.
            if (!old.Building.TryEnter())
                continue;
            try
            {
                Drop(old);
            }
            finally
            {
                old.Building.Exit();
            }
        }
    }

    /// <summary>Takes a slot out; the caller holds its lock.</summary>
    private void Drop(Slot slot)
    {
        lock (_gate)
        {
            if (_slots.TryRemove(KeyValuePair.Create(slot.InodeNumber, slot)))
            {
                _bytes -= slot.CountedBytes;
                slot.CountedBytes = 0;
            }
        }

        slot.IsDropped = true;
        slot.Directory?.Dispose();
        slot.Directory = null;
    }

    /// <summary>One change of a directory's names that is under way. What is not completed did not happen.</summary>
    internal sealed class DirectoryChange : IDisposable
    {
        private readonly FoldIndexCache _cache;
        private readonly Slot? _slot;
        private readonly FoldIndex? _index;
        private readonly long _before;
        private bool _followed = true;

        internal DirectoryChange(FoldIndexCache cache, Slot? slot)
        {
            _cache = cache;
            _slot = slot;
            if (slot is null)
                return;
            _index = slot.Index is { IsCurrent: true } index ? index : null;
            _before = _index?.Version ?? 0;
            slot.IsChanging = true;
        }

        /// <summary>A name is new.</summary>
        internal void Added(ReadOnlySpan<byte> name, ulong inodeNumber, ObjectType type)
        {
            if (_index is not null && _followed)
                _followed = _index.TryAdd(name, inodeNumber, type);
        }

        /// <summary>A name is gone.</summary>
        internal void Removed(ReadOnlySpan<byte> name)
        {
            if (_index is not null && _followed)
                _followed = _index.TryRemove(name);
        }

        /// <summary>The engine made the change, as one change of the directory, and the index shows it; or it does not, and
        /// is built anew when it is wanted.</summary>
        internal void Complete()
        {
            if (_slot is null)
                return;
            Follow();

            // An index that somebody read while the change was made is of no use from now on.
            _slot.IsChanging = false;
        }

        private void Follow()
        {
            if (_slot is null || _index is null)
                return;
            if (_followed && _slot.Index == _index && _index.Directory.NamesVersion == _before + 1)
                _index.Version = _before + 1;
            else if (_slot.Index == _index)
                _slot.Index = null;
            _cache.Account(_slot);
        }

        /// <summary>Lets others look again.</summary>
        public void Dispose()
        {
            if (_slot is not null)
                _slot.IsChanging = false;
        }
    }
}
