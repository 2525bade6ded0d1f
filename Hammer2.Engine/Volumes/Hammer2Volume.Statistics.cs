// What the volume has done since it was opened, for whoever watches it. Invariant: asking costs a few dozen reads of memory and
// disturbs nobody; the numbers are each exact and together of nearly one moment.

using Hammer2.Engine.Buffers;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Volumes;

/// <summary>Counters since a volume was opened, and levels as they are now.</summary>
/// <param name="Reads">Reads of files.</param>
/// <param name="ReadBytes">Bytes that they returned.</param>
/// <param name="Changes">Operations that change the volume, writes included.</param>
/// <param name="WrittenBytes">Bytes written to files.</param>
/// <param name="CacheHits">Blocks found in memory.</param>
/// <param name="CacheMisses">Blocks read from the medium.</param>
/// <param name="CacheBytes">Memory of the cache in use.</param>
/// <param name="Commits">Commits that reached the medium.</param>
/// <param name="CommitTime">How long all of them took together.</param>
/// <param name="LastCommit">How long the last one took.</param>
/// <param name="DirtyBytes">What waits in memory to be written.</param>
/// <param name="FreeBytes">Free space.</param>
/// <param name="TotalBytes">Usable space.</param>
public sealed record VolumeStatistics(
    long Reads,
    long ReadBytes,
    long Changes,
    long WrittenBytes,
    long CacheHits,
    long CacheMisses,
    long CacheBytes,
    long Commits,
    TimeSpan CommitTime,
    TimeSpan LastCommit,
    long DirtyBytes,
    long FreeBytes,
    long TotalBytes);

public sealed partial class Hammer2Volume
{
    /// <summary>A snapshot of the counters.</summary>
    public VolumeStatistics Statistics
    {
        get
        {
            (long reads, long readBytes, long changes, long writtenBytes) = Counters.Sum();
            CacheStatistics cache = CacheStatistics;
            return new VolumeStatistics(
                reads, readBytes, changes, writtenBytes, cache.Hits, cache.Misses, cache.Bytes, Commits, Counters.CommitTime, Counters.LastCommit, Writer?.Committer.Budget.Bytes ?? 0, FreeBytes, TotalBytes);
        }
    }

    internal VolumeCounters Counters { get; } = new();
}
