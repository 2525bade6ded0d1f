// Recognises what a device holds before somebody formats over it: partition tables, file systems, disk images of
// virtual machines, archives, and failing all that any byte that is not zero near the start. Reads only, and only
// a few places; nothing it finds is followed. Signatures are the published ones of each format.

using System.Globalization;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Devices;

/// <summary>Says what a device holds.</summary>
public static class ContentScanner
{
    private const int HeadBytes = 1 << 20;
    private const int SectorBytes = 512;
    private const int ZfsUberblocksAt = 128 << 10;
    private const int ZfsUberblocksEnd = 256 << 10;
    private const int ZfsUberblockStep = 1024;
    private static readonly byte[] s_zfsMagic = [0x0C, 0xB1, 0xBA, 0x00, 0, 0, 0, 0];
    private static readonly byte[] s_zfsMagicSwapped = [0, 0, 0, 0, 0x00, 0xBA, 0xB1, 0x0C];

    // Name, then places and bytes; hexadecimal where the bytes are no text. The first that fits is named.
    private static readonly Signature[] s_signatures =
    [
        new("a HAMMER file system", 0, "313052C54D4D41C8"u8, true),
        new("an XFS file system", 0, "XFSB"u8),
        new("a btrfs file system", 0x10040, "_BHRfS_M"u8),
        new("an ext2, ext3 or ext4 file system", 0x438, "53EF"u8, true),
        new("an NTFS file system", 3, "NTFS    "u8),
        new("an exFAT file system", 3, "EXFAT   "u8),
        new("a BitLocker volume", 3, "-FVE-FS-"u8),
        new("a ReFS file system", 3, "ReFS\0"u8),
        new("a FAT file system", 0x36, "FAT12   "u8),
        new("a FAT file system", 0x36, "FAT16   "u8),
        new("a FAT file system", 0x52, "FAT32   "u8),
        new("an ISO 9660 file system", 0x8001, "CD001"u8),
        new("a UDF file system", 0x8001, "BEA01"u8),
        new("swap space", 4086, "SWAPSPACE2"u8),
        new("swap space", 4086, "SWAP-SPACE"u8),
        new("swap space", 16374, "SWAPSPACE2"u8),
        new("swap space", 65526, "SWAPSPACE2"u8),
        new("a LUKS volume", 0, "4C554B53BABE"u8, true),
        new("an HFS+ file system", 0x400, "H+\0\u0004"u8),
        new("an HFSX file system", 0x400, "HX\0\u0005"u8),
        new("an HFS file system", 0x400, "BD"u8),
        new("an APFS container", 32, "NXSB"u8),
        new("a UFS1 file system", 8192 + 0x55C, "54190100"u8, true),
        new("a UFS2 file system", 65536 + 0x55C, "19015419"u8, true),
        new("an F2FS file system", 0x400, "1020F5F2"u8, true),
        new("a JFS file system", 0x8000, "JFS1"u8),
        new("a ReiserFS file system", 0x10034, "ReIsEr"u8),
        new("an EROFS file system", 0x400, "E2E1F5E0"u8, true),
        new("a SquashFS file system", 0, "hsqs"u8),
        new("an LVM volume", 0x218, "LVM2 001"u8),
        new("a member of a Linux RAID", 0x1000, "FC4E2BA9"u8, true),
        new("a member of a Linux RAID", 0, "FC4E2BA9"u8, true),
        new("a bcachefs file system or bcache device", 0x1018, "C68573F64E1A45CA8265F57F48BA6D81"u8, true),
        new("a disklabel64", 0x200, "594C46C4"u8, true),
        new("a BSD disklabel", 0x200, "57455682"u8, true),
        new("a qcow disk image", 0, "514649FB"u8, true),
        new("a VMDK disk image", 0, "KDMV"u8),
        new("a VMDK disk image", 0, "# Disk DescriptorFile"u8),
        new("a VDI disk image", 0x40, "7F10DABE"u8, true),
        new("a VHD disk image", 0, "conectix"u8),
        new("a VHDX disk image", 0, "vhdxfile"u8),
        new("a gzip file", 0, "1F8B08"u8, true),
        new("a zip archive", 0, "504B0304"u8, true),
        new("a 7z archive", 0, "377ABCAF271C"u8, true),
        new("an xz file", 0, "FD377A585A00"u8, true),
        new("a zstd file", 0, "28B52FFD"u8, true),
        new("a bzip2 file", 0, "BZh"u8),
        new("a tar archive", 257, "ustar"u8),
        new("a PDF document", 0, "%PDF-"u8),
        new("a program", 0, "7F454C46"u8, true),
        new("a SQLite database", 0, "SQLite format 3"u8),
    ];

