// `hammer2 fsck` as people and scripts see it: exit codes, text and JSON, options, and what it says of volumes that
// cannot be opened. The findings themselves are tested beside this file.

using System.Text.Json;
using Hammer2.Tests.Cli;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Checking;

[TestClass]
public sealed class FsckVerbTests
{
    [TestMethod]
    public void CleanVolumeReturnsZero()
    {
        JsonElement sound = CliRun.Of("fsck", "--json", CliRun.Image("multi-pfs")).Expect(0).Json;
        Assert.IsTrue(sound.GetProperty("clean").GetBoolean());
        Assert.AreEqual(7, sound.GetProperty("pfs_count").GetInt32());
        Assert.AreEqual(0, sound.GetProperty("errors").GetInt64());
        string text = CliRun.Of("fsck", CliRun.Image("multi-pfs")).Expect(0).Output;
        Assert.Contains("information: freemap-leaked: ", text);
        Assert.EndsWith("clean: 0 errors, 0 warnings, 2 informations\n", text);
    }

    [TestMethod]
    public void WarningsAloneReturnZero() =>
        Assert.Contains("warning: header-sizes: ", CliRun.Of("fsck", CliRun.Image("grown")).Expect(0).Output);

    [TestMethod]
    public void DamageReturnsOneAndSaysWhere()
    {
        JsonElement damaged = CliRun.Of("fsck", "--json", CliRun.Image("dmg-dirent-missing")).Expect(1).Json;
        JsonElement finding = damaged.GetProperty("findings")[0];
        Assert.AreEqual("error", finding.GetProperty("severity").GetString());
        Assert.AreEqual("dirent-dangling", finding.GetProperty("code").GetString());
        Assert.AreEqual("/many/fjord-110.dat", finding.GetProperty("path").GetString());
        Assert.AreEqual("DATA", finding.GetProperty("pfs").GetString());
        Assert.IsGreaterThan(10, finding.GetProperty("advice").GetString()!.Length);
        string text = CliRun.Of("fsck", CliRun.Image("dmg-data")).Expect(1).Output;
        Assert.Contains("error: check-mismatch: DATA:/large/stone.dat The check code", text);
        Assert.Contains("[data key 0x50000/16 at 0x1501e800/10 check xxhash64]", text);
        Assert.Contains("NOT CLEAN: 1 errors", text);
    }

    [TestMethod]
    public void OptionsAreObeyed()
    {
        CliRun.Of("fsck", "--no-data", CliRun.Image("dmg-data")).Expect(0);
        Assert.AreEqual(1, CliRun.Of("fsck", "--header", "1", "--json", CliRun.Image("damage-base")).Expect(0).Json.GetProperty("header_copy").GetInt32());
        CliRun.Of("fsck", "--header", "3", CliRun.Image("dmg-header-newest")).Expect(2).ExpectOneLine("Header copy 3 is not valid");
    }

    [TestMethod]
    public void VolumeThatCannotBeOpenedReturnsThree()
    {
        string text = CliRun.Of("fsck", CliRun.Image("dmg-headers-all")).Expect(3).Output;
        Assert.Contains("error: header-none-valid: ", text);
        CliRun.Of("fsck", CliRun.Image("dmg-truncated")).Expect(3);
        CliRun.Of("fsck", CliRun.Image("dmg-magic-all")).Expect(3).ExpectOneLine("no header magic");
    }

    [TestMethod]
    public void PartitionsAndSeveralVolumesAreFound()
    {
        CliRun.Of("fsck", CliRun.Image("part-gpt")).Expect(0);
        using var folder = new TemporaryFolder();
        CliRun.Of("fsck", string.Join(':', GoldenImages.Get("multi-volume").UnpackTo(folder.Path))).Expect(0);
    }
}
