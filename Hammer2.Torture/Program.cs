// hammer2-torture: runs the test benches for as long as one likes. Exit code 0: nothing found; 1: something found, with
// the command that repeats it on standard output; 2: wrong arguments. Progress goes to standard error.

using System.CommandLine;
using System.Globalization;

namespace Hammer2.Torture;

/// <summary>The command.</summary>
internal static class Program
{
    private const string SeedVariable = "HAMMER2_SEED";
    private const int WrongArguments = 2;

    public static int Main(string[] args)
    {
        using var stop = new CancellationTokenSource();
        Console.CancelKeyPress += (_, cancelled) =>
        {
            cancelled.Cancel = true;
            stop.Cancel();
        };
        return Run(args, Benches.All, Console.Out, Console.Error, stop.Token);
    }

    internal static int Run(string[] args, IReadOnlyList<IBench> all, TextWriter output, TextWriter progress, CancellationToken stop = default)
    {
        ParseResult parsed = Build(all, output, progress, stop).Parse(args);
        int code = parsed.Invoke(new InvocationConfiguration { Output = output, Error = progress });
        return parsed.Errors.Count > 0 ? WrongArguments : code;
    }

    private static RootCommand Build(IReadOnlyList<IBench> all, TextWriter output, TextWriter progress, CancellationToken stop)
    {
        var benches = new Argument<string[]>("bench")
        {
            Description = "Which benches, one after the other with an equal share of the time (default: all). "
                + string.Join("; ", all.Select(static b => $"{b.Name}: {b.Description}")),
            Arity = ArgumentArity.ZeroOrMore,
        };
        benches.AcceptOnlyFromAmong([.. all.Select(static b => b.Name)]);
        var seed = new Option<int?>("--seed") { Description = "Repeat a run (default: a new seed, printed)." };
        var time = new Option<string>("--time") { Description = "How long in all: 30s, 10m, 2h.", DefaultValueFactory = static _ => "60s" };
        var profile = new Option<string?>("--profile") { Description = "Only this kind of sequence of the bench model: " + string.Join(", ", Model.Profile.All.Select(static p => p.Name)) };
        var workload = new Option<string?>("--workload") { Description = "Only this workload of the benches crash, faults and full, completely, by the name that a failure prints." };
        time.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && !TryParseTime(result.Tokens[0].Value, out _))
                result.AddError($"--time wants a time such as 30s, 10m or 2h, not '{result.Tokens[0].Value}'");
        });
        var root = new RootCommand("Tries to break the HAMMER2 engine.") { benches, seed, time, profile, workload };
        root.SetAction(parsed =>
        {
            _ = TryParseTime(parsed.GetRequiredValue(time), out TimeSpan budget);
            string[] names = parsed.GetValue(benches) is { Length: > 0 } given ? given : [.. all.Select(static b => b.Name)];
            int first = parsed.GetValue(seed) ?? NewSeed();
            output.WriteLine($"--seed {first} repeats this run");
            int code = 0;
            foreach (IBench bench in all.Where(bench => names.Contains(bench.Name)))
            {
                var context = new BenchContext(first, budget / names.Length, progress, stop) { Profile = parsed.GetValue(profile), Workload = parsed.GetValue(workload) };
                code = Math.Max(code, CodeOf(bench, context, output));
            }

            return code;
        });
        return root;
    }

    private static int CodeOf(IBench bench, BenchContext context, TextWriter output)
    {
        try
        {
            bench.Run(context);
            output.WriteLine($"{bench.Name}: nothing found in {context.Summary ?? $"{context.Rounds} rounds"}");
            return 0;
        }
        catch (BenchFailureException failure)
        {
            output.WriteLine($"{bench.Name}: {failure.Message}");
            return 1;
        }
        catch (UnknownWorkloadException wrong)
        {
            output.WriteLine($"{bench.Name}: {wrong.Message}");
            return WrongArguments;
        }
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
        time = TimeSpan.FromSeconds(Math.Min(seconds, 1e6));
        return seconds > 0;
    }
}
