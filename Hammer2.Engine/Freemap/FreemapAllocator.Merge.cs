// The allocator's side of bulkfree and of a rebuild: what a walk found in use is merged into the live leaves, zone by zone
// under the lock (format page 9.8, steps 5 and 6). Invariant: a block that changed hands since the tree that was walked
// was frozen is left alone, whatever the walk says. Freeing takes two passes: 11 becomes 10, and 10 becomes 00.

using System.Numerics;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Freemap;

/// <summary>How far a merge may go.</summary>
internal enum MergeMode
{
    /// <summary>Only mark what is in use: something could not be read, so nothing can be proved free.</summary>
    MarkOnly,

    /// <summary>A rebuild beside what could not be read: nothing becomes free, and what is in no legal state counts as in use.</summary>
    KeepAll,

    /// <summary>A pass of bulkfree.</summary>
    Stage,

    /// <summary>A rebuild: the walk is the truth, at once and for every block.</summary>
    Replace,
}

/// <summary>What merges did, in 16 KiB blocks.</summary>
internal sealed class MergeCounts
{
    internal long Staged;
    internal long Freed;
    internal long Kept;
    internal long Restored;
    internal long Corrected;
    internal long Reserved;
    internal long Used;
    internal int LeavesChanged;
    internal int LeavesDamaged;
}

internal sealed partial class FreemapAllocator
{
    private readonly Dictionary<long, ulong[]> _touchedInPass = [];
    private bool _passIsActive;

    /// <summary>Changed leaves in memory.</summary>
    internal int DirtyLeaves
    {
        get
        {
            lock (_gate)
                return _leaves.Values.Count(l => l.IsDirty);
        }
    }

    /// <summary>
    /// Begins to keep in mind which blocks change hands, beginning with the last freeze. The tree to walk must be that of
    /// the last freeze; call it while the gate is closed, or while nothing else can commit.
    /// </summary>
    internal void BeginPass()
    {
        lock (_gate)
        {
            if (_passIsActive)
                throw new Hammer2Exception(Hammer2Error.InUse, "A bulkfree pass is running already.");
            _passIsActive = true;
        }
    }

    /// <summary>The pass is over.</summary>
    internal void EndPass()
    {
        lock (_gate)
        {
            _passIsActive = false;
            _touchedInPass.Clear();
        }
    }

    /// <summary>First zone from <paramref name="zone"/> on that has a leaf on the medium; -1 when there is none.</summary>
    internal long NextLeaf(long zone)
    {
        lock (_gate)
        {
            long found = zone < _geometry.ZoneCount ? _tree.NextLeaf(zone) : -1;
            _tree.Trim(_nodesMax);
            return found < _geometry.ZoneCount ? found : -1;
        }
    }

    /// <summary>Zones of the volume.</summary>
    internal long ZoneCount => _geometry.ZoneCount;

    /// <summary>Before a rebuild: what cannot be followed is taken out of the freemap's tree.</summary>
    internal void BeginRebuild()
    {
        lock (_gate)
            _tree.DropDamaged();
    }

    /// <summary>After a rebuild of all zones: free is what can be allocated at all without what is in use.</summary>
    internal void EndRebuild(long usedBlocks) => Interlocked.Exchange(ref _freeBytes, _geometry.AllocatableBytes - usedBlocks * BlockBytes);

    /// <summary>For a repair: lets the next freeze write the leaf of a zone anew, with everything in it that readers do not depend on.</summary>
    internal void Renew(long zone)
    {
        lock (_gate)
        {
            if (zone < 0 || zone >= _geometry.ZoneCount || _tree.FindLeaf(zone, out _) != LeafPresence.Present || LeafOf(zone) is not { } leaf)
                return;
            leaf.Tidy();
            Note(leaf);
        }
    }

