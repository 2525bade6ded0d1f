// Which bytes of the volume are in use, and by what: built by the walk, read by the freemap check. Five bits for every 16 KiB,
// in records of one 4 MiB segment that exist once something in them is used; 16 KiB pieces that are shared by smaller
// blocks have a mask of 1 KiB pieces. Exact: the extents of every block are remembered, so
// that the same block met again, an overlap and a neighbour can be told apart. Thread-safe.

using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Hammer2.Engine.Format;

namespace Hammer2.Engine.Checking;

/// <summary>What the map says to a block that is met.</summary>
internal enum BlockClaim
{
    /// <summary>Nobody used these bytes so far.</summary>
    New,

    /// <summary>Exactly this block was met before, outside the current tree or as data.</summary>
    Shared,

    /// <summary>Exactly this block of metadata was met before in the current tree.</summary>
    Twice,

    /// <summary>The same extent is metadata here and data there.</summary>
    TypeClash,

    /// <summary>Some of these bytes belong to another block.</summary>
    Overlap,
}

/// <summary>Use of a volume's bytes.</summary>
internal sealed class UsageMap
{
    internal const int UnitsPerSegment = 256;
    private const int UnitRadix = 14;
    private const int GranuleRadix = 10;
    private const ulong SegmentMask = (1UL << FormatLimits.SegmentRadix) - 1;
    private readonly ConcurrentDictionary<ulong, SegmentUse> _segments = new(1, 31);

    /// <summary>Segments with used bytes, by number (address / 4 MiB), in no order.</summary>
    internal IEnumerable<KeyValuePair<ulong, SegmentUse>> Segments => _segments;

    internal SegmentUse? SegmentAt(ulong number) => _segments.GetValueOrDefault(number);

    /// <summary>Enters a block with a legal address.</summary>
    /// <param name="at">Its extent; crosses no 64 KiB boundary.</param>
    /// <param name="metadata">True for anything but file data.</param>
    /// <param name="committed">False for a block that only recovery will mark in the freemap.</param>
    internal BlockClaim Claim(PhysicalOffset at, bool metadata, bool committed)
    {
        SegmentUse segment = _segments.GetOrAdd(at.Offset >> FormatLimits.SegmentRadix, static _ => new SegmentUse());
        lock (segment)
            return segment.Claim((int)(at.Offset & SegmentMask) >> GranuleRadix, at.Bytes >> GranuleRadix, metadata, committed);
    }

    /// <summary>Begins another tree: metadata met so far may be met once more.</summary>
    internal void NextTree()
    {
        foreach (SegmentUse segment in _segments.Values)
            segment.ForgetTree();
    }

    /// <summary>256 bits, one for every 16 KiB of a segment.</summary>
    [InlineArray(4)]
    internal struct UnitBits
    {
        private ulong _first;

        internal readonly bool Has(int unit) => (this[unit >> 6] >> (unit & 63) & 1) != 0;

        internal void Set(int unit) => this[unit >> 6] |= 1UL << (unit & 63);
    }

    /// <summary>Use of one 4 MiB segment.</summary>
    internal sealed class SegmentUse
    {
        private const int GranulesPerUnit = 1 << (UnitRadix - GranuleRadix);
        private const int WholeUnit = (1 << GranulesPerUnit) - 1;

        // In a mask: 16 bits each of used, block starts, metadata at that start, met in the current tree.
        private const int StartShift = 16;
        private const int MetaShift = 32;
        private const int TreeShift = 48;

        // used start: 0 0 free, 1 1 a large block starts, 1 0 it goes on, 0 1 divided: see the masks.
        private UnitBits _used;
        private UnitBits _start;
        private UnitBits _meta;
        private UnitBits _tree;
        private UnitBits _committed;
        private ulong[]? _masks;

        /// <summary>64 units from <paramref name="word"/> * 64 on: a bit for each that is in use.</summary>
        internal ulong UsedWord(int word) => _used[word] | _start[word];

        /// <summary>The same for units that the committed freemap must know.</summary>
        internal ulong CommittedWord(int word) => _committed[word];

