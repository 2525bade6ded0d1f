// The changing half of the inode index: new inodes, the set that the next commit must write, and the commit itself.
// New inodes get their entry, and removed ones lose it, when the commit is frozen: nobody else changes the index.
// What a removed inode wrote and no commit has seen is given back when its last handle closes (R8, R17).

using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Topology;

namespace Hammer2.Engine.Inodes;

internal sealed partial class InodeIndex
{
    // The lowest indirect blocks of the index cover at least this many numbers (32 references of single keys).
    private const int GroupRadix = 5;
    private const int NodeRadix = 14;
    private readonly HashSet<InodeSlot> _dirty = [];
    private readonly HashSet<ulong> _chargedGroups = [];
    private bool _isShared;

    /// <summary>The next inode number to be given; guarded by the gate.</summary>
    internal ulong NextInode { get; private set; }

    /// <summary>What inodes give back to when they go; set once by whoever makes the PFS writable.</summary>
    internal IInodeReclaimer? Reclaimer { get; set; }

    /// <summary>True when a commit would write something.</summary>
    internal bool HasChanges
    {
        get
        {
            lock (_gate)
                return _dirty.Count > 0;
        }
    }

    /// <summary>For a repair: numbers below this one are not given to new objects.</summary>
    internal void RaiseNextInode(ulong number)
    {
        lock (_gate)
            NextInode = Math.Max(NextInode, number);
    }

    /// <summary>A slot for an object that is being made, with the next inode number; dirty, and a view of it.</summary>
    /// <param name="data">All but the inode number.</param>
    /// <param name="methods">Methods of the reference to it: what its directory has set.</param>
    /// <param name="ledger">Charged for what the commit will write.</param>
    internal Inode Create(InodeData data, byte methods, SpaceLedger ledger)
    {
        lock (_gate)
        {
            data.InodeNumber = NextInode;
            // The path that the commit will need must be readable: better refused now than found out then.
            if (!_chargedGroups.Contains(data.InodeNumber >> GroupRadix)
                && Tree.CheckPlace(_reader, data.InodeNumber, 0) is { Type: not BlockRefType.Empty } taken)
            {
                throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {taken} stands where new inode {data.InodeNumber} belongs; run fsck.");
            }

            NextInode++;
            var bref = new BlockRef { Type = BlockRefType.Inode, Methods = methods, Key = data.InodeNumber };
            var slot = new InodeSlot(this, data.InodeNumber, new InodeChain(bref, InodeContent.Create(data, methods)));
            MarkDirtyUnderGate(slot, ledger);
            MarkDirtyUnderGate(Root, ledger);
            return Enter(slot);
        }
    }

    /// <summary>
    /// Says that the next commit must write this inode. The caller holds its lock exclusively, inside an operation, and has changed nothing yet: an
    /// inode whose place in the index is damaged fails the operation here, not the volume in the commit.
    /// </summary>
    internal void MarkDirty(InodeSlot slot, SpaceLedger? ledger)
    {
        lock (_gate)
            MarkDirtyUnderGate(slot, ledger);
    }

    /// <summary>Takes the entry of an inode out of the index, which nobody has in memory; its block is not read.</summary>
    /// <returns>NotFound, or InUse: it is in memory by now.</returns>
    internal Hammer2Error TryTakeOut(ulong inodeNumber, SpaceLedger ledger, out BlockRef taken)
    {
        lock (_gate)
        {
            taken = default;
            if (_table.ContainsKey(inodeNumber))
                return Hammer2Error.InUse;
            taken = Tree.Delete(_reader, inodeNumber, ledger);
            if (taken.Type == BlockRefType.Empty)
                return Hammer2Error.NotFound;

            // Who is loading it just now must look again.
            _version++;
            MarkDirtyUnderGate(Root, ledger);
            return Hammer2Error.None;
        }
    }

    /// <summary>Number of inodes that the next commit writes.</summary>
    internal int DirtyCount
    {
        get
        {
            lock (_gate)
                return _dirty.Count;
        }
    }

    /// <summary>What files without names still hold on the medium; no operation is running.</summary>
    internal List<BlockRef[]> CollectRemoved()
    {
        InodeSlot[] removed = [.. _table.Select(static pair => pair.Value).Where(static slot => slot.IsRemoved && slot.TryPin())];
        var held = new List<BlockRef[]>();
        foreach (InodeSlot slot in removed)
        {
            slot.Lock.EnterReadLock();
            held.Add([.. slot.Current.Content.Tree.CollectStored()]);
            slot.Lock.ExitReadLock();
            Unpin(slot);
        }

        return held;
    }

    /// <summary>Says that the next commit shares what is below the root with another PFS. The caller is inside an operation.</summary>
    internal void MarkShared(SpaceLedger ledger)
    {
        lock (_gate)
        {
            _isShared = true;
            MarkDirtyUnderGate(Root, ledger);
        }
    }

