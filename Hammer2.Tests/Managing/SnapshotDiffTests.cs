// What differs between snapshots: every kind of change, the cost of a small one, and random changes against a comparison that
// looks at everything. HAMMER2_SEED repeats a run.

using System.Text;
using Hammer2.Engine.Diagnostics;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Hostile;
using Hammer2.Tests.Requirements;

namespace Hammer2.Tests.Managing;

[TestClass]
public sealed class SnapshotDiffTests
{
    private static readonly string s_longName = new('n', 200);

    [TestMethod]
    public void EveryKindOfChangeIsFound()
    {
        using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
        foreach (string directory in (string[])["keep", "keep/deep", "gone", "moving", "moving/sub"])
            rig.MakeDirectory(directory);
        foreach (string file in (string[])["keep/same", "keep/content", "keep/mode", "keep/touched", "keep/deep/old", "gone/inside", "moving/sub/file", "linked", s_longName])
            rig.Create(file, EngineRig.Bytes(file.Length * 1000, file.Length)).Dispose();
        rig.Volume.Snapshot("DATA", "before");
        Assert.IsEmpty(SnapshotDiff.Compare(rig.Volume, "before", "DATA").ToList());

        using (Vnode file = rig.Open("keep/content"))
            Assert.AreEqual(Hammer2Error.None, file.TryWrite(3, "xyz"u8));
        using (Vnode file = rig.Open("keep/mode"))
            Assert.AreEqual(Hammer2Error.None, file.TrySetAttributes(new AttributeChanges { Mode = 0x100 }));
        using (Vnode file = rig.Open("keep/touched"))
            Assert.AreEqual(Hammer2Error.None, file.TrySetAttributes(new AttributeChanges { ModifyTimeUs = 1 }));
        using (Vnode file = rig.Open("keep/same"))
            Assert.AreEqual(Hammer2Error.None, file.TryWrite(0, EngineRig.Bytes(9000, 9)));
        Rename(rig, "keep/deep", "old", "keep", "new");
        Rename(rig, "", "moving", "keep", "moved");
        rig.Unlink("gone/inside");
        using (Vnode root = rig.Pfs.OpenRoot())
            Assert.AreEqual(Hammer2Error.None, rig.Pfs.TryRemoveDirectory(root, "gone"u8));
        rig.Link("linked", "keep/link");
        rig.MakeDirectory("fresh");
        rig.Create("fresh/file").Dispose();
        Rename(rig, "", s_longName, "", s_longName[..100]);
        string[] found = [.. SnapshotDiff.Compare(rig.Volume, "before", "DATA").Select(Line).Order(StringComparer.Ordinal)];
        Console.WriteLine(string.Join('\n', found));
        CollectionAssert.AreEqual(
            new[]
            {
                "Added File fresh/file",
                "Added Directory fresh",
                "Added File keep/link",
                "ModifiedAttributes File keep/mode",
                "ModifiedAttributes File keep/same",
                "ModifiedAttributes File keep/touched",
                "ModifiedContent File keep/content",
                "Removed Directory gone",
                "Removed File gone/inside",
                "Renamed Directory moving -> keep/moved",
                "Renamed File keep/deep/old -> keep/new",
                $"Renamed File {s_longName} -> {s_longName[..100]}",
            }.Order(StringComparer.Ordinal).ToArray(),
            found);
        rig.Volume.Snapshot("DATA", "after");
        CollectionAssert.AreEqual(found, SnapshotDiff.Compare(rig.Volume, "before", "after").Select(Line).Order(StringComparer.Ordinal).ToArray());
        using Hammer2Volume reading = rig.OpenMedium();
        CollectionAssert.AreEqual(found, SnapshotDiff.Compare(reading, "before", "after").Select(Line).Order(StringComparer.Ordinal).ToArray());
        PfsTests.Refused(Hammer2Error.NoSuchPfs, () => Assert.IsNotEmpty(SnapshotDiff.Compare(rig.Volume, "before", "none").ToList()));
        rig.Check();
    }

