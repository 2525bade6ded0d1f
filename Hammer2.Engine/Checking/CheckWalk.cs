// What the threads of a check share: the work, the findings, the map of used bytes, the counters. Runs one tree at a time:
// the caller's thread begins alone, and others join when there is work for them, so that small volumes cost no threads.

using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Checking;

/// <summary>An indirect block to visit.</summary>
internal readonly record struct CheckItem(BlockRef Ref, TreeContext Context);

/// <summary>Whose blocks these are.</summary>
/// <param name="Pfs">PFS, or null in the super-root's tree.</param>
/// <param name="Kind">Kind of the tree.</param>
/// <param name="Inode">Inode that holds the tree.</param>
/// <param name="Size">Its size, of files.</param>
/// <param name="Depth">Levels of indirect blocks above.</param>
/// <param name="Known">Another PFS led here before: data below is checked already.</param>
internal readonly record struct TreeContext(PfsScan? Pfs, TreeKind Kind, ulong Inode, ulong Size, int Depth, bool Known)
{
    internal Place Place => new(Pfs, Inode);
}

/// <summary>What was looked at.</summary>
internal sealed class CheckCounters
{
    internal long Inodes;
    internal long Dirents;
    internal long Indirects;
    internal long DataBlocks;
    internal long Bytes;

    /// <summary>Adds the other's counts and clears it.</summary>
    internal void Take(CheckCounters other)
    {
        Inodes += other.Inodes;
        Dirents += other.Dirents;
        Indirects += other.Indirects;
        DataBlocks += other.DataBlocks;
        Bytes += other.Bytes;
        (other.Inodes, other.Dirents, other.Indirects, other.DataBlocks, other.Bytes) = (0, 0, 0, 0, 0);
    }
}

/// <summary>The shared part of a check's walk.</summary>
internal sealed class CheckWalk
{
    private readonly CheckOptions _options;
    private readonly IProgress<CheckProgress>? _progress;
    private readonly Lock _gate = new();
    private readonly List<Thread> _threads = [];
    private WorkStack<CheckItem> _work = new();
    private Exception? _failure;

    internal CheckWalk(
        VolumeSet volumes, VolumeHeader header, FindingList findings, CheckOptions options, IProgress<CheckProgress>? progress, CancellationToken cancel)
    {
        Volumes = volumes;
        Header = header;
        Findings = findings;
        _options = options;
        _progress = progress;
        Cancel = cancel;
        Refs = new BlockRefRules(findings, volumes, header);
        Inodes = new InodeRules(findings);
    }

    internal VolumeSet Volumes { get; }

    internal VolumeHeader Header { get; }

    internal FindingList Findings { get; }

    internal BlockRefRules Refs { get; }

    internal InodeRules Inodes { get; }

    internal UsageMap Usage { get; } = new();

    internal CancellationToken Cancel { get; }

    internal bool WithData => _options.Data;

    /// <summary>The PFSs, found while the super-root's tree was walked.</summary>
    internal List<PfsScan> Pfs { get; } = [];

    /// <summary>The super-root inode, once it was read.</summary>
    internal (BlockRef Ref, BlockRef[] Blockset)? SuperRoot { get; set; }

    internal CheckCounters Totals { get; } = new();

    /// <summary>Walks what lies below an array of references, with all threads that have something to do.</summary>
    internal void Run(BlockRef parent, BlockRef[] roots, TreeContext context)
    {
        _work = new WorkStack<CheckItem>();
        using (var worker = new CheckWorker(this, leads: true))
        {
            worker.Begin(roots, parent, context);
            worker.Run(_work);
        }

        foreach (Thread thread in _threads)
            thread.Join();
        _threads.Clear();
        Cancel.ThrowIfCancellationRequested();
        if (_failure is not null)
            throw new Hammer2Exception(Hammer2Error.Io, $"The check stopped: {_failure.Message}", _failure);
    }

    internal void Put(in CheckItem item) => _work.Put(item);

    internal void StopAll() => _work.Stop();

    /// <summary>Adds a worker's counters; tells the progress.</summary>
    internal void Report(CheckCounters local)
    {
        CheckProgress now;
        lock (_gate)
        {
            Totals.Take(local);
            now = new CheckProgress(Totals.Inodes + Totals.Indirects + Totals.DataBlocks, Totals.Bytes, Findings.Total);
        }

        _progress?.Report(now);
    }

    /// <summary>A PFS was found.</summary>
    internal void Add(PfsScan pfs)
    {
        lock (_gate)
            Pfs.Add(pfs);
    }

    /// <summary>Called by the worker on the caller's thread when it sees more work than it can do soon.</summary>
    internal void WantHelp()
    {
        int count = _options.Workers > 0 ? _options.Workers : Environment.ProcessorCount;
        lock (_gate)
        {
            while (_threads.Count < count - 1)
            {
                WorkStack<CheckItem> work = _work;
                var thread = new Thread(() => Help(work)) { Name = $"check {_threads.Count + 1}", IsBackground = true };
                _threads.Add(thread);
                thread.Start();
            }
        }
    }

    private void Help(WorkStack<CheckItem> work)
    {
        try
        {
            using var worker = new CheckWorker(this, leads: false);
            worker.Run(work);
        }
#pragma warning disable CA1031 // whatever ends a thread is carried to the caller's
        catch (Exception e)
#pragma warning restore CA1031
        {
            Interlocked.CompareExchange(ref _failure, e, null);
            work.Stop();
        }
    }
}
