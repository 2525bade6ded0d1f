// The small writing verbs: rm, mkdir, mv, ln, touch, chmod, chown, truncate, write. Every test runs twice: on an image,
// and through the folder that plays a mount. What a verb did is read back through a new opening.
// Runs the command in the process.

using Hammer2.Cli.Mounting;
using Hammer2.Cli.Verbs;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Tests.Cli;

[TestClass]
public sealed class WritingVerbTests
{
    [TestMethod]
    [DataRow(Reach.Image)]
    [DataRow(Reach.Mount)]
    public void DirectoriesAreMade(Reach reach)
    {
        using var volume = new ChangedVolume(reach);
        volume.Run("mkdir", "/a", "/b").Expect(0);
        volume.Run("mkdir", "/a").Expect(1).ExpectOneLine("/a: exists");
        volume.Run("mkdir", "/no/such").Expect(1).ExpectOneLine("/no: no such file or directory");
        CliRun run = volume.Run("mkdir", "-p", "--json", "/a/b/c", "/a/b/c").Expect(0);
        Assert.AreEqual(2, run.Json.GetProperty("changed").GetInt64());
        volume.Run("mkdir", "-m", "1770", "/a/sticky").Expect(0);
        volume.Run("mkdir", "-m", "u=rwx,go=", "/a/mine").Expect(0);
        Assert.AreEqual(Convert.ToUInt32("1770", 8), volume.Stat("/a/sticky").Mode);
        Assert.AreEqual(Convert.ToUInt32("0700", 8), volume.Stat("/a/mine").Mode);
        Assert.AreEqual(Convert.ToUInt32("0755", 8), volume.Stat("/a/b").Mode);
        Assert.AreEqual("b mine sticky", volume.Names("/a"));
    }

    [TestMethod]
    [DataRow(Reach.Image)]
    [DataRow(Reach.Mount)]
    public void FilesAndTreesAreRemoved(Reach reach)
    {
        using var volume = new ChangedVolume(reach);
        foreach (string path in new[] { "/t/a.o", "/t/b.o", "/t/keep", "/t/deep/er/x", "/t/deep/y", "/z" })
            volume.Have(path, path);
        volume.Run("rm", "/t").Expect(2).ExpectOneLine("/t is a directory", "--recursive");
        volume.Run("rm", "/none").Expect(1).ExpectOneLine("/none: no such file");
        volume.Run("rm", "-f", "/none").Expect(0);
        volume.Run("rm", "-r", "/").Expect(2).ExpectOneLine("root");
        volume.Run("rm", "/t/*.o").Expect(0);
        Assert.AreEqual("deep keep", volume.Names("/t"));
        CliRun run = volume.Run("rm", "-r", "--json", "/t").Expect(0);
        Assert.AreEqual(6, run.Json.GetProperty("changed").GetInt64());
        Assert.AreEqual("z", volume.Names("/"));
    }

    [TestMethod]
    [DataRow(Reach.Image)]
    [DataRow(Reach.Mount)]
    public void PatternsNeverWinOverNamesThatExist(Reach reach)
    {
        using var volume = new ChangedVolume(reach);
        foreach (string path in new[] { "/*", "/a", "/[x]", "/.dot" })
            volume.Have(path, path);
        // What a listing printed can be pasted: this means the one file of that name.
        volume.Run("rm", "/*").Expect(0);
        Assert.AreEqual(".dot [x] a", volume.Names("/"));
        volume.Run("rm", "/[x]").Expect(0);
        volume.Run("rm", "/*").Expect(0);
        Assert.AreEqual(".dot", volume.Names("/"));
        volume.Run("rm", "/*").Expect(1).ExpectOneLine("no such file");
    }

