// Promises of space (SpaceReserve of the design). A claim is accepted when it fits into free blocks that were seen in
// leaves, counted so that fragmentation cannot break it: every block above 16 KiB has a whole free group to itself,
// and all claims together fit into the free blocks. The proof needs one rule of the allocator: while no group is to
// spare, small blocks use up partly used groups first (see TakeBlock). Fragments are packed next-fit, one open block for
// each class, so they need at most twice their bytes and one block a class.

using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Freemap;

internal sealed partial class FreemapAllocator
{
    private const int BlockBytes = FormatLimits.FreemapGranularity;
    private const int GroupBlocks = FormatLimits.BlockBytesMax / BlockBytes;
    private const int FragmentClasses = 4;

    // Of the reserve, what is kept as blocks that were really seen; the rest is only a number in the header.
    private const long SeenReserveBytesMax = 64L << 20;

    // Groups to see beyond what is claimed, so that placement does not suffer from a horizon that is too near.
    private const long SpareGroups = 4096;
    private const int LooksForSpare = 4;
    private const int LooksForReserve = 64;
    private const int LooksMax = 1 << 20;
    private SpaceClaim _claimed;

    /// <summary>What is promised now.</summary>
    internal SpaceClaim Claimed
    {
        get
        {
            lock (_gate)
                return _claimed;
        }
    }

    /// <summary>Promises space, or refuses. What was promised can be allocated until it is released, whatever others do.</summary>
    internal bool TryClaim(in SpaceClaim claim, ClaimLevel level)
    {
        Invariant.Check(claim.IsSound);
        lock (_gate)
        {
            SpaceClaim total = _claimed;
            total.Add(claim);
            long reserve = level switch
            {
                ClaimLevel.Write => _geometry.ReserveBytes,
                ClaimLevel.Metadata when !_isEmergency => _geometry.ReserveBytes / 2,
                _ => 0,
            };
            if (!LookFor(total, reserve, PoolFor(level)))
                return false;
            _claimed = total;
            return true;
        }
    }

    /// <summary>Gives a promise back: unused, or after its blocks were allocated.</summary>
    internal void Release(in SpaceClaim claim)
    {
        Invariant.Check(claim.IsSound);
        lock (_gate)
        {
            _claimed.Remove(claim);
            Invariant.Check(_claimed.IsSound);
        }
    }

    /// <summary>Exchanges a promise for what was really needed of it; what the promise fell short of is promised unseen.</summary>
    internal void Exchange(in SpaceClaim promise, in SpaceClaim needed)
    {
        Invariant.Check(promise.IsSound && needed.IsSound);
        lock (_gate)
        {
            _claimed.Remove(promise);
            _claimed.Add(needed);
            Invariant.Check(_claimed.IsSound);
        }
    }

    private bool LookFor(in SpaceClaim total, long reserve, (long Blocks, long Groups) pool)
    {
        for (int looks = 0; ; looks++)
        {
            bool fits = Fits(total, reserve, pool);
            bool allowed = IsAllowed(total, reserve, pool.Blocks);
            if (fits && allowed && (looks >= LooksForSpare || _zones.FreeGroups >= total.Groups + SpareGroups))
                return true;

            // What does not fit into the zones seen may fit into more of them. When the header's statistic stands against
            // it, some more looks are worth while, but not all zones of a large volume at once.
            if (!allowed && looks >= LooksForReserve || looks >= LooksMax || !SeeNext())
                return fits && allowed;
        }
    }

    private bool Fits(in SpaceClaim total, long reserve, (long Blocks, long Groups) pool)
    {
        long small = total.Blocks + (total.FragmentBytes == 0 ? 0 : (2 * total.FragmentBytes + BlockBytes - 1) / BlockBytes + FragmentClasses);
        long kept = Math.Min(reserve, SeenReserveBytesMax) / BlockBytes;
        return total.Groups <= _zones.FreeGroups + pool.Groups && total.Groups * GroupBlocks + small + kept <= _zones.FreeBlocks + pool.Blocks;
    }

    private bool IsAllowed(in SpaceClaim total, long reserve, long poolBlocks)
    {
        long free = _zones.FreeBlocks * BlockBytes;
        if (_zones.Seen < _zones.ZoneCount)
            free = Math.Max(free, FreeBytes);
        long bytes = (total.Groups * GroupBlocks + total.Blocks) * BlockBytes + 2 * total.FragmentBytes;
        return free + poolBlocks * BlockBytes - bytes >= reserve;
    }
}
