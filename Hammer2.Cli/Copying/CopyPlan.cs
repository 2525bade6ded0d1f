// From what a user typed to the starts of a tree copy: which sources, under which names, where. The same rules as `get`:
// the target is the copy's name, or the existing directory that it goes into. Invariants: what would be overwritten by
// accident is refused here with exit code 2, before anything is written; a directory is never copied into itself.

using System.Text;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Cli.Trees;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Copying;

/// <summary>A source before its target is known. The nodes belong to the plan.</summary>
/// <param name="Directory">What holds it, or the directory itself when only its contents are meant.</param>
/// <param name="Name">Its name; empty when only its contents are meant.</param>
/// <param name="Type">Kind.</param>
/// <param name="Identity">Which object.</param>
/// <param name="Path">For messages.</param>
internal sealed record CopySource(IFileNode Directory, byte[] Name, ObjectType Type, NodeIdentity Identity, byte[] Path);

/// <summary>Sources and targets of one copy.</summary>
internal sealed class CopyPlan : IDisposable
{
    private readonly List<IDisposable> _held = [];

    public List<CopyStart> Starts { get; } = [];

    public List<CopySource> Sources { get; } = [];

    /// <summary>The directory of the host that target paths are relative to, when the target is on the host.</summary>
    public string? HostRoot { get; private set; }

    /// <summary>Adds a path of the host.</summary>
    public void AddHost(string typed)
    {
        bool contents = typed is "." or ".." || typed.EndsWith("/.", StringComparison.Ordinal) || typed.EndsWith("/..", StringComparison.Ordinal);
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(typed));
        string? parent = contents ? full : Path.GetDirectoryName(full);
        byte[] name = parent is null || contents ? [] : Encoding.UTF8.GetBytes(Path.GetFileName(full));
        if (name.Length > 0 && (Path.EndsInDirectorySeparator(typed) || Path.EndsInDirectorySeparator(full)))
        {
            // As with cp(1): a slash at the end means the directory that a link leads to.
            full = new DirectoryInfo(full).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? full;
            (parent, name) = (Path.GetDirectoryName(full), Encoding.UTF8.GetBytes(Path.GetFileName(full)));
        }

        IFileTree tree = HostTrees.Of(parent ?? full);
        IFileNode directory = Hold(tree.OpenRoot());
        byte[] path = Encoding.UTF8.GetBytes(typed);
        if (name.Length == 0)
        {
            Sources.Add(new CopySource(directory, name, ObjectType.Directory, directory.Identity, path));
            return;
        }