    [TestMethod]
    [DataRow(Reach.Image)]
    [DataRow(Reach.Mount)]
    public void RemovalDoesNotFollowLinks(Reach reach)
    {
        using var volume = new ChangedVolume(reach);
        volume.Have("/out/precious", "p");
        volume.Have("/in/file", "f");
        volume.Run("ln", "-s", "IMAGE", "/out", "/in/link").Expect(0);
        volume.Run("rm", "-r", "/in").Expect(0);
        Assert.AreEqual("out", volume.Names("/"));
        Assert.AreEqual("p", volume.Text("/out/precious"));
    }

    [TestMethod]
    [DataRow(Reach.Image)]
    [DataRow(Reach.Mount)]
    public void NamesAreMoved(Reach reach)
    {
        using var volume = new ChangedVolume(reach);
        foreach (string path in new[] { "/a", "/b", "/d/x", "/e/y" })
            volume.Have(path, path);
        volume.Run("mv", "-n", "/a", "/b").Expect(1).ExpectOneLine("/a: exists");
        volume.Run("mv", "--exchange", "/a", "/b").Expect(0);
        Assert.AreEqual("/b", volume.Text("/a"));
        volume.Run("mv", "/a", "/b").Expect(0);
        Assert.AreEqual("/b", volume.Text("/b"));
        volume.Run("mv", "/b", "/d/x", "/e").Expect(0);
        Assert.AreEqual("b x y", volume.Names("/e"));
        volume.Run("mv", "/e", "/e/inside").Expect(1).ExpectOneLine("/e: invalid argument");
        volume.Run("mv", "/e", "/d").Expect(0);
        Assert.AreEqual("e", volume.Names("/d"));
        volume.Run("mv", "/none", "/d").Expect(1).ExpectOneLine("/none");
        volume.Run("mv", "/d", "/").Expect(0);
        volume.Run("mv", "--exchange", "-n", "/d", "/x").Expect(2);
    }

    [TestMethod]
    [DataRow(Reach.Image)]
    [DataRow(Reach.Mount)]
    public void LinksAreMade(Reach reach)
    {
        using var volume = new ChangedVolume(reach);
        volume.Have("/file", "text");
        volume.Have("/dir/other", "o");
        volume.Run("ln", "/file", "/second").Expect(0);
        volume.Run("ln", "/file", "/dir").Expect(0);
        Assert.AreEqual(3ul, volume.Stat("/file").LinkCount);
        Assert.AreEqual("file other", volume.Names("/dir"));
        volume.Run("ln", "/file", "/second").Expect(1).ExpectOneLine("exists");
        volume.Run("ln", "/dir", "/dir2").Expect(1).ExpectOneLine("not permitted");
        volume.Run("ln", "-s", "IMAGE", "../no/where", "/dangling").Expect(0);
        volume.Run("ln", "-s", "IMAGE", "file", "/dir").Expect(1).ExpectOneLine("exists");
        Assert.AreEqual("../no/where", volume.Target("/dangling"));
        Assert.AreEqual(ObjectType.Symlink, volume.Stat("/dangling").Type);
    }

    [TestMethod]
    [DataRow(Reach.Image)]
    [DataRow(Reach.Mount)]
    public void TimesAreSetToTheMicrosecond(Reach reach)
    {
        using var volume = new ChangedVolume(reach);
        volume.Run("touch", "-d", "2024-01-31T12:00:00.123456", "/new").Expect(0);
        Assert.AreEqual(1706702400123456, volume.Stat("/new").ModifyTimeUs);
        Assert.AreEqual(1706702400123456, volume.Stat("/new").AccessTimeUs);
        volume.Run("touch", "-d", "@1.5", "/new").Expect(0);
        Assert.AreEqual(1500000, volume.Stat("/new").ModifyTimeUs);
        volume.Run("touch", "-c", "/none").Expect(0);
        Assert.IsFalse(volume.Exists("/none"));
        long before = MediaTime.FromUtc(DateTime.UtcNow) - 1_000_000;
        volume.Run("touch", "/new").Expect(0);
        Assert.IsGreaterThan(before, volume.Stat("/new").ModifyTimeUs);
        volume.Run("touch", "-d", "soon", "/new").Expect(2).ExpectOneLine("--date wants");
    }

