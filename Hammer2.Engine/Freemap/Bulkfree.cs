// Gives back what no tree refers to any more (format page 9.8): walks everything below a committed super-root, in windows
// that fit a memory limit, and merges each window into the live freemap while others go on allocating. One object is one
// pass; a block becomes free in the second pass, after a commit in between. Also rebuilds a freemap for repairs.
// Invariants: leaves are merged one by one, each as a whole; when any block of a tree could not be read, nothing is freed.
// Memory: 9 KiB for each zone in use (1 GiB) and 0.6 KiB for each 4 MiB of metadata. 100 million blocks of 64 KiB are
// 6,100 zones and a few thousand pieces of metadata: 60 MiB, one window; with less memory the trees are walked again
// for every further window.

using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Microsoft.Extensions.Logging;

namespace Hammer2.Engine.Freemap;

/// <summary>How far a pass is.</summary>
/// <param name="Window">Number of the window, from 0.</param>
/// <param name="FirstByte">Where the window begins in the volume's address space.</param>
/// <param name="TotalBytes">End of the address space.</param>
/// <param name="References">References met in this window's walk.</param>
/// <param name="Damaged">Blocks that could not be read.</param>
public readonly record struct BulkfreeProgress(int Window, long FirstByte, long TotalBytes, long References, long Damaged);

/// <summary>What a pass did; counts of blocks are in units of 16 KiB.</summary>
public sealed record BulkfreeReport
{
    /// <summary>Windows that were walked.</summary>
    public int Windows { get; init; }

    /// <summary>References met, over all windows.</summary>
    public long References { get; init; }

    /// <summary>Blocks of trees that could not be read; if not 0, nothing was freed.</summary>
    public long Damaged { get; init; }

    /// <summary>The first of their failures.</summary>
    public IReadOnlyList<Hammer2Exception> Failures { get; init; } = [];

    /// <summary>Allocated blocks that became "possibly free".</summary>
    public long StagedBlocks { get; init; }

    /// <summary>Blocks that became free.</summary>
    public long FreedBlocks { get; init; }

    /// <summary>Bytes that became free.</summary>
    public long FreedBytes => FreedBlocks * FormatLimits.FreemapGranularity;

    /// <summary>"Possibly free" blocks that are in use and are allocated again.</summary>
    public long RestoredBlocks { get; init; }

    /// <summary>Blocks in use that the freemap called free: it was damaged, and is put right.</summary>
    public long CorrectedBlocks { get; init; }

    /// <summary>Unused blocks that changed hands during the pass and were left alone.</summary>
    public long KeptBlocks { get; init; }

    /// <summary>Blocks in the illegal state 01 that were left alone.</summary>
    public long ReservedBlocks { get; init; }

    /// <summary>Leaves that changed.</summary>
    public int LeavesChanged { get; init; }

    /// <summary>Leaves that cannot be read; their zones stay as they are.</summary>
    public int LeavesDamaged { get; init; }
}

/// <summary>What a pass may use.</summary>
internal sealed record BulkfreeOptions
{
    /// <summary>Memory for the walk.</summary>
    internal long MemoryBytesMax { get; init; } = 64L << 20;

    /// <summary>Blocksets that only memory knows and that are in use: files that are open and have no name any more.</summary>
    internal IReadOnlyList<BlockRef[]> OpenBlocksets { get; init; } = [];

    /// <summary>
    /// Super-roots of older header copies: what they lead to is taken for used as far as it can be read. Damage there
    /// proves nothing, since blocks of old states may have been given out again.
    /// </summary>
    internal IReadOnlyList<BlockRef[]> OlderSuperRoots { get; init; } = [];

    /// <summary>Called between zones when many changed leaves are in memory; commits the volume.</summary>
    internal Action? Commit { get; init; }

    /// <summary>Changed leaves in memory that call for a commit.</summary>
    internal int DirtyLeavesMax { get; init; } = 1024;

    /// <summary>Told now and then.</summary>
    internal IProgress<BulkfreeProgress>? Progress { get; init; }
}

/// <summary>One pass of bulkfree, or a rebuild.</summary>
internal sealed class Bulkfree : IDisposable
{
    private const int VisitedShare = 4;
    private const int WindowZonesMin = 4;
    private readonly BlockReader _reader;
    private readonly FreemapAllocator _allocator;
    private readonly BlockRef[] _superRoot;
    private readonly ILogger _logger;
    private readonly BulkfreeOptions _options;
    private readonly MergeCounts _merged = new();
    private readonly UsageCounts _counts = new();
    private int _windows;

    /// <summary>
    /// Prepares a pass over the tree of the last freeze. From here on the allocator remembers which blocks change hands:
    /// make this object while the commit gate is closed, or while nothing else can commit; dispose it when done.
    /// </summary>
    /// <param name="reader">Reads the trees.</param>
    /// <param name="superRoot">Super-root blockset of the header of the last freeze; must be durable before <see cref="Run"/>.</param>
    /// <param name="allocator">The live freemap.</param>
    /// <param name="logger">Told of damage.</param>
    /// <param name="options">Limits and callbacks.</param>
    /// <exception cref="Hammer2Exception"><c>InUse</c>: another pass is running.</exception>
    internal Bulkfree(BlockReader reader, ReadOnlySpan<BlockRef> superRoot, FreemapAllocator allocator, ILogger logger, BulkfreeOptions? options = null)
    {
        _reader = reader;
        _superRoot = superRoot.ToArray();
        _allocator = allocator;
        _logger = logger;
        _options = options ?? new BulkfreeOptions();
        allocator.BeginPass();
    }

