// ls, stat, tree, cat, find and du on golden images: text, JSON shapes, links, odd names, damage.

using System.Security.Cryptography;
using System.Text.Json;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Cli;

[TestClass]
public sealed class ListingVerbTests : CliTests
{
    private static string Small => CliRun.Image("small-mixed");

    [TestMethod]
    public void LsPrintsNamesInByteOrder() =>
        Assert.AreEqual(
            "deep empty-dir flags hard large links long many modes owners sizes special times",
            string.Join(' ', CliRun.Of("ls", Small).Expect(0).Lines));

    [TestMethod]
    public void LongLsShowsModesDevicesAndTargets()
    {
        string[] lines = CliRun.Of("ls", "-l", Small, "/special").Expect(0).Lines;
        CollectionAssert.Contains(lines, "brw-r----- 1 0 6      8, 17 2017-07-14 02:40 disk");
        CollectionAssert.Contains(lines, "prw--w--w- 1 5 6          0 2017-07-14 02:40 fifo");
        StringAssert.EndsWith(
            CliRun.Of("ls", "-l", Small, "/links").Expect(0).Lines.Single(line => line.Contains(" abs ", StringComparison.Ordinal)),
            "abs -> /links/target.txt");
    }

    [TestMethod]
    public void LsOfALinkShowsTheLinkOnlyWhenLong()
    {
        StringAssert.Contains(CliRun.Of("ls", "-l", Small, "/links/dir").Expect(0).Output, "/links/dir -> ../deep");
        Assert.AreEqual("amber1\n", CliRun.Of("ls", Small, "/links/dir").Expect(0).Output);
        Assert.AreEqual("amber1\n", CliRun.Of("ls", "-a", Small, "links/dir/").Expect(0).Output.Replace(".\n..\n", "", StringComparison.Ordinal));
        Assert.AreEqual("/deep\n", CliRun.Of("ls", "-d", Small, "/deep").Expect(0).Output);
    }

