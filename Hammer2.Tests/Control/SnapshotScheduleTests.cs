// Snapshots by the clock, with a clock that the test drives: what is due, what is missed, what is pruned and what never is. The
// volume is checked strictly after each case.

using Hammer2.Cli;
using Hammer2.Cli.Mounting;
using Hammer2.Tests.Cli;
using Hammer2.Tests.Images;
using Hammer2.Tests.Requirements;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hammer2.Tests.Control;

[TestClass]
public sealed class SnapshotScheduleTests
{
    [TestMethod]
    public void WhatIsDueIsMadeAndTheOldestGo()
    {
        using var rig = new EngineRig(bytes: 64L << 20);
        var clock = new DrivenClock(new DateTimeOffset(2026, 1, 30, 22, 15, 0, TimeSpan.Zero));
        rig.Volume.Snapshot("DATA", "DATA.mine");
        rig.Volume.Snapshot("DATA", "DATA.auto-hourly-by-hand");
        using (SnapshotSchedule schedule = Start(rig, clock, "hourly=2,daily=2"))
        {
            schedule.Look();
            Assert.AreEqual("auto-daily-20260130-2215 auto-hourly-20260130-2215", Auto(rig));
            clock.Now += TimeSpan.FromMinutes(44);
            schedule.Look();
            Assert.AreEqual("auto-daily-20260130-2215 auto-hourly-20260130-2215", Auto(rig), "the same hour");
            clock.Now += TimeSpan.FromMinutes(1);
            schedule.Look();
            clock.Now += TimeSpan.FromHours(1);
            schedule.Look();
            Assert.AreEqual("auto-daily-20260130-2215 auto-daily-20260131-0000 auto-hourly-20260130-2300 auto-hourly-20260131-0000", Auto(rig));
        }

        // Five days without a mount: one of each is made, not one for each hour.
        clock.Now += TimeSpan.FromDays(5);
        using (SnapshotSchedule schedule = Start(rig, clock, "hourly=2,daily=2"))
            schedule.Look();
        Assert.AreEqual("auto-daily-20260131-0000 auto-daily-20260205-0000 auto-hourly-20260131-0000 auto-hourly-20260205-0000", Auto(rig));
        Assert.IsTrue(rig.Volume.ListPfs().Any(static pfs => pfs.Label == "DATA.mine"));
        Assert.IsTrue(rig.Volume.ListPfs().Any(static pfs => pfs.Label == "DATA.auto-hourly-by-hand"));
        rig.Check();
    }

    [TestMethod]
    public void ASnapshotInUseStaysUntilItIsNot()
    {
        using var rig = new EngineRig(bytes: 64L << 20);
        var clock = new DrivenClock(new DateTimeOffset(2026, 3, 1, 0, 0, 0, TimeSpan.Zero));
        var said = new List<string>();
        using var schedule = new SnapshotSchedule(rig.Volume, "DATA", SnapshotRule.Parse("monthly=1"), clock, NullLogger.Instance, said.Add);
        schedule.Look();
        using (rig.Volume.OpenPfs("DATA.auto-monthly-20260301-0000"))
        {
            clock.Now = clock.Now.AddMonths(1);
            schedule.Look();
            schedule.Look();
            Assert.AreEqual("auto-monthly-20260301-0000 auto-monthly-20260401-0000", Auto(rig));
            Assert.HasCount(1, said);
        }

        schedule.Look();
        Assert.AreEqual("auto-monthly-20260401-0000", Auto(rig));
    }

    [TestMethod]
    public void AWeekBeginsOnMonday()
    {
        var rule = new SnapshotRule(SnapshotPeriod.Weekly, 1);
        var monday = new DateTime(2026, 2, 2, 0, 0, 0, DateTimeKind.Utc);
        Assert.AreEqual(monday, rule.StartOf(monday));
        Assert.AreEqual(monday, rule.StartOf(monday.AddDays(6).AddHours(23)));
        Assert.AreEqual(monday.AddDays(7), rule.StartOf(monday.AddDays(7)));
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("hourly")]
    [DataRow("hourly=0")]
    [DataRow("hourly=-1")]
    [DataRow("hourly=1,hourly=2")]
    [DataRow("yearly=1")]
    [DataRow("0=1")]
    [DataRow("daily=1,")]
    public void AWrongScheduleIsOneLine(string schedule) =>
        CliRun.Of("mount", "none.img", "/mnt", "--snapshots", schedule).Expect(2).ExpectOneLine("--snapshots");

    [TestMethod]
    public void AMountFollowsItsSchedule()
    {
        using var folder = new TemporaryFolder();
        string image = GoldenImages.Get("small-mixed").UnpackTo(folder.Path).Single();
        using (var mount = new LiveMount(image, "--snapshots", "hourly=3,monthly=1"))
        {
            Assert.IsTrue(SpinWait.SpinUntil(
                () => CliRun.On(mount.Host, ["pfs-list", image]).Expect(0).Output is var list && list.Contains(".auto-hourly-", StringComparison.Ordinal) && list.Contains(".auto-monthly-", StringComparison.Ordinal),
                LiveMount.Deadline));
        }

        CliRun.Of("fsck", image).Expect(0);
        using var host = new LiveMount.QuietHost();
        CliRun.On(host, ["mount", "--read-only", image, folder.Path, "--snapshots", "daily=1"]).Expect(3).ExpectOneLine("--snapshots");
    }

    private static SnapshotSchedule Start(EngineRig rig, TimeProvider clock, string rules) =>
        new(rig.Volume, "DATA", SnapshotRule.Parse(rules), clock, NullLogger.Instance, static said => Assert.Fail(said));

    // The labels of the schedule, sorted.
    private static string Auto(EngineRig rig) => string.Join(' ', rig.Volume.ListPfs()
        .Select(static pfs => pfs.Label).Where(static label => label.StartsWith("DATA.auto-", StringComparison.Ordinal) && !label.EndsWith("hand", StringComparison.Ordinal))
        .Select(static label => label["DATA.".Length..]).Order(StringComparer.Ordinal));

    /// <summary>A clock that stands until it is set; its timers never fire.</summary>
    private sealed class DrivenClock(DateTimeOffset now) : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = now;

        public override DateTimeOffset GetUtcNow() => Now;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => new Still();

        private sealed class Still : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
                // Nothing runs.
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}
