// The volume header: 64 KiB, up to four copies a volume (format page 2). This class is a view of those bytes;
// it is only made from bytes whose magic and three CRCs are right. Field rules that need the devices
// (sizes, the set of volumes) are checked by Devices.VolumeSet.

using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Hammer2.Engine.Format;

/// <summary>What is wrong with a copy of the volume header.</summary>
public enum HeaderFault
{
    /// <summary>Nothing: the copy is valid.</summary>
    None,

    /// <summary>No magic.</summary>
    NoMagic,

    /// <summary>The magic of a machine of the opposite byte order.</summary>
    ForeignByteOrder,

    /// <summary>CRC of sector 0 differs.</summary>
    Sector0Crc,

    /// <summary>CRC of sector 1 (super-root blockset) differs.</summary>
    Sector1Crc,

    /// <summary>CRC of the whole header differs.</summary>
    HeaderCrc,

    /// <summary>The device could not deliver it.</summary>
    Unreadable,

    /// <summary>Valid, but of another filesystem than copy 0.</summary>
    ForeignFilesystem,

    /// <summary>Valid, but it lies beyond the end of the volume that it describes.</summary>
    BeyondVolume,
}

/// <summary>A volume header whose CRCs were verified.</summary>
public sealed class VolumeHeader
{
    /// <summary>The magic in this machine's order.</summary>
    public const ulong Magic = 0x48414D3205172011;

    /// <summary>The magic of the opposite byte order.</summary>
    public const ulong MagicSwapped = 0x11201705324D4148;

    /// <summary>Offset of the CRC of sector 1.</summary>
    public const int Sector1CrcOffset = 0x1F8;

    /// <summary>Offset of the CRC of sector 0.</summary>
    public const int Sector0CrcOffset = 0x1FC;

    /// <summary>Offset of the super-root blockset.</summary>
    public const int SuperRootOffset = 0x200;

    /// <summary>Offset of the freemap blockset.</summary>
    public const int FreemapOffset = 0x800;

    /// <summary>Offset of the table of volume offsets.</summary>
    public const int VolumeOffsetsOffset = 0xE00;

    /// <summary>Offset of the CRC of the whole header.</summary>
    public const int HeaderCrcOffset = FormatLimits.VolumeHeaderBytes - sizeof(uint);

    /// <summary>HAMMER2's file system type UUID.</summary>
    public static readonly Guid HammerType = new("5cbb9ad1-862d-11dc-a94d-01301bb8a9f5");

    // Offsets of the other fields (format page 2.1), shared with VolumeHeaderBuilder.
    internal const int BootBeginAt = 0x08;
    internal const int BootEndAt = 0x10;
    internal const int AuxBeginAt = 0x18;
    internal const int AuxEndAt = 0x20;
    internal const int VolumeSizeAt = 0x28;
    internal const int VersionAt = 0x30;
    internal const int FlagsAt = 0x34;
    internal const int CopyIdAt = 0x38;
    internal const int FreemapVersionAt = 0x39;
    internal const int PeerTypeAt = 0x3A;
    internal const int VolumeIdAt = 0x3B;
    internal const int VolumeCountAt = 0x3C;
    internal const int FileSystemIdAt = 0x40;
    internal const int FileSystemTypeAt = 0x50;
    internal const int AllocatorSizeAt = 0x60;
    internal const int AllocatorFreeAt = 0x68;
    internal const int AllocatorBeginAt = 0x70;
    internal const int MirrorTidAt = 0x78;
    internal const int FreemapTidAt = 0x90;
    internal const int BulkfreeTidAt = 0x98;
    internal const int TotalSizeAt = 0xC0;
    internal const int GuidBytes = 16;

    private readonly byte[] _bytes;

    private VolumeHeader(byte[] bytes) => _bytes = bytes;

    /// <summary>The 65536 bytes.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>Start of the boot area.</summary>
    public ulong BootBegin => U64(BootBeginAt);

    /// <summary>End of the boot area.</summary>
    public ulong BootEnd => U64(BootEndAt);

    /// <summary>Start of the auxiliary area.</summary>
    public ulong AuxBegin => U64(AuxBeginAt);

    /// <summary>End of the auxiliary area.</summary>
    public ulong AuxEnd => U64(AuxEndAt);

    /// <summary>Bytes of this volume.</summary>
    public ulong VolumeSize => U64(VolumeSizeAt);

    /// <summary>Format version.</summary>
    public uint Version => U32(VersionAt);

    /// <summary>0.</summary>
    public uint Flags => U32(FlagsAt);

    /// <summary>0.</summary>
    public byte CopyId => _bytes[CopyIdAt];

    /// <summary>0.</summary>
    public byte FreemapVersion => _bytes[FreemapVersionAt];

    /// <summary>3.</summary>
    public byte PeerType => _bytes[PeerTypeAt];

