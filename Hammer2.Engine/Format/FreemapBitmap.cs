// One bitmap record of a freemap leaf: 128 bytes for one 4 MiB segment (format page 9.3).
// A view of bytes: every combination of states can be represented, also the illegal ones.

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Hammer2.Engine.Format;

/// <summary>State of a 16 KiB block in the freemap.</summary>
public enum FreemapState
{
    /// <summary>Free.</summary>
    Free = 0,

    /// <summary>Reserved; treat as allocated.</summary>
    Reserved = 1,

    /// <summary>Staged by one bulkfree pass; not allocatable.</summary>
    PossiblyFree = 2,

    /// <summary>Allocated.</summary>
    Allocated = 3,
}

/// <summary>The eight bitmap words of a record, 32 two-bit states each.</summary>
[InlineArray(Count)]
public struct FreemapWords
{
    /// <summary>Words per record.</summary>
    public const int Count = 8;

    private ulong _first;
}

/// <summary>Bitmap record of one 4 MiB segment.</summary>
[StructLayout(LayoutKind.Explicit, Size = Bytes)]
public struct FreemapBitmap
{
    /// <summary>Bytes of a record.</summary>
    public const int Bytes = 128;

    /// <summary>Two-bit states in a record.</summary>
    public const int States = 256;

    /// <summary>Next allocation point below 16 KiB, as byte offset in the segment.</summary>
    [FieldOffset(0x00)] public int Linear;

    /// <summary>Blockref type in the high byte, 16 in the low; 0 = unassigned.</summary>
    [FieldOffset(0x04)] public ushort Class;

    /// <summary>Free bytes in the segment, in steps of 16 KiB.</summary>
    [FieldOffset(0x1C)] public uint Avail;

    /// <summary>The states.</summary>
    [FieldOffset(0x40)] public FreemapWords Words;

    /// <summary>State of 16 KiB block <paramref name="block"/> (0..255).</summary>
    public readonly FreemapState StateOf(int block) => (FreemapState)(Words[block >> 5] >> (2 * (block & 31)) & 3);
}
