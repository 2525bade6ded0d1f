// The write-back buffer on its own: what readers see, what reaches the device and in which calls, what a failed device loses
// (nothing), and how much memory it takes. The device is a probe over memory.

using Hammer2.Engine.Buffers;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Hammer2.Tests.Hostile;
using Hammer2.Tests.Images;
using Hammer2.Torture.Devices;

namespace Hammer2.Tests.Writing;

[TestClass]
[DoNotParallelize]
public sealed class DeviceBufferTests
{
    private const int Block = FormatLimits.BlockBytesMax;
    private const long Area = WritingVolume.Area;

    // Long enough for what must not happen to happen, if it can.
    private static readonly TimeSpan s_moment = TimeSpan.FromMilliseconds(200);

    private static byte[] Bytes(int length, int seed) => WritingVolume.Bytes(length, seed);

    [TestMethod]
    public void PendingBytesAreReadAndReachTheDeviceOnlyWhenWrittenOut()
    {
        using var v = new WritingVolume();
        byte[] block = Bytes(4096, 1);
        v.Buffer.Write(Area + 8192, block);
        Assert.IsEmpty(v.Device.Writes);
        CollectionAssert.AreEqual(block, v.Buffered(Area + 8192, 4096));
        CollectionAssert.AreEqual(block[1000..3001], v.Buffered(Area + 9192, 2001), "any alignment");
        byte[] around = v.Buffered(Area + 7000, 8000);
        CollectionAssert.AreEqual(new byte[1192], around[..1192]);
        CollectionAssert.AreEqual(block, around[1192..5288]);
        CollectionAssert.AreEqual(new byte[8000 - 5288], around[5288..]);

        v.Buffer.WriteOut();
        CollectionAssert.AreEqual(block, v.OnMedium(Area + 8192, 4096));
        CollectionAssert.AreEqual(block, v.Buffered(Area + 8192, 4096));
        Assert.AreEqual(0, v.Device.Flushes);
        v.Buffer.Flush();
        Assert.AreEqual(1, v.Device.Flushes);
    }

    [TestMethod]
    public void WhatWasWrittenIsTheBuffersOwn()
    {
        // R7: after sealing nobody can change the bytes that belong to a check code.
        using var v = new WritingVolume();
        byte[] block = Bytes(1024, 2);
        byte[] before = [.. block];
        v.Buffer.Write(Area, block);
        block.AsSpan().Clear();
        v.Buffer.WriteOut();
        CollectionAssert.AreEqual(before, v.OnMedium(Area, 1024));
    }

    [TestMethod]
    public void FragmentOfAFreshBlockIsNeverReadBeforeItIsWritten()
    {
        // R11: and what was not written is not written either: the medium keeps what stands beside the fragment.
        using var v = new WritingVolume();
        v.Memory.Write(Area, Bytes(Block, 3));
        v.Device.Reset();
        v.Buffer.Write(Area + 2048, Bytes(1024, 4));
        v.Buffer.Write(Area + 10240, Bytes(2048, 5));
        v.Buffer.Write(Area + 3072, Bytes(1024, 6));
        v.Buffer.WriteOut();
        Assert.AreEqual(0, v.Device.Reads);
        CollectionAssert.AreEqual(new[] { (Area + 2048, 2048), (Area + 10240, 2048) }, v.Device.Writes);
        byte[] expected = Bytes(Block, 3);
        Bytes(1024, 4).CopyTo(expected, 2048);
        Bytes(1024, 6).CopyTo(expected, 3072);
        Bytes(2048, 5).CopyTo(expected, 10240);
        CollectionAssert.AreEqual(expected, v.OnMedium(Area, Block));
    }

    [TestMethod]
    public void PiecesGoOutAscendingAndJoined()
    {
        using var v = new WritingVolume();
        int[] order = [7, 2, 9, 0, 1, 3, 8, 5];
        foreach (int i in order)
            v.Buffer.Write(Area + i * (long)Block, Bytes(Block, i));
        v.Buffer.WriteOut();
        CollectionAssert.AreEqual(
            new[] { (Area, 4 * Block), (Area + 5L * Block, Block), (Area + 7L * Block, 3 * Block) }, v.Device.Writes);
        foreach (int i in order)
            CollectionAssert.AreEqual(Bytes(Block, i), v.OnMedium(Area + i * (long)Block, Block), $"block {i}");
        Assert.AreEqual(0L, v.Buffer.Statistics.PendingBytes);
    }

