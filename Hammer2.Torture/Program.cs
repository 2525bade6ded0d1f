// hammer2-torture: runs the test benches for as long as one likes. Exit code 0: nothing found; 1: something found, with
// the seed and the shrunk sequence on standard output; 2: wrong arguments.

using System.CommandLine;
using System.Globalization;

namespace Hammer2.Torture;

/// <summary>The command.</summary>
internal static class Program
{
    private const string SeedVariable = "HAMMER2_SEED";

    public static int Main(string[] args)
    {
        using var stop = new CancellationTokenSource();
        Console.CancelKeyPress += (_, cancelled) =>
        {
            cancelled.Cancel = true;
            stop.Cancel();
        };
        return Build(Console.Out, stop.Token).Parse(args).Invoke();
    }

    internal static RootCommand Build(TextWriter output, CancellationToken stop)
    {
        var seed = new Option<int?>("--seed") { Description = "Repeat a run (default: a new seed, printed)." };
        var time = new Option<string>("--time") { Description = "How long: 30s, 10m, 2h.", DefaultValueFactory = static _ => "60s" };
        var bench = new Option<string[]>("--bench") { Description = "Which: " + string.Join("; ", Benches.All.Select(static b => $"{b.Name}: {b.Description}")) };
        bench.DefaultValueFactory = static _ => [.. Benches.All.Select(static b => b.Name)];
        bench.AllowMultipleArgumentsPerToken = true;
        bench.AcceptOnlyFromAmong([.. Benches.All.Select(static b => b.Name)]);
        var profile = new Option<string?>("--profile") { Description = "Only this kind of sequence of the bench model: " + string.Join(", ", Model.Profile.All.Select(static p => p.Name)) };
        time.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && !TryParseTime(result.Tokens[0].Value, out _))
                result.AddError($"--time wants a time such as 30s, 10m or 2h, not '{result.Tokens[0].Value}'");
        });
        var root = new RootCommand("Tries to break the HAMMER2 engine.") { seed, time, bench, profile };
        root.SetAction(parsed =>
        {
            _ = TryParseTime(parsed.GetRequiredValue(time), out TimeSpan budget);
            return Run(parsed.GetRequiredValue(bench), parsed.GetValue(seed) ?? NewSeed(), budget, parsed.GetValue(profile), output, stop);
        });
        return root;
    }

    private static int Run(string[] names, int seed, TimeSpan budget, string? profile, TextWriter output, CancellationToken stop)
    {
        output.WriteLine($"--seed {seed} repeats this run");
        int found = 0;
        foreach (IBench bench in Benches.All.Where(bench => names.Contains(bench.Name)))
        {
            var context = new BenchContext(seed, budget / names.Length, output, stop) { Profile = profile };
            try
            {
                bench.Run(context);
                output.WriteLine($"{bench.Name}: nothing found in {context.Rounds} rounds");
            }
            catch (BenchFailureException failure)
            {
                found++;
                output.WriteLine($"{bench.Name}: {failure.Message}");
            }
        }

        return found == 0 ? 0 : 1;
    }

    private static int NewSeed() =>
        int.TryParse(Environment.GetEnvironmentVariable(SeedVariable), CultureInfo.InvariantCulture, out int given)
            ? given
            : Environment.TickCount & int.MaxValue;

    private static bool TryParseTime(string text, out TimeSpan time)
    {
        time = default;
        if (text.Length < 2 || !double.TryParse(text.AsSpan(0, text.Length - 1), CultureInfo.InvariantCulture, out double number) || number <= 0)
            return false;
        double seconds = text[^1] switch
        {
            's' => number,
            'm' => number * 60,
            'h' => number * 3600,
            _ => 0,
        };
        time = TimeSpan.FromSeconds(Math.Min(seconds, 1e9));
        return seconds > 0;
    }
}
