// One array of blockrefs in memory: the root of a tree, or an indirect block that was changed since it was last
// written. Entries are packed, sorted and disjoint. Beside an entry may stand what is not on the medium yet: the
// changed child node, or the name of a directory entry that needs a block of its own. Guarded by the tree's owner.

using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Topology;

/// <summary>A mutable array of blockrefs.</summary>
internal sealed class TreeNode
{
    private readonly BlockRef[] _refs;
    private object?[]? _pending;

    internal TreeNode(int capacity, ReadOnlySpan<BlockRef> live)
    {
        _refs = new BlockRef[capacity];
        live.CopyTo(_refs);
        Count = live.Length;
    }

    /// <summary>Slots of the array: 4, 32, 128 or 512.</summary>
    internal int Capacity => _refs.Length;

    /// <summary>Live entries.</summary>
    internal int Count { get; private set; }

    internal bool IsFull => Count == Capacity;

    /// <summary>log2 of the block's bytes; meaningless for a root.</summary>
    internal int Radix => System.Numerics.BitOperations.Log2((uint)(Capacity * FormatLimits.BlockRefBytes));

    /// <summary>The live entries.</summary>
    internal ReadOnlySpan<BlockRef> Refs => _refs.AsSpan(0, Count);

    /// <summary>All slots, empty ones zero, as the medium wants them.</summary>
    internal ReadOnlySpan<BlockRef> Slots => _refs;

    internal ref BlockRef this[int index]
    {
        get
        {
            Invariant.Check((uint)index < (uint)Count);
            return ref _refs[index];
        }
    }

    /// <summary>The changed child below an entry, or null when the child is on the medium as the entry says.</summary>
    internal TreeNode? ChildAt(int index) => _pending?[index] as TreeNode;

    /// <summary>The name block that an entry still needs, or null.</summary>
    internal byte[]? NameAt(int index) => _pending?[index] as byte[];

    internal object? PendingAt(int index) => _pending?[index];

    internal void SetPending(int index, object? pending)
    {
        if (pending is null && _pending is null)
            return;
        _pending ??= new object?[Capacity];
        _pending[index] = pending;
    }

    /// <summary>Index of the first entry whose range ends at or after <paramref name="key"/>.</summary>
    internal int FirstReaching(ulong key) => NodeArray.FirstReaching(Refs, key);

    internal void InsertAt(int index, in BlockRef entry, object? pending)
    {
        Invariant.Check(!IsFull);
        Invariant.Check(index == 0 || _refs[index - 1].LastKey < entry.Key);
        Invariant.Check(index == Count || entry.LastKey < _refs[index].Key);
        _refs.AsSpan(index, Count - index).CopyTo(_refs.AsSpan(index + 1));
        _refs[index] = entry;
        if (_pending is not null || pending is not null)
        {
            _pending ??= new object?[Capacity];
            _pending.AsSpan(index, Count - index).CopyTo(_pending.AsSpan(index + 1));
            _pending[index] = pending;
        }

        Count++;
    }

    internal void RemoveRange(int index, int count)
    {
        Invariant.Check(index >= 0 && count >= 0 && index + count <= Count);
        int rest = Count - index - count;
        _refs.AsSpan(index + count, rest).CopyTo(_refs.AsSpan(index));
        _refs.AsSpan(index + rest, count).Clear();
        if (_pending is not null)
        {
            _pending.AsSpan(index + count, rest).CopyTo(_pending.AsSpan(index));
            _pending.AsSpan(index + rest, count).Clear();
        }

        Count -= count;
    }
}

/// <summary>Sums over an array, as the reference to it carries them (format page 3.4, 3.5).</summary>
/// <param name="DataBytes">Bytes allocated below.</param>
/// <param name="Inodes">Inodes below.</param>
/// <param name="Leaves">Leaves below, saturating.</param>
/// <param name="ModifyTid">Largest modify TID among the entries.</param>
internal readonly record struct ArraySums(ulong DataBytes, ulong Inodes, ushort Leaves, ulong ModifyTid)
{
    internal static ArraySums Of(ReadOnlySpan<BlockRef> refs)
    {
        ulong data = 0, inodes = 0, leaves = 0, modify = 0;
        foreach (ref readonly BlockRef bref in refs)
        {
            // A reference with an impossible size is kept as it is and allocates nothing.
            data += bref.Physical.Radix <= FormatLimits.AllocationRadixMax ? (ulong)bref.Physical.Bytes : 0;
            modify = Math.Max(modify, bref.ModifyTid);
            if (bref.Type is BlockRefType.Inode or BlockRefType.Indirect)
            {
                data += bref.DataCount;
                inodes += bref.InodeCount;
            }

            if (bref.Type == BlockRefType.Inode)
                inodes++;
            leaves += bref.Type == BlockRefType.Indirect ? bref.LeafCount : 1UL;
        }

        return new ArraySums(data, inodes, (ushort)Math.Min(leaves, ushort.MaxValue), modify);
    }

    /// <summary>Stores the sums in the reference to the array.</summary>
    internal void StoreIn(ref BlockRef bref)
    {
        bref.DataCount = DataBytes;
        bref.InodeCount = Inodes;
        bref.LeafCount = Leaves;
        bref.ModifyTid = Math.Max(bref.ModifyTid, ModifyTid);
    }
}
