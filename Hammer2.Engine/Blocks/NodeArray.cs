// An array of blockrefs as the tree wants it: empty slots squeezed out, keys aligned, ascending and disjoint.
// The medium allows gaps anywhere (trap T17); whoever holds a normalised array may search it by halves.

using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Blocks;

internal static class NodeArray
{
    /// <summary>Squeezes and checks the array in place; returns the number of live entries.</summary>
    /// <exception cref="Hammer2Exception"><c>Corrupt</c>: keys unaligned, out of order or overlapping.</exception>
    internal static int Normalise(Span<BlockRef> refs, string owner)
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
                throw new Hammer2Exception(Hammer2Error.Corrupt, $"{owner}: slot {i} ({entry}) is out of order, overlaps or is unaligned.");
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
