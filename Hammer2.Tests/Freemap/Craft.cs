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
        BlockRef[] inodes = [.. files.Select((blockset, i) => Inode(rig, At + 2048 + (ulong)i * 1024, 1024 + (ulong)i, ObjectType.File, blockset))];
        BlockRef root = Inode(rig, At + 1024, 1, ObjectType.Directory, inodes);
        return Inode(rig, At, 0, ObjectType.Directory, [root]);
    }

    /// <summary>An inode at a given place.</summary>
    internal static BlockRef Inode(FreemapRig rig, ulong at, ulong number, ObjectType type, BlockRef[] blockset)
    {
        byte[] block = new byte[FormatLimits.InodeBytes];
        ref InodeData data = ref MemoryMarshal.AsRef<InodeData>(block.AsSpan());
        (data.Version, data.Type, data.InodeNumber) = (1, type, number);
        MemoryMarshal.AsBytes(blockset.AsSpan()).CopyTo(block.AsSpan(InodeData.UnionOffset));
        return Store(rig, block, new BlockRef { Type = BlockRefType.Inode, Key = number, DataOff = at | 10 });
    }

    /// <summary>An indirect block of 16 KiB at a given place.</summary>
    internal static BlockRef Indirect(FreemapRig rig, ulong at, ulong key, int keyBits, BlockRef[] refs)
    {
        byte[] block = new byte[16384];
        MemoryMarshal.AsBytes(refs.AsSpan()).CopyTo(block);
        return Store(rig, block, new BlockRef { Type = BlockRefType.Indirect, Key = key, KeyBits = (byte)keyBits, DataOff = at | 14 });
    }

    private static BlockRef Store(FreemapRig rig, byte[] block, BlockRef bref)
    {
        bref.Methods = (byte)CheckMethod.XxHash64 << 4;
        bref.MirrorTid = 16;
        bref.Check64 = Checks.XxHash(block);
        rig.WriteAt((long)bref.Physical.Offset, block);
        rig.Allocator.MarkUsed(bref);
        return bref;
    }
}
