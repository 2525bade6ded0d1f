// Power cuts while a repair is written: whatever arrived, the volume is the damaged one or the repaired one, everything that
// could be read can be read, and repairing again ends where the undisturbed repair did.

using Hammer2.Engine.Checking;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Tests.Hostile;
using Hammer2.Torture.Devices;

namespace Hammer2.Tests.Checking;

[TestClass]
public sealed class RepairCrashTests
{
    private const int StatesMax = 50;
    private static readonly string[] s_damages =
    [
        "dirent-dangling orphan", "directory-twice orphan", "orphan stats-leaf-count", "nlinks", "stats-data-count", "header-damaged",
        "freemap-level", "freemap-used-but-free freemap-free-count", "freemap-pending-recovery",
    ];

    public static IEnumerable<object[]> Rows => s_damages.Select(d => new object[] { d });

    [TestMethod]
    [DynamicData(nameof(Rows))]
    public void EveryCutLeavesTheOldStateOrTheNew(string codes)
    {
        Control control = Controls.Headers().Concat(Controls.Refs()).Concat(NameControls.Names()).Concat(NameControls.Freemap()).First(c => c.Codes == codes);
        var editor = new ImageEditor(control.Image);
        control.Damage(editor);
        Judge(editor.Finished, StatesMax);
    }

    [TestMethod]
    public void VolumesWithOneHeaderSlotSurviveEveryCut()
    {
        var b = new ImageBuilder();
        b.AddEmbedded("file", "x"u8);
        ulong orphan = b.NewInodeNumber();
        b.AddInode(orphan, ImageBuilder.EmbeddedInodeBlock(orphan, ObjectType.File, "nameless"u8));
        Judge(RepairTests.WithAreas(b.Finish()), StatesMax);
    }

    [TestMethod]
    public void ARepairWrittenOverTheOldStateIsNoticed()
    {
        // The control: the header before everything that it refers to.
        var editor = new ImageEditor("damage-base");
        NameControls.Names().First(c => c.Codes == "orphan stats-leaf-count").Damage(editor);
        Assert.Throws<AssertFailedException>(() => Judge(editor.Finished, StatesMax, swap: true));
    }

    private static void Judge(IBlockDevice damaged, int statesMax, bool swap = false)
    {
        TreePicture before = TreePicture.Of(damaged);
        CheckReport old = VolumeChecker.Check([damaged]);
        var record = new DeviceRecord();
        RepairReport report = VolumeRepairer.Repair([new RecordingDevice(new OverlayDevice(damaged), record)]);
        Assert.IsGreaterThan(0, report.Commits);
        string[] end = Codes(report.After);
        int seed = HammerSeed.Get();
        CrashState[] states = [.. new CrashStates([damaged], swap ? Reversed(record) : record, seed).All()];
        var random = new Random(seed);
        int judged = 0;
        foreach (CrashState state in states.OrderBy(_ => random.Next()).Take(statesMax))
        {
            IBlockDevice device = state.Open()[0];
            string where = $"{HammerSeed.Variable}={seed}: {state}";
            CheckReport now = VolumeChecker.Check([device]);
            Assert.IsLessThanOrEqualTo(Math.Max(old.Errors, report.After.Errors), now.Errors, $"{where}\n{now}");
            Assert.IsEmpty(TreePicture.Of(device).WorseThan(before), where);
            RepairReport again = VolumeRepairer.Repair([device]);
            CollectionAssert.AreEquivalent(end, Codes(again.After), $"{where}\n{again}");
            Assert.IsEmpty(TreePicture.Of(device).WorseThan(before), where);
            judged++;
        }

        Assert.IsGreaterThan(5, judged);
    }

    private static string[] Codes(CheckReport report) => RepairTests.CodesOf(report);

    // The last write first, without a flush between.
    private static DeviceRecord Reversed(DeviceRecord record)
    {
        var reversed = new DeviceRecord();
        foreach (DeviceEvent e in record.Events.Where(e => e.Kind == DeviceEventKind.Write).Reverse())
            reversed.Add(e);
        return reversed;
    }
}
