// The crash states themselves: a state has exactly what its description says, small records are enumerated whole,
// flushed writes are never lost, and a writer that forgets a flush is found out.

using System.Buffers.Binary;
using System.Diagnostics;
using Hammer2.Engine.Devices;
using Hammer2.Tests.Hostile;
using Hammer2.Torture.Devices;

namespace Hammer2.Tests.Devices;

[TestClass]
public sealed class CrashStatesTests
{
    private const int Bytes = 1 << 20;
    private static readonly int[] s_looks = [512, 1023, 1024, 1535, 1536, 2047, 4096];

    private static byte[] Filled(int length, byte value)
    {
        byte[] bytes = new byte[length];
        bytes.AsSpan().Fill(value);
        return bytes;
    }

    private static byte ByteAt(IBlockDevice device, long offset)
    {
        byte[] one = new byte[1];
        device.Read(offset, one);
        return one[0];
    }

    private static (RecordingDevice Device, DeviceRecord Record, MemoryBlockDevice Base) NewDevice()
    {
        var image = new MemoryBlockDevice(Bytes);
        image.Write(0, Filled(Bytes, 0xEE));
        var record = new DeviceRecord();
        return (new RecordingDevice(new OverlayDevice(image), record), record, image);
    }

    [TestMethod]
    public void CutsAreThePrefixesOfTheRecord()
    {
        var (device, record, image) = NewDevice();
        for (byte i = 1; i <= 5; i++)
        {
            device.Write(i * 1000, Filled(10, i));
            record.Mark($"written {i}");
            if (i == 3)
                device.Flush();
        }

        List<CrashState> cuts = [.. new CrashStates([image], record, 1).CutsAfterEveryWrite()];
        Assert.HasCount(7, cuts);
        Assert.HasCount(5, cuts[6].Markers, "at the end all of them are");
        for (int n = 0; n <= 5; n++)
        {
            IBlockDevice state = cuts[n].Open()[0];
            for (byte i = 1; i <= 5; i++)
                Assert.AreEqual(i <= n ? i : 0xEE, ByteAt(state, i * 1000), $"cut {n}, write {i}");
            Assert.HasCount(Math.Max(0, n - 1), cuts[n].Markers, "a marker is reached when something came after it");
        }

        Assert.AreEqual(0xEE, ByteAt(image, 1000), "the base stays as it was");
    }

    [TestMethod]
    public void LostWritesAreEverySubsetOfASmallWindowAndNeverFlushedOnes()
    {
        var (device, record, image) = NewDevice();
        device.Write(0, [1]);
        device.Flush();
        for (byte i = 1; i <= 3; i++)
            device.Write(i * 70000, [i]);
        device.Flush();

        var seen = new SortedSet<string>(StringComparer.Ordinal);
        foreach (CrashState state in new CrashStates([image], record, 1).LostWrites())
        {
            IBlockDevice d = state.Open()[0];
            seen.Add(string.Concat(Enumerable.Range(0, 4).Select(n => ByteAt(d, n * 70000) == 0xEE ? '-' : 'w')));
        }

        // Before the first flush its write may be lost; afterwards every subset of the three except all.
        Assert.AreEqual("----,w---,w--w,w-w-,w-ww,ww--,ww-w,www-", string.Join(',', seen));
    }

    [TestMethod]
    public void LargeWindowsAreSampledWithEachWriteAloneAndTheSeedRepeatsThem()
    {
        var (device, record, image) = NewDevice();
        for (int i = 0; i < 20; i++)
            device.Write(i * 4096, [1]);
        var states = new CrashStates([image], record, 7);
        List<string> once = [.. states.LostWrites().Select(s => s.Description)];
        CollectionAssert.AreEqual(once, new CrashStates([image], record, 7).LostWrites().Select(s => s.Description).ToList());
        CollectionAssert.AreNotEqual(once, new CrashStates([image], record, 8).LostWrites().Select(s => s.Description).ToList());
        for (int i = 0; i < 20; i++)
            Assert.IsTrue(once.Exists(d => d.EndsWith($"lost {i}", StringComparison.Ordinal)), $"write {i} lost alone");
        Assert.IsTrue(once.Exists(d => d.EndsWith("lost " + string.Join(',', Enumerable.Range(0, 20)), StringComparison.Ordinal)), "all lost");
    }

    [TestMethod]
    public void TornWritesHaveTheirFirstOrLastSectors()
    {
        var (device, record, image) = NewDevice();
        device.Write(512, Filled(1536, 1));
        device.Write(4096, Filled(512, 2));
        var shapes = new SortedSet<string>(StringComparer.Ordinal);
        foreach (CrashState state in new CrashStates([image], record, 1).TornWrites())
        {
            IBlockDevice d = state.Open()[0];
            shapes.Add(string.Concat(s_looks.Select(at => ByteAt(d, at) == 0xEE ? '-' : 'w')));
        }

        Assert.AreEqual("----ww-,----www,--wwww-,--wwwww,ww-----,ww----w,wwww---,wwww--w", string.Join(',', shapes));
    }

    [TestMethod]
    public void FlushCoversOnlyWhatWasWrittenBeforeItBegan()
    {
        // A device below that lets another write happen while it flushes.
        var image = new MemoryBlockDevice(Bytes);
        var record = new DeviceRecord();
        RecordingDevice? device = null;
        device = new RecordingDevice(new DuringFlush(new OverlayDevice(image), () => device!.Write(100, [9])), record);
        device.Write(0, [1]);
        device.Flush();
        Assert.IsTrue(new CrashStates([image], record, 1).LostWrites().Any(s => ByteAt(s.Open()[0], 0) == 1 && ByteAt(s.Open()[0], 100) == 0));
    }

