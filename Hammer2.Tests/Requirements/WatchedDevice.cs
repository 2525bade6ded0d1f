// A device that tells a test what passes through it: before and after every write, before every read, at every flush.
// Hooks run on the thread of the engine that does the I/O; one that waits holds that I/O up, one that finds something wrong
// notes it, since an exception would look like a failure of the device. What lies below belongs to the test.

using System.Collections.Concurrent;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;

namespace Hammer2.Tests.Requirements;

/// <summary>Watches the calls to another device.</summary>
internal sealed class WatchedDevice(IBlockDevice below) : IBlockDevice
{
    private long _reads;
    private long _writes;
    private long _flushes;

    public string Name => below.Name;

    public long Length => below.Length;

    public int SectorSize => below.SectorSize;

    /// <summary>Offset and length of a read that is about to happen.</summary>
    internal Action<long, int>? Reading { get; set; }

    /// <summary>Offset and length of a write that is about to happen.</summary>
    internal Action<long, int>? Writing { get; set; }

    /// <summary>Offset and length of a write that the device has taken.</summary>
    internal Action<long, int>? Written { get; set; }

    /// <summary>A flush has returned.</summary>
    internal Action? Flushed { get; set; }

    /// <summary>What hooks found wrong.</summary>
    internal ConcurrentQueue<string> Faults { get; } = new();

    internal long Reads => Interlocked.Read(ref _reads);

    internal long Writes => Interlocked.Read(ref _writes);

    internal long Flushes => Interlocked.Read(ref _flushes);

    /// <summary>True for a write of a volume header copy.</summary>
    internal static bool IsHeader(long offset, int length) =>
        length == FormatLimits.VolumeHeaderBytes && offset % FormatLimits.VolumeHeaderSpacing == 0
        && offset / FormatLimits.VolumeHeaderSpacing < FormatLimits.VolumeHeaderCopies;

    public void Read(long offset, Span<byte> buffer)
    {
        Interlocked.Increment(ref _reads);
        Reading?.Invoke(offset, buffer.Length);
        below.Read(offset, buffer);
    }

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        Interlocked.Increment(ref _writes);
        Writing?.Invoke(offset, data.Length);
        below.Write(offset, data);
        Written?.Invoke(offset, data.Length);
    }

    public void Flush()
    {
        Interlocked.Increment(ref _flushes);
        below.Flush();
        Flushed?.Invoke();
    }

    public void Dispose()
    {
        // The test looks at the bytes after the volume is closed.
    }
}
