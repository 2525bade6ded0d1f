// Failing devices for as long as one likes: every call of every operation in every way, then a sample of the calls of longer
// workloads and of random walks. Invariant: a workload that is asked for by name is run with every call.

using System.Globalization;
using Hammer2.Torture.Crash;

namespace Hammer2.Torture.Faults;

/// <summary>The bench of failing calls.</summary>
internal sealed class FaultBench : IBench
{
    private const int LongSample = 6;
    private const int WalksPerRound = 200;

    public string Name => "faults";

    public string Description => "the Nth call to the device fails, for every N";

    public void Run(BenchContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        CrashWorkload? only = context.Workload is { } name ? CrashWorkloads.Find(name) : null;
        using CancellationTokenSource over = context.UntilOver();
        long workloads = 0, runs = 0;
        while (context.NextRound(out int seed))
        {
            foreach ((IEnumerable<CrashWorkload> part, int callsMax) in only is not null ? [([only], int.MaxValue)] : Parts(seed, context.Rounds))
            {
                FaultTrial? trial = null;
                trial = new FaultTrial(seed)
                {
                    CallsMax = callsMax,
                    Judged = () => context.Tell(() => string.Create(CultureInfo.InvariantCulture, $"faults: {workloads + trial!.Workloads} workloads, {runs + trial.Runs} runs")),
                };
                trial.Run(part, only is null ? over.Token : CancellationToken.None);
                (workloads, runs) = (workloads + trial.Workloads, runs + trial.Runs);
                context.Summary = string.Create(CultureInfo.InvariantCulture, $"{workloads} workloads, {runs} runs, {context.Rounds} rounds");
                if (trial.Failures.Count > 0)
                    throw new BenchFailureException(string.Join("\n\n", trial.Failures));
            }
        }
    }

    private static IEnumerable<(IEnumerable<CrashWorkload> Workloads, int CallsMax)> Parts(int seed, int round)
    {
        if (round == 1)
        {
            yield return (CrashWorkloads.Single(), int.MaxValue);
            yield return (CrashLargeTrees.All(), int.MaxValue);
        }

        yield return (Enumerable.Range(0, WalksPerRound).Select(i => CrashWorkloads.Random(unchecked(seed + i))), LongSample);
    }
}
