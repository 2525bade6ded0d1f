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

    // The decoder's rules for the end of a block: the last bytes are literals, no match ends in them, and a sequence
    // with a match leaves room for the next token and these literals. So far from both ends it does not look.
    private const uint OutputBytesMax = FormatLimits.LogicalBlockBytes;
    private const int LastLiterals = 5;
    private const int TailInputBytes = sizeof(ushort) + 1 + LastLiterals;
    private const int InsideInputBytes = 16;
    private const int InsideOutputBytes = 32;
    private const int MatchStartsBeforeEnd = 12;

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

    /// <summary>Checks that a stored LZ4 block decodes to 1..64 KiB, without decoding it.</summary>
    /// <remarks>
    /// The verdict is that of <see cref="Decode"/> with room for 64 KiB; only a match of distance 0, which no encoder
    /// writes and for which the decoder makes something up, is refused here and not there.
    /// </remarks>
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
                bool inside = literals != RunMark && end - at > InsideInputBytes && produced <= OutputBytesMax - InsideOutputBytes;
                if (literals == RunMark && !AddRun(ref at, end - RunMark, ref literals))
                    return false;
                produced += literals;
                if (literals > (ulong)(end - at))
                    return false;
                at += literals;
                if (!inside && (end - at < TailInputBytes || produced > OutputBytesMax - MatchStartsBeforeEnd))
                    return at == end && produced is > 0 and <= OutputBytesMax;
                uint distance = (uint)(at[0] | at[1] << 8);
                at += sizeof(ushort);
                uint match = token & RunMark;
                if (match == RunMark && !AddRun(ref at, end - LastLiterals, ref match))
                    return false;
                if (distance - 1 >= produced)
                    return false;
                produced += match + Lz4MinMatch;
                if (produced > OutputBytesMax - LastLiterals)
                    return false;
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

    // The framework's stream ends silently when its input ends early, which would turn a cut stream into zeros:
    // a sound stream never asks for a byte beyond the block.
    private static unsafe int Inflate(ReadOnlySpan<byte> stored, Span<byte> output)
    {
        fixed (byte* p = stored)
        {
            using var source = new StoredStream(p, stored.Length);
            using var zlib = new ZLibStream(source, CompressionMode.Decompress);
            try
            {
                int total = 0, got;
                do
                {
                    got = zlib.Read(output[total..]);
                    total += got;
                }
                while (got > 0 && total < output.Length);

                bool ended = got == 0 || zlib.ReadByte() < 0;
                return ended && !source.RanDry ? total : -1;
            }
            catch (Exception e) when (e is InvalidDataException or IOException)
            {
                return -1;
            }
        }
    }
}
