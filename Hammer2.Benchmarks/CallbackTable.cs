// The table of docs/benchmarks/callbacks.md in a minute: every callback several times in turn, the best time of each. On a machine
// that others use too, the best is what the code can do; means and deviations are what BenchmarkDotNet is for.
// Drives CallbackBenchmarks.

using System.Diagnostics;
using System.Globalization;
using System.Runtime.Versioning;

namespace Hammer2.Benchmarks;

/// <summary>Best times of the callbacks.</summary>
[SupportedOSPlatform("windows")]
internal static class CallbackTable
{
    private const int Turns = 12;

    // Short ones: the moments when two processors are free are short too.
    private const int TurnsOfTwo = 300;
    private static readonly TimeSpan s_turn = TimeSpan.FromMilliseconds(120);

    /// <summary>Measures what has a name that contains <paramref name="part"/> and prints it.</summary>
    internal static void Print(string part)
    {
        var callbacks = new CallbackBenchmarks();
        callbacks.Setup();
        (string Name, Action Act, int Operations)[] rows =
        [
            (nameof(callbacks.OpenInfoClose), callbacks.OpenInfoClose, 1),
            (nameof(callbacks.OpenExact), callbacks.OpenExact, 1),
            (nameof(callbacks.Info), callbacks.Info, 1),
            (nameof(callbacks.Read64K), callbacks.Read64K, 1),
            (nameof(callbacks.Read4K), callbacks.Read4K, 1),
            (nameof(callbacks.Write64K), callbacks.Write64K, 1),
            (nameof(callbacks.CreateAndDelete), callbacks.CreateAndDelete, 1),
            (nameof(callbacks.Nothing), callbacks.Nothing, 1),
            (nameof(callbacks.NothingByTwo), callbacks.NothingByTwo, CallbackBenchmarks.OfTwo),
            (nameof(callbacks.OpenInfoCloseByTwo), callbacks.OpenInfoCloseByTwo, CallbackBenchmarks.OfTwo),
            (nameof(callbacks.OpenOther), callbacks.OpenOther, 1),
            (nameof(callbacks.OpenOthersByTwo), callbacks.OpenOthersByTwo, CallbackBenchmarks.OfTwo),
            (nameof(callbacks.Read64KByTwo), callbacks.Read64KByTwo, CallbackBenchmarks.OfTwo),
            (nameof(callbacks.OpenMissing), callbacks.OpenMissing, 1),
            (nameof(callbacks.OpenFolded), callbacks.OpenFolded, 1),
            (nameof(callbacks.ListFirst), callbacks.ListFirst, CallbackBenchmarks.Files),
            (nameof(callbacks.ListEntry), callbacks.ListEntry, CallbackBenchmarks.Files),
            (nameof(callbacks.ListThousand), callbacks.ListThousand, CallbackBenchmarks.Few),
        ];
        foreach ((string name, Action act, int operations) in rows.Where(row => row.Name.Contains(part, StringComparison.OrdinalIgnoreCase)))
        {
            (double Wall, double Processor) best = (double.MaxValue, double.MaxValue);
            int turns = operations == CallbackBenchmarks.OfTwo ? TurnsOfTwo : Turns;
            for (int turn = 0; turn < turns; turn++)
            {
                (double wall, double processor) = Measure(act, operations, turns == Turns ? s_turn : TimeSpan.Zero);
                best = (Math.Min(best.Wall, wall), Math.Min(best.Processor, processor));
            }

            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{name,-20} {best.Wall / 1000,8:F3} us {1e9 / best.Wall,12:F0} a second {best.Processor / 1000,8:F3} us of processor"));
        }

        callbacks.Cleanup();
    }

    private static (double Wall, double Processor) Measure(Action act, int operations, TimeSpan least)
    {
        long calls = 0;
        TimeSpan before = Environment.CpuUsage.TotalTime;
        long start = Stopwatch.GetTimestamp();
        TimeSpan elapsed;
        do
        {
            for (int i = 0; i < 16 && (operations == 1 || i == 0); i++, calls++)
                act();
            elapsed = Stopwatch.GetElapsedTime(start);
        }
        while (elapsed < least);
        double used = (Environment.CpuUsage.TotalTime - before).TotalNanoseconds;
        return (elapsed.TotalNanoseconds / (calls * operations), used / (calls * operations));
    }
}