    /// <summary>Writes every dirty inode into a commit; no operation is running. The root comes last and is written always.</summary>
    /// <param name="flush">Where blocks go.</param>
    /// <param name="nextModifyTid">A fresh modify TID for each inode.</param>
    /// <returns>The new reference of the PFS root.</returns>
    internal BlockRef Freeze(in TreeFlush flush, Func<ulong> nextModifyTid)
    {
        InodeSlot[] slots;
        lock (_gate)
        {
            slots = [.. _dirty.Where(s => !ReferenceEquals(s, Root))];
            Volatile.Write(ref _version, _version + 1);
        }

        Volatile.Write(ref _frozenTid, flush.MirrorTid);

        Array.Sort(slots, (a, b) => a.InodeNumber.CompareTo(b.InodeNumber));
        foreach (InodeSlot slot in slots)
        {
            slot.Lock.EnterWriteLock();
            try
            {
                if (slot.IsRemoved)
                    FreezeRemoved(slot, flush);
                else
                    FreezeOne(slot, flush, nextModifyTid());
            }
            finally
            {
                slot.Lock.ExitWriteLock();
            }
        }

        Root.Lock.EnterWriteLock();
        try
        {
            ref InodeData root = ref Root.Current.Content.Data;
            root.PfsNextInode = NextInode;

            // Later than the modify TID of everything below the root: systems that overwrite in place leave alone what a
            // snapshot may share (format page 10.7).
            if (_isShared)
                root.PfsLastSnapshotTid = nextModifyTid();
            _isShared = false;
            FreezeOne(Root, flush, nextModifyTid());
        }
        finally
        {
            Root.Lock.ExitWriteLock();
        }

        LetGo(slots);
        return Root.Current.Ref;
    }

    private void FreezeOne(InodeSlot slot, in TreeFlush flush, ulong modifyTid)
    {
        InodeContent content = slot.Current.Content;
        BlockRef old = slot.Current.Ref;
        BlockRef bref = old;
        if (!content.Data.IsDirectData)
            content.Tree.Flush(flush);
        ArraySums sums = ArraySums.Of(content.Data.IsDirectData ? [] : content.Tree.Root.Refs);
        sums.StoreIn(ref bref);
        bref.ModifyTid = Math.Max(bref.ModifyTid, modifyTid);
        bref.MirrorTid = flush.MirrorTid;
        Span<byte> block = stackalloc byte[FormatLimits.InodeBytes];
        content.Encode(block);
        flush.Writer.WriteMetadata(ref bref, block);
        content.Tree.MarkClean();
        content.Allocated = sums.DataBytes;
        slot.Dirty?.ForgetCharges();
        if (!ReferenceEquals(slot, Root))
        {
            Tree.Put(_reader, bref, null);
            slot.InIndex = true;
        }

        slot.Replace(new InodeChain(bref, content));
    }

    private void FreezeRemoved(InodeSlot slot, in TreeFlush flush)
    {
        if (slot.InIndex)
            Tree.Delete(_reader, slot.InodeNumber, null);
        slot.InIndex = false;
        // What was written since the last commit is in no topology, neither the old one nor the one being made.
        slot.RemovedTid = Math.Min(slot.RemovedTid, flush.MirrorTid);
        slot.Dirty?.ForgetCharges();
    }

    private void LetGo(InodeSlot[] slots)
    {
        var gone = new List<InodeSlot>();
        lock (_gate)
        {
            _chargedGroups.Clear();
            _dirty.Clear();
            Root.IsDirty = false;
            foreach (InodeSlot slot in slots)
            {
                slot.IsDirty = false;
                if (TryLeave(slot))
                    gone.Add(slot);
            }
        }

        foreach (InodeSlot slot in gone)
            Reclaim(slot);
    }

    private void MarkDirtyUnderGate(InodeSlot slot, SpaceLedger? ledger)
    {
        if (_dirty.Contains(slot))
            return;
        if (slot.IsLegacy)
            throw new Hammer2Exception(
                Hammer2Error.Unsupported, $"Inode {slot.InodeNumber} lies in its directory, as very old volumes have it: it can be read, not changed.");
        ulong group = slot.InodeNumber >> GroupRadix;
        if (!_chargedGroups.Contains(group) && !ReferenceEquals(slot, Root))
            Tree.CheckPlace(_reader, slot.InodeNumber, 0);

        // Who is about to let it leave has looked whether it is dirty; the pin of the caller then holds it.
        lock (DoorOf(slot.InodeNumber))
            slot.IsDirty = true;
        _dirty.Add(slot);
        ledger?.Charge(FormatLimits.AllocationRadixMin);
        if (_chargedGroups.Add(group))
            ledger?.Charge(NodeRadix, 2);
    }

    // The slot is in no table any more: nobody can reach it.
    private void Reclaim(InodeSlot slot)
    {
        Reclaimer?.Reclaim(slot);
        slot.Dispose();
    }
}

/// <summary>Takes back what an inode held when its slot goes: memory of its data, and unseen blocks if it was removed.</summary>
internal interface IInodeReclaimer
{
    /// <summary>The slot is out of the table and has no views.</summary>
    void Reclaim(InodeSlot slot);
}