    [TestMethod]
    public void FlushOfOneVolumeDoesNotSaveAnother()
    {
        MemoryBlockDevice[] images = [new MemoryBlockDevice(Bytes), new MemoryBlockDevice(Bytes)];
        var record = new DeviceRecord();
        var first = new RecordingDevice(new OverlayDevice(images[0]), record);
        var second = new RecordingDevice(new OverlayDevice(images[1]), record, volume: 1);
        second.Write(0, [2]);
        first.Write(0, [1]);
        first.Flush();
        first.Write(0, [3]);
        List<CrashState> lost = [.. new CrashStates(images, record, 1).LostWrites()];
        Assert.IsTrue(lost.Exists(s => s.Open() is var d && ByteAt(d[0], 0) == 3 && ByteAt(d[1], 0) == 0), "the other volume's write is lost");
        Assert.IsFalse(lost.Where(s => s.Description.StartsWith("event 5", StringComparison.Ordinal)).Any(s => ByteAt(s.Open()[0], 0) == 0), "the flushed write is not");
    }

    [TestMethod]
    public void StatesAreIndependentAndCanBeWritten()
    {
        var (device, record, image) = NewDevice();
        device.Write(0, [1]);
        CrashState state = new CrashStates([image], record, 1).CutsAfterEveryWrite().Last();
        IBlockDevice a = state.Open()[0], b = state.Open()[0];
        a.Write(0, [5]);
        Assert.AreEqual(5, ByteAt(a, 0));
        Assert.AreEqual(1, ByteAt(b, 0));
        Assert.AreEqual(1, ByteAt(state.Open()[0], 0));
    }

    [TestMethod]
    public void OverlappingWritesKeepTheirOrder()
    {
        var random = new Random(HammerSeed.Get());
        var (device, record, image) = NewDevice();
        byte[] model = Filled(Bytes, 0xEE);
        for (int i = 0; i < 60; i++)
        {
            int offset = random.Next(0, Bytes - 200000), length = random.Next(1, 200000);
            byte[] data = Filled(length, (byte)(i + 1));
            device.Write(offset, data);
            data.CopyTo(model, offset);
            if (i % 20 == 10)
                device.Flush();
        }

        // Nothing but the last write's own loss may differ from the model when the last one is kept: compare the whole cut.
        byte[] read = new byte[Bytes];
        new CrashStates([image], record, 1).CutsAfterEveryWrite().Last().Open()[0].Read(0, read);
        Assert.IsTrue(read.AsSpan().SequenceEqual(model));
        CrashState torn = new CrashStates([image], record, 1).TornWrites().Last();
        torn.Open()[0].Read(0, read);
        Assert.IsFalse(read.AsSpan().SequenceEqual(model), "a torn write shows");
        device.Write(0, model);
        new CrashStates([image], record, 1).TornWrites().Last(s => s.Description.Contains("all others", StringComparison.Ordinal)).Open()[0].Read(0, read);
        Assert.IsTrue(read.AsSpan().SequenceEqual(model), "a later write over everything hides it");
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void WriterThatForgetsTheBarrierIsFoundOut(bool flushes)
    {
        // A toy commit: data, barrier, then a pointer to it. Negative control of the whole method.
        var (device, record, image) = NewDevice();
        for (int n = 1; n <= 3; n++)
        {
            device.Write(n * 65536, Filled(65536, (byte)n));
            if (flushes)
                device.Flush();
            byte[] pointer = new byte[512];
            BinaryPrimitives.WriteInt32LittleEndian(pointer, n);
            device.Write(0, pointer);
            device.Flush();
            record.Mark($"{n}");
        }

        int broken = 0;
        foreach (CrashState state in new CrashStates([image], record, 1).All())
        {
            IBlockDevice d = state.Open()[0];
            byte[] pointer = new byte[4];
            d.Read(0, pointer);
            int n = BinaryPrimitives.ReadInt32LittleEndian(pointer);
            bool never = pointer.AsSpan().IndexOfAnyExcept((byte)0xEE) < 0;
            byte[] data = new byte[65536];
            if (!never)
                d.Read(n * 65536, data);
            Assert.IsTrue(state.Markers.Count == 0 || !never && n >= state.Markers.Count, $"{state}: commit {state.Markers.Count} was durable, {n} is found");
            broken += !never && data.AsSpan().IndexOfAnyExcept((byte)n) >= 0 ? 1 : 0;
        }

        if (flushes)
            Assert.AreEqual(0, broken);
        else
            Assert.IsGreaterThan(0, broken);
    }

    [TestMethod]
    public void ThousandsOfStatesASecond()
    {
        var (device, record, image) = NewDevice();
        for (int i = 0; i < 200; i++)
        {
            device.Write(i % 15 * 65536, Filled(65536, (byte)i));
            if (i % 50 == 49)
                device.Flush();
        }

        long start = Stopwatch.GetTimestamp();
        int states = new CrashStates([image], record, 1).All().Sum(s => ByteAt(s.Open()[0], 0) >= 0 ? 1 : 0);
        double perSecond = states / Stopwatch.GetElapsedTime(start).TotalSeconds;
        Console.WriteLine($"{states} states, {perSecond:0} a second");
        Assert.IsGreaterThan(1000, states);
    }

    private sealed class DuringFlush(IBlockDevice below, Action meanwhile) : IBlockDevice
    {
        public string Name => below.Name;

        public long Length => below.Length;

        public int SectorSize => below.SectorSize;

        public void Read(long offset, Span<byte> buffer) => below.Read(offset, buffer);

        public void Write(long offset, ReadOnlySpan<byte> data) => below.Write(offset, data);

        public void Flush()
        {
            meanwhile();
            below.Flush();
        }

        public void Dispose() => below.Dispose();
    }
}
