// A sparse device in memory: pages of 64 KiB that exist once something other than zeros was written.
// Tests build volumes of any size on it; reads take no lock.

using System.Collections.Concurrent;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Devices;

/// <summary>A sparse block device in memory.</summary>
public sealed class MemoryBlockDevice : IGrowableDevice
{
    private const int PageBytes = 65536;
    private readonly ConcurrentDictionary<long, byte[]> _pages = new();

    /// <summary>Creates a device of zeros.</summary>
    /// <param name="length">Length in bytes.</param>
    /// <param name="name">What messages call it.</param>
    public MemoryBlockDevice(long length, string name = "memory")
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        _length = length;
        Name = name;
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public long Length => Interlocked.Read(ref _length);

    private long _length;

    /// <inheritdoc/>
    public bool CanExtend => true;

    /// <inheritdoc/>
    public int SectorSize => 512;

    /// <inheritdoc/>
    public void Read(long offset, Span<byte> buffer)
    {
        DeviceBounds.Check(this, offset, buffer.Length);
        while (!buffer.IsEmpty)
        {
            int at = (int)(offset % PageBytes);
            int part = Math.Min(buffer.Length, PageBytes - at);
            if (_pages.TryGetValue(offset / PageBytes, out byte[]? page))
                page.AsSpan(at, part).CopyTo(buffer);
            else
                buffer[..part].Clear();
            buffer = buffer[part..];
            offset += part;
        }
    }

    /// <inheritdoc/>
    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        DeviceBounds.Check(this, offset, data.Length);
        while (!data.IsEmpty)
        {
            int at = (int)(offset % PageBytes);
            int part = Math.Min(data.Length, PageBytes - at);
            byte[] page = _pages.GetOrAdd(offset / PageBytes, static _ => new byte[PageBytes]);
            data[..part].CopyTo(page.AsSpan(at));
            data = data[part..];
            offset += part;
        }
    }

    /// <inheritdoc/>
    public void Flush()
    {
        // Memory is as durable as it gets.
    }

    /// <inheritdoc/>
    public void Refresh()
    {
        // Only Extend changes the length.
    }

    /// <inheritdoc/>
    public void Extend(long length)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(length, Length);
        Interlocked.Exchange(ref _length, length);
    }

    /// <summary>Deep copy, for tests that damage an image.</summary>
    public MemoryBlockDevice Clone()
    {
        var copy = new MemoryBlockDevice(Length, Name);
        foreach ((long index, byte[] page) in _pages)
            copy._pages[index] = (byte[])page.Clone();
        return copy;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // Nothing to release: the pages go with the object, and a test may look at them after a close.
    }
}
