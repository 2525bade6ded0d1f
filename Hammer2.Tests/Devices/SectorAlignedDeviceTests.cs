// Unaligned requests to a device that takes whole sectors only. The device below refuses everything else,
// and a plain array shows what should have happened.

using Hammer2.Engine.Devices;
using Hammer2.Engine.Primitives;
using Hammer2.Tests.Hostile;

namespace Hammer2.Tests.Devices;

[TestClass]
public sealed class SectorAlignedDeviceTests
{
    private const int Sector = 4096;
    private const int Bytes = 64 * Sector;

    [TestMethod]
    public void RandomRequestsReadAndWriteExactlyTheirBytes()
    {
        var random = new Random(HammerSeed.Get());
        var device = new SectorAlignedDevice(new SectorsOnly(new MemoryBlockDevice(Bytes)));
        byte[] model = new byte[Bytes];
        for (int i = 0; i < 3000; i++)
        {
            int length = random.Next(0, random.Next(2) == 0 ? 3 * Sector : 600);
            int offset = random.Next(0, Bytes - length + 1);
            if (random.Next(4) == 0)
                (offset, length) = (offset / Sector * Sector, length / Sector * Sector);
            byte[] data = new byte[length];
            random.NextBytes(data);
            device.Write(offset, data);
            data.CopyTo(model, offset);
            int from = random.Next(0, Bytes), count = random.Next(0, Math.Min(2 * Sector, Bytes - from));
            byte[] read = new byte[count];
            device.Read(from, read);
            Assert.IsTrue(read.AsSpan().SequenceEqual(model.AsSpan(from, count)), $"step {i}: {count} bytes at {from}");
        }

        byte[] all = new byte[Bytes];
        device.Read(0, all);
        Assert.IsTrue(all.AsSpan().SequenceEqual(model));
    }

    [TestMethod]
    public void NeighboursInOneSectorDoNotLoseEachOther()
    {
        var device = new SectorAlignedDevice(new SectorsOnly(new MemoryBlockDevice(Bytes)));
        Parallel.For(0, Bytes / 64, i =>
        {
            byte[] mine = new byte[64];
            mine.AsSpan().Fill((byte)(i % 251 + 1));
            device.Write(i * 64, mine);
        });
        byte[] all = new byte[Bytes];
        device.Read(0, all);
        for (int i = 0; i < Bytes; i++)
            Assert.AreEqual((byte)(i / 64 % 251 + 1), all[i], $"byte {i}");
    }

    [TestMethod]
    public void DeviceBelowRefusesWhatIsNotAligned()
    {
        // The negative control: without the widening these tests would fail.
        var strict = new SectorsOnly(new MemoryBlockDevice(Bytes));
        Assert.ThrowsExactly<Hammer2Exception>(() => strict.Write(1, new byte[Sector]));
        Assert.ThrowsExactly<Hammer2Exception>(() => strict.Read(0, new byte[1]));
    }

    [TestMethod]
    public void BytesAfterTheLastWholeSectorAreOutside()
    {
        var device = new SectorAlignedDevice(new SectorsOnly(new MemoryBlockDevice(Bytes + 100)));
        Assert.AreEqual(Bytes, device.Length);
        Assert.ThrowsExactly<Hammer2Exception>(() => device.Write(Bytes - 1, new byte[2]));
        device.Write(Bytes - 1, new byte[1]);
    }

    private sealed class SectorsOnly(IBlockDevice below) : IBlockDevice
    {
        public string Name => below.Name;

        public long Length => below.Length;

        public int SectorSize => Sector;

        public void Read(long offset, Span<byte> buffer)
        {
            Check(offset, buffer.Length);
            below.Read(offset, buffer);
        }

        public void Write(long offset, ReadOnlySpan<byte> data)
        {
            Check(offset, data.Length);
            below.Write(offset, data);
        }

        public void Flush() => below.Flush();

        public void Dispose() => below.Dispose();

        private static void Check(long offset, int length)
        {
            if (offset % Sector != 0 || length % Sector != 0)
                throw new Hammer2Exception(Hammer2Error.Io, "not aligned");
        }
    }
}
