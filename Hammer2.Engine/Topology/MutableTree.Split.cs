// Making room in a full array (format page 8.1 to 8.3): a range of its entries moves into a new indirect block below
// it. Any range is legal that is a power of two, aligned, contains or excludes every entry as a whole, and gets on: it frees
// a slot, or it takes the new key. These are the ranges that the reference would choose, and others where its choice would
// do neither. The range is always smaller than that of the array itself: a child as wide as its parent would be as full,
// and split again for ever.

using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Topology;

internal sealed partial class MutableTree
{
    private const int SmallNodeCount = 32;
    private const int NodeCount = 128;

    private void Split(TreeNode node, int ownBits, ulong newKey, byte methods, SpaceLedger? ledger)
    {
        int capacity = ReferenceEquals(node, Root) && _shape == TreeShape.Directory ? SmallNodeCount : Math.Max(NodeCount, node.Capacity);
        int radix = System.Numerics.BitOperations.Log2((uint)(capacity * FormatLimits.BlockRefBytes));
        (ulong key, int bits) = _shape == TreeShape.File
            ? FileRange(node.Refs, ownBits, newKey, System.Numerics.BitOperations.Log2((uint)capacity))
            : DirectoryRange(node.Refs, newKey, capacity);
        int first = node.FirstReaching(key);
        ulong last = key | LowMask(bits);
        int count = 0;
        while (first + count < node.Count && node[first + count].LastKey <= last)
            count++;
        Invariant.Check(bits < ownBits);
        Invariant.Check(count <= capacity && (count >= 2 || (count == 1 && newKey >= key && newKey <= last)));
        Invariant.Check(first + count == node.Count || node[first + count].Key > last);

        var child = new TreeNode(capacity, node.Refs.Slice(first, count));
        for (int i = 0; i < count; i++)
            child.SetPending(i, node.PendingAt(first + i));
        node.RemoveRange(first, count);
        var bref = new BlockRef
        {
            Type = BlockRefType.Indirect,
            Methods = (byte)((byte)MetadataCheck(methods) << 4),
            Key = key,
            KeyBits = (byte)bits,
        };
        node.InsertAt(first, bref, child);
        NodesInMemory++;
        IsDirty = true;
        ledger?.Charge(radix);
    }

    // Groups of the finest granularity: the one that the new key falls into, so that the key needs one new block however the
    // others are filled; else the lowest one of the finest entries; else any with two entries; else a level wider.
    internal static (ulong Key, int Bits) FileRange(ReadOnlySpan<BlockRef> refs, int ownBits, ulong newKey, int levelBits)
    {
        int finest = 64;
        ulong lowest = 0;
        foreach (ref readonly BlockRef bref in refs)
        {
            if (bref.KeyBits < finest)
                (finest, lowest) = (bref.KeyBits, bref.Key);
        }

        // Half of the array's own range: one of the halves always has two entries.
        int widest = Math.Min(63, ownBits - 1);
        for (int bits = Math.Min(widest, finest + levelBits); ; bits = Math.Min(widest, bits + levelBits))
        {
            ulong low = LowMask(bits);
            if (CountInside(refs, newKey & ~low, bits) >= 1)
                return (newKey & ~low, bits);
            if (CountInside(refs, lowest & ~low, bits) >= 2)
                return (lowest & ~low, bits);
            for (int i = 1; i < refs.Length; i++)
            {
                ulong key = refs[i].Key & ~low;
                if (refs[i - 1].Key >= key && refs[i].LastKey <= (key | low))
                    return (key, bits);
            }

            Invariant.Check(bits < widest);
        }
    }

    private static int CountInside(ReadOnlySpan<BlockRef> refs, ulong key, int bits)
    {
        int inside = 0;
        foreach (ref readonly BlockRef bref in refs)
        {
            if (bref.Key >= key && bref.LastKey <= (key | LowMask(bits)))
                inside++;
        }

        return inside;
    }

    // The smallest aligned range of all entries and the new key is halved; the fuller half is pushed down.
    internal static (ulong Key, int Bits) DirectoryRange(ReadOnlySpan<BlockRef> refs, ulong newKey, int capacity)
    {
        ulong key = newKey;
        int bits = 0, low = 0, high = 0;
        foreach (ref readonly BlockRef bref in refs)
        {
            int wide = Math.Max(bits, bref.KeyBits);
            while (wide < 64 && (key ^ bref.Key) >> wide != 0)
                wide++;
            if (wide != bits)
            {
                Fold(key, wide - 1, ref low, ref high);
                bits = wide;
            }

            if (bits > 0 && (bref.Key >> (bits - 1) & 1) != 0)
                high++;
            else
                low++;
        }

        bits--;
        while (1UL << bits < (ulong)capacity)
        {
            bits++;
            Fold(key, bits, ref low, ref high);
        }

        key = high > low ? key | 1UL << bits : key & ~(1UL << bits);
        return (key & ~LowMask(bits), bits);
    }

    // What was counted lies in one half of the wider range: the half that has the key's bit.
    private static void Fold(ulong key, int bit, ref int low, ref int high)
    {
        if ((key >> bit & 1) != 0)
            (low, high) = (0, high + low);
        else
            (low, high) = (low + high, 0);
    }

    private static ulong LowMask(int bits) => bits >= 64 ? ulong.MaxValue : (1UL << bits) - 1;
}
