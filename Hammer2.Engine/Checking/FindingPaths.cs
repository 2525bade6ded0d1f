// Gives findings a path, by one walk over the names of every PFS that has findings. Names are all it needs, so
// it also finds the path of an inode that is itself unreadable; what lies below an unreadable directory has none.

using System.Text;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Engine.Checking;

internal static class FindingPaths
{
    /// <summary>The findings with paths where one is found, sorted by PFS, path and offset.</summary>
    internal static IReadOnlyList<VerifyFinding> Fill(Hammer2Volume volume, List<VerifyFinding> findings)
    {
        var result = new List<VerifyFinding>(findings.Count);
        foreach (IGrouping<string?, VerifyFinding> group in findings.GroupBy(f => f.Pfs))
        {
            Dictionary<ulong, string> paths = group.Key is null ? [] : PathsOf(volume, group.Key, [.. group.Select(f => f.InodeNumber)]);
            result.AddRange(group.Select(f => f with { Path = paths.GetValueOrDefault(f.InodeNumber) }));
        }

        return [.. result.OrderBy(f => f.Pfs, StringComparer.Ordinal).ThenBy(f => f.Path, StringComparer.Ordinal).ThenBy(f => f.Offset)];
    }

    private static Dictionary<ulong, string> PathsOf(Hammer2Volume volume, string label, HashSet<ulong> wanted)
    {
        var paths = new Dictionary<ulong, string>();
        try
        {
            using PfsMount pfs = volume.OpenPfs(label);
            if (wanted.Contains(PfsMount.RootInodeNumber))
                paths.Add(PfsMount.RootInodeNumber, "/");
            Walk(pfs, wanted, paths);
        }
        catch (Hammer2Exception)
        {
            // The PFS root is itself among the findings: the others stay without paths.
            return paths;
        }

        return paths;
    }

    private static void Walk(PfsMount pfs, HashSet<ulong> wanted, Dictionary<ulong, string> paths)
    {
        var batch = new DirectoryBatch { WithAttributes = false };
        var seen = new HashSet<ulong>();
        var pending = new Stack<(ulong Inode, string Path)>();
        pending.Push((PfsMount.RootInodeNumber, ""));
        while (paths.Count < wanted.Count && pending.TryPop(out (ulong Inode, string Path) item))
        {
            using Vnode? directory = seen.Add(item.Inode) ? TryOpen(pfs, item.Inode) : null;
            if (directory is null)
                continue;
            ulong position = 0;
            do
            {
                directory.ReadDirectory(position, batch);
                for (int i = 0; i < batch.Count; i++)
                {
                    string path = $"{item.Path}/{Encoding.UTF8.GetString(batch.NameOf(i))}";
                    if (wanted.Contains(batch[i].InodeNumber))
                        paths.TryAdd(batch[i].InodeNumber, path);
                    if (batch[i].Type == ObjectType.Directory)
                        pending.Push((batch[i].InodeNumber, path));
                }

                position = batch.NextPosition;
            }
            while (!batch.EndOfDirectory);
        }
    }

    private static Vnode? TryOpen(PfsMount pfs, ulong inodeNumber)
    {
        try
        {
            return pfs.TryOpen(inodeNumber, out Vnode? vnode) == Hammer2Error.None && vnode!.Type == ObjectType.Directory ? vnode : Closed(vnode);
        }
        catch (Hammer2Exception)
        {
            // A damaged directory is a finding of its own; the walk goes round it.
            return null;
        }
    }

    private static Vnode? Closed(Vnode? vnode)
    {
        vnode?.Dispose();
        return null;
    }
}
