// The in-memory state of one inode number: the chain (reference and content) that is current, the lock that guards
// it, and how many views point here. A commit gives the block a new address and so replaces the chain as a whole and
// raises the generation; views notice in InodeLock. Two names of one file opened on a fresh mount share one slot (R1).

using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Inodes;

/// <summary>A reference to an inode block with its content.</summary>
internal sealed class InodeChain(in BlockRef bref, InodeContent content)
{
    /// <summary>The reference, as the medium has it; its transaction ids are in range (R2).</summary>
    internal readonly BlockRef Ref = bref;

    /// <summary>The content as it is now; newer than the block when the inode is dirty.</summary>
    internal InodeContent Content { get; } = content;
}

/// <summary>What all views of one inode number share.</summary>
internal sealed class InodeSlot : IDisposable
{
    internal InodeSlot(InodeIndex index, ulong inodeNumber, InodeChain chain)
    {
        Index = index;
        InodeNumber = inodeNumber;
        Current = chain;
        Type = chain.Content.Data.Type;
    }

    /// <summary>The table that it stands in.</summary>
    internal InodeIndex Index { get; }

    internal ulong InodeNumber { get; }

    /// <summary>Kind of object; never changes.</summary>
    internal ObjectType Type { get; }

    internal ReaderWriterLockSlim Lock { get; } = new(LockRecursionPolicy.NoRecursion);

    /// <summary>The chain that counts; only read under the lock.</summary>
    internal InodeChain Current { get; private set; }

    /// <summary>Raised with every replacement of <see cref="Current"/>.</summary>
    internal int Generation { get; private set; }

    /// <summary>Views and pins of this slot.</summary>
    internal int Views => Math.Max(0, Volatile.Read(ref _views));

    private const int Gone = int.MinValue / 2;
    private int _views;

    /// <summary>Keeps the slot in the table.</summary>
    /// <returns>False when it has left: the inode is on the medium as it is.</returns>
    internal bool TryPin()
    {
        if (Interlocked.Increment(ref _views) > 0)
            return true;
        Interlocked.Decrement(ref _views);
        return false;
    }

    /// <summary>Gives a pin back.</summary>
    /// <returns>True when it was the last one.</returns>
    internal bool Unpin()
    {
        int left = Interlocked.Decrement(ref _views);
        Invariant.Check(left >= 0);
        return left == 0;
    }

    /// <summary>Keeps everybody from pinning it any more, if nobody does.</summary>
    internal bool TryLeave() => Interlocked.CompareExchange(ref _views, Gone, 0) == 0;

    /// <summary>The next commit must write the inode block (or take it out of the index). Set by who has it
    /// pinned, under the table's gate and at its door; cleared by the commit, under the gate.</summary>
    internal bool IsDirty
    {
        get => Volatile.Read(ref _isDirty);
        set => Volatile.Write(ref _isDirty, value);
    }

    private bool _isDirty;

    /// <summary>The index has an entry for it; false for an object that no commit has seen yet.</summary>
    internal bool InIndex { get; set; }

    /// <summary>Lies in its directory as very old volumes have it: can be read, not changed.</summary>
    internal bool IsLegacy { get; init; }

    /// <summary>The last name is gone (R8): no commit writes it any more, only handles reach it.</summary>
    internal bool IsRemoved { get; set; }

    /// <summary>Blocks with this mirror TID or a higher one were never part of any commit, once the inode is removed.</summary>
    internal ulong RemovedTid { get; set; }

    /// <summary>File data that waits in memory; null for what never had any.</summary>
    internal DirtyBlocks? Dirty { get; set; }

    /// <summary>Of a directory: how many times its names changed since this slot exists. Raised under the exclusive lock.</summary>
    internal long NamesVersion => Interlocked.Read(ref _namesVersion);

    private long _namesVersion;

    /// <summary>Notes that a name of this directory came, went or leads elsewhere; the caller holds the lock exclusively.</summary>
    internal void NamesChanged() => Interlocked.Increment(ref _namesVersion);

    /// <summary>Replaces the chain; the caller holds the lock exclusively.</summary>
    internal void Replace(InodeChain chain)
    {
        Invariant.Check(Lock.IsWriteLockHeld);
        Current = chain;
        Generation++;
    }

    public void Dispose() => Lock.Dispose();
}

/// <summary>One view of an inode: what one vnode holds. Points to a chain that may have been replaced meanwhile.</summary>
internal sealed class Inode(InodeSlot slot)
{
    // -1 differs from every generation, so the first lock of a fresh view runs the fixup.
    private int _generation = -1;
    private InodeChain? _chain;

    internal InodeSlot Slot { get; } = slot;

    /// <summary>The hardlink fixup pass: points the view at the chain that is current. Runs under the slot's lock.</summary>
    internal InodeChain Fixup()
    {
        // Several readers of one view may do this at once; they all store the same values, the generation last:
        // who sees it sees the chain that belongs to it, also on machines that reorder stores.
        if (Volatile.Read(ref _generation) == Slot.Generation)
            return _chain!;
        InodeChain current = Slot.Current;
        _chain = current;
        Volatile.Write(ref _generation, Slot.Generation);
        return current;
    }

    /// <summary>True when the view points to a chain that was replaced: the state that only Fixup may see.</summary>
    internal bool IsStale => _generation != Slot.Generation;
}