    [TestMethod]
    [DataRow(Reach.Image)]
    [DataRow(Reach.Mount)]
    public void ModesAreChanged(Reach reach)
    {
        using var volume = new ChangedVolume(reach);
        volume.Have("/d/e/file", "x", Convert.ToUInt32("0640", 8));
        volume.Run("ln", "-s", "IMAGE", "/d/e/file", "/d/link").Expect(0);
        volume.Run("chmod", "IMAGE", "4711", "/d/link").Expect(0);
        Assert.AreEqual("4711", Octal(volume.Stat("/d/e/file").Mode));
        CliRun run = volume.Run("chmod", "--json", "-R", "IMAGE", "u=rw,go=r,a+X", "/d").Expect(0);
        Assert.AreEqual(4, run.Json.GetProperty("changed").GetInt64());
        Assert.AreEqual("644", Octal(volume.Stat("/d/e/file").Mode));
        Assert.AreEqual("755", Octal(volume.Stat("/d/e").Mode));
        volume.Run("chmod", "IMAGE", "u+q", "/d").Expect(2).ExpectOneLine("MODE is octal");
    }

    [TestMethod]
    [DataRow(Reach.Image)]
    [DataRow(Reach.Mount)]
    public void OwnersAreChanged(Reach reach)
    {
        if (reach == Reach.Mount && !Environment.IsPrivilegedProcess)
            Assert.Inconclusive("only root may give files away");
        using var volume = new ChangedVolume(reach);
        volume.Have("/d/file", "x", Convert.ToUInt32("6755", 8));
        volume.Run("ln", "-s", "IMAGE", "/d/file", "/link").Expect(0);
        volume.Run("chown", "IMAGE", "1001:20", "/d/file").Expect(0);
        Assert.AreEqual((1001u, 20u, "755"), (volume.Stat("/d/file").Uid, volume.Stat("/d/file").Gid, Octal(volume.Stat("/d/file").Mode)));
        volume.Run("chown", "-h", "IMAGE", "7", "/link").Expect(0);
        Assert.AreEqual((7u, 1001u), (volume.Stat("/link").Uid, volume.Stat("/d/file").Uid));
        volume.Run("chown", "-R", "IMAGE", ":5", "/d").Expect(0);
        Assert.AreEqual((1001u, 5u, 5u), (volume.Stat("/d/file").Uid, volume.Stat("/d/file").Gid, volume.Stat("/d").Gid));
        foreach (string wrong in new[] { "me", "1:2:3", "4294967295", ":", "-1" })
            volume.Run("chown", "IMAGE", wrong, "/d").Expect(2);
    }

    [TestMethod]
    [DataRow(Reach.Image)]
    [DataRow(Reach.Mount)]
    public void SizesAreSet(Reach reach)
    {
        using var volume = new ChangedVolume(reach);
        volume.Have("/file", "0123456789");
        volume.Run("truncate", "-s", "4", "IMAGE", "/file").Expect(0);
        Assert.AreEqual("0123", volume.Text("/file"));
        volume.Run("truncate", "-s", "+1M", "IMAGE", "/file").Expect(0);
        Assert.AreEqual((1 << 20) + 4, volume.Stat("/file").Size);
        volume.Run("truncate", "-s", "-1M", "IMAGE", "/file").Expect(0);
        Assert.AreEqual("0123", volume.Text("/file"));
        volume.Run("truncate", "-s", "-1G", "IMAGE", "/file").Expect(0);
        Assert.AreEqual(0, volume.Stat("/file").Size);
        volume.Run("truncate", "-s", "1T", "IMAGE", "/big").Expect(0);
        Assert.AreEqual(1L << 40, volume.Stat("/big").Size);
        volume.Run("truncate", "-c", "-s", "1", "IMAGE", "/none").Expect(0);
        Assert.AreEqual("big file", volume.Names("/"));
        volume.Run("truncate", "-s", "++1", "IMAGE", "/file").Expect(2).ExpectOneLine("--size wants");
        volume.Run("truncate", "-s", "1", "IMAGE", "/").Expect(1).ExpectOneLine("is a directory");
    }

