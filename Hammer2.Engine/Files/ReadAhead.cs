// Sequential read-ahead of one open file. A reader that goes forward finds the next blocks already read, verified
// and decoded by other cores. Work items are small, few and reused; they load blocks into the cache and nothing
// else, so a lost race or a failed load costs time but never changes what a reader gets.

using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Topology;

namespace Hammer2.Engine.Files;

/// <summary>Limits how much read-ahead of a volume is under way, and keeps its work items for reuse.</summary>
internal sealed class ReadAheadPool(BlockReader reader, int blocksMax)
{
    private const int RunBlocks = 8;
    private readonly Stack<Run> _free = new();
    private int _active;

    /// <summary>Blocks that a sequential reader is kept ahead; 0 = no read-ahead.</summary>
    internal int BlocksMax { get; } = blocksMax;

    /// <summary>Waits until nothing is under way; nothing new may be scheduled meanwhile.</summary>
    internal void Drain()
    {
        lock (_free)
        {
            while (_active > 0)
                Monitor.Wait(_free);
        }
    }

    /// <summary>Schedules the blocks <c>first..end</c> (exclusive) of a file, in runs.</summary>
    /// <returns>The first block that was not scheduled because enough is under way.</returns>
    internal ulong Schedule(InodeContent content, ulong first, ulong end)
    {
        int activeMax = 4 * Environment.ProcessorCount;
        while (first < end)
        {
            Run run;
            lock (_free)
            {
                if (_active >= activeMax)
                    return first;
                _active++;
                run = _free.Count > 0 ? _free.Pop() : new Run(this);
            }

            ulong stop = Math.Min(end, first + RunBlocks * (ulong)FormatLimits.LogicalBlockBytes);
            run.Start(content, first, stop);
            first = stop;
        }

        return first;
    }

    private void Finished(Run run)
    {
        lock (_free)
        {
            _active--;
            _free.Push(run);
            if (_active == 0)
                Monitor.PulseAll(_free);
        }
    }

    // The references are collected here, by the reader under its lock: the tree may change when the lock is released.
    private int Collect(InodeContent content, ulong first, ulong end, Span<BlockRef> refs, TreeDamage damage)
    {
        // Unreadable parts of the tree are the reader's to report, when it gets there.
        int count = content.Tree.Gather(reader, first, end - 1, refs, damage, out _);
        damage.Clear();
        int live = 0;
        for (int i = 0; i < count; i++)
        {
            if (refs[i].Type == BlockRefType.Data)
                refs[live++] = refs[i];
        }

        return live;
    }

    private sealed class Run(ReadAheadPool pool) : IThreadPoolWorkItem
    {
        private readonly BlockRef[] _refs = new BlockRef[RunBlocks];
        private readonly TreeDamage _damage = new();
        private int _count;
        private int _expectedBytes;

        internal void Start(InodeContent content, ulong first, ulong end)
        {
            _count = pool.Collect(content, first, end, _refs, _damage);
            _expectedBytes = FileReader.ExpectedBytes(first, content.Data.Size);
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }

        public void Execute()
        {
            try
            {
                pool.Load(_refs.AsSpan(0, _count), _expectedBytes);
            }
            finally
            {
                pool.Finished(this);
            }
        }
    }

    private void Load(Span<BlockRef> refs, int expectedBytes) => reader.Prefetch(refs, expectedBytes);
}

/// <summary>Notices sequential reading on one open file and keeps ahead of it.</summary>
internal sealed class ReadAhead(ReadAheadPool pool)
{
    // Kernels send the pieces of one sequential read side by side and slightly out of order.
    private const long OrderSlack = 1 << 20;
    private const int StreakMin = 2;
    private long _expected;
    private long _scheduled;
    private int _streak;

    /// <summary>Notes a read that is about to be made and schedules what should follow it.</summary>
    internal void Note(InodeContent content, long offset, int length)
    {
        long size = (long)content.Data.Size;
        if (pool.BlocksMax == 0 || size <= FormatLimits.LogicalBlockBytes || content.Embedded is not null)
            return;
        // Offsets come from programs and sizes from the medium: keep every sum below inside 0..size.
        if (offset < 0 || offset >= size)
            return;
        // Racing readers of one handle may lose a note; the next read makes up for it.
        long expected = Volatile.Read(ref _expected);
        long end = offset + Math.Min(length, size - offset);
        if (Math.Abs(offset - expected) > OrderSlack)
        {
            Volatile.Write(ref _expected, end);
            Volatile.Write(ref _scheduled, end);
            _streak = 0;
            return;
        }

        Volatile.Write(ref _expected, Math.Max(expected, end));
        if (++_streak < StreakMin)
            return;

        long window = (long)pool.BlocksMax * FormatLimits.LogicalBlockBytes;
        long scheduled = Math.Max(Volatile.Read(ref _scheduled), end);
        if (scheduled >= size || scheduled - end > window / 2)
            return;
        long target = end + Math.Min(window, size - end);
        ulong first = (ulong)scheduled & ~(ulong)(FormatLimits.LogicalBlockBytes - 1);
        Volatile.Write(ref _scheduled, target);
        ulong reached = pool.Schedule(content, first, (ulong)target);
        if (reached < (ulong)target)
            Volatile.Write(ref _scheduled, (long)reached);
    }
}
