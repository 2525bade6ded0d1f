// The address form of the medium: byte offset and size radix in one number (format page 1.2).
// Radix 0 means "no data at all". The offset is never derived by masking with the size: blocks
// below 16 KiB are packed at 1 KiB granularity and not aligned to their own size (trap T1).

namespace Hammer2.Engine.Format;

/// <summary>A <c>data_off</c>: logical volume offset in bytes, with the size radix in its low six bits.</summary>
/// <param name="Raw">The stored number.</param>
public readonly record struct PhysicalOffset(ulong Raw)
{
    private const ulong RadixMask = 0x3F;

    /// <summary>log2 of the size in bytes; 0 = no data.</summary>
    public int Radix => (int)(Raw & RadixMask);

    /// <summary>Byte offset in the volume's address space.</summary>
    public ulong Offset => Raw & ~RadixMask;

    /// <summary>True when a physical block is referenced.</summary>
    public bool HasData => Radix != 0;

    /// <summary>Bytes of the physical block; only meaningful for radixes up to 16.</summary>
    public int Bytes => HasData ? 1 << Radix : 0;

    /// <summary>True when the radix is one that the format allows (10..16).</summary>
    public bool IsLegal => Radix is >= FormatLimits.AllocationRadixMin and <= FormatLimits.AllocationRadixMax
        && Offset % 1024 == 0
        && (Offset & (FormatLimits.BlockBytesMax - 1)) + (ulong)Bytes <= FormatLimits.BlockBytesMax;

    /// <inheritdoc/>
    public override string ToString() => $"0x{Offset:x}/{Radix}";
}
