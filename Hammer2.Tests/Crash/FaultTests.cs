// Failing devices: the calls of every operation in turn, a sample of them in a usual run and all of them for one operation.
// HAMMER2_SEED repeats a run, HAMMER2_FUZZ_SECONDS makes the random part longer.

using Hammer2.Engine.Devices;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Hostile;
using Hammer2.Torture.Crash;
using Hammer2.Torture.Devices;
using Hammer2.Torture.Faults;

namespace Hammer2.Tests.Crash;

[TestClass]
public sealed class FaultTests
{
    private const int CallsSample = 4;

    [TestMethod]
    public void EveryOperationSurvivesFailingCalls() =>
        Expect(CrashWorkloads.Single(), new FaultTrial(HammerSeed.Get()) { CallsMax = CallsSample }, workloadsMin: 90);

    [TestMethod]
    public void OneOperationSurvivesEveryFailingCall() =>
        Expect(CrashWorkloads.Single().Where(w => w.Name.StartsWith("overwrite part", StringComparison.Ordinal)), new FaultTrial(1), workloadsMin: 2);

    // A hole was punched through its first block when the last one could not be read; a file was cut at the border of one indirect block and
    // stayed long because the next one could not be read. Whoever reads between two changes leaves half an operation.
    [TestMethod]
    public void OperationsOnLargeTreesChangeAllOrNothing() =>
        Expect(CrashLargeTrees.All(), new FaultTrial(HammerSeed.Get()) { Modes = [FaultMode.Once], Kinds = [DeviceCall.Read] }, workloadsMin: 20);

    [TestMethod]
    public void RandomWorkloadsSurviveFailingCalls()
    {
        int seed = HammerSeed.Get();
        Expect(
            Enumerable.Range(0, int.MaxValue).Select(i => CrashWorkloads.Random(unchecked(seed + i))),
            new FaultTrial(seed) { CallsMax = CallsSample },
            workloadsMin: 1,
            HammerSeed.Seconds(15));
    }

    // Header copy 1 held the newest commit and could not be read for a moment. The volume was opened for writing from copy 0,
    // one commit older, and the next commit would have destroyed what the newest one referred to.
    [TestMethod]
    public void UnreadableNewestHeaderForbidsWriting()
    {
        MemoryBlockDevice medium = CrashSetup.Plain.Format()[0];
        using (var run = new CrashRun([medium], CrashSetup.Plain, new DeviceRecord()))
            run.Create("/new");
        var device = new FaultDevice(medium);
        device.Fail(DeviceCall.Read, 2);
        Hammer2Exception failure = Assert.ThrowsExactly<Hammer2Exception>(() => Hammer2Volume.Open([device], CrashSetup.Plain.Options(writable: true)));
        Assert.AreEqual(Hammer2Error.Io, failure.Error);
        StringAssert.Contains(failure.Message, "header copy 1", StringComparison.Ordinal);

        device.Fail(DeviceCall.Read, 2);
        using Hammer2Volume older = Hammer2Volume.Open([device], CrashSetup.Plain.Options(writable: false));
        Assert.IsNotEmpty(older.Warnings);
    }

    [TestMethod]
    public void ADeviceThatHidesFailuresIsNoticed()
    {
        var bench = new FaultTrial(1) { Above = device => new SilentDevice(device) };
        bench.Run(CrashWorkloads.Single().First(w => w.Name == "overwrite block"));
        Assert.HasCount(1, bench.Failures, "the bench did not notice");
        Console.WriteLine(bench.Failures[0]);
    }

    private static void Expect(IEnumerable<CrashWorkload> workloads, FaultTrial bench, int workloadsMin, double seconds = 600)
    {
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        bench.Run(workloads, stop.Token);
        Console.WriteLine($"{bench.Workloads} workloads, {bench.Runs} runs");
        Assert.IsEmpty(bench.Failures, string.Join("\n\n", bench.Failures));
        Assert.IsGreaterThanOrEqualTo(workloadsMin, bench.Workloads, "too few workloads ran");
    }
}
