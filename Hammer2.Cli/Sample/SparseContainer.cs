// Reader of the sparse container that sample images are shipped in: gzip of a 24-byte head and of
// records { u64 offset, u32 length, bytes }, ended by offset 2^64-1. Bytes that no record covers are
// zero. Invariants: every record lies inside the announced size and offsets ascend, or unpacking
// fails; memory is one buffer however large the image is.

using System.Buffers.Binary;
using System.IO.Compression;

namespace Hammer2.Cli.Sample;

/// <summary>Unpacks <c>.h2s.gz</c> into a sparse file.</summary>
internal static class SparseContainer
{
    private const int HeadBytes = 24, RecordHeadBytes = 12;

    /// <summary>Writes the image to a seekable, empty stream and sets its length.</summary>
    /// <returns>The size of the image in bytes.</returns>
    /// <exception cref="InvalidDataException">Not such a container, or a damaged one.</exception>
    public static long Unpack(Stream compressed, Stream image)
    {
        using var packed = new GZipStream(compressed, CompressionMode.Decompress, leaveOpen: true);
        byte[] head = new byte[HeadBytes];
        packed.ReadExactly(head);
        if (!head.AsSpan(0, 8).SequenceEqual("H2SPARSE"u8))
            throw new InvalidDataException("not a sparse image container");
        uint version = BinaryPrimitives.ReadUInt32LittleEndian(head.AsSpan(8));
        if (version != 1)
            throw new InvalidDataException($"sparse image container of unknown version {version}");
        ulong size = BinaryPrimitives.ReadUInt64LittleEndian(head.AsSpan(16));
        if (size > long.MaxValue)
            throw new InvalidDataException("sparse image container with an impossible size");
        image.SetLength((long)size);
        CopyRecords(packed, image, size);
        return (long)size;
    }

    private static void CopyRecords(Stream packed, Stream image, ulong size)
    {
        byte[] buffer = new byte[1 << 20];
        ulong end = 0;
        while (true)
        {
            packed.ReadExactly(buffer, 0, RecordHeadBytes);
            ulong offset = BinaryPrimitives.ReadUInt64LittleEndian(buffer);
            uint length = BinaryPrimitives.ReadUInt32LittleEndian(buffer.AsSpan(8));
            if (offset == ulong.MaxValue)
                return;
            if (offset < end || offset > size || length > size - offset)
                throw new InvalidDataException($"sparse image container with a bad record at offset {offset}");
            image.Position = (long)offset;
            end = offset + length;
            while (length > 0)
            {
                int part = (int)Math.Min(length, (uint)buffer.Length);
                packed.ReadExactly(buffer, 0, part);
                image.Write(buffer, 0, part);
                length -= (uint)part;
            }
        }
    }
}
