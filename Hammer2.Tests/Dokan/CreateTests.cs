// Making, emptying and opening on a writable volume: section J.1 as far as it changes something. Each with one pulling
// thread and with four; at the end of each the medium is checked and compared (DokanVolume).

using DokanNet;
using Hammer2.Tests.SimulatedDriver;
using static Hammer2.Tests.SimulatedDriver.CreateDisposition;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class CreateTests
{
    private static readonly byte[] s_hundred = DokanVolume.Noise(100, 1);

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void C01_C02_C03_NothingIsThereAndNothingIsLeftBehind(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.No(NtStatus.ObjectNameNotFound, @"\a", Open, CanReadAttributes);
        v.No(NtStatus.ObjectPathNotFound, @"\x\a", Open, CanReadAttributes);
        v.No(NtStatus.ObjectPathNotFound, @"\x\a", Create, AllWrite);
        v.Put(@"\f", s_hundred);
        int cleanups = v.Driver.Calls["Cleanup"];
        foreach (CreateDisposition disposition in new[] { Open, Create, OpenIf, OverwriteIf, Overwrite })
        {
            v.No(NtStatus.ObjectPathNotFound, @"\f\a", disposition, AllWrite);
            v.No(NtStatus.ObjectPathNotFound, @"\f\a", Create, CanRead, directory: true);
        }

        Assert.AreEqual(cleanups, v.Driver.Calls["Cleanup"]);
        Assert.AreEqual(0, v.Adapter.OpenCount);
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void C04_C05_C06_ANewFile(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        OpenOutcome made = v.C(@"\a", Create, AllWrite);
        Assert.AreEqual((NtStatus.Success, CreateInformation.Created, NtStatus.Success), (made.Status, made.Information, made.AdapterStatus));
        ByHandleFileInformation information = v.I(made.Handle!);
        Assert.AreEqual((0L, FileAttributes.Archive, 1), (information.Length, information.Attributes, information.NumberOfLinks));
        Assert.AreNotEqual(0L, information.FileIndex);
        v.Close(made.Handle!);
        v.Twice(static v =>
        {
            foreach (string name in List(@"\a", @"\A"))
            {
                OpenOutcome again = v.C(name, Create, AllWrite);
                Assert.AreEqual((NtStatus.ObjectNameCollision, CreateInformation.Exists), (again.Status, again.Information));
                Assert.AreEqual(NtStatus.ObjectNameCollision, again.AdapterStatus, "said by the adapter: nobody has it open");
            }

            CollectionAssert.AreEqual(List("a"), v.Client.Names(@"\"));
        });
        Assert.AreEqual(80, Error(v, FileMode.CreateNew), "ERROR_FILE_EXISTS for CREATE_NEW");
    }

    private static int Error(DokanVolume v, FileMode mode)
    {
        SimulatedHandle? handle = v.Client.CreateFile(@"\a", AllWrite, ShareNone, mode, out int error);
        if (handle is not null)
            v.Close(handle);
        return error;
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void C07_C08_OpenOrCreateTellsTheTwoApart(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        OpenOutcome created = v.C(@"\a", OpenIf, AllWrite);
        Assert.AreEqual((NtStatus.Success, CreateInformation.Created), (created.AdapterStatus, created.Information), "C08");
        v.W(created.Handle!, 0, "abc"u8);
        v.Close(created.Handle!);
        OpenOutcome opened = v.C(@"\a", OpenIf, AllWrite);
        Assert.AreEqual(
            (NtStatus.ObjectNameCollision, NtStatus.Success, CreateInformation.Opened), (opened.AdapterStatus, opened.Status, opened.Information), "C07");
        Assert.AreEqual(3L, v.I(opened.Handle!).Length);
        v.Close(opened.Handle!);
        Assert.AreEqual(183, Error(v, FileMode.OpenOrCreate));
        Assert.AreEqual(1, v.Driver.Notifications.Count(line => line == @"added \a"), "only one of them is an addition");
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void C09_C10_C11_EmptyingKeepsTheFile(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.Put(@"\a", s_hundred, FileAttributes.Hidden);
        ByHandleFileInformation before = v.I(@"\a");
        OpenOutcome emptied = v.C(@"\a", OverwriteIf, AllWrite, attributes: FileAttributes.Hidden);
        Assert.AreEqual((NtStatus.ObjectNameCollision, CreateInformation.Overwritten), (emptied.AdapterStatus, emptied.Information), "C09");
        ByHandleFileInformation after = v.I(emptied.Handle!);
        Assert.AreEqual((0L, before.FileIndex, before.CreationTime), (after.Length, after.FileIndex, after.CreationTime));
        Assert.AreEqual(FileAttributes.Hidden | FileAttributes.Archive, after.Attributes);
        Assert.IsGreaterThanOrEqualTo(before.LastWriteTime!.Value, after.LastWriteTime!.Value);
        v.W(emptied.Handle!, 0, s_hundred);
        v.Close(emptied.Handle!);

        v.Put(@"\b", s_hundred);
        OpenOutcome truncated = v.C(@"\b", Overwrite, AllWrite);
        Assert.AreEqual((NtStatus.Success, CreateInformation.Overwritten), (truncated.AdapterStatus, truncated.Information), "C10");
        Assert.AreEqual(0L, v.I(truncated.Handle!).Length);
        v.Close(truncated.Handle!);
        v.No(NtStatus.ObjectNameNotFound, @"\c", Overwrite, AllWrite);
        Assert.AreEqual(5, Error(v, FileMode.Create), "a hidden file is not emptied by who does not say so");
        v.Twice(static v => Assert.AreEqual((100L, 0L), (v.I(@"\a").Length, v.I(@"\b").Length)));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void C12_C13_C14_C17_C38_ReadOnly(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.Put(@"\a", s_hundred);
        Assert.AreEqual(0, v.Client.SetFileAttributes(@"\a", FileAttributes.ReadOnly));
        v.Twice(static v =>
        {
            v.Close(v.Ok(@"\a", Open, AllRead));
            v.Close(v.Ok(@"\a", Open, CanReadAttributes | CanWriteAttributes));
            v.Close(v.Ok(@"\a", Open, DokanNet.FileAccess.MaximumAllowed));
            v.No(NtStatus.AccessDenied, @"\a", Open, AllWrite);
            v.No(NtStatus.AccessDenied, @"\a", Open, CanWrite);
            v.No(NtStatus.AccessDenied, @"\a", Open, CanAppend);
            v.No(NtStatus.AccessDenied, @"\a", OpenIf, AllWrite);
            v.No(NtStatus.CannotDelete, @"\a", Open, CanDelete | CanWrite);
            v.No(NtStatus.AccessDenied, @"\a", OverwriteIf, AllWrite);
            v.No(NtStatus.AccessDenied, @"\a", Overwrite, AllWrite);
            v.No(NtStatus.CannotDelete, @"\a", OverwriteIf, AllWrite | CanDelete);
            foreach (CreateDisposition disposition in new[] { Open, OpenIf, OverwriteIf, Overwrite })
                v.No(NtStatus.CannotDelete, @"\a", disposition, CanDelete, options: FileOptions.DeleteOnClose);
            v.No(NtStatus.ObjectNameCollision, @"\a", Create, CanDelete, options: FileOptions.DeleteOnClose);
            Assert.AreEqual(100L, v.I(@"\a").Length);
        });
    }

    [TestMethod]
    [DataRow(1, FileAttributes.Hidden)]
    [DataRow(4, FileAttributes.Hidden)]
    [DataRow(1, FileAttributes.System)]
    [DataRow(4, FileAttributes.System)]
    public void C15_C16_HiddenAndSystemMustBeSaid(int threads, FileAttributes attribute)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.Put(@"\a", s_hundred, attribute);
        v.Twice(v =>
        {
            v.No(NtStatus.AccessDenied, @"\a", OverwriteIf, AllWrite);
            v.No(NtStatus.AccessDenied, @"\a", Overwrite, AllWrite);
            v.Close(v.Ok(@"\a", Open, AllWrite));
            Assert.AreEqual(100L, v.I(@"\a").Length);
        });
        OpenOutcome said = v.C(@"\a", OverwriteIf, AllWrite, attributes: attribute);
        Assert.AreEqual(NtStatus.ObjectNameCollision, said.AdapterStatus);
        Assert.AreEqual(attribute | FileAttributes.Archive, v.I(said.Handle!).Attributes);
        v.Close(said.Handle!);
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void C17_C18_ANewReadOnlyFileCanBeWrittenOnce(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        SimulatedHandle handle = v.Ok(@"\a", Create, AllWrite, attributes: FileAttributes.ReadOnly);
        v.W(handle, 0, s_hundred);
        v.Close(handle);
        v.Twice(static v =>
        {
            Assert.AreEqual(FileAttributes.ReadOnly | FileAttributes.Archive, v.I(@"\a").Attributes);
            v.No(NtStatus.AccessDenied, @"\a", Open, AllWrite);
            CollectionAssert.AreEqual(s_hundred, v.Client.ReadAll(@"\a"));
        });
        foreach (CreateDisposition disposition in new[] { Create, OpenIf, OverwriteIf })
            v.No(NtStatus.CannotDelete, @"\b", disposition, CanDelete, options: FileOptions.DeleteOnClose, attributes: FileAttributes.ReadOnly);
        Assert.IsFalse(v.Exists(@"\b"));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void C19_To_C26_DirectoriesOfAWritableVolume(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.MakeDirectory(@"\d");
        v.Put(@"\f", s_hundred);
        OpenOutcome made = v.C(@"\e", OpenIf, CanRead, directory: true);
        Assert.AreEqual((NtStatus.Success, CreateInformation.Created, true), (made.AdapterStatus, made.Information, made.Handle!.IsDirectory));
        Assert.AreEqual(FileAttributes.Directory, v.I(made.Handle!).Attributes);
        v.Close(made.Handle!);
        v.Twice(static v =>
        {
            SimulatedHandle plain = v.Ok(@"\d", Open, CanReadAttributes);
            Assert.IsTrue(plain.IsDirectory, "C19");
            v.Close(plain, v.Ok(@"\d", Open, CanRead, directory: true), v.Ok(@"\d", OpenIf, CanRead, directory: true));
            v.No(NtStatus.ObjectNameCollision, @"\d", Create, CanRead, directory: true);
            v.No(NtStatus.NotADirectory, @"\f", Open, CanRead, directory: true);
            v.No(NtStatus.ObjectNameCollision, @"\f", Create, CanRead, directory: true);
            v.No(NtStatus.NotADirectory, @"\f", OpenIf, CanRead, directory: true);
            foreach (string name in List(@"\d", @"\f", @"\new", @"\"))
            {
                v.No(NtStatus.InvalidParameter, name, OverwriteIf, CanRead, directory: true);
                v.No(NtStatus.InvalidParameter, name, Overwrite, CanRead, directory: true);
            }

            foreach (CreateDisposition disposition in new[] { OpenIf, OverwriteIf, Overwrite })
                v.No(Statuses.FileIsADirectory, @"\d", disposition, AllWrite);
            v.No(NtStatus.ObjectNameCollision, @"\d", Create, AllWrite);
            v.No(Statuses.FileIsADirectory, @"\d", Open, ToDelete);
            v.Close(v.Ok(@"\d", Open, ToMove, directory: true), v.Ok(@"\d", Open, AllRead | CanDelete));
            v.No(NtStatus.CannotDelete, @"\", Open, CanDelete | Waits, directory: true, options: FileOptions.DeleteOnClose);
            v.No(NtStatus.ObjectNameCollision, @"\", Create, CanRead, directory: true);
            v.Close(v.Ok(@"\", OpenIf, CanRead, directory: true));
            CollectionAssert.AreEquivalent(List("d", "e", "f"), v.Client.Names(@"\"));
        });
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void C27_C28_C29_NamesThatCannotBeMade(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        foreach (char illegal in "\"*<>?|/".Concat(Enumerable.Range(1, 31).Select(c => (char)c)))
            v.No(NtStatus.ObjectNameInvalid, $"\\a{illegal}b", Create, AllWrite);
        string longest = @"\" + new string('q', 255);
        v.Put(longest, s_hundred);
        v.No(NtStatus.ObjectNameInvalid, longest + "q", Create, AllWrite);
        v.No(NtStatus.ObjectNameInvalid, @"\" + new string('\u65E5', 86), Create, AllWrite);
        v.Put(@"\" + new string('\u65E5', 85), s_hundred);
        v.No(NtStatus.ObjectNameInvalid, "\\\uD800", Create, AllWrite);
        Assert.HasCount(2, v.Client.Names(@"\"));
        v.Twice(v => CollectionAssert.AreEqual(s_hundred, v.Client.ReadAll(longest)));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void C32_C33_AParentThatStandsInForAFileIsNotDeleted(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.MakeDirectory(@"\d");
        v.Put(@"\d\f", s_hundred, FileAttributes.ReadOnly);
        v.No(NtStatus.CannotDelete, @"\d\f", Open, CanDelete | CanWrite);
        Assert.AreEqual(0, v.Driver.Faults.All.Count, "C32: what is denied beside Delete does not make the library try the parent");

        v.Driver.InjectCreate = static request => request.Name == @"\d\g" ? NtStatus.AccessDenied : null;
        v.Put(@"\d\h", s_hundred);
        foreach (string empty in new[] { @"\d\h", "" })
        {
            SimulatedHandle parent = v.Ok(@"\d\g", Open, ToDelete);
            Assert.IsTrue(parent.IsDirectory, "C33: it is the parent's context");
            v.Driver.SetDisposition(parent, delete: true);
            v.Close(parent);
            Assert.IsTrue(v.Exists(@"\d"));
            if (empty.Length > 0)
                Assert.AreEqual(0, v.Client.DeleteFile(empty));
        }

        SimulatedHandle onClose = v.Ok(@"\d\g", Open, ToDelete, options: FileOptions.DeleteOnClose);
        v.Close(onClose);
        v.Driver.InjectCreate = null;
        v.Twice(static v => Assert.AreEqual("f", string.Join(' ', v.Client.Names(@"\d"))));
        v.Put(@"\d\new", s_hundred);
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void C34_C35_SharingOfOneNameAndOfTwo(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.Put(@"\a", s_hundred);
        v.Link(@"\a", "b");
        SimulatedHandle reader = v.Ok(@"\a", Open, AllRead, ShareRead);
        int asked = v.Driver.Calls["CreateFile"];
        v.No(NtStatus.SharingViolation, @"\a", Open, AllWrite, ShareReadWrite);
        v.No(NtStatus.SharingViolation, @"\A", OverwriteIf, AllWrite, ShareReadWrite);
        Assert.AreEqual(asked, v.Driver.Calls["CreateFile"], "C34: the driver decides");
        v.No(NtStatus.SharingViolation, @"\b", Open, AllWrite, ShareReadWrite);
        v.No(NtStatus.SharingViolation, @"\b", OverwriteIf, AllWrite, ShareReadWrite);
        v.No(NtStatus.ObjectNameCollision, @"\b", Create, AllWrite, ShareReadWrite);
        Assert.IsGreaterThan(asked, v.Driver.Calls["CreateFile"], "C35: the adapter decides");
        v.Close(v.Ok(@"\b", Open, AllRead, ShareRead));
        v.Close(v.Ok(@"\b", Open, CanReadAttributes, ShareNone));
        v.Close(reader);
        v.Close(v.Ok(@"\b", Open, AllWrite, ShareNone));
        SimulatedHandle second = v.Ok(@"\b", Open, AllRead, ShareNone);
        v.No(NtStatus.SharingViolation, @"\a", Open, AllRead, ShareReadWrite);
        v.Close(second);
        v.Close(v.Ok(@"\a", Open, AllRead, ShareNone));
        CollectionAssert.AreEqual(s_hundred, v.Client.ReadAll(@"\a"));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void C36_FailedOpensLeaveNoShare(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.Put(@"\a", s_hundred);
        v.Link(@"\a", "b");
        SimulatedHandle first = v.Ok(@"\b", Open, AllRead, ShareRead);
        v.No(NtStatus.ObjectNameCollision, @"\a", Create, AllWrite, ShareNone);
        v.No(NtStatus.SharingViolation, @"\a", Open, AllWrite, ShareNone);
        v.Close(first);
        v.Close(v.Ok(@"\b", Open, AllWrite | CanDelete, ShareNone));
        v.Close(v.Ok(@"\a", OverwriteIf, AllWrite, ShareNone));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void C37_NothingIsMadeInADirectoryThatGoes(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.MakeDirectory(@"\d", @"\e");
        v.Put(@"\e\f", s_hundred);
        SimulatedHandle going = v.Ok(@"\d", Open, ToMove, directory: true);
        Assert.AreEqual(NtStatus.Success, v.Driver.SetDisposition(going, delete: true));
        foreach (CreateDisposition disposition in new[] { Create, OpenIf, OverwriteIf })
            v.No(NtStatus.DeletePending, @"\d\x", disposition, AllWrite);
        v.No(NtStatus.DeletePending, @"\d\x", Create, CanRead, directory: true);
        v.No(NtStatus.ObjectNameNotFound, @"\d\x", Open, AllRead);
        SimulatedHandle moved = v.Ok(@"\e\f", Open, ToMove);
        Assert.AreEqual(NtStatus.DeletePending, v.Driver.Rename(moved, @"\d\f", replace: false));
        v.Close(moved);
        Assert.AreEqual(NtStatus.Success, v.Driver.SetDisposition(going, delete: false));
        v.Put(@"\d\x", s_hundred);
        v.Close(going);
        v.Twice(static v => Assert.IsTrue(v.Exists(@"\d\x") && v.Exists(@"\e\f")));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(8)]
    public void C39_OneNameOnEightThreads(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads, seed: 39);
        v.MakeDirectory(@"\d");
        int created = 0;
        Parallel.For(0, 400, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i =>
        {
            OpenOutcome outcome = v.C(i % 2 == 0 ? @"\d\name" : @"\d\NAME", OpenIf, AllWrite);
            Assert.AreEqual(NtStatus.Success, outcome.Status);
            if (outcome.Information == CreateInformation.Created)
                Interlocked.Increment(ref created);
            v.Close(outcome.Handle!);
        });
        Assert.AreEqual(1, created);
        Assert.HasCount(1, v.Client.Names(@"\d"));
        Assert.AreEqual(0, v.Adapter.OpenCount);
    }

    [TestMethod]
    public void C40_ADamagedFileStaysAndItsNeighboursCanBeWritten()
    {
        using DokanVolume v = DokanVolume.Copy("dmg-inode");
        v.IsJudged = false;
        v.No(Statuses.FileCorruptError, @"\many\delta-23.dat", Open, AllWrite);
        v.No(Statuses.FileCorruptError, @"\many\delta-23.dat", OverwriteIf, AllWrite);
        v.No(NtStatus.ObjectNameCollision, @"\many\delta-23.dat", Create, AllWrite);
        v.Put(@"\many\new", s_hundred);
        Assert.AreEqual(0, v.Client.MoveFileEx(@"\many\new", @"\many\other"));
        CollectionAssert.AreEqual(s_hundred, v.Client.ReadAll(@"\many\other"));
    }
}
