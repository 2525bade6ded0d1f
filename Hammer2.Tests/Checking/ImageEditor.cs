// Damages a golden image at a chosen place and makes all check codes above it right again, so that only the checker's own
// rules can notice. Works on an overlay: the shared image stays as it is. Uses the engine's format room only.

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Hammer2.Tests.Hostile;
using Hammer2.Tests.Images;
using Hammer2.Torture.Devices;

namespace Hammer2.Tests.Checking;

/// <summary>Changes bytes of a block.</summary>
internal delegate void EditBytes(Span<byte> bytes);

/// <summary>A place that holds a blockref, used or empty.</summary>
internal sealed record RefSlot(long At, MediaBlock? Holder, BlockRef Ref);

/// <summary>Edits an image of one volume.</summary>
internal sealed class ImageEditor
{
    internal ImageEditor(string image)
        : this(GoldenImages.Get(image).Devices[0])
    {
    }

    internal ImageEditor(IBlockDevice below)
    {
        Device = new OverlayDevice(below);
        Map = new MediaMap(Device);
    }

    internal OverlayDevice Device { get; }

    internal MediaMap Map { get; }

    /// <summary>What the checker reads: the overlay, or a decorator of it.</summary>
    internal IBlockDevice Result { get; set; } = null!;

    internal IBlockDevice Finished => Result ?? Device;

    /// <summary>The header in use.</summary>
    internal VolumeHeader Header => VolumeHeaderCopy.Newest(VolumeHeaderCopy.ReadAll(Device))!.Header!;

    /// <summary>Every slot of every array, in the order of the medium.</summary>
    internal IEnumerable<RefSlot> Slots()
    {
        foreach (int offset in (int[])[VolumeHeader.SuperRootOffset, VolumeHeader.FreemapOffset])
        {
            for (int i = 0; i < FormatLimits.BlockSetCount; i++)
                yield return Slot(Map.HeaderOffset + offset + i * FormatLimits.BlockRefBytes, null);
        }

        foreach (MediaBlock block in Map.Metadata)
        {
            bool node = block.Type is BlockRefType.Indirect or BlockRefType.FreemapNode;
            int first = node ? 0 : block.Type == BlockRefType.Inode && !Inode(block).IsDirectData ? InodeData.UnionOffset : block.Bytes;
            for (int at = first; at < block.Bytes; at += FormatLimits.BlockRefBytes)
                yield return Slot(block.Offset + at, block);
        }
    }

    internal RefSlot Slot(long at, MediaBlock? holder)
    {
        BlockRef bref = default;
        Device.Read(at, MemoryMarshal.AsBytes(new Span<BlockRef>(ref bref)));
        return new RefSlot(at, holder, bref);
    }

    /// <summary>The fixed part of an inode block.</summary>
    internal InodeData Inode(MediaBlock block)
    {
        InodeData data = default;
        Device.Read(block.Offset, MemoryMarshal.AsBytes(new Span<InodeData>(ref data)));
        return data;
    }

    /// <summary>The reference to a block.</summary>
    internal RefSlot RefOf(MediaBlock block) => Slot(block.References[0].At, block.References[0].Holder);

    /// <summary>First object of a PFS that fits.</summary>
    internal MediaBlock FirstInode(Func<InodeData, bool> fits) => Map.Metadata.First(
        b => b.Type == BlockRefType.Inode && Inode(b) is { InodeNumber: >= FormatLimits.FirstInodeNumber } data && fits(data));

    /// <summary>Root of the PFS with most below it.</summary>
    internal MediaBlock PfsRoot() => Map.Metadata.Where(b => b.Type == BlockRefType.Inode && Inode(b).InodeNumber == 1)
        .MaxBy(b => RefOf(b).Ref.DataCount)!;

    internal MediaBlock SuperRoot() => Map.Metadata.First(b => b.References[0].Holder is null && b.Type == BlockRefType.Inode);

    /// <summary>First slot in use that fits.</summary>
    internal RefSlot FirstRef(BlockRefType type, Func<RefSlot, bool>? fits = null) =>
        Slots().First(s => s.Ref.Type == type && (fits is null || fits(s)));

    /// <summary>Slots of one file's blockset.</summary>
    internal IEnumerable<RefSlot> SlotsOf(MediaBlock inode) => Slots().Where(s => ReferenceEquals(s.Holder, inode));

