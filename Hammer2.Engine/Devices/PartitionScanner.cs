// Finds partitions: GPT (primary, then backup), MBR with its chain of logical partitions, and DragonFly's
// disklabel64 inside a disk or a partition. Tables are hostile input: every count, offset and length is
// bounded by the device, chains are cut at a fixed length, and a partition that leaves its disk is dropped.

using System.Buffers.Binary;
using System.IO.Hashing;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Devices;

/// <summary>One partition found on a disk.</summary>
/// <param name="Number">1-based number over everything found, in order; what <c>--partition</c> takes.</param>
/// <param name="Table">"gpt", "mbr" or "disklabel64".</param>
/// <param name="Index">Index in its table: from 1 for GPT and MBR, from 0 for disklabel64.</param>
/// <param name="Type">Partition type: GUID, MBR byte as 0x6c, or disklabel file system number and GUID.</param>
/// <param name="Name">Short name for people: "gpt1", "mbr2", "gpt1a".</param>
/// <param name="Offset">First byte on the disk.</param>
/// <param name="Length">Bytes.</param>
/// <param name="IsHammer2">True when a HAMMER2 volume header is found inside.</param>
public sealed record PartitionEntry(
    int Number, string Table, int Index, string Type, string Name, long Offset, long Length, bool IsHammer2);

/// <summary>Searches a device for partition tables and HAMMER2 volumes in them.</summary>
public static class PartitionScanner
{
    private const int PartitionsMax = 512;
    private const int LogicalPartitionsMax = 128;
    private const int MbrTableOffset = 446;
    private const int MbrEntryBytes = 16;
    private const int MbrSignatureOffset = 510;
    private const int GptEntriesMax = 1024;
    private const int LabelBytes = 0x2C8 + LabelPartitions * LabelEntryBytes;
    private const int LabelPartitions = 16;
    private const int LabelEntryBytes = 64;
    private const int LabelMagicOffset = 0x200;
    private const uint LabelMagic = 0xC4464C59;
    private static readonly int[] s_sectorSizes = [512, 4096];

    /// <summary>True when any of the four places for a volume header holds the magic.</summary>
    public static bool HasVolumeHeader(IBlockDevice device, long offset, long length)
    {
        ArgumentNullException.ThrowIfNull(device);
        for (int copy = 0; copy < FormatLimits.VolumeHeaderCopies; copy++)
        {
            long at = copy * FormatLimits.VolumeHeaderSpacing;
            if (HasFirstVolumeHeader(device, offset + at, length - at))
                return true;
        }

        return false;
    }

    /// <summary>True when a volume that begins at the offset has the magic in its first header.</summary>
    internal static bool HasFirstVolumeHeader(IBlockDevice device, long offset, long length)
    {
        Span<byte> magic = stackalloc byte[sizeof(ulong)];
        return length >= FormatLimits.VolumeHeaderBytes && TryRead(device, offset, magic)
            && BinaryPrimitives.ReadUInt64LittleEndian(magic) is VolumeHeader.Magic or VolumeHeader.MagicSwapped;
    }

    /// <summary>All partitions of the device, nested disklabels included, in table order.</summary>
    public static IReadOnlyList<PartitionEntry> Scan(IBlockDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        var found = new List<PartitionEntry>();
        if (!ScanGpt(device, found))
            ScanMbr(device, found);
        ScanLabel(device, 0, device.Length, "", found);
        return found;
    }

    private static void Add(IBlockDevice device, List<PartitionEntry> found, string table, int index, string type, string name, long offset, long length)
    {
        if (found.Count >= PartitionsMax || offset <= 0 && table != "disklabel64" || length <= 0 || offset > device.Length - length)
            return;
        bool isHammer2 = HasVolumeHeader(device, offset, length);
        found.Add(new PartitionEntry(found.Count + 1, table, index, type, name, offset, length, isHammer2));
        if (table != "disklabel64" && !isHammer2)
            ScanLabel(device, offset, length, name, found);
    }

    private static bool ScanGpt(IBlockDevice device, List<PartitionEntry> found)
    {
        foreach (int sector in s_sectorSizes)
        {
            if (ReadGpt(device, sector, sector, found) || ReadGpt(device, device.Length / sector * sector - sector, sector, found))
                return true;
        }

        return false;
    }

