// Power cuts, failing devices and exceptions below the adapter: W13 to W16, W21, M16, R06. What was promised to a program
// must be on the medium after a cut at any write; what was not is there or not, and the volume is consistent either way.

using DokanNet;
using Hammer2.Engine.Checking;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Devices;
using Hammer2.Tests.Hostile;
using Hammer2.Tests.SimulatedDriver;
using Hammer2.Torture.Crash;
using Hammer2.Torture.Devices;
using static Hammer2.Tests.SimulatedDriver.CreateDisposition;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class FailureTests
{
    private const DokanNet.FileAccess Both = AllRead | AllWrite;
    private const int StatesMax = 120;
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(30);
    private static readonly byte[] s_old = DokanVolume.Noise(50_000, 1);
    private static readonly byte[] s_new = DokanVolume.Noise(60_000, 2);

    /// <summary>Runs a script on a recorded device and judges what each cut leaves.</summary>
    private static void Cut(
        Action<DokanVolume> before, Action<DokanVolume, DeviceRecord> script, Action<PfsMount, IReadOnlyList<string>> judge,
        VolumeOptions? options = null)
    {
        int seed = HammerSeed.Get();
        MemoryBlockDevice memory = DokanVolume.Fresh(DokanVolume.SmallBytes);
        using (DokanVolume v = DokanVolume.OnDevice(memory))
            before(v);
        var record = new DeviceRecord();
        using (DokanVolume v = DokanVolume.OnDevice(new RecordingDevice(memory.Clone(), record), seed: seed, volume: options))
            script(v, record);
        var states = new CrashStates([memory], record, seed);
        CrashState[] all = [.. states.All()];
        Assert.IsGreaterThan(3, all.Length, "the script must have written something");
        var random = new Random(seed);
        foreach (CrashState state in all.Where(_ => all.Length <= StatesMax || random.Next(all.Length) < StatesMax))
        {
            CheckReport report = VolumeChecker.Check(state.Open(), new CheckOptions { Workers = 1 });
            Assert.IsTrue(report.IsClean, $"seed {seed}, {state}: {report}");
            using Hammer2Volume volume = Hammer2Volume.Open(state.Open(), DokanVolume.WritingOptions with { Writable = false });
            using PfsMount pfs = volume.OpenPfs("DATA");
            try
            {
                judge(pfs, state.Markers);
            }
            catch (AssertFailedException failed)
            {
                throw new AssertFailedException($"seed {seed}, {state}: {failed.Message}", failed);
            }
        }
    }

    private static byte[]? Content(PfsMount pfs, string path)
    {
        if (pfs.TryResolve(path, out Vnode? vnode) != Hammer2Error.None)
            return null;
        using Vnode open = vnode!;
        var bytes = new byte[open.GetAttributes().Size];
        Assert.AreEqual(bytes.Length, open.Read(0, bytes));
        return bytes;
    }

    private static bool Is(byte[]? found, byte[] expected) => found.AsSpan().SequenceEqual(expected);

    [TestMethod]
    public void W13_WhatWasFlushedSurvivesEveryCut() => Cut(
        v => v.Put(@"\old", s_old),
        (v, record) =>
        {
            SimulatedHandle handle = v.Ok(@"\a", Create, Both);
            v.W(handle, 0, s_new);
            Assert.AreEqual(NtStatus.Success, v.Driver.Flush(handle));
            record.Mark("flushed");
            v.W(handle, 0, s_old);
            v.Close(handle);
        },
        (pfs, markers) =>
        {
            Assert.IsTrue(Is(Content(pfs, "/old"), s_old));
            byte[]? found = Content(pfs, "/a");
            if (markers.Contains("flushed"))
                Assert.IsTrue(found is not null && found.Length == s_new.Length, "what was flushed is gone");
            Assert.IsTrue(found is null || found.Length == 0 || found.Length == s_new.Length);
            if (found is { Length: > 0 })
                Assert.IsTrue(Is(found, s_new) || Is(found, [.. s_old, .. s_new[s_old.Length..]]), "neither old nor new");
        });

    [TestMethod]
    public void W14_WithoutAFlushTheIntervalCommits()
    {
        VolumeOptions options = DokanVolume.WritingOptions with { CommitInterval = TimeSpan.FromMilliseconds(100) };
        Cut(
            v => v.Put(@"\old", s_old),
            (v, record) =>
            {
                SimulatedHandle handle = v.Ok(@"\a", Create, Both);
                v.W(handle, 0, s_new);
                long commits = v.Volume.Commits;

                // The one under way may have begun before the write.
                Assert.IsTrue(SpinWait.SpinUntil(() => v.Volume.Commits >= commits + 1, s_deadline), "nothing was committed");
                v.W(handle, s_new.Length, "x"u8);
                Assert.IsTrue(SpinWait.SpinUntil(() => v.Volume.Commits >= commits + 2, s_deadline), "nothing was committed");
                record.Mark("waited");
                v.Close(handle);
            },
            (pfs, markers) =>
            {
                Assert.IsTrue(Is(Content(pfs, "/old"), s_old));
                byte[]? found = Content(pfs, "/a");
                if (markers.Contains("waited"))
                    Assert.IsTrue(found is not null && found.AsSpan().StartsWith(s_new), "the interval did not commit");
                Assert.IsTrue(found is null || found.Length == 0 || found.AsSpan().StartsWith(s_new));
            },
            options);
    }

    [TestMethod]
    public void W21_AWriteThroughOpenIsDurableAtEveryWrite() => Cut(
        static _ => { },
        (v, record) =>
        {
            SimulatedHandle handle = v.Ok(@"\a", Create, Both, options: FileOptions.WriteThrough);
            for (int i = 0; i < 3; i++)
            {
                v.W(handle, i * s_new.Length, s_new);
                record.Mark($"{i}");
            }

            v.Close(handle);
        },
        (pfs, markers) =>
        {
            int promised = markers.Count(mark => mark is "0" or "1" or "2");
            byte[] found = Content(pfs, "/a") ?? [];
            Assert.IsGreaterThanOrEqualTo(promised * s_new.Length, found.Length);
            for (int i = 0; i < found.Length / s_new.Length; i++)
                Assert.IsTrue(found.AsSpan(i * s_new.Length).StartsWith(s_new));
        });

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void M16_ARenameIsDoneOrNotWhateverTheCut(bool replaces) => Cut(
        v =>
        {
            v.MakeDirectory(@"\d");
            v.Put(@"\a", s_new);
            if (replaces)
                v.Put(@"\d\b", s_old);
        },
        (v, record) =>
        {
            Assert.AreEqual(0, v.Client.MoveFileEx(@"\a", @"\d\b", replaces));
            v.Volume.Sync();
            record.Mark("moved");
        },
        (pfs, markers) =>
        {
            byte[]? source = Content(pfs, "/a");
            byte[]? target = Content(pfs, "/d/b");
            if (source is null)
                Assert.IsTrue(Is(target, s_new), "neither name is there");
            else
                Assert.IsTrue(Is(source, s_new) && (replaces ? Is(target, s_old) : target is null), "both names are there");
            if (markers.Contains("moved"))
                Assert.IsNull(source);
        });

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void W15_AFlushThatFailsSaysSoAndWhatIsCachedCanBeRead(int threads)
    {
        Hammer2.Torture.Devices.FaultDevice? device = null;
        using DokanVolume v = DokanVolume.New(threads, above: below => device = new Hammer2.Torture.Devices.FaultDevice(below));
        v.IsJudged = false;
        SimulatedHandle handle = v.Ok(@"\a", Create, Both);
        v.W(handle, 0, s_new);
        device!.Fail(DeviceCall.Flush, forEver: true);
        Assert.AreEqual(Statuses.NotSupported, v.Driver.Flush(handle), "any failure reaches the program as 'not supported', never as success");
        var buffer = new byte[s_new.Length];
        Assert.AreEqual(NtStatus.Success, v.Driver.Read(handle, 0, buffer, out _));
        CollectionAssert.AreEqual(s_new, buffer);
        Assert.AreNotEqual(NtStatus.Success, v.Driver.Flush(handle), "and it stays so");
        Assert.AreNotEqual(NtStatus.Success, v.Driver.Write(handle, 0, s_old, out _), "the volume takes no more changes");
        v.I(handle);
        v.Close(handle);
        device.Heal();
    }

    /// <summary>Throws what a test wants at every access.</summary>
    private sealed class ThrowingDevice(IBlockDevice below) : IBlockDevice
    {
        internal Func<Exception>? Thrown { get; set; }

        public string Name => below.Name;

        public long Length => below.Length;

        public int SectorSize => below.SectorSize;

        public void Read(long offset, Span<byte> buffer)
        {
            ThrowIfAsked();
            below.Read(offset, buffer);
        }

        public void Write(long offset, ReadOnlySpan<byte> data)
        {
            ThrowIfAsked();
            below.Write(offset, data);
        }

        public void Flush()
        {
            ThrowIfAsked();
            below.Flush();
        }

        public void Dispose() => below.Dispose();

        private void ThrowIfAsked()
        {
            if (Thrown is { } make)
                throw make();
        }
    }

    [TestMethod]
    [DataRow(typeof(InvalidOperationException))]
    [DataRow(typeof(NotSupportedException))]
    [DataRow(typeof(ObjectDisposedException))]
    [DataRow(typeof(IOException))]
    [DataRow(typeof(OutOfMemoryException))]
    [DataRow(typeof(NullReferenceException))]
    public void W16_R06_WhateverIsThrownBelowBecomesAnError(Type type)
    {
        ThrowingDevice? device = null;
        MemoryBlockDevice memory = DokanVolume.Fresh();
        using (DokanVolume made = DokanVolume.OnDevice(memory))
        {
            made.MakeDirectory(@"\d", @"\e");
            made.Put(@"\a", DokanVolume.Noise(3 << 20, 1));
            for (int i = 0; i < 300; i++)
                made.Put($@"\d\{i}", []);
        }

        using DokanVolume v = DokanVolume.OnDevice(device = new ThrowingDevice(memory));
        v.IsJudged = false;
        SimulatedHandle file = v.Ok(@"\a", Open, Both | CanDelete);
        SimulatedHandle directory = v.Ok(@"\d", Open, ToList, directory: true);
        v.W(file, 0, DokanVolume.Noise(65536, 3));
        device.Thrown = () => type == typeof(ObjectDisposedException) ? new ObjectDisposedException("x") : (Exception)Activator.CreateInstance(type)!;
        Bad(v.Driver.Read(file, 1 << 20, new byte[65536], out _), "read");
        Bad(v.C(@"\d\new", Create, AllWrite).Status, "create");
        Bad(v.Driver.QueryDirectory(directory, "*", true, 10, out _), "list");
        Bad(v.Driver.Write(file, (2 << 20) + 1000, s_old.AsSpan(0, 100), out _), "partial write");
        Bad(v.Driver.Flush(file), "flush");
        v.I(file);
        v.Driver.QueryVolume();
        v.Driver.QuerySpace();
        v.Driver.SetBasic(file, FileAttributes.Hidden, null, null, null);
        v.Driver.SetEndOfFile(file, 1);
        v.Driver.MoveFile(file, @"\e\b", replace: true);
        v.Driver.SetDisposition(file, delete: true);
        v.Close(file, directory);
        v.Unmount();
        device.Thrown = null;
        Assert.AreEqual(0, v.Adapter.OpenCount);
    }

    /// <summary>A mapped file keeps its open after the handle. When the deletion at its end fails, the handle is gone nevertheless.</summary>
    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void W16_D12_AHandleIsGoneThoughTheDeletionFailed(int threads)
    {
        MemoryBlockDevice memory = DokanVolume.Fresh();
        using (DokanVolume made = DokanVolume.OnDevice(memory))
        {
            made.MakeDirectory(@"\d");
            made.Put(@"\d\a", s_old);
            made.Link(@"\d\a", "other");
        }

        ThrowingDevice device = new(memory);
        using DokanVolume v = DokanVolume.OnDevice(device, threads, volume: DokanVolume.WritingOptions with { CacheBytesMax = 1 });
        SimulatedHandle handle = v.Ok(@"\d\a", Open, AllRead | CanDelete, ShareNone);
        v.Driver.MapSection(handle);
        Assert.AreEqual(NtStatus.Success, v.Driver.SetDisposition(handle, delete: true));
        v.No(NtStatus.DeletePending, @"\other", Open, AllRead);
        device.Thrown = () => new IOException("unreadable");
        v.Driver.CloseHandle(handle);
        device.Thrown = null;
        Assert.IsTrue(v.Log.Lines.Any(static line => line.Contains("Cleanup", StringComparison.Ordinal)), "the deletion failed");
        v.Close(v.Ok(@"\other", Open, AllRead, ShareNone));
        v.Driver.UnmapSection(handle);
        Assert.AreEqual(0, v.Adapter.OpenCount);
        CollectionAssert.AreEqual(s_old, v.Client.ReadAll(@"\d\a"));
    }

    private static void Bad(NtStatus status, string what) => Assert.IsTrue(
        status is not (NtStatus.Success or NtStatus.NotImplemented or NtStatus.Pending), $"{what}: {(long)status:X8}");
}
