// The tree of blockrefs below one inode, as it is now: what changed since it was last written is in memory, the
// rest is on the medium. Changes touch memory only; Flush gives the changed nodes new addresses from the bottom up.
// The blocks that they replace stay as they are (R16). Calls that change need the owner's exclusive lock, the others
// its shared one; a tree that several owners reach (the inode index) brings a lock of its own.

using System.Runtime.InteropServices;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Topology;

/// <summary>Which rules choose the range of a new indirect block (format page 8.2, 8.3).</summary>
internal enum TreeShape
{
    /// <summary>File blocks: dense keys of one granularity.</summary>
    File,

    /// <summary>Directory entries, the inode index, the super-root: scattered single keys.</summary>
    Directory,
}

/// <summary>A tree of blockrefs that can be changed.</summary>
internal sealed partial class MutableTree
{
    // What a root array spans.
    private const int WholeKeyBits = 64;
    private readonly TreeShape _shape;
    private readonly ManyReadersLock? _lock;
    private LoadedReferenceGuard? _guard;

    /// <summary>Wraps a root array.</summary>
    /// <param name="shape">Rules of splitting.</param>
    /// <param name="root">Normalised live entries of the blockset, at most 4.</param>
    /// <param name="ownerMethods">Methods of the reference to the inode: what new entries inherit.</param>
    /// <param name="ownLock">The tree's own lock, where the inode lock does not guard it.</param>
    internal MutableTree(TreeShape shape, ReadOnlySpan<BlockRef> root, byte ownerMethods, ManyReadersLock? ownLock = null)
    {
        _shape = shape;
        _lock = ownLock;
        Root = new TreeNode(FormatLimits.BlockSetCount, root);
        OwnerMethods = ownerMethods;
    }

    /// <summary>
    /// Brings the transaction ids of the root array into range, and those of every node that is loaded to be changed: what
    /// comes from the medium is never later than the reference to its array, and so never passes for a block of this commit.
    /// </summary>
    /// <param name="guard">Complains and corrects.</param>
    /// <param name="mirrorTid">Of the reference to the owner.</param>
    internal void GuardLoaded(LoadedReferenceGuard guard, ulong mirrorTid)
    {
        _guard = guard;
        GuardNode(Root, mirrorTid);
    }

    /// <summary>The blockset.</summary>
    internal TreeNode Root { get; }

    /// <summary>Methods of the reference to the owner.</summary>
    internal byte OwnerMethods { get; }

    /// <summary>True when the root array or anything below it changed since the last <see cref="Flush"/>.</summary>
    internal bool IsDirty { get; private set; }

    /// <summary>Changed nodes in memory, without the root.</summary>
    internal int NodesInMemory { get; private set; }

    /// <summary>As <see cref="BlockTree.Gather(BlockReader, ReadOnlySpan{BlockRef}, ulong, ulong, Span{BlockRef}, TreeDamage?, out ulong?)"/>.</summary>
    internal int Gather(BlockReader reader, ulong begin, ulong end, Span<BlockRef> into, TreeDamage? damage, out ulong? next)
    {
        _lock?.EnterReadLock();
        try
        {
            return BlockTree.Gather(reader, Root, begin, end, into, damage, out next);
        }
        finally
        {
            _lock?.ExitReadLock();
        }
    }

    /// <summary>The leaf entry whose range contains <paramref name="key"/>.</summary>
    internal bool TryFind(BlockReader reader, ulong key, out BlockRef found)
    {
        found = default;
        return Gather(reader, key, key, MemoryMarshal.CreateSpan(ref found, 1), null, out _) == 1;
    }

