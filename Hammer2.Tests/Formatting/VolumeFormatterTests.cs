// Formatting: sizes by the reference's rules, what is refused and that nothing is written then, what becomes of the
// old content, and that neither a power cut nor a failing device leaves a volume that only looks whole.

using Hammer2.Engine.Checking;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Hostile;
using Hammer2.Tests.Images;
using Hammer2.Torture.Devices;

namespace Hammer2.Tests.Formatting;

[TestClass]
public sealed class VolumeFormatterTests
{
    private const long MiB = 1L << 20;
    private const long GiB = 1L << 30;

    private static void IsSound(IReadOnlyList<IBlockDevice> devices, params string[] labels)
    {
        using Hammer2Volume volume = Hammer2Volume.Open(devices);
        Assert.IsEmpty(volume.Warnings, string.Join('\n', volume.Warnings));
        VerifyReport report = new VolumeVerifier(volume).Run();
        Assert.IsTrue(report.IsClean, string.Join('\n', report.Findings));
        CollectionAssert.AreEquivalent(labels, volume.ListPfs().Select(p => p.Label).ToArray());
        foreach (string label in labels)
        {
            using PfsMount pfs = volume.OpenPfs(label);
        }
    }

    // Sizes and areas in MiB, as the reference made them (format page 12.1).
    [TestMethod]
    [DataRow(24, 8, 8, 4)]
    [DataRow(32, 8, 8, 12)]
    [DataRow(64, 8, 8, 44)]
    [DataRow(96, 8, 8, 76)]
    [DataRow(319, 8, 8, 292)]
    [DataRow(320, 16, 16, 284)]
    [DataRow(640, 32, 32, 572)]
    [DataRow(696, 32, 32, 628)]
    [DataRow(1000, 32, 32, 932)]
    [DataRow(1280, 64, 64, 1144)]
    [DataRow(2560, 64, 128, 2356)]
    [DataRow(3072, 64, 128, 2868)]
    [DataRow(5120, 64, 256, 4780)]
    [DataRow(8192, 64, 256, 7840)]
    [DataRow(9216, 64, 256, 8860)]
    public void AreasFollowTheSize(int size, int boot, int aux, int free)
    {
        var device = new MemoryBlockDevice(size * MiB + 12345);
        VolumeFormatResult result = VolumeFormatter.Format([device]);
        Assert.AreEqual(size / 8 * 8 * MiB, result.TotalBytes);
        Assert.AreEqual((boot, aux, free), ((int)(result.BootBytes / MiB), (int)(result.AuxBytes / MiB), (int)(result.FreeBytes / MiB)));
        Assert.AreEqual(size >= 32, result.HasRoomForFiles);
        IsSound([device], "LOCAL", "DATA");
        for (int copy = 0; copy < 4 && copy * 2 * GiB < device.Length; copy++)
            Assert.AreEqual(HeaderFault.None, VolumeHeaderCopy.ReadAll(device)[copy].Fault, $"copy {copy}");
    }

    [TestMethod]
    public void OptionsReachTheMedium()
    {
        var device = new MemoryBlockDevice(256 * MiB);
        VolumeFormatter.Format([device], new VolumeFormatOptions
        {
            Labels = ["Boot", "größe", new string('x', 255)],
            Version = 1,
            Compression = CompressionMethod.Zlib,
            CompressionLevel = 7,
            Check = CheckMethod.Sha192,
            BootBytes = 24 * MiB,
            AuxBytes = 40 * MiB,
            VolumeBytes = 200 * MiB,
        });
        IsSound([device], "LOCAL", "Boot", "größe", new string('x', 255));
        using Hammer2Volume volume = Hammer2Volume.Open([device]);
        Assert.AreEqual(1u, volume.Header.Version);
        Assert.AreEqual(200UL * (ulong)MiB, volume.Header.VolumeSize);
        Assert.AreEqual(28UL * (ulong)MiB, volume.Header.BootEnd);
        Assert.AreEqual(68UL * (ulong)MiB, volume.Header.AuxEnd);
        foreach (PfsInfo pfs in volume.ListPfs())
            Assert.AreEqual((CompressionMethod.Zlib, CheckMethod.Sha192), (pfs.Compression, pfs.Check), pfs.Label);
        byte[] setting = new byte[1];
        device.Read((long)volume.Header.AuxEnd + 1024 + 0x83, setting);
        Assert.AreEqual(0x73, setting[0], "level and method");
    }

