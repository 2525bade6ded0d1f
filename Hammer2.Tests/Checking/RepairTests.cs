// The repair against every damage that the checker's own tests know, and against the golden images: what has one right answer is
// repaired, the rest stays and is named, nothing that could be read becomes worse, the state before stays under its own
// header copy, and a second repair writes nothing.

using System.Buffers.Binary;
using Hammer2.Engine.Checking;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Hostile;
using Hammer2.Tests.Images;
using Hammer2.Torture.Devices;

namespace Hammer2.Tests.Checking;

[TestClass]
public sealed class RepairTests
{
    private static readonly Control[] s_all =
        [.. Controls.Headers(), .. Controls.Refs(), .. Controls.Inodes(), .. NameControls.Names(), .. NameControls.Freemap()];

    // Damage that no rule says how to undo: all of its kinds stay, but for what is named besides.
    private static readonly Dictionary<string, string> s_left = new()
    {
        ["header-none-valid header-damaged volume-unusable"] = "header-none-valid header-damaged volume-unusable",
        ["address-illegal stats-data-count"] = "address-illegal",
        ["address-unaligned freemap-used-but-free"] = "address-unaligned",
        ["block-overlap stats-data-count data-tail"] = "block-overlap data-tail",
    };

    private static readonly HashSet<string> s_stays =
    [
        "volume-unusable", "header-unreadable", "header-stale", "header-version-fields", "header-areas", "header-reserved", "header-fields",
        "bref-methods", "bref-keybits", "data-key bref-keybits", "bref-key-alignment data-key", "bref-key-order", "bref-key-range", "bref-emergency",
        "address-illegal", "address-outside", "address-reserved", "block-unreadable", "block-overlap", "block-type-clash", "metadata-twice",
        "data-beyond-end", "data-stream", "data-tail", "data-padding", "inode-version", "inode-type dirent-type", "inode-number inode-name",
        "inode-name", "inode-name-length inode-name", "inode-direct-data", "inode-direct-tail", "inode-methods", "superroot-missing check-mismatch",
        "superroot-fields", "pfs-root", "pfs-label", "pfs-duplicate-label pfs-label", "pfs-type", "pfs-duplicate-id", "nlinks-uncertain check-mismatch",
    ];

    // One kind of finding, and it depends on the place: in the freemap, or where one value is legal, there is a repair.
    private static readonly HashSet<string> s_depends = ["bref-type", "check-mismatch", "inode-size"];

    private static readonly Dictionary<string, string> s_goldenLeft = new()
    {
        ["dmg-bref-outside"] = "address-outside",
        ["dmg-data"] = "check-mismatch",
        ["dmg-data-symlink"] = "check-mismatch",
        ["dmg-headers-all"] = "header-none-valid header-damaged volume-unusable",
        ["dmg-magic-all"] = "header-none-valid header-damaged volume-unusable",
        ["dmg-indirect-dir"] = "check-mismatch",
        ["dmg-indirect-file"] = "check-mismatch",
        ["dmg-indirect-index"] = "check-mismatch",
        ["dmg-inode"] = "check-mismatch",
        ["dmg-inode-dir"] = "check-mismatch nlinks-uncertain",
        ["dmg-inode-root"] = "check-mismatch",
        ["dmg-inode-size"] = "inode-size",
        ["dmg-longname"] = "check-mismatch",
        ["dmg-loop"] = "bref-key-order stats-data-count stats-leaf-count",
        ["dmg-lz4"] = "data-stream",
        ["dmg-truncated"] = "volume-unusable",
        ["dmg-truncated-hard"] = "volume-unusable",
    };

    // A growth that was interrupted is no damage, and finished by whoever opens the set for writing.
    private static readonly (string Code, Func<IBlockDevice[]> Make)[] s_crafted = [.. NameControls.Crafted().Where(static c => c.Code != "header-growth")];

    public static IEnumerable<object[]> Rows => s_all.Select((c, i) => new object[] { i, c.Codes });

