// `hammer2 get`: what arrives equals the manifest; existing files are safe; damage never leaves a file that
// looks whole; names cannot lead out of the destination; the image stays as it was.
// Runs the command in the process, into folders that are gone afterwards.

using System.IO.Hashing;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Hammer2.Cli.Copying;
using Hammer2.Engine.Primitives;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Cli;

[TestClass]
public sealed class GetVerbTests : CliTests
{
    private static readonly long s_oldestUs = MediaTime.FromUtc(new DateTime(1902, 1, 1, 0, 0, 0, DateTimeKind.Utc));
    private static readonly long s_newestUs = MediaTime.FromUtc(new DateTime(2446, 1, 1, 0, 0, 0, DateTimeKind.Utc));

    [TestMethod]
    [DataRow("small-mixed")]
    [DataRow("comp-zlib")]
    [DataRow("churn")]
    [DataRow("multi-volume")]
    public void WholeTreeArrives(string name)
    {
        using var folder = new TemporaryFolder();
        CliRun run = CliRun.Of("get", "--json", CliRun.Image(name), "/", folder["copy"]);
        JsonElement[] golden = [.. GoldenImages.Get(name).Manifest.GetProperty("entries").EnumerateArray()];
        bool devices = golden.Any(entry => entry.GetProperty("type").GetString() is "chardev" or "blockdev");
        run.Expect(devices && !Environment.IsPrivilegedProcess || OperatingSystem.IsWindows() && devices ? 1 : 0);
        foreach (JsonElement entry in golden.Where(entry => entry.TryGetProperty("path", out _)))
            CompareEntry(entry, folder["copy"] + entry.GetProperty("path").GetString());
        bool hasLinks = golden.Any(entry => entry.GetProperty("type").GetString() == "symlink");
        Assert.AreEqual(hasLinks, run.Json.GetProperty("symlinks").GetInt64() > 0);
    }

    [TestMethod]
    public void HardLinksStayLinks()
    {
        if (OperatingSystem.IsWindows())
            Assert.Inconclusive("link counts are read with stat(1), which Windows lacks");
        using var folder = new TemporaryFolder();
        CliRun.Of("get", CliRun.Image("small-mixed"), "/hard", folder["hard"]).Expect(0);
        var groups = GoldenImages.Get("small-mixed").Manifest.GetProperty("entries").EnumerateArray()
            .Where(entry => entry.TryGetProperty("hardlink_group", out _) && entry.GetProperty("type").GetString() == "file")
            .GroupBy(
                entry => entry.GetProperty("hardlink_group").GetInt32(),
                entry => folder.Path + entry.GetProperty("path").GetString());
        foreach (var group in groups)
        {
            // A change through one name is seen through all.
            File.AppendAllText(group.First(), "x");
            Assert.AreEqual(1, group.Select(path => new FileInfo(path).Length).Distinct().Count(), string.Join(' ', group));
        }
    }

    [TestMethod]
    public void HolesStayHoles()
    {
        if (!OperatingSystem.IsLinux())
            Assert.Inconclusive("allocated sizes are read with stat(1)");
        using var folder = new TemporaryFolder();
        CliRun.Of("get", CliRun.Image("bigfile"), "/huge/edge", folder["edge"]).Expect(0);
        Assert.AreEqual(4294967297, new FileInfo(folder["edge"]).Length);
        Assert.IsLessThan(16L << 20, AllocatedBytes(folder["edge"]), "bytes allocated for a sparse file");
    }

    [TestMethod]
    public void OneFileGetsTheNameOrGoesIntoTheDirectory()
    {
        using var folder = new TemporaryFolder();
        string image = CliRun.Image("small-mixed");
        CliRun.Of("get", image, "/links/target.txt", folder["new.txt"]).Expect(0);
        CliRun.Of("get", image, "/links/target.txt", folder.Path).Expect(0);
        CliRun.Of("get", image, "/empty-dir", folder.Path).Expect(0);
        CollectionAssert.AreEqual(File.ReadAllBytes(folder["new.txt"]), File.ReadAllBytes(folder["target.txt"]));
        Assert.IsTrue(Directory.Exists(folder["empty-dir"]));
    }

