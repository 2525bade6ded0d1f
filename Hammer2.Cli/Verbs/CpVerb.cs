// `hammer2 cp`: copies between the volume and the host, or inside the volume. Paths are the volume's; `host:` in front of
// one makes it a path of this computer. Invariants as for put and get: nothing is overwritten unless asked for, a
// directory is copied only with --recursive and never into itself. May call Copying, Trees and Output.

using System.CommandLine;
using Hammer2.Cli.Copying;
using Hammer2.Cli.Output;
using Hammer2.Cli.Trees;
using Hammer2.Engine.Format;

namespace Hammer2.Cli.Verbs;

/// <summary>Copies either way.</summary>
internal static class CpVerb
{
    private const string HostPrefix = "host:";

    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Image();
        Argument<string[]> names = Changing.SourcesAndTarget(
            "TARGET",
            "Paths of the PFS, or host:PATH of this computer; DIR/. means the contents of DIR. TARGET is a new name, or an existing directory.");
        var recursive = new Option<bool>("--recursive", "-r", "-R") { Description = "Copy directories and what is in them." };
        var force = new Option<bool>("--force", "-f") { Description = "Replace files that exist; directories are merged." };
        return new VerbCommand(
            "cp",
            "Copy inside the volume, or between it and this computer.",
            "hammer2 cp disk.img@DATA /etc/rc.conf /etc/rc.conf.old",
            "hammer2 cp disk.img@DATA host:./rc.conf /etc",
            "hammer2 cp -r disk.img@DATA /home/me host:./me")
        {
            image, names, recursive, force,
        }.Runs((context, parsed) => Copy(
            context,
            parsed.GetRequiredValue(image),
            parsed.GetRequiredValue(names)[..^1],
            parsed.GetRequiredValue(names)[^1],
            parsed.GetValue(recursive),
            new TreeCopyOptions { Force = parsed.GetValue(force) }));
    }

    private static VerbResult Copy(
        VerbContext context, string imageName, string[] sources, string target, bool recursive, TreeCopyOptions options)
    {
        if (IsHost(target) && sources.All(IsHost))
            throw CliException.Usage("cp needs a path of the volume on one side; without host: in front a path is the volume's");
        return IsHost(target) ? ChangedImage.Look(context, imageName, Run) : ChangedImage.Run(context, imageName, Run);

        ITextShape Run(ChangedImage image, FailureList failures)
        {
            using var plan = new CopyPlan();
            foreach (string source in sources)
            {
                if (IsHost(source))
                    plan.AddHost(source[HostPrefix.Length..]);
                else
                    plan.AddInside(image.Paths, source);
            }

            if (!recursive && plan.Sources.Find(source => source.Type == ObjectType.Directory) is { } directory)
                throw CliException.Usage($"{MediaText.Show(directory.Path)} is a directory; --recursive copies it");
            if (!IsHost(target))
            {
                plan.ToInside(image.Paths, target, options.MayReplace);
                return CopyRun.Run(context, image, image.Tree, plan, options, failures, target);
            }

            plan.ToHost(target[HostPrefix.Length..], options.MayReplace);
            using IFileTree host = HostTrees.Of(plan.HostRoot!);
            return CopyRun.Run(context, image, host, plan, options, failures, target[HostPrefix.Length..]);
        }
    }

    private static bool IsHost(string path) => path.StartsWith(HostPrefix, StringComparison.Ordinal) && path.Length > HostPrefix.Length;
}
