// R13: whatever is created, linked, renamed and removed meanwhile, at every commit the link counts on the medium agree with
// the entries on the medium. The medium is copied at every header write, and each copy passes the strict check.

using Hammer2.Engine.Devices;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Hostile;

namespace Hammer2.Tests.Requirements;

[TestClass]
public sealed class LinkCountTests
{
    private const int Directories = 3;
    private const int NamesPerDirectory = 40;
    private const int Copies = 25;

    [TestMethod]
    public void LinkCountDisagreesWithTheEntriesOfACommit()
    {
        int seed = HammerSeed.Get();
        using var rig = new EngineRig(new VolumeOptions { DirtyBytesMax = 4 << 20 });
        for (int i = 0; i < Directories; i++)
            rig.MakeDirectory($"d{i}");
        rig.Sync();
        var copies = new List<MemoryBlockDevice>();
        rig.Device.Written = (offset, length) =>
        {
            if (WatchedDevice.IsHeader(offset, length))
                copies.Add(rig.Memory.Clone());
        };
        using var stop = new ManualResetEventSlim();
        Task[] workers = [.. Enumerable.Range(0, 4).Select(who => Task.Factory.StartNew(
            () => Work(rig.Pfs, new Random(seed + who), stop), TaskCreationOptions.LongRunning))];
        for (long deadline = Environment.TickCount64 + (long)EngineRig.Patience.TotalMilliseconds; copies.Count < Copies && Environment.TickCount64 < deadline;)
            rig.Sync();
        stop.Set();
        Assert.IsTrue(Task.WaitAll(workers, EngineRig.Patience));
        rig.Sync();
        rig.Device.Written = null;
        Console.WriteLine($"{rig.Volume.Commits} commits, {copies.Count} copies");
        Assert.IsGreaterThanOrEqualTo(Copies, copies.Count, "too few commits happened during the changes");
        foreach (MemoryBlockDevice copy in copies)
            EngineRig.Check(copy);
        AssertCounts(copies[^1]);
        rig.Check();
    }

    [TestMethod]
    public void NameThatOutlivesItsInodeHangsTheVolume()
    {
        // A volume whose link count is too small: the inode is removed while it is open, and has a name left. Looking that
        // name up "again, since the inode was removed meanwhile" never ended, and with the operation no commit ever came.
        MemoryBlockDevice memory;
        using (var whole = new EngineRig(bytes: EngineRig.SmallBytes))
        {
            whole.Create("a", "x"u8).Dispose();
            whole.Link("a", "b");
            whole.Link("a", "c");
            whole.Sync();
            memory = EngineRig.Edited(
                whole.Memory, e => e.EditInode(e.FirstInode(d => d.LinkCount == 3), (ref InodeData d) => d.LinkCount = 1));
        }

        using var rig = new EngineRig(memory);
        using Vnode file = rig.Open("a");
        rig.Unlink("a");
        Task rest = Task.Run(() =>
        {
            using Vnode root = rig.Pfs.OpenRoot();
            Assert.AreEqual(
                Hammer2Error.Corrupt,
                Assert.ThrowsExactly<Hammer2Exception>(() => rig.Pfs.TryRename(root, "b"u8, root, "d"u8, RenameMode.Replace)).Error);
            rig.Unlink("b");
            rig.Sync();
            rig.Unlink("c");
            rig.Sync();
        });
        Assert.IsTrue(rest.Wait(EngineRig.Patience), "the operation never ends");
        rig.Check();
        Assert.IsFalse(rig.Exists("b") || rig.Exists("c"));
    }

    // Not by the checker: counted from what the front ends see.
    private static void AssertCounts(MemoryBlockDevice medium)
    {
        using Hammer2Volume volume = Hammer2Volume.Open([medium]);
        using PfsMount pfs = volume.OpenPfs();
        var names = new Dictionary<ulong, ulong>();
        var counts = new Dictionary<ulong, ulong>();
        var batch = new DirectoryBatch(500);
        for (int i = 0; i < Directories; i++)
        {
            Assert.AreEqual(Hammer2Error.None, pfs.TryResolve($"d{i}", out Vnode? directory));
            using (directory)
                directory!.ReadDirectory(0, batch);
            for (int n = 0; n < batch.Count; n++)
            {
                Assert.AreEqual(Hammer2Error.None, batch[n].Error);
                names[batch[n].InodeNumber] = names.GetValueOrDefault(batch[n].InodeNumber) + 1;
                counts[batch[n].InodeNumber] = batch[n].Attributes.LinkCount;
            }
        }

        Assert.IsGreaterThan(5, names.Count);
        foreach ((ulong number, ulong count) in counts)
            Assert.AreEqual(names[number], count, $"inode {number}");
    }

    // All threads work on the same few names, so that they meet; what an operation answers does not matter here.
    private static void Work(PfsMount pfs, Random random, ManualResetEventSlim stop)
    {
        Vnode[] directories = [.. Enumerable.Range(0, Directories).Select(i => Resolve(pfs, $"d{i}"))];
        byte[] content = new byte[3000];
        while (!stop.IsSet)
        {
            Vnode from = directories[random.Next(Directories)], to = directories[random.Next(Directories)];
            byte[] name = Name(random), other = Name(random);
            switch (random.Next(7))
            {
                case 0:
                case 1:
                    if (pfs.TryCreate(from, name, new NewInode { Type = ObjectType.File }, out Vnode? made) == Hammer2Error.None)
                    {
                        random.NextBytes(content);
                        made!.TryWrite(0, content);
                        made.Dispose();
                    }

                    break;
                case 2:
                case 3:
                    Vnode? target = Find(pfs, from, name);
                    if (target is not null)
                        pfs.TryLink(target, to, other);
                    target?.Dispose();
                    break;
                case 4:
                    pfs.TryUnlink(from, name);
                    break;
                case 5:
                    pfs.TryRename(from, name, to, other, RenameMode.Replace);
                    break;
                default:
                    pfs.TryRename(from, name, to, other, RenameMode.Exchange);
                    break;
            }
        }

        foreach (Vnode directory in directories)
            directory.Dispose();
    }

    private static byte[] Name(Random random) => System.Text.Encoding.ASCII.GetBytes($"name{random.Next(NamesPerDirectory)}");

    private static Vnode Resolve(PfsMount pfs, string path)
    {
        Assert.AreEqual(Hammer2Error.None, pfs.TryResolve(path, out Vnode? vnode));
        return vnode!;
    }

    private static Vnode? Find(PfsMount pfs, Vnode directory, byte[] name) =>
        pfs.TryLookup(directory, name, out Vnode? found) == Hammer2Error.None ? found : null;
}
