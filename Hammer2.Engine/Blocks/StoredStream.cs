// A stored block as the input stream of the framework's decompressor. It notices when more is asked of it than it has:
// that is the only sign of a cut stream, since the decompressor itself just ends. Used by Compression alone.

using System.Diagnostics.CodeAnalysis;

namespace Hammer2.Engine.Blocks;

/// <summary>Reads from memory that the caller keeps pinned.</summary>
internal sealed unsafe class StoredStream(byte* start, int length) : Stream
{
    private int _position;

    /// <summary>True when a reader wanted bytes beyond the end.</summary>
    internal bool RanDry { get; private set; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    [ExcludeFromCodeCoverage(Justification = "A stream must have it; a stream that cannot seek has no use for it.")]
    public override long Length => throw new NotSupportedException();

    [ExcludeFromCodeCoverage(Justification = "A stream must have it; a stream that cannot seek has no use for it.")]
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(Span<byte> buffer)
    {
        int count = Math.Min(buffer.Length, length - _position);
        RanDry |= count == 0;
        new ReadOnlySpan<byte>(start + _position, count).CopyTo(buffer);
        _position += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush()
    {
        // Nothing is ever written.
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
