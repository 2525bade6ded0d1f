// One damage for every kind of finding of the headers, blockrefs, blocks and inodes. Each names all errors and warnings
// that it must lead to, its own kind first: a control fails when one is missing and when one is too many.

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Tests.Hostile;

namespace Hammer2.Tests.Checking;

/// <summary>A damage and what it must be called.</summary>
/// <param name="Codes">Kinds of findings, the one that is tested first.</param>
/// <param name="Image">Golden image that it is done to.</param>
/// <param name="Damage">The damage.</param>
internal sealed record Control(string Codes, string Image, Action<ImageEditor> Damage)
{
    internal string Code => Codes.Split(' ')[0];
}

/// <summary>Controls of headers, blockrefs and inodes.</summary>
internal static class Controls
{
    private const string Base = "damage-base";
    private const string Small = "empty-root";
    private const byte Disabled = (int)CheckMethod.Disabled << 4;

    internal static IEnumerable<Control> Headers() =>
    [
        new("header-none-valid header-damaged volume-unusable", Small, e => e.EditHeader(b => b[0x300] ^= 1, seal: false)),
        new("volume-unusable", Small, e => e.EditHeader(0x50, t => t ^ 1)),
        new("header-damaged", Base, e => e.EditHeader(b => b[0x300] ^= 1, copy: 0, seal: false)),
        new("header-unreadable", Base, e => e.Result = new BadSectors(e.Device, FormatLimits.VolumeHeaderSpacing)),
        new("header-foreign", Base, e => e.EditHeader(b => b[0x40] ^= 1, copy: 1)),
        new("header-stale", Small, StaleHeader),
        new("header-blank", "small-mixed", e => e.EditHeader(b => b.Clear(), copy: (e.Map.HeaderOffset == FormatLimits.VolumeHeaderSpacing) ? 2 : 1, seal: false)),
        new("header-version-fields", Base, e => e.EditHeader(VolumeHeader.VolumeOffsetsOffset + 5 * 8, _ => 0)),
        new("header-areas", Base, e => e.EditHeader(0x10, end => end + 0x800000)),
        new("header-tids", Base, e => e.EditHeader(0x90, _ => e.Header.MirrorTid + 5)),
        new("header-sizes", Base, e => e.EditHeader(0x60, size => size + 16384)),
        new("header-reserved", Base, e => e.EditHeader(0x9100, _ => 1)),
        new("header-fields", Base, e => e.EditHeader(0x98, _ => 1)),
    ];

