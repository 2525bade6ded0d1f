// Adds up what the space of a volume is used for, from one walk of bulkfree's kind: every tree once, PFSs first and snapshots after
// them, so that what is met first in a snapshot is in snapshots only. File data is not read. The trees are those of one commit and
// are kept from bulkfree meanwhile; the freemap is the one of that moment, so on a busy volume it may be a little ahead of them.

using System.Numerics;
using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Volumes;

namespace Hammer2.Engine.Diagnostics;

/// <summary>Measures volumes.</summary>
public static class UsageWalk
{
    /// <summary>Walks everything.</summary>
    /// <param name="volume">May be in use.</param>
    /// <param name="options">Null = the defaults.</param>
    /// <param name="progress">Told now and then; may be null.</param>
    /// <param name="stop">Stops it.</param>
    /// <exception cref="Primitives.Hammer2Exception"><c>NoSuchPfs</c>, or the device failed.</exception>
    public static VolumeUsage Run(Hammer2Volume volume, UsageOptions? options = null, IProgress<UsageProgress>? progress = null, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(volume);
        options ??= new UsageOptions();
        PfsInfo[] infos = [.. volume.ListPfs(out IReadOnlyList<Primitives.Hammer2Exception> failures).OrderBy(p => p.IsSnapshot).ThenBy(p => p.Label, StringComparer.Ordinal)];
        using HeldRoots held = volume.HoldRoots([.. infos.Select(p => p.Label), .. options.DirectoriesOf is string wanted ? [wanted] : Array.Empty<string>()]);
        var geometry = new FreemapGeometry(volume.Header);
        var map = new UsageMap(0, geometry.ZoneCount, (int)Math.Clamp(options.MemoryBytesMax / 4 / ZoneUsage.MemoryBytes, 1, int.MaxValue / 2));
        var visited = new VisitedBlocks(options.MemoryBytesMax / 4);
        var sums = new Sums(new VisitedBlocks(options.MemoryBytesMax / 2));
        var counts = new UsageCounts { Damaged = failures.Count };
        var pfses = new List<PfsUsage>();
        (string Label, int Number) at = ("", 0);
        using var scan = new UsageScan(volume.Reader, map, visited, counts, c => progress?.Report(new UsageProgress(at.Label, at.Number, infos.Length, c.References)), stop) { Observer = sums };

        // The super-root's own blocks come last of what is live: every PFS below it was met then.
        for (int i = 0; i <= infos.Length; i++)
        {
            if (i == infos.Length || infos[i].IsSnapshot && sums.IsLive)
            {
                WalkSuperRoot();
                if (i == infos.Length)
                    break;
            }

            at = (infos[i].Label, i);
            long before = sums.Bytes;
            BlockRef root = held.Roots[i].Ref;
            scan.RunPfs(root);
            pfses.Add(new PfsUsage(infos[i].Label, infos[i].IsSnapshot, (long)root.DataCount, sums.Bytes - before, (long)root.InodeCount));
        }

        void WalkSuperRoot()
        {
            if (!sums.IsLive)
                return;
            MetSuperRoot(volume, held.SuperRoot, sums, map);
            sums.EndLive();
        }

        long free = Free(volume, geometry, map, counts, out long reclaimable, out long total);
        return new VolumeUsage
        {
            TotalBytes = total,
            FreeBytes = free,
            ReclaimableBytes = reclaimable,
            LiveBytes = sums.LiveBytes,
            SnapshotBytes = sums.Bytes - sums.LiveBytes,
            MetadataBytes = sums.Metadata,
            DataBytes = sums.Data,
            LogicalBytes = sums.Logical,
            DedupBytes = sums.Dedup,
            Damaged = counts.Damaged,
            IsExact = visited.IsExact && sums.IsExact && map.EndZone == geometry.ZoneCount,
            Pfses = pfses,
            Directories = options.DirectoriesOf is null ? [] : DirectorySizes.Of(volume, held.Roots[^1], options, stop),
        };
    }

