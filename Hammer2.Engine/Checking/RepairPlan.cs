// What a repair is going to do, gathered while the check runs: findings that have one right answer become steps, and the
// planner of names adds its own (NamespacePlan). What is not listed here is not repaired: it would be a guess. Thread-safe while
// findings come in; bounded: steps beyond the limit are counted and planned in the next round.

using Hammer2.Engine.Format;

namespace Hammer2.Engine.Checking;

/// <summary>Kinds of steps, in the order in which they are done within a PFS.</summary>
internal enum RepairKind
{
    /// <summary>The PFS gives numbers from <see cref="RepairStep.Value"/> on.</summary>
    RaiseNextInode,

    /// <summary>An entry goes.</summary>
    RemoveEntry,

    /// <summary>An entry gets the type of its inode.</summary>
    RetypeEntry,

    /// <summary>An entry moves to where its name belongs, or to a name that is possible and not taken.</summary>
    RenameEntry,

    /// <summary>An inode gets the link count <see cref="RepairStep.Value"/>.</summary>
    SetLinks,

    /// <summary>A directory gets the parent <see cref="RepairStep.Value"/>.</summary>
    SetParent,

    /// <summary>An inode is written anew, with fields of one legal value set to it.</summary>
    RewriteInode,

    /// <summary>An inode without a name gets one in lost+found.</summary>
    Rescue,

    /// <summary>An inode that was deleted goes.</summary>
    RemoveInode,

    /// <summary>A reference to data or a name gets its unused bytes cleared and its transaction id bounded.</summary>
    CleanLeaf,

    /// <summary>An indirect block is written anew, with its statistics.</summary>
    RewriteNode,
}

/// <summary>One repair inside a PFS.</summary>
internal sealed class RepairStep(RepairKind kind, CheckCode code, Place place, ulong value = 0, int keyBits = 0) : IPathWanted
{
    internal RepairKind Kind { get; } = kind;

    internal CheckCode Code { get; } = code;

    public Place Place { get; } = place;

    /// <summary>Link count, parent, number, or key of an indirect block.</summary>
    internal ulong Value { get; } = value;

    /// <summary>Range of an indirect block.</summary>
    internal int KeyBits { get; } = keyBits;

    public string? Path { get; set; }
}

/// <summary>Everything that is to be done.</summary>
internal sealed class RepairPlan(int stepsMax)
{
    private const int PathsPerCodeMax = 100;
    private const int ZonesMax = 1 << 16;
    private readonly Lock _gate = new();
    private readonly Dictionary<(Place Place, RepairKind Kind, CheckCode Code, ulong Value, int Bits), RepairStep> _steps = [];
    private readonly Dictionary<CheckCode, long> _wholeVolume = [];
    private readonly HashSet<long> _zones = [];

    /// <summary>Steps inside PFSs.</summary>
    internal IReadOnlyCollection<RepairStep> Steps => _steps.Values;

    /// <summary>Some steps found no room.</summary>
    internal bool IsCut { get; private set; }

    /// <summary>The freemap is wrong: it is to be built anew.</summary>
    internal bool RebuildsFreemap { get; private set; }

    /// <summary>Blocks may be given out twice: also while parts of the trees are lost, what is in use has to be marked.</summary>
    internal bool MarksFreemap { get; private set; }

    /// <summary>Free bytes are to be counted.</summary>
    internal bool CountsFree { get; private set; }

    /// <summary>Fields of the header are to be set.</summary>
    internal bool AmendsHeader { get; private set; }

    /// <summary>Zones whose leaf is to be written whatever the rebuild changes.</summary>
    internal IEnumerable<long> Zones => _zones.Order();

    /// <summary>Kinds of findings that belong to the headers or the freemap, and how many there are.</summary>
    internal IReadOnlyDictionary<CheckCode, long> WholeVolume => _wholeVolume;

    /// <summary>What is noted from now on was found in the freemap.</summary>
    internal bool InFreemap { get; private set; }

    /// <summary>The header does not describe its volume: nothing may be written by it.</summary>
    internal bool HeaderIsWrong { get; private set; }

    /// <summary>Nothing is to be done.</summary>
    internal bool IsEmpty => _steps.Count == 0 && !RebuildsFreemap && !CountsFree && !AmendsHeader;

    /// <summary>A finding about a reference.</summary>
    internal void Note(CheckCode code, in Place place, in BlockRef bref)
    {
        lock (_gate)
        {
            // An array of the header: its empty slots are cleared with every commit of a repair.
            if (code == CheckCodes.SlotNotZero && bref.Type == BlockRefType.Empty)
                (AmendsHeader, _wholeVolume[code]) = (true, 1);
            else if (InFreemap)
                NoteFreemap(code, bref.Key);
            else if (place.Pfs is not null)
                NoteInside(code, place, bref);
        }
    }

