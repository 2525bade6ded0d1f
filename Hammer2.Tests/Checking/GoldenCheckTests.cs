// The checker on golden images: what the reference wrote has no errors and only the warnings that its known defects
// leave behind, every damaged image shows the finding that belongs to its damage.

using Hammer2.Engine.Checking;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Checking;

[TestClass]
public sealed class GoldenCheckTests
{
    // All errors and warnings that are expected; damage shows itself as just what was damaged.
    private static readonly Dictionary<string, string[]> s_expected = new()
    {
        // growfs counts the reserve of new zones as free, and the tail of the former last zone twice (format page 12.4).
        ["grown"] = ["header-sizes", "freemap-free-count"],
        ["grown-v1"] = ["header-version-fields", "header-sizes", "freemap-free-count"],
        ["dmg-bref-outside"] = ["address-outside", "stats-data-count"],
        ["dmg-data"] = ["check-mismatch"],
        ["dmg-data-symlink"] = ["check-mismatch"],
        ["dmg-dirent-missing"] = ["dirent-dangling", "orphan"],
        ["dmg-freemap-leaf"] = ["check-mismatch"],
        ["dmg-header-newest"] = ["header-damaged"],
        ["dmg-header-newest2"] = ["header-damaged"],
        ["dmg-header0-zero"] = ["header-damaged"],
        ["dmg-headers-all"] = ["header-none-valid", "header-damaged", "volume-unusable"],
        ["dmg-magic-all"] = ["header-none-valid", "header-damaged", "volume-unusable"],
        ["dmg-indirect-dir"] = ["check-mismatch"],
        ["dmg-indirect-file"] = ["check-mismatch"],
        ["dmg-indirect-index"] = ["check-mismatch"],
        ["dmg-inode"] = ["check-mismatch"],
        ["dmg-inode-dir"] = ["check-mismatch", "nlinks-uncertain"],
        ["dmg-inode-root"] = ["check-mismatch"],
        ["dmg-inode-size"] = ["inode-size"],
        ["dmg-longname"] = ["check-mismatch"],
        ["dmg-loop"] = ["bref-key-order", "stats-data-count", "stats-leaf-count"],
        ["dmg-lz4"] = ["data-stream"],
        ["dmg-truncated"] = ["volume-unusable"],
        ["dmg-truncated-hard"] = ["volume-unusable"],
    };

    [TestMethod]
    [DynamicData(nameof(GoldenImages.Rows), typeof(GoldenImages))]
    public void FindingsAreThoseExpected(string name)
    {
        CheckReport report = VolumeChecker.Check(Open(name));
        string[] codes = [.. report.Counts.Where(c => c.Code.Severity > CheckSeverity.Information).Select(c => c.Code.Name)];
        CollectionAssert.AreEquivalent(s_expected.GetValueOrDefault(name, []), codes, report.ToString());
        bool isDamaged = name.StartsWith("dmg-", StringComparison.Ordinal);
        if (!isDamaged && name != "grown-v1")
            Assert.IsTrue(report.IsClean, report.ToString());
        Assert.IsTrue(!isDamaged || s_expected.ContainsKey(name), $"no expectation for {name}");
    }

    [TestMethod]
    public void OlderHeadersAreCheckedOnRequest()
    {
        // Three sessions made this image, so the copies lead to three states; copy 3 is the newest.
        MemoryBlockDevice device = GoldenImages.Get("damage-base").Devices[0];
        CheckReport newest = VolumeChecker.Check([device]);
        Assert.AreEqual(3, newest.HeaderCopy);
        for (int copy = 0; copy < 3; copy++)
        {
            CheckReport older = VolumeChecker.Check([device], new CheckOptions { HeaderCopy = copy });
            Assert.AreEqual(copy, older.HeaderCopy);
            Assert.IsLessThan(newest.MirrorTid, older.MirrorTid);
            Assert.IsTrue(older.IsClean, older.ToString());
        }

        MemoryBlockDevice broken = GoldenImages.Get("dmg-header-newest").Devices[0];
        Hammer2Exception refused = Assert.ThrowsExactly<Hammer2Exception>(() => VolumeChecker.Check([broken], new CheckOptions { HeaderCopy = 3 }));
        Assert.AreEqual(Hammer2Error.InvalidArgument, refused.Error);
    }

    [TestMethod]
    public void DataIsOnlyReadWhenWanted()
    {
        MemoryBlockDevice device = GoldenImages.Get("dmg-data").Devices[0];
        Assert.AreEqual(1, VolumeChecker.Check([device]).Errors);
        CheckReport quick = VolumeChecker.Check([device], new CheckOptions { Data = false });
        Assert.IsTrue(quick.IsClean, quick.ToString());
        Assert.IsGreaterThan(0, quick.Totals.DataBlocks);
    }

    [TestMethod]
    public void FindingNamesPathAndBlockref()
    {
        CheckReport report = VolumeChecker.Check(Open("dmg-dirent-missing"));
        CheckFinding dangling = report.Findings.Single(f => f.Code.Name == "dirent-dangling");
        Assert.AreEqual("DATA", dangling.Pfs);
        Assert.AreEqual("/many/fjord-110.dat", dangling.Path);
        CheckFinding inode = VolumeChecker.Check(Open("dmg-inode")).Findings[0];
        Assert.AreEqual("/many/delta-23.dat", inode.Path, "an unreadable inode has a path by its name");
        Assert.Contains("inode key 0x501/0", inode.BlockRef!);
        Assert.AreEqual(CheckSeverity.Error, inode.Severity);
    }

    [TestMethod]
    public void CancelStopsTheCheck()
    {
        using var cancel = new CancellationTokenSource();
        cancel.Cancel();
        Assert.ThrowsExactly<OperationCanceledException>(() => VolumeChecker.Check(Open("small-mixed"), null, null, cancel.Token));
    }

    private static IReadOnlyList<IBlockDevice> Open(string name) =>
        [.. GoldenImages.Get(name).Devices.Select(d => name.StartsWith("part-", StringComparison.Ordinal) ? DeviceOpener.Select(d, name, null) : d)];
}
