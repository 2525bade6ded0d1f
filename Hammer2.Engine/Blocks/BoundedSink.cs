// Where the framework's compressor puts a stored block: memory that the caller keeps pinned, with a limit. What is beyond
// the limit is not stored but remembered: then the block did not shrink enough. Used by BlockEncoder alone.

using System.Diagnostics.CodeAnalysis;

namespace Hammer2.Engine.Blocks;

/// <summary>A stream into limited memory.</summary>
internal sealed unsafe class BoundedSink(byte* start, int limit) : Stream
{
    /// <summary>Bytes stored.</summary>
    internal int Count { get; private set; }

    /// <summary>True when more was written than there is room for.</summary>
    internal bool IsFull { get; private set; }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    [ExcludeFromCodeCoverage(Justification = "A stream must have it; a stream that cannot seek has no use for it.")]
    public override long Length => throw new NotSupportedException();

    [ExcludeFromCodeCoverage(Justification = "A stream must have it; a stream that cannot seek has no use for it.")]
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        IsFull |= buffer.Length > limit - Count;
        if (IsFull)
            return;
        buffer.CopyTo(new Span<byte>(start + Count, limit - Count));
        Count += buffer.Length;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
        // Memory needs no flush.
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