    [TestMethod]
    public void ASmallChangeOfALargeTreeReadsFewBlocks()
    {
        using var rig = new EngineRig();
        for (int d = 0; d < 200; d++)
        {
            rig.MakeDirectory($"dir{d}");
            using Vnode directory = rig.Open($"dir{d}");
            for (int i = 0; i < 100; i++)
            {
                Assert.AreEqual(Hammer2Error.None, rig.Pfs.TryCreate(directory, Encoding.ASCII.GetBytes($"file{i}"), new NewInode { Type = ObjectType.File, Mode = 0x1A4 }, out Vnode? file));
                file!.Dispose();
            }
        }

        rig.Volume.Snapshot("DATA", "before");
        using (Vnode file = rig.Open("dir77/file33"))
            Assert.AreEqual(Hammer2Error.None, file.TryWrite(0, "changed"u8));
        Rename(rig, "dir5", "file5", "dir6", "moved");
        rig.Volume.Snapshot("DATA", "after");
        rig.Remount();
        rig.Pfs.Dispose();
        long whole = Misses(() => Assert.IsNotEmpty(SnapshotDiff.Compare(rig.Volume, "LOCAL", "after").ToList()));
        rig.Remount();
        var found = new List<PfsChange>();
        long few = Misses(() => found.AddRange(SnapshotDiff.Compare(rig.Volume, "before", "after")));
        Console.WriteLine($"{few} blocks for {found.Count} changes, {whole} for everything");
        Assert.AreEqual("ModifiedContent File dir77/file33, Renamed File dir5/file5 -> dir6/moved", string.Join(", ", found.Select(Line).Order(StringComparer.Ordinal)));
        Assert.IsLessThan(80L, few);
        Assert.IsGreaterThan(20_000L, whole);

        long Misses(Action action)
        {
            long before = rig.Volume.CacheStatistics.Misses;
            action();
            return rig.Volume.CacheStatistics.Misses - before;
        }
    }

    // While a comparison is read slowly, its old state is dropped and space is wanted back.
    [TestMethod]
    public void WhatIsComparedIsNotFreedMeanwhile()
    {
        using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
        for (int i = 0; i < 500; i++)
            rig.Create($"old{i}", EngineRig.Bytes(2000, i)).Dispose();
        rig.Volume.Snapshot("DATA", "before");
        for (int i = 0; i < 500; i++)
            rig.Unlink($"old{i}");
        int count = 0;
        foreach (PfsChange change in SnapshotDiff.Compare(rig.Volume, "before", "DATA"))
        {
            Assert.AreEqual(PfsChangeKind.Removed, change.Kind);
            if (count++ == 0)
            {
                rig.Volume.DeletePfs("before");
                rig.Volume.Bulkfree();
                for (int i = 0; i < 500; i++)
                    rig.Create($"new{i}", EngineRig.Bytes(2000, i)).Dispose();
                rig.Sync();
                rig.Volume.Reader.Cache.Clear();
            }
        }

        Assert.AreEqual(500, count);
        long before = rig.Volume.FreeBytes;
        rig.Volume.Bulkfree();
        Assert.IsGreaterThan(before, rig.Volume.FreeBytes, "what was held is let go");
        rig.Check();
    }

    [TestMethod]
    public void RandomChangesAreFoundExactly()
    {
        int seed = HammerSeed.Get();
        for (int round = 0; round < 6; round++)
        {
            var random = new Random(seed + round);
            using var rig = new EngineRig(bytes: EngineRig.SmallBytes);
            var paths = new List<string>();
            Change(rig, random, paths, 300);
            rig.Volume.Snapshot("DATA", "before");
            Change(rig, random, paths, random.Next(2) == 0 ? 10 : 300);
            rig.Volume.Snapshot("DATA", "after");
            Compare(rig.Volume, $"seed {seed}, round {round}");
            rig.Check();
        }
    }

    private static void Compare(Hammer2Volume volume, string where)
    {
        Dictionary<string, (string Link, InodeAttributes Attributes, string Content)> before = Everything(volume, "before"), after = Everything(volume, "after");
        var came = new List<string>();
        var went = new List<string>();
        var content = new List<ulong>();
        foreach (PfsChange change in SnapshotDiff.Compare(volume, "before", "after"))
        {
            string path = Encoding.UTF8.GetString(change.Path);
            if (change.Kind is PfsChangeKind.Added or PfsChangeKind.Renamed)
                came.Add(after[path].Link);
            if (change.Kind is PfsChangeKind.Removed or PfsChangeKind.Renamed)
                went.Add(before[change.OldPath is byte[] old ? Encoding.UTF8.GetString(old) : path].Link);
            if (change.Kind == PfsChangeKind.ModifiedContent)
            {
                content.Add(change.InodeNumber);
                Assert.AreEqual(change.InodeNumber, after[path].Attributes.InodeNumber, where);
            }
        }

        HashSet<string> oldLinks = [.. before.Values.Select(v => v.Link)], newLinks = [.. after.Values.Select(v => v.Link)];
        CollectionAssert.AreEquivalent(newLinks.Except(oldLinks).ToArray(), came, where);
        CollectionAssert.AreEquivalent(oldLinks.Except(newLinks).ToArray(), went, where);
        Dictionary<ulong, string> oldContent = before.Values.DistinctBy(v => v.Attributes.InodeNumber).ToDictionary(v => v.Attributes.InodeNumber, v => v.Content);
        ulong[] changed = [.. after.Values.DistinctBy(v => v.Attributes.InodeNumber)
            .Where(v => oldContent.TryGetValue(v.Attributes.InodeNumber, out string? old) && old != v.Content).Select(v => v.Attributes.InodeNumber)];
        CollectionAssert.AreEquivalent(changed, content, where);
    }