    /// <summary>Changes a block and repairs what leads to it.</summary>
    internal void EditBlock(MediaBlock block, EditBytes edit, bool repair = true)
    {
        byte[] bytes = new byte[block.Bytes];
        Device.Read(block.Offset, bytes);
        edit(bytes);
        Device.Write(block.Offset, bytes);
        if (repair)
            Map.Repair(Device, block);
    }

    internal void EditInode(MediaBlock block, EditInode edit) =>
        EditBlock(block, bytes => edit(ref MemoryMarshal.AsRef<InodeData>(bytes)));

    /// <summary>Changes a blockref and repairs what leads to its holder.</summary>
    internal void EditRef(RefSlot slot, EditRef edit)
    {
        BlockRef bref = slot.Ref;
        edit(ref bref);
        Device.Write(slot.At, MemoryMarshal.AsBytes(new Span<BlockRef>(ref bref)));
        if (slot.Holder is null)
            Map.SealHeader(Device);
        else
            Map.Repair(Device, slot.Holder);
    }

    internal void EditFirst(BlockRefType type, EditRef edit, Func<RefSlot, bool>? fits = null) => EditRef(FirstRef(type, fits), edit);

    /// <summary>Changes the newest header, or another copy.</summary>
    internal void EditHeader(EditBytes edit, int? copy = null, bool seal = true)
    {
        byte[] bytes = new byte[FormatLimits.VolumeHeaderBytes];
        long at = copy is int index ? index * FormatLimits.VolumeHeaderSpacing : Map.HeaderOffset;
        Device.Read(at, bytes);
        edit(bytes);
        if (seal)
            VolumeHeader.Seal(bytes);
        Device.Write(at, bytes);
    }

    /// <summary>Changes a number of the newest header.</summary>
    internal void EditHeader(int offset, Func<ulong, ulong> change) => EditHeader(
        bytes => BinaryPrimitives.WriteUInt64LittleEndian(bytes[offset..], change(BinaryPrimitives.ReadUInt64LittleEndian(bytes[offset..]))));

    /// <summary>The freemap's first leaf.</summary>
    internal MediaBlock Leaf() => Map.Metadata.First(b => b.Type == BlockRefType.FreemapLeaf);

    /// <summary>Changes the record of a segment with that class; class 0: the first free one.</summary>
    internal void EditRecord(BlockRefType type, EditRecord edit) => EditBlock(Leaf(), bytes =>
    {
        foreach (ref FreemapBitmap record in MemoryMarshal.Cast<byte, FreemapBitmap>(bytes))
        {
            bool fits = type == BlockRefType.Empty ? record.Avail != 0 && record.Class == 0 : record.Class == ((int)type << 8 | 16);
            if (!fits)
                continue;
            edit(ref record);
            return;
        }

        Assert.Fail($"no segment of class {type}");
    });
}

/// <summary>Changes a bitmap record.</summary>
internal delegate void EditRecord(ref FreemapBitmap record);

/// <summary>A device of which some bytes cannot be read.</summary>
internal sealed class BadSectors(IBlockDevice below, long at) : IBlockDevice
{
    public string Name => below.Name;

    public long Length => below.Length;

    public int SectorSize => below.SectorSize;

    public void Read(long offset, Span<byte> buffer)
    {
        if (offset <= at && at < offset + buffer.Length)
            throw new Hammer2Exception(Hammer2Error.Io, $"Read at 0x{offset:x} failed, as the test wanted.");
        below.Read(offset, buffer);
    }

    public void Write(long offset, ReadOnlySpan<byte> data) => below.Write(offset, data);

    public void Flush() => below.Flush();

    public void Dispose() => below.Dispose();
}

/// <summary>A device with zeros behind the end of another.</summary>
internal sealed class LongerDevice(IBlockDevice below, long length, long extraAt, byte[] extra) : IBlockDevice
{
    public string Name => below.Name;

    public long Length => length;

    public int SectorSize => below.SectorSize;

    public void Read(long offset, Span<byte> buffer)
    {
        if (offset == extraAt && buffer.Length == extra.Length)
            extra.CopyTo(buffer);
        else if (offset >= below.Length)
            buffer.Clear();
        else
            below.Read(offset, buffer);
    }

    public void Write(long offset, ReadOnlySpan<byte> data) => below.Write(offset, data);

    public void Flush() => below.Flush();

    public void Dispose() => below.Dispose();
}
