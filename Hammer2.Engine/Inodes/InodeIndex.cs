// The inode index of a PFS: from inode number to inode block, through the PFS root's tree (format page 6.1).
// Also the table of inodes that are open, so that all vnodes of one inode number share one slot.
// Attributes alone are read straight from the cached block and make no object.

using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Topology;
using Hammer2.Engine.Transactions;

namespace Hammer2.Engine.Inodes;

/// <summary>Finds and opens the inodes of one PFS.</summary>
internal sealed class InodeIndex
{
    private const int LegacyInodesMax = 1 << 20;
    private readonly BlockReader _reader;
    private readonly TransactionIds _tids;
    private readonly InodeChain _root;
    private readonly object _gate = new();
    private readonly Dictionary<ulong, InodeSlot> _open = [];
    private readonly ConcurrentDictionary<ulong, BlockRef> _legacy = new();

    /// <summary>Creates the index below a PFS root.</summary>
    internal InodeIndex(BlockReader reader, TransactionIds tids, InodeChain root)
    {
        _reader = reader;
        _tids = tids;
        _root = root;
    }

    /// <summary>Number of inodes that vnodes hold.</summary>
    internal int OpenCount
    {
        get
        {
            lock (_gate)
                return _open.Count;
        }
    }

    /// <summary>The reference of an inode, its transaction ids in range.</summary>
    /// <returns>False when the PFS has no inode of that number.</returns>
    internal bool TryFind(ulong inodeNumber, out BlockRef bref)
    {
        if (inodeNumber == FormatLimits.RootInodeNumber)
        {
            bref = _root.Ref;
            return true;
        }

        if (inodeNumber >= FormatLimits.DirectoryKeyBase
            || !BlockTree.TryFind(_reader, _root.Content.Blockset, inodeNumber, out bref) || bref.Key != inodeNumber)
        {
            return _legacy.TryGetValue(inodeNumber, out bref);
        }

        if (bref.Type != BlockRefType.Inode)
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {bref} stands where inode {inodeNumber} belongs.");
        _tids.Accept(ref bref);
        return true;
    }

    /// <summary>Remembers an inode that lies in its directory instead of the index, as very old volumes have it.</summary>
    internal void RememberLegacy(ulong inodeNumber, BlockRef bref)
    {
        if (_legacy.ContainsKey(inodeNumber) || _legacy.Count >= LegacyInodesMax)
            return;
        _tids.Accept(ref bref);
        _legacy.TryAdd(inodeNumber, bref);
    }

    /// <summary>Attributes by inode number, without opening.</summary>
    internal Hammer2Error TryGetAttributes(ulong inodeNumber, out InodeAttributes attributes)
    {
        attributes = default;
        if (!TryFind(inodeNumber, out BlockRef bref))
            return Hammer2Error.NotFound;
        attributes = ReadAttributes(bref, inodeNumber);
        return Hammer2Error.None;
    }

    /// <summary>Attributes of the inode behind a reference that <see cref="TryFind"/> gave.</summary>
    internal InodeAttributes ReadAttributes(in BlockRef bref, ulong inodeNumber)
    {
        using BlockLease lease = _reader.GetMetadata(bref);
        ref readonly InodeData data = ref MemoryMarshal.AsRef<InodeData>(lease.Data);
        InodeContent.Validate(bref, data);
        CheckNumber(bref, data.InodeNumber, inodeNumber);
        return InodeAttributes.From(bref, data);
    }

    /// <summary>A new view of an inode; give it back with <see cref="Close"/>.</summary>
    internal Hammer2Error TryOpen(ulong inodeNumber, out Inode? inode)
    {
        inode = null;
        lock (_gate)
        {
            if (_open.TryGetValue(inodeNumber, out InodeSlot? slot))
            {
                inode = View(slot);
                return Hammer2Error.None;
            }
        }

        if (!TryLoad(inodeNumber, out InodeChain? chain))
            return Hammer2Error.NotFound;
        lock (_gate)
        {
            // Another thread may have loaded the same inode meanwhile: then its slot is the one for all.
            if (!_open.TryGetValue(inodeNumber, out InodeSlot? slot))
                _open.Add(inodeNumber, slot = new InodeSlot(inodeNumber, chain!));
            inode = View(slot);
            return Hammer2Error.None;
        }
    }

    /// <summary>Keeps the slot of an open inode from going away; give it back with <see cref="Unpin"/>.</summary>
    /// <returns>False when nobody has the inode open.</returns>
    internal bool TryPin(ulong inodeNumber, out InodeSlot? slot)
    {
        lock (_gate)
        {
            if (!_open.TryGetValue(inodeNumber, out slot))
                return false;
            slot.Views++;
            return true;
        }
    }

    /// <summary>Gives a view back; the last one lets the slot go.</summary>
    internal void Close(Inode inode) => Unpin(inode.Slot);

    /// <summary>Gives a pinned slot back.</summary>
    internal void Unpin(InodeSlot slot)
    {
        lock (_gate)
        {
            Invariant.Check(slot.Views > 0);
            if (--slot.Views > 0)
                return;
            _open.Remove(slot.InodeNumber);
            slot.Dispose();
        }
    }

    private static Inode View(InodeSlot slot)
    {
        slot.Views++;
        return new Inode(slot);
    }

    private static void CheckNumber(in BlockRef bref, ulong stored, ulong wanted)
    {
        if (stored != wanted)
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {bref} is indexed as inode {wanted} but holds inode {stored}.");
    }

    private bool TryLoad(ulong inodeNumber, out InodeChain? chain)
    {
        chain = null;
        if (inodeNumber == FormatLimits.RootInodeNumber)
        {
            chain = _root;
            return true;
        }

        if (!TryFind(inodeNumber, out BlockRef bref))
            return false;
        using BlockLease lease = _reader.GetMetadata(bref);
        InodeContent content = InodeContent.Decode(bref, lease.Data);
        CheckNumber(bref, content.Data.InodeNumber, inodeNumber);
        chain = new InodeChain(bref, content);
        return true;
    }
}
