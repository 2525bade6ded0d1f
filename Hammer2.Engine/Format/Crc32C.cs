// CRC-32C (Castagnoli), the checksum of headers, freemap blocks and directory hashes (format page 4.2).
// The framework's intrinsic does the arithmetic; three interleaved lanes would be faster, but no
// hot path of today's volumes uses this check.

using System.Numerics;
using System.Runtime.InteropServices;

namespace Hammer2.Engine.Format;

/// <summary>CRC-32C with initial value and final inversion of all ones.</summary>
public static class Crc32C
{
    /// <summary>The CRC of <paramref name="data"/>; of "123456789" it is 0xE3069283.</summary>
    public static uint Compute(ReadOnlySpan<byte> data)
    {
        uint crc = uint.MaxValue;
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(data);
        foreach (ulong word in words)
            crc = BitOperations.Crc32C(crc, word);
        foreach (byte b in data[(words.Length * sizeof(ulong))..])
            crc = BitOperations.Crc32C(crc, b);
        return ~crc;
    }
}
