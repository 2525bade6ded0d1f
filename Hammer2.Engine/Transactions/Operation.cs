// One modifying operation: the shared side of the commit gate, and the space it may need. While it lives no commit is
// frozen, so a commit never cuts it in two. What it made dirty is in its ledger; at its end, or before it releases the lock of
// a file whose blocks can then be written out, the worst-case claim that it began with is exchanged for that. Begun by
// Committer.TryBegin, before any other lock is taken.

using Hammer2.Engine.Blocks;
using Hammer2.Engine.Freemap;

namespace Hammer2.Engine.Transactions;

/// <summary>A running operation; dispose it after all inode locks.</summary>
internal readonly ref struct Operation
{
    private readonly Committer _committer;
    private readonly SpaceClaim _worst;

    internal Operation(Committer committer, SpaceLedger ledger, scoped in SpaceClaim worst)
    {
        _committer = committer;
        _worst = worst;
        Ledger = ledger;
    }

    /// <summary>Charged with every block that the operation makes necessary.</summary>
    internal SpaceLedger Ledger { get; }

    /// <summary>Exchanges the claim for what was made dirty. After it nothing more may be made dirty.</summary>
    internal void Settle() => _committer.Settle(Ledger, _worst);

    public void Dispose() => _committer?.End(Ledger, _worst);
}
