// Every physical block that the newest header's super-root reaches, by a plain walk of its own: what a right freemap
// must call allocated. For sound images only; nothing of the engine's walks is used to judge them.

using System.Runtime.InteropServices;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;

namespace Hammer2.Tests.Freemap;

/// <summary>Lists what is in use.</summary>
internal static class UsedBlocks
{
    /// <summary>All references with data below the super-root; shared blocks once.</summary>
    internal static List<BlockRef> Of(IReadOnlyList<IBlockDevice> devices)
    {
        var volumes = VolumeSet.Open(devices);
        var found = new List<BlockRef>();
        var seen = new HashSet<(BlockRefType, ulong)>();
        var pending = new Stack<BlockRef>(volumes.Header.SuperRoot.ToArray());
        while (pending.TryPop(out BlockRef bref))
        {
            if (bref.Type == BlockRefType.Empty || !bref.Physical.HasData || !seen.Add((bref.Type, bref.DataOff)))
                continue;
            found.Add(bref);
            if (bref.Type is not (BlockRefType.Inode or BlockRefType.Indirect))
                continue;
            byte[] block = new byte[bref.Physical.Bytes];
            volumes.Read((long)bref.Physical.Offset, block);
            Span<byte> array = bref.Type == BlockRefType.Indirect ? block : block.AsSpan(InodeData.UnionOffset);
            if (bref.Type == BlockRefType.Inode && MemoryMarshal.Read<InodeData>(block).IsDirectData)
                continue;
            foreach (BlockRef child in MemoryMarshal.Cast<byte, BlockRef>(array))
                pending.Push(child);
        }

        return found;
    }
}
