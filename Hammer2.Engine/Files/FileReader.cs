// Reading the bytes of files and symlinks (format page 7). The tree is asked for the references of a whole request
// at once; each block is leased from the cache and copied. A missing reference is a hole; a block shorter than the
// logical one is followed by zeros, wherever it stands in the file (trap T9).

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
    /// <param name="chain">The locked file.</param>
    /// <param name="offset">First byte.</param>
    /// <param name="buffer">Filled from the start.</param>
    /// <returns>Bytes read; fewer than asked only at the end of the file.</returns>
    internal static int Read(BlockReader reader, InodeChain chain, long offset, Span<byte> buffer)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ref readonly InodeData data = ref chain.Content.Data;
        long size = (long)data.Size;
        // An empty range has no last key: everything below may rely on at least one byte.
        if (offset >= size || buffer.IsEmpty)
            return 0;
        buffer = buffer[..(int)Math.Min(buffer.Length, size - offset)];
        if (chain.Content.Embedded is byte[] embedded)
        {
            embedded.AsSpan((int)offset, buffer.Length).CopyTo(buffer);
            return buffer.Length;
        }

        ReadBlocks(reader, chain.Content, (ulong)offset, buffer);
        return buffer.Length;
    }

    /// <summary>First byte at or after <paramref name="offset"/> that is in a stored block, or null when only a hole follows.</summary>
    internal static long? NextData(BlockReader reader, InodeChain chain, long offset)
    {
        long size = (long)chain.Content.Data.Size;
        if (offset >= size)
            return null;
        if (chain.Content.Embedded is not null)
            return offset;
        BlockRef found = default;
        int count = BlockTree.Gather(
            reader, chain.Content.Blockset, (ulong)offset & ~BlockMask, (ulong)size - 1, new Span<BlockRef>(ref found), null, out _);
        if (count == 0)
            return null;
        CheckData(found);
        return Math.Max(offset, (long)found.Key);
    }

    /// <summary>First byte at or after <paramref name="offset"/> that is in a hole; the end of the file counts as one.</summary>
    internal static long NextHole(BlockReader reader, InodeChain chain, long offset)
    {
        long size = (long)chain.Content.Data.Size;
        if (offset >= size || chain.Content.Embedded is not null)
            return size;
        ulong expected = (ulong)offset & ~BlockMask;
        Span<BlockRef> refs = stackalloc BlockRef[GatherMax];
        ulong? next = expected;
        while (next is ulong begin)
        {
            int count = BlockTree.Gather(reader, chain.Content.Blockset, begin, (ulong)size - 1, refs, null, out next);
            for (int i = 0; i < count; i++)
            {
                CheckData(refs[i]);
                if (refs[i].Key != expected)
                    return Math.Min(size, Math.Max(offset, (long)expected));
                expected += FormatLimits.LogicalBlockBytes;
            }
        }

        return Math.Min(size, Math.Max(offset, (long)expected));
    }

    /// <summary>Likely decoded length of the block at <paramref name="key"/>: its size class at the end of the file (7.2).</summary>
    internal static int ExpectedBytes(ulong key, ulong size)
    {
        if (key >= size || size - key >= FormatLimits.LogicalBlockBytes)
            return FormatLimits.LogicalBlockBytes;
        return (int)Math.Max(1024, System.Numerics.BitOperations.RoundUpToPowerOf2((uint)(size - key)));
    }

    private static void ReadBlocks(BlockReader reader, InodeContent content, ulong offset, Span<byte> buffer)
    {
        Span<BlockRef> refs = stackalloc BlockRef[GatherMax];
        ulong end = offset + (ulong)buffer.Length;
        ulong done = offset;
        ulong? next = offset & ~BlockMask;
        while (next is ulong begin)
        {
            int count = BlockTree.Gather(reader, content.Blockset, begin, end - 1, refs, null, out next);
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
