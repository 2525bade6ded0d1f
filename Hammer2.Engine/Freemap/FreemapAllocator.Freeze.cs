// Writing the freemap, during the short end of a commit (format pages 9.2 and 10.3), and recovery after a crash (10.6).
// Invariants: a changed block goes into the rotation after the committed one, so the freemaps of all header copies stay
// whole; unchanged blocks are not written; what was written is not touched again before its leaf changes.

using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Microsoft.Extensions.Logging;

namespace Hammer2.Engine.Freemap;

internal sealed partial class FreemapAllocator
{
    /// <summary>During the freeze of a commit only: writes changed leaves and nodes into their next rotation.</summary>
    /// <param name="mirrorTid">Media transaction of the commit.</param>
    /// <param name="modifyTid">Logical transaction.</param>
    /// <param name="write">Takes the bytes at a logical address; they are copied before it returns.</param>
    /// <param name="blockset">Receives the four references of the header's freemap blockset.</param>
    internal void Freeze(ulong mirrorTid, ulong modifyTid, Action<long, ReadOnlyMemory<byte>> write, Span<BlockRef> blockset)
    {
        Invariant.Check(blockset.Length == FormatLimits.BlockSetCount);
        lock (_gate)
        {
            foreach (FreemapLeaf leaf in _leaves.Values.Where(l => l.IsDirty).OrderBy(l => l.Zone).ToArray())
                WriteLeaf(leaf, mirrorTid, modifyTid, write);
            _tree.Freeze(mirrorTid, modifyTid, write, blockset);
            ForgetTouched();
            if (_retainedOverflowed)
                _retained.Clear();
            DropOldLeaves();
        }
    }

    /// <summary>
    /// Recovery: marks what a reference points to as allocated, whatever the freemap says (format page 10.6, without the
    /// reference's faults: all 32 blocks of a word count, references without data are passed over, missing leaves are
    /// created first).
    /// </summary>
    internal void MarkUsed(in BlockRef bref)
    {
        PhysicalOffset block = bref.Physical;
        if (!block.HasData || !IsManaged(block))
            return;
        lock (_gate)
        {
            if (LeafOf(FreemapGeometry.ZoneOf(block.Offset)) is not { } leaf)
                return;
            (int segment, int first, int count) = BlocksOf(block);
            bool changed = false;
            for (int i = first; i < first + count; i++)
            {
                FreemapState state = leaf.StateOf(segment, i);
                if (state == FreemapState.Allocated)
                    continue;
                changed = true;
                AddFree(state == FreemapState.Free ? -1 : 0);
            }

            if (changed)
            {
                leaf.SetBlocks(segment, first, count, FreemapState.Allocated);
                leaf.SetLinear(segment, 0);
                if (leaf.ClassOf(segment) == FreemapLeaf.EmptyClass)
                    leaf.SetClass(segment, bref.Type);
            }

            // Something that the committed leaf does not know may lie behind the point where fragments go on.
            int linear = leaf.Record(segment).Linear;
            if (FreemapLeaf.LinearRoom(linear) > 0 && linear / BlockBytes >= first && linear / BlockBytes < first + count)
                leaf.SetLinear(segment, FreemapLeaf.LinearClosed(linear));
            Note(leaf);
        }
    }

    private void WriteLeaf(FreemapLeaf leaf, ulong mirrorTid, ulong modifyTid, Action<long, ReadOnlyMemory<byte>> write)
    {
        leaf.Rotation = (leaf.Rotation + 1) % FreemapGeometry.Rotations;
        BlockRef bref = FreemapTree.Seal(
            FreemapGeometry.KeyOf(leaf.Zone), FreemapGeometry.LeafLevel, leaf.Rotation, leaf.Bytes, mirrorTid, modifyTid);
        bref.FreemapBigMask = leaf.BigMask();
        bref.FreemapAvail = leaf.CreationAvail;
        _tree.Put(bref);
        write((long)bref.Physical.Offset, leaf.Bytes);
        leaf.IsDirty = false;
    }

    // A pass of bulkfree looks at a tree that is older than this freeze: for it the blocks are still touched.
    private void ForgetTouched()
    {
        if (_passIsActive)
        {
            foreach ((long zone, ulong[] bits) in _touched)
                KeepForPass(zone, bits);
        }

        _touched.Clear();
        foreach (FreemapLeaf leaf in _leaves.Values)
            leaf.Touched = null;
    }
}