    // The inode and the block tables of the super-root; the PFS roots below were met, or cannot be read.
    private static void MetSuperRoot(Hammer2Volume volume, in BlockRef superRoot, Sums sums, UsageMap map)
    {
        var work = new Stack<BlockRef>([superRoot]);
        var seen = new HashSet<ulong> { superRoot.DataOff };
        while (work.TryPop(out BlockRef bref))
        {
            map.Mark(bref);
            sums.Met(bref, 0, isNew: true);
            using Buffers.BlockLease lease = volume.Reader.GetMetadata(bref);
            ReadOnlySpan<byte> refs = bref.IsNode ? lease.Data : lease.Data.Slice(InodeData.UnionOffset, FormatLimits.BlockSetBytes);
            foreach (ref readonly BlockRef below in System.Runtime.InteropServices.MemoryMarshal.Cast<byte, BlockRef>(refs))
            {
                if (below.Type == BlockRefType.Indirect && seen.Add(below.DataOff))
                    work.Push(below);
            }
        }
    }

    // Free bytes of the freemap, and what it calls allocated without anything in the map.
    private static long Free(Hammer2Volume volume, FreemapGeometry geometry, UsageMap map, UsageCounts counts, out long reclaimable, out long total)
    {
        total = geometry.AllocatableBytes;
        long allocated = 0, used = 0;
        foreach (FreemapNode node in FreemapWalk.Run(volume))
        {
            if (node.Failure is not null)
                counts.Damaged++;
            long zone = FreemapGeometry.ZoneOf(node.Ref.Key);
            if (node.Records.Length == 0 || zone >= geometry.ZoneCount)
                continue;
            (int first, int end) = geometry.UsableSegmentsOf(zone);
            for (int segment = first; segment < end; segment++)
                allocated += FreemapBitmap.States - FreemapCounts.Of(node.Records[segment]).Free;
        }

        foreach (long zone in map.Zones)
        {
            (int first, int end) = geometry.UsableSegmentsOf(zone);
            for (int segment = first; segment < end; segment++)
            {
                for (int word = 0; word < FreemapWords.Count; word++)
                    used += BitOperations.PopCount(map[zone]!.Used(segment, word));
            }
        }

        reclaimable = Math.Max(0, allocated - used) * FormatLimits.FreemapGranularity;
        return total - allocated * FormatLimits.FreemapGranularity;
    }

    /// <summary>Adds up blocks, each once.</summary>
    private sealed class Sums(VisitedBlocks data) : UsageObserver
    {
        internal long Metadata { get; private set; }

        internal long Data { get; private set; }

        internal long Logical { get; private set; }

        internal long Dedup { get; private set; }

        internal long LiveBytes { get; private set; }

        internal long Bytes => Metadata + Data;

        internal bool IsLive { get; private set; } = true;

        internal bool IsExact => data.IsExact;

        internal void EndLive()
        {
            LiveBytes = Bytes;
            IsLive = false;
        }

        internal override void Met(in BlockRef bref, ulong ownerBytes, bool isNew)
        {
            int bytes = bref.Physical.Bytes;
            if (bref.Type is BlockRefType.Data or BlockRefType.Dirent ? !data.Add(bref) : !isNew)
            {
                // Live trees share no tables with each other, only blocks that deduplication found equal.
                if (bref.Type == BlockRefType.Data && IsLive)
                    Dedup += bytes;
                return;
            }

            if (bref.Type != BlockRefType.Data)
            {
                Metadata += bytes;
                return;
            }

            Data += bytes;
            Logical += ownerBytes <= bref.Key ? 0 : (long)Math.Min(FormatLimits.LogicalBlockBytes, ownerBytes - bref.Key);
        }

        internal override void Inode(in BlockRef bref, in InodeData data)
        {
            // The block itself was met.
        }
    }
}
