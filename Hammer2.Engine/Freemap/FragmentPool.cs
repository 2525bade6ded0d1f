// Fragments below 16 KiB that are free inside blocks which the bitmap calls allocated: discarded ones, and tails that
// were never used. The bitmap cannot express them, so this memory is all there is of them: what is here when the volume
// is closed is lost until bulkfree. Invariant: a unit of 1 KiB is here or in use, never both. Bounded; beyond the bound
// fragments are simply not remembered.

using System.Numerics;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Freemap;

/// <summary>The free fragments of one class of blockrefs.</summary>
internal sealed class FragmentPool(int blocksMax = FragmentPool.BlocksMaxDefault)
{
    /// <summary>Mask of a block that is wholly free.</summary>
    internal const ushort WholeBlock = ushort.MaxValue;

    private const int BlocksMaxDefault = 1 << 16;
    private const int BlockRadix = 14;
    private const int UnitRadix = FormatLimits.AllocationRadixMin;
    private const int RunClasses = BlockRadix - UnitRadix;
    private const int StaleEntriesMin = 64;
    private readonly Dictionary<ulong, ushort> _freeUnits = [];
    private readonly Stack<ulong>[] _candidates = [new(), new(), new(), new()];

    /// <summary>Number of the 16 KiB block of an address.</summary>
    internal static ulong BlockOf(ulong offset) => offset >> BlockRadix;

    /// <summary>Units of a block that this range of it covers.</summary>
    internal static ushort UnitsOf(ulong offset, int bytes)
    {
        int first = (int)(offset >> UnitRadix) & 15;
        return (ushort)(((1 << (bytes >> UnitRadix)) - 1) << first);
    }

    /// <summary>Free units of a block.</summary>
    internal ushort FreeUnits(ulong block) => _freeUnits.Count == 0 ? (ushort)0 : _freeUnits.GetValueOrDefault(block);

    /// <summary>Adds a range inside one 16 KiB block and returns all its free units.</summary>
    /// <param name="offset">Where it begins.</param>
    /// <param name="bytes">A multiple of 1 KiB.</param>
    /// <param name="always">The rest of a block that was opened now: a claim counts on it.</param>
    internal ushort Add(ulong offset, int bytes, bool always = false)
    {
        ulong block = BlockOf(offset);
        ushort units = UnitsOf(offset, bytes);
        ushort before = FreeUnits(block);
        Invariant.Check((before & units) == 0);
        if (before == 0 && _freeUnits.Count >= blocksMax && !always)
            return units;
        ushort after = (ushort)(before | units);
        _freeUnits[block] = after;
        Push(block, after);
        return after;
    }

    /// <summary>Takes a fragment of 2^<paramref name="radix"/> bytes.</summary>
    internal bool TryTake(int radix, out ulong offset)
    {
        offset = 0;
        if (_freeUnits.Count == 0)
            return false;
        int wanted = radix - UnitRadix;
        for (int run = wanted; run < RunClasses; run++)
        {
            while (_candidates[run].TryPop(out ulong block))
            {
                ushort units = FreeUnits(block);
                int starts = Runs(units, run);
                if (starts == 0)
                    continue;
                int first = BitOperations.TrailingZeroCount(starts);
                units = (ushort)(units & ~(((1 << (1 << wanted)) - 1) << first));
                Store(block, units);
                offset = block << BlockRadix | (ulong)first << UnitRadix;
                return true;
            }
        }

        return false;
    }

    /// <summary>Forgets a block whose state in the bitmap changed.</summary>
    internal void Forget(ulong block) => _freeUnits.Remove(block);

    /// <summary>Forgets everything.</summary>
    internal void Clear()
    {
        _freeUnits.Clear();
        foreach (Stack<ulong> stack in _candidates)
            stack.Clear();
    }

    // Bit n: units n to n + 2^run - 1 are free.
    private static int Runs(ushort units, int run)
    {
        int starts = units;
        for (int i = 0; i < run; i++)
            starts &= starts >> (1 << i);
        return starts;
    }

    private void Store(ulong block, ushort units)
    {
        if (units == 0)
        {
            _freeUnits.Remove(block);
            return;
        }

        _freeUnits[block] = units;
        Push(block, units);
    }

    // Under the longest run that the block has. An entry whose block changed since is noticed when it is popped.
    private void Push(ulong block, ushort units)
    {
        int run = RunClasses - 1;
        while (Runs(units, run) == 0)
            run--;
        if (_candidates[run].Count > 2 * _freeUnits.Count + StaleEntriesMin)
            Rebuild();
        else
            _candidates[run].Push(block);
    }

    private void Rebuild()
    {
        foreach (Stack<ulong> stack in _candidates)
            stack.Clear();
        foreach ((ulong block, ushort units) in _freeUnits)
        {
            int run = RunClasses - 1;
            while (Runs(units, run) == 0)
                run--;
            _candidates[run].Push(block);
        }
    }
}