    [TestMethod]
    public void BlocksOfThousandsOfSmallFilesAreFewWrites()
    {
        // R6: an inode and a data block of 1 KiB each for 5,000 files, in the order in which files are synced.
        using var v = new WritingVolume();
        const int files = 5000;
        const long inodes = Area + (32L << 20);
        for (int i = 0; i < files; i++)
        {
            v.Buffer.Write(Area + i * 1024L, Bytes(1024, i));
            v.Buffer.Write(inodes + i * 1024L, Bytes(1024, -i));
        }

        v.Buffer.Flush();
        Assert.IsLessThan(20, v.Device.Writes.Length, "writes for 5,000 files");
        Assert.AreEqual(files * 2048L, v.Device.Writes.Sum(w => (long)w.Length));
        for (int i = 0; i < files; i += 37)
            CollectionAssert.AreEqual(Bytes(1024, i), v.OnMedium(Area + i * 1024L, 1024));
    }

    [TestMethod]
    public void RunsEndWhereAVolumeEnds()
    {
        IBlockDevice[] three = [.. GoldenImages.Get("multi-volume").Devices.Select(d => new OverlayDevice(d))];
        using VolumeSet set = VolumeSet.Open(three);
        using var buffer = new DeviceBuffer(set, 1 << 20);
        VolumeMember second = set.Members[1];
        buffer.Write(second.Start - Block, Bytes(Block, 1));
        buffer.Write(second.Start, Bytes(Block, 2));
        buffer.Flush();
        byte[] bytes = new byte[Block];
        three[0].Read(set.Members[0].Length - Block, bytes);
        CollectionAssert.AreEqual(Bytes(Block, 1), bytes);
        three[1].Read(0, bytes);
        CollectionAssert.AreEqual(Bytes(Block, 2), bytes);
        Assert.AreEqual(2L, buffer.Statistics.DeviceWrites);
        Assert.AreEqual(Hammer2Error.Io, Assert.ThrowsExactly<Hammer2Exception>(() => buffer.Write(set.Length, new byte[1024])).Error);
    }

    [TestMethod]
    public void LargeSectorsAreWrittenWholeAndReadOnlyWhenTheyHoldMore()
    {
        using var v = new WritingVolume(sectorSize: 4096);
        byte[] old = Bytes(Block, 7);
        v.Memory.Write(Area, old);
        v.Device.Reset();

        // Four fragments that fill one sector: no read.
        for (int i = 0; i < 4; i++)
            v.Buffer.Write(Area + 4096 + i * 1024, Bytes(1024, 10 + i));
        v.Buffer.WriteOut();
        Assert.AreEqual(0, v.Device.Reads);
        CollectionAssert.AreEqual(new[] { (Area + 4096, 4096) }, v.Device.Writes);

        // Two fragments in one sector with a gap, a third at the end of the next: two sectors read, one write.
        v.Device.Reset();
        v.Buffer.Write(Area + 16384, Bytes(1024, 20));
        v.Buffer.Write(Area + 16384 + 2048, Bytes(1024, 21));
        v.Buffer.Write(Area + 16384 + 7168, Bytes(1024, 22));
        v.Buffer.WriteOut();
        Assert.AreEqual(2, v.Device.Reads);
        CollectionAssert.AreEqual(new[] { (Area + 16384, 8192) }, v.Device.Writes);
        for (int i = 0; i < 4; i++)
            Bytes(1024, 10 + i).CopyTo(old, 4096 + i * 1024);
        Bytes(1024, 20).CopyTo(old, 16384);
        Bytes(1024, 21).CopyTo(old, 16384 + 2048);
        Bytes(1024, 22).CopyTo(old, 16384 + 7168);
        CollectionAssert.AreEqual(old, v.OnMedium(Area, Block));
    }

    [TestMethod]
    public void FailedReadOfASectorKeepsEverythingPendingToo()
    {
        using var v = new WritingVolume(sectorSize: 4096);
        v.Buffer.Write(Area, Bytes(1024, 1));
        v.Device.FailsRead = _ => true;
        Assert.ThrowsExactly<Hammer2Exception>(v.Buffer.WriteOut);
        Assert.IsNotNull(v.Buffer.Failure);
        v.Device.FailsRead = _ => false;
        v.Buffer.WriteOut();
        CollectionAssert.AreEqual(Bytes(1024, 1), v.OnMedium(Area, 1024));
    }

