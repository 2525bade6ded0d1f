// `hammer2 rm`: removes names. Invariants: a directory goes only with --recursive; links are removed, never followed; the
// root of the PFS stays; a directory that keeps something because that could not be removed is not complained about
// twice. May call Trees and Output.

using System.CommandLine;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Cli.Trees;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Verbs;

/// <summary>Removes files and trees.</summary>
internal static class RmVerb
{
    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Image();
        Argument<string[]> paths = Changing.Paths("What to remove; a path that does not exist as written may be a pattern of * ? [a-z].");
        var recursive = new Option<bool>("--recursive", "-r", "-R") { Description = "Remove directories with everything in them." };
        var force = new Option<bool>("--force", "-f") { Description = "Paths that do not exist are no failure." };
        return new VerbCommand(
            "rm",
            "Remove files and directories from the volume.",
            "hammer2 rm disk.img@DATA /tmp/core",
            "hammer2 rm -r disk.img@DATA /home/old '/tmp/*.o'")
        {
            image, paths, recursive, force,
        }.Runs((context, parsed) => Remove(
            context, parsed.GetRequiredValue(image), parsed.GetRequiredValue(paths), parsed.GetValue(recursive), parsed.GetValue(force)));
    }

    private static VerbResult Remove(VerbContext context, string imageName, string[] paths, bool recursive, bool force) =>
        ChangedImage.Run(context, imageName, (image, failures) =>
        {
            var each = new EachPlace(failures, context.Stop);
            each.Run(paths, typed => Places(image.Paths, typed, force), place => RemoveOne(place, recursive, each, failures, context.Stop));
            return new ChangedShape(each.Changed);
        });

    private static IEnumerable<TreePlace> Places(TreePaths paths, string typed, bool force)
    {
        try
        {
            return [.. paths.Expand(typed, followLast: false)];
        }
        catch (CliException failure) when (force && failure.ExitCode == ExitCode.Partial)
        {
            // Not there is what was wanted.
            return [];
        }
    }

    private static Hammer2Error RemoveOne(TreePlace place, bool recursive, EachPlace each, FailureList failures, CancellationToken stop)
    {
        if (place.IsRoot)
            throw CliException.Usage("the root of a PFS cannot be removed; its contents are '/*'");
        if (!place.IsDirectory)
            return place.Directory.TryUnlink(place.Name);
        if (!recursive)
            throw CliException.Usage($"{MediaText.Show(place.Path)} is a directory; --recursive removes it with everything in it");
        int before = failures.Count;
        Empty(place, each, failures, stop);
        if (failures.Count == before)
            return place.Directory.TryRemoveDirectory(place.Name);
        // Counted back: the caller counts what it is told was done.
        each.Changed--;
        return Hammer2Error.None;
    }

    // From the inside out, with the directories from the place to where the work is on a stack.
    private static void Empty(TreePlace place, EachPlace each, FailureList failures, CancellationToken stop)
    {
        var open = new Stack<OpenDirectory>();
        open.Push(new OpenDirectory(place.Node!, place.Path, []));
        while (open.TryPeek(out OpenDirectory? level))
        {
            stop.ThrowIfCancellationRequested();
            if (each.MoveNext(level.Path, level.Names))
            {
                if (RemoveEntry(level, level.Names.Current, each) is { } below)
                    open.Push(below);
                continue;
            }

            open.Pop();
            level.Names.Dispose();
            if (!open.TryPeek(out OpenDirectory? above))
                return;
            level.Node.Dispose();
            Hammer2Error error = above.Node.TryRemoveDirectory(level.Name);
            if (error != Hammer2Error.NotEmpty || failures.Count == 0)
                each.Note(level.Path, error);
        }
    }

    private static OpenDirectory? RemoveEntry(OpenDirectory directory, ListedName entry, EachPlace each)
    {
        byte[] path = EachPlace.Join(directory.Path, entry.Name);
        Hammer2Error error = Hammer2Error.IsADirectory;
        if (entry.Type != ObjectType.Directory)
            error = directory.Node.TryUnlink(entry.Name);
        if (error != Hammer2Error.IsADirectory)
        {
            each.Note(path, error);
            return null;
        }

        error = directory.Node.TryLookup(entry.Name, NodeUse.Look, out IFileNode? node);
        if (error == Hammer2Error.None)
            return new OpenDirectory(node!, path, entry.Name);
        each.Note(path, error);
        return null;
    }

    private sealed record OpenDirectory(IFileNode Node, byte[] Path, byte[] Name)
    {
        public IEnumerator<ListedName> Names { get; } = Node.ReadDirectory().GetEnumerator();
    }
}
