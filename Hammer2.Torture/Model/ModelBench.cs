// The model bench: random sequences against the model, one thread, everything compared. A round makes its sequence while
// it runs it; when an answer is wrong the sequence is shrunk by replaying parts of it on fresh targets, and printed.
// Invariant: a round depends on its seed alone.

using System.Globalization;
using System.Text;

namespace Hammer2.Torture.Model;

/// <summary>Single-threaded sequences.</summary>
/// <param name="makeTarget">A fresh target for a seed; null for the engine.</param>
internal sealed class ModelBench(Func<int, ITarget>? makeTarget = null) : IBench
{
    private static readonly TimeSpan s_shrinkTime = TimeSpan.FromSeconds(60);
    private readonly Func<int, ITarget> _makeTarget = makeTarget ?? EngineTargets.Fresh;

    public string Name => "model";

    public string Description => "random operations against an exact model";

    /// <summary>Divides the length of the sequences, for tests that have little time.</summary>
    public int Shorter { get; init; } = 1;

    /// <summary>The shrunk sequence of the last failure.</summary>
    public IReadOnlyList<Op> Shrunk { get; private set; } = [];

    public void Run(BenchContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        while (context.NextRound(out int seed))
        {
            Profile profile = ProfileOf(seed, context.Profile);
            if (RunOne(seed, profile, out List<Op> ops) is { } message)
                throw Failure(seed, profile, ops, message);
            context.Tell(() => $"model: {context.Rounds} rounds");
        }
    }

    private static Profile ProfileOf(int seed, string? name) =>
        Profile.All.FirstOrDefault(profile => profile.Name == name) ?? Profile.All[seed % Profile.All.Count];

    // The message of a mismatch, or null.
    private string? RunOne(int seed, Profile profile, out List<Op> ops)
    {
        ops = [];
        try
        {
            using ITarget target = _makeTarget(seed);
            using var run = new ModelRun(target);
            var generator = new OpGenerator(seed, profile, run);
            for (int i = 0; i < profile.Steps / Shorter; i++)
            {
                Op op = generator.Next();
                ops.Add(op);
                run.Step(op, i);
            }

            foreach (OpKind last in new[] { OpKind.Compare, OpKind.Remount })
            {
                ops.Add(new Op(last));
                run.Step(ops[^1], ops.Count - 1);
            }

            return null;
        }
        catch (MismatchException mismatch)
        {
            return mismatch.Message;
        }
    }

    private string? Replay(int seed, IReadOnlyList<Op> ops)
    {
        try
        {
            using ITarget target = _makeTarget(seed);
            ModelRun.RunAll(target, ops);
            return null;
        }
        catch (MismatchException mismatch)
        {
            return mismatch.Message;
        }
    }

    private BenchFailureException Failure(int seed, Profile profile, List<Op> ops, string message)
    {
        var shrinker = new Shrinker(candidate => Replay(seed, candidate), s_shrinkTime);
        Shrunk = shrinker.Shrink(ops);
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"seed {seed}, profile {profile.Name}: {message}\n");
        text.Append(CultureInfo.InvariantCulture, $"again: hammer2-torture model --seed {seed} --profile {profile.Name} --time 1s\n");
        text.Append(shrinker.Message.Length == 0
            ? $"the {ops.Count} steps do not fail when they are replayed: timing matters\n"
            : $"shrunk from {ops.Count} to {Shrunk.Count} steps, which end with: {shrinker.Message}\n");
        foreach (Op op in Shrunk.TakeLast(200))
            text.Append("    ").Append(op).Append('\n');
        return new BenchFailureException(text.ToString());
    }
}
