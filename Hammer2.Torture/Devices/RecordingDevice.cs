// A device that writes down what is done to it, in order, for crash tests. Several devices of one volume set may
// share a record. A write counts as done when it returned, a flush has a beginning and an end: only what was done
// before its beginning is safe, and only after its end.

using Hammer2.Engine.Devices;

namespace Hammer2.Torture.Devices;

/// <summary>What happened to a device.</summary>
internal enum DeviceEventKind
{
    /// <summary>A write returned.</summary>
    Write,

    /// <summary>A flush was asked for.</summary>
    FlushBegin,

    /// <summary>A flush returned.</summary>
    FlushEnd,

    /// <summary>The test said something.</summary>
    Marker,
}

/// <summary>One event.</summary>
/// <param name="Kind">What happened.</param>
/// <param name="Volume">Which device of the set.</param>
/// <param name="Offset">Writes: where.</param>
/// <param name="Bytes">Writes: what, a copy.</param>
/// <param name="BeginIndex">FlushEnd: index of its FlushBegin.</param>
/// <param name="Text">Markers: what was said.</param>
internal sealed record DeviceEvent(DeviceEventKind Kind, int Volume, long Offset = 0, byte[]? Bytes = null, int BeginIndex = 0, string Text = "");

/// <summary>Everything that happened to the devices of a set.</summary>
internal sealed class DeviceRecord
{
    private readonly List<DeviceEvent> _events = [];
    private readonly Lock _gate = new();

    /// <summary>A copy of the events so far.</summary>
    internal IReadOnlyList<DeviceEvent> Events
    {
        get
        {
            lock (_gate)
                return [.. _events];
        }
    }

    /// <summary>Notes that the test got to here: a state cut later must show it.</summary>
    internal void Mark(string text) => Add(new DeviceEvent(DeviceEventKind.Marker, 0, Text: text));

    internal int Add(DeviceEvent happened)
    {
        lock (_gate)
        {
            _events.Add(happened);
            return _events.Count - 1;
        }
    }
}

/// <summary>Records writes and flushes on their way to another device.</summary>
internal sealed class RecordingDevice(IBlockDevice below, DeviceRecord record, int volume = 0) : IBlockDevice
{
    public string Name => below.Name;

    public long Length => below.Length;

    public int SectorSize => below.SectorSize;

    public void Read(long offset, Span<byte> buffer) => below.Read(offset, buffer);

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        byte[] copy = data.ToArray();
        below.Write(offset, data);
        record.Add(new DeviceEvent(DeviceEventKind.Write, volume, offset, copy));
    }

    public void Flush()
    {
        int begin = record.Add(new DeviceEvent(DeviceEventKind.FlushBegin, volume));
        below.Flush();
        record.Add(new DeviceEvent(DeviceEventKind.FlushEnd, volume, BeginIndex: begin));
    }

    public void Dispose() => below.Dispose();
}
