// The inode lock. Taking it runs the hardlink fixup pass first; nothing reads an inode through a view except
// between taking and releasing one of these. Shared locks do not exclude each other, readers of different
// inodes never meet.

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

    private InodeLock(InodeSlot slot)
    {
        _slot = slot;
        slot.Lock.EnterReadLock();
        Chain = slot.Current;
    }

    /// <summary>The chain of the inode.</summary>
    internal InodeChain Chain { get; }

    internal static InodeLock Shared(Inode inode) => new(inode, exclusive: false);

    /// <summary>Locks without a view: for a look at an inode that someone else holds open. The caller pinned the slot.</summary>
    internal static InodeLock Shared(InodeSlot slot) => new(slot);

    internal static InodeLock Exclusive(Inode inode) => new(inode, exclusive: true);

    public void Dispose()
    {
        if (_exclusive)
            _slot.Lock.ExitWriteLock();
        else
            _slot.Lock.ExitReadLock();
    }
}
