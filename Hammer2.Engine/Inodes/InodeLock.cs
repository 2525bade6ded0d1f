// The inode lock. Taking it runs the hardlink fixup pass first; nothing reads an inode through a view except
// between taking and releasing one of these. Shared locks do not exclude each other, readers of different inodes
// never meet. Whoever needs several takes them in the order of inode numbers: InodeLocks does.

using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Inodes;

/// <summary>A held inode lock, with the chain that is current while it is held.</summary>
internal readonly ref struct InodeLock
{
    private readonly InodeSlot _slot;
    private readonly bool _exclusive;

    private InodeLock(Inode inode, bool exclusive)
    {
        _slot = inode.Slot;
        _exclusive = exclusive;
        if (exclusive)
            _slot.Lock.EnterWriteLock();
        else
            _slot.Lock.EnterReadLock();
        Chain = inode.Fixup();
    }

    private InodeLock(InodeSlot slot, bool exclusive)
    {
        _slot = slot;
        _exclusive = exclusive;
        if (exclusive)
            slot.Lock.EnterWriteLock();
        else
            slot.Lock.EnterReadLock();
        Chain = slot.Current;
    }

    /// <summary>The chain of the inode.</summary>
    internal InodeChain Chain { get; }

    internal static InodeLock Shared(Inode inode) => new(inode, exclusive: false);

    /// <summary>Locks without a view: for a look at an inode that someone else holds open. The caller pinned the slot.</summary>
    internal static InodeLock Shared(InodeSlot slot) => new(slot, exclusive: false);

    internal static InodeLock Exclusive(Inode inode) => new(inode, exclusive: true);

    /// <summary>Locks without a view, to change. The caller pinned the slot.</summary>
    internal static InodeLock Exclusive(InodeSlot slot) => new(slot, exclusive: true);

    public void Dispose()
    {
        if (_exclusive)
            _slot.Lock.ExitWriteLock();
        else
            _slot.Lock.ExitReadLock();
    }
}

/// <summary>Exclusive locks on up to four inodes, taken in the order of their numbers, each once.</summary>
internal readonly ref struct InodeLocks
{
    private readonly InodeSlot[] _slots;

    private InodeLocks(InodeSlot[] slots) => _slots = slots;

    /// <summary>Locks the slots; null ones are left out, the caller pinned the others.</summary>
    internal static InodeLocks Exclusive(params ReadOnlySpan<InodeSlot?> wanted)
    {
        var slots = new List<InodeSlot>(wanted.Length);
        foreach (InodeSlot? slot in wanted)
        {
            if (slot is not null && !slots.Contains(slot))
                slots.Add(slot);
        }

        slots.Sort(static (a, b) => a.InodeNumber.CompareTo(b.InodeNumber));
        foreach (InodeSlot slot in slots)
            slot.Lock.EnterWriteLock();
        return new InodeLocks([.. slots]);
    }

    public void Dispose()
    {
        for (int i = _slots.Length - 1; i >= 0; i--)
        {
            Invariant.Check(_slots[i].Lock.IsWriteLockHeld);
            _slots[i].Lock.ExitWriteLock();
        }
    }
}
