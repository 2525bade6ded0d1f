// What a repair is asked for, and what it did. Plain data: the command prints it, tests compare it. Messages are single
// lines without names from the medium; paths are there where names lead to the object.

using Microsoft.Extensions.Logging;

namespace Hammer2.Engine.Checking;

/// <summary>How a volume is repaired.</summary>
public sealed record RepairOptions
{
    /// <summary>How it is checked before and after; always the newest header copy.</summary>
    public CheckOptions Check { get; init; } = new();

    /// <summary>Only says what would be done; the devices are not written.</summary>
    public bool DryRun { get; init; }

    /// <summary>Repairs that are planned at once; what is beyond follows in another commit. Bounds memory.</summary>
    public int StepsMax { get; init; } = 200_000;

    /// <summary>Told of damage that is met on the way; null = nobody.</summary>
    public ILogger? Logger { get; init; }
}

/// <summary>One thing that was repaired, would be, or could not be.</summary>
/// <param name="Code">The kind of finding.</param>
/// <param name="Pfs">Label of the PFS, or null for headers and freemap.</param>
/// <param name="InodeNumber">Inode that it belongs to; 0 when there is none.</param>
/// <param name="Path">A path of that inode or entry, or null when none was found.</param>
/// <param name="Message">What was done, one sentence.</param>
/// <param name="Problem">Why it was left as it is; null when it was done, or would be.</param>
public sealed record RepairAction(CheckCode Code, string? Pfs, ulong InodeNumber, string? Path, string Message, string? Problem)
{
    /// <inheritdoc/>
    public override string ToString() =>
        $"{(Problem is null ? "repaired" : "left")}: {Code.Name}: {(Pfs is null ? "" : Pfs + ":")}{Path ?? (InodeNumber == 0 ? "" : $"inode {InodeNumber}")} {Message} {Problem}";
}

/// <summary>Result of a repair.</summary>
/// <param name="Before">What the check found before.</param>
/// <param name="After">What it found afterwards; the same as <paramref name="Before"/> when nothing was written.</param>
/// <param name="Actions">The first of each kind.</param>
/// <param name="Done">How many repairs are on the medium, or would be.</param>
/// <param name="Left">How many could not be done.</param>
/// <param name="Commits">Commits that were written; each has taken one header slot.</param>
/// <param name="Problem">Why nothing more could be written; null when all went well.</param>
public sealed record RepairReport(
    CheckReport Before, CheckReport After, IReadOnlyList<RepairAction> Actions, long Done, long Left, long Commits, string? Problem)
{
    /// <inheritdoc/>
    public override string ToString() =>
        $"{Done} repaired, {Left} left, {Commits} commits{(Problem is null ? "" : ", " + Problem)}\n{string.Join('\n', Actions)}\nafter: {After}";
}
