// The verbs that manage a volume, each on an image that nobody holds and on one that is mounted: answers and the medium
// afterwards must be the same. The strict check judges every image at the end.

using System.Text.Json;
using Hammer2.Cli;
using Hammer2.Tests.Cli;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Control;

[TestClass]
public sealed class VolumeVerbTests
{
    private sealed class Volume : IDisposable
    {
        private readonly TemporaryFolder _folder = new();
        private readonly LiveMount? _mount;

        internal Volume(bool mounted, string golden = "small-mixed")
        {
            Image = GoldenImages.Get(golden).UnpackTo(_folder.Path).Single();
            if (mounted)
                _mount = new LiveMount(Image);
        }

        internal string Image { get; }

        internal CliRun Run(string verb, params string[] arguments) => CliRun.On(_mount?.Host, [verb, .. arguments]);

        internal string Labels() => string.Join(' ', Run("pfs-list", Image, "--json").Expect(0).Json.GetProperty("pfs").EnumerateArray().Select(static pfs => pfs.GetProperty("label").GetString()));

        // Everything of a PFS but its label.
        internal string Tree(string label) => Run("manifest", $"{Image}@{label}").Expect(0).Json.GetProperty("entries").GetRawText();

        public void Dispose()
        {
            _mount?.Dispose();
            CliRun.Of("fsck", Image).Expect(0);
            _folder.Dispose();
        }
    }

    [TestMethod]
    public void OnlyVerifyingCanBePaused()
    {
        using var volume = new Volume(mounted: true);
        volume.Run("transactions", volume.Image, "--pause", "1").Expect(1).ExpectOneLine("no transaction 1");
        foreach (var (verb, can) in ((string, bool)[])[("verify", true), ("scrub", true), ("bulkfree", false), ("usage", false), ("growfs", false), ("pfs-list", false)])
            Assert.AreEqual(can, CommandTree.Verbs().Single(known => known.Name == verb).CanPause, verb);
    }

