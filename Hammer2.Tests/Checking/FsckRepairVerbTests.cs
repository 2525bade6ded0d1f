// `hammer2 fsck --repair` as people and scripts see it: exit codes, text and JSON, the dry run, and what is
// refused. What is repaired, and how, is tested beside this file.

using System.Text.Json;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Cli;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Checking;

[TestClass]
public sealed class FsckRepairVerbTests
{
    [TestMethod]
    public void RepairedVolumeReturnsZeroAndIsCleanAfterwards()
    {
        using var folder = new TemporaryFolder();
        string image = GoldenImages.Get("dmg-dirent-missing").UnpackTo(folder.Path)[0];
        CliRun.Of("fsck", image).Expect(1);
        string text = CliRun.Of("fsck", "--repair", image).Expect(0).Output;
        Assert.Contains("repaired: dirent-dangling: DATA:/many/fjord-110.dat Name removed.\n", text);
        Assert.Contains("repaired: orphan: DATA:inode ", text);
        Assert.Contains("2 repaired, 0 could not be repaired, 1 commits\n", text);
        Assert.Contains("clean: 0 errors, 0 warnings", text);
        CliRun.Of("fsck", image).Expect(0);
        Assert.Contains("#", CliRun.Of("ls", image + "@DATA", "/lost+found").Expect(0).Output);
        Assert.Contains("0 repaired, 0 could not be repaired, 0 commits\n", CliRun.Of("fsck", "--repair", image).Expect(0).Output);
    }

    [TestMethod]
    public void JsonHasEveryRepair()
    {
        using var folder = new TemporaryFolder();
        JsonElement json = CliRun.Of("fsck", "--repair", "--json", GoldenImages.Get("dmg-dirent-missing").UnpackTo(folder.Path)[0]).Expect(0).Json;
        Assert.IsFalse(json.GetProperty("dry_run").GetBoolean());
        Assert.AreEqual(2, json.GetProperty("repaired").GetInt64());
        Assert.AreEqual(0, json.GetProperty("left").GetInt64());
        Assert.AreEqual(1, json.GetProperty("commits").GetInt64());
        Assert.IsTrue(json.GetProperty("clean").GetBoolean());
        JsonElement repair = json.GetProperty("repairs").EnumerateArray().Single(r => r.GetProperty("code").GetString() == "dirent-dangling");
        Assert.AreEqual("repaired", repair.GetProperty("outcome").GetString());
        Assert.AreEqual("/many/fjord-110.dat", repair.GetProperty("path").GetString());
        Assert.AreEqual("DATA", repair.GetProperty("pfs").GetString());
        Assert.IsFalse(repair.TryGetProperty("problem", out _));
    }

    [TestMethod]
    public void DryRunWritesNothing()
    {
        // The shared image may not be written at all.
        JsonElement json = CliRun.Of("fsck", "--repair", "--dry-run", "--json", CliRun.Image("dmg-dirent-missing")).Expect(1).Json;
        Assert.IsTrue(json.GetProperty("dry_run").GetBoolean());
        Assert.AreEqual(0, json.GetProperty("commits").GetInt64());
        Assert.IsTrue(json.GetProperty("repairs").EnumerateArray().All(r => r.GetProperty("outcome").GetString() == "would_repair"));
        Assert.AreEqual(1, json.GetProperty("errors").GetInt64());
        string text = CliRun.Of("fsck", "--repair", "--dry-run", CliRun.Image("dmg-dirent-missing")).Expect(1).Output;
        Assert.Contains("would repair: dirent-dangling: DATA:/many/fjord-110.dat Name removed.\n", text);
        Assert.Contains("2 would be repaired, 0 could not be repaired, 0 commits\n", text);
        CliRun.Of("fsck", "--repair", "--dry-run", CliRun.Image("multi-pfs")).Expect(0);
    }

    [TestMethod]
    public void WhatIsLeftReturnsOne()
    {
        using var folder = new TemporaryFolder();
        string text = CliRun.Of("fsck", "--repair", GoldenImages.Get("dmg-inode-size").UnpackTo(folder.Path)[0]).Expect(1).Output;
        Assert.Contains("left: inode-size: DATA:/large/stone.dat Inode 1105 ", text);
        Assert.Contains("0 repaired, 1 could not be repaired, 0 commits\n", text);
        Assert.Contains("NOT CLEAN: 1 errors", text);
        Assert.Contains("error: header-none-valid: ", CliRun.Of("fsck", "--repair", GoldenImages.Get("dmg-headers-all").UnpackTo(folder.Path)[0]).Expect(3).Output);
    }

    [TestMethod]
    public void SeveralVolumesAreRepairedTogether()
    {
        using var folder = new TemporaryFolder();
        CliRun.Of("fsck", "--repair", string.Join(':', GoldenImages.Get("multi-volume").UnpackTo(folder.Path))).Expect(0);
    }

    [TestMethod]
    public void VolumeInUseIsRefused()
    {
        using var folder = new TemporaryFolder();
        string image = GoldenImages.Get("dmg-dirent-missing").UnpackTo(folder.Path)[0];
        using (Hammer2Volume reader = Hammer2Volume.Open(image))
            CliRun.Of("fsck", "--repair", image).Expect(3).ExpectOneLine(image, "in use");
        using (Hammer2Volume writer = Hammer2Volume.Open(image, new VolumeOptions { Writable = true }))
            CliRun.Of("fsck", "--repair", image).Expect(3).ExpectOneLine(image, "in use");
        Assert.AreEqual("", CliRun.Of("fsck", "--repair", image).Error);
    }

    [TestMethod]
    public void ReadOnlyImageIsRefused()
    {
        if (OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess)
            Assert.Inconclusive("for root no file is read-only");
        CliRun.Of("fsck", "--repair", CliRun.Image("dmg-dirent-missing")).Expect(3).ExpectOneLine("dmg-dirent-missing");
    }

    [TestMethod]
    public void OptionsThatContradictAreRefused()
    {
        CliRun.Of("fsck", "--dry-run", "x.img").Expect(2).ExpectOneLine("--repair");
        CliRun.Of("fsck", "--repair", "--header", "1", "x.img").Expect(2).ExpectOneLine("--header");
    }
}
