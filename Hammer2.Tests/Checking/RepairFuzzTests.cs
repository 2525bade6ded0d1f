// The repair on randomly damaged volumes: with right check codes, so that everything is believed, and with flipped bytes
// besides, so that blocks are lost. It ends, throws nothing, makes no content worse, adds no errors, and is done after the first time.
// HAMMER2_SEED repeats a run, HAMMER2_FUZZ_SECONDS prolongs it.

using System.Diagnostics;
using Hammer2.Engine.Checking;
using Hammer2.Engine.Format;
using Hammer2.Tests.Hostile;
using Hammer2.Tests.Images;
using Hammer2.Torture.Devices;

namespace Hammer2.Tests.Checking;

[TestClass]
public sealed class RepairFuzzTests
{
    private const double UsualSeconds = 10;
    private static readonly string[] s_images = ["empty-labels", "names", "damage-base", "small-mixed", "multi-pfs"];

    public required TestContext TestContext { get; set; }

    [TestMethod]
    public void BelievedDamageIsRepairedOrStays() => Run(believed: true);

    [TestMethod]
    public void BesideLostBlocksTheRestIsRepairedOrStays() => Run(believed: false);

    private void Run(bool believed)
    {
        int seed = HammerSeed.Get();
        var random = new Random(seed);
        MediaMap[] maps = [.. s_images.Select(n => new MediaMap(GoldenImages.Get(n).Devices[0]))];
        double seconds = HammerSeed.Seconds(UsualSeconds);
        var clock = Stopwatch.StartNew();
        int rounds = 0, repaired = 0, clean = 0;
        while (clock.Elapsed.TotalSeconds < seconds)
        {
            int which = rounds % s_images.Length;
            int own = random.Next();
            string what = $"{HammerSeed.Variable}={seed}, round {rounds}, {s_images[which]}";
            RepairReport? report = null;
            Bounded.Run(what, () => report = RepairTests.RepairTwice([Damage(s_images[which], maps[which], new Random(own), believed)]), seconds: 60, allocationMax: 1L << 30);
            Assert.IsGreaterThanOrEqualTo(report!.After.Errors, report.Before.Errors, $"{what}\n{report}\nbefore: {report.Before}");
            rounds++;
            repaired += report.Commits > 0 ? 1 : 0;
            clean += report.Before.Errors > 0 && report.After.IsClean ? 1 : 0;
        }

        TestContext.WriteLine($"{rounds} rounds, {repaired} with repairs, {clean} without errors afterwards");
        Assert.IsGreaterThan(0, repaired);
    }

    private static OverlayDevice Damage(string name, MediaMap map, Random random, bool believed)
    {
        var device = new OverlayDevice(GoldenImages.Get(name).Devices[0]);
        for (int n = believed ? random.Next(1, 4) : 1; n > 0; n--)
        {
            MediaBlock block = map.Metadata[random.Next(map.Metadata.Count)];
            MutationFuzzTests.Mutate(device, block, random);
            map.Repair(device, block);
        }

        byte[] one = new byte[1];
        for (int n = believed ? 0 : random.Next(1, 4); n > 0; n--)
        {
            MediaBlock block = map.All[random.Next(map.All.Count)];
            long at = block.Offset + random.Next(block.Bytes);
            device.Read(at, one);
            device.Write(at, [(byte)(one[0] ^ 1 << random.Next(8))]);
        }

        return device;
    }
}
