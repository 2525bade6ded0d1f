// What a bench is: something that tries to break the engine until its time is up, and says how to repeat what it found.
// The same classes run under the tests, for seconds, and under hammer2-torture, for as long as one likes. Invariants:
// everything random comes from one seed; a failure is an exception whose message holds the seed and the way back to it.

using System.Diagnostics;
using System.Globalization;

namespace Hammer2.Torture;

/// <summary>A test bench.</summary>
internal interface IBench
{
    /// <summary>What the command calls it.</summary>
    string Name { get; }

    /// <summary>One sentence for --help.</summary>
    string Description { get; }

    /// <summary>Runs rounds until the context says that it is enough; returns when nothing was found.</summary>
    /// <exception cref="BenchFailureException">Something is wrong with the engine.</exception>
    void Run(BenchContext context);
}

/// <summary>Time, seeds and output of one run.</summary>
/// <param name="seed">Of the first round; round n has the nth seed after it.</param>
/// <param name="budget">How long to go on; one round is always begun.</param>
/// <param name="progress">Told now and then how far the run is.</param>
/// <param name="stop">Ends the run early.</param>
internal sealed class BenchContext(int seed, TimeSpan budget, TextWriter progress, CancellationToken stop = default)
{
    private static readonly TimeSpan s_quiet = TimeSpan.FromSeconds(10);
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly Lock _gate = new();
    private int _rounds;
    private TimeSpan _told;

    /// <summary>Rounds begun so far.</summary>
    public int Rounds => _rounds;

    /// <summary>What the bench did, for its last line; null when rounds say enough.</summary>
    public string? Summary { get; set; }

    /// <summary>What the bench model should do only of all that it could; null for everything.</summary>
    public string? Profile { get; init; }

    /// <summary>The only workload that the benches of named workloads should run, completely; null for all.</summary>
    public string? Workload { get; init; }

    /// <summary>Rounds at most, whatever the time.</summary>
    public int RoundsMax { get; init; } = int.MaxValue;

    /// <summary>The time is up.</summary>
    public bool IsOver => _clock.Elapsed >= budget || stop.IsCancellationRequested;

    /// <summary>Says how far it is, unless it said so a moment ago.</summary>
    public void Tell(Func<string> text)
    {
        lock (_gate)
        {
            TimeSpan now = _clock.Elapsed;
            if (now - _told < s_quiet)
                return;
            _told = now;
            progress.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{now:hh\\:mm\\:ss} {text()}"));
        }
    }

    /// <summary>The seed of the next round; false when it is enough.</summary>
    public bool NextRound(out int roundSeed)
    {
        roundSeed = unchecked(seed + _rounds) & int.MaxValue;
        if (_rounds > 0 && (IsOver || _rounds >= RoundsMax))
            return false;
        _rounds++;
        return true;
    }

    /// <summary>Cancelled when the time is up.</summary>
    public CancellationTokenSource UntilOver()
    {
        var source = CancellationTokenSource.CreateLinkedTokenSource(stop);
        TimeSpan left = budget - _clock.Elapsed;
        source.CancelAfter(left > TimeSpan.Zero ? left : TimeSpan.Zero);
        return source;
    }
}

/// <summary>A bench found something.</summary>
internal sealed class BenchFailureException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>What was asked for does not exist.</summary>
internal sealed class UnknownWorkloadException(string message) : Exception(message);

/// <summary>All benches.</summary>
internal static class Benches
{
    /// <summary>New benches are added here and appear as arguments of the command and in its help.</summary>
    public static IReadOnlyList<IBench> All { get; } =
        [new Model.ModelBench(), new Model.SharedBench(), new Crash.CrashBench(), new Faults.FaultBench(), new Full.FullBench()];
}
