// Partition tables, sound and hostile. Tables are written here byte by byte around small HAMMER2 volumes; the scanner
// must find what is there, fall back where the tables allow it, and neither believe nor loop on anything else.

using System.Buffers.Binary;
using System.IO.Hashing;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Hostile;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Engine;

[TestClass]
public sealed class PartitionTests
{
    private const long DiskBytes = 256L << 20;
    private const long VolumeBytes = 64L << 20;
    private static readonly Guid s_type = new("5cbb9ad1-862d-11dc-a94d-01301bb8a9f5");

    private static void PutVolume(MemoryBlockDevice disk, long at)
    {
        var image = new ImageBuilder(VolumeBytes);
        image.AddEmbedded("inside", "x"u8);
        MemoryBlockDevice volume = image.Finish();
        byte[] piece = new byte[1 << 20];
        for (long offset = 0; offset < VolumeBytes; offset += piece.Length)
        {
            volume.Read(offset, piece);
            if (piece.AsSpan().ContainsAnyExcept((byte)0))
                disk.Write(at + offset, piece);
        }
    }

    private static void WriteGpt(MemoryBlockDevice disk, int sector, bool backup, (long Start, long Length)[] partitions, Action<byte[]>? editHeader = null, Action<byte[]>? editTable = null, bool seal = true)
    {
        byte[] table = new byte[128 * 128];
        for (int i = 0; i < partitions.Length; i++)
        {
            Span<byte> entry = table.AsSpan(i * 128, 128);
            s_type.TryWriteBytes(entry);
            BinaryPrimitives.WriteInt64LittleEndian(entry[32..], partitions[i].Start / sector);
            BinaryPrimitives.WriteInt64LittleEndian(entry[40..], (partitions[i].Start + partitions[i].Length) / sector - 1);
        }

        editTable?.Invoke(table);
        long last = disk.Length / sector - 1;
        long tableAt = backup ? last - table.Length / sector : 2;
        byte[] header = new byte[512];
        "EFI PART"u8.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(8), 0x10000);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(12), 92);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(24), backup ? last : 1);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(72), tableAt);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(80), 128);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(84), 128);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(88), Crc32.HashToUInt32(table));
        editHeader?.Invoke(header);
        if (seal)
            BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(16), Crc32.HashToUInt32(header.AsSpan(0, 92)));
        disk.Write(backup ? last * sector : sector, header);
        disk.Write(tableAt * sector, table);
    }

    private static void WriteMbr(MemoryBlockDevice disk, long at, params (byte Type, long Start, long Length)[] entries)
    {
        byte[] sector = new byte[512];
        BinaryPrimitives.WriteUInt16LittleEndian(sector.AsSpan(510), 0xAA55);
        for (int i = 0; i < entries.Length; i++)
        {
            Span<byte> entry = sector.AsSpan(446 + i * 16, 16);
            entry[4] = entries[i].Type;
            BinaryPrimitives.WriteUInt32LittleEndian(entry[8..], (uint)(entries[i].Start / 512));
            BinaryPrimitives.WriteUInt32LittleEndian(entry[12..], (uint)(entries[i].Length / 512));
        }

        disk.Write(at, sector);
    }

    private static void WriteLabel(MemoryBlockDevice disk, long at, (long Start, long Length)[] partitions, Action<byte[]>? edit = null, uint count = 16)
    {
        byte[] label = new byte[0x2C8 + 16 * 64];
        BinaryPrimitives.WriteUInt32LittleEndian(label.AsSpan(0x200), 0xC4464C59);
        BinaryPrimitives.WriteUInt32LittleEndian(label.AsSpan(0x20C), count);
        for (int i = 0; i < partitions.Length; i++)
        {
            BinaryPrimitives.WriteInt64LittleEndian(label.AsSpan(0x2C8 + i * 64), partitions[i].Start);
            BinaryPrimitives.WriteInt64LittleEndian(label.AsSpan(0x2C8 + i * 64 + 8), partitions[i].Length);
        }

        int covered = (int)Math.Min(count, 16);
        BinaryPrimitives.WriteUInt32LittleEndian(label.AsSpan(0x204), Crc32.HashToUInt32(label.AsSpan(0x200, 0xC8 + covered * 64)));
        edit?.Invoke(label);
        disk.Write(at, label);
    }

    private static void OpensThePartition(MemoryBlockDevice disk)
    {
        using Hammer2Volume volume = Hammer2Volume.Open([DeviceOpener.Select(disk, "disk", null)]);
        using var pfs = volume.OpenPfs();
        CollectionAssert.AreEqual(new[] { "inside" }, CraftedTreeTests.Names(pfs, "/"));
    }

    [TestMethod]
    [DataRow("part-gpt")]
    [DataRow("part-gpt-label64")]
    [DataRow("part-mbr")]
    public void PartitionsOfTheSamplesAreFound(string name)
    {
        GoldenImage image = GoldenImages.Get(name);
        IReadOnlyList<PartitionEntry> found = PartitionScanner.Scan(image.Devices[0]);
        System.Text.Json.JsonElement last = image.Manifest.GetProperty("partitions").EnumerateArray().Last();
        PartitionEntry volume = found.Single(p => p.IsHammer2);
        Assert.AreEqual(last.GetProperty("offset").GetInt64(), volume.Offset);
        Assert.AreEqual(last.GetProperty("size").GetInt64(), volume.Length);
        CollectionAssert.AreEqual(Enumerable.Range(1, found.Count).ToArray(), found.Select(p => p.Number).ToArray());
        using IBlockDevice window = DeviceOpener.Select(image.Devices[0], name, null);
        Assert.AreEqual(volume.Length, window.Length);
        using IBlockDevice byNumber = DeviceOpener.Select(image.Devices[0], name, volume.Number);
        Assert.AreEqual(volume.Length, byNumber.Length);
        Hammer2Exception e = Assert.ThrowsExactly<Hammer2Exception>(() => DeviceOpener.Select(image.Devices[0], name, 99));
        Assert.AreEqual(Hammer2Error.InvalidArgument, e.Error);
        StringAssert.Contains(e.Message, volume.Name, StringComparison.Ordinal);
    }

    [TestMethod]
    [DataRow(512)]
    [DataRow(4096)]
    public void GptOfBothSectorSizesIsRead(int sector)
    {
        var disk = new MemoryBlockDevice(DiskBytes);
        PutVolume(disk, 8 << 20);
        WriteGpt(disk, sector, backup: false, [(8 << 20, VolumeBytes), (100 << 20, 8 << 20)]);
        IReadOnlyList<PartitionEntry> found = PartitionScanner.Scan(disk);
        Assert.HasCount(2, found);
        Assert.AreEqual((8L << 20, VolumeBytes, true), (found[0].Offset, found[0].Length, found[0].IsHammer2));
        Assert.IsFalse(found[1].IsHammer2);
        OpensThePartition(disk);
    }

    [TestMethod]
    [DataRow(512)]
    [DataRow(4096)]
    public void BackupStandsInForADamagedPrimary(int sector)
    {
        Action<byte[]>[] damages =
        [
            h => h.AsSpan().Clear(), h => h[40] ^= 1, h => h[16] ^= 1, h => h[88] ^= 1,
            h => BinaryPrimitives.WriteUInt32LittleEndian(h.AsSpan(12), 0), h => BinaryPrimitives.WriteUInt32LittleEndian(h.AsSpan(12), uint.MaxValue),
        ];
        foreach (Action<byte[]> damage in damages)
        {
            var disk = new MemoryBlockDevice(DiskBytes);
            PutVolume(disk, 8 << 20);
            WriteGpt(disk, sector, backup: true, [(8 << 20, VolumeBytes)]);
            WriteGpt(disk, sector, backup: false, [(50 << 20, VolumeBytes)], seal: true);
            byte[] header = new byte[512];
            disk.Read(sector, header);
            damage(header);
            disk.Write(sector, header);
            OpensThePartition(disk);
        }

        var table = new MemoryBlockDevice(DiskBytes);
        PutVolume(table, 8 << 20);
        WriteGpt(table, sector, backup: true, [(8 << 20, VolumeBytes)]);
        WriteGpt(table, sector, backup: false, [(50 << 20, VolumeBytes)]);
        table.Write(2 * sector + 8, "damage"u8);
        OpensThePartition(table);
    }

    [TestMethod]
    public void AbsurdGptNumbersAreRefused()
    {
        (int Offset, ulong Value, int Bytes)[] numbers =
        [
            (72, ulong.MaxValue, 8), (72, 1UL << 63, 8), (72, long.MaxValue / 512, 8), (72, (ulong)DiskBytes / 512, 8), (80, uint.MaxValue, 4),
            (80, 1025, 4), (84, 0, 4), (84, uint.MaxValue, 4), (84, 127, 4), (84, 1U << 31, 4),
        ];
        foreach ((int offset, ulong value, int bytes) in numbers)
        {
            var disk = new MemoryBlockDevice(DiskBytes);
            WriteGpt(disk, 512, backup: false, [(8 << 20, VolumeBytes)], h =>
            {
                Span<byte> field = h.AsSpan(offset, bytes);
                for (int i = 0; i < bytes; i++)
                    field[i] = (byte)(value >> 8 * i);
            });
            Bounded.Run($"field {offset} = {value}", () => Assert.IsEmpty(PartitionScanner.Scan(disk)));
        }
    }

    [TestMethod]
    public void PartitionsOutsideTheDiskAreDropped()
    {
        var disk = new MemoryBlockDevice(DiskBytes);
        PutVolume(disk, 8 << 20);
        WriteGpt(disk, 512, backup: false, [(8 << 20, VolumeBytes), (DiskBytes - (1 << 20), 2 << 20), (DiskBytes, 1 << 20), (9 << 20, 0), (0, 1 << 20)], editTable: t =>
        {
            // Behind these: first and last sector beyond everything, and a last sector before the first.
            for (int i = 5; i < 8; i++)
                s_type.TryWriteBytes(t.AsSpan(i * 128));
            BinaryPrimitives.WriteUInt64LittleEndian(t.AsSpan(5 * 128 + 32), ulong.MaxValue);
            BinaryPrimitives.WriteUInt64LittleEndian(t.AsSpan(5 * 128 + 40), ulong.MaxValue);
            BinaryPrimitives.WriteUInt64LittleEndian(t.AsSpan(6 * 128 + 32), 4);
            BinaryPrimitives.WriteUInt64LittleEndian(t.AsSpan(6 * 128 + 40), ulong.MaxValue);
            BinaryPrimitives.WriteUInt64LittleEndian(t.AsSpan(7 * 128 + 32), 1UL << 55);
            BinaryPrimitives.WriteUInt64LittleEndian(t.AsSpan(7 * 128 + 40), 1UL << 55);
        });
        Assert.HasCount(1, PartitionScanner.Scan(disk));
        OpensThePartition(disk);
    }

    [TestMethod]
    public void TwoVolumesOnOneDiskHaveToBeChosenFrom()
    {
        var disk = new MemoryBlockDevice(DiskBytes);
        PutVolume(disk, 8 << 20);
        PutVolume(disk, 100 << 20);
        WriteGpt(disk, 512, backup: false, [(8 << 20, VolumeBytes), (80 << 20, 8 << 20), (100 << 20, VolumeBytes)]);
        Hammer2Exception e = Assert.ThrowsExactly<Hammer2Exception>(() => DeviceOpener.Select(disk, "disk", null));
        Assert.AreEqual(Hammer2Error.InvalidArgument, e.Error);
        StringAssert.Contains(e.Message, "--partition", StringComparison.Ordinal);
        StringAssert.Contains(e.Message, "gpt1", StringComparison.Ordinal);
        StringAssert.Contains(e.Message, "gpt3", StringComparison.Ordinal);
        Assert.AreEqual(VolumeBytes, DeviceOpener.Select(disk, "disk", 3).Length);
    }

    [TestMethod]
    public void PartitionThatStartsAtTwoGibibytesIsNotTakenForAHeaderCopy()
    {
        // Its first header lies where a volume on the whole disk would have its second copy.
        var disk = new MemoryBlockDevice(4L << 30);
        PutVolume(disk, 2L << 30);
        WriteGpt(disk, 512, backup: false, [(2L << 30, VolumeBytes)]);
        OpensThePartition(disk);
    }

    [TestMethod]
    public void WholeDiskVolumeWithoutItsFirstHeaderIsStillFound()
    {
        GoldenImage image = GoldenImages.Get("dmg-header0-zero");
        Assert.AreSame(image.Devices[0], DeviceOpener.Select(image.Devices[0], "disk", null));
    }

    [TestMethod]
    public void MbrWithLogicalPartitionsIsRead()
    {
        var disk = new MemoryBlockDevice(DiskBytes);
        PutVolume(disk, 101 << 20);
        WriteMbr(disk, 0, (0x83, 1 << 20, 8 << 20), (0x0F, 20 << 20, 200 << 20));
        WriteMbr(disk, 20 << 20, (0x83, 1 << 20, 8 << 20), (0x05, 80 << 20, 100 << 20));
        WriteMbr(disk, 100 << 20, (0x6C, 1 << 20, VolumeBytes));
        IReadOnlyList<PartitionEntry> found = PartitionScanner.Scan(disk);
        CollectionAssert.AreEqual(new[] { "mbr1", "mbr5", "mbr6" }, found.Select(p => p.Name).ToArray());
        Assert.AreEqual((101L << 20, VolumeBytes), (found[2].Offset, found[2].Length));
        OpensThePartition(disk);
    }

    [TestMethod]
    [DataRow(20L << 20)]
    [DataRow(60L << 20)]
    public void LoopOfLogicalPartitionsEndsAndRepeatsNothing(long target)
    {
        var disk = new MemoryBlockDevice(DiskBytes);
        PutVolume(disk, 21 << 20);
        WriteMbr(disk, 0, (0x05, 20 << 20, 200 << 20));
        WriteMbr(disk, 20 << 20, (0x6C, 1 << 20, VolumeBytes), (0x05, target - (20 << 20) == 0 ? 40 << 20 : target - (20 << 20), 1 << 20));
        WriteMbr(disk, 60 << 20, (0x83, 50 << 20, 1 << 20), (0x05, target == 60 << 20 ? 40 << 20 : 0, 1 << 20));
        Bounded.Run("scan", () => Assert.IsLessThanOrEqualTo(2, PartitionScanner.Scan(disk).Count));
        OpensThePartition(disk);
    }

    [TestMethod]
    public void MbrPartitionsOutsideTheDiskAreDropped()
    {
        var disk = new MemoryBlockDevice(DiskBytes);
        WriteMbr(disk, 0, (0x83, 0xFFFFFFFFL * 512, 512), (0x83, 1 << 20, 0xFFFFFFFFL * 512), (0x83, 0, 1 << 20), (0x05, 0xFFFFFFFFL * 512, 512));
        Bounded.Run("scan", () => Assert.IsEmpty(PartitionScanner.Scan(disk)));
    }

    [TestMethod]
    public void DisklabelIsReadOnADiskAndInAPartitionUnlessItsCrcIsWrong()
    {
        foreach (long at in new[] { 0, 4L << 20 })
        {
            var disk = new MemoryBlockDevice(DiskBytes);
            PutVolume(disk, at + (16 << 20));
            if (at > 0)
                WriteMbr(disk, 0, (0x6C, at, DiskBytes - at));
            WriteLabel(disk, at, [(0, 8 << 20), (16 << 20, VolumeBytes), (DiskBytes, 1 << 20), (1 << 20, long.MaxValue), (-1, 5)]);
            IReadOnlyList<PartitionEntry> found = PartitionScanner.Scan(disk);
            Assert.AreEqual(1, found.Count(p => p.IsHammer2));
            Assert.HasCount(2, found.Where(p => p.Table == "disklabel64").ToList());
            OpensThePartition(disk);

            WriteLabel(disk, at, [(0, 8 << 20), (16 << 20, VolumeBytes)], l => l[0x204] ^= 1);
            Assert.IsFalse(PartitionScanner.Scan(disk).Any(p => p.Table == "disklabel64"));
            WriteLabel(disk, at, [(0, 8 << 20), (16 << 20, VolumeBytes)], count: uint.MaxValue);
            Bounded.Run("count", () => PartitionScanner.Scan(disk));
            WriteLabel(disk, at, [(0, 8 << 20), (16 << 20, VolumeBytes)], count: 1);
            Assert.IsFalse(PartitionScanner.Scan(disk).Any(p => p.IsHammer2), "the second one is not counted");
        }
    }

    [TestMethod]
    public void DeviceWithoutATableSaysThatNothingIsThere()
    {
        var disk = new MemoryBlockDevice(DiskBytes);
        Assert.AreSame(disk, DeviceOpener.Select(disk, "disk", null));
        Assert.AreEqual(Hammer2Error.NotHammer2, Assert.ThrowsExactly<Hammer2Exception>(() => Hammer2Volume.Open([disk])).Error);
        WriteMbr(disk, 0, (0x83, 1 << 20, 8 << 20));
        Hammer2Exception e = Assert.ThrowsExactly<Hammer2Exception>(() => DeviceOpener.Select(disk, "disk", null));
        Assert.AreEqual(Hammer2Error.NotHammer2, e.Error);
        StringAssert.Contains(e.Message, "mbr1", StringComparison.Ordinal);
    }

    [TestMethod]
    public void RandomTablesNeverHurt()
    {
        int seed = HammerSeed.Get();
        Console.WriteLine($"{HammerSeed.Variable}={seed}");
        var random = new Random(seed);
        Bounded.Run("random tables", () =>
        {
            for (int round = 0; round < 300; round++)
            {
                var disk = new MemoryBlockDevice((random.Next(1, 64) << 20) + random.Next(3) * 512 - random.Next(2));
                byte[] sector = new byte[512];
                for (int n = 0; n < 6; n++)
                {
                    random.NextBytes(sector);
                    sector[510] = 0x55;
                    sector[511] = 0xAA;
                    if (random.Next(2) == 0)
                    {
                        // Small numbers, so that links land on the disk.
                        for (int i = 446; i < 510; i += 4)
                            BinaryPrimitives.WriteInt32LittleEndian(sector.AsSpan(i & ~3), random.Next(3000));
                    }

                    disk.Write(n == 0 ? 0 : random.Next(2000) * 512L, sector);
                }

                PartitionScanner.Scan(disk);
            }
        }, allocationMax: 1L << 30);
    }
}
