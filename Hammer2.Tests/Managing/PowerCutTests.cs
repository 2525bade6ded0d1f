// Power cuts during administration: after each cut the volume is as before the call or as after it, and as after it once the
// call returned. HAMMER2_SEED repeats a run.

using Hammer2.Engine.Devices;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Hostile;
using Hammer2.Torture.Crash;
using Hammer2.Torture.Devices;

namespace Hammer2.Tests.Managing;

[TestClass]
public sealed class PowerCutTests
{
    private static readonly CrashSetup s_oneHeader = new("one header", 64L << 20);

    [TestMethod]
    [DataRow("create")]
    [DataRow("delete")]
    [DataRow("rename")]
    [DataRow("snapshot")]
    [DataRow("snapshot of what waits")]
    [DataRow("restore")]
    [DataRow("restore and drop")]
    public void EveryCutLeavesBeforeOrAfter(string name)
    {
        foreach (CrashSetup setup in (CrashSetup[])[CrashSetup.Plain, s_oneHeader])
        {
            var bench = new CrashTrial(HammerSeed.Get()) { WriteEvery = 4 };
            bench.Run(new CrashWorkload(name, setup, run =>
            {
                Act(run, name);

                // No commit is left to do: what the call promised is durable already.
                run.Sync();
            })
            { Prior = Prior });
            Console.WriteLine($"{name} ({setup.Name}): {bench.States} states");
            Assert.IsEmpty(bench.Failures, string.Join("\n\n", bench.Failures));
            Assert.IsGreaterThan(10L, bench.States);
        }
    }

    // Everything that the mode commits lies in the space beside the freemap; the old state must stand until the new one does.
    [TestMethod]
    public void EmergencyModeSurvivesEveryCut()
    {
        MemoryBlockDevice full = EmergencyTests.FullToTheLastBlock(out int files);
        var setup = new CrashSetup("full", 64L << 20);
        var record = new DeviceRecord();
        MemoryBlockDevice medium = full.Clone();
        List<TreeSnapshot> history;
        using (var run = new CrashRun([new RecordingDevice(medium, record)], setup, record))
        {
            history = run.History;
            run.Volume.EmergencyMode = true;
            for (int i = 0; i < files; i += 4)
            {
                run.Unlink($"/f{i}");
                if (i + 1 < files)
                    run.Set($"/f{i + 1}", new AttributeChanges { Uid = 9 });
                run.Sync();
            }
        }

        var states = new CrashStates([full], record, HammerSeed.Get());
        var judge = new CrashJudge(setup, history);
        var random = new Random(HammerSeed.Get());
        int total = states.All().Count(), judged = 0;
        foreach (CrashState state in states.All())
        {
            if (random.Next(total) >= 200)
                continue;
            Assert.IsNull(judge.Judge(state, withWriting: false));
            judged++;
        }

        Console.WriteLine($"{judged} of {total} states");
        Assert.IsGreaterThan(20, judged);
    }

    private static void Prior(CrashRun run)
    {
        CrashOps.Prior(run);
        Do(run, volume => volume.CreatePfs("WORK"));
        run.Put("WORK:/file", CrashRun.Noise(100_000, 50));
        run.Sync();
        Do(run, volume => volume.Snapshot("WORK", "kept"));
        run.Write("WORK:/file", 1000, CrashRun.Noise(100_000, 51));
        run.Sync();
    }

    private static void Act(CrashRun run, string name)
    {
        switch (name)
        {
            case "create":
                Do(run, volume => volume.CreatePfs("new"));
                break;
            case "delete":
                Do(run, volume => volume.DeletePfs("WORK"));
                break;
            case "rename":
                Do(run, volume => volume.RenamePfs("WORK", "PLAY"));
                break;
            case "snapshot":
                Do(run, volume => volume.Snapshot("DATA", "now"));
                break;
            case "snapshot of what waits":
                run.Write("/large", 1000, CrashRun.Noise(100_000, 52));
                run.Unlink("/small");
                Do(run, volume => volume.Snapshot("DATA", "now"));
                run.Write("/large", 1000, CrashRun.Noise(100_000, 53));
                run.Sync();
                break;
            case "restore":
                Do(run, volume => volume.RestoreSnapshot("kept", "WORK"));
                break;
            default:
                Do(run, volume => volume.RestoreSnapshot("kept", "WORK", keepPrevious: false));
                break;
        }
    }

    private static void Do(CrashRun run, Action<Hammer2Volume> action) => run.Step(() =>
    {
        action(run.Volume);
        return Hammer2Error.None;
    });
}
