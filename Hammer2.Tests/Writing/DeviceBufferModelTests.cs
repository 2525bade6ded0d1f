// Random traffic of several threads against the write-back buffer, on a device that now and then refuses: every thread reads
// what it wrote last, whatever is on its way to the device meanwhile, and in the end the medium holds exactly that.

using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Hammer2.Tests.Hostile;

namespace Hammer2.Tests.Writing;

[TestClass]
[DoNotParallelize]
public sealed class DeviceBufferModelTests
{
    private const int Block = FormatLimits.BlockBytesMax;
    private const int Unit = 1024;
    private const int GroupUnits = 4;
    private const int Buffers = 64;
    private const int Threads = 4;
    private const long Area = WritingVolume.Area;

    [TestMethod]
    [DataRow(512, false, 0)]
    [DataRow(512, true, 0)]
    [DataRow(512, true, 10)]
    [DataRow(4096, true, 10)]
    public void EveryThreadReadsWhatItWroteAndTheMediumHoldsItInTheEnd(int sector, bool background, int failPercent)
    {
        int seed = HammerSeed.Get();
        using var v = new WritingVolume(bufferBytes: 2 << 20, sectorSize: sector, background: background);
        byte[] model = WritingVolume.Bytes(Buffers * Block, seed);
        v.Memory.Write(Area, model);
        var faults = new Random(seed);
        v.Device.FailsWrite = _ =>
        {
            lock (faults)
                return faults.Next(100) < failPercent;
        };
        using var stop = new CancellationTokenSource();
        Task passes = Task.Run(() => WriteOutAgainAndAgain(v, stop.Token));
        Task[] workers = [.. Enumerable.Range(0, Threads).Select(t => Task.Run(() => Work(v, model, t, seed)))];
        Assert.IsTrue(Task.WaitAll(workers, WritingVolume.Patience), "the buffer hangs");
        stop.Cancel();
        Assert.IsTrue(passes.Wait(WritingVolume.Patience), "the buffer hangs");

        v.Device.FailsWrite = _ => false;
        CollectionAssert.AreEqual(model, v.Buffered(Area, model.Length), $"seed {seed}");
        v.Buffer.WriteOut();
        CollectionAssert.AreEqual(model, v.OnMedium(Area, model.Length), $"seed {seed}");
        Assert.AreEqual(0L, v.Buffer.Statistics.PendingBytes);
    }

    private static void WriteOutAgainAndAgain(WritingVolume v, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            Try(v.Buffer.WriteOut);
            Thread.Yield();
        }
    }

    private static bool Try(Action action)
    {
        try
        {
            action();
            return true;
        }
        catch (Hammer2Exception e) when (e.Error == Hammer2Error.Io)
        {
            return false;
        }
    }

    // Every eighth buffer belongs to one thread as a whole, for direct writes; of the others each thread has its groups of units.
    private static void Work(WritingVolume v, byte[] model, int thread, int seed)
    {
        var random = new Random(seed + thread);
        byte[] bytes = new byte[Block];
        for (int step = 0; step < 3000; step++)
        {
            int buffer = random.Next(Buffers);
            bool whole = buffer % 8 == 7;
            if (whole && buffer / 8 % Threads != thread)
                continue;
            int first = whole ? random.Next(Block / Unit) : (random.Next(16 / Threads) * Threads + thread) * GroupUnits + random.Next(GroupUnits);
            int most = whole ? Block / Unit - first : GroupUnits - first % GroupUnits;
            int at = buffer * Block + first * Unit;
            Span<byte> part = bytes.AsSpan(0, random.Next(1, most + 1) * Unit);
            int action = random.Next(10);
            if (action < 5 || action == 5 && !whole)
            {
                random.NextBytes(part);
                int length = part.Length;
                if (Try(() => v.Buffer.Write(Area + at, bytes.AsSpan(0, length))))
                    part.CopyTo(model.AsSpan(at));
            }
            else if (action == 5)
            {
                random.NextBytes(bytes);
                if (Try(() => v.Buffer.WriteDirect(Area + buffer * (long)Block, bytes)))
                    bytes.CopyTo(model, buffer * Block);
            }
            else
            {
                v.Buffer.Read(Area + at, part);
                Assert.IsTrue(part.SequenceEqual(model.AsSpan(at, part.Length)), $"seed {seed}, thread {thread}, step {step}");
            }
        }
    }
}
