// Which header copy is believed. Copies of a golden image are damaged, sealed anew, replaced by those of another
// filesystem; the engine must take the newest one that is whole, at home, and inside its volume.

using System.Buffers.Binary;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Hostile;
using Hammer2.Tests.Images;
using Hammer2.Torture.Devices;

namespace Hammer2.Tests.Engine;

[TestClass]
public sealed class VolumeHeaderTests
{
    // 8 GiB with four copies of three generations.
    private const string FourCopies = "damage-base";
    private const int MirrorTidOffset = 0x78;
    private const int VolumeSizeOffset = 0x28;
    private const int VersionOffset = 0x30;
    private const int FsidOffset = 0x40;

    private static OverlayDevice Clone(string image) => new(GoldenImages.Get(image).Devices[0]);

    internal static void Edit(IBlockDevice device, int copy, Action<byte[]> edit, bool seal = true)
    {
        byte[] header = new byte[FormatLimits.VolumeHeaderBytes];
        long at = copy * FormatLimits.VolumeHeaderSpacing;
        device.Read(at, header);
        edit(header);
        if (seal)
            VolumeHeader.Seal(header);
        device.Write(at, header);
    }

    private static void CopyHeader(OverlayDevice device, int from, int to)
    {
        byte[] header = new byte[FormatLimits.VolumeHeaderBytes];
        device.Read(from * FormatLimits.VolumeHeaderSpacing, header);
        device.Write(to * FormatLimits.VolumeHeaderSpacing, header);
    }

    private static void SetU64(byte[] header, int offset, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(offset), value);

    private static int Newest(IBlockDevice device) => VolumeHeaderCopy.Newest(VolumeHeaderCopy.ReadAll(device))!.Index;

    [TestMethod]
    public void AllFourCopiesOfTheSampleAreValid()
    {
        IReadOnlyList<VolumeHeaderCopy> copies = VolumeHeaderCopy.ReadAll(Clone(FourCopies));
        Assert.HasCount(4, copies);
        Assert.IsTrue(copies.All(c => c.Fault == HeaderFault.None));
        Assert.AreEqual(copies.MaxBy(c => c.Header!.MirrorTid)!.Index, Newest(Clone(FourCopies)));
    }

    [TestMethod]
    [DataRow(0x38, HeaderFault.Sector0Crc)]
    [DataRow(0x1F8, HeaderFault.Sector0Crc)]
    [DataRow(0x1FC, HeaderFault.Sector0Crc)]
    [DataRow(0x200, HeaderFault.Sector1Crc)]
    [DataRow(0x3FF, HeaderFault.Sector1Crc)]
    [DataRow(0x400, HeaderFault.HeaderCrc)]
    [DataRow(0x840, HeaderFault.HeaderCrc)]
    [DataRow(0xFFFB, HeaderFault.HeaderCrc)]
    [DataRow(0xFFFC, HeaderFault.HeaderCrc)]
    [DataRow(0xFFFF, HeaderFault.HeaderCrc)]
    [DataRow(0x00, HeaderFault.NoMagic)]
    public void OneWrongBitDisqualifiesACopyAndNamesTheReason(int offset, HeaderFault fault)
    {
        for (int copy = 0; copy < 4; copy++)
        {
            OverlayDevice device = Clone(FourCopies);
            Edit(device, copy, h => h[offset] ^= 0x10, seal: false);
            IReadOnlyList<VolumeHeaderCopy> copies = VolumeHeaderCopy.ReadAll(device);
            Assert.AreEqual(fault, copies[copy].Fault, $"copy {copy}");
            Assert.AreEqual(3, copies.Count(c => c.Fault == HeaderFault.None));
            Assert.AreNotEqual(copy, Newest(device));
            using Hammer2Volume volume = Hammer2Volume.Open([device]);
            Assert.HasCount(1, volume.Warnings);
            StringAssert.Contains(volume.Warnings[0], $"copy {copy}", StringComparison.Ordinal);
        }
    }

    [TestMethod]
    public void EveryBitOfAHeaderIsCovered()
    {
        var random = new Random(1);
        byte[] header = new byte[FormatLimits.VolumeHeaderBytes];
        Clone(FourCopies).Read(0, header);
        Assert.AreEqual(HeaderFault.None, VolumeHeader.Parse((byte[])header.Clone(), out _));
        for (int i = 0; i < 300; i++)
        {
            byte[] changed = (byte[])header.Clone();
            changed[random.Next(changed.Length)] ^= (byte)(1 << random.Next(8));
            Assert.AreNotEqual(HeaderFault.None, VolumeHeader.Parse(changed, out _));
        }
    }

