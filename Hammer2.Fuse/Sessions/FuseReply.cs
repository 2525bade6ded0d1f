// What this is: a worker's reply buffer: room for the header directly before a page-aligned payload, so that a reply is
// written with one call and file data is decoded straight to where the kernel takes it from.
// Invariants: native memory, at a fixed address for the life of the worker; Finish makes the only valid message.
// Layers: Protocol.

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hammer2.Fuse.Protocol;

namespace Hammer2.Fuse.Sessions;

/// <summary>Room for one reply of at most <see cref="PayloadBytesMax"/> bytes.</summary>
internal sealed unsafe class FuseReply : IDisposable
{
    private const int PageBytes = 4096;
    private readonly byte* _memory;
    private bool _disposed;

    /// <summary>Allocates the buffer.</summary>
    public FuseReply(int payloadBytesMax)
    {
        PayloadBytesMax = payloadBytesMax;
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)(PageBytes + payloadBytesMax), PageBytes);
    }

    /// <summary>Frees the buffer of a worker that was never disposed of.</summary>
    ~FuseReply() => Free();

    /// <summary>Capacity of the payload in bytes.</summary>
    public int PayloadBytesMax { get; }

    /// <summary>The whole payload area.</summary>
    public Span<byte> Payload => new(_memory + PageBytes, PayloadBytesMax);

    /// <summary>The start of the payload as a structure, cleared.</summary>
    public ref T Prepare<T>() where T : unmanaged
    {
        ref var value = ref *(T*)(_memory + PageBytes);
        value = default;
        return ref value;
    }

    /// <summary>Puts the header before a payload of the given length and returns the message. An error has no payload.</summary>
    public ReadOnlySpan<byte> Finish(ulong unique, int errno, int payloadLength)
    {
        var length = sizeof(FuseOutHeader) + (errno == 0 ? payloadLength : 0);
        var start = _memory + PageBytes - sizeof(FuseOutHeader);
        Unsafe.WriteUnaligned(start, new FuseOutHeader { Length = (uint)length, Error = -errno, Unique = unique });
        return new ReadOnlySpan<byte>(start, length);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (_disposed)
            return;
        _disposed = true;
        NativeMemory.AlignedFree(_memory);
    }
}
