// `hammer2 snapshot`: takes a snapshot, as hammer2(8) does, and below it what else one does with them: list, mount, restore.
// Invariants: a snapshot of a mounted PFS holds everything that was done before the command; restoring keeps what it
// replaces unless told otherwise. May call Listing, Output, the mount verb and the engine.

using System.CommandLine;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
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
        return verb.Lives().Runs((context, parsed) => Take(context, parsed.GetRequiredValue(image), parsed.GetValue(label)));
    }

    private static VerbResult Take(VerbContext context, string imageName, string? snapshot)
    {
        using OpenedImage image = OpenedImage.OpenVolume(context, imageName, writable: true);
        string label = VolumeChange.LabelOf(context, image, imageName);
        snapshot ??= PfsLabel.ForSnapshot(label, DateTime.Now);
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
