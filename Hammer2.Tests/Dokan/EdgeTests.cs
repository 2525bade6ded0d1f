// What is large, late, lost or hostile: directories of 100,000 files, ten thousand handles, a volume that fills up in a copy,
// requests that outlive their handle or their volume, contexts that are none, damaged images that are mounted for writing.

using DokanNet;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Tests.Hostile;
using Hammer2.Tests.Images;
using Hammer2.Tests.SimulatedDriver;
using static Hammer2.Tests.SimulatedDriver.CreateDisposition;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class EdgeTests
{
    private const DokanNet.FileAccess Both = AllRead | AllWrite;
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(60);
    private static readonly byte[] s_data = DokanVolume.Noise(300_000, 4);

    private static void Fill(DokanVolume v, string directory, int count, string prefix)
    {
        Assert.AreEqual(Hammer2Error.None, v.Pfs.TryResolve(directory, out Vnode? found));
        using Vnode open = found!;
        for (int i = 0; i < count; i++)
        {
            Assert.AreEqual(Hammer2Error.None, v.Pfs.TryCreate(
                open, System.Text.Encoding.ASCII.GetBytes($"{prefix}{i}"), new NewInode { Type = ObjectType.File, Mode = 0x1A4 }, out Vnode? made));
            made!.Dispose();
        }
    }

    [TestMethod]
    public void L04_AHundredThousandNamesWhileOthersComeAndGo()
    {
        const int Stays = 100_000;
        int seed = HammerSeed.Get();
        using DokanVolume v = DokanVolume.New(threads: 0);
        v.IsJudged = false; // Comparing the medium takes longer than all the rest, and others do that.
        v.MakeDirectory(@"\d");
        Fill(v, "/d", Stays, "stays ");
        using var done = new CancellationTokenSource();
        Task[] changers = [.. Enumerable.Range(0, 2).Select(worker => Task.Factory.StartNew(
            () =>
            {
                for (int i = 0; !done.IsCancellationRequested; i++)
                {
                    v.Put($@"\d\comes {worker} {i}", []);
                    if (i >= 5)
                        Assert.AreEqual(0, v.Client.DeleteFile($@"\D\COMES {worker} {i - 5}"));
                }
            },
            TaskCreationOptions.LongRunning))];
        for (int round = 0; round < 2; round++)
        {
            int stays = 0;
            foreach (FindFileInformation entry in v.Client.FindAll(@"\d", "*", out int error))
            {
                Assert.AreEqual(0, error);
                stays += entry.FileName.Span.StartsWith("stays ") ? 1 : 0;
            }

            Assert.AreEqual(Stays, stays, $"seed {seed}: something untouched is missing, or there twice");
        }

        done.Cancel();
        Assert.IsTrue(Task.WaitAll(changers, s_deadline));
        Assert.IsTrue(v.Exists(@"\d\STAYS 77777"));
    }

    /// <summary>A clock that does something when it is asked.</summary>
    private sealed class ActingClock : TimeProvider
    {
        internal Action? Act { get; set; }

        public override long GetTimestamp()
        {
            Act?.Invoke();
            return base.GetTimestamp();
        }
    }

    /// <summary>Random programs that shared a directory met names twice: a directory is read in the order of hashes, and a name that
    /// changes its case goes to another place.</summary>
    [TestMethod]
    [DataRow(1)]
    [DataRow(int.MaxValue)]
    public void L04_NoNameIsListedTwiceWhateverItsCaseBecomesMeanwhile(int changesMax)
    {
        const int Count = 9_000; // Two batches.
        const int Changing = 300;
        var clock = new ActingClock();
        using DokanVolume v = DokanVolume.New(threads: 0, options: new Hammer2.Dokan.DokanMountOptions { Clock = clock });
        v.IsJudged = false;
        v.MakeDirectory(@"\d");
        Fill(v, "/d", Count, "f");
        SimulatedHandle handle = v.Ok(@"\d", Open, ToList, directory: true);
        v.Driver.QueryDirectory(handle, "*", restart: true, int.MaxValue, out List<FindFileInformation> entries);
        Assert.HasCount(Count + 2, entries);
        Assert.AreEqual(Hammer2Error.None, v.Pfs.TryResolve("/d", out Vnode? found));
        using (Vnode directory = found!)
        {
            int asked = 0;
            clock.Act = () =>
            {
                // The first time is the beginning of the request, the second the end of the first batch.
                if (++asked < 2 || asked - 2 >= changesMax)
                    return;
                (char from, char to) = asked % 2 == 0 ? ('f', 'F') : ('F', 'f');
                for (int i = 0; i < Changing; i++)
                {
                    Assert.AreEqual(Hammer2Error.None, v.Pfs.TryRename(
                        directory, System.Text.Encoding.ASCII.GetBytes($"{from}{i}"), directory, System.Text.Encoding.ASCII.GetBytes($"{to}{i}"), RenameMode.NoReplace));
                }
            };
            Assert.AreEqual(NtStatus.Success, v.Driver.QueryDirectory(handle, "*", restart: true, int.MaxValue, out entries));
            clock.Act = null;
            Assert.IsGreaterThan(2, asked);
        }

        var names = new HashSet<string>(entries.Select(entry => entry.FileName.ToString()), StringComparer.OrdinalIgnoreCase);
        Assert.HasCount(entries.Count, names, "a name is there twice");
        for (int i = changesMax == 1 ? 0 : Changing; i < Count; i++)
            Assert.Contains($"f{i}", names, "a name is missing");
        v.Close(handle);
    }

    [TestMethod]
    public void C39_R04_TenThousandHandles()
    {
        const int Files = 2_000;
        const int Each = 5;
        using DokanVolume v = DokanVolume.New(threads: 0);
        v.MakeDirectory(@"\d", @"\e");
        Fill(v, "/d", Files, "f");
        var handles = new List<SimulatedHandle>();
        for (int i = 0; i < Files * Each; i++)
            handles.Add(v.Ok($@"\d\f{i % Files}", Open, Both));
        Assert.AreEqual(Files * Each, v.Adapter.OpenCount);
        foreach (SimulatedHandle handle in handles.Take(100))
            v.W(handle, 0, s_data.AsSpan(0, 100));
        SimulatedHandle mover = v.Ok(@"\d", Open, ToMove, directory: true);
        Assert.AreEqual(NtStatus.AccessDenied, v.Driver.MoveFile(mover, @"\x", replace: false), "files are open below");
        v.Close(mover);
        v.Close([.. handles.Take(handles.Count / 2)]);
        Assert.AreEqual(Files * Each / 2, v.Adapter.OpenCount);
        v.Unmount();
        Assert.AreEqual(0, v.Adapter.OpenCount);
        int named = v.Log.Lines.Count(static line => line.Contains("was still open", StringComparison.Ordinal));
        Assert.IsTrue(named is > 0 and <= 20, $"{named} lines name handles");
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void B04_W11_AVolumeThatFillsUpInTheMiddleOfACopy(int threads)
    {
        const int DiskFull = 112;
        using DokanVolume v = DokanVolume.New(threads, bytes: DokanVolume.SmallBytes, volume: DokanVolume.WritingOptions with { LiveDedup = false });
        v.Put(@"\source", DokanVolume.Noise(6 << 20, 3));
        int copies = 0;
        int error;
        while ((error = v.Client.CopyFile(@"\source", $@"\copy{copies}")) == 0)
            Assert.IsLessThan(50, ++copies);
        Assert.AreEqual(DiskFull, error);
        Assert.IsFalse(v.Exists($@"\copy{copies}"), "what could not be finished is taken away by who copies");

        // The size is refused at once; who does not set it runs into the end while writing, and deletes.
        SimulatedHandle writer = v.Ok(@"\streamed", Create, AllWrite | CanDelete, ShareNone);
        long written = 0;
        NtStatus status;
        while ((status = v.Driver.Write(writer, written, s_data, out _)) == NtStatus.Success)
            written += s_data.Length;
        Assert.AreEqual(NtStatus.DiskFull, status);
        Assert.AreEqual(written, v.I(writer).Length, "the write that failed left nothing");
        Assert.AreEqual(NtStatus.Success, v.Driver.SetDisposition(writer, delete: true));
        v.Close(writer);
        Assert.AreEqual(0, v.Client.DeleteFile(@"\copy0"));
        Assert.AreEqual(0, v.Client.CopyFile(@"\source", @"\copy0"), "there is room again");
        v.Twice(v =>
        {
            byte[] expected = v.Client.ReadAll(@"\source");
            for (int i = 0; i < copies; i++)
                CollectionAssert.AreEqual(expected, v.Client.ReadAll($@"\copy{i}"));
        });
    }

    /// <summary>Holds up whoever touches it, while a test wants that.</summary>
    private sealed class HeldDevice(IBlockDevice below) : IBlockDevice
    {
        private readonly ManualResetEventSlim _goOn = new(initialState: true);

        internal ManualResetEventSlim Reached { get; } = new();

        public string Name => below.Name;

        public long Length => below.Length;

        public int SectorSize => below.SectorSize;

        internal void Hold()
        {
            Reached.Reset();
            _goOn.Reset();
        }

        internal void GoOn() => _goOn.Set();

        public void Read(long offset, Span<byte> buffer)
        {
            Wait();
            below.Read(offset, buffer);
        }

        public void Write(long offset, ReadOnlySpan<byte> data)
        {
            Wait();
            below.Write(offset, data);
        }

        public void Flush()
        {
            Wait();
            below.Flush();
        }

        public void Dispose() => below.Dispose();

        private void Wait()
        {
            if (_goOn.IsSet)
                return;
            Reached.Set();
            Assert.IsTrue(_goOn.Wait(s_deadline));
        }
    }

    [TestMethod]
    [DataRow("read")]
    [DataRow("write")]
    [DataRow("find")]
    [DataRow("flush")]
    public void R03_ARequestThatTimedOutMayEndAfterItsHandle(string what)
    {
        MemoryBlockDevice memory = DokanVolume.Fresh();
        using (DokanVolume made = DokanVolume.OnDevice(memory))
        {
            made.MakeDirectory(@"\d");
            made.Put(@"\a", s_data);
            Fill(made, "/d", 3000, "f");
        }

        HeldDevice? device = null;
        using DokanVolume v = DokanVolume.OnDevice(device = new HeldDevice(memory), threads: 4);
        bool directory = what == "find";
        SimulatedHandle handle = v.Ok(directory ? @"\d" : @"\a", Open, directory ? ToList : Both, directory: directory,
            options: what == "write" ? FileOptions.WriteThrough : FileOptions.None);
        if (what == "flush")
            v.W(handle, 0, "late"u8);
        device.Hold();
        Task<NtStatus> late = Task.Run(() => what switch
        {
            "read" => v.Driver.Read(handle, 0, new byte[s_data.Length], out _),
            "write" => v.Driver.Write(handle, 0, "late"u8, out _),
            "find" => v.Driver.QueryDirectory(handle, "*", restart: true, 10, out _),
            _ => v.Driver.Flush(handle),
        });
        Assert.IsTrue(device.Reached.Wait(s_deadline), "the request did not reach the device");

        // The driver told the program that resources are short; the program gives up and closes, while the callback runs.
        v.Close(handle);
        Assert.AreEqual(1, v.Adapter.OpenCount, "CloseFile waits for the callback");
        device.GoOn();
        Assert.IsTrue(late.Wait(s_deadline));
        Assert.AreEqual(NtStatus.Success, late.Result);
        Assert.AreEqual(0, v.Adapter.OpenCount);
        if (what is "write" or "flush")
            Assert.IsTrue(v.Client.ReadAll(@"\a").AsSpan().StartsWith("late"u8), "its effect happens all the same");
    }

    private delegate NtStatus Request(ref DokanFileInfo info);

    /// <summary>Every callback that gets a context, called past the driver.</summary>
    private static Dictionary<string, Request> Requests(DokanVolume v, GuardedMemory name, GuardedMemory memory) => new()
    {
        ["read"] = (ref DokanFileInfo info) => v.Adapter.ReadFile(name.Text, memory.Buffer, out _, 0, ref info),
        ["write"] = (ref DokanFileInfo info) => v.Adapter.WriteFile(name.Text, memory.ReadOnlyBuffer, out _, 0, ref info),
        ["flush"] = (ref DokanFileInfo info) => v.Adapter.FlushFileBuffers(name.Text, ref info),
        ["information"] = (ref DokanFileInfo info) => v.Adapter.GetFileInformation(name.Text, out _, ref info),
        ["find"] = (ref DokanFileInfo info) => v.Adapter.FindFilesWithPattern(name.Text, name.Text, out _, ref info),
        ["attributes"] = (ref DokanFileInfo info) => v.Adapter.SetFileAttributes(name.Text, FileAttributes.Hidden, ref info),
        ["time"] = (ref DokanFileInfo info) => v.Adapter.SetFileTime(name.Text, DateTime.UtcNow, null, null, ref info),
        ["delete"] = (ref DokanFileInfo info) => v.Adapter.DeleteFile(name.Text, ref info),
        ["delete directory"] = (ref DokanFileInfo info) => v.Adapter.DeleteDirectory(name.Text, ref info),
        ["move"] = (ref DokanFileInfo info) => v.Adapter.MoveFile(name.Text, name.Text, true, ref info),
        ["end"] = (ref DokanFileInfo info) => v.Adapter.SetEndOfFile(name.Text, 10, ref info),
        ["allocation"] = (ref DokanFileInfo info) => v.Adapter.SetAllocationSize(name.Text, 10, ref info),
        ["security"] = (ref DokanFileInfo info) => v.Adapter.GetFileSecurity(name.Text, out _, default, ref info),
        ["cleanup"] = (ref DokanFileInfo info) =>
        {
            v.Adapter.Cleanup(name.Text, ref info);
            return NtStatus.InvalidHandle;
        },
        ["close"] = (ref DokanFileInfo info) =>
        {
            v.Adapter.CloseFile(name.Text, ref info);
            return NtStatus.InvalidHandle;
        },
    };

    private static void RefusedWith(DokanVolume v, object? context, bool deletes, bool mayAnswer)
    {
        using GuardedMemory name = GuardedMemory.OfText(@"\a", v.Driver.Faults);
        using var memory = new GuardedMemory(4096, v.Driver.Faults);
        foreach ((string what, Request request) in Requests(v, name, memory))
        {
            var raw = new RawFileInfo { DeletePending = deletes ? (byte)1 : (byte)0 };
            ref DokanFileInfo info = ref RawFileInfo.AsInfo(ref raw);
            info.Context = context;
            try
            {
                NtStatus status = request(ref info);
                Assert.IsTrue(mayAnswer || status is not NtStatus.Success, $"{what} was answered");
                Assert.IsTrue(status is not (NtStatus.NotImplemented or NtStatus.Pending), what);
            }
            catch (Exception escaped) when (escaped is not AssertFailedException)
            {
                throw new AssertFailedException($"{what}: {escaped.GetType().Name} left the callback", escaped);
            }
            finally
            {
                info.Context = null;
            }
        }
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void R02_ContextsThatAreClosedOrForeignAreRefused(bool deletes)
    {
        using DokanVolume v = DokanVolume.New();
        v.Put(@"\a", s_data);
        RefusedWith(v, null, deletes, mayAnswer: false);
        RefusedWith(v, "somebody else's", deletes, mayAnswer: false);
        SimulatedHandle handle = v.Ok(@"\a", Open, Both | CanDelete);
        object? closed = System.Runtime.InteropServices.GCHandle.FromIntPtr((nint)handle.Context).Target;
        v.Close(handle);

        // What is closed may still know its attributes; it must neither change anything nor harm.
        RefusedWith(v, closed, deletes, mayAnswer: true);
        CollectionAssert.AreEqual(s_data, v.Client.ReadAll(@"\a"));
        Assert.AreEqual(FileAttributes.Archive, v.I(@"\a").Attributes);
    }

    [TestMethod]
    public void R05_R06_TheVolumeGoesUnderTheDriver()
    {
        using DokanVolume v = DokanVolume.New();
        v.Put(@"\a", s_data);
        SimulatedHandle handle = v.Ok(@"\a", Open, Both | CanDelete);
        object? context = System.Runtime.InteropServices.GCHandle.FromIntPtr((nint)handle.Context).Target;
        v.Unmount();
        RefusedWith(v, context, deletes: true, mayAnswer: true);
        using GuardedMemory name = GuardedMemory.OfText(@"\a", v.Driver.Faults);
        var raw = default(RawFileInfo);
        ref DokanFileInfo info = ref RawFileInfo.AsInfo(ref raw);
        Assert.AreEqual(NtStatus.NoSuchDevice, v.Adapter.CreateFile(name.Text, AllRead, FileShare.Read, FileMode.Open, 0, 0, ref info));
        v.Adapter.Unmounted(ref info);
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void N14_C28_NamesOfAllLengths(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.MakeDirectory(@"\d");
        foreach ((string letter, int most) in new[] { ("x", 255), ("\u00E9", 127), ("\u20AC", 85), ("\U0001F600", 63) })
        {
            for (int length = 1; length <= most; length++)
            {
                string path = @"\d\" + string.Concat(Enumerable.Repeat(letter, length));
                v.Put(path, s_data.AsSpan(0, length));
                if (length % 2 == 0)
                    Assert.AreEqual(0, v.Client.DeleteFile(path.ToUpperInvariant()));
                else if (length % 3 == 0 && length > 1)
                    Assert.AreEqual(0, v.Client.MoveFileEx(path, path[..^letter.Length] + "_"));
            }

            v.No(NtStatus.ObjectNameInvalid, @"\d\" + string.Concat(Enumerable.Repeat(letter, most + 1)), Create, AllWrite);
        }

        v.Twice(static v =>
        {
            List<string> names = v.Client.Names(@"\d");
            Assert.HasCount(128 + 64 + 43 + 32, names);
            foreach (string name in names)
                Assert.AreEqual(0, v.Client.GetFileAttributes(@"\d\" + name, out _), name);
        });
    }

    [TestMethod]
    public void W18_W15_MappedFilesOverDamageAndAFailingDevice()
    {
        const long Damaged = 327680;
        using (DokanVolume v = DokanVolume.Mount("dmg-data"))
        {
            SimulatedHandle handle = v.MustOpen(@"\large\stone.dat", AllRead);
            Assert.AreEqual(NtStatus.Success, v.Driver.Map(handle, out MappedView? view));
            Assert.HasCount(4096, v.Driver.Load(view!, 0, 4096));
            var page = new byte[4096];
            Assert.AreEqual(NtStatus.CrcError, v.Driver.Read(handle, Damaged + 8192, page, out int read, paging: true), "an error in the page");
            Assert.AreEqual(0, read);
            Assert.AreEqual(NtStatus.Success, v.Driver.Read(handle, Damaged + 65536, page, out _, paging: true), "and the next one is there");
            v.Close(handle);
            v.Driver.Unmap(view!);
        }

        Hammer2.Torture.Devices.FaultDevice? device = null;
        using DokanVolume w = DokanVolume.New(above: below => device = new Hammer2.Torture.Devices.FaultDevice(below));
        w.IsJudged = false;
        w.Put(@"\m", s_data);
        SimulatedHandle mapped = w.Ok(@"\m", Open, Both);
        Assert.AreEqual(NtStatus.Success, w.Driver.Map(mapped, out MappedView? written, writable: true));
        device!.Vanish(1);
        Assert.AreNotEqual(NtStatus.Success, w.Driver.Flush(mapped));
        Assert.AreNotEqual(NtStatus.Success, w.Driver.Write(mapped, 0, s_data.AsSpan(0, 4096), out int taken, paging: true), "a page that cannot be kept is not taken");
        Assert.AreEqual(0, taken);
        w.Close(mapped);
        w.Driver.Unmap(written!);
        w.Unmount();
        device.Heal();
    }

    public static IEnumerable<object[]> DamagedImages =>
        GoldenImages.Names.Where(static name => name.StartsWith("dmg-", StringComparison.Ordinal)).Select(static name => new object[] { name });

    [TestMethod]
    [DynamicData(nameof(DamagedImages))]
    public void C40_R06_ADamagedImageIsWrittenWithoutHarmToTheProcess(string image)
    {
        DokanVolume? mounted = null;
        try
        {
            mounted = DokanVolume.Copy(image);
        }
        catch (Hammer2Exception refused)
        {
            Assert.IsGreaterThan(10, refused.Message.Length);
            return;
        }

        using DokanVolume v = mounted;
        v.IsJudged = false;
        if (v.C(@"\made here", Create, Both, directory: true).Handle is { } made)
            v.Close(made);
        Walk(v, "", depth: 0);
        v.Driver.QuerySpace();
        v.Unmount();
    }

    /// <summary>Tries everything with everything that is listed; whatever the answers are, they are answers.</summary>
    private static void Walk(DokanVolume v, string path, int depth)
    {
        int number = 0;
        foreach (FindFileInformation entry in v.Client.FindAll(path.Length == 0 ? @"\" : path, "*", out _))
        {
            string name = entry.FileName.ToString();
            if (name is "." or ".." or "made here" || number++ > 40)
                continue;
            string below = $@"\\?{path}\{name}";
            v.Client.GetFileAttributes(below, out _);
            if ((entry.Attributes & FileAttributes.Directory) != 0 && depth < 4)
                Walk(v, $@"{path}\{name}", depth + 1);
            else
                v.Client.TryReadAll(below, 1 << 18, out _);
            v.Client.AppendAll(below, "more"u8);
            v.Client.SetFileAttributes(below, FileAttributes.Hidden);
            v.Client.WriteAll($@"{path}\new {number}", s_data.AsSpan(0, number));
            v.Client.MoveFileEx(below, $@"\made here\{depth} {number}", replace: true);
            if (number % 2 == 0)
                v.Client.DeleteFile($@"\made here\{depth} {number}");
        }
    }
}
