// The cache of decoded blocks. Memory is 64 KiB pages of unmanaged memory; a page holds blocks of one size
// class (1 to 64 KiB), so nothing fragments; the budget counts pages and bookkeeping. Eviction takes whole pages by a clock.
// Split into shards by 64 KiB of address; a shard's lock is held for table work only, never during I/O or decoding:
// a block being loaded is in the table as "loading", and others who want it wait for that one load. A block that is there is
// found and leased without the lock, see Shard.TryLease.
// Invariants: a block in use (leased or loading) keeps its page; a failed load leaves nothing behind; a block whose address
// was written to is never found again under any key, also when it was being loaded or in use meanwhile.

using System.Numerics;
using System.Runtime.Intrinsics.X86;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Buffers;

/// <summary>Fills a cache slot: reads, verifies and decodes the block of a reference.</summary>
internal interface IBlockLoader
{
    /// <summary>Loads into <paramref name="slot"/> and returns the decoded bytes' count; throws Hammer2Exception.</summary>
    int Load(in BlockRef bref, Span<byte> slot);
}

/// <summary>A decoded block in use; dispose it soon, exactly once.</summary>
internal readonly struct BlockLease : IDisposable
{
    private readonly BlockCache.Entry _entry;

    internal BlockLease(BlockCache.Entry entry) => _entry = entry;

    /// <summary>The decoded bytes; shorter than the logical block when the rest is zeros.</summary>
    internal ReadOnlySpan<byte> Data => _entry.Memory[.._entry.Length];

    public void Dispose() => _entry.Page!.Unpin();
}

/// <summary>Counters of a cache since it was made.</summary>
/// <param name="Hits">Look-ups answered from memory.</param>
/// <param name="Misses">Look-ups that loaded the block.</param>
/// <param name="Bytes">Memory held now.</param>
public readonly record struct CacheStatistics(long Hits, long Misses, long Bytes);

internal sealed partial class BlockCache : IDisposable
{
    private const int PageBytes = FormatLimits.BlockBytesMax;
    private const int PagesPerShardMin = 64;
    private const int ShardsMax = 32;
    private const int HintMax = 64;
    private const int SlotBytesMin = 1 << FormatLimits.AllocationRadixMin;
    private readonly Shard[] _shards;