    /// <summary>
    /// The entry of exactly this range, after it was made sure that one can be put there: all that <see cref="Put"/> and <see cref="Delete"/> will
    /// read is readable and in order. Who accepts a change that is entered later asks first: what is found out then fails the whole volume.
    /// </summary>
    /// <returns>Type EMPTY when the place is free.</returns>
    /// <exception cref="Hammer2Exception">A block on the way is damaged, or other ranges lie in the place.</exception>
    internal BlockRef CheckPlace(BlockReader reader, ulong key, int keyBits)
    {
        _lock?.EnterReadLock();
        BlockLease lease = default;
        bool leased = false;
        try
        {
            ulong lastKey = key + ((1UL << keyBits) - 1);
            TreeNode? changed = Root;
            for (int depth = 0; ; depth++)
            {
                ReadOnlySpan<BlockRef> refs = changed is not null ? changed.Refs : MemoryMarshal.Cast<byte, BlockRef>(lease.Data);
                int index = NodeArray.FirstReaching(refs, key);
                if (index == refs.Length || refs[index].Key > lastKey)
                    return default;
                BlockRef bref = refs[index];
                bool covers = bref.Key <= key && bref.LastKey >= lastKey;
                if (!covers || !bref.IsNode && (bref.Key != key || bref.KeyBits != keyBits))
                    throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {bref} overlaps the place of key 0x{key:x}/{keyBits}; run fsck.");
                if (!bref.IsNode)
                    return bref;
                changed = changed?.ChildAt(index);
                if (changed is not null)
                    continue;
                if (leased)
                    lease.Dispose();
                leased = false;
                lease = Load(reader, bref, depth);
                leased = true;
            }
        }
        finally
        {
            if (leased)
                lease.Dispose();
            _lock?.ExitReadLock();
        }
    }

    /// <summary>The leaf entries whose ranges contain the keys, which ascend; type EMPTY where there is none.</summary>
    internal void FindEach(BlockReader reader, ReadOnlySpan<ulong> keys, Span<BlockRef> found)
    {
        _lock?.EnterReadLock();
        try
        {
            BlockTree.FindEach(reader, Root, keys, found);
        }
        finally
        {
            _lock?.ExitReadLock();
        }
    }

    /// <summary>The name that the entry at <paramref name="key"/> has in memory because its block is not written yet.</summary>
    internal byte[]? PendingName(ulong key)
    {
        _lock?.EnterReadLock();
        try
        {
            TreeNode? node = Root;
            while (node is not null)
            {
                int index = node.FirstReaching(key);
                if (index == node.Count || node[index].Key > key)
                    return null;
                if (!node[index].IsNode)
                    return node.NameAt(index);
                node = node.ChildAt(index);
            }

            return null;
        }
        finally
        {
            _lock?.ExitReadLock();
        }
    }

    /// <summary>Adds an entry; nothing of its range may exist yet.</summary>
    /// <param name="reader">Where clean nodes come from.</param>
    /// <param name="entry">DIRENT entries get their methods from where they end up.</param>
    /// <param name="name">Name block that the entry needs, or null.</param>
    /// <param name="ledger">Charged for every node that gets dirty; null when that was claimed before.</param>
    internal void Insert(BlockReader reader, BlockRef entry, byte[]? name, SpaceLedger? ledger)
    {
        _lock?.EnterWriteLock();
        try
        {
            InsertUnlocked(reader, ref entry, name, ledger);
        }
        finally
        {
            _lock?.ExitWriteLock();
        }
    }

    /// <summary>
    /// Makes room for an entry of this key and puts none there: nothing has to be read when the commit enters it, or replaces or
    /// removes the one that exists.
    /// </summary>
    internal void MakeRoom(BlockReader reader, ulong key, SpaceLedger? ledger)
    {
        _lock?.EnterWriteLock();
        try
        {
            BlockRef old = default;
            bool exists = BlockTree.Gather(reader, Root, key, key, new Span<BlockRef>(ref old), null, out _) != 0;
            var entry = new BlockRef { Type = BlockRefType.Inode, Key = key };
            if (!exists)
                InsertUnlocked(reader, ref entry, null, ledger);
            (TreeNode node, int index) = DirtyPath(reader, key, ledger);
            if (!exists)
                node.RemoveRange(index, 1);
        }
        finally
        {
            _lock?.ExitWriteLock();
        }
    }

    /// <summary>Adds an entry or puts it in the place of the one with the same key and range.</summary>
    /// <returns>The entry that was there; type EMPTY when there was none.</returns>
    internal BlockRef Put(BlockReader reader, BlockRef entry, SpaceLedger? ledger)
    {
        _lock?.EnterWriteLock();
        try
        {
            BlockRef old = default;
            if (BlockTree.Gather(reader, Root, entry.Key, entry.LastKey, new Span<BlockRef>(ref old), null, out _) == 0)
            {
                InsertUnlocked(reader, ref entry, null, ledger);
                return default;
            }

            if (old.Key != entry.Key || old.KeyBits != entry.KeyBits)
                throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {old} overlaps the place of {entry}; run fsck.");
            (TreeNode node, int index) = DirtyPath(reader, entry.Key, ledger);
            node[index] = entry;
            return old;
        }
        finally
        {
            _lock?.ExitWriteLock();
        }
    }

