// Live dedup (format page 16): a bounded table in memory from the hash of a stored DATA block to its address. It only
// proposes; whoever shares a block retains it, asks again and compares the bytes. Four places per hash, the oldest gives way.
// Invariant: an entry is never found after its block was forgotten, whatever the address was used for since. An entry knows
// the generation of its 64 KiB region; forgetting raises it, which may forget neighbours: it is only a table of proposals.

using System.Numerics;
using Hammer2.Engine.Format;

namespace Hammer2.Engine.Blocks;

/// <summary>Addresses of stored blocks by hash.</summary>
internal sealed class DedupTable
{
    /// <summary>Entries of the table that the reference uses.</summary>
    internal const int EntriesDefault = 262144;

    private const int Ways = 4;
    private const int Stripes = 64;

    // An address is a multiple of 1 KiB: between the radix and it there is room for the methods.
    private const int MethodsShift = 6;
    private const ulong MethodsMask = 0xFUL << MethodsShift;
    private const int RegionCounters = 1 << 16;
    private readonly uint[] _generations = new uint[RegionCounters];
    private readonly Entry[] _entries;
    private readonly object[] _gates = new object[Stripes];
    private readonly int _sets;

    /// <param name="entries">Rounded up to a power of two.</param>
    internal DedupTable(int entries = EntriesDefault)
    {
        _sets = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(entries / Ways, 1));
        _entries = new Entry[_sets * Ways];
        for (int i = 0; i < Stripes; i++)
            _gates[i] = new object();
    }

    /// <summary>True for the check methods whose blocks may be shared.</summary>
    internal static bool Allows(CheckMethod check) => check is CheckMethod.Iscsi32 or CheckMethod.XxHash64 or CheckMethod.Sha192;

    /// <summary>A block that may hold the same stored bytes: same hash, size and methods.</summary>
    internal bool TryFind(ulong hash, int radix, CompressionMethod compression, CheckMethod check, out PhysicalOffset block)
    {
        ulong tag = Tag(radix, compression, check);
        int set = SetOf(hash);
        lock (GateOf(set))
        {
            foreach (ref readonly Entry entry in PlacesOf(set))
            {
                if (entry.Hash != hash || (entry.Block & (MethodsMask | (1 << MethodsShift) - 1)) != tag)
                    continue;
                block = new PhysicalOffset(entry.Block & ~MethodsMask);
                if (entry.Generation == Volatile.Read(ref GenerationOf(block)))
                    return true;
            }
        }

        block = default;
        return false;
    }

    /// <summary>Remembers a block that was written and that nobody but the caller knows yet.</summary>
    internal void Add(ulong hash, PhysicalOffset block, CompressionMethod compression, CheckMethod check)
    {
        ulong value = block.Offset | Tag(block.Radix, compression, check);
        int set = SetOf(hash);
        lock (GateOf(set))
        {
            // Newest first: one move per insertion, and the last one falls out.
            Span<Entry> places = PlacesOf(set);
            places[..^1].CopyTo(places[1..]);
            places[0] = new Entry { Hash = hash, Block = value, Generation = Volatile.Read(ref GenerationOf(block)) };
        }
    }

    /// <summary>Forgets a block, before its address can be given to anybody else.</summary>
    internal void Forget(PhysicalOffset block) => Interlocked.Increment(ref GenerationOf(block));

    /// <summary>Forgets everything: bulkfree is about to free blocks.</summary>
    internal void Clear()
    {
        for (int i = 0; i < RegionCounters; i++)
            Interlocked.Increment(ref _generations[i]);
    }

    private static ulong Tag(int radix, CompressionMethod compression, CheckMethod check) =>
        (uint)radix | ((ulong)compression & 3) << MethodsShift | ((ulong)(check - CheckMethod.Iscsi32) & 3) << MethodsShift + 2;

    private int SetOf(ulong hash) => (int)(hash & (uint)(_sets - 1));

    private ref uint GenerationOf(PhysicalOffset block) =>
        ref _generations[(uint)((block.Offset >> FormatLimits.AllocationRadixMax) * 0x9E3779B97F4A7C15UL >> 48)];

    private object GateOf(int set) => _gates[set & (Stripes - 1)];

    private Span<Entry> PlacesOf(int set) => _entries.AsSpan(set * Ways, Ways);

    private struct Entry
    {
        internal ulong Hash;
        internal ulong Block;
        internal uint Generation;
    }
}
