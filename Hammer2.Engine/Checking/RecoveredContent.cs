// The bytes of a file version that a raw scan found. Invariants: every block is compared with its check code before a byte of it
// is used; what is lost is told as ranges, never filled with anything; a strict read ends at the first loss.

using System.Buffers;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;

namespace Hammer2.Engine.Checking;

/// <summary>Takes bytes of a file.</summary>
/// <param name="offset">In the file.</param>
/// <param name="bytes">Valid during the call.</param>
public delegate void RecoveredBytes(long offset, ReadOnlySpan<byte> bytes);

/// <summary>Reads one version of a file.</summary>
internal sealed class RecoveredContent(RecoverySpace space, long size, bool isRelaxed)
{
    private const int LostRangesMax = 10_000;
    private readonly List<(long Offset, long Length)> _lost = [];

    internal IReadOnlyList<(long Offset, long Length)> Read(byte[] inode, RecoveredBytes write, CancellationToken stop)
    {
        if (System.Runtime.InteropServices.MemoryMarshal.AsRef<InodeData>(inode.AsSpan()).IsDirectData)
        {
            write(0, inode.AsSpan(InodeData.UnionOffset, (int)Math.Min(size, FormatLimits.EmbeddedBytes)));
            return _lost;
        }

        byte[] stored = ArrayPool<byte>.Shared.Rent(FormatLimits.BlockBytesMax);
        byte[] decoded = ArrayPool<byte>.Shared.Rent(FormatLimits.LogicalBlockBytes);
        try
        {
            foreach (FoundLeaf leaf in RecoveryEntries.Walk(space, inode, BlockRefType.Data, null, stop))
            {
                BlockRef bref = leaf.Ref;
                if (bref.Key >= (ulong)size)
                    continue;
                int length = leaf.IsLost || bref.Key % FormatLimits.LogicalBlockBytes != 0 ? -1 : Decode(bref, stored, decoded);
                if (length > 0)
                    write((long)bref.Key, decoded.AsSpan(0, (int)Math.Min(length, size - (long)bref.Key)));
                else if (!Lose(bref))
                    break;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(stored);
            ArrayPool<byte>.Shared.Return(decoded);
        }

        return _lost;
    }

    private int Decode(in BlockRef bref, byte[] stored, byte[] decoded)
    {
        if (!space.TryRead(bref, stored))
            return -1;
        int bytes = bref.Physical.Bytes;
        switch (bref.Compression)
        {
            case CompressionMethod.None:
                stored.AsSpan(0, bytes).CopyTo(decoded);
                return bytes;
            case CompressionMethod.Lz4 or CompressionMethod.Zlib:
                return Compression.Decode(bref.Compression, stored.AsSpan(0, bytes), decoded.AsSpan(0, FormatLimits.LogicalBlockBytes));
            default:
                return -1;
        }
    }

    // False: enough is known.
    private bool Lose(in BlockRef bref)
    {
        long end = (long)Math.Min(bref.LastKey, (ulong)size - 1) + 1, start = (long)bref.Key;
        if (_lost.Count > 0 && _lost[^1].Offset + _lost[^1].Length == start)
            _lost[^1] = (_lost[^1].Offset, end - _lost[^1].Offset);
        else if (_lost.Count < LostRangesMax)
            _lost.Add((start, end - start));
        return isRelaxed;
    }
}
