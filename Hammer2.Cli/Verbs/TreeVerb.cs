// `hammer2 tree`: a directory and everything below it, drawn with lines. Streaming: a line is printed when its entry
// is met. Invariant: a damaged entry keeps its place in the drawing.
// May call Listing and Output.

using System.CommandLine;
using System.Text;
using System.Text.Json.Serialization;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;

namespace Hammer2.Cli.Verbs;

/// <summary>Draws trees.</summary>
internal static class TreeVerb
{
    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Image();
        Argument<string> path = GlobalOptions.OptionalPath();
        var depth = new Option<int?>("--depth", "-L") { Description = "Show at most N levels.", HelpName = "N" };
        depth.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && (!int.TryParse(result.Tokens[0].Value, out int levels) || levels < 1))
                result.AddError($"--depth wants a number from 1 on, not '{result.Tokens[0].Value}'");
        });
        var directories = new Option<bool>("--directories", "-d") { Description = "Directories only." };
        return new VerbCommand(
            "tree",
            "Draw a directory and everything below it.",
            "hammer2 tree disk.img@DATA",
            "hammer2 tree -L 2 disk.img@DATA /usr")
        {
            image, path, depth, directories,
        }.Lives().Runs((context, parsed) => Draw(
            context,
            parsed.GetRequiredValue(image),
            parsed.GetRequiredValue(path),
            parsed.GetValue(depth) ?? int.MaxValue,
            parsed.GetValue(directories)));
    }

    private static VerbResult Draw(VerbContext context, string imageName, string typed, int depthMax, bool directoriesOnly)
    {
        var failures = new FailureList();
        var sums = new TreeSums();
        return new VerbResult(new NoHead())
        {
            ItemsName = "entries",
            Items = Entries(),
            Failures = failures,
            Tail = () => sums,
        };

        IEnumerable<ITextShape> Entries()
        {
            using OpenedImage image = OpenedImage.OpenPfs(context, imageName);
            using ResolvedPath start = new PathResolver(image.Pfs).Resolve(typed, followLast: true);
            var request = new TreeRequest(image, start.ToEntry(), depthMax, directoriesOnly);
            foreach (TreeLine line in Lines(context, request, failures, sums))
                yield return line;
        }
    }

    /// <summary>The lines of a tree, also used by the demonstration.</summary>
    internal static IEnumerable<TreeLine> Lines(VerbContext context, TreeRequest request, FailureList failures, TreeSums sums)
    {
        var walker = new TreeWalker(request.Image.Pfs, failures, context.Stop)
        {
            DepthMax = request.DepthMax,
            Keeps = request.DirectoriesOnly ? static entry => entry.IsDirectory : null,
        };
        var lasts = new List<bool>();
        foreach (WalkStep step in walker.Walk(request.Start))
        {
            if (step.IsLeaving)
                continue;
            while (lasts.Count <= step.Depth)
                lasts.Add(false);
            lasts[step.Depth] = step.IsLast;
            if (step.Depth > 0)
                sums.Count(step.Entry);
            string prefix = Prefix(lasts, step.Depth);
            yield return EntryShape.Fill(
                step.Entry,
                request.Image.Pfs,
                failures,
                seed => new TreeLine(seed, step.Depth, prefix) { Type = seed.TypeName });
        }
    }

    private static string Prefix(List<bool> lasts, int depth)
    {
        if (depth == 0)
            return "";
        var prefix = new StringBuilder();
        for (int level = 1; level < depth; level++)
            prefix.Append(lasts[level] ? "    " : "│   ");
        return prefix.Append(lasts[depth] ? "└── " : "├── ").ToString();
    }
}

/// <summary>What to draw.</summary>
internal sealed record TreeRequest(OpenedImage Image, TreeEntry Start, int DepthMax, bool DirectoriesOnly);

/// <summary>A line of a tree.</summary>
internal sealed class TreeLine : EntryShape, ITextShape
{
    private readonly string _prefix;
    private readonly string _name;

    public TreeLine(Seed seed, int depth, string prefix)
        : base(seed)
    {
        Depth = depth;
        _prefix = prefix;
        _name = MediaText.Show(depth == 0 ? seed.Entry.Path : seed.Entry.Name);
    }

    /// <summary>0 for the start.</summary>
    public int Depth { get; }

    [JsonIgnore]
    public string Text => _prefix + _name + Suffix;

    private string Suffix => Error is not null ? $"  [{Error}]" : ShownTarget is { } target ? " -> " + target : "";

    public void WriteText(TextOutput output) => output.Line(Text);
}

/// <summary>What a tree holds.</summary>
internal sealed record TreeSums : ITextShape
{
    public long Directories { get; private set; }

    public long Others { get; private set; }

    public void Count(TreeEntry entry)
    {
        if (entry.IsDirectory)
            Directories++;
        else
            Others++;
    }

    public void WriteText(TextOutput output)
    {
        output.Line();
        output.Line($"{Directories} directories, {Others} other entries");
    }
}
