// What the space of a volume is used for, against volumes of which it is known.
// Metadata makes the sums a little larger than the files: sizes are compared with a margin, counts exactly.

using System.Text;
using Hammer2.Engine.Diagnostics;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Images;
using Hammer2.Tests.Requirements;

namespace Hammer2.Tests.Managing;

[TestClass]
public sealed class UsageTests
{
    private const int MiB = 1 << 20;

    [TestMethod]
    public void LiveSnapshotAndReclaimableAreToldApart()
    {
        using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
        rig.Create("stays", EngineRig.Bytes(8 * MiB, 1)).Dispose();
        rig.Create("goes", EngineRig.Bytes(5 * MiB, 2)).Dispose();
        rig.Volume.Snapshot("DATA", "kept");
        rig.Unlink("goes");
        rig.Create("lost", EngineRig.Bytes(3 * MiB, 3)).Dispose();
        rig.Sync();
        rig.Unlink("lost");
        rig.Sync();
        VolumeUsage usage = UsageWalk.Run(rig.Volume);
        Console.WriteLine(usage);
        Near(8 * MiB, usage.LiveBytes);
        Near(5 * MiB, usage.SnapshotBytes);
        Near(13 * MiB, usage.DataBytes);
        Near(13 * MiB, usage.LogicalBytes);
        Near(3 * MiB, usage.ReclaimableBytes);
        Assert.AreEqual(0L, usage.DedupBytes);
        Assert.IsTrue(usage.IsExact);
        Assert.AreEqual(0L, usage.Damaged);
        Assert.AreEqual("DATA LOCAL kept", string.Join(' ', usage.Pfses.Select(p => p.Label)));
        Near(5 * MiB, usage.Pfses[2].OwnBytes);
        Near(13 * MiB, usage.Pfses[2].ReferencedBytes);

        rig.Volume.Bulkfree();
        VolumeUsage after = UsageWalk.Run(rig.Volume);
        Assert.IsLessThan(256L << 10, after.ReclaimableBytes);
        Near((int)(usage.FreeBytes + usage.ReclaimableBytes - after.FreeBytes) + MiB, MiB);
        rig.Volume.DeletePfs("kept");
        Near(5 * MiB, UsageWalk.Run(rig.Volume).ReclaimableBytes);
        rig.Check();
    }

    [TestMethod]
    public void CompressionAndDeduplicationAreMeasured()
    {
        using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
        byte[] text = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 20_000).Select(i => $"line {i} of a text. ")))[..(4 * 65536)];
        rig.Create("text", text).Dispose();
        rig.Create("odd", EngineRig.Bytes(65536 + 5, 1)).Dispose();
        rig.Sync();
        VolumeUsage usage = UsageWalk.Run(rig.Volume);
        Assert.AreEqual(text.Length + 65536L + 5, usage.LogicalBytes);
        Assert.IsGreaterThan(1.2, usage.CompressionRatio);
        rig.Create("twin", EngineRig.Bytes(65536, 1)).Dispose();
        rig.Sync();
        usage = UsageWalk.Run(rig.Volume);
        Assert.AreEqual(65536L, usage.DedupBytes);
        Assert.AreEqual(text.Length + 65536L + 5, usage.LogicalBytes);
    }

    [TestMethod]
    public void DirectoriesAreAddedUp()
    {
        using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
        foreach (string directory in (string[])["big", "big/below", "big/below/deeper", "small"])
            rig.MakeDirectory(directory);
        rig.Create("big/one", EngineRig.Bytes(MiB, 1)).Dispose();
        rig.Create("big/below/two", EngineRig.Bytes(2 * MiB, 2)).Dispose();
        rig.Create("big/below/deeper/three", EngineRig.Bytes(4 * MiB, 3)).Dispose();
        rig.Create("small/tiny", EngineRig.Bytes(100, 4)).Dispose();
        VolumeUsage usage = UsageWalk.Run(rig.Volume, new UsageOptions { DirectoriesOf = "DATA", DirectoriesMax = 4 });
        Assert.AreEqual(
            $" {7 * MiB + 100} 4 4, big {7 * MiB} 3 2, big/below {6 * MiB} 2 1, big/below/deeper {4 * MiB} 1 0",
            string.Join(", ", usage.Directories.Select(d => $"{Encoding.UTF8.GetString(d.Path)} {d.LogicalBytes} {d.Files} {d.Directories}")));
        foreach (DirectoryUsage directory in usage.Directories)
            Near((int)directory.LogicalBytes, directory.StoredBytes);
        Assert.AreEqual(0UL, usage.Directories[0].ParentInode);
        Assert.AreEqual(usage.Directories[1].InodeNumber, usage.Directories[2].ParentInode);

        // Of a snapshot as well, though its blocks were all met before.
        rig.Volume.Snapshot("DATA", "kept");
        Assert.AreEqual(7L * MiB + 100, UsageWalk.Run(rig.Volume, new UsageOptions { DirectoriesOf = "kept" }).Directories[0].LogicalBytes);
        PfsTests.Refused(Hammer2Error.NoSuchPfs, () => UsageWalk.Run(rig.Volume, new UsageOptions { DirectoriesOf = "none" }));
    }

    [TestMethod]
    [DataRow("small-mixed")]
    [DataRow("multi-pfs")]
    [DataRow("churn")]
    [DataRow("multi-volume")]
    public void VolumesOfTheReferenceAddUp(string image)
    {
        using Hammer2Volume volume = Hammer2Volume.Open(GoldenImages.Get(image).CloneDevices());
        var told = new List<UsageProgress>();
        VolumeUsage usage = UsageWalk.Run(volume, null, new Direct(told));
        Console.WriteLine(usage);
        Assert.AreEqual(0L, usage.Damaged);
        Assert.IsNotEmpty(told);

        // Parts of 16 KiB blocks are in use, the rest of them is not.
        long inUse = usage.TotalBytes - usage.FreeBytes - usage.ReclaimableBytes;
        Assert.IsGreaterThanOrEqualTo(0L, usage.ReclaimableBytes);
        Assert.IsLessThanOrEqualTo(inUse + (64L << 10), usage.LiveBytes + usage.SnapshotBytes);
        Assert.AreEqual(usage.LiveBytes + usage.SnapshotBytes, usage.MetadataBytes + usage.DataBytes);
    }

    [TestMethod]
    public void AWalkCanBeStopped()
    {
        using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.ThrowsExactly<OperationCanceledException>(() => UsageWalk.Run(rig.Volume, stop: stop.Token));
    }

    private static void Near(int expected, long actual) => Assert.IsLessThan(700_000L, Math.Abs(actual - expected), $"{actual}, expected about {expected}");

    private sealed class Direct(List<UsageProgress> told) : IProgress<UsageProgress>
    {
        public void Report(UsageProgress value) => told.Add(value);
    }
}
