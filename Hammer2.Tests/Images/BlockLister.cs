// Lists the blocks with check codes that a volume's newest header reaches, by a plain walk of its own: the place
// where tests aim their damage.

using System.Runtime.InteropServices;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;

namespace Hammer2.Tests.Images;

/// <summary>Walks blockrefs without the engine's reader.</summary>
internal sealed class BlockLister(IBlockDevice device)
{
    internal IEnumerable<(ulong Offset, int Bytes)> Checked()
    {
        VolumeHeader header = VolumeHeaderCopy.Newest(VolumeHeaderCopy.ReadAll(device))!.Header!;
        var pending = new Stack<BlockRef>([.. header.SuperRoot.ToArray(), .. header.Freemap.ToArray()]);
        while (pending.TryPop(out BlockRef bref))
        {
            if (bref.Type == BlockRefType.Empty || !bref.Physical.HasData)
                continue;
            if (bref.CheckMethod is not (CheckMethod.None or CheckMethod.Disabled))
                yield return (bref.Physical.Offset, bref.Physical.Bytes);
            foreach (BlockRef child in Children(bref))
                pending.Push(child);
        }
    }

    private BlockRef[] Children(in BlockRef bref)
    {
        byte[] block = new byte[bref.Physical.Bytes];
        device.Read((long)bref.Physical.Offset, block);
        if (bref.IsNode)
            return MemoryMarshal.Cast<byte, BlockRef>(block).ToArray();
        bool hasBlockset = bref.Type == BlockRefType.Inode && !MemoryMarshal.Read<InodeData>(block).IsDirectData;
        return hasBlockset ? MemoryMarshal.Cast<byte, BlockRef>(block.AsSpan(InodeData.UnionOffset)).ToArray() : [];
    }
}