    [TestMethod]
    public void NewerBytesOfARangeThatIsBeingWrittenFollowIt()
    {
        using var v = new WritingVolume();
        v.Device.Hold = new ManualResetEventSlim();
        v.Buffer.Write(Area, Bytes(4096, 1));
        Task first = Task.Run(v.Buffer.WriteOut);
        Assert.IsTrue(v.Device.Entered.Wait(WritingVolume.Patience));

        v.Buffer.Write(Area + 1024, Bytes(1024, 2));
        byte[] expected = Bytes(4096, 1);
        Bytes(1024, 2).CopyTo(expected, 1024);
        CollectionAssert.AreEqual(expected, v.Buffered(Area, 4096), "readers see the newest bytes while older ones are on their way");
        Task second = Task.Run(v.Buffer.WriteOut);
        Assert.IsFalse(SpinWait.SpinUntil(() => v.Device.Arrived > 1, s_moment), "both are at the device at once");
        v.Device.Hold.Set();
        Assert.IsTrue(Task.WaitAll([first, second], WritingVolume.Patience));
        CollectionAssert.AreEqual(expected, v.OnMedium(Area, 4096));
        CollectionAssert.AreEqual(new[] { (Area, 4096), (Area + 1024, 1024) }, v.Device.Writes);
    }

    [TestMethod]
    public void DeviceIsNotWaitedForByReadersAndOtherWriters()
    {
        using var v = new WritingVolume();
        v.Device.Hold = new ManualResetEventSlim();
        v.Buffer.Write(Area, Bytes(4096, 1));
        Task pass = Task.Run(v.Buffer.WriteOut);
        Assert.IsTrue(v.Device.Entered.Wait(WritingVolume.Patience));
        Task others = Task.Run(() =>
        {
            v.Buffer.Write(Area + Block, Bytes(4096, 3));
            Assert.HasCount(4096, v.Buffered(Area, 4096));
            Assert.HasCount(4096, v.Buffered(Area + 2 * Block, 4096));
        });
        Assert.IsTrue(others.Wait(WritingVolume.Patience), "held up by a write to the device");
        v.Device.Hold.Set();
        Assert.IsTrue(pass.Wait(WritingVolume.Patience));
    }

    [TestMethod]
    public void FailedWriteOutLosesNothing()
    {
        using var v = new WritingVolume(bufferBytes: 1 << 20);
        for (int i = 0; i < 8; i++)
            v.Buffer.Write(Area + 2L * i * Block, Bytes(Block, i));
        v.Device.FailsWrite = at => at == Area + 6L * Block;
        Hammer2Exception e = Assert.ThrowsExactly<Hammer2Exception>(v.Buffer.WriteOut);
        Assert.AreEqual(Hammer2Error.Io, e.Error);
        Assert.AreSame(e, v.Buffer.Failure);
        for (int i = 0; i < 8; i++)
            CollectionAssert.AreEqual(Bytes(Block, i), v.Buffered(Area + 2L * i * Block, Block), $"block {i}");

        v.Device.FailsWrite = _ => false;
        v.Buffer.WriteOut();
        for (int i = 0; i < 8; i++)
            CollectionAssert.AreEqual(Bytes(Block, i), v.OnMedium(Area + 2L * i * Block, Block), $"block {i}");
    }

    [TestMethod]
    public void NewerBytesWinOverWhatADeviceRefused()
    {
        using var v = new WritingVolume();
        v.Device.Hold = new ManualResetEventSlim();
        bool fails = true;
        v.Device.FailsWrite = _ => fails;
        v.Buffer.Write(Area, Bytes(4096, 1));
        Task pass = Task.Run(v.Buffer.WriteOut);
        Assert.IsTrue(v.Device.Entered.Wait(WritingVolume.Patience));
        v.Buffer.Write(Area + 1024, Bytes(1024, 2));
        v.Device.Hold.Set();
        Assert.ThrowsExactly<AggregateException>(() => pass.Wait(WritingVolume.Patience));
        byte[] expected = Bytes(4096, 1);
        Bytes(1024, 2).CopyTo(expected, 1024);
        CollectionAssert.AreEqual(expected, v.Buffered(Area, 4096));
        fails = false;
        v.Buffer.WriteOut();
        CollectionAssert.AreEqual(expected, v.OnMedium(Area, 4096));
    }

