// Power cuts for as long as one likes: every operation alone with every state, the longer workloads, then every pair in an
// order drawn with the seed, with random walks between them. A round judges a sample of the states of each pair; the next
// rounds draw larger samples, so that a run that is long enough judges every state of every pair.
// Invariant: a workload that is asked for by name is judged completely.

using System.Globalization;

namespace Hammer2.Torture.Crash;

/// <summary>The bench of power cuts.</summary>
internal sealed class CrashBench : IBench
{
    private const int FirstSample = 60;
    private const int SampleGrowth = 4;
    private const int PairsForOneWalk = 8;
    private const int WriteEvery = 4;

    public string Name => "crash";

    public string Description => "power cuts after and between writes, lost and torn writes";

    public void Run(BenchContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        CrashWorkload? only = context.Workload is { } name ? CrashWorkloads.Find(name) : null;
        using CancellationTokenSource over = context.UntilOver();
        long workloads = 0, states = 0;
        int sample = FirstSample;
        while (context.NextRound(out int seed))
        {
            foreach ((IEnumerable<CrashWorkload> part, int statesMax) in only is not null ? [([only], int.MaxValue)] : Parts(seed, sample, context.Rounds))
            {
                // One workload that was asked for is finished, whatever the time.
                CrashTrial? trial = null;
                trial = new CrashTrial(seed)
                {
                    StatesMax = statesMax,
                    WriteEvery = only is null ? WriteEvery : 1,
                    Judged = () => context.Tell(() => string.Create(CultureInfo.InvariantCulture, $"crash: {workloads + trial!.Workloads} workloads, {states + trial.States} states")),
                };
                trial.Run(part, only is null ? over.Token : CancellationToken.None);
                (workloads, states) = (workloads + trial.Workloads, states + trial.States);
                context.Summary = string.Create(CultureInfo.InvariantCulture, $"{workloads} workloads, {states} states, {context.Rounds} rounds");
                if (trial.Failures.Count > 0)
                    throw new BenchFailureException(string.Join("\n\n", trial.Failures));
            }

            sample = (int)Math.Min(int.MaxValue, (long)sample * SampleGrowth);
        }
    }

    private static IEnumerable<(IEnumerable<CrashWorkload> Workloads, int StatesMax)> Parts(int seed, int sample, int round)
    {
        if (round == 1)
        {
            yield return (CrashWorkloads.Single(), int.MaxValue);
            yield return (CrashWorkloads.SingleOnSmallVolume(), int.MaxValue);
            yield return (CrashLargeTrees.All(), sample * SampleGrowth);
        }

        yield return (CrashWorkloads.Long(), sample * SampleGrowth);
        yield return (PairsAndWalks(seed), sample);
    }

    private static IEnumerable<CrashWorkload> PairsAndWalks(int seed)
    {
        var random = new Random(seed);
        CrashWorkload[] pairs = [.. CrashWorkloads.Pairs()];
        random.Shuffle(pairs);
        for (int i = 0; i < pairs.Length; i++)
        {
            yield return pairs[i];
            if (i % PairsForOneWalk == 0)
                yield return CrashWorkloads.Random(unchecked(seed + i));
        }
    }
}
