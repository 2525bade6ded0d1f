// The most that each kind of operation can make necessary, as claims of space. Generous: what is not used is given back
// when the operation ends; what these fall short of on a tree of unusual depth is still charged, only not promised before.

using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;

namespace Hammer2.Engine.Pfs;

/// <summary>Worst-case claims.</summary>
internal static class OperationClaims
{
    private const int NodeRadix = 14;

    // Paths to two entries, each with the splits that an insertion may cause.
    private const int EntryNodes = 16;

    // Up to four inodes: their part of the index, counted twice where nodes are only half used.
    private const int InodeNodes = 8;
    private const int Fragments = 8;
    private const long GroupBytes = 8L << 20;

    /// <summary>Attributes of one inode.</summary>
    internal static SpaceClaim Attributes()
    {
        var claim = new SpaceClaim();
        claim.AddBlocks(NodeRadix, 2);
        claim.AddBlock(FormatLimits.AllocationRadixMin);
        return claim;
    }

    /// <summary>Names: create, link, unlink, rename.</summary>
    internal static SpaceClaim Names()
    {
        var claim = new SpaceClaim();
        claim.AddBlocks(NodeRadix, EntryNodes + InodeNodes);
        claim.AddBlocks(FormatLimits.AllocationRadixMin, Fragments);
        return claim;
    }

    /// <summary>PFS roots: up to three of them, with their paths in the super-root.</summary>
    internal static SpaceClaim PfsRoots()
    {
        var claim = new SpaceClaim();
        claim.AddBlocks(NodeRadix, 6);
        claim.AddBlocks(FormatLimits.AllocationRadixMin, 6);
        return claim;
    }

    /// <summary>Does a claim of data made for one size hold for a file that turned out to be larger?</summary>
    internal static bool IsEnough(long claimedSize, ulong size) =>
        claimedSize > FormatLimits.LogicalBlockBytes || (ulong)claimedSize >= size;

    /// <summary>Bytes written in one range of a file.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="size">The file's size afterwards; small files need small blocks.</param>
    internal static SpaceClaim Data(long offset, long length, long size)
    {
        SpaceClaim claim = Attributes();
        if (size <= FormatLimits.LogicalBlockBytes)
        {
            claim.AddBlock(Math.Max(FormatLimits.AllocationRadixMin, System.Numerics.BitOperations.Log2((uint)Math.Max(1, size - 1)) + 1));
            claim.AddBlocks(NodeRadix, EntryNodes / 2);
            return claim;
        }

        long blocks = (offset % FormatLimits.LogicalBlockBytes + length + FormatLimits.LogicalBlockBytes - 1) / FormatLimits.LogicalBlockBytes;
        claim.AddBlocks(FormatLimits.AllocationRadixMax, blocks + 1);
        claim.AddBlocks(NodeRadix, EntryNodes / 2 + 2 * (length / GroupBytes + 2));
        return claim;
    }
}