    [TestMethod]
    public void FlushNeverSucceedsAfterAFailure()
    {
        // Whoever builds a header on a successful flush must not be told "all is well" after a write was refused.
        using var v = new WritingVolume();
        v.Buffer.Write(Area, Bytes(1024, 1));
        v.Device.FailsFlush = () => true;
        Assert.ThrowsExactly<Hammer2Exception>(v.Buffer.Flush);
        v.Device.FailsFlush = () => false;
        Hammer2Exception e = Assert.ThrowsExactly<Hammer2Exception>(v.Buffer.Flush);
        StringAssert.Contains(e.Message, "crafted failure of a flush", StringComparison.Ordinal);
    }

    [TestMethod]
    public void FailureInTheBackgroundIsThrownByTheNextFlush()
    {
        using var v = new WritingVolume(bufferBytes: 2 << 20, background: true);
        v.Device.FailsWrite = _ => true;
        for (int i = 0; i < 16; i++)
            v.Buffer.Write(Area + 2L * i * Block, Bytes(1024, i));
        Assert.IsTrue(SpinWait.SpinUntil(() => v.Buffer.Failure is not null, WritingVolume.Patience), "half of the budget is used: somebody writes out");
        v.Device.FailsWrite = _ => false;
        Assert.ThrowsExactly<Hammer2Exception>(v.Buffer.Flush);
        for (int i = 0; i < 16; i++)
            CollectionAssert.AreEqual(Bytes(1024, i), v.Buffered(Area + 2L * i * Block, 1024));
    }

    [TestMethod]
    public void UsedUpBudgetIsWrittenOutByTheWriterAndMemoryNeverGrows()
    {
        const long budget = 2 << 20;
        using var v = new WritingVolume(bufferBytes: budget);
        for (int i = 0; i < 500; i++)
        {
            v.Buffer.Write(Area + i * (long)Block, Bytes(1024, i));
            Assert.IsLessThanOrEqualTo(budget, v.Buffer.Statistics.PendingBytes);
        }

        Assert.IsNotEmpty(v.Device.Writes);
        for (int i = 0; i < 500; i++)
            CollectionAssert.AreEqual(Bytes(1024, i), v.Buffered(Area + i * (long)Block, 1024), $"block {i}");

        // When the device refuses, the writer hears it and the block is not taken; what was taken stays.
        v.Device.FailsWrite = _ => true;
        int taken = 0;
        Hammer2Exception? refused = null;
        while (refused is null && taken < 100)
        {
            try
            {
                v.Buffer.Write(Area + (600 + taken) * (long)Block, Bytes(1024, taken));
                taken++;
            }
            catch (Hammer2Exception e)
            {
                refused = e;
            }
        }

        Assert.IsNotNull(refused);
        Assert.IsLessThanOrEqualTo(budget, v.Buffer.Statistics.PendingBytes);
        for (int i = 0; i < taken; i++)
            CollectionAssert.AreEqual(Bytes(1024, i), v.Buffered(Area + (600 + i) * (long)Block, 1024));
    }

    [TestMethod]
    public void DirectWriteDropsPendingBytesThatItOverlaps()
    {
        // R9: what was pending must not land on top of it later.
        using var v = new WritingVolume();
        v.Buffer.Write(Area - 1024, Bytes(1024, 1));
        v.Buffer.Write(Area, Bytes(2048, 2));
        v.Buffer.Write(Area + Block + 4096, Bytes(4096, 3));
        v.Buffer.Write(Area + 2 * Block, Bytes(1024, 4));
        byte[] run = Bytes(2 * Block, 5);
        v.Buffer.WriteDirect(Area, run);
        CollectionAssert.AreEqual(run, v.OnMedium(Area, run.Length));
        CollectionAssert.AreEqual(run, v.Buffered(Area, run.Length));
        Assert.HasCount(1, v.Device.Writes);
        v.Device.Reset();
        v.Buffer.WriteOut();
        CollectionAssert.AreEqual(new[] { (Area - 1024, 1024), (Area + 2 * Block, 1024) }, v.Device.Writes);
    }