    public static IEnumerable<object[]> CraftedRows => s_crafted.Select((c, i) => new object[] { i, c.Code });

    [TestMethod]
    [DynamicData(nameof(Rows))]
    public void DamageIsRepairedOrStays(int index, string codes)
    {
        var editor = new ImageEditor(s_all[index].Image);
        s_all[index].Damage(editor);
        RepairReport report = RepairTwice([editor.Finished]);
        string[] left = CodesOf(report.After);
        if (s_depends.Contains(codes))
            Assert.IsTrue(left.Length == 0 || string.Join(' ', left) == codes, report.ToString());
        else
            CollectionAssert.AreEquivalent(s_stays.Contains(codes) ? codes.Split(' ') : Words(s_left.GetValueOrDefault(codes)), left, report.ToString());
        Assert.IsTrue(report.Left == 0 || left.Length > 0, "what could not be done must be seen by the check");
        Assert.AreEqual(report.Done > 0, report.Commits > 0, report.ToString());
    }

    [TestMethod]
    public void DependingDamageHasBothOutcomes()
    {
        foreach (string codes in s_depends)
        {
            bool[] repaired = [.. s_all.Where(c => c.Codes == codes).Select(c =>
            {
                var editor = new ImageEditor(c.Image);
                c.Damage(editor);
                return CodesOf(VolumeRepairer.Repair([editor.Finished]).After).Length == 0;
            }).Distinct()];
            Assert.HasCount(2, repaired, codes);
        }
    }

    [TestMethod]
    [DynamicData(nameof(GoldenImages.Rows), typeof(GoldenImages))]
    public void GoldenImagesAreRepairedOrStay(string name)
    {
        IBlockDevice[] devices = [.. GoldenImages.Get(name).Devices.Select(
            d => new OverlayDevice(name.StartsWith("part-", StringComparison.Ordinal) ? DeviceOpener.Select(d, name, null) : d))];
        RepairReport report = RepairTwice(devices);
        CollectionAssert.AreEquivalent(Words(s_goldenLeft.GetValueOrDefault(name)), CodesOf(report.After), report.ToString());
        if (CodesOf(report.Before).Length == 0)
            Assert.AreEqual(0, report.Commits, "a sound volume is not written");
    }

    [TestMethod]
    [DynamicData(nameof(CraftedRows))]
    public void CraftedDamageDoesNotBecomeWorse(int index, string code)
    {
        OverlayDevice device = WithAreas(s_crafted[index].Make().Single());
        RepairReport report = RepairTwice([device]);
        Assert.IsGreaterThanOrEqualTo(report.After.Errors, report.Before.Errors, $"{code}: {report}");
        string[] stays = ["inode-number-range", "inode-old-layout", "inode-duplicate"];
        Assert.AreEqual(stays.Contains(code), report.After.CountOf(code) > 0, report.ToString());
        Assert.AreEqual("", report.Problem ?? "");
    }

    [TestMethod]
    public void FirstHeaderOfAnotherFilesystemIsNotOverwritten()
    {
        // Formatted anew, and that header damaged: what is left of the older filesystem must not win for good.
        var editor = new ImageEditor("damage-base");
        editor.EditHeader(b => b[0x40] ^= 1, copy: 0);
        editor.EditHeader(b => b[0x300] ^= 1, copy: 0, seal: false);
        RepairReport report = RepairTwice([editor.Finished]);
        Assert.AreEqual(0, report.Commits);
        Assert.Contains("another filesystem", report.Problem!);
    }