    /// <summary>Walks and merges all windows. The changes become durable with the next commit.</summary>
    /// <exception cref="OperationCanceledException">The current window is unchanged.</exception>
    internal BulkfreeReport Run(CancellationToken stop = default)
    {
        RunWindows(MergeMode.Stage, stop);
        return Report();
    }

    /// <summary>
    /// Builds the whole freemap from what is in use, damaged leaves and nodes included. Only while nothing else allocates;
    /// when anything could not be read, blocks in use are marked and nothing is freed, and the report says so.
    /// </summary>
    /// <param name="begin">Told whether every block can be read, before anything changes; false leaves the freemap as it is.</param>
    /// <param name="stop">Stops before anything is merged, or between windows.</param>
    internal BulkfreeReport Rebuild(Func<bool, bool>? begin = null, CancellationToken stop = default)
    {
        // A first look at all windows: only if every block can be read may any zone be replaced.
        UsageMap? whole = Walk(0, stop);
        if (whole.EndZone < _allocator.ZoneCount)
        {
            whole = null;
            RunWindows(null, stop);
        }

        bool sound = _counts.Damaged == 0;
        if (begin is not null && !begin(sound))
            return Report();
        MergeMode mode = sound ? MergeMode.Replace : MergeMode.KeepAll;
        if (sound)
            _allocator.BeginRebuild();
        stop.ThrowIfCancellationRequested();
        if (whole is not null)
            Merge(whole, mode);
        else
            RunWindows(mode, stop);
        if (sound)
            _allocator.EndRebuild(_merged.Used);
        return Report();
    }

    public void Dispose() => _allocator.EndPass();

    private void RunWindows(MergeMode? mode, CancellationToken stop)
    {
        _windows = 0;
        _counts.References = 0;
        long zone = 0;
        while (zone < _allocator.ZoneCount)
        {
            UsageMap map = Walk(zone, stop);
            stop.ThrowIfCancellationRequested();
            if (mode is { } how)
                Merge(map, _counts.Damaged > 0 && how == MergeMode.Stage ? MergeMode.MarkOnly : how);
            zone = map.EndZone;
            _windows++;
        }
    }

    private UsageMap Walk(long firstZone, CancellationToken stop)
    {
        long visitedBytes = _options.MemoryBytesMax / VisitedShare;
        int zonesMax = (int)Math.Clamp((_options.MemoryBytesMax - visitedBytes) / ZoneUsage.MemoryBytes, WindowZonesMin, int.MaxValue / 2);
        var map = new UsageMap(firstZone, _allocator.ZoneCount, zonesMax);
        _counts.Damaged = 0;
        _counts.Failures.Clear();
        using var scan = new UsageScan(_reader, map, new VisitedBlocks(visitedBytes), _counts, c => Tell(firstZone, c), stop);
        scan.Run(_superRoot);
        foreach (BlockRef[] blockset in _options.OpenBlocksets)
            scan.RunUncommitted(blockset);
        if (_options.OlderSuperRoots.Count > 0)
            WalkOlder(scan);
        if (_counts.Damaged > 0 && _windows == 0)
        {
            _logger.LogWarning(
                "{Count} blocks cannot be read, so nothing is freed: what lies below them is not known. First: {Message}",
                _counts.Damaged, _counts.Failures[0].Message);
        }

        return map;
    }

    private void WalkOlder(UsageScan scan)
    {
        long damaged = _counts.Damaged;
        int failures = _counts.Failures.Count;
        foreach (BlockRef[] superRoot in _options.OlderSuperRoots)
            scan.Run(superRoot);
        _counts.Damaged = damaged;
        _counts.Failures.RemoveRange(failures, _counts.Failures.Count - failures);
    }

    private void Tell(long firstZone, UsageCounts counts) => _options.Progress?.Report(new BulkfreeProgress(
        _windows, (long)FreemapGeometry.KeyOf(firstZone), _reader.Volumes.Length, counts.References, counts.Damaged));

    // Zones that have a leaf, and zones in which something is in use though they have none.
    private void Merge(UsageMap map, MergeMode mode)
    {
        using IEnumerator<long> used = map.Zones.GetEnumerator();
        bool more = used.MoveNext();
        long leaf = _allocator.NextLeaf(map.FirstZone);
        while (more || leaf >= 0 && leaf < map.EndZone)
        {
            long zone = !more ? leaf : leaf < 0 || leaf >= map.EndZone ? used.Current : Math.Min(leaf, used.Current);
            _allocator.Merge(zone, map[zone], mode, _merged);
            if (more && used.Current == zone)
                more = used.MoveNext();
            if (leaf == zone)
                leaf = _allocator.NextLeaf(zone + 1);
            if (_options.Commit is { } commit && _allocator.DirtyLeaves > _options.DirtyLeavesMax)
                commit();
        }
    }

    private BulkfreeReport Report()
    {
        if (_merged.Corrected > 0)
            _logger.LogWarning("{Count} blocks of 16 KiB are in use and were free in the freemap; they are allocated now.", _merged.Corrected);
        return new BulkfreeReport
        {
            Windows = _windows,
            References = _counts.References,
            Damaged = _counts.Damaged,
            Failures = [.. _counts.Failures],
            StagedBlocks = _merged.Staged,
            FreedBlocks = _merged.Freed,
            RestoredBlocks = _merged.Restored,
            CorrectedBlocks = _merged.Corrected,
            KeptBlocks = _merged.Kept,
            ReservedBlocks = _merged.Reserved,
            LeavesChanged = _merged.LeavesChanged,
            LeavesDamaged = _merged.LeavesDamaged,
        };
    }
}