    /// <summary>Volume number; 0 = root volume.</summary>
    public byte VolumeId => _bytes[VolumeIdAt];

    /// <summary>Number of volumes; 0 in version 1.</summary>
    public byte VolumeCount => _bytes[VolumeCountAt];

    /// <summary>UUID of the filesystem, the same on all its volumes.</summary>
    public Guid FileSystemId => new(_bytes.AsSpan(FileSystemIdAt, GuidBytes));

    /// <summary>HAMMER2's type UUID.</summary>
    public Guid FileSystemType => new(_bytes.AsSpan(FileSystemTypeAt, GuidBytes));

    /// <summary>Usable bytes in all.</summary>
    public ulong AllocatorSize => U64(AllocatorSizeAt);

    /// <summary>Estimate of the free bytes.</summary>
    public ulong AllocatorFree => U64(AllocatorFreeAt);

    /// <summary>First byte that the freemap manages.</summary>
    public ulong AllocatorBegin => U64(AllocatorBeginAt);

    /// <summary>Last committed topology transaction.</summary>
    public ulong MirrorTid => U64(MirrorTidAt);

    /// <summary>Last committed freemap transaction.</summary>
    public ulong FreemapTid => U64(FreemapTidAt);

    /// <summary>Never used.</summary>
    public ulong BulkfreeTid => U64(BulkfreeTidAt);

    /// <summary>Sum of all volume sizes; 0 in version 1.</summary>
    public ulong TotalSize => U64(TotalSizeAt);

    /// <summary>CRC of sector 1 as stored.</summary>
    public uint Sector1Crc => U32(Sector1CrcOffset);

    /// <summary>CRC of sector 0 as stored.</summary>
    public uint Sector0Crc => U32(Sector0CrcOffset);

    /// <summary>CRC of the header as stored.</summary>
    public uint HeaderCrc => U32(HeaderCrcOffset);

    /// <summary>Blockset of the super-root.</summary>
    public ReadOnlySpan<BlockRef> SuperRoot => BlockSet(SuperRootOffset);

    /// <summary>Top of the freemap.</summary>
    public ReadOnlySpan<BlockRef> Freemap => BlockSet(FreemapOffset);

    /// <summary>Logical start of volume <paramref name="id"/> (0..63); all ones = unused.</summary>
    public ulong VolumeOffset(int id) => U64(VolumeOffsetsOffset + id * sizeof(ulong));

    /// <summary>Bytes of the whole address space, by version.</summary>
    public ulong LogicalSize => Version >= 2 ? TotalSize : VolumeSize;

    /// <summary>Checks magic and CRCs in the order of format page 2.4 and wraps the bytes.</summary>
    /// <param name="bytes">65536 bytes; kept, not copied.</param>
    /// <param name="header">The header; also set when only a CRC is wrong, so that tools can show it.</param>
    public static HeaderFault Parse(byte[] bytes, out VolumeHeader? header)
    {
        ArgumentNullException.ThrowIfNull(bytes);
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes.Length, FormatLimits.VolumeHeaderBytes);
        header = null;
        ulong magic = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        if (magic == MagicSwapped)
            return HeaderFault.ForeignByteOrder;
        if (magic != Magic)
            return HeaderFault.NoMagic;

        header = new VolumeHeader(bytes);
        if (Crc32C.Compute(bytes.AsSpan(0, Sector0CrcOffset)) != header.Sector0Crc)
            return HeaderFault.Sector0Crc;
        if (Crc32C.Compute(bytes.AsSpan(SuperRootOffset, FormatLimits.BlockSetBytes)) != header.Sector1Crc)
            return HeaderFault.Sector1Crc;
        if (Crc32C.Compute(bytes.AsSpan(0, HeaderCrcOffset)) != header.HeaderCrc)
            return HeaderFault.HeaderCrc;
        return HeaderFault.None;
    }

    /// <summary>Computes and stores the three CRCs in the order of format page 2.2.</summary>
    public static void Seal(Span<byte> header)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(header.Length, FormatLimits.VolumeHeaderBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(
            header[Sector1CrcOffset..], Crc32C.Compute(header.Slice(SuperRootOffset, FormatLimits.BlockSetBytes)));
        BinaryPrimitives.WriteUInt32LittleEndian(
            header[Sector0CrcOffset..], Crc32C.Compute(header[..Sector0CrcOffset]));
        BinaryPrimitives.WriteUInt32LittleEndian(
            header[HeaderCrcOffset..], Crc32C.Compute(header[..HeaderCrcOffset]));
    }

    private ReadOnlySpan<BlockRef> BlockSet(int offset) =>
        MemoryMarshal.Cast<byte, BlockRef>(_bytes.AsSpan(offset, FormatLimits.BlockSetBytes));

    private ulong U64(int offset) => BinaryPrimitives.ReadUInt64LittleEndian(_bytes.AsSpan(offset));

    private uint U32(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(offset));
}
