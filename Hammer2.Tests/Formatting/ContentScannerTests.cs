// Recognising what would be lost: crafted signatures of everything the scanner knows, the golden images, and what real
// tools make where they are installed. A device of zeros must not be recognised, one stray byte must.

using System.Diagnostics;
using System.Text;
using Hammer2.Engine.Devices;
using Hammer2.Tests.Cli;
using Hammer2.Tests.Hostile;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Formatting;

[TestClass]
public sealed class ContentScannerTests
{
    private const int Bytes = 8 << 20;

    private static byte[] Parse(string text) =>
        text.StartsWith("hex:", StringComparison.Ordinal) ? Convert.FromHexString(text[4..]) : Encoding.Latin1.GetBytes(text);

    [TestMethod]
    [DataRow("HAMMER file", 0, "hex:313052C54D4D41C8")]
    [DataRow("HAMMER2", 0, "hex:11201705324D4148")]
    [DataRow("XFS", 0, "XFSB")]
    [DataRow("btrfs", 0x10040, "_BHRfS_M")]
    [DataRow("ext2", 0x438, "hex:53EF")]
    [DataRow("NTFS", 3, "NTFS    ")]
    [DataRow("exFAT", 3, "EXFAT   ")]
    [DataRow("BitLocker", 3, "-FVE-FS-")]
    [DataRow("FAT", 0x36, "FAT12   ")]
    [DataRow("FAT", 0x36, "FAT16   ")]
    [DataRow("FAT", 0x52, "FAT32   ")]
    [DataRow("ISO 9660", 0x8001, "CD001")]
    [DataRow("swap", 4086, "SWAPSPACE2")]
    [DataRow("LUKS", 0, "hex:4C554B53BABE0002")]
    [DataRow("HFS+", 0x400, "hex:482B0004")]
    [DataRow("APFS", 32, "NXSB")]
    [DataRow("UFS1", 9564, "hex:54190100")]
    [DataRow("UFS2", 66908, "hex:19015419")]
    [DataRow("ZFS", 131072, "hex:0CB1BA0000000000")]
    [DataRow("ZFS", 140288, "hex:0000000000BAB10C")]
    [DataRow("gzip", 0, "hex:1F8B0800")]
    [DataRow("zip", 0, "hex:504B0304")]
    [DataRow("7z", 0, "hex:377ABCAF271C")]
    [DataRow("qcow", 0, "hex:514649FB00000003")]
    [DataRow("VMDK", 0, "KDMV")]
    [DataRow("VDI", 0x40, "hex:7F10DABE")]
    [DataRow("VHD disk", 0, "conectix")]
    [DataRow("VHD disk", Bytes - 512, "conectix")]
    [DataRow("VHDX", 0, "vhdxfile")]
    [DataRow("GPT", 512, "EFI PART")]
    [DataRow("GPT", 4096, "EFI PART")]
    [DataRow("GPT", Bytes - 512, "EFI PART")]
    [DataRow("partition table", 510, "hex:55AA")]
    [DataRow("disklabel64", 512, "hex:594C46C4")]
    [DataRow("LVM", 512 + 24, "LVM2 001")]
    [DataRow("RAID", 4096, "hex:FC4E2BA9")]
    [DataRow("data", 0, "hex:01")]
    [DataRow("0xfffff", 0xFFFFF, "hex:01")]
    public void SignaturesAreNamed(string words, int offset, string bytes)
    {
        var device = new MemoryBlockDevice(Bytes);
        device.Write(offset, Parse(bytes));
        string? found = ContentScanner.Recognise(device);
        Assert.IsNotNull(found);
        StringAssert.Contains(found, words, StringComparison.Ordinal);
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(1)]
    [DataRow(511)]
    [DataRow(70000)]
    [DataRow(Bytes)]
    public void ZerosAreNothing(int length) => Assert.IsNull(ContentScanner.Recognise(new MemoryBlockDevice(length)));

    [TestMethod]
    public void DataBehindTheFirstMiBIsNotLookedFor()
    {
        var device = new MemoryBlockDevice(Bytes);
        device.Write(1 << 20, [1]);
        Assert.IsNull(ContentScanner.Recognise(device));
    }

    [TestMethod]
    [DataRow("empty", "HAMMER2 volume (ab0fce03")]
    [DataRow("dmg-header0-zero", "HAMMER2")]
    [DataRow("dmg-headers-all", "damaged HAMMER2")]
    [DataRow("part-gpt", "partition table (gpt1")]
    [DataRow("part-mbr", "partition table (mbr1")]
    [DataRow("part-gpt-label64", "partition table (gpt1")]
    public void GoldenImagesAreRecognised(string name, string words) =>
        StringAssert.Contains(ContentScanner.Recognise(GoldenImages.Get(name).Devices[0])!.Replace("-", "", StringComparison.Ordinal), words, StringComparison.Ordinal);

    [TestMethod]
    [DataRow("ext2", "mkfs.ext4 -q -F")]
    [DataRow("ext2", "mkfs.ext2 -q -F")]
    [DataRow("swap", "mkswap -q")]
    [DataRow("NTFS", "mkfs.ntfs -Q -F")]
    public void FileSystemsOfRealToolsAreRecognised(string words, string command)
    {
        using var folder = new TemporaryFolder();
        FileBlockDevice.Create(folder["disk.img"], 32 << 20).Dispose();
        string[] parts = command.Split(' ');
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(parts[0], [.. parts[1..], folder["disk.img"]])
            { RedirectStandardOutput = true, RedirectStandardError = true })!;
            process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            Assert.AreEqual(0, process.ExitCode);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Inconclusive($"{parts[0]} is not installed");
        }

        using IBlockDevice device = FileBlockDevice.Open(folder["disk.img"]);
        StringAssert.Contains(ContentScanner.Recognise(device), words, StringComparison.Ordinal);
    }

    [TestMethod]
    public void NoiseNeverThrows()
    {
        var random = new Random(HammerSeed.Get());
        byte[] noise = new byte[300000];
        for (int i = 0; i < 200; i++)
        {
            var device = new MemoryBlockDevice(random.Next(0, 3) == 0 ? random.Next(0, 1000000) : Bytes);
            random.NextBytes(noise);
            device.Write(0, noise.AsSpan(0, (int)Math.Min(device.Length, noise.Length)));
            if (device.Length > 0)
                Assert.IsNotNull(ContentScanner.Recognise(device));
        }
    }
}
