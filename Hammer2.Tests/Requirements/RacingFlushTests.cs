// R12: what changes while a flush is under way is in this commit or in the next, never in none; and R7: what is on its way
// to the medium does not change any more, so bytes and check code agree. The device is stopped in the middle of a write, and the
// files under that write are changed; then the same is left to chance.

using System.Collections.Concurrent;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Hostile;

namespace Hammer2.Tests.Requirements;

[TestClass]
public sealed class RacingFlushTests
{
    private const int BlockBytes = FormatLimits.LogicalBlockBytes;

    // Holds the first write that the filter wants until the test has done what it wants to do meanwhile.
    private static void During(EngineRig rig, Func<long, int, bool> wanted, Action sync, Action meanwhile)
    {
        using var reached = new ManualResetEventSlim();
        using var go = new ManualResetEventSlim();
        int stopped = 0;
        rig.Device.Writing = (offset, length) =>
        {
            if (!wanted(offset, length) || Interlocked.Exchange(ref stopped, 1) != 0)
                return;
            reached.Set();
            go.Wait(EngineRig.Patience);
        };
        Task syncing = Task.Factory.StartNew(sync, TaskCreationOptions.LongRunning);
        Task changing = Task.CompletedTask;
        try
        {
            Assert.IsTrue(reached.Wait(EngineRig.Patience), "the write that was to be held never came");
            changing = Task.Factory.StartNew(meanwhile, TaskCreationOptions.LongRunning);
            Assert.IsTrue(changing.Wait(EngineRig.Patience), "operations wait for a device write");
        }
        finally
        {
            go.Set();
            rig.Device.Writing = null;
        }

        Assert.IsTrue(syncing.Wait(EngineRig.Patience));
    }

    [TestMethod]
    public void BlockUnderAWriteIsReplacedCutOrRemoved()
    {
        using var rig = new EngineRig();
        byte[] old = EngineRig.Bytes(4 * BlockBytes, 1), fresh = EngineRig.Bytes(4 * BlockBytes, 2);
        using Vnode replaced = rig.Create("replaced", old), cut = rig.Create("cut", old.AsSpan(0, old.Length - 1)), removed = rig.Create("removed", old);
        byte[] mixed = [.. old];
        fresh.AsSpan(1000, 2 * BlockBytes).CopyTo(mixed.AsSpan(1000));
        During(
            rig,
            (offset, length) => length >= BlockBytes && !WatchedDevice.IsHeader(offset, length),
            rig.WriteOut,
            () =>
            {
                Assert.AreEqual(Hammer2Error.None, replaced.TryWrite(1000, fresh.AsSpan(1000, 2 * BlockBytes)));
                CollectionAssert.AreEqual(mixed, EngineRig.ReadAll(replaced), "a reader must see the newer bytes at once");
                Assert.AreEqual(Hammer2Error.None, cut.TrySetSize(BlockBytes + 10));
                rig.Unlink("removed");
            });
        rig.Sync();
        CollectionAssert.AreEqual(mixed, EngineRig.ReadAll(replaced));
        CollectionAssert.AreEqual(old[..(BlockBytes + 10)], EngineRig.ReadAll(cut));
        CollectionAssert.AreEqual(old, EngineRig.ReadAll(removed));
        rig.Check();
        foreach (Vnode file in (Vnode[])[replaced, cut, removed])
            file.Dispose();
        rig.Remount();
        using (Vnode again = rig.Open("replaced"))
            CollectionAssert.AreEqual(mixed, EngineRig.ReadAll(again));
        using (Vnode again = rig.Open("cut"))
            CollectionAssert.AreEqual(old[..(BlockBytes + 10)], EngineRig.ReadAll(again));
        Assert.IsFalse(rig.Exists("removed"));
        rig.Check();
    }

    [TestMethod]
    public void BytesUnderAWriteChangeAfterTheirCheckCodeWasMade()
    {
        // R7. The blocks are written from where they lie: were they changed in place, the medium would get bytes that
        // their check code does not know.
        using var rig = new EngineRig();
        using Vnode file = rig.Create("f", EngineRig.Bytes(4 * BlockBytes, 1));
        During(
            rig,
            (offset, length) => length >= BlockBytes && !WatchedDevice.IsHeader(offset, length),
            rig.WriteOut,
            () => Assert.AreEqual(Hammer2Error.None, file.TryWrite(0, EngineRig.Bytes(4 * BlockBytes, 2))));

        // The old blocks went back; those that are installed now are the newer ones.
        rig.Sync();
        rig.Check();
        rig.Volume.Reader.Cache.Clear();
        CollectionAssert.AreEqual(EngineRig.Bytes(4 * BlockBytes, 2), EngineRig.ReadAll(file));
    }

    [TestMethod]
    public void InodeIsSealedWhileSomethingBelowIsUnwritten()
    {
        // R7. The block of an inode can only be made when everything that it refers to has its address and check code.
        using var rig = new EngineRig();
        rig.MakeDirectory("d");
        for (int i = 0; i < 40; i++)
            rig.Create($"d/{i}").Dispose();
        using Vnode directory = rig.Open("d");
        using (InodeLock held = InodeLock.Exclusive(directory.Inode))
        {
            Assert.IsGreaterThan(0, held.Chain.Content.Tree.NodesInMemory);
            InodeContent content = held.Chain.Content;
            Assert.ThrowsExactly<InvariantException>(() => content.Encode(new byte[FormatLimits.InodeBytes]));
            Assert.ThrowsExactly<InvariantException>(() => content.Tree.MarkClean());
        }

        rig.Sync();
        rig.Check();
    }

