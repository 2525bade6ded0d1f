// Power cuts, for minutes in every test run and for as long as HAMMER2_FUZZ_SECONDS says otherwise; HAMMER2_SEED repeats
// a run. A failure names the workload and the cut.

using Hammer2.Engine.Devices;
using Hammer2.Tests.Hostile;
using Hammer2.Torture;
using Hammer2.Torture.Crash;
using Hammer2.Torture.Devices;

namespace Hammer2.Tests.Crash;

[TestClass]
public sealed class CrashTests
{
    private const int LongSample = 100;
    private const int PairSample = 30;

    [TestMethod]
    public void EverySingleOperationSurvivesEveryCut() =>
        Expect(CrashWorkloads.Single(), new CrashTrial(HammerSeed.Get()) { WriteEvery = 4 }, workloadsMin: 90);

    // A torn write of the only header left nothing to mount: volumes below 2 GiB have a spare for that.
    [TestMethod]
    public void VolumesWithOneHeaderSlotSurviveATornHeader() =>
        Expect(
            CrashWorkloads.SingleOnSmallVolume(),
            new CrashTrial(HammerSeed.Get()) { StatesMax = LongSample, WriteEvery = 4 },
            workloadsMin: 90);

    [TestMethod]
    public void LongWorkloadsSurviveSampledCuts() =>
        Expect(CrashWorkloads.Long(), new CrashTrial(HammerSeed.Get()) { StatesMax = LongSample, WriteEvery = 4 }, workloadsMin: 20);

    [TestMethod]
    public void PairsOfOperationsSurviveSampledCuts()
    {
        int seed = HammerSeed.Get();
        var random = new Random(seed);
        Expect(
            CrashWorkloads.Pairs().OrderBy(_ => random.Next()).ToList(),
            new CrashTrial(seed) { StatesMax = PairSample, WriteEvery = 4 },
            workloadsMin: 1,
            HammerSeed.Seconds(20));
    }

    [TestMethod]
    public void RandomWorkloadsSurviveSampledCuts()
    {
        int seed = HammerSeed.Get();
        Expect(
            Enumerable.Range(0, int.MaxValue).Select(i => CrashWorkloads.Random(unchecked(seed + i))),
            new CrashTrial(seed) { StatesMax = LongSample, WriteEvery = 4 },
            workloadsMin: 1,
            HammerSeed.Seconds(20));
    }

    [TestMethod]
    public void ADeviceThatNeverFlushesIsNoticed() => Notice(new CrashTrial(1) { Above = device => new NeverFlushingDevice(device) });

    [TestMethod]
    public void AHeaderWrittenBeforeTheBarrierIsNoticed() => Notice(new CrashTrial(1) { Edit = BrokenRecords.HeaderBeforeBarrier });

    [TestMethod]
    public void APromiseGivenTooEarlyIsNoticed() => Notice(new CrashTrial(1) { Edit = BrokenRecords.PromiseTooEarly });

    [TestMethod]
    public void AFreemapThatDoesNotRotateIsNoticed() => Notice(new CrashTrial(1) { Lens = device => new UnrotatedDevice(device) });

    [TestMethod]
    public void ALostBlockIsNoticed() => Notice(new CrashTrial(1)
    {
        // The first write of a commit that never arrives.
        Edit = events => events.Select(e => e == events.First(w => w.Kind == DeviceEventKind.Write) ? e with { Offset = e.Offset, Bytes = new byte[e.Bytes!.Length] } : e),
    });

    [TestMethod]
    public void EveryWorkloadIsFoundByItsName()
    {
        List<CrashWorkload> all = [.. CrashWorkloads.Single(), .. CrashWorkloads.SingleOnSmallVolume(), .. CrashWorkloads.Long(), .. CrashWorkloads.Pairs(), CrashWorkloads.Random(4711)];
        Assert.HasCount(all.Count, all.Select(workload => workload.ToString()).Distinct().ToList());
        foreach (CrashWorkload workload in all.Where((_, i) => i % 50 == 0).Append(all[^1]))
        {
            CrashWorkload found = CrashWorkloads.Find(workload.ToString());
            Assert.AreEqual(workload.ToString(), found.ToString());
            Assert.AreEqual(workload.Setup, found.Setup);
        }

        Assert.ThrowsExactly<UnknownWorkloadException>(() => CrashWorkloads.Find("nothing like that"));
    }

    private static void Expect(IEnumerable<CrashWorkload> workloads, CrashTrial bench, int workloadsMin, double seconds = 600)
    {
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        bench.Run(workloads, stop.Token);
        Console.WriteLine($"{bench.Workloads} workloads, {bench.States} states");
        Assert.IsEmpty(bench.Failures, string.Join("\n\n", bench.Failures));
        Assert.IsGreaterThanOrEqualTo(workloadsMin, bench.Workloads, "too few workloads ran");
    }

    private static void Notice(CrashTrial bench)
    {
        CrashWorkload workload = CrashWorkloads.Single().First(w => w.Name == "overwrite block");
        bench.Run(workload);
        Assert.HasCount(1, bench.Failures, "the bench did not notice");
        Console.WriteLine(bench.Failures[0]);
    }
}
