// What a check found, and how it is asked for. Plain data: the command prints it, tests compare it. Messages are single
// lines without names from the medium; paths are there where names lead to the damaged object.

namespace Hammer2.Engine.Checking;

/// <summary>How a volume is checked.</summary>
public sealed record CheckOptions
{
    /// <summary>Default of <see cref="FindingsPerCodeMax"/>.</summary>
    public const int DefaultFindingsPerCode = 100;

    /// <summary>Header copy (0..3) of the root volume whose state is checked; null = the newest valid one.</summary>
    public int? HeaderCopy { get; init; }

    /// <summary>Read data blocks, compare their check codes and decode them.</summary>
    public bool Data { get; init; } = true;

    /// <summary>Findings kept of each kind; further ones are counted.</summary>
    public int FindingsPerCodeMax { get; init; } = DefaultFindingsPerCode;

    /// <summary>Threads; 0 = one per processor. Small volumes are checked on the caller's thread alone.</summary>
    public int Workers { get; init; }
}

/// <summary>One thing that is not as the format demands.</summary>
/// <param name="Code">What kind.</param>
/// <param name="Pfs">Label of the PFS, or null for headers, super-root and freemap.</param>
/// <param name="InodeNumber">Inode that it belongs to; 0 when there is none.</param>
/// <param name="Path">A path of that inode or entry, or null when none was found.</param>
/// <param name="Offset">Address in the volume, bytes; 0 when there is none.</param>
/// <param name="BlockRef">The reference in one line, or null.</param>
/// <param name="Message">What is wrong, one sentence.</param>
public sealed record CheckFinding(
    CheckCode Code, string? Pfs, ulong InodeNumber, string? Path, ulong Offset, string? BlockRef, string Message)
{
    /// <summary>How bad it is.</summary>
    public CheckSeverity Severity => Code.Severity;

    /// <inheritdoc/>
    public override string ToString() =>
        $"{Severity}: {Code.Name}: {(Pfs is null ? "" : Pfs + ":")}{Path ?? (InodeNumber == 0 ? "" : $"inode {InodeNumber}")} {Message} [{BlockRef}]";
}

/// <summary>How many findings of one kind there are.</summary>
public readonly record struct CheckCount(CheckCode Code, long Count);

/// <summary>How far a check is.</summary>
/// <param name="Blocks">Blocks looked at.</param>
/// <param name="Bytes">Bytes of them as stored.</param>
/// <param name="Findings">Findings so far.</param>
public readonly record struct CheckProgress(long Blocks, long Bytes, long Findings);

/// <summary>What was looked at.</summary>
/// <param name="Pfs">PFSs and snapshots.</param>
/// <param name="Inodes">Inodes; those that snapshots share count in each.</param>
/// <param name="DirectoryEntries">Directory entries, in the same way.</param>
/// <param name="Indirects">Indirect blocks, in the same way.</param>
/// <param name="DataBlocks">File blocks; those that snapshots share count once.</param>
/// <param name="Bytes">Bytes read, as stored.</param>
/// <param name="FreemapLeaves">Leaves of the freemap.</param>
public sealed record CheckTotals(
    int Pfs, long Inodes, long DirectoryEntries, long Indirects, long DataBlocks, long Bytes, int FreemapLeaves);

/// <summary>Result of a check.</summary>
/// <param name="HeaderCopy">Header copy whose state was checked; -1 when there was none.</param>
/// <param name="MirrorTid">Its transaction.</param>
/// <param name="Totals">What was looked at.</param>
/// <param name="Counts">Findings by kind, only kinds that were met.</param>
/// <param name="Findings">The first of each kind, the worst first.</param>
public sealed record CheckReport(
    int HeaderCopy, ulong MirrorTid, CheckTotals Totals, IReadOnlyList<CheckCount> Counts, IReadOnlyList<CheckFinding> Findings)
{
    /// <summary>Findings of severity Error.</summary>
    public long Errors => CountOf(CheckSeverity.Error);

    /// <summary>Findings of severity Warning.</summary>
    public long Warnings => CountOf(CheckSeverity.Warning);

    /// <summary>Findings of severity Information.</summary>
    public long Informations => CountOf(CheckSeverity.Information);

    /// <summary>True when there are no errors.</summary>
    public bool IsClean => Errors == 0;

    /// <summary>Blocks in use as the walk found them, for a repair; null when the walk could not begin.</summary>
    internal UsageMap? Usage { get; init; }

    /// <summary>How many findings of that name there are.</summary>
    public long CountOf(string code) => Counts.Where(c => c.Code.Name == code).Sum(c => c.Count);

    /// <inheritdoc/>
    public override string ToString() => $"{Errors} errors, {Warnings} warnings, {Informations} informations\n" + string.Join('\n', Findings);

    private long CountOf(CheckSeverity severity) => Counts.Where(c => c.Code.Severity == severity).Sum(c => c.Count);
}