        Hammer2Error error = directory.TryGetAttributes(name, out var attributes, out NodeIdentity identity);
        if (error != Hammer2Error.None)
            throw new CliException(ExitCode.Partial, $"{typed}: {ErrorText.Of(error)}");
        Sources.Add(new CopySource(directory, name, attributes.Type, identity, path));
    }

    /// <summary>Adds what a path or pattern of the PFS means.</summary>
    public void AddInside(TreePaths paths, string typed)
    {
        bool contents = typed is "." || typed.EndsWith("/.", StringComparison.Ordinal);
        foreach (TreePlace place in paths.Expand(typed, followLast: false))
        {
            Hold(place);
            bool whole = place.IsRoot || contents && place.IsDirectory;
            Sources.Add(new CopySource(
                whole ? place.Node! : place.Directory, whole ? [] : place.Name, place.Node!.Type, place.Node.Identity, place.Path));
        }
    }

    /// <summary>The target is a place of the PFS or of its mount.</summary>
    public void ToInside(TreePaths paths, string typed, bool mayReplace)
    {
        TreePlace place = Hold(paths.Find(typed, followLast: true));
        foreach (CopySource source in Sources)
            RefuseInsideItself(source, place);
        To(place.Directory, place.Name, place.Node, place.Path, MediaText.Show(place.Path), place.NeedsDirectory, mayReplace);
    }

    /// <summary>The target is a path of the host.</summary>
    public void ToHost(string typed, bool mayReplace)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(typed));
        bool isDirectory = Directory.Exists(full);
        string parent = isDirectory ? full : Path.GetDirectoryName(full) ?? full;
        if (!Directory.Exists(parent))
            throw CliException.Usage($"{typed}: the directory that should hold it does not exist");
        HostRoot = parent;
        IFileNode directory = Hold(HostTrees.Of(parent).OpenRoot());
        byte[] name = isDirectory ? [] : Encoding.UTF8.GetBytes(Path.GetFileName(full));
        To(directory, name, isDirectory ? directory : null, isDirectory ? [] : name, full, Path.EndsInDirectorySeparator(typed), mayReplace);
    }

    public void Dispose()
    {
        foreach (IDisposable held in _held)
            held.Dispose();
    }

    private void To(IFileNode directory, byte[] name, IFileNode? existing, byte[] path, string shown, bool needsDirectory, bool mayReplace)
    {
        bool into = existing?.Type == ObjectType.Directory;
        if (!into && Sources.Count != 1)
            throw CliException.Usage($"{shown}: with several sources the target must be an existing directory");
        foreach (CopySource source in Sources)
        {
            if (source.Name.Length == 0 && into)
                Starts.Add(new CopyStart(source.Directory, [], source.Path, existing!, [], path));
            else if (source.Name.Length == 0)
                Starts.Add(ContentsAsNew(source, directory, name, path, shown, existing));
            else if (into)
                AddInto(source, existing!, path, shown, mayReplace);
            else if (existing is not null && (!mayReplace || source.Type == ObjectType.Directory))
                throw CliException.Usage($"{shown} exists{(source.Type == ObjectType.Directory ? " and is not a directory" : "; --force replaces it")}");
            else if (needsDirectory && source.Type != ObjectType.Directory)
                throw CliException.Usage($"{shown}: is not a directory");
            else
                Starts.Add(new CopyStart(source.Directory, source.Name, source.Path, directory, name, path));
        }

        if (Starts.GroupBy(start => (start.Target.Identity, Encoding.Latin1.GetString(start.TargetName)))
            .FirstOrDefault(group => group.Key.Item2.Length > 0 && group.Count() > 1) is { } twice)
            throw CliException.Usage($"two sources would both become '{MediaText.Show(twice.First().TargetName)}'");
    }

    private void AddInto(CopySource source, IFileNode directory, byte[] path, string shown, bool mayReplace)
    {
        byte[] target = path is [.., (byte)'/'] or [] ? [.. path, .. source.Name] : [.. path, (byte)'/', .. source.Name];
        if (!mayReplace && directory.TryLookup(source.Name, NodeUse.Look, out IFileNode? there) == Hammer2Error.None)
        {
            bool isDirectory = there!.Type == ObjectType.Directory;
            there.Dispose();
            string what = isDirectory ? "merges directories and replaces files" : "replaces it";
            throw CliException.Usage($"{shown.TrimEnd('/')}/{MediaText.Show(source.Name)} exists; --force {what}");
        }

        Starts.Add(new CopyStart(source.Directory, source.Name, source.Path, directory, source.Name, target));
    }

    // The contents of a directory under a name that does not exist: the directory is made first.
    private CopyStart ContentsAsNew(CopySource source, IFileNode directory, byte[] name, byte[] path, string shown, IFileNode? existing)
    {
        if (existing is not null)
            throw CliException.Usage($"{shown} exists and is not a directory");
        var what = new Hammer2.Engine.Pfs.NewInode { Type = ObjectType.Directory, Mode = 0x1C0 };
        Hammer2Error error = directory.TryCreate(name, what, out IFileNode? made);
        if (error != Hammer2Error.None || made is null)
            throw new CliException(ExitCode.Partial, $"{shown}: {ErrorText.Of(error)}");
        return new CopyStart(source.Directory, [], source.Path, Hold(made), [], path);
    }

    private static void RefuseInsideItself(CopySource source, TreePlace place)
    {
        bool inside = place.Ancestors.Contains(source.Identity) || place.Node?.Identity == source.Identity;
        if (source.Type == ObjectType.Directory && inside)
            throw CliException.Usage($"{MediaText.Show(source.Path)} cannot be copied into itself");
        if (place.Node?.Identity == source.Identity)
            throw CliException.Usage($"{MediaText.Show(source.Path)} and {MediaText.Show(place.Path)} are the same file");
    }

    private T Hold<T>(T held)
        where T : IDisposable
    {
        _held.Add(held);
        return held;
    }
}
