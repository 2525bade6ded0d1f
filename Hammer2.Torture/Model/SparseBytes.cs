// The bytes of a file of the model: pages of 4 KiB that exist where something was written, zeros elsewhere. Exact and
// slow is fine here; only the memory is bounded by what was written. Invariant: nothing but zeros lies beyond the size.

namespace Hammer2.Torture.Model;

/// <summary>Sparse contents.</summary>
internal sealed class SparseBytes
{
    private const int PageBytes = 4096;
    private const int BlockBytes = 65536;
    private readonly SortedDictionary<long, byte[]> _pages = [];
    private readonly HashSet<long> _blocks = [];

    public long Size { get; private set; }

    /// <summary>Offsets of pages that hold something besides zeros.</summary>
    public IEnumerable<long> NonZeroPages => _pages.Where(static p => p.Value.AsSpan().ContainsAnyExcept((byte)0)).Select(static p => p.Key * PageBytes);

    /// <summary>Blocks of 64 KiB that were written to since they last were a hole as a whole; zeros count.</summary>
    public int WrittenBlocks => _blocks.Count;

    public static int PageSize => PageBytes;

    public int Read(long offset, Span<byte> buffer)
    {
        int length = (int)Math.Clamp(Size - offset, 0, buffer.Length);
        buffer = buffer[..length];
        for (int done = 0; done < length;)
        {
            int at = (int)((offset + done) % PageBytes);
            int part = Math.Min(length - done, PageBytes - at);
            if (_pages.TryGetValue((offset + done) / PageBytes, out byte[]? page))
                page.AsSpan(at, part).CopyTo(buffer[done..]);
            else
                buffer.Slice(done, part).Clear();
            done += part;
        }

        return length;
    }

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        if (data.IsEmpty)
            return;
        Size = Math.Max(Size, offset + data.Length);
        for (int done = 0; done < data.Length;)
        {
            int at = (int)((offset + done) % PageBytes);
            int part = Math.Min(data.Length - done, PageBytes - at);
            long index = (offset + done) / PageBytes;
            _blocks.Add((offset + done) / BlockBytes);
            if (!_pages.TryGetValue(index, out byte[]? page))
                _pages.Add(index, page = new byte[PageBytes]);
            data.Slice(done, part).CopyTo(page.AsSpan(at));
            done += part;
        }
    }

    public void SetSize(long size)
    {
        if (size < Size)
        {
            Clear(size, Size - size);
            _blocks.RemoveWhere(block => block * BlockBytes >= size);
        }

        Size = size;
    }

    /// <summary>What a careless filesystem does: the bytes beyond the new size stay and come back when it grows.</summary>
    public void SetSizeKeepingBytes(long size) => Size = size;

    /// <summary>Zeros; the size stays.</summary>
    public void Clear(long offset, long length)
    {
        long end = length > long.MaxValue - offset ? long.MaxValue : offset + length;
        _blocks.RemoveWhere(block => block * BlockBytes >= offset && end - BlockBytes >= block * BlockBytes);
        foreach (long index in _pages.Keys.Where(i => (i + 1) * PageBytes > offset && i * PageBytes < end).ToArray())
        {
            long from = Math.Max(offset, index * PageBytes), to = Math.Min(end, (index + 1) * PageBytes);
            if (to - from == PageBytes)
                _pages.Remove(index);
            else
                _pages[index].AsSpan((int)(from - index * PageBytes), (int)(to - from)).Clear();
        }
    }
}
