// What one operation made dirty, counted by block size: every node or inode that must get a new address at the next
// commit is charged here when it is changed for the first time. The operation's space claim is settled with it.

using Hammer2.Engine.Format;

namespace Hammer2.Engine.Blocks;

/// <summary>Counts of blocks by size radix; used by one thread.</summary>
internal sealed class SpaceLedger
{
    private readonly int[] _counts = new int[FormatLimits.AllocationRadixMax + 1];
    private readonly int[] _dataCounts = new int[FormatLimits.AllocationRadixMax + 1];

    /// <summary>What was charged is claimed; nothing more may be charged.</summary>
    internal bool IsSettled { get; set; }

    /// <summary>Notes blocks of <c>1 &lt;&lt; radix</c> bytes that will be allocated by the next commit at the latest.</summary>
    internal void Charge(int radix, int count = 1) => _counts[radix] += count;

    /// <summary>Notes one block of file data that waits in memory; its claim lives until that is written or dropped.</summary>
    internal void ChargeData(int radix) => _dataCounts[radix]++;

    /// <summary>Blocks of metadata of that radix charged so far.</summary>
    internal int Count(int radix) => _counts[radix];

    /// <summary>Blocks of file data of that radix charged so far.</summary>
    internal int DataCount(int radix) => _dataCounts[radix];

    internal void Clear()
    {
        IsSettled = false;
        Array.Clear(_counts);
        Array.Clear(_dataCounts);
    }
}