    [TestMethod]
    public void RecursiveLsReachesEveryEntry()
    {
        CliRun run = CliRun.Of("ls", "-R", "-a", "--json", Small).Expect(0);
        string[] printed = [.. run.Json.GetProperty("entries").EnumerateArray()
            .Select(entry => entry.GetProperty("path").GetString()!)
            .Where(path => !path.EndsWith("/.", StringComparison.Ordinal) && !path.EndsWith("/..", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)];
        string[] golden = [.. GoldenImages.Get("small-mixed").Manifest.GetProperty("entries").EnumerateArray()
            .Select(entry => entry.GetProperty("path").GetString()!).Where(path => path != "/").Order(StringComparer.Ordinal)];
        CollectionAssert.AreEqual(golden, printed);
    }

    [TestMethod]
    public void JsonOfAnEntryHasItsDocumentedShape()
    {
        JsonElement entry = CliRun.Of("ls", "--json", Small, "/special").Expect(0).Json.GetProperty("entries").EnumerateArray()
            .Single(item => item.GetProperty("name").GetString() == "disk");
        string[] expected =
        [
            "name", "path", "type", "mode", "uid", "gid", "nlink", "mtime_us", "ctime_us", "atime_us", "rdev", "inum", "parent_inum",
            "allocated", "check", "comp",
        ];
        CollectionAssert.AreEquivalent(expected, entry.EnumerateObject().Select(property => property.Name).ToArray());
        Assert.AreEqual("0640", entry.GetProperty("mode").GetString());
        Assert.AreEqual("[8,17]", entry.GetProperty("rdev").GetRawText());
    }

    [TestMethod]
    public void OddNamesArePrintedAndTakenBackInTheSameSpelling()
    {
        string image = CliRun.Image("names");
        JsonElement[] golden = [.. GoldenImages.Get("names").Manifest.GetProperty("entries").EnumerateArray()];
        string[] shown = CliRun.Of("find", image, "/").Expect(0).Lines;
        Assert.AreEqual(golden.Length, shown.Length, "a name with a newline must not make two lines");
        JsonElement printed = CliRun.Of(["stat", "--json", image, .. shown]).Expect(0).Json.GetProperty("entries");
        CollectionAssert.AreEquivalent(
            golden.Select(ManifestComparer.KeyOf).ToArray(), printed.EnumerateArray().Select(ManifestComparer.KeyOf).ToArray());
        Assert.IsFalse(shown.Any(line => line.Any(char.IsControl)), "control characters must not reach a terminal");
    }

    [TestMethod]
    public void StatShowsEverything()
    {
        string text = CliRun.Of("stat", Small, "/times/frac").Expect(0).Output;
        StringAssert.Contains(text, "2017-07-14 02:40:00.123456 UTC");
        StringAssert.Contains(text, "0644 (-rw-r--r--)");
        JsonElement both = CliRun.Of("stat", "--json", Small, "/", "/links/dir").Expect(0).Json.GetProperty("entries");
        Assert.AreEqual(2, both.GetArrayLength());
        Assert.AreEqual("../deep", both[1].GetProperty("target").GetString());
        JsonElement followed = CliRun.Of("stat", "-L", "--json", Small, "/links/dir").Expect(0).Json.GetProperty("entries");
        Assert.AreEqual("/deep", followed[0].GetProperty("path").GetString());
    }

    [TestMethod]
    public void StatOfAMissingPathStillShowsTheOthers()
    {
        CliRun run = CliRun.Of("stat", "--json", Small, "/none", "/deep").Expect(1);
        Assert.AreEqual(1, run.Json.GetProperty("entries").GetArrayLength());
        Assert.AreEqual("/none", run.Json.GetProperty("failures")[0].GetProperty("path").GetString());
    }

    [TestMethod]
    public void CatPrintsExactlyTheBytes()
    {
        JsonElement[] files = [.. GoldenImages.Get("small-mixed").Manifest.GetProperty("entries").EnumerateArray()
            .Where(entry => entry.GetProperty("type").GetString() == "file")];
        foreach (JsonElement file in files.Where((_, i) => i % 7 == 0))
        {
            CliRun run = CliRun.Of("cat", Small, file.GetProperty("path").GetString()!).Expect(0);
            Assert.AreEqual(file.GetProperty("sha256").GetString(), Convert.ToHexStringLower(SHA256.HashData(run.OutputBytes)), file.ToString());
        }
    }

    [TestMethod]
    public void CatAsJsonCarriesTheBytes()
    {
        byte[] plain = CliRun.Of("cat", Small, "/links/target.txt").Expect(0).OutputBytes;
        JsonElement file = CliRun.Of("cat", "--json", Small, "/links/abs").Expect(0).Json.GetProperty("files")[0];
        Assert.AreEqual("/links/target.txt", file.GetProperty("path").GetString());
        CollectionAssert.AreEqual(plain, file.GetProperty("content").GetBytesFromBase64());
    }

    [TestMethod]
    public void CatRefusesWhatIsNoFile()
    {
        CliRun.Of("cat", Small, "/deep").Expect(1).ExpectOneLine("is a directory");
        CliRun.Of("cat", Small, "/special/fifo").Expect(1).ExpectOneLine("is a fifo");
        CliRun.Of("cat", Small, "/links/dangling").Expect(1).ExpectOneLine("no such file or directory");
    }

    [TestMethod]
    public void CatStopsAtDamageAndInventsNothing()
    {
        JsonElement entry = Entry("dmg-data", "/large/stone.dat");
        long damaged = entry.GetProperty("damaged").GetProperty("ranges")[0][0].GetInt64();
        CliRun run = CliRun.Of("cat", CliRun.Image("dmg-data"), "/large/stone.dat").Expect(1).ExpectOneLine("/large/stone.dat", $"stopped at byte {damaged}");
        byte[] whole = CliRun.Of("cat", CliRun.Image("damage-base"), "/large/stone.dat").Expect(0).OutputBytes;
        Assert.IsTrue(run.OutputBytes.AsSpan().SequenceEqual(whole.AsSpan(0, (int)damaged)), "the bytes before the damage");
    }

    [TestMethod]
    public void TreeDrawsAndCounts()
    {
        CliRun run = CliRun.Of("tree", Small, "/hard").Expect(0);
        StringAssert.StartsWith(run.Output, "/hard\n├── ");
        StringAssert.Contains(run.Output, "└── ");
        JsonElement json = CliRun.Of("tree", "--json", Small).Expect(0).Json;
        Assert.AreEqual(GoldenImages.Get("small-mixed").Manifest.GetProperty("entries").GetArrayLength(), json.GetProperty("entries").GetArrayLength());
        Assert.AreEqual(
            json.GetProperty("entries").GetArrayLength() - 1, json.GetProperty("directories").GetInt64() + json.GetProperty("others").GetInt64());
        Assert.IsTrue(CliRun.Of("tree", "--json", "-L", "1", Small).Json.GetProperty("entries").EnumerateArray().All(entry => entry.GetProperty("depth").GetInt32() <= 1));
        Assert.IsTrue(CliRun.Of("tree", "--json", "-d", Small).Json.GetProperty("entries").EnumerateArray().All(entry => entry.GetProperty("type").GetString() == "dir"));
    }

    [TestMethod]
    public void FindMeetsItsConditions()
    {
        JsonElement[] golden = [.. GoldenImages.Get("small-mixed").Manifest.GetProperty("entries").EnumerateArray()];
        Same(golden.Where(entry => NameOf(entry).EndsWith(".txt", StringComparison.Ordinal)), "-name", "*.txt");
        Same(golden.Where(entry => NameOf(entry).EndsWith(".txt", StringComparison.OrdinalIgnoreCase)), "-iname", "*.TXT");
        Same(golden.Where(entry => entry.GetProperty("type").GetString() is "symlink" or "fifo"), "-type", "l,p");
        Same(golden.Where(entry => SizeOf(entry) > 65536), "-size", "+64K");
        Same(golden.Where(entry => SizeOf(entry) is >= 0 and < 512), "--size=-512");
        Same(golden.Where(entry => SizeOf(entry) is >= 0 and < 512), "-size", "-512");
        Same(golden.Where(entry => SizeOf(entry) == 0 && entry.GetProperty("type").GetString() == "file"), "-size", "0", "-type", "f");
        Same(golden.Where(entry => entry.GetProperty("mtime_us").GetInt64() > 2145916800000000), "-newer", "2038-01-01");
        long reference = Entry("small-mixed", "/times/2038-last").GetProperty("mtime_us").GetInt64();
        Same(golden.Where(entry => entry.GetProperty("mtime_us").GetInt64() > reference), "-newer", "/times/2038-last");

        static void Same(IEnumerable<JsonElement> expected, params string[] conditions) => CollectionAssert.AreEquivalent(
            expected.Select(entry => entry.GetProperty("path").GetString()).ToArray(),
            CliRun.Of(["find", Small, "/", .. conditions]).Expect(0).Lines);
    }

    [TestMethod]
    public void DuCountsAnInodeOnceAndSumsUp()
    {
        JsonElement[] golden = [.. GoldenImages.Get("small-mixed").Manifest.GetProperty("entries").EnumerateArray()];
        long apparent = golden.Where(entry => SizeOf(entry) >= 0).DistinctBy(entry => entry.GetProperty("inum").GetInt64()).Sum(SizeOf);
        JsonElement sum = CliRun.Of("du", "-s", "--json", Small).Expect(0).Json.GetProperty("entries")[0];
        Assert.AreEqual(apparent, sum.GetProperty("apparent").GetInt64());
        JsonElement all = CliRun.Of("du", "-a", "--json", Small).Expect(0).Json.GetProperty("entries");
        Assert.AreEqual(golden.Length, all.GetArrayLength());
        Assert.AreEqual("/", all[all.GetArrayLength() - 1].GetProperty("path").GetString());
        StringAssert.EndsWith(CliRun.Of("du", "-s", "-h", Small, "/hard").Expect(0).Output, "  /hard\n");
    }

    [TestMethod]
    public void DamagedDirectoryIsListedAsFarAsItCanBeRead()
    {
        CliRun run = CliRun.Of("ls", "--json", CliRun.Image("dmg-indirect-dir"), "/many").Expect(1);
        JsonElement[] golden = [.. GoldenImages.Get("dmg-indirect-dir").Manifest.GetProperty("entries").EnumerateArray()];
        int readable = golden.Count(entry => entry.GetProperty("path").GetString()!.StartsWith("/many/", StringComparison.Ordinal) && !entry.TryGetProperty("damaged", out _));
        Assert.AreEqual(readable, run.Json.GetProperty("entries").GetArrayLength());
        Assert.AreEqual("check_failed", run.Json.GetProperty("failures")[0].GetProperty("code").GetString());
    }

    [TestMethod]
    public void EntryWithADamagedInodeIsListedWithItsError()
    {
        CliRun run = CliRun.Of("ls", "-l", CliRun.Image("dmg-inode"), "/many").Expect(1);
        StringAssert.Contains(run.Output, "-????????? ");
        StringAssert.Contains(run.Error, "/many/delta-23.dat: damaged");
        CliRun.Of("stat", CliRun.Image("dmg-inode"), "/many/delta-23.dat").Expect(1).ExpectOneLine("Check code");
    }

    [TestMethod]
    public void PartitionedDisksOpenByThemselves()
    {
        foreach (string name in new[] { "part-gpt", "part-mbr", "part-gpt-label64" })
            Assert.AreEqual(13, CliRun.Of("ls", CliRun.Image(name)).Expect(0).Lines.Length, name);
        Assert.AreEqual(13, CliRun.Of("ls", CliRun.Image("part-gpt-label64"), "--partition", "2").Expect(0).Lines.Length);
    }

    [TestMethod]
    public void StoppedRunEndsWith130()
    {
        CliRun run = CliRun.On(null, ["find", Small], new CancellationToken(canceled: true));
        run.Expect(130).ExpectOneLine("interrupted");
    }

    private static JsonElement Entry(string image, string path) => GoldenImages.Get(image).Manifest.GetProperty("entries").EnumerateArray()
        .Single(entry => entry.TryGetProperty("path", out JsonElement text) && text.GetString() == path);

    private static string NameOf(JsonElement entry) => Path.GetFileName(entry.GetProperty("path").GetString()!);

    private static long SizeOf(JsonElement entry) => entry.TryGetProperty("size", out JsonElement size) ? size.GetInt64() : -1;
}
