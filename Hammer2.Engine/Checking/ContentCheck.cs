// Contents of leaves: file blocks decode, and hold nothing after the end of the file; names are possible and stand where
// their hash says. One for each thread: it owns the buffer that streams are decoded into.

using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;

namespace Hammer2.Engine.Checking;

/// <summary>Checks what leaves hold.</summary>
internal sealed class ContentCheck(FindingList findings, NamespacePart names) : IDisposable
{
    private readonly byte[] _decoded = ArrayPool<byte>.Shared.Rent(FormatLimits.LogicalBlockBytes);

    public void Dispose() => ArrayPool<byte>.Shared.Return(_decoded);

    /// <summary>A file block whose check code is right.</summary>
    internal void CheckData(in BlockRef bref, in TreeContext context, ReadOnlySpan<byte> block)
    {
        bool atEnd = bref.Key < context.Size && context.Size - bref.Key < FormatLimits.LogicalBlockBytes;
        ReadOnlySpan<byte> plain = block;
        switch (bref.Compression)
        {
            case CompressionMethod.Lz4 when !Compression.IsSoundLz4(block):
                Stream(bref, context);
                return;
            case CompressionMethod.Lz4:
                int used = sizeof(int) + BinaryPrimitives.ReadInt32LittleEndian(block);
                if (block[used..].IndexOfAnyExcept((byte)0) >= 0)
                    findings.Add(CheckCodes.DataPadding, context.Place, bref, $"The bytes after the compressed stream are not zero.");
                if (!atEnd)
                    return;
                plain = Decode(bref.Compression, block);
                break;
            case CompressionMethod.Zlib:
                plain = Decode(bref.Compression, block);
                if (plain.IsEmpty)
                {
                    Stream(bref, context);
                    return;
                }

                break;
            default:
                break;
        }

        if (!atEnd)
            return;
        int inside = (int)(context.Size - bref.Key);
        if (inside < plain.Length && plain[inside..].IndexOfAnyExcept((byte)0) >= 0)
            findings.Add(CheckCodes.DataTail, context.Place, bref, $"The bytes of the block after the end of the file are not zero.");
    }

    /// <summary>A directory entry; false: it leads nowhere.</summary>
    /// <param name="bref">The entry.</param>
    /// <param name="context">Its directory.</param>
    /// <param name="area">Where the name lies, at its start.</param>
    /// <param name="crowded">Another entry may have the same name.</param>
    internal bool CheckEntry(in BlockRef bref, in TreeContext context, ReadOnlySpan<byte> area, bool crowded)
    {
        var place = new Place(context.Pfs, context.Inode, bref.Key);
        int length = bref.DirentNameLength;
        bool inline = !bref.Physical.HasData;
        if (length is 0 or > FormatLimits.NameBytesMax || inline != length <= FormatLimits.InlineNameBytesMax)
        {
            findings.Add(CheckCodes.DirentNameLength, place, bref, $"A name of {length} bytes is not legal for an entry {(inline ? "without" : "with")} a block.");
            return false;
        }

        if (area[length..].IndexOfAnyExcept((byte)0) >= 0)
            findings.Add(CheckCodes.RefUnused, place, bref, $"The bytes after the name are not zero.");
        ReadOnlySpan<byte> name = area[..length];
        CheckName(bref, place, name);
        names.Links.Add(new LinkRecord(bref.DirentInode, context.Inode, bref.Key, bref.DirentType));
        if (crowded)
            names.Crowded.Add(new NameRecord(context.Inode, bref.Key, Checks.XxHash(name)));
        return true;
    }

    /// <summary>An inode that stands in its directory, as very old versions had it: entry and object in one.</summary>
    internal void CheckNestedInode(in BlockRef bref, in TreeContext context, ReadOnlySpan<byte> block, bool crowded)
    {
        ref readonly InodeData data = ref MemoryMarshal.AsRef<InodeData>(block);
        var place = new Place(context.Pfs, context.Inode, bref.Key);
        findings.Add(CheckCodes.InodeOldLayout, place, bref, $"The inode stands in its directory, not in the index.");
        ReadOnlySpan<byte> name = block.Slice(InodeData.NameOffset, Math.Min((int)data.NameLength, FormatLimits.NameBytesMax));
        CheckName(bref, place, name);
        names.Links.Add(new LinkRecord(data.InodeNumber, context.Inode, bref.Key, data.Type));
        if (crowded)
            names.Crowded.Add(new NameRecord(context.Inode, bref.Key, Checks.XxHash(name)));
    }

    private void CheckName(in BlockRef bref, in Place place, ReadOnlySpan<byte> name)
    {
        bool dots = name.SequenceEqual("."u8) || name.SequenceEqual(".."u8);
        if (dots || name.IsEmpty || name.IndexOfAny((byte)0, (byte)'/') >= 0)
            findings.Add(CheckCodes.DirentName, place, bref, $"The name is empty, '.', '..' or contains NUL or '/'.");
        ulong hash = DirectoryHash.Compute(name);
        if (bref.Key < hash || bref.Key - hash > FormatLimits.CollisionMask)
            findings.Add(CheckCodes.DirentHash, place, bref, $"The name has hash 0x{hash:x} and stands under key 0x{bref.Key:x}.");
    }

    private void Stream(in BlockRef bref, in TreeContext context) =>
        findings.Add(CheckCodes.DataStream, context.Place, bref, $"The {MethodNames.Of(bref.Compression)} stream is damaged.");

    private ReadOnlySpan<byte> Decode(CompressionMethod method, ReadOnlySpan<byte> block)
    {
        int length = Compression.Decode(method, block, _decoded.AsSpan(0, FormatLimits.LogicalBlockBytes));
        return length > 0 ? _decoded.AsSpan(0, length) : default;
    }
}
