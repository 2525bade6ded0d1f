// Filesystems of several volumes: the order of the devices does not matter, everything else about the set does.
// The sets are golden images whose headers are changed and sealed anew on a copy.

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
public sealed class VolumeSetTests
{
    private static IBlockDevice[] Three => [.. GoldenImages.Get("multi-volume").Devices.Select(d => new OverlayDevice(d))];

    private static Hammer2Exception Refused(params IBlockDevice[] devices)
    {
        Hammer2Exception e = Assert.ThrowsExactly<Hammer2Exception>(() => Hammer2Volume.Open(devices).Dispose());
        Assert.DoesNotContain("\n", e.Message);
        return e;
    }

    private static void EditAll(IBlockDevice device, Action<byte[]> edit)
    {
        for (int copy = 0; copy * FormatLimits.VolumeHeaderSpacing < device.Length; copy++)
            VolumeHeaderTests.Edit(device, copy, edit);
    }

    [TestMethod]
    [DataRow(0, 1, 2)]
    [DataRow(0, 2, 1)]
    [DataRow(1, 0, 2)]
    [DataRow(1, 2, 0)]
    [DataRow(2, 0, 1)]
    [DataRow(2, 1, 0)]
    public void AnyOrderOpensTheSameFilesystem(int a, int b, int c)
    {
        IBlockDevice[] three = Three;
        using Hammer2Volume volume = Hammer2Volume.Open([three[a], three[b], three[c]]);
        CollectionAssert.AreEqual(new[] { 0, 1, 2 }, volume.Members.Select(m => m.Id).ToArray());
        Assert.AreEqual(0L, volume.Members[0].Start);
        Assert.AreEqual(volume.Members[0].Length, volume.Members[1].Start);
        Assert.AreEqual((long)volume.Header.TotalSize, volume.Members.Sum(m => m.Length));
        Assert.IsFalse(Survey.Of([three[a], three[b], three[c]]).Failures > 1, "only the look-up of a label that does not exist fails");
    }

    [TestMethod]
    public void MissingDuplicateAndForeignVolumesAreRefused()
    {
        IBlockDevice[] v = Three;
        IBlockDevice[] other = [.. GoldenImages.Get("multi-volume-empty").Devices];
        foreach (IBlockDevice[] set in (IBlockDevice[][])[[v[0]], [v[1]], [v[2]], [v[0], v[1]], [v[0], v[2]], [v[1], v[2]],
            [v[0], v[1], v[1]], [v[0], v[0], v[1]], [v[1], v[2], v[2]], [v[0], v[1], v[2], v[2]], [v[0], v[1], other[1]], [other[0], v[1], v[2]],
            [v[0], v[1], v[2], other[0]]])
        {
            Hammer2Error error = Refused(set).Error;
            Assert.IsTrue(error is Hammer2Error.InvalidArgument or Hammer2Error.Corrupt, $"{error}");
        }

        StringAssert.Contains(Refused(v[0], v[2]).Message, "3 volumes", StringComparison.Ordinal);
        StringAssert.Contains(Refused(v[0], v[1], v[1]).Message, "twice", StringComparison.Ordinal);
        Assert.AreEqual(Hammer2Error.InvalidArgument, Refused().Error);
        Assert.AreEqual(Hammer2Error.InvalidArgument, Refused([.. Enumerable.Repeat(v[0], 65)]).Error);
        Assert.AreEqual(Hammer2Error.NotHammer2, Refused(v[0], v[1], new MemoryBlockDevice(1 << 30)).Error);
    }

    [TestMethod]
    [DataRow("volume of another filesystem with the right id", 0x40, 1, 0xFFUL, Hammer2Error.InvalidArgument)]
    [DataRow("id out of range", 0x3B, 2, 64UL, Hammer2Error.InvalidArgument)]
    [DataRow("id 255", 0x3B, 2, 255UL, Hammer2Error.InvalidArgument)]
    [DataRow("another count", 0x3C, 1, 4UL, Hammer2Error.InvalidArgument)]
    [DataRow("total size", 0xC2, 0, 1UL, Hammer2Error.Corrupt)]
    [DataRow("offset of volume 1", 0xE0B, 0, 0x80UL, Hammer2Error.Corrupt)]
    [DataRow("offset of volume 1, in its own header", 0xE0B, 1, 0x80UL, Hammer2Error.Corrupt)]
    [DataRow("offset of volume 1 with bit 63", 0xE0F, 1, 0x80UL, Hammer2Error.Corrupt)]
    public void OneWrongFieldRefusesTheSet(string what, int offset, int volume, ulong value, Hammer2Error error)
    {
        IBlockDevice[] v = Three;
        EditAll(v[volume], h => h[offset] = (byte)value);
        Assert.AreEqual(error, Refused(v).Error, what);
    }

    [TestMethod]
    public void VolumesOfDifferentVersionsAreRefused()
    {
        IBlockDevice[] v = Three;
        EditAll(v[1], h => BinaryPrimitives.WriteUInt32LittleEndian(h.AsSpan(0x30), 1));
        Refused(v);
        v = Three;
        EditAll(v[0], h => BinaryPrimitives.WriteUInt32LittleEndian(h.AsSpan(0x30), 1));
        Refused(v);
    }

    [TestMethod]
    public void EveryBlockIsFoundInItsVolumeAndNoneAcrossTwo()
    {
        using VolumeSet set = VolumeSet.Open(Three);
        foreach (VolumeMember m in set.Members)
        {
            Assert.IsTrue(set.Contains((ulong)m.Start, 1024));
            Assert.IsTrue(set.Contains((ulong)(m.Start + m.Length - 1024), 1024));
            Assert.IsFalse(set.Contains((ulong)(m.Start + m.Length - 512), 1024), "a block over the border");
            Assert.AreSame(m, set.MemberOf(m.Start + m.Length - 1, 1));
        }

        Assert.IsFalse(set.Contains((ulong)set.Length, 1));
        Assert.IsFalse(set.Contains(ulong.MaxValue, 1));
        Assert.IsFalse(set.Contains(ulong.MaxValue - 1023, 1024));
        Assert.ThrowsExactly<Hammer2Exception>(() => set.MemberOf(set.Length, 1));
        Assert.ThrowsExactly<Hammer2Exception>(() => set.MemberOf(-1, 1));
    }

    [TestMethod]
    public void BlockrefAcrossTwoVolumesIsRefused()
    {
        // The second volume starts where no 64 KiB block ends: a block that begins before and ends behind is outside both.
        IBlockDevice[] v = Three;
        using VolumeSet set = VolumeSet.Open(v);
        using var reader = new Hammer2.Engine.Blocks.BlockReader(set, new Hammer2.Engine.Buffers.BlockCache(1 << 20));
        var bref = new BlockRef { Type = BlockRefType.Data, KeyBits = 16, DataOff = (ulong)set.Length | 16 };
        Assert.AreEqual(Hammer2Error.Io, Assert.ThrowsExactly<Hammer2Exception>(() => reader.GetData(bref, 65536).Dispose()).Error);
        bref.DataOff = (ulong)set.Length - 65536 | 16;
        reader.GetData(bref, 65536).Dispose();
    }
}