    [TestMethod]
    public void ChangeBetweenFreezeAndHeaderIsInNoCommit()
    {
        using var rig = new EngineRig();
        using Vnode file = rig.Create("f", "one"u8);
        rig.MakeDirectory("d");
        During(
            rig,
            WatchedDevice.IsHeader,
            rig.Sync,
            () =>
            {
                Assert.AreEqual(Hammer2Error.None, file.TryWrite(0, "two, and longer"u8));
                rig.Create("d/new", "new"u8).Dispose();
                rig.Link("d/new", "linked");
            });

        // The commit under way has none of it.
        using (Hammer2Volume medium = rig.OpenMedium())
        {
            using PfsMount pfs = medium.OpenPfs();
            Assert.AreEqual(Hammer2Error.NotFound, pfs.TryResolve("d/new", out _));
            Assert.AreEqual(Hammer2Error.None, pfs.TryResolve("f", out Vnode? one));
            using (one)
                CollectionAssert.AreEqual("one"u8.ToArray(), EngineRig.ReadAll(one!));
        }

        rig.Check();
        rig.Sync();
        rig.Check();
        using (Hammer2Volume medium = rig.OpenMedium())
        {
            using PfsMount pfs = medium.OpenPfs();
            foreach ((string path, byte[] content) in ((string, byte[])[])[("f", "two, and longer"u8.ToArray()), ("d/new", "new"u8.ToArray()), ("linked", "new"u8.ToArray())])
            {
                Assert.AreEqual(Hammer2Error.None, pfs.TryResolve(path, out Vnode? vnode), $"{path}: marked dirty, and written by no commit");
                using (vnode)
                    CollectionAssert.AreEqual(content, EngineRig.ReadAll(vnode!), path);
            }
        }
    }

    [TestMethod]
    public void ChangeIsLostWhileSyncsNeverStop()
    {
        int seed = HammerSeed.Get();
        const int Threads = 4, Syncs = 20, StepsMax = 3000;
        using var rig = new EngineRig(new VolumeOptions { DirtyBytesMax = 4 << 20 });
        var expected = new ConcurrentDictionary<string, byte[]>();
        for (int i = 0; i < Threads; i++)
            rig.MakeDirectory($"t{i}");
        using var stop = new ManualResetEventSlim();
        Task[] workers = [.. Enumerable.Range(0, Threads).Select(who => Task.Factory.StartNew(
            () => Work(rig, new Random(seed + who), $"t{who}", expected, step => step < StepsMax && !stop.IsSet), TaskCreationOptions.LongRunning))];
        while (rig.Volume.Commits < Syncs && !Task.WaitAll(workers, 0))
            rig.Sync();
        stop.Set();
        Assert.IsTrue(Task.WaitAll(workers, EngineRig.Patience));
        Console.WriteLine($"{rig.Volume.Commits} commits, {expected.Count} files");
        rig.Sync();
        rig.Check();
        rig.Volume.Reader.Cache.Clear();
        AssertAll("in memory");
        rig.Remount();
        AssertAll("after reopening");
        rig.Check();

        void AssertAll(string when)
        {
            foreach ((string path, byte[] content) in expected)
            {
                using Vnode file = rig.Open(path);
                Assert.IsTrue(content.AsSpan().SequenceEqual(EngineRig.ReadAll(file)), $"{path} {when}");
            }

            for (int i = 0; i < Threads; i++)
            {
                using Vnode directory = rig.Open($"t{i}");
                var batch = new Hammer2.Engine.Directories.DirectoryBatch(StepsMax);
                directory.ReadDirectory(0, batch);
                Assert.AreEqual(expected.Keys.Count(k => k.StartsWith($"t{i}/", StringComparison.Ordinal)), batch.Count, $"t{i} {when}");
            }
        }
    }

    private static void Work(EngineRig rig, Random random, string folder, ConcurrentDictionary<string, byte[]> expected, Func<int, bool> goesOn)
    {
        using Vnode directory = rig.Open(folder);
        var mine = new List<string>();
        for (int step = 0; goesOn(step); step++)
        {
            string name = $"f{step}";
            int action = random.Next(10);
            string? old = mine.Count > 0 ? mine[random.Next(mine.Count)] : null;
            if (old is null || action < 3)
            {
                byte[] content = EngineRig.Bytes(random.Next(1, 150_000), random.Next());
                rig.Create($"{folder}/{name}", content).Dispose();
                expected[$"{folder}/{name}"] = content;
                mine.Add(name);
            }
            else if (action < 7)
            {
                byte[] content = expected[$"{folder}/{old}"];
                byte[] change = EngineRig.Bytes(random.Next(1, 70_000), random.Next());
                int at = random.Next(content.Length);
                byte[] now = new byte[Math.Max(content.Length, at + change.Length)];
                content.CopyTo(now, 0);
                change.CopyTo(now, at);
                using Vnode file = rig.Open($"{folder}/{old}");
                Assert.AreEqual(Hammer2Error.None, file.TryWrite(at, change));
                expected[$"{folder}/{old}"] = now;
            }
            else if (action < 9)
            {
                Assert.AreEqual(
                    Hammer2Error.None,
                    rig.Pfs.TryRename(directory, System.Text.Encoding.UTF8.GetBytes(old), directory, System.Text.Encoding.UTF8.GetBytes(name), RenameMode.NoReplace));
                expected.TryRemove($"{folder}/{old}", out byte[]? content);
                expected[$"{folder}/{name}"] = content!;
                mine.Remove(old);
                mine.Add(name);
            }
            else
            {
                rig.Unlink($"{folder}/{old}");
                expected.TryRemove($"{folder}/{old}", out _);
                mine.Remove(old);
            }
        }
    }
}
