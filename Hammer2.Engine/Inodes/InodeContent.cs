// An inode in memory: its fixed part, its name, and either its embedded bytes or the tree below its blockset.
// Decoding validates every field that others rely on; a block with the right check code that fails here is Corrupt.
// Changed only under the inode's exclusive lock. May call Format, Blocks and Topology.

using System.Runtime.InteropServices;
using System.Text;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Topology;

namespace Hammer2.Engine.Inodes;

/// <summary>The content of one inode block, and the way to what lies below it.</summary>
internal sealed class InodeContent
{
    private InodeContent(in InodeData data, byte[] name, byte[]? embedded, MutableTree tree, ulong allocated)
    {
        Data = data;
        Name = name;
        Embedded = embedded;
        Tree = tree;
        Allocated = allocated;
    }

    /// <summary>The fixed part.</summary>
    internal InodeData Data;

    /// <summary>The stored name: a PFS label, or the hexadecimal inode number.</summary>
    internal byte[] Name { get; }

    /// <summary>512 bytes of file data, when the inode has direct data.</summary>
    internal byte[]? Embedded { get; private set; }

    /// <summary>Blocks or entries below the inode; empty with direct data.</summary>
    internal MutableTree Tree { get; private set; }

    /// <summary>Bytes of the blocks below (format page 3.5), without what still waits to be written.</summary>
    internal ulong Allocated { get; set; }

    /// <summary>Decodes a verified inode block.</summary>
    /// <param name="bref">The reference to it.</param>
    /// <param name="block">1024 bytes.</param>
    /// <param name="treeLock">The tree's own lock, for a PFS root, whose tree is also the inode index.</param>
    internal static InodeContent Decode(in BlockRef bref, ReadOnlySpan<byte> block, ManyReadersLock? treeLock = null)
    {
        InodeData data = MemoryMarshal.Read<InodeData>(block);
        Validate(bref, data);
        byte[] name = block.Slice(InodeData.NameOffset, data.NameLength).ToArray();
        ReadOnlySpan<byte> union = block.Slice(InodeData.UnionOffset, FormatLimits.EmbeddedBytes);
        if (data.IsDirectData)
            return new InodeContent(data, name, union.ToArray(), NewTree(data, bref.Methods), 0);

        Span<BlockRef> refs = stackalloc BlockRef[FormatLimits.BlockSetCount];
        union.CopyTo(MemoryMarshal.AsBytes(refs));
        int live = NodeArray.Normalise(refs, bref);
        var tree = new MutableTree(ShapeOf(data.Type), refs[..live], bref.Methods, treeLock);
        return new InodeContent(data, name, null, tree, bref.DataCount);
    }

    /// <summary>The content of an object that is just being made: files and symlinks begin with direct data (7.6).</summary>
    internal static InodeContent Create(InodeData data, byte methods)
    {
        byte[] name = Encoding.ASCII.GetBytes($"0x{data.InodeNumber:x16}");
        data.Version = 1;
        data.NameKey = data.InodeNumber;
        data.NameLength = (ushort)name.Length;
        bool direct = data.Type is ObjectType.File or ObjectType.Symlink;
        if (direct)
            data.OpFlags |= InodeData.OpDirectData;
        return new InodeContent(data, name, direct ? new byte[FormatLimits.EmbeddedBytes] : null, NewTree(data, methods), 0);
    }

    /// <summary>Stores the inode as its block holds it; the tree must be flushed.</summary>
    /// <param name="block">1024 bytes.</param>
    internal void Encode(Span<byte> block)
    {
        block.Clear();
        MemoryMarshal.Write(block, Data);
        Name.CopyTo(block[InodeData.NameOffset..]);
        if (Embedded is not null)
        {
            Embedded.CopyTo(block[InodeData.UnionOffset..]);
            return;
        }

        Invariant.Check(Tree.NodesInMemory == 0);
        MemoryMarshal.AsBytes(Tree.Root.Slots).CopyTo(block[InodeData.UnionOffset..]);
    }

    /// <summary>Gives up direct data for an empty tree; what was embedded is the caller's to write as block 0.</summary>
    internal byte[] LeaveDirectData()
    {
        byte[] bytes = Embedded!;
        Embedded = null;
        Data.OpFlags &= unchecked((byte)~InodeData.OpDirectData);
        return bytes;
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

    private static MutableTree NewTree(in InodeData data, byte methods) => new(ShapeOf(data.Type), [], methods);

    private static TreeShape ShapeOf(ObjectType type) => type == ObjectType.Directory ? TreeShape.Directory : TreeShape.File;
}
