// The newfs verb: new files, existing ones, several volumes, partitions, and all that it refuses without touching
// anything. What it makes is opened again by other verbs.
// Runs the command in the process.

using System.Text.Json;
using Hammer2.Cli.Verbs;
using Hammer2.Engine.Devices;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Cli;

[TestClass]
public sealed class NewfsVerbTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Image => _folder["disk.img"];

    public void Dispose() => _folder.Dispose();

    private static string[] Labels(string image) =>
        [.. CliRun.Of("pfs-list", "--json", image).Expect(0).Json.GetProperty("pfs").EnumerateArray().Select(p => p.GetProperty("label").GetString()!)];

    [TestMethod]
    public void NewFileIsSparseAndWhole()
    {
        JsonElement made = CliRun.Of("newfs", "--json", Image, "--size", "8G").Expect(0).Json;
        Assert.AreEqual(8L << 30, made.GetProperty("total_size").GetInt64());
        Assert.AreEqual(8220835840, made.GetProperty("free_bytes").GetInt64());
        Assert.AreEqual(64L << 20, made.GetProperty("boot_size").GetInt64());
        Assert.AreEqual(256L << 20, made.GetProperty("aux_size").GetInt64());
        Assert.AreEqual(2, made.GetProperty("version").GetInt32());
        Assert.AreEqual("LOCAL DATA", string.Join(' ', made.GetProperty("labels").EnumerateArray().Select(l => l.GetString())));
        Assert.AreEqual(Image, made.GetProperty("volumes")[0].GetProperty("image").GetString());
        JsonElement info = CliRun.Of("info", "--json", Image).Expect(0).Json;
        Assert.AreEqual(made.GetProperty("fsid").GetString(), info.GetProperty("fsid").GetString());
        Assert.AreEqual(4, info.GetProperty("volumes")[0].GetProperty("headers").GetArrayLength());
        CliRun.Of("verify", Image).Expect(0);
        if (OperatingSystem.IsLinux())
        {
            using var du = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("du", ["-k", Image]) { RedirectStandardOutput = true })!;
            Assert.IsLessThan(2000, int.Parse(du.StandardOutput.ReadToEnd().Split('\t')[0], System.Globalization.CultureInfo.InvariantCulture), "KiB on the disk");
        }
    }

    [TestMethod]
    public void MemoryFilesAreFilesAndMisspelledDevicesAreNotCreated()
    {
        const string Memory = "/dev/shm";
        if (!Directory.Exists(Memory))
            Assert.Inconclusive($"there is no {Memory} here");
        string image = Path.Combine(Memory, Path.GetRandomFileName());
        try
        {
            CliRun.Of("newfs", image, "--size", "64M").Expect(0);
            CliRun.Of("verify", image).Expect(0);
            CliRun.Of("newfs", "/dev/hammer2-no-such-disk", "--size", "64M").Expect(3);
            Assert.IsFalse(File.Exists("/dev/hammer2-no-such-disk"));
        }
        finally
        {
            File.Delete(image);
        }
    }

    [TestMethod]
    public void TextSaysWhatWasMade()
    {
        string text = CliRun.Of("newfs", Image, "--size", "64M", "-L", "ONE", "-L", "TWO", "--label", "THREE").Expect(0).Output;
        foreach (string words in (string[])["disk.img, 64M", "version 2", "44M free", "boot area 8.0M", "fsid ", "LOCAL, ONE, TWO, THREE"])
            StringAssert.Contains(text, words, StringComparison.Ordinal);
        Assert.AreEqual("LOCAL ONE THREE TWO", string.Join(' ', Labels(Image)));
    }

    [TestMethod]
    public void OptionsReachTheVolume()
    {
        CliRun.Of("newfs", Image, "--size", "200M", "-L", "none", "--compression", "zlib:7", "--check", "iscsi32", "--boot-size", "16M", "--aux-size", "24M", "--version", "1").Expect(0);
        JsonElement pfs = CliRun.Of("pfs-list", "--json", Image).Expect(0).Json.GetProperty("pfs");
        Assert.AreEqual(1, pfs.GetArrayLength());
        Assert.AreEqual("iscsi32 zlib", $"{pfs[0].GetProperty("check").GetString()} {pfs[0].GetProperty("comp").GetString()}");
        JsonElement fields = CliRun.Of("volhdr", "--json", Image).Expect(0).Json.GetProperty("headers")[0].GetProperty("fields");
        Assert.AreEqual(1, fields.GetProperty("version").GetInt32());
        Assert.AreEqual(7, CliRun.Of("stat", "--json", Image + "@LOCAL", "/").Expect(0).Json.GetProperty("entries")[0].GetProperty("comp_level").GetInt32());
    }

    [TestMethod]
    public void SeveralVolumes()
    {
        CliRun.Of("newfs", _folder["a.img"], _folder["b.img"], _folder["c.img"], "--size", "1G", "-L", "MV").Expect(0);
        string all = string.Join(':', _folder["c.img"], _folder["a.img"], _folder["b.img"]);
        CollectionAssert.AreEqual(s_multi, Labels(all));
        CliRun.Of("verify", all).Expect(0);
        CliRun.Of("info", _folder["a.img"]).Expect(3).ExpectOneLine("3 volumes");
    }

    private static readonly string[] s_multi = ["LOCAL", "MV"];

    [TestMethod]
    public void ExistingFileOfZerosKeepsItsSize()
    {
        FileBlockDevice.Create(Image, (100 << 20) + 777).Dispose();
        CliRun.Of("newfs", Image).Expect(0);
        Assert.AreEqual((100 << 20) + 777, new FileInfo(Image).Length);
        CliRun.Of("verify", Image).Expect(0);
    }

    [TestMethod]
    public void WhatIsRecognisedIsKeptUnlessForced()
    {
        CliRun.Of("newfs", Image, "--size", "64M", "-L", "OLD").Expect(0);
        byte[] before = File.ReadAllBytes(Image);
        CliRun.Of("newfs", Image, "-L", "NEW").Expect(2).ExpectOneLine("holds a HAMMER2 volume", "--force");
        Assert.IsTrue(before.AsSpan().SequenceEqual(File.ReadAllBytes(Image)), "nothing was written");
        CliRun.Of("newfs", Image, "-L", "NEW", "--force").Expect(0);
        Assert.AreEqual("LOCAL NEW", string.Join(' ', Labels(Image)));

        File.WriteAllText(_folder["text.img"], new string('x', 1000) + new string('\0', 40 << 20));
        CliRun.Of("newfs", _folder["text.img"]).Expect(2).ExpectOneLine("holds data");

        // The second of two is recognised: the first stays as it was.
        FileBlockDevice.Create(_folder["fresh.img"], 1 << 30).Dispose();
        CliRun.Of("newfs", _folder["fresh.img"], Image).Expect(2).ExpectOneLine("disk.img holds a HAMMER2 volume");
        using IBlockDevice fresh = FileBlockDevice.Open(_folder["fresh.img"]);
        Assert.IsNull(ContentScanner.Recognise(fresh));
    }

    [TestMethod]
    [DataRow("newfs NEW", 2, "give its size")]
    [DataRow("newfs NEW --size 16M", 2, "too small")]
    [DataRow("newfs NEW --size 64M -L A -L A", 2, "given twice")]
    [DataRow("newfs NEW --size 64M -L LOCAL", 2, "LOCAL")]
    [DataRow("newfs NEW --size 64M -L A -L B -L C -L D", 2, "At most 3")]
    [DataRow("newfs NEW --size 64M -L none -L A", 2, "-L none")]
    [DataRow("newfs NEW OTHER --size 1G --version 1", 2, "exactly one volume")]
    [DataRow("newfs NEW NEW --size 1G", 3, "in use")]
    [DataRow("newfs NEW --size 64M --partition 1", 2, "partition 1")]
    [DataRow("newfs NEW OTHER --size 1G --partition 1", 2, "one image")]
    [DataRow("newfs NEW --size 64M --boot-size 9M", 2, "steps of 8 MiB")]
    [DataRow("newfs NEW --size big", 2, "--size wants")]
    [DataRow("newfs NEW --size 0", 2, "--size wants")]
    [DataRow("newfs NEW --size 64M --compression gzip", 2, "--compression wants")]
    [DataRow("newfs NEW --size 64M --compression lz4:3", 2, "--compression wants")]
    [DataRow("newfs NEW --size 64M --compression zlib:0", 2, "--compression wants")]
    [DataRow("newfs NEW --size 64M --check crc", 2, "--check wants")]
    [DataRow("newfs NEW --size 64M --check freemap", 2, "--check wants")]
    [DataRow("newfs NEW --size 64M --version 3", 2, "--version wants")]
    [DataRow("newfs", 2, "newfs needs IMAGE")]
    [DataRow("newfs NEW --sise 64M", 2, "no option")]
    public void MistakesAreOneLineAndLeaveNoFile(string line, int code, string words)
    {
        string[] args = [.. line.Split(' ').Select(w => w is "NEW" or "OTHER" ? _folder[w + ".img"] : w)];
        CliRun.Of(args).Expect(code).ExpectOneLine(words);
        Assert.IsEmpty(Directory.GetFiles(_folder.Path), "a file was left behind");
    }

    [TestMethod]
    public void PlacesThatCannotBeWrittenAreOneLine()
    {
        CliRun.Of("newfs", _folder.Path, "--size", "64M").Expect(3).ExpectOneLine("is a directory");
        CliRun.Of("newfs", Path.Combine(_folder["absent"], "x.img"), "--size", "64M").Expect(3).ExpectOneLine("cannot be created");
        if (OperatingSystem.IsLinux())
            CliRun.Of("newfs", "/dev/hammer2-no-such-disk", "--size", "64M").Expect(3).ExpectOneLine("does not exist");
        CliRun.Of("newfs", Image, "--size", "64M").Expect(0);
        CliRun.Of("newfs", Image, "--size", "1G", "--force").Expect(2).ExpectOneLine("less than");
        CliRun.Of("verify", Image).Expect(0);
    }

    [TestMethod]
    public void ImageInUseIsRefused()
    {
        CliRun.Of("newfs", Image, "--size", "64M").Expect(0);
        using (FileBlockDevice.Open(Image))
            CliRun.Of("newfs", Image, "--force").Expect(3).ExpectOneLine("is in use");
        CliRun.Of("newfs", Image, "--force").Expect(0);
    }

    [TestMethod]
    public void TinyVolumesAreMadeWithAWarning()
    {
        CliRun run = CliRun.Of("newfs", Image, "--size", "24M").Expect(0);
        StringAssert.Contains(run.Error, "at least 32M", StringComparison.Ordinal);
        CliRun.Of("verify", Image).Expect(0);
    }

    [TestMethod]
    public void PartitionIsFormattedAndTheRestOfTheDiskStays()
    {
        string disk = GoldenImages.Get("part-gpt").UnpackTo(_folder.Path)[0];
        JsonElement parts = CliRun.Of("volume-list", "--json", disk).Expect(0).Json.GetProperty("volumes");
        JsonElement part = parts.EnumerateArray().First(p => p.GetProperty("is_hammer2").GetBoolean());
        string number = $"{part.GetProperty("partition").GetInt32()}";
        long offset = part.GetProperty("offset").GetInt64(), size = part.GetProperty("size").GetInt64();
        CliRun.Of("newfs", disk).Expect(2).ExpectOneLine("holds a partition table");
        CliRun.Of("newfs", disk, "--partition", "99").Expect(2).ExpectOneLine("no partition 99");
        CliRun.Of("newfs", disk, "--partition", number).Expect(2).ExpectOneLine("holds a HAMMER2 volume");
        byte[] before = ReadAround(disk, offset, size);
        CliRun.Of("newfs", disk, "--partition", number, "--force", "-L", "FRESH").Expect(0);
        Assert.IsTrue(before.AsSpan().SequenceEqual(ReadAround(disk, offset, size)), "bytes beside the partition changed");
        Assert.AreEqual("FRESH LOCAL", string.Join(' ', Labels(disk)));
    }

    private static byte[] ReadAround(string disk, long offset, long size)
    {
        using FileStream stream = File.OpenRead(disk);
        byte[] bytes = new byte[stream.Length - size];
        stream.ReadExactly(bytes.AsSpan(0, (int)offset));
        stream.Position = offset + size;
        stream.ReadExactly(bytes.AsSpan((int)offset));
        return bytes;
    }

    [TestMethod]
    [DataRow("/dev/da0s1a", "BOOT")]
    [DataRow("/dev/vbd0s1d", "ROOT")]
    [DataRow("/dev/serno/1234.s1d", "ROOT")]
    [DataRow("/dev/da0s1e", "DATA")]
    [DataRow("/dev/sda", "DATA")]
    [DataRow("/dev/sdd", "DATA")]
    [DataRow("/dev/sda1", "DATA")]
    [DataRow("disk1d", "DATA")]
    [DataRow(@"\\.\PhysicalDrive1", "DATA")]
    [DataRow("D:", "DATA")]
    public void DefaultLabelFollowsBsdPartitionLetters(string path, string label) => Assert.AreEqual(label, NewfsVerb.DefaultLabel(path));
}
