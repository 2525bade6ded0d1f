// The inode index of a PFS: from inode number to inode block, through the PFS root's tree (format page 6.1).
// Also the table of inodes in memory: those that are open, so that all vnodes of one inode number share one slot,
// and those that a commit must write. What is not in the table is on the medium as it is.
// Who comes into the table from the medium and who leaves it passes a door, one of several by inode number, after the gate where
// both are taken. What is there is found and pinned without: a pin counts as long as the slot has not left, and a slot leaves
// only when it has no pins and is not dirty. Only who has it pinned makes it dirty.

using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Topology;
using Hammer2.Engine.Transactions;

namespace Hammer2.Engine.Inodes;

/// <summary>Finds, opens and creates the inodes of one PFS.</summary>
internal sealed partial class InodeIndex
{
    private const int LegacyInodesMax = 1 << 20;
    private readonly BlockReader _reader;
    private readonly TransactionIds _tids;
    private readonly object _gate = new();
    private const int Doors = 16;
    private readonly ConcurrentDictionary<ulong, InodeSlot> _table = new(concurrencyLevel: Doors, capacity: 256);
    private readonly Lock[] _doors = [.. Enumerable.Range(0, Doors).Select(static _ => new Lock())];
    private readonly ConcurrentDictionary<ulong, BlockRef> _legacy = new();

    // Raised when the index changes, under the gate. Who loaded an inode meanwhile loads it again.
    private int _version;

    // Mirror TID of the last freeze, which the volume's counter reaches only when all PFSs are frozen.
    private ulong _frozenTid;

    /// <summary>Creates the index below a PFS root.</summary>
    /// <param name="reader">Where blocks come from.</param>
    /// <param name="tids">Guards loaded references.</param>
    /// <param name="root">The PFS root; its tree has a lock of its own.</param>
    internal InodeIndex(BlockReader reader, TransactionIds tids, InodeChain root)
    {
        _reader = reader;
        _tids = tids;
        Guard(root);
        Root = new InodeSlot(this, FormatLimits.RootInodeNumber, root) { InIndex = true };
        _table[Root.InodeNumber] = Root;
        NextInode = Math.Max(root.Content.Data.PfsNextInode + 1, FormatLimits.FirstInodeNumber);
    }

    /// <summary>The root directory; always in the table.</summary>
    internal InodeSlot Root { get; }

    /// <summary>Number of inodes that vnodes hold.</summary>
    internal int OpenCount => _table.Count(s => s.Value.Views > 0);

    // The root's content object stays the same for the life of the mount, whatever chain carries it.
    private MutableTree Tree => Root.Current.Content.Tree;

    /// <summary>The reference of an inode as the index has it, its transaction ids in range.</summary>
    /// <returns>False when the PFS has no inode of that number.</returns>
    internal bool TryFind(ulong inodeNumber, out BlockRef bref)
    {
        if (inodeNumber == FormatLimits.RootInodeNumber)
        {
            bref = Root.Current.Ref;
            return true;
        }

        if (inodeNumber >= FormatLimits.DirectoryKeyBase || !Tree.TryFind(_reader, inodeNumber, out bref) || bref.Key != inodeNumber)
            return _legacy.TryGetValue(inodeNumber, out bref);

        if (bref.Type != BlockRefType.Inode)
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {bref} stands where inode {inodeNumber} belongs.");
        _tids.Accept(ref bref, MirrorTidMax);
        return true;
    }

    /// <summary>The references of many inodes at once.</summary>
    /// <param name="inodeNumbers">In ascending order.</param>
    /// <param name="found">Of type EMPTY where <see cref="TryFind"/> must be asked, which also says what is wrong.</param>
    internal void FindEach(ReadOnlySpan<ulong> inodeNumbers, Span<BlockRef> found)
    {
        // From there on the keys are the names of the root directory.
        int count = inodeNumbers.Length;
        while (count > 0 && inodeNumbers[count - 1] >= FormatLimits.DirectoryKeyBase)
            found[--count] = default;
        found = found[..count];
        try
        {
            Tree.FindEach(_reader, inodeNumbers[..count], found);
        }
        catch (Hammer2Exception)
        {
            // One damaged array must not take away what lies below the others; who asks for each alone gets the error.
            found.Clear();
            return;
        }

        ulong mirrorTidMax = MirrorTidMax;
        for (int i = 0; i < count; i++)
        {
            if (found[i].Type != BlockRefType.Inode || found[i].Key != inodeNumbers[i])
                found[i] = default;
            else
                _tids.Accept(ref found[i], mirrorTidMax);
        }

        _reader.HintMetadata(found, System.Runtime.CompilerServices.Unsafe.SizeOf<InodeData>());
    }

