// Seeds and durations of random tests: HAMMER2_SEED repeats a run, HAMMER2_FUZZ_SECONDS makes it longer.
// Without them every run takes a fresh seed, which the test prints.

using System.Globalization;

namespace Hammer2.Tests.Hostile;

/// <summary>Where random tests get their seed and their time from.</summary>
internal static class HammerSeed
{
    internal const string Variable = "HAMMER2_SEED";
    private const string SecondsVariable = "HAMMER2_FUZZ_SECONDS";

    internal static int Get() =>
        int.TryParse(Environment.GetEnvironmentVariable(Variable), CultureInfo.InvariantCulture, out int seed) ? seed : Environment.TickCount & 0x7FFFFFFF;

    internal static double Seconds(double usual) =>
        double.TryParse(Environment.GetEnvironmentVariable(SecondsVariable), CultureInfo.InvariantCulture, out double seconds) ? seconds : usual;
}