    private static Dictionary<string, (string Link, InodeAttributes Attributes, string Content)> Everything(Hammer2Volume volume, string label)
    {
        var all = new Dictionary<string, (string, InodeAttributes, string)>();
        using PfsMount pfs = volume.OpenPfs(label);
        var work = new Stack<(ulong, string)>([(1UL, "")]);
        var batch = new DirectoryBatch(64);
        while (work.TryPop(out (ulong Number, string Path) step))
        {
            Assert.AreEqual(Hammer2Error.None, pfs.TryOpen(step.Number, out Vnode? opened));
            using Vnode directory = opened!;
            for (ulong position = 0; ; position = batch.NextPosition)
            {
                directory.ReadDirectory(position, batch);
                for (int i = 0; i < batch.Count; i++)
                {
                    string name = Encoding.UTF8.GetString(batch.NameOf(i)), path = step.Path.Length == 0 ? name : step.Path + "/" + name;
                    Assert.AreEqual(Hammer2Error.None, pfs.TryOpen(batch[i].InodeNumber, out Vnode? child));
                    using Vnode open = child!;
                    all.Add(path, ($"{step.Number}/{name}={batch[i].InodeNumber}", open.GetAttributes(), open.Type == ObjectType.File ? Convert.ToHexString(EngineRig.ReadAll(open)) : ""));
                    if (open.Type == ObjectType.Directory)
                        work.Push((batch[i].InodeNumber, path));
                }

                if (batch.EndOfDirectory)
                    break;
            }
        }

        return all;
    }

    private static void Change(EngineRig rig, Random random, List<string> paths, int count)
    {
        using Vnode root = rig.Pfs.OpenRoot();
        for (int i = 0; i < count; i++)
        {
            string directory = random.Next(3) == 0 ? "" : $"d{random.Next(8)}";
            string name = $"f{random.Next(60)}", other = $"d{random.Next(8)}";
            byte[] bytes = Encoding.ASCII.GetBytes(name);
            if (rig.Pfs.TryResolve(directory, out Vnode? opened) != Hammer2Error.None)
            {
                rig.MakeDirectory(directory);
                continue;
            }

            using Vnode parent = opened!;
            Vnode? file;
            switch (random.Next(6))
            {
                case 0 or 1:
                    if (rig.Pfs.TryCreate(parent, bytes, new NewInode { Type = ObjectType.File, Mode = 0x1A4 }, out file) == Hammer2Error.None)
                        file!.TryWrite(0, EngineRig.Bytes(random.Next(3000), random.Next()));
                    file?.Dispose();
                    break;
                case 2:
                    rig.Pfs.TryUnlink(parent, bytes);
                    break;
                case 3:
                    if (rig.Pfs.TryLookup(parent, bytes, out file) == Hammer2Error.None)
                        file!.TryWrite(random.Next(200_000), EngineRig.Bytes(random.Next(1, 2000), random.Next()));
                    file?.Dispose();
                    break;
                case 4:
                    if (rig.Pfs.TryResolve(other, out Vnode? target) == Hammer2Error.None)
                        rig.Pfs.TryRename(parent, bytes, target!, Encoding.ASCII.GetBytes($"f{random.Next(60)}"), RenameMode.Replace);
                    target?.Dispose();
                    break;
                default:
                    if (random.Next(6) == 0)
                        rig.Pfs.TryRename(root, Encoding.ASCII.GetBytes(other), root, Encoding.ASCII.GetBytes($"d{random.Next(8)}"), RenameMode.NoReplace);
                    else if (rig.Pfs.TryLookup(parent, bytes, out file) == Hammer2Error.None && file!.Type == ObjectType.File)
                        rig.Pfs.TryLink(file, root, Encoding.ASCII.GetBytes($"l{random.Next(60)}"));
                    break;
            }
        }
    }

    private static string Line(PfsChange change) =>
        $"{change.Kind} {change.Type} {(change.OldPath is byte[] old ? Encoding.UTF8.GetString(old) + " -> " : "")}{Encoding.UTF8.GetString(change.Path)}";

    private static void Rename(EngineRig rig, string from, string name, string to, string newName)
    {
        using Vnode a = rig.Open(from), b = rig.Open(to);
        Assert.AreEqual(Hammer2Error.None, rig.Pfs.TryRename(a, Encoding.ASCII.GetBytes(name), b, Encoding.ASCII.GetBytes(newName), RenameMode.NoReplace));
    }
}
