// Searching the radix tree of blockrefs under one root array (format page 8.5). Flat: an explicit stack of leased
// arrays, no recursion. Bounded on hostile trees: at most DepthMax levels, no block twice on one path, and a
// child counts only where its parent's range allows it, so that shared or overlapping arrays cannot multiply the work.
// Stateless between calls: a caller continues by key, not by position, and so survives any change of the tree.

using System.Runtime.InteropServices;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Topology;

/// <summary>Searches of one tree level by key range.</summary>
internal static class BlockTree
{
    /// <summary>Levels of indirect blocks that any sane tree stays far below.</summary>
    internal const int DepthMax = 64;

    [ThreadStatic]
    private static Walk? t_walk;

    /// <summary>The one leaf reference whose range contains <paramref name="key"/>.</summary>
    internal static bool TryFind(BlockReader reader, ReadOnlySpan<BlockRef> root, ulong key, out BlockRef found)
    {
        found = default;
        return Gather(reader, root, key, key, MemoryMarshal.CreateSpan(ref found, 1), null, out _) == 1;
    }

    /// <summary>Collects leaf references whose ranges touch <c>begin..end</c> in key order.</summary>
    /// <param name="reader">Where arrays come from.</param>
    /// <param name="root">Normalised root array.</param>
    /// <param name="begin">First key wanted.</param>
    /// <param name="end">Last key wanted, inclusive.</param>
    /// <param name="into">Filled from the start.</param>
    /// <param name="damage">Takes unreadable subtrees, which are then passed over; null: the first one throws.</param>
    /// <param name="next">Key to continue at, or null when the range is exhausted.</param>
    /// <returns>Number of references stored.</returns>
    internal static int Gather(
        BlockReader reader, ReadOnlySpan<BlockRef> root, ulong begin, ulong end, Span<BlockRef> into, TreeDamage? damage, out ulong? next) =>
        Gather(reader, root, null, begin, end, into, damage, out next);

    /// <summary>As the other overload, over a tree of which changed nodes are in memory.</summary>
    internal static int Gather(
        BlockReader reader, TreeNode root, ulong begin, ulong end, Span<BlockRef> into, TreeDamage? damage, out ulong? next) =>
        Gather(reader, root.Refs, root, begin, end, into, damage, out next);

    /// <summary>Finds the leaf references of many keys at once: what lies on the way is visited once for neighbours.</summary>
    /// <param name="reader">Where arrays come from.</param>
    /// <param name="root">The root of a tree of which changed nodes are in memory.</param>
    /// <param name="keys">In ascending order.</param>
    /// <param name="found">For each key the reference whose range contains it; of type EMPTY where there is none.</param>
    internal static void FindEach(BlockReader reader, TreeNode root, ReadOnlySpan<ulong> keys, Span<BlockRef> found)
    {
        Walk walk = t_walk ?? new Walk();
        t_walk = null;
        try
        {
            for (int i = 0; i < keys.Length; i++)
                found[i] = walk.Find(reader, root, keys[i]);
        }
        finally
        {
            walk.ReleaseAll();
            t_walk = walk;
        }
    }

    private static int Gather(
        BlockReader reader, ReadOnlySpan<BlockRef> root, TreeNode? changed, ulong begin, ulong end, Span<BlockRef> into, TreeDamage? damage, out ulong? next)
    {
        Walk walk = t_walk ?? new Walk();
        t_walk = null;
        try
        {
            return walk.Run(reader, root, changed, begin, end, into, damage, out next);
        }
        finally
        {
            walk.ReleaseAll();
            t_walk = walk;
        }
    }

    private struct Frame
    {
        internal BlockLease Lease;
        internal TreeNode? Changed;
        internal ulong DataOff;
        internal ulong Low;
        internal ulong High;
        internal int Index;
    }

    private sealed class Walk
    {
        private readonly Frame[] _frames = new Frame[DepthMax];
        private int _depth;

