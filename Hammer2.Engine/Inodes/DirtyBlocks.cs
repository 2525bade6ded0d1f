// File data that waits in memory: whole logical blocks of one file, each in a buffer as large as its content needs.
// A block that is being written out does not change any more: who writes to it gets a copy that takes its place.
// Guarded by the inode lock, exclusively for changes. Memory comes from a pool with a budget (see DirtyBlockPool).

using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Transactions;

namespace Hammer2.Engine.Inodes;

/// <summary>One logical block in memory; bytes from the end of the content to the end of the buffer are zeros.</summary>
internal sealed class DirtyBlock
{
    /// <summary>File offset.</summary>
    internal ulong Key { get; set; }

    /// <summary>Its bytes: a power of two from 1 KiB to 64 KiB.</summary>
    internal NativeBlock Memory { get; set; } = null!;

    /// <summary>True while a write-out reads the bytes without the lock.</summary>
    internal bool Writing { get; set; }

    /// <summary>True when it was replaced or dropped during the write-out, which then frees it.</summary>
    internal bool Orphaned { get; set; }

    internal Span<byte> Bytes => Memory.Span;

    /// <summary>log2 of the buffer's size: what it may need on the medium at most.</summary>
    internal int Radix => System.Numerics.BitOperations.Log2((uint)Memory.Bytes);
}

/// <summary>The dirty blocks of one file by file offset.</summary>
internal sealed class DirtyBlocks
{
    // 8 MiB: the range of the lowest indirect block that our own trees have (format page 8.2).
    private const int GroupRadix = 23;
    private readonly Dictionary<ulong, DirtyBlock> _blocks = [];
    private readonly HashSet<ulong> _groups = [];

    internal int Count => _blocks.Count;

    /// <summary>True while the file stands in the queue of files to write out.</summary>
    internal bool Queued { get; set; }

    /// <summary>Whether compressing this file paid lately (format page 7.4).</summary>
    internal CompressionHistory History { get; } = new();

    internal bool TryGet(ulong key, out DirtyBlock? block) => _blocks.TryGetValue(key, out block);

    internal void Set(DirtyBlock block) => _blocks[block.Key] = block;

    internal bool Remove(ulong key) => _blocks.Remove(key);

    /// <summary>Blocks with <paramref name="begin"/> &lt;= key &lt;= <paramref name="end"/>, in no order; a copy.</summary>
    internal List<DirtyBlock> InRange(ulong begin, ulong end)
    {
        var found = new List<DirtyBlock>();
        foreach (DirtyBlock block in _blocks.Values)
        {
            if (block.Key >= begin && block.Key <= end)
                found.Add(block);
        }

        return found;
    }

    /// <summary>Up to as many blocks as fit, not being written, lowest first.</summary>
    internal void TakeForWriting(List<DirtyBlock> into, int max)
    {
        int start = into.Count;
        foreach (DirtyBlock block in _blocks.Values)
        {
            if (!block.Writing)
                into.Add(block);
        }

        into.Sort(start, into.Count - start, s_byKey);
        if (into.Count - start > max)
            into.RemoveRange(start + max, into.Count - start - max);
        for (int i = start; i < into.Count; i++)
            into[i].Writing = true;
    }

    /// <summary>Smallest key at or after <paramref name="from"/> that is dirty.</summary>
    internal ulong? FirstAtOrAfter(ulong from)
    {
        ulong? first = null;
        foreach (ulong key in _blocks.Keys)
        {
            if (key >= from && (first is null || key < first))
                first = key;
        }

        return first;
    }

    /// <summary>Charges the nodes above a block when its group is touched for the first time since the last commit.</summary>
    internal void ChargeNodes(ulong key, SpaceLedger ledger)
    {
        if (_groups.Count == 0)
            ledger.Charge(NodeRadix, 4);
        if (_groups.Add(key >> GroupRadix))
            ledger.Charge(NodeRadix, 2);
    }

    /// <summary>The commit has written all nodes: from now on they must be charged anew.</summary>
    internal void ForgetCharges() => _groups.Clear();

    private const int NodeRadix = 14;

    private static readonly IComparer<DirtyBlock> s_byKey = Comparer<DirtyBlock>.Create((a, b) => a.Key.CompareTo(b.Key));
}

/// <summary>Buffers for dirty blocks by size, reused; the bytes in use count against the budget.</summary>
internal sealed class DirtyBlockPool : IDisposable
{
    private const int RadixMin = FormatLimits.AllocationRadixMin;
    private const int KeptBytesMax = 16 << 20;
    private readonly Stack<DirtyBlock>[] _free;
    private readonly object _gate = new();
    private readonly DirtyBudget _budget;
    private long _kept;

    internal DirtyBlockPool(DirtyBudget budget)
    {
        _budget = budget;
        _free = new Stack<DirtyBlock>[FormatLimits.AllocationRadixMax + 1];
        for (int i = RadixMin; i < _free.Length; i++)
            _free[i] = new Stack<DirtyBlock>();
    }

    /// <summary>A buffer of 2^<paramref name="radix"/> bytes with whatever content.</summary>
    internal DirtyBlock Rent(ulong key, int radix)
    {
        _budget.Add(1L << radix);
        DirtyBlock? block;
        lock (_gate)
        {
            if (_free[radix].TryPop(out block))
                _kept -= 1L << radix;
        }

        block ??= new DirtyBlock { Memory = new NativeBlock(1 << radix) };
        block.Key = key;
        block.Writing = false;
        block.Orphaned = false;
        return block;
    }

    internal void Return(DirtyBlock block)
    {
        Invariant.Check(!block.Writing);
        int radix = block.Radix;
        _budget.Remove(1L << radix);
        lock (_gate)
        {
            if (_kept + (1L << radix) <= KeptBytesMax)
            {
                _kept += 1L << radix;
                _free[radix].Push(block);
                return;
            }
        }

        block.Memory.Dispose();
    }

    public void Dispose()
    {
        lock (_gate)
        {
            foreach (Stack<DirtyBlock>? free in _free)
            {
                while (free is not null && free.TryPop(out DirtyBlock? block))
                    block.Memory.Dispose();
            }
        }
    }
}
