// info, pfs-list, volume-list, volhdr, show, freemap, hash, dhash and verify: against the statistics that
// the golden manifests carry, and on damaged images.

using System.Text.Json;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Cli;

[TestClass]
public sealed class DumpVerbTests : CliTests
{
    public static IEnumerable<object[]> SoundImages => GoldenImages.Names
        .Where(name => !name.StartsWith("dmg-", StringComparison.Ordinal)).Select(name => new object[] { name });

    [TestMethod]
    [DynamicData(nameof(SoundImages))]
    public void ShowMeetsEveryBlockref(string name)
    {
        JsonElement stats = GoldenImages.Get(name).Manifest.GetProperty("stats");
        var counted = new SortedDictionary<string, int>(StringComparer.Ordinal);
        var sizes = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (JsonElement node in CliRun.Of("show", "-v", "--json", CliRun.Image(name)).Expect(0).Json.GetProperty("blockrefs").EnumerateArray())
        {
            JsonElement bref = node.GetProperty("blockref");
            string type = bref.GetProperty("type").GetString()!;
            int radix = bref.GetProperty("radix").GetInt32();
            string key = type == "dirent" && radix == 0 ? "dirent/inline" : $"{type}/{bref.GetProperty("check").GetString()}";
            if (type == "data")
                key += "/" + bref.GetProperty("comp").GetString();
            counted[key] = counted.GetValueOrDefault(key) + 1;
            if (type == "indirect")
                sizes[$"{1 << radix}"] = sizes.GetValueOrDefault($"{1 << radix}") + 1;
        }

        Assert.AreEqual(Flat(stats.GetProperty("blockrefs")), string.Join(' ', counted.Select(pair => $"{pair.Key}={pair.Value}")));
        Assert.AreEqual(Flat(stats.GetProperty("indirect_sizes")), string.Join(' ', sizes.Select(pair => $"{pair.Key}={pair.Value}")));
    }

    [TestMethod]
    public void ShowOfALabelStaysInThatPfs()
    {
        JsonElement nodes = CliRun.Of("show", "--json", CliRun.Image("multi-pfs") + "@EXTRA").Expect(0).Json.GetProperty("blockrefs");
        string[] roots = [.. nodes.EnumerateArray()
            .Where(node => node.TryGetProperty("inode", out JsonElement inode) && inode.GetProperty("pfs_root").GetBoolean())
            .Select(node => node.GetProperty("name").GetString()!)];
        Assert.AreEqual("EXTRA", string.Join(' ', roots));
    }

    [TestMethod]
    [DataRow("dmg-data", true)]
    [DataRow("dmg-bref-outside", true)]
    [DataRow("dmg-indirect-file", false)]
    [DataRow("dmg-inode", false)]
    [DataRow("dmg-longname", false)]
    [DataRow("dmg-loop", false)]
    public void ShowReportsDamageAndGoesOn(string name, bool onlyWithVerify)
    {
        CliRun.Of("show", CliRun.Image(name)).Expect(onlyWithVerify ? 0 : 1);
        CliRun run = CliRun.Of("show", "-v", CliRun.Image(name)).Expect(1);
        StringAssert.Contains(run.Output, "ERROR ");
        StringAssert.Contains(run.Output, "\"LOCAL\"", "what comes after the damage");
    }

    [TestMethod]
    public void FreemapAddsUp()
    {
        JsonElement json = CliRun.Of("freemap", "--all", "--json", CliRun.Image("small-mixed")).Expect(0).Json;
        JsonElement leaf = json.GetProperty("blockrefs")[0];
        Assert.AreEqual("freemap-leaf", leaf.GetProperty("blockref").GetProperty("type").GetString());
        Assert.AreEqual(256, leaf.GetProperty("records").GetArrayLength());
        long free = 0;
        foreach (JsonElement record in leaf.GetProperty("records").EnumerateArray())
        {
            int states = record.GetProperty("free").GetInt32() + record.GetProperty("reserved").GetInt32()
                + record.GetProperty("possibly_free").GetInt32() + record.GetProperty("allocated").GetInt32();
            Assert.AreEqual(256, states);
            Assert.AreEqual(record.GetProperty("free").GetInt64() * 16384, record.GetProperty("avail").GetInt64());
            free += record.GetProperty("free").GetInt32();
        }

        Assert.AreEqual(free, json.GetProperty("free_blocks").GetInt64());
        CliRun.Of("freemap", CliRun.Image("dmg-freemap-leaf")).Expect(1).ExpectOneLine("Check code");
        Assert.AreEqual(0, CliRun.Of("freemap", "--json", CliRun.Image("empty")).Expect(0).Json.GetProperty("leaves").GetInt32());
    }

    [TestMethod]
    [DynamicData(nameof(SoundImages))]
    public void HeadersAreAsTheManifestSays(string name)
    {
        JsonElement volume = GoldenImages.Get(name).Manifest.GetProperty("volume");
        CliRun run = CliRun.Of("volhdr", "--json", CliRun.Image(name));
        JsonElement[] headers = [.. run.Json.GetProperty("headers").EnumerateArray()];
        JsonElement best = headers.First(header => header.GetProperty("in_use").GetBoolean()).GetProperty("fields");
        foreach (string field in new[] { "allocator_size", "allocator_free" })
            Assert.AreEqual(volume.GetProperty(field).GetInt64(), best.GetProperty(field).GetInt64(), field);
        Assert.AreEqual(volume.GetProperty("allocator_beg").GetInt64(), best.GetProperty("allocator_begin").GetInt64());
        Assert.AreEqual(volume.GetProperty("volu_size").GetInt64(), best.GetProperty("volume_size").GetInt64());
        Assert.AreEqual($"0x{volume.GetProperty("mirror_tid").GetInt64():x16}", best.GetProperty("mirror_tid").GetString());
        string[] expected = [.. volume.GetProperty("headers").EnumerateArray()
            .Select(header => $"{header.GetProperty("zone").GetInt32()} {header.GetProperty("valid").GetBoolean()}")];
        string[] actual = [.. headers.Select(header => $"{header.GetProperty("copy").GetInt32()} {header.GetProperty("status").GetString() == "valid"}")];
        CollectionAssert.AreEqual(expected, actual);
    }

