// Data and size on a writable volume: section J.2. Each with one pulling thread and with four; at the end of each the
// medium is checked and compared (DokanVolume).

using System.Buffers.Binary;
using DokanNet;
using Hammer2.Tests.Hostile;
using Hammer2.Tests.SimulatedDriver;
using static Hammer2.Tests.SimulatedDriver.CreateDisposition;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class WriteTests
{
    private const DokanNet.FileAccess Both = AllRead | AllWrite;

    private static byte[] Read(DokanVolume v, SimulatedHandle handle, long offset, int count, bool paging = false)
    {
        var buffer = new byte[count];
        NtStatus status = v.Driver.Read(handle, offset, buffer, out int read, paging);
        Assert.IsTrue(status is NtStatus.Success or NtStatus.EndOfFile, $"{(long)status:X8}");
        return buffer[..read];
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void W01_W02_W03_WritingReadingAndGaps(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        SimulatedHandle handle = v.Ok(@"\a", Create, Both);
        byte[] ten = DokanVolume.Noise(10, 1);
        v.W(handle, 0, ten);
        Assert.AreEqual(10L, v.I(handle).Length);
        CollectionAssert.AreEqual(ten, Read(v, handle, 0, 100));
        Assert.AreEqual(NtStatus.EndOfFile, v.Driver.Read(handle, 10, new byte[1], out _));
        Assert.AreEqual(NtStatus.EndOfFile, v.Driver.Read(handle, 1000, new byte[1], out _));
        v.Close(handle);
        handle = v.Ok(@"\gap", Create, Both);
        v.W(handle, 1_000_000, "x"u8);
        Assert.AreEqual(1_000_001L, v.I(handle).Length);
        Assert.IsFalse(Read(v, handle, 0, 1_000_000).AsSpan().ContainsAnyExcept((byte)0), "W03");
        v.Close(handle);
        v.Twice(v =>
        {
            CollectionAssert.AreEqual(ten, v.Client.ReadAll(@"\a"));
            Assert.AreEqual((byte)'x', v.Client.ReadAll(@"\gap")[1_000_000]);
        });
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(8)]
    public void W04_RecordsAppendedByEightThreadsStayWhole(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads, seed: 4);
        v.Put(@"\a", new byte[10]);
        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 8 }, writer =>
        {
            SimulatedHandle handle = v.Ok(@"\a", Open, CanAppend | Waits);
            byte[] record = new byte[5];
            for (int i = 0; i < 100; i++)
            {
                record.AsSpan().Fill((byte)(writer + 1));
                BinaryPrimitives.WriteUInt16LittleEndian(record.AsSpan(1), (ushort)i);
                Assert.AreEqual(NtStatus.Success, v.Driver.Append(handle, record, out int written));
                Assert.AreEqual(5, written);
            }

            v.Close(handle);
        });
        v.Twice(static v =>
        {
            byte[] all = v.Client.ReadAll(@"\a");
            Assert.HasCount(10 + 4000, all);
            var next = new int[9];
            for (int at = 10; at < all.Length; at += 5)
            {
                Assert.IsTrue(all[at] is >= 1 and <= 8 && all[at + 3] == all[at] && all[at + 4] == all[at], $"torn at {at}");
                Assert.AreEqual(next[all[at]]++, BinaryPrimitives.ReadUInt16LittleEndian(all.AsSpan(at + 1)), "records of one writer stay in order");
            }
        });
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void W05_W06_W07_PagingWritesNeverGrow(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        SimulatedHandle handle = v.Ok(@"\a", Create, Both);
        v.W(handle, 0, new byte[10]);
        DateTime? before = v.I(handle).LastWriteTime;
        byte[] page = DokanVolume.Noise(4096, 5);
        SpinWait.SpinUntil(() => DateTime.UtcNow - before > TimeSpan.FromMilliseconds(1));
        Assert.AreEqual(NtStatus.Success, v.Driver.Write(handle, 0, page, out int written, paging: true));
        Assert.AreEqual((10, 10L), (written, v.I(handle).Length));
        Assert.IsGreaterThan(before!.Value, v.I(handle).LastWriteTime!.Value, "W05: the last write is now");
        Assert.AreEqual(NtStatus.Success, v.Driver.Write(handle, 4096, page, out written, paging: true));
        Assert.AreEqual((0, 10L), (written, v.I(handle).Length), "W06");

        Assert.AreEqual(NtStatus.Success, v.Driver.SetEndOfFile(handle, 10_000));
        v.Driver.MapSection(handle);
        v.Driver.Cleanup(handle);
        Assert.AreEqual(NtStatus.Success, v.Driver.Write(handle, 8192, page, out written, paging: true));
        Assert.AreEqual(1808, written, "W07");
        byte[] all = Read(v, handle, 0, 12288, paging: true);
        Assert.HasCount(10_000, all);
        Assert.IsTrue(all.AsSpan(8192).SequenceEqual(page.AsSpan(0, 1808)));
        v.Driver.Release(handle);
        v.Driver.UnmapSection(handle);
        v.Twice(v => CollectionAssert.AreEqual(all, v.Client.ReadAll(@"\a")));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void W08_W09_Sizes(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        SimulatedHandle handle = v.Ok(@"\a", Create, Both);
        byte[] hundred = DokanVolume.Noise(100, 8);
        v.W(handle, 0, hundred);
        Assert.AreEqual(NtStatus.Success, v.Driver.SetEndOfFile(handle, 50));
        Assert.AreEqual(NtStatus.Success, v.Driver.SetEndOfFile(handle, 200));
        byte[] expected = [.. hundred[..50], .. new byte[150]];
        CollectionAssert.AreEqual(expected, Read(v, handle, 0, 200));
        Assert.AreEqual(NtStatus.Success, v.Driver.SetAllocationSize(handle, 4096));
        Assert.AreEqual(200L, v.I(handle).Length, "W09: a hint does not grow the file");
        v.Close(handle);
        v.Twice(v => CollectionAssert.AreEqual(expected, v.Client.ReadAll(@"\a")));
        handle = v.Ok(@"\a", Open, Both);
        Assert.AreEqual(NtStatus.Success, v.Driver.SetAllocationSize(handle, 0));
        Assert.AreEqual(0L, v.I(handle).Length);
        Assert.AreEqual(NtStatus.Success, v.Driver.SetEndOfFile(handle, 1 << 20));
        Assert.AreEqual(NtStatus.DiskFull, v.Driver.SetEndOfFile(handle, 1L << 50), "what cannot fit is said early");
        Assert.AreEqual(NtStatus.DiskFull, v.Driver.SetAllocationSize(handle, 1L << 50));
        Assert.AreEqual((long)(1 << 20), v.I(handle).Length);
        v.Close(handle);
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void W10_AWriteAndACutAtOnce(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads, seed: 10);
        byte[] data = DokanVolume.Noise(1 << 20, 10);
        SimulatedHandle one = v.Ok(@"\a", Create, Both);
        SimulatedHandle two = v.Ok(@"\a", Open, Both);
        for (int round = 0; round < 20; round++)
        {
            Parallel.Invoke(
                () => v.W(one, 0, data),
                () => Assert.AreEqual(NtStatus.Success, v.Driver.SetEndOfFile(two, 0)));
            long size = v.I(one).Length;
            Assert.IsTrue(size is 0 or 1 << 20, $"size {size}");
            byte[] all = Read(v, two, 0, 2 << 20);
            Assert.IsTrue(all.AsSpan().SequenceEqual(data.AsSpan(0, (int)size)));
        }

        v.Close(one, two);
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void C30_W11_W12_AFullVolume(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads, bytes: DokanVolume.SmallBytes);
        byte[] chunk = DokanVolume.Noise(64 << 10, 11);
        v.Put(@"\early", chunk);
        v.Put(@"\spare", DokanVolume.Noise(4 << 20, 12));
        SimulatedHandle big = v.Ok(@"\big", Create, Both);
        long size = 0;
        NtStatus status;
        while ((status = v.Driver.Write(big, size, chunk, out _)) == NtStatus.Success)
        {
            size += chunk.Length;
            BinaryPrimitives.WriteInt64LittleEndian(chunk, size);
        }

        Assert.AreEqual(NtStatus.DiskFull, status, "W11");
        Assert.AreEqual(size, v.I(big).Length);
        NtStatus over = v.Driver.Write(big, 0, chunk, out _);
        Assert.IsTrue(over is NtStatus.Success or NtStatus.DiskFull, "W12");
        int made = 0;
        while ((status = v.C($@"\n{made}", Create, AllWrite) is { Handle: { } handle } outcome ? Closed(v, handle, outcome.Status) : NtStatus.DiskFull) == NtStatus.Success)
            Assert.IsLessThan(200_000, ++made);
        Assert.AreEqual(NtStatus.DiskFull, v.C(@"\one more", Create, AllWrite).Status, "C30");
        Assert.IsFalse(v.Exists(@"\one more"));
        Assert.AreEqual(NtStatus.DiskFull, v.C(@"\dir", Create, CanRead, directory: true).Status);
        v.Driver.QuerySpace();
        Assert.AreEqual(0, v.Client.DeleteFile(@"\spare"));
        Assert.AreEqual(NtStatus.Success, v.Driver.Write(big, size, chunk, out _), "W11: after a deletion there is room");
        v.Close(big);
        v.Twice(v =>
        {
            Assert.HasCount(64 << 10, v.Client.ReadAll(@"\early"));
            Assert.AreEqual(size + chunk.Length, v.I(@"\big").Length);
        });
    }

    private static NtStatus Closed(DokanVolume v, SimulatedHandle handle, NtStatus status)
    {
        v.Close(handle);
        return status;
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void W17_W22_W23_OddHandlesAndBuffers(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.MakeDirectory(@"\d");
        SimulatedHandle directory = v.Ok(@"\d", Open, ToList | CanWrite, directory: true);
        Assert.AreEqual(NtStatus.Success, v.Driver.Flush(directory), "W17");
        v.Close(directory);
        byte[] data = DokanVolume.Noise(9000, 23);
        byte[] program = [.. data];
        SimulatedHandle handle = v.Ok(@"\a", Create, AllWrite);
        v.W(handle, 0, program);
        program.AsSpan().Fill(0xEE);
        v.Close(handle);
        SimulatedHandle image = v.Ok(@"\a", Open, AllExecute);
        CollectionAssert.AreEqual(data[..4096], Read(v, image, 0, 4096, paging: true), "W22");
        v.Close(image);
        v.Twice(v => CollectionAssert.AreEqual(data, v.Client.ReadAll(@"\a"), "W23: the driver poisons its buffer after each callback"));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void W19_W20_RandomWritesOfTwoHandlesAgainstAModel(int threads)
    {
        int seed = HammerSeed.Get();
        var random = new Random(seed);
        using DokanVolume v = DokanVolume.New(threads, seed);
        SimulatedHandle[] handles = [v.Ok(@"\a", Create, Both), v.Ok(@"\a", Open, Both)];
        byte[] model = [];
        for (int round = 0; round < 12; round++)
        {
            // Between two barriers the writes of the four threads lie in different quarters, so that their order is free.
            int size = random.Next(1, 1 << random.Next(1, 22));
            Assert.AreEqual(NtStatus.Success, v.Driver.SetEndOfFile(handles[round % 2], size), $"seed {seed}");
            Array.Resize(ref model, size);
            int[] seeds = [.. Enumerable.Range(0, 4).Select(_ => random.Next())];
            byte[] shared = model;
            Parallel.For(0, 4, worker =>
            {
                var own = new Random(seeds[worker]);
                int first = (int)((long)size * worker / 4);
                int end = (int)((long)size * (worker + 1) / 4);
                for (int i = 0; i < 6 && first < end; i++)
                {
                    int at = own.Next(first, end);
                    byte[] bytes = DokanVolume.Noise(own.Next(1, end - at + 1), own.Next());
                    bool paging = own.Next(3) == 0;
                    Assert.AreEqual(NtStatus.Success, v.Driver.Write(handles[own.Next(2)], at, bytes, out int written, paging), $"seed {seed}");
                    Assert.AreEqual(bytes.Length, written, $"seed {seed}");
                    bytes.CopyTo(shared, at);
                    Assert.IsTrue(Read(v, handles[own.Next(2)], at, bytes.Length, own.Next(2) == 0).AsSpan().SequenceEqual(bytes), $"seed {seed}");
                }
            });
            if (random.Next(3) == 0)
            {
                byte[] tail = DokanVolume.Noise(random.Next(1, 5000), random.Next());
                Assert.AreEqual(NtStatus.Success, v.Driver.Append(handles[0], tail, out _));
                model = [.. model, .. tail];
            }

            Assert.AreEqual(model.Length, v.I(handles[1]).Length, $"seed {seed}");
            Assert.IsTrue(Read(v, handles[1], 0, model.Length + 100).AsSpan().SequenceEqual(model), $"seed {seed}");
        }

        v.Close(handles);
        v.Twice(v => CollectionAssert.AreEqual(model, v.Client.ReadAll(@"\a", piece: 3 << 20)));
        CollectionAssert.AreEqual(model, v.Client.ReadAll(@"\a", piece: 4099));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void MappedViewsAndPlainHandlesSeeEachOther(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        SimulatedHandle handle = v.Ok(@"\a", Create, Both);
        byte[] model = DokanVolume.Noise(100_000, 1);
        v.W(handle, 0, model);
        Assert.AreEqual(NtStatus.Success, v.Driver.Map(handle, out MappedView? view, writable: true));
        CollectionAssert.AreEqual(model, v.Driver.Load(view!, 0, model.Length));
        byte[] patch = DokanVolume.Noise(20_000, 2);
        v.Driver.Store(view!, 5000, patch);
        patch.CopyTo(model, 5000);
        CollectionAssert.AreEqual(model, Read(v, handle, 0, 200_000), "a plain read writes the pages back first");
        v.W(handle, 7000, "plain"u8);
        "plain"u8.CopyTo(model.AsSpan(7000));
        CollectionAssert.AreEqual(model, v.Driver.Load(view!, 0, model.Length), "a plain write drops the pages");
        Assert.AreEqual(Statuses.UserMappedFile, v.Driver.SetEndOfFile(handle, 10), "cutting a mapped file is the driver's to refuse");
        v.Driver.Store(view!, 99_990, "0123456789"u8);
        "0123456789"u8.CopyTo(model.AsSpan(99_990));
        v.Close(handle);
        v.Driver.Store(view!, 0, "after Cleanup"u8);
        "after Cleanup"u8.CopyTo(model.AsSpan(0));
        v.Driver.Unmap(view!);
        v.Twice(v => CollectionAssert.AreEqual(model, v.Client.ReadAll(@"\a")));
    }
}
