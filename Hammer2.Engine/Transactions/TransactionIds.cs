// Transaction ids as loaded from the medium (format page 10.1). A reference whose mirror TID is ahead of the header
// that led to it, or whose modify TID leaves no room to count on, would break the order of every later flush:
// it is complained about and overridden when it is loaded (R2). The medium is not changed by that.

using Hammer2.Engine.Format;
using Microsoft.Extensions.Logging;

namespace Hammer2.Engine.Transactions;

/// <summary>The volume's transaction counters, and the guard that keeps loaded references inside them.</summary>
internal sealed class TransactionIds(ulong mirrorTid, ILogger logger)
{
    /// <summary>Modify TIDs at or above this are absurd: no volume ever counted so far.</summary>
    internal const ulong ModifyTidMax = 1UL << 62;

    private const int ComplaintsMax = 16;
    private int _overridden;

    /// <summary>Mirror TID of the header in use: no committed block is newer.</summary>
    internal ulong MirrorTid { get; } = mirrorTid;

    /// <summary>How many references were overridden.</summary>
    internal int Overridden => Volatile.Read(ref _overridden);

    /// <summary>Brings the ids of a loaded reference back into range.</summary>
    /// <param name="bref">A private copy of the reference.</param>
    internal void Accept(ref BlockRef bref)
    {
        bool mirror = bref.MirrorTid > MirrorTid;
        bool modify = bref.ModifyTid >= ModifyTidMax;
        if (!mirror && !modify)
            return;

        if (Interlocked.Increment(ref _overridden) <= ComplaintsMax)
        {
            logger.LogWarning(
                "Blockref {BlockRef}: mirror TID 0x{Mirror:x} or modify TID 0x{Modify:x} is too large for header TID 0x{Header:x}; overridden.",
                bref.ToString(), bref.MirrorTid, bref.ModifyTid, MirrorTid);
        }

        if (mirror)
            bref.MirrorTid = MirrorTid;
        if (modify)
            bref.ModifyTid = 0;
    }
}
