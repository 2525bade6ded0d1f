// Life cycle and failures on a writable volume: section J.7 as far as it changes something. What was answered before the
// volume went must be on the medium, whatever was open or running then.

using DokanNet;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.SimulatedDriver;
using static Hammer2.Tests.SimulatedDriver.CreateDisposition;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class LifeCycleWritingTests
{
    private const DokanNet.FileAccess Both = AllRead | AllWrite;
    private const int WritesMax = 50_000;
    private static readonly byte[] s_data = DokanVolume.Noise(200_000, 9);
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(30);

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void R01_R02_LateClosesOfAFileThatIsWritten(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads, keepsBlocks: true);
        SimulatedHandle old = v.Ok(@"\a", Create, Both);
        v.W(old, 0, s_data);
        Assert.AreEqual(NtStatus.Success, v.Driver.Map(old, out MappedView? view, writable: true));
        v.Driver.Store(view!, 100, "late"u8);
        v.Close(old);
        SimulatedHandle fresh = v.Ok(@"\A", Open, Both);
        Assert.AreNotEqual(old.Context, fresh.Context);
        Assert.AreEqual(@"\a", fresh.Block.Name);
        v.Driver.Store(view!, 200, "later"u8);
        var buffer = new byte[300];
        v.Driver.Read(fresh, 0, buffer, out _);
        Assert.IsTrue(buffer.AsSpan(100).StartsWith("late"u8) && buffer.AsSpan(200).StartsWith("later"u8));
        v.Driver.Unmap(view!);
        Assert.AreEqual(1, v.Adapter.OpenCount);
        Task[] writers = [.. Enumerable.Range(0, 8).Select(i => Task.Run(() => v.W(fresh, i << 20, s_data)))];
        Task.WaitAll(writers, s_deadline);
        v.Close(fresh);
        Assert.AreEqual(0, v.Adapter.OpenCount);
        v.Put(@"\A2", []);
        Assert.AreEqual(0, v.Client.DeleteFile(@"\A"));
        v.Put(@"\A", []);
        Assert.IsTrue(v.Exists(@"\a"), "the driver's block is used again, old spelling and all");
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void R03_AnAbandonedCreationIsReleasedAtTheEnd(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        OpenOutcome outcome = v.Driver.Open(new OpenRequest(@"\a", Create, AllWrite) { Share = ShareNone, Abandon = true });
        Assert.AreEqual((Statuses.InsufficientResources, 1), (outcome.Status, v.Adapter.OpenCount));
        Assert.IsTrue(v.Exists(@"\a"), "its effect happens all the same");
        v.Close(v.Ok(@"\a", Open, Both | CanDelete, ShareNone));
        v.Unmount();
        Assert.AreEqual(0, v.Adapter.OpenCount);
        Assert.AreEqual(0, v.Pfs.OpenInodes);
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void R04_UnmountWithOpenHandlesKeepsTheData(int threads)
    {
        MemoryBlockDevice memory = DokanVolume.Fresh();
        using (DokanVolume v = DokanVolume.OnDevice(memory, threads))
        {
            SimulatedHandle file = v.Ok(@"\a", Create, Both);
            v.W(file, 0, s_data);
            v.Put(@"\marked", s_data);
            SimulatedHandle marked = v.Ok(@"\marked", Open, ToDelete);
            Assert.AreEqual(NtStatus.Success, v.Driver.SetDisposition(marked, delete: true));
            v.Ok(@"\temp", Create, AllWrite | CanDelete, options: FileOptions.DeleteOnClose);
            v.MakeDirectory(@"\gone");
            v.Put(@"\unlinked", s_data);
            SimulatedHandle mapped = v.Ok(@"\unlinked", Open, Both | CanDelete);
            Assert.AreEqual(NtStatus.Success, v.Driver.Map(mapped, out _));
            Assert.AreEqual(NtStatus.Success, v.Driver.SetDisposition(mapped, delete: true));
            v.Close(mapped);
            v.Unmount();
            v.Unmount();
            Assert.AreEqual(NtStatus.NoSuchDevice, v.Driver.Write(file, 0, s_data, out _));
        }

        using DokanVolume again = DokanVolume.OnDevice(memory, threads);
        CollectionAssert.AreEqual(s_data, again.Client.ReadAll(@"\a"));
        CollectionAssert.AreEquivalent(List("a", "gone", "marked", "temp"), again.Client.Names(@"\"), "no Cleanup came: the entries stay");
    }

    [TestMethod]
    public void R05_UnmountWhileManyWrite()
    {
        MemoryBlockDevice memory = DokanVolume.Fresh();
        var written = new int[8];
        using (DokanVolume v = DokanVolume.OnDevice(memory, threads: 8))
        {
            SimulatedHandle[] handles = [.. Enumerable.Range(0, 8).Select(i => v.Ok($@"\{i}", Create, Both))];
            using var started = new CountdownEvent(8);
            Task<NtStatus>[] writers = [.. Enumerable.Range(0, 8).Select(i => Task.Factory.StartNew(
                () => WriteUntilRefused(v, handles[i], ref written[i], started), TaskCreationOptions.LongRunning))];
            Assert.IsTrue(started.Wait(s_deadline));
            v.Unmount();
            Assert.IsTrue(Task.WaitAll(writers, s_deadline));
            foreach (Task<NtStatus> writer in writers)
                Assert.IsTrue(writer.Result is NtStatus.NoSuchDevice, $"{(long)writer.Result:X8}");
        }

        using DokanVolume again = DokanVolume.OnDevice(memory);
        for (int i = 0; i < 8; i++)
            Assert.AreEqual(written[i] * 1000L, again.I($@"\{i}").Length, "everything that was answered is there");
    }

    private static NtStatus WriteUntilRefused(DokanVolume v, SimulatedHandle handle, ref int written, CountdownEvent started)
    {
        for (bool first = true; ; first = false)
        {
            NtStatus status = v.Driver.Write(handle, written * 1000L, s_data.AsSpan(0, 1000), out _);
            if (first)
                started.Signal();
            if (status != NtStatus.Success)
                return status;
            if (++written == WritesMax)
                return NtStatus.NoSuchDevice; // Enough on a machine where the others come late.
        }
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void R06_ADeviceThatGoesWhileItIsWritten(int threads)
    {
        Hammer2.Torture.Devices.FaultDevice? device = null;
        using DokanVolume v = DokanVolume.New(threads, above: below => device = new Hammer2.Torture.Devices.FaultDevice(below));
        v.IsJudged = false;
        v.Put(@"\a", s_data);
        SimulatedHandle handle = v.Ok(@"\a", Open, Both | CanDelete);
        device!.Vanish(1);
        Assert.AreNotEqual(NtStatus.Success, v.Driver.Flush(handle));
        Assert.AreNotEqual(NtStatus.Success, v.Driver.Write(handle, 0, s_data, out _));
        Assert.AreNotEqual(NtStatus.Success, v.C(@"\b", Create, AllWrite).Status);
        Assert.AreNotEqual(NtStatus.Success, v.Driver.MoveFile(handle, @"\c", replace: false));
        v.I(handle);
        v.Driver.QuerySpace();
        v.Close(handle);
        v.Unmount();
        device.Heal();
    }

    [TestMethod]
    public void R08_ASlowListingAsksForMoreTime()
    {
        if (!SimulatedDriver.SimulatedDriver.SeesTimeoutResets)
            Assert.Inconclusive("this build uses the package DokanNet, whose requests for time go to the driver");
        var clock = new ManualClock();
        using DokanVolume v = DokanVolume.Mount(
            "bigdir", options: new Hammer2.Dokan.DokanMountOptions { Clock = clock },
            volume: new VolumeOptions { CacheBytesMax = 1, ReadAheadBlocksMax = 0 });
        string directory = @"\" + v.Client.Names(@"\")[0];
        int before = v.Driver.TimeoutResets;
        v.Devices[0].BeforeRead(() => clock.Advance(TimeSpan.FromSeconds(5)));
        v.Client.GetFileAttributes(directory + @"\no such name", out _);
        Assert.IsGreaterThan(before, v.Driver.TimeoutResets, "the index of the directory was built without asking for time");
        v.Devices[0].BeforeRead(null);
    }

    [TestMethod]
    public void R10_WritingInPlaceAllocatesNothing()
    {
        using DokanVolume v = DokanVolume.New();
        v.Put(@"\a", s_data);
        SimulatedHandle handle = v.Ok(@"\a", Open, Both);
        using var memory = new GuardedMemory(4096, v.Driver.Faults);
        using GuardedMemory name = GuardedMemory.OfText(@"\a", v.Driver.Faults);
        long allocated = Allocations.Least(() =>
        {
            for (int i = 0; i < 200; i++)
            {
                var raw = new RawFileInfo { Context = handle.Context };
                ref DokanFileInfo info = ref RawFileInfo.AsInfo(ref raw);
                if (v.Adapter.WriteFile(name.Text, memory.ReadOnlyBuffer, out int written, i % 40 * 4096, ref info) != NtStatus.Success || written != 4096)
                    Assert.Fail($"write {i}");
            }
        });
        Assert.AreEqual(0L, allocated, "bytes allocated by 200 writes");
        v.Close(handle);
    }

    [TestMethod]
    public void R11_AVolumeThatAnotherSystemChangedIsWrittenNoMore()
    {
        MemoryBlockDevice memory = DokanVolume.Fresh();
        using DokanVolume v = DokanVolume.OnDevice(memory);
        v.IsJudged = false;
        v.Put(@"\a", s_data);
        v.Volume.Sync();
        SimulatedHandle handle = v.Ok(@"\a", Open, Both);
        using (DokanVolume other = DokanVolume.OnDevice(memory))
            other.Put(@"\theirs", s_data);
        Assert.IsFalse(v.Volume.CheckMedium());
        NtStatus status = v.Driver.Write(handle, 0, s_data, out _);
        Assert.AreEqual((long)Statuses.MediaWriteProtected, (long)status);
        Assert.IsNotNull(v.Volume.Failure);
        Assert.AreNotEqual(NtStatus.Success, v.C(@"\b", Create, AllWrite).Status);
        v.Close(handle);
        v.Unmount();
        using DokanVolume theirs = DokanVolume.OnDevice(memory);
        Assert.IsTrue(theirs.Exists(@"\theirs"), "what the other system wrote is untouched");
    }

    [TestMethod]
    public void R12_AnUnknownVersionIsNotMounted()
    {
        MemoryBlockDevice memory = DokanVolume.Fresh();
        var header = new byte[65536];
        for (long at = 0; at < memory.Length; at += FormatLimits.VolumeHeaderSpacing)
        {
            memory.Read(at, header);
            Assert.AreEqual(2, header[0x30], "the version field of the header");
            header[0x30] = 77;
            memory.Write(at, header);
        }

        Hammer2Exception refused = Assert.ThrowsExactly<Hammer2Exception>(() => DokanVolume.OnDevice(memory));
        Assert.IsGreaterThan(10, refused.Message.Length);
    }
}
