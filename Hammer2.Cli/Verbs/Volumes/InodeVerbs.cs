// `hammer2 printinode` and `dumpchain`: what is in an inode, field by field, and what a mount holds in memory. For people who look
// for a fault. Invariant: only looks. May call Listing, Output and the engine's PFS.

using System.CommandLine;
using System.Reflection;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;

namespace Hammer2.Cli.Verbs.Volumes;

/// <summary>Verbs about inodes as they are.</summary>
internal static class InodeVerbs
{
    public static IEnumerable<VerbCommand> Create() => [PrintInode(), DumpChain()];

    private static VerbCommand PrintInode()
    {
        Argument<string> image = GlobalOptions.Image();
        Argument<string[]> paths = Changing.Paths("Paths inside the PFS; links are not followed.");
        return new VerbCommand("printinode", "Print every field of inodes and the blockrefs to them.", "hammer2 printinode disk.img@DATA /etc/rc.conf")
        {
            image, paths,
        }.Lives().Runs((context, parsed) =>
        {
            var failures = new FailureList();
            return VerbResult.Listing("inodes", Inodes(context, parsed.GetRequiredValue(image), parsed.GetRequiredValue(paths), failures), failures);
        });
    }

    private static IEnumerable<ITextShape> Inodes(VerbContext context, string imageName, string[] paths, FailureList failures)
    {
        using OpenedImage image = OpenedImage.OpenPfs(context, imageName);
        var resolver = new PathResolver(image.Pfs);
        foreach (string path in paths)
        {
            ITextShape? shape = null;
            try
            {
                using ResolvedPath found = resolver.Resolve(path, followLast: false);
                InodeData data = found.Node.GetInodeData(out BlockRef bref);
                shape = InodeSheet.Of(found.Path, data, bref);
            }
            catch (CliException failure)
            {
                failures.Add(Failure.At(MediaText.Parse(path), "not_readable", failure.Message) with { Line = failure.Message });
            }

            if (shape is not null)
                yield return shape;
        }
    }

    private static VerbCommand DumpChain()
    {
        Argument<string> image = GlobalOptions.Image();
        return new VerbCommand("dumpchain", "List the inodes that a mount holds in memory: open ones, and changed ones that wait for a commit.", $"hammer2 dumpchain {MountVerb.ExampleTarget}")
        {
            image,
        }.Lives().Runs((context, parsed) =>
        {
            using OpenedImage opened = OpenedImage.OpenPfs(context, parsed.GetRequiredValue(image));
            return VerbResult.Of(new MemoryTable([.. opened.Pfs.ListMemory().Select(MemoryShape.Of)]));
        });
    }
}

/// <summary>All fields of an inode.</summary>
internal sealed record InodeSheet(string? Path, string? PathHex, IReadOnlyDictionary<string, string> Fields, BlockRefShape Blockref) : ITextShape
{
    private static readonly FieldInfo[] s_fields = [.. typeof(InodeData).GetFields(BindingFlags.Public | BindingFlags.Instance)];

    private string Shown { get; init; } = "";

    public static InodeSheet Of(byte[] path, InodeData data, BlockRef bref)
    {
        var (text, hex) = MediaText.Split(path);
        object boxed = data;
        Dictionary<string, string> fields = s_fields.ToDictionary(
            static field => System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName(field.Name), field => Show(field.Name, field.GetValue(boxed)!));
        return new InodeSheet(text, hex, fields, BlockRefShape.Of(bref)) { Shown = MediaText.Show(path) };
    }

    public void WriteText(TextOutput output)
    {
        output.Line(Shown);
        output.Line($"  {Blockref.Text}");
        foreach (var (name, value) in Fields)
            output.Line($"  {name,-24} {value}");
    }

    private static string Show(string field, object value) => value switch
    {
        uint mode when field == nameof(InodeData.Mode) => "0" + Convert.ToString(mode, 8).PadLeft(3, '0'),
        long time when field.EndsWith("Time", StringComparison.Ordinal) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{time} ({Times.ShowFull(time)})"),
        ulong number => $"{number} (0x{number:x})",
        Enum or Guid => $"{value}",
        IFormattable number => number.ToString(null, System.Globalization.CultureInfo.InvariantCulture),
        _ => $"{value}",
    };
}

/// <summary>What is in memory.</summary>
internal sealed record MemoryTable(IReadOnlyList<MemoryShape> Inodes) : ITextShape
{
    private static readonly string[] s_headings = [">INODE", "TYPE", ">VIEWS", "STATE", ">WAITING", ">GENERATION", "BLOCK"];

    public void WriteText(TextOutput output) => output.Table(s_headings, [.. Inodes.Select(static inode => inode.Cells)]);
}

/// <summary>An inode in memory.</summary>
internal sealed record MemoryShape(
    ulong Inum, string Type, int Views, bool Dirty, bool Removed, bool Indexed, bool TreeDirty, int WaitingBlocks, int Generation, string Offset)
{
    [System.Text.Json.Serialization.JsonIgnore]
    public string[] Cells =>
    [
        $"{Inum}", Type, $"{Views}", string.Join(',', States().DefaultIfEmpty("clean")), $"{WaitingBlocks}", $"{Generation}", Offset,
    ];

    public static MemoryShape Of(InodeInMemory inode) => new(
        inode.InodeNumber, MethodNames.Of(inode.Type), inode.Views, inode.IsDirty, inode.IsRemoved, inode.IsIndexed, inode.TreeIsDirty, inode.WaitingBlocks, inode.Generation,
        $"0x{inode.Blockref.Physical.Offset:x}");

    private IEnumerable<string> States()
    {
        if (Dirty)
            yield return "dirty";
        if (TreeDirty)
            yield return "tree";
        if (Removed)
            yield return "removed";
        if (!Indexed)
            yield return "new";
    }
}
