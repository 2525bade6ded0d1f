// A decoded inode block: its fixed part, its name, and either its embedded bytes or its normalised blockset.
// Decoding validates every field that others rely on; a block with the right check code that fails here is Corrupt.

using System.Runtime.InteropServices;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Inodes;

/// <summary>An inode as loaded from the medium; never changes.</summary>
internal sealed class InodeContent
{
    private InodeContent(in InodeData data, byte[] name, byte[]? embedded, BlockRef[] blockset)
    {
        Data = data;
        Name = name;
        Embedded = embedded;
        Blockset = blockset;
    }

    /// <summary>The fixed part.</summary>
    internal readonly InodeData Data;

    /// <summary>The stored name: a PFS label, or the hexadecimal inode number.</summary>
    internal byte[] Name { get; }

    /// <summary>512 bytes of file data, when the inode has direct data.</summary>
    internal byte[]? Embedded { get; }

    /// <summary>Live entries of the blockset in key order; empty with direct data.</summary>
    internal BlockRef[] Blockset { get; }

    /// <summary>Decodes a verified inode block.</summary>
    internal static InodeContent Decode(in BlockRef bref, ReadOnlySpan<byte> block)
    {
        InodeData data = MemoryMarshal.Read<InodeData>(block);
        Validate(bref, data);
        byte[] name = block.Slice(InodeData.NameOffset, data.NameLength).ToArray();
        ReadOnlySpan<byte> union = block.Slice(InodeData.UnionOffset, FormatLimits.EmbeddedBytes);
        if (data.IsDirectData)
            return new InodeContent(data, name, union.ToArray(), []);

        BlockRef[] refs = MemoryMarshal.Cast<byte, BlockRef>(union).ToArray();
        int live = NodeArray.Normalise(refs, bref);
        return new InodeContent(data, name, null, live == refs.Length ? refs : refs[..live]);
    }

    /// <summary>Checks the fields of an inode block that everything else relies on.</summary>
    /// <exception cref="Hammer2Exception"><c>Corrupt</c> or <c>Unsupported</c>.</exception>
    internal static void Validate(in BlockRef bref, in InodeData data)
    {
        if (data.Version != 1)
            throw new Hammer2Exception(Hammer2Error.Unsupported, $"Inode at blockref {bref}: version {data.Version} is unknown.");
        if (!MethodNames.IsKnown(data.Type))
            throw new Hammer2Exception(Hammer2Error.Unsupported, $"Inode {data.InodeNumber} at blockref {bref}: object type {(int)data.Type} is unknown.");
        if (data.Size > long.MaxValue)
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"Inode {data.InodeNumber} at blockref {bref}: size 0x{data.Size:x} is beyond the largest file.");
        if (data.NameLength > InodeData.NameFieldBytes)
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"Inode {data.InodeNumber} at blockref {bref}: name length {data.NameLength} is too large.");
        if (data.IsDirectData && (data.Type is not (ObjectType.File or ObjectType.Symlink) || data.Size > FormatLimits.EmbeddedBytes))
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"Inode {data.InodeNumber} at blockref {bref}: direct data on a {MethodNames.Of(data.Type)} of {data.Size} bytes.");
    }
}
