// `hammer2 find`: entries of a tree that meet all given conditions. Invariants: conditions are checked before the
// image is opened; an entry whose inode is damaged can be found by name and type only. Streaming.
// May call Listing and Output.

using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.Json.Serialization;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Verbs;

/// <summary>Searches trees.</summary>
internal static class FindVerb
{
    private static readonly Dictionary<string, ObjectType> s_types = new()
    {
        ["f"] = ObjectType.File,
        ["d"] = ObjectType.Directory,
        ["l"] = ObjectType.Symlink,
        ["p"] = ObjectType.Fifo,
        ["c"] = ObjectType.CharDevice,
        ["b"] = ObjectType.BlockDevice,
        ["s"] = ObjectType.Socket,
    };

    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Image();
        Argument<string> path = GlobalOptions.OptionalPath();
        var name = new Option<string?>("--name", "-name")
        {
            Description = "Name matches a pattern of * ? [a-z].",
            HelpName = "GLOB",
        };
        var iname = new Option<string?>("--iname", "-iname")
        {
            Description = "The same, ASCII letters in any case.",
            HelpName = "GLOB",
        };
        var type = new Option<string?>("--type", "-type")
        {
            Description = "f file, d directory, l link, p fifo, c and b devices, s socket; several as f,l.",
            HelpName = "TYPES",
        };
        type.Validators.Add(CheckType);
        var size = new Option<string?>("--size", "-size")
        {
            Description = "Files of SIZE bytes: +1M larger, -1M smaller, 0 exactly.",
            HelpName = "[+-]SIZE",
        };
        size.Validators.Add(CheckSize);
        var newer = new Option<string?>("--newer", "-newer")
        {
            Description =
                "Modified after a time such as 2024-01-31 or 2024-01-31T12:00:00 (UTC), or after the entry /PATH of the PFS.",
            HelpName = "TIME|/PATH",
        };
        return new VerbCommand(
            "find",
            "Search a tree for entries that meet all conditions.",
            "hammer2 find disk.img@DATA / -name '*.conf'",
            "hammer2 find disk.img@DATA /home -type f -size +10M",
            "hammer2 find disk.img@DATA / -newer 2024-01-31")
        {
            image, path, name, iname, type, size, newer,
        }.Lives().Runs((context, parsed) => Find(context, parsed.GetRequiredValue(image), parsed.GetRequiredValue(path), new Wanted(
            parsed.GetValue(name),
            parsed.GetValue(iname),
            parsed.GetValue(type)?.Split(',').Select(letter => s_types[letter]).ToHashSet(),
            parsed.GetValue(size),
            parsed.GetValue(newer))));
    }

    private sealed record Wanted(string? Name, string? InsensitiveName, HashSet<ObjectType>? Types, string? Size, string? Newer);

    private static void CheckType(OptionResult result)
    {
        if (result.Tokens.Count == 1 && !result.Tokens[0].Value.Split(',').All(s_types.ContainsKey))
            result.AddError($"--type wants letters of f,d,l,p,c,b,s, not '{result.Tokens[0].Value}'");
    }

    private static void CheckSize(OptionResult result)
    {
        if (result.Tokens.Count == 1 && !ByteSize.TryParse(result.Tokens[0].Value.TrimStart('+', '-'), out _))
            result.AddError($"--size wants a size such as +1M, -64K or 0, not '{result.Tokens[0].Value}'");
    }

    private static VerbResult Find(VerbContext context, string imageName, string typed, Wanted wanted)
    {
        var failures = new FailureList();
        return VerbResult.Listing("entries", Entries(), failures);

        IEnumerable<ITextShape> Entries()
        {
            using OpenedImage image = OpenedImage.OpenPfs(context, imageName);
            var resolver = new PathResolver(image.Pfs);
            using ResolvedPath start = resolver.Resolve(typed, followLast: true);
            Predicate<TreeEntry> matches = Condition(wanted, resolver);
            var walker = new TreeWalker(image.Pfs, failures, context.Stop);
            foreach (WalkStep step in walker.Walk(start.ToEntry()))
            {
                if (!step.IsLeaving && matches(step.Entry))
                    yield return EntryShape.Fill(
                        step.Entry, image.Pfs, failures, seed => new FoundEntry(seed) { Type = seed.TypeName });
            }
        }
    }

    private static Predicate<TreeEntry> Condition(Wanted wanted, PathResolver resolver)
    {
        var conditions = new List<Predicate<TreeEntry>>();
        if (wanted.Name is not null)
            conditions.Add(Named(wanted.Name, ignoreCase: false));
        if (wanted.InsensitiveName is not null)
            conditions.Add(Named(wanted.InsensitiveName, ignoreCase: true));
        if (wanted.Types is { } types)
            conditions.Add(entry => types.Contains(entry.Type));
        if (wanted.Size is { } size)
            conditions.Add(Sized(size));
        if (wanted.Newer is { } newer)
        {
            long afterUs = ReferenceTime(newer, resolver);
            conditions.Add(entry => entry.IsReadable && entry.Attributes.ModifyTimeUs > afterUs);
        }

        return entry => conditions.TrueForAll(condition => condition(entry));
    }

    private static Predicate<TreeEntry> Named(string pattern, bool ignoreCase)
    {
        // The pattern keeps its backslashes: they are the glob's own quoting, and \xNN works through Parse.
        byte[] bytes = System.Text.Encoding.UTF8.GetBytes(pattern);
        return entry => Glob.IsMatch(bytes, entry.Path.Length == 1 ? entry.Path : entry.Name, ignoreCase);
    }

    private static Predicate<TreeEntry> Sized(string size)
    {
        _ = ByteSize.TryParse(size.TrimStart('+', '-'), out long bytes);
        return entry => entry.IsReadable && entry.Type is ObjectType.File or ObjectType.Symlink && size[0] switch
        {
            '+' => entry.Attributes.Size > bytes,
            '-' => entry.Attributes.Size < bytes,
            _ => entry.Attributes.Size == bytes,
        };
    }

    private static long ReferenceTime(string newer, PathResolver resolver)
    {
        if (newer.StartsWith('/'))
        {
            using ResolvedPath reference = resolver.Resolve(newer, followLast: true);
            return reference.Node.GetAttributes().ModifyTimeUs;
        }

        const DateTimeStyles Utc = DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal;
        if (DateTime.TryParse(newer, CultureInfo.InvariantCulture, Utc, out DateTime time))
            return MediaTime.FromUtc(time);
        throw CliException.Usage($"--newer wants a time such as 2024-01-31 or an absolute path of the PFS, not '{newer}'");
    }
}

/// <summary>A line of <c>find</c>: the path.</summary>
internal sealed class FoundEntry : EntryShape, ITextShape
{
    private readonly string _shown;

    public FoundEntry(Seed seed)
        : base(seed)
    {
        _shown = MediaText.Show(seed.Entry.Path);
    }

    [JsonIgnore]
    public string Text => _shown;

    public void WriteText(TextOutput output) => output.Line(_shown);
}
