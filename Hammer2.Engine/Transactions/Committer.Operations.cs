// The side of operations: entering the gate with a promise of space for the worst that the operation may need. When
// the promise cannot be given, a commit may turn generous claims into exact blocks, and bulkfree may find space that
// nothing refers to any more; only when both did not help is the volume full.

using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Transactions;

internal sealed partial class Committer
{
    private const int LooksOfRemoval = 16;

    [ThreadStatic]
    private static SpaceLedger? t_ledger;

    /// <summary>
    /// What looks for space that nothing refers to any more; true when it found some. Given the level of who needs it. May be null.
    /// </summary>
    internal Func<ClaimLevel, bool>? FindSpace { get; set; }

    /// <summary>Begins an operation.</summary>
    /// <param name="worst">The most that it may need.</param>
    /// <param name="level">How far it may dig into the reserve.</param>
    /// <param name="operation">To be disposed at its end; undefined when refused.</param>
    /// <returns>ReadOnly, NoSpace, or None.</returns>
    internal Hammer2Error TryBegin(scoped in SpaceClaim worst, ClaimLevel level, out Operation operation)
    {
        operation = default;
        bool emergency = _freemap.IsEmergency;
        if (emergency && level == ClaimLevel.Write)
            return Failure is null ? Hammer2Error.NoSpace : Hammer2Error.ReadOnly;
        Budget.WaitForRoom();
        LookAtMedium();
        // What is found may be taken by others at once: removing goes on looking, since it must always work.
        int looks = level == ClaimLevel.Remove || emergency ? LooksOfRemoval : 1;
        bool found = true;
        for (int attempt = 0; ; attempt++)
        {
            _gate.EnterReadLock();
            if (Failure is not null)
            {
                _gate.ExitReadLock();
                return Hammer2Error.ReadOnly;
            }

            bool promised = false;
            try
            {
                promised = _freemap.TryClaim(worst, level);
            }
            finally
            {
                if (!promised)
                    _gate.ExitReadLock();
            }

            if (promised)
            {
                SpaceLedger ledger = t_ledger ??= new SpaceLedger();
                ledger.Clear();
                operation = new Operation(this, ledger, worst);
                Counters?.Changed();
                return Hammer2Error.None;
            }

            if (attempt == 0)
                CommitForSpace();
            else if (!found || attempt > looks)
                return Full();
            else
                // When nothing was found the claim is tried once more: another thread may have found it a moment before.
                found = FindSpace?.Invoke(level) ?? false;
        }
    }

    /// <summary>Ends an operation: its claim becomes what it really made dirty, unless it did so before.</summary>
    internal void End(SpaceLedger ledger, in SpaceClaim worst)
    {
        Settle(ledger, worst);
        _gate.ExitReadLock();
        if (WantsCommit || WantsWriteOut)
            Wake();
    }

    /// <summary>Exchanges the claim of an operation for what it really made dirty, once.</summary>
    internal void Settle(SpaceLedger ledger, in SpaceClaim worst)
    {
        if (ledger.IsSettled)
            return;
        var metadata = new SpaceClaim();
        var used = new SpaceClaim();
        long bytes = 0;
        for (int radix = FormatLimits.AllocationRadixMin; radix <= FormatLimits.AllocationRadixMax; radix++)
        {
            int count = ledger.Count(radix);
            metadata.AddBlocks(radix, count);
            used.AddBlocks(radix, ledger.DataCount(radix));
            bytes += (long)count << radix;
        }

        used.Add(metadata);
        _freemap.Exchange(worst, used);
        if (bytes > 0)
        {
            Budget.Add(bytes);
            lock (_state)
            {
                _metadataClaim.Add(metadata);
                _metadataBytes += bytes;
            }
        }

        ledger.IsSettled = true;
    }

    /// <summary>Runs something while no operation runs; it is given the header of the last freeze, durable or not.</summary>
    internal void RunExclusive(Action<VolumeHeader> action)
    {
        _gate.EnterWriteLock();
        try
        {
            action(_lastFrozen);
        }
        finally
        {
            _gate.ExitWriteLock();
        }
    }

    // A zone whose freemap leaf cannot be read is not allocated from: then "full" would be the wrong answer.
    private Hammer2Error Full() => _freemap.DamagedZones == 0
        ? Hammer2Error.NoSpace
        : throw new Hammer2Exception(
            Hammer2Error.Corrupt, $"No space in the zones that can be used: the freemap of {_freemap.DamagedZones} others cannot be read; run fsck.");

    private void CommitForSpace()
    {
        try
        {
            Commit();
        }
        catch (Hammer2Exception)
        {
            // The volume is latched with this failure; the next look at it answers the operation.
            return;
        }
    }
}
