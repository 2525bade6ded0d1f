// What checks and repairs found, as objects. Invariants: an object never changes; a property that one of the two checks does not know is 0 or
// null. Calls Running's JSON.

using Hammer2.PowerShell.Running;

namespace Hammer2.PowerShell;

/// <summary>The verdict of a check.</summary>
public class Hammer2TestResult
{
    internal Hammer2TestResult(string image, string mode, JsonObject json, IReadOnlyList<Hammer2Finding> findings)
    {
        Image = image;
        Mode = mode;
        Clean = json.Flag("clean");
        Errors = json.NumberOrNull("errors") ?? json.Number("finding_count");
        WarningCount = json.Number("warnings");
        InformationCount = json.Number("informations");
        Inodes = json.Number("inodes");
        DirectoryEntries = json.Number("directory_entries");
        DataBlocks = json.Number("data_blocks");
        Bytes = json.Number("bytes");
        Findings = findings;
    }

    /// <summary>The volume, as it was named.</summary>
    public string Image { get; }

    /// <summary>Which check: Structure or Blocks.</summary>
    public string Mode { get; }

    /// <summary>No errors.</summary>
    public bool Clean { get; }

    /// <summary>Number of errors.</summary>
    public long Errors { get; }

    /// <summary>Rules that do not hold without anything being lost.</summary>
    public long WarningCount { get; }

    /// <summary>Space that could be given back.</summary>
    public long InformationCount { get; }

    /// <summary>Inodes that were seen.</summary>
    public long Inodes { get; }

    /// <summary>Names that were seen.</summary>
    public long DirectoryEntries { get; }

    /// <summary>Blocks of files that were seen.</summary>
    public long DataBlocks { get; }

    /// <summary>Bytes of all blocks that were seen.</summary>
    public long Bytes { get; }

    /// <summary>What is wrong, the first hundred of each kind.</summary>
    public IReadOnlyList<Hammer2Finding> Findings { get; }
}

/// <summary>Something that a check found.</summary>
public sealed class Hammer2Finding
{
    internal Hammer2Finding(JsonObject json)
    {
        Severity = json.TextOrNull("severity") ?? "error";
        Code = json.Text("code");
        Pfs = json.TextOrNull("pfs");
        Inode = json.NumberOrNull("inum");
        Path = json.TextOrNull("path");
        Offset = json.TextOrNull("offset");
        BlockRef = json.TextOrNull("blockref");
        Message = json.Text("message");
        Advice = json.TextOrNull("advice");
    }

    /// <summary>error, warning or information.</summary>
    public string Severity { get; }

    /// <summary>Kind.</summary>
    public string Code { get; }

    /// <summary>The PFS.</summary>
    public string? Pfs { get; }

    /// <summary>The inode.</summary>
    public long? Inode { get; }

    /// <summary>The path, when it is known.</summary>
    public string? Path { get; }

    /// <summary>Place on the medium.</summary>
    public string? Offset { get; }

    /// <summary>The reference to the block.</summary>
    public string? BlockRef { get; }

    /// <summary>What is wrong.</summary>
    public string Message { get; }

    /// <summary>What to do.</summary>
    public string? Advice { get; }
}

/// <summary>What a repair did, and what is left.</summary>
public sealed class Hammer2RepairResult : Hammer2TestResult
{
    internal Hammer2RepairResult(string image, JsonObject json, IReadOnlyList<Hammer2Finding> findings)
        : base(image, "Structure", json, findings)
    {
        DryRun = json.Flag("dry_run");
        Repaired = json.Number("repaired");
        Left = json.Number("left");
        Commits = json.Number("commits");
        Problem = json.TextOrNull("problem");
        Repairs = [.. json.Objects("repairs").Select(static repair => new Hammer2RepairAction(repair))];
    }

    /// <summary>Nothing was changed.</summary>
    public bool DryRun { get; }

    /// <summary>Number of repairs.</summary>
    public long Repaired { get; }

    /// <summary>Number of repairs that were not possible.</summary>
    public long Left { get; }

    /// <summary>Commits that were made.</summary>
    public long Commits { get; }

    /// <summary>Why nothing more was written.</summary>
    public string? Problem { get; }

    /// <summary>Each repair.</summary>
    public IReadOnlyList<Hammer2RepairAction> Repairs { get; }
}

/// <summary>A repair.</summary>
public sealed class Hammer2RepairAction
{
    internal Hammer2RepairAction(JsonObject json)
    {
        Outcome = json.Text("outcome");
        Code = json.Text("code");
        Pfs = json.TextOrNull("pfs");
        Inode = json.NumberOrNull("inum");
        Path = json.TextOrNull("path");
        Message = json.Text("message");
        Problem = json.TextOrNull("problem");
    }

    /// <summary>repaired, would_repair or left.</summary>
    public string Outcome { get; }

    /// <summary>Kind of finding.</summary>
    public string Code { get; }

    /// <summary>The PFS.</summary>
    public string? Pfs { get; }

    /// <summary>The inode.</summary>
    public long? Inode { get; }

    /// <summary>The path, when it is known.</summary>
    public string? Path { get; }

    /// <summary>What was done.</summary>
    public string Message { get; }

    /// <summary>Why it was not possible.</summary>
    public string? Problem { get; }
}