    internal static IEnumerable<Control> Refs() =>
    [
        new("bref-type", Base, e => e.EditFirst(BlockRefType.Data, (ref r) => r.Type = BlockRefType.Dirent, IsSmall)),
        new("bref-type", Base, e => e.EditFirst(BlockRefType.Dirent, (ref r) => r.Type = (BlockRefType)9)),
        new("bref-methods", Base, e => e.EditFirst(BlockRefType.Data, (ref r) => r.Methods = 0x3F)),
        new("bref-methods", Base, e => e.EditFirst(BlockRefType.Data, (ref r) => r.Methods = 0x60)),
        new("bref-keybits", Base, e => e.EditFirst(BlockRefType.Data, (ref r) => r.KeyBits = 15)),
        new("data-key bref-keybits", Base, e => e.EditFirst(BlockRefType.Data, (ref r) => (r.KeyBits, r.Key) = (15, r.Key + 0x8000), IsWithin32K)),
        new("bref-key-alignment data-key", Base, e => e.EditFirst(BlockRefType.Data, (ref r) => r.Key += 0x8000)),
        new("bref-key-order", Base, e => e.EditFirst(BlockRefType.Data, (ref r) => r.Key -= 0x10000, s => s.Ref.Key > 0 && IsDense(e, s))),
        new("bref-key-range", Base, e => e.EditFirst(BlockRefType.Data, (ref r) => r.Key += 1UL << 40, s => s.Holder!.Type == BlockRefType.Indirect && IsLast(e, s))),
        new("bref-unused", Base, e => e.EditFirst(BlockRefType.Data, (ref r) => r.UpdateTid = 1)),
        new("bref-unused", Base, e => e.EditFirst(BlockRefType.Data, (ref r) => r.LeafCount = 1)),
        new("bref-unused", Base, e => e.EditFirst(BlockRefType.Data, (ref r) => ImageBuilder.Area(ref r)[40] = 1)),
        new("bref-unused", Base, e => e.EditFirst(BlockRefType.Dirent, (ref r) => ImageBuilder.Area(ref r)[63] = 1, s => s.Ref.DirentNameLength < 60)),
        new("bref-flags", Base, e => e.EditFirst(BlockRefType.Data, (ref r) => r.Flags = 2)),
        new("bref-flags", Base, e => e.EditFirst(BlockRefType.Data, (ref r) => r.Flags = BlockRef.FlagPfsRoot)),
        new("bref-emergency", Base, e => e.EditFirst(BlockRefType.Data, (ref r) => r.Flags = BlockRef.FlagEmergency)),
        new("slot-not-zero", Base, e => e.EditFirst(BlockRefType.Empty, (ref r) => r.Key = 5, s => s.Holder is { Type: BlockRefType.Indirect })),
        new("slot-not-zero", Base, e => e.EditFirst(BlockRefType.Empty, (ref r) => r.Key = 5, s => s.Holder is null && s.At > e.Map.HeaderOffset + VolumeHeader.FreemapOffset)),
        new("address-illegal stats-data-count", Base, e => e.EditFirst(BlockRefType.Data, (ref r) => r.DataOff = r.DataOff & ~0x3FUL | 9)),
        new("address-illegal", Base, e => e.EditFirst(BlockRefType.Data, (ref r) => r.DataOff |= 0x200)),
        new("address-outside", Base, e => e.EditFirst(BlockRefType.Data, (ref r) => r.DataOff |= 1UL << 46)),
        new("address-reserved", Base, e => e.EditFirst(BlockRefType.Data, Redirect(5UL << 30))),
        new("address-reserved", Base, e => e.EditFirst(BlockRefType.Data, Redirect(6UL << 20))),
        new("address-unaligned freemap-used-but-free", Base, e => e.EditFirst(BlockRefType.Data, Redirect((5UL << 30) + (8UL << 20) + 1024), s => s.Ref.Physical.Radix is 14 or 15)),
        new("mirror-tid-order", Base, e => e.EditFirst(BlockRefType.Data, (ref r) => r.MirrorTid += 1000)),
        new("mirror-tid-order", Base, e => e.EditFirst(BlockRefType.FreemapLeaf, (ref r) => r.MirrorTid += 1000)),
        new("block-unreadable", Base, e => e.Result = new BadSectors(e.Device, (long)e.FirstRef(BlockRefType.Data).Ref.Physical.Offset)),
        new("check-mismatch", Base, e => e.EditBlock(e.Map.All.First(b => b.Type == BlockRefType.Data), b => b[7] ^= 1, repair: false)),
        new("check-mismatch", Base, e => e.EditBlock(e.Leaf(), b => b[7] ^= 1, repair: false)),
        new("block-overlap", Base, e => e.EditFirst(BlockRefType.Data, Redirect(e.FirstRef(BlockRefType.Data, s => s.Ref.Physical.Radix >= 13).Ref.Physical.Offset + 1024), s => s.Ref.Physical.Radix <= 11)),
        new("block-overlap stats-data-count data-tail", Base, e => e.EditFirst(BlockRefType.Data, (ref r) => (r.Methods, r.DataOff) = (Disabled, r.DataOff + 1), IsPackedTail(e))),
        new("block-type-clash", Base, e => e.EditFirst(BlockRefType.Data, Redirect(e.FirstRef(BlockRefType.Inode, s => s.Ref.Key > 1024).Ref.Physical.Offset), s => s.Ref.Physical.Radix == 10)),
        new("metadata-twice", Base, e => e.EditFirst(BlockRefType.Inode, (ref r) => r.DataOff = e.FirstRef(BlockRefType.Inode, IsPlainFile(e)).Ref.DataOff, s => IsPlainFile(e)(s) && s.Ref.Key > e.FirstRef(BlockRefType.Inode, IsPlainFile(e)).Ref.Key)),
        new("stats-data-count", Base, e => e.EditFirst(BlockRefType.Indirect, (ref r) => r.DataCount += 1024)),
        new("stats-inode-count", Base, e => e.EditFirst(BlockRefType.Indirect, (ref r) => r.InodeCount++)),
        new("stats-leaf-count", Base, e => e.EditFirst(BlockRefType.Indirect, (ref r) => r.LeafCount++)),
        new("data-beyond-end", Base, e => e.EditInode(BigFile(e), (ref d) => d.Size = 65536)),
        new("data-stream", Base, e => e.EditBlock(Lz4Block(e), b => BinaryPrimitives.WriteInt32LittleEndian(b, 0x7FFFFFFF))),
        new("data-stream", "comp-zlib", e => e.EditBlock(e.Map.All.First(b => b.Type == BlockRefType.Data && e.RefOf(b).Ref.Compression == CompressionMethod.Zlib), b => b[..64].Fill(0xFF))),
        new("data-tail", Base, CutTail),
        new("data-padding", Base, e => e.EditBlock(Lz4Block(e), b => b[^1] = 1)),
    ];

