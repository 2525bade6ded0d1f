// `hammer2 fsck --repair`: what was done, or would be, before the findings that are left. Invariants: a dry run opens the devices
// without the right to write; the exit code is that of the volume as it is afterwards, and 1 also when a repair was not possible.
// May call Output and the engine's checking and devices.

using Hammer2.Cli.Output;
using Hammer2.Engine.Checking;
using Hammer2.Engine.Devices;

namespace Hammer2.Cli.Verbs;

/// <summary>Repairs volumes.</summary>
internal static partial class FsckVerb
{
    private static VerbResult Repair(VerbContext context, List<IBlockDevice> devices, CheckOptions check, bool dryRun)
    {
        var options = new RepairOptions { Check = check, DryRun = dryRun, Logger = context.Logger };

        // A repair is checked afterwards, so there is twice as much to read; when nothing is wrong the bar ends at its half.
        RepairReport report = ProgressDisplay.Run(
            context.Terminal,
            dryRun ? "checking" : "repairing",
            () => BytesInUse(devices) * (dryRun ? 1 : 2),
            advance => VolumeRepairer.Repair(devices, options, new Difference(advance), context.Stop));
        return new VerbResult(new FsckRepairShape(report, dryRun))
        {
            ItemsName = "findings",
            Items = report.After.Findings.Select(CheckFindingShape.Of),
            Tail = () => new FsckVerdictShape(report.After),
            ExitCodeOfVerb = () => CodeOf(report),
        };
    }

    private static int CodeOf(RepairReport report)
    {
        int code = CodeOf(report.After);
        return code == ExitCode.Success && (report.Left > 0 || report.Problem is not null) ? ExitCode.Partial : code;
    }
}

/// <summary>One repair.</summary>
internal sealed record RepairActionShape(string Outcome, string Code, string? Pfs, ulong? Inum, string? Path, string Message, string? Problem) : ITextShape
{
    public static RepairActionShape Of(RepairAction action, bool dryRun) => new(
        action.Problem is not null ? "left" : dryRun ? "would_repair" : "repaired",
        action.Code.Name,
        action.Pfs,
        action.InodeNumber == 0 ? null : action.InodeNumber,
        action.Path,
        action.Message,
        action.Problem);

    public void WriteText(TextOutput output)
    {
        string outcome = Outcome.Replace('_', ' ');
        output.Line($"{outcome}: {Code}: {CheckFindingShape.Where(Pfs, Path, Inum)}{Problem ?? Message}");
    }
}

/// <summary>What was checked, and what was done about it.</summary>
internal sealed record FsckRepairShape : FsckShape
{
    public FsckRepairShape(RepairReport report, bool dryRun)
        : base(Of(report.After))
    {
        DryRun = dryRun;
        Repaired = report.Done;
        Left = report.Left;
        Commits = report.Commits;
        Problem = report.Problem;
        Repairs = [.. report.Actions.Select(a => RepairActionShape.Of(a, dryRun))];
    }

    public bool DryRun { get; }

    public long Repaired { get; }

    public long Left { get; }

    public long Commits { get; }

    public string? Problem { get; }

    public IReadOnlyList<RepairActionShape> Repairs { get; }

    public override void WriteText(TextOutput output)
    {
        base.WriteText(output);
        foreach (RepairActionShape repair in Repairs)
            repair.WriteText(output);
        if (Problem is not null)
            output.Line($"problem: {Problem}");
        output.Line($"{Repaired} {(DryRun ? "would be repaired" : "repaired")}, {Left} could not be repaired, {Commits} commits");
    }
}
