// The device that fails on purpose, and what a volume set makes of failing devices: writes go to the right volume,
// a flush reaches every device although one fails, headers that were built are read back as built.

using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Hammer2.Tests.Hostile;
using Hammer2.Tests.Images;
using Hammer2.Torture.Devices;

namespace Hammer2.Tests.Devices;

[TestClass]
public sealed class FaultDeviceTests
{
    private static void Fails(Action action) =>
        Assert.AreEqual(Hammer2Error.Io, Assert.ThrowsExactly<Hammer2Exception>(action).Error);

    [TestMethod]
    public void TheNthCallFailsOnce()
    {
        var device = new FaultDevice(new MemoryBlockDevice(65536));
        device.Write(0, [1]);
        device.Fail(DeviceCall.Write, 2);
        device.Write(1, [1]);
        Fails(() => device.Write(2, [1]));
        device.Write(3, [1]);
        byte[] read = new byte[4];
        device.Read(0, read);
        CollectionAssert.AreEqual(new byte[] { 1, 1, 0, 1 }, read);
        Assert.AreEqual(4, device.CallsOf(DeviceCall.Write));
        Assert.AreEqual(1, device.CallsOf(DeviceCall.Read));
        Assert.AreEqual(0, device.CallsOf(DeviceCall.Flush));
        Assert.AreEqual(1, device.Failures);
    }

    [TestMethod]
    public void FailingForEverEndsWithHealing()
    {
        var device = new FaultDevice(new MemoryBlockDevice(65536));
        device.Fail(DeviceCall.Flush, forEver: true);
        device.Fail(DeviceCall.Read, forEver: true);
        Fails(device.Flush);
        Fails(device.Flush);
        Fails(() => device.Read(0, new byte[1]));
        device.Write(0, [1]);
        device.Heal();
        device.Flush();
        device.Read(0, new byte[1]);
    }

    [TestMethod]
    public void FailingWriteCanBeTorn()
    {
        var device = new FaultDevice(new MemoryBlockDevice(65536)) { TearsFailingWrites = true };
        device.Fail(DeviceCall.Write);
        Fails(() => device.Write(0, [.. Enumerable.Repeat((byte)1, 1024)]));
        byte[] read = new byte[1024];
        device.Read(0, read);
        Assert.AreEqual(512, read.Count(b => b == 1));
    }

    [TestMethod]
    public void VolumeSetWritesToTheVolumeOfTheAddress()
    {
        IBlockDevice[] devices = [.. GoldenImages.Get("multi-volume").Devices.Select(d => new OverlayDevice(d))];
        using VolumeSet set = VolumeSet.Open(devices);
        byte[] mark = [1, 2, 3, 4], read = new byte[4];
        foreach (VolumeMember member in set.Members)
        {
            set.Write(member.Start + member.Length - 4, mark);
            member.Device.Read(member.Length - 4, read);
            CollectionAssert.AreEqual(mark, read);
            read.AsSpan().Clear();
            set.Read(member.Start + member.Length - 4, read);
            CollectionAssert.AreEqual(mark, read);
            Fails(() => set.Write(member.Start + member.Length - 2, mark));
        }

        Fails(() => set.Write(set.Length, mark));
        Fails(() => set.Write(-4, mark));
    }

    [TestMethod]
    public void VolumeSetFlushesEveryDeviceAndThrowsTheFirstFailure()
    {
        FaultDevice[] devices = [.. GoldenImages.Get("multi-volume").Devices.Select(d => new FaultDevice(new OverlayDevice(d)))];
        using VolumeSet set = VolumeSet.Open(devices);
        set.Flush();
        devices[0].Fail(DeviceCall.Flush);
        devices[1].Fail(DeviceCall.Flush);
        Hammer2Exception e = Assert.ThrowsExactly<Hammer2Exception>(set.Flush);
        StringAssert.Contains(e.Message, devices[0].Name, StringComparison.Ordinal);
        foreach (FaultDevice device in devices)
            Assert.AreEqual(2, device.CallsOf(DeviceCall.Flush), device.Name);
    }

