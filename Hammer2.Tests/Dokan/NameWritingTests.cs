// Names, case and links of a volume that is written: section J.6. Images come from other systems where the driver could
// not have made the names. At the end of each test the medium is checked and compared (DokanVolume).

using System.Text;
using DokanNet;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Tests.Hostile;
using Hammer2.Tests.SimulatedDriver;
using static Hammer2.Tests.SimulatedDriver.CreateDisposition;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class NameWritingTests
{
    /// <summary>Puts a name on the medium past the adapter.</summary>
    private static void Plant(DokanVolume v, ReadOnlySpan<byte> name, ObjectType type = ObjectType.File, byte[]? target = null)
    {
        using Vnode root = v.Pfs.OpenRoot();
        var what = new NewInode { Type = type, Mode = 0x1A4, SymlinkTarget = target };
        Assert.AreEqual(Hammer2Error.None, v.Pfs.TryCreate(root, name, what, out Vnode? made));
        made!.Dispose();
    }

    private static bool OnMedium(DokanVolume v, ReadOnlySpan<byte> name)
    {
        using Vnode root = v.Pfs.OpenRoot();
        Hammer2Error error = v.Pfs.TryLookup(root, name, out Vnode? found);
        found?.Dispose();
        return error == Hammer2Error.None;
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void N01_N13_OneFileWhateverTheCase(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.Put(@"\Foo", "abc"u8);
        v.Twice(static v =>
        {
            v.Close(v.Ok(@"\FOO", Open, AllRead));
            Assert.AreEqual("Foo", v.Client.Names(@"\").Single());
            Assert.AreEqual("Foo", v.Client.Names(@"\", "fOO").Single());
        });
        SimulatedHandle first = v.Ok(@"\foo", Open, AllRead);
        SimulatedHandle second = v.Ok(@"\FOO", OpenIf, AllRead);
        Assert.AreEqual(@"\foo", second.Block.Name, "N13: the first opener's spelling");
        Assert.AreEqual(v.I(first).FileIndex, v.I(second).FileIndex);
        v.Close(first, second);
        Assert.AreEqual(0, v.Client.DeleteFile(@"\fOo"));
        v.Put(@"\FOO", []);
        v.Twice(static v => Assert.AreEqual("FOO", v.Client.Names(@"\").Single()));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void N02_N03_CasePairsCanBeWrittenRenamedAndDeleted(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        Plant(v, "Makefile"u8);
        Plant(v, "makefile"u8);
        Plant(v, "MAKEFILE"u8);
        v.Remount();
        string[] shown = [.. v.Client.Names(@"\").Order(StringComparer.Ordinal)];
        Assert.HasCount(3, shown.ToHashSet(StringComparer.OrdinalIgnoreCase));
        Assert.AreEqual("MAKEFILE", shown[0]);
        SimulatedHandle plain = v.Ok(@"\mAKEFILE", Open, AllRead | AllWrite);
        var indexes = new HashSet<long> { v.I(plain).FileIndex };
        foreach (string name in shown[1..])
        {
            SimulatedHandle other = v.Ok(@"\" + name, Open, AllWrite);
            Assert.IsTrue(indexes.Add(v.I(other).FileIndex), "N03");
            v.W(other, 0, Encoding.ASCII.GetBytes(name));
            v.Close(other);
        }

        v.W(plain, 0, "plain"u8);
        v.Close(plain);
        foreach (string name in shown[1..])
            Assert.AreEqual(name, Encoding.ASCII.GetString(v.Client.ReadAll(@"\" + name)));
        Assert.AreEqual(0, v.Client.MoveFileEx(@"\" + shown[1], @"\ordinary"), "a rename takes the decoration away");
        Assert.IsTrue(OnMedium(v, "ordinary"u8));
        Assert.AreEqual(0, v.Client.DeleteFile(@"\" + shown[2]));
        v.Twice(v =>
        {
            CollectionAssert.AreEquivalent(List("MAKEFILE", "ordinary"), v.Client.Names(@"\"));
            Assert.AreEqual("plain", Encoding.ASCII.GetString(v.Client.ReadAll(@"\makefile")));
        });
        Assert.AreEqual(0, v.Client.DeleteFile(@"\makefile"));
        Assert.IsEmpty(v.Client.Names(@"\", "makefile*"));
    }

    [TestMethod]
    public void N04_N05_N06_NamesOfOtherSystemsComeBackAsTheyAre()
    {
        using DokanVolume v = DokanVolume.New();
        byte[][] names =
        [
            .. "\"*:<>?\\|\x01\x1f".Select(c => new[] { (byte)'x', (byte)c, (byte)'y' }),
            "dot."u8.ToArray(), "space "u8.ToArray(), "aux"u8.ToArray(), "com1.txt"u8.ToArray(), "NUL"u8.ToArray(),
            [0x80, 0xFF], [0xC0, 0xAF], [0xED, 0xA0, 0x80], Encoding.UTF8.GetBytes("\uF03A"), "plain"u8.ToArray(),
        ];
        foreach (byte[] name in names)
            Plant(v, name);
        v.Remount();
        List<string> shown = v.Client.Names(@"\");
        Assert.HasCount(names.Length, shown.ToHashSet(StringComparer.OrdinalIgnoreCase));
        foreach (string name in shown)
        {
            SimulatedHandle handle = v.Ok(@"\" + name, Open, AllWrite);
            v.W(handle, 0, Encoding.Unicode.GetBytes(name));
            v.Close(handle);
            Assert.AreEqual(0, v.Client.MoveFileEx($@"\\?\{name}", @"\away"), name);
            Assert.AreEqual(0, v.Client.MoveFileEx(@"\away", $@"\\?\{name}"), name);
        }

        v.Remount();
        foreach (byte[] name in names)
            Assert.IsTrue(OnMedium(v, name), Convert.ToHexString(name));
        foreach (string name in v.Client.Names(@"\"))
        {
            Assert.AreEqual(name, Encoding.Unicode.GetString(v.Client.ReadAll($@"\\?\{name}")));
            Assert.AreEqual(0, v.Client.DeleteFile($@"\\?\{name}"));
        }

        Assert.IsEmpty(v.Client.Names(@"\"));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void N07_N06_NewNamesWithMappedCharacters(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        foreach (string bad in new[] { "a\uF02Fb", "a\uF000", "\uF02E", "\uF02E\uF02E" })
            v.No(NtStatus.ObjectNameInvalid, @"\" + bad, Create, AllWrite);
        Assert.IsEmpty(v.Client.Names(@"\"));
        v.Put("\\a\uF03Ab", "colon"u8);
        Assert.IsTrue(OnMedium(v, "a:b"u8), "decoded on the medium");
        v.Put(@"\aux", "device"u8);
        Assert.IsTrue(OnMedium(v, "aux"u8), "stored plainly");
        v.Put(@"\end.", "dot"u8);
        v.Twice(static v =>
        {
            CollectionAssert.AreEquivalent(List("a\uF03Ab", "\uF061ux", "end\uF02E"), v.Client.Names(@"\"));
            foreach (string name in v.Client.Names(@"\"))
                Assert.IsTrue(v.Exists($@"\\?\{name}"));
        });
    }

    [TestMethod]
    public void N08_N09_RandomNamesAreFoundUnderAnyCase()
    {
        int seed = HammerSeed.Get();
        var random = new Random(seed);
        using DokanVolume v = DokanVolume.New();
        var names = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        while (names.Count < 150)
        {
            string name = new([.. Enumerable.Range(0, random.Next(1, 20)).Select(_ => (char)random.Next(0x21, 0x3000)).Where(char.IsLetterOrDigit)]);
            if (name.Length > 0 && !char.IsDigit(name[0]) && names.Add(name))
                v.Put(@"\" + name, []);
        }

        v.Twice(v =>
        {
            CollectionAssert.AreEquivalent(names.ToArray(), v.Client.Names(@"\"), $"seed {seed}");
            foreach (string name in names)
                Assert.AreEqual(0, v.Client.GetFileAttributes($@"\\?\{name.ToUpperInvariant()}", out _), $"seed {seed}: {name}");
        });
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void N10_N11_LinksAreWrittenThroughAndDeletedThemselves(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        v.Put(@"\target", "target"u8);
        v.MakeDirectory(@"\dir", @"\tree");
        v.Put(@"\dir\precious", "precious"u8);
        Plant(v, "to file"u8, ObjectType.Symlink, "target"u8.ToArray());
        Plant(v, "to dir"u8, ObjectType.Symlink, "dir"u8.ToArray());
        Plant(v, "dangling"u8, ObjectType.Symlink, "nowhere"u8.ToArray());
        Plant(v, "loop"u8, ObjectType.Symlink, "loop"u8.ToArray());
        Plant(v, "outside"u8, ObjectType.Symlink, "../../etc/passwd"u8.ToArray());
        v.Remount();
        SimulatedHandle handle = v.Ok(@"\to file", Open, AllRead | AllWrite);
        v.W(handle, 0, "THROUGH THE LINK"u8);
        v.Close(handle);
        Assert.AreEqual("THROUGH THE LINK", Encoding.ASCII.GetString(v.Client.ReadAll(@"\target")));
        foreach (string name in new[] { "to dir", "dangling", "loop", "outside" })
        {
            Assert.IsGreaterThan(0, v.Client.ReadAll(@"\" + name).Length, name);
            v.No(NtStatus.AccessDenied, @"\" + name, Open, AllWrite);
            v.No(NtStatus.AccessDenied, @"\" + name, OverwriteIf, AllWrite);
            v.No(NtStatus.ObjectPathNotFound, $@"\{name}\x", Create, AllWrite);
            Assert.AreEqual(0, v.Client.MoveFileEx(@"\" + name, $@"\tree\{name}"), name);
        }

        Assert.AreEqual(0, v.Client.MoveFileEx(@"\to file", @"\tree\to file"));
        Assert.AreEqual(0, v.Client.RemoveTree(@"\tree"), "N11");
        v.Twice(static v =>
        {
            CollectionAssert.AreEquivalent(List("dir", "target"), v.Client.Names(@"\"));
            Assert.AreEqual("precious", Encoding.ASCII.GetString(v.Client.ReadAll(@"\dir\precious")));
            Assert.AreEqual("THROUGH THE LINK", Encoding.ASCII.GetString(v.Client.ReadAll(@"\target")));
        });
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void N12_SpecialFilesCanBeRenamedAndDeleted(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        Plant(v, "fifo"u8, ObjectType.Fifo);
        Plant(v, "socket"u8, ObjectType.Socket);
        foreach (string name in new[] { "fifo", "socket" })
        {
            Assert.AreNotEqual((FileAttributes)0, v.I(@"\" + name).Attributes & FileAttributes.System);
            v.No(NtStatus.AccessDenied, @"\" + name, Open, AllRead);
            v.No(NtStatus.AccessDenied, @"\" + name, OverwriteIf, AllWrite, attributes: FileAttributes.System);
            Assert.AreEqual(0, v.Client.SetFileAttributes(@"\" + name, FileAttributes.Hidden));
            Assert.AreEqual(0, v.Client.MoveFileEx(@"\" + name, $@"\{name} moved"));
        }

        Assert.AreEqual(0, v.Client.DeleteFile(@"\fifo moved"));
        v.Twice(static v => Assert.AreEqual("socket moved", v.Client.Names(@"\").Single()));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void N14_NamesOf255BytesInTwoAndThree(int threads)
    {
        using DokanVolume v = DokanVolume.New(threads);
        string two = new('\u00E9', 127);
        string three = new('\u65E5', 85);
        v.Put($@"\{two}", "2"u8);
        v.Put($@"\{three}", "3"u8);
        v.Remount();
        CollectionAssert.AreEquivalent(List(two, three), v.Client.Names(@"\"));
        Assert.AreEqual(0, v.Client.MoveFileEx($@"\{two}", $@"\{two.ToUpperInvariant()}x"));
        v.Twice(v => CollectionAssert.AreEquivalent(List(two.ToUpperInvariant() + "x", three), v.Client.Names(@"\")));
        Assert.AreEqual(0, v.Client.DeleteFile($@"\{two}x"));
        Assert.AreEqual(0, v.Client.DeleteFile($@"\{three}"));
        Assert.IsEmpty(v.Client.Names(@"\"));
    }
}
