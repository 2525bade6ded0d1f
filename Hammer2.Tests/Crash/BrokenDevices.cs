// Devices and records that break what the engine relies on: flushes that do nothing, failures that stay hidden, a freemap
// in one place, events in another order. The benches must notice each of them.

using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Hammer2.Torture.Crash;
using Hammer2.Torture.Devices;

namespace Hammer2.Tests.Crash;

/// <summary>Passes everything on.</summary>
internal abstract class PassingDevice(IBlockDevice below) : IBlockDevice
{
    public string Name => below.Name;

    public long Length => below.Length;

    public int SectorSize => below.SectorSize;

    protected IBlockDevice Below => below;

    public virtual void Read(long offset, Span<byte> buffer) => below.Read(offset, buffer);

    public virtual void Write(long offset, ReadOnlySpan<byte> data) => below.Write(offset, data);

    public virtual void Flush() => below.Flush();

    public void Dispose() => below.Dispose();
}

/// <summary>Says that it flushed.</summary>
internal sealed class NeverFlushingDevice(IBlockDevice below) : PassingDevice(below)
{
    public override void Flush()
    {
        // That is what it is for.
    }
}

/// <summary>Does not say that a write failed.</summary>
internal sealed class SilentDevice(IBlockDevice below) : PassingDevice(below)
{
    internal long Swallowed { get; private set; }

    public override void Write(long offset, ReadOnlySpan<byte> data)
    {
        try
        {
            base.Write(offset, data);
        }
        catch (Hammer2Exception)
        {
            Swallowed++;
        }
    }
}

/// <summary>Puts all rotations of the freemap into one place, as if it were written over the one before.</summary>
internal sealed class UnrotatedDevice(IBlockDevice below) : PassingDevice(below)
{
    private const int RotationSlots = 5;
    private const int Rotations = 8;
    private const int SlotBytes = 65536;

    public override void Read(long offset, Span<byte> buffer)
    {
        for (int done = 0; done < buffer.Length;)
        {
            int part = Part(offset + done, buffer.Length - done);
            base.Read(Map(offset + done), buffer.Slice(done, part));
            done += part;
        }
    }

    public override void Write(long offset, ReadOnlySpan<byte> data)
    {
        for (int done = 0; done < data.Length;)
        {
            int part = Part(offset + done, data.Length - done);
            base.Write(Map(offset + done), data.Slice(done, part));
            done += part;
        }
    }

    private static int Part(long offset, int length) => (int)Math.Min(length, SlotBytes - offset % SlotBytes);

    private static long Map(long offset)
    {
        long inZone = offset % FormatLimits.ZoneBytes;
        long slot = inZone / SlotBytes;
        if (slot is < 1 or > Rotations * RotationSlots)
            return offset;
        long mapped = 1 + (slot - 1) % RotationSlots;
        return offset + (mapped - slot) * SlotBytes;
    }
}

/// <summary>Changes of a record.</summary>
internal static class BrokenRecords
{
    /// <summary>Every header reaches the device before the flush that should come first.</summary>
    internal static IEnumerable<DeviceEvent> HeaderBeforeBarrier(IReadOnlyList<DeviceEvent> events)
    {
        var result = new List<DeviceEvent>(events);
        for (int i = 0; i < result.Count; i++)
        {
            DeviceEvent e = result[i];
            if (e.Kind != DeviceEventKind.Write || e.Volume != 0 || e.Offset % FormatLimits.VolumeHeaderSpacing != 0)
                continue;
            int begin = result.FindLastIndex(i, b => b.Kind == DeviceEventKind.FlushBegin && b.Volume == 0);
            if (begin < 0)
                continue;
            result.RemoveAt(i);
            result.Insert(begin, e);
        }

        return Renumbered(result);
    }

    /// <summary>A sync returns before the last flush.</summary>
    internal static IEnumerable<DeviceEvent> PromiseTooEarly(IReadOnlyList<DeviceEvent> events)
    {
        var result = new List<DeviceEvent>(events);
        for (int i = 0; i < result.Count; i++)
        {
            DeviceEvent e = result[i];
            if (e.Kind != DeviceEventKind.Marker || !e.Text.StartsWith(CrashRun.PromiseMark, StringComparison.Ordinal))
                continue;
            int begin = result.FindLastIndex(i, b => b.Kind == DeviceEventKind.FlushBegin);
            if (begin < 0)
                continue;
            result.RemoveAt(i);
            result.Insert(begin, e);
        }

        return Renumbered(result);
    }

    // Flush ends refer to their beginnings by index; flushes of one volume do not overlap in these records.
    private static IEnumerable<DeviceEvent> Renumbered(List<DeviceEvent> events)
    {
        for (int i = 0; i < events.Count; i++)
        {
            DeviceEvent e = events[i];
            yield return e.Kind != DeviceEventKind.FlushEnd
                ? e
                : e with { BeginIndex = events.FindLastIndex(i, b => b.Kind == DeviceEventKind.FlushBegin && b.Volume == e.Volume) };
        }
    }
}
