// A volume header in the making: 64 KiB of its own with a setter for every field that newfs, growfs or a commit writes.
// Starts blank or as a copy, so fields that nobody here knows keep their bytes. Seal computes the CRCs and gives
// bytes that VolumeHeader.Parse accepts; the builder can be changed and sealed again afterwards.

using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Hammer2.Engine.Format;

/// <summary>Builds the bytes of a volume header.</summary>
public sealed class VolumeHeaderBuilder
{
    /// <summary>What a table entry of a volume that does not exist holds.</summary>
    public const ulong NoVolume = ulong.MaxValue;

    private readonly byte[] _bytes = new byte[FormatLimits.VolumeHeaderBytes];

    /// <summary>A blank header with the magic and HAMMER2's file system type.</summary>
    public VolumeHeaderBuilder()
    {
        Set64(0, VolumeHeader.Magic);
        SetGuid(VolumeHeader.FileSystemTypeAt, VolumeHeader.HammerType);
    }

    /// <summary>A copy of a header.</summary>
    public VolumeHeaderBuilder(VolumeHeader header)
    {
        ArgumentNullException.ThrowIfNull(header);
        header.Bytes.CopyTo(_bytes);
    }

    /// <summary>Start of the boot area.</summary>
    public ulong BootBegin { get => Get64(VolumeHeader.BootBeginAt); set => Set64(VolumeHeader.BootBeginAt, value); }

    /// <summary>End of the boot area.</summary>
    public ulong BootEnd { get => Get64(VolumeHeader.BootEndAt); set => Set64(VolumeHeader.BootEndAt, value); }

    /// <summary>Start of the auxiliary area.</summary>
    public ulong AuxBegin { get => Get64(VolumeHeader.AuxBeginAt); set => Set64(VolumeHeader.AuxBeginAt, value); }

    /// <summary>End of the auxiliary area.</summary>
    public ulong AuxEnd { get => Get64(VolumeHeader.AuxEndAt); set => Set64(VolumeHeader.AuxEndAt, value); }

    /// <summary>Bytes of this volume.</summary>
    public ulong VolumeSize { get => Get64(VolumeHeader.VolumeSizeAt); set => Set64(VolumeHeader.VolumeSizeAt, value); }

    /// <summary>Format version.</summary>
    public uint Version
    {
        get => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(VolumeHeader.VersionAt));
        set => BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(VolumeHeader.VersionAt), value);
    }

    /// <summary>3, which says "HAMMER2 volume".</summary>
    public byte PeerType { get => _bytes[VolumeHeader.PeerTypeAt]; set => _bytes[VolumeHeader.PeerTypeAt] = value; }

    /// <summary>Volume number; 0 = root volume.</summary>
    public byte VolumeId { get => _bytes[VolumeHeader.VolumeIdAt]; set => _bytes[VolumeHeader.VolumeIdAt] = value; }

    /// <summary>Number of volumes; 0 in version 1.</summary>
    public byte VolumeCount { get => _bytes[VolumeHeader.VolumeCountAt]; set => _bytes[VolumeHeader.VolumeCountAt] = value; }

    /// <summary>UUID of the filesystem.</summary>
    public Guid FileSystemId
    {
        get => new(_bytes.AsSpan(VolumeHeader.FileSystemIdAt, VolumeHeader.GuidBytes));
        set => SetGuid(VolumeHeader.FileSystemIdAt, value);
    }

    /// <summary>Usable bytes in all.</summary>
    public ulong AllocatorSize { get => Get64(VolumeHeader.AllocatorSizeAt); set => Set64(VolumeHeader.AllocatorSizeAt, value); }

    /// <summary>Estimate of the free bytes.</summary>
    public ulong AllocatorFree { get => Get64(VolumeHeader.AllocatorFreeAt); set => Set64(VolumeHeader.AllocatorFreeAt, value); }

    /// <summary>First byte that the freemap manages.</summary>
    public ulong AllocatorBegin { get => Get64(VolumeHeader.AllocatorBeginAt); set => Set64(VolumeHeader.AllocatorBeginAt, value); }

    /// <summary>Last committed topology transaction.</summary>
    public ulong MirrorTid { get => Get64(VolumeHeader.MirrorTidAt); set => Set64(VolumeHeader.MirrorTidAt, value); }

    /// <summary>Last committed freemap transaction.</summary>
    public ulong FreemapTid { get => Get64(VolumeHeader.FreemapTidAt); set => Set64(VolumeHeader.FreemapTidAt, value); }

    /// <summary>Sum of all volume sizes; 0 in version 1.</summary>
    public ulong TotalSize { get => Get64(VolumeHeader.TotalSizeAt); set => Set64(VolumeHeader.TotalSizeAt, value); }

    /// <summary>Blockset of the super-root, to be changed in place.</summary>
    public Span<BlockRef> SuperRoot => BlockSet(VolumeHeader.SuperRootOffset);

    /// <summary>Top of the freemap, to be changed in place.</summary>
    public Span<BlockRef> Freemap => BlockSet(VolumeHeader.FreemapOffset);

    /// <summary>Sets the logical start of volume <paramref name="id"/> (0..63).</summary>
    public void SetVolumeOffset(int id, ulong offset)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(id);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(id, FormatLimits.VolumesMax);
        Set64(VolumeHeader.VolumeOffsetsOffset + id * sizeof(ulong), offset);
    }

    /// <summary>Computes the CRCs and returns a copy of the 65536 bytes, ready to be written.</summary>
    public byte[] Seal()
    {
        VolumeHeader.Seal(_bytes);
        return (byte[])_bytes.Clone();
    }

    /// <summary>Seals and wraps: the header that a volume holds after it was written.</summary>
    public VolumeHeader ToHeader()
    {
        HeaderFault fault = VolumeHeader.Parse(Seal(), out VolumeHeader? header);
        Primitives.Invariant.Check(fault == HeaderFault.None);
        return header!;
    }

    private Span<BlockRef> BlockSet(int offset) =>
        MemoryMarshal.Cast<byte, BlockRef>(_bytes.AsSpan(offset, FormatLimits.BlockSetBytes));

    private ulong Get64(int offset) => BinaryPrimitives.ReadUInt64LittleEndian(_bytes.AsSpan(offset));

    private void Set64(int offset, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(_bytes.AsSpan(offset), value);

    private void SetGuid(int offset, Guid value) => value.TryWriteBytes(_bytes.AsSpan(offset, VolumeHeader.GuidBytes));
}