    /// <summary>Remembers an inode that lies in its directory instead of the index, as very old volumes have it.</summary>
    internal void RememberLegacy(ulong inodeNumber, BlockRef bref)
    {
        if (_legacy.ContainsKey(inodeNumber) || _legacy.Count >= LegacyInodesMax)
            return;
        _tids.Accept(ref bref, MirrorTidMax);
        _legacy.TryAdd(inodeNumber, bref);
    }

    /// <summary>Attributes by inode number, without opening. The caller holds no inode lock.</summary>
    internal Hammer2Error TryGetAttributes(ulong inodeNumber, out InodeAttributes attributes)
    {
        attributes = default;
        if (TryGetFromMemory(inodeNumber, out attributes))
            return Hammer2Error.None;
        if (!TryFind(inodeNumber, out BlockRef bref))
            return Hammer2Error.NotFound;
        attributes = ReadAttributes(bref, inodeNumber);
        return Hammer2Error.None;
    }

    /// <summary>Attributes of an inode that is in memory. The caller holds no inode lock.</summary>
    internal bool TryGetFromMemory(ulong inodeNumber, out InodeAttributes attributes)
    {
        attributes = default;
        if (!TryPin(inodeNumber, out InodeSlot? slot))
            return false;
        try
        {
            using InodeLock held = InodeLock.Shared(slot!);
            attributes = InodeAttributes.From(slot!);
            return true;
        }
        finally
        {
            Unpin(slot!);
        }
    }

    /// <summary>Attributes of the inode behind a reference that <see cref="TryFind"/> gave.</summary>
    internal InodeAttributes ReadAttributes(in BlockRef bref, ulong inodeNumber)
    {
        using BlockLease lease = _reader.GetMetadata(bref);
        return AttributesOf(bref, MemoryMarshal.AsRef<InodeData>(lease.Data), inodeNumber);
    }

    /// <summary>As <see cref="ReadAttributes"/>, if the block is in memory.</summary>
    internal bool TryReadCached(in BlockRef bref, ulong inodeNumber, out InodeAttributes attributes)
    {
        attributes = default;
        InodeData data = default;
        if (!_reader.TryCopyMetadata(bref, MemoryMarshal.AsBytes(new Span<InodeData>(ref data))))
            return false;
        attributes = AttributesOf(bref, data, inodeNumber);
        return true;
    }

    private static InodeAttributes AttributesOf(in BlockRef bref, in InodeData data, ulong inodeNumber)
    {
        InodeContent.Validate(bref, data);
        CheckNumber(bref, data.InodeNumber, inodeNumber);
        return InodeAttributes.From(bref, data);
    }

    /// <summary>A new view of an inode; give it back with <see cref="Close"/>.</summary>
    /// <returns>NotFound also when the inode lost its last name and only its handles keep it.</returns>
    internal Hammer2Error TryOpen(ulong inodeNumber, out Inode? inode)
    {
        inode = null;
        while (true)
        {
            int version = Volatile.Read(ref _version);
            if (_table.TryGetValue(inodeNumber, out InodeSlot? known))
            {
                if (known.IsRemoved)
                    return Hammer2Error.NotFound;
                if (known.TryPin())
                {
                    inode = new Inode(known);
                    return Hammer2Error.None;
                }
            }

            if (!TryLoad(inodeNumber, out InodeChain? chain, out bool legacy))
                return Hammer2Error.NotFound;
            lock (DoorOf(inodeNumber))
            {
                // Another thread may have loaded the same inode meanwhile: then its slot is the one for all. A commit
                // may have written it meanwhile: then what was loaded is old.
                if (version != Volatile.Read(ref _version) || _table.ContainsKey(inodeNumber))
                    continue;
                inode = Enter(new InodeSlot(this, inodeNumber, chain!) { InIndex = !legacy, IsLegacy = legacy });
                return Hammer2Error.None;
            }
        }
    }

