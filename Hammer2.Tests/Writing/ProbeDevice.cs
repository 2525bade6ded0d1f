// A device for tests of the write path: it counts and lists calls, refuses what it is told to refuse, holds writes until it
// is told to let them go, and complains about requests that a device of large sectors would refuse.

using Hammer2.Engine.Devices;
using Hammer2.Engine.Primitives;

namespace Hammer2.Tests.Writing;

/// <summary>A decorator that watches.</summary>
internal sealed class ProbeDevice(IBlockDevice inner, int sectorSize = 512) : IBlockDevice
{
    private readonly object _gate = new();
    private readonly List<(long Offset, int Length)> _writes = [];
    private int _reads;
    private int _arrived;
    private int _flushes;

    public string Name => inner.Name;

    public long Length => inner.Length;

    public int SectorSize => sectorSize;

    internal Func<long, bool> FailsWrite { get; set; } = _ => false;

    internal Func<long, bool> FailsRead { get; set; } = _ => false;

    internal Func<bool> FailsFlush { get; set; } = () => false;

    /// <summary>Writes wait until it is set.</summary>
    internal ManualResetEventSlim? Hold { get; set; }

    /// <summary>Set when a write has come.</summary>
    internal ManualResetEventSlim Entered { get; } = new();

    internal int Reads => Volatile.Read(ref _reads);

    /// <summary>Writes that have come, also those that are held.</summary>
    internal int Arrived => Volatile.Read(ref _arrived);

    internal int Flushes => Volatile.Read(ref _flushes);

    internal (long Offset, int Length)[] Writes
    {
        get
        {
            lock (_gate)
                return [.. _writes];
        }
    }

    internal void Reset()
    {
        lock (_gate)
            _writes.Clear();
        Volatile.Write(ref _reads, 0);
    }

    public void Read(long offset, Span<byte> buffer)
    {
        Interlocked.Increment(ref _reads);
        if (FailsRead(offset))
            throw new Hammer2Exception(Hammer2Error.Io, $"crafted failure of the read at 0x{offset:x}");
        inner.Read(offset, buffer);
    }

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        Interlocked.Increment(ref _arrived);
        Entered.Set();
        Hold?.Wait(WritingVolume.Patience);
        if (FailsWrite(offset))
            throw new Hammer2Exception(Hammer2Error.Io, $"crafted failure of the write at 0x{offset:x}");
        if (offset % SectorSize != 0 || data.Length % SectorSize != 0)
            throw new InvalidOperationException($"{data.Length} bytes at 0x{offset:x} are not whole sectors");
        lock (_gate)
            _writes.Add((offset, data.Length));
        inner.Write(offset, data);
    }

    public void Flush()
    {
        if (FailsFlush())
            throw new Hammer2Exception(Hammer2Error.Io, "crafted failure of a flush");
        Interlocked.Increment(ref _flushes);
        inner.Flush();
    }

    public void Dispose()
    {
        // The device below belongs to the test.
    }
}
