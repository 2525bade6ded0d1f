// What a walk found in use, for a window of the address space: a bit for each 16 KiB block, and for each segment the
// class and the end of its last fragment. A zone takes 9 KiB once something in it is met. Invariant: the map is complete
// for its window, which begins where the caller says and ends before the first zone that there was no memory for.

using Hammer2.Engine.Format;

namespace Hammer2.Engine.Freemap;

/// <summary>What is in use in one zone.</summary>
internal sealed class ZoneUsage
{
    /// <summary>Memory of a zone.</summary>
    internal const int MemoryBytes = Blocks / 8 + FreemapGeometry.SegmentsPerZone * (sizeof(byte) + sizeof(ushort)) + 256;

    private const int Blocks = FreemapGeometry.SegmentsPerZone * FreemapBitmap.States;
    private const int UnitRadix = FormatLimits.AllocationRadixMin;
    private readonly ulong[] _used = new ulong[Blocks / 64];
    private readonly byte[] _class = new byte[FreemapGeometry.SegmentsPerZone];
    private readonly ushort[] _fragmentEnd = new ushort[FreemapGeometry.SegmentsPerZone];

    /// <summary>Blocks of word <paramref name="word"/> (0..7) of a segment that are in use.</summary>
    internal uint Used(int segment, int word) => WordOf(_used, segment, word);

    /// <summary>Type of the blocks of a segment: that of the first one met.</summary>
    internal BlockRefType ClassOf(int segment) => (BlockRefType)_class[segment];

    /// <summary>End of the last block below 16 KiB in a segment, as an offset in it; 0 when there is none.</summary>
    internal int FragmentEnd(int segment) => _fragmentEnd[segment] << UnitRadix;

    /// <summary>The bits of one bitmap word out of an array with a bit for each block of a zone.</summary>
    internal static uint WordOf(ulong[] bits, int segment, int word)
    {
        int index = segment * FreemapBitmap.States + word * SegmentWord.Blocks;
        return (uint)(bits[index / 64] >> index % 64);
    }

    internal void Mark(in BlockRef bref)
    {
        PhysicalOffset block = bref.Physical;
        int within = (int)(block.Offset & (FormatLimits.ZoneBytes - 1));
        int segment = within >> FormatLimits.SegmentRadix;
        int last = (within + block.Bytes - 1) / FormatLimits.FreemapGranularity;
        for (int i = within / FormatLimits.FreemapGranularity; i <= last; i++)
            _used[i / 64] |= 1UL << i % 64;
        if (_class[segment] == 0)
            _class[segment] = (byte)bref.Type;
        if (block.Bytes >= FormatLimits.FreemapGranularity)
            return;
        int end = ((within & (FreemapGeometry.SegmentBytes - 1)) + block.Bytes) >> UnitRadix;
        _fragmentEnd[segment] = (ushort)Math.Max(_fragmentEnd[segment], end);
    }
}

/// <summary>What is in use in a window.</summary>
internal sealed class UsageMap(long firstZone, long endZone, int zonesMax)
{
    private readonly Dictionary<long, ZoneUsage> _zones = [];
    private readonly PriorityQueue<long, long> _highest = new();
    private long _lastZone = -1;
    private ZoneUsage? _last;

    /// <summary>First zone of the window.</summary>
    internal long FirstZone { get; } = firstZone;

    /// <summary>Zone after the last one of the window; gets smaller when memory runs out.</summary>
    internal long EndZone { get; private set; } = endZone;

    /// <summary>What is in use in a zone of the window; null when nothing is.</summary>
    internal ZoneUsage? this[long zone] => _zones.GetValueOrDefault(zone);

    /// <summary>Zones in which something is in use, in order.</summary>
    internal IEnumerable<long> Zones => _zones.Keys.Order();

    /// <summary>Enters the block of a reference.</summary>
    internal void Mark(in BlockRef bref)
    {
        long zone = FreemapGeometry.ZoneOf(bref.Physical.Offset);
        if (zone == _lastZone)
        {
            _last!.Mark(bref);
            return;
        }

        if (zone < FirstZone || zone >= EndZone)
            return;
        if (!_zones.TryGetValue(zone, out ZoneUsage? usage))
        {
            if (_zones.Count >= zonesMax && !TryGiveUpAbove(zone))
                return;
            _zones.Add(zone, usage = new ZoneUsage());
            _highest.Enqueue(zone, -zone);
        }

        (_lastZone, _last) = (zone, usage);
        usage.Mark(bref);
    }

    // Zones are given up from the top, so that what is left is one window.
    private bool TryGiveUpAbove(long zone)
    {
        if (_highest.Peek() < zone)
        {
            EndZone = zone;
            return false;
        }

        EndZone = _highest.Dequeue();
        _zones.Remove(EndZone);
        if (_lastZone == EndZone)
            _lastZone = -1;
        return true;
    }
}
