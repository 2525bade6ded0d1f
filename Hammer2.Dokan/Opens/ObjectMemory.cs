// What programs set and the medium cannot keep: times to 100 ns, and attributes that have no bit there. Remembered for the
// time of the mount, so that what was set reads back exactly (dokan-semantics E.1).
// Invariants: bounded by two generations of entries, the older one dropped as a whole; a time counts only as long as the
// medium still has the microsecond it was cut to, so a later change of it by anybody wins. Calls nothing.

using System.Collections.Concurrent;
using Hammer2.Engine.Primitives;

namespace Hammer2.Dokan.Opens;

/// <summary>What is remembered of one object. Times are UTC ticks of 100 ns; 0 = none.</summary>
internal readonly record struct RememberedFacts(long CreationTicks, long AccessTicks, long WriteTicks, FileAttributes Attributes)
{
    /// <summary>The exact time, if it is the one that the medium has cut to microseconds.</summary>
    internal static DateTime Exact(long ticks, DateTime stored)
    {
        if (ticks == 0)
            return stored;
        var exact = new DateTime(ticks, DateTimeKind.Utc);
        return MediaTime.ToUtc(MediaTime.FromUtc(exact)) == stored ? exact : stored;
    }
}

/// <summary>Facts by inode number.</summary>
/// <param name="entriesMax">Entries of a generation.</param>
internal sealed class ObjectMemory(int entriesMax = 32768)
{
    private volatile ConcurrentDictionary<ulong, RememberedFacts> _recent = new();
    private volatile ConcurrentDictionary<ulong, RememberedFacts> _older = new();
    private volatile bool _isUsed;

    /// <summary>Was nothing remembered yet? Then nobody needs to look. (To say so the dictionaries would take all their locks.)</summary>
    internal bool IsEmpty => !_isUsed;

    /// <summary>What is remembered of an object; all zero when nothing is.</summary>
    internal RememberedFacts this[ulong inodeNumber] =>
        _recent.TryGetValue(inodeNumber, out RememberedFacts facts) || _older.TryGetValue(inodeNumber, out facts) ? facts : default;

    /// <summary>Remembers times; null leaves one as it is.</summary>
    internal void SetTimes(ulong inodeNumber, DateTime? creation, DateTime? access, DateTime? write)
    {
        RememberedFacts facts = this[inodeNumber];
        Set(inodeNumber, facts with
        {
            CreationTicks = creation?.Ticks ?? facts.CreationTicks,
            AccessTicks = access?.Ticks ?? facts.AccessTicks,
            WriteTicks = write?.Ticks ?? facts.WriteTicks,
        });
    }

    /// <summary>Remembers attributes.</summary>
    internal void SetAttributes(ulong inodeNumber, FileAttributes attributes)
    {
        RememberedFacts facts = this[inodeNumber];
        if (facts.Attributes != attributes)
            Set(inodeNumber, facts with { Attributes = attributes });
    }

    private void Set(ulong inodeNumber, in RememberedFacts facts)
    {
        _isUsed = true;
        ConcurrentDictionary<ulong, RememberedFacts> recent = _recent;
        recent[inodeNumber] = facts;
        if (recent.Count <= entriesMax)
            return;
        _older = recent;
        _recent = new ConcurrentDictionary<ulong, RememberedFacts>();
    }
}
