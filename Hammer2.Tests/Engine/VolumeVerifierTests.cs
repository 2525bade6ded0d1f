// The verifier on golden images: clean ones come out clean with the block counts of the manifest, damaged ones name
// the damaged block. The negative control flips one byte in every kind of block.

using System.Text.Json;
using Hammer2.Engine.Checking;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Hostile;
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
        // Every block that has a check code: flip one bit somewhere in it, and the verifier must complain.
        GoldenImage image = GoldenImages.Get("check-sha192");
        var random = new Random(HammerSeed.Get());
        MemoryBlockDevice device = image.CloneDevices()[0];
        var blocks = new BlockLister(image.Devices[0]);
        byte[] one = new byte[1];
        foreach ((ulong offset, int bytes) in blocks.Checked())
        {
            long at = (long)offset + random.Next(bytes);
            device.Read(at, one);
            byte right = one[0];
            device.Write(at, [(byte)(right ^ 1 << random.Next(8))]);
            Assert.IsTrue(IsFound(device), $"flip at 0x{at:x}, block 0x{offset:x}");
            device.Write(at, [right]);
        }

        using Hammer2Volume mended = Hammer2Volume.Open([device]);
        Assert.IsTrue(new VolumeVerifier(mended).Run().IsClean, "the flips were not taken back");
    }

    [TestMethod]
    public void CancelStopsTheRun()
    {
        using Hammer2Volume volume = GoldenImageTests.Open(GoldenImages.Get("small-mixed"));
        using var cancel = new CancellationTokenSource();
        cancel.Cancel();
        Assert.ThrowsExactly<OperationCanceledException>(() => new VolumeVerifier(volume).Run(cancel: cancel.Token));
    }

    // A flip in the super-root inode is found earlier: the volume does not open.
    private static bool IsFound(MemoryBlockDevice device)
    {
        try
        {
            using Hammer2Volume volume = Hammer2Volume.Open([device]);
            return new VolumeVerifier(volume).Run().FindingCount > 0;
        }
        catch (Hammer2Exception e) when (e.Error == Hammer2Error.CheckFailed)
        {
            return true;
        }
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