    [TestMethod]
    public void TheRootOfAPfsIsNotDestroyedByItsNumber()
    {
        using var volume = new Volume(mounted: false);
        volume.Run("destroy-inum", volume.Image, "1").Expect(1).ExpectOneLine("pfs-delete");
        volume.Run("destroy-inum", volume.Image, "abc").Expect(2).ExpectOneLine("'abc'", "hammer2 stat");
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void PfssAreMadeRenamedAndDeleted(bool mounted)
    {
        using var volume = new Volume(mounted);
        string image = volume.Image;
        StringAssert.Contains(volume.Run("pfs-create", image, "HOME").Expect(0).Output, "HOME");
        var cluster = Guid.NewGuid();
        CliRun slave = volume.Run("pfs-create", image, "COPY", "-u", $"{cluster}", "--json").Expect(0);
        Assert.AreEqual("slave", slave.Json.GetProperty("pfs")[0].GetProperty("type").GetString());
        Assert.AreEqual($"{cluster}", volume.Run("pfs-clid", image, "COPY").Expect(0).Lines.Single());
        Assert.AreNotEqual(
            volume.Run("pfs-fsid", image, "COPY").Expect(0).Lines.Single(), volume.Run("pfs-fsid", image, "HOME").Expect(0).Lines.Single());
        volume.Run("pfs-create", image, "HOME").Expect(2).ExpectOneLine("HOME");
        volume.Run("pfs-create", image, "").Expect(2);
        volume.Run("pfs-create", image, new string('x', 300)).Expect(2);
        volume.Run("pfs-fsid", image, "NONE").Expect(3).ExpectOneLine("NONE", "DATA");
        volume.Run("pfs-rename", image, "HOME", "HOUSE").Expect(0);
        volume.Run("pfs-rename", image, "HOME", "HOUSE").Expect(3).ExpectOneLine("HOME");
        volume.Run("pfs-rename", image, "HOUSE", "COPY").Expect(2).ExpectOneLine("COPY");
        Assert.AreEqual("COPY DATA HOUSE LOCAL", volume.Labels());
        CliRun deleted = volume.Run("pfs-delete", image, "HOUSE", "NONE", "COPY", "--json").Expect(1);
        Assert.AreEqual(2, deleted.Json.GetProperty("deleted").GetArrayLength());
        volume.Run("pfs-delete", image, "LOCAL").Expect(1).ExpectOneLine("LOCAL");
        if (mounted)
            volume.Run("pfs-delete", image, "DATA").Expect(1).ExpectOneLine("open");
        Assert.AreEqual("DATA LOCAL", volume.Labels());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void SnapshotsAreTakenListedAndRestored(bool mounted)
    {
        using var volume = new Volume(mounted);
        string image = volume.Image;
        string before = volume.Tree("DATA");
        Assert.AreEqual("first", volume.Run("snapshot", image + "@DATA", "first").Expect(0).Lines.Single());
        string dated = volume.Run("snapshot", image + "@DATA").Expect(0).Lines.Single();
        StringAssert.Matches(dated, new System.Text.RegularExpressions.Regex(@"^DATA\.\d{8}\.\d{6}$"));
        volume.Run("snapshot", image + "@DATA", "first").Expect(2).ExpectOneLine("first");
        volume.Run("snapshot", image + "@NONE", "x").Expect(3);
        Assert.AreEqual(2, volume.Run("snapshot", "list", image, "--json").Expect(0).Json.GetProperty("pfs").GetArrayLength());
        Assert.AreEqual(before, volume.Tree("first"));
        if (mounted)
        {
            volume.Run("snapshot", "restore", image + "@DATA", "first").Expect(1).ExpectOneLine("unmount");
            return;
        }

        CliRun.Of("rm", "-r", image + "@DATA", "/deep", "/many").Expect(0);
        Assert.AreNotEqual(before, volume.Tree("DATA"));
        CliRun restored = volume.Run("snapshot", "restore", image + "@DATA", "first", "--json").Expect(0);
        Assert.AreEqual(before, volume.Tree("DATA"));
        string previous = restored.Json.GetProperty("previous").GetString()!;
        volume.Run("stat", $"{image}@{previous}", "/deep").Expect(1);
        Assert.IsFalse(volume.Run("snapshot", "restore", image + "@DATA", "first", "--drop-previous", "--json").Expect(0).Json.TryGetProperty("previous", out _));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void SpaceComesBackAndVolumesGrow(bool mounted)
    {
        using var volume = new Volume(mounted);
        string image = volume.Image;
        volume.Run("snapshot", image + "@DATA", "old").Expect(0);
        long free = volume.Run("bulkfree", image, "--until-stable", "--json").Expect(0).Json.GetProperty("free_bytes").GetInt64();
        volume.Run("pfs-delete", image, "old").Expect(0);
        CliRun freed = volume.Run("bulkfree", image, "--json").Expect(0);
        Assert.IsGreaterThanOrEqualTo(free, freed.Json.GetProperty("free_bytes").GetInt64());
        long bytes = new FileInfo(image).Length;
        volume.Run("growfs", image, $"{bytes}").Expect(2).ExpectOneLine("not more");
        volume.Run("growfs", image, "lots").Expect(2);
        CliRun grown = volume.Run("growfs", image, $"{bytes + (1L << 30)}", "--json").Expect(0);
        Assert.AreEqual(bytes + (1L << 30), grown.Json.GetProperty("new_bytes").GetInt64());
        Assert.AreEqual(bytes + (1L << 30), new FileInfo(image).Length);
        Assert.IsGreaterThan(free, volume.Run("bulkfree", image, "--json").Expect(0).Json.GetProperty("free_bytes").GetInt64());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void DifferencesOfSnapshotsAreListed(bool mounted)
    {
        using var volume = new Volume(mounted);
        string image = volume.Image + "@DATA";
        volume.Run("snapshot", image, "first").Expect(0);
        volume.Run("setcomp", image, "zlib:9", "/large", "/none").Expect(1).ExpectOneLine("/none");
        volume.Run("setcomp", image, "lzma", "/large").Expect(2).ExpectOneLine("lzma");
        volume.Run("setcomp", image, "zlib:3", "/large").Expect(2);
        volume.Run("setcheck", image, "md5", "/large").Expect(2).ExpectOneLine("md5");
        Assert.AreEqual("zlib", volume.Run("stat", image, "/large", "--json").Expect(0).Json.GetProperty("entries")[0].GetProperty("comp").GetString());
        Assert.AreEqual("P /large", volume.Run("snapshot", "diff", image, "first").Expect(0).Lines.Single());
        long below = volume.Run("setsha192", image, "/links", "-r", "--json").Expect(0).Json.GetProperty("changed").GetInt64();
        JsonElement changes = volume.Run("snapshot", "diff", image, "first", "--json").Expect(0).Json.GetProperty("changes");
        Assert.AreEqual(below + 1, changes.GetArrayLength());
        Assert.IsTrue(changes.EnumerateArray().All(static change => change.GetProperty("change").GetString() == "modified_attributes"));
        volume.Run("snapshot", image, "second").Expect(0);
        Assert.IsEmpty(volume.Run("snapshot", "diff", image, "second").Expect(0).Lines);
        Assert.HasCount(changes.GetArrayLength(), volume.Run("snapshot", "diff", image, "first", "second").Expect(0).Lines);
        volume.Run("snapshot", "diff", image, "none").Expect(3).ExpectOneLine("none");
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void UsageIsShownInThreeForms(bool mounted)
    {
        using var volume = new Volume(mounted);
        JsonElement usage = volume.Run("usage", volume.Image + "@DATA", "-n", "5", "--json").Expect(0).Json;
        Assert.AreEqual(5, usage.GetProperty("directories").GetArrayLength());
        Assert.AreEqual("/", usage.GetProperty("directories")[0].GetProperty("path").GetString());
        Assert.IsLessThanOrEqualTo(usage.GetProperty("total_bytes").GetInt64() - usage.GetProperty("free_bytes").GetInt64(), usage.GetProperty("live_bytes").GetInt64());
        StringAssert.Contains(volume.Run("usage", volume.Image + "@DATA").Expect(0).Output, "compression");
        string page = volume.Run("usage", "--html", volume.Image + "@DATA").Expect(0).Output;
        System.Xml.Linq.XElement[] pictures = [.. System.Text.RegularExpressions.Regex.Matches(page, "<svg.*?</svg>", System.Text.RegularExpressions.RegexOptions.Singleline)
            .Select(static match => System.Xml.Linq.XElement.Parse(match.Value))];
        Assert.HasCount(3, pictures);
        Assert.IsTrue(pictures.All(static picture => picture.Elements("rect").Any()));
        Assert.IsFalse(page.Contains("<script", StringComparison.OrdinalIgnoreCase) || page.Contains("http", StringComparison.OrdinalIgnoreCase));
        volume.Run("usage", "--html", "--json", volume.Image).Expect(2);
    }

    [TestMethod]
    public void TreeMapsFillTheirAreaWithoutOverlap()
    {
        foreach (double[] sizes in (double[][])[[1], [5, 3, 2], [100, 1, 1, 1], [4, 4, 4, 4, 0, 0], [.. Enumerable.Range(1, 60).Select(static i => 1000.0 / i)]])
        {
            var area = new Hammer2.Cli.Verbs.Volumes.Box(10, 20, 640, 360);
            Hammer2.Cli.Verbs.Volumes.Box[] boxes = Hammer2.Cli.Verbs.Volumes.TreeMap.LayOut(sizes, area);
            Assert.AreEqual(area.Area, boxes.Sum(static box => box.Area), 0.01);
            for (int i = 0; i < boxes.Length; i++)
            {
                Assert.AreEqual(sizes[i] / sizes.Sum() * area.Area, boxes[i].Area, 0.01);
                for (int j = 0; j < i; j++)
                    Assert.IsTrue(Overlap(boxes[i].X, boxes[i].Width, boxes[j].X, boxes[j].Width) < 1e-6 || Overlap(boxes[i].Y, boxes[i].Height, boxes[j].Y, boxes[j].Height) < 1e-6);
            }
        }

        static double Overlap(double a, double lengthA, double b, double lengthB) => Math.Min(a + lengthA, b + lengthB) - Math.Max(a, b);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void NamesAndInodesAreDestroyedForThemselves(bool mounted)
    {
        using var folder = new TemporaryFolder();
        string image = GoldenImages.Get("small-mixed").UnpackTo(folder.Path).Single();
        using (LiveMount? mount = mounted ? new LiveMount(image) : null)
        {
            CliRun Run(params string[] arguments) => CliRun.On(mount?.Host, arguments);
            ulong inode = Run("stat", image, "/sizes/text-64", "--json").Expect(0).Json.GetProperty("entries")[0].GetProperty("inum").GetUInt64();
            Run("destroy", image, "/empty-dir", "/none").Expect(1).ExpectOneLine("/none");
            Run("stat", image, "/empty-dir").Expect(1);
            Run("destroy", image, "/").Expect(2);
            Run("destroy-inum", image, $"0x{inode:x}").Expect(0);
            Run("destroy-inum", image, "x").Expect(2);
            Run("cat", image, "/sizes/text-64").Expect(1);
            if (mounted)
            {
                StringAssert.Contains(Run("emergency-mode-enable", image).Expect(0).Output, "is on");
                StringAssert.Contains(Run("emergency-mode-disable", image).Expect(0).Output, "is off");
            }
            else
            {
                Run("emergency-mode-enable", image).Expect(3).ExpectOneLine("not mounted");
            }
        }

        // An inode without a name, and a name without an inode: what the two verbs are for, and what the repair is for.
        CliRun.Of("fsck", image).Expect(1);
        CliRun.Of("fsck", "--repair", image);
        CliRun.Of("fsck", image).Expect(0);
        CliRun.Of("connect", "somewhere").Expect(2).ExpectOneLine("not part of this system");
    }

    [TestMethod]
    public void AMountPointNamesItsVolume()
    {
        using var folder = new TemporaryFolder();
        string image = GoldenImages.Get("small-mixed").UnpackTo(folder.Path).Single();
        using var mount = new LiveMount(image);
        string place = mount.Host.Place;
        StringAssert.Contains(CliRun.On(mount.Host, ["pfs-list", place]).Expect(0).Output, "LOCAL");
        Assert.AreEqual("named", CliRun.On(mount.Host, ["snapshot", place, "named"]).Expect(0).Lines.Single());
        Assert.AreEqual("again", CliRun.On(mount.Host, ["snapshot", place + "@named", "again"]).Expect(0).Lines.Single());
        CliRun.On(mount.Host, ["snapshot", "mount", place, "named", folder["there"]]).Expect(0);
        Assert.IsTrue(mount.Host.List().Any(shown => shown.Label == "named" && shown.Target == folder["there"] && shown.ReadOnly));
        StringAssert.Contains(CliRun.On(mount.Host, ["cleanup"]).Expect(0).Output, "free now");
        CliRun.On(mount.Host, ["fsck", image]).Expect(3).ExpectOneLine("in use");
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void InodesAreShownAsTheyAre(bool mounted)
    {
        using var volume = new Volume(mounted);
        string image = volume.Image + "@DATA";
        JsonElement stat = volume.Run("stat", image, "/sizes/text-64", "--json").Expect(0).Json.GetProperty("entries")[0];
        JsonElement inode = volume.Run("printinode", image, "/sizes/text-64", "/none", "--json").Expect(1).Json.GetProperty("inodes")[0];
        JsonElement fields = inode.GetProperty("fields");
        StringAssert.Matches(fields.GetProperty("mode").GetString()!, new System.Text.RegularExpressions.Regex("^0[0-7]{3,4}$"));
        StringAssert.Contains(fields.GetProperty("modify_time").GetString()!, " UTC)");
        StringAssert.StartsWith(inode.GetProperty("fields").GetProperty("inode_number").GetString(), $"{stat.GetProperty("inum").GetUInt64()} ");
        StringAssert.StartsWith(inode.GetProperty("fields").GetProperty("size").GetString(), "64 ");
        StringAssert.Contains(volume.Run("printinode", image, "/").Expect(0).Output, "pfs_next_inode");
        JsonElement root = volume.Run("dumpchain", image, "--json").Expect(0).Json.GetProperty("inodes")[0];
        Assert.AreEqual(1, root.GetProperty("inum").GetInt32());
        Assert.IsFalse(root.GetProperty("dirty").GetBoolean());
        StringAssert.Contains(volume.Run("dumpchain", image).Expect(0).Output, "clean");
    }

    [TestMethod]
    public void AVolumeInUseIsVerifiedWhileItChanges()
    {
        using var folder = new TemporaryFolder();
        string image = GoldenImages.Get("small-mixed").UnpackTo(folder.Path).Single();
        using (var mount = new LiveMount(image))
        {
            using var stop = new CancellationTokenSource();
            Task changing = Task.Run(() =>
            {
                for (int i = 0; !stop.IsCancellationRequested; i++)
                {
                    CliRun.On(mount.Host, ["snapshot", image + "@DATA", $"s{i}"]).Expect(0);
                    CliRun.On(mount.Host, ["setcomp", image + "@DATA", i % 2 == 0 ? "zlib" : "lz4", "/many", "-r"]).Expect(0);
                    CliRun.On(mount.Host, ["pfs-delete", image, $"s{i}"]).Expect(0);
                    CliRun.On(mount.Host, ["bulkfree", image]).Expect(0);
                }
            });
            for (int i = 0; i < 10; i++)
            {
                CliRun run = CliRun.On(mount.Host, ["scrub", image, "--json"]).Expect(0);
                Assert.IsTrue(run.Json.GetProperty("clean").GetBoolean());
                Assert.IsGreaterThan(0, run.Json.GetProperty("freemap_blocks").GetInt64() + run.Json.GetProperty("warnings").GetArrayLength());
            }

            stop.Cancel();
            changing.Wait();
        }

        CliRun.Of("fsck", image).Expect(0);
        CliRun.Of("scrub", "--rate", "1", image).Expect(2).ExpectOneLine("--rate");
    }

    [TestMethod]
    public void AReadOnlyMountChangesNothing()
    {
        using var folder = new TemporaryFolder();
        string image = GoldenImages.Get("small-mixed").UnpackTo(folder.Path).Single();
        using var mount = new LiveMount(image, "--read-only");
        CliRun.On(mount.Host, ["snapshot", image, "x"]).Expect(3).ExpectOneLine("read-only");
        CliRun.On(mount.Host, ["pfs-list", image]).Expect(0);
    }

    [TestMethod]
    public void DetachedWorkIsShownAndNobodyHoldsAnImageThatIsNotMounted()
    {
        using var folder = new TemporaryFolder();
        string image = GoldenImages.Get("small-mixed").UnpackTo(folder.Path).Single();
        CliRun.Of("verify", "--detach", image).Expect(2).ExpectOneLine("nobody");
        CliRun.Of("transactions", image).Expect(3).ExpectOneLine("not mounted");
        using var mount = new LiveMount(image);
        CliRun begun = CliRun.On(mount.Host, ["verify", "--detach", image]).Expect(0);
        StringAssert.Contains(begun.Error, "transaction 1 ");
        Assert.IsTrue(SpinWait.SpinUntil(() => State(mount, image) == "done", LiveMount.Deadline));
        CliRun.On(mount.Host, ["transactions", image, "--cancel", "1"]).Expect(1).ExpectOneLine("no transaction 1");
    }

    private static string State(LiveMount mount, string image) =>
        CliRun.On(mount.Host, ["transactions", image, "--json"]).Expect(0).Json.GetProperty("transactions")[0].GetProperty("state").GetString()!;
}
