// The volume's transaction counters (format page 10.1), and the guard that keeps loaded references inside them. A
// reference whose mirror TID is ahead of what holds it, or whose modify TID leaves no room to count on, would break the
// order of every later flush, and a block of the durable commit could pass for one of the commit under way, which may be
// given back at once: such a reference is complained about and overridden when it is loaded (R2).

using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Microsoft.Extensions.Logging;

namespace Hammer2.Engine.Transactions;

/// <summary>The transaction ids of one volume. Thread-safe.</summary>
internal sealed class TransactionIds(ulong mirrorTid, ILogger logger)
{
    /// <summary>Ids at or above this are absurd: no volume ever counted so far.</summary>
    internal const ulong ModifyTidMax = 1UL << 62;

    private const int ComplaintsMax = 16;
    private int _overridden;
    private ulong _mirrorTid = mirrorTid;
    private ulong _modifyTid;
    private bool _writing;

    /// <summary>Mirror TID of the newest frozen commit; of the header in use while nothing is changed.</summary>
    internal ulong MirrorTid => Volatile.Read(ref _mirrorTid);

    /// <summary>Mirror TID of everything that changes now: that of the commit to come.</summary>
    internal ulong OpenTid => MirrorTid + 1;

    /// <summary>True once changes are possible.</summary>
    internal bool IsWriting => _writing;

    /// <summary>How many references were overridden.</summary>
    internal int Overridden => Volatile.Read(ref _overridden);

    /// <summary>Prepares for changes: modify TIDs go on from the largest that the super-root knows.</summary>
    /// <exception cref="Hammer2Exception"><c>Corrupt</c>: the header's mirror TID leaves nothing to count on.</exception>
    internal void BeginWriting(ulong modifyTid)
    {
        if (MirrorTid >= ModifyTidMax)
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"The header's transaction id 0x{MirrorTid:x} leaves no room to write; run fsck.");
        _modifyTid = Math.Max(_modifyTid, modifyTid);
        _writing = true;
    }

    /// <summary>A modify TID that no change had before.</summary>
    internal ulong NextModifyTid() => Interlocked.Increment(ref _modifyTid);

    /// <summary>A commit is frozen: what changes from now on belongs to the next one.</summary>
    internal void Advance() => Volatile.Write(ref _mirrorTid, _mirrorTid + 1);

    /// <summary>Brings the ids of a loaded reference back into range.</summary>
    /// <param name="bref">A private copy of the reference.</param>
    internal void Accept(ref BlockRef bref) => Accept(ref bref, MirrorTid + (_writing ? 1UL : 0));

    /// <summary>As the other overload, where it is known which transaction wrote last what holds the reference.</summary>
    /// <param name="bref">A private copy of the reference.</param>
    /// <param name="mirrorTidMax">Nothing below can be of a later one.</param>
    internal void Accept(ref BlockRef bref, ulong mirrorTidMax)
    {
        bool mirror = bref.MirrorTid > mirrorTidMax;
        bool modify = bref.ModifyTid >= ModifyTidMax;
        if (!mirror && !modify)
            return;

        if (Interlocked.Increment(ref _overridden) <= ComplaintsMax)
        {
            logger.LogWarning(
                "Blockref {BlockRef}: mirror TID 0x{Mirror:x} or modify TID 0x{Modify:x} is too large: the largest here is 0x{Max:x}; overridden.",
                bref.ToString(), bref.MirrorTid, bref.ModifyTid, mirrorTidMax);
        }

        if (mirror)
            bref.MirrorTid = mirrorTidMax;
        if (modify)
            bref.ModifyTid = 0;
    }
}
