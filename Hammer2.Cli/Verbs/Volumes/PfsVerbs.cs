// `hammer2 pfs-create`, `pfs-delete`, `pfs-rename`, `pfs-clid`, `pfs-fsid`: the directives about whole PFSs. Invariants: a PFS
// that is open anywhere is neither deleted nor renamed; LOCAL is never touched. May call Listing, Output and the engine.

using System.CommandLine;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Volumes;

namespace Hammer2.Cli.Verbs.Volumes;

/// <summary>Verbs about PFSs.</summary>
internal static class PfsVerbs
{
    public static IEnumerable<VerbCommand> Create() => [CreateVerb(), DeleteVerb(), RenameVerb(), IdVerb("pfs-clid", "cluster", static pfs => pfs.ClusterId), IdVerb("pfs-fsid", "filesystem", static pfs => pfs.FileSystemId)];

    /// <summary>The label of a PFS, as an argument.</summary>
    public static Argument<string> Label(string name = "LABEL") => new(name) { Description = "Label of the PFS or snapshot." };

    private static VerbCommand CreateVerb()
    {
        Argument<string> image = GlobalOptions.Volume(), label = Label();
        var cluster = new Option<Guid?>("--cluster", "-u") { Description = "Make a slave of the cluster with this id instead of a master.", HelpName = "UUID" };
        return new VerbCommand(
            "pfs-create", "Make an empty PFS.", "hammer2 pfs-create disk.img HOME", "hammer2 pfs-create /mnt/h2 HOME")
        {
            image, label, cluster,
        }.Lives().Runs((context, parsed) => VolumeChange.Run(context, parsed.GetRequiredValue(image), volume =>
            new PfsTable([PfsShape.Of(volume.CreatePfs(parsed.GetRequiredValue(label), new PfsOptions { ClusterId = parsed.GetValue(cluster) }))])));
    }

    private static VerbCommand DeleteVerb()
    {
        Argument<string> image = GlobalOptions.Volume();
        var labels = new Argument<string[]>("LABEL") { Description = "Labels of PFSs or snapshots.", Arity = ArgumentArity.OneOrMore };
        return new VerbCommand(
            "pfs-delete",
            "Delete PFSs or snapshots; bulkfree gives their space back.",
            "hammer2 pfs-delete disk.img HOME.20260101.120000")
        {
            image, labels,
        }.Lives().Runs((context, parsed) => Delete(context, parsed.GetRequiredValue(image), parsed.GetRequiredValue(labels)));
    }

    private static VerbResult Delete(VerbContext context, string imageName, string[] labels)
    {
        using OpenedImage image = OpenedImage.OpenVolume(context, imageName, writable: true);
        var failures = new FailureList();
        var deleted = new List<string>();
        foreach (string label in labels)
        {
            try
            {
                image.Volume.DeletePfs(label);
                deleted.Add(label);
            }
            catch (Engine.Primitives.Hammer2Exception refused)
            {
                failures.Add(Failure.OfVolume(ErrorText.Code(refused.Error), refused.Message));
            }
        }

        return new VerbResult(new DeletedPfs(deleted)) { Failures = failures };
    }

    private static VerbCommand RenameVerb()
    {
        Argument<string> image = GlobalOptions.Volume(), label = Label(), to = Label("NEW");
        return new VerbCommand(
            "pfs-rename", "Give a PFS or snapshot another label.", "hammer2 pfs-rename disk.img HOME HOME-OLD")
        {
            image, label, to,
        }.Lives().Runs((context, parsed) => VolumeChange.Run(context, parsed.GetRequiredValue(image), volume =>
            new SilentPfs(volume.RenamePfs(parsed.GetRequiredValue(label), parsed.GetRequiredValue(to)).Label)));
    }

    private static VerbCommand IdVerb(string name, string what, Func<PfsInfo, Guid> id)
    {
        Argument<string> image = GlobalOptions.Volume(), label = Label();
        return new VerbCommand(name, $"Print the {what} id of a PFS.", $"hammer2 {name} disk.img DATA")
        {
            image, label,
        }.Lives().Runs((context, parsed) =>
        {
            using OpenedImage opened = OpenedImage.OpenVolume(context, parsed.GetRequiredValue(image));
            string wanted = parsed.GetRequiredValue(label);
            return VerbResult.Of(new PfsId(id(Find(opened.Volume, wanted))));
        });
    }

    /// <summary>What the volume says of one PFS.</summary>
    public static PfsInfo Find(Hammer2Volume volume, string label)
    {
        IReadOnlyList<PfsInfo> all = volume.ListPfs();
        return all.FirstOrDefault(pfs => pfs.Label == label)
            ?? throw new CliException(ExitCode.CannotOpen, $"there is no PFS '{label}' here; choose one of: {string.Join(", ", all.Select(static pfs => pfs.Label))}");
    }
}

/// <summary>What pfs-delete did.</summary>
internal sealed record DeletedPfs(IReadOnlyList<string> Deleted) : ITextShape
{
    public void WriteText(TextOutput output)
    {
        // Silence is success.
    }
}

/// <summary>One id.</summary>
internal sealed record PfsId(Guid Id) : ITextShape
{
    public void WriteText(TextOutput output) => output.Line($"{Id}");
}
