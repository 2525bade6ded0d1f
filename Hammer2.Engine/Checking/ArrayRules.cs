// What the slots of one array owe to each other and to their parent (format page 3.4, 3.5, 3.7): ascending disjoint ranges
// inside the parent's, and statistics that add up. Pure arithmetic.

using Hammer2.Engine.Format;

namespace Hammer2.Engine.Checking;

/// <summary>Places the references of an array one after the other into the range of their parent.</summary>
internal struct ArrayOrder
{
    private readonly ulong _low;
    private readonly ulong _high;
    private ulong _free;
    private bool _full;

    internal ArrayOrder(ulong low, ulong high)
    {
        (_low, _high) = (low, high);
        _free = low;
    }

    /// <summary>Null when the reference claims only keys that its parent grants and no slot before it has.</summary>
    internal CheckCode? Place(in BlockRef bref)
    {
        if (!BlockRefRules.IsAligned(bref))
            return CheckCodes.RefKeyAlignment;
        if (bref.Key < _low || bref.LastKey > _high)
            return CheckCodes.RefKeyRange;
        if (_full || bref.Key < _free)
            return CheckCodes.RefKeyOrder;
        _free = bref.LastKey + 1;
        _full = _free == 0;
        return null;
    }
}

/// <summary>Adds up the statistics of an array.</summary>
internal struct ArraySums
{
    private const int LeavesMax = ushort.MaxValue;
    private long _leaves;
    private ulong _data;
    private ulong _inodes;

    internal void Add(in BlockRef bref)
    {
        bool counted = bref.Type is BlockRefType.Inode or BlockRefType.Indirect;
        _leaves += bref.Type == BlockRefType.Indirect ? bref.LeafCount : 1;
        if (bref.Physical.Radix <= FormatLimits.AllocationRadixMax)
            _data += (ulong)bref.Physical.Bytes;
        _data += counted ? bref.DataCount : 0;
        _inodes += (counted ? bref.InodeCount : 0) + (bref.Type == BlockRefType.Inode ? 1UL : 0);
    }

    /// <summary>Compares with what the parent says; the super-root's statistics are known to be short.</summary>
    internal readonly void Compare(FindingList findings, in BlockRef parent, in TreeContext context)
    {
        if (parent.Type is not (BlockRefType.Inode or BlockRefType.Indirect) || context.Kind is TreeKind.SuperRoot)
            return;
        if (parent.DataCount != _data)
            findings.Add(CheckCodes.StatsData, context.Place, parent, $"The data count is {parent.DataCount}, below are {_data} bytes.");
        if (parent.InodeCount != _inodes)
            findings.Add(CheckCodes.StatsInodes, context.Place, parent, $"The inode count is {parent.InodeCount}, below are {_inodes}.");

        // A saturated counter stays so, and snapshots begin with 0.
        bool exempt = parent.LeafCount == LeavesMax || parent.Type == BlockRefType.Inode && context.Kind == TreeKind.PfsRoot && context.Pfs!.IsSnapshot;
        if (!exempt && parent.LeafCount != Math.Min(_leaves, LeavesMax))
            findings.Add(CheckCodes.StatsLeaves, context.Place, parent, $"The leaf count is {parent.LeafCount}, below are {_leaves}.");
    }
}