    internal static IEnumerable<Control> Inodes() =>
    [
        new("inode-version", Base, e => e.EditInode(BigFile(e), (ref d) => d.Version = 2)),
        new("inode-type dirent-type", Base, e => e.EditInode(e.FirstInode(d => d.Type == ObjectType.Fifo && d.LinkCount == 1), (ref d) => d.Type = (ObjectType)3)),
        new("inode-number inode-name", Base, e => e.EditInode(BigFile(e), (ref d) => d.InodeNumber++)),
        new("inode-number-next", Base, e => e.EditInode(e.PfsRoot(), (ref d) => d.PfsNextInode = FormatLimits.FirstInodeNumber)),
        new("inode-name-key", Base, e => e.EditInode(BigFile(e), (ref d) => d.NameKey++)),
        new("inode-name", Base, e => e.EditBlock(BigFile(e), b => b[InodeData.NameOffset + 5] = (byte)'z')),
        new("inode-name", Base, e => e.EditBlock(BigFile(e), b => b[InodeData.NameOffset + 200] = 1)),
        new("inode-name-length inode-name", Base, e => e.EditInode(BigFile(e), (ref d) => d.NameLength = 257)),
        new("inode-direct-data", Base, e => e.EditInode(e.FirstInode(d => d.IsDirectData), (ref d) => d.Size = 600)),
        new("inode-direct-tail", Base, e => e.EditBlock(e.FirstInode(d => d.IsDirectData && d.Size < 500), b => b[0x3FF] = 1)),
        new("inode-size", Base, e => e.EditInode(e.FirstInode(d => d.Type == ObjectType.Directory), (ref d) => d.Size = 5)),
        new("inode-size", Base, e => e.EditInode(BigFile(e), (ref d) => d.Size = ulong.MaxValue)),
        new("inode-size", Base, e => e.EditInode(e.FirstInode(d => d.Type == ObjectType.Symlink && !d.IsDirectData), (ref d) => d.Size = 65537)),
        new("inode-mode", Base, e => e.EditInode(BigFile(e), (ref d) => d.Mode |= 0x8000)),
        new("inode-methods", Base, e => e.EditInode(BigFile(e), (ref d) => d.CheckSetting = 9)),
        new("inode-methods", Base, e => e.EditInode(BigFile(e), (ref d) => d.CompressionSetting = 4)),
        new("inode-reserved", Base, e => e.EditInode(BigFile(e), (ref d) => d.DecryptCheck = 1)),
        new("inode-pfs-flag", Base, e => e.EditInode(BigFile(e), (ref d) => d.OpFlags |= InodeData.OpPfsRoot)),
        new("inode-pfs-flag", Base, e => e.EditInode(e.PfsRoot(), (ref d) => d.OpFlags = 0)),
        new("superroot-missing check-mismatch", Base, e => e.EditBlock(e.SuperRoot(), b => b[0x20] ^= 1, repair: false)),
        new("superroot-fields", Base, e => e.EditInode(e.SuperRoot(), (ref d) => d.PfsType = 6)),
        new("pfs-root", Base, e => e.EditInode(e.PfsRoot(), (ref d) => d.InodeNumber = 2)),
        new("pfs-flag", Base, e => e.EditRef(e.RefOf(e.PfsRoot()), (ref r) => r.Flags = 0)),
        new("pfs-label", Base, e => e.EditBlock(e.PfsRoot(), b => b[InodeData.NameOffset] ^= 0x20)),
        new("pfs-duplicate-label pfs-label", Base, e => e.EditBlock(e.PfsRoot(), b => Rename(b, "LOCAL"u8))),
        new("pfs-type", Base, e => e.EditInode(e.PfsRoot(), (ref d) => d.PfsType = 15)),
        new("pfs-duplicate-id", "multi-pfs", e => e.EditInode(e.PfsRoot(), (ref d) => d.PfsClusterId = OtherRoot(e).PfsClusterId)),
    ];

