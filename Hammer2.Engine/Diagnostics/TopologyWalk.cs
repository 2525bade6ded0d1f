// Walks every blockref that the header in use leads to, in the order of the medium, for raw dumps. Streaming:
// one array of blockrefs per level is in memory. No recursion; bounded on hostile trees by the same rules as
// BlockTree: a depth limit, no block twice on one path, and a child counts only inside its parent's key range.
// May call Blocks, Inodes and Volumes.

using System.Runtime.InteropServices;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Engine.Diagnostics;

/// <summary>A blockref met by <see cref="TopologyWalk"/>.</summary>
/// <param name="Depth">0 for the entries of the header's blockset.</param>
/// <param name="Ref">The blockref as stored.</param>
/// <param name="Inode">The inode's fixed part, of INODE references that could be read.</param>
/// <param name="Name">Stored name of an inode, or name of a directory entry, when it could be read.</param>
/// <param name="Failure">Why the block or what is below it cannot be shown; null when all is well.</param>
public sealed record TopologyNode(int Depth, BlockRef Ref, InodeData? Inode, byte[]? Name, Hammer2Exception? Failure);

/// <summary>How a topology is walked.</summary>
public sealed record TopologyWalkOptions
{
    /// <summary>Also read DATA blocks and compare their check codes.</summary>
    public bool VerifyData { get; init; }

    /// <summary>Walk only the PFS of this label.</summary>
    public string? Label { get; init; }
}

/// <summary>Streams the topology of a volume.</summary>
public static class TopologyWalk
{
    private const int LevelsMax = 128;

    /// <summary>Every blockref below the super-root blockset, parents before children.</summary>
    public static IEnumerable<TopologyNode> Run(
        Hammer2Volume volume, TopologyWalkOptions? options = null, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(volume);
        return new Walker(volume.Reader, options ?? new TopologyWalkOptions(), stop).Run(volume.Header.SuperRoot.ToArray());
    }

    private sealed class Level(BlockRef[] refs, BlockRef owner, ulong low, ulong high, int inodesAbove)
    {
        internal readonly BlockRef[] Refs = refs;
        internal readonly BlockRef Owner = owner;
        internal readonly ulong Low = low;
        internal readonly ulong High = high;

        /// <summary>INODE references on the path: 0 in the header, 1 in the super-root, 2 in a PFS root.</summary>
        internal readonly int InodesAbove = inodesAbove;
        internal int Next;

        // First key that the next reference may claim; past the last one when nothing is left to claim.
        private ulong _free = low;
        private bool _full;

        /// <summary>True when the reference claims only keys that its parent grants and no sibling before it has.</summary>
        internal bool Claim(in BlockRef bref)
        {
            if (_full || bref.Key < _free || bref.LastKey > High)
                return false;
            _free = bref.LastKey + 1;
            _full = _free == 0;
            return true;
        }
    }

    private sealed class Walker(BlockReader reader, TopologyWalkOptions options, CancellationToken stop)
    {
        private const int PfsRootDepth = 1;
        private const int ObjectDepth = 3;

        // A legal path has three inodes: super-root, PFS root, object; very old volumes nest objects in directories.
        private const int InodesAboveMax = 64;

        private readonly Stack<Level> _levels = new();
        // Inodes inside directories of very old volumes: each is followed once, or crafted ones would multiply.
        private readonly HashSet<ulong> _nested = [];
        private readonly byte[] _block = new byte[FormatLimits.BlockBytesMax];

        internal IEnumerable<TopologyNode> Run(BlockRef[] roots)
        {
            _levels.Push(new Level(roots, default, 0, ulong.MaxValue, 0));
            while (_levels.TryPeek(out Level? level))
            {
                stop.ThrowIfCancellationRequested();
                if (level.Next == level.Refs.Length)
                {
                    _levels.Pop();
                    continue;
                }

                BlockRef bref = level.Refs[level.Next++];
                if (bref.Type == BlockRefType.Empty)
                    continue;
                int depth = _levels.Count - 1;
                TopologyNode node = Visit(level, depth, bref, out Level? below);
                if (IsOtherPfs(level, node))
                    continue;
                yield return node;
                if (below is not null)
                    _levels.Push(below);
            }
        }

