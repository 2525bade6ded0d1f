// Sizes of the directories of one PFS, each with everything below it: from one walk over its inodes, whose references say what lies
// below them. Memory: one entry for each directory, none for files. Paths are looked up for the largest only.

using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Volumes;

namespace Hammer2.Engine.Diagnostics;

/// <summary>Adds up directories.</summary>
internal sealed class DirectorySizes : UsageObserver
{
    private const int DepthMax = 4096;
    private readonly Dictionary<ulong, Entry> _directories = [];

    /// <summary>The largest directories of a committed PFS.</summary>
    internal static List<DirectoryUsage> Of(Hammer2Volume volume, InodeChain root, UsageOptions options, CancellationToken stop)
    {
        var sizes = new DirectorySizes();
        var geometry = new FreemapGeometry(volume.Header);
        var map = new UsageMap(0, geometry.ZoneCount, (int)Math.Clamp(options.MemoryBytesMax / 4 / ZoneUsage.MemoryBytes, 1, int.MaxValue / 2));
        using (var scan = new UsageScan(volume.Reader, map, new VisitedBlocks(options.MemoryBytesMax / 4), new UsageCounts(), null, stop) { Observer = sizes })
            scan.RunPfs(root.Ref);
        return sizes.Largest(new CommittedPfs(volume.Reader, root), options.DirectoriesMax);
    }

    internal override void Met(in BlockRef bref, ulong ownerBytes, bool isNew)
    {
        // Inodes say it all.
    }

    internal override void Inode(in BlockRef bref, in InodeData data)
    {
        bool isRoot = data.InodeNumber == FormatLimits.RootInodeNumber;
        bool isDirectory = data.Type == ObjectType.Directory;
        Entry entry = EntryOf(isDirectory ? data.InodeNumber : data.ParentInode);
        if (isDirectory)
            (entry.Parent, entry.IsKnown) = (isRoot ? 0 : data.ParentInode, true);
        else
            entry.Files++;

        // Below the root lies everything, the inodes themselves included.
        entry.Stored += FormatLimits.InodeBytes + (isRoot ? 0 : (long)bref.DataCount);
        entry.Logical += isDirectory ? 0 : (long)data.Size;
    }

    private Entry EntryOf(ulong number)
    {
        if (!_directories.TryGetValue(number, out Entry? entry))
            _directories.Add(number, entry = new Entry());
        return entry;
    }

    private List<DirectoryUsage> Largest(CommittedPfs pfs, int count)
    {
        foreach ((ulong number, Entry own) in _directories)
        {
            own.TotalStored += own.Stored;
            own.TotalLogical += own.Logical;
            own.TotalFiles += own.Files;
            Entry below = own;
            for (int depth = 0; depth < DepthMax && below.Parent != 0 && _directories.TryGetValue(below.Parent, out Entry? above); depth++)
            {
                above.TotalStored += own.Stored;
                above.TotalLogical += own.Logical;
                above.TotalFiles += own.Files;
                above.TotalDirectories++;
                below = above;
            }
        }

        var largest = new List<DirectoryUsage>();
        foreach ((ulong number, Entry entry) in _directories.Where(d => d.Value.IsKnown).OrderByDescending(d => d.Value.TotalStored).ThenBy(d => d.Key))
        {
            if (largest.Count == count)
                break;
            if (pfs.PathOfDirectory(number) is byte[] path)
                largest.Add(new DirectoryUsage(path, number, entry.Parent, entry.TotalStored, entry.TotalLogical, entry.TotalFiles, entry.TotalDirectories));
        }

        return largest;
    }

    private sealed class Entry
    {
        internal ulong Parent;
        internal bool IsKnown;
        internal long Stored;
        internal long Logical;
        internal long Files;
        internal long TotalStored;
        internal long TotalLogical;
        internal long TotalFiles;
        internal long TotalDirectories;
    }
}
