// Collects findings from all threads: keeps the first of each kind, counts all. The text of a finding that is not kept is
// not even put together, so that an image of nothing but damage costs a counter. Paths are filled in later, PFS by PFS.

using System.Globalization;
using System.Runtime.CompilerServices;
using Hammer2.Engine.Format;

namespace Hammer2.Engine.Checking;

/// <summary>Where a finding belongs: a PFS, an inode of it, and perhaps one entry of that directory.</summary>
internal readonly record struct Place(PfsScan? Pfs, ulong Inode, ulong EntryKey = 0);

/// <summary>Something that is given a path while the tables of its PFS are there.</summary>
internal interface IPathWanted
{
    /// <summary>Where it belongs.</summary>
    Place Place { get; }

    /// <summary>The path; null when none was found.</summary>
    string? Path { get; set; }
}

/// <summary>Findings of one check.</summary>
internal sealed class FindingList(int perCodeMax, RepairPlan? plan = null)
{
    private readonly Lock _gate = new();
    private readonly long[] _counts = new long[CheckCodes.All.Count];
    private readonly List<Kept> _kept = [];
    private long _total;

    internal long Total => Interlocked.Read(ref _total);

    /// <summary>Adds a finding about a reference.</summary>
    internal void Add(CheckCode code, in Place place, in BlockRef bref, [InterpolatedStringHandlerArgument("", nameof(code))] FindingText text)
    {
        plan?.Note(code, place, bref);
        if (text.Wanted)
            Keep(new Kept(code, place, bref.Physical.Offset, bref.Type == BlockRefType.Empty ? null : bref.ToString(), text.ToStringAndClear()));
    }

    /// <summary>Adds a finding about an address, or about nothing on the medium (0).</summary>
    internal void Add(CheckCode code, in Place place, ulong offset, [InterpolatedStringHandlerArgument("", nameof(code))] FindingText text)
    {
        plan?.Note(code, place, offset);
        if (text.Wanted)
            Keep(new Kept(code, place, offset, null, text.ToStringAndClear()));
    }

    /// <summary>Counts one more; true when its text is wanted.</summary>
    internal bool Count(CheckCode code)
    {
        Interlocked.Increment(ref _total);
        return Interlocked.Increment(ref _counts[code.Index]) <= perCodeMax;
    }

    /// <summary>Kept findings that belong to this PFS.</summary>
    internal List<Kept> Of(PfsScan pfs)
    {
        lock (_gate)
            return [.. _kept.Where(k => ReferenceEquals(k.Place.Pfs, pfs))];
    }

    internal IReadOnlyList<CheckCount> Counts() =>
        [.. CheckCodes.All.Where(c => _counts[c.Index] > 0).Select(c => new CheckCount(c, _counts[c.Index]))];

    internal IReadOnlyList<CheckFinding> ToList()
    {
        lock (_gate)
        {
            return [.. _kept
                .Select(k => new CheckFinding(k.Code, k.Place.Pfs?.Label, k.Place.Inode, k.Path, k.Offset, k.BlockRef, k.Message))
                .OrderByDescending(f => f.Severity).ThenBy(f => f.Pfs, StringComparer.Ordinal).ThenBy(f => f.Path, StringComparer.Ordinal)
                .ThenBy(f => f.InodeNumber).ThenBy(f => f.Code.Index).ThenBy(f => f.Offset)];
        }
    }

    private void Keep(Kept finding)
    {
        lock (_gate)
            _kept.Add(finding);
    }

    /// <summary>A finding that waits for its path.</summary>
    internal sealed class Kept(CheckCode code, Place place, ulong offset, string? blockRef, string message) : IPathWanted
    {
        internal CheckCode Code { get; } = code;

        public Place Place { get; } = place;

        internal ulong Offset { get; } = offset;

        internal string? BlockRef { get; } = blockRef;

        internal string Message { get; } = message;

        public string? Path { get; set; }
    }
}

/// <summary>The text of a finding, which is only formatted when it will be kept.</summary>
[InterpolatedStringHandler]
internal ref struct FindingText
{
    private DefaultInterpolatedStringHandler _text;

    public FindingText(int literalLength, int formattedCount, FindingList findings, CheckCode code, out bool wanted)
    {
        wanted = Wanted = findings.Count(code);
        _text = wanted ? new DefaultInterpolatedStringHandler(literalLength, formattedCount, CultureInfo.InvariantCulture) : default;
    }

    internal bool Wanted { get; }

    public void AppendLiteral(string value) => _text.AppendLiteral(value);

    public void AppendFormatted<T>(T value, string? format = null) => _text.AppendFormatted(value, format);

    internal string ToStringAndClear() => _text.ToStringAndClear();
}
