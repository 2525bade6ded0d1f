// `hammer2 put` and `hammer2 cp`: trees of the host arrive in the volume with all that get takes off one; existing files
// are safe; a copy that fails leaves nothing that looks whole. Every test runs on an image and through the folder that
// plays a mount. The host's special things are made with the shell, since .NET cannot.

using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Hammer2.Cli.Copying;
using Hammer2.Cli.Trees;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;

namespace Hammer2.Tests.Cli;

[TestClass]
public sealed class PutVerbTests
{
    [TestMethod]
    [DataRow(Reach.Image)]
    [DataRow(Reach.Mount)]
    public void WholeTreeArrives(Reach reach)
    {
        RequireLinux();
        using var volume = new ChangedVolume(reach);
        string tree = volume.Host("tree");
        Shell(
            $"""
            mkdir -p '{tree}/deep/er' '{tree}/empty' && cd '{tree}' && seq 1 100000 > deep/numbers && : > deep/er/nothing
            head -c 3000000 /dev/urandom > noise && ln noise deep/noise2 && ln noise deep/er/noise3 && ln -s ../noise deep/link
            truncate -s 5G sparse && printf head | dd of=sparse conv=notrunc 2>/dev/null && printf tail | dd of=sparse bs=1 seek=3G conv=notrunc 2>/dev/null
            mkfifo pipe && chmod 4751 deep/numbers && chmod 1700 deep && chmod 000 deep/er/nothing
            touch -d '2001-02-03 04:05:06.789012 UTC' deep/numbers noise && touch -h -d '1999-01-01 UTC' deep/link && touch -d '2011-11-11 UTC' deep
            """);
        CliRun run = volume.Run("put", "--json", tree, "/").Expect(0);
        JsonElement json = run.Json;
        long Count(string name) => json.GetProperty(name).GetInt64();
        Assert.AreEqual((4, 4, 1, 2, 1), (Count("files"), Count("directories"), Count("symlinks"), Count("hard_links"), Count("specials")));
        Assert.AreEqual("deep empty noise pipe sparse", volume.Names("/tree"));
        Assert.AreEqual(File.ReadAllText(tree + "/deep/numbers"), volume.Text("/tree/deep/numbers"));
        CollectionAssert.AreEqual(File.ReadAllBytes(tree + "/noise"), volume.Bytes("/tree/deep/er/noise3"));
        InodeAttributes noise = volume.Stat("/tree/noise");
        Assert.AreEqual((3ul, noise.InodeNumber), (noise.LinkCount, volume.Stat("/tree/deep/noise2").InodeNumber));
        Assert.AreEqual(981173106789012, noise.ModifyTimeUs);
        InodeAttributes numbers = volume.Stat("/tree/deep/numbers");
        Assert.AreEqual(Expected("4751", reach), numbers.Mode);
        Assert.AreEqual(981173106789012, numbers.ModifyTimeUs);
        Assert.AreEqual("../noise", volume.Target("/tree/deep/link"));
        Assert.AreEqual(915148800000000, volume.Stat("/tree/deep/link").ModifyTimeUs);
        Assert.AreEqual((Expected("1700", reach), 1320969600000000), (volume.Stat("/tree/deep").Mode, volume.Stat("/tree/deep").ModifyTimeUs));
        Assert.AreEqual(ObjectType.Fifo, volume.Stat("/tree/pipe").Type);
        InodeAttributes sparse = volume.Stat("/tree/sparse");
        Assert.AreEqual(5L << 30, sparse.Size);
        Assert.IsLessThan(1L << 20, sparse.AllocatedBytes);
        Assert.AreEqual("tail\0", Encoding.UTF8.GetString(volume.BytesAt("/tree/sparse", 3L << 30, 5)));
        Shell($"chmod -R u+rwx '{tree}'");
    }

    [TestMethod]
    [DataRow(Reach.Image)]
    [DataRow(Reach.Mount)]
    public void ContentsGoIntoADirectory(Reach reach)
    {
        using var volume = new ChangedVolume(reach);
        Directory.CreateDirectory(volume.Host("site/sub"));
        File.WriteAllText(volume.Host("site/index"), "i");
        File.WriteAllText(volume.Host("one"), "1");
        volume.Run("put", volume.Host("site") + "/.", "/").Expect(0);
        Assert.AreEqual("index sub", volume.Names("/"));
        volume.Run("put", volume.Host("site") + "/.", "/new").Expect(0);
        Assert.AreEqual("index sub", volume.Names("/new"));
        volume.Run("put", volume.Host("one"), volume.Host("site"), "/new").Expect(0);
        Assert.AreEqual("index one site sub", volume.Names("/new"));
        volume.Run("put", volume.Host("one"), "/other-name").Expect(0);
        Assert.AreEqual("1", volume.Text("/other-name"));
    }