    internal BlockCache(long bytesMax)
    {
        int pages = (int)Math.Clamp(bytesMax / PageBytes, PagesPerShardMin / 4, int.MaxValue / 2);
        int shards = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Clamp(pages / PagesPerShardMin, 1, ShardsMax));
        _shards = new Shard[shards];
        for (int i = 0; i < shards; i++)
            _shards[i] = new Shard(Math.Max(1, pages / shards) * (long)PageBytes);
    }

    internal CacheStatistics Statistics => new(
        _shards.Sum(s => s.Hits),
        _shards.Sum(s => Interlocked.Read(ref s.Misses)),
        _shards.Sum(s => (long)s.PagesHeld * PageBytes));

    /// <summary>Leases the block, loading it if it is not there.</summary>
    /// <param name="bref">The reference.</param>
    /// <param name="slotBytes">Bytes to provide for the decoded block; rounded up to a size class.</param>
    /// <param name="loader">Who loads it.</param>
    internal BlockLease Get(in BlockRef bref, int slotBytes, IBlockLoader loader)
    {
        var key = new BlockKey(bref);
        Shard shard = ShardOf(key);
        Entry entry = shard.Acquire(key, slotBytes, out bool mustLoad);
        if (mustLoad)
            LoadInto(shard, entry, bref, loader);
        return new BlockLease(entry);
    }

    /// <summary>True when the block is there or on its way.</summary>
    internal bool Contains(in BlockRef bref)
    {
        var key = new BlockKey(bref);
        return ShardOf(key).Contains(key);
    }

    /// <summary>
    /// Brings what <see cref="TryCopy"/> will touch near to the processor. Blocks of many files lie all over the memory, and waiting
    /// for it again and again, one block after the other, would take longer than everything else.
    /// </summary>
    internal void Hint(ReadOnlySpan<BlockRef> refs, int bytes)
    {
        if (!Sse.IsSupported)
            return;
        Span<uint> hashes = stackalloc uint[HintMax];
        for (int start = 0; start < refs.Length; start += HintMax)
        {
            ReadOnlySpan<BlockRef> some = refs[start..Math.Min(start + HintMax, refs.Length)];
            for (int i = 0; i < some.Length; i++)
            {
                var key = new BlockKey(some[i]);
                hashes[i] = key.Hash;
                ShardOf(key).Hint(key.Hash, HintStep.Bucket, bytes);
            }

            for (HintStep step = HintStep.Entry; step <= HintStep.Block; step++)
            {
                for (int i = 0; i < some.Length; i++)
                    ShardAt(BlockKey.RegionOf(some[i])).Hint(hashes[i], step, bytes);
            }
        }
    }

    /// <summary>Copies the beginning of a block that is there: cheaper than a lease when little of it is wanted.</summary>
    /// <returns>False when it was not found at once, or is shorter than what is wanted.</returns>
    internal bool TryCopy(in BlockRef bref, Span<byte> into)
    {
        var key = new BlockKey(bref);
        if (ShardOf(key).TryLease(key) is not Entry entry)
            return false;
        bool fits = entry.Length >= into.Length;
        if (fits)
            entry.Memory[..into.Length].CopyTo(into);
        entry.Page!.Unpin();
        return fits;
    }

    /// <summary>Loads the block unless it is there or on its way; failures stay unreported: whoever needs it will see them.</summary>
    internal void Prefetch(in BlockRef bref, int slotBytes, IBlockLoader loader)
    {
        var key = new BlockKey(bref);
        Shard shard = ShardOf(key);
        Entry? entry = shard.TryReserve(key, slotBytes);
        if (entry is null)
            return;
        try
        {
            LoadInto(shard, entry, bref, loader);
        }
        catch (Hammer2Exception)
        {
            // The slot is already given back; the reader that wants these bytes loads again and reports.
            return;
        }

        entry.Page!.Unpin();
    }

    /// <summary>Takes a block that was just written, so that reading it needs no I/O; one under the same key is forgotten.</summary>
    /// <param name="bref">Its reference, complete: address, methods and check code are its identity.</param>
    /// <param name="decoded">What loading it would give: file data decoded, of an array its live entries.</param>
    internal void Insert(in BlockRef bref, ReadOnlySpan<byte> decoded)
    {
        var key = new BlockKey(bref);
        Shard shard = ShardOf(key);
        Entry entry = shard.Replace(key, Math.Max(decoded.Length, SlotBytesMin));
        decoded.CopyTo(entry.Memory);
        shard.FinishLoad(entry, decoded.Length);
        entry.Page!.Unpin();
    }

    /// <summary>
    /// Forgets every block, of any key, that overlaps these physical bytes (R9). Leases of such blocks keep their memory;
    /// a load in progress serves who asked for it and is not found by anybody later.
    /// </summary>
    internal void Invalidate(long address, int bytes)
    {
        for (long at = address & ~(long)(FormatLimits.BlockBytesMax - 1); at < address + bytes; at += FormatLimits.BlockBytesMax)
            ShardAt((ulong)at).Invalidate((ulong)at, (ulong)address, (ulong)(address + bytes));
    }

    /// <summary>Forgets every block that is not in use.</summary>
    internal void Clear()
    {
        foreach (Shard shard in _shards)
            shard.Clear();
    }

    public void Dispose()
    {
        foreach (Shard shard in _shards)
            shard.Dispose();
    }

    private static void LoadInto(Shard shard, Entry entry, in BlockRef bref, IBlockLoader loader)
    {
        int length = -1;
        try
        {
            length = loader.Load(bref, entry.Memory);
        }
        finally
        {
            shard.FinishLoad(entry, length);
        }
    }

    private Shard ShardOf(in BlockKey key) => ShardAt(key.Region);

    // All blocks of one 64 KiB are in one shard: who overwrites them looks in one place.
    private Shard ShardAt(ulong region) => _shards[(uint)(region * 0x9E3779B97F4A7C15UL >> 48) & (uint)(_shards.Length - 1)];
}
