// Fills an open PFS from a directory of the host, as `newfs --from` and `put` do. Invariants: the host's tree is only
// read; what could not be copied is in Failures and nothing of it is left in the PFS; the caller commits.
// May call Trees and the engine's PFS.

using Hammer2.Cli.Output;
using Hammer2.Cli.Trees;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Copying;

/// <summary>Imports a directory of the host.</summary>
internal sealed class TreeImporter(PfsMount pfs, TreeCopyOptions? options = null)
{
    /// <summary>What could not be copied.</summary>
    public FailureList Failures { get; } = new();

    /// <summary>What was.</summary>
    public CopyCounts Counts { get; private set; } = new();

    /// <summary>Told of bytes that are done; called from several threads.</summary>
    public Action<long> Progress { get; init; } = static _ => { };

    /// <summary>Files that must not be copied; the image itself may lie in the tree.</summary>
    public IReadOnlyList<string> ImageFiles { get; init; } = [];

    /// <summary>Copies the contents of the directory into the root of the PFS, which gets the directory's attributes.</summary>
    /// <exception cref="CliException">The volume is full, or takes no changes.</exception>
    public void Import(string hostDirectory, CancellationToken stop = default)
    {
        using IFileTree host = HostTrees.Of(hostDirectory);
        using IFileNode source = host.OpenRoot();
        using var target = new EngineTree(pfs);
        using IFileNode root = target.OpenRoot();
        TreeCopyOptions chosen = (options ?? new TreeCopyOptions()) with { Excluded = IdentitiesOf(ImageFiles) };
        var copy = new TreeCopy(target, chosen, Failures, stop) { Progress = Progress };
        Counts = copy.Counts;
        byte[] path = System.Text.Encoding.UTF8.GetBytes(hostDirectory);
        copy.Run([new CopyStart(source, [], path, root, [], [])]);
    }

    /// <summary>Which files of the host these paths are.</summary>
    public static IReadOnlySet<NodeIdentity> IdentitiesOf(IEnumerable<string> paths)
    {
        var found = new HashSet<NodeIdentity>();
        foreach (string path in paths.Where(File.Exists))
        {
            string full = File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? Path.GetFullPath(path);
            using IFileTree host = HostTrees.Of(Path.GetDirectoryName(full)!);
            using IFileNode directory = host.OpenRoot();
            byte[] name = System.Text.Encoding.UTF8.GetBytes(Path.GetFileName(full));
            if (directory.TryGetAttributes(name, out _, out NodeIdentity identity) == Hammer2Error.None)
                found.Add(identity);
        }

        return found;
    }

    /// <summary>Bytes of all files below, each file once, and how many objects there are; what cannot be read counts nothing.</summary>
    public static (long Bytes, long Objects) Measure(IFileNode directory, CancellationToken stop)
    {
        long total = 0, objects = 0;
        var seen = new HashSet<NodeIdentity>();
        var open = new Stack<(IFileNode Node, IEnumerator<ListedName> Names)>();
        open.Push((directory, directory.ReadDirectory().GetEnumerator()));
        while (open.TryPeek(out var level))
        {
            stop.ThrowIfCancellationRequested();
            if (!MoveNext(level.Names))
            {
                level.Names.Dispose();
                open.Pop();
                if (open.Count > 0)
                    level.Node.Dispose();
                continue;
            }

            byte[] name = level.Names.Current.Name;
            if (level.Node.TryGetAttributes(name, out InodeAttributes attributes, out NodeIdentity identity) != Hammer2Error.None)
                continue;
            objects++;
            if (attributes.Type == ObjectType.File && (attributes.LinkCount < 2 || seen.Add(identity)))
                total += attributes.Size;
            if (attributes.Type == ObjectType.Directory
                && level.Node.TryLookup(name, NodeUse.Look, out IFileNode? below) == Hammer2Error.None)
                open.Push((below!, below!.ReadDirectory().GetEnumerator()));
        }

        return (total, objects);
    }

    private static bool MoveNext(IEnumerator<ListedName> names)
    {
        try
        {
            return names.MoveNext();
        }
        catch (IOException)
        {
            // The copy itself reports it.
            return false;
        }
    }
}
