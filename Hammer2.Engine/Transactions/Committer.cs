// Commits: everything that changed becomes durable at once, or not at all. Data is written out while operations go on;
// then the gate is closed for the short freeze, in which topology and freemap are written and the next header is made;
// then the gate opens, and barrier, header, barrier follow in this order. Those who ask for a commit while one is
// running share the next one. After a failure nothing is written any more and no change is accepted, but what is in
// memory stays readable. Locks: commit gate, then everything else.

using System.Diagnostics;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Topology;
using Microsoft.Extensions.Logging;

namespace Hammer2.Engine.Transactions;

/// <summary>The commit machinery of one writable volume.</summary>
internal sealed partial class Committer
{
    private readonly VolumeSet _volumes;
    private readonly DeviceBuffer _buffer;
    private readonly BlockWriter _writer;
    private readonly FreemapAllocator _freemap;
    private readonly TransactionIds _tids;
    private readonly ILogger _logger;
    private readonly VolumeHeaderWriter _headers;
    private readonly ReaderWriterLockSlim _gate = new(LockRecursionPolicy.NoRecursion);
    private readonly object _state = new();
    private ICommitSource? _source;
    private Hammer2Exception? _failure;
    private bool _running;
    private bool _headerIsWanted;
    private long _frozen;
    private long _completed;

    /// <summary>The header of the last freeze; guarded by the commit gate.</summary>
    private VolumeHeader _lastFrozen;

    /// <summary>Claims of metadata that the next freeze turns into blocks; guarded by the state lock.</summary>
    private SpaceClaim _metadataClaim;
    private long _metadataBytes;

    internal Committer(
        VolumeSet volumes, DeviceBuffer buffer, BlockWriter writer, FreemapAllocator freemap, TransactionIds tids, DirtyBudget budget, ILogger logger)
    {
        _volumes = volumes;
        _buffer = buffer;
        _writer = writer;
        _freemap = freemap;
        _tids = tids;
        _logger = logger;
        Budget = budget;
        _headers = new VolumeHeaderWriter(volumes);
        _lastFrozen = _headers.Current;
        _lastLook = DateTime.UtcNow;
    }

    /// <summary>Memory that waits to be written.</summary>
    internal DirtyBudget Budget { get; }

    /// <summary>Of the volume.</summary>
    internal VolumeCounters? Counters { get; set; }

    /// <summary>Why no change is accepted any more, or null.</summary>
    internal Hammer2Exception? Failure => Volatile.Read(ref _failure);

    /// <summary>The header of the newest commit.</summary>
    internal VolumeHeader Header => _headers.Current;

    /// <summary>Commits that reached the medium.</summary>
    internal long Commits => Interlocked.Read(ref _commits);

    private long _commits;

    /// <summary>Bytes of metadata that commits wrote anew; nearly all of it replaced an older block.</summary>
    internal long MetadataWritten => Interlocked.Read(ref _metadataWritten);

    private long _metadataWritten;

    internal void Attach(ICommitSource source) => _source = source;

    /// <summary>A repair sets fields of the header that no ordinary commit changes; null otherwise.</summary>
    internal Action<VolumeHeaderBuilder>? AmendHeader { get; set; }

    /// <summary>Header slots that are still to be replaced, after <see cref="SpareValidHeaders"/>.</summary>
    internal int DamagedHeaders => _headers.DamagedSlots;

    /// <summary>For a repair: commits go into damaged header slots first, and spare the copy of one commit as long as there is another.</summary>
    internal void SpareValidHeaders(IEnumerable<int> damaged, ulong keptTid) => _headers.SpareValidCopies(damaged, keptTid);

    /// <summary>Commits also when nothing changed: a new header and nothing else.</summary>
    internal void CommitHeader()
    {
        Volatile.Write(ref _headerIsWanted, true);
        Commit();
    }

