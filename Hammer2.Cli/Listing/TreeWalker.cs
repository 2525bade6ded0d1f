// Reads directories and whole trees in a fixed order. Invariants: no recursion; memory is one list
// per level of the current path; a directory that a damaged image reaches twice is entered once and
// reported, so that loops end; damage goes to the failure list and the walk continues.

using Hammer2.Cli.Output;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Listing;

/// <summary>In which order a walk delivers a tree.</summary>
internal enum WalkOrder
{
    /// <summary>A directory, then at once everything in it.</summary>
    DepthFirst,

    /// <summary>By the bytes of the whole path, as manifests are sorted.</summary>
    ByPathBytes,
}

/// <summary>One step of a walk.</summary>
/// <param name="Entry">The entry.</param>
/// <param name="Depth">0 for the start.</param>
/// <param name="IsLast">No entry of the same directory follows.</param>
/// <param name="IsEntered">What is in the directory follows, and a leaving step after it.</param>
/// <param name="IsLeaving">Everything in this directory has been delivered.</param>
internal readonly record struct WalkStep(TreeEntry Entry, int Depth, bool IsLast, bool IsEntered, bool IsLeaving);

/// <summary>Walks trees of one PFS.</summary>
internal sealed class TreeWalker(PfsMount pfs, FailureList failures, CancellationToken stop)
{
    // Each level keeps its path: without a bound, an image made to be deep would cost the square of its depth.
    private const int PathBytesMax = 32768;

    private readonly DirectoryBatch _batch = new();
    private readonly Dictionary<TreeEntry, string> _damage = [];

    /// <summary>Whether a damaged entry is reported as a failure when its directory is read.</summary>
    public bool ReportsDamagedEntries { get; init; } = true;

    /// <summary>Which entries are delivered and entered; null for all.</summary>
    public Predicate<TreeEntry>? Keeps { get; init; }

    /// <summary>Levels below the start that are entered.</summary>
    public int DepthMax { get; init; } = int.MaxValue;

    /// <summary>Why the listing of a directory is not whole; known when its own step is delivered.</summary>
    public string? DamageOf(TreeEntry directory) => _damage.GetValueOrDefault(directory);

    /// <summary>The entries of a directory, sorted by the bytes of their names.</summary>
    public List<TreeEntry> ReadDirectory(TreeEntry directory)
    {
        var entries = new List<TreeEntry>();
        try
        {
            Hammer2Error error = pfs.TryOpen(directory.InodeNumber, out Vnode? node);
            if (error != Hammer2Error.None || node is null)
            {
                Report(directory, error, ErrorText.OfEntry(error));
                return entries;
            }

            using (node)
                ReadAll(directory, node, entries);
        }
        catch (Hammer2Exception failure)
        {
            Report(directory, failure.Error, failure.Message);
        }

        entries.Sort(static (a, b) => a.Name.SequenceCompareTo(b.Name));
        return entries;
    }

    /// <summary>Delivers the start and everything below it, leaving steps included.</summary>
    public IEnumerable<WalkStep> Walk(TreeEntry start, WalkOrder order = WalkOrder.DepthFirst)
    {
        var entered = new HashSet<ulong>();
        var levels = new Stack<Level>();
        // A directory is read before it is delivered; in path order its contents may come a few names later.
        var prepared = new Dictionary<TreeEntry, Level>();
        Level? first = Prepare(start, 0, order, entered);
        yield return new WalkStep(start, 0, true, first is not null, false);
        if (first is not null)
            levels.Push(first);
        while (levels.TryPeek(out Level? level))
        {
            stop.ThrowIfCancellationRequested();
            if (!level.MoveNext())
            {
                levels.Pop();
                yield return new WalkStep(level.Directory, levels.Count, true, false, true);
                continue;
            }

            TreeEntry entry = level.Current;
            if (level.CurrentIsName)
            {
                Level? contents = Prepare(entry, levels.Count, order, entered);
                if (contents is not null)
                    prepared.Add(entry, contents);
                yield return new WalkStep(entry, levels.Count, level.IsLast, contents is not null, false);
            }

            if ((level.CurrentIsContents || order == WalkOrder.DepthFirst) && prepared.Remove(entry, out Level? below))
                levels.Push(below);
        }
    }

