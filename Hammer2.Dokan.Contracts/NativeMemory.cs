// Spans over native memory as LTRData.Extensions.Native 1.0.22 declares them: an address and a length.
// Invariant: no copy, no ownership; the memory is the caller's and lives as long as the call. Slice is left out on
// purpose: in the package it counts bytes, not elements, and the adapter slices the span instead. Calls nothing.

namespace LTRData.Extensions.Native.Memory;

/// <summary>Writable native memory.</summary>
public readonly unsafe struct NativeMemory<T>
    where T : unmanaged
{
    /// <summary>Memory at an address; the length is in elements.</summary>
    public NativeMemory(nint address, int length)
    {
        Address = address;
        Length = length;
    }

    /// <summary>Where it begins.</summary>
    public nint Address { get; }

    /// <summary>Number of elements.</summary>
    public int Length { get; }

    /// <summary>No elements?</summary>
    public bool IsEmpty => Length == 0;

    /// <summary>No memory?</summary>
    public bool IsNull => Address == 0;

    /// <summary>The memory as a span.</summary>
    public Span<T> Span => new((void*)Address, Length);
}

/// <summary>Read-only native memory.</summary>
public readonly unsafe struct ReadOnlyNativeMemory<T>
    where T : unmanaged
{
    /// <summary>Memory at an address; the length is in elements.</summary>
    public ReadOnlyNativeMemory(nint address, int length)
    {
        Address = address;
        Length = length;
    }

    /// <summary>Where it begins.</summary>
    public nint Address { get; }

    /// <summary>Number of elements.</summary>
    public int Length { get; }

    /// <summary>No elements?</summary>
    public bool IsEmpty => Length == 0;

    /// <summary>No memory?</summary>
    public bool IsNull => Address == 0;

    /// <summary>The memory as a span.</summary>
    public ReadOnlySpan<T> Span => new((void*)Address, Length);
}

/// <summary>Text in native memory.</summary>
public static class NativeMemoryHelper
{
    /// <summary>Writes text and a terminating zero, cutting what does not fit.</summary>
    public static void SetString(this NativeMemory<char> buffer, ReadOnlySpan<char> str)
    {
        Span<char> span = buffer.Span;
        if (span.IsEmpty)
            return;
        int length = Math.Min(str.Length, span.Length - 1);
        str[..length].CopyTo(span);
        span[length] = '\0';
    }
}
