// Life cycle, concurrency and failures on a read-only volume: section J.7 as far as it applies.
// Runs on every system: a simulated driver stands in for the real one.

using DokanNet;
using Hammer2.Dokan.Opens;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.SimulatedDriver;
using FileAccess = DokanNet.FileAccess;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class LifeCycleTests
{
    private const FileAccess RA = FileAccess.ReadAttributes;
    private const FileAccess RD = FileAccess.ReadData | FileAccess.Synchronize;
    private const FileAccess GR = Win32Client.GenericRead;
    private const string Large = "\\large\\heron.dat";
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(30);

    [TestMethod]
    public void R01_ALateCloseOfAnOldOpenLeavesTheNewOneAlone()
    {
        using DokanVolume volume = DokanVolume.Mount("small-mixed");
        SimulatedHandle old = volume.MustOpen("\\hard\\one", GR);
        volume.Driver.MapSection(old);
        volume.Driver.CloseHandle(old);
        SimulatedHandle fresh = volume.MustOpen("\\hard\\one", GR);
        Assert.AreNotEqual(old.Context, fresh.Context);
        volume.Driver.UnmapSection(old);
        Assert.AreEqual(1, volume.Adapter.OpenCount);
        Assert.AreEqual(NtStatus.Success, volume.Driver.Read(fresh, 0, new byte[10], out _));
        volume.Driver.CloseHandle(fresh);
    }

    [TestMethod]
    public void R02_CloseFileWaitsForAReadInFlight()
    {
        using DokanVolume volume = DokanVolume.Mount("small-mixed", volume: new VolumeOptions { ReadAheadBlocksMax = 0 });
        SimulatedHandle handle = volume.MustOpen(Large, GR);
        using var reading = new ManualResetEventSlim();
        using var goOn = new ManualResetEventSlim();
        volume.Devices[0].BeforeRead(() =>
        {
            reading.Set();
            Assert.IsTrue(goOn.Wait(s_deadline));
        });
        var buffer = new byte[1 << 20];
        Task<(NtStatus, int)> read = Task.Run(() => (volume.Driver.Read(handle, 0, buffer, out int got), got));
        Assert.IsTrue(reading.Wait(s_deadline), "the read did not reach the device");
        volume.Driver.CloseHandle(handle);
        Assert.AreEqual(1, volume.Adapter.OpenCount, "CloseFile came while a read was running");
        volume.Devices[0].BeforeRead(null);
        goOn.Set();
        Assert.IsTrue(read.Wait(s_deadline));
        Assert.AreEqual((NtStatus.Success, 1 << 20), read.Result);
        Assert.AreEqual(0, volume.Adapter.OpenCount);
    }

    [TestMethod]
    public void R03_AnAbandonedOpenIsReleasedAtTheEnd()
    {
        using DokanVolume volume = DokanVolume.Mount("small-mixed");
        OpenOutcome outcome = volume.Driver.Open(new OpenRequest("\\hard\\one", CreateDisposition.Open, GR) { Abandon = true });
        Assert.IsNull(outcome.Handle);
        Assert.AreEqual(1, volume.Adapter.OpenCount, "the table shows the orphan");
        volume.Unmount();
        Assert.AreEqual(0, volume.Adapter.OpenCount);
        Assert.AreEqual(0, volume.Pfs.OpenInodes);
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void R04_UnmountWithOpenHandlesReleasesThemAndNamesThem(int threads)
    {
        using DokanVolume volume = DokanVolume.Mount("small-mixed", new SimulatorOptions { Threads = threads });
        volume.MustOpen("\\hard\\one", GR);
        volume.MustOpen("\\many", RD, directory: true);
        volume.Unmount();
        Assert.AreEqual(0, volume.Adapter.OpenCount);
        Assert.IsTrue(volume.Log.Lines.Any(line => line.Contains("\\hard\\one was still open", StringComparison.Ordinal)));
        volume.Unmount();
        Assert.IsFalse(volume.Driver.Calls.ContainsKey("Cleanup"));
    }

    [TestMethod]
    public void R05_UnmountWaitsForCallbacksAndRefusesNewOnes()
    {
        using DokanVolume volume = DokanVolume.Mount("small-mixed", volume: new VolumeOptions { ReadAheadBlocksMax = 0 });
        SimulatedHandle handle = volume.MustOpen(Large, GR);
        Assert.IsFalse(AdapterRefuses(volume), "and what it opens is cached from now on");
        using var reading = new ManualResetEventSlim();
        using var goOn = new ManualResetEventSlim();
        volume.Devices[0].BeforeRead(() =>
        {
            reading.Set();
            Assert.IsTrue(goOn.Wait(s_deadline));
        });
        Task<NtStatus> read = Task.Run(() => volume.Driver.Read(handle, 0, new byte[65536], out _));
        Assert.IsTrue(reading.Wait(s_deadline));
        Task unmount = Task.Run(volume.Unmount);
        SpinWait.SpinUntil(() => AdapterRefuses(volume), s_deadline);
        Assert.IsTrue(AdapterRefuses(volume), "new work is refused while unmounting");
        Assert.IsFalse(unmount.IsCompleted, "Unmounted waits for the read");
        Assert.AreEqual(1, volume.Adapter.OpenCount);
        volume.Devices[0].BeforeRead(null);
        goOn.Set();
        Assert.IsTrue(Task.WaitAll([read, unmount], s_deadline));
        Assert.AreEqual(NtStatus.Success, read.Result);
    }

    /// <summary>Asks the adapter past the driver, which would refuse by itself.</summary>
    private static bool AdapterRefuses(DokanVolume volume)
    {
        RawFileInfo raw = default;
        ref DokanFileInfo info = ref RawFileInfo.AsInfo(ref raw);
        using GuardedMemory name = GuardedMemory.OfText("\\hard\\two", volume.Driver.Faults);
        NtStatus status = volume.Adapter.CreateFile(name.Text, RA, FileShare.Read, FileMode.Open, 0, 0, ref info);
        if (status == NtStatus.Success)
            volume.Adapter.CloseFile(name.Text, ref info);
        info.Context = null;
        return status == NtStatus.NoSuchDevice;
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void R06_ARemovedDeviceIsAnIoErrorEverywhereAndUnmountEnds(int threads)
    {
        using DokanVolume volume = DokanVolume.Mount("small-mixed", new SimulatorOptions { Threads = threads, BypassWriteProtection = true });
        SimulatedHandle file = volume.MustOpen(Large, GR);
        SimulatedHandle directory = volume.MustOpen("\\many", RD, directory: true);
        volume.Devices[0].Remove();
        Assert.AreEqual(Statuses.IoDeviceError, volume.Driver.Read(file, 0, new byte[65536], out _));
        Assert.AreEqual(Statuses.IoDeviceError, volume.Driver.QueryDirectory(directory, "*", true, 10, out _));
        Assert.AreEqual(Statuses.IoDeviceError, volume.Try("\\deep\\amber1\\birch2", CreateDisposition.Open, RA));
        Assert.AreEqual(NtStatus.Success, volume.Driver.QueryInformation(file, out ByHandleFileInformation information), "attributes need no device");
        Assert.IsGreaterThan(0L, information.Length);
        Assert.AreEqual("NTFS", volume.Driver.QueryVolume().FileSystem);
        volume.Unmount();
    }

    [TestMethod]
    public void R06_ADeviceThatFailsAtAnyReadOfAListingFailsTheListing()
    {
        // The directory is larger than the smallest cache, so the listing reads again what the index has read before.
        using DokanVolume volume = DokanVolume.Mount(
            "bigdir", volume: new VolumeOptions { CacheBytesMax = 1, ReadAheadBlocksMax = 0 });
        string path = "\\" + volume.Client.Names("\\")[0];
        int whole = volume.Client.Names(path).Count;
        int failures = 0;
        for (int good = 0; ; good = (good * 3 / 2) + 1)
        {
            SimulatedHandle directory = volume.MustOpen(path, RD, directory: true);
            int left = good;
            volume.Devices[0].BeforeRead(() =>
            {
                if (Interlocked.Decrement(ref left) < 0)
                    throw new Hammer2Exception(Hammer2Error.Io, "the device fails now and then");
            });
            NtStatus status = volume.Driver.List(directory, "*", out List<FindFileInformation> entries);
            volume.Devices[0].BeforeRead(null);
            volume.Driver.CloseHandle(directory);
            if (status == NtStatus.Success)
            {
                Assert.HasCount(whole + 2, entries, $"after {good} good reads a listing was cut short");
                break;
            }

            Assert.AreEqual(Statuses.IoDeviceError, status, $"after {good} good reads");
            failures++;
        }

        Assert.IsGreaterThan(3, failures, "the device must have failed somewhere");
    }

    [TestMethod]
    public void R08_ASlowReadAsksForMoreTime()
    {
        if (!SimulatedDriver.SimulatedDriver.SeesTimeoutResets)
            Assert.Inconclusive("this build uses the package DokanNet, whose requests for time go to the driver");
        var clock = new ManualClock();
        using DokanVolume volume = DokanVolume.Mount(
            "small-mixed", options: new Hammer2.Dokan.DokanMountOptions { Clock = clock }, volume: new VolumeOptions { ReadAheadBlocksMax = 0 });
        volume.Devices[0].BeforeRead(() => clock.Advance(TimeSpan.FromSeconds(5)));
        SimulatedHandle handle = volume.MustOpen(Large, GR);
        int before = volume.Driver.TimeoutResets;
        TimeSpan started = clock.GetElapsedTime(0);
        Assert.AreEqual(NtStatus.Success, volume.Driver.Read(handle, 0, new byte[3 << 20], out _));
        TimeSpan took = clock.GetElapsedTime(0) - started;
        Assert.IsGreaterThan(TimeSpan.FromSeconds(120), took, "the read must be slower than the limit for this test to mean anything");
        Assert.IsGreaterThanOrEqualTo((int)(took.TotalSeconds / 60), volume.Driver.TimeoutResets - before);
        volume.Driver.CloseHandle(handle);
        volume.Devices[0].BeforeRead(null);
    }

    [TestMethod]
    public void R13_AnotherLetterThanAskedIsReported()
    {
        using DokanVolume volume = DokanVolume.Mount("small-mixed");
        Assert.AreEqual("M:\\", volume.Adapter.MountPoint);
        Assert.IsTrue(volume.Log.Lines.Any(line => line.Contains("mounted at M:\\", StringComparison.Ordinal)));
    }

    [TestMethod]
    public void TheGateCountsAndCloses()
    {
        using var gate = new OperationGate();
        Assert.IsTrue(gate.TryEnter());
        Assert.IsTrue(gate.TryEnter());
        gate.Exit();
        Assert.IsFalse(gate.Close(TimeSpan.FromMilliseconds(1)), "somebody is inside");
        Assert.IsFalse(gate.TryEnter());
        gate.Exit();
        Assert.IsTrue(gate.Close(s_deadline));
        Assert.IsTrue(gate.IsClosed);
    }

    [TestMethod]
    public void NobodyIsInsideAClosedGate()
    {
        for (int round = 0; round < 50; round++)
        {
            using var gate = new OperationGate();
            using var begun = new CountdownEvent(4);
            int inside = 0;
            Task[] tasks = [.. Enumerable.Range(0, 4).Select(_ => Task.Factory.StartNew(
                () =>
                {
                    for (bool first = true; gate.TryEnter(); first = false)
                    {
                        Interlocked.Increment(ref inside);
                        if (first)
                            begun.Signal();
                        Interlocked.Decrement(ref inside);
                        gate.Exit();
                    }
                },
                TaskCreationOptions.LongRunning))];
            Assert.IsTrue(begun.Wait(s_deadline));
            Assert.IsTrue(gate.Close(s_deadline), "the last one to leave does not say so");
            Assert.AreEqual(0, Volatile.Read(ref inside), "somebody is inside");
            Assert.IsTrue(Task.WaitAll(tasks, s_deadline));
        }
    }

    [TestMethod]
    public void TheNameIndexesStayWithinTheirBudget()
    {
        using DokanVolume volume = DokanVolume.Mount("small-mixed", options: new Hammer2.Dokan.DokanMountOptions { NameIndexBytesMax = 20_000 });
        for (int round = 0; round < 3; round++)
        {
            foreach (string directory in new[] { "\\many", "\\sizes", "\\modes", "\\links", "\\times", "\\hard", "\\owners" })
            {
                foreach (string name in volume.Client.Names(directory).Take(3))
                    Assert.AreEqual(0, volume.Client.GetFileAttributes($"{directory}\\{name}", out _), name);
            }
        }

        Assert.IsLessThanOrEqualTo(20_000L, volume.Adapter.Indexes.BytesUsed);
        Assert.IsLessThan(8, volume.Adapter.Indexes.Count);
        using DokanVolume roomy = DokanVolume.Mount("small-mixed");
        roomy.Client.Names("\\many");
        Assert.IsGreaterThan(0L, roomy.Adapter.Indexes.BytesUsed);
    }

    [TestMethod]
    public void ManyThreadsBuildOneIndexAndAgree()
    {
        using DokanVolume volume = DokanVolume.Mount("bigdir", new SimulatorOptions { Threads = 8, Seed = 7 });
        List<string> names = volume.Client.Names("\\" + volume.Client.Names("\\")[0]);
        Assert.IsGreaterThan(10_000, names.Count);
        string directory = "\\" + volume.Client.Names("\\")[0];
        Parallel.For(0, 400, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i =>
        {
            string name = names[i * 37 % names.Count];
            Assert.AreEqual(0, volume.Client.GetFileAttributes($"\\\\?{directory}\\{name.ToUpperInvariant()}", out _), name);
        });
    }
}