    /// <summary>For a repair: counts the free blocks of all leaves that can be read.</summary>
    internal void Recount()
    {
        lock (_gate)
        {
            // Leaves that were made since the last freeze are in memory only.
            long used = _leaves.Values.Where(l => _tree.FindLeaf(l.Zone, out _) != LeafPresence.Present).Sum(UsedBytes);
            for (long zone = _tree.NextLeaf(0); zone >= 0 && zone < _geometry.ZoneCount; zone = _tree.NextLeaf(zone + 1))
            {
                if (LeafOf(zone) is not { } leaf)
                    return;
                used += UsedBytes(leaf);
                _tree.Trim(_nodesMax);
            }

            Interlocked.Exchange(ref _freeBytes, _geometry.AllocatableBytes - used);
        }
    }

    private static long UsedBytes(FreemapLeaf leaf) =>
        (long)(leaf.EndUsable - leaf.FirstUsable) * FreemapGeometry.SegmentBytes - (long)leaf.FreeBlocks * BlockBytes;

    /// <summary>Merges what is in use in a zone into its leaf.</summary>
    internal void Merge(long zone, ZoneUsage? usage, MergeMode mode, MergeCounts counts)
    {
        lock (_gate)
        {
            FreemapLeaf? leaf = LeafOf(zone);
            if (leaf is null && mode == MergeMode.Replace)
                leaf = ReplaceDamaged(zone);
            if (leaf is null)
            {
                counts.LeavesDamaged++;
                return;
            }

            long before = leaf.FreeBlocks;
            bool wasDirty = leaf.IsDirty;
            leaf.IsDirty = mode == MergeMode.Replace && leaf.WasCorrected;
            for (int segment = leaf.FirstUsable; segment < leaf.EndUsable; segment++)
                MergeSegment(leaf, segment, usage, mode, counts);
            counts.LeavesChanged += leaf.IsDirty ? 1 : 0;
            leaf.IsDirty |= wasDirty;
            AddFree(leaf.FreeBlocks - before);
            Note(leaf);
            _findings++;
        }
    }

    private void KeepForPass(long zone, ulong[] bits)
    {
        if (!_touchedInPass.TryGetValue(zone, out ulong[]? kept))
        {
            _touchedInPass.Add(zone, (ulong[])bits.Clone());
            return;
        }

        for (int i = 0; i < kept.Length; i++)
            kept[i] |= bits[i];
    }

    private FreemapLeaf ReplaceDamaged(long zone)
    {
        FreemapLeaf leaf = FreemapLeaf.Create(_geometry, zone);

        // The next rotation after the damaged one: it may still be what an older header copy needs.
        if (_tree.FindLeaf(zone, out BlockRef bref) == LeafPresence.Present)
            leaf.Rotation = FreemapGeometry.RotationOf(bref);
        leaf.IsDirty = true;
        leaf.Page = _zones.PageOf(zone);
        leaf.Touched = _touched.GetValueOrDefault(zone);
        leaf.LastUse = ++_clock;
        DropOldLeaves();
        _leaves.Add(zone, leaf);
        DamagedZones--;
        Note(leaf);
        return leaf;
    }

    private void MergeSegment(FreemapLeaf leaf, int segment, ZoneUsage? usage, MergeMode mode, MergeCounts counts)
    {
        bool changed = false;
        for (int word = 0; word < FreemapWords.Count; word++)
        {
            uint used = usage?.Used(segment, word) ?? 0;
            ulong live = leaf.Record(segment).Words[word];
            counts.Used += BitOperations.PopCount(used);
            if (live == 0 && used == 0)
                continue;
            ulong merged = MergeWord(live, SegmentWord.Spread(used), SegmentWord.Spread(TouchedBits(leaf, segment, word)), mode, counts);
            if (merged == live)
                continue;
            ForgetFragments(leaf, segment, word, (live ^ merged) & ~merged);
            leaf.SetWord(segment, word, merged);
            changed = true;
        }

        CorrectLinear(leaf, segment, usage, changed && mode == MergeMode.Replace);
        if (!changed && mode is not (MergeMode.Replace or MergeMode.KeepAll))
            return;
        leaf.ResetIfEmpty(segment);
        if (leaf.ClassOf(segment) != FreemapLeaf.EmptyClass || leaf.FreeBlocksOf(segment) == FreemapBitmap.States)
            return;
        BlockRefType found = usage?.ClassOf(segment) ?? BlockRefType.Empty;

        // Of blocks that nobody refers to, or whose owner cannot be read, no class is known: any is legal.
        if (found == BlockRefType.Empty && mode == MergeMode.KeepAll)
            found = BlockRefType.Data;
        if (found != BlockRefType.Empty)
            leaf.SetClass(segment, found);
    }

