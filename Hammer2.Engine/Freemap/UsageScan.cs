// Walks every tree below a super-root and enters each block it meets into a UsageMap. File data and names are not read.
// Inodes and the lowest indirect blocks are read in large neighbouring pieces, past the cache. No recursion; bounded on
// hostile trees: a child outside its parent's range is damage and not followed, depth and nesting are limited, shared
// blocks are followed once, and the memory of visited blocks is fixed. Damage is counted: then nothing may be freed.

using System.Runtime.InteropServices;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Topology;

namespace Hammer2.Engine.Freemap;

/// <summary>What a walk met.</summary>
internal sealed class UsageCounts
{
    internal long References;
    internal long MetadataBlocks;
    internal long Damaged;

    /// <summary>The first failures.</summary>
    internal List<Hammer2Exception> Failures { get; } = [];
}

/// <summary>Sees what a walk meets, in no order.</summary>
internal abstract class UsageObserver
{
    /// <summary>A block that something refers to; several references to one block are told one by one.</summary>
    /// <param name="bref">The reference.</param>
    /// <param name="ownerBytes">Size of the file that it belongs to; 0 where there is none.</param>
    /// <param name="isNew">Of an inode or indirect block: it was not met before, and is looked into.</param>
    internal abstract void Met(in BlockRef bref, ulong ownerBytes, bool isNew);

    /// <summary>An inode that was looked into.</summary>
    internal abstract void Inode(in BlockRef bref, in InodeData data);
}