    /// <summary>Calls for every inode in memory, one after the other, under its shared lock.</summary>
    internal void VisitMemory(Action<InodeSlot> visit)
    {
        foreach (InodeSlot slot in _table.Select(static pair => pair.Value).OrderBy(static slot => slot.InodeNumber))
        {
            if (!slot.TryPin())
                continue;
            try
            {
                using InodeLock held = InodeLock.Shared(slot);
                visit(slot);
            }
            finally
            {
                Unpin(slot);
            }
        }
    }

    /// <summary>Another view of an inode that lost its last name, as long as somebody still has one.</summary>
    internal bool TryOpenRemoved(ulong inodeNumber, out Inode? inode)
    {
        bool lives = _table.TryGetValue(inodeNumber, out InodeSlot? slot) && slot is { IsRemoved: true, Views: > 0 } && slot.TryPin();
        inode = lives ? new Inode(slot!) : null;
        return lives;
    }

    /// <summary>True for an inode that lost its last name and lives on through its handles.</summary>
    internal bool IsRemoved(ulong inodeNumber) => _table.TryGetValue(inodeNumber, out InodeSlot? slot) && slot.IsRemoved;

    /// <summary>Keeps the slot of an inode in memory from going away; give it back with <see cref="Unpin"/>.</summary>
    /// <returns>False when the inode is on the medium as it is.</returns>
    internal bool TryPin(ulong inodeNumber, out InodeSlot? slot) => _table.TryGetValue(inodeNumber, out slot) && slot.TryPin();

    /// <summary>As <see cref="TryPin"/>, of a slot that is certainly in the table.</summary>
    internal static void Pin(InodeSlot slot) => Invariant.Check(slot.TryPin());

    /// <summary>Gives a view back; the last one lets the slot go.</summary>
    internal void Close(Inode inode) => Unpin(inode.Slot);

    /// <summary>Gives a pinned slot back.</summary>
    internal void Unpin(InodeSlot slot)
    {
        if (!slot.Unpin() || ReferenceEquals(slot, Root))
            return;
        if (TryLeave(slot))
            Reclaim(slot);
    }

    private Lock DoorOf(ulong inodeNumber) => _doors[inodeNumber % Doors];

    /// <summary>Takes a slot out that nobody needs. Somebody may have pinned it again, and even let go of it again.</summary>
    private bool TryLeave(InodeSlot slot)
    {
        lock (DoorOf(slot.InodeNumber))
        {
            if (slot.IsDirty || !slot.TryLeave())
                return false;
            _table.TryRemove(slot.InodeNumber, out _);
            return true;
        }
    }

    /// <summary>Puts a slot that nobody else can know yet into the table, with a view of it.</summary>
    private Inode Enter(InodeSlot slot)
    {
        Pin(slot);
        _table[slot.InodeNumber] = slot;
        return new Inode(slot);
    }

    private static void CheckNumber(in BlockRef bref, ulong stored, ulong wanted)
    {
        if (stored != wanted)
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {bref} is indexed as inode {wanted} but holds inode {stored}.");
    }

    private bool TryLoad(ulong inodeNumber, out InodeChain? chain, out bool legacy)
    {
        chain = null;
        legacy = false;
        if (!TryFind(inodeNumber, out BlockRef bref))
            return false;
        legacy = bref.Key != inodeNumber;
        using BlockLease lease = _reader.GetMetadata(bref);
        InodeContent content = InodeContent.Decode(bref, lease.Data);
        CheckNumber(bref, content.Data.InodeNumber, inodeNumber);
        chain = new InodeChain(bref, content);
        Guard(chain);
        return true;
    }

    // Inodes are written by commits only: none can be later than the newest one that froze this index.
    private ulong MirrorTidMax => Math.Max(_tids.MirrorTid, Volatile.Read(ref _frozenTid));

    // Where nothing is written the ids of what is only read do not matter.
    private void Guard(InodeChain chain)
    {
        if (_tids.IsWriting)
            chain.Content.Tree.GuardLoaded(_tids.Accept, chain.Ref.MirrorTid);
    }
}
