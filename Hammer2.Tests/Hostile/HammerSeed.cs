// Seeds and durations of random tests: HAMMER2_SEED repeats a run, HAMMER2_FUZZ_SECONDS makes it longer.
// Without them every run takes a fresh seed, which the test prints.

using System.Globalization;

namespace Hammer2.Tests.Hostile;

/// <summary>Where random tests get their seed and their time from.</summary>
internal static class HammerSeed
{
    internal const string Variable = "HAMMER2_SEED";
    private const string SecondsVariable = "HAMMER2_FUZZ_SECONDS";

    /// <summary>The seed, printed so that a failure can be replayed.</summary>
    internal static int Get()
    {
        bool given = int.TryParse(Environment.GetEnvironmentVariable(Variable), CultureInfo.InvariantCulture, out int seed);
        if (!given)
            seed = Environment.TickCount & 0x7FFFFFFF;
        Console.WriteLine($"{Variable}={seed} replays this run");
        return seed;
    }

    internal static double Seconds(double usual) =>
        double.TryParse(Environment.GetEnvironmentVariable(SecondsVariable), CultureInfo.InvariantCulture, out double seconds) ? seconds : usual;
}