    /// <summary>Replaces the entry of the same key, which must exist, and the name that waits beside it.</summary>
    internal void Change(BlockReader reader, in BlockRef entry, byte[]? name, SpaceLedger? ledger)
    {
        _lock?.EnterWriteLock();
        try
        {
            (TreeNode node, int index) = DirtyPath(reader, entry.Key, ledger);
            node[index] = entry;
            node.SetPending(index, name);
        }
        finally
        {
            _lock?.ExitWriteLock();
        }
    }

    /// <summary>
    /// Lets the next flush write the indirect block of this range anew, with everything above it; its entries stay. Of blocks of one
    /// range inside each other all are written.
    /// </summary>
    /// <returns>False when the tree has no indirect block of exactly this range.</returns>
    internal bool TryTouch(BlockReader reader, ulong key, int keyBits, SpaceLedger? ledger)
    {
        _lock?.EnterWriteLock();
        try
        {
            TreeNode node = Root;
            bool found = false;
            for (int depth = 0; ; depth++)
            {
                int index = node.FirstReaching(key);
                if (index == node.Count || !node[index].IsNode || node[index].Key > key)
                    return found;
                bool exact = node[index].Key == key && node[index].KeyBits == keyBits;
                if (found && !exact)
                    return true;
                found |= exact;
                node = Dirty(reader, node, index, depth, ledger);
            }
        }
        finally
        {
            _lock?.ExitWriteLock();
        }
    }

    /// <summary>Removes the entry with exactly this key.</summary>
    /// <returns>The entry; type EMPTY when there was none.</returns>
    internal BlockRef Delete(BlockReader reader, ulong key, SpaceLedger? ledger)
    {
        _lock?.EnterWriteLock();
        try
        {
            BlockRef old = default;
            if (BlockTree.Gather(reader, Root, key, key, new Span<BlockRef>(ref old), null, out _) == 0 || old.Key != key)
                return default;
            (TreeNode node, int index) = DirtyPath(reader, key, ledger);
            node.RemoveRange(index, 1);
            return old;
        }
        finally
        {
            _lock?.ExitWriteLock();
        }
    }

    /// <summary>Removes every entry that lies wholly in a range, or none when what must be read for it cannot be; subtrees on the medium are dropped unread.</summary>
    /// <param name="reader">Where clean nodes come from.</param>
    /// <param name="begin">First key.</param>
    /// <param name="end">Last key, inclusive.</param>
    /// <param name="removed">Sees every entry that was removed from memory: leaves, and references to unread subtrees.</param>
    /// <param name="ledger">Charged for nodes at the borders.</param>
    internal void DeleteRange(BlockReader reader, ulong begin, ulong end, Action<BlockRef>? removed, SpaceLedger? ledger)
    {
        _lock?.EnterWriteLock();
        try
        {
            LoadBorder(reader, begin, begin, end, ledger);
            LoadBorder(reader, end, begin, end, ledger);
            var work = new Stack<(TreeNode Node, ulong Begin, ulong End, int Depth)>();
            work.Push((Root, begin, end, 0));
            while (work.TryPop(out var step))
            {
                for (int i = step.Node.FirstReaching(step.Begin); i < step.Node.Count && step.Node[i].Key <= step.End;)
                {
                    BlockRef bref = step.Node[i];
                    bool inside = bref.Key >= step.Begin && bref.LastKey <= step.End;
                    if (!inside && !bref.IsNode)
                    {
                        i++;
                        continue;
                    }

                    if (!inside || step.Node.ChildAt(i) is not null)
                    {
                        // A child that may not have an entry of the range must not get dirty for nothing, but finding
                        // that out costs what reading it costs; a border child is at most one on each side.
                        work.Push((Dirty(reader, step.Node, i, step.Depth, ledger), step.Begin, step.End, step.Depth + 1));
                        i++;
                        continue;
                    }

                    IsDirty = true;
                    step.Node.RemoveRange(i, 1);
                    removed?.Invoke(bref);
                }
            }
        }
        finally
        {
            _lock?.ExitWriteLock();
        }
    }

