// The verifier on golden images: clean ones come out clean with the block counts of the manifest, damaged ones name
// the damaged block. The negative control flips one byte in every kind of block.

using System.Text.Json;
using Hammer2.Engine.Checking;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Engine;

[TestClass]
public sealed class VolumeVerifierTests
{
    [TestMethod]
    [DynamicData(nameof(GoldenImages.Rows), typeof(GoldenImages))]
    public void VerdictFollowsTheManifest(string name)
    {
        GoldenImage image = GoldenImages.Get(name);
        if (image.Expect == "mount_fails" && name != "dmg-inode-root")
            return;
        using Hammer2Volume volume = GoldenImageTests.Open(image);
        VerifyReport report = new VolumeVerifier(volume).Run();
        string findings = string.Join('\n', report.Findings);

        // A dangling name has right check codes everywhere: that one is for fsck to find.
        bool wrongBlock = name is not "dmg-dirent-missing" && image.Manifest.TryGetProperty("damage", out JsonElement damage)
            && damage.GetProperty("kind").GetString() is not ("header" or "truncated");
        if (wrongBlock)
            Assert.IsGreaterThan(0, report.FindingCount, "the damage was not found");
        else
            Assert.IsTrue(report.IsClean, findings);
        // Blocks that snapshots share are visited once, the manifest counts their blockrefs each time.
        if (!image.Manifest.TryGetProperty("damage", out _) && name != "multi-pfs")
            CompareCounts(image.Manifest.GetProperty("stats").GetProperty("blockrefs"), report);
    }

    [TestMethod]
    public void FindingNamesPathOffsetAndBlockref()
    {
        using Hammer2Volume volume = GoldenImageTests.Open(GoldenImages.Get("dmg-data"));
        VerifyFinding finding = new VolumeVerifier(volume).Run().Findings.Single();
        Assert.AreEqual(Hammer2Error.CheckFailed, finding.Error);
        Assert.AreEqual("/large/stone.dat", finding.Path);
        Assert.AreEqual("DATA", finding.Pfs);
        Assert.Contains($"0x{finding.Offset:x}", finding.Message);
    }

    [TestMethod]
    public void OneWorkerAndManyAgree()
    {
        GoldenImage image = GoldenImages.Get("small-mixed");
        VerifyReport[] reports = [.. Enumerable.Range(1, 3).Select(n =>
        {
            using Hammer2Volume volume = GoldenImageTests.Open(image);
            return new VolumeVerifier(volume).Run(2 * n - 1);
        })];
        foreach (VerifyReport report in reports)
            Assert.AreEqual(reports[0] with { Findings = [], Warnings = [] }, report with { Findings = [], Warnings = [] });
    }

    [TestMethod]
    public void EveryFlippedByteIsFound()
    {
        // Any byte of any block that has a check code: flip it, and the verifier must complain.
        GoldenImage image = GoldenImages.Get("check-sha192");
        int seed = Environment.TickCount;
        Console.WriteLine($"seed {seed}");
        var random = new Random(seed);
        MemoryBlockDevice device = image.CloneDevices()[0];
        var blocks = new BlockLister(device);
        (ulong Offset, int Bytes)[] all = [.. blocks.Checked()];
        Span<byte> one = stackalloc byte[1];
        for (int round = 0; round < 40; round++)
        {
            (ulong offset, int bytes) = all[random.Next(all.Length)];
            long at = (long)offset + random.Next(bytes);
            device.Read(at, one);
            one[0] ^= (byte)(1 << random.Next(8));
            device.Write(at, one);
            using (Hammer2Volume volume = Hammer2Volume.Open([new PartitionWindow(device.Clone(), 0, device.Length, "copy")]))
                Assert.IsGreaterThan(0, new VolumeVerifier(volume).Run().FindingCount, $"flip at 0x{at:x}, block 0x{offset:x}");
            device.Read(at, one);
            image.Devices[0].Read(at, one);
            device.Write(at, one);
        }
    }

    [TestMethod]
    public void CancelStopsTheRun()
    {
        using Hammer2Volume volume = GoldenImageTests.Open(GoldenImages.Get("small-mixed"));
        using var cancel = new CancellationTokenSource();
        cancel.Cancel();
        Assert.ThrowsExactly<OperationCanceledException>(() => new VolumeVerifier(volume).Run(cancel: cancel.Token));
    }

    private static void CompareCounts(JsonElement blockrefs, VerifyReport report)
    {
        long Sum(string prefix) => blockrefs.EnumerateObject()
            .Where(p => p.Name.StartsWith(prefix, StringComparison.Ordinal)).Sum(p => p.Value.GetInt64());

        Assert.AreEqual(Sum("inode"), report.Inodes);
        Assert.AreEqual(Sum("indirect"), report.Indirects);
        Assert.AreEqual(Sum("data"), report.DataBlocks);
        Assert.AreEqual(Sum("dirent"), report.DirectoryEntries);
    }
}