    [TestMethod]
    public void ExistingFilesAreSafeWithoutForce()
    {
        using var folder = new TemporaryFolder();
        string image = CliRun.Image("small-mixed");
        File.WriteAllText(folder["target.txt"], "mine");
        CliRun.Of("get", image, "/links/target.txt", folder.Path).Expect(2).ExpectOneLine("exists", "--force");
        CliRun.Of("get", image, "/links/target.txt", folder["target.txt"]).Expect(2).ExpectOneLine("exists", "--force");
        CliRun.Of("get", image, "/", folder.Path).Expect(2).ExpectOneLine("not empty", "--resume");
        CliRun.Of("get", image, "/deep", folder["no/such"]).Expect(2).ExpectOneLine("does not exist");
        Assert.AreEqual("mine", File.ReadAllText(folder["target.txt"]));
        CliRun.Of("get", "--force", image, "/links/target.txt", folder.Path).Expect(0);
        Assert.AreNotEqual("mine", File.ReadAllText(folder["target.txt"]));
    }

    [TestMethod]
    public void ForceNeverReplacesADirectoryNorFollowsALink()
    {
        using var folder = new TemporaryFolder();
        string image = CliRun.Image("small-mixed");
        Directory.CreateDirectory(folder["copy/target.txt"]);
        CliRun.Of("get", "--force", image, "/links/target.txt", folder["copy"]).Expect(1).ExpectOneLine("is a directory");

        // A link where the image has a directory: following it would write outside DEST.
        Directory.CreateDirectory(folder["outside"]);
        Directory.CreateDirectory(folder["tree"]);
        Directory.CreateSymbolicLink(folder["tree/deep"], folder["outside"]);
        StringAssert.Contains(CliRun.Of("get", "--force", image, "/", folder["tree"]).Expect(1).Error, "is not a directory");
        CliRun.Of("get", "--force", image, "/deep", folder["tree"]).Expect(1).ExpectOneLine("is not a directory");
        Assert.IsEmpty(Directory.GetFileSystemEntries(folder["outside"]));
    }

    [TestMethod]
    public void ResumeCopiesOnlyWhatIsMissing()
    {
        using var folder = new TemporaryFolder();
        string image = CliRun.Image("comp-lz4");
        long all = CliRun.Of("get", "--json", image, "/", folder["copy"]).Expect(0).Json.GetProperty("files").GetInt64();
        string[] files = Directory.GetFiles(folder["copy"], "*", SearchOption.AllDirectories);
        File.Delete(files[0]);
        File.AppendAllText(files[1], "longer");
        File.SetLastWriteTimeUtc(files[2], DateTime.UnixEpoch);
        JsonElement again = CliRun.Of("get", "--resume", "--json", image, "/", folder["copy"]).Expect(0).Json;
        Assert.AreEqual(3, again.GetProperty("files").GetInt64());
        Assert.AreEqual(all - 3, again.GetProperty("skipped").GetInt64());
        JsonElement[] golden = [.. GoldenImages.Get("comp-lz4").Manifest.GetProperty("entries").EnumerateArray()];
        foreach (JsonElement entry in golden)
            CompareEntry(entry, folder["copy"] + entry.GetProperty("path").GetString());
    }

    [TestMethod]
    public void DamagedFileIsNotLeftLookingGood()
    {
        using var folder = new TemporaryFolder();
        CliRun run = CliRun.Of("get", "--json", CliRun.Image("dmg-data"), "/large", folder["large"])
            .Expect(1).ExpectOneLine("/large/stone.dat", "Check code");
        Assert.IsFalse(File.Exists(folder["large/stone.dat"]));
        Assert.AreEqual("check_failed", run.Json.GetProperty("failures")[0].GetProperty("code").GetString());
        int others = GoldenImages.Get("dmg-data").Manifest.GetProperty("entries").EnumerateArray()
            .Count(entry => entry.GetProperty("path").GetString()!.StartsWith("/large/", StringComparison.Ordinal)) - 1;
        Assert.AreEqual(others, Directory.GetFiles(folder["large"]).Length, "the copy goes on past the damage");
    }