/// <summary>One walk over the trees.</summary>
internal sealed class UsageScan(BlockReader reader, UsageMap map, VisitedBlocks visited, UsageCounts counts, Action<UsageCounts>? progress, CancellationToken stop)
    : IDisposable
{
    private const int RegionBytes = 512 * 1024;
    private const int GapBytesMax = 16 * 1024;
    private const int FailuresMax = 16;
    private const int BatchMax = 4096;
    private const int ProgressInterval = 4096;

    // Header, super-root, PFS root have none to two inodes above them; very old volumes nest objects in directories.
    private const int ObjectNesting = 2;
    private const int NestingMax = 64;
    private readonly NativeBlock _region = new(RegionBytes);
    private readonly NativeBlock _block = new(FormatLimits.BlockBytesMax);
    private readonly NativeBlock _array = new(FormatLimits.BlockBytesMax);
    private readonly Stack<Node> _stack = new();
    private List<Node> _batch = [];
    private List<Node> _next = [];
    private bool _inPieces = true;

    /// <summary>Told of everything; null = nobody.</summary>
    internal UsageObserver? Observer { get; init; }

    public void Dispose()
    {
        _region.Dispose();
        _block.Dispose();
        _array.Dispose();
    }

    /// <summary>Walks everything below a committed super-root blockset.</summary>
    internal void Run(ReadOnlySpan<BlockRef> superRoot) => Run(superRoot, 0, "Super-root blockset");

    /// <summary>Walks what a committed PFS root refers to, and the root itself.</summary>
    internal void RunPfs(in BlockRef root) => Run([root], 1, "PFS root");

    /// <summary>Walks trees that only memory knows, as those of files that are open and have no name any more.</summary>
    /// <param name="blockset">References of one inode.</param>
    internal void RunUncommitted(ReadOnlySpan<BlockRef> blockset)
    {
        // What is not committed may still be on its way to the medium, so it is read block by block through the buffer.
        _inPieces = false;
        Run(blockset, ObjectNesting, "Blockset of an open file");
        _inPieces = true;
    }

    private void Run(ReadOnlySpan<BlockRef> blockset, int nesting, string name)
    {
        BlockRef[] refs = blockset.ToArray();
        try
        {
            int live = NodeArray.Normalise(refs, name);
            foreach (ref readonly BlockRef bref in refs.AsSpan(0, live))
                MeetOrCount(bref, new Node(default, 0, ulong.MaxValue, nesting, 0, 0));
        }
        catch (Hammer2Exception e)
        {
            Damage(e);
        }

        ReadBatches();
        while (_stack.TryPop(out Node node))
        {
            stop.ThrowIfCancellationRequested();
            Expand(node);
            ReadBatches();
        }

        progress?.Invoke(counts);
    }

    // Enters a reference; one to an inode or indirect block that was not met yet goes into the list.
    // The second node is the place: range, nesting, depth and owner for what stands there.
    private void Meet(in BlockRef bref, in Node place)
    {
        if (++counts.References % ProgressInterval == 0)
        {
            stop.ThrowIfCancellationRequested();
            progress?.Invoke(counts);
        }

        if (bref.Key < place.Low || bref.LastKey > place.High)
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {bref} lies outside the key range of its parent.");
        if (bref.Type is BlockRefType.Data or BlockRefType.Dirent)
        {
            if (!bref.Physical.HasData)
                return;
            reader.CheckAddress(bref);
            map.Mark(bref);
            Observer?.Met(bref, place.OwnerBytes, isNew: false);
            return;
        }

        if (bref.Type is not (BlockRefType.Inode or BlockRefType.Indirect))
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {bref} stands in a tree where its type does not belong.");
        reader.CheckAddress(bref);
        map.Mark(bref);
        if (place.Depth > BlockTree.DepthMax || place.Nesting > NestingMax || bref.Type == BlockRefType.Inode && place.Nesting > ObjectNesting && !visited.IsExact)
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {bref}: nested deeper than any sane tree.");
        bool isNew = visited.Add(bref);
        Observer?.Met(bref, place.OwnerBytes, isNew);
        if (isNew)
            _next.Add(place with { Ref = bref });
    }

    // An indirect block with nodes below it, or an inode that there was no room for in a batch.
    private void Expand(in Node node)
    {
        try
        {
            reader.ReadStored(node.Ref, _block.Span);
            if (node.Ref.Type == BlockRefType.Inode)
                MeetInode(node, _block.Span);
            else
                MeetChildren(node, _block.Slice(0, node.Ref.Physical.Bytes), null);
        }
        catch (Hammer2Exception e)
        {
            Damage(e);
        }
    }

    private void ReadBatches()
    {
        while (_next.Count > 0)
        {
            stop.ThrowIfCancellationRequested();
            (_batch, _next) = (_next, _batch);
            _next.Clear();
            _batch.Sort(static (a, b) => a.Ref.DataOff.CompareTo(b.Ref.DataOff));
            ReadBatch(CollectionsMarshal.AsSpan(_batch));
            while (_next.Count > BatchMax)
            {
                _stack.Push(_next[^1]);
                _next.RemoveAt(_next.Count - 1);
            }
        }
    }

    private void ReadBatch(ReadOnlySpan<Node> nodes)
    {
        while (!nodes.IsEmpty)
        {
            int count = PieceLength(nodes, out ulong start, out int bytes);
            bool whole = count > 1 && TryReadPiece(start, bytes);
            for (int i = 0; i < count; i++)
                Look(nodes[i], whole ? start : null);
            nodes = nodes[count..];
        }
    }

    private int PieceLength(ReadOnlySpan<Node> nodes, out ulong start, out int bytes)
    {
        start = nodes[0].Ref.Physical.Offset;
        bytes = nodes[0].Ref.Physical.Bytes;
        int count = 1;
        while (_inPieces && count < nodes.Length)
        {
            PhysicalOffset next = nodes[count].Ref.Physical;
            ulong end = Math.Max(start + (ulong)bytes, next.Offset + (ulong)next.Bytes);
            if (next.Offset > start + (ulong)bytes + GapBytesMax || end - start > RegionBytes || !reader.Volumes.Contains(start, (int)(end - start)))
                break;
            bytes = (int)(end - start);
            count++;
        }

        return count;
    }

    private bool TryReadPiece(ulong start, int bytes)
    {
        try
        {
            reader.Volumes.Read((long)start, _region.Slice(0, bytes));
            return true;
        }
        catch (Hammer2Exception)
        {
            // Then each block is read for itself, and the unreadable one is the one that counts.
            return false;
        }
    }

    private void Look(in Node node, ulong? pieceStart)
    {
        try
        {
            Span<byte> block;
            if (pieceStart is ulong start && Checks.Matches(node.Ref, _region.Slice((int)(node.Ref.Physical.Offset - start), node.Ref.Physical.Bytes)))
            {
                block = _region.Slice((int)(node.Ref.Physical.Offset - start), node.Ref.Physical.Bytes);
            }
            else
            {
                reader.ReadStored(node.Ref, _block.Span);
                block = _block.Slice(0, node.Ref.Physical.Bytes);
            }

            counts.MetadataBlocks++;
            if (node.Ref.Type == BlockRefType.Inode)
                MeetInode(node, block);
            else
                MeetChildren(node, block, _stack);
        }
        catch (Hammer2Exception e)
        {
            Damage(e);
        }
    }

    private void MeetInode(in Node node, ReadOnlySpan<byte> block)
    {
        InodeData data = MemoryMarshal.Read<InodeData>(block);
        if (data.Version != 1)
            throw new Hammer2Exception(Hammer2Error.Unsupported, $"Inode at blockref {node.Ref}: version {data.Version} is unknown.");
        Observer?.Inode(node.Ref, data);
        if (data.IsDirectData)
            return;
        Span<BlockRef> refs = stackalloc BlockRef[FormatLimits.BlockSetCount];
        MemoryMarshal.Cast<byte, BlockRef>(block.Slice(InodeData.UnionOffset, FormatLimits.BlockSetBytes)).CopyTo(refs);
        int live = NodeArray.Normalise(refs, node.Ref);
        foreach (ref readonly BlockRef bref in refs[..live])
            MeetOrCount(bref, new Node(default, 0, ulong.MaxValue, node.Nesting + 1, 0, data.Size));
    }

    // Children that are leaves are entered at once. An indirect block with nodes among its children is put off onto the
    // stack as a whole when it is met in a batch, so that what waits in memory is references and not arrays.
    private void MeetChildren(in Node node, ReadOnlySpan<byte> block, Stack<Node>? putOff)
    {
        block.CopyTo(_array.Span);
        Span<BlockRef> refs = MemoryMarshal.Cast<byte, BlockRef>(_array.Slice(0, block.Length));
        int live = NodeArray.Normalise(refs, node.Ref);
        refs = refs[..live];
        if (putOff is not null && HasNodes(refs))
        {
            putOff.Push(node);
            return;
        }

        (ulong low, ulong high) = (Math.Max(node.Low, node.Ref.Key), Math.Min(node.High, node.Ref.LastKey));
        foreach (ref readonly BlockRef bref in refs)
            MeetOrCount(bref, new Node(default, low, high, node.Nesting, node.Depth + 1, node.OwnerBytes));
    }

    private static bool HasNodes(ReadOnlySpan<BlockRef> refs)
    {
        foreach (ref readonly BlockRef bref in refs)
        {
            if (bref.Type is not (BlockRefType.Data or BlockRefType.Dirent))
                return true;
        }

        return false;
    }

    // One bad reference must not hide its neighbours: what they lead to is in use.
    private void MeetOrCount(in BlockRef bref, in Node place)
    {
        try
        {
            Meet(bref, place);
        }
        catch (Hammer2Exception e)
        {
            Damage(e);
        }
    }

    private void Damage(Hammer2Exception failure)
    {
        counts.Damaged++;
        if (counts.Failures.Count < FailuresMax)
            counts.Failures.Add(failure);
    }

    /// <summary>An inode or indirect block to look into, with the key range that its parent grants.</summary>
    private readonly record struct Node(BlockRef Ref, ulong Low, ulong High, int Nesting, int Depth, ulong OwnerBytes);
}