    private static readonly Signature[] s_tailSignatures =
    [
        new("a VHD disk image", 0, "conectix"u8),
        new("an Apple disk image", 0, "koly"u8),
        new("the backup of a GPT partition table", 0, "EFI PART"u8),
    ];

    /// <summary>What the device holds, as in "an XFS file system"; null when nothing is recognised and its first MiB is zeros.</summary>
    /// <exception cref="Hammer2Exception"><c>Io</c>: the first MiB cannot be read.</exception>
    public static string? Recognise(IBlockDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (PartitionScanner.HasVolumeHeader(device, 0, device.Length))
            return DescribeHammer2(device);
        byte[] head = new byte[Math.Min(HeadBytes, device.Length)];
        device.Read(0, head);
        if (s_signatures.FirstOrDefault(s => s.Fits(head)) is { } known)
            return known.Name;
        if (IsZfs(head))
            return "a ZFS pool";
        if (DescribePartitions(device, head) is { } table)
            return table;
        if (ReadTail(device) is { } tail && s_tailSignatures.FirstOrDefault(s => s.Fits(tail)) is { } behind)
            return behind.Name;
        int first = head.AsSpan().IndexOfAnyExcept((byte)0);
        return first < 0 ? null : string.Create(CultureInfo.InvariantCulture, $"data (the first byte that is not zero lies at 0x{first:x})");
    }

    private static string DescribeHammer2(IBlockDevice device)
    {
        VolumeHeader? header = VolumeHeaderCopy.Newest(VolumeHeaderCopy.ReadAll(device))?.Header;
        return header is null ? "a damaged HAMMER2 volume" : $"a HAMMER2 volume ({header.FileSystemId})";
    }

    private static string? DescribePartitions(IBlockDevice device, ReadOnlySpan<byte> head)
    {
        IReadOnlyList<PartitionEntry> found = PartitionScanner.Scan(device);
        if (found.Count > 0)
            return $"a partition table ({string.Join(", ", found.Take(4).Select(p => p.Name))}{(found.Count > 4 ? ", ..." : "")})";
        bool isGpt = head.Length >= 8192 && (head[SectorBytes..].StartsWith("EFI PART"u8) || head[4096..].StartsWith("EFI PART"u8));
        if (isGpt)
            return "a GPT partition table";
        return head.Length >= SectorBytes && head[510] == 0x55 && head[511] == 0xAA ? "a boot sector or empty partition table" : null;
    }

    private static bool IsZfs(ReadOnlySpan<byte> head)
    {
        for (int at = ZfsUberblocksAt; at + ZfsUberblockStep <= Math.Min(head.Length, ZfsUberblocksEnd); at += ZfsUberblockStep)
        {
            if (head[at..].StartsWith(s_zfsMagic) || head[at..].StartsWith(s_zfsMagicSwapped))
                return true;
        }

        return false;
    }

    private static byte[]? ReadTail(IBlockDevice device)
    {
        if (device.Length < SectorBytes)
            return null;
        byte[] tail = new byte[SectorBytes];
        try
        {
            device.Read(device.Length - SectorBytes, tail);
            return tail;
        }
        catch (Hammer2Exception e) when (e.Error == Hammer2Error.Io)
        {
            // Formatting finds out for itself that the end is not there; nothing is recognised in it.
            return null;
        }
    }

    private sealed class Signature
    {
        private readonly int _offset;
        private readonly byte[] _bytes;

        internal Signature(string name, int offset, ReadOnlySpan<byte> bytes, bool isHex = false)
        {
            Name = name;
            _offset = offset;
            _bytes = isHex ? Convert.FromHexString(System.Text.Encoding.ASCII.GetString(bytes)) : bytes.ToArray();
        }

        internal string Name { get; }

        internal bool Fits(ReadOnlySpan<byte> bytes) => bytes.Length >= _offset + _bytes.Length && bytes[_offset..].StartsWith(_bytes);
    }
}