    [TestMethod]
    [DataRow(Reach.Image)]
    [DataRow(Reach.Mount)]
    public void StandardInputIsWritten(Reach reach)
    {
        using var volume = new ChangedVolume(reach);
        byte[] large = new byte[3_000_001];
        new Random(7).NextBytes(large);
        volume.RunWith(large, "write", "/file").Expect(0);
        CollectionAssert.AreEqual(large, volume.Bytes("/file"));
        volume.RunWith("short"u8.ToArray(), "write", "/file").Expect(0);
        Assert.AreEqual("short", volume.Text("/file"));
        volume.RunWith("X"u8.ToArray(), "write", "--offset=2", "/file").Expect(0);
        Assert.AreEqual("shXrt", volume.Text("/file"));
        CliRun run = volume.RunWith("++"u8.ToArray(), "write", "-a", "--json", "/file").Expect(0);
        Assert.AreEqual(2, run.Json.GetProperty("bytes").GetInt64());
        Assert.AreEqual("shXrt++", volume.Text("/file"));
        volume.RunWith([], "write", "/empty").Expect(0);
        Assert.AreEqual(0, volume.Stat("/empty").Size);
        volume.RunWith([], "write", "--append", "--offset=1", "/file").Expect(2).ExpectOneLine("exclude each other");
        volume.RunWith([1], "write", "/").Expect(1).ExpectOneLine("is a directory");
    }

    [TestMethod]
    [DataRow("644", 0x1FFu, false, "644")]
    [DataRow("u+x", 0x1A4u, false, "744")]
    [DataRow("+x", 0x1A4u, false, "755")]
    [DataRow("go-rwx", 0x1FFu, false, "700")]
    [DataRow("a=r,u+w", 0x1FFu, false, "644")]
    [DataRow("u=g", 0x1A0u, false, "440")]
    [DataRow("o=u-w", 0x1C0u, false, "705")]
    [DataRow("a+X", 0x1A4u, false, "644")]
    [DataRow("a+X", 0x1A4u, true, "755")]
    [DataRow("u+s,g+s,+t", 0x1EDu, false, "7755")]
    [DataRow("u=rwx", 0xBEDu, false, "1755")]
    public void ModeClausesMeanWhatTheySay(string clauses, uint mode, bool isDirectory, string expected)
    {
        Assert.IsTrue(ModeChange.TryParse(clauses, out ModeChange change));
        Assert.AreEqual(expected, Octal(change.Apply(mode, isDirectory)));
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("888")]
    [DataRow("77777")]
    [DataRow("u")]
    [DataRow("u+rq")]
    [DataRow("u+r,")]
    [DataRow("z+r")]
    public void WrongModesAreRefused(string text) => Assert.IsFalse(ModeChange.TryParse(text, out _));

    [TestMethod]
    public void MountThatCannotBeChangedSaysWhere()
    {
        using var folder = new TemporaryFolder();
        string image = folder["disk.img"];
        IMountHost readOnly = new ChangedVolume.ListingHost([new MountedVolume(image, "DATA", "/there", true, null)]);
        CliRun.On(readOnly, ["rm", image + "@DATA", "/x"]).Expect(3).ExpectOneLine("in use", "read-only at /there");
        IMountHost other = new ChangedVolume.ListingHost([new MountedVolume(image, "ROOT", "/there", false, null)]);
        CliRun.On(other, ["rm", image + "@DATA", "/x"]).Expect(3).ExpectOneLine("in use", "@ROOT", "/there");
    }

    private static string Octal(uint mode) => Convert.ToString((int)mode, 8);
}