    /// <summary>A file whose data does not fit its blockset.</summary>
    internal static MediaBlock BigFile(ImageEditor e) => e.FirstInode(d => d.Type == ObjectType.File && d.LinkCount == 1 && d.Size > 1 << 20);

    private static InodeData OtherRoot(ImageEditor e)
    {
        MediaBlock root = e.PfsRoot();
        return e.Inode(e.Map.Metadata.First(b => b.Type == BlockRefType.Inode && b != root && e.Inode(b).InodeNumber == 1));
    }

    // The reference leads to another block of the same size, which nothing verifies.
    private static EditRef Redirect(ulong offset) => (ref r) => (r.Methods, r.DataOff) = (Disabled, offset | (uint)r.Physical.Radix);

    private static bool IsSmall(RefSlot slot) => slot.Ref.Physical.Radix == 10;

    private static bool IsWithin32K(RefSlot slot) => slot.Holder!.Type == BlockRefType.Indirect;

    private static bool IsDense(ImageEditor e, RefSlot slot)
    {
        RefSlot before = e.Slot(slot.At - FormatLimits.BlockRefBytes, slot.Holder);
        return slot.At > slot.Holder!.Offset + (slot.Holder.Type == BlockRefType.Inode ? InodeData.UnionOffset : 0)
            && before.Ref.Type == BlockRefType.Data && before.Ref.Key == slot.Ref.Key - 0x10000;
    }

    private static bool IsLast(ImageEditor e, RefSlot slot) =>
        slot.At + FormatLimits.BlockRefBytes == slot.Holder!.Offset + slot.Holder.Bytes || e.Slot(slot.At + FormatLimits.BlockRefBytes, slot.Holder).Ref.Type == BlockRefType.Empty;

    // A small block at the end of its file that has another block behind it in the same 64 KiB.
    private static Func<RefSlot, bool> IsPackedTail(ImageEditor e) => s =>
        s.Ref.Physical.Radix == 10 && s.Ref.Physical.Offset % 65536 < 60000 && s.Holder!.Type == BlockRefType.Inode && s.Ref.Compression == CompressionMethod.None
        && e.Map.All.Any(b => b.Type == BlockRefType.Data && (ulong)b.Offset == s.Ref.Physical.Offset + 1024);

    private static Func<RefSlot, bool> IsPlainFile(ImageEditor e) => s =>
        s.Ref.Key >= FormatLimits.FirstInodeNumber && s.Ref.Key < FormatLimits.DirectoryKeyBase && s.Ref.DataCount == 0;

    private static MediaBlock Lz4Block(ImageEditor e) => e.Map.All.First(b =>
    {
        if (b.Type != BlockRefType.Data || e.RefOf(b).Ref.Compression != CompressionMethod.Lz4)
            return false;
        byte[] length = new byte[4];
        e.Device.Read(b.Offset, length);
        return BinaryPrimitives.ReadInt32LittleEndian(length) < b.Bytes - 5;
    });

    // The last byte of a file that is not zero is no longer part of it.
    private static void CutTail(ImageEditor e)
    {
        RefSlot slot = e.FirstRef(BlockRefType.Data, s =>
        {
            if (s.Holder!.Type != BlockRefType.Inode || s.Ref.Compression != CompressionMethod.None || s.Ref.Key != 0)
                return false;
            ulong size = e.Inode(s.Holder).Size;
            byte[] last = new byte[1];
            e.Device.Read((long)(s.Ref.Physical.Offset + size - 1), last);
            return size > 600 && size <= (ulong)s.Ref.Physical.Bytes && last[0] != 0 && e.Inode(s.Holder).LinkCount == 1;
        });
        e.EditInode(slot.Holder!, (ref d) => d.Size--);
    }

    private static void Rename(Span<byte> inode, ReadOnlySpan<byte> label)
    {
        inode.Slice(InodeData.NameOffset, InodeData.NameFieldBytes).Clear();
        label.CopyTo(inode[InodeData.NameOffset..]);
        MemoryMarshal.AsRef<InodeData>(inode).NameLength = (ushort)label.Length;
    }

    // The device is larger than the volume, and at 2 GiB lies a header of this size.
    private static void StaleHeader(ImageEditor e)
    {
        byte[] header = new byte[FormatLimits.VolumeHeaderBytes];
        e.Device.Read(0, header);
        e.Result = new LongerDevice(e.Device, 5L << 30, FormatLimits.VolumeHeaderSpacing, header);
    }
}