    [TestMethod]
    public void BuilderChangesItsFieldsAndNothingElse()
    {
        VolumeHeader old = VolumeHeaderCopy.Newest(VolumeHeaderCopy.ReadAll(GoldenImages.Get("small-mixed").Devices[0]))!.Header!;
        CollectionAssert.AreEqual(old.Bytes.ToArray(), new VolumeHeaderBuilder(old).Seal(), "a copy is the same bytes");
        var builder = new VolumeHeaderBuilder(old)
        {
            MirrorTid = old.MirrorTid + 1,
            FreemapTid = old.MirrorTid + 1,
            AllocatorFree = 12345,
        };
        builder.SuperRoot[0].MirrorTid = 77;
        builder.Freemap[3].Key = 78;
        VolumeHeader changed = builder.ToHeader();
        Assert.AreEqual(old.MirrorTid + 1, changed.MirrorTid);
        Assert.AreEqual(12345UL, changed.AllocatorFree);
        Assert.AreEqual(77UL, changed.SuperRoot[0].MirrorTid);
        Assert.AreEqual(78UL, changed.Freemap[3].Key);
        int[] differing = [.. Enumerable.Range(0, old.Bytes.Length).Where(i => old.Bytes[i] != changed.Bytes[i])];
        Assert.IsTrue(differing.All(i => i is >= 0x68 and < 0x70 or >= 0x78 and < 0x80 or >= 0x90 and < 0x98
            or >= 0x1F8 and < 0x200 or >= 0x210 and < 0x218 or >= 0x988 and < 0x990 or >= 0xFFFC), string.Join(' ', differing.Select(i => $"{i:x}")));
    }

    [TestMethod]
    public void EveryFieldOfTheBuilderIsTheHeadersField()
    {
        var id = Guid.Parse("00112233-4455-6677-8899-aabbccddeeff");
        var builder = new VolumeHeaderBuilder
        {
            BootBegin = 1,
            BootEnd = 2,
            AuxBegin = 3,
            AuxEnd = 4,
            VolumeSize = 5,
            Version = 6,
            PeerType = 7,
            VolumeId = 8,
            VolumeCount = 9,
            FileSystemId = id,
            AllocatorSize = 10,
            AllocatorFree = 11,
            AllocatorBegin = 12,
            MirrorTid = 13,
            FreemapTid = 14,
            TotalSize = 15,
        };
        builder.SetVolumeOffset(0, 16);
        builder.SetVolumeOffset(63, VolumeHeaderBuilder.NoVolume);
        VolumeHeader h = builder.ToHeader();
        CollectionAssert.AreEqual(
            new ulong[] { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, ulong.MaxValue },
            new ulong[]
            {
                h.BootBegin, h.BootEnd, h.AuxBegin, h.AuxEnd, h.VolumeSize, h.Version, h.PeerType, h.VolumeId, h.VolumeCount, h.AllocatorSize,
                h.AllocatorFree, h.AllocatorBegin, h.MirrorTid, h.FreemapTid, h.TotalSize, h.VolumeOffset(0), h.VolumeOffset(63),
            });
        Assert.AreEqual(id, h.FileSystemId);
        Assert.AreEqual(VolumeHeader.HammerType, h.FileSystemType);
        Assert.AreEqual(id, new VolumeHeaderBuilder(h).FileSystemId);
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => builder.SetVolumeOffset(64, 0));

        // Sealing gives a copy: changing the builder afterwards does not change what was sealed.
        byte[] sealedBytes = builder.Seal();
        builder.MirrorTid = 99;
        Assert.AreEqual(HeaderFault.None, VolumeHeader.Parse(sealedBytes, out VolumeHeader? again));
        Assert.AreEqual(13UL, again!.MirrorTid);
    }
}
