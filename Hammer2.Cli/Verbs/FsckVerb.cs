// `hammer2 fsck`: the strict check of a whole volume, and the repair of what has one right answer. Invariants: nothing is written
// without --repair; code 0 means that there are no errors (any more), whatever warnings there are; it works on volumes that
// cannot be mounted, as far as there is a header. May call Listing, Output and the engine's checking and devices.

using System.CommandLine;
using System.Globalization;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Engine.Checking;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Cli.Verbs;

/// <summary>Checks volumes.</summary>
internal static partial class FsckVerb
{
    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Volume();
        var noData = new Option<bool>("--no-data") { Description = "Leave out the contents of files: much faster." };
        var header = new Option<int?>("--header")
        {
            Description = "Check the state that this header copy leads to, instead of the newest.",
            HelpName = "N",
            CustomParser = result =>
            {
                string text = result.Tokens[0].Value;
                if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int copy) && copy < FormatLimits.VolumeHeaderCopies)
                    return copy;
                result.AddError($"--header wants a number from 0 to {FormatLimits.VolumeHeaderCopies - 1}, not '{text}'.");
                return null;
            },
        };
        var repair = new Option<bool>("--repair") { Description = "Repair what has one right answer, in a new commit; the rest is left and reported." };
        var dryRun = new Option<bool>("--dry-run") { Description = "With --repair: only say what would be repaired." };
        return new VerbCommand(
            "fsck",
            "Check all structures of a volume against each other: headers, blockrefs, names, links, freemap; repair what can be without guessing.",
            "hammer2 fsck disk.img",
            "hammer2 fsck --repair --dry-run disk.img",
            "hammer2 fsck --repair disk.img",
            "hammer2 fsck --no-data disk.img",
            "hammer2 fsck --header 0 --json vol0.img:vol1.img")
        {
            image, noData, header, repair, dryRun,
        }.Runs((context, parsed) =>
        {
            var options = new CheckOptions { Data = !parsed.GetValue(noData), HeaderCopy = parsed.GetValue(header) };
            bool repairs = parsed.GetValue(repair), dry = parsed.GetValue(dryRun);
            if (dry && !repairs)
                throw CliException.Usage("--dry-run says what --repair would do: give both");
            if (repairs && options.HeaderCopy is not null)
                throw CliException.Usage("--repair repairs the newest state: leave --header out");
            return WithDevices(context, parsed.GetRequiredValue(image), repairs && !dry, devices => repairs ? Repair(context, devices, options, dry) : Check(context, devices, options));
        });
    }

    private static VerbResult Check(VerbContext context, List<IBlockDevice> devices, CheckOptions options)
    {
        CheckReport report = ProgressDisplay.Run(
            context.Terminal,
            "checking",
            () => BytesInUse(devices),
            advance => Run(devices, options, new Difference(advance), context.Stop));
        return new VerbResult(FsckShape.Of(report))
        {
            ItemsName = "findings",
            Items = report.Findings.Select(CheckFindingShape.Of),
            Tail = () => new FsckVerdictShape(report),
            ExitCodeOfVerb = () => CodeOf(report),
        };
    }

    private static VerbResult WithDevices(VerbContext context, string imageName, bool writable, Func<List<IBlockDevice>, VerbResult> run)
    {
        var devices = new List<IBlockDevice>();
        try
        {
            foreach (string path in OpenedImage.Spec(imageName).Paths)
                devices.Add(Open(path, context.Partition, writable));
            return run(devices);
        }
        finally
        {
            foreach (IBlockDevice device in devices)
                device.Dispose();
        }
    }

    private static CheckReport Run(List<IBlockDevice> devices, CheckOptions options, Difference progress, CancellationToken stop)
    {
        try
        {
            return VolumeChecker.Check(devices, options, progress, stop);
        }
        catch (Hammer2Exception e) when (e.Error == Hammer2Error.InvalidArgument)
        {
            throw CliException.Usage(e.Message);
        }
    }

    private static int CodeOf(CheckReport report) =>
        report.HeaderCopy < 0 ? ExitCode.CannotOpen : report.IsClean ? ExitCode.Success : ExitCode.Partial;

    // A device without the trace of a header is no volume; one whose headers are all damaged is one that is broken.
    private static IBlockDevice Open(string path, int? partition, bool writable)
    {
        IBlockDevice? device = null;
        try
        {
            device = DeviceOpener.Open(path, partition, writable);
            if (VolumeHeaderCopy.ReadAll(device).Any(c => c.Fault != HeaderFault.NoMagic))
                return device;
            throw new CliException(ExitCode.CannotOpen, $"{path} holds no HAMMER2 volume: no header magic was found");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            string message = failure.Message.Contains(path, StringComparison.Ordinal) ? failure.Message : $"{path}: {failure.Message}";
            throw new CliException(ExitCode.CannotOpen, message, failure);
        }
        catch (CliException)
        {
            device?.Dispose();
            throw;
        }
    }

    private static long BytesInUse(List<IBlockDevice> devices)
    {
        foreach (IBlockDevice device in devices)
        {
            VolumeHeader? header = VolumeHeaderCopy.Newest(VolumeHeaderCopy.ReadAll(device))?.Header;
            if (header is { VolumeId: 0 } && header.AllocatorSize <= long.MaxValue)
                return (long)(header.AllocatorSize - Math.Min(header.AllocatorSize, header.AllocatorFree));
        }

        return 0;
    }

    /// <summary>Turns running totals into steps.</summary>
    private sealed class Difference(Action<long> advance) : IProgress<CheckProgress>
    {
        private readonly Lock _gate = new();
        private long _seen;

        public void Report(CheckProgress value)
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

/// <summary>What was checked.</summary>
internal record FsckShape(
    int? HeaderCopy, string? MirrorTid, int PfsCount, long Inodes, long DirectoryEntries, long Indirects, long DataBlocks, int FreemapLeaves, long Bytes)
    : ITextShape
{
    public static FsckShape Of(CheckReport report) => new(
        report.HeaderCopy < 0 ? null : report.HeaderCopy,
        report.HeaderCopy < 0 ? null : $"0x{report.MirrorTid:x}",
        report.Totals.Pfs,
        report.Totals.Inodes,
        report.Totals.DirectoryEntries,
        report.Totals.Indirects,
        report.Totals.DataBlocks,
        report.Totals.FreemapLeaves,
        report.Totals.Bytes);

    public virtual void WriteText(TextOutput output)
    {
        if (HeaderCopy is null)
            return;
        output.Line($"header copy {HeaderCopy}, mirror TID {MirrorTid}");
        output.Line(
            $"{PfsCount} PFSs, {Inodes} inodes, {DirectoryEntries} directory entries, {DataBlocks} data blocks, "
            + $"{Indirects} indirect blocks, {FreemapLeaves} freemap leaves; {ByteSize.Show(Bytes)} read");
    }
}

/// <summary>One finding.</summary>
internal sealed record CheckFindingShape(
    string Severity, string Code, string? Pfs, ulong? Inum, string? Path, string? Offset, string? Blockref, string Message, string Advice) : ITextShape
{
    public static CheckFindingShape Of(CheckFinding finding) => new(
        SeverityOf(finding.Severity),
        finding.Code.Name,
        finding.Pfs,
        finding.InodeNumber == 0 ? null : finding.InodeNumber,
        finding.Path,
        finding.Offset == 0 ? null : $"0x{finding.Offset:x}",
        finding.BlockRef,
        finding.Message,
        finding.Code.Advice);

    public void WriteText(TextOutput output)
    {
        output.Line($"{Severity}: {Code}: {Where(Pfs, Path, Inum)}{Message} {Advice}" + (Blockref is null ? "" : $" [{Blockref}]"));
    }

    /// <summary>The place, and a space when there is one.</summary>
    public static string Where(string? label, string? path, ulong? inode)
    {
        string pfs = label is null ? "" : MediaText.Show(label) + ":";
        string where = pfs + (path is not null ? MediaText.Show(path) : inode is not null ? $"inode {inode}" : "");
        return where.Length > 0 ? where + " " : "";
    }

    public static string SeverityOf(CheckSeverity severity) => severity switch
    {
        CheckSeverity.Error => "error",
        CheckSeverity.Warning => "warning",
        _ => "information",
    };
}

/// <summary>How many findings of one kind.</summary>
internal sealed record CheckCountShape(string Code, string Severity, long Count);

/// <summary>The last lines.</summary>
internal sealed record FsckVerdictShape(bool Clean, long Errors, long Warnings, long Informations, IReadOnlyList<CheckCountShape> Counts) : ITextShape
{
    private readonly long _shown;

    public FsckVerdictShape(CheckReport report)
        : this(
            report.IsClean, report.Errors, report.Warnings, report.Informations,
            [.. report.Counts.Select(c => new CheckCountShape(c.Code.Name, CheckFindingShape.SeverityOf(c.Code.Severity), c.Count))])
    {
        _shown = report.Findings.Count;
    }

    public void WriteText(TextOutput output)
    {
        if (Errors + Warnings + Informations > _shown)
        {
            output.Line("of each kind only the first are listed; in all:");
            foreach (CheckCountShape count in Counts)
                output.Line($"  {count.Count} {count.Severity} {count.Code}");
        }

        output.Line($"{(Clean ? "clean" : "NOT CLEAN")}: {Errors} errors, {Warnings} warnings, {Informations} informations");
    }
}
