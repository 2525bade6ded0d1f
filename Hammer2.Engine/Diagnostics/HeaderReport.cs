// Says of a copy of the volume header which of its three CRCs are right, also when the copy is not usable: for
// people who look at a damaged disk. Invariant: judges bytes, reads none.
// May call Format.

using Hammer2.Engine.Format;

namespace Hammer2.Engine.Diagnostics;

/// <summary>A CRC of a header as stored and as computed.</summary>
/// <param name="Stored">What the header says.</param>
/// <param name="Computed">What its bytes give.</param>
public readonly record struct CrcVerdict(uint Stored, uint Computed)
{
    /// <summary>True when both agree.</summary>
    public bool IsRight => Stored == Computed;
}

/// <summary>The three CRCs of a header copy.</summary>
/// <param name="Sector0">Of bytes 0x000..0x1FB.</param>
/// <param name="Sector1">Of the super-root blockset.</param>
/// <param name="Whole">Of the whole header.</param>
public readonly record struct HeaderReport(CrcVerdict Sector0, CrcVerdict Sector1, CrcVerdict Whole)
{
    /// <summary>Computes the verdicts of a header.</summary>
    public static HeaderReport Of(VolumeHeader header)
    {
        ArgumentNullException.ThrowIfNull(header);
        ReadOnlySpan<byte> bytes = header.Bytes;
        return new HeaderReport(
            new CrcVerdict(header.Sector0Crc, Crc32C.Compute(bytes[..VolumeHeader.Sector0CrcOffset])),
            new CrcVerdict(
                header.Sector1Crc, Crc32C.Compute(bytes.Slice(VolumeHeader.SuperRootOffset, FormatLimits.BlockSetBytes))),
            new CrcVerdict(header.HeaderCrc, Crc32C.Compute(bytes[..VolumeHeader.HeaderCrcOffset])));
    }
}