    // Beside a block that cannot be read the repair only marked what is in use: a block in a state that nobody writes, and a segment without a
    // class, stayed as they were, and every further repair wrote a commit to try again.
    [TestMethod]
    public void IllegalStatesOfTheFreemapAreMadeLegalBesideLostBlocks()
    {
        var editor = new ImageEditor("damage-base");
        NameControls.Freemap().First(c => c.Codes == "freemap-reserved-state freemap-free-count").Damage(editor);
        MediaBlock lost = editor.FirstInode(data => data.Type == ObjectType.File);
        editor.EditBlock(lost, bytes => bytes[0x20] ^= 1, repair: false);
        RepairReport report = RepairTwice([editor.Finished]);
        Assert.AreEqual(0, report.After.CountOf("freemap-reserved-state"), report.ToString());
        Assert.AreEqual(1, report.After.CountOf("check-mismatch"), report.ToString());
        Assert.AreEqual(0, report.After.Findings.Count(finding => finding.Code.Name.StartsWith("freemap", StringComparison.Ordinal) && finding.Code.Severity != CheckSeverity.Information), report.ToString());
    }

    [TestMethod]
    public void StateThatWasFoundIsKeptHoweverManyCommitsARepairTakes()
    {
        // Three damaged copies, so that three commits are written, and then one more for another damage.
        var editor = new ImageEditor("damage-base");
        ulong found = editor.Header.MirrorTid;
        editor.EditBlock(editor.Leaf(), b => b[7] ^= 1, repair: false);
        NameControls.Names().First(c => c.Codes == "orphan stats-leaf-count").Damage(editor);
        for (int copy = 0; copy < 3; copy++)
            editor.EditHeader(b => b[0x300] ^= 1, copy: copy, seal: false);
        RepairReport report = RepairTwice([editor.Finished]);
        Assert.IsTrue(report.After.IsClean, report.ToString());
        Assert.AreEqual(3, report.Commits);
        IReadOnlyList<VolumeHeaderCopy> copies = VolumeHeaderCopy.ReadAll(editor.Finished);
        Assert.AreEqual(found, copies[3].Header!.MirrorTid);
        CollectionAssert.AreEqual(new[] { found + 1, found + 2, found + 3 }, copies.Take(3).Select(c => c.Header!.MirrorTid).Order().ToArray());
    }

    [TestMethod]
    public void PlanThatIsCutGoesOnInFurtherCommits()
    {
        var editor = new ImageEditor("damage-base");
        for (int n = 0; n < 12; n++)
            editor.EditFirst(BlockRefType.Dirent, (ref r) => r = default, s => !s.Ref.Physical.HasData && s.Ref.DirentType == ObjectType.File && s.Holder!.Type == BlockRefType.Indirect);
        RepairReport report = VolumeRepairer.Repair([editor.Finished], new RepairOptions { StepsMax = 2 });
        Assert.IsGreaterThan(1, report.Commits);
        Assert.IsNotNull(report.Problem);
        ulong tid = report.Before.MirrorTid;
        Assert.AreEqual(1, VolumeHeaderCopy.ReadAll(editor.Finished).Count(c => c.Header!.MirrorTid == tid), "the first state is kept");
        for (int more = 0; report.Problem is not null && more < 10; more++)
            report = VolumeRepairer.Repair([editor.Finished], new RepairOptions { StepsMax = 2 });
        Assert.IsTrue(report.After.IsClean, report.ToString());
        Assert.IsEmpty(CodesOf(report.After), report.ToString());
    }

    [TestMethod]
    public void CancelledRepairWritesNothing()
    {
        var editor = new ImageEditor("dmg-dirent-missing");
        var record = new DeviceRecord();
        using var cancel = new CancellationTokenSource();
        var whenChecked = new WhenChecked(cancel);
        Assert.ThrowsExactly<OperationCanceledException>(() => VolumeRepairer.Repair([new RecordingDevice(editor.Finished, record)], null, whenChecked, cancel.Token));
        Assert.IsEmpty(record.Events);
    }

    private sealed class WhenChecked(CancellationTokenSource cancel) : IProgress<CheckProgress>
    {
        public void Report(CheckProgress value) => cancel.Cancel();
    }