        /// <summary>The used 1 KiB pieces of a unit, 16 bits.</summary>
        internal int UsedGranules(int unit) => (int)Look(unit) & WholeUnit;

        internal BlockClaim Claim(int granule, int count, bool metadata, bool committed)
        {
            bool free = true, same = true;
            for (int at = granule; at < granule + count; at = NextUnit(at))
            {
                int mask = MaskIn(at, granule + count);
                ulong have = Look(at / GranulesPerUnit);
                int starts = at == granule ? 1 << (at % GranulesPerUnit) : 0;
                free &= ((int)have & mask) == 0;
                same &= ((int)have & mask) == mask && ((int)(have >> StartShift) & mask) == starts;
            }

            BlockClaim claim = free ? BlockClaim.New : same && EndsAt(granule + count) ? Meet(granule, metadata) : BlockClaim.Overlap;
            if (claim is BlockClaim.New or BlockClaim.Overlap)
                Enter(granule, count, metadata);
            if (committed)
            {
                for (int at = granule; at < granule + count; at = NextUnit(at))
                    _committed.Set(at / GranulesPerUnit);
            }

            return claim;
        }

        internal void ForgetTree()
        {
            _tree = default;
            foreach (ref ulong mask in _masks.AsSpan())
                mask &= (1UL << TreeShift) - 1;
        }

        private static int NextUnit(int granule) => (granule / GranulesPerUnit + 1) * GranulesPerUnit;

        private static int MaskIn(int from, int end)
        {
            int first = from % GranulesPerUnit;
            int last = Math.Min(end - from + first, GranulesPerUnit);
            return (1 << last) - (1 << first);
        }

        private ulong Look(int unit)
        {
            bool start = _start.Has(unit);
            if (!_used.Has(unit))
                return start ? _masks![unit] : 0;
            ulong bits = WholeUnit | (start ? 1UL << StartShift : 0);
            return bits | (_meta.Has(unit) ? 1UL << MetaShift : 0) | (_tree.Has(unit) ? 1UL << TreeShift : 0);
        }

        private bool EndsAt(int granule)
        {
            if (granule == UnitsPerSegment * GranulesPerUnit)
                return true;
            ulong have = Look(granule / GranulesPerUnit) >> (granule % GranulesPerUnit);
            return (have & 1) == 0 || (have >> StartShift & 1) != 0;
        }

        private BlockClaim Meet(int granule, bool metadata)
        {
            int unit = granule / GranulesPerUnit, bit = granule % GranulesPerUnit;
            ulong have = Look(unit) >> bit;
            if ((have >> MetaShift & 1) != 0 != metadata)
                return BlockClaim.TypeClash;
            if (!metadata)
                return BlockClaim.Shared;
            if ((have >> TreeShift & 1) != 0)
                return BlockClaim.Twice;
            if (_used.Has(unit))
                _tree.Set(unit);
            else
                _masks![unit] |= 1UL << (TreeShift + bit);
            return BlockClaim.Shared;
        }

        // An overlapping block is entered too, so that all its bytes count as used; its own extent is then lost.
        private void Enter(int granule, int count, bool metadata)
        {
            for (int at = granule; at < granule + count; at = NextUnit(at))
            {
                int unit = at / GranulesPerUnit;
                int mask = MaskIn(at, granule + count);
                bool first = at == granule;
                if (_used.Has(unit))
                    continue;
                if (mask == WholeUnit && !_start.Has(unit))
                {
                    _used.Set(unit);
                    if (first)
                        Begin(unit, metadata);
                    continue;
                }

                _masks ??= new ulong[UnitsPerSegment];
                _start.Set(unit);
                ulong bits = (uint)mask;
                if (first)
                    bits |= (1UL << StartShift | (metadata ? 1UL << MetaShift | 1UL << TreeShift : 0)) << (at % GranulesPerUnit);
                _masks[unit] |= bits;
            }
        }

        private void Begin(int unit, bool metadata)
        {
            _start.Set(unit);
            if (!metadata)
                return;
            _meta.Set(unit);
            _tree.Set(unit);
        }
    }
}
