// Gives the findings of one PFS a path, while its tables are there: from an inode upward along the first entry of each, then
// the names of just these entries are looked up by their keys. What lies below an unreadable directory has no path.

using System.Text;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Topology;

namespace Hammer2.Engine.Checking;

/// <summary>Finds the paths of inodes and entries.</summary>
internal sealed class FindingNames : IDisposable
{
    private const long CacheBytes = 1 << 20;
    private const int DepthMax = 4096;
    private readonly BlockReader _reader;
    private readonly PfsTables _tables;
    private readonly BlockRef[] _root;
    private readonly Dictionary<ulong, string?> _known = new() { [FormatLimits.RootInodeNumber] = "" };
    private Dictionary<ulong, LinkRecord>? _links;

    private FindingNames(VolumeSet volumes, PfsScan pfs, PfsTables tables)
    {
        _reader = new BlockReader(volumes, new BlockCache(CacheBytes));
        _tables = tables;
        _root = pfs.Blockset.ToArray();
        int live = NodeArray.Normalise(_root, pfs.Ref);
        _root = _root[..live];
    }

    /// <summary>Fills in the paths of this PFS's findings.</summary>
    internal static void Fill(VolumeSet volumes, PfsScan pfs, PfsTables tables, IReadOnlyList<IPathWanted> findings)
    {
        if (findings.Count == 0)
            return;
        try
        {
            using var names = new FindingNames(volumes, pfs, tables);
            foreach (IPathWanted finding in findings)
                finding.Path = names.PathOf(finding.Place);
        }
        catch (Hammer2Exception)
        {
            // The root is itself damaged: its findings stay without paths.
            return;
        }
    }

    public void Dispose() => _reader.Dispose();

    private string? PathOf(in Place place)
    {
        string? path = PathOf(place.Inode);
        if (path is not null && place.EntryKey != 0 && NameOf(place.Inode, place.EntryKey) is string name)
            return $"{path}/{name}";
        return path is "" ? "/" : path;
    }

    private string? PathOf(ulong inode)
    {
        var above = new Stack<(ulong Inode, ulong Directory, ulong Key)>();
        ulong at = inode;
        string? path;
        while (!_known.TryGetValue(at, out path))
        {
            if (above.Count > DepthMax || !TryGetEntry(at, out ulong directory, out ulong key))
                break;
            above.Push((at, directory, key));
            at = directory;
        }

        while (above.TryPop(out (ulong Inode, ulong Directory, ulong Key) step))
        {
            string? name = path is null ? null : NameOf(step.Directory, step.Key);
            path = name is null ? null : $"{path}/{name}";
            _known[step.Inode] = path;
        }

        return path;
    }

    private bool TryGetEntry(ulong inode, out ulong directory, out ulong key)
    {
        (directory, key) = (0, 0);
        int index = _tables.Find(inode);
        if (index >= 0 && _tables.Inodes[index].Parent >= 0)
        {
            directory = _tables.Inodes[_tables.Inodes[index].Parent].Number;
            key = _tables.Inodes[index].EntryKey;
            return true;
        }

        if (index >= 0)
            return false;

        // An inode that could not be read is in no table, but the names that lead to it are.
        _links ??= MissingLinks();
        if (!_links.TryGetValue(inode, out LinkRecord link))
            return false;
        (directory, key) = (link.Directory, link.Key);
        return true;
    }

    private Dictionary<ulong, LinkRecord> MissingLinks()
    {
        var links = new Dictionary<ulong, LinkRecord>();
        foreach (LinkRecord link in _tables.Links)
        {
            if (_tables.Find(link.Target) < 0)
                links.TryAdd(link.Target, link);
        }

        return links;
    }

    private string? NameOf(ulong directory, ulong key)
    {
        try
        {
            BlockRef[] entries = directory == FormatLimits.RootInodeNumber ? _root : Load(directory).Tree.Root.Refs.ToArray();
            if (!BlockTree.TryFind(_reader, entries, key, out BlockRef bref))
                return null;
            if (bref.Type == BlockRefType.Inode)
                return Encoding.UTF8.GetString(Decode(bref).Name);
            if (bref.Type != BlockRefType.Dirent || bref.DirentNameLength is 0 or > FormatLimits.NameBytesMax)
                return null;
            if (!bref.Physical.HasData)
                return Encoding.UTF8.GetString(BlockRef.CheckBytes(bref)[..Math.Min((int)bref.DirentNameLength, FormatLimits.InlineNameBytesMax)]);
            using BlockLease lease = _reader.GetMetadata(bref);
            return Encoding.UTF8.GetString(lease.Data[..bref.DirentNameLength]);
        }
        catch (Hammer2Exception)
        {
            // What cannot be read is a finding of its own; this one then has a shorter path or none.
            return null;
        }
    }

    private InodeContent Load(ulong inode) => BlockTree.TryFind(_reader, _root, inode, out BlockRef bref) && bref.Type == BlockRefType.Inode
        ? Decode(bref)
        : throw new Hammer2Exception(Hammer2Error.NotFound, $"There is no inode {inode}.");

    private InodeContent Decode(in BlockRef bref)
    {
        using BlockLease lease = _reader.GetMetadata(bref);
        return InodeContent.Decode(bref, lease.Data);
    }
}
