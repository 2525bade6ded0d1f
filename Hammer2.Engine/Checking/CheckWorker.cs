// One thread of a check: reads arrays of blockrefs and what they lead to. An array is checked slot by slot, with what
// depends on its neighbours and its parent; its leaves are read in the order of the medium. Every block is claimed in the map of
// used bytes before it is read, and metadata is followed once in each PFS, so that no crafted tree can multiply.

using System.Buffers;
using System.Runtime.InteropServices;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Topology;

namespace Hammer2.Engine.Checking;

/// <summary>One thread of a <see cref="CheckWalk"/>.</summary>
internal sealed class CheckWorker : IDisposable
{
    private const long ReportBytes = 16 << 20;
    private const long LonelyBytes = 4 << 20;
    private const int LonelyItems = 16;
    private readonly CheckWalk _walk;
    private readonly FindingList _findings;
    private readonly ContentCheck _contents;
    private readonly RegionReader _region;
    private readonly byte[] _node = ArrayPool<byte>.Shared.Rent(FormatLimits.BlockBytesMax);
    private readonly bool _leads;
    private readonly CheckCounters _counters = new();
    private readonly NamespacePart _names = new();
    private PfsScan? _pfs;
    private List<Leaf> _leaves = [];
    private List<Leaf> _next = [];
    private long _bytesSeen;
    private bool _helped;

    internal CheckWorker(CheckWalk walk, bool leads)
    {
        _walk = walk;
        _leads = leads;
        _findings = walk.Findings;
        _contents = new ContentCheck(walk.Findings, _names);
        _region = new RegionReader(walk.Volumes);
    }

    public void Dispose()
    {
        _region.Dispose();
        _contents.Dispose();
        ArrayPool<byte>.Shared.Return(_node);
    }

    /// <summary>Checks the first array; the rest is on the stack afterwards.</summary>
    internal void Begin(ReadOnlySpan<BlockRef> roots, in BlockRef parent, in TreeContext context)
    {
        CheckArray(roots, parent, context, 0, ulong.MaxValue);
        CheckLeaves();
    }

    /// <summary>Works until nothing is left.</summary>
    internal void Run(WorkStack<CheckItem> work)
    {
        while (work.TryTake(out CheckItem item))
        {
            if (_walk.Cancel.IsCancellationRequested)
                work.Stop();
            else
                Visit(item);
            if (_counters.Bytes > ReportBytes)
                _walk.Report(_counters);
            if (_leads && !_helped && (work.Count >= LonelyItems || _bytesSeen > LonelyBytes && work.Count > 1))
            {
                _helped = true;
                _walk.WantHelp();
            }

            work.Done();
        }

        _walk.Report(_counters);
        _pfs?.Add(_names);
    }

    private void Visit(in CheckItem item)
    {
        BlockRef bref = item.Ref;
        Span<byte> block = _node.AsSpan(0, bref.Physical.Bytes);
        try
        {
            _walk.Volumes.Read((long)bref.Physical.Offset, block);
        }
        catch (Hammer2Exception e)
        {
            Unreadable(bref, item.Context, e);
            return;
        }

        Seen(bref.Physical.Bytes);
        _counters.Indirects++;
        if (!Matches(bref, item.Context, block))
            return;
        CheckArray(MemoryMarshal.Cast<byte, BlockRef>(block), bref, item.Context, bref.Key, bref.LastKey);
        CheckLeaves();
    }

    private void CheckArray(ReadOnlySpan<BlockRef> refs, in BlockRef parent, in TreeContext context, ulong low, ulong high)
    {
        var order = new ArrayOrder(low, high);
        var sums = new ArraySums();
        for (int i = 0; i < refs.Length; i++)
        {
            ref readonly BlockRef bref = ref refs[i];
            if (bref.Type == BlockRefType.Empty)
            {
                if (!BlockRefRules.IsZero(bref))
                    _findings.Add(CheckCodes.SlotNotZero, context.Place, parent, $"Empty slot {i} of the array is not all zero.");
                continue;
            }

            sums.Add(bref);
            Place place = PlaceOf(bref, context);
            if (bref.MirrorTid > parent.MirrorTid)
                _findings.Add(CheckCodes.MirrorTidOrder, place, bref, $"Mirror TID 0x{bref.MirrorTid:x} is ahead of 0x{parent.MirrorTid:x} above it.");
            bool usable = _walk.Refs.Check(bref, context.Kind, place);
            CheckCode? misplaced = order.Place(bref);
            if (misplaced is not null)
                _findings.Add(misplaced, place, bref, $"The key range of slot {i} is not aligned, not in order or not inside 0x{low:x}..0x{high:x}.");
            if (usable && misplaced is null)
                Follow(bref, context, place, IsCrowded(refs, i, parent));
            else
                Lose(bref, context);
        }

        sums.Compare(_findings, parent, context);
    }

    private void Follow(in BlockRef bref, in TreeContext context, in Place place, bool crowded)
    {
        if (bref.Type == BlockRefType.Data)
            FollowData(bref, context, place);
        else if (bref.Type == BlockRefType.Dirent && !bref.Physical.HasData)
            Entry(bref, context, BlockRef.CheckBytes(bref), crowded);
        else
            FollowMetadata(bref, context, place, crowded);
    }