    [TestMethod]
    [DataRow(Reach.Image)]
    [DataRow(Reach.Mount)]
    public void ExistingFilesAreSafeWithoutForce(Reach reach)
    {
        using var volume = new ChangedVolume(reach);
        volume.Have("/one", "mine");
        volume.Have("/dir/sub/x", "x");
        Directory.CreateDirectory(volume.Host("dir/sub"));
        File.WriteAllText(volume.Host("dir/sub/x"), "new x");
        File.WriteAllText(volume.Host("one"), "new one");
        volume.Run("put", volume.Host("one"), "/").Expect(2).ExpectOneLine("/one exists", "--force");
        volume.Run("put", volume.Host("one"), "/one").Expect(2).ExpectOneLine("/one exists", "--force");
        volume.Run("put", volume.Host("dir"), "/").Expect(2).ExpectOneLine("/dir exists", "--force");
        volume.Run("put", volume.Host("dir"), "/one").Expect(2).ExpectOneLine("not a directory");
        volume.Run("put", volume.Host("one"), volume.Host("dir"), "/new").Expect(2).ExpectOneLine("several sources");
        volume.Run("put", volume.Host("none"), "/").Expect(1).ExpectOneLine("no such file");
        Assert.AreEqual(("mine", "x"), (volume.Text("/one"), volume.Text("/dir/sub/x")));
        volume.Run("put", "-f", volume.Host("one"), volume.Host("dir"), "/").Expect(0);
        Assert.AreEqual(("new one", "new x"), (volume.Text("/one"), volume.Text("/dir/sub/x")));
        volume.Run("put", "-f", volume.Host("one"), "/dir/sub").Expect(0);
        Directory.CreateDirectory(volume.Host("x"));
        volume.Run("put", "-f", volume.Host("x"), "/dir/sub").Expect(1).ExpectOneLine("not a directory");
    }

    [TestMethod]
    [DataRow(Reach.Image)]
    [DataRow(Reach.Mount)]
    public void ResumeCopiesOnlyWhatIsMissing(Reach reach)
    {
        using var volume = new ChangedVolume(reach);
        Directory.CreateDirectory(volume.Host("t"));
        for (int i = 0; i < 10; i++)
            File.WriteAllText(volume.Host($"t/{i}"), new string('x', i));
        volume.Run("put", volume.Host("t"), "/").Expect(0);
        volume.Run("rm", "/t/3").Expect(0);
        volume.RunWith("changed"u8.ToArray(), "write", "/t/4").Expect(0);
        JsonElement again = volume.Run("put", "--resume", "--json", volume.Host("t"), "/").Expect(0).Json;
        Assert.AreEqual((2, 8), (again.GetProperty("files").GetInt64(), again.GetProperty("skipped").GetInt64()));
        Assert.AreEqual(("xxx", "xxxx"), (volume.Text("/t/3"), volume.Text("/t/4")));
    }

    [TestMethod]
    [DataRow(Reach.Image)]
    [DataRow(Reach.Mount)]
    public void StandardInputBecomesAFile(Reach reach)
    {
        using var volume = new ChangedVolume(reach);
        volume.RunWith("text"u8.ToArray(), "put", "-", "/file").Expect(0);
        Assert.AreEqual("text", volume.Text("/file"));
        volume.RunWith("more"u8.ToArray(), "put", "-", "/file").Expect(2).ExpectOneLine("exists", "--force");
        volume.RunWith("more"u8.ToArray(), "put", "-f", "-", "/file").Expect(0);
        Assert.AreEqual("more", volume.Text("/file"));
        volume.RunWith([], "put", "-", "x", "/file").Expect(2).ExpectOneLine("only SOURCE");
    }