    [TestMethod]
    public void DamagedHeaderIsShownWithItsVerdicts()
    {
        CliRun run = CliRun.Of("volhdr", CliRun.Image("dmg-header-newest")).Expect(1);
        StringAssert.Contains(run.Output, "copy 3 at 0x180000000: CRC of sector 1 is wrong");
        StringAssert.Contains(run.Output, "WRONG, computed");
        StringAssert.Contains(run.Output, "copy 2 at 0x100000000: valid, in use");
        CliRun all = CliRun.Of("volhdr", "--json", CliRun.Image("dmg-headers-all")).Expect(3);
        Assert.AreEqual(4, all.Json.GetProperty("headers").GetArrayLength());
    }

    [TestMethod]
    public void InfoWarnsOfHeadersPassedOver()
    {
        JsonElement info = CliRun.Of("info", "--json", CliRun.Image("dmg-header-newest2")).Expect(0).Json;
        Assert.AreEqual(2, info.GetProperty("warnings").GetArrayLength());
        Assert.AreEqual("DATA", info.GetProperty("pfs")[0].GetProperty("label").GetString());
        StringAssert.Contains(CliRun.Of("info", CliRun.Image("multi-volume")).Expect(0).Output, "volume 2");
    }

    [TestMethod]
    public void PfsListIsAsTheManifestSays()
    {
        JsonElement golden = GoldenImages.Get("multi-pfs").Manifest.GetProperty("pfs");
        JsonElement printed = CliRun.Of("pfs-list", "--json", CliRun.Image("multi-pfs")).Expect(0).Json.GetProperty("pfs");
        CollectionAssert.AreEquivalent(Describe(golden), Describe(printed));

        static string[] Describe(JsonElement list) => [.. list.EnumerateArray().Select(pfs =>
            $"{pfs.GetProperty("label")} {pfs.GetProperty("type")} {pfs.GetProperty("pfs_inum")} {pfs.GetProperty("check")} {pfs.GetProperty("comp")}")];
    }

    [TestMethod]
    public void VolumeListShowsPartitions()
    {
        foreach (string name in new[] { "part-gpt", "part-mbr", "part-gpt-label64" })
        {
            JsonElement golden = GoldenImages.Get(name).Manifest.GetProperty("partitions");
            JsonElement volume = CliRun.Of("volume-list", "--json", CliRun.Image(name)).Expect(0).Json.GetProperty("volumes").EnumerateArray()
                .Single(item => item.GetProperty("is_hammer2").GetBoolean());
            JsonElement last = golden[golden.GetArrayLength() - 1];
            Assert.AreEqual(last.GetProperty("offset").GetInt64(), volume.GetProperty("offset").GetInt64(), name);
            CollectionAssert.Contains(volume.GetProperty("labels").EnumerateArray().Select(label => label.GetString()).ToArray(), "DATA");
        }

        Assert.AreEqual("whole", CliRun.Of("volume-list", "--json", CliRun.Image("empty")).Expect(0).Json.GetProperty("volumes")[0].GetProperty("table").GetString());
    }

    [TestMethod]
    public void HashesAreTheReferences()
    {
        // The entry's key without its collision bits is the hash of its name.
        JsonElement nodes = CliRun.Of("show", "--json", CliRun.Image("small-mixed")).Expect(0).Json.GetProperty("blockrefs");
        foreach (JsonElement node in nodes.EnumerateArray().Where(node => node.GetProperty("blockref").GetProperty("type").GetString() == "dirent").Take(60))
        {
            ulong key = Convert.ToUInt64(node.GetProperty("blockref").GetProperty("key").GetString()![2..], 16) & ~0x7FFFUL;
            string name = node.GetProperty("name").GetString()!;
            Assert.AreEqual($"0x{key:x16} {name}\n", CliRun.Of("hash", name).Expect(0).Output);
            if (node.GetProperty("blockref").GetProperty("radix").GetInt32() != 0)
                Assert.AreEqual($"{node.GetProperty("blockref").GetProperty("check_value").GetString()} {name}\n", CliRun.Of("dhash", name).Expect(0).Output);
        }
    }

    [TestMethod]
    public void VerifyFindsDamageAndOnlyDamage()
    {
        JsonElement sound = CliRun.Of("verify", "--json", CliRun.Image("small-mixed")).Expect(0).Json;
        Assert.IsTrue(sound.GetProperty("clean").GetBoolean());
        JsonElement damaged = CliRun.Of("verify", "--json", CliRun.Image("dmg-data")).Expect(1).Json;
        Assert.AreEqual(1, damaged.GetProperty("finding_count").GetInt64());
        Assert.AreEqual("/large/stone.dat", damaged.GetProperty("findings")[0].GetProperty("path").GetString());
        CliRun.Of("verify", CliRun.Image("dmg-freemap-leaf")).Expect(1);
    }

    private static string Flat(JsonElement counts) => string.Join(' ', counts.EnumerateObject()
        .OrderBy(property => property.Name, StringComparer.Ordinal).Select(property => $"{property.Name}={property.Value}"));
}