    private void FollowData(in BlockRef bref, in TreeContext context, in Place place)
    {
        if (bref.Key >= context.Size)
            _findings.Add(CheckCodes.DataBeyondEnd, place, bref, $"A data block lies beyond the end of the file of {context.Size} bytes.");
        if (context.Known)
            return;
        _counters.DataBlocks++;
        Claim(bref, place);
        if (_walk.WithData)
            _next.Add(new Leaf(bref, context, false, false));
    }

    private void FollowMetadata(in BlockRef bref, in TreeContext context, in Place place, bool crowded)
    {
        BlockClaim claim = Claim(bref, place);
        if (claim is not (BlockClaim.New or BlockClaim.Shared))
        {
            Lose(bref, context);
            return;
        }

        bool known = claim == BlockClaim.Shared;
        if (bref.Type != BlockRefType.Indirect)
            _next.Add(new Leaf(bref, context, known, crowded));
        else if (!NeedsVisit(bref, context))
            return;
        else if (context.Depth >= BlockTree.DepthMax)
            _findings.Add(CheckCodes.TreeDepth, place, bref, $"More than {BlockTree.DepthMax} levels of indirect blocks; not followed.");
        else
            _walk.Put(new CheckItem(bref, context with { Depth = context.Depth + 1, Known = context.Known || known }));
    }

    // What another PFS leads to as well was checked there. Only the end of the file may be another one here.
    private static bool NeedsVisit(in BlockRef bref, in TreeContext context) =>
        !context.Known || context.Kind != TreeKind.File || bref.LastKey >= context.Size;

    private BlockClaim Claim(in BlockRef bref, in Place place)
    {
        bool metadata = bref.Type != BlockRefType.Data;
        BlockClaim claim = _walk.Usage.Claim(bref.Physical, metadata, bref.MirrorTid <= _walk.Header.FreemapTid);
        switch (claim)
        {
            case BlockClaim.Twice:
                _findings.Add(CheckCodes.MetadataTwice, place, bref, $"A second reference of the same PFS leads to this block of metadata; not followed.");
                break;
            case BlockClaim.TypeClash:
                _findings.Add(CheckCodes.BlockTypeClash, place, bref, $"The same block is file data for one reference and metadata for another.");
                break;
            case BlockClaim.Overlap:
                _findings.Add(CheckCodes.BlockOverlap, place, bref, $"The block overlaps another one that is in use.");
                break;
            default:
                break;
        }

        return claim;
    }

    // The leaves of one array, then the blocks that the inodes among them lead to: each batch lies together on the medium.
    private void CheckLeaves()
    {
        while (_next.Count > 0 && !_walk.Cancel.IsCancellationRequested)
        {
            (_leaves, _next) = (_next, _leaves);
            _next.Clear();
            _leaves.Sort(static (a, b) => a.Ref.DataOff.CompareTo(b.Ref.DataOff));
            ReadOnlySpan<Leaf> rest = CollectionsMarshal.AsSpan(_leaves);
            while (!rest.IsEmpty)
            {
                int count = _region.Load(rest);
                foreach (ref readonly Leaf leaf in rest[..count])
                    CheckLeaf(leaf);
                rest = rest[count..];
            }
        }

        _next.Clear();
    }

    private void CheckLeaf(in Leaf leaf)
    {
        ReadOnlySpan<byte> block;
        try
        {
            block = _region.Get(leaf.Physical);
        }
        catch (Hammer2Exception e)
        {
            Unreadable(leaf.Ref, leaf.Context, e);
            return;
        }

        Seen(block.Length);
        if (!Matches(leaf.Ref, leaf.Context, block))
            return;
        switch (leaf.Ref.Type)
        {
            case BlockRefType.Data:
                _contents.CheckData(leaf.Ref, leaf.Context, block);
                break;
            case BlockRefType.Dirent:
                Entry(leaf.Ref, leaf.Context, block, leaf.Crowded);
                break;
            case BlockRefType.Inode when leaf.Context.Kind == TreeKind.Header:
                SuperRoot(leaf.Ref, block);
                break;
            case BlockRefType.Inode when leaf.Context.Kind == TreeKind.SuperRoot:
                PfsRoot(leaf.Ref, block);
                break;
            default:
                Inode(leaf, block);
                break;
        }
    }

    private void Entry(in BlockRef bref, in TreeContext context, ReadOnlySpan<byte> name, bool crowded)
    {
        _counters.Dirents++;
        _pfs = context.Pfs;
        if (!_contents.CheckEntry(bref, context, name, crowded))
            context.Pfs!.NamesAreLost();
    }

    private void SuperRoot(in BlockRef bref, ReadOnlySpan<byte> block)
    {
        _counters.Inodes++;
        if (_walk.Inodes.Check(bref, default, block))
            _walk.SuperRoot = (bref, Blockset(block).ToArray());
        _walk.Inodes.CheckSuperRoot(bref, block);
    }

