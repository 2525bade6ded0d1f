// The free space of a volume: assigns blocks, keeps promises about them, and writes the freemap into its next rotation.
// Invariants: what a committed freemap calls allocated is never handed out; every accepted claim can be satisfied
// whatever the order of the allocations; leaves are read when they are first needed, and memory does not grow with the
// volume. One lock guards everything, reading a leaf included. May call Format, Buffers and Blocks.
// This file: leaves in memory, what is known of zones. Beside it: claims, allocation, freeze, recovery and merging.

using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Microsoft.Extensions.Logging;

namespace Hammer2.Engine.Freemap;

/// <summary>The allocator of one volume set.</summary>
internal sealed partial class FreemapAllocator : IBlockAllocator
{
    private const int LeavesMin = 8;
    private const int NodesMin = 8;
    private const int NodeShare = 8;

    // Blocks of 16 KiB in a zone, and words that hold a bit for each.
    private const int ZoneBlocks = FreemapGeometry.SegmentsPerZone * FreemapBitmap.States;
    private const int ZoneWords = ZoneBlocks / 64;
    private const uint FullZoneBits = 7u << 14;
    private readonly Lock _gate = new();
    private readonly BlockReader _reader;
    private readonly ILogger _logger;
    private FreemapGeometry _geometry;
    private readonly FreemapTree _tree;
    private readonly ZoneTable _zones;
    private readonly Dictionary<long, FreemapLeaf> _leaves = [];
    private readonly Dictionary<long, ulong[]> _touched = [];
    private readonly int _leavesMax;
    private readonly int _nodesMax;
    private long _freeBytes;
    private long _clock;
    private long _frontier;
    private FreemapLeaf? _lastLeaf;

    /// <summary>Prepares the allocator; reads nothing.</summary>
    /// <param name="reader">Reads verified blocks.</param>
    /// <param name="header">The header in use.</param>
    /// <param name="logger">Told of damaged freemap blocks.</param>
    /// <param name="memoryBytesMax">Budget for unchanged freemap blocks in memory.</param>
    /// <exception cref="Hammer2Exception"><c>Corrupt</c>: the header's allocation fields make no sense.</exception>
    internal FreemapAllocator(BlockReader reader, VolumeHeader header, ILogger logger, long memoryBytesMax)
    {
        _reader = reader;
        _logger = logger;
        _geometry = new FreemapGeometry(header);
        _tree = new FreemapTree(reader, header.Freemap, logger);
        _zones = new ZoneTable(_geometry.ZoneCount);
        _freeBytes = (long)Math.Min(header.AllocatorFree, long.MaxValue / 2);
        _nodesMax = (int)Math.Clamp(memoryBytesMax / NodeShare / FreemapGeometry.BlockBytes, NodesMin, int.MaxValue / 2);
        _leavesMax = (int)Math.Clamp(memoryBytesMax / FreemapLeaf.MemoryBytes, LeavesMin, int.MaxValue / 2);
    }

    /// <summary>Free bytes as the next header's allocator_free will say (format page 9.5).</summary>
    internal long FreeBytes => Math.Max(0, Interlocked.Read(ref _freeBytes));

    /// <summary>Free space that <see cref="ClaimLevel.Write"/> leaves alone.</summary>
    internal long ReserveBytes => _geometry.ReserveBytes;

    /// <summary>Bytes that could be allocated if nothing were.</summary>
    internal long AllocatableBytes => _geometry.AllocatableBytes;

    /// <summary>True when a freeze would write something.</summary>
    internal bool IsDirty
    {
        get
        {
            lock (_gate)
                return _tree.IsDirty || _leaves.Values.Any(l => l.IsDirty);
        }
    }

    /// <summary>Zones whose leaf is damaged or cannot be reached, of those looked at.</summary>
    internal int DamagedZones { get; private set; }

    // The leaf of a zone, read or created if need be; null when it is damaged.
    private FreemapLeaf? LeafOf(long zone)
    {
        if (_lastLeaf is { } last && last.Zone == zone)
            return last;
        if (!_leaves.TryGetValue(zone, out FreemapLeaf? leaf))
        {
            Invariant.Check(zone >= 0 && zone < _geometry.ZoneCount);
            if (_zones[zone].IsDamaged)
                return null;
            leaf = _tree.FindLeaf(zone, out BlockRef bref) switch
            {
                LeafPresence.Missing => FreemapLeaf.Create(_geometry, zone),
                LeafPresence.Present => Read(zone, bref),
                _ => null,
            };
            if (leaf is null)
            {
                MarkDamaged(zone);
                return null;
            }

            DropOldLeaves();
            leaf.Page = _zones.PageOf(zone);
            leaf.Touched = _touched.GetValueOrDefault(zone);
            _leaves.Add(zone, leaf);
            Note(leaf);
        }

        leaf.LastUse = ++_clock;
        _lastLeaf = leaf;
        return leaf;
    }

