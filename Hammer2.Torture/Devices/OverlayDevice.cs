// A device that keeps writes to itself: reads see them over the bytes of a shared device below, which stays
// untouched. Damaging an image this way costs a few pages, not a copy. Thread-safe, as every device is.

using Hammer2.Engine.Devices;

namespace Hammer2.Torture.Devices;

/// <summary>Copy-on-write view of another device.</summary>
internal sealed class OverlayDevice(IBlockDevice below) : IBlockDevice
{
    private const int PageBytes = 65536;
    private readonly Dictionary<long, byte[]> _pages = [];
    private readonly Lock _gate = new();

    public string Name => below.Name;

    public long Length => below.Length;

    public int SectorSize => below.SectorSize;

    public void Read(long offset, Span<byte> buffer)
    {
        below.Read(offset, buffer);
        lock (_gate)
            Lay(offset, buffer);
    }

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        lock (_gate)
            Keep(offset, data);
    }

    public void Flush()
    {
        // Nothing lies below that could lose it.
    }

    public void Dispose()
    {
        // The device below is shared and stays open.
    }

    private void Lay(long offset, Span<byte> buffer)
    {
        for (long page = offset / PageBytes; page * PageBytes < offset + buffer.Length; page++)
        {
            if (!_pages.TryGetValue(page, out byte[]? bytes))
                continue;
            long start = Math.Max(offset, page * PageBytes);
            long end = Math.Min(offset + buffer.Length, (page + 1) * PageBytes);
            bytes.AsSpan((int)(start - page * PageBytes), (int)(end - start)).CopyTo(buffer[(int)(start - offset)..]);
        }
    }

    private void Keep(long offset, ReadOnlySpan<byte> data)
    {
        while (!data.IsEmpty)
        {
            long page = offset / PageBytes;
            int at = (int)(offset % PageBytes);
            int part = Math.Min(data.Length, PageBytes - at);
            if (!_pages.TryGetValue(page, out byte[]? bytes))
            {
                bytes = new byte[PageBytes];
                below.Read(page * PageBytes, bytes.AsSpan(0, (int)Math.Min(PageBytes, Length - page * PageBytes)));
                _pages.Add(page, bytes);
            }

            data[..part].CopyTo(bytes.AsSpan(at));
            data = data[part..];
            offset += part;
        }
    }
}
