// The volume gets longer (format page 12.4). Invariants: nothing of the new space is given out before the call, and no header
// with the old sizes is made after it: both happen while no operation runs. Free bytes grow by exactly what became usable, which
// is what the header's formula (12.1) says too: the reserve of each new zone is no part of it.

using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Freemap;

internal sealed partial class FreemapAllocator
{
    /// <summary>Takes the new sizes; no operation is running.</summary>
    /// <param name="totalBytes">Bytes of the address space, more than before.</param>
    /// <param name="allocatorSize">The new header's allocator_size.</param>
    internal void Grow(ulong totalBytes, ulong allocatorSize)
    {
        lock (_gate)
        {
            FreemapGeometry old = _geometry;
            Invariant.Check(totalBytes > old.TotalBytes);
            _geometry = new FreemapGeometry(old.AllocatorBegin, totalBytes, allocatorSize);
            _zones.Grow(_geometry.ZoneCount);
            OpenSegments(old);
            long free = Interlocked.Add(ref _freeBytes, _geometry.AllocatableBytes - old.AllocatableBytes);

            // The reference's growfs left more than there is (format page 12.4); the next header shall not say so again.
            long most = (long)Math.Min(allocatorSize, long.MaxValue);
            if (free > most)
                Interlocked.Add(ref _freeBytes, most - free);
            _findings++;
        }
    }

    /// <summary>
    /// For a volume that was grown while it was closed, before anything is allocated: the leaf of the formerly last zone calls what
    /// lay behind the old end allocated; that is free now. allocator_free is not touched: whoever grows the volume adds what the new
    /// header's sizes say, and nothing twice.
    /// </summary>
    /// <param name="oldTotalBytes">Size of the address space before.</param>
    internal void OpenGrownSegments(ulong oldTotalBytes)
    {
        lock (_gate)
            OpenSegments(new FreemapGeometry(_geometry.AllocatorBegin, oldTotalBytes, 0));
    }

    private void OpenSegments(FreemapGeometry old)
    {
        long zone = old.ZoneCount - 1;
        bool exists = _leaves.TryGetValue(zone, out FreemapLeaf? leaf);
        if (!exists && _tree.FindLeaf(zone, out _) == LeafPresence.Missing)
        {
            if (_zones[zone].IsSeen)
                SeeMissing(zone);
            return;
        }

        // A leaf that cannot be read stays out of use with all of its zone.
        leaf ??= LeafOf(zone);
        if (leaf is null)
            return;
        (int first, int end) = old.UsableSegmentsOf(zone);
        (int newFirst, int newEnd) = _geometry.UsableSegmentsOf(zone);
        leaf.Extend(newFirst, newEnd);
        for (int segment = newFirst; segment < newEnd; segment++)
        {
            if (segment < first || segment >= end)
                leaf.Open(segment);
        }

        Note(leaf);
    }
}
