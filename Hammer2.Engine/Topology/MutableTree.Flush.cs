// Writing out the changed nodes of a tree: a flat list of them by depth, deepest first, each once (R5). Before a node
// is written its children are, so its array is final when its check code is made. Nodes that got empty, or whose
// entries fit into the array above, dissolve (format page 8.6). Afterwards only the root array differs from the medium.

using System.Runtime.InteropServices;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Topology;

/// <summary>What writing out a tree needs.</summary>
/// <param name="Writer">Where blocks go.</param>
/// <param name="MirrorTid">Media transaction of the commit to come.</param>
/// <param name="Accept">Brings the transaction ids of references from the medium into range (R2).</param>
internal readonly record struct TreeFlush(BlockWriter Writer, ulong MirrorTid, ReferenceGuard Accept);

/// <summary>Corrects what a reference must not claim.</summary>
internal delegate void ReferenceGuard(ref BlockRef bref);

/// <summary>Corrects what a reference from the medium must not claim, in an array of the given mirror TID.</summary>
internal delegate void LoadedReferenceGuard(ref BlockRef bref, ulong mirrorTidMax);

internal sealed partial class MutableTree
{
    /// <summary>Writes every changed node below the root; the root array is then what the owner's block must hold.</summary>
    internal void Flush(in TreeFlush flush)
    {
        _lock?.EnterWriteLock();
        try
        {
            FlushUnlocked(flush);
        }
        finally
        {
            _lock?.ExitWriteLock();
        }
    }

    /// <summary>Every reference that leads from memory to the medium; what is below a tree that no commit knows.</summary>
    internal List<BlockRef> CollectStored()
    {
        var stored = new List<BlockRef>();
        var work = new Stack<TreeNode>();
        work.Push(Root);
        while (work.TryPop(out TreeNode? node))
        {
            for (int i = 0; i < node.Count; i++)
            {
                if (node.ChildAt(i) is TreeNode child)
                    work.Push(child);
                else if (node[i].Physical.HasData)
                    stored.Add(node[i]);
            }
        }

        return stored;
    }

    /// <summary>Says that the owner's block now holds the root array.</summary>
    internal void MarkClean()
    {
        Invariant.Check(NodesInMemory == 0);
        IsDirty = false;
    }

    /// <summary>Gives back every block that only this tree knows and no commit has seen; for a tree that is dropped.</summary>
    /// <param name="writer">Gets them back.</param>
    /// <param name="sinceTid">Blocks of this mirror TID and above were written after the tree left the topology.</param>
    internal void Abandon(BlockWriter writer, ulong sinceTid)
    {
        var work = new Stack<TreeNode>();
        work.Push(Root);
        while (work.TryPop(out TreeNode? node))
        {
            for (int i = 0; i < node.Count; i++)
            {
                ref BlockRef bref = ref node[i];
                if (bref.Physical.HasData && bref.MirrorTid >= sinceTid && node.PendingAt(i) is null)
                    writer.Discard(bref.Type, bref.Physical);
                if (node.ChildAt(i) is TreeNode child)
                    work.Push(child);
            }

            node.RemoveRange(0, node.Count);
        }

        NodesInMemory = 0;
    }

    private void FlushUnlocked(in TreeFlush flush)
    {
        if (NodesInMemory > 0)
        {
            // Breadth first: parents stand before their children, so the list backwards is deepest first.
            var order = new List<(TreeNode Parent, TreeNode Node, ulong Key)>(NodesInMemory);
            Collect(Root, order);
            for (int i = 0; i < order.Count; i++)
                Collect(order[i].Node, order);
            Invariant.Check(order.Count == NodesInMemory);
            for (int i = order.Count - 1; i >= 0; i--)
                FlushNode(order[i].Parent, order[i].Node, order[i].Key, flush);
        }

        WriteNames(Root, flush);
        Invariant.Check(NodesInMemory == 0);
    }

    private static void Collect(TreeNode node, List<(TreeNode Parent, TreeNode Node, ulong Key)> order)
    {
        for (int i = 0; i < node.Count; i++)
        {
            if (node.ChildAt(i) is TreeNode child)
                order.Add((node, child, node[i].Key));
        }
    }

    private void FlushNode(TreeNode parent, TreeNode node, ulong key, in TreeFlush flush)
    {
        int index = parent.FirstReaching(key);
        Invariant.Check(index < parent.Count && ReferenceEquals(parent.ChildAt(index), node));
        NodesInMemory--;
        WriteNames(node, flush);
        BlockRef old = parent[index];
        bool dissolves = parent.Count + node.Count - 1 <= parent.Capacity && node.Count <= node.Capacity * 3 / 4;
        if (node.Count == 0 || dissolves)
        {
            parent.RemoveRange(index, 1);
            for (int i = 0; i < node.Count; i++)
                parent.InsertAt(index + i, node[i], null);
            DiscardUncommitted(old, flush);
            return;
        }

        for (int i = 0; i < node.Count; i++)
            flush.Accept(ref node[i]);
        BlockRef bref = old;
        ArraySums.Of(node.Refs).StoreIn(ref bref);
        bref.MirrorTid = flush.MirrorTid;
        (bref.Flags, bref.UpdateTid) = (0, 0);
        flush.Writer.WriteMetadata(ref bref, MemoryMarshal.AsBytes(node.Slots));
        parent[index] = bref;
        parent.SetPending(index, null);
        DiscardUncommitted(old, flush);
    }

    private static void WriteNames(TreeNode node, in TreeFlush flush)
    {
        Span<byte> block = stackalloc byte[1 << FormatLimits.AllocationRadixMin];
        for (int i = 0; i < node.Count; i++)
        {
            if (node.NameAt(i) is not byte[] name)
                continue;
            block.Clear();
            name.CopyTo(block);
            ref BlockRef bref = ref node[i];
            bref.MirrorTid = flush.MirrorTid;
            flush.Writer.WriteMetadata(ref bref, block);
            node.SetPending(i, null);
        }
    }

    // A node written early, when memory was short, and again before the commit: nobody has seen the first one.
    private static void DiscardUncommitted(in BlockRef old, in TreeFlush flush)
    {
        if (old.Physical.HasData && old.MirrorTid == flush.MirrorTid)
            flush.Writer.Discard(old.Type, old.Physical);
    }
}
