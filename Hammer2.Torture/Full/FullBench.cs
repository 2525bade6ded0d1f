// Full volumes for as long as one likes. A round of the bench is one volume of a seed's shape that is filled and emptied
// twenty times, and then one volume for each pattern of holes. Invariant: which of them failed is in the message, with the
// command that runs it again; threads meet as the system likes, so that a repeated run may take a few rounds to fail.

using System.Globalization;
using Hammer2.Torture.Model;

namespace Hammer2.Torture.Full;

/// <summary>The bench of full volumes.</summary>
internal sealed class FullBench : IBench
{
    private const string FillName = "fill";
    private const long FragmentVolumeBytes = 96L << 20;

    public string Name => "full";

    public string Description => "volumes filled to the last byte, emptied and filled again";

    /// <summary>Fillings of one volume.</summary>
    public int Fillings { get; init; } = 20;

    /// <summary>Volumes are at most so large, all parts together.</summary>
    public long VolumeBytesMax { get; init; } = long.MaxValue;

    /// <summary>Changes the settings of a seed; for tests of the bench.</summary>
    public Func<FullSettings, FullSettings> Adjust { get; init; } = static settings => settings;

    private static IReadOnlyList<string> Workloads { get; } = [FillName, .. Enum.GetNames<HolePattern>()];

    public void Run(BenchContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (context.Workload is { } wanted && !Workloads.Contains(wanted))
            throw new UnknownWorkloadException($"There is no workload \"{wanted}\", only {string.Join(", ", Workloads)}.");
        int fillings = 0, patterns = 0;
        while (context.NextRound(out int seed))
        {
            foreach (string workload in Workloads.Where(name => context.Workload is null || name == context.Workload))
            {
                // Each is begun at least once in a run that has the time; what has begun is finished but for the number of fillings.
                if (context.IsOver && fillings + patterns > 0)
                    break;
                FullSettings settings = Adjust(SettingsOf(seed));
                try
                {
                    if (workload == FillName)
                        Fill(context, settings, seed, ref fillings);
                    else
                        Fragment(context, settings, Enum.Parse<HolePattern>(workload), seed, ref patterns);
                }
                catch (MismatchException mismatch)
                {
                    throw new BenchFailureException(
                        string.Create(CultureInfo.InvariantCulture, $"workload {workload}, seed {seed}, {settings}: {mismatch.Message}\nagain: hammer2-torture full --workload {workload} --seed {seed} --time 10m"), mismatch);
                }
            }

            context.Summary = string.Create(CultureInfo.InvariantCulture, $"{fillings} fillings and {patterns} patterns of holes on {context.Rounds} rounds of volumes");
        }
    }

    private FullSettings SettingsOf(int seed)
    {
        FullSettings settings = FullSettings.From(seed);
        return settings.VolumeBytes.Sum() <= VolumeBytesMax ? settings : settings with { VolumeBytes = [VolumeBytesMax] };
    }

    private void Fill(BenchContext context, FullSettings settings, int seed, ref int fillings)
    {
        using var run = new FillRun(settings, seed);
        for (int i = 0; i < Fillings && (i == 0 || !context.IsOver); i++)
        {
            int round = i;
            try
            {
                run.Round(round);
            }
            catch (MismatchException mismatch)
            {
                throw new MismatchException($"filling {round}: {mismatch.Message}", mismatch);
            }

            fillings++;
            context.Tell(() => $"full: {settings}, filling {round}: {run.Story}");
        }
    }

    private static void Fragment(BenchContext context, FullSettings settings, HolePattern pattern, int seed, ref int patterns)
    {
        using var run = new FragmentRun(settings with { VolumeBytes = [Math.Min(FragmentVolumeBytes, settings.VolumeBytes.Sum())] }, pattern, seed);
        run.Run();
        patterns++;
        context.Tell(() => $"full: {pattern}: {run.Story}");
    }
}
