// R2, the side of writing: references with transaction ids from nowhere are complained about and brought into range when
// they are taken over, so that what is flushed afterwards counts on from the header; and nothing is taken for a block of the
// commit under way, and given back, because its id says so. CraftedTreeTests has the side of reading.

using Hammer2.Engine.Checking;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Checking;
using Hammer2.Tests.Dokan;
using Hammer2.Tests.Hostile;

namespace Hammer2.Tests.Requirements;

[TestClass]
public sealed class ForeignTransactionIdTests
{
    private const string TooLarge = "mirror-tid-order";
    private const int BlockBytes = FormatLimits.LogicalBlockBytes;

    // A volume on which everything of one kind below the PFS root claims a transaction that is still to come.
    private static MemoryBlockDevice Crafted(BlockRefType type, ulong ahead)
    {
        using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
        rig.Create("victim", EngineRig.Bytes(20 * BlockBytes, 1)).Dispose();
        rig.MakeDirectory("d");
        for (int i = 0; i < 200; i++)
            rig.Create($"d/{i}", EngineRig.Bytes(3000, i)).Dispose();
        rig.Sync();
        return EngineRig.Edited(rig.Memory, editor =>
        {
            ulong tid = editor.Header.MirrorTid + ahead;
            foreach (RefSlot slot in editor.Slots().Where(s => s.Ref.Type == type && s.Holder is not null).ToList())
            {
                editor.EditRef(editor.Slot(slot.At, slot.Holder), (ref BlockRef r) =>
                {
                    r.MirrorTid = tid;
                    r.ModifyTid = ulong.MaxValue - 5;
                });
            }
        });
    }

    [TestMethod]
    [DataRow(BlockRefType.Data, 1UL)]
    [DataRow(BlockRefType.Data, 1000UL)]
    [DataRow(BlockRefType.Indirect, 1UL)]
    [DataRow(BlockRefType.Inode, 1UL)]
    [DataRow(BlockRefType.Inode, 1UL << 40)]
    public void IdFromTheFutureBreaksTheNextCommits(BlockRefType type, ulong ahead)
    {
        MemoryBlockDevice memory = Crafted(type, ahead);
        Assert.IsGreaterThan(0L, VolumeChecker.Check([memory]).CountOf(TooLarge), "the craft did not work");
        ulong before = VolumeSet.Open([memory]).Header.MirrorTid;
        var logger = new ListLogger();
        using var rig = new EngineRig(memory, new VolumeOptions { Logger = logger });
        var guard = new CommitGuard(rig);
        for (int round = 0; round < 4; round++)
        {
            using (Vnode victim = rig.Open("victim"))
            {
                Assert.AreEqual(Hammer2Error.None, victim.TryWrite(round * BlockBytes, EngineRig.Bytes(5 * BlockBytes, round)));
                Assert.AreEqual(Hammer2Error.None, victim.TrySetSize((19 - round) * BlockBytes));
            }

            for (int i = round; i < 200; i += 4)
            {
                using Vnode small = rig.Open($"d/{i}");
                Assert.AreEqual(Hammer2Error.None, small.TryWrite(100, EngineRig.Bytes(4000, i)));
            }

            rig.WriteOut();
            rig.Create($"d/new{round}", EngineRig.Bytes(10 * BlockBytes, round + 50)).Dispose();
            rig.WriteOut();
            rig.Sync();
            guard.AssertNothingHit();
            Assert.AreEqual(before + (ulong)round + 1, rig.Volume.Header.MirrorTid, "the header does not count on");
        }

        Assert.IsTrue(logger.Lines.Any(l => l.Contains("too large", StringComparison.Ordinal)), "nobody complained");
        Assert.IsGreaterThan(0, rig.Volume.OverriddenTransactionIds);
        CheckReport report = VolumeChecker.Check([rig.Memory]);
        Assert.AreEqual(report.CountOf(TooLarge), report.Errors, report.ToString());
        foreach (string path in (string[])["victim", .. Enumerable.Range(0, 200).Select(i => $"d/{i}")])
            AssertInRange(rig, path);
    }

    // What was rewritten is in range now, whatever leads to it.
    private static void AssertInRange(EngineRig rig, string path)
    {
        using Vnode file = rig.Open(path);
        BlockRef inode = rig.InodeRef(file.InodeNumber);
        Assert.IsLessThanOrEqualTo(rig.Volume.Header.MirrorTid, inode.MirrorTid, path);
        Assert.IsLessThan(1UL << 62, inode.ModifyTid, path);
        BlockRef data = rig.DataRef(file, 0);
        Assert.IsLessThanOrEqualTo(inode.MirrorTid, data.MirrorTid, path);
        Assert.IsLessThan(1UL << 62, data.ModifyTid, path);
    }
}
