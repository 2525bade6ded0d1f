// An array of blockrefs as the tree wants it: empty slots squeezed out, keys aligned, ascending and disjoint.
// The medium allows gaps anywhere (trap T17); whoever holds a normalised array may search it by halves.

using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Blocks;

internal static class NodeArray
{
    /// <summary>Squeezes and checks the array in place; returns the number of live entries.</summary>
    /// <param name="refs">The slots.</param>
    /// <param name="owner">The reference to the block that holds them, for the message.</param>
    /// <exception cref="Hammer2Exception"><c>Corrupt</c>: keys unaligned, out of order or overlapping.</exception>
    internal static int Normalise(Span<BlockRef> refs, in BlockRef owner)
    {
        int live = Squeeze(refs);
        return live >= 0 ? live : throw Disorder($"Array in blockref {owner}", refs, ~live);
    }

    /// <summary>As the other overload, for arrays that no block reference leads to.</summary>
    internal static int Normalise(Span<BlockRef> refs, string owner)
    {
        int live = Squeeze(refs);
        return live >= 0 ? live : throw Disorder(owner, refs, ~live);
    }

    private static Hammer2Exception Disorder(string owner, ReadOnlySpan<BlockRef> refs, int slot) =>
        new(Hammer2Error.Corrupt, $"{owner}: slot {slot} ({refs[slot]}) is out of order, overlaps or is unaligned.");

    // Number of live entries, or the complement of the first slot that is wrong.
    private static int Squeeze(Span<BlockRef> refs)
    {
        int live = 0;
        ulong after = 0;
        bool full = false;
        for (int i = 0; i < refs.Length; i++)
        {
            ref BlockRef entry = ref refs[i];
            if (entry.Type == BlockRefType.Empty)
                continue;
            bool aligned = entry.KeyBits == 0 || entry.KeyBits < 64 && (entry.Key & ((1UL << entry.KeyBits) - 1)) == 0
                || entry.KeyBits == 64 && entry.Key == 0;
            if (!aligned || full || entry.Key < after)
                return ~i;
            after = entry.LastKey + 1;
            full = after == 0;
            if (live != i)
                refs[live] = entry;
            live++;
        }

        return live;
    }

    /// <summary>Index of the first entry whose range ends at or after <paramref name="key"/>.</summary>
    internal static int FirstReaching(ReadOnlySpan<BlockRef> refs, ulong key)
    {
        int low = 0, high = refs.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (refs[middle].LastKey < key)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }
}
