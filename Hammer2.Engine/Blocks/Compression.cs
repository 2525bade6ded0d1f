// Decoding of stored file blocks (format page 7.3). Output never exceeds the given buffer; a stream that would
// is an error. The codecs are libraries; the walk that checks an LZ4 block without producing its output is ours,
// because verifying needs the verdict and not the bytes.

using System.Buffers.Binary;
using System.IO.Compression;
using Hammer2.Engine.Format;
using K4os.Compression.LZ4;

namespace Hammer2.Engine.Blocks;

/// <summary>Decoders of the compression methods.</summary>
public static class Compression
{
    private const int Lz4HeaderBytes = sizeof(int);
    private const uint Lz4MinMatch = 4;

    // A nibble of this value is continued in the bytes that follow.
    private const uint RunMark = 15;

    /// <summary>Decodes a stored block.</summary>
    /// <param name="method">Lz4 or Zlib.</param>
    /// <param name="stored">The whole physical block.</param>
    /// <param name="output">Where the logical block goes, at most 64 KiB.</param>
    /// <returns>Decoded bytes, or -1 when the stream is damaged or does not fit.</returns>
    public static int Decode(CompressionMethod method, ReadOnlySpan<byte> stored, Span<byte> output)
    {
        if (method == CompressionMethod.Zlib)
            return Inflate(stored, output);
        return TryLz4Stream(stored, out ReadOnlySpan<byte> stream) ? LZ4Codec.Decode(stream, output) : -1;
    }

    /// <summary>Checks that a stored LZ4 block decodes to at most 64 KiB, without decoding it.</summary>
    public static bool IsSoundLz4(ReadOnlySpan<byte> stored) =>
        TryLz4Stream(stored, out ReadOnlySpan<byte> stream) && WalkSequences(stream);

    // One step per sequence: literals are skipped, a match must reach back into what was produced before it.
    // Pointers, because this loop decides how fast a volume verifies; every advance is compared with the end.
    private static unsafe bool WalkSequences(ReadOnlySpan<byte> stream)
    {
        fixed (byte* start = stream)
        {
            byte* at = start;
            byte* end = start + stream.Length;
            uint produced = 0;
            while (at < end)
            {
                uint token = *at++;
                uint literals = token >> 4;
                if (literals == RunMark && !AddRun(ref at, end, ref literals))
                    return false;
                produced += literals;
                if (literals > (ulong)(end - at) || produced > FormatLimits.LogicalBlockBytes)
                    return false;
                at += literals;
                if (at == end)
                    return true;
                if (end - at < sizeof(ushort))
                    return false;
                uint distance = (uint)(at[0] | at[1] << 8);
                at += sizeof(ushort);
                uint match = token & RunMark;
                if (match == RunMark && !AddRun(ref at, end, ref match))
                    return false;
                if (distance - 1 >= produced)
                    return false;
                produced += match + Lz4MinMatch;
            }

            return false;
        }
    }

    private static unsafe bool AddRun(ref byte* at, byte* end, ref uint length)
    {
        uint more;
        do
        {
            if (at >= end || length > FormatLimits.LogicalBlockBytes)
                return false;
            more = *at++;
            length += more;
        }
        while (more == byte.MaxValue);
        return true;
    }

    private static bool TryLz4Stream(ReadOnlySpan<byte> stored, out ReadOnlySpan<byte> stream)
    {
        stream = default;
        if (stored.Length < Lz4HeaderBytes)
            return false;
        int length = BinaryPrimitives.ReadInt32LittleEndian(stored);
        if (length <= 0 || length > stored.Length - Lz4HeaderBytes)
            return false;
        stream = stored.Slice(Lz4HeaderBytes, length);
        return true;
    }

    private static unsafe int Inflate(ReadOnlySpan<byte> stored, Span<byte> output)
    {
        fixed (byte* p = stored)
        {
            using var source = new UnmanagedMemoryStream(p, stored.Length);
            using var zlib = new ZLibStream(source, CompressionMode.Decompress);
            try
            {
                int total = 0;
                while (total < output.Length)
                {
                    int got = zlib.Read(output[total..]);
                    if (got == 0)
                        return total;
                    total += got;
                }

                return zlib.ReadByte() < 0 ? total : -1;
            }
            catch (InvalidDataException)
            {
                return -1;
            }
        }
    }
}
