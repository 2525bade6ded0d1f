// What a writable volume has beyond a readable one: buffers, allocator, block writer and the commit machinery, wired
// together; and what a commit writes: the changed PFSs, then the super-root that holds them. Dispose commits nothing.

using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Files;
using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Topology;
using Hammer2.Engine.Transactions;
using Microsoft.Extensions.Logging;

namespace Hammer2.Engine.Volumes;

/// <summary>The writing half of a volume.</summary>
internal sealed class VolumeWriter : ICommitSource, IDisposable
{
    private const long FreemapBytesMax = 16 << 20;
    private const long DeviceBufferBytesMin = 2 << 20;
    private const long DeviceBufferBytesMax = 64 << 20;
    private readonly TransactionIds _tids;
    private readonly SuperRoot _superRoot;
    private readonly DeviceBuffer _buffer;
    private readonly object _gate = new();
    private readonly List<PfsState> _mounted = [];
    private readonly List<RootChange> _rootChanges = [];
    private readonly List<BlockRef[]> _held = [];

    internal VolumeWriter(
        VolumeSet volumes, BlockReader reader, DeviceBuffer buffer, SuperRoot superRoot, TransactionIds tids, VolumeOptions options, ILogger logger)
    {
        _tids = tids;
        _superRoot = superRoot;
        _buffer = buffer;
        var budget = new DirtyBudget(Math.Max(options.DirtyBytesMax, 1 << 20));
        tids.BeginWriting(superRoot.ModifyTid);
        superRoot.GuardLoaded();
        Freemap = new FreemapAllocator(reader, volumes.Header, logger, FreemapBytesMax);
        Blocks = new BlockWriter(reader, buffer, Freemap, options.LiveDedup ? new DedupTable() : null);
        Pool = new DirtyBlockPool(budget);
        Data = new DataWriteOut(reader, Blocks, Freemap, tids, Pool);
        Committer = new Committer(volumes, buffer, Blocks, Freemap, tids, budget, logger);
        Committer.Attach(this);
        Committer.MediumChanged = reader.Cache.Clear;
        Space = new SpaceReclaimer(reader, Blocks, Freemap, Committer, CollectRemoved, logger);
        Committer.FindSpace = Space.FindSpace;
        Committer.SpaceIsChecked = Space.RunIfLow;
        Data.Replaced = Space.Note;
    }

    internal FreemapAllocator Freemap { get; }

    internal BlockWriter Blocks { get; }

    internal DirtyBlockPool Pool { get; }

    internal DataWriteOut Data { get; }

    internal Committer Committer { get; }

    internal SpaceReclaimer Space { get; }

    /// <summary>Mirror TID of what changes now.</summary>
    internal ulong OpenTid => _tids.OpenTid;

    /// <summary>A fresh modify TID.</summary>
    internal ulong NextModifyTid() => _tids.NextModifyTid();

    /// <summary>Bytes of the device buffer for a budget of dirty data.</summary>
    internal static long BufferBytes(VolumeOptions options) =>
        Math.Clamp(options.DirtyBytesMax / 4, DeviceBufferBytesMin, DeviceBufferBytesMax);

    /// <summary>Makes a PFS part of every commit.</summary>
    internal void Add(PfsState pfs)
    {
        lock (_gate)
            _mounted.Add(pfs);
    }

    /// <summary>A PFS whose state was dropped; it has nothing to write.</summary>
    internal void Remove(PfsState pfs)
    {
        lock (_gate)
            _mounted.Remove(pfs);
    }

    /// <summary>Inside an operation: changes of the super-root for the next commit.</summary>
    internal void Enter(params ReadOnlySpan<RootChange> changes)
    {
        lock (_gate)
            _rootChanges.AddRange(changes);
    }

    /// <summary>Keeps bulkfree from what a blockset refers to, though later commits may drop it; no operation is running.</summary>
    internal void Hold(BlockRef[] blockset)
    {
        lock (_gate)
            _held.Add(blockset);
    }

    /// <summary>The blockset that was held is not needed any more.</summary>
    internal void LetGo(BlockRef[] blockset)
    {
        lock (_gate)
            _held.Remove(blockset);
    }

    private List<BlockRef[]> CollectRemoved()
    {
        lock (_gate)
            return [.. _mounted.SelectMany(p => p.Index.CollectRemoved()), .. _held];
    }

    /// <inheritdoc/>
    public bool HasChanges
    {
        get
        {
            if (Data.HasWork)
                return true;
            lock (_gate)
                return _rootChanges.Count > 0 || _mounted.Exists(p => p.Index.HasChanges);
        }
    }

    /// <inheritdoc/>
    public void WriteOut() => Data.Run();

    /// <inheritdoc/>
    public void Freeze(in TreeFlush flush, Span<BlockRef> superRoot)
    {
        Data.Run();
        PfsState[] mounted;
        RootChange[] changes;
        lock (_gate)
        {
            mounted = [.. _mounted];
            changes = [.. _rootChanges];
            _rootChanges.Clear();
        }

        var changed = new List<BlockRef>();
        foreach (PfsState pfs in mounted)
        {
            if (pfs.Index.HasChanges)
                changed.Add(pfs.Index.Freeze(flush, _tids.NextModifyTid));
        }

        _superRoot.Freeze(changed, changes, flush, _tids.NextModifyTid(), superRoot);
    }

    public void Dispose()
    {
        Space.Dispose();
        Committer.Dispose();
        Blocks.Dispose();
        _buffer.Dispose();
        Pool.Dispose();
    }
}