        internal int Run(
            BlockReader reader, ReadOnlySpan<BlockRef> root, TreeNode? changed, ulong begin, ulong end, Span<BlockRef> into, TreeDamage? damage, out ulong? next)
        {
            int count = 0;
            next = null;
            int rootIndex = NodeArray.FirstReaching(root, begin);
            while (true)
            {
                bool atRoot = _depth == 0;
                ReadOnlySpan<BlockRef> refs = atRoot ? root : Top(_frames[_depth - 1]);
                int index = atRoot ? rootIndex++ : _frames[_depth - 1].Index++;
                ulong low = atRoot ? 0 : _frames[_depth - 1].Low;
                ulong high = atRoot ? ulong.MaxValue : _frames[_depth - 1].High;
                if (index >= refs.Length || refs[index].Key > Math.Min(end, high))
                {
                    if (atRoot)
                        return count;
                    Pop();
                    continue;
                }

                ref readonly BlockRef bref = ref refs[index];
                if (bref.IsNode)
                {
                    TreeNode? child = (atRoot ? changed : _frames[_depth - 1].Changed)?.ChildAt(index);
                    Push(reader, bref, child, Math.Max(low, bref.Key), Math.Min(high, bref.LastKey), begin, damage);
                }
                else if (bref.Key >= low)
                {
                    into[count++] = bref;
                    if (count == into.Length)
                    {
                        ulong after = bref.LastKey + 1;
                        next = after != 0 && after <= end ? after : null;
                        return count;
                    }
                }
            }
        }

        // From where the last key was found, which is not above this one: up as far as needed, and down again.
        internal BlockRef Find(BlockReader reader, TreeNode root, ulong key)
        {
            while (_depth > 0 && _frames[_depth - 1].High < key)
                Pop();
            while (true)
            {
                bool atRoot = _depth == 0;
                ReadOnlySpan<BlockRef> refs = atRoot ? root.Refs : Top(_frames[_depth - 1]);
                int index = atRoot ? NodeArray.FirstReaching(refs, key) : Advance(ref _frames[_depth - 1], refs, key);
                ulong low = atRoot ? 0 : _frames[_depth - 1].Low;
                ulong high = atRoot ? ulong.MaxValue : _frames[_depth - 1].High;
                if (index >= refs.Length || refs[index].Key > key || key < low)
                    return default;
                ref readonly BlockRef bref = ref refs[index];
                if (!bref.IsNode)
                    return bref.Key >= low ? bref : default;
                TreeNode? child = (atRoot ? root : _frames[_depth - 1].Changed)?.ChildAt(index);
                Push(reader, bref, child, Math.Max(low, bref.Key), Math.Min(high, bref.LastKey), key, null);
            }
        }

        // Neighbours are looked at before the rest of the array is searched.
        private static int Advance(ref Frame frame, ReadOnlySpan<BlockRef> refs, ulong key)
        {
            int index = frame.Index;
            if (index < refs.Length && refs[index].LastKey < key)
            {
                index++;
                if (index < refs.Length && refs[index].LastKey < key)
                    index += NodeArray.FirstReaching(refs[index..], key);
            }

            frame.Index = index;
            return index;
        }

        internal void ReleaseAll()
        {
            while (_depth > 0)
                Pop();
        }

        private static ReadOnlySpan<BlockRef> Top(in Frame frame) =>
            frame.Changed is TreeNode node ? node.Refs : MemoryMarshal.Cast<byte, BlockRef>(frame.Lease.Data);

        private void Push(BlockReader reader, in BlockRef bref, TreeNode? changed, ulong low, ulong high, ulong begin, TreeDamage? damage)
        {
            if (low > high || high < begin)
                return;
            BlockLease lease = default;
            try
            {
                CheckPath(bref, changed is not null);
                if (changed is null)
                    lease = reader.GetMetadata(bref);
            }
            catch (Hammer2Exception e) when (damage is not null)
            {
                damage.Add(e);
                return;
            }

            ref Frame frame = ref _frames[_depth++];
            frame.Lease = lease;
            frame.Changed = changed;
            frame.DataOff = changed is null ? bref.DataOff : 0;
            frame.Low = low;
            frame.High = high;
            frame.Index = NodeArray.FirstReaching(Top(frame), Math.Max(begin, low));
        }

        private void CheckPath(in BlockRef bref, bool changed)
        {
            if (bref.Type != BlockRefType.Indirect)
                throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {bref} belongs to the freemap and stands in the topology.");
            if (_depth == DepthMax)
                throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {bref}: more than {DepthMax} levels of indirect blocks.");
            for (int i = 0; i < _depth && !changed; i++)
            {
                if (_frames[i].DataOff == bref.DataOff)
                    throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {bref} points back to a block above itself.");
            }
        }

        private void Pop()
        {
            ref Frame frame = ref _frames[--_depth];
            if (frame.Changed is null)
                frame.Lease.Dispose();
            frame.Lease = default;
            frame.Changed = null;
        }
    }
}
