// Native memory that is poisoned before and after each callback and fenced on both sides, so that an adapter that keeps
// a pointer, trusts old contents or writes past the end is found out.
// Invariant: the fences are checked when the memory is released. Calls the fault list.

using System.Runtime.InteropServices;
using LTRData.Extensions.Native.Memory;

namespace Hammer2.Tests.SimulatedDriver;

/// <summary>A fenced block of native memory.</summary>
internal sealed unsafe class GuardedMemory : IDisposable
{
    private const int FenceBytes = 64;
    private const byte Fence = 0xFD;
    private const byte Before = 0xCD;
    private const byte After = 0xDD;

    private readonly FaultList _faults;
    private readonly int _bytes;
    private byte* _block;

    internal GuardedMemory(int bytes, FaultList faults)
    {
        _faults = faults;
        _bytes = bytes;
        _block = (byte*)System.Runtime.InteropServices.NativeMemory.Alloc((nuint)(bytes + (2 * FenceBytes)));
        new Span<byte>(_block, bytes + (2 * FenceBytes)).Fill(Fence);
        Bytes.Fill(Before);
    }

    /// <summary>A copy of a text; it dies with the call that gets it.</summary>
    internal static GuardedMemory OfText(string text, FaultList faults)
    {
        var memory = new GuardedMemory(text.Length * sizeof(char), faults);
        text.CopyTo(memory.Chars);
        return memory;
    }

    internal nint Address => (nint)(_block + FenceBytes);

    internal Span<byte> Bytes => new(_block + FenceBytes, _bytes);

    internal Span<char> Chars => MemoryMarshal.Cast<byte, char>(Bytes);

    internal ReadOnlyNativeMemory<char> Text => new(Address, _bytes / sizeof(char));

    internal NativeMemory<char> WritableText => new(Address, _bytes / sizeof(char));

    internal NativeMemory<byte> Buffer => new(Address, _bytes);

    internal ReadOnlyNativeMemory<byte> ReadOnlyBuffer => new(Address, _bytes);

    /// <summary>Checks the fences, poisons the block and gives it back.</summary>
    public void Dispose()
    {
        if (_block is null)
            return;
        if (new Span<byte>(_block, FenceBytes).ContainsAnyExcept(Fence)
            || new Span<byte>(_block + FenceBytes + _bytes, FenceBytes).ContainsAnyExcept(Fence))
        {
            _faults.Add("the adapter wrote outside its buffer");
        }

        Bytes.Fill(After);
        System.Runtime.InteropServices.NativeMemory.Free(_block);
        _block = null;
    }
}