    private static ulong MergeWord(ulong live, ulong used, ulong touched, MergeMode mode, MergeCounts counts)
    {
        ulong free = SegmentWord.Free(live);
        ulong staged = SegmentWord.Staged(live);
        ulong allocated = SegmentWord.Allocated(live);
        ulong reserved = SegmentWord.Reserved(live);
        ulong unused = ~used & ~touched & SegmentWord.All;
        ulong marked = used & ~touched & (free | staged | reserved);
        if (mode == MergeMode.KeepAll)
            marked |= reserved & ~touched;
        ulong toStaged = mode == MergeMode.Stage ? allocated & unused : 0;
        ulong toFree = mode switch
        {
            MergeMode.Stage => staged & unused,
            MergeMode.Replace => (staged | allocated | reserved) & unused,
            _ => 0,
        };
        counts.Corrected += BitOperations.PopCount(marked & (free | reserved));
        counts.Restored += BitOperations.PopCount(marked & staged);
        counts.Staged += BitOperations.PopCount(toStaged);
        counts.Freed += BitOperations.PopCount(toFree);
        counts.Kept += BitOperations.PopCount(~used & touched & (allocated | staged));
        counts.Reserved += BitOperations.PopCount(reserved & ~marked & ~toFree);
        ulong merged = live | SegmentWord.Both(marked);
        merged &= ~toStaged;
        return merged & ~SegmentWord.Both(toFree);
    }

    private uint TouchedBits(FreemapLeaf leaf, int segment, int word)
    {
        uint bits = leaf.Touched is { } recent ? ZoneUsage.WordOf(recent, segment, word) : 0;
        if (_touchedInPass.Count > 0 && _touchedInPass.TryGetValue(leaf.Zone, out ulong[]? earlier))
            bits |= ZoneUsage.WordOf(earlier, segment, word);
        return bits;
    }

    // Free fragments of blocks that are no longer allocated belong to the bitmap again. A lost bit of either kind says so.
    private void ForgetFragments(FreemapLeaf leaf, int segment, int word, ulong lost)
    {
        ulong first = FragmentPool.BlockOf(FreemapGeometry.KeyOf(leaf.Zone) + (ulong)segment * FreemapGeometry.SegmentBytes) + (ulong)(word * SegmentWord.Blocks);
        for (ulong rest = (lost | lost >> 1) & SegmentWord.All; rest != 0; rest &= rest - 1)
        {
            foreach (FragmentPool pool in _pools)
                pool.Forget(first + (ulong)SegmentWord.First(rest));
        }
    }

    // Fragments go on at the linear point: it must lie in an allocated block, behind everything that is in use there.
    private static void CorrectLinear(FreemapLeaf leaf, int segment, ZoneUsage? usage, bool close)
    {
        int linear = leaf.Record(segment).Linear;
        if (FreemapLeaf.LinearRoom(linear) == 0)
            return;
        int block = linear / BlockBytes;
        int end = usage?.FragmentEnd(segment) ?? 0;
        if (close || leaf.StateOf(segment, block) != FreemapState.Allocated)
            leaf.SetLinear(segment, FreemapLeaf.LinearClosed(linear));
        else if (end > linear && (end - 1) / BlockBytes == block)
            leaf.SetLinear(segment, end);
    }
}
