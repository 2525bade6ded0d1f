// From logical file bytes to stored bytes (format page 7.4): zero test, compression with its limits, padding, the smallest
// power of two. Pure and thread-safe; scratch belongs to the caller. Exactly the rules of the reference decide what is kept
// compressed, so that what both write is of the same shape. The opposite direction is Compression.

using System.Buffers.Binary;
using System.IO.Compression;
using System.Numerics;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using K4os.Compression.LZ4;

namespace Hammer2.Engine.Blocks;

/// <summary>
/// How compressing went for one inode lately: after many failures only every eighth block is tried. One object per inode with
/// dirty data; parallel use makes it approximate, which changes what is tried and never what is right.
/// </summary>
internal sealed class CompressionHistory
{
    private const int AlwaysBelow = 8;
    private const int TryEvery = 8;
    private const int Most = 128;
    private int _failures;

    internal bool ShouldTry => _failures < AlwaysBelow || _failures % TryEvery == 0;

    internal void Record(bool compressed)
    {
        int next = compressed ? 0 : _failures + 1;
        _failures = next > Most ? AlwaysBelow : next;
    }
}

/// <summary>What became of a logical block.</summary>
/// <param name="Method">None: store the logical bytes as they are.</param>
/// <param name="Radix">log2 of the physical size; 0 = nothing is stored, the block is a hole.</param>
internal readonly record struct StoredForm(CompressionMethod Method, int Radix)
{
    internal bool IsHole => Radix == 0;

    internal bool IsRaw => Method == CompressionMethod.None;
}

/// <summary>Encodes logical blocks.</summary>
internal static class BlockEncoder
{
    /// <summary>Bytes of the largest compressed block.</summary>
    internal const int StoredBytesMax = FormatLimits.BlockBytesMax / 2;

    private const int MethodMask = 0x0F;
    private const int LevelShift = 4;
    private const int ZlibLevelMin = 6;
    private const int ZlibLevelMax = 9;
    private const int Lz4HeaderBytes = sizeof(int);
    private const int Lz4Margin = 8;
    private const int ZlibStepBytes = 8192;

    /// <summary>Encodes one block.</summary>
    /// <param name="logical">The block's bytes, as many as its size by format page 7.2: a power of two from 1 to 64 KiB.</param>
    /// <param name="setting">The inode's compression setting: method and level (5.7).</param>
    /// <param name="check">The check method that the block will have: with none, zeros are stored.</param>
    /// <param name="history">The inode's; null tries always.</param>
    /// <param name="stored">Receives the compressed block and its zero padding; at least <see cref="StoredBytesMax"/>.</param>
    internal static StoredForm Encode(
        ReadOnlySpan<byte> logical, byte setting, CheckMethod check, CompressionHistory? history, Span<byte> stored)
    {
        Invariant.Check(BitOperations.IsPow2(logical.Length)
            && logical.Length is >= 1 << FormatLimits.AllocationRadixMin and <= FormatLimits.LogicalBlockBytes);
        var raw = new StoredForm(CompressionMethod.None, BitOperations.Log2((uint)logical.Length));
        var method = (CompressionMethod)(setting & MethodMask);
        if (method == CompressionMethod.None)
            return raw;
        if (check != CheckMethod.None && IsZero(logical))
            return default;
        if (method == CompressionMethod.AutoZero || history is { ShouldTry: false })
        {
            if (method != CompressionMethod.AutoZero)
                history?.Record(compressed: false);
            return raw;
        }

        int bytes = method switch
        {
            CompressionMethod.Lz4 => EncodeLz4(logical, stored),
            CompressionMethod.Zlib => EncodeZlib(logical, setting >> LevelShift, stored),
            _ => throw new Hammer2Exception(Hammer2Error.Unsupported, $"Compression method {(int)method} is unknown."),
        };
        history?.Record(bytes > 0);
        if (bytes <= 0)
            return raw;
        int radix = Math.Max(FormatLimits.AllocationRadixMin, BitOperations.Log2((uint)bytes - 1) + 1);
        stored[bytes..(1 << radix)].Clear();
        return new StoredForm(method, radix);
    }

    /// <summary>True when all bytes are zero.</summary>
    internal static bool IsZero(ReadOnlySpan<byte> bytes) => !bytes.ContainsAnyExcept((byte)0);

    // Bytes of the length and the stream, or 0 when it does not shrink enough.
    private static int EncodeLz4(ReadOnlySpan<byte> logical, Span<byte> stored)
    {
        int limit = logical.Length / 2 - Lz4Margin;
        int length = LZ4Codec.Encode(logical, stored.Slice(Lz4HeaderBytes, limit), LZ4Level.L00_FAST);
        if (length <= 0)
            return 0;
        BinaryPrimitives.WriteInt32LittleEndian(stored, length);
        return length + Lz4HeaderBytes;
    }

    private static unsafe int EncodeZlib(ReadOnlySpan<byte> logical, int level, Span<byte> stored)
    {
        fixed (byte* target = stored)
        {
            var sink = new BoundedSink(target, logical.Length / 2);
            var options = new ZLibCompressionOptions { CompressionLevel = Math.Clamp(level, ZlibLevelMin, ZlibLevelMax) };
            using (var zlib = new ZLibStream(sink, options, leaveOpen: true))
            {
                // In steps, so that a block that cannot fit is given up early.
                for (; !logical.IsEmpty && !sink.IsFull; logical = logical[Math.Min(ZlibStepBytes, logical.Length)..])
                    zlib.Write(logical[..Math.Min(ZlibStepBytes, logical.Length)]);
            }

            return sink.IsFull ? 0 : sink.Count;
        }
    }
}
