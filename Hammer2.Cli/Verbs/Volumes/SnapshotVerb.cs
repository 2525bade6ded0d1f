// `hammer2 snapshot`: takes a snapshot, as hammer2(8) does, and below it what else one does with them: list, mount, restore.
// Invariants: a snapshot of a mounted PFS holds everything that was done before the command; restoring keeps what it
// replaces unless told otherwise. May call Listing, Output, the mount verb and the engine.

using System.CommandLine;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Engine.Diagnostics;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;

namespace Hammer2.Cli.Verbs.Volumes;

/// <summary>Snapshots.</summary>
internal static class SnapshotVerb
{
    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Image();
        var label = new Argument<string?>("SNAPSHOT")
        {
            Description = "Label of the snapshot; LABEL.YYYYMMDD.HHMMSS when it is left out.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var verb = new VerbCommand(
            "snapshot",
            "Take a snapshot of a PFS; list, mount and restore them.",
            "hammer2 snapshot disk.img@DATA",
            "hammer2 snapshot /mnt/h2 before-upgrade",
            "hammer2 snapshot list disk.img",
            "hammer2 snapshot restore disk.img@DATA before-upgrade")
        {
            image, label,
        };
        verb.Add(List());
        verb.Add(Mount());
        verb.Add(Restore());
        verb.Add(Diff());
        return verb.Lives().Runs((context, parsed) => Take(context, parsed.GetRequiredValue(image), parsed.GetValue(label)));
    }

    private static VerbResult Take(VerbContext context, string imageName, string? snapshot)
    {
        using OpenedImage image = OpenedImage.OpenVolume(context, imageName, writable: true);
        string label = VolumeChange.LabelOf(context, image, imageName);
        snapshot ??= PfsLabel.ForSnapshot(label, TimeProvider.System.GetLocalNow().DateTime);
        return VerbResult.Of(new TakenSnapshot(VolumeChange.Guard(() => image.Volume.Snapshot(label, snapshot)).Label, label));
    }

    private static VerbCommand List()
    {
        Argument<string> image = GlobalOptions.Volume();
        return new VerbCommand("list", "List the snapshots of a volume.", "hammer2 snapshot list disk.img")
        {
            image,
        }.Lives().Runs((context, parsed) =>
        {
            using OpenedImage opened = OpenedImage.OpenVolume(context, parsed.GetRequiredValue(image));
            return VerbResult.Of(new PfsTable([.. opened.Volume.ListPfs().Where(static pfs => pfs.IsSnapshot).Select(PfsShape.Of)]));
        });
    }

    private static VerbCommand Mount()
    {
        Argument<string> image = GlobalOptions.Volume(), snapshot = PfsVerbs.Label("SNAPSHOT"), target = MountVerb.Target();
        var readWrite = new Option<bool>("--read-write", "-w") { Description = "Mount it for changes: a snapshot is a PFS like any other." };
        var background = new Option<bool>("--background", "-b") { Description = "Return when it is mounted; umount ends it." };
        return new VerbCommand(
            "mount",
            "Show a snapshot as a directory or drive, for reading unless told otherwise.",
            $"hammer2 snapshot mount disk.img before-upgrade {MountVerb.ExampleTarget}")
        {
            image, snapshot, target, readWrite, background,
        }.RunsRaw((context, parsed) =>
        {
            // The same as mounting the snapshot by its label, which knows by itself whether a mount holds the volume.
            List<string> arguments =
            [
                "mount", $"{parsed.GetRequiredValue(image)}@{parsed.GetRequiredValue(snapshot)}", parsed.GetRequiredValue(target),
                parsed.GetValue(readWrite) ? "--read-write" : "--read-only",
            ];
            if (parsed.GetValue(background))
                arguments.Add("--background");
            return Program.RunAgain(context, arguments);
        });
    }

    private static VerbCommand Diff()
    {
        Argument<string> image = GlobalOptions.Image(), snapshot = PfsVerbs.Label("SNAPSHOT");
        var later = new Argument<string?>("LATER") { Description = "Another snapshot; the PFS as it is now when left out.", Arity = ArgumentArity.ZeroOrOne };
        return new VerbCommand(
            "diff",
            "List what changed since a snapshot, at the cost of what changed.",
            "hammer2 snapshot diff disk.img@DATA before-upgrade")
        {
            image, snapshot, later,
        }.Lives().Runs((context, parsed) =>
        {
            string imageName = parsed.GetRequiredValue(image);
            return VerbResult.Listing("changes", Changes(context, imageName, parsed.GetRequiredValue(snapshot), parsed.GetValue(later)));
        });
    }

    private static IEnumerable<ITextShape> Changes(VerbContext context, string imageName, string snapshot, string? later)
    {
        using OpenedImage image = OpenedImage.OpenVolume(context, imageName);
        later ??= VolumeChange.LabelOf(context, image, imageName);
        foreach (PfsChange change in SnapshotDiff.Compare(image.Volume, snapshot, later, context.Stop))
            yield return ChangeShape.Of(change);
    }

    private static VerbCommand Restore()
    {
        Argument<string> image = GlobalOptions.Image(), snapshot = PfsVerbs.Label("SNAPSHOT");
        var drop = new Option<bool>("--drop-previous") { Description = "Do not keep what the PFS contained as a snapshot." };
        return new VerbCommand(
            "restore",
            "Give a PFS that is not mounted the content of a snapshot; what it contained is kept as a snapshot of its own.",
            "hammer2 snapshot restore disk.img@DATA before-upgrade")
        {
            image, snapshot, drop,
        }.Lives().Runs((context, parsed) =>
        {
            string imageName = parsed.GetRequiredValue(image);
            using OpenedImage opened = OpenedImage.OpenVolume(context, imageName, writable: true);
            string label = VolumeChange.LabelOf(context, opened, imageName);
            string from = parsed.GetRequiredValue(snapshot);
            string? kept = VolumeChange.Guard(() => opened.Volume.RestoreSnapshot(from, label, !parsed.GetValue(drop)));
            return VerbResult.Of(new RestoredSnapshot(label, from, kept));
        });
    }
}

