// `hammer2 verify`: reads every block that the newest header reaches and compares its check code. Invariant: code 0
// means that every block was read and is right.
// May call Listing, Output and the engine's checking.

using System.CommandLine;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Live;
using Hammer2.Cli.Output;
using Hammer2.Engine.Checking;

namespace Hammer2.Cli.Verbs;

/// <summary>Verifies volumes.</summary>
internal static class VerifyVerb
{
    public static IEnumerable<VerbCommand> Create() =>
    [
        Create("verify", "Read every block of a volume, all PFSs and snapshots, and compare its check code.", "hammer2 verify --json vol0.img:vol1.img"),
        Create("scrub", "verify for a volume in use: in the mount, as slow as wanted.", $"hammer2 scrub --rate 50M --detach {MountVerb.ExampleTarget}"),
    ];

    private static VerbCommand Create(string name, string description, string example)
    {
        Argument<string> image = GlobalOptions.Volume();
        var rate = new Option<long?>("--rate")
        {
            Description = "Read no more than this in a second, such as 50M; as fast as possible when left out.",
            HelpName = "SIZE",
            CustomParser = result =>
            {
                if (ByteSize.TryParse(result.Tokens[0].Value, out long bytes) && bytes >= 1 << 16)
                    return bytes;
                result.AddError($"--rate wants a size of at least 64K, such as 50M, not '{result.Tokens[0].Value}'");
                return null;
            },
        };
        return new VerbCommand(name, description, $"hammer2 {name} disk.img", example)
        {
            image, rate,
        }.Lives(LiveUse.Long).Pauses().Runs((context, parsed) => Verify(context, parsed.GetRequiredValue(image), parsed.GetValue(rate)));
    }

    private static VerbResult Verify(VerbContext context, string imageName, long? rate)
    {
        using OpenedImage image = OpenedImage.OpenVolume(context, imageName);
        VerifyReport report = ProgressDisplay.Run(
            context.Terminal,
            "verifying",
            () => image.Volume.TotalBytes - image.Volume.FreeBytes,
            advance => new VolumeVerifier(image.Volume).Run(0, new Pace(advance, rate, context), context.Stop));
        return new VerbResult(VerifyShape.Of(report))
        {
            ItemsName = "findings",
            Items = report.Findings.Select(FindingShape.Of),
            Tail = () => new VerdictShape(report.IsClean, report.FindingCount),
            ExitCodeOfVerb = () => report.IsClean ? ExitCode.Success : ExitCode.Partial,
        };
    }

    /// <summary>Turns running totals into steps, and holds the readers up while they are too fast or told to wait.</summary>
    private sealed class Pace(Action<long> advance, long? rate, VerbContext context) : IProgress<VerifyProgress>
    {
        private readonly Lock _gate = new();
        private readonly System.Diagnostics.Stopwatch _running = System.Diagnostics.Stopwatch.StartNew();
        private long _seen;

        public void Report(VerifyProgress value)
        {
            lock (_gate)
            {
                if (value.Bytes > _seen)
                {
                    advance(value.Bytes - _seen);
                    _seen = value.Bytes;
                }

                // Who waits here holds the other readers up as well.
                _running.Stop();
                context.Terminal.WaitWhilePaused();
                _running.Start();
                if (rate is { } perSecond && (double)_seen / perSecond - _running.Elapsed.TotalSeconds is > 0 and var ahead)
                    context.Stop.WaitHandle.WaitOne(TimeSpan.FromSeconds(Math.Min(ahead, 3600)));
            }
        }
    }
}

/// <summary>What was verified.</summary>
internal sealed record VerifyShape(
    long Inodes,
    long Indirects,
    long DataBlocks,
    long DirectoryEntries,
    long FreemapBlocks,
    long Bytes,
    long UncheckedBlocks,
    IReadOnlyList<string> Warnings)
    : ITextShape
{
    public static VerifyShape Of(VerifyReport report) => new(
        report.Inodes,
        report.Indirects,
        report.DataBlocks,
        report.DirectoryEntries,
        report.FreemapBlocks,
        report.Bytes,
        report.UncheckedBlocks,
        report.Warnings);

    public void WriteText(TextOutput output)
    {
        output.Line(
            $"{Inodes} inodes, {DirectoryEntries} directory entries, {DataBlocks} data blocks, "
            + $"{Indirects} indirect blocks, {FreemapBlocks} freemap blocks");
        output.Line($"{ByteSize.Show(Bytes)} read, {UncheckedBlocks} blocks carry no check code");
        foreach (string warning in Warnings)
            output.Line("warning: " + warning);
    }
}

/// <summary>One thing that is wrong.</summary>
internal sealed record FindingShape(
    string Code, string? Pfs, ulong? Inum, string? Path, string Offset, string Blockref, string Message) : ITextShape
{
    public static FindingShape Of(VerifyFinding finding) => new(
        ErrorText.Code(finding.Error),
        finding.Pfs,
        finding.InodeNumber == 0 ? null : finding.InodeNumber,
        finding.Path,
        $"0x{finding.Offset:x}",
        finding.BlockRef,
        finding.Message);

    public void WriteText(TextOutput output)
    {
        string pfs = Pfs is null ? "" : MediaText.Show(Pfs) + ":";
        string where = Path is not null ? MediaText.Show(Path) : Inum is not null ? $"inode {Inum}" : "";
        string subject = pfs + where;
        output.Line($"damaged: {subject}{(subject.Length > 0 ? " " : "")}{Message}");
    }
}

/// <summary>The last line.</summary>
internal sealed record VerdictShape(bool Clean, long FindingCount) : ITextShape
{
    public void WriteText(TextOutput output) => output.Line(Clean ? "no damage found" : $"{FindingCount} blocks are damaged");
}
