// The other end of the device buffer: passes that carry everything pending to the devices. One pass at a time, ascending by
// address, in batches as large as the staging memory; a batch is immutable while it flies. The gate is not held during device
// I/O. A batch that a device refused becomes pending again, below whatever was written to the same units meanwhile.

using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Buffers;

internal sealed partial class DeviceBuffer
{
    private readonly List<long> _order = [];
    private readonly List<Pending> _batch = [];
    private readonly BackgroundPass _background;
    private bool _backgroundQueued;
    private bool _passing;
    private long _deviceWrites;
    private long _deviceWriteBytes;
    private long _deviceReads;

    /// <summary>Hands everything that was pending at the call to the devices; durable only after <see cref="Flush"/>.</summary>
    /// <exception cref="Hammer2Exception">A device failed; what it did not take is still pending.</exception>
    internal void WriteOut()
    {
        lock (_gate)
        {
            while (_passing)
                Monitor.Wait(_gate);
            ObjectDisposedException.ThrowIf(_disposed, this);
            RunPass();
        }
    }

    /// <summary>Returns when everything written before is on the media.</summary>
    /// <exception cref="Hammer2Exception">A device failed now or earlier: after a failure nobody knows what the medium holds.</exception>
    internal void Flush()
    {
        ThrowIfFailed();
        WriteOut();
        try
        {
            foreach (VolumeMember member in _volumes.Members)
                member.Device.Flush();
        }
        catch (Exception e) when (IsOfDevice(e))
        {
            throw Remember(e);
        }

        ThrowIfFailed();
    }

    private static bool IsOfDevice(Exception e) => e is IOException or UnauthorizedAccessException or ObjectDisposedException;

    private void ThrowIfFailed()
    {
        Hammer2Exception? failure = Failure;
        if (failure is not null)
            throw new Hammer2Exception(failure.Error, "An earlier write failed: " + failure.Message, failure);
    }

    private Hammer2Exception Remember(Exception e)
    {
        Hammer2Exception failure = e as Hammer2Exception ?? new Hammer2Exception(Hammer2Error.Io, e.Message, e);
        lock (_gate)
            Failure ??= failure;
        return failure;
    }

    // The gate is held at entry and exit, and left during I/O.
    private void RunPass()
    {
        Invariant.Check(!_passing);
        _passing = true;
        try
        {
            _order.Clear();
            foreach (Pending pending in _table.Values)
                _order.Add(pending.Base);
            _order.Sort();
            for (int at = 0; at < _order.Count;)
            {
                at = TakeBatch(at);
                FlyBatch();
            }
        }
        catch (Exception e) when (IsOfDevice(e))
        {
            throw Remember(e);
        }
        finally
        {
            _passing = false;
            Monitor.PulseAll(_gate);
        }
    }

    private int TakeBatch(int at)
    {
        _batch.Clear();
        int most = _staging.Bytes / BufferBytes;
        for (; at < _order.Count && _batch.Count < most; at++)
        {
            // A direct write in progress ends by itself and drops what it overlaps; only then is it clear what is left here.
            while (IsDirect((_order[at], _order[at] + BufferBytes)))
                Monitor.Wait(_gate);
            if (!_table.TryGetValue(_order[at], out Pending? pending) || pending.Memory is null)
                continue;
            (pending.FlyingMemory, pending.Flying) = (pending.Memory, pending.Valid);
            (pending.Memory, pending.Valid) = (null, 0);
            _batch.Add(pending);
        }

        return at;
    }

    private void FlyBatch()
    {
        bool landed = false;
        Monitor.Exit(_gate);
        try
        {
            foreach (Pending pending in _batch)
                WidenToSectors(pending);
            WriteRuns();
            landed = true;
        }
        finally
        {
            Monitor.Enter(_gate);
            foreach (Pending pending in _batch)
                Land(pending, landed);
            _batch.Clear();
            Monitor.PulseAll(_gate);
        }
    }

