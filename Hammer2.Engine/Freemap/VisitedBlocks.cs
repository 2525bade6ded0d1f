// Which inodes and indirect blocks a walk has been to, so that what snapshots share is followed once: a bit for each
// KiB, in pieces of 4 MiB that exist where metadata does, one set for each size of block. Exact while there is memory;
// when there is none left a block counts as new, which costs time and changes no result.

using Hammer2.Engine.Format;

namespace Hammer2.Engine.Freemap;

internal sealed class VisitedBlocks(long memoryBytesMax)
{
    private const int UnitRadix = FormatLimits.AllocationRadixMin;
    private const int Units = 1 << (FormatLimits.SegmentRadix - UnitRadix);
    private const int PieceBytes = Units / 8 + 128;
    private readonly Dictionary<(ulong Segment, int Radix), ulong[]> _pieces = [];
    private readonly long _piecesMax = Math.Max(1, memoryBytesMax / PieceBytes);

    /// <summary>True while everything is remembered.</summary>
    internal bool IsExact { get; private set; } = true;

    /// <summary>True when the block was not there before.</summary>
    internal bool Add(in BlockRef bref)
    {
        // Inodes are 1 KiB and indirect blocks 4, 16 or 64: the size tells them apart.
        PhysicalOffset block = bref.Physical;
        (ulong, int) key = (block.Offset >> FormatLimits.SegmentRadix, block.Radix);
        if (!_pieces.TryGetValue(key, out ulong[]? bits))
        {
            if (_pieces.Count >= _piecesMax)
            {
                IsExact = false;
                return true;
            }

            _pieces.Add(key, bits = new ulong[Units / 64]);
        }

        int unit = (int)(block.Offset >> UnitRadix) & (Units - 1);
        ulong bit = 1UL << unit % 64;
        bool isNew = (bits[unit / 64] & bit) == 0;
        bits[unit / 64] |= bit;
        return isNew;
    }
}
