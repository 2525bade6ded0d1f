// What a bench is: something that tries to break the engine until its time is up, and says how to repeat what it found.
// The same classes run under the tests, for seconds, and under hammer2-torture, for as long as one likes. Invariants:
// everything random comes from one seed; a failure is an exception whose message holds the seed and the way back to it.

using System.Diagnostics;

namespace Hammer2.Torture;

/// <summary>A test bench.</summary>
internal interface IBench
{
    /// <summary>What --bench calls it.</summary>
    string Name { get; }

    /// <summary>One sentence for --help.</summary>
    string Description { get; }

    /// <summary>Runs rounds until the context says that it is enough; returns when nothing was found.</summary>
    /// <exception cref="BenchFailureException">Something is wrong with the engine.</exception>
    void Run(BenchContext context);
}

/// <summary>Time, seeds and output of one run.</summary>
/// <param name="seed">Of the first round; round n has the nth seed after it.</param>
/// <param name="budget">How long to go on; one round is always made.</param>
/// <param name="output">Where progress and findings are written.</param>
/// <param name="stop">Ends the run between two rounds.</param>
internal sealed class BenchContext(int seed, TimeSpan budget, TextWriter output, CancellationToken stop = default)
{
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private int _rounds;

    /// <summary>Rounds begun so far.</summary>
    public int Rounds => _rounds;

    /// <summary>What a bench should do only of all that it could, in its own words; null for everything.</summary>
    public string? Profile { get; init; }

    /// <summary>Rounds at most, whatever the time.</summary>
    public int RoundsMax { get; init; } = int.MaxValue;

    public TextWriter Output => output;

    public CancellationToken Stop => stop;

    /// <summary>The time is up.</summary>
    public bool IsOver => _clock.Elapsed >= budget || stop.IsCancellationRequested;

    /// <summary>The seed of the next round; false when it is enough.</summary>
    public bool NextRound(out int roundSeed)
    {
        roundSeed = unchecked(seed + _rounds) & int.MaxValue;
        if (_rounds > 0 && (IsOver || _rounds >= RoundsMax))
            return false;
        _rounds++;
        return true;
    }
}

/// <summary>A bench found something.</summary>
internal sealed class BenchFailureException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>All benches.</summary>
internal static class Benches
{
    /// <summary>New benches are added here and appear in --bench and in its help.</summary>
    public static IReadOnlyList<IBench> All { get; } = [new Model.ModelBench(), new Model.SharedBench()];
}
