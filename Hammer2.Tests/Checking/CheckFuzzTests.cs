// The checker on randomly damaged metadata with right check codes: it ends, soon, in a small stack and little memory, and
// what it calls clean can be read without a failure. HAMMER2_SEED repeats a run, HAMMER2_FUZZ_SECONDS prolongs it.

using System.Diagnostics;
using Hammer2.Engine.Checking;
using Hammer2.Engine.Format;
using Hammer2.Tests.Hostile;
using Hammer2.Tests.Images;
using Hammer2.Torture.Devices;

namespace Hammer2.Tests.Checking;

[TestClass]
public sealed class CheckFuzzTests
{
    private const double UsualSeconds = 8;

    // "no such label" is the one failure that every survey meets.
    private const int UsualFailures = 1;
    private static readonly string[] s_images = ["empty-labels", "names", "damage-base", "small-mixed", "multi-pfs"];

    public required TestContext TestContext { get; set; }

    [TestMethod]
    public void DamagedMetadataIsNoticedAndNeverHurts()
    {
        int seed = HammerSeed.Get();
        var random = new Random(seed);
        MediaMap[] maps = [.. s_images.Select(n => new MediaMap(GoldenImages.Get(n).Devices[0]))];
        double seconds = HammerSeed.Seconds(UsualSeconds);
        var clock = Stopwatch.StartNew();
        int rounds = 0, noticed = 0, silent = 0;
        while (clock.Elapsed.TotalSeconds < seconds)
        {
            int which = rounds % s_images.Length;
            string what = $"{HammerSeed.Variable}={seed}, round {rounds}, {s_images[which]}";
            OverlayDevice device = Damage(s_images[which], maps[which], new Random(random.Next()));
            rounds++;
            CheckReport? report = null;
            Bounded.Run(what, () => report = VolumeChecker.Check([device]), seconds: 30, allocationMax: 64L << 20);
            noticed += report!.Errors + report.Warnings > 0 ? 1 : 0;
            if (!report.IsClean)
                continue;
            silent++;
            Survey? survey = null;
            Bounded.Run(what, () => survey = Survey.Of([device]), seconds: 60, allocationMax: 256L << 20);
            Assert.AreEqual(UsualFailures, survey!.Failures, $"{what}: called clean, but not all can be read\n{report}");
        }

        TestContext.WriteLine($"{rounds} rounds, {noticed} noticed, {silent} without errors");
        Assert.IsGreaterThan(rounds / 2, noticed, "most damage must be noticed");
    }

    [TestMethod]
    public void EveryUnreadableBlockIsAFindingAndNoFailure()
    {
        GoldenImage image = GoldenImages.Get("damage-base");
        var map = new MediaMap(image.Devices[0]);
        foreach (MediaBlock block in map.All)
        {
            CheckReport report = VolumeChecker.Check([new BadSectors(image.Devices[0], block.Offset)]);
            Assert.IsGreaterThanOrEqualTo(1, report.CountOf("block-unreadable"), $"block 0x{block.Offset:x}");
            Assert.AreEqual(report.Errors, report.CountOf("block-unreadable") + report.CountOf("superroot-missing"), report.ToString());
        }
    }

    [TestMethod]
    public void EveryFlippedBlockIsFoundAlsoWhereSnapshotsShare()
    {
        GoldenImage image = GoldenImages.Get("multi-pfs");
        var random = new Random(HammerSeed.Get());
        byte[] one = new byte[1];
        foreach ((ulong offset, int bytes) in new BlockLister(image.Devices[0]).Checked().Distinct())
        {
            var device = new OverlayDevice(image.Devices[0]);
            long at = (long)offset + random.Next(bytes);
            device.Read(at, one);
            device.Write(at, [(byte)(one[0] ^ 1 << random.Next(8))]);
            CheckReport report = VolumeChecker.Check([device]);
            Assert.IsGreaterThanOrEqualTo(1, report.CountOf("check-mismatch"), $"flip at 0x{at:x}, block 0x{offset:x}");
        }
    }

    [TestMethod]
    public void OneThreadAndManyAgree()
    {
        // Large enough that other threads are called for help.
        foreach (string name in (string[])["bigdir", "comp-none"])
        {
            var device = new OverlayDevice(GoldenImages.Get(name).Devices[0]);
            var map = new MediaMap(device);
            foreach (MediaBlock block in map.All.Where((b, i) => i % 20 == 7 && b.Type != BlockRefType.FreemapLeaf))
                device.Write(block.Offset + 1000, [0x5A]);
            CheckReport one = VolumeChecker.Check([device], new CheckOptions { Workers = 1, FindingsPerCodeMax = int.MaxValue });
            Assert.IsGreaterThan(5, one.Errors);
            for (int workers = 2; workers <= 5; workers++)
            {
                CheckReport many = VolumeChecker.Check([device], new CheckOptions { Workers = workers, FindingsPerCodeMax = int.MaxValue });
                Assert.AreEqual(one.ToString(), many.ToString());
                Assert.AreEqual(one.Totals, many.Totals);
            }
        }
    }

    private static OverlayDevice Damage(string name, MediaMap map, Random random)
    {
        var device = new OverlayDevice(GoldenImages.Get(name).Devices[0]);
        for (int n = random.Next(1, 4); n > 0; n--)
        {
            MediaBlock block = map.Metadata[random.Next(map.Metadata.Count)];
            MutationFuzzTests.Mutate(device, block, random);
            map.Repair(device, block);
        }

        return device;
    }
}
