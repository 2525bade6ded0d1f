// What an open volume has done since it was opened. Invariants: counting allocates nothing and takes no lock; each processor
// has a cache line of its own, so that counting threads do not meet; a sum is exact once nobody counts. Calls nothing.

using System.Runtime.InteropServices;

namespace Hammer2.Engine.Primitives;

/// <summary>Counters that many threads add to.</summary>
internal sealed class VolumeCounters
{
    private const int LineBytes = 128;
    private readonly Line[] _lines = new Line[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Clamp(Environment.ProcessorCount, 1, 64))];
    private long _commitTicks, _lastCommitTicks;

    internal void Read(int bytes)
    {
        ref Line line = ref Mine;
        Interlocked.Increment(ref line.Reads);
        Interlocked.Add(ref line.ReadBytes, bytes);
    }

    internal void Wrote(int bytes) => Interlocked.Add(ref Mine.WrittenBytes, bytes);

    internal void Changed() => Interlocked.Increment(ref Mine.Changes);

    /// <summary>A commit reached the medium.</summary>
    internal void Committed(TimeSpan duration)
    {
        Interlocked.Add(ref _commitTicks, duration.Ticks);
        Interlocked.Exchange(ref _lastCommitTicks, duration.Ticks);
    }

    internal (long Reads, long ReadBytes, long Changes, long WrittenBytes) Sum()
    {
        (long Reads, long ReadBytes, long Changes, long WrittenBytes) sum = default;
        for (int i = 0; i < _lines.Length; i++)
        {
            ref Line line = ref _lines[i];
            sum.Reads += Interlocked.Read(ref line.Reads);
            sum.ReadBytes += Interlocked.Read(ref line.ReadBytes);
            sum.Changes += Interlocked.Read(ref line.Changes);
            sum.WrittenBytes += Interlocked.Read(ref line.WrittenBytes);
        }

        return sum;
    }

    internal TimeSpan CommitTime => TimeSpan.FromTicks(Interlocked.Read(ref _commitTicks));

    internal TimeSpan LastCommit => TimeSpan.FromTicks(Interlocked.Read(ref _lastCommitTicks));

    private ref Line Mine => ref _lines[Thread.GetCurrentProcessorId() & (_lines.Length - 1)];

    [StructLayout(LayoutKind.Sequential, Size = LineBytes)]
    private struct Line
    {
        public long Reads, ReadBytes, Changes, WrittenBytes;
    }
}
