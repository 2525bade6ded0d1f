// The write-back buffer of physical bytes: blocks are copied into pending 64 KiB device buffers and reach the medium in few
// large runs, ascending by address, adjacent pieces joined. Invariants: nothing is read before a write (each buffer knows
// which 1 KiB units it holds, only those are written); bytes being written never change, a newer write of the same range is
// a new version that reaches the medium after them; readers see the newest bytes; what a device refused stays pending;
// memory never exceeds the budget: a writer that finds it used up writes out. May call Devices, Format, Primitives.

using System.Numerics;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Buffers;

/// <summary>Counters of a device buffer since it was made.</summary>
/// <param name="DeviceWrites">Write calls to devices.</param>
/// <param name="DeviceWriteBytes">Bytes that they carried.</param>
/// <param name="DeviceReads">Read calls to devices that writing needed: only of sectors that were partly written.</param>
/// <param name="PendingBytes">Memory of pending buffers now.</param>
internal readonly record struct DeviceBufferStatistics(long DeviceWrites, long DeviceWriteBytes, long DeviceReads, long PendingBytes);

/// <summary>Gathers the dirty blocks of everybody into few large ordered writes.</summary>
internal sealed partial class DeviceBuffer : IDisposable
{
    private const int BufferBytes = FormatLimits.BlockBytesMax;
    private const int UnitRadix = FormatLimits.AllocationRadixMin;
    private const int UnitBytes = 1 << UnitRadix;
    private const int BuffersMin = 4;
    private const int StagingBytesMax = 4 << 20;

    // Pending bytes of this many buffers are looked up with one hold of the gate.
    private const int LookUpBuffers = 16;

    private readonly object _gate = new();
    private readonly VolumeSet _volumes;
    private readonly BlockCache? _cache;
    private readonly Dictionary<long, Pending> _table = [];
    private readonly Stack<NativeBlock> _freeMemory = new();
    private readonly Stack<Pending> _freePending = new();
    private readonly List<(long Start, long End)> _direct = [];
    private readonly int _buffersMax;
    private readonly int _backgroundAt;
    private readonly NativeBlock _staging;
    private int _buffers;
    private bool _disposed;

    /// <summary>Creates the buffer.</summary>
    /// <param name="volumes">Where bytes go.</param>
    /// <param name="bytesMax">Budget of memory for pending bytes.</param>
    /// <param name="cache">The cache of decoded blocks, which must forget what is overwritten.</param>
    /// <param name="background">Start writing out on another thread when half of the budget is used.</param>
    internal DeviceBuffer(VolumeSet volumes, long bytesMax, BlockCache? cache = null, bool background = true)
    {
        _volumes = volumes;
        _cache = cache;
        int staging = (int)Math.Clamp(bytesMax / 8, BufferBytes, StagingBytesMax) / BufferBytes * BufferBytes;
        _staging = new NativeBlock(staging);
        _buffersMax = (int)Math.Clamp((bytesMax - staging) / BufferBytes, BuffersMin, int.MaxValue / 2);
        _backgroundAt = background ? Math.Max(1, _buffersMax / 2) : int.MaxValue;
        _background = new BackgroundPass(this);
    }

    /// <summary>The first device write or flush that failed. From then on no flush succeeds.</summary>
    internal Hammer2Exception? Failure { get; private set; }

    internal DeviceBufferStatistics Statistics
    {
        get
        {
            lock (_gate)
                return new DeviceBufferStatistics(_deviceWrites, _deviceWriteBytes, _deviceReads, (long)_buffers * BufferBytes);
        }
    }

