// Walks the freemap of the header in use for raw dumps: nodes, leaves and their bitmap records. Streaming, no
// recursion: the tree has at most five levels. Invariant: a block whose check differs is reported, never shown.
// May call Blocks and Volumes.

using System.Numerics;
using System.Runtime.InteropServices;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Engine.Diagnostics;

/// <summary>A node or leaf of the freemap.</summary>
/// <param name="Depth">0 for the entries of the header's blockset.</param>
/// <param name="Ref">The blockref as stored.</param>
/// <param name="Records">The 256 records of a leaf that could be read, else empty.</param>
/// <param name="Failure">Why the block cannot be shown; null when all is well.</param>
public sealed record FreemapNode(int Depth, BlockRef Ref, FreemapBitmap[] Records, Hammer2Exception? Failure);

/// <summary>How many 16 KiB blocks of a segment are in which state.</summary>
public readonly record struct FreemapCounts(int Free, int Reserved, int PossiblyFree, int Allocated)
{
    /// <summary>Counts the states of one record.</summary>
    public static FreemapCounts Of(in FreemapBitmap record)
    {
        const ulong LowBits = 0x5555555555555555;
        int reserved = 0, staged = 0, allocated = 0;
        for (int i = 0; i < FreemapWords.Count; i++)
        {
            ulong low = record.Words[i] & LowBits;
            ulong high = record.Words[i] >> 1 & LowBits;
            allocated += BitOperations.PopCount(low & high);
            reserved += BitOperations.PopCount(low & ~high);
            staged += BitOperations.PopCount(high & ~low);
        }

        return new FreemapCounts(FreemapBitmap.States - allocated - reserved - staged, reserved, staged, allocated);
    }
}

/// <summary>Streams the freemap of a volume.</summary>
public static class FreemapWalk
{
    private const int LevelsMax = 6;

    /// <summary>Every node and leaf, parents before children.</summary>
    public static IEnumerable<FreemapNode> Run(Hammer2Volume volume, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(volume);
        return Walk(volume.Reader, volume.Header.Freemap.ToArray(), stop);
    }

    private static IEnumerable<FreemapNode> Walk(BlockReader reader, BlockRef[] roots, CancellationToken stop)
    {
        var levels = new Stack<Level>();
        levels.Push(new Level(roots, 0, ulong.MaxValue));
        while (levels.TryPeek(out Level? level))
        {
            stop.ThrowIfCancellationRequested();
            if (level.Next == level.Refs.Length)
            {
                levels.Pop();
                continue;
            }

            BlockRef bref = level.Refs[level.Next++];
            if (bref.Type == BlockRefType.Empty)
                continue;
            FreemapNode node = Read(reader, bref, levels.Count - 1, level.Claim(bref), out BlockRef[] children);
            yield return node;
            if (children.Length > 0)
                levels.Push(new Level(children, bref.Key, bref.LastKey));
        }
    }

    // An array of references, and the part of its parent's range that no reference has claimed yet. Ranges that only
    // ever get smaller keep a crafted freemap, whose arrays point to each other many times, from multiplying.
    private sealed class Level(BlockRef[] refs, ulong low, ulong high)
    {
        internal readonly BlockRef[] Refs = refs;
        internal int Next;
        private ulong _free = low;
        private bool _full;

        internal bool Claim(in BlockRef bref)
        {
            if (_full || bref.Key < _free || bref.LastKey > high)
                return false;
            _free = bref.LastKey + 1;
            _full = _free == 0;
            return true;
        }
    }

    private static FreemapNode Read(BlockReader reader, in BlockRef bref, int depth, bool claimed, out BlockRef[] children)
    {
        children = [];
        try
        {
            if (bref.Type is not (BlockRefType.FreemapNode or BlockRefType.FreemapLeaf) || depth >= LevelsMax)
                throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {bref} does not belong into the freemap.");
            if (!claimed)
                throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {bref} lies outside the key range of its parent or overlaps its neighbour; not followed.");
            byte[] block = new byte[1 << FormatLimits.FreemapRadix];
            reader.ReadStored(bref, block);
            if (bref.Type == BlockRefType.FreemapLeaf)
                return new FreemapNode(depth, bref, MemoryMarshal.Cast<byte, FreemapBitmap>(block).ToArray(), null);
            children = MemoryMarshal.Cast<byte, BlockRef>(block).ToArray();
            return new FreemapNode(depth, bref, [], null);
        }
        catch (Hammer2Exception failure)
        {
            return new FreemapNode(depth, bref, [], failure);
        }
    }
}