    private FreemapLeaf? Read(long zone, in BlockRef bref)
    {
        byte[] block = new byte[FreemapGeometry.BlockBytes];
        try
        {
            _reader.ReadStored(bref, block);
        }
        catch (Hammer2Exception e)
        {
            _logger.LogWarning(
                "Nothing will be allocated from 0x{First:x} to 0x{Last:x}, its freemap leaf is damaged: {Message}", bref.Key, bref.LastKey, e.Message);
            return null;
        }

        FreemapLeaf leaf = FreemapLeaf.Load(_geometry, zone, bref, block, out int corrected);
        if (corrected > 0)
            _logger.LogWarning("Freemap leaf {Leaf}: {Count} records contradict their bitmap and are corrected when the leaf is next written.", bref, corrected);
        return leaf;
    }

    private void MarkDamaged(long zone)
    {
        DamagedZones++;
        _zones.Set(_zones.PageOf(zone), zone, 0, 0, ZoneSummary.DamagedFlag);
    }

    // The summary follows every change of its leaf.
    private void Note(FreemapLeaf leaf) => _zones.Set(leaf.Page!, leaf.Zone, leaf.FreeBlocks, leaf.FreeGroups, leaf.Capabilities);

    // Looks at a zone without keeping its leaf if that can be avoided.
    private void See(long zone)
    {
        if (_zones[zone].IsSeen)
            return;
        (int first, int end) = _geometry.UsableSegmentsOf(zone);
        LeafPresence presence = _tree.FindLeaf(zone, out BlockRef bref);
        if (first == end || presence == LeafPresence.Present && (bref.FreemapBigMask & FullZoneBits) == 0)
        {
            _zones.Set(_zones.PageOf(zone), zone, 0, 0, 0);
        }
        else if (presence == LeafPresence.Missing)
        {
            SeeMissing(zone);
        }
        else
        {
            LeafOf(zone);
        }

        if ((_zones[zone].Mask & ZoneSummary.CapabilityMask) != 0)
            _findings++;
        _tree.Trim(_nodesMax);
    }

    // A zone without a leaf: all of it that can be used is free.
    private void SeeMissing(long zone)
    {
        const uint Empty = 1u << (int)SpaceKind.Block | 1u << (int)SpaceKind.Pair | 1u << (int)SpaceKind.Group;
        (int first, int end) = _geometry.UsableSegmentsOf(zone);
        int groups = (end - first) * (FreemapGeometry.SegmentBytes / FormatLimits.BlockBytesMax);
        _zones.Set(_zones.PageOf(zone), zone, (end - first) * FreemapBitmap.States, groups, first == end ? 0 : Empty << FreemapLeaf.EmptyClass);
    }

    // Looks at the next zone that nobody looked at yet; false when all were.
    private bool SeeNext()
    {
        _frontier = _zones.Find(_frontier, _geometry.ZoneCount, 0, unseenToo: true);
        if (_frontier < 0)
        {
            _frontier = _geometry.ZoneCount;
            return false;
        }

        See(_frontier);
        return true;
    }

    private void DropOldLeaves()
    {
        _tree.Trim(_nodesMax);
        while (_leaves.Count >= _leavesMax)
        {
            FreemapLeaf? oldest = null;
            foreach (FreemapLeaf leaf in _leaves.Values)
            {
                if (!leaf.IsDirty && (oldest is null || leaf.LastUse < oldest.LastUse))
                    oldest = leaf;
            }

            if (oldest is null)
                return;
            _leaves.Remove(oldest.Zone);
            if (ReferenceEquals(_lastLeaf, oldest))
                _lastLeaf = null;
        }
    }

    // Remembers that blocks changed hands since the last freeze.
    private void Touch(FreemapLeaf leaf, int segment, int block, int count)
    {
        leaf.Touched ??= TouchedOf(leaf.Zone);
        int index = segment * FreemapBitmap.States + block;
        for (int i = 0; i < count; i++)
            leaf.Touched[(index + i) / 64] |= 1UL << (index + i) % 64;
    }

    private static bool IsTouched(FreemapLeaf leaf, int segment, int block, int count)
    {
        int index = segment * FreemapBitmap.States + block;
        for (int i = 0; i < count; i++)
        {
            if (leaf.Touched is null || (leaf.Touched[(index + i) / 64] >> (index + i) % 64 & 1) == 0)
                return false;
        }

        return true;
    }

    private ulong[] TouchedOf(long zone)
    {
        if (!_touched.TryGetValue(zone, out ulong[]? bits))
            _touched.Add(zone, bits = new ulong[ZoneWords]);
        return bits;
    }
}