    /// <summary>Fills the buffer from a logical address: pending bytes over the medium. The range must lie in one volume.</summary>
    internal void Read(long offset, Span<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            int part = (int)Math.Min(buffer.Length, (long)LookUpBuffers * BufferBytes - offset % BufferBytes);
            ReadPart(offset, buffer[..part]);
            offset += part;
            buffer = buffer[part..];
        }
    }

    /// <summary>Takes a copy of a sealed block: its check code is computed, nothing can change these bytes any more (R7).</summary>
    /// <param name="offset">A multiple of 1 KiB.</param>
    /// <param name="block">Whole KiBs.</param>
    /// <exception cref="Hammer2Exception">The budget was used up and the devices did not take what is pending.</exception>
    internal void Write(long offset, ReadOnlySpan<byte> block)
    {
        Invariant.Check(offset % UnitBytes == 0 && block.Length % UnitBytes == 0);
        _ = _volumes.MemberOf(offset, block.Length);
        long start = offset;
        for (ReadOnlySpan<byte> rest = block; !rest.IsEmpty;)
        {
            int at = (int)(start % BufferBytes);
            int part = Math.Min(rest.Length, BufferBytes - at);
            lock (_gate)
            {
                Pending pending = Hold(start - at);
                rest[..part].CopyTo(pending.Memory!.Slice(at, part));
                pending.Valid |= Mask(at, part);
                StartBackground();
            }

            start += part;
            rest = rest[part..];
        }

        _cache?.Invalidate(offset, block.Length);
    }

    /// <summary>Writes whole 64 KiB blocks straight to the medium; pending and cached bytes that they overlap are dropped (R9).</summary>
    /// <param name="offset">A multiple of 64 KiB.</param>
    /// <param name="blocks">One block or a run of them; on failure the medium holds old, new or torn bytes of it.</param>
    internal void WriteDirect(long offset, ReadOnlySpan<byte> blocks)
    {
        Invariant.Check(offset % BufferBytes == 0 && blocks.Length % BufferBytes == 0);
        (long Start, long End) range = (offset, offset + blocks.Length);
        lock (_gate)
        {
            // Bytes on their way must land first, or they would land on top of these.
            while (IsFlying(range) || IsDirect(range))
                Monitor.Wait(_gate);
            _direct.Add(range);
        }

        bool done = false;
        try
        {
            WriteToDevice(offset, blocks);
            done = true;
        }
        catch (Exception e) when (IsOfDevice(e))
        {
            throw Remember(e);
        }
        finally
        {
            lock (_gate)
            {
                _direct.Remove(range);
                if (done)
                    DropUnits(range);
                Monitor.PulseAll(_gate);
            }
        }

        _cache?.Invalidate(offset, blocks.Length);
    }

    /// <summary>Forgets pending bytes of a block that was given back before it was written: they need not reach the medium (R17).</summary>
    internal void Drop(long offset, int bytes)
    {
        lock (_gate)
            DropUnits((offset, offset + bytes));
        _cache?.Invalidate(offset, bytes);
    }

    /// <summary>Releases the memory; pending bytes are gone, so the owner writes them out before.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            while (_passing)
                Monitor.Wait(_gate);
            if (_disposed)
                return;
            _disposed = true;
            foreach (Pending pending in _table.Values)
                pending.Memory?.Dispose();
            _table.Clear();
            while (_freeMemory.TryPop(out NativeBlock? memory))
                memory.Dispose();
            _staging.Dispose();
        }
    }

    // One bit per KiB of a 64 KiB buffer, for the bytes from "at" on; partly touched units count.
    private static ulong Mask(int at, int bytes)
    {
        int first = at >> UnitRadix;
        int count = (at + bytes - 1 >> UnitRadix) - first + 1;
        return (count == 64 ? ulong.MaxValue : (1UL << count) - 1) << first;
    }

    private static long BaseOf(long offset) => offset & ~(long)(BufferBytes - 1);

    private void ReadPart(long offset, Span<byte> buffer)
    {
        Span<ulong> covered = stackalloc ulong[LookUpBuffers];
        covered.Clear();
        bool any = false;
        if (Volatile.Read(ref _buffers) != 0)
        {
            // What is pending is copied first and the gaps are read after it: bytes that leave for the medium meanwhile
            // are then in one of the two.
            lock (_gate)
            {
                int index = 0;
                for (long at = BaseOf(offset); at < offset + buffer.Length; at += BufferBytes, index++)
                {
                    if (_table.TryGetValue(at, out Pending? pending))
                        any |= (covered[index] = CopyPending(pending, offset, buffer)) != 0;
                }
            }
        }

        if (!any)
            _volumes.Read(offset, buffer);
        else
            ReadGaps(offset, buffer, covered);
    }

    private static ulong CopyPending(Pending pending, long offset, Span<byte> buffer)
    {
        int from = (int)Math.Max(0, offset - pending.Base);
        int end = (int)Math.Min(BufferBytes, offset + buffer.Length - pending.Base);
        ulong wanted = Mask(from, end - from);
        Span<byte> target = buffer[(int)Math.Max(0, pending.Base - offset)..];
        CopyUnits(pending.Memory, pending.Valid & wanted, from, end, target);
        CopyUnits(pending.FlyingMemory, pending.Flying & ~pending.Valid & wanted, from, end, target);
        return (pending.Valid | pending.Flying) & wanted;
    }

    // Copies the units of the mask, clipped to from..end, to where the target holds byte "from" first.
    private static void CopyUnits(NativeBlock? memory, ulong units, int from, int end, Span<byte> target)
    {
        while (NextRun(ref units, out int first, out int count))
        {
            int start = Math.Max(from, first << UnitRadix);
            int stop = Math.Min(end, first + count << UnitRadix);
            memory!.Slice(start, stop - start).CopyTo(target[(start - from)..]);
        }
    }

    // Takes the lowest run of set bits off the mask.
    private static bool NextRun(ref ulong units, out int first, out int count)
    {
        first = BitOperations.TrailingZeroCount(units);
        count = units == 0 ? 0 : BitOperations.TrailingZeroCount(~(units >> first));
        if (units == 0)
            return false;
        units = count == 64 ? 0 : units & ~(((1UL << count) - 1) << first);
        return true;
    }

    private void ReadGaps(long offset, Span<byte> buffer, ReadOnlySpan<ulong> covered)
    {
        long gap = -1;
        long end = offset + buffer.Length;
        long first = BaseOf(offset);
        for (long at = offset & ~(long)(UnitBytes - 1); at < end; at += UnitBytes)
        {
            bool there = (covered[(int)((at - first) / BufferBytes)] >> (int)((at - first) % BufferBytes >> UnitRadix) & 1) != 0;
            if (!there && gap < 0)
                gap = Math.Max(at, offset);
            if (there && gap >= 0)
            {
                _volumes.Read(gap, buffer.Slice((int)(gap - offset), (int)(at - gap)));
                gap = -1;
            }
        }

        if (gap >= 0)
            _volumes.Read(gap, buffer[(int)(gap - offset)..]);
    }

    // The buffer that takes new bytes of this address. The gate is held, and left while something has to be written out.
    private Pending Hold(long start)
    {
        while (true)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            bool known = _table.TryGetValue(start, out Pending? pending);
            if (known && pending!.Memory is not null)
                return pending;
            if (_buffers < _buffersMax)
            {
                if (!known)
                {
                    pending = _freePending.TryPop(out Pending? free) ? free : new Pending();
                    pending.Base = start;
                    _table.Add(start, pending);
                }

                pending!.Memory = _freeMemory.TryPop(out NativeBlock? memory) ? memory : new NativeBlock(BufferBytes);
                Volatile.Write(ref _buffers, _buffers + 1);
                return pending;
            }

            if (_passing)
                Monitor.Wait(_gate);
            else
                RunPass();
        }
    }

    private void GiveBack(ref NativeBlock? memory)
    {
        _freeMemory.Push(memory!);
        memory = null;
        Volatile.Write(ref _buffers, _buffers - 1);
    }

    private void RemoveIfEmpty(Pending pending)
    {
        if (pending.Memory is not null || pending.FlyingMemory is not null)
            return;
        _table.Remove(pending.Base);
        _freePending.Push(pending);
    }

    private void DropUnits((long Start, long End) range)
    {
        for (long at = BaseOf(range.Start); at < range.End && _buffers != 0; at += BufferBytes)
        {
            if (!_table.TryGetValue(at, out Pending? pending) || pending.Memory is null)
                continue;
            int from = (int)Math.Max(0, range.Start - at);
            int end = (int)Math.Min(BufferBytes, range.End - at);
            pending.Valid &= ~Mask(from, end - from);
            if (pending.Valid != 0)
                continue;
            GiveBack(ref pending.Memory);
            RemoveIfEmpty(pending);
            Monitor.PulseAll(_gate);
        }
    }

    private bool IsFlying((long Start, long End) range)
    {
        for (long at = BaseOf(range.Start); at < range.End && _buffers != 0; at += BufferBytes)
        {
            if (_table.TryGetValue(at, out Pending? pending) && pending.FlyingMemory is not null)
                return true;
        }

        return false;
    }

    private bool IsDirect((long Start, long End) range)
    {
        foreach ((long start, long end) in _direct)
        {
            if (start < range.End && range.Start < end)
                return true;
        }

        return false;
    }

    // Both versions of one 64 KiB buffer: what new writes go to, and what is on its way to the medium.
    private sealed class Pending
    {
        internal long Base;
        internal NativeBlock? Memory;
        internal ulong Valid;
        internal NativeBlock? FlyingMemory;
        internal ulong Flying;

        // The flying units and what sectors that are written in part had to be filled with.
        internal ulong Written;
    }
}