    private void PfsRoot(in BlockRef bref, ReadOnlySpan<byte> block)
    {
        _counters.Inodes++;
        var pfs = new PfsScan(bref, block);
        var place = new Place(pfs, FormatLimits.RootInodeNumber);
        if (_walk.Inodes.Check(bref, place, block))
            pfs.Blockset = Blockset(block).ToArray();
        _walk.Inodes.CheckPfsRoot(bref, place, block);
        _walk.Add(pfs);
    }

    private void Inode(in Leaf leaf, ReadOnlySpan<byte> block)
    {
        BlockRef bref = leaf.Ref;
        ref readonly InodeData data = ref MemoryMarshal.AsRef<InodeData>(block);
        PfsScan pfs = leaf.Context.Pfs!;
        _counters.Inodes++;
        _pfs = pfs;
        bool indexed = bref.Key < FormatLimits.DirectoryKeyBase;
        ulong number = indexed ? bref.Key : data.InodeNumber;
        var place = new Place(pfs, number);
        bool hasTree = _walk.Inodes.Check(bref, place, block);
        if (indexed)
            _walk.Inodes.CheckObject(bref, place, block, pfs.NextInode);
        else
            _contents.CheckNestedInode(bref, leaf.Context, block, leaf.Crowded);
        _names.Inodes.Add(new InodeRecord(number, data));

        TreeKind kind = data.Type switch
        {
            ObjectType.Directory => TreeKind.Directory,
            ObjectType.File or ObjectType.Symlink => TreeKind.File,
            _ => TreeKind.Nothing,
        };
        var inside = new TreeContext(pfs, kind, number, data.Size, 0, leaf.Known && kind == TreeKind.File);
        if (hasTree)
            CheckArray(Blockset(block), bref, inside, 0, ulong.MaxValue);
        else if (data.IsDirectData)
            CheckArray([], bref, inside, 0, ulong.MaxValue);
        else if (kind != TreeKind.File)
            pfs.NamesAreLost();
    }

    private static ReadOnlySpan<BlockRef> Blockset(ReadOnlySpan<byte> inode) =>
        MemoryMarshal.Cast<byte, BlockRef>(inode.Slice(InodeData.UnionOffset, FormatLimits.BlockSetBytes));

    private bool Matches(in BlockRef bref, in TreeContext context, ReadOnlySpan<byte> block)
    {
        if (Checks.Matches(bref, block))
            return true;
        _findings.Add(CheckCodes.CheckMismatch, PlaceOf(bref, context), bref, $"The check code of the block differs: it is damaged.");
        Lose(bref, context);
        return false;
    }

    private void Unreadable(in BlockRef bref, in TreeContext context, Hammer2Exception e)
    {
        _findings.Add(CheckCodes.BlockUnreadable, PlaceOf(bref, context), bref, $"The block cannot be read: {e.Message}");
        Lose(bref, context);
    }

    // Remembers what follows from a lost block, so that it is not reported once more for every name below.
    private static void Lose(in BlockRef bref, in TreeContext context)
    {
        if (context.Pfs is null || context.Kind is not (TreeKind.PfsRoot or TreeKind.Directory))
            return;
        context.Pfs.NamesAreLost();
        if (bref.Type is BlockRefType.Inode or BlockRefType.Indirect && bref.Key < FormatLimits.DirectoryKeyBase)
            context.Pfs.InodesAreLost(bref.Key, bref.LastKey);
    }

    private static Place PlaceOf(in BlockRef bref, in TreeContext context) => bref.Type switch
    {
        BlockRefType.Inode when context.Kind is TreeKind.PfsRoot && bref.Key < FormatLimits.DirectoryKeyBase => new Place(context.Pfs, bref.Key),
        BlockRefType.Dirent or BlockRefType.Inode => new Place(context.Pfs, context.Inode, bref.Key),
        _ => context.Place,
    };

    // True when another entry of the same collision group may exist: beside this one, in an indirect block beside it,
    // or in another array because this one holds only a part of the group.
    private static bool IsCrowded(ReadOnlySpan<BlockRef> refs, int slot, in BlockRef parent)
    {
        const ulong Group = ~FormatLimits.CollisionMask;
        if (refs[slot].Key < FormatLimits.DirectoryKeyBase)
            return false;
        if (parent.Type == BlockRefType.Indirect && parent.LastKey - parent.Key < FormatLimits.CollisionMask)
            return true;
        ulong group = refs[slot].Key & Group;
        int before = slot - 1, after = slot + 1;
        while (before >= 0 && refs[before].Type == BlockRefType.Empty)
            before--;
        while (after < refs.Length && refs[after].Type == BlockRefType.Empty)
            after++;
        return before >= 0 && (refs[before].LastKey & Group) == group || after < refs.Length && (refs[after].Key & Group) == group;
    }

    private void Seen(int bytes)
    {
        _counters.Bytes += bytes;
        _bytesSeen += bytes;
    }

    /// <summary>A block to read that leads to no array of its own.</summary>
    private readonly record struct Leaf(BlockRef Ref, TreeContext Context, bool Known, bool Crowded) : IPlaced
    {
        public PhysicalOffset Physical => Ref.Physical;
    }
}
