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
    private const int Lz4MinMatch = 4;

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
    public static bool IsSoundLz4(ReadOnlySpan<byte> stored)
    {
        if (!TryLz4Stream(stored, out ReadOnlySpan<byte> s))
            return false;
        int at = 0, produced = 0;
        while (true)
        {
            if (at >= s.Length)
                return false;
            int token = s[at++];
            int literals = token >> 4;
            if (literals == 15 && !AddRun(s, ref at, ref literals))
                return false;
            at += literals;
            produced += literals;
            if (at > s.Length || produced > FormatLimits.LogicalBlockBytes)
                return false;
            if (at == s.Length)
                return true;
            if (at + 2 > s.Length)
                return false;
            int distance = s[at] | s[at + 1] << 8;
            at += 2;
            int match = token & 15;
            if (match == 15 && !AddRun(s, ref at, ref match))
                return false;
            if (distance == 0 || distance > produced)
                return false;
            produced += match + Lz4MinMatch;
            if (produced > FormatLimits.LogicalBlockBytes)
                return false;
        }
    }

    private static bool AddRun(ReadOnlySpan<byte> s, ref int at, ref int length)
    {
        int b;
        do
        {
            if (at >= s.Length || length > FormatLimits.LogicalBlockBytes)
                return false;
            b = s[at++];
            length += b;
        }
        while (b == 255);
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