    /// <summary>A finding about an address, an inode or an entry.</summary>
    internal void Note(CheckCode code, in Place place, ulong offset)
    {
        lock (_gate)
        {
            if (code == CheckCodes.FreemapFreeCount)
                (CountsFree, _wholeVolume[code]) = (true, 1);
            else if (InFreemap)
                NoteFreemap(code, offset);
            else if (code == CheckCodes.HeaderAreas)
                HeaderIsWrong = true;
            else if (code == CheckCodes.HeaderTids || code == CheckCodes.HeaderSizes || code == CheckCodes.HeaderVersionFields)
                (AmendsHeader, _wholeVolume[code]) = (true, 1);
            else if (code == CheckCodes.DirentDuplicate)
                Put(new RepairStep(RepairKind.RenameEntry, code, place));
        }
    }

    /// <summary>Adds a step, unless one of the same kind for the same thing is there.</summary>
    internal void Add(RepairStep step)
    {
        lock (_gate)
            Put(step);
    }

    /// <summary>The trees are walked, the freemap comes.</summary>
    internal void EnterFreemap(VolumeHeader header)
    {
        InFreemap = true;

        // The table of volumes cannot be known; only that of version 1 is always zero.
        if (header.Version != 1 && _wholeVolume.Remove(CheckCodes.HeaderVersionFields))
            AmendsHeader = _wholeVolume.Count > 0;
    }

    /// <summary>Takes out what was tried before: it did not help.</summary>
    internal void Drop(Func<RepairStep, bool> wasTried, Func<CheckCode, bool> wasTriedWhole)
    {
        foreach (var (key, step) in _steps)
        {
            if (wasTried(step))
                _steps.Remove(key);
        }

        foreach (CheckCode code in _wholeVolume.Keys.Where(wasTriedWhole).ToArray())
            _wholeVolume.Remove(code);
        if (_wholeVolume.Count == 0)
            (RebuildsFreemap, MarksFreemap, CountsFree, AmendsHeader) = (false, false, false, false);
    }

    /// <summary>Steps of one PFS that are given paths: the first of each kind.</summary>
    internal IReadOnlyList<IPathWanted> WithPaths(PfsScan pfs) =>
        [.. _steps.Values.Where(s => ReferenceEquals(s.Place.Pfs, pfs)).GroupBy(s => s.Code).SelectMany(g => g.Take(PathsPerCodeMax))];

    private void NoteFreemap(CheckCode code, ulong address)
    {
        if (code.Severity == CheckSeverity.Information)
            return;
        RebuildsFreemap = true;
        MarksFreemap |= code.Severity == CheckSeverity.Error || code == CheckCodes.FreemapPendingRecovery || code == CheckCodes.FreemapUsedButStaged;
        _wholeVolume[code] = _wholeVolume.GetValueOrDefault(code) + 1;
        if (_zones.Count < ZonesMax)
            _zones.Add((long)(address >> FormatLimits.ZoneRadix));
        else
            IsCut = true;
    }

    private void NoteInside(CheckCode code, in Place place, in BlockRef bref)
    {
        if (code == CheckCodes.StatsData || code == CheckCodes.StatsInodes || code == CheckCodes.StatsLeaves || code == CheckCodes.SlotNotZero)
            NoteArray(code, place, bref);
        else if (code == CheckCodes.RefUnused || code == CheckCodes.RefFlags || code == CheckCodes.MirrorTidOrder)
            NoteReference(code, place, bref);
        else if (code == CheckCodes.DirentName || code == CheckCodes.DirentNameLength || code == CheckCodes.DirentHash)
            Put(new RepairStep(RepairKind.RenameEntry, code, place));
        else if (code == CheckCodes.InodeMode || code == CheckCodes.InodeReserved || code == CheckCodes.InodePfsFlag || code == CheckCodes.PfsFlag
            || code == CheckCodes.InodeNameKey || code == CheckCodes.InodeSize || code == CheckCodes.DirectoryParent)
            Put(new RepairStep(RepairKind.RewriteInode, code, place));
    }

    // What is wrong with an array is right when it is written anew.
    private void NoteArray(CheckCode code, in Place place, in BlockRef holder)
    {
        if (holder.Type == BlockRefType.Inode)
            Put(new RepairStep(RepairKind.RewriteInode, code, place));
        else if (holder.Type == BlockRefType.Indirect)
            Put(new RepairStep(RepairKind.RewriteNode, code, place, holder.Key, holder.KeyBits));
    }

    private void NoteReference(CheckCode code, in Place place, in BlockRef bref)
    {
        switch (bref.Type)
        {
            case BlockRefType.Inode when bref.Key < FormatLimits.DirectoryKeyBase:
                Put(new RepairStep(RepairKind.RewriteInode, code, place));
                break;
            case BlockRefType.Indirect:
                Put(new RepairStep(RepairKind.RewriteNode, code, place, bref.Key, bref.KeyBits));
                break;
            case BlockRefType.Data or BlockRefType.Dirent:
                Put(new RepairStep(RepairKind.CleanLeaf, code, new Place(place.Pfs, place.Inode, bref.Key), bref.Key));
                break;
            default:
                break;
        }
    }

    private void Put(RepairStep step)
    {
        if (_steps.Count >= stepsMax)
            IsCut = true;
        else
            _steps.TryAdd((step.Place, step.Kind, step.Code, step.Value, step.KeyBits), step);
    }
}
