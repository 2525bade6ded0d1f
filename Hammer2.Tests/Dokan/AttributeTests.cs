// Attributes, times, listings and volume queries on a writable volume: section J.5 as far as it changes something. Each
// with one pulling thread and with four; at the end of each the medium is checked and compared (DokanVolume).

using DokanNet;
using Hammer2.Tests.Hostile;
using Hammer2.Tests.SimulatedDriver;
using static Hammer2.Tests.SimulatedDriver.CreateDisposition;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class AttributeTests
{
    private const DokanNet.FileAccess Both = AllRead | AllWrite;

    private static readonly int[] s_years = [1601, 1602, 1969, 1970, 2038, 2106, 2107, 2500, 9999];

    /// <summary>A time that the medium cannot hold exactly.</summary>
    private static readonly DateTime s_time = new DateTime(2019, 3, 4, 5, 6, 7, DateTimeKind.Utc).AddTicks(1_234_567);

    private static NtStatus SetTimes(DokanVolume v, SimulatedHandle handle, DateTime? created, DateTime? accessed, DateTime? written) =>
        v.Driver.SetBasic(handle, 0, created, accessed, written);

    private static FindFileInformation Entry(DokanVolume v, string directory, string name) =>
        v.Client.FindAll(directory, name, out _).Single();

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void L01_L02_L03_L06_PatternsOnAVolumeThatWasJustWritten(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.Client.FindAll(@"\", "*", out int error);
        Assert.AreEqual(2, error, "the first query of an empty root finds no file");
        v.MakeDirectory(@"\d");
        Assert.AreEqual(". ..", string.Join(' ', v.Client.FindAll(@"\d", "*", out _).Select(e => e.FileName)));
        Assert.AreEqual(v.I(@"\d").LastWriteTime, v.Client.FindAll(@"\d", "*", out _)[0].LastWriteTime);
        string[] names = ["a", "a.b", "ab.txt", "abc.d.txt", ".x"];
        foreach (string name in names)
            v.Put($@"\d\{name}", []);
        v.Twice(v =>
        {
            (string Typed, string Expected)[] table =
            [
                ("*", ".x a a.b ab.txt abc.d.txt"), ("*.*", ".x a a.b ab.txt abc.d.txt"), ("*.", "a"), ("*.txt", "ab.txt abc.d.txt"),
                ("a*.*", "a a.b ab.txt abc.d.txt"), ("a?", "a"), ("a??.*", "a a.b ab.txt abc.d.txt"), ("ab.txt", "ab.txt"), ("AB.TXT", "ab.txt"),
            ];
            foreach ((string typed, string expected) in table)
                Assert.AreEqual(expected, string.Join(' ', v.Client.Names(@"\d", typed).Order(StringComparer.Ordinal)), typed);
            v.Client.FindAll(@"\d", "missing", out int none);
            Assert.AreEqual(2, none);
            SimulatedHandle listing = v.Ok(@"\d", Open, ToList, directory: true);
            v.Driver.QueryDirectory(listing, "*.txt", restart: true, 10, out List<FindFileInformation> first);
            v.Driver.QueryDirectory(listing, "*", restart: true, 10, out List<FindFileInformation> second);
            Assert.AreEqual((2, 2), (first.Count, second.Count), "L06");
            v.Close(listing);
        });
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(8)]
    public void L04_AListingWhileOthersMakeAndRemove(int threads)
    {
        int seed = HammerSeed.Get();
        using DokanVolume v = DokanVolume.New(threads, seed);
        v.MakeDirectory(@"\d");
        const int Stays = 700;
        Parallel.For(0, Stays, new ParallelOptions { MaxDegreeOfParallelism = threads }, i => v.Put($@"\d\stays{i}", []));
        var done = new CancellationTokenSource();
        Task[] changers = [.. Enumerable.Range(0, 3).Select(worker => Task.Run(() =>
        {
            for (int i = 0; !done.IsCancellationRequested; i++)
            {
                v.Put($@"\d\comes{worker} {i}", []);
                if (i >= 20)
                    Assert.AreEqual(0, v.Client.DeleteFile($@"\d\comes{worker} {i - 20}"));
            }
        }))];
        for (int round = 0; round < 8; round++)
        {
            List<string> names = v.Client.Names(@"\d");
            Assert.AreEqual(Stays, names.Count(name => name.StartsWith("stays", StringComparison.Ordinal)), $"seed {seed}: something untouched is missing");
            Assert.HasCount(names.Count, names.ToHashSet(StringComparer.OrdinalIgnoreCase), "twice");
        }

        done.Cancel();
        Task.WaitAll(changers);
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void L07_L08_L09_ListingAndHandleAgree(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.MakeDirectory(@"\d");
        v.Put(@"\a", DokanVolume.Noise(12345, 1));
        v.Link(@"\a", "b");
        v.Put(@"\h", [], FileAttributes.Hidden | FileAttributes.System);
        SimulatedHandle open = v.Ok(@"\a", Open, Both);
        v.W(open, 20_000, "longer"u8);
        SetTimes(v, open, s_time, s_time.AddDays(1), s_time.AddDays(2));
        Agree(v);
        v.Close(open);
        v.Twice(Agree);
        Assert.AreEqual(v.I(@"\a").FileIndex, v.I(@"\b").FileIndex, "L09");
        Assert.AreEqual((2, 1), (v.I(@"\a").NumberOfLinks, v.I(@"\d").NumberOfLinks));
    }

    private static void Agree(DokanVolume v)
    {
        foreach (string name in v.Client.Names(@"\"))
        {
            FindFileInformation entry = Entry(v, @"\", name);
            ByHandleFileInformation information = v.I(@"\" + name);
            Assert.AreEqual(
                (entry.Length, entry.Attributes, entry.CreationTime, entry.LastAccessTime, entry.LastWriteTime),
                (information.Length, information.Attributes, information.CreationTime, information.LastAccessTime, information.LastWriteTime),
                name);
        }
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void L10_AMarkedFileAnswersEverything(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.MakeDirectory(@"\d");
        v.Put(@"\a", "abc"u8);
        SimulatedHandle file = v.Ok(@"\a", Open, Both | CanDelete);
        SimulatedHandle directory = v.Ok(@"\d", Open, ToMove | ToList, directory: true);
        foreach (SimulatedHandle handle in new[] { file, directory })
        {
            Assert.AreEqual(NtStatus.Success, v.Driver.SetDisposition(handle, delete: true));
            v.I(handle);
            Assert.AreEqual(NtStatus.Success, v.Driver.SetBasic(handle, FileAttributes.Hidden, s_time, s_time, s_time));
            Assert.AreEqual(NtStatus.Success, v.Driver.SetSecurity(handle));
            Assert.AreEqual(NtStatus.Success, v.Driver.Flush(handle));
            Assert.AreEqual(NtStatus.Success, v.Driver.QuerySecurity(handle, System.Security.AccessControl.AccessControlSections.All, 1 << 16, out _, out _));
        }

        Assert.AreEqual(NtStatus.Success, v.Driver.List(directory, "*", out _));
        Assert.AreEqual(NtStatus.Success, v.Driver.SetEndOfFile(file, 2));
        v.W(file, 2, "more"u8);
        Assert.AreEqual(6L, v.I(file).Length);
        v.Close(file, directory);
        v.Twice(static v => Assert.IsEmpty(v.Client.Names(@"\")));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void L11_L12_TimesStayAsTheyWereSet(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        SimulatedHandle handle = v.Ok(@"\a", Create, Both);
        v.W(handle, 0, "abc"u8);
        ByHandleFileInformation before = v.I(handle);
        Assert.AreEqual(NtStatus.Success, SetTimes(v, handle, null, null, null));
        Assert.AreEqual((before.CreationTime, before.LastWriteTime), (v.I(handle).CreationTime, v.I(handle).LastWriteTime), "null leaves");
        Assert.AreEqual(NtStatus.Success, SetTimes(v, handle, s_time, null, null));
        Assert.AreEqual((s_time, before.LastWriteTime), (v.I(handle).CreationTime, v.I(handle).LastWriteTime));
        Assert.AreEqual(NtStatus.Success, SetTimes(v, handle, null, s_time.AddHours(1), s_time.AddHours(2)));
        Exact(v.I(handle));
        v.Close(handle);
        Exact(v.I(@"\a"));
        v.Remount();
        ByHandleFileInformation after = v.I(@"\a");
        foreach ((DateTime? kept, DateTime set) in new[] { (after.CreationTime, s_time), (after.LastAccessTime, s_time.AddHours(1)), (after.LastWriteTime, s_time.AddHours(2)) })
            Assert.IsTrue(kept <= set && set - kept < TimeSpan.FromTicks(10), $"{kept:O} instead of {set:O}");
        handle = v.Ok(@"\a", Open, Both);
        v.W(handle, 0, "x"u8);
        Assert.IsGreaterThan(s_time.AddYears(1), v.I(handle).LastWriteTime!.Value, "until the next write");
        v.Close(handle);
    }

    private static void Exact(ByHandleFileInformation found) => Assert.AreEqual(
        (s_time, s_time.AddHours(1), s_time.AddHours(2)), (found.CreationTime, found.LastAccessTime, found.LastWriteTime), "L12");

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void L13_L14_L15_Attributes(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.Put(@"\a", "abc"u8);
        v.MakeDirectory(@"\d");
        SimulatedHandle handle = v.Ok(@"\a", Open, CanReadAttributes | CanWriteAttributes);
        (FileAttributes Set, FileAttributes Expected)[] steps =
        [
            (0, FileAttributes.Archive), (FileAttributes.Normal, FileAttributes.Normal), (0, FileAttributes.Normal),
            (FileAttributes.Hidden, FileAttributes.Hidden), (FileAttributes.ReadOnly, FileAttributes.ReadOnly),
            (FileAttributes.Directory | FileAttributes.Archive, FileAttributes.Archive),
            (FileAttributes.Compressed | FileAttributes.Encrypted | FileAttributes.SparseFile | FileAttributes.ReparsePoint, FileAttributes.Normal),
            (FileAttributes.NotContentIndexed | FileAttributes.Temporary, FileAttributes.NotContentIndexed | FileAttributes.Temporary),
            (FileAttributes.Hidden | FileAttributes.System | FileAttributes.ReadOnly, FileAttributes.Hidden | FileAttributes.System | FileAttributes.ReadOnly),
        ];
        foreach ((FileAttributes set, FileAttributes expected) in steps)
        {
            Assert.AreEqual(NtStatus.Success, v.Driver.SetBasic(handle, set, null, null, null), $"{set}");
            Assert.AreEqual(expected, v.I(handle).Attributes, $"after {set}");
        }

        v.Close(handle);
        handle = v.Ok(@"\d", Open, CanReadAttributes | CanWriteAttributes, directory: true);
        Assert.AreEqual(NtStatus.InvalidParameter, v.Driver.SetBasic(handle, FileAttributes.Temporary, null, null, null));
        Assert.AreEqual(NtStatus.Success, v.Driver.SetBasic(handle, FileAttributes.ReadOnly, null, null, null), "L14");
        Assert.AreEqual(FileAttributes.Directory, v.I(handle).Attributes, "L14");
        Assert.AreEqual(NtStatus.Success, v.Driver.SetBasic(handle, FileAttributes.Hidden | FileAttributes.System | FileAttributes.Directory, null, null, null));
        v.Close(handle);
        v.Put(@"\d\made in it", []);
        v.Twice(static v =>
        {
            Assert.AreEqual(FileAttributes.Hidden | FileAttributes.System | FileAttributes.ReadOnly, v.I(@"\a").Attributes, "L15");
            Assert.AreEqual(FileAttributes.Directory | FileAttributes.Hidden | FileAttributes.System, v.I(@"\d").Attributes, "L15");
        });
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void L16_L17_L18_TheVolumeDuringWrites(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads, bytes: DokanVolume.SmallBytes);
        VolumeReport report = v.Driver.QueryVolume();
        Assert.AreEqual((FileSystemFeatures)0xE, report.Features, "L16: no read-only bit");
        Assert.AreEqual(("NTFS", 255u), (report.FileSystem, report.ComponentMax));
        SpaceReport empty = v.Driver.QuerySpace();
        SimulatedHandle handle = v.Ok(@"\a", Create, AllWrite);
        Parallel.For(0, 200, i =>
        {
            if (i % 2 == 0)
                v.Driver.Write(handle, i * 65536L, DokanVolume.Noise(65536, i), out _);
            else
                Assert.AreEqual(empty.Total, v.Driver.QuerySpace().Total, "L17: ordered and not negative, says the driver");
        });
        long offset = 0;
        while (v.Driver.Write(handle, offset += 1 << 20, DokanVolume.Noise(1 << 20, (int)offset), out _) == NtStatus.Success)
            v.Driver.QuerySpace();
        v.Close(handle);
        SpaceReport full = v.Driver.QuerySpace();
        Assert.IsLessThan(empty.Free / 4, full.Free);
        v.Twice(v => Assert.AreEqual(report, v.Driver.QueryVolume(), "the serial number is stable"));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void L19_L20_L22_L23_SecurityAndStreams(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        SimulatedHandle handle = v.Ok(@"\a", Create, Both | DokanNet.FileAccess.ChangePermissions | DokanNet.FileAccess.SetOwnership);
        v.Driver.QuerySecurity(handle, System.Security.AccessControl.AccessControlSections.All, 0, out _, out int needed);
        Assert.IsGreaterThan(0, needed);
        Assert.AreEqual(NtStatus.Success, v.Driver.SetSecurity(handle), "L20");
        v.Close(handle);
        int asked = v.Driver.Calls["CreateFile"];
        v.No(NtStatus.InvalidParameter, @"\a:Zone.Identifier", Create, AllWrite);
        Assert.AreEqual(asked, v.Driver.Calls["CreateFile"], "L22");
        Assert.IsFalse(v.Driver.Calls.ContainsKey("FindStreams"), "L23");
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void L24_TimesFarAwayCanBeSet(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        SimulatedHandle handle = v.Ok(@"\a", Create, Both);
        (int Year, DateTime Time)[] times = [.. s_years.Select(y => (y, new DateTime(y, 6, 15, 1, 2, 3, DateTimeKind.Utc)))];
        foreach ((int year, DateTime time) in times)
        {
            Assert.AreEqual(NtStatus.Success, SetTimes(v, handle, time, time, time), $"{year}");
            Assert.AreEqual((time, time), (v.I(handle).LastWriteTime, v.I(handle).CreationTime), $"{year}");
            v.Put($@"\of {year}", []);
            SimulatedHandle own = v.Ok($@"\of {year}", Open, CanWriteAttributes);
            Assert.AreEqual(NtStatus.Success, SetTimes(v, own, time, time, time));
            v.Close(own);
        }

        v.Close(handle);
        v.Remount();
        foreach ((int year, DateTime time) in times)
            Assert.AreEqual(time, v.I($@"\of {year}").LastWriteTime, $"{year}");
    }
}
