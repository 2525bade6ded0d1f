// Listings on a read-only volume (section J.5) and names on a real medium (section J.6).
// The volumes are golden images; what is expected comes from their manifests.

using System.Text;
using DokanNet;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Tests.SimulatedDriver;
using FileAccess = DokanNet.FileAccess;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class ListingTests
{
    private const FileAccess RA = FileAccess.ReadAttributes;
    private const FileAccess RD = FileAccess.ReadData | FileAccess.Synchronize;
    private const FileAccess GR = Win32Client.GenericRead;

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void L01_DotsHaveRealTimesAndTheRootHasNone(int threads)
    {
        using DokanVolume volume = DokanVolume.Mount("small-mixed", new SimulatorOptions { Threads = threads });
        List<FindFileInformation> entries = volume.Client.FindAll("\\empty-dir", "*", out int error);
        Assert.AreEqual(0, error);
        Assert.AreEqual(". ..", string.Join(' ', entries.Select(entry => entry.FileName)));
        volume.Client.GetFileAttributes("\\empty-dir", out ByHandleFileInformation self);
        volume.Client.GetFileAttributes("\\", out ByHandleFileInformation root);
        Assert.AreEqual(self.LastWriteTime, entries[0].LastWriteTime);
        Assert.AreEqual(root.LastWriteTime, entries[1].LastWriteTime);
        Assert.IsFalse(volume.Client.FindAll("\\", "*.*", out _).Any(entry => entry.FileName.Span[0] == '.'));
        Assert.IsEmpty(volume.Client.FindAll("\\empty-dir", "*.txt", out error));
        Assert.AreEqual(2, error, "nothing matches");
        using DokanVolume empty = DokanVolume.Mount("empty");
        Assert.IsEmpty(empty.Client.FindAll("\\", "*", out error));
        Assert.AreEqual(2, error);
    }

    [TestMethod]
    public void L02_L03_PatternsAndExactNames()
    {
        using DokanVolume volume = DokanVolume.Mount("small-mixed");
        List<string> all = volume.Client.Names("\\many");
        Assert.HasCount(120, all);
        foreach (string typed in new[] { "*.txt", "a*", "*-1?.*", "*.", "?????-*", "*.c" })
        {
            string pattern = Win32Client.Rewrite(typed);
            CollectionAssert.AreEquivalent(all.FindAll(name => NameExpression.Matches(pattern, name)), volume.Client.Names("\\many", typed), typed);
        }

        volume.Driver.Calls.Clear();
        Assert.AreEqual("amber-106.c", volume.Client.Names("\\many", "AMBER-106.C").Single(), "in the stored spelling");
        Assert.IsEmpty(volume.Client.FindAll("\\many", "missing.c", out int error));
        Assert.AreEqual(2, error);
        Assert.IsFalse(volume.Driver.Calls.ContainsKey("FindFiles"), "an exact name needs no listing");
    }

    [TestMethod]
    public void L05_TheLibrarysOwnFilterGivesTheSame()
    {
        using DokanVolume own = DokanVolume.Mount("small-mixed");
        using DokanVolume filtered = DokanVolume.Mount("small-mixed", wrap: adapter => new WithoutPatterns(adapter));
        foreach (string typed in new[] { "*", "*.txt", "a*.*", "amber-106.c", "nothing", "*." })
            CollectionAssert.AreEqual(own.Client.Names("\\many", typed), filtered.Client.Names("\\many", typed), typed);
        Assert.IsTrue(filtered.Driver.Calls.ContainsKey("FindFiles"));
    }

    private sealed class WithoutPatterns(IDokanOperations2 inner) : DelegatingOperations(inner)
    {
        public override NtStatus FindFilesWithPattern(
            LTRData.Extensions.Native.Memory.ReadOnlyNativeMemory<char> fileNamePtr, LTRData.Extensions.Native.Memory.ReadOnlyNativeMemory<char> searchPatternPtr,
            out IEnumerable<FindFileInformation> files, ref DokanFileInfo info)
        {
            files = [];
            return NtStatus.NotImplemented;
        }
    }

    [TestMethod]
    public void L06_TheFirstPatternSticks()
    {
        using DokanVolume volume = DokanVolume.Mount("small-mixed");
        SimulatedHandle handle = volume.MustOpen("\\many", RD, directory: true);
        Assert.AreEqual(NtStatus.Success, volume.Driver.List(handle, "<.txt", out List<FindFileInformation> first));
        Assert.AreEqual(NtStatus.Success, volume.Driver.List(handle, "*", out List<FindFileInformation> second));
        Assert.AreEqual(first.Count, second.Count);
        Assert.AreEqual(2, volume.Driver.Calls["FindFilesWithPattern"], "a restart asks again");
        volume.Driver.CloseHandle(handle);
    }

    [TestMethod]
    [DataRow("small-mixed", 1)]
    [DataRow("small-mixed", 4)]
    [DataRow("names", 4)]
    [DataRow("bigdir", 4)]
    public void L04_L07_EveryListedNameOpensAndSaysTheSameOfItself(string image, int threads)
    {
        using DokanVolume volume = DokanVolume.Mount(image, new SimulatorOptions { Threads = threads });
        int objects = 0;
        var pending = new Stack<string>(["\\"]);
        while (pending.TryPop(out string? directory))
        {
            List<FindFileInformation> entries = volume.Client.FindAll(directory, "*", out int error);
            Assert.IsTrue(error is 0 or 2, $"{directory}: {error}");
            foreach (FindFileInformation entry in entries.Where(entry => entry.FileName.ToString() is not "." and not ".."))
            {
                string path = (directory == "\\" ? "" : directory) + "\\" + entry.FileName;
                Assert.AreEqual(0, volume.Client.GetFileAttributes("\\\\?" + path, out ByHandleFileInformation handle), path);
                Assert.AreEqual(handle.Attributes, entry.Attributes, path);
                Assert.AreEqual(handle.Length, entry.Length, path);
                Assert.AreEqual(handle.CreationTime, entry.CreationTime, path);
                Assert.AreEqual(handle.LastWriteTime, entry.LastWriteTime, path);
                Assert.AreEqual(handle.LastAccessTime, entry.LastAccessTime, path);
                objects++;
                if ((entry.Attributes & FileAttributes.Directory) != 0)
                    pending.Push(path);
            }
        }

        Assert.AreEqual(Images.GoldenImages.Get(image).Manifest.GetProperty("entries").GetArrayLength() - 1, objects, "every object of the manifest is listed once");
    }

    [TestMethod]
    public void ADamagedDirectoryListsWhatCanBeReadAndSaysSoInTheLog()
    {
        using DokanVolume volume = DokanVolume.MountBypassed("dmg-indirect-dir");
        List<string> names = volume.Client.Names("\\many");
        Assert.IsGreaterThan(0, names.Count);
        Assert.IsTrue(volume.Log.Lines.Any(line => line.Contains("\\many is incomplete", StringComparison.Ordinal)));
        int lost = 0;
        foreach (System.Text.Json.JsonElement entry in Images.GoldenImages.Get("dmg-indirect-dir").Manifest.GetProperty("entries").EnumerateArray())
        {
            string path = entry.GetProperty("path").GetString()!;
            if (!path.StartsWith("/many/", StringComparison.Ordinal))
                continue;
            string name = path["/many/".Length..];
            bool isLost = entry.TryGetProperty("damaged", out _);
            Assert.AreEqual(!isLost, names.Contains(name), name);
            NtStatus expected = isLost ? Statuses.FileCorruptError : NtStatus.Success;
            Assert.AreEqual(expected, volume.Try("\\many\\" + name, CreateDisposition.Open, RA), name);
            List<FindFileInformation> alone = volume.Client.FindAll("\\many", name, out int refused);
            Assert.AreEqual(isLost ? (1392, 0) : (0, 1), (refused, alone.Count), $"{name} looked for alone");
            lost += isLost ? 1 : 0;
        }

        Assert.AreEqual(34, lost);
        using DokanVolume strict = DokanVolume.Mount("dmg-indirect-dir", options: new Hammer2.Dokan.DokanMountOptions { FailDamagedListings = true });
        Assert.IsEmpty(strict.Client.FindAll("\\many", "*", out int error));
        Assert.AreEqual(1392, error, "on request the listing fails instead");
        Assert.AreEqual(0, strict.Client.GetFileAttributes("\\many\\" + names[0], out _));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void N01_N02_N03_CasePairsHaveNamesOfTheirOwn(int threads)
    {
        using DokanVolume volume = DokanVolume.Mount("names", new SimulatorOptions { Threads = threads });
        List<string> shown = volume.Client.Names("\\case");
        Assert.HasCount(18, shown);
        Assert.HasCount(18, shown.ToHashSet(StringComparer.OrdinalIgnoreCase));
        foreach (string plain in new[] { "A", "FILE.TXT", "README", "STRASSE", "Stra\u00DFe", "\u00C9", "\u03A3" })
            CollectionAssert.Contains(shown, plain, "the first by bytes keeps its name");
        var indexes = new HashSet<long>();
        foreach (string name in shown)
        {
            foreach (string spelling in new[] { name, name.ToUpperInvariant(), name.ToLowerInvariant() })
                Assert.AreEqual(0, volume.Client.GetFileAttributes("\\case\\" + spelling, out _), spelling);
            volume.Client.GetFileAttributes("\\case\\" + name, out ByHandleFileInformation information);
            Assert.IsTrue(indexes.Add(information.FileIndex), $"{name} is another name of the same file");
            Assert.AreEqual(name, volume.Client.Names("\\case", name).Single());
        }

        // N03 and N13: while one spelling is open, another arrives with the first one's and means the same file.
        SimulatedHandle first = volume.MustOpen("\\case\\rEaDmE", GR);
        Assert.AreEqual(NtStatus.Success, volume.Driver.QueryInformation(first, out ByHandleFileInformation readme));
        SimulatedHandle second = volume.MustOpen("\\case\\README", GR);
        volume.Driver.QueryInformation(second, out ByHandleFileInformation same);
        Assert.AreEqual(readme.FileIndex, same.FileIndex);
        string decorated = shown.First(name => name.StartsWith("readme~h2-", StringComparison.Ordinal));
        SimulatedHandle third = volume.MustOpen("\\case\\" + decorated, GR);
        volume.Driver.QueryInformation(third, out ByHandleFileInformation other);
        Assert.AreNotEqual(readme.FileIndex, other.FileIndex);
        foreach (SimulatedHandle handle in new[] { first, second, third })
            volume.Driver.CloseHandle(handle);
    }

    [TestMethod]
    public void N02_TheDecoratedNameLeadsToTheRightBytes()
    {
        using DokanVolume volume = DokanVolume.Mount("names");
        foreach (string medium in new[] { "FILE.TXT", "File.txt", "file.TXT" })
        {
            Assert.AreEqual(Hammer2Error.None, volume.Pfs.TryResolve("/case/" + medium, out Vnode? vnode));
            using (vnode)
            {
                var expected = new byte[vnode!.GetAttributes().Size];
                vnode.Read(0, expected);
                string shown = medium == "FILE.TXT" ? medium : $"{medium[..4]}~h2-{vnode.InodeNumber:x}{medium[4..]}";
                CollectionAssert.AreEqual(expected, volume.Client.ReadAll("\\case\\" + shown), shown);
            }
        }
    }

    [TestMethod]
    [DataRow("\\windows\\C\uF03A\uF05Cx", "/windows/C:\\x")]
    [DataRow("\\windows\\trailing.\uF02E", "/windows/trailing..")]
    [DataRow("\\windows\\trailing..", "/windows/trailing..")]
    [DataRow("\\windows\\\uF041UX", "/windows/AUX")]
    [DataRow("\\windows\\AUX", "/windows/AUX")]
    [DataRow("\\windows\\\uF063om1.log", "/windows/com1.log")]
    [DataRow("\\windows\\\uF063on", "/windows/con")]
    [DataRow("\\windows\\\uF043ON", "/windows/CON")]
    [DataRow("\\windows\\file\uF03A\uF03A$DATA", "/windows/file::$DATA")]
    [DataRow("\\unicode\\\u00C5ngstr\u00F6m", "/unicode/\u00C5ngstr\u00F6m")]
    public void N04_N06_NamesThatWindowsForbidsCanBeOpened(string shown, string medium)
    {
        using DokanVolume volume = DokanVolume.Mount("names");
        Assert.AreEqual(Hammer2Error.None, volume.Pfs.TryResolve(Encoding.UTF8.GetBytes(medium), out Vnode? vnode));
        using (vnode)
        {
            Assert.AreEqual(0, volume.Client.GetFileAttributes("\\\\?" + shown, out ByHandleFileInformation information));
            Assert.AreEqual((long)vnode!.InodeNumber, information.FileIndex);
        }
    }

    [TestMethod]
    [DataRow("\\links\\rel", "\\links\\target.txt")]
    [DataRow("\\links\\dots", "\\links\\target.txt")]
    [DataRow("\\links\\rel-up", "\\sizes\\text-1024")]
    [DataRow("\\hard\\sym", "\\hard\\one")]
    public void N10_ALinkToAFileIsThatFile(string link, string target)
    {
        using DokanVolume volume = DokanVolume.Mount("small-mixed");
        CollectionAssert.AreEqual(volume.Client.ReadAll(target), volume.Client.ReadAll(link));
    }

    [TestMethod]
    [DataRow("\\links\\dangling", "no/such/thing-20260")]
    [DataRow("\\links\\dir", "../deep")]
    [DataRow("\\links\\abs", "/links/target.txt")]
    [DataRow("\\links\\self", "self")]
    [DataRow("\\links\\loop-a", "loop-b")]
    [DataRow("\\links\\trail", "target.txt/")]
    [DataRow("\\hard\\sub\\sym", "one")]
    public void N10_AnyOtherLinkIsItsText(string link, string text)
    {
        using DokanVolume volume = DokanVolume.MountBypassed("small-mixed");
        Assert.AreEqual(text, Encoding.UTF8.GetString(volume.Client.ReadAll(link)));
        Assert.AreEqual(NtStatus.AccessDenied, volume.Try(link, CreateDisposition.Open, FileAccess.WriteData));
        Assert.AreEqual(NtStatus.CannotDelete, volume.Try(link, CreateDisposition.Open, FileAccess.WriteData | FileAccess.Delete));
        Assert.AreEqual(NtStatus.NotADirectory, volume.Try(link, CreateDisposition.Open, RA, directory: true));
    }

    [TestMethod]
    [DataRow("\\special\\fifo")]
    [DataRow("\\special\\socket")]
    [DataRow("\\special\\null")]
    [DataRow("\\special\\disk")]
    public void N12_SpecialFilesAreSeenAndNotOpened(string path)
    {
        using DokanVolume volume = DokanVolume.MountBypassed("small-mixed");
        Assert.AreEqual(NtStatus.Success, volume.Try(path, CreateDisposition.Open, RA));
        Assert.AreEqual(NtStatus.AccessDenied, volume.Try(path, CreateDisposition.Open, GR));
        Assert.AreEqual(NtStatus.CannotDelete, volume.Try(path, CreateDisposition.Open, GR | FileAccess.Delete));
    }

    [TestMethod]
    public void N14_NamesOf255BytesOpen()
    {
        using DokanVolume volume = DokanVolume.Mount("names");
        foreach (string name in volume.Client.Names("\\length"))
            Assert.AreEqual(0, volume.Client.GetFileAttributes("\\length\\" + name, out _), name);
        Assert.AreEqual(0, volume.Client.GetFileAttributes("\\length\\" + new string('\u65E5', 85), out _));
    }

    [TestMethod]
    public void DotFilesAreHiddenOnlyOnRequestInListingAndHandleAlike()
    {
        using DokanVolume shown = DokanVolume.Mount("names");
        using DokanVolume hidden = DokanVolume.Mount("names", options: new Hammer2.Dokan.DokanMountOptions { HideDotFiles = true });
        shown.Client.GetFileAttributes("\\misc\\.hidden", out ByHandleFileInformation information);
        Assert.AreEqual(FileAttributes.Archive, information.Attributes);
        hidden.Client.GetFileAttributes("\\misc\\.hidden", out information);
        Assert.AreEqual(FileAttributes.Archive | FileAttributes.Hidden, information.Attributes);
        Assert.AreEqual(information.Attributes, hidden.Client.FindAll("\\misc", ".hidden", out _)[0].Attributes);
    }
}
