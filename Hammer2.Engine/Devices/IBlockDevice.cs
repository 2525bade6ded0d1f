// A device is bytes with a length. Everything else (image files, raw disks, partitions, memory, and in tests
// faults and recording) is an implementation or a decorator of this interface; the engine cannot tell them apart.

namespace Hammer2.Engine.Devices;

/// <summary>Random access to the bytes of one volume. Thread-safe: any number of calls at once.</summary>
public interface IBlockDevice : IDisposable
{
    /// <summary>What messages call it: a path, or "memory".</summary>
    string Name { get; }

    /// <summary>Length in bytes.</summary>
    long Length { get; }

    /// <summary>Smallest unit of aligned I/O in bytes; reads of any alignment are accepted nevertheless.</summary>
    int SectorSize { get; }

    /// <summary>Fills the buffer from <paramref name="offset"/>, whole or not at all.</summary>
    /// <exception cref="Primitives.Hammer2Exception"><c>Io</c>: outside the device, or the device failed.</exception>
    void Read(long offset, Span<byte> buffer);

    /// <summary>Writes the data at <paramref name="offset"/>; durable only after <see cref="Flush"/>.</summary>
    /// <exception cref="Primitives.Hammer2Exception"><c>ReadOnly</c>, or <c>Io</c>.</exception>
    void Write(long offset, ReadOnlySpan<byte> data);

    /// <summary>Returns when everything written before is on the medium.</summary>
    void Flush();
}

/// <summary>A device whose length may change while it is open.</summary>
public interface IGrowableDevice : IBlockDevice
{
    /// <summary>True for files, which can be made longer; disks and partitions are as long as they are.</summary>
    bool CanExtend { get; }

    /// <summary>Looks how long it is now; <see cref="IBlockDevice.Length"/> follows, but never shrinks.</summary>
    /// <exception cref="Primitives.Hammer2Exception"><c>Io</c>.</exception>
    void Refresh();

    /// <summary>Makes a file longer; what is added reads as zeros. Durable after <see cref="IBlockDevice.Flush"/>.</summary>
    /// <exception cref="Primitives.Hammer2Exception"><c>ReadOnly</c>, or <c>Io</c>.</exception>
    void Extend(long length);
}
