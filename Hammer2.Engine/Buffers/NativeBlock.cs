// Memory outside the collected heap for blocks: aligned for direct I/O, reused for ever, never moved.
// Owned by the cache or by a scratch pool; freed when the owner is disposed.

using System.Runtime.InteropServices;

namespace Hammer2.Engine.Buffers;

/// <summary>An aligned piece of unmanaged memory.</summary>
internal sealed unsafe class NativeBlock : IDisposable
{
    private const int Alignment = 4096;
    private byte* _address;

    internal NativeBlock(int bytes)
    {
        Bytes = bytes;
        _address = (byte*)NativeMemory.AlignedAlloc((nuint)bytes, Alignment);
    }

    ~NativeBlock() => Free();

    internal int Bytes { get; }

    /// <summary>Where it begins; for hints only.</summary>
    internal byte* Pointer => _address;

    internal Span<byte> Span => new(_address, Bytes);

    internal Span<byte> Slice(int offset, int length) => Span.Slice(offset, length);

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        NativeMemory.AlignedFree(_address);
        _address = null;
    }
}
