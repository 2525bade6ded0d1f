// Deleting: section J.3. Each with one pulling thread and with four; at the end of each the medium is checked and compared
// (DokanVolume).

using DokanNet;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Tests.SimulatedDriver;
using LTRData.Extensions.Native.Memory;
using static Hammer2.Tests.SimulatedDriver.CreateDisposition;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class DeleteTests
{
    private static readonly byte[] s_data = DokanVolume.Noise(70_000, 3);

    private static NtStatus Mark(DokanVolume v, SimulatedHandle handle, bool delete = true) => v.Driver.SetDisposition(handle, delete);

    private static int DeleteCalls(DokanVolume v) => v.Driver.Calls.GetValueOrDefault("DeleteFile") + v.Driver.Calls.GetValueOrDefault("DeleteDirectory");

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void D01_D02_D03_AMarkedFileIsThereUntilItsLastHandleGoes(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.Put(@"\a", s_data);
        SimulatedHandle one = v.Ok(@"\a", Open, ToDelete);
        SimulatedHandle two = v.Ok(@"\a", Open, AllRead | AllWrite);
        Assert.AreEqual(NtStatus.Success, Mark(v, one));
        CollectionAssert.Contains(v.Client.Names(@"\"), "a", "D01");
        v.Close(one);
        Assert.AreEqual(s_data.Length, v.I(two).Length);
        var buffer = new byte[s_data.Length];
        Assert.AreEqual(NtStatus.Success, v.Driver.Read(two, 0, buffer, out _), "D02");
        CollectionAssert.AreEqual(s_data, buffer);
        v.W(two, 10, "still"u8);
        v.No(NtStatus.DeletePending, @"\a", Open, AllRead);
        v.No(NtStatus.DeletePending, @"\A", OverwriteIf, AllWrite);
        v.No(NtStatus.ObjectNameCollision, @"\a", Create, AllWrite);
        CollectionAssert.Contains(v.Client.Names(@"\"), "a");
        v.Close(two);
        Assert.IsFalse(v.Exists(@"\a"));
        Assert.AreEqual(1, v.Driver.Notifications.Count(line => line == @"removed \a"));
        v.Put(@"\A", s_data.AsSpan(0, 5));
        v.Twice(static v => Assert.AreEqual("A", string.Join(' ', v.Client.Names(@"\"))));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void D04_D05_ThinkingBetterOfItAndReadOnly(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.Put(@"\a", s_data);
        SimulatedHandle handle = v.Ok(@"\a", Open, ToDelete);
        Assert.AreEqual(NtStatus.Success, Mark(v, handle));
        Assert.AreEqual(NtStatus.Success, Mark(v, handle, delete: false));
        Assert.AreEqual(NtStatus.Success, Mark(v, handle, delete: false), "the driver answers alone");
        v.Close(handle);
        Assert.IsTrue(v.Exists(@"\a"));
        Assert.AreEqual(0, v.Client.SetFileAttributes(@"\a", FileAttributes.ReadOnly));
        int asked = DeleteCalls(v);
        Assert.AreEqual(5, v.Client.DeleteFile(@"\a"));
        Assert.AreEqual(asked, DeleteCalls(v), "D05: the library refuses by itself");
        v.Remount();
        Assert.AreEqual(5, v.Client.DeleteFile(@"\a"));
        Assert.AreEqual(0, v.Client.SetFileAttributes(@"\a", FileAttributes.Normal));
        Assert.AreEqual(0, v.Client.DeleteFile(@"\a"));
        v.Twice(static v => Assert.IsEmpty(v.Client.Names(@"\")));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void D06_D07_D08_D10_Directories(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.MakeDirectory(@"\d", @"\d\e");
        v.Put(@"\d\f", s_data);
        SimulatedHandle directory = v.Ok(@"\d", Open, ToMove, directory: true);
        Assert.AreEqual(NtStatus.DirectoryNotEmpty, Mark(v, directory), "D06");
        SimulatedHandle child = v.Ok(@"\d\f", Open, ToDelete);
        Assert.AreEqual(NtStatus.Success, Mark(v, child));
        Assert.AreEqual(0, v.Client.RemoveDirectory(@"\d\e"));
        Assert.AreEqual(NtStatus.DirectoryNotEmpty, Mark(v, directory), "D07: a marked entry is an entry");
        v.Close(v.Ok(@"\d", Open, CanDelete | Waits, directory: true, options: FileOptions.DeleteOnClose));
        v.Close(child);
        Assert.AreEqual(NtStatus.Success, Mark(v, directory, delete: false), "the mark of the other handle is taken back");
        Assert.AreEqual(NtStatus.Success, Mark(v, directory));
        v.No(NtStatus.DeletePending, @"\d\x", Create, AllWrite);
        v.Close(directory);
        v.No(NtStatus.ObjectPathNotFound, @"\d\x", Create, AllWrite);
        v.MakeDirectory(@"\g");
        v.Put(@"\g\h", s_data);
        v.Close(v.Ok(@"\g", Open, CanDelete | Waits, directory: true, options: FileOptions.DeleteOnClose));
        v.MakeDirectory(@"\empty");
        v.Close(v.Ok(@"\empty", Open, CanDelete | Waits, directory: true, options: FileOptions.DeleteOnClose));
        v.Twice(static v =>
        {
            Assert.AreEqual("g", string.Join(' ', v.Client.Names(@"\")));
            CollectionAssert.AreEqual(s_data, v.Client.ReadAll(@"\g\h"), "D10: what is not empty stays");
        });
        v.Put(@"\g\more", s_data);
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void D09_D21_D22_DeleteOnCloseCancelledCopiesAndDeadProcesses(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        SimulatedHandle temp = v.Ok(@"\t", Create, AllWrite | CanDelete, options: FileOptions.DeleteOnClose);
        v.W(temp, 0, s_data);
        Assert.IsTrue(v.Exists(@"\t"));
        v.Close(temp);
        Assert.IsFalse(v.Exists(@"\t"), "D09");
        Assert.AreEqual(0, DeleteCalls(v), "D09: nobody asks");

        SimulatedHandle copy = v.Ok(@"\copy", Create, AllWrite | CanDelete, ShareNone, options: FileOptions.SequentialScan);
        v.W(copy, 0, s_data);
        Assert.AreEqual(NtStatus.Success, Mark(v, copy));
        v.Close(copy);
        Assert.IsFalse(v.Exists(@"\copy"), "D21");

        SimulatedHandle dying = v.Ok(@"\dying", Create, AllWrite | CanDelete, options: FileOptions.DeleteOnClose);
        SimulatedHandle other = v.Ok(@"\other", Create, AllWrite);
        v.W(dying, 0, s_data);
        v.Driver.EndProcess(dying, other);
        v.Twice(static v => Assert.AreEqual("other", string.Join(' ', v.Client.Names(@"\")), "D22"));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void D09_TableOfDeleteOnCloseWithTwoHandles(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.Put(@"\a", s_data);
        SimulatedHandle one = v.Ok(@"\a", Open, ToDelete, options: FileOptions.DeleteOnClose);
        SimulatedHandle two = v.Ok(@"\a", Open, AllRead | CanDelete);
        Assert.AreEqual(NtStatus.Success, Mark(v, one, delete: false), "nothing is pending yet: the driver answers alone");
        v.Close(one);
        v.No(NtStatus.DeletePending, @"\a", Open, AllRead);
        Assert.AreEqual(NtStatus.Success, Mark(v, two, delete: false), "from now on it stays");
        v.Close(v.Ok(@"\a", Open, AllRead));
        v.Close(two);
        Assert.IsTrue(v.Exists(@"\a"));

        one = v.Ok(@"\a", Open, ToDelete, options: FileOptions.DeleteOnClose);
        two = v.Ok(@"\a", Open, AllRead);
        v.Close(one, two);
        Assert.IsFalse(v.Exists(@"\a"));
        v.Put(@"\a", s_data);
        one = v.Ok(@"\a", Open, ToDelete);
        two = v.Ok(@"\a", Open, AllRead);
        Assert.AreEqual(NtStatus.Success, Mark(v, one));
        v.Close(two, one);
        v.Twice(static v => Assert.IsFalse(v.Exists(@"\a")));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void D11_D12_OneOfTwoNamesGoes(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.Put(@"\a", s_data);
        v.Link(@"\a", "b");
        Assert.AreEqual(2, v.I(@"\b").NumberOfLinks);
        Assert.AreEqual(0, v.Client.DeleteFile(@"\a"));
        Assert.AreEqual(1, v.I(@"\b").NumberOfLinks);
        CollectionAssert.AreEqual(s_data, v.Client.ReadAll(@"\b"), "D11");

        v.Link(@"\b", "c");
        SimulatedHandle going = v.Ok(@"\b", Open, ToDelete);
        SimulatedHandle staying = v.Ok(@"\c", Open, AllRead | AllWrite);
        Assert.AreEqual(NtStatus.Success, Mark(v, going));
        v.No(NtStatus.DeletePending, @"\c", Open, AllRead);
        v.Close(going);
        v.W(staying, 0, "D12"u8);
        v.Close(v.Ok(@"\c", Open, AllRead), staying);
        v.Twice(static v =>
        {
            Assert.AreEqual("c", string.Join(' ', v.Client.Names(@"\")));
            Assert.IsTrue(v.Client.ReadAll(@"\c").AsSpan(0, 3).SequenceEqual("D12"u8));
        });
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void D13_PagingGoesOnInAFileThatIsGone(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.Put(@"\a", s_data);
        SimulatedHandle handle = v.Ok(@"\a", Open, AllRead | AllWrite | CanDelete);
        Assert.AreEqual(NtStatus.Success, v.Driver.Map(handle, out MappedView? view, writable: true));
        v.Driver.Load(view!, 0, 4096);
        Assert.AreEqual(NtStatus.Success, Mark(v, handle));
        v.Close(handle);
        Assert.IsFalse(v.Exists(@"\a"));
        CollectionAssert.AreEqual(s_data[50_000..60_000], v.Driver.Load(view!, 50_000, 10_000));
        v.Driver.Store(view!, 0, "into nothing"u8);
        v.Driver.FlushView(view!);
        Assert.AreEqual(1, v.Adapter.OpenCount);
        v.Driver.Unmap(view!);
        Assert.AreEqual(0, v.Adapter.OpenCount);
        v.Twice(static v => Assert.IsEmpty(v.Client.Names(@"\")));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void D14_D15_D16_RootRenamesAndOtherSpellings(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        SimulatedHandle root = v.Ok(@"\", Open, ToMove, directory: true);
        Assert.AreEqual(NtStatus.CannotDelete, Mark(v, root), "D14");
        v.Close(root);
        v.Put(@"\a", s_data);
        v.Put(@"\b", s_data);
        SimulatedHandle handle = v.Ok(@"\a", Open, ToMove);
        Assert.AreEqual(NtStatus.Success, Mark(v, handle));
        Assert.AreEqual(NtStatus.AccessDenied, v.Driver.MoveFile(handle, @"\c", replace: true), "D15");
        v.No(NtStatus.DeletePending, @"\A", OpenIf, AllWrite);
        v.No(NtStatus.ObjectNameCollision, @"\A", Create, AllWrite);
        v.Close(handle);
        v.Put(@"\A", s_data.AsSpan(0, 7));
        v.Twice(static v => CollectionAssert.AreEquivalent(List("A", "b"), v.Client.Names(@"\"), "D15, D16"));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void D17_ATreeGoesWhileItIsListed(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        string path = "";
        for (int level = 0; level < 5; level++)
        {
            path += $@"\level{level}";
            v.MakeDirectory(path);
            string here = path;
            Parallel.For(0, 100, new ParallelOptions { MaxDegreeOfParallelism = threads }, i => v.Put($@"{here}\file{i}", s_data.AsSpan(0, i * 10)));
        }

        v.Put(@"\stays", s_data);
        v.Remount();
        Assert.AreEqual(0, v.Client.RemoveTree(@"\level0"));
        v.Twice(static v => Assert.AreEqual("stays", string.Join(' ', v.Client.Names(@"\"))));
    }

    [TestMethod]
    public void D18_ANameThatLeadsElsewhereIsNotRemoved()
    {
        using DokanVolume v = DokanVolume.New();
        v.Put(@"\a", s_data);
        SimulatedHandle handle = v.Ok(@"\a", Open, ToDelete);
        Assert.AreEqual(NtStatus.Success, Mark(v, handle));

        // Behind the driver's back the name gets another file.
        using (Vnode root = v.Pfs.OpenRoot())
        {
            Assert.AreEqual(Hammer2Error.None, v.Pfs.TryRename(root, "a"u8, root, "kept"u8, RenameMode.NoReplace));
            var what = new NewInode { Type = ObjectType.File, Mode = 0x1A4 };
            Assert.AreEqual(Hammer2Error.None, v.Pfs.TryCreate(root, "a"u8, what, out Vnode? other));
            other!.Dispose();
        }

        v.Close(handle);
        v.Remount();
        CollectionAssert.AreEquivalent(List("a", "kept"), v.Client.Names(@"\"));
        CollectionAssert.AreEqual(s_data, v.Client.ReadAll(@"\kept"));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void D19_SpaceComesBackAndNeverShrinksByDeleting(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.Put(@"\a", DokanVolume.Noise(20 << 20, 19));
        v.Volume.Sync();
        SpaceReport before = v.Driver.QuerySpace();
        Assert.AreEqual(0, v.Client.DeleteFile(@"\a"));
        SpaceReport after = v.Driver.QuerySpace();
        v.Volume.Sync();
        SpaceReport committed = v.Driver.QuerySpace();
        const long Noise = 1 << 20;
        Assert.IsGreaterThanOrEqualTo(before.Free - Noise, after.Free);
        Assert.IsGreaterThanOrEqualTo(after.Free - Noise, committed.Free);
        Assert.IsTrue(before.Total == after.Total && after.Total == committed.Total);
        v.Volume.Bulkfree();
        v.Volume.Sync();
        v.Volume.Bulkfree();
        Assert.IsGreaterThan(before.Free + (15 << 20), v.Driver.QuerySpace().Free, "after the bulk free it is there again");
    }

    [TestMethod]
    public void D20_C31_AMountThatDeniesWritingRefusesEveryChange()
    {
        using DokanVolume v = DokanVolume.New(options: new Hammer2.Dokan.DokanMountOptions { Rights = Hammer2.Dokan.RightsMode.DenyWrite });
        v.No(Statuses.MediaWriteProtected, @"\a", Create, AllWrite);
        v.No(Statuses.MediaWriteProtected, @"\a", OpenIf, AllWrite);
        v.No(Statuses.MediaWriteProtected, @"\a", Create, CanRead, directory: true);
        Assert.AreEqual(19, v.Client.WriteAll(@"\a", s_data));
        SimulatedHandle root = v.Ok(@"\", Open, ToMove, directory: true);
        Assert.AreEqual(NtStatus.CannotDelete, Mark(v, root));
        v.Close(root);
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void B17_ARunningProgramIsNotDeletedAndItsFileStaysUsable(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.Put(@"\app.exe", s_data);
        SimulatedHandle loader = v.Ok(@"\app.exe", Open, AllExecute | CanRead, ShareRead | FileShare.Delete);
        Assert.AreEqual(NtStatus.Success, v.Driver.Map(loader, out MappedView? program, image: true));
        SimulatedHandle deleter = v.Ok(@"\app.exe", Open, ToDelete);
        Assert.AreEqual(NtStatus.CannotDelete, Mark(v, deleter), "the adapter agrees, then the driver refuses");
        v.Close(deleter);
        v.Close(v.Ok(@"\app.exe", Open, AllRead, ShareRead | FileShare.Delete));
        Assert.AreEqual(5, v.Client.DeleteFile(@"\app.exe"));
        CollectionAssert.AreEqual(s_data, v.Driver.Load(program!, 0, s_data.Length));

        // While it is open: an updater moves the running program out of the way, and its other names are in use.
        v.Link(@"\app.exe", "other.exe");
        SimulatedHandle updater = v.Ok(@"\app.exe", Open, ToMove);
        Assert.AreEqual(NtStatus.CannotDelete, Mark(v, updater));
        v.No(NtStatus.DeletePending, @"\other.exe", Open, AllRead);
        v.Close(updater);
        updater = v.Ok(@"\app.exe", Open, ToMove);
        v.Close(v.Ok(@"\other.exe", Open, AllRead, ShareRead | FileShare.Delete));
        Assert.AreEqual(NtStatus.Success, v.Driver.MoveFile(updater, @"\app.old", replace: false), "the driver did not mark it, or it would not have been opened");
        Assert.AreEqual(NtStatus.Success, v.Driver.MoveFile(updater, @"\app.exe", replace: false));
        v.Close(updater);
        v.Close(loader);
        Assert.AreEqual(5, v.Client.DeleteFile(@"\app.exe"));
        v.Driver.Unmap(program!);
        CollectionAssert.AreEqual(s_data, v.Client.ReadAll(@"\app.exe"));
        Assert.AreEqual(0, v.Client.DeleteFile(@"\app.exe"));
        v.Twice(static v => Assert.AreEqual("other.exe", string.Join(' ', v.Client.Names(@"\"))));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void D02_D18_ADeletionThatNobodyAskedForIsNotDone(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.MakeDirectory(@"\d", @"\d\sub");
        SimulatedHandle watched = v.Ok(@"\d\sub", Open, ToList, directory: true);
        SimulatedHandle mover = v.Ok(@"\d", Open, ToMove, directory: true);
        Assert.AreEqual(NtStatus.Success, v.Driver.MoveFile(mover, @"\e", replace: false));
        v.Close(mover);

        // The driver still calls the watched directory by its old path; a file that is made there now shares its block.
        v.MakeDirectory(@"\d");
        SimulatedHandle file = v.Ok(@"\d\sub", OpenIf, AllRead | AllWrite | CanDelete);
        v.W(file, 0, s_data);
        Assert.AreEqual(NtStatus.Success, Mark(v, file));
        v.Close(file);
        v.Close(watched);
        v.Twice(static v =>
        {
            Assert.IsTrue(v.Exists(@"\e\sub"), "the mark was the file's, the last handle the directory's");
            Assert.IsEmpty(v.Client.Names(@"\d"), "what was asked for goes nevertheless");
        });
    }

    /// <summary>Holds one open back on its way to the adapter.</summary>
    private sealed class LateOperations(IDokanOperations2 inner) : DelegatingOperations(inner), IDisposable
    {
        private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(30);
        private readonly ManualResetEventSlim _arrived = new();
        private readonly ManualResetEventSlim _goesOn = new();
        private volatile string? _late;

        /// <summary>What is answered instead of asking the adapter.</summary>
        internal NtStatus? Refusal { get; set; }

        /// <summary>Begins an open that the driver lets in now and the adapter hears of later.</summary>
        internal Task<OpenOutcome> Begin(DokanVolume v, string path, DokanNet.FileAccess access)
        {
            _late = path;
            Task<OpenOutcome> opens = Task.Run(() => v.C(path, Open, access));
            Assert.IsTrue(_arrived.Wait(s_deadline));
            return opens;
        }

        internal OpenOutcome GoOn(Task<OpenOutcome> opens)
        {
            _goesOn.Set();
            Assert.IsTrue(opens.Wait(s_deadline));
            return opens.Result;
        }

        public override NtStatus CreateFile(
            ReadOnlyNativeMemory<char> fileNamePtr, DokanNet.FileAccess access, FileShare share, FileMode mode, FileOptions options,
            FileAttributes attributes, ref DokanFileInfo info)
        {
            if (_late is { } late && fileNamePtr.Span.SequenceEqual(late))
            {
                _late = null;
                _arrived.Set();
                if (!_goesOn.Wait(s_deadline) || Refusal is not null)
                    return Refusal ?? NtStatus.Unsuccessful;
            }

            return base.CreateFile(fileNamePtr, access, share, mode, options, attributes, ref info);
        }

        public void Dispose()
        {
            _arrived.Dispose();
            _goesOn.Dispose();
        }
    }

    private static DokanVolume WithLateOpens(int threads, out LateOperations late)
    {
        LateOperations? made = null;
        DokanVolume v = DokanVolume.New(threads, wrap: inner => made is null ? made = new LateOperations(inner) : inner);
        late = made!;
        return v;
    }

    /// <summary>Random programs that shared a directory found deleted files in it. The simulated driver had counted opens under way
    /// as handles: one that then failed took the deletion with it, and nobody was told to delete. The driver counts an open when
    /// it has succeeded.</summary>
    [TestMethod]
    [DataRow(0, false)]
    [DataRow(4, false)]
    [DataRow(0, true)]
    [DataRow(4, true)]
    public void D02_AnOpenUnderWayKeepsNothingFromBeingDeleted(int threads, bool fails)
    {
        using DokanVolume v = WithLateOpens(threads, out LateOperations late);
        using LateOperations held = late;
        late.Refusal = fails ? Statuses.InsufficientResources : null;
        v.Put(@"\a", s_data);
        SimulatedHandle handle = v.Ok(@"\a", Open, ToDelete);
        Task<OpenOutcome> opens = late.Begin(v, @"\a", AllRead);
        Assert.AreEqual(NtStatus.Success, Mark(v, handle));
        v.Close(handle);
        Assert.IsEmpty(v.Client.Names(@"\"), "the last handle went");
        OpenOutcome outcome = late.GoOn(opens);
        Assert.AreEqual(fails ? Statuses.InsufficientResources : NtStatus.ObjectNameNotFound, outcome.Status);
        v.Put(@"\A", s_data.AsSpan(0, 3));
        v.Twice(static v => Assert.AreEqual("A", string.Join(' ', v.Client.Names(@"\"))));
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(4)]
    public void D01_AnOpenThatWasLetInBeforeTheMarkFindsItsFile(int threads)
    {
        using DokanVolume v = WithLateOpens(threads, out LateOperations late);
        using LateOperations held = late;
        v.Put(@"\a", s_data);
        SimulatedHandle handle = v.Ok(@"\a", Open, ToDelete);
        Task<OpenOutcome> opens = late.Begin(v, @"\a", AllRead | AllWrite);
        Assert.AreEqual(NtStatus.Success, Mark(v, handle));
        SimulatedHandle second = late.GoOn(opens).Handle!;
        v.Close(handle);
        v.No(NtStatus.DeletePending, @"\a", Open, AllRead);
        v.W(second, 0, "still"u8);
        CollectionAssert.Contains(v.Client.Names(@"\"), "a");
        v.Close(second);
        v.Twice(static v => Assert.IsEmpty(v.Client.Names(@"\")));
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(4)]
    public void D02_D18_OfTwoFilesInOneBlockTheOneGoesThatWasToGo(int threads)
    {
        using DokanVolume v = WithLateOpens(threads, out LateOperations late);
        using LateOperations held = late;
        v.Put(@"\a", s_data);
        v.Put(@"\b", s_data.AsSpan(0, 5));

        // The driver puts the open with the file that has the name now; by the time the adapter hears of it another one has.
        SimulatedHandle stays = v.Ok(@"\a", Open, ToMove);
        Task<OpenOutcome> opens = late.Begin(v, @"\a", ToDelete);
        Assert.AreEqual(NtStatus.Success, v.Driver.MoveFile(stays, @"\c", replace: false));
        SimulatedHandle mover = v.Ok(@"\b", Open, ToMove);
        Assert.AreEqual(NtStatus.Success, v.Driver.MoveFile(mover, @"\a", replace: false));
        v.Close(mover);
        SimulatedHandle goes = late.GoOn(opens).Handle!;
        Assert.AreEqual(5L, v.I(goes).Length);
        Assert.AreEqual(NtStatus.Success, Mark(v, goes));
        v.Close(goes);
        CollectionAssert.AreEquivalent(List("a", "c"), v.Client.Names(@"\"));
        v.Close(stays);
        v.Twice(static v =>
        {
            Assert.AreEqual("c", string.Join(' ', v.Client.Names(@"\")));
            CollectionAssert.AreEqual(s_data, v.Client.ReadAll(@"\c"));
        });
    }
}