    [TestMethod]
    public void BootIsNotCompressedByDefault()
    {
        var device = new MemoryBlockDevice(64 * MiB);
        VolumeFormatter.Format([device], new VolumeFormatOptions { Labels = ["bOOt", "ROOT"] });
        using Hammer2Volume volume = Hammer2Volume.Open([device]);
        CollectionAssert.AreEquivalent(
            new[] { ("LOCAL", CompressionMethod.Lz4), ("bOOt", CompressionMethod.AutoZero), ("ROOT", CompressionMethod.Lz4) },
            volume.ListPfs().Select(p => (p.Label, p.Compression)).ToArray());
    }

    [TestMethod]
    public void LabelsOfOneHashGetDifferentKeys()
    {
        // The upper half of the hash is a sum over the parts between separators, so only the lower half must collide.
        var random = new Random(1);
        var byHash = new Dictionary<ulong, string>();
        string? first = null, second = null;
        while (second is null)
        {
            string label = string.Concat(Enumerable.Range(0, 20).Select(_ => "a" + "._-~"[random.Next(4)]));
            ulong key = DirectoryHash.Compute(System.Text.Encoding.UTF8.GetBytes(label));
            if (byHash.TryGetValue(key, out string? other) && other != label)
                (first, second) = (other, label);
            byHash[key] = label;
        }

        var device = new MemoryBlockDevice(64 * MiB);
        VolumeFormatter.Format([device], new VolumeFormatOptions { Labels = [first!, second] });
        IsSound([device], "LOCAL", first!, second);
    }

    [TestMethod]
    public void SeveralVolumesAreOneFilesystem()
    {
        // The middle one is cut to whole GiB, the last to 8 MiB.
        MemoryBlockDevice[] devices = [new(GiB), new(2 * GiB + 500 * MiB), new(100 * MiB + 1)];
        VolumeFormatResult result = VolumeFormatter.Format(devices, new VolumeFormatOptions { Labels = ["MV"] });
        CollectionAssert.AreEqual(new[] { GiB, 2 * GiB, 96 * MiB }, result.VolumeBytes.ToArray());
        IsSound([devices[2], devices[0], devices[1]], "LOCAL", "MV");
        Assert.AreEqual(Hammer2Error.InvalidArgument, Assert.ThrowsExactly<Hammer2Exception>(() => VolumeSet.Open([devices[0], devices[1]])).Error);
    }

    public static IEnumerable<object[]> RefusedOptions =>
    [
        ["too small", 16, new VolumeFormatOptions()],
        ["too small", 7, new VolumeFormatOptions()],
        ["less than", 64, new VolumeFormatOptions { VolumeBytes = 65 * MiB }],
        ["too small", 64, new VolumeFormatOptions { VolumeBytes = 16 * MiB }],
        ["boot area", 64, new VolumeFormatOptions { BootBytes = 7 * MiB }],
        ["boot area", 64, new VolumeFormatOptions { BootBytes = 0 }],
        ["boot area", 6400, new VolumeFormatOptions { BootBytes = 264 * MiB }],
        ["boot area", 64, new VolumeFormatOptions { BootBytes = 8 * MiB + 1 }],
        ["auxiliary area", 6400, new VolumeFormatOptions { AuxBytes = GiB + 8 * MiB }],
        ["first GiB", 6400, new VolumeFormatOptions { AuxBytes = GiB }],
        ["too small", 64, new VolumeFormatOptions { AuxBytes = 56 * MiB }],
        ["version 3", 64, new VolumeFormatOptions { Version = 3 }],
        ["version 0", 64, new VolumeFormatOptions { Version = 0 }],
        ["1 to 255 bytes", 64, new VolumeFormatOptions { Labels = [""] }],
        ["1 to 255 bytes", 64, new VolumeFormatOptions { Labels = [new string('x', 256)] }],
        ["1 to 255 bytes", 64, new VolumeFormatOptions { Labels = [new string('ö', 128)] }],
        ["LOCAL", 64, new VolumeFormatOptions { Labels = ["LOCAL"] }],
        ["twice", 64, new VolumeFormatOptions { Labels = ["A", "A"] }],
        ["At most 3", 64, new VolumeFormatOptions { Labels = ["A", "B", "C", "D"] }],
        ["IMAGE@LABEL", 64, new VolumeFormatOptions { Labels = ["a/b"] }],
        ["IMAGE@LABEL", 64, new VolumeFormatOptions { Labels = ["a@b"] }],
        ["IMAGE@LABEL", 64, new VolumeFormatOptions { Labels = ["a\0"] }],
        ["zlib", 64, new VolumeFormatOptions { Compression = CompressionMethod.Lz4, CompressionLevel = 3 }],
        ["zlib", 64, new VolumeFormatOptions { Compression = CompressionMethod.Zlib, CompressionLevel = 10 }],
        ["Compression method", 64, new VolumeFormatOptions { Compression = (CompressionMethod)4 }],
        ["Check method", 64, new VolumeFormatOptions { Check = CheckMethod.Freemap }],
    ];

