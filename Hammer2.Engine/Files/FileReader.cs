// Reading the bytes of files and symlinks (format page 7). Blocks that wait in memory come first; for the others the
// tree is asked for the references of a whole request at once, each block is leased from the cache and copied. A missing
// reference is a hole; a block shorter than the logical one is followed by zeros, wherever it stands (trap T9).

using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Topology;

namespace Hammer2.Engine.Files;

/// <summary>Reads file data through the block cache.</summary>
internal static class FileReader
{
    private const int GatherMax = 16;
    private const ulong BlockMask = FormatLimits.LogicalBlockBytes - 1;

    /// <summary>Reads up to the end of the file.</summary>
    /// <param name="reader">Where blocks come from.</param>
    /// <param name="content">The locked file.</param>
    /// <param name="dirty">Its blocks in memory, or null.</param>
    /// <param name="offset">First byte.</param>
    /// <param name="buffer">Filled from the start.</param>
    /// <returns>Bytes read; fewer than asked only at the end of the file.</returns>
    internal static int Read(BlockReader reader, InodeContent content, DirtyBlocks? dirty, long offset, Span<byte> buffer)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ref readonly InodeData data = ref content.Data;
        long size = (long)data.Size;
        // An empty range has no last key: everything below may rely on at least one byte.
        if (offset >= size || buffer.IsEmpty)
            return 0;
        buffer = buffer[..(int)Math.Min(buffer.Length, size - offset)];
        if (content.Embedded is byte[] embedded)
        {
            embedded.AsSpan((int)offset, buffer.Length).CopyTo(buffer);
            return buffer.Length;
        }