    [TestMethod]
    public void DirectWriteWaitsForOlderBytesOnTheirWay()
    {
        using var v = new WritingVolume();
        v.Device.Hold = new ManualResetEventSlim();
        v.Buffer.Write(Area, Bytes(2048, 1));
        Task pass = Task.Run(v.Buffer.WriteOut);
        Assert.IsTrue(v.Device.Entered.Wait(WritingVolume.Patience));
        byte[] block = Bytes(Block, 2);
        Task direct = Task.Run(() => v.Buffer.WriteDirect(Area, block));
        Assert.IsFalse(SpinWait.SpinUntil(() => v.Device.Arrived > 1, s_moment), "both are at the device at once");
        v.Device.Hold.Set();
        Assert.IsTrue(Task.WaitAll([pass, direct], WritingVolume.Patience));
        CollectionAssert.AreEqual(new[] { (Area, 2048), (Area, Block) }, v.Device.Writes);
        CollectionAssert.AreEqual(block, v.OnMedium(Area, Block));
    }

    [TestMethod]
    public void WriteOutLeavesTheRangeOfADirectWriteAlone()
    {
        using var v = new WritingVolume();
        v.Buffer.Write(Area, Bytes(2048, 1));
        v.Device.Hold = new ManualResetEventSlim();
        byte[] block = Bytes(Block, 2);
        Task direct = Task.Run(() => v.Buffer.WriteDirect(Area, block));
        Assert.IsTrue(v.Device.Entered.Wait(WritingVolume.Patience));
        Task pass = Task.Run(v.Buffer.WriteOut);
        Assert.IsFalse(SpinWait.SpinUntil(() => v.Device.Arrived > 1, s_moment), "both are at the device at once");
        v.Device.Hold.Set();
        Assert.IsTrue(Task.WaitAll([pass, direct], WritingVolume.Patience));
        CollectionAssert.AreEqual(new[] { (Area, Block) }, v.Device.Writes);
        CollectionAssert.AreEqual(block, v.OnMedium(Area, Block));
    }

    [TestMethod]
    public void FailedDirectWriteKeepsWhatWasPending()
    {
        using var v = new WritingVolume();
        v.Buffer.Write(Area, Bytes(2048, 1));
        v.Device.FailsWrite = _ => true;
        Assert.ThrowsExactly<Hammer2Exception>(() => v.Buffer.WriteDirect(Area, Bytes(Block, 2)));
        Assert.IsNotNull(v.Buffer.Failure);
        v.Device.FailsWrite = _ => false;
        CollectionAssert.AreEqual(Bytes(2048, 1), v.Buffered(Area, 2048));
        v.Buffer.WriteOut();
        CollectionAssert.AreEqual(Bytes(2048, 1), v.OnMedium(Area, 2048));
    }

    [TestMethod]
    public void DroppedBytesDoNotReachTheDevice()
    {
        using var v = new WritingVolume();
        v.Buffer.Write(Area, Bytes(4096, 1));
        v.Buffer.Write(Area + Block, Bytes(1024, 2));
        v.Buffer.Drop(Area + 1024, 2048);
        v.Buffer.Drop(Area + Block, 1024);
        v.Buffer.WriteOut();
        CollectionAssert.AreEqual(new[] { (Area, 1024), (Area + 3072, 1024) }, v.Device.Writes);
        Assert.AreEqual(0L, v.Buffer.Statistics.PendingBytes);
    }

    [TestMethod]
    public void PendingLookUpsReadOnlyTheGaps()
    {
        using var v = new WritingVolume();
        v.Buffer.Write(Area, Bytes(2 * Block, 1));
        v.Device.Reset();
        _ = v.Buffered(Area + 5000, Block);
        Assert.AreEqual(0, v.Device.Reads, "all of it is pending");
        _ = v.Buffered(Area - Block, 4 * Block);
        Assert.AreEqual(2, v.Device.Reads, "one gap before and one behind");
    }

    [TestMethod]
    public void BufferedTrafficAllocatesNothing()
    {
        using var v = new WritingVolume(bufferBytes: 2 << 20);
        byte[] block = Bytes(4096, 1);
        byte[] read = new byte[4096];
        void Round()
        {
            for (int i = 0; i < 100; i++)
            {
                v.Buffer.Write(Area + i * 4096L, block);
                v.Buffer.Read(Area + i * 4096L, read);
            }

            v.Buffer.WriteOut();
        }

        for (int i = 0; i < 3; i++)
            Round();

        // The probe's list of writes may grow once.
        Assert.IsLessThan(1000L, Allocations.Least(Round, enough: 999));
    }
}
