// A PFS as one commit has it, read from the medium only: inodes by number, entries of directories, and the paths of objects, which
// are found upwards: an inode names the directory that it was made in or moved to, and that directory has its name. What it says is
// true of the commit, whatever happens to the live PFS meanwhile.

using System.Runtime.InteropServices;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Topology;

namespace Hammer2.Engine.Diagnostics;

/// <summary>An inode as its block has it.</summary>
/// <param name="Data">The fixed part.</param>
/// <param name="Blockset">Live references; empty with direct data.</param>
/// <param name="Embedded">Bytes in the inode; null without direct data.</param>
internal sealed record CommittedInode(InodeData Data, BlockRef[] Blockset, byte[]? Embedded);

/// <summary>Reads one PFS of a commit.</summary>
internal sealed class CommittedPfs
{
    private const int Chunk = 256;
    private const int DepthMax = 4096;
    private readonly BlockReader _reader;
    private readonly Dictionary<ulong, byte[]> _paths = new() { [FormatLimits.RootInodeNumber] = [] };

    internal CommittedPfs(BlockReader reader, InodeChain root)
    {
        _reader = reader;
        Root = new CommittedInode(root.Content.Data, root.Content.Tree.Root.Refs.ToArray(), null);
    }

    /// <summary>The root directory; its tree is the inode index, too.</summary>
    internal CommittedInode Root { get; }

    /// <summary>Where names of directories come from before they are looked for; null when it knows none.</summary>
    internal Func<ulong, (ulong Directory, byte[] Name)?> KnownName { get; set; } = static _ => null;

    /// <summary>The inode of this number, or null.</summary>
    internal CommittedInode? Find(ulong number)
    {
        if (number == FormatLimits.RootInodeNumber)
            return Root;
        return number < FormatLimits.DirectoryKeyBase && BlockTree.TryFind(_reader, Root.Blockset, number, out BlockRef bref) && bref.Key == number ? Load(bref) : null;
    }

    /// <summary>The inode behind a reference of the index.</summary>
    internal CommittedInode Load(in BlockRef bref)
    {
        if (bref.Type != BlockRefType.Inode)
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {bref} stands where an inode belongs.");
        using BlockLease lease = _reader.GetMetadata(bref);
        InodeContent content = InodeContent.Decode(bref, lease.Data);
        return new CommittedInode(content.Data, content.Tree.Root.Refs.ToArray(), content.Embedded);
    }

    /// <summary>Entries of a directory, in the order of their keys.</summary>
    internal IEnumerable<BlockRef> Entries(CommittedInode directory)
    {
        var refs = new BlockRef[Chunk];
        ulong? next = FormatLimits.DirectoryKeyBase;
        while (next is ulong begin)
        {
            int count = BlockTree.Gather(_reader, directory.Blockset, begin, ulong.MaxValue, refs, null, out next);
            for (int i = 0; i < count; i++)
                yield return refs[i];
        }
    }

    /// <summary>The name of an entry.</summary>
    internal byte[] NameOf(in BlockRef entry)
    {
        int length = entry.DirentNameLength;
        bool inline = !entry.Physical.HasData;
        if (entry.Type == BlockRefType.Inode)
            throw new Hammer2Exception(Hammer2Error.Unsupported, $"Blockref {entry}: inodes in directories, as very old volumes have them, are not compared.");
        if (entry.Type != BlockRefType.Dirent || length is 0 or > FormatLimits.NameBytesMax || inline && length > FormatLimits.InlineNameBytesMax)
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {entry} is no directory entry with a name; run fsck.");
        if (inline)
            return BlockRef.CheckBytes(entry)[..length].ToArray();
        using BlockLease lease = _reader.GetMetadata(entry);
        return lease.Data[..length].ToArray();
    }

    /// <summary>The path of a name in a directory; null when the directory has none.</summary>
    internal byte[]? PathOf(ulong directory, byte[] name)
    {
        byte[]? above = PathOfDirectory(directory);
        return above is null ? null : Join(above, name);
    }

    /// <summary>Some path of an object that is no directory; null when it is not where its inode says.</summary>
    internal byte[]? PathOf(ulong number, in InodeData data) => NameIn(data.ParentInode, number) is byte[] name ? PathOf(data.ParentInode, name) : null;

    /// <summary>The path of a directory, without a slash at either end; null when it has none.</summary>
    internal byte[]? PathOfDirectory(ulong number)
    {
        var below = new Stack<(ulong Number, byte[] Name)>();
        byte[]? path;
        while (!_paths.TryGetValue(number, out path))
        {
            if (below.Count > DepthMax)
                throw new Hammer2Exception(Hammer2Error.Corrupt, $"Directory {number} lies in itself, or too deep; run fsck.");
            ulong parent;
            byte[]? name;
            if (KnownName(number) is (ulong Directory, byte[] Name) known)
                (parent, name) = known;
            else if (Find(number) is CommittedInode inode)
                (parent, name) = (inode.Data.ParentInode, NameIn(inode.Data.ParentInode, number));
            else
                return null;
            if (name is null)
                return null;
            below.Push((number, name));
            number = parent;
        }

        while (below.TryPop(out (ulong Number, byte[] Name) step))
            _paths[step.Number] = path = Join(path, step.Name);
        return path;
    }

    /// <summary>Looks through every directory for names of these objects: when they are not where their inodes say.</summary>
    internal Dictionary<ulong, byte[]> Search(HashSet<ulong> wanted)
    {
        var found = new Dictionary<ulong, byte[]>();
        var seen = new HashSet<ulong> { FormatLimits.RootInodeNumber };
        var work = new Stack<(ulong Number, byte[] Path)>([(FormatLimits.RootInodeNumber, Array.Empty<byte>())]);
        while (found.Count < wanted.Count && work.TryPop(out (ulong Number, byte[] Path) step))
        {
            if (Find(step.Number) is not CommittedInode directory)
                continue;
            foreach (BlockRef entry in Entries(directory))
            {
                bool descends = entry.DirentType == ObjectType.Directory && seen.Add(entry.DirentInode);
                if (!descends && !wanted.Contains(entry.DirentInode))
                    continue;
                byte[] path = Join(step.Path, NameOf(entry));
                if (wanted.Contains(entry.DirentInode))
                    found.TryAdd(entry.DirentInode, path);
                if (descends)
                    work.Push((entry.DirentInode, path));
            }
        }

        return found;
    }

    private byte[]? NameIn(ulong directory, ulong number)
    {
        if (Find(directory) is not { Data.Type: ObjectType.Directory } parent)
            return null;
        foreach (BlockRef entry in Entries(parent))
        {
            if (entry.Type == BlockRefType.Dirent && entry.DirentInode == number)
                return NameOf(entry);
        }

        return null;
    }

    private static byte[] Join(byte[] above, byte[] name) => above.Length == 0 ? name : [.. above, (byte)'/', .. name];
}
