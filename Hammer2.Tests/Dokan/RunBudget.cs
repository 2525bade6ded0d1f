// How long random tests of the drive go on: HAMMER2_FUZZ_OPERATIONS counts steps, HAMMER2_FUZZ_SECONDS time, for all rows of
// a test together; without them a run takes a moment. A run has rounds, after which everything is compared.
// Thread-safe after NextRound. Calls nothing.

using System.Diagnostics;
using System.Globalization;
using Hammer2.Tests.Hostile;

namespace Hammer2.Tests.Dokan;

/// <summary>Steps and time of one run.</summary>
internal sealed class RunBudget
{
    private const string OperationsVariable = "HAMMER2_FUZZ_OPERATIONS";
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly TimeSpan _total;
    private TimeSpan _roundEnd;

    /// <param name="usualSeconds">Of one row when nothing is asked for.</param>
    /// <param name="share">How many rows share what is asked for.</param>
    internal RunBudget(double usualSeconds, int share)
    {
        bool counted = long.TryParse(Environment.GetEnvironmentVariable(OperationsVariable), CultureInfo.InvariantCulture, out long operations);
        double asked = HammerSeed.Seconds(double.NaN);
        double seconds = !double.IsNaN(asked) ? asked / share : counted ? TimeSpan.FromDays(1).TotalSeconds : usualSeconds;
        Operations = counted ? Math.Max(2, operations / share) : long.MaxValue;
        _total = TimeSpan.FromSeconds(seconds);
    }

    /// <summary>Steps at most.</summary>
    internal long Operations { get; }

    internal TimeSpan Elapsed => _clock.Elapsed;

    /// <summary>A round takes half of the time at most, so that there are two at least.</summary>
    internal bool IsRoundOver => _clock.Elapsed >= _roundEnd;

    internal void NextRound() => _roundEnd = TimeSpan.FromTicks(Math.Min(_total.Ticks, (_clock.Elapsed + (_total / 2)).Ticks));

    internal bool IsOver(long steps) => steps >= Operations || _clock.Elapsed >= _total;
}
