// The command hammer2-torture: what it answers, what it prints, and that a finding says how to repeat it.
// Benches stand in for the real ones, except for one workload that is run to its end.

using Hammer2.Torture;

namespace Hammer2.Tests.Full;

[TestClass]
public sealed class TortureCommandTests
{
    [TestMethod]
    public void NothingFoundIsZero()
    {
        var bench = new StandIn("calm", _ => { });
        Assert.AreEqual(0, Run([bench], out string output, "--seed", "5"));
        StringAssert.Contains(output, "--seed 5 repeats this run", StringComparison.Ordinal);
        StringAssert.Contains(output, "calm: nothing found in 0 rounds", StringComparison.Ordinal);
        Assert.AreEqual(1, bench.Runs);
    }

    [TestMethod]
    public void AFindingIsOneAndTheOthersStillRun()
    {
        var calm = new StandIn("calm", _ => { });
        var broken = new StandIn("broken", _ => throw new BenchFailureException("again: do this"));
        Assert.AreEqual(1, Run([broken, calm], out string output));
        StringAssert.Contains(output, "broken: again: do this", StringComparison.Ordinal);
        Assert.AreEqual(1, calm.Runs);
    }

    [TestMethod]
    public void OnlyTheNamedBenchesRunWithWhatWasAsked()
    {
        BenchContext? seen = null;
        var one = new StandIn("one", context => seen = context);
        var two = new StandIn("two", _ => { });
        Assert.AreEqual(0, Run([one, two], out _, "one", "--workload", "w", "--profile", "names", "--seed", "7", "--time", "30s"));
        Assert.AreEqual(0, two.Runs);
        Assert.AreEqual("w", seen!.Workload);
        Assert.AreEqual("names", seen.Profile);
        Assert.IsFalse(seen.IsOver);
        Assert.IsTrue(seen.NextRound(out int seed));
        Assert.AreEqual(7, seed);
    }

    [TestMethod]
    [DataRow("nobench")]
    [DataRow("--time", "soon")]
    [DataRow("--time", "0s")]
    [DataRow("--sed", "1")]
    public void WrongArgumentsAreTwo(params string[] args) => Assert.AreEqual(2, Run([new StandIn("one", _ => { })], out _, args));

    [TestMethod]
    [DataRow("crash")]
    [DataRow("faults")]
    [DataRow("full")]
    public void AnUnknownWorkloadIsTwo(string bench) => Assert.AreEqual(2, Run(Benches.All, out _, bench, "--workload", "nothing like that"));

    [TestMethod]
    [DataRow("crash", "1 workloads, ")]
    [DataRow("faults", "1 workloads, ")]
    public void ANamedWorkloadIsRunCompletely(string bench, string summary)
    {
        Assert.AreEqual(0, Run(Benches.All, out string output, bench, "--workload", "create file (plain)", "--time", "0.001s", "--seed", "3"), output);
        StringAssert.Contains(output, summary, StringComparison.Ordinal);
    }

    private static int Run(IReadOnlyList<IBench> benches, out string output, params string[] args)
    {
        using var text = new StringWriter();
        using var progress = new StringWriter();
        int code = Program.Run(args, benches, text, progress);
        output = text.ToString();
        return code;
    }

    private sealed class StandIn(string name, Action<BenchContext> run) : IBench
    {
        public string Name => name;

        public string Description => "a stand-in";

        internal int Runs { get; private set; }

        public void Run(BenchContext context)
        {
            Runs++;
            run(context);
        }
    }
}