    private Level? Prepare(TreeEntry entry, int depth, WalkOrder order, HashSet<ulong> entered)
    {
        if (!entry.IsDirectory || !entry.IsReadable || depth >= DepthMax)
            return null;
        if (entry.Path.Length > PathBytesMax)
        {
            Report(entry, Hammer2Error.NameTooLong, "path longer than 32768 bytes; not entered");
            return null;
        }

        if (!entered.Add(entry.InodeNumber))
        {
            Report(entry, Hammer2Error.Corrupt, "damaged: this directory is reachable by another name too; not entered again");
            return null;
        }

        return new Level(entry, this, order);
    }

    private void ReadAll(TreeEntry directory, Vnode node, List<TreeEntry> entries)
    {
        ulong position = 0;
        do
        {
            stop.ThrowIfCancellationRequested();
            node.ReadDirectory(position, _batch);
            for (int i = 0; i < _batch.Count; i++)
                entries.Add(ToEntry(directory, i));
            foreach (Hammer2Exception damage in _batch.Damage)
                Report(directory, damage.Error, "some names could not be read: " + damage.Message);
            position = _batch.NextPosition;
        }
        while (!_batch.EndOfDirectory);
    }

    private TreeEntry ToEntry(TreeEntry directory, int index)
    {
        ref readonly DirectoryRecord record = ref _batch[index];
        byte[] path = directory.PathOf(_batch.NameOf(index));
        var entry = new TreeEntry
        {
            Path = path,
            NameStart = path.Length - _batch.NameOf(index).Length,
            InodeNumber = record.InodeNumber,
            Type = record.Error == Hammer2Error.None ? record.Attributes.Type : record.Type,
            Error = record.Error,
            Attributes = record.Attributes,
        };
        if (!entry.IsReadable && ReportsDamagedEntries)
            failures.Add(Failure.At(path, ErrorText.Code(entry.Error), ErrorText.OfEntry(entry.Error)));
        return entry;
    }

    private void Report(TreeEntry directory, Hammer2Error error, string message)
    {
        failures.Add(Failure.At(directory.Path, ErrorText.Code(error), message));
        _damage.TryAdd(directory, message);
    }

    // One directory being delivered. In path order a subdirectory's name and its contents are two
    // items, because "/a-b" sorts between "/a" and "/a/x".
    private sealed class Level
    {
        private readonly List<(TreeEntry Entry, bool IsContents)> _items;
        private readonly bool _splits;
        private int _at = -1;

        public Level(TreeEntry directory, TreeWalker walker, WalkOrder order)
        {
            Directory = directory;
            _splits = order == WalkOrder.ByPathBytes;
            List<TreeEntry> entries = walker.ReadDirectory(directory);
            if (walker.Keeps is { } keeps)
                entries.RemoveAll(entry => !keeps(entry));
            _items = entries.ConvertAll(entry => (entry, false));
            if (!_splits)
                return;
            _items.AddRange(entries.Where(entry => entry.IsDirectory).Select(entry => (entry, true)));
            _items.Sort(static (a, b) => Compare(a.Entry, a.IsContents, b.Entry, b.IsContents));
        }

        public TreeEntry Directory { get; }

        public TreeEntry Current => _items[_at].Entry;

        public bool CurrentIsContents => _items[_at].IsContents;

        public bool CurrentIsName => !CurrentIsContents;

        public bool IsLast => _at == _items.Count - 1;

        public bool MoveNext() => ++_at < _items.Count;

        // Compares as if a slash followed the name where the contents are meant.
        private static int Compare(TreeEntry a, bool aSlash, TreeEntry b, bool bSlash)
        {
            ReadOnlySpan<byte> x = a.Name, y = b.Name;
            int common = Math.Min(x.Length, y.Length);
            int order = x[..common].SequenceCompareTo(y[..common]);
            if (order != 0)
                return order;
            int xNext = x.Length > common ? x[common] : aSlash ? '/' : -1;
            int yNext = y.Length > common ? y[common] : bSlash ? '/' : -1;
            return xNext.CompareTo(yNext);
        }
    }
}
