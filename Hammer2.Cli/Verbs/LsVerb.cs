// `hammer2 ls`: the entries of a directory, or one entry. Invariants: sorted by bytes; long lines are aligned per
// directory, so one directory's entries are in memory at a time; a damaged entry keeps its line.
// May call Listing and Output.

using System.CommandLine;
using System.Text.Json.Serialization;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Engine.Pfs;

namespace Hammer2.Cli.Verbs;

/// <summary>Lists directories.</summary>
internal static class LsVerb
{
    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Image();
        Argument<string> path = GlobalOptions.OptionalPath();
        var isLong = new Option<bool>("--long", "-l") { Description = "Modes, links, owner, group, size, time and link target." };
        var recursive = new Option<bool>("--recursive", "-R") { Description = "Subdirectories too." };
        var all = new Option<bool>("--all", "-a") { Description = "Names that begin with a dot too, and '.' and '..'." };
        var directory = new Option<bool>("--directory", "-d") { Description = "The directory itself, not what is in it." };
        return new VerbCommand(
            "ls",
            "List a directory of a PFS.",
            "hammer2 ls disk.img",
            "hammer2 ls -l disk.img@DATA /home",
            "hammer2 ls -R --json disk.img@DATA /etc")
        {
            image, path, isLong, recursive, all, directory,
        }.Lives().Runs((context, parsed) => List(
            context,
            parsed.GetRequiredValue(image),
            parsed.GetRequiredValue(path),
            new ListOptions(
                parsed.GetValue(isLong), parsed.GetValue(recursive), parsed.GetValue(all), parsed.GetValue(directory))));
    }

    internal sealed record ListOptions(bool Long, bool Recursive, bool All, bool DirectoryItself);

    private static VerbResult List(VerbContext context, string imageName, string typed, ListOptions options)
    {
        var failures = new FailureList();
        return VerbResult.Listing("entries", Entries(), failures);

        IEnumerable<ITextShape> Entries()
        {
            using OpenedImage image = OpenedImage.OpenPfs(context, imageName);
            using ResolvedPath start = new PathResolver(image.Pfs)
                .Resolve(typed, followLast: !options.Long && !options.DirectoryItself);
            TreeEntry entry = start.ToEntry();
            if (!entry.IsDirectory || options.DirectoryItself)
            {
                foreach (ITextShape line in Lines(image, [entry], options, showPath: true, failures))
                    yield return line;
                yield break;
            }

            var walker = new TreeWalker(image.Pfs, failures, context.Stop);
            foreach (ITextShape line in Directories(image, walker, entry, options, failures))
                yield return line;
        }
    }

    // One directory at a time; what is still to be listed waits on a stack in reading order.
    private static IEnumerable<ITextShape> Directories(
        OpenedImage image, TreeWalker walker, TreeEntry start, ListOptions options, FailureList failures)
    {
        var seen = new HashSet<ulong> { start.InodeNumber };
        var pending = new Stack<TreeEntry>();
        pending.Push(start);
        while (pending.TryPop(out TreeEntry? directory))
        {
            if (options.Recursive)
                yield return new TextLine((directory == start ? "" : "\n") + MediaText.Show(directory.Path) + ":");
            List<TreeEntry> entries = walker.ReadDirectory(directory);
            if (!options.All)
                entries.RemoveAll(static entry => entry.Name[0] == (byte)'.');
            List<TreeEntry> shown = options.All ? [.. Dots(image, directory), .. entries] : entries;
            foreach (ITextShape line in Lines(image, shown, options, showPath: false, failures))
                yield return line;
            if (!options.Recursive)
                continue;
            for (int i = entries.Count - 1; i >= 0; i--)
            {
                if (entries[i].IsDirectory && entries[i].IsReadable && seen.Add(entries[i].InodeNumber))
                    pending.Push(entries[i]);
            }
        }
    }

    private static IEnumerable<TreeEntry> Dots(OpenedImage image, TreeEntry directory)
    {
        yield return TreeEntry.Of(directory.PathOf("."u8), directory.Attributes);
        ulong parent = directory.InodeNumber == FormatRoot ? FormatRoot : directory.Attributes.ParentInode;
        var error = image.Pfs.TryGetAttributes(parent, out var attributes);
        if (error == Engine.Primitives.Hammer2Error.None)
            yield return TreeEntry.Of(directory.PathOf(".."u8), attributes);
    }

    private const ulong FormatRoot = Engine.Format.FormatLimits.RootInodeNumber;

    private static IEnumerable<ITextShape> Lines(
        OpenedImage image, List<TreeEntry> entries, ListOptions options, bool showPath, FailureList failures)
    {
        List<LsEntry> lines = entries.ConvertAll(entry => LsEntry.From(entry, image.Pfs, options.Long, showPath, failures));
        var columns = new LsColumns(lines);
        foreach (LsEntry line in lines)
        {
            line.Columns = columns;
            yield return line;
        }
    }
}

/// <summary>Widths of the long listing of one directory.</summary>
internal sealed class LsColumns(IReadOnlyCollection<LsEntry> lines)
{
    public int Links { get; } = Widest(lines, line => LsEntry.Number(line.Nlink));

    public int Uid { get; } = Widest(lines, line => LsEntry.Number(line.Uid));

    public int Gid { get; } = Widest(lines, line => LsEntry.Number(line.Gid));

    public int Size { get; } = Widest(lines, line => line.ShownSize);

    private static int Widest(IReadOnlyCollection<LsEntry> lines, Func<LsEntry, string> cell) =>
        lines.Count == 0 ? 0 : lines.Max(line => cell(line).Length);
}

/// <summary>A line of <c>ls</c>.</summary>
internal sealed class LsEntry : EntryShape, ITextShape
{
    private readonly bool _isLong;
    private readonly string _shownName;

    private LsEntry(Seed seed, bool isLong, bool showPath)
        : base(seed)
    {
        _isLong = isLong;
        _shownName = MediaText.Show(showPath ? seed.Entry.Path : seed.Entry.Name);
        (Name, NameHex) = MediaText.Split(seed.Entry.Name);
    }

    public string? Name { get; }

    public string? NameHex { get; }

    [JsonIgnore]
    public LsColumns? Columns { get; set; }

    public static LsEntry From(TreeEntry entry, PfsMount pfs, bool isLong, bool showPath, FailureList failures) =>
        Fill(entry, pfs, failures, seed => new LsEntry(seed, isLong, showPath) { Type = seed.TypeName });

    public static string Number(ulong? value) => value is null ? "?" : $"{value}";

    public void WriteText(TextOutput output)
    {
        if (!_isLong)
        {
            output.Line(_shownName);
            return;
        }

        string links = Number(Nlink).PadLeft(Columns!.Links);
        string uid = Number(Uid).PadLeft(Columns.Uid);
        string gid = Number(Gid).PadLeft(Columns.Gid);
        string size = (Mode is null ? "?" : ShownSize).PadLeft(Columns.Size);
        string target = ShownTarget is { } text ? " -> " + text : Type == "symlink" && Error is not null ? " -> ?" : "";
        output.Line($"{ShownMode} {links} {uid} {gid} {size} {ShownTime,16} {_shownName}{target}");
    }
}
