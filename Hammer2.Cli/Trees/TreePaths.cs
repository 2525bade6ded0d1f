// From what a user typed to a place in a tree: the directory, the name, and the object when there is one. Links inside the
// path are followed as a kernel would with the tree's root as its root. Invariants: at most 40 links, so that a loop ends;
// a path that exists as written is never taken for a pattern. May call Output and Listing.

using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Trees;

/// <summary>A place in a tree, with or without something there.</summary>
/// <param name="Directory">What holds the name; the root for the root.</param>
/// <param name="Name">The last name; empty when the path ends at the root.</param>
/// <param name="Node">What stands there; null when nothing does.</param>
/// <param name="Path">Absolute, for messages.</param>
/// <param name="Ancestors">Every directory on the way, <paramref name="Directory"/> included.</param>
/// <param name="NeedsDirectory">The path ended with a slash.</param>
internal sealed record TreePlace(
    IFileNode Directory, byte[] Name, IFileNode? Node, byte[] Path, IReadOnlyList<NodeIdentity> Ancestors, bool NeedsDirectory)
    : IDisposable
{
    public bool IsRoot => Name.Length == 0;

    public bool IsDirectory => Node?.Type == ObjectType.Directory;

    public void Dispose()
    {
        Directory.Dispose();
        Node?.Dispose();
    }
}

/// <summary>Resolves paths of one tree.</summary>
internal sealed class TreePaths(IFileTree tree)
{
    private const int LinksMax = 40;
    private static readonly byte[] s_patternBytes = "*?["u8.ToArray();

    /// <summary>The place that a typed path means; the last name need not exist.</summary>
    /// <exception cref="CliException">A directory on the way does not exist.</exception>
    public TreePlace Find(string typed, bool followLast) => Find(MediaText.Parse(typed), followLast);

    /// <summary>The same for a path that must lead to something.</summary>
    public TreePlace FindExisting(string typed, bool followLast) => Existing(Find(typed, followLast));

    /// <summary>Every place that a typed path means: itself when it exists, else what matches it as a pattern.</summary>
    public IEnumerable<TreePlace> Expand(string typed, bool followLast)
    {
        if (!typed.AsSpan().ContainsAny('*', '?', '[') || TryFindExisting(typed, followLast) is { } literal && Give(literal))
        {
            yield return FindExisting(typed, followLast);
            yield break;
        }

        bool any = false;
        foreach (byte[] path in Matches(typed))
        {
            any = true;
            yield return Existing(Find(path, followLast));
        }

        if (!any)
            throw new CliException(ExitCode.Partial, $"{typed}: {ErrorText.Of(Hammer2Error.NotFound)}");

        static bool Give(TreePlace place)
        {
            place.Dispose();
            return true;
        }
    }

    /// <summary>The same, but what neither exists nor is a pattern is the place of something new.</summary>
    public IEnumerable<TreePlace> ExpandOrNew(string typed, bool followLast) =>
        typed.AsSpan().ContainsAny('*', '?', '[') ? Expand(typed, followLast) : [Find(typed, followLast)];

    private static TreePlace Existing(TreePlace place)
    {
        if (place.Node is not null)
            return place;
        place.Dispose();
        throw Failed(place.Path, Hammer2Error.NotFound);
    }

    private TreePlace? TryFindExisting(string typed, bool followLast)
    {
        try
        {
            return FindExisting(typed, followLast);
        }
        catch (CliException)
        {
            return null;
        }
    }

    private TreePlace Find(byte[] path, bool followLast)
    {
        bool slash = path is [.., (byte)'/'] && path.AsSpan().ContainsAnyExcept((byte)'/');
        using var walk = new Walk(tree);
        var pending = new Stack<byte[]>();
        Push(pending, path);
        int links = 0;
        while (pending.TryPop(out byte[]? name))
        {
            IFileNode current = walk.Last;
            if (current.Type != ObjectType.Directory)
                throw Failed(walk.Path, Hammer2Error.NotADirectory);
            if (name is [(byte)'.'])
                continue;
            if (name is [(byte)'.', (byte)'.'])
            {
                walk.Up();
                continue;
            }

            Hammer2Error error = current.TryLookup(name, NodeUse.Look, out IFileNode? next);
            if (error == Hammer2Error.NotFound && pending.Count == 0)
                return walk.PlaceOf(name, slash);
            if (error != Hammer2Error.None || next is null)
                throw Failed(walk.PathTo(name), error);
            if (next.Type != ObjectType.Symlink || !(followLast || slash || pending.Count > 0))
            {
                walk.Enter(next, name);
                continue;
            }

            byte[] target = TargetOf(next);
            if (++links > LinksMax)
                throw new CliException(ExitCode.Partial, $"{MediaText.Show(walk.PathTo(name))}: too many symbolic links");
            if (target is [(byte)'/', ..])
                walk.ToRoot();
            Push(pending, target);
        }

        if (slash && walk.Last.Type != ObjectType.Directory)
            throw Failed(walk.Path, Hammer2Error.NotADirectory);
        return walk.Place(slash);
    }