    private static bool ReadGpt(IBlockDevice device, long headerAt, int sector, List<PartitionEntry> found)
    {
        Span<byte> header = stackalloc byte[512];
        if (headerAt <= 0 || !TryRead(device, headerAt, header) || !header.StartsWith("EFI PART"u8))
            return false;
        uint headerBytes = BinaryPrimitives.ReadUInt32LittleEndian(header[12..]);
        if (headerBytes is < 92 or > 512)
            return false;
        uint headerCrc = BinaryPrimitives.ReadUInt32LittleEndian(header[16..]);
        header.Slice(16, sizeof(uint)).Clear();
        if (Crc32.HashToUInt32(header[..(int)headerBytes]) != headerCrc)
            return false;

        ulong tableAt = BinaryPrimitives.ReadUInt64LittleEndian(header[72..]);
        uint count = BinaryPrimitives.ReadUInt32LittleEndian(header[80..]);
        uint entryBytes = BinaryPrimitives.ReadUInt32LittleEndian(header[84..]);
        if (count > GptEntriesMax || entryBytes is < 128 or > 4096 || tableAt > (ulong)(device.Length / sector))
            return false;
        byte[] table = new byte[count * entryBytes];
        if (!TryRead(device, (long)tableAt * sector, table)
            || Crc32.HashToUInt32(table) != BinaryPrimitives.ReadUInt32LittleEndian(header[88..]))
        {
            return false;
        }

        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> entry = table.AsSpan(i * (int)entryBytes, (int)entryBytes);
            var type = new Guid(entry[..16]);
            ulong first = BinaryPrimitives.ReadUInt64LittleEndian(entry[32..]);
            ulong last = BinaryPrimitives.ReadUInt64LittleEndian(entry[40..]);
            ulong sectors = (ulong)(device.Length / sector);
            if (type != Guid.Empty && first <= last && last < sectors)
                Add(device, found, "gpt", i + 1, type.ToString(), $"gpt{i + 1}", (long)first * sector, (long)(last - first + 1) * sector);
        }

        return true;
    }

    private static void ScanMbr(IBlockDevice device, List<PartitionEntry> found)
    {
        Span<byte> sector = stackalloc byte[512];
        if (!ReadMbr(device, 0, sector))
            return;
        long extended = 0;
        for (int i = 0; i < 4; i++)
        {
            (byte type, long start, long length) = MbrEntry(sector, i);
            if (type is 0x05 or 0x0F or 0x85)
                extended = start;
            else if (type != 0)
                Add(device, found, "mbr", i + 1, $"0x{type:x2}", $"mbr{i + 1}", start, length);
        }

        long link = extended;
        var seen = new HashSet<long>();
        for (int n = 0; link > 0 && n < LogicalPartitionsMax && seen.Add(link); n++)
        {
            if (!ReadMbr(device, link, sector))
                return;
            (byte type, long start, long length) = MbrEntry(sector, 0);
            if (type != 0)
                Add(device, found, "mbr", 5 + n, $"0x{type:x2}", $"mbr{5 + n}", link + start, length);
            (byte nextType, long nextStart, _) = MbrEntry(sector, 1);
            link = nextType != 0 && nextStart > 0 ? extended + nextStart : 0;
        }
    }

    private static bool ReadMbr(IBlockDevice device, long at, Span<byte> sector) =>
        TryRead(device, at, sector) && BinaryPrimitives.ReadUInt16LittleEndian(sector[MbrSignatureOffset..]) == 0xAA55;

    private static (byte Type, long Start, long Length) MbrEntry(ReadOnlySpan<byte> sector, int index)
    {
        ReadOnlySpan<byte> entry = sector.Slice(MbrTableOffset + index * MbrEntryBytes, MbrEntryBytes);
        return (entry[4], BinaryPrimitives.ReadUInt32LittleEndian(entry[8..]) * 512L, BinaryPrimitives.ReadUInt32LittleEndian(entry[12..]) * 512L);
    }

    private static void ScanLabel(IBlockDevice device, long offset, long length, string prefix, List<PartitionEntry> found)
    {
        byte[] label = new byte[LabelBytes];
        if (length < LabelBytes || !TryRead(device, offset, label)
            || BinaryPrimitives.ReadUInt32LittleEndian(label.AsSpan(LabelMagicOffset)) != LabelMagic)
        {
            return;
        }

        int count = (int)Math.Min(LabelPartitions, BinaryPrimitives.ReadUInt32LittleEndian(label.AsSpan(0x20C)));
        uint crc = BinaryPrimitives.ReadUInt32LittleEndian(label.AsSpan(0x204));
        label.AsSpan(0x204, sizeof(uint)).Clear();
        if (Crc32.HashToUInt32(label.AsSpan(LabelMagicOffset, 0x2C8 - LabelMagicOffset + count * LabelEntryBytes)) != crc)
            return;

        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> entry = label.AsSpan(0x2C8 + i * LabelEntryBytes, LabelEntryBytes);
            ulong start = BinaryPrimitives.ReadUInt64LittleEndian(entry);
            ulong bytes = BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]);
            if (bytes == 0 || start > (ulong)length || bytes > (ulong)length - start)
                continue;
            Add(device, found, "disklabel64", i, $"{entry[16]} {new Guid(entry.Slice(32, 16))}", prefix + (char)('a' + i), offset + (long)start, (long)bytes);
        }
    }

    private static bool TryRead(IBlockDevice device, long offset, Span<byte> buffer)
    {
        if (offset < 0 || offset > device.Length - buffer.Length)
            return false;
        try
        {
            device.Read(offset, buffer);
            return true;
        }
        catch (Hammer2Exception e) when (e.Error == Hammer2Error.Io)
        {
            // An unreadable sector only means that no table is found there; the caller reports "nothing found".
            return false;
        }
    }
}
