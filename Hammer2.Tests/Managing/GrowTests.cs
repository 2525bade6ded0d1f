// Volumes that get larger while they are in use, with each fault of
// the reference's growfs looked for (format page 12.4).

using System.Text;
using Hammer2.Engine.Checking;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Hostile;
using Hammer2.Tests.Images;
using Hammer2.Tests.Requirements;
using Hammer2.Torture.Crash;

namespace Hammer2.Tests.Managing;

[TestClass]
public sealed class GrowTests
{
    private const long MiB = 1L << 20;
    private const long GiB = 1L << 30;

    // By default they follow the size, and would differ between a grown volume and one that was formatted large.
    private static readonly VolumeFormatOptions s_smallAreas = new() { BootBytes = 8 * MiB, AuxBytes = 8 * MiB };

    [TestMethod]
    [DataRow(64 * MiB, 96 * MiB, 2u)]
    [DataRow(64 * MiB, 96 * MiB, 1u)]
    [DataRow(1000 * MiB, 3 * GiB, 2u)]
    [DataRow(GiB, GiB + 8 * MiB, 2u)]
    [DataRow(2 * GiB, 2 * GiB + 8 * MiB, 2u)]
    [DataRow(2 * GiB - 8 * MiB, 2 * GiB, 1u)]
    [DataRow(5 * GiB + 24 * MiB, 9 * GiB, 2u)]
    [DataRow(8 * GiB, 10 * GiB + 256 * MiB, 2u)]
    public void AGrownVolumeIsWhatItWouldBeIfItWereFormattedSo(long before, long after, uint version)
    {
        MemoryBlockDevice memory = Format(before, version);
        using var rig = new EngineRig(memory);
        using Vnode old = rig.Create("old", EngineRig.Bytes(1_000_000, 1));
        rig.Sync();
        Assert.AreEqual(Hammer2Error.None, old.TryWrite(5, EngineRig.Bytes(1000, 2)));
        memory.Extend(after);
        GrowReport report = rig.Volume.Grow();
        Assert.AreEqual((before, after), (report.OldBytes, report.NewBytes));
        CheckReport check = EngineRig.Check(memory.Clone());
        Assert.AreEqual(0L, check.Warnings, check.ToString());

        var fresh = new MemoryBlockDevice(after);
        VolumeFormatter.Format([fresh], new VolumeFormatOptions { Version = version, BootBytes = 8 * MiB, AuxBytes = 8 * MiB });
        using (Hammer2Volume formatted = Hammer2Volume.Open([fresh]))
        {
            Assert.AreEqual(formatted.Header.AllocatorSize, rig.Volume.Header.AllocatorSize);
            Assert.AreEqual(formatted.Header.TotalSize, rig.Volume.Header.TotalSize);
            Assert.AreEqual(formatted.Header.VolumeSize, rig.Volume.Header.VolumeSize);
        }

        // Nothing is free that is not, also after bulkfree looked at everything.
        long free = rig.Volume.FreeBytes;
        Assert.IsGreaterThan((long)(rig.Volume.Header.AllocatorSize - 16 * MiB), free + 8 * MiB);
        Assert.IsLessThanOrEqualTo(rig.Volume.TotalBytes, free);
        rig.Volume.Bulkfree();
        Assert.IsLessThan(2 * MiB, Math.Abs(rig.Volume.FreeBytes - free));
        rig.Remount();
        Assert.AreEqual(after, rig.Volume.VolumeSet.Length);
        using Vnode again = rig.Open("old");
        byte[] expected = EngineRig.Bytes(1_000_000, 1);
        EngineRig.Bytes(1000, 2).CopyTo(expected, 5);
        CollectionAssert.AreEqual(expected, EngineRig.ReadAll(again));
        rig.Check();
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void WhatIsWrittenAfterwardsUsesTheNewSpace(bool remounted)
    {
        MemoryBlockDevice memory = Format(64 * MiB, 2);
        using var rig = new EngineRig(memory);
        Fill(rig, "before");
        memory.Extend(300 * MiB);
        Assert.AreEqual(200 * MiB, rig.Volume.Grow(200 * MiB + 12345).NewBytes);
        if (remounted)
            rig.Remount();
        long written = Fill(rig, "after");
        Assert.IsGreaterThan(115 * MiB, written);
        rig.Sync();
        rig.Check();
        rig.Remount();
        rig.Volume.Bulkfree();
        rig.Sync();
        rig.Check();
    }

    [TestMethod]
    public void AnImageFileIsExtended()
    {
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".img");
        try
        {
            using (IBlockDevice file = FileBlockDevice.Create(path, 64 * MiB))
                VolumeFormatter.Format([file]);
            using (Hammer2Volume volume = Hammer2Volume.Open(path, new VolumeOptions { Writable = true }))
            {
                PfsTests.Refused(Hammer2Error.InvalidArgument, () => volume.Grow());
                PfsTests.Refused(Hammer2Error.InvalidArgument, () => volume.Grow(64 * MiB));
                PfsTests.Refused(Hammer2Error.InvalidArgument, () => volume.Grow(72 * MiB - 1));
                PfsTests.Put(volume, "DATA", "file", EngineRig.Bytes(1_000_000, 1));
                Assert.AreEqual(3 * GiB, volume.Grow(3 * GiB).NewBytes);
                PfsTests.Put(volume, "DATA", "more", EngineRig.Bytes(70_000_000, 2));
            }

            Assert.AreEqual(3 * GiB, new FileInfo(path).Length);
            using (IBlockDevice device = FileBlockDevice.Open(path))
                EngineRig.Check(device);
            using Hammer2Volume again = Hammer2Volume.Open(path);
            CollectionAssert.AreEqual(EngineRig.Bytes(1_000_000, 1), PfsTests.Get(again, "DATA", "file"));
            CollectionAssert.AreEqual(EngineRig.Bytes(70_000_000, 2), PfsTests.Get(again, "DATA", "more"));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [TestMethod]
    public void WhatCannotGrowSaysSo()
    {
        var window = new WatchedDevice(Format(64 * MiB, 2));
        using (Hammer2Volume fixedLength = Hammer2Volume.Open([window], new VolumeOptions { Writable = true }))
            PfsTests.Refused(Hammer2Error.InvalidArgument, () => fixedLength.Grow(128 * MiB));
        MemoryBlockDevice[] two = [new(GiB), new(64 * MiB)];
        VolumeFormatter.Format(two);
        using (Hammer2Volume several = Hammer2Volume.Open(two, new VolumeOptions { Writable = true }))
        {
            PfsTests.Refused(Hammer2Error.InvalidArgument, () => several.Grow());
            PfsTests.Refused(Hammer2Error.InvalidArgument, () => several.Grow(64 * MiB));
            PfsTests.Refused(Hammer2Error.InvalidArgument, () => several.Grow(long.MaxValue));
        }

        using Hammer2Volume reading = Hammer2Volume.Open([Format(64 * MiB, 2)]);
        PfsTests.Refused(Hammer2Error.ReadOnly, () => reading.Grow(128 * MiB));
    }

    // The reference grew it from 2 GiB and counted 11 MiB more free than there are; grown on, it stayed so.
    [TestMethod]
    public void WhatTheReferenceCountedTwiceIsNotCountedOn()
    {
        MemoryBlockDevice[] devices = GoldenImages.Get("grown").CloneDevices();
        devices[0].Extend(9 * GiB);
        Assert.AreEqual(1L, VolumeChecker.Check(devices).CountOf("header-sizes"));
        using (Hammer2Volume volume = Hammer2Volume.Open(devices, new VolumeOptions { Writable = true }))
            volume.Grow();
        CheckReport check = VolumeChecker.Check(devices);
        Assert.AreEqual(0L, check.CountOf("header-sizes"), check.ToString());
    }

    // The disk had a larger filesystem before: its header at 2 GiB, with a large transaction id, comes into range.
    [TestMethod]
    public void AnOldHeaderThatComesIntoRangeIsWiped()
    {
        MemoryBlockDevice memory = Format(64 * MiB, 2);
        using var rig = new EngineRig(memory);
        memory.Extend(3 * GiB);
        var stale = new VolumeHeaderBuilder(rig.Volume.Header) { MirrorTid = 1 << 20, FreemapTid = 1 << 20, VolumeSize = 3UL << 30 };
        memory.Write(2 * GiB, stale.Seal());
        rig.Create("file", EngineRig.Bytes(1000, 1)).Dispose();
        rig.Volume.Grow();
        rig.Remount();
        Assert.IsLessThan(1UL << 20, rig.Volume.Header.MirrorTid);
        Assert.IsTrue(rig.Exists("file"));
        rig.Check();
    }

    [TestMethod]
    public void WritersGoOnWhileTheVolumeGrows()
    {
        MemoryBlockDevice memory = Format(64 * MiB, 2);
        using var rig = new EngineRig(memory);
        using var stop = new CancellationTokenSource();
        int made = 0;
        Task writer = Task.Run(() =>
        {
            for (int i = 0; !stop.IsCancellationRequested && i < 60; i++)
            {
                rig.Create($"f{i}", EngineRig.Bytes(200_000, i)).Dispose();
                made++;
            }
        });
        memory.Extend(2 * GiB);
        for (long size = 128; size <= 2048; size += 128)
            rig.Volume.Grow(size * MiB);
        stop.Cancel();
        Assert.IsTrue(writer.Wait(EngineRig.Patience));
        rig.Remount();
        rig.Check();
        for (int i = 0; i < made; i++)
        {
            using Vnode file = rig.Open($"f{i}");
            Assert.IsTrue(EngineRig.Bytes(200_000, i).AsSpan().SequenceEqual(EngineRig.ReadAll(file)));
        }
    }

    [TestMethod]
    [DataRow(64 * MiB, 200 * MiB, 2u)]
    [DataRow(64 * MiB, 200 * MiB, 1u)]
    [DataRow(64 * MiB, 3 * GiB, 2u)]
    [DataRow(3 * GiB, 9 * GiB, 2u)]
    public void EveryPowerCutLeavesTheOldSizeOrTheNew(long before, long after, uint version)
    {
        var setup = new CrashSetup($"{before / MiB} to {after / MiB}", after) { FormatBytes = before, Version = version };
        var bench = new CrashTrial(HammerSeed.Get()) { WriteEvery = 3, StatesMax = 400 };
        bench.Run(new CrashWorkload("grow", setup, run =>
        {
            run.Write("/large", 1000, CrashRun.Noise(100_000, 60));
            run.Step(() =>
            {
                run.Volume.Grow();
                return Hammer2Error.None;
            });
            run.Sync();
            run.Put("/after", CrashRun.Noise(500_000, 61));
            run.Sync();
        })
        { Prior = CrashOps.Prior });
        Console.WriteLine($"{bench.States} states");
        Assert.IsEmpty(bench.Failures, string.Join("\n\n", bench.Failures));
        Assert.IsGreaterThan(20L, bench.States);
    }

    [TestMethod]
    [DataRow(1, 64 * MiB, 72 * MiB)]
    [DataRow(1, GiB, GiB + 64 * MiB)]
    [DataRow(1, GiB, 7 * GiB)]
    [DataRow(3, GiB + 8 * MiB, 3 * GiB)]
    [DataRow(1, 2 * GiB, 4 * GiB + 256 * MiB)]
    public void TheLastVolumeOfASetGrows(int rootZones, long before, long after)
    {
        MemoryBlockDevice[] set = [new(rootZones * GiB), new(GiB), new(before)];
        VolumeFormatter.Format(set, s_smallAreas);
        using (Hammer2Volume volume = Hammer2Volume.Open(set, new VolumeOptions { Writable = true }))
        {
            PfsTests.Put(volume, "DATA", "old", EngineRig.Bytes(1_000_000, 1));
            set[2].Extend(after);
            GrowReport report = volume.Grow();
            Assert.AreEqual((before, after), (report.OldBytes, report.NewBytes));
            Assert.AreEqual(rootZones * GiB + GiB + after, volume.VolumeSet.Length);
            PfsTests.Put(volume, "DATA", "new", EngineRig.Bytes(1_000_000, 2));
        }

        MemoryBlockDevice[] fresh = [new(rootZones * GiB), new(GiB), new(after)];
        using (Hammer2Volume same = Hammer2Volume.Open(set), large = Formatted(fresh))
        {
            Assert.AreEqual(large.Header.AllocatorSize, same.Header.AllocatorSize);
            foreach ((VolumeMember expected, VolumeMember grown) in large.Members.Zip(same.Members))
            {
                Assert.AreEqual((expected.Start, expected.Length), (grown.Start, grown.Length));
                Assert.AreEqual(expected.Copies.Count, grown.Copies.Count);

                // Whichever copy another system takes, the sizes add up.
                foreach (VolumeHeader header in grown.Copies.Select(static copy => copy.Header!))
                {
                    Assert.AreEqual((expected.Header.VolumeSize, expected.Header.TotalSize), (header.VolumeSize, header.TotalSize));
                    Assert.AreEqual(expected.Header.AllocatorSize, header.AllocatorSize);
                }
            }

            CollectionAssert.AreEqual(EngineRig.Bytes(1_000_000, 1), PfsTests.Get(same, "DATA", "old"));
            CollectionAssert.AreEqual(EngineRig.Bytes(1_000_000, 2), PfsTests.Get(same, "DATA", "new"));
        }

        CheckReport check = VolumeChecker.Check(set);
        Assert.AreEqual((0L, 0L), (check.Errors, check.Warnings), check.ToString());
    }

    [TestMethod]
    public void TheNewSpaceOfASetIsUsed()
    {
        MemoryBlockDevice[] set = [new(GiB), new(64 * MiB)];
        VolumeFormatter.Format(set, new VolumeFormatOptions { BootBytes = 8 * MiB, AuxBytes = 8 * MiB });
        using (Hammer2Volume volume = Hammer2Volume.Open(set, new VolumeOptions { Writable = true }))
        {
            Assert.AreEqual(192 * MiB, volume.Grow(192 * MiB).NewBytes);
            for (int i = 0; i < 10; i++)
                PfsTests.Put(volume, "DATA", $"f{i}", EngineRig.Bytes(115_000_000, i));
        }

        CheckReport check = VolumeChecker.Check(set);
        Assert.AreEqual((0L, 0L), (check.Errors, check.Warnings), check.ToString());
        using Hammer2Volume again = Hammer2Volume.Open(set);
        for (int i = 0; i < 10; i++)
            Assert.IsTrue(EngineRig.Bytes(115_000_000, i).AsSpan().SequenceEqual(PfsTests.Get(again, "DATA", $"f{i}")));
    }

    // The power went between the two headers: reading goes on with the old size, opening for writing finishes the growth.
    [TestMethod]
    public void AHalfGrownSetIsReadAndFinished()
    {
        MemoryBlockDevice[] set = [new(GiB), new(GiB)];
        VolumeFormatter.Format(set);
        using (Hammer2Volume volume = Hammer2Volume.Open(set, new VolumeOptions { Writable = true }))
            PfsTests.Put(volume, "DATA", "file", EngineRig.Bytes(1_000_000, 1));
        MemoryBlockDevice root = set[0].Clone();
        set[1].Extend(3 * GiB);
        using (Hammer2Volume volume = Hammer2Volume.Open(set, new VolumeOptions { Writable = true }))
            volume.Grow();

        MemoryBlockDevice[] half = [root, set[1]];
        using (Hammer2Volume reading = Hammer2Volume.Open(half))
        {
            Assert.AreEqual(2 * GiB, reading.VolumeSet.Length);
            Assert.HasCount(1, reading.Warnings);
            StringAssert.Contains(reading.Warnings[0], "interrupted", StringComparison.Ordinal);
            CollectionAssert.AreEqual(EngineRig.Bytes(1_000_000, 1), PfsTests.Get(reading, "DATA", "file"));
        }

        CheckReport check = VolumeChecker.Check(half);
        Assert.IsTrue(check.IsClean);
        Assert.AreEqual("header-growth", check.Findings.Single(static f => f.Code.Severity == CheckSeverity.Warning).Code.Name);
        using (Hammer2Volume.Open(half, new VolumeOptions { Writable = true }))
        {
            // Finished by opening.
        }

        check = VolumeChecker.Check(half);
        Assert.AreEqual((0L, 0L), (check.Errors, check.Warnings), check.ToString());
        using Hammer2Volume again = Hammer2Volume.Open(half);
        Assert.AreEqual(4 * GiB, again.VolumeSet.Length);
        Assert.IsEmpty(again.Warnings);
        CollectionAssert.AreEqual(EngineRig.Bytes(1_000_000, 1), PfsTests.Get(again, "DATA", "file"));
    }

    // The newest header of the root volume is damaged: the one before leads to a state before the growth, and still to a set.
    [TestMethod]
    public void AnOlderHeaderOfAGrownSetStillFits()
    {
        MemoryBlockDevice[] set = [new(3 * GiB), new(GiB)];
        VolumeFormatter.Format(set);
        using (Hammer2Volume volume = Hammer2Volume.Open(set, new VolumeOptions { Writable = true }))
            Assert.AreEqual(2 * GiB, volume.Grow(2 * GiB).NewBytes);
        VolumeHeaderCopy newest = VolumeHeaderCopy.Newest(VolumeHeaderCopy.ReadAll(set[0]))!;
        set[0].Write(newest.Offset + 100, [0xEE]);
        using Hammer2Volume older = Hammer2Volume.Open(set);
        Assert.AreEqual(5 * GiB, (long)older.Header.TotalSize);
        Assert.AreEqual(5 * GiB, older.VolumeSet.Length);
    }

    [TestMethod]
    [DataRow(GiB, GiB + 64 * MiB)]
    [DataRow(GiB, 3 * GiB)]
    public void EveryPowerCutLeavesASetOfTheOldSizeOrTheNew(long before, long after)
    {
        var setup = new CrashSetup($"set, {before / MiB} to {after / MiB}", before, after) { FormatBytes = before };
        var bench = new CrashTrial(HammerSeed.Get()) { WriteEvery = 2, StatesMax = 400 };
        bench.Run(new CrashWorkload("grow a set", setup, run =>
        {
            run.Write("/large", 1000, CrashRun.Noise(100_000, 60));
            run.Step(() =>
            {
                run.Volume.Grow();
                return Hammer2Error.None;
            });
            run.Sync();
            run.Put("/after", CrashRun.Noise(500_000, 61));
            run.Sync();
        })
        { Prior = CrashOps.Prior });
        Console.WriteLine($"{bench.States} states");
        Assert.IsEmpty(bench.Failures, string.Join("\n\n", bench.Failures));
        Assert.IsGreaterThan(20L, bench.States);
    }

    private static Hammer2Volume Formatted(MemoryBlockDevice[] devices)
    {
        VolumeFormatter.Format(devices, s_smallAreas);
        return Hammer2Volume.Open(devices);
    }

    private static MemoryBlockDevice Format(long bytes, uint version)
    {
        var memory = new MemoryBlockDevice(bytes);
        VolumeFormatter.Format([memory], new VolumeFormatOptions { Version = version, BootBytes = 8 * MiB, AuxBytes = 8 * MiB });
        return memory;
    }

    private static long Fill(EngineRig rig, string name)
    {
        using Vnode root = rig.Pfs.OpenRoot();
        for (int i = 0; ; i++)
        {
            Hammer2Error error = rig.Pfs.TryCreate(root, Encoding.ASCII.GetBytes($"{name}{i}"), new NewInode { Type = ObjectType.File, Mode = 0x1A4 }, out Vnode? file);
            if (error == Hammer2Error.None)
                error = file!.TryWrite(0, EngineRig.Bytes(500_000, i));
            file?.Dispose();
            if (error == Hammer2Error.None)
                continue;
            Assert.AreEqual(Hammer2Error.NoSpace, error);
            return i * 500_000L;
        }
    }
}