    private void Land(Pending pending, bool landed)
    {
        if (!landed && pending.Memory is null)
        {
            (pending.Memory, pending.Valid) = (pending.FlyingMemory, pending.Flying);
            pending.FlyingMemory = null;
        }
        else
        {
            if (!landed)
            {
                CopyUnits(pending.FlyingMemory, pending.Flying & ~pending.Valid, 0, BufferBytes, pending.Memory!.Span);
                pending.Valid |= pending.Flying;
            }

            GiveBack(ref pending.FlyingMemory);
        }

        pending.Flying = 0;
        pending.Written = 0;
        RemoveIfEmpty(pending);
    }

    // A device of sectors larger than 1 KiB takes whole ones only: the rest of a sector that is written in part is read.
    private void WidenToSectors(Pending pending)
    {
        pending.Written = pending.Flying;
        VolumeMember member = _volumes.MemberOf(pending.Base, BufferBytes);
        int sector = member.Device.SectorSize;
        if (sector <= UnitBytes)
            return;
        Invariant.Check(sector <= BufferBytes && BufferBytes % sector == 0);
        Span<byte> scratch = _staging.Slice(0, sector);
        for (int at = 0; at < BufferBytes; at += sector)
        {
            ulong units = Mask(at, sector);
            ulong missing = units & ~pending.Flying;
            if (missing == 0 || missing == units)
                continue;
            member.Device.Read(pending.Base + at - member.Start, scratch);
            while (NextRun(ref missing, out int first, out int count))
            {
                int start = first << UnitRadix;
                scratch.Slice(start - at, count << UnitRadix).CopyTo(pending.FlyingMemory!.Slice(start, count << UnitRadix));
            }

            pending.Written |= units;
            Interlocked.Increment(ref _deviceReads);
        }
    }

    // Pieces of the batch that touch each other go out with one call; a piece alone needs no copy.
    private void WriteRuns()
    {
        long start = -1;
        int staged = 0;
        Span<byte> alone = default;
        foreach (Pending pending in _batch)
        {
            ulong units = pending.Written;
            while (NextRun(ref units, out int first, out int count))
            {
                long at = pending.Base + (first << UnitRadix);
                Span<byte> piece = pending.FlyingMemory!.Slice(first << UnitRadix, count << UnitRadix);
                bool joins = staged > 0 && at == start + staged && _volumes.Contains((ulong)start, staged + piece.Length);
                if (!joins)
                {
                    if (staged > 0)
                        WriteToDevice(start, alone);
                    start = at;
                    staged = piece.Length;
                    alone = piece;
                    continue;
                }

                if (!alone.Overlaps(_staging.Span))
                    alone.CopyTo(_staging.Span);
                piece.CopyTo(_staging.Span[staged..]);
                staged += piece.Length;
                alone = _staging.Slice(0, staged);
            }
        }

        if (staged > 0)
            WriteToDevice(start, alone);
    }

    private void WriteToDevice(long offset, ReadOnlySpan<byte> bytes)
    {
        VolumeMember member = _volumes.MemberOf(offset, bytes.Length);
        member.Device.Write(offset - member.Start, bytes);
        Interlocked.Increment(ref _deviceWrites);
        Interlocked.Add(ref _deviceWriteBytes, bytes.Length);
    }

    // Called with the gate held, after bytes were added.
    private void StartBackground()
    {
        if (_buffers < _backgroundAt || _backgroundQueued || _passing || Failure is not null)
            return;
        _backgroundQueued = true;
        ThreadPool.UnsafeQueueUserWorkItem(_background, preferLocal: false);
    }

    // Writing begins before the budget is used up, so that encoding and the device work at the same time.
    private sealed class BackgroundPass(DeviceBuffer owner) : IThreadPoolWorkItem
    {
        public void Execute()
        {
            lock (owner._gate)
            {
                owner._backgroundQueued = false;
                if (owner._disposed || owner._passing)
                    return;
                try
                {
                    owner.RunPass();
                }
                catch (Hammer2Exception)
                {
                    // Remembered where it happened; the next flush throws it, and everything is still pending.
                    return;
                }
            }
        }
    }
}
