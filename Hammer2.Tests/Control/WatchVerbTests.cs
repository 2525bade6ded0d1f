// `hammer2 watch`: rates of a mount that is talked to through its channel. What is counted is made by the test itself, and the
// counting of the engine allocates nothing.

using System.Text.Json;
using Hammer2.Cli.Verbs.Volumes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Cli;
using Hammer2.Tests.Images;
using Hammer2.Tests.Requirements;

namespace Hammer2.Tests.Control;

[TestClass]
public sealed class WatchVerbTests
{
    [TestMethod]
    public void AMountIsWatchedThroughItsChannel()
    {
        using var folder = new TemporaryFolder();
        string image = GoldenImages.Get("small-mixed").UnpackTo(folder.Path).Single();
        CliRun.Of("watch", image, "--count", "1").Expect(3).ExpectOneLine("not mounted");
        using var mount = new LiveMount(image);
        string[] lines = CliRun.On(mount.Host, ["watch", image, "--count", "3", "--interval", "0.05"]).Expect(0).Lines;
        Assert.HasCount(4, lines);
        StringAssert.Contains(lines[0], "COMMITS");
        lines = CliRun.On(mount.Host, ["watch", mount.Host.Place, "--count", "2", "--interval", "0.05", "--json"]).Expect(0).Lines;
        Assert.HasCount(2, lines);
        foreach (string line in lines)
        {
            JsonElement json = JsonDocument.Parse(line).RootElement;
            Assert.IsGreaterThan(0L, json.GetProperty("free_bytes").GetInt64());
            Assert.AreEqual(0, json.GetProperty("commits").GetInt64());
        }

        CliRun.On(mount.Host, ["watch", image, "--interval", "0"]).Expect(2).ExpectOneLine("--interval");
    }

    [TestMethod]
    public void WatchingEndsWhenItIsCancelled()
    {
        using var folder = new TemporaryFolder();
        string image = GoldenImages.Get("small-mixed").UnpackTo(folder.Path).Single();
        using var mount = new LiveMount(image);
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        CliRun.On(mount.Host, ["watch", image, "--interval", "0.05"], stop.Token).Expect(130);
    }

    [TestMethod]
    public void WhatIsDoneIsCounted()
    {
        using var rig = new EngineRig(bytes: 64L << 20);
        VolumeStatistics before = rig.Volume.Statistics;
        using Vnode file = rig.Create("file", EngineRig.Bytes(100_000, 1));
        rig.Sync();
        byte[] buffer = new byte[70_000];
        Assert.AreEqual(70_000, file.Read(0, buffer));
        Assert.AreEqual(30_000, file.Read(70_000, buffer));
        VolumeStatistics now = rig.Volume.Statistics;
        Assert.AreEqual(2, now.Reads - before.Reads);
        Assert.AreEqual(100_000, now.ReadBytes - before.ReadBytes);
        Assert.AreEqual(100_000, now.WrittenBytes - before.WrittenBytes);
        Assert.AreEqual(2, now.Changes - before.Changes);
        Assert.AreEqual(1, now.Commits - before.Commits);
        Assert.IsGreaterThan(TimeSpan.Zero, now.LastCommit);
        WatchLine line = WatchLine.Between(before, now, TimeSpan.FromSeconds(2));
        Assert.AreEqual(50_000, line.ReadBytesPerSecond);
        Assert.AreEqual(1, line.ReadsPerSecond);
    }
}
