// One run of a workload on a device of which one call fails, and the judgement on it. Undisturbed, the same run yields the
// states and answers that the others are compared with; times are left out of the comparison.

using Hammer2.Engine.Devices;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Torture.Crash;
using Hammer2.Torture.Devices;

namespace Hammer2.Torture.Faults;

/// <summary>A run; used once.</summary>
internal sealed class FaultRun(CrashWorkload workload, IReadOnlyList<MemoryBlockDevice> before, FaultRun? calm)
{
    private readonly List<Exception> _told = [];
    private FaultDevice[] _devices = [];
    private IReadOnlyList<TreeSnapshot> _history = [];
    private IReadOnlyList<Hammer2Error> _answers = [];
    private int _done;
    private int _promised;

    internal Func<IBlockDevice, IBlockDevice> Above { get; init; } = static device => device;

    internal FaultMode Mode { get; init; }

    internal DeviceCall Call { get; init; }

    internal int Volume { get; init; }

    internal long Nth { get; init; }

    /// <summary>What it is at.</summary>
    internal string Stage { get; private set; } = "preparing";

    /// <summary>Calls that failed.</summary>
    internal long Failures => _devices.Sum(device => device.Failures);

    internal long Calls(int volume, DeviceCall call) => _devices[volume].CallsOf(call);

    internal long Calls(int volume) => Enum.GetValues<DeviceCall>().Sum(call => _devices[volume].CallsOf(call));

    /// <summary>Runs and judges.</summary>
    /// <returns>What is wrong; null when nothing is.</returns>
    internal string? Run()
    {
        try
        {
            MemoryBlockDevice[] media = [.. before.Select(device => device.Clone())];
            _devices = [.. media.Select(device => new FaultDevice(device))];
            if (calm is not null)
                Arm();
            return RunAndClose() ?? (calm is null ? null : JudgeMedium(media));
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return $"(steps done {_done}, promised {_promised}) {e}";
        }
    }

    private void Arm()
    {
        FaultDevice device = _devices[Volume];
        device.TearsFailingWrites = Mode == FaultMode.Torn;
        device.FailingWritesArrive = Mode == FaultMode.Arrived;
        if (Mode == FaultMode.Gone)
            device.Vanish(Nth);
        else
            device.Fail(Call, Nth, Mode == FaultMode.ForEver);
    }

    private string? RunAndClose()
    {
        Stage = "opening";
        CrashRun? opened = null;
        if (!Tell(() => opened = new CrashRun(
            [.. _devices.Select(Above)], workload.Setup, new DeviceRecord(), calm is null ? CrashRun.Watch.AlwaysWithoutTimes : CrashRun.Watch.Never, calm?._answers)))
        {
            return NotTold();
        }

        CrashRun run = opened!;
        string? problem = null;
        try
        {
            Stage = "running";
            bool passed = Tell(() => workload.Run(run));
            Stage = "syncing";
            bool synced = Tell(run.Sync);
            (_history, _answers, _done, _promised) = (run.History, run.Answers, run.Answers.Count, run.Promised);
            Stage = "looking at what is in memory";
            if (calm is not null)
                problem = JudgeMemory(run, passed, synced);
        }
        finally
        {
            Stage = "closing";
            Tell(run.Dispose);
        }

        return problem ?? NotTold();
    }

    // A transient failure of a read may be made good silently, one of a write or flush never.
    private string? NotTold() => Failures > 0 && _told.Count == 0 && Call != DeviceCall.Read ? "nobody was told" : null;

    private bool Tell(Action action)
    {
        try
        {
            action();
            return true;
        }
        catch (Exception e) when (calm is not null && e is Hammer2Exception or StepRefusedException)
        {
            _told.Add(e);
            return false;
        }
    }

    private string? JudgeMemory(CrashRun run, bool passed, bool synced)
    {
        foreach (Exception told in _told)
        {
            if (told.Message.Contains('\n', StringComparison.Ordinal) || told.Message.Length < 10)
                return $"the message is not one clear line: {told.Message}";
            // Where the freemap cannot be read nothing is allocated; a small volume may have no other place.
            bool full = told is StepRefusedException { Error: Hammer2Error.NoSpace } && run.Volume.Writer!.Freemap.DamagedZones > 0;
            if (!full && told is StepRefusedException refused && refused.Error != Hammer2Error.ReadOnly)
                return $"a step was refused with {refused.Error}";
        }

        if (passed && synced && _done != calm!._answers.Count)
            return "the run passed with fewer steps";
        bool latched = run.Volume.Failure is not null;
        if (latched == run.Volume.IsWritable)
            return "IsWritable and Failure disagree";
        if (!synced && !latched)
            return "a sync failed and the volume goes on";
        // What was accepted can still be read; only reads that cannot reach the medium are helped.
        if (Call == DeviceCall.Read)
            Heal();
        TreeSnapshot seen = TreeSnapshot.Of(run.Volume, withTimes: false);
        if (seen.Digest != calm!._history[_done].Digest)
            return $"in memory is not what {_done} steps make (seen, expected), told {Told()}:\n{seen.DifferenceTo(calm._history[_done])}";
        if (!latched)
            return null;
        Heal();
        if (!Throws(run.Volume.Sync))
            return "a sync after the failed one succeeded";
        run.ExpectAnything();
        return run.Create("/one more") is Hammer2Error.None ? "a change was accepted after the failure" : null;
    }

    private string? JudgeMedium(IReadOnlyList<IBlockDevice> media)
    {
        Stage = "judging the medium";
        Heal();
        var state = new CrashState("after the run", [CrashRun.PromiseMark + _promised, CrashRun.BeginMark + _done], () => [.. media]);
        string? problem = new CrashJudge(workload.Setup, calm!._history, withTimes: false).Judge(state, withWriting: true);
        return problem is null ? null : $"told {Told()}: {problem}";
    }

    private void Heal()
    {
        foreach (FaultDevice device in _devices)
            device.Heal();
    }

    private string Told() => _told.Count == 0 ? "nothing" : string.Join("; ", _told.Select(e => e.Message));

    private static bool Throws(Action action)
    {
        try
        {
            action();
            return false;
        }
        catch (Hammer2Exception)
        {
            return true;
        }
    }
}