    private static byte[] TargetOf(IFileNode link)
    {
        using (link)
            return link.ReadLink();
    }

    // The parts go on top of what is left of the path, in reading order.
    private static void Push(Stack<byte[]> pending, byte[] path)
    {
        int end = path.Length;
        while (end > 0)
        {
            int slash = Array.LastIndexOf(path, (byte)'/', end - 1);
            if (end - slash > 1)
                pending.Push(path[(slash + 1)..end]);
            end = Math.Max(slash, 0);
        }
    }

    // Literal paths of everything that matches, in the order of their bytes.
    private List<byte[]> Matches(string typed)
    {
        List<byte[]> found = [[]];
        foreach (string part in typed.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            byte[] pattern = PatternOf(part);
            bool isPattern = part.AsSpan().ContainsAny('*', '?', '[');
            found = [.. found.SelectMany(prefix => isPattern ? MatchesIn(prefix, pattern) : [[.. prefix, (byte)'/', .. MediaText.Parse(part)]])];
        }

        return found;
    }

    private List<byte[]> MatchesIn(byte[] prefix, byte[] pattern)
    {
        using TreePlace place = Find(prefix, followLast: true);
        if (!place.IsDirectory)
            return [];
        // As in the shell: a leading dot is matched by a dot only.
        return [.. place.Node!.ReadDirectory()
            .Select(static listed => listed.Name)
            .Where(name => (name[0] != (byte)'.' || pattern[0] == (byte)'.') && Glob.IsMatch(pattern, name))
            .Order(Comparer<byte[]>.Create(static (a, b) => a.AsSpan().SequenceCompareTo(b)))
            .Select(name => (byte[])[.. prefix, (byte)'/', .. name])];
    }

    // A byte spelled \xNN stands for itself, also when it is one of the pattern's own signs.
    private static byte[] PatternOf(string part)
    {
        var pattern = new List<byte>();
        for (int at = 0; at < part.Length; at++)
        {
            bool escape = part[at] == '\\' && at + 3 < part.Length && part[at + 1] == 'x'
                && char.IsAsciiHexDigit(part[at + 2]) && char.IsAsciiHexDigit(part[at + 3]);
            if (!escape)
            {
                int length = char.IsHighSurrogate(part[at]) && at + 1 < part.Length ? 2 : 1;
                pattern.AddRange(System.Text.Encoding.UTF8.GetBytes(part.Substring(at, length)));
                at += length - 1;
                continue;
            }

            byte value = Convert.ToByte(part.Substring(at + 2, 2), 16);
            if (s_patternBytes.Contains(value) || value == (byte)'\\')
                pattern.Add((byte)'\\');
            pattern.Add(value);
            at += 3;
        }

        return [.. pattern];
    }

    private static CliException Failed(byte[] path, Hammer2Error error) =>
        new(ExitCode.Partial, $"{MediaText.Show(path)}: {ErrorText.Of(error)}");

    // The directories from the root to where the walk is; closes all that do not become part of the place.
    private sealed class Walk : IDisposable
    {
        private readonly List<(IFileNode Node, byte[] Name)> _trail = [];
        private readonly IFileTree _tree;

        public Walk(IFileTree tree)
        {
            _tree = tree;
            _trail.Add((tree.OpenRoot(), []));
        }

        public IFileNode Last => _trail[^1].Node;

        public byte[] Path => _trail.Count == 1 ? [(byte)'/'] : [.. _trail.Skip(1).SelectMany(static step => (byte[])[(byte)'/', .. step.Name])];

        public byte[] PathTo(byte[] name) => _trail.Count == 1 ? [(byte)'/', .. name] : [.. Path, (byte)'/', .. name];

        public void Enter(IFileNode node, byte[] name) => _trail.Add((node, name));

        public void Up()
        {
            if (_trail.Count == 1)
                return;
            Last.Dispose();
            _trail.RemoveAt(_trail.Count - 1);
        }

        public void ToRoot()
        {
            while (_trail.Count > 1)
                Up();
        }

        /// <summary>Where the walk ended.</summary>
        public TreePlace Place(bool slash)
        {
            byte[] path = Path;
            (IFileNode node, byte[] name) = _trail[^1];
            _trail.RemoveAt(_trail.Count - 1);
            NodeIdentity[] ancestors = [.. _trail.Select(static step => step.Node.Identity)];
            IFileNode directory = name.Length == 0 ? _tree.OpenRoot() : _trail[^1].Node;
            if (name.Length != 0)
                _trail.RemoveAt(_trail.Count - 1);
            return new TreePlace(directory, name, node, path, ancestors, slash);
        }

        /// <summary>A name that does not exist where the walk ended.</summary>
        public TreePlace PlaceOf(byte[] name, bool slash)
        {
            byte[] path = PathTo(name);
            NodeIdentity[] ancestors = [.. _trail.Select(static step => step.Node.Identity)];
            IFileNode directory = Last;
            _trail.RemoveAt(_trail.Count - 1);
            return new TreePlace(directory, name, null, path, ancestors, slash);
        }

        public void Dispose()
        {
            foreach (var (node, _) in _trail)
                node.Dispose();
        }
    }
}