    [TestMethod]
    public void PartialCopyHoldsEveryReadableByte()
    {
        using var folder = new TemporaryFolder();
        CliRun.Of("get", "--keep-partial", CliRun.Image("dmg-data"), "/large", folder["large"])
            .Expect(1).ExpectOneLine("stone.dat.partial");
        byte[] partial = File.ReadAllBytes(folder["large/stone.dat.partial"]);
        byte[] whole = CliRun.Of("cat", CliRun.Image("damage-base"), "/large/stone.dat").Expect(0).OutputBytes;
        JsonElement range = GoldenImages.Get("dmg-data").Manifest.GetProperty("entries").EnumerateArray()
            .Single(entry => entry.TryGetProperty("damaged", out _)).GetProperty("damaged").GetProperty("ranges")[0];
        whole.AsSpan((int)range[0].GetInt64(), (int)range[1].GetInt64()).Clear();
        Assert.IsTrue(partial.AsSpan().SequenceEqual(whole), "all but the damaged range, which is a hole");
        Assert.IsFalse(File.Exists(folder["large/stone.dat"]));
    }

    [TestMethod]
    [DataRow("dmg-inode-dir")]
    [DataRow("dmg-indirect-dir")]
    [DataRow("dmg-indirect-index")]
    [DataRow("dmg-longname")]
    [DataRow("dmg-dirent-missing")]
    [DataRow("dmg-inode-size")]
    [DataRow("dmg-loop")]
    [DataRow("dmg-lz4")]
    public void CopyOfADamagedVolumeHoldsEverythingElse(string name)
    {
        using var folder = new TemporaryFolder();
        CliRun.Of("get", CliRun.Image(name), "/", folder["copy"]).Expect(1);
        foreach (JsonElement entry in GoldenImages.Get(name).Manifest.GetProperty("entries").EnumerateArray())
        {
            string path = folder["copy"] + entry.GetProperty("path").GetString();
            if (!entry.TryGetProperty("damaged", out JsonElement damaged))
                CompareEntry(entry, path);
            else if (damaged.GetProperty("class").GetString() is "data" or "inode" or "dangling")
                Assert.IsFalse(Path.Exists(path), path);
        }
    }

    [TestMethod]
    public void NamesThatAreNoTextArriveToo()
    {
        if (OperatingSystem.IsWindows())
            Assert.Inconclusive("Windows stores these names mapped; see WindowsNamesAreSafeAndDistinct");
        using var folder = new TemporaryFolder();
        CliRun.Of("get", CliRun.Image("names"), "/", folder["copy"]).Expect(0);
        // Back through a shell that knows bytes: the same paths in hex.
        string listed = Shell($"cd '{folder["copy"]}' && find . -print0 | od -An -v -tx1 | tr -d ' \\n'");
        Shell($"rm -rf '{folder["copy"]}'"); // .NET cannot name these files, not even to delete them.
        string[] arrived = [.. listed.Split("00", StringSplitOptions.RemoveEmptyEntries)];
        Assert.IsGreaterThan(100, arrived.Length);
        string joined = "00" + listed;
        var keys = GoldenImages.Get("names").Manifest.GetProperty("entries").EnumerateArray().Select(ManifestComparer.KeyOf);
        foreach (string key in keys.Where(key => key != "2f"))
            StringAssert.Contains(joined, "002e" + key + "00");
    }

    [TestMethod]
    [DataRow("..")]
    [DataRow(".")]
    [DataRow("")]
    [DataRow("a/b")]
    [DataRow("../../etc/passwd")]
    [DataRow("nul\0byte")]
    public void NamesThatLeadOutAreRefused(string name)
    {
        foreach (HostNames names in new HostNames[] { new UnixNames(), new WindowsNames() })
        {
            Assert.IsFalse(names.TryTake(Encoding.UTF8.GetBytes(name), 1, out _, out string reason));
            StringAssert.Contains(reason, "refused");
        }
    }

