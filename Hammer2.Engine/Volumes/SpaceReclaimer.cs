// Bulkfree of a live volume (format page 9.8): two passes over the committed trees with commits between them, by
// request, in the background when space gets low, and when an operation finds none. Operations go on meanwhile. What
// a program still holds open without a name is told to each pass, since no committed tree knows it any more.

using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Transactions;
using Microsoft.Extensions.Logging;

namespace Hammer2.Engine.Volumes;

/// <summary>Finds space that nothing refers to any more.</summary>
internal sealed class SpaceReclaimer : IDisposable
{
    // What a commit replaces besides the metadata that operations were charged with; file data is noted exactly.
    private const long CommitGarbageBytes = 64 << 10;
    private const long WorthwhileBytesMin = 512 << 10;
    private const int WorthwhileShare = 128;
    private const long PoolScanBytes = 16L << 20;
    private readonly BlockReader _reader;
    private readonly BlockWriter _writer;
    private readonly FreemapAllocator _freemap;
    private readonly Committer _committer;
    private readonly Func<IReadOnlyList<BlockRef[]>> _openBlocksets;
    private readonly ILogger _logger;
    private readonly object _gate = new();
    private readonly CancellationTokenSource _stop = new();
    private Task _background = Task.CompletedTask;

    // Nothing is known of what was deleted before the volume was opened: the first look is always worth while.
    private long _noted = long.MaxValue / 2;
    private long _commitsSeen;
    private long _metadataSeen;

    internal SpaceReclaimer(
        BlockReader reader, BlockWriter writer, FreemapAllocator freemap, Committer committer, Func<IReadOnlyList<BlockRef[]>> openBlocksets, ILogger logger)
    {
        _reader = reader;
        _writer = writer;
        _freemap = freemap;
        _committer = committer;
        _openBlocksets = openBlocksets;
        _logger = logger;
    }

    private bool IsWorthwhile
    {
        get
        {
            long garbage = Interlocked.Read(ref _noted)
                + (_committer.Commits - Interlocked.Read(ref _commitsSeen)) * CommitGarbageBytes
                + _committer.MetadataWritten - Interlocked.Read(ref _metadataSeen);
            return garbage >= Math.Max(WorthwhileBytesMin, _freemap.AllocatableBytes / WorthwhileShare);
        }
    }

    /// <summary>Notes that so many bytes lost a reference.</summary>
    internal void Note(ulong bytes) => Interlocked.Add(ref _noted, (long)Math.Min(bytes, 1UL << 50));

    /// <summary>Two passes, each made durable.</summary>
    /// <returns>The sums of both.</returns>
    /// <exception cref="OperationCanceledException">What was freed until then stays free.</exception>
    internal BulkfreeReport Run(IProgress<BulkfreeProgress>? progress, CancellationToken stop)
    {
        lock (_gate)
        {
            Interlocked.Exchange(ref _noted, 0);
            Interlocked.Exchange(ref _commitsSeen, _committer.Commits);
            Interlocked.Exchange(ref _metadataSeen, _committer.MetadataWritten);
            using var both = CancellationTokenSource.CreateLinkedTokenSource(stop, _stop.Token);
            BulkfreeReport first = Pass(progress, both.Token);
            BulkfreeReport second = Pass(progress, both.Token);
            _logger.LogInformation("Bulkfree: {Bytes} bytes became free, {Damaged} blocks could not be read.", second.FreedBytes + first.FreedBytes, second.Damaged);
            return second with
            {
                StagedBlocks = first.StagedBlocks + second.StagedBlocks,
                FreedBlocks = first.FreedBlocks + second.FreedBlocks,
                RestoredBlocks = first.RestoredBlocks + second.RestoredBlocks,
                CorrectedBlocks = first.CorrectedBlocks + second.CorrectedBlocks,
            };
        }
    }

    /// <summary>For an operation that found no space; the caller holds no lock.</summary>
    /// <param name="level">What for: before removing is refused, a look is taken whatever the estimate says.</param>
    /// <returns>True when something became free, also by another thread meanwhile.</returns>
    internal bool FindSpace(ClaimLevel level)
    {
        long before = _freemap.FreeBytes;
        lock (_gate)
        {
            if (_freemap.FreeBytes > before)
                return true;
            if (level != ClaimLevel.Remove && !IsWorthwhile)
                return false;
            try
            {
                return Run(null, CancellationToken.None).FreedBlocks > 0;
            }
            catch (Exception e) when (e is OperationCanceledException or Hammer2Exception)
            {
                _logger.LogWarning("No space was found: {Message}", e.Message);
                return false;
            }
        }
    }

    /// <summary>
    /// Finds what is not in use of the segment that the freemap keeps out of reach, and gives it to the allocator for emergencies.
    /// Nothing is freed meanwhile, so what the walk meets is what it was; what is dropped meanwhile counts as used.
    /// </summary>
    /// <returns>False when there is no such space, or a tree cannot be read and might refer to it.</returns>
    internal bool FindPool(CancellationToken stop = default)
    {
        lock (_gate)
        {
            if (_freemap.HasPool)
                return true;
            if (_freemap.PoolZone is not long zone)
                return false;
            IReadOnlyList<BlockRef[]> open = [];
            BlockRef[] frozen = [], durable = [];
            _committer.RunExclusive(header =>
            {
                open = _openBlocksets();
                frozen = header.SuperRoot.ToArray();
                durable = _committer.Header.SuperRoot.ToArray();
            });
            var map = new UsageMap(zone, zone + 1, 1);
            var counts = new UsageCounts();
            using var scan = new UsageScan(_reader, map, new VisitedBlocks(PoolScanBytes), counts, null, stop);
            scan.Run(frozen);
            scan.Run(durable);
            foreach (BlockRef[] blockset in open)
                scan.RunUncommitted(blockset);
            if (counts.Damaged > 0)
            {
                _logger.LogWarning("Emergency mode has no space of its own: {Count} blocks cannot be read, the first: {Message}", counts.Damaged, counts.Failures[0].Message);
                return false;
            }

            _freemap.SetPool(map[zone]);
            return true;
        }
    }

    /// <summary>Starts a run in the background when space is low and one may help.</summary>
    internal void RunIfLow()
    {
        if (_freemap.FreeBytes >= 2 * _freemap.ReserveBytes || !IsWorthwhile || !_background.IsCompleted || _stop.IsCancellationRequested)
            return;
        _background = Task.Run(() => FindSpace(ClaimLevel.Write));
    }

    public void Dispose()
    {
        _stop.Cancel();
        _background.Wait();
        _stop.Dispose();
    }

    private BulkfreeReport Pass(IProgress<BulkfreeProgress>? progress, CancellationToken stop)
    {
        stop.ThrowIfCancellationRequested();
        _committer.Commit();
        Bulkfree? pass = null;
        _committer.RunExclusive(frozen =>
        {
            // Blocks that are written from here on are "touched" and left alone, so what deduplication still knows may go.
            _writer.Dedup?.Clear();
            pass = new Bulkfree(_reader, frozen.SuperRoot, _freemap, _logger, new BulkfreeOptions
            {
                OpenBlocksets = _openBlocksets(),
                Commit = _committer.Commit,
                Progress = progress,
            });
        });
        using (pass)
        {
            // The frozen state that the pass walks must be on the medium, or a power cut would leave an older one.
            _committer.Commit();
            BulkfreeReport report = pass!.Run(stop);
            _committer.Commit();
            return report;
        }
    }
}
