// Full volumes, for seconds in every test run, and for as long as HAMMER2_FUZZ_SECONDS says; HAMMER2_SEED repeats a run. The
// bench itself is judged with devices that lose writes, and with space that is kept from it.

using Hammer2.Engine.Devices;
using Hammer2.Engine.Freemap;
using Hammer2.Tests.Hostile;
using Hammer2.Torture;
using Hammer2.Torture.Full;

namespace Hammer2.Tests.Full;

[TestClass]
public sealed class FullBenchTests
{
    private const long SmallVolume = 64 << 20;

    public static IEnumerable<object[]> Patterns => Enum.GetNames<HolePattern>().Select(name => new object[] { name });

    [TestMethod]
    public void FullVolumeKeepsAcceptedFilesAndGivesSpaceBack() => Run(new FullBench { Fillings = 8, VolumeBytesMax = SmallVolume }, "fill", 10);

    [TestMethod]
    [DynamicData(nameof(Patterns))]
    public void HolesOfEveryKindAreUsed(string pattern) => Run(new FullBench { VolumeBytesMax = SmallVolume }, pattern, 0.1);

    [TestMethod]
    public void ALostWriteIsNoticed() => Notice(settings => settings with { Above = device => new ForgetfulDevice(device) });

    [TestMethod]
    public void SpaceThatDoesNotComeBackIsNoticed() => Notice(settings => settings with { Reclaim = _ => { } });

    // What nobody releases cannot be used: the volume is full too early.
    [TestMethod]
    public void SpaceThatIsRefusedTooEarlyIsNoticed() => Notice(settings => settings with
    {
        Opened = volume =>
        {
            var claim = new SpaceClaim();
            claim.AddBlocks(16, 128);
            Assert.IsTrue(volume.Writer!.Freemap.TryClaim(claim, ClaimLevel.Remove));
        },
        VolumeBytes = [SmallVolume],
    });

    [TestMethod]
    public void AWrongWorkloadIsNoFinding() => Assert.ThrowsExactly<UnknownWorkloadException>(() => Run(new FullBench(), "nothing like that", 1));

    private static void Run(FullBench bench, string workload, double seconds)
    {
        var context = new BenchContext(HammerSeed.Get(), TimeSpan.FromSeconds(HammerSeed.Seconds(seconds)), Console.Out) { Workload = workload };
        bench.Run(context);
        Console.WriteLine(context.Summary);
    }

    private static void Notice(Func<FullSettings, FullSettings> breaking)
    {
        var bench = new FullBench { Fillings = 4, VolumeBytesMax = SmallVolume, Adjust = breaking };
        BenchFailureException found = Assert.ThrowsExactly<BenchFailureException>(() => Run(bench, "fill", 60));
        Console.WriteLine(found.Message);
        StringAssert.Contains(found.Message, "again: hammer2-torture full --workload fill --seed", StringComparison.Ordinal);
    }

    /// <summary>Does not write one piece of data in a hundred, and says that it did.</summary>
    private sealed class ForgetfulDevice(IBlockDevice below) : Crash.PassingDevice(below)
    {
        private int _writes;

        public override void Write(long offset, ReadOnlySpan<byte> data)
        {
            if (Interlocked.Increment(ref _writes) % 100 != 0)
                base.Write(offset, data);
        }
    }
}