    [TestMethod]
    public void WindowsNamesAreSafeAndDistinct()
    {
        var names = new WindowsNames();
        var taken = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        string[] medium = ["CON", "con", "a:b", @"..\x", "dot.", "space ", "File", "file", "FILE", "aux.txt", "*?\"<>|", "ok"];
        foreach (string name in medium)
        {
            Assert.IsTrue(names.TryTake(Encoding.UTF8.GetBytes(name), 7, out byte[] host, out _));
            string shown = Encoding.UTF8.GetString(host);
            Assert.IsTrue(taken.Add(shown), $"{name} collides as {shown}");
            Assert.IsFalse(shown.Any(unit => "\\/:*?\"<>|".Contains(unit, StringComparison.Ordinal)), shown);
            Assert.IsFalse(shown.EndsWith('.') || shown.EndsWith(' '), shown);
        }

        Assert.IsTrue(taken.Contains("ok"));
        Assert.IsFalse(taken.Contains("CON") || taken.Contains("aux.txt"));
    }

    [TestMethod]
    public void TheImageIsNotTouched()
    {
        using var folder = new TemporaryFolder();
        string image = GoldenImages.Get("comp-none").UnpackTo(folder.Path)[0];
        (ulong hash, DateTime time) = (HashOf(image), File.GetLastWriteTimeUtc(image));
        foreach (string[] args in new string[][]
        {
            ["ls", "-R", image], ["get", image, "/", folder["copy"]], ["verify", image], ["show", "-v", image],
            ["freemap", image], ["volhdr", image], ["info", image], ["manifest", image], ["du", image],
            ["volume-list", image], ["pfs-list", image], ["fsck", image],
        })
        {
            CliRun.Of(args).Expect(0);
        }

        Assert.AreEqual(hash, HashOf(image));
        Assert.AreEqual(time, File.GetLastWriteTimeUtc(image));
    }

    [TestMethod]
    public void InterruptedCopyLeavesNoHalfFile()
    {
        using var folder = new TemporaryFolder();
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        CliRun.On(null, ["get", CliRun.Image("comp-none"), "/", folder["copy"]], stop.Token).Expect(130);
        string[] files = Directory.Exists(folder["copy"])
            ? Directory.GetFiles(folder["copy"], "*", SearchOption.AllDirectories)
            : [];
        Assert.IsEmpty(files);
    }

    private static void CompareEntry(JsonElement entry, string path)
    {
        string type = entry.GetProperty("type").GetString()!;
        long mtime = entry.GetProperty("mtime_us").GetInt64();
        FileSystemInfo info = type == "dir" ? new DirectoryInfo(path) : new FileInfo(path);
        bool special = type is "chardev" or "blockdev" or "fifo" or "socket";
        if (special && !File.Exists(path))
        {
            Assert.IsFalse(Environment.IsPrivilegedProcess && OperatingSystem.IsLinux(), $"{path} is missing");
            return;
        }

        if (type == "symlink")
        {
            Assert.AreEqual(entry.GetProperty("target").GetString(), info.LinkTarget, path);
            return;
        }

        Assert.IsTrue(info.Exists, path);
        // Older and newer times are cut by the file system below, not by the copy.
        if (mtime > s_oldestUs && mtime < s_newestUs)
            Assert.AreEqual(mtime, MediaTime.FromUtc(info.LastWriteTimeUtc), $"time of {path}");
        if (!OperatingSystem.IsWindows())
            CompareMode(entry, info);
        if (type != "file")
            return;
        using FileStream file = File.OpenRead(path);
        Assert.AreEqual(entry.GetProperty("sha256").GetString(), Convert.ToHexStringLower(SHA256.HashData(file)), path);
    }

    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    private static void CompareMode(JsonElement entry, FileSystemInfo info)
    {
        int mode = Convert.ToInt32(entry.GetProperty("mode").GetString(), 8);
        if (!Environment.IsPrivilegedProcess)
            mode &= 0x3FF;
        Assert.AreEqual(mode, (int)info.UnixFileMode, $"mode of {info.FullName}");
    }

    private static long AllocatedBytes(string path) =>
        long.Parse(Shell($"stat -c '%b' '{path}'"), System.Globalization.CultureInfo.InvariantCulture) * 512;

    private static string Shell(string command)
    {
        using var shell = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo("sh", ["-c", command]) { RedirectStandardOutput = true })!;
        string output = shell.StandardOutput.ReadToEnd();
        shell.WaitForExit();
        return output.Trim();
    }

    private static ulong HashOf(string path)
    {
        var hash = new XxHash3();
        using FileStream file = File.OpenRead(path);
        hash.Append(file);
        return hash.GetCurrentHashAsUInt64();
    }
}
