// Listings by pieces: any size of pieces gives the same entries, positions are stable, and a scan continues rightly
// when the directory changed under it (R14, R15 as far as a read-only engine can show: the chain is replaced by hand
// between two pieces, by one with other entries in other indirect blocks).

using System.Text;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Hostile;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Engine;

[TestClass]
public sealed class DirectoryScanTests
{
    private const int Names = 400;

    private static List<(string Name, ulong Position)> Scan(Vnode directory, int capacity, ulong position = 0, bool dots = false, bool byRecord = false)
    {
        var found = new List<(string, ulong)>();
        var batch = new DirectoryBatch(capacity) { WithAttributes = false, WithDots = dots };
        do
        {
            directory.ReadDirectory(position, batch);
            Assert.IsLessThanOrEqualTo(capacity, batch.Count);
            for (int i = 0; i < batch.Count; i++)
                found.Add((Encoding.UTF8.GetString(batch.NameOf(i)), batch[i].Position));
            position = byRecord && batch.Count > 0 ? batch[batch.Count - 1].Position : batch.NextPosition;
        }
        while (!batch.EndOfDirectory);
        return found;
    }

    // Directory "full" has all names, "half" every second one, in arrays of other sizes; both share the inodes.
    private static Hammer2Volume Directories()
    {
        var image = new ImageBuilder();
        ulong number = image.AddEmbedded("target", "x"u8);
        var entries = new List<BlockRef>();
        for (int i = 0; i < Names; i++)
            entries.Add(image.Dirent(Encoding.UTF8.GetBytes(Name(i)), number, ObjectType.File));
        image.IndirectRadix = 12;
        image.AddDirectory("full", entries);
        image.IndirectRadix = 16;
        image.AddDirectory("half", [.. entries.Where((_, i) => i % 2 == 0)]);
        image.IndirectRadix = 14;
        image.AddDirectory("none", []);
        image.AddDirectory("others", [.. Enumerable.Range(0, Names).Select(i => image.Dirent(Encoding.UTF8.GetBytes($"new {i}"), number, ObjectType.File)), .. entries]);
        return image.Open();
    }

    private static string Name(int i) => i % 10 == 0 ? $"{i} " + new string('l', 90) : $"name {i}";

    private static Vnode Open(PfsMount pfs, string path)
    {
        Assert.AreEqual(Hammer2Error.None, pfs.TryResolve(path, out Vnode? vnode), path);
        return vnode!;
    }

    [TestMethod]
    public void PiecesOfAnySizeGiveTheSameListing()
    {
        using Hammer2Volume volume = Directories();
        using PfsMount pfs = volume.OpenPfs();
        using Vnode full = Open(pfs, "full");
        List<(string Name, ulong Position)> whole = Scan(full, 4096, dots: true);
        Assert.HasCount(Names + 2, whole);
        Assert.AreEqual((".", ".."), (whole[0].Name, whole[1].Name));
        Assert.IsTrue(whole.Zip(whole.Skip(1)).All(p => p.First.Position < p.Second.Position), "positions ascend");
        foreach (int capacity in (int[])[1, 2, 3, 4, 7, 31, 32, 33, 63, 64, 65, 128, 399, 400, 401, 402, 403])
        {
            CollectionAssert.AreEqual(whole, Scan(full, capacity, dots: true), $"pieces of {capacity}");
            CollectionAssert.AreEqual(whole, Scan(full, capacity, dots: true, byRecord: true), $"pieces of {capacity}, continued after the last record");
            CollectionAssert.AreEqual(whole.Skip(2).ToList(), Scan(full, capacity), $"pieces of {capacity} without dots");
        }
    }

    [TestMethod]
    [DataRow("names")]
    [DataRow("damage-base")]
    [DataRow("churn")]
    public void PiecesOfSampleDirectoriesGiveTheSameListing(string image)
    {
        using Hammer2Volume volume = GoldenImageTests.Open(GoldenImages.Get(image));
        using PfsMount pfs = volume.OpenPfs(GoldenImages.Get(image).Label);
        using Vnode root = pfs.OpenRoot();
        var pending = new Stack<ulong>([PfsMount.RootInodeNumber]);
        var batch = new DirectoryBatch(10000);
        while (pending.TryPop(out ulong number))
        {
            Assert.AreEqual(Hammer2Error.None, pfs.TryOpen(number, out Vnode? directory));
            using (directory)
            {
                List<(string, ulong)> whole = Scan(directory!, 10000);
                foreach (int capacity in (int[])[1, 5, 64, 100])
                    CollectionAssert.AreEqual(whole, Scan(directory!, capacity, byRecord: capacity == 5));
                directory!.ReadDirectory(0, batch);
                for (int i = 0; i < batch.Count; i++)
                {
                    if (batch[i].Type == ObjectType.Directory)
                        pending.Push(batch[i].InodeNumber);
                }
            }
        }
    }

