// Where every block of an image is and who refers to it, found by following the bytes of the newest header without the
// engine. With it a test can change a block and then repair all check codes above it up to the header's CRCs, so that
// the change is reached and not just refused. Assumes a sound image of one volume.

using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;

namespace Hammer2.Tests.Hostile;

/// <summary>One block and the places of the references to it.</summary>
internal sealed class MediaBlock
{
    internal required long Offset { get; init; }

    internal required int Bytes { get; init; }

    internal required BlockRefType Type { get; init; }

    /// <summary>Device offsets of the 128-byte references, with the block that holds each; null: the header.</summary>
    internal List<(long At, MediaBlock? Holder)> References { get; } = [];
}

/// <summary>All blocks below one header copy.</summary>
internal sealed class MediaMap
{
    private readonly IBlockDevice _device;
    private readonly long _header;
    private readonly Dictionary<long, MediaBlock> _blocks = [];

    internal MediaMap(IBlockDevice device)
    {
        _device = device;
        _header = VolumeHeaderCopy.Newest(VolumeHeaderCopy.ReadAll(device))!.Offset;
        var pending = new Stack<(long At, int Slots, MediaBlock? Holder)>();
        pending.Push((_header + VolumeHeader.SuperRootOffset, FormatLimits.BlockSetCount, null));
        pending.Push((_header + VolumeHeader.FreemapOffset, FormatLimits.BlockSetCount, null));
        while (pending.TryPop(out (long At, int Slots, MediaBlock? Holder) array))
        {
            for (int slot = 0; slot < array.Slots; slot++)
                Note(array.At + slot * FormatLimits.BlockRefBytes, array.Holder, pending);
        }

        // Metadata first, and in the order of the medium, so that a seed always means the same.
        Metadata = [.. _blocks.Values.Where(b => b.Type != BlockRefType.Data).OrderBy(b => b.Offset)];
        All = [.. _blocks.Values.OrderBy(b => b.Offset)];
    }

    internal IReadOnlyList<MediaBlock> Metadata { get; }

    internal IReadOnlyList<MediaBlock> All { get; }

    /// <summary>Repairs the check codes above a changed block, and the header's CRCs. The device is the map's or a copy.</summary>
    internal void Repair(IBlockDevice device, MediaBlock changed)
    {
        var pending = new Queue<MediaBlock>([changed]);
        byte[] buffer = new byte[FormatLimits.BlockBytesMax];
        byte[] reference = new byte[FormatLimits.BlockRefBytes];
        while (pending.TryDequeue(out MediaBlock? block))
        {
            Span<byte> bytes = buffer.AsSpan(0, block.Bytes);
            device.Read(block.Offset, bytes);
            foreach ((long at, MediaBlock? holder) in block.References)
            {
                device.Read(at, reference);
                ImageBuilder.Seal(ref MemoryMarshal.AsRef<BlockRef>(reference.AsSpan()), bytes);
                device.Write(at, reference);
                if (holder is not null)
                    pending.Enqueue(holder);
            }
        }

        SealHeader(device);
    }

    /// <summary>Makes the CRCs of the header right.</summary>
    internal void SealHeader(IBlockDevice device)
    {
        byte[] header = new byte[FormatLimits.VolumeHeaderBytes];
        device.Read(_header, header);
        VolumeHeader.Seal(header);
        device.Write(_header, header);
    }

    internal long HeaderOffset => _header;

    private void Note(long at, MediaBlock? holder, Stack<(long At, int Slots, MediaBlock? Holder)> pending)
    {
        Span<byte> bytes = stackalloc byte[FormatLimits.BlockRefBytes];
        _device.Read(at, bytes);
        ulong dataOff = BinaryPrimitives.ReadUInt64LittleEndian(bytes[0x20..]);
        int radix = (int)(dataOff & 0x3F);
        if (bytes[0] == 0 || radix == 0)
            return;
        long offset = (long)(dataOff & ~0x3FUL);
        if (!_blocks.TryGetValue(offset, out MediaBlock? block))
        {
            _blocks.Add(offset, block = new MediaBlock { Offset = offset, Bytes = 1 << radix, Type = (BlockRefType)bytes[0] });
            Span<byte> inode = stackalloc byte[0x60];
            if (block.Type == BlockRefType.Inode)
            {
                _device.Read(offset, inode);
                if ((inode[0x51] & InodeData.OpDirectData) == 0)
                    pending.Push((offset + InodeData.UnionOffset, FormatLimits.BlockSetCount, block));
            }
            else if (block.Type is BlockRefType.Indirect or BlockRefType.FreemapNode)
            {
                pending.Push((offset, block.Bytes / FormatLimits.BlockRefBytes, block));
            }
        }

        Assert.AreEqual(BitOperations.Log2((uint)block.Bytes), radix);
        block.References.Add((at, holder));
    }
}