    /// <summary>Makes everything durable that was changed before the call.</summary>
    /// <exception cref="Hammer2Exception">It is not durable; the volume is latched.</exception>
    internal void Commit()
    {
        long wanted;
        lock (_state)
            wanted = _frozen + 1;
        while (true)
        {
            lock (_state)
            {
                while (_running && _completed < wanted && _failure is null)
                    Monitor.Wait(_state);
                if (_completed >= wanted)
                    return;
                ThrowIfFailed();
                _running = true;
            }

            RunOne();
        }
    }

    /// <summary>Refuses all further changes because of a failure; the first one counts.</summary>
    internal void Latch(Hammer2Exception failure)
    {
        if (Interlocked.CompareExchange(ref _failure, failure, null) is not null)
            return;
        _logger.LogError("The volume is read-only from now on: {Message}", failure.Message);
        Budget.Open();
        lock (_state)
            Monitor.PulseAll(_state);
    }

    internal void ThrowIfFailed()
    {
        if (Failure is Hammer2Exception failure)
            throw new Hammer2Exception(failure.Error, $"The volume takes no more changes since an earlier failure: {failure.Message}", failure);
    }

    private void RunOne()
    {
        try
        {
            ThrowIfFailed();
            LookAtMedium();
            long begun = Stopwatch.GetTimestamp();
            _source!.WriteOut();
            VolumeHeader? header = Freeze(out long number);
            if (header is not null)
            {
                _headers.WriteSpare(header);
                _buffer.Flush();
                lock (_look)
                    _headers.Write(header);
                Interlocked.Increment(ref _commits);
                Counters?.Committed(Stopwatch.GetElapsedTime(begun));
                _lastLook = DateTime.UtcNow;
            }

            lock (_state)
                _completed = number;
        }
        catch (Exception e)
        {
            Latch(e as Hammer2Exception ?? new Hammer2Exception(Hammer2Error.Io, $"A commit failed: {e.Message}", e));
            throw;
        }
        finally
        {
            lock (_state)
            {
                _running = false;
                Monitor.PulseAll(_state);
            }
        }
    }

    // The short end: no operation runs. Returns the header to write, or null when nothing changed.
    private VolumeHeader? Freeze(out long number)
    {
        _gate.EnterWriteLock();
        try
        {
            lock (_state)
                number = ++_frozen;
            ThrowIfFailed();
            if (!_source!.HasChanges && !_freemap.IsDirty && !Volatile.Read(ref _headerIsWanted))
                return null;
            Volatile.Write(ref _headerIsWanted, false);
            ulong mirrorTid = _tids.OpenTid;
            var header = new VolumeHeaderBuilder(_lastFrozen);

            // Also when only the freemap changed: a new super-root makes sector 1 of the header new. Its CRC in sector 0 is
            // then what finds a torn header, for the CRC of the whole cannot: it is blind to sector 0, which carries a CRC
            // of its own at its end and so leaves the same remainder whatever it contains.
            _source.Freeze(new TreeFlush(_writer, mirrorTid, _tids.Accept), header.SuperRoot);
            ReleaseMetadata();
            _freemap.Freeze(mirrorTid, _tids.NextModifyTid(), WriteFreemap, header.Freemap);
            header.AllocatorFree = (ulong)_freemap.FreeBytes;
            header.MirrorTid = mirrorTid;
            header.FreemapTid = mirrorTid;
            AmendHeader?.Invoke(header);
            _tids.Advance();
            return _lastFrozen = header.ToHeader();
        }
        finally
        {
            _gate.ExitWriteLock();
        }
    }

    private void WriteFreemap(long address, ReadOnlyMemory<byte> block) => _buffer.Write(address, block.Span);

    private void ReleaseMetadata()
    {
        lock (_state)
        {
            _freemap.Release(_metadataClaim);
            _metadataClaim = default;
            Budget.Remove(_metadataBytes);
            Interlocked.Add(ref _metadataWritten, _metadataBytes);
            _metadataBytes = 0;
        }
    }
}
