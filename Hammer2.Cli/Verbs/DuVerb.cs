// `hammer2 du`: how much the directories of a tree hold. Two numbers a line: bytes of the blocks
// that the blockrefs count (compressed, as on the medium) and bytes of the files as programs see them. An inode
// with several names counts once.

using System.CommandLine;
using System.Text.Json.Serialization;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Engine.Format;

namespace Hammer2.Cli.Verbs;

/// <summary>Sums sizes.</summary>
internal static class DuVerb
{
    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Image();
        Argument<string> path = GlobalOptions.OptionalPath();
        var summary = new Option<bool>("--summarize", "-s") { Description = "Only the sum." };
        var human = new Option<bool>("--human-readable", "-h") { Description = "Sizes such as 1.5M." };
        var all = new Option<bool>("--all", "-a") { Description = "A line for each file too." };
        return new VerbCommand(
            "du",
            "Show how much directories hold: allocated on the medium, apparent size, path.",
            "hammer2 du disk.img@DATA /home",
            "hammer2 du -s -h disk.img@DATA")
        {
            image, path, summary, human, all,
        }.Lives().Runs((context, parsed) => Sum(
            context,
            parsed.GetRequiredValue(image),
            parsed.GetRequiredValue(path),
            new DuOptions(parsed.GetValue(summary), parsed.GetValue(human), parsed.GetValue(all))));
    }

    private sealed record DuOptions(bool Summary, bool Human, bool All);

    private static VerbResult Sum(VerbContext context, string imageName, string typed, DuOptions options)
    {
        var failures = new FailureList();
        return VerbResult.Listing("entries", Entries(), failures);

        IEnumerable<ITextShape> Entries()
        {
            using OpenedImage image = OpenedImage.OpenPfs(context, imageName);
            using ResolvedPath start = new PathResolver(image.Pfs).Resolve(typed, followLast: true);
            foreach (DuLine line in Lines(context, image, start.ToEntry(), options, failures))
                yield return line;
        }
    }

    private static IEnumerable<DuLine> Lines(
        VerbContext context, OpenedImage image, TreeEntry start, DuOptions options, FailureList failures)
    {
        var counted = new HashSet<ulong>();
        var open = new Stack<(long Allocated, long Apparent)>();
        foreach (WalkStep step in new TreeWalker(image.Pfs, failures, context.Stop).Walk(start))
        {
            if (step.IsLeaving)
            {
                var (allocated, apparent) = open.Pop();
                if (!options.Summary || step.Depth == 0)
                    yield return new DuLine(step.Entry, allocated, apparent, options.Human);
                AddToParent(open, allocated, apparent);
                continue;
            }

            var own = Own(step.Entry, image, counted);
            if (step.IsEntered)
            {
                open.Push(own);
                continue;
            }

            if (step.Depth == 0 || options.All && !options.Summary)
                yield return new DuLine(step.Entry, own.Allocated, own.Apparent, options.Human);
            AddToParent(open, own.Allocated, own.Apparent);
        }
    }

    private static void AddToParent(Stack<(long Allocated, long Apparent)> open, long allocated, long apparent)
    {
        if (open.TryPop(out var parent))
            open.Push((parent.Allocated + allocated, parent.Apparent + apparent));
    }

    private static (long Allocated, long Apparent) Own(TreeEntry entry, OpenedImage image, HashSet<ulong> counted)
    {
        if (!entry.IsReadable || (entry.Attributes.LinkCount > 1 && !entry.IsDirectory && !counted.Add(entry.InodeNumber)))
            return (0, 0);
        // The root's blocks hold the inodes of the whole PFS, not only its own entries.
        long allocated = entry.InodeNumber == FormatLimits.RootInodeNumber ? 0 : entry.Attributes.AllocatedBytes;
        long size = entry.Type is ObjectType.File or ObjectType.Symlink ? Math.Max(entry.Attributes.Size, 0) : 0;
        return (allocated + FormatLimits.InodeBytes, size);
    }
}

/// <summary>A line of <c>du</c>.</summary>
internal sealed class DuLine : ITextShape
{
    private readonly bool _human;
    private readonly string _shown;

    public DuLine(TreeEntry entry, long allocated, long apparent, bool human)
    {
        (Path, PathHex) = MediaText.Split(entry.Path);
        (Allocated, Apparent) = (allocated, apparent);
        _human = human;
        _shown = MediaText.Show(entry.Path);
    }

    public string? Path { get; }

    public string? PathHex { get; }

    public long Allocated { get; }

    public long Apparent { get; }

    [JsonIgnore]
    public string Text => _human
        ? $"{ByteSize.Show(Allocated),6}  {ByteSize.Show(Apparent),6}  {_shown}"
        : $"{Allocated,14}  {Apparent,14}  {_shown}";

    public void WriteText(TextOutput output) => output.Line(Text);
}
