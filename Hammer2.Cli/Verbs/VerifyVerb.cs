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
    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Volume();
        return new VerbCommand(
            "verify",
            "Read every block of a volume, all PFSs and snapshots, and compare its check code.",
            "hammer2 verify disk.img",
            "hammer2 verify --json vol0.img:vol1.img")
        {
            image,
        }.Lives(LiveUse.Long).Runs((context, parsed) => Verify(context, parsed.GetRequiredValue(image)));
    }

    private static VerbResult Verify(VerbContext context, string imageName)
    {
        using OpenedImage image = OpenedImage.OpenVolume(context, imageName);
        VerifyReport report = ProgressDisplay.Run(
            context.Terminal,
            "verifying",
            () => image.Volume.TotalBytes - image.Volume.FreeBytes,
            advance => new VolumeVerifier(image.Volume).Run(0, new Difference(advance), context.Stop));
        return new VerbResult(VerifyShape.Of(report))
        {
            ItemsName = "findings",
            Items = report.Findings.Select(FindingShape.Of),
            Tail = () => new VerdictShape(report.IsClean, report.FindingCount),
            ExitCodeOfVerb = () => report.IsClean ? ExitCode.Success : ExitCode.Partial,
        };
    }

    /// <summary>Turns running totals into steps.</summary>
    private sealed class Difference(Action<long> advance) : IProgress<VerifyProgress>
    {
        private readonly Lock _gate = new();
        private long _seen;

        public void Report(VerifyProgress value)
        {
            lock (_gate)
            {
                if (value.Bytes <= _seen)
                    return;
                advance(value.Bytes - _seen);
                _seen = value.Bytes;
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