    [TestMethod]
    [DynamicData(nameof(RefusedOptions))]
    public void WhatCannotBeHadIsRefusedBeforeAnythingIsWritten(string words, int size, VolumeFormatOptions options)
    {
        var device = new FaultDevice(new MemoryBlockDevice(size * MiB));
        Hammer2Exception e = Assert.ThrowsExactly<Hammer2Exception>(() => VolumeFormatter.Format([device], options));
        StringAssert.Contains(e.Message, words, StringComparison.Ordinal);
        Assert.IsTrue(e.Error is Hammer2Error.InvalidArgument or Hammer2Error.Unsupported, $"{e.Error}");
        Assert.AreEqual(0, device.CallsOf(DeviceCall.Write));
    }

    [TestMethod]
    public void SetsOfVolumesThatCannotBeAreRefused()
    {
        MemoryBlockDevice a = new(GiB), b = new(GiB), small = new(GiB - 1);
        foreach ((MemoryBlockDevice[] set, uint version) in ((MemoryBlockDevice[], uint)[])[([], 2), ([a, a], 2), ([a, b], 1), ([small, a], 2), ([a, new(7 * MiB)], 2),
            ([.. Enumerable.Range(0, 65).Select(_ => new MemoryBlockDevice(GiB))], 2)])
        {
            Hammer2Exception e = Assert.ThrowsExactly<Hammer2Exception>(() => VolumeFormatter.Format(set, new VolumeFormatOptions { Version = version }));
            Assert.AreEqual(Hammer2Error.InvalidArgument, e.Error, e.Message);
        }
    }

    [TestMethod]
    public void DeviceThatEndsTooEarlyIsFoundOutBeforeAnythingIsLost()
    {
        MemoryBlockDevice old = GoldenImages.Get("empty-tiny").CloneDevices()[0];
        var device = new FaultDevice(old);
        device.Fail(DeviceCall.Read);
        Assert.ThrowsExactly<Hammer2Exception>(() => VolumeFormatter.Format([device]));
        IsSound([old], "LOCAL", "TINY");
    }

    [TestMethod]
    public void StaleHeadersBehindTheNewVolumeAreWiped()
    {
        // Trap T8: the old headers at 2, 4 and 6 GiB have a larger mirror TID than the new one.
        GoldenImage golden = GoldenImages.Get("small-mixed");
        IBlockDevice device = new OverlayDevice(golden.Devices[0]);
        Assert.IsGreaterThan(3, VolumeHeaderCopy.ReadAll(device).Count);
        VolumeFormatter.Format([device], new VolumeFormatOptions { Labels = ["NEW"], VolumeBytes = 64 * MiB });
        IReadOnlyList<VolumeHeaderCopy> copies = VolumeHeaderCopy.ReadAll(device);
        Assert.AreEqual(HeaderFault.None, copies[0].Fault);
        Assert.IsTrue(copies.Skip(1).All(c => c.Fault == HeaderFault.NoMagic), "the other places hold nothing");
        IsSound([device], "LOCAL", "NEW");
    }

