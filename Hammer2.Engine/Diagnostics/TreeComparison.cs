// Two trees of blockrefs side by side, in key order: what has the same address and check code in both is passed over unread, with
// everything below it, so the cost follows the difference. The trees may be cut into indirect blocks differently. No recursion;
// bounded on hostile trees as every search is: a child counts only inside its parent's range, and depth is limited.

using System.Runtime.InteropServices;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Topology;

namespace Hammer2.Engine.Diagnostics;

/// <summary>Compares trees of one volume.</summary>
internal static class TreeComparison
{
    /// <summary>Leaf references that are in one tree only, or differ; type EMPTY stands for none.</summary>
    internal static IEnumerable<(BlockRef Old, BlockRef New)> Run(BlockReader reader, BlockRef[] oldRoot, BlockRef[] newRoot)
    {
        var olds = new Cursor(reader, oldRoot);
        var news = new Cursor(reader, newRoot);
        while (true)
        {
            bool hasOld = olds.TryPeek(out BlockRef o), hasNew = news.TryPeek(out BlockRef n);
            if (!hasOld && !hasNew)
                yield break;
            if (hasOld && hasNew && IsSame(o, n))
            {
                olds.Skip();
                news.Skip();
                continue;
            }

            bool oldFirst = hasOld && (!hasNew || o.LastKey < n.Key);
            bool newFirst = hasNew && (!hasOld || n.LastKey < o.Key);
            bool bothLeaves = hasOld && hasNew && !o.IsNode && !n.IsNode;
            if (oldFirst ? o.IsNode : !newFirst && o.IsNode && (!n.IsNode || o.KeyBits >= n.KeyBits))
            {
                olds.Expand();
            }
            else if (newFirst ? n.IsNode : !oldFirst && n.IsNode)
            {
                news.Expand();
            }
            else if (bothLeaves && o.Key == n.Key)
            {
                olds.Skip();
                news.Skip();
                yield return (o, n);
            }
            else if (oldFirst || bothLeaves && o.Key < n.Key)
            {
                olds.Skip();
                yield return (o, default);
            }
            else
            {
                news.Skip();
                yield return (default, n);
            }
        }
    }

    /// <summary>True when both lead to the same bytes; transaction ids and statistics do not count.</summary>
    internal static bool IsSame(in BlockRef a, in BlockRef b)
    {
        bool same = a.Type == b.Type && a.Methods == b.Methods && a.KeyBits == b.KeyBits && a.Key == b.Key && a.DataOff == b.DataOff
            && BlockRef.CheckBytes(a).SequenceEqual(BlockRef.CheckBytes(b));
        return same && (a.Type != BlockRefType.Dirent
            || a.DirentInode == b.DirentInode && a.DirentNameLength == b.DirentNameLength && a.DirentType == b.DirentType);
    }

    private sealed class Cursor(BlockReader reader, BlockRef[] root)
    {
        private readonly Stack<(BlockRef[] Refs, int Next, ulong Low, ulong High)> _path = new([(root, 0, 0UL, ulong.MaxValue)]);

        // Leaves the frame on top in such a state that its next entry is the current one.
        internal bool TryPeek(out BlockRef current)
        {
            while (_path.TryPop(out var frame))
            {
                for (; frame.Next < frame.Refs.Length && frame.Refs[frame.Next].Key <= frame.High; frame.Next++)
                {
                    current = frame.Refs[frame.Next];
                    if (current.Key < frame.Low || current.LastKey > frame.High)
                        continue;
                    _path.Push(frame);
                    return true;
                }
            }

            current = default;
            return false;
        }

        internal void Skip()
        {
            var frame = _path.Pop();
            frame.Next++;
            _path.Push(frame);
        }

        internal void Expand()
        {
            var frame = _path.Pop();
            BlockRef bref = frame.Refs[frame.Next++];
            _path.Push(frame);
            if (bref.Type != BlockRefType.Indirect || _path.Count > BlockTree.DepthMax)
                throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {bref} cannot be an indirect block here; run fsck.");
            using BlockLease lease = reader.GetMetadata(bref);
            BlockRef[] refs = MemoryMarshal.Cast<byte, BlockRef>(lease.Data).ToArray();
            _path.Push((refs, 0, Math.Max(frame.Low, bref.Key), Math.Min(frame.High, bref.LastKey)));
        }
    }
}
