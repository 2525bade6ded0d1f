// Where things of the freemap lie and which segments it may give out (format pages 1.4, 9.1, 9.2, 9.4). Numbers only.
// Invariant: a segment is usable when all of it lies at or behind allocator_beg, before the volume's end, and outside
// the 4 MiB reserve of its zone; nothing else is ever allocated. Uses Format.

using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Freemap;

/// <summary>The shape of the freemap of one volume set.</summary>
internal sealed class FreemapGeometry
{
    /// <summary>Level of a leaf; nodes are 2 to <see cref="LevelMax"/>.</summary>
    internal const int LeafLevel = 1;

    /// <summary>Highest level of a node.</summary>
    internal const int LevelMax = 5;

    /// <summary>Copies of each freemap block that take turns.</summary>
    internal const int Rotations = 8;

    /// <summary>Segments of a zone.</summary>
    internal const int SegmentsPerZone = 1 << (FormatLimits.ZoneRadix - FormatLimits.SegmentRadix);

    /// <summary>Bytes of a segment.</summary>
    internal const int SegmentBytes = 1 << FormatLimits.SegmentRadix;

    /// <summary>Bytes of a freemap block.</summary>
    internal const int BlockBytes = 1 << FormatLimits.FreemapRadix;

    private const int LevelRadix = 8;
    private const int SlotBytes = 65536;
    private const long ReserveBytesMin = 4L << 20;
    private const long ReserveFraction = 20;
    private const long AllocatableFraction = 4;
    private readonly long _firstSegment;
    private readonly long _endSegment;

    /// <summary>Takes the allocation fields of a header.</summary>
    /// <exception cref="Hammer2Exception"><c>Corrupt</c>: allocating by them would overwrite other areas.</exception>
    internal FreemapGeometry(VolumeHeader header)
        : this(header.AllocatorBegin, header.LogicalSize, header.AllocatorSize)
    {
        ulong areasEnd = Math.Max((ulong)FormatLimits.ReservedBytes, Math.Max(header.BootEnd, header.AuxEnd));
        if (header.AllocatorBegin < areasEnd || header.LogicalSize > long.MaxValue)
        {
            throw new Hammer2Exception(
                Hammer2Error.Corrupt,
                $"The header lets allocation begin at 0x{header.AllocatorBegin:x}, inside the areas before 0x{areasEnd:x}; the volume cannot be changed.");
        }
    }

    /// <summary>Takes the numbers themselves.</summary>
    internal FreemapGeometry(ulong allocatorBegin, ulong totalBytes, ulong allocatorSize)
    {
        AllocatorBegin = allocatorBegin;
        TotalBytes = totalBytes;
        ZoneCount = (long)((totalBytes + FormatLimits.ZoneBytes - 1) >> FormatLimits.ZoneRadix);
        _endSegment = (long)(totalBytes >> FormatLimits.SegmentRadix);
        _firstSegment = allocatorBegin >= totalBytes
            ? _endSegment
            : (long)((allocatorBegin + SegmentBytes - 1) >> FormatLimits.SegmentRadix);
        AllocatableBytes = UsableSegments() * SegmentBytes;
        long usual = Math.Max(ReserveBytesMin, (long)Math.Min(allocatorSize, long.MaxValue) / ReserveFraction);
        ReserveBytes = Math.Min(usual, AllocatableBytes / AllocatableFraction);
    }

    /// <summary>First byte that the freemap manages.</summary>
    internal ulong AllocatorBegin { get; }

    /// <summary>Bytes of the address space.</summary>
    internal ulong TotalBytes { get; }

    /// <summary>Zones, the last one perhaps partial.</summary>
    internal long ZoneCount { get; }

    /// <summary>Bytes of all usable segments.</summary>
    internal long AllocatableBytes { get; }

    /// <summary>
    /// Free space that ordinary writes leave alone: max(4 MiB, allocator_size / 20) as format page 15.1 says, but never
    /// more than a quarter of what can be allocated at all: a volume of 32 MiB has 8 MiB to give, and stays usable.
    /// </summary>
    internal long ReserveBytes { get; }

    /// <summary>First usable segment of a zone, and the one after the last; empty ranges are (n, n).</summary>
    internal (int First, int End) UsableSegmentsOf(long zone)
    {
        long start = zone * SegmentsPerZone;
        long first = Math.Clamp(_firstSegment, start + 1, start + SegmentsPerZone);
        long end = Math.Clamp(_endSegment, first, start + SegmentsPerZone);
        return ((int)(first - start), (int)(end - start));
    }

    /// <summary>Zone of an address.</summary>
    internal static long ZoneOf(ulong offset) => (long)(offset >> FormatLimits.ZoneRadix);

    /// <summary>First key of a zone.</summary>
    internal static ulong KeyOf(long zone) => (ulong)zone << FormatLimits.ZoneRadix;

    /// <summary>Key bits of a level.</summary>
    internal static int KeyBitsOf(int level) => FormatLimits.SegmentRadix + LevelRadix * level;

    /// <summary>Level of these key bits; 0 when no freemap block has them.</summary>
    internal static int LevelOf(int keyBits)
    {
        int level = (keyBits - FormatLimits.SegmentRadix) / LevelRadix;
        return level is >= LeafLevel and <= LevelMax && KeyBitsOf(level) == keyBits ? level : 0;
    }

    /// <summary>Address and radix of the block of this key and level in a rotation (format page 9.2).</summary>
    internal static ulong SlotOf(ulong key, int level, int rotation) =>
        key + (ulong)(1 + LevelMax * rotation + (level - 1)) * SlotBytes | FormatLimits.FreemapRadix;

    /// <summary>Rotation that a reference points to; -1 when it points anywhere but to one of its own slots.</summary>
    internal static int RotationOf(in BlockRef bref)
    {
        int level = LevelOf(bref.KeyBits);
        if (level == 0 || bref.Type != (level == LeafLevel ? BlockRefType.FreemapLeaf : BlockRefType.FreemapNode))
            return -1;
        ulong distance = bref.Physical.Offset - bref.Key;
        long rotation = distance < (ulong)FormatLimits.ReservedBytes ? ((long)(distance / SlotBytes) - 1) / LevelMax : -1;
        return rotation is >= 0 and < Rotations && SlotOf(bref.Key, level, (int)rotation) == bref.DataOff ? (int)rotation : -1;
    }

    // All segments from the first to the last, but one for each zone that begins among them.
    private long UsableSegments()
    {
        if (_firstSegment >= _endSegment)
            return 0;
        long zoneStarts = (_endSegment + SegmentsPerZone - 1) / SegmentsPerZone - (_firstSegment + SegmentsPerZone - 1) / SegmentsPerZone;
        return _endSegment - _firstSegment - zoneStarts;
    }
}