    [TestMethod]
    public void NewestOfAllWins()
    {
        for (int copy = 0; copy < 4; copy++)
        {
            OverlayDevice device = Clone(FourCopies);
            Edit(device, copy, h => SetU64(h, MirrorTidOffset, 0x1000));
            Assert.AreEqual(copy, Newest(device));
        }
    }

    [TestMethod]
    public void FirstOfEquallyNewCopiesWins()
    {
        OverlayDevice device = Clone(FourCopies);
        for (int copy = 1; copy < 4; copy++)
            Edit(device, copy, h => SetU64(h, MirrorTidOffset, 0x1000));
        Assert.AreEqual(1, Newest(device));
    }

    [TestMethod]
    public void StaleCopiesOfAnotherFilesystemAreRejectedHoweverNew()
    {
        // T8: the disk was formatted anew; the old filesystem's headers at 2, 4 and 6 GiB have larger TIDs.
        for (int mask = 1; mask < 8; mask++)
        {
            OverlayDevice device = Clone(FourCopies);
            for (int copy = 1; copy < 4; copy++)
            {
                if ((mask & 1 << (copy - 1)) == 0)
                    continue;
                Edit(device, copy, h =>
                {
                    h[FsidOffset] ^= 0xFF;
                    SetU64(h, MirrorTidOffset, ulong.MaxValue);
                });
                Assert.AreEqual(HeaderFault.ForeignFilesystem, VolumeHeaderCopy.ReadAll(device)[copy].Fault);
            }

            using Hammer2Volume volume = Hammer2Volume.Open([device]);
            Assert.AreEqual(GoldenImages.Get(FourCopies).Devices[0].Length, (long)volume.Header.VolumeSize);
            Assert.IsLessThan(1000UL, volume.Header.MirrorTid, $"mask {mask}");
        }
    }

    [TestMethod]
    public void MajorityDecidesWhereCopyZeroIsLost()
    {
        OverlayDevice device = Clone(FourCopies);
        Edit(device, 0, h => h.AsSpan().Clear(), seal: false);
        Edit(device, 2, h =>
        {
            h[FsidOffset] ^= 0xFF;
            SetU64(h, MirrorTidOffset, ulong.MaxValue);
        });
        Assert.AreEqual(HeaderFault.ForeignFilesystem, VolumeHeaderCopy.ReadAll(device)[2].Fault);
        Assert.AreNotEqual(2, Newest(device));
    }

    [TestMethod]
    public void CopyBeyondTheEndOfItsVolumeIsRejected()
    {
        // A volume of 2 GiB on a device of 8: what lies at 4 GiB says itself that it cannot be there.
        var device = new OverlayDevice(new PartitionWindow(GoldenImages.Get(FourCopies).Devices[0], 0, 8L << 30, "window"));
        Edit(device, 2, h =>
        {
            SetU64(h, VolumeSizeOffset, 2UL << 30);
            SetU64(h, MirrorTidOffset, 0x1000);
        });
        Assert.AreEqual(HeaderFault.BeyondVolume, VolumeHeaderCopy.ReadAll(device)[2].Fault);
        Assert.AreNotEqual(2, Newest(device));
    }

    [TestMethod]
    public void OppositeByteOrderIsNamed()
    {
        OverlayDevice device = Clone("empty-labels");
        Edit(device, 0, h => h.AsSpan(0, 8).Reverse(), seal: false);
        Assert.AreEqual(HeaderFault.ForeignByteOrder, VolumeHeaderCopy.ReadAll(device)[0].Fault);
        Hammer2Exception e = Assert.ThrowsExactly<Hammer2Exception>(() => Hammer2Volume.Open([device]));
        Assert.AreEqual(Hammer2Error.Unsupported, e.Error);
        StringAssert.Contains(e.Message, "byte order", StringComparison.Ordinal);
    }

    [TestMethod]
    [DataRow(0u)]
    [DataRow(3u)]
    [DataRow(77u)]
    [DataRow(uint.MaxValue)]
    public void UnknownVersionIsRefusedByNumber(uint version)
    {
        OverlayDevice device = Clone("empty-labels");
        Edit(device, 0, h => BinaryPrimitives.WriteUInt32LittleEndian(h.AsSpan(VersionOffset), version));
        Hammer2Exception e = Assert.ThrowsExactly<Hammer2Exception>(() => Hammer2Volume.Open([device]));
        Assert.AreEqual(Hammer2Error.Unsupported, e.Error);
        StringAssert.Contains(e.Message, $"{version}", StringComparison.Ordinal);
    }