    // The nodes that hold a border of a range and reach beyond it: from there on, removing the range reads nothing.
    private void LoadBorder(BlockReader reader, ulong border, ulong begin, ulong end, SpaceLedger? ledger)
    {
        TreeNode node = Root;
        for (int depth = 0; ; depth++)
        {
            int index = node.FirstReaching(border);
            if (index == node.Count || node[index].Key > border || !node[index].IsNode || node[index].Key >= begin && node[index].LastKey <= end)
                return;
            node = Dirty(reader, node, index, depth, ledger);
        }
    }

    private void InsertUnlocked(BlockReader reader, ref BlockRef entry, byte[]? name, SpaceLedger? ledger)
    {
        TreeNode node = Root;
        byte methods = OwnerMethods;
        int bits = WholeKeyBits;
        int depth = 0;
        while (true)
        {
            int index = node.FirstReaching(entry.Key);
            if (index < node.Count && node[index].Key <= entry.Key)
            {
                if (!node[index].IsNode)
                    throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {node[index]} overlaps the place of {entry}; run fsck.");
                (methods, bits) = (node[index].Methods, node[index].KeyBits);
                node = Dirty(reader, node, index, depth++, ledger);
                continue;
            }

            if (node.IsFull)
            {
                Split(node, bits, entry.Key, methods, ledger);
                continue;
            }

            // What lies in a directory inherits from where it is put, but metadata is never without a check (4.3).
            if (entry.Type == BlockRefType.Dirent)
                entry.Methods = (byte)((methods & 0x0F) | (byte)MetadataCheck(methods) << 4);
            IsDirty = true;
            node.InsertAt(index, entry, name);
            if (name is not null)
                ledger?.Charge(FormatLimits.AllocationRadixMin);
            return;
        }
    }

    private static CheckMethod MetadataCheck(byte methods)
    {
        var check = (CheckMethod)(methods >> 4);
        return check == CheckMethod.None ? CheckMethod.XxHash64 : check;
    }

    // The node that holds the entry at exactly this key, with everything above it dirty too.
    private (TreeNode Node, int Index) DirtyPath(BlockReader reader, ulong key, SpaceLedger? ledger)
    {
        TreeNode node = Root;
        for (int depth = 0; ; depth++)
        {
            int index = node.FirstReaching(key);
            Invariant.Check(index < node.Count && node[index].Key <= key);
            if (!node[index].IsNode)
            {
                IsDirty = true;
                return (node, index);
            }

            node = Dirty(reader, node, index, depth, ledger);
        }
    }

    private void GuardNode(TreeNode node, ulong mirrorTid)
    {
        for (int i = 0; i < node.Count && _guard is not null; i++)
            _guard(ref node[i], mirrorTid);
    }

    // The child of an entry in memory: copied from the medium on its first change, with every key in its place.
    private TreeNode Dirty(BlockReader reader, TreeNode parent, int index, int depth, SpaceLedger? ledger)
    {
        IsDirty = true;
        if (parent.ChildAt(index) is TreeNode child)
            return child;
        BlockRef bref = parent[index];
        using BlockLease lease = Load(reader, bref, depth);
        child = new TreeNode(bref.Physical.Bytes / FormatLimits.BlockRefBytes, MemoryMarshal.Cast<byte, BlockRef>(lease.Data));
        GuardNode(child, bref.MirrorTid);
        parent.SetPending(index, child);
        NodesInMemory++;
        ledger?.Charge(child.Radix);
        return child;
    }

    // The array of a node on the medium that may be changed: with every key in its place.
    private static BlockLease Load(BlockReader reader, in BlockRef bref, int depth)
    {
        if (bref.Type != BlockRefType.Indirect || depth >= BlockTree.DepthMax)
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {bref} cannot be an indirect block here; run fsck.");
        BlockLease lease = reader.GetMetadata(bref);
        ReadOnlySpan<BlockRef> refs = MemoryMarshal.Cast<byte, BlockRef>(lease.Data);
        if (refs.IsEmpty || refs[0].Key >= bref.Key && refs[^1].LastKey <= bref.LastKey)
            return lease;
        lease.Dispose();
        throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {bref} holds entries outside its range; run fsck.");
    }
}
