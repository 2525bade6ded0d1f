// What the model knows of a time: the ranges it may lie in. An operation says "now", which is anything between its begin
// and its end; once the time was seen it is exactly that until the next operation that changes it.
// Invariant: an empty set of ranges never arises; what was seen stays.

namespace Hammer2.Torture.Model;

/// <summary>A moment or a stretch, in microseconds since 1970.</summary>
internal readonly record struct TimeRange(long From, long To)
{
    public static readonly TimeRange Any = new(long.MinValue, long.MaxValue);

    public bool Contains(long us) => us >= From && us <= To;
}

/// <summary>A time of the model.</summary>
internal sealed class KnownTime
{
    private readonly List<TimeRange> _ranges = [TimeRange.Any];

    /// <summary>It is in this range now.</summary>
    public void Set(TimeRange range)
    {
        _ranges.Clear();
        _ranges.Add(range);
    }

    public void Set(long us) => Set(new TimeRange(us, us));

    /// <summary>It may have been set to something in this range, or not.</summary>
    public void MayBe(TimeRange range)
    {
        if (_ranges.Count >= 8)
            _ranges.RemoveAt(1);
        _ranges.Add(range);
    }

    /// <summary>It was seen: false when that cannot be; from now on it is exactly this.</summary>
    public bool See(long us)
    {
        bool possible = _ranges.Exists(range => range.Contains(us));
        Set(us);
        return possible;
    }

    /// <summary>Some moment that it may be, for a model that answers for itself.</summary>
    public long Pick()
    {
        TimeRange range = _ranges[0];
        return range == TimeRange.Any ? 0 : range.From;
    }

    public override string ToString() => string.Join(" or ", _ranges.Select(static r => r.From == r.To ? $"{r.From}" : $"{r.From}..{r.To}"));
}
