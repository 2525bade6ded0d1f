// The smallest trees that a walk can be sent through: a super-root with one PFS root and files with given blocksets.
// Metadata lies in a segment of its own near the start of the volume and is marked in use.

using System.Runtime.InteropServices;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;

namespace Hammer2.Tests.Freemap;

/// <summary>Writes small trees.</summary>
internal static class Craft
{
    private const ulong At = 40UL << 20;

    /// <summary>A super-root over a PFS root over one inode for each blockset.</summary>
    internal static BlockRef SuperRootOver(FreemapRig rig, params BlockRef[][] files)
    {
        ulong next = At;
        BlockRef[] inodes = [.. files.Select((blockset, i) => Inode(rig, ref next, 1024 + (ulong)i, ObjectType.File, blockset))];
        BlockRef root = Inode(rig, ref next, 1, ObjectType.Directory, inodes);
        return Inode(rig, ref next, 0, ObjectType.Directory, [root]);
    }

    private static BlockRef Inode(FreemapRig rig, ref ulong next, ulong number, ObjectType type, BlockRef[] blockset)
    {
        byte[] block = new byte[FormatLimits.InodeBytes];
        ref InodeData data = ref MemoryMarshal.AsRef<InodeData>(block.AsSpan());
        (data.Version, data.Type, data.InodeNumber) = (1, type, number);
        MemoryMarshal.AsBytes(blockset.AsSpan()).CopyTo(block.AsSpan(InodeData.UnionOffset));
        var bref = new BlockRef
        {
            Type = BlockRefType.Inode,
            Methods = (byte)CheckMethod.XxHash64 << 4,
            Key = number,
            MirrorTid = 16,
            DataOff = next | 10,
            Check64 = Checks.XxHash(block),
        };
        rig.WriteAt((long)next, block);
        rig.Allocator.MarkUsed(bref);
        next += (ulong)block.Length;
        return bref;
    }
}
