// Arithmetic on one word of a freemap bitmap: 32 blocks of 16 KiB with two bits each (format page 9.3). Pure functions.
// A set of blocks is written as a word with bit 2n for block n; pairs and groups stand at the bit of their first block.

using System.Numerics;

namespace Hammer2.Engine.Freemap;

internal static class SegmentWord
{
    /// <summary>Blocks of a word.</summary>
    internal const int Blocks = 32;

    /// <summary>Bit of every block.</summary>
    internal const ulong All = 0x5555555555555555;

    private const ulong PairStarts = 0x1111111111111111;
    private const ulong GroupStarts = 0x0101010101010101;

    /// <summary>Blocks in state 00.</summary>
    internal static ulong Free(ulong word) => ~(word | word >> 1) & All;

    /// <summary>Blocks in state 11.</summary>
    internal static ulong Allocated(ulong word) => word & word >> 1 & All;

    /// <summary>Blocks in state 10.</summary>
    internal static ulong Staged(ulong word) => word >> 1 & ~word & All;

    /// <summary>Blocks in state 01.</summary>
    internal static ulong Reserved(ulong word) => word & ~(word >> 1) & All;

    /// <summary>Aligned 32 KiB pairs of these blocks.</summary>
    internal static ulong Pairs(ulong blocks) => blocks & blocks >> 2 & PairStarts;

    /// <summary>Aligned 64 KiB groups of these blocks.</summary>
    internal static ulong Groups(ulong blocks)
    {
        ulong pairs = Pairs(blocks);
        return pairs & pairs >> 4 & GroupStarts;
    }

    /// <summary>These blocks without those of whole groups.</summary>
    internal static ulong OutsideGroups(ulong blocks)
    {
        ulong groups = Groups(blocks);
        groups |= groups << 2;
        return blocks & ~(groups | groups << 4);
    }

    /// <summary>Both bits of <paramref name="count"/> blocks from <paramref name="block"/> (0..31) on.</summary>
    internal static ulong Mask(int block, int count) =>
        (count == Blocks ? ulong.MaxValue : (1UL << 2 * count) - 1) << 2 * block;

    /// <summary>Both bits of each of these blocks.</summary>
    internal static ulong Both(ulong blocks) => blocks | blocks << 1;

    /// <summary>Bit n to bit 2n.</summary>
    internal static ulong Spread(uint bits)
    {
        ulong x = bits;
        x = (x | x << 16) & 0x0000FFFF0000FFFF;
        x = (x | x << 8) & 0x00FF00FF00FF00FF;
        x = (x | x << 4) & 0x0F0F0F0F0F0F0F0F;
        x = (x | x << 2) & 0x3333333333333333;
        return (x | x << 1) & All;
    }

    /// <summary>Number of the first block of a set that is not empty.</summary>
    internal static int First(ulong blocks) => BitOperations.TrailingZeroCount(blocks) >> 1;
}
