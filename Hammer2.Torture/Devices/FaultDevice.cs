// A device that fails on purpose: the Nth read, write or flush from now, once or from then on, with the error that
// a real device gives. Counts every call, so that a test can fail each of them in turn until a run passes.

using Hammer2.Engine.Devices;
using Hammer2.Engine.Primitives;

namespace Hammer2.Torture.Devices;

/// <summary>What can fail.</summary>
internal enum DeviceCall
{
    /// <summary>Reads.</summary>
    Read,

    /// <summary>Writes.</summary>
    Write,

    /// <summary>Flushes.</summary>
    Flush,
}

/// <summary>Fails chosen calls to another device.</summary>
internal sealed class FaultDevice(IBlockDevice below) : IBlockDevice
{
    private const int TornBytes = 512;
    private readonly Lock _gate = new();
    private readonly long[] _calls = new long[3];
    private readonly long[] _failFrom = [long.MaxValue, long.MaxValue, long.MaxValue];
    private readonly bool[] _forEver = new bool[3];
    private long _gone = long.MaxValue;

    public string Name => below.Name;

    public long Length => below.Length;

    public int SectorSize => below.SectorSize;

    /// <summary>True: a write that fails has its first sector written, as a device may leave it.</summary>
    internal bool TearsFailingWrites { get; set; }

    /// <summary>True: a write that fails has arrived nevertheless, and only its success was lost.</summary>
    internal bool FailingWritesArrive { get; set; }

    /// <summary>How many calls failed on purpose.</summary>
    internal long Failures { get; private set; }

    /// <summary>How many calls of the kind there were, failed ones included.</summary>
    internal long CallsOf(DeviceCall call)
    {
        lock (_gate)
            return _calls[(int)call];
    }

    /// <summary>Lets the <paramref name="nth"/> call from now (1 = the next) fail, or all from that one on.</summary>
    internal void Fail(DeviceCall call, long nth = 1, bool forEver = false)
    {
        lock (_gate)
        {
            _failFrom[(int)call] = _calls[(int)call] + nth;
            _forEver[(int)call] = forEver;
        }
    }

    /// <summary>From the <paramref name="nth"/> call on, of whatever kind, the device is gone.</summary>
    internal void Vanish(long nth)
    {
        lock (_gate)
            _gone = _calls.Sum() + nth;
    }

    /// <summary>Nothing fails any more.</summary>
    internal void Heal()
    {
        lock (_gate)
        {
            Array.Fill(_failFrom, long.MaxValue);
            _gone = long.MaxValue;
        }
    }

    public void Read(long offset, Span<byte> buffer)
    {
        if (IsDue(DeviceCall.Read))
            throw Failed(DeviceCall.Read, offset);
        below.Read(offset, buffer);
    }

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        if (IsDue(DeviceCall.Write))
        {
            if (FailingWritesArrive)
                below.Write(offset, data);
            else if (TearsFailingWrites)
                below.Write(offset, data[..Math.Min(TornBytes, data.Length)]);
            throw Failed(DeviceCall.Write, offset);
        }

        below.Write(offset, data);
    }

    public void Flush()
    {
        if (IsDue(DeviceCall.Flush))
            throw Failed(DeviceCall.Flush, 0);
        below.Flush();
    }

    public void Dispose() => below.Dispose();

    private bool IsDue(DeviceCall call)
    {
        lock (_gate)
        {
            long number = ++_calls[(int)call];
            long from = _failFrom[(int)call];
            bool due = _calls.Sum() >= _gone || number == from || number > from && _forEver[(int)call];
            if (due)
                Failures++;
            return due;
        }
    }

    private Hammer2Exception Failed(DeviceCall call, long offset) =>
        new(Hammer2Error.Io, $"{call} at 0x{offset:x} of {Name} failed, as the test wanted.");
}
