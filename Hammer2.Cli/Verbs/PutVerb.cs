// `hammer2 put`: copies files and trees of the host into the volume, or standard input into a file. The counterpart of
// `get`. Invariant: what would be overwritten by accident is refused before anything is written; everything after that is
// TreeCopy's. May call Copying, Trees and Output.

using System.CommandLine;
using Hammer2.Cli.Copying;
using Hammer2.Cli.Output;
using Hammer2.Cli.Trees;

namespace Hammer2.Cli.Verbs;

/// <summary>Copies into the volume.</summary>
internal static class PutVerb
{
    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Image();
        Argument<string[]> names = Changing.SourcesAndTarget(
            "PATH",
            "Files and directories of this computer; DIR/. means the contents of DIR, - standard input. PATH is a new name in the PFS, or an existing directory.");
        var force = new Option<bool>("--force", "-f")
        {
            Description = "Replace files that exist; directories are merged.",
        };
        var resume = new Option<bool>("--resume")
        {
            Description = "Go on with an earlier copy: skip files whose size and time match.",
        };
        return new VerbCommand(
            "put",
            "Copy files and directories into the volume, with times, modes, owners and links.",
            "hammer2 put disk.img@DATA ./me /home",
            "hammer2 put disk.img@DATA ./site/. /www",
            "hammer2 put disk.img@DATA - /notes.txt")
        {
            image, names, force, resume,
        }.Runs((context, parsed) => Put(
            context,
            parsed.GetRequiredValue(image),
            parsed.GetRequiredValue(names)[..^1],
            parsed.GetRequiredValue(names)[^1],
            new TreeCopyOptions { Force = parsed.GetValue(force), Resume = parsed.GetValue(resume) }));
    }

    private static VerbResult Put(VerbContext context, string imageName, string[] sources, string path, TreeCopyOptions options)
    {
        if (sources.Contains("-"))
        {
            return sources.Length == 1
                ? WriteVerb.WriteInput(context, imageName, path, new InputPlacement(0, Replaces: true, MustBeNew: !options.MayReplace))
                : throw CliException.Usage("standard input (-) must be the only SOURCE");
        }

        return ChangedImage.Run(context, imageName, (image, failures) =>
        {
            using var plan = new CopyPlan();
            foreach (string source in sources)
                plan.AddHost(source);
            plan.ToInside(image.Paths, path, options.MayReplace);
            return CopyRun.Run(context, image, image.Tree, plan, options, failures, path);
        });
    }
}

/// <summary>Runs a planned copy under a progress bar.</summary>
internal static class CopyRun
{
    public static CopySummary Run(
        VerbContext context, ChangedImage image, IFileTree target, CopyPlan plan, TreeCopyOptions options, FailureList failures, string shown)
    {
        TreeCopyOptions chosen = options with { Excluded = TreeImporter.IdentitiesOf(image.ImageFiles) };
        return ProgressDisplay.Run(
            context.Terminal,
            "copying",
            () => plan.Starts.Sum(start => SizeOf(start, context.Stop)),
            progress =>
            {
                var copy = new TreeCopy(target, chosen, failures, context.Stop) { Progress = progress };
                copy.Run(plan.Starts);
                return CopySummary.Of(shown, copy.Counts);
            });
    }

    private static long SizeOf(CopyStart start, CancellationToken stop)
    {
        if (start.Name.Length == 0)
            return TreeImporter.Measure(start.Directory, stop).Bytes;
        _ = start.Directory.TryGetAttributes(start.Name, out var attributes, out _);
        if (attributes.Type != Engine.Format.ObjectType.Directory)
            return attributes.Size;
        _ = start.Directory.TryLookup(start.Name, NodeUse.Look, out IFileNode? node);
        using (node)
            return node is null ? 0 : TreeImporter.Measure(node, stop).Bytes;
    }
}
