// Renaming: section J.4. Each with one pulling thread and with four; at the end of each the medium is checked and compared
// (DokanVolume).

using DokanNet;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Tests.Hostile;
using Hammer2.Tests.SimulatedDriver;
using static Hammer2.Tests.SimulatedDriver.CreateDisposition;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class MoveTests
{
    private static readonly byte[] s_one = DokanVolume.Noise(30_000, 1);
    private static readonly byte[] s_two = DokanVolume.Noise(40_000, 2);

    private static DokanVolume Two(int threads)
    {
        DokanVolume v = DokanVolume.New(threads);
        v.Put(@"\a", s_one);
        v.Put(@"\b", s_two);
        return v;
    }

    private static NtStatus Move(DokanVolume v, string path, string target, bool replace)
    {
        SimulatedHandle handle = v.Ok(path, Open, ToMove);
        NtStatus status = v.Driver.MoveFile(handle, target, replace);
        Assert.AreEqual(NtStatus.Success, v.Driver.QueryInformation(handle, out _), "the handle lives on either way");
        v.Close(handle);
        return status;
    }

    private static string Names(DokanVolume v, string path = @"\") => string.Join(' ', v.Client.Names(path).Order(StringComparer.Ordinal));

    private static void Both(DokanVolume v)
    {
        CollectionAssert.AreEqual(s_one, v.Client.ReadAll(@"\a"));
        CollectionAssert.AreEqual(s_two, v.Client.ReadAll(@"\b"));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void M01_M17_AHandleFollowsItsFile(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.Put(@"\a", s_one);
        SimulatedHandle mover = v.Ok(@"\a", Open, ToMove | AllRead);
        SimulatedHandle reader = v.Ok(@"\a", Open, AllRead | AllWrite);
        ByHandleFileInformation before = v.I(mover);
        Assert.AreEqual(NtStatus.Success, v.Driver.MoveFile(mover, @"\b", replace: false));
        Assert.AreEqual(@"\b", mover.Block.Name);
        ByHandleFileInformation after = v.I(mover);
        Assert.AreEqual((before.FileIndex, before.Length, before.CreationTime), (after.FileIndex, after.Length, after.CreationTime));
        Assert.AreEqual("b", Names(v));
        var buffer = new byte[s_one.Length];
        foreach (string spelling in new[] { @"\b", @"\a" })
        {
            // Under a stale name too: the context counts.
            reader.Block.Name = spelling;
            Assert.AreEqual(NtStatus.Success, v.Driver.Read(reader, 0, buffer, out _), "M17");
            CollectionAssert.AreEqual(s_one, buffer);
            v.W(reader, 0, s_one.AsSpan(0, 10));
        }

        reader.Block.Name = @"\b";
        v.No(NtStatus.ObjectNameNotFound, @"\a", Open, AllRead);
        Assert.AreEqual(NtStatus.Success, v.Driver.SetDisposition(mover, delete: true), "and it can be deleted under the new name");
        Assert.AreEqual(NtStatus.Success, v.Driver.SetDisposition(mover, delete: false));
        v.Close(mover, reader);
        Assert.AreEqual(1, v.Driver.Notifications.Count(line => line == @"renamed \a to \b"));
        v.Twice(static v => CollectionAssert.AreEqual(s_one, v.Client.ReadAll(@"\b")));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void M02_M03_M04_M05_OverAnotherFile(int threads)
    {
        using DokanVolume v = Two(threads);
        Assert.AreEqual(NtStatus.ObjectNameCollision, Move(v, @"\a", @"\b", replace: false), "M02");
        Assert.AreEqual(NtStatus.ObjectNameCollision, Move(v, @"\a", @"\B", replace: false), "M02");
        SimulatedHandle open = v.Ok(@"\b", Open, AllRead);
        Assert.AreEqual(NtStatus.AccessDenied, Move(v, @"\a", @"\b", replace: true), "M04");
        v.Close(open);
        Assert.AreEqual(0, v.Client.SetFileAttributes(@"\b", FileAttributes.ReadOnly));
        Assert.AreEqual(NtStatus.AccessDenied, Move(v, @"\a", @"\b", replace: true), "M05");
        Assert.AreEqual(0, v.Client.SetFileAttributes(@"\b", FileAttributes.Normal));
        v.Twice(Both);
        Assert.AreEqual(0, v.Client.MoveFileEx(@"\a", @"\B", replace: true), "M03");
        v.Twice(static v =>
        {
            Assert.AreEqual("B", Names(v));
            CollectionAssert.AreEqual(s_one, v.Client.ReadAll(@"\b"));
        });
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void M06_M07_FilesAndDirectoriesDoNotReplaceEachOther(int threads)
    {
        using DokanVolume v = Two(threads);
        v.MakeDirectory(@"\d", @"\e");
        Assert.AreEqual(NtStatus.AccessDenied, Move(v, @"\a", @"\d", replace: true), "M06");
        Assert.AreEqual(NtStatus.ObjectNameCollision, Move(v, @"\a", @"\d", replace: false), "M06");
        Assert.AreEqual(NtStatus.AccessDenied, Move(v, @"\d", @"\a", replace: true), "M07");
        Assert.AreEqual(NtStatus.ObjectNameCollision, Move(v, @"\d", @"\a", replace: false));
        Assert.AreEqual(NtStatus.AccessDenied, Move(v, @"\d", @"\e", replace: true), "not even an empty directory");
        SimulatedHandle root = v.Ok(@"\", Open, ToMove, directory: true);
        Assert.AreEqual(NtStatus.AccessDenied, v.Driver.Rename(root, @"\x", replace: false));
        v.Close(root);
        v.Twice(static v =>
        {
            Both(v);
            Assert.AreEqual("a b d e", Names(v));
        });
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void M08_M09_OtherSpellingAndTheSame(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.Put(@"\a", s_one);
        v.MakeDirectory(@"\dir");
        v.Put(@"\dir\x", s_two);
        foreach (bool replace in new[] { false, true })
        {
            Assert.AreEqual(NtStatus.Success, Move(v, @"\a", @"\A", replace), "M08");
            Assert.AreEqual(NtStatus.Success, Move(v, @"\dir", @"\DiR", replace), "M08");
            Assert.AreEqual("A DiR", Names(v));
            Assert.AreEqual(NtStatus.Success, Move(v, @"\A", @"\A", replace), "M09");
            Assert.AreEqual(NtStatus.Success, Move(v, @"\A", @"\a", replace));
            Assert.AreEqual(NtStatus.Success, Move(v, @"\DIR", @"\dir", replace));
        }

        v.Twice(static v =>
        {
            Assert.AreEqual("a dir", Names(v));
            CollectionAssert.AreEqual(s_two, v.Client.ReadAll(@"\DIR\X"));
            CollectionAssert.AreEqual(s_one, v.Client.ReadAll(@"\A"));
        });
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void M10_M11_M12_DirectoriesWithLifeInThem(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.MakeDirectory(@"\d", @"\d\e", @"\d\e\deep");
        v.Put(@"\d\f", s_one);
        Assert.AreEqual(NtStatus.InvalidParameter, Move(v, @"\d", @"\d\e\f", replace: false), "M10");
        SimulatedHandle self = v.Ok(@"\d", Open, ToMove, directory: true);
        Assert.AreEqual(NtStatus.SharingViolation, v.Driver.MoveFile(self, @"\d\x", replace: false), "the legs meet the mover itself");
        Assert.AreEqual(NtStatus.InvalidParameter, v.Driver.Rename(self, @"\d\x", replace: false), "M10");
        v.Close(self);
        Assert.AreEqual(NtStatus.InvalidParameter, Move(v, @"\d", @"\D\e\deep\x", replace: true), "M10");

        SimulatedHandle file = v.Ok(@"\d\f", Open, AllRead);
        Assert.AreEqual(NtStatus.AccessDenied, Move(v, @"\d", @"\g", replace: false), "M11");
        Assert.AreEqual(NtStatus.Success, Move(v, @"\d", @"\D", replace: false), "its own spelling may change");
        v.Close(file);
        SimulatedHandle watcher = v.Ok(@"\D\e", Open, ToList, directory: true);
        SimulatedHandle listing = v.Ok(@"\D", Open, ToList, directory: true);
        Assert.AreEqual(NtStatus.Success, v.Driver.QueryDirectory(listing, "*", restart: true, 3, out List<FindFileInformation> first));
        Assert.AreEqual(NtStatus.Success, Move(v, @"\D", @"\g", replace: false), "M11 after the close, M12");
        Assert.AreEqual(NtStatus.Success, v.Driver.QueryDirectory(listing, "*", restart: false, 3, out List<FindFileInformation> rest));
        Assert.AreEqual(4, first.Count + rest.Count, "M12: the listing goes on");
        Assert.AreEqual(NtStatus.Success, v.Driver.List(watcher, "*", out _));
        v.Close(watcher, listing);
        v.Twice(static v =>
        {
            Assert.AreEqual("g", Names(v));
            CollectionAssert.AreEqual(s_one, v.Client.ReadAll(@"\g\f"));
            Assert.IsTrue(v.Exists(@"\g\e\deep"));
        });
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void M13_M14_M21_TargetsThatCannotBe(int threads)
    {
        using DokanVolume v = Two(threads);
        Assert.AreEqual(NtStatus.ObjectPathNotFound, Direct(v, @"\none\x"), "M13");
        Assert.AreEqual(NtStatus.ObjectPathNotFound, Direct(v, @"\b\x"), "M13");
        Assert.AreNotEqual(NtStatus.Success, Move(v, @"\a", @"\none\x", replace: false));
        Assert.AreNotEqual(NtStatus.Success, Move(v, @"\a", @"\b\x", replace: false));
        foreach (string bad in new[] { @"\x*", @"\x?y", "\\x\ud800", @"\" + new string('x', 256), @"\" + new string('\u65E5', 86), @"\.", @"\.." })
        {
            Assert.AreEqual(NtStatus.ObjectNameInvalid, Direct(v, bad), "M14");
            Assert.AreEqual(NtStatus.ObjectNameInvalid, Move(v, @"\a", bad, replace: true), "M14");
        }

        int asked = v.Driver.Calls["MoveFile"];
        Assert.AreEqual(NtStatus.NotSameDevice, Move(v, @"\a", @"N:\a", replace: false), "M21: the I/O manager says so");
        Assert.AreEqual(17, v.Client.MoveFileEx(@"\a", @"N:\a"));
        Assert.AreEqual(asked, v.Driver.Calls["MoveFile"]);
        v.Twice(Both);
    }

    private static NtStatus Direct(DokanVolume v, string target)
    {
        SimulatedHandle handle = v.Ok(@"\a", Open, ToMove);
        NtStatus status = v.Driver.Rename(handle, target, replace: false);
        v.Close(handle);
        return status;
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void M15_OneLinkOverTheOther(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.Put(@"\a", s_one);
        v.Link(@"\a", "b");
        Assert.AreEqual(NtStatus.ObjectNameCollision, Move(v, @"\a", @"\b", replace: false));
        Assert.AreEqual(NtStatus.Success, Move(v, @"\a", @"\b", replace: true));
        v.Twice(static v =>
        {
            Assert.AreEqual("b", Names(v));
            Assert.AreEqual(1, v.I(@"\b").NumberOfLinks);
            CollectionAssert.AreEqual(s_one, v.Client.ReadAll(@"\b"));
        });
    }

    [TestMethod]
    public void M17_D18_AFileWithoutANameDoesNotMoveTheOneThatHasItsNameNow()
    {
        using DokanVolume v = DokanVolume.New();
        v.Put(@"\a", s_one);
        SimulatedHandle handle = v.Ok(@"\a", Open, ToMove);

        // Behind the driver's back, as by an open that was under way when the last handle went.
        using (Vnode root = v.Pfs.OpenRoot())
        {
            Assert.AreEqual(Hammer2Error.None, v.Pfs.TryUnlink(root, "a"u8));
            var what = new NewInode { Type = ObjectType.File, Mode = 0x1A4 };
            Assert.AreEqual(Hammer2Error.None, v.Pfs.TryCreate(root, "a"u8, what, out Vnode? other));
            other!.Dispose();
        }

        Assert.AreEqual(NtStatus.ObjectNameNotFound, v.Driver.MoveFile(handle, @"\b", replace: false));
        v.Close(handle);
        v.Twice(static v => Assert.AreEqual("a", string.Join(' ', v.Client.Names(@"\"))));
    }

    private static void Set(DokanVolume v, string path, AttributeChanges changes)
    {
        Assert.AreEqual(Hammer2Error.None, v.Pfs.TryResolve(path, out Vnode? found));
        using Vnode open = found!;
        Assert.AreEqual(Hammer2Error.None, open.TrySetAttributes(changes));
    }

    private static (uint Owner, uint Mode) Rights(DokanVolume v, string path)
    {
        Assert.AreEqual(Hammer2Error.None, v.Pfs.TryResolve(path, out Vnode? found));
        using Vnode open = found!;
        return (open.GetAttributes().Uid, open.GetAttributes().Mode);
    }

    /// <summary>That whoever runs a file becomes its owner was granted to its content, not to its name.</summary>
    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void M03_M19_WhatTakesTheNameOfASetuidProgramIsNone(int threads)
    {
        const uint Plain = 0x1ED;
        const uint Setuid = 0x800;
        const uint Both = 0xC00;
        using DokanVolume v = Two(threads);
        foreach (string name in List("/a", "/b"))
            Set(v, name, new AttributeChanges { Uid = 7, Mode = Plain | Both });
        v.Put(@"\new", s_two);
        Assert.AreEqual(NtStatus.Success, Move(v, @"\new", @"\a", replace: true));
        Assert.AreEqual((7U, Plain), Rights(v, "/a"));
        Assert.AreEqual(0, v.Client.DeleteFile(@"\b"));
        v.Put(@"\b", s_one);
        Assert.AreEqual((7U, Plain), Rights(v, "/b"));

        // The program itself stays what it is, also where it comes back to a name that it had.
        Set(v, "/b", new AttributeChanges { Mode = Plain | Setuid });
        Assert.AreEqual(NtStatus.Success, Move(v, @"\b", @"\away", replace: false));
        Assert.AreEqual(NtStatus.Success, Move(v, @"\away", @"\b", replace: false));
        Assert.AreEqual((7U, Plain | Setuid), Rights(v, "/b"));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void M19_ARenameThatFailsTakesNothingOver(int threads)
    {
        const uint UserImmutable = 2;
        using DokanVolume v = Two(threads);
        v.MakeDirectory(@"\d");
        v.Put(@"\d\x", s_two);
        Set(v, "/d/x", new AttributeChanges { Uid = 9, Mode = 0x1FF, BirthTimeUs = 1 });
        Assert.AreEqual(0, v.Client.DeleteFile(@"\d\x"));
        Set(v, "/d", new AttributeChanges { UserFlags = UserImmutable });
        (uint, uint) before = Rights(v, "/a");
        DateTime? born = v.I(@"\a").CreationTime;
        SimulatedHandle handle = v.Ok(@"\a", Open, ToMove);
        Assert.AreEqual(NtStatus.AccessDenied, v.Driver.Rename(handle, @"\d\x", replace: false));
        v.Close(handle);
        Assert.AreEqual((before, born), (Rights(v, "/a"), v.I(@"\a").CreationTime));
        Set(v, "/d", new AttributeChanges { UserFlags = 0 });
        v.Twice(Both);
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void M18_WhateverTheFirstLegFinds(int threads)
    {
        using DokanVolume v = Two(threads);
        v.Put(@"\locked", s_one, FileAttributes.ReadOnly);
        v.MakeDirectory(@"\d");
        Assert.AreEqual(NtStatus.Success, Move(v, @"\a", @"\d\a", replace: false), "it finds nothing");
        Assert.AreEqual(NtStatus.Success, Move(v, @"\d\a", @"\b", replace: true), "it finds the target");
        Assert.AreEqual(NtStatus.AccessDenied, Move(v, @"\b", @"\locked", replace: true), "it is denied");
        Assert.AreEqual(0, v.Adapter.OpenCount, "what the first leg opened is closed");
        int cleanups = v.Driver.Calls["Cleanup"];
        SimulatedHandle handle = v.Ok(@"\b", Open, ToMove);
        Assert.AreEqual(NtStatus.Success, v.Driver.MoveFile(handle, @"\B", replace: false), "it finds the object itself");
        v.Close(handle);
        Assert.AreEqual(cleanups + 3, v.Driver.Calls["Cleanup"], "first leg, parent, handle");
        v.Twice(static v => Assert.AreEqual("B d locked", Names(v)));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(8)]
    public void M20_ManyThreadsRenameWithinAndBetweenTwoDirectories(int threads)
    {
        int seed = HammerSeed.Get();
        using DokanVolume v = DokanVolume.New(threads, seed);
        v.MakeDirectory(@"\p", @"\q", @"\q\sub");
        var where = new string[64];
        for (int i = 0; i < where.Length; i++)
        {
            where[i] = $@"\p\file{i}";
            v.Put(where[i], s_one.AsSpan(0, 100 + i));
        }

        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 8 }, worker =>
        {
            var random = new Random(seed + worker);
            for (int round = 0; round < 60; round++)
            {
                // Each worker moves its own files; what it replaces is its own too.
                int file = (random.Next(8) * 8) + worker;
                string target = random.Next(4) switch
                {
                    0 => $@"\p\File{file}",
                    1 => $@"\q\fiLe{file}",
                    2 => $@"\q\sub\file{file}",
                    _ => $@"\p\name of {file} {random.Next(3)}",
                };
                Assert.AreEqual(0, v.Client.MoveFileEx(where[file], target, random.Next(2) == 0), $"seed {seed}: {where[file]} to {target}");
                where[file] = target;
                if (random.Next(10) == 0)
                    v.Client.Names(@"\q");
            }
        });
        v.Twice(v =>
        {
            IEnumerable<string> found = List(@"\p", @"\q", @"\q\sub").SelectMany(d => v.Client.Names(d).Select(n => $@"{d}\{n}"));
            CollectionAssert.AreEquivalent(where.Append(@"\q\sub").ToArray(), found.ToArray(), $"seed {seed}");
            for (int i = 0; i < where.Length; i++)
                Assert.AreEqual(100 + i, v.I(where[i]).Length);
        });
    }
}
