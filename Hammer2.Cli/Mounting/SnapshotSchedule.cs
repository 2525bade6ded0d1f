// Snapshots by the clock: `mount --snapshots hourly=24,daily=7`. The labels are the whole memory: LABEL.auto-daily-20260131-0000 says
// what made it and when, so a schedule goes on after any pause. Invariants: only snapshots whose label the schedule itself
// writes are ever deleted, and only beyond the number to keep; a failure is logged and tried again at the next look.

using System.Globalization;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Microsoft.Extensions.Logging;

namespace Hammer2.Cli.Mounting;

/// <summary>How often.</summary>
internal enum SnapshotPeriod
{
    Hourly,
    Daily,
    Weekly,
    Monthly,
}

/// <summary>One line of a schedule: keep so many of these.</summary>
internal readonly record struct SnapshotRule(SnapshotPeriod Period, int Keep)
{
    private const int KeepMax = 1000;
    private const string TimeFormat = "yyyyMMdd-HHmm";

    private string Mark => $".auto-{Period.ToString().ToLowerInvariant()}-";

    /// <summary>Parses <c>hourly=24,daily=7</c>.</summary>
    public static IReadOnlyList<SnapshotRule> Parse(string text)
    {
        var rules = new List<SnapshotRule>();
        foreach (string part in text.Split(','))
        {
            string[] halves = part.Split('=');
            if (halves.Length != 2 || !Enum.GetNames<SnapshotPeriod>().Contains(halves[0], StringComparer.OrdinalIgnoreCase)
                || !int.TryParse(halves[1], NumberStyles.None, CultureInfo.InvariantCulture, out int keep) || keep is < 1 or > KeepMax)
                throw CliException.Usage($"--snapshots wants hourly=N,daily=N,weekly=N,monthly=N with N from 1 to {KeepMax}, not '{part}'");
            var period = Enum.Parse<SnapshotPeriod>(halves[0], ignoreCase: true);
            if (rules.Exists(rule => rule.Period == period))
                throw CliException.Usage($"--snapshots has {halves[0]} twice");
            rules.Add(new SnapshotRule(period, keep));
        }

        return rules;
    }

    /// <summary>As <see cref="Parse"/> reads it.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Period.ToString().ToLowerInvariant()}={Keep}");

    /// <summary>The label of a snapshot made now.</summary>
    public string LabelAt(string label, DateTime utc) => label + Mark + utc.ToString(TimeFormat, CultureInfo.InvariantCulture);

    /// <summary>When a snapshot of this rule was made; null when it is none.</summary>
    public DateTime? TimeOf(string label, PfsInfo pfs)
    {
        string start = label + Mark;
        return pfs.IsSnapshot && pfs.Label.StartsWith(start, StringComparison.Ordinal)
            && DateTime.TryParseExact(pfs.Label[start.Length..], TimeFormat, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out DateTime time)
            ? time
            : null;
    }

    /// <summary>When the period that holds a moment began.</summary>
    public DateTime StartOf(DateTime utc) => Period switch
    {
        SnapshotPeriod.Hourly => utc.Date.AddHours(utc.Hour),
        SnapshotPeriod.Daily => utc.Date,
        SnapshotPeriod.Weekly => utc.Date.AddDays(-(((int)utc.DayOfWeek + 6) % 7)),
        _ => new DateTime(utc.Year, utc.Month, 1, 0, 0, 0, DateTimeKind.Utc),
    };
}

/// <summary>Makes and prunes snapshots while a PFS is mounted.</summary>
internal sealed class SnapshotSchedule : IDisposable
{
    private static readonly TimeSpan s_lookEvery = TimeSpan.FromMinutes(1);
    private readonly Hammer2Volume _volume;
    private readonly string _label;
    private readonly IReadOnlyList<SnapshotRule> _rules;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly Action<string> _say;
    private readonly Lock _gate = new();
    private readonly ITimer _timer;
    private string? _lastFailure;
    private bool _ended;

    /// <summary>Looks at once, and then every minute.</summary>
    public SnapshotSchedule(Hammer2Volume volume, string label, IReadOnlyList<SnapshotRule> rules, TimeProvider clock, ILogger logger, Action<string> say)
    {
        (_volume, _label, _rules, _clock, _logger, _say) = (volume, label, rules, clock, logger, say);
        _timer = clock.CreateTimer(_ => Look(), null, TimeSpan.Zero, s_lookEvery);
    }

    /// <summary>Makes what is due and deletes what is too much.</summary>
    internal void Look()
    {
        // A look that takes longer than a minute is not joined by the next one.
        if (!_gate.TryEnter())
            return;
        try
        {
            if (_ended)
                return;
            foreach (SnapshotRule rule in _rules)
            {
                DateTime now = _clock.GetUtcNow().UtcDateTime;
                if (Try(() => Make(rule, now)))
                    Try(() => Prune(rule));
            }
        }
        finally
        {
            _gate.Exit();
        }
    }

    /// <summary>Waits for a look that is under way.</summary>
    public void Dispose()
    {
        lock (_gate)
            _ended = true;
        _timer.Dispose();
    }

    private void Make(SnapshotRule rule, DateTime now)
    {
        DateTime start = rule.StartOf(now);
        if (Made(rule).Any(made => made.Time >= start))
            return;
        string name = rule.LabelAt(_label, now);
        _volume.Snapshot(_label, name);
        _logger.LogInformation("Snapshot {Name} was made.", name);
    }

    private void Prune(SnapshotRule rule)
    {
        foreach ((string name, _) in Made(rule).OrderByDescending(static made => made.Time).Skip(rule.Keep).ToList())
        {
            // One that is mounted stays until it is not; the others go.
            Try(() =>
            {
                _volume.DeletePfs(name);
                _logger.LogInformation("Snapshot {Name} was deleted.", name);
            });
        }
    }

    private IEnumerable<(string Name, DateTime Time)> Made(SnapshotRule rule) => _volume.ListPfs()
        .Select(pfs => (Name: pfs.Label, Time: rule.TimeOf(_label, pfs))).Where(static made => made.Time is not null).Select(static made => (made.Name, made.Time!.Value));

    // The same failure is said once, however often it is met.
    private bool Try(Action action)
    {
        try
        {
            action();
            return true;
        }
        catch (Hammer2Exception failure)
        {
            _logger.LogWarning("Scheduled snapshots of {Label}: {Message}", _label, failure.Message);
            if (_lastFailure != failure.Message)
                _say($"warning: scheduled snapshots of {_label}: {failure.Message}");
            _lastFailure = failure.Message;
            return false;
        }
    }
}