        if (dirty is null || dirty.Count == 0)
            ReadBlocks(reader, content, (ulong)offset, buffer);
        else
            ReadMixed(reader, content, dirty, (ulong)offset, buffer);
        return buffer.Length;
    }

    /// <summary>First byte at or after <paramref name="offset"/> that is in a stored block, or null when only a hole follows.</summary>
    internal static long? NextData(BlockReader reader, InodeContent content, DirtyBlocks? dirty, long offset)
    {
        long size = (long)content.Data.Size;
        if (offset >= size)
            return null;
        if (content.Embedded is not null)
            return offset;
        ulong begin = (ulong)offset & ~BlockMask;
        ulong? waiting = dirty?.FirstAtOrAfter(begin);
        BlockRef found = default;
        if (content.Tree.Gather(reader, begin, (ulong)size - 1, new Span<BlockRef>(ref found), null, out _) > 0)
        {
            CheckData(found);
            waiting = Math.Min(waiting ?? found.Key, found.Key);
        }

        return waiting is ulong key && key < (ulong)size ? Math.Max(offset, (long)key) : null;
    }

    /// <summary>First byte at or after <paramref name="offset"/> that is in a hole; the end of the file counts as one.</summary>
    internal static long NextHole(BlockReader reader, InodeContent content, DirtyBlocks? dirty, long offset)
    {
        long size = (long)content.Data.Size;
        if (offset >= size || content.Embedded is not null)
            return size;
        ulong expected = (ulong)offset & ~BlockMask;
        Span<BlockRef> refs = stackalloc BlockRef[GatherMax];
        ulong? next = expected;
        while (next is ulong begin)
        {
            int count = content.Tree.Gather(reader, begin, (ulong)size - 1, refs, null, out next);
            for (int i = 0; i < count; i++)
            {
                CheckData(refs[i]);
                expected = SkipWaiting(dirty, expected);
                if (refs[i].Key > expected)
                    return Clamp(expected, offset, size);
                if (refs[i].Key == expected)
                    expected += FormatLimits.LogicalBlockBytes;
            }
        }

        return Clamp(SkipWaiting(dirty, expected), offset, size);
    }

    /// <summary>Likely decoded length of the block at <paramref name="key"/>: its size class at the end of the file (7.2).</summary>
    internal static int ExpectedBytes(ulong key, ulong size)
    {
        if (key >= size || size - key >= FormatLimits.LogicalBlockBytes)
            return FormatLimits.LogicalBlockBytes;
        return (int)Math.Max(1024, System.Numerics.BitOperations.RoundUpToPowerOf2((uint)(size - key)));
    }

    // The end of the last block that a file can have is 2^63, one more than an offset can be.
    private static long Clamp(ulong hole, long offset, long size) => (long)Math.Min((ulong)size, Math.Max((ulong)offset, hole));

    private static ulong SkipWaiting(DirtyBlocks? dirty, ulong key)
    {
        while (dirty is not null && dirty.TryGet(key, out _))
            key += FormatLimits.LogicalBlockBytes;
        return key;
    }

    // Runs of blocks that are not in memory are read together, those between them are copied.
    private static void ReadMixed(BlockReader reader, InodeContent content, DirtyBlocks dirty, ulong offset, Span<byte> buffer)
    {
        ulong done = offset, clean = offset, end = offset + (ulong)buffer.Length;
        while (done < end)
        {
            ulong key = done & ~BlockMask;
            ulong stop = Math.Min(end, key + FormatLimits.LogicalBlockBytes);
            if (dirty.TryGet(key, out DirtyBlock? block))
            {
                if (clean < done)
                    ReadBlocks(reader, content, clean, buffer[(int)(clean - offset)..(int)(done - offset)]);
                CopyWaiting(block!, (int)(done - key), buffer[(int)(done - offset)..(int)(stop - offset)]);
                clean = stop;
            }

            done = stop;
        }

        if (clean < end)
            ReadBlocks(reader, content, clean, buffer[(int)(clean - offset)..]);
    }

    private static void CopyWaiting(DirtyBlock block, int at, Span<byte> destination)
    {
        int stored = Math.Clamp(block.Bytes.Length - at, 0, destination.Length);
        if (stored > 0)
            block.Bytes.Slice(at, stored).CopyTo(destination);
        destination[stored..].Clear();
    }

    private static void ReadBlocks(BlockReader reader, InodeContent content, ulong offset, Span<byte> buffer)
    {
        Span<BlockRef> refs = stackalloc BlockRef[GatherMax];
        ulong end = offset + (ulong)buffer.Length;
        ulong done = offset;
        ulong? next = offset & ~BlockMask;
        while (next is ulong begin)
        {
            int count = content.Tree.Gather(reader, begin, end - 1, refs, null, out next);
            for (int i = 0; i < count; i++)
            {
                ref readonly BlockRef bref = ref refs[i];
                CheckData(bref);
                if (bref.Key > done)
                {
                    buffer.Slice((int)(done - offset), (int)(bref.Key - done)).Clear();
                    done = bref.Key;
                }

                done += CopyBlock(reader, bref, content.Data.Size, done, buffer[(int)(done - offset)..]);
            }
        }

        buffer[(int)(done - offset)..].Clear();
    }

    private static ulong CopyBlock(BlockReader reader, in BlockRef bref, ulong size, ulong position, Span<byte> destination)
    {
        int at = (int)(position - bref.Key);
        int wanted = Math.Min(destination.Length, FormatLimits.LogicalBlockBytes - at);
        using BlockLease block = reader.GetData(bref, ExpectedBytes(bref.Key, size));
        int stored = Math.Clamp(block.Data.Length - at, 0, wanted);
        if (stored > 0)
            block.Data.Slice(at, stored).CopyTo(destination);
        destination[stored..wanted].Clear();
        return (ulong)wanted;
    }

    internal static void CheckData(in BlockRef bref)
    {
        if (bref.Type != BlockRefType.Data || (bref.Key & BlockMask) != 0 || bref.KeyBits != FormatLimits.LogicalBlockRadix)
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {bref} is no file block of 64 KiB.");
    }
}
