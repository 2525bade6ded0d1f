// `hammer2 get`: copies files and trees off an image. Invariant: what would be overwritten by accident is refused here,
// before anything is written; everything after that is TreeCopier's.
// May call Copying, Listing and Output.

using System.CommandLine;
using Hammer2.Cli.Copying;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Engine.Format;

namespace Hammer2.Cli.Verbs;

/// <summary>Copies off an image.</summary>
internal static class GetVerb
{
    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Image();
        Argument<string> path = GlobalOptions.RequiredPath();
        var target = new Argument<string>("DEST")
        {
            Description = "A new name, or an existing directory to copy into. The contents of / go into DEST itself.",
        };
        var force = new Option<bool>("--force", "-f")
        {
            Description = "Replace files that exist in DEST; directories are merged.",
        };
        var resume = new Option<bool>("--resume")
        {
            Description = "Go on with an earlier copy: skip files whose size and time match.",
        };
        var keep = new Option<bool>("--keep-partial")
        {
            Description = "Keep what can be read of a damaged file as NAME.partial, with holes for the rest.",
        };
        return new VerbCommand(
            "get",
            "Copy files and directories off the image, with times, modes and links.",
            "hammer2 get disk.img@DATA /home/me ./me",
            "hammer2 get disk.img@DATA / ./everything",
            "hammer2 get --resume disk.img@DATA / ./everything")
        {
            image, path, target, force, resume, keep,
        }.Runs((context, parsed) => Get(
            context,
            parsed.GetRequiredValue(image),
            parsed.GetRequiredValue(path),
            parsed.GetRequiredValue(target),
            new CopyOptions(parsed.GetValue(force), parsed.GetValue(resume), parsed.GetValue(keep))));
    }

    private static VerbResult Get(VerbContext context, string imageName, string typed, string dest, CopyOptions options)
    {
        if (dest.Length == 0)
            throw CliException.Usage("DEST has an empty name");
        using OpenedImage image = OpenedImage.OpenPfs(context, imageName);
        using ResolvedPath start = new PathResolver(image.Pfs).Resolve(typed, followLast: false);
        TreeEntry entry = start.ToEntry();
        string target = Target(entry, dest, options);
        string root = Path.GetDirectoryName(target) ?? target;
        ICopyDestination destination = OperatingSystem.IsWindows() ? new WindowsDestination(root) : new UnixDestination(root);
        var failures = new FailureList();
        CopyCounts counts = ProgressDisplay.Run(
            context.Terminal,
            "copying",
            () => TotalOf(context, image, entry),
            progress =>
            {
                var copier = new TreeCopier(image.Pfs, destination, options, failures, context.Stop) { Progress = progress };
                copier.Run(entry, System.Text.Encoding.UTF8.GetBytes(Path.GetFileName(target)));
                return copier.Counts;
            });
        return new VerbResult(CopySummary.Of(target, counts)) { Failures = failures };
    }

    // Decides where the entry itself will stand, and refuses what would be overwritten by accident.
    private static string Target(TreeEntry entry, string dest, CopyOptions options)
    {
        string root = Path.GetFullPath(Path.TrimEndingDirectorySeparator(dest));
        if (Directory.Exists(root)
            && new DirectoryInfo(root).ResolveLinkTarget(returnFinalTarget: true) is DirectoryInfo { Exists: true } linked)
            root = linked.FullName;
        bool isWhole = entry.Path.Length == 1;
        if (!isWhole && Directory.Exists(root))
            root = Inside(entry, root);
        if (!Directory.Exists(Path.GetDirectoryName(root) ?? root))
            throw CliException.Usage($"{dest}: the directory that should hold it does not exist");
        if (Path.EndsInDirectorySeparator(dest) && !Directory.Exists(dest) && !entry.IsDirectory)
            throw CliException.Usage($"{dest}: is not a directory");
        if (options.MayReplace)
            return root;
        if (Directory.Exists(root) && entry.IsDirectory ? Directory.EnumerateFileSystemEntries(root).Any() : Path.Exists(root))
        {
            string empty = Directory.Exists(root) ? " and is not empty" : "";
            throw CliException.Usage($"{root} exists{empty}; --force replaces files, --resume goes on with a copy");
        }

        return root;
    }

    private static string Inside(TreeEntry entry, string directory)
    {
        HostNames names = OperatingSystem.IsWindows() ? new WindowsNames() : new UnixNames();
        if (!names.TryTake(entry.Name, entry.InodeNumber, out byte[] name, out string reason))
            throw new CliException(ExitCode.Partial, reason);
        if (MediaText.Split(name).Text is not { } text)
            throw CliException.Usage(
                "the name is not valid UTF-8: give a DEST that does not exist yet, it becomes the name of the copy");
        return Path.Combine(directory, text);
    }

    // Counted before copying, for the progress bar only; what is damaged is reported by the copy.
    private static long TotalOf(VerbContext context, OpenedImage image, TreeEntry start)
    {
        long total = 0;
        var seen = new HashSet<ulong>();
        foreach (WalkStep step in new TreeWalker(image.Pfs, new FailureList(), context.Stop).Walk(start))
        {
            TreeEntry entry = step.Entry;
            if (step.IsLeaving || !entry.IsReadable || entry.Type != ObjectType.File)
                continue;
            if (entry.Attributes.LinkCount < 2 || seen.Add(entry.InodeNumber))
                total += entry.Attributes.Size;
        }

        return total;
    }
}
