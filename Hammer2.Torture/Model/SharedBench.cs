// The model bench with several threads: each runs an exact sequence in a subtree of its own and steps of the shared rules in
// between, while others sync. At the end everything is judged, before and after a remount. Invariants: a thread that does
// not come back within the limit is a finding, with the step it is in; the first failure ends all threads.

using System.Diagnostics;
using System.Globalization;
using System.Text;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Torture.Model;

/// <summary>Multi-threaded sequences.</summary>
/// <param name="makeTarget">A fresh target for a seed; null for the engine.</param>
internal sealed class SharedBench(Func<int, ITarget>? makeTarget = null) : IBench
{
    private const int ThreadsMax = 6;
    private static readonly TimeSpan s_hangLimit = TimeSpan.FromMinutes(4);
    private readonly Func<int, ITarget> _makeTarget = makeTarget ?? EngineTargets.Fresh;

    public string Name => "shared";

    public string Description => "several threads in trees of their own and in shared ones";

    /// <summary>Steps of each thread.</summary>
    public int Steps { get; init; } = 1500;

    public void Run(BenchContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        while (context.NextRound(out int seed))
        {
            using var round = new SharedRound(seed, 2 + seed % (ThreadsMax - 1), Steps);
            ITarget target = _makeTarget(seed);
            if (round.Run(target, s_hangLimit) is { } message)
                throw new BenchFailureException(string.Create(CultureInfo.InvariantCulture, $"seed {seed}, {round.Threads} threads: {message}\nagain: hammer2-torture shared --seed {seed} --time 60s"));
            target.Dispose();
            context.Tell(() => $"shared: {context.Rounds} rounds");
        }
    }
}

/// <summary>One round of several threads.</summary>
internal sealed class SharedRound : IDisposable
{
    private readonly int _seed, _steps;
    private readonly (string Name, SharedRule Rule)[] _rules;
    private readonly string[] _doing;
    private readonly CancellationTokenSource _stop = new();
    private string? _failure;

    public SharedRound(int seed, int threads, int steps)
    {
        (_seed, Threads, _steps) = (seed, threads, steps);
        _doing = new string[threads + 1];
        _rules =
        [
            ("directory", new SharedDirectoryRule(threads)), ("stripes", new StripedFileRule(threads)), ("appends", new AppendRule(threads)),
            ("locks", new LockFileRule(threads)), ("replaced", new ReplaceRule(threads)), ("tokens", new TokenRule(threads)),
        ];
    }

    public int Threads { get; }

    /// <summary>The message of what is wrong, or null.</summary>
    public string? Run(ITarget target, TimeSpan limit)
    {
        using (ITargetNode root = target.OpenRoot())
            Prepare(root);
        var runs = new ModelRun[Threads];
        Thread[] workers = [.. Enumerable.Range(0, Threads + 1).Select(i => new Thread(() => Guard(i, () => Work(target, runs, i))) { IsBackground = true })];
        foreach (Thread worker in workers)
            worker.Start();
        var clock = Stopwatch.StartNew();
        // The last thread only syncs and is stopped when the others are done.
        for (int i = 0; i <= Threads; i++)
        {
            if (i == Threads)
                _stop.Cancel();
            TimeSpan left = limit - clock.Elapsed;
            if (left <= TimeSpan.Zero || !workers[i].Join(left))
                return Hang(workers);
        }

        if (_failure is null)
            Guard(Threads, () => Judge(target, runs));
        return _failure;
    }

    public void Dispose() => _stop.Dispose();

    private void Prepare(ITargetNode root)
    {
        foreach (string name in Enumerable.Range(0, Threads).Select(OwnName).Concat(_rules.Select(static rule => rule.Name)))
        {
            root.TryCreate(name, new NewObject(ObjectType.Directory, 0x1FF, 0, null), out ITargetNode? made);
            made!.Dispose();
        }

        foreach ((string name, SharedRule rule) in _rules)
        {
            using ITargetNode home = Home(root, name);
            rule.Prepare(home);
        }
    }

    private static string OwnName(int thread) => $"own{thread}";

    private static ITargetNode Home(ITargetNode root, string name)
    {
        Hammer2Error error = root.TryLookup(name, out ITargetNode? home);
        return home ?? throw new MismatchException($"lookup of {name} answered {error}");
    }

    private void Work(ITarget target, ModelRun[] runs, int thread)
    {
        var random = new Random(unchecked(_seed * 397 + thread));
        if (thread == Threads)
        {
            KeepSyncing(target);
            return;
        }

        var own = new SubtreeTarget(target, OwnName(thread));
        ModelRun run = runs[thread] = new ModelRun(own) { RootHasParent = true };
        Profile profile = Profile.All[random.Next(Profile.All.Count)];
        Dictionary<OpKind, int> weights = profile.Weights.Where(static w => w.Key is not (OpKind.Remount or OpKind.Reclaim)).ToDictionary();
        var generator = new OpGenerator(random.Next(), profile with { Weights = weights }, run);
        for (int i = 0; i < _steps && !_stop.IsCancellationRequested; i++)
        {
            if (random.Next(2) == 0)
            {
                Op op = generator.Next();
                _doing[thread] = op.ToString();
                run.Step(op, i);
                continue;
            }

            (string name, SharedRule rule) = _rules[random.Next(_rules.Length)];
            _doing[thread] = name;
            using ITargetNode root = target.OpenRoot();
            using ITargetNode home = Home(root, name);
            rule.Step(home, thread, random);
        }
    }

    private void KeepSyncing(ITarget target)
    {
        var random = new Random(_seed);
        while (!_stop.Token.WaitHandle.WaitOne(random.Next(30)))
        {
            _doing[Threads] = "sync";
            target.Sync();
            if (random.Next(10) == 0)
                target.Reclaim();
        }
    }

    private void Judge(ITarget target, ModelRun[] runs)
    {
        foreach (ModelRun run in runs)
        {
            run.Step(new Op(OpKind.Compare), _steps);
            run.Dispose();
        }

        VerifyRules(target);
        target.Remount();
        foreach (ModelRun run in runs)
            run.CompareReopened();
        VerifyRules(target);
        IReadOnlyList<string> problems = target.Check();
        if (problems.Count > 0)
            throw new MismatchException("the check of the medium says: " + string.Join("; ", problems.Take(5)));
    }

    private void VerifyRules(ITarget target)
    {
        using ITargetNode root = target.OpenRoot();
        foreach ((string name, SharedRule rule) in _rules)
        {
            using ITargetNode home = Home(root, name);
            _doing[Threads] = "verify " + name;
            rule.Verify(home);
        }
    }

    private void Guard(int thread, Action action)
    {
        try
        {
            action();
        }
        catch (Exception failure)
        {
            string message = failure is MismatchException ? failure.Message : failure.ToString();
            Interlocked.CompareExchange(ref _failure, $"thread {thread}, {_doing[thread]}: {message}", null);
            _stop.Cancel();
        }
    }

    private string Hang(Thread[] workers)
    {
        var text = new StringBuilder(_failure ?? "threads hang:");
        for (int i = 0; i < workers.Length; i++)
        {
            if (workers[i].IsAlive)
                text.Append(CultureInfo.InvariantCulture, $"\n    thread {i} hangs in {_doing[i]}");
        }

        return text.ToString();
    }
}