    [TestMethod]
    [DataRow(Reach.Image)]
    [DataRow(Reach.Mount)]
    public void FileThatCannotBeReadIsReportedAndNotLeft(Reach reach)
    {
        RequireLinux();
        using var volume = new ChangedVolume(reach);
        Directory.CreateDirectory(volume.Host("t"));
        Shell($"cd '{volume.Host("t")}' && echo good > good && truncate -s 100 bad");
        using var stop = new CancellationTokenSource();
        using IFileTree host = HostTrees.Of(volume.Host("t"));
        using IFileNode source = new FailingNode(host.OpenRoot(), "bad");
        using ChangedImage image = ChangedImage.Open(Context(volume), volume.Image);
        using IFileNode root = image.Tree.OpenRoot();
        var failures = new Hammer2.Cli.Output.FailureList();
        var copy = new TreeCopy(image.Tree, new TreeCopyOptions(), failures, stop.Token);
        copy.Run([new CopyStart(source, [], "t"u8.ToArray(), root, [], [])]);
        image.Tree.Commit();
        Assert.AreEqual("t/bad: the device failed", failures.ToList().Single().Line);
        Assert.AreEqual(1, copy.Counts.Files);
        image.Dispose();
        Assert.AreEqual("good", volume.Names("/"));
    }

    [TestMethod]
    public void TheImageIsNotCopiedIntoItself()
    {
        using var volume = new ChangedVolume(Reach.Image);
        string folder = Path.GetDirectoryName(volume.Image)!;
        File.WriteAllText(Path.Combine(folder, "beside"), "b");
        volume.Run("put", folder + "/.", "/").Expect(1).ExpectOneLine("is the volume that is written to");
        Assert.AreEqual("beside", volume.Names("/"));
    }

    [TestMethod]
    [DataRow(Reach.Image)]
    [DataRow(Reach.Mount)]
    public void CopiesGoEitherWayAndInside(Reach reach)
    {
        using var volume = new ChangedVolume(reach);
        volume.Have("/a/x", "xx");
        File.WriteAllText(volume.Host("h"), "hh");
        volume.Run("cp", "/a/x", "/y").Expect(0);
        volume.Run("cp", "host:" + volume.Host("h"), "/a").Expect(0);
        volume.Run("cp", "/a", "/b").Expect(2).ExpectOneLine("/a is a directory", "--recursive");
        volume.Run("cp", "-r", "/a", "/b").Expect(0);
        Assert.AreEqual("h x", volume.Names("/b"));
        volume.Run("cp", "-r", "/a", "/a/in").Expect(2).ExpectOneLine("cannot be copied into itself");
        volume.Run("cp", "/y", "/y").Expect(2).ExpectOneLine("same file");
        volume.Run("cp", "-r", "/b", "host:" + volume.Host("out")).Expect(0);
        Assert.AreEqual("hh", File.ReadAllText(volume.Host("out/h")));
        volume.Run("cp", "/b/h", "host:" + volume.Host("out")).Expect(2).ExpectOneLine("exists");
        volume.Run("cp", "/y", "host:" + volume.Host("h"), "/b", "-f").Expect(0);
        Assert.AreEqual("xx", volume.Text("/b/y"));
        volume.Run("cp", "host:a", "host:b").Expect(2).ExpectOneLine("volume on one side");
        volume.Run("cp", "/b/*", "/new").Expect(2).ExpectOneLine("several sources");
    }

    // What is kept of a mode; set-id bits are not, where owners cannot be.
    private static uint Expected(string octal, Reach reach)
    {
        uint mode = Convert.ToUInt32(octal, 8);
        return reach == Reach.Image || Environment.IsPrivilegedProcess ? mode : mode & 0x3FF;
    }

    private static void RequireLinux()
    {
        if (!OperatingSystem.IsLinux())
            Assert.Inconclusive("the tree is made with a shell");
    }

    private static Hammer2.Cli.VerbContext Context(ChangedVolume volume)
    {
        var terminal = new Hammer2.Cli.Terminal(Stream.Null, TextWriter.Null);
        return new Hammer2.Cli.VerbContext
        {
            Terminal = terminal,
            Json = false,
            Verbose = false,
            Logger = Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance,
            MountHost = volume.MountHost,
            Results = new Hammer2.Cli.Output.ResultWriter(terminal, false),
        };
    }

    private static void Shell(string command)
    {
        using Process shell = Process.Start(new ProcessStartInfo("sh", ["-ec", command]))!;
        shell.WaitForExit();
        Assert.AreEqual(0, shell.ExitCode, command);
    }
}
