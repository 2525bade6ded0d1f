// The crash bench: workloads are recorded and every state that a power cut may leave is judged. Workloads run in parallel;
// of a long record a sample of the states, drawn with the seed, is judged. A failure names workload, cut and seed.

using System.Globalization;
using Hammer2.Engine.Devices;
using Hammer2.Torture.Devices;

namespace Hammer2.Torture.Crash;

/// <summary>Runs workloads and judges their crash states.</summary>
internal sealed class CrashTrial(int seed)
{
    private readonly object _gate = new();
    private readonly List<string> _failures = [];
    private long _states;
    private int _workloads;

    /// <summary>States judged of one workload, at most.</summary>
    internal int StatesMax { get; init; } = int.MaxValue;

    /// <summary>Called after every judged state, by several threads.</summary>
    internal Action? Judged { get; init; }

    /// <summary>One in so many states is also opened for writing.</summary>
    internal int WriteEvery { get; init; } = 1;

    /// <summary>Failures after which nothing more is begun.</summary>
    internal int FailuresMax { get; init; } = 1;

    /// <summary>Between the engine and the recording device; for tests of the bench.</summary>
    internal Func<IBlockDevice, IBlockDevice> Above { get; init; } = static device => device;

    /// <summary>Between the engine and any device, of the run and of the judge; for tests of the bench.</summary>
    internal Func<IBlockDevice, IBlockDevice> Lens { get; init; } = static device => device;

    /// <summary>Over the record before it is cut; for tests of the bench.</summary>
    internal Func<IReadOnlyList<DeviceEvent>, IEnumerable<DeviceEvent>> Edit { get; init; } = static events => events;

    internal IReadOnlyList<string> Failures => _failures;

    internal long States => Interlocked.Read(ref _states);

    internal int Workloads => _workloads;

    /// <summary>Runs the workloads until the time is up.</summary>
    internal void Run(IEnumerable<CrashWorkload> workloads, CancellationToken stop = default)
    {
        var options = new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount };
        Parallel.ForEach(workloads, options, (workload, loop) =>
        {
            if (stop.IsCancellationRequested || Failures.Count >= FailuresMax)
            {
                loop.Stop();
                return;
            }

            Run(workload, stop);
        });
    }

    /// <summary>One workload.</summary>
    internal void Run(CrashWorkload workload, CancellationToken stop = default)
    {
        var record = new DeviceRecord();
        MemoryBlockDevice[] before = workload.Prepare();
        MemoryBlockDevice[] media = [.. before.Select(device => device.Clone())];
        List<TreeSnapshot> history = [];
        try
        {
            var run = new CrashRun([.. media.Select((device, i) => Above(Lens(new RecordingDevice(device, record, i))))], workload.Setup, record);
            history = run.History;
            using (run)
                workload.Run(run);
            record.Mark(CrashRun.PromiseMark + (history.Count - 1).ToString(CultureInfo.InvariantCulture));
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            Fail(workload, $"while it ran, in step {history.Count}: {e}");
            return;
        }

        Interlocked.Increment(ref _workloads);
        Judge(workload, new CrashStates(before, Edited(record), seed), new CrashJudge(workload.Setup, history) { Lens = Lens }, stop);
    }

    private DeviceRecord Edited(DeviceRecord record)
    {
        var edited = new DeviceRecord();
        foreach (DeviceEvent e in Edit(record.Events))
            edited.Add(e);
        return edited;
    }

    private void Judge(CrashWorkload workload, CrashStates states, CrashJudge judge, CancellationToken stop)
    {
        int total = states.All().Count();
        int number = 0;
        var random = new Random(seed);
        foreach (CrashState state in states.All())
        {
            // The end, with everything promised, is always judged.
            bool chosen = total <= StatesMax || random.Next(total) < StatesMax || state.Description == "cut at the end";
            if (!chosen)
                continue;
            if (stop.IsCancellationRequested)
                return;
            string? problem = judge.Judge(state, number++ % WriteEvery == 0);
            Interlocked.Increment(ref _states);
            Judged?.Invoke();
            if (problem is null)
                continue;
            Fail(workload, problem);
            return;
        }
    }

    private void Fail(CrashWorkload workload, string problem)
    {
        lock (_gate)
            _failures.Add(string.Create(CultureInfo.InvariantCulture, $"Workload \"{workload}\", seed {seed}: {problem}\nagain: hammer2-torture crash --workload \"{workload}\" --seed {seed}"));
    }
}