    [TestMethod]
    public void ScanContinuesAfterAnyPositionEvenOneThatIsGone()
    {
        using Hammer2Volume volume = Directories();
        using PfsMount pfs = volume.OpenPfs();
        using Vnode full = Open(pfs, "full"), half = Open(pfs, "half");
        List<(string Name, ulong Position)> all = Scan(full, 64), some = Scan(half, 64);
        foreach ((string _, ulong position) in all.Where((_, i) => i % 13 == 0))
        {
            // Positions of "full" in "half": every second entry of them does not exist there.
            CollectionAssert.AreEqual(some.Where(e => e.Position > position).ToList(), Scan(half, 17, position));
            CollectionAssert.AreEqual(all.Where(e => e.Position > position).ToList(), Scan(full, 17, position));
            CollectionAssert.AreEqual(all.Where(e => e.Position > position - 1).ToList(), Scan(full, 17, position - 1));
        }

        foreach (ulong end in (ulong[])[long.MaxValue, (ulong)long.MaxValue + 1, ulong.MaxValue, ulong.MaxValue - 1])
            Assert.IsEmpty(Scan(full, 5, end, dots: true), $"position {end:x}");
    }

    [TestMethod]
    [DataRow("half", "entries deleted")]
    [DataRow("others", "entries created, indirect blocks made")]
    [DataRow("none", "everything deleted")]
    public void DirectoryThatChangesUnderAScanNeitherRepeatsNorHidesEntries(string after, string what)
    {
        // R14, R15: whatever exists before and after is listed exactly once; nothing is listed twice.
        foreach (int capacity in (int[])[1, 10, 64, 100])
        {
            using Hammer2Volume volume = Directories();
            using PfsMount pfs = volume.OpenPfs();
            using Vnode directory = Open(pfs, "full"), changed = Open(pfs, after);
            var before = Scan(directory, 64).Select(e => e.Name).ToHashSet();
            var later = Scan(changed, 64).Select(e => e.Name).ToHashSet();
            InodeChain[] states = [directory.Inode.Fixup(), changed.Inode.Fixup()];
            var seen = new List<string>();
            var batch = new DirectoryBatch(capacity) { WithAttributes = false };
            ulong position = 0;
            int step = 0;
            do
            {
                directory.ReadDirectory(position, batch);
                for (int i = 0; i < batch.Count; i++)
                    seen.Add(Encoding.UTF8.GetString(batch.NameOf(i)));
                position = batch.NextPosition;
                using InodeLock held = InodeLock.Exclusive(directory.Inode);
                directory.Inode.Slot.Replace(states[++step % 2]);
            }
            while (!batch.EndOfDirectory);
            Assert.HasCount(seen.Count, seen.Distinct().ToList(), $"{what}, pieces of {capacity}: listed twice");
            Assert.IsTrue(before.Intersect(later).All(seen.Contains), $"{what}, pieces of {capacity}: hidden");
            Assert.IsTrue(seen.All(n => before.Contains(n) || later.Contains(n)));
        }
    }

    [TestMethod]
    public void AttributesComeWithTheRightNames()
    {
        GoldenImage image = GoldenImages.Get("small-mixed");
        using Hammer2Volume volume = GoldenImageTests.Open(image);
        using PfsMount pfs = volume.OpenPfs(image.Label);
        using Vnode root = pfs.OpenRoot();
        foreach (int capacity in (int[])[1, 3, 64, 65, 200])
        {
            var batch = new DirectoryBatch(capacity) { WithDots = true };
            ulong position = 0;
            do
            {
                root.ReadDirectory(position, batch);
                for (int i = 0; i < batch.Count; i++)
                {
                    Assert.AreEqual(Hammer2Error.None, batch[i].Error);
                    Assert.AreEqual(batch[i].InodeNumber, batch[i].Attributes.InodeNumber);
                    Assert.AreEqual(batch[i].Type, batch[i].Attributes.Type);
                    Assert.AreEqual(Hammer2Error.None, pfs.TryLookup(1, batch.NameOf(i), out InodeAttributes attributes));
                    Assert.AreEqual(batch[i].Attributes, attributes);
                }

                position = batch.NextPosition;
            }
            while (!batch.EndOfDirectory);
        }
    }
}
