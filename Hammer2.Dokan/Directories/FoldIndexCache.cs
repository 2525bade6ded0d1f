// The fold indexes of recently used directories, least recently used dropped first.
// Invariants: bounded by bytes, except that the newest index is always kept (a directory larger than the budget would
// otherwise be read anew for every look-up). A directory is read by one thread at a time; others that want it wait for
// that one, which waits for no callback. Calls FoldIndex and the engine.

using System.Runtime.Versioning;
using DokanNet;
using Hammer2.Dokan.Requests;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Dokan.Directories;

/// <summary>Fold indexes by inode number of the directory.</summary>
[SupportedOSPlatform("windows")]
internal sealed class FoldIndexCache(PfsMount pfs, long bytesMax)
{
    private sealed class Slot(ulong inodeNumber)
    {
        private volatile FoldIndex? _index;

        internal ulong InodeNumber { get; } = inodeNumber;

        internal Lock Building { get; } = new();

        /// <summary>Counted in the sum of bytes; guarded by the gate of the cache.</summary>
        internal bool IsCounted { get; set; }

        internal FoldIndex? Index
        {
            get => _index;
            set => _index = value;
        }
    }

    private readonly Lock _gate = new();
    private readonly Dictionary<ulong, LinkedListNode<Slot>> _slots = [];
    private readonly LinkedList<Slot> _recent = [];
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
    internal int Count
    {
        get
        {
            lock (_gate)
                return _slots.Count;
        }
    }

    /// <summary>The index of a directory, read when it is not at hand. Throws Hammer2Exception when it cannot be read.</summary>
    internal FoldIndex Get(ulong directoryInode, ref DokanFileInfo info, ref RequestTimer timer)
    {
        Slot slot = Touch(directoryInode);
        if (slot.Index is { } ready)
            return ready;
        FoldIndex index;
        lock (slot.Building)
        {
            if (slot.Index is { } built)
                return built;
            try
            {
                index = Read(directoryInode, ref info, ref timer);
            }
            catch
            {
                Forget(slot);
                throw;
            }

            slot.Index = index;
        }

        Account(slot, index);
        return index;
    }

    private FoldIndex Read(ulong directoryInode, ref DokanFileInfo info, ref RequestTimer timer)
    {
        Hammer2Error error = pfs.TryOpen(directoryInode, out Vnode? directory);
        if (error != Hammer2Error.None || directory is null)
            throw new Hammer2Exception(error, $"directory inode {directoryInode} cannot be opened: {error}");
        using (directory)
            return FoldIndex.Build(directory, ref info, ref timer);
    }

    /// <summary>The slot of a directory, now the most recently used one.</summary>
    private Slot Touch(ulong directoryInode)
    {
        lock (_gate)
        {
            if (_slots.TryGetValue(directoryInode, out LinkedListNode<Slot>? node))
            {
                _recent.Remove(node);
                _recent.AddFirst(node);
                return node.Value;
            }

            node = _recent.AddFirst(new Slot(directoryInode));
            _slots.Add(directoryInode, node);
            return node.Value;
        }
    }

    /// <summary>Adds a finished index to the sum and drops the least recently used ones beyond the budget.</summary>
    private void Account(Slot slot, FoldIndex index)
    {
        lock (_gate)
        {
            // The slot may have been dropped while it was filled; then its reader alone holds the index.
            if (!_slots.TryGetValue(slot.InodeNumber, out LinkedListNode<Slot>? mine) || mine.Value != slot)
                return;
            slot.IsCounted = true;
            _bytes += index.Bytes;
            LinkedListNode<Slot>? last = _recent.Last;
            while (_bytes > bytesMax && last is not null)
            {
                LinkedListNode<Slot>? before = last.Previous;
                if (last != mine && last.Value is { IsCounted: true, Index: { } old })
                {
                    _bytes -= old.Bytes;
                    _slots.Remove(last.Value.InodeNumber);
                    _recent.Remove(last);
                }

                last = before;
            }
        }
    }

    private void Forget(Slot slot)
    {
        lock (_gate)
        {
            if (_slots.TryGetValue(slot.InodeNumber, out LinkedListNode<Slot>? node) && node.Value == slot)
            {
                _slots.Remove(slot.InodeNumber);
                _recent.Remove(node);
            }
        }
    }
}