        private bool IsOtherPfs(Level level, TopologyNode node) =>
            options.Label is { } label && level.InodesAbove == PfsRootDepth && node.Inode is not null && node.Name is not null
            && !node.Name.AsSpan().SequenceEqual(System.Text.Encoding.UTF8.GetBytes(label));

        private TopologyNode Visit(Level level, int depth, in BlockRef bref, out Level? below)
        {
            below = null;
            InodeData? inode = null;
            byte[]? name = null;
            try
            {
                if (!level.Claim(bref))
                {
                    throw new Hammer2Exception(
                        Hammer2Error.Corrupt,
                        $"Blockref {bref} lies outside the key range of its parent or overlaps its neighbour; not followed.");
                }

                switch (bref.Type)
                {
                    case BlockRefType.Inode:
                        InodeContent content = ReadInode(bref);
                        (inode, name) = (content.Data, content.Name);
                        below = Below(level, bref, content.Tree.Root.Refs.ToArray(), 0, ulong.MaxValue, level.InodesAbove + 1);
                        break;
                    case BlockRefType.Indirect:
                        BlockRef[] refs = MemoryMarshal.Cast<byte, BlockRef>(ReadBlock(bref)).ToArray();
                        below = Below(level, bref, refs, bref.Key, bref.LastKey, level.InodesAbove);
                        break;
                    case BlockRefType.Dirent:
                        name = ReadName(bref);
                        break;
                    case BlockRefType.Data when options.VerifyData:
                        ReadBlock(bref);
                        break;
                    case BlockRefType.Data or BlockRefType.Invalid:
                        break;
                    default:
                        throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {bref} does not belong into this tree.");
                }

                return new TopologyNode(depth, bref, inode, name, null);
            }
            catch (Hammer2Exception failure)
            {
                return new TopologyNode(depth, bref, inode, name, failure);
            }
        }

        private Level Below(Level level, in BlockRef bref, BlockRef[] refs, ulong low, ulong high, int inodesAbove)
        {
            if (_levels.Count >= LevelsMax || inodesAbove > InodesAboveMax)
                throw new Hammer2Exception(
                    Hammer2Error.Corrupt, $"Blockref {bref}: nested deeper than any sane tree; not followed.");
            foreach (Level above in _levels)
            {
                if (above.Owner.Type == bref.Type && above.Owner.DataOff == bref.DataOff)
                    throw new Hammer2Exception(
                        Hammer2Error.Corrupt, $"Blockref {bref} points back to a block above itself; not followed.");
            }

            if (bref.Type == BlockRefType.Inode && inodesAbove > ObjectDepth && !_nested.Add(bref.DataOff))
                throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {bref} was met before; not followed again.");
            if (bref.Type == BlockRefType.Indirect)
                (low, high) = (Math.Max(low, level.Low), Math.Min(high, level.High));
            return new Level(refs, bref, low, high, inodesAbove);
        }

        private InodeContent ReadInode(in BlockRef bref) => InodeContent.Decode(bref, ReadBlock(bref));

        private byte[]? ReadName(in BlockRef bref)
        {
            int length = bref.DirentNameLength;
            if (length is 0 or > FormatLimits.NameBytesMax || !bref.Physical.HasData && length > FormatLimits.InlineNameBytesMax)
                throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {bref}: a name of {length} bytes is not legal.");
            return bref.Physical.HasData ? ReadBlock(bref)[..length].ToArray() : BlockRef.CheckBytes(bref)[..length].ToArray();
        }

        // Past the cache: a dump reads everything once.
        private ReadOnlySpan<byte> ReadBlock(in BlockRef bref)
        {
            reader.ReadStored(bref, _block);
            return _block.AsSpan(0, bref.Physical.Bytes);
        }
    }
}
