// What many threads and many keys ask for at once gives what one would get alone: references of ascending keys found in one walk,
// and inodes that come into the table and leave it while they are opened, changed and committed without a common lock.

using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Topology;
using Hammer2.Tests.Hostile;
using Hammer2.Tests.Requirements;
using Hammer2.Tests.Writing;

namespace Hammer2.Tests.Engine;

[TestClass]
public sealed class SharedLookupTests
{
    private const byte Methods = (byte)CheckMethod.XxHash64 << 4;
    private const int Keys = 5000;
    private const int Threads = 4;
    private const int Files = 12;
    private const int Steps = 1500;

    [TestMethod]
    public void KeysFoundTogetherAreThoseFoundAlone()
    {
        int seed = HammerSeed.Get();
        var random = new Random(seed);
        using var v = new WritingVolume();
        using var writer = new BlockWriter(v.Reader, v.Buffer, v.Allocator);
        var tree = new MutableTree(TreeShape.Directory, [], Methods);
        for (int i = 0; i < Keys; i++)
            tree.Put(v.Reader, Leaf((ulong)random.Next(4 * Keys), 1), null);
        tree.Flush(new TreeFlush(writer, 1, static (ref BlockRef _) => { }));
        for (int round = 0; round < 2; round++)
        {
            Compare(tree, v.Reader, random, seed);

            // Again with some nodes in memory.
            for (int i = 0; i < 20; i++)
                tree.Put(v.Reader, Leaf((ulong)random.Next(Keys), 2), null);
        }
    }

    [TestMethod]
    [DoNotParallelize]
    public void ChangesOutliveTheComingAndGoingOfInodes()
    {
        using var rig = new EngineRig();
        ulong[] numbers = new ulong[Files];
        for (int i = 0; i < Files; i++)
        {
            using Vnode file = rig.Create($"file {i}");
            numbers[i] = file.InodeNumber;
        }

        rig.Volume.Sync();
        uint[] expected = new uint[Files];
        int running = Threads;
        Task[] tasks = [.. Enumerable.Range(0, Threads).Select(thread => Task.Factory.StartNew(
            () =>
            {
                try
                {
                    Change(rig.Pfs, numbers, expected, thread);
                }
                finally
                {
                    Interlocked.Decrement(ref running);
                }
            },
            TaskCreationOptions.LongRunning))];
        while (Volatile.Read(ref running) > 0)
            rig.Volume.Sync();
        Assert.IsTrue(Task.WaitAll(tasks, EngineRig.Patience));
        rig.Volume.Sync();
        Assert.AreEqual(0, rig.Pfs.OpenInodes, "pins are left");
        for (int i = 0; i < Files; i++)
        {
            Assert.AreEqual(Hammer2Error.None, rig.Pfs.TryGetAttributes(numbers[i], out var attributes));
            Assert.AreEqual(expected[i], attributes.Uid, $"file {i}");
        }
    }

    // Each thread changes files of its own, and opens those of the others meanwhile.
    private static void Change(PfsMount pfs, ulong[] numbers, uint[] expected, int thread)
    {
        var random = new Random(thread);
        for (int step = 0; step < Steps; step++)
        {
            int file = random.Next(Files);
            Assert.AreEqual(Hammer2Error.None, pfs.TryOpen(numbers[file], out Vnode? vnode));
            using (vnode)
            {
                if (file % Threads != thread)
                    continue;
                Assert.AreEqual(expected[file], vnode!.GetAttributes().Uid, "a change is lost");
                Assert.AreEqual(Hammer2Error.None, vnode.TrySetAttributes(new AttributeChanges { Uid = ++expected[file] }));
            }
        }
    }

    private static void Compare(MutableTree tree, BlockReader reader, Random random, int seed)
    {
        for (int times = 0; times < 200; times++)
        {
            ulong[] keys = new ulong[random.Next(1, 65)];
            int spread = random.Next(2) == 0 ? 200 : 5 * Keys;
            int low = random.Next(4 * Keys);
            for (int i = 0; i < keys.Length; i++)
                keys[i] = (ulong)(low + random.Next(spread));
            Array.Sort(keys);
            var found = new BlockRef[keys.Length];
            tree.FindEach(reader, keys, found);
            for (int i = 0; i < keys.Length; i++)
            {
                bool exists = tree.TryFind(reader, keys[i], out BlockRef alone);
                Assert.AreEqual(exists, found[i].Type != BlockRefType.Empty, $"key {keys[i]}, seed {seed}");
                Assert.IsTrue(!exists || (alone.Key == found[i].Key && alone.MirrorTid == found[i].MirrorTid), $"key {keys[i]}, seed {seed}");
            }
        }
    }

    private static BlockRef Leaf(ulong key, ulong mirrorTid) => new()
    {
        Type = BlockRefType.Inode,
        Methods = Methods,
        Key = key,
        MirrorTid = mirrorTid,
        DataOff = (ulong)WritingVolume.Area + 0x200_0000 | 10,
    };
}