    [TestMethod]
    public void NothingOfTheOldContentIsRecognisedAfterwards()
    {
        var device = new MemoryBlockDevice(64 * MiB);
        byte[] noise = new byte[MiB];
        new Random(1).NextBytes(noise);
        for (int at = 0; at < 64; at++)
            device.Write(at * MiB, noise);
        device.Write(device.Length - 512, "EFI PART"u8);
        VolumeFormatter.Format([device]);
        byte[] end = new byte[MiB], areas = new byte[16 * MiB];
        device.Read(63 * MiB, end);
        device.Read(4 * MiB, areas);
        Assert.IsFalse(end.AsSpan().ContainsAnyExcept((byte)0), "the end");
        Assert.IsFalse(areas.AsSpan().ContainsAnyExcept((byte)0), "boot and auxiliary area");
        IsSound([device], "LOCAL", "DATA");
    }

    [TestMethod]
    public void SectorsThatCannotBeReadAreWritten()
    {
        var device = new FaultDevice(new MemoryBlockDevice(64 * MiB));
        device.Fail(DeviceCall.Read, 2, forEver: true);
        VolumeFormatter.Format([device]);
        device.Heal();
        IsSound([device], "LOCAL", "DATA");
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void PowerCutLeavesTheOldVolumeOrNoneOrTheNewOne(bool overOld)
    {
        int seed = HammerSeed.Get();
        MemoryBlockDevice[] bases = overOld ? [.. GoldenImages.Get("multi-volume-empty").Devices] : [new(GiB), new(GiB)];
        var record = new DeviceRecord();
        IBlockDevice[] devices = [.. bases.Select((b, v) => new RecordingDevice(new OverlayDevice(b), record, v))];
        VolumeFormatter.Format(devices, new VolumeFormatOptions { Labels = ["NEW"] });
        record.Mark("formatted");

        var seen = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (CrashState state in new CrashStates(bases, record, seed).All())
        {
            string found = LabelOf(state.Open());
            if (state.Markers.Count > 0)
                Assert.AreEqual("NEW", found, $"{state}");
            seen[found] = seen.GetValueOrDefault(found) + 1;
        }

        Console.WriteLine(string.Join(", ", seen));
        Assert.AreEqual(overOld ? "MV2,NEW,none" : "NEW,none", string.Join(',', seen.Keys));
    }

    // The label of a whole volume, or "none" when nothing opens; anything between fails the test.
    private static string LabelOf(IBlockDevice[] devices)
    {
        Hammer2Volume volume;
        try
        {
            volume = Hammer2Volume.Open(devices);
        }
        catch (Hammer2Exception e) when (e.Error is Hammer2Error.NotHammer2 or Hammer2Error.Corrupt or Hammer2Error.InvalidArgument)
        {
            return "none";
        }

        using (volume)
        {
            Assert.IsTrue(new VolumeVerifier(volume).Run().IsClean, "a volume that opens is whole");
            return volume.ListPfs().Single(p => p.Label != "LOCAL").Label;
        }
    }

    [TestMethod]
    public void EveryFailingCallIsReportedAndLeavesNoHalfVolume()
    {
        foreach (DeviceCall call in Enum.GetValues<DeviceCall>())
        {
            // Failing reads of the old content are passed over; the first one looks at the end and must succeed.
            long nth = 1;
            while (true)
            {
                var device = new FaultDevice(new OverlayDevice(GoldenImages.Get("empty-tiny").Devices[0])) { TearsFailingWrites = true };
                device.Fail(call, nth, forEver: call != DeviceCall.Read);
                bool failed = false;
                try
                {
                    VolumeFormatter.Format([device], new VolumeFormatOptions { Labels = ["NEW"] });
                }
                catch (Hammer2Exception e)
                {
                    Assert.AreEqual(Hammer2Error.Io, e.Error);
                    failed = true;
                }

                bool wasDue = device.Failures > 0;
                Assert.IsTrue(failed || !wasDue || call == DeviceCall.Read, $"{call} {nth} failed and nobody said so");
                device.Heal();
                string label = LabelOf([device]);
                Assert.IsTrue(failed || label == "NEW", $"{call} {nth}: {label}");
                if (!wasDue)
                    break;
                nth++;
            }

            Assert.IsGreaterThan(2, nth, $"{call}");
        }
    }
}
