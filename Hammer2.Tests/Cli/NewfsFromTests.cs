// `hammer2 newfs --from DIR`: a new image holds the tree, whatever it is made of, passes the strict check, and what
// `get` takes out of it again is what went in. Compared through the host's own file calls.

using Hammer2.Cli;

namespace Hammer2.Tests.Cli;

[TestClass]
public sealed class NewfsFromTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [TestMethod]
    [DataRow("lz4")]
    [DataRow("none")]
    [DataRow("zlib:9")]
    public void TreeGoesInAndComesOutTheSame(string compression)
    {
        string tree = MakeTree();
        string image = _folder["filled.img"];
        CliRun made = CliRun.Of("newfs", image, "--from", tree, "--compression", compression, "-L", "HOME", "--json");
        Assert.AreEqual(ExitCode.Success, made.ExitCode, made.Error);
        Assert.AreEqual(5, made.Json.GetProperty("copied").GetProperty("files").GetInt32());
        Assert.AreEqual(ExitCode.Success, CliRun.Of("fsck", image).ExitCode, CliRun.Of("fsck", image).Output);

        string back = _folder["back"];
        CliRun got = CliRun.Of("get", image + "@HOME", "/.", back);
        Assert.AreEqual(ExitCode.Success, got.ExitCode, got.Error);
        foreach (string path in Directory.EnumerateFiles(tree, "*", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(back, Path.GetRelativePath(tree, path));
            CollectionAssert.AreEqual(File.ReadAllBytes(path), File.ReadAllBytes(copy), path);
            Assert.AreEqual(File.GetLastWriteTimeUtc(path).Ticks / 10, File.GetLastWriteTimeUtc(copy).Ticks / 10, path);
        }
    }

    [TestMethod]
    public void TreeThatDoesNotFitLeavesNoImageBehind()
    {
        string tree = MakeTree();
        byte[] noise = new byte[40 << 20];
        new Random(1).NextBytes(noise);
        File.WriteAllBytes(Path.Combine(tree, "noise"), noise);
        string image = _folder["small.img"];
        CliRun run = CliRun.Of("newfs", image, "--from", tree, "--size", "48M");
        Assert.AreNotEqual(ExitCode.Success, run.ExitCode);
        Assert.HasCount(1, run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries), run.Error);
        Assert.IsFalse(File.Exists(image));
    }

    [TestMethod]
    public void MissingTreeIsSaidBeforeAnythingIsMade()
    {
        string image = _folder["none.img"];
        CliRun run = CliRun.Of("newfs", image, "--from", _folder["nowhere"], "--size", "64M");
        Assert.AreEqual(ExitCode.Usage, run.ExitCode);
        Assert.IsFalse(File.Exists(image));
    }

    private string MakeTree()
    {
        string tree = _folder["tree"];
        string deep = Path.Combine(tree, "a", "b c", new string('n', 200));
        Directory.CreateDirectory(deep);
        File.WriteAllText(Path.Combine(tree, "small"), "inside the inode");
        File.WriteAllBytes(Path.Combine(tree, "empty"), []);
        File.WriteAllText(Path.Combine(deep, "text"), string.Concat(Enumerable.Repeat("compresses well. ", 20000)));
        byte[] noise = new byte[3_000_001];
        new Random(7).NextBytes(noise);
        File.WriteAllBytes(Path.Combine(deep, "noise"), noise);
        using (FileStream sparse = File.Create(Path.Combine(tree, "sparse")))
        {
            sparse.SetLength(50 << 20);
            sparse.Position = 30 << 20;
            sparse.Write("in the middle"u8);
        }

        return tree;
    }
}
