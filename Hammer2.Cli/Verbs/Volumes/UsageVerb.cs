// `hammer2 usage`: where the space of a volume went, as text, JSON or one HTML page with pictures. Invariants: one walk over the
// whole volume, which may be in use; nothing is written. May call Listing, Live, Output and UsagePage.

using System.CommandLine;
using System.Globalization;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Live;
using Hammer2.Cli.Output;
using Hammer2.Engine.Diagnostics;

namespace Hammer2.Cli.Verbs.Volumes;

/// <summary>Where the space went.</summary>
internal static class UsageVerb
{
    private const int DirectoriesDefault = 20, DirectoriesOfPage = 2000;

    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Image();
        var html = new Option<bool>("--html") { Description = "Print one HTML page with pictures: a tree map of directories, a map of the freemap." };
        var count = new Option<int?>("--directories", "-n") { Description = "How many directories to name, the largest first (default 20; 2000 for the page).", HelpName = "N" };
        return new VerbCommand(
            "usage",
            "Show where the space of a volume went: live, snapshots, reclaimable, compression, deduplication, directories.",
            "hammer2 usage disk.img",
            "hammer2 usage --html /mnt/h2 > usage.html")
        {
            image, html, count,
        }.Lives(LiveUse.Long).RunsRaw((context, parsed) => Show(
            context, parsed.GetRequiredValue(image), parsed.GetValue(html), parsed.GetValue(count) ?? (parsed.GetValue(html) ? DirectoriesOfPage : DirectoriesDefault)));
    }

    private static int Show(VerbContext context, string imageName, bool html, int directories)
    {
        if (html && context.Json)
            throw CliException.Usage("--html and --json exclude each other; give one of them");
        using OpenedImage image = OpenedImage.OpenVolume(context, imageName);
        string label = VolumeChange.LabelOf(context, image, imageName);
        VolumeUsage usage = ProgressDisplay.Run(
            context.Terminal,
            "walking",
            () => image.Volume.TotalBytes - image.Volume.FreeBytes,
            advance => UsageWalk.Run(image.Volume, new UsageOptions { DirectoriesOf = label, DirectoriesMax = directories }, new ReferenceProgress<UsageProgress>(advance, static report => report.References), context.Stop));
        if (html)
        {
            byte[] page = System.Text.Encoding.UTF8.GetBytes(UsagePage.Of(image, label, usage, context.Stop));
            context.Terminal.Output.Write(page);
            return usage.Damaged > 0 ? ExitCode.Partial : ExitCode.Success;
        }

        var failures = new FailureList();
        if (usage.Damaged > 0)
            failures.Add(Failure.OfVolume("damaged", $"{usage.Damaged} blocks could not be read; what lies below them is not counted; run 'hammer2 fsck'"));
        return context.Results.Write(new VerbResult(UsageShape.Of(label, usage)) { Failures = failures });
    }
}

/// <summary>Where the space went.</summary>
internal sealed record UsageShape(
    string Label,
    long TotalBytes,
    long FreeBytes,
    long LiveBytes,
    long SnapshotBytes,
    long ReclaimableBytes,
    long MetadataBytes,
    long DataBytes,
    long LogicalBytes,
    double CompressionRatio,
    long DedupBytes,
    bool Exact,
    IReadOnlyList<PfsUsageShape> Pfs,
    IReadOnlyList<DirectoryUsageShape> Directories) : ITextShape
{
    private static readonly string[] s_pfsHeadings = ["PFS", ">REFERS TO", ">OWN", ">INODES", ""];
    private static readonly string[] s_directoryHeadings = [">STORED", ">SIZE", ">FILES", "DIRECTORY"];

    public static UsageShape Of(string label, VolumeUsage usage) => new(
        label, usage.TotalBytes, usage.FreeBytes, usage.LiveBytes, usage.SnapshotBytes, usage.ReclaimableBytes, usage.MetadataBytes, usage.DataBytes,
        usage.LogicalBytes, Math.Round(usage.CompressionRatio, 3), usage.DedupBytes, usage.IsExact,
        [.. usage.Pfses.Select(PfsUsageShape.Of)], [.. usage.Directories.Select(DirectoryUsageShape.Of)]);

    public void WriteText(TextOutput output)
    {
        output.Fact("usable", Share(TotalBytes));
        output.Fact("free", Share(FreeBytes));
        output.Fact("live", Share(LiveBytes));
        output.Fact("only in snapshots", Share(SnapshotBytes));
        output.Fact("reclaimable", Share(ReclaimableBytes) + (ReclaimableBytes > 0 ? "; 'hammer2 bulkfree' gives it back" : ""));
        output.Fact("metadata", Share(MetadataBytes));
        output.Fact("file data", string.Create(
            CultureInfo.InvariantCulture, $"{ByteSize.Show(DataBytes)} stored for {ByteSize.Show(LogicalBytes)}, compression {CompressionRatio:0.00}"));
        output.Fact("deduplication", $"{ByteSize.Show(DedupBytes)} saved");
        if (!Exact)
            output.Line("not exact: memory was too short to know every shared block again");
        output.Line();
        output.Table(s_pfsHeadings, [.. Pfs.Select(static pfs => pfs.Cells)]);
        output.Line();
        output.Table(s_directoryHeadings, [.. Directories.Select(static directory => directory.Cells)]);
    }

    private string Share(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{ByteSize.Show(bytes)} ({100.0 * bytes / Math.Max(1, TotalBytes):0.0} %)");
}

/// <summary>One PFS.</summary>
internal sealed record PfsUsageShape(string Label, bool Snapshot, long ReferencedBytes, long OwnBytes, long Inodes)
{
    [System.Text.Json.Serialization.JsonIgnore]
    public string[] Cells => [MediaText.Show(Label), ByteSize.Show(ReferencedBytes), ByteSize.Show(OwnBytes), $"{Inodes}", Snapshot ? "snapshot" : ""];

    public static PfsUsageShape Of(PfsUsage usage) => new(usage.Label, usage.IsSnapshot, usage.ReferencedBytes, usage.OwnBytes, usage.Inodes);
}

/// <summary>One directory with everything below it.</summary>
internal sealed record DirectoryUsageShape(string? Path, string? PathHex, ulong Inum, ulong ParentInum, long StoredBytes, long LogicalBytes, long Files, long Directories)
{
    private string Shown { get; init; } = "";

    [System.Text.Json.Serialization.JsonIgnore]
    public string[] Cells => [ByteSize.Show(StoredBytes), ByteSize.Show(LogicalBytes), $"{Files}", Shown];

    public static DirectoryUsageShape Of(DirectoryUsage usage)
    {
        byte[] path = [(byte)'/', .. usage.Path];
        var (text, hex) = MediaText.Split(path);
        return new DirectoryUsageShape(text, hex, usage.InodeNumber, usage.ParentInode, usage.StoredBytes, usage.LogicalBytes, usage.Files, usage.Directories) { Shown = MediaText.Show(path) };
    }
}
