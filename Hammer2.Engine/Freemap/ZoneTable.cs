// Eight bytes about every zone that was looked at: how much is free, and for whom. They stay when the leaf is dropped, so
// that claims can be checked and space be searched without reading leaves again. Zones that were never looked at have no
// entry: memory follows what was used, not the size of the volume. Invariant: the sums are those of the entries.

namespace Hammer2.Engine.Freemap;

/// <summary>What is known of a zone.</summary>
internal struct ZoneSummary
{
    internal ushort FreeBlocks;
    internal ushort FreeGroups;

    /// <summary>Capabilities of the leaf, and flags above them.</summary>
    internal uint Mask;

    internal const uint SeenFlag = 1u << 30;
    internal const uint DamagedFlag = 1u << 31;
    internal const uint CapabilityMask = (1u << 24) - 1;

    internal readonly bool IsSeen => (Mask & SeenFlag) != 0;

    internal readonly bool IsDamaged => (Mask & DamagedFlag) != 0;
}

/// <summary>The summaries of 256 zones.</summary>
internal sealed class ZonePage
{
    internal readonly ZoneSummary[] Zones = new ZoneSummary[ZoneTable.PageZones];

    /// <summary>Every capability of the zones; may hold some that are gone.</summary>
    internal uint Capabilities;
    internal int Seen;
}

/// <summary>Summaries of all zones that were looked at.</summary>
internal sealed class ZoneTable(long zoneCount)
{
    internal const int PageZones = 256;
    private readonly Dictionary<long, ZonePage> _pages = [];

    /// <summary>Zones of the volume.</summary>
    internal long ZoneCount { get; private set; } = zoneCount;

    /// <summary>The volume got longer.</summary>
    internal void Grow(long zones) => ZoneCount = zones;

    /// <summary>Free 16 KiB blocks of all zones seen.</summary>
    internal long FreeBlocks { get; private set; }

    /// <summary>Wholly free 64 KiB groups of all zones seen.</summary>
    internal long FreeGroups { get; private set; }

    /// <summary>Zones seen.</summary>
    internal long Seen { get; private set; }

    internal ZonePage PageOf(long zone)
    {
        if (!_pages.TryGetValue(zone / PageZones, out ZonePage? page))
            _pages.Add(zone / PageZones, page = new ZonePage());
        return page;
    }

    internal ZoneSummary this[long zone] =>
        _pages.TryGetValue(zone / PageZones, out ZonePage? page) ? page.Zones[zone % PageZones] : default;

    /// <summary>Stores what a zone has now.</summary>
    internal void Set(ZonePage page, long zone, int freeBlocks, int freeGroups, uint mask)
    {
        ref ZoneSummary summary = ref page.Zones[zone % PageZones];
        FreeBlocks += freeBlocks - summary.FreeBlocks;
        FreeGroups += freeGroups - summary.FreeGroups;
        if (!summary.IsSeen)
        {
            Seen++;
            page.Seen++;
        }

        summary.FreeBlocks = (ushort)freeBlocks;
        summary.FreeGroups = (ushort)freeGroups;
        summary.Mask = mask | ZoneSummary.SeenFlag;
        page.Capabilities |= mask & ZoneSummary.CapabilityMask;
    }

    /// <summary>First zone in [from, end) that has one of these capabilities or was not looked at yet; -1 when there is none.</summary>
    internal long Find(long from, long end, uint wanted, bool unseenToo)
    {
        long zone = from;
        while (zone < end)
        {
            if (!_pages.TryGetValue(zone / PageZones, out ZonePage? page))
            {
                if (unseenToo)
                    return zone;
                zone = (zone / PageZones + 1) * PageZones;
                continue;
            }

            long pageEnd = Math.Min(end, (zone / PageZones + 1) * PageZones);
            if ((page.Capabilities & wanted) == 0 && (!unseenToo || page.Seen == PageZones))
            {
                zone = pageEnd;
                continue;
            }

            long first = zone;
            for (; zone < pageEnd; zone++)
            {
                ref ZoneSummary summary = ref page.Zones[zone % PageZones];
                if ((summary.Mask & wanted) != 0 || unseenToo && !summary.IsSeen)
                    return zone;
            }

            if (first % PageZones == 0)
                Recollect(page);
        }

        return -1;
    }

    private static void Recollect(ZonePage page)
    {
        uint all = 0;
        foreach (ref ZoneSummary summary in page.Zones.AsSpan())
            all |= summary.Mask;
        page.Capabilities = all & ZoneSummary.CapabilityMask;
    }
}