/// <summary>One difference between two states.</summary>
internal sealed record ChangeShape(PfsChangeKind Change, string Type, ulong Inum, string? Path, string? PathHex, string? OldPath, string? OldPathHex) : ITextShape
{
    private byte[] Bytes { get; init; } = [];

    private byte[]? OldBytes { get; init; }

    public static ChangeShape Of(PfsChange change)
    {
        byte[] path = [(byte)'/', .. change.Path];
        byte[]? old = change.OldPath is null ? null : [(byte)'/', .. change.OldPath];
        var (text, hex) = MediaText.Split(path);
        var (oldText, oldHex) = old is null ? (null, null) : MediaText.Split(old);
        return new ChangeShape(change.Kind, MethodNames.Of(change.Type), change.InodeNumber, text, hex, oldText, oldHex) { Bytes = path, OldBytes = old };
    }

    // One letter as in version control: a person sees at once what happened.
    private char Letter => Change switch
    {
        PfsChangeKind.Added => 'A',
        PfsChangeKind.Removed => 'D',
        PfsChangeKind.Renamed => 'R',
        PfsChangeKind.ModifiedContent => 'M',
        _ => 'P',
    };

    public void WriteText(TextOutput output) =>
        output.Line($"{Letter} {(OldBytes is null ? "" : MediaText.Show(OldBytes) + " -> ")}{MediaText.Show(Bytes)}");
}

/// <summary>A snapshot that was taken.</summary>
internal sealed record TakenSnapshot(string Snapshot, string Label) : ITextShape
{
    public void WriteText(TextOutput output) => output.Line(MediaText.Show(Snapshot));
}

/// <summary>What was restored, and where the previous content is.</summary>
internal sealed record RestoredSnapshot(string Label, string Snapshot, string? Previous) : ITextShape
{
    public void WriteText(TextOutput output)
    {
        output.Line($"{MediaText.Show(Label)} has the content of {MediaText.Show(Snapshot)}");
        if (Previous is not null)
            output.Line($"what it contained before is kept as {MediaText.Show(Previous)}");
    }
}