    // The builder leaves out what readers do not need: the areas of the header, without which nothing is written.
    internal static OverlayDevice WithAreas(IBlockDevice crafted)
    {
        var device = new OverlayDevice(crafted);
        byte[] header = new byte[FormatLimits.VolumeHeaderBytes];
        device.Read(0, header);
        for (int field = 0; field < 4; field++)
            BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(0x08 + field * sizeof(long)), FormatLimits.ReservedBytes);
        VolumeHeader.Seal(header);
        device.Write(0, header);
        return device;
    }

    /// <summary>Repairs, and proves what holds for every repair.</summary>
    internal static RepairReport RepairTwice(IReadOnlyList<IBlockDevice> devices)
    {
        TreePicture picture = TreePicture.Of(devices);
        var record = new DeviceRecord();
        IBlockDevice[] recorded = [.. devices.Select((d, i) => new RecordingDevice(d, record, i))];
        RepairReport dry = VolumeRepairer.Repair(recorded, new RepairOptions { DryRun = true });
        Assert.IsEmpty(record.Events, "a dry run writes nothing");
        RepairReport report = VolumeRepairer.Repair(recorded);
        Assert.AreEqual(report.Commits > 0, record.Events.Count > 0, "without a commit nothing is written");
        Assert.IsTrue(dry.Done > 0 || report.Done == 0, $"announced: {dry}\ndone: {report}");
        string worse = string.Join('\n', TreePicture.Of(devices).WorseThan(picture));
        Assert.AreEqual("", worse, report.ToString());
        foreach (CheckCount count in report.After.Counts.Where(c => c.Code.Severity == CheckSeverity.Error))
            Assert.IsGreaterThan(0, report.Before.CountOf(count.Code.Name), $"new: {count.Code.Name}\n{report}");
        OldStateStays(devices, report, picture);

        int events = record.Events.Count;
        RepairReport again = VolumeRepairer.Repair(recorded);
        Assert.HasCount(events, record.Events, $"the second repair wrote: {again}\nafter: {report}");
        Assert.AreEqual(0, again.Done, again.ToString());
        return report;
    }

    // The header copy that led to the state before is as it was, and so is everything below it.
    private static void OldStateStays(IReadOnlyList<IBlockDevice> devices, RepairReport report, TreePicture picture)
    {
        IBlockDevice root = devices.FirstOrDefault(d => VolumeHeaderCopy.Newest(VolumeHeaderCopy.ReadAll(d))?.Header is { VolumeId: 0 }) ?? devices[0];
        IReadOnlyList<VolumeHeaderCopy> copies = VolumeHeaderCopy.ReadAll(root);
        if (report.Commits == 0 || copies.Count(c => c.Index < FormatLimits.VolumeHeaderCopies && c.Fault != HeaderFault.Unreadable) < 2)
            return;
        CheckReport old = VolumeChecker.Check(devices, new CheckOptions { HeaderCopy = report.Before.HeaderCopy });
        Assert.AreEqual(report.Before.MirrorTid, old.MirrorTid);
        CollectionAssert.AreEqual(OfState(report.Before), OfState(old), old.ToString());

        IBlockDevice[] back = [.. devices.Select(d => new OverlayDevice(d))];
        foreach (VolumeHeaderCopy copy in copies.Where(c => c.Fault == HeaderFault.None && c.Header!.MirrorTid > old.MirrorTid))
            back[devices.ToList().IndexOf(root)].Write(copy.Offset, new byte[FormatLimits.VolumeHeaderBytes]);
        TreePicture then = TreePicture.Of(back);
        Assert.IsEmpty(then.WorseThan(picture));
        Assert.HasCount(picture.Entries.Count, then.Entries);
    }

    // Findings about copies are about all of them.
    private static string[] OfState(CheckReport report) =>
        [.. report.Counts.Where(c => c.Code.Name is not ("header-damaged" or "header-foreign" or "header-blank")).Select(c => $"{c.Count} {c.Code.Name}")];

    internal static string[] CodesOf(CheckReport report) =>
        [.. report.Counts.Where(c => c.Code.Severity >= CheckSeverity.Warning).Select(c => c.Code.Name)];

    private static string[] Words(string? words) => words?.Split(' ') ?? [];
}
