// Sequences of real clients (section B) on a writable volume: the answers, the final state, and both once more after a
// remount (R14); with one pulling thread, where no callback may wait for another (R09), and with four in random order.

using System.Text;
using DokanNet;
using Hammer2.Tests.SimulatedDriver;
using static Hammer2.Tests.SimulatedDriver.CreateDisposition;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class ScriptTests
{
    private const DokanNet.FileAccess Both = AllRead | AllWrite;
    private static readonly byte[] s_content = DokanVolume.Noise(300_000, 6);

    private static DokanVolume New(int threads) => DokanVolume.New(threads, seed: threads);

    private static string Text(DokanVolume v, string path) => Encoding.ASCII.GetString(v.Client.ReadAll(path));

    private static string Names(DokanVolume v, string path = @"\") => string.Join(' ', v.Client.Names(path).Order(StringComparer.Ordinal));

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void R09_R14_B01_B02_B03_TheShellLooksAtANewVolume(int threads)
    {
        using DokanVolume v = New(threads);
        SimulatedHandle root = v.Ok(@"\", Open, Waits, ShareReadWrite);
        v.Driver.QueryVolume(root);
        v.Driver.QuerySpace(root);
        foreach (string probe in new[] { @"\autorun.inf", @"\AutoRun.inf", @"\desktop.ini", @"\$RECYCLE.BIN", @"\System Volume Information" })
            v.No(NtStatus.ObjectNameNotFound, probe, Open, CanReadAttributes);
        v.No(NtStatus.ObjectPathNotFound, @"\System Volume Information\WPSettings.dat", Open, CanReadAttributes);
        Assert.AreEqual(0, v.Client.CreateDirectory(@"\System Volume Information", FileAttributes.Hidden | FileAttributes.System));
        Assert.AreEqual(0, v.Client.WriteAll(@"\System Volume Information\WPSettings.dat", "0123456789ab"u8));
        SimulatedHandle watch = v.Ok(@"\", Open, ToList, directory: true);
        Assert.AreEqual(0, v.Client.CreateDirectory(@"\sub"));
        Assert.AreEqual(". ..", string.Join(' ', v.Client.FindAll(@"\sub", "*", out _).Select(e => e.FileName)));
        CollectionAssert.Contains(v.Driver.Notifications, @"added \sub");
        v.Close(watch, root);
        v.Twice(static v => Assert.AreEqual(FileAttributes.Directory | FileAttributes.Hidden | FileAttributes.System, v.I(@"\System Volume Information").Attributes));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void B04_B05_ExplorerCopiesAFileOntoTheDrive(int threads)
    {
        using DokanVolume v = New(threads);
        v.MakeDirectory(@"\d");
        DateTime created = new(2001, 2, 3, 4, 5, 6, DateTimeKind.Utc);
        v.No(NtStatus.ObjectNameNotFound, @"\d\new.bin", Open, CanReadAttributes);
        SimulatedHandle handle = v.Ok(
            @"\d\new.bin", Create, AllWrite | CanReadAttributes | CanDelete, ShareNone, options: FileOptions.SequentialScan, attributes: FileAttributes.Archive);
        Assert.AreEqual(NtStatus.Success, v.Driver.SetAllocationSize(handle, s_content.Length));
        Assert.AreEqual(0L, v.I(handle).Length);
        Assert.AreEqual(NtStatus.Success, v.Driver.SetEndOfFile(handle, s_content.Length));
        int[] pieces = [3, 0, 4, 1, 2];
        Parallel.ForEach(pieces, i => v.W(handle, i * 65536, s_content.AsSpan(i * 65536, Math.Min(65536, s_content.Length - (i * 65536)))));
        Assert.AreEqual(NtStatus.Success, v.Driver.SetBasic(handle, FileAttributes.Archive, created, null, created.AddYears(5)));
        Assert.AreEqual(NtStatus.Success, v.Driver.SetBasic(handle, FileAttributes.ReadOnly | FileAttributes.Hidden, null, null, null));
        v.Close(handle);
        v.Twice(v =>
        {
            ByHandleFileInformation found = v.I(@"\d\new.bin");
            Assert.AreEqual((created, created.AddYears(5)), (found.CreationTime, found.LastWriteTime));
            CollectionAssert.AreEqual(s_content, v.Client.ReadAll(@"\d\new.bin", 77_777));
        });

        // A copy that is cancelled, one over an existing file, and one that does not fit.
        SimulatedHandle cancelled = v.Ok(@"\d\cancelled", Create, AllWrite | CanDelete, ShareNone);
        v.W(cancelled, 0, s_content);
        Assert.AreEqual(NtStatus.Success, v.Driver.SetDisposition(cancelled, delete: true));
        v.Close(cancelled);
        v.Put(@"\d\over", s_content);
        v.No(NtStatus.ObjectNameCollision, @"\d\over", Create, AllWrite);
        Assert.AreEqual(0, v.Client.SetFileAttributes(@"\d\new.bin", FileAttributes.Normal));
        Assert.AreEqual(0, v.Client.CopyFile(@"\d\new.bin", @"\d\over"));
        Assert.AreEqual(80, v.Client.CopyFile(@"\d\new.bin", @"\d\over", failIfExists: true));
        SimulatedHandle big = v.Ok(@"\d\big", Create, AllWrite | CanDelete, ShareNone);
        Assert.AreEqual(112, v.Client.SetEndOfFile(big, 1L << 45));
        Assert.AreEqual(NtStatus.Success, v.Driver.SetDisposition(big, delete: true));
        v.Close(big);
        v.No(NtStatus.InvalidParameter, @"\d\over:Zone.Identifier", Create, AllWrite);
        v.Twice(v =>
        {
            Assert.AreEqual("new.bin over", Names(v, @"\d"));
            Assert.AreEqual(created.AddYears(5), v.I(@"\d\over").LastWriteTime);
            CollectionAssert.AreEqual(s_content, v.Client.ReadAll(@"\d\over"));
        });
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void B06_B07_RenamesInExplorer(int threads)
    {
        using DokanVolume v = New(threads);
        v.MakeDirectory(@"\d", @"\dir");
        v.Put(@"\d\a.txt", "a"u8);
        v.Put(@"\d\c.txt", "c"u8);
        long index = v.I(@"\d\a.txt").FileIndex;
        Assert.AreEqual(0, v.Client.MoveFileEx(@"\d\a.txt", @"\d\b.txt"));
        Assert.AreEqual(0, v.Client.MoveFileEx(@"\d\b.txt", @"\d\B.TXT"));
        Assert.AreEqual(183, v.Client.MoveFileEx(@"\d\B.TXT", @"\d\c.txt"));
        SimulatedHandle reader = v.Ok(@"\d\c.txt", Open, AllRead);
        Assert.AreEqual(5, v.Client.MoveFileEx(@"\d\B.TXT", @"\d\c.txt", replace: true));
        v.Close(reader);
        Assert.AreEqual(0, v.Client.MoveFileEx(@"\d\B.TXT", @"\d\c.txt", replace: true));
        Assert.AreEqual(0, v.Client.MoveFileEx(@"\dir", @"\d\Dir"));
        v.Twice(v =>
        {
            Assert.AreEqual("Dir c.txt", Names(v, @"\d"));
            Assert.AreEqual(("a", index), (Text(v, @"\d\c.txt"), v.I(@"\d\c.txt").FileIndex));
        });
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void B08_L21_TheRecycleBin(int threads)
    {
        using DokanVolume v = New(threads);
        const string Bin = @"\$RECYCLE.BIN\S-1-5-21-1111-2222-3333-1001";
        const FileAttributes Away = FileAttributes.Hidden | FileAttributes.System;
        v.MakeDirectory(@"\d");
        v.Put(@"\d\a.txt", s_content);
        v.No(NtStatus.ObjectNameNotFound, @"\$RECYCLE.BIN", Open, CanReadAttributes);
        Assert.AreEqual(0, v.Client.CreateDirectory(@"\$RECYCLE.BIN", Away));
        SimulatedHandle own = v.Ok(Bin, Create, ToList | CanWriteAttributes | DokanNet.FileAccess.ChangePermissions, directory: true);
        Assert.AreEqual(NtStatus.Success, v.Driver.SetBasic(own, Away, null, null, null));
        Assert.AreEqual(NtStatus.Success, v.Driver.SetSecurity(own));
        v.Close(own);
        v.Put(Bin + @"\desktop.ini", "[.ShellClassInfo]"u8);
        Assert.AreEqual(0, v.Client.SetFileAttributes(Bin + @"\desktop.ini", Away));
        v.Put(Bin + @"\$Iabcdef.txt", new byte[544]);
        Assert.AreEqual(0, v.Client.MoveFileEx(@"\d\a.txt", Bin + @"\$Rabcdef.txt"));
        v.Twice(static v =>
        {
            Assert.AreEqual(FileAttributes.Directory | Away, v.I(@"\$RECYCLE.BIN").Attributes);
            Assert.AreEqual(FileAttributes.Directory | Away, v.I(Bin).Attributes);
            Assert.AreEqual(Away, v.I(Bin + @"\desktop.ini").Attributes & ~FileAttributes.Archive);
            Assert.AreEqual("$Iabcdef.txt $Rabcdef.txt desktop.ini", Names(v, Bin));
            Assert.AreEqual("", Names(v, @"\d"));
        });
        Assert.AreEqual(0, v.Client.MoveFileEx(Bin + @"\$Rabcdef.txt", @"\d\a.txt"), "restored");
        CollectionAssert.AreEqual(s_content, v.Client.ReadAll(@"\d\a.txt"));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void B09_B10_B13_DeletingForGood(int threads)
    {
        using DokanVolume v = New(threads);
        v.MakeDirectory(@"\t", @"\t\sub", @"\t\sub\deeper");
        for (int i = 0; i < 30; i++)
            v.Put($@"\t\sub\{i}", [], i % 3 == 0 ? FileAttributes.ReadOnly : FileAttributes.Normal);
        Assert.AreEqual(5, v.Client.RemoveTree(@"\t"), "a read-only file stops it");
        for (int i = 0; i < 30; i += 3)
            Assert.AreEqual(0, v.Client.SetFileAttributes($@"\t\sub\{i}", FileAttributes.Normal));

        // Somebody has a file open while the tree goes: the directory is not empty until he closes it.
        string last = v.Client.Names(@"\t\sub").First(name => name != "deeper");
        SimulatedHandle scanner = v.Ok($@"\t\sub\{last}", Open, AllRead);
        Assert.AreEqual(145, v.Client.RemoveTree(@"\t"));
        v.Close(scanner);
        Assert.AreEqual(0, v.Client.RemoveTree(@"\t"));
        Assert.AreEqual(0, v.Client.WriteAll(@"\set.txt", "Set-Content"u8));
        Assert.AreEqual(0, v.Client.WriteAll(@"\set.txt", "Set again"u8));
        Assert.AreEqual(0, v.Client.AppendAll(@"\set.txt", " and added"u8));
        Assert.AreEqual(0, v.Client.AppendAll(@"\added.txt", "new"u8));
        v.Twice(static v =>
        {
            Assert.AreEqual("added.txt set.txt", Names(v));
            Assert.AreEqual(("Set again and added", "new"), (Text(v, @"\set.txt"), Text(v, @"\added.txt")));
        });
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void B11_NotepadOpensAndSaves(int threads)
    {
        using DokanVolume v = New(threads);
        v.Put(@"\n.txt", s_content);
        SimulatedHandle handle = v.Ok(@"\n.txt", Open, AllRead, ShareReadWrite);
        Assert.AreEqual(NtStatus.Success, v.Driver.Map(handle, out MappedView? view));
        v.Driver.Load(view!, 0, 4096);
        v.Close(handle);
        CollectionAssert.AreEqual(s_content, v.Driver.Load(view!, 0, s_content.Length), "paging after Cleanup");
        v.Driver.Unmap(view!);
        OpenOutcome save = v.C(@"\n.txt", OpenIf, Both, ShareRead);
        Assert.AreEqual(NtStatus.ObjectNameCollision, save.AdapterStatus);
        v.W(save.Handle!, 0, "short"u8);
        Assert.AreEqual(NtStatus.Success, v.Driver.SetEndOfFile(save.Handle!, 5));
        v.Close(save.Handle!);
        v.Twice(static v => Assert.AreEqual("short", Text(v, @"\n.txt")));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void B12_M19_WordSaves(int threads)
    {
        using DokanVolume v = New(threads);
        DateTime born = new(2010, 1, 2, 3, 4, 5, DateTimeKind.Utc);
        v.Put(@"\doc.docx", "old text"u8);
        SimulatedHandle dated = v.Ok(@"\doc.docx", Open, CanWriteAttributes);
        Assert.AreEqual(NtStatus.Success, v.Driver.SetBasic(dated, FileAttributes.Hidden, born, null, null));
        v.Close(dated);
        SimulatedHandle owner = v.Ok(@"\~$doc.docx", Create, Both | CanDelete, ShareRead | FileShare.Delete, options: FileOptions.DeleteOnClose, attributes: FileAttributes.Hidden);
        v.W(owner, 0, new byte[162]);
        SimulatedHandle open = v.Ok(@"\doc.docx", Open, Both, ShareRead | FileShare.Delete);
        Assert.AreEqual("old text", Encoding.ASCII.GetString(Read(v, open)));
        v.Close(open);
        SimulatedHandle temp = v.Ok(@"\~WRD0001.tmp", Create, Both | CanDelete);
        v.W(temp, 0, "new text"u8);
        Assert.AreEqual(NtStatus.Success, v.Driver.Flush(temp));
        v.Close(temp);
        Assert.AreEqual(0, v.Client.ReplaceFile(@"\doc.docx", @"\~WRD0001.tmp", @"\~WRL0002.tmp"));
        Assert.AreEqual(("new text", "old text"), (Text(v, @"\doc.docx"), Text(v, @"\~WRL0002.tmp")));
        Assert.AreEqual(0, v.Client.DeleteFile(@"\~WRL0002.tmp"));
        v.Close(owner);
        v.Twice(v =>
        {
            Assert.AreEqual("doc.docx", Names(v), "nothing temporary is left");
            Assert.AreEqual("new text", Text(v, @"\doc.docx"));
            Assert.AreEqual((born, FileAttributes.Hidden), (v.I(@"\doc.docx").CreationTime, v.I(@"\doc.docx").Attributes & FileAttributes.Hidden));
        });
    }

    private static byte[] Read(DokanVolume v, SimulatedHandle handle)
    {
        var bytes = new byte[v.I(handle).Length];
        Assert.AreEqual(NtStatus.Success, v.Driver.Read(handle, 0, bytes, out _));
        return bytes;
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void B14_B20_RobocopyXcopyAndTheCommandLine(int threads)
    {
        using DokanVolume v = New(threads);
        v.MakeDirectory(@"\from", @"\from\sub", @"\to", @"\to\extra");
        for (int i = 0; i < 10; i++)
            v.Put($@"\from\{(i % 2 == 0 ? "" : @"sub\")}{i}", s_content.AsSpan(0, i * 1000));
        v.Put(@"\to\extra\old", [], FileAttributes.ReadOnly);
        Mirror(v, @"\from", @"\to", expected: 10);
        Mirror(v, @"\from", @"\to", expected: 0);
        Assert.AreEqual(0, v.Client.AppendAll(@"\from\0", "x"u8));
        Mirror(v, @"\from", @"\to", expected: 1);
        SimulatedHandle echo = v.Ok(@"\from\2", OpenIf, Both);
        v.W(echo, v.I(echo).Length, "echoed"u8);
        v.Close(echo);
        Assert.AreEqual(0, v.Client.CopyFile(@"\from\2", @"\to\2"));
        v.Twice(static v =>
        {
            Assert.AreEqual(Names(v, @"\from"), Names(v, @"\to"));
            Assert.AreEqual(Names(v, @"\from\sub"), Names(v, @"\to\sub"));
            CollectionAssert.AreEqual(v.Client.ReadAll(@"\from\sub\9"), v.Client.ReadAll(@"\to\sub\9"));
            Assert.AreEqual(2006, v.Client.ReadAll(@"\to\2").Length);
        });
        Mirror(v, @"\from", @"\to", expected: 0);
    }

    /// <summary>Copies what differs in size or time, to 100 ns, and removes what is not in the source.</summary>
    private static void Mirror(DokanVolume v, string source, string target, int expected)
    {
        int copied = 0;
        var work = new Stack<(string From, string To)>([(source, target)]);
        while (work.TryPop(out (string From, string To) at))
        {
            v.Client.CreateDirectory(at.To);
            Dictionary<string, FindFileInformation> there = Entries(v, at.To);
            foreach ((string name, FindFileInformation entry) in Entries(v, at.From))
            {
                (string from, string to) = ($@"{at.From}\{name}", $@"{at.To}\{name}");
                if ((entry.Attributes & FileAttributes.Directory) != 0)
                    work.Push((from, to));
                else if (!there.TryGetValue(name, out FindFileInformation old) || old.Length != entry.Length || old.LastWriteTime != entry.LastWriteTime)
                {
                    Assert.AreEqual(0, v.Client.CopyFile(from, to), to);
                    copied++;
                }

                there.Remove(name);
            }

            foreach ((string name, FindFileInformation extra) in there)
            {
                foreach (string file in v.Client.Names($@"{at.To}\{name}"))
                    Assert.AreEqual(0, v.Client.SetFileAttributes($@"{at.To}\{name}\{file}", FileAttributes.Normal));
                Assert.AreEqual(0, v.Client.RemoveTree($@"{at.To}\{name}"));
            }
        }

        Assert.AreEqual(expected, copied, "files that were copied");
    }

    private static Dictionary<string, FindFileInformation> Entries(DokanVolume v, string path) =>
        v.Client.FindAll(path, "*", out _).Where(e => e.FileName.ToString() is not ("." or "..")).ToDictionary(e => e.FileName.ToString(), StringComparer.OrdinalIgnoreCase);

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void B15_GitMakesARepository(int threads)
    {
        using DokanVolume v = New(threads);
        v.MakeDirectory(@"\r", @"\r\.git", @"\r\.git\objects");
        Parallel.For(0, 40, new ParallelOptions { MaxDegreeOfParallelism = threads }, i =>
        {
            string temp = $@"\r\.git\objects\tmp_obj_{i}";
            v.Put(temp, s_content.AsSpan(0, 500 + i));
            Assert.AreEqual(0, v.Client.SetFileAttributes(temp, FileAttributes.ReadOnly));
            Assert.AreEqual(0, v.Client.MoveFileEx(temp, $@"\r\.git\objects\{i:x2}"));
        });
        for (int round = 0; round < 5; round++)
        {
            SimulatedHandle index = v.Ok(@"\r\.git\index.lock", Create, Both, ShareReadWrite | FileShare.Delete);
            v.No(NtStatus.ObjectNameCollision, @"\r\.git\index.lock", Create, Both);
            v.W(index, 0, s_content.AsSpan(round, 1000));
            v.Close(index);
            Assert.AreEqual(0, v.Client.MoveFileEx(@"\r\.git\index.lock", @"\r\.git\index", replace: true));
        }

        SimulatedHandle pack = v.Ok(@"\r\.git\objects\05", Open, AllRead);
        Assert.AreEqual(NtStatus.Success, v.Driver.Map(pack, out MappedView? view));
        v.Close(pack);
        CollectionAssert.AreEqual(s_content[..505], v.Driver.Load(view!, 0, 505));
        v.Driver.Unmap(view!);
        Assert.AreEqual(5, v.Client.DeleteFile(@"\r\.git\objects\05"));
        Assert.AreEqual(0, v.Client.SetFileAttributes(@"\r\.git\objects\05", FileAttributes.Normal));
        Assert.AreEqual(0, v.Client.DeleteFile(@"\r\.git\objects\05"));
        v.Twice(static v =>
        {
            Assert.AreEqual("index objects", Names(v, @"\r\.git"));
            Assert.HasCount(39, v.Client.Names(@"\r\.git\objects"));
            CollectionAssert.AreEqual(s_content[4..1004], v.Client.ReadAll(@"\r\.git\index"));
        });
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void B16_AMappedFileIsWritten(int threads)
    {
        using DokanVolume v = New(threads);
        SimulatedHandle handle = v.Ok(@"\m", Create, Both, ShareReadWrite);
        Assert.AreEqual(NtStatus.Success, v.Driver.SetEndOfFile(handle, 10_000));
        Assert.AreEqual(NtStatus.Success, v.Driver.Map(handle, out MappedView? view, writable: true));
        v.Driver.Load(view!, 0, 10_000);
        v.Close(handle);
        v.Driver.Store(view!, 0, s_content.AsSpan(0, 4096));
        v.Driver.Store(view!, 8192, s_content.AsSpan(8192, 1808));
        v.Driver.FlushView(view!);
        v.Driver.Store(view!, 5000, s_content.AsSpan(5000, 10));
        v.No(NtStatus.SharingViolation, @"\m", Open, AllRead, ShareRead);
        v.Driver.Unmap(view!);
        byte[] expected = [.. s_content[..4096], .. new byte[904], .. s_content[5000..5010], .. new byte[3182], .. s_content[8192..10_000]];
        v.Twice(v => CollectionAssert.AreEqual(expected, v.Client.ReadAll(@"\m")));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void B18_B19_DatabasesAndBuilds(int threads)
    {
        using DokanVolume v = New(threads);
        SimulatedHandle database = v.Ok(@"\t.db", OpenIf, Both, ShareReadWrite);
        for (int i = 0; i < 5; i++)
        {
            SimulatedHandle journal = v.Ok(@"\t.db-journal", OpenIf, Both | CanDelete, ShareReadWrite);
            v.W(journal, 0, s_content.AsSpan(i, 4096));
            Assert.AreEqual(NtStatus.Success, v.Driver.Flush(journal));
            v.W(database, i * 4096, s_content.AsSpan(i, 4096));
            Assert.AreEqual(NtStatus.Success, v.Driver.Flush(database));
            Assert.AreEqual(NtStatus.Success, v.Driver.SetDisposition(journal, delete: true));
            v.Close(journal);
        }

        SimulatedHandle log = v.Ok(@"\t.db-wal", Create, Both, ShareReadWrite);
        v.W(log, 0, s_content);
        Assert.AreEqual(NtStatus.Success, v.Driver.SetEndOfFile(log, 0));
        v.Close(log, database);
        v.MakeDirectory(@"\obj");
        SimulatedHandle watch = v.Ok(@"\obj", Open, ToList, directory: true);
        Parallel.For(0, 60, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i =>
        {
            SimulatedHandle temp = v.Ok($@"\obj\tmp{i}", Create, Both | CanDelete, options: FileOptions.DeleteOnClose, attributes: FileAttributes.Temporary);
            v.W(temp, 0, s_content.AsSpan(0, 100));
            v.No(NtStatus.ObjectNameNotFound, $@"\obj\missing{i}", Open, CanReadAttributes);
            Assert.AreEqual(0, v.Client.WriteAll($@"\obj\new{i}", s_content.AsSpan(0, i)));
            Assert.AreEqual(0, v.Client.MoveFileEx($@"\obj\new{i}", $@"\obj\{i % 20}.{i}", replace: true));
            v.Close(temp);
        });
        v.Close(watch);
        v.Twice(static v =>
        {
            Assert.HasCount(60, v.Client.Names(@"\obj"));
            Assert.AreEqual("obj t.db t.db-wal", Names(v));
            CollectionAssert.AreEqual(s_content[4..4100], v.Client.ReadAll(@"\t.db")[16384..]);
        });
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void B21_PatternsAsTyped(int threads)
    {
        using DokanVolume v = New(threads);
        foreach (string name in new[] { "readme", "readme.txt", "READ.ME", "other.txt.bak" })
            v.Put(@"\" + name, []);
        v.Twice(static v =>
        {
            foreach ((string typed, int count) in new[] { ("*.txt", 1), ("*.*", 4), ("read*", 3), ("readme.*", 2), ("*.", 1), ("????.??", 1), ("*.bak", 1) })
                Assert.HasCount(count, v.Client.Names(@"\", typed), typed);
        });
    }
}
