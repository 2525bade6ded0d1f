// The fault bench: a workload runs undisturbed once, then again and again, each time with another device call failing, until
// a run passes. Each time: the caller was told; nothing that a sync promised is lost and nothing half done is there; what
// was accepted stays readable in memory; a failed volume refuses changes; nothing hangs; and without faults the medium
// is clean and can be written again.

using System.Globalization;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Torture.Crash;
using Hammer2.Torture.Devices;

namespace Hammer2.Torture.Faults;

/// <summary>How calls fail.</summary>
internal enum FaultMode
{
    /// <summary>One call.</summary>
    Once,

    /// <summary>All calls of the kind from one on.</summary>
    ForEver,

    /// <summary>One write, of which the first sector arrives.</summary>
    Torn,

    /// <summary>One write, of which only the success is lost.</summary>
    Arrived,

    /// <summary>All calls of all kinds from one on.</summary>
    Gone,
}

/// <summary>Runs workloads on failing devices.</summary>
internal sealed class FaultTrial(int seed)
{
    // Threads meet differently in each run, so one without a failure may not be the last.
    private const int CalmInARowMax = 3;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private readonly object _gate = new();
    private readonly List<string> _failures = [];
    private long _runs;
    private int _workloads;

    /// <summary>Failing calls tried of one kind in one workload, at most; sampled with the seed beyond.</summary>
    internal int CallsMax { get; init; } = int.MaxValue;

    /// <summary>How calls fail; all by default.</summary>
    internal IReadOnlyList<FaultMode> Modes { get; init; } = Enum.GetValues<FaultMode>();

    /// <summary>Which calls fail; all by default.</summary>
    internal IReadOnlyList<DeviceCall> Kinds { get; init; } = Enum.GetValues<DeviceCall>();

    /// <summary>Between the engine and the failing device; for tests of the bench.</summary>
    internal Func<IBlockDevice, IBlockDevice> Above { get; init; } = static device => device;

    /// <summary>Called after every run, by several threads.</summary>
    internal Action? Judged { get; init; }

    internal int FailuresMax { get; init; } = 1;

    internal IReadOnlyList<string> Failures => _failures;

    internal long Runs => Interlocked.Read(ref _runs);

    internal int Workloads => _workloads;

    /// <summary>Runs the workloads until the time is up.</summary>
    internal void Run(IEnumerable<CrashWorkload> workloads, CancellationToken stop = default)
    {
        var options = new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount };
        Parallel.ForEach(workloads, options, (workload, loop) =>
        {
            if (stop.IsCancellationRequested || Failures.Count >= FailuresMax)
                loop.Stop();
            else
                Run(workload, stop);
        });
    }

    /// <summary>One workload.</summary>
    internal void Run(CrashWorkload workload, CancellationToken stop = default)
    {
        MemoryBlockDevice[] before = workload.Prepare();
        var calm = new FaultRun(workload, before, null) { Above = Above };
        string? problem = calm.Run();
        if (problem is not null)
        {
            Fail(workload, $"undisturbed: {problem}");
            return;
        }

        foreach (FaultMode mode in Modes)
        {
            foreach (DeviceCall call in Kinds)
            {
                bool applies = mode switch
                {
                    FaultMode.Torn or FaultMode.Arrived => call == DeviceCall.Write,
                    FaultMode.Gone => call == DeviceCall.Read,
                    _ => true,
                };
                for (int volume = 0; applies && volume < before.Length; volume++)
                {
                    if (!RunAll(workload, before, calm, mode, call, volume, stop))
                        return;
                }
            }
        }

        Interlocked.Increment(ref _workloads);
    }

    private bool RunAll(
        CrashWorkload workload, MemoryBlockDevice[] before, FaultRun calm, FaultMode mode, DeviceCall call, int volume, CancellationToken stop)
    {
        long calls = mode == FaultMode.Gone ? calm.Calls(volume) : calm.Calls(volume, call);
        var random = new Random(seed);
        int calmInARow = 0;

        // The undisturbed run looked at everything in between and so made more calls: who fails none has come to the end.
        for (long nth = 1; nth <= calls + 1 && calmInARow < CalmInARowMax; nth++)
        {
            if (calls > CallsMax && random.NextInt64(calls) >= CallsMax)
                continue;
            if (stop.IsCancellationRequested)
                return false;
            var run = new FaultRun(workload, before, calm) { Above = Above, Mode = mode, Call = call, Volume = volume, Nth = nth };
            Task<string?> task = Task.Factory.StartNew(run.Run, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            string? problem = task.Wait(s_patience, CancellationToken.None) ? task.Result : $"nothing happened for {s_patience}; it was {run.Stage}";
            Interlocked.Increment(ref _runs);
            Judged?.Invoke();
            calmInARow = run.Failures > 0 ? 0 : calmInARow + 1;
            if (problem is null)
                continue;
            Fail(workload, string.Create(CultureInfo.InvariantCulture, $"volume {volume}, {call} {nth} of {calls} failing {mode}, while {run.Stage}: {problem}"));
            return false;
        }

        return true;
    }

    private void Fail(CrashWorkload workload, string problem)
    {
        lock (_gate)
            _failures.Add(string.Create(CultureInfo.InvariantCulture, $"Workload \"{workload}\", seed {seed}, {problem}\nagain: hammer2-torture faults --workload \"{workload}\" --seed {seed}"));
    }
}