    [TestMethod]
    public void VersionOneWithATotalSizeIsOpenedWithAWarning()
    {
        // What growfs of the reference makes of a version 1 volume, and then refuses itself.
        OverlayDevice device = Clone("empty-v1");
        using (Hammer2Volume plain = Hammer2Volume.Open([device]))
            Assert.IsEmpty(plain.Warnings);
        Edit(device, 0, h => SetU64(h, 0xC0, 1UL << 30));
        using Hammer2Volume volume = Hammer2Volume.Open([device]);
        Assert.HasCount(1, volume.Warnings);
        StringAssert.Contains(volume.Warnings[0], "total_size", StringComparison.Ordinal);
        Assert.AreEqual(volume.Header.VolumeSize, volume.Header.LogicalSize);
    }

    [TestMethod]
    [DataRow(0UL)]
    [DataRow((8UL << 20) + 4096)]
    [DataRow(1UL << 63)]
    [DataRow(0xFFFFFFFFFF800000UL)]
    public void AbsurdVolumeSizesAreRefused(ulong size)
    {
        OverlayDevice device = Clone("empty-labels");
        Edit(device, 0, h => SetU64(h, VolumeSizeOffset, size));
        Assert.AreEqual(Hammer2Error.Corrupt, Assert.ThrowsExactly<Hammer2Exception>(() => Hammer2Volume.Open([device])).Error);
    }

    [TestMethod]
    public void ForeignTypeIsRefused()
    {
        OverlayDevice device = Clone("empty-labels");
        Edit(device, 0, h => h[0x5F] ^= 1);
        Assert.AreEqual(Hammer2Error.Corrupt, Assert.ThrowsExactly<Hammer2Exception>(() => Hammer2Volume.Open([device])).Error);
    }

    [TestMethod]
    public void CutDeviceIsRefusedWithBothSizes()
    {
        var device = new PartitionWindow(GoldenImages.Get("empty-labels").Devices[0], 0, 1L << 30, "cut.img");
        Hammer2Exception e = Assert.ThrowsExactly<Hammer2Exception>(() => Hammer2Volume.Open([device]));
        StringAssert.Contains(e.Message, $"{2L << 30}", StringComparison.Ordinal);
        StringAssert.Contains(e.Message, $"{1L << 30}", StringComparison.Ordinal);
        foreach (long length in new[] { 0L, 1, 4096, 65535 })
        {
            var tiny = new PartitionWindow(GoldenImages.Get("empty-labels").Devices[0], 0, length, "tiny.img");
            Assert.AreEqual(Hammer2Error.NotHammer2, Assert.ThrowsExactly<Hammer2Exception>(() => Hammer2Volume.Open([tiny])).Error, $"{length}");
        }
    }

    [TestMethod]
    public void UnreadableCopyIsPassedOver()
    {
        OverlayDevice device = Clone(FourCopies);
        int newest = Newest(device);
        var faulty = new FaultyRead(device, newest * FormatLimits.VolumeHeaderSpacing);
        Assert.AreEqual(HeaderFault.Unreadable, VolumeHeaderCopy.ReadAll(faulty)[newest].Fault);
        Assert.AreNotEqual(newest, Newest(faulty));
    }

    [TestMethod]
    public void SealedHeaderOfTheSampleIsUnchanged()
    {
        // The order of the three CRCs (format page 2.2) against what the reference wrote.
        byte[] header = new byte[FormatLimits.VolumeHeaderBytes];
        Clone(FourCopies).Read(0, header);
        byte[] again = (byte[])header.Clone();
        again.AsSpan(VolumeHeader.Sector1CrcOffset, 8).Clear();
        again.AsSpan(VolumeHeader.HeaderCrcOffset).Clear();
        VolumeHeader.Seal(again);
        CollectionAssert.AreEqual(header, again);
        OverlayDevice device = Clone(FourCopies);
        CopyHeader(device, 0, 1);
        Assert.AreEqual(HeaderFault.None, VolumeHeaderCopy.ReadAll(device)[1].Fault);
    }

    /// <summary>Fails every read that touches one place.</summary>
    private sealed class FaultyRead(IBlockDevice below, long bad) : IBlockDevice
    {
        public string Name => below.Name;

        public long Length => below.Length;

        public int SectorSize => below.SectorSize;

        public void Read(long offset, Span<byte> buffer)
        {
            if (offset <= bad && bad < offset + buffer.Length)
                throw new Hammer2Exception(Hammer2Error.Io, "bad sector");
            below.Read(offset, buffer);
        }

        public void Write(long offset, ReadOnlySpan<byte> data) => below.Write(offset, data);

        public void Flush() => below.Flush();

        public void Dispose() => below.Dispose();
    }
}
