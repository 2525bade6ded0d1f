// R6: a sync of thousands of small dirty files goes through one device buffer, as few large writes. R11: blocks smaller than
// 64 KiB that are placed in fresh blocks cause no read of what was never written.

using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Tests.Requirements;

[TestClass]
[DoNotParallelize]
public sealed class AggregatedSyncTests
{
    private const int Files = 5000;

    private static int SmallBytes(int i) => 600 + i * 7 % 5000;

    [TestMethod]
    public void SyncOfManySmallFilesIsOneWriteForEachOfThem()
    {
        using var rig = new EngineRig(new VolumeOptions { DirtyBytesMax = 512 << 20 });
        var open = new List<Vnode>();
        for (int i = 0; i < Files; i++)
            open.Add(rig.Create($"f{i}", EngineRig.Bytes(SmallBytes(i), i)));
        long writes = rig.Device.Writes, flushes = rig.Device.Flushes;
        open[17].Sync();
        writes = rig.Device.Writes - writes;
        Console.WriteLine($"{writes} writes, {rig.Device.Flushes - flushes} flushes for {Files} files");
        Assert.IsLessThan(Files / 50, writes, "the files were not written together");
        Assert.AreEqual(2L, rig.Device.Flushes - flushes, "a commit is two barriers");
        open.ForEach(v => v.Dispose());
        rig.Check();
    }

    [TestMethod]
    public void ConcurrentSyncsAreACommitForEachOfThem()
    {
        using var rig = new EngineRig();
        const int Callers = 16;
        Vnode[] files = [.. Enumerable.Range(0, Callers).Select(i => rig.Create($"f{i}"))];
        rig.Sync();
        long before = rig.Volume.Commits;
        using var held = new ManualResetEventSlim();
        using var reached = new ManualResetEventSlim();
        rig.Device.Writing = (offset, length) =>
        {
            reached.Set();
            held.Wait(EngineRig.Patience);
        };
        var syncs = new List<Task>();
        using var started = new CountdownEvent(Callers - 1);
        for (int i = 0; i < Callers; i++)
        {
            int who = i;
            syncs.Add(Task.Factory.StartNew(
                () =>
                {
                    Assert.AreEqual(Hammer2Error.None, files[who].TryWrite(0, EngineRig.Bytes(3000, who)));
                    if (who > 0)
                        started.Signal();
                    files[who].Sync();
                },
                TaskCreationOptions.LongRunning));

            // The first one's commit is held at the device; the others come while it is there.
            if (i == 0)
                Assert.IsTrue(reached.Wait(EngineRig.Patience));
        }

        Assert.IsTrue(started.Wait(EngineRig.Patience), "a writer waits for a commit that is being written");
        held.Set();
        Assert.IsTrue(Task.WaitAll([.. syncs], EngineRig.Patience));
        Assert.IsLessThanOrEqualTo(4L, rig.Volume.Commits - before, "those who waited did not share a commit");
        foreach (Vnode file in files)
            file.Dispose();
    }

    [TestMethod]
    public void FreshBlockIsReadBeforeAFragmentOfItIsWritten()
    {
        using var rig = new EngineRig();
        rig.MakeDirectory("d");
        var written = new HashSet<long>();
        var readFresh = new List<(long Unit, long Offset, int Length)>();
        object gate = new();
        rig.Device.Reading = (offset, length) => Note(offset, length, unit =>
        {
            if (!written.Contains(unit))
                readFresh.Add((unit, offset, length));
        });
        rig.Device.Written = (offset, length) => Note(offset, length, unit => written.Add(unit));
        for (int round = 0; round < 3; round++)
        {
            for (int i = 0; i < 400; i++)
                rig.Create($"d/r{round}f{i}", EngineRig.Bytes(SmallBytes(i), i + round * 1000)).Dispose();
            rig.Sync();
        }

        // Whatever was read before this test wrote it must not have been fresh: only what the formatter left may be read.
        long[] fresh = [.. readFresh.Where(r => written.Contains(r.Unit)).Select(r => r.Unit).Distinct()];
        Assert.IsEmpty(fresh, $"read before written: {string.Join(", ", readFresh.Select(r => $"0x{r.Offset:x}+{r.Length}").Distinct().Take(5))}");
        Assert.IsGreaterThan(1000, written.Count);
        rig.Device.Reading = null;
        rig.Check();

        void Note(long offset, int length, Action<long> each)
        {
            if (WatchedDevice.IsHeader(offset, length))
                return;
            lock (gate)
            {
                for (long unit = offset >> 10; unit < offset + length + 1023 >> 10; unit++)
                    each(unit);
            }
        }
    }
}
