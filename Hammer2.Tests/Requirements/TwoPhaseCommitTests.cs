// R16: until the next header is durable, no byte of what the newest durable header reaches is written, its freemap included:
// not by changes, not by deletes, not by write-out between commits. CommitGuard watches write by write.

using Hammer2.Engine.Directories;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Hostile;

namespace Hammer2.Tests.Requirements;

[TestClass]
public sealed class TwoPhaseCommitTests
{
    [TestMethod]
    [DataRow("empty")]
    [DataRow("small-mixed")]
    [DataRow("churn")]
    [DataRow("check-none")]
    [DataRow("")]
    public void BlockOfTheDurableHeaderIsOverwritten(string image)
    {
        int seed = HammerSeed.Get();
        using EngineRig rig = image.Length == 0
            ? new EngineRig(new VolumeOptions { DirtyBytesMax = 2 << 20 })
            : new EngineRig(Images.GoldenImages.Get(image).CloneDevices()[0], new VolumeOptions { DirtyBytesMax = 2 << 20 });
        var guard = new CommitGuard(rig);
        var random = new Random(seed);
        var names = new List<string>();
        Vnode removed = rig.Create("removed", EngineRig.Bytes(200_000, 1));
        for (int round = 0; round < 25; round++)
        {
            for (int i = 0; i < 12; i++)
                Step(rig, random, names, $"r{round}i{i}");
            if (round == 3)
                rig.Unlink("removed");
            Assert.AreEqual(Hammer2Error.None, removed.TryWrite(random.Next(150_000), EngineRig.Bytes(70_000, round)));
            if (round % 3 == 0)
                rig.WriteOut();
            if (round % 2 == 0)
                rig.Sync();
        }

        RemoveEverything(rig);
        rig.WriteOut();
        removed.Dispose();
        rig.Sync();
        guard.AssertNothingHit();
        rig.Create("last", EngineRig.Bytes(1 << 20, 3)).Dispose();
        rig.Sync();
        guard.AssertNothingHit();
        Assert.IsGreaterThan(10, guard.Headers);
        Assert.IsGreaterThan(1000L, guard.Units);
        rig.Check();
    }

    [TestMethod]
    public void BlockIsReusedBetweenTheFreezeAndTheFlushOfItsHeader()
    {
        // While the header is on its way operations go on: what they give back and take must keep off both commits.
        using var rig = new EngineRig(new VolumeOptions { DirtyBytesMax = 2 << 20 });
        using Vnode file = rig.Create("f", EngineRig.Bytes(1 << 20, 0));
        rig.Sync();
        var guard = new CommitGuard(rig);
        Action<long, int> check = rig.Device.Writing!;
        for (int round = 1; round <= 10; round++)
        {
            int inside = 0;
            rig.Device.Writing = (offset, length) =>
            {
                check(offset, length);
                if (!WatchedDevice.IsHeader(offset, length) || Interlocked.Exchange(ref inside, 1) != 0)
                    return;
                Task meanwhile = Task.Factory.StartNew(
                    () =>
                    {
                        Assert.AreEqual(Hammer2Error.None, file.TryWrite(0, EngineRig.Bytes(1 << 20, 100 + round)));
                        rig.WriteOut();
                        Assert.AreEqual(Hammer2Error.None, file.TryWrite(0, EngineRig.Bytes(1 << 20, 200 + round)));
                        rig.WriteOut();
                    },
                    TaskCreationOptions.LongRunning);
                if (!meanwhile.Wait(EngineRig.Patience))
                    rig.Device.Faults.Enqueue("operations wait for the header");
            };
            Assert.AreEqual(Hammer2Error.None, file.TryWrite(0, EngineRig.Bytes(1 << 20, round)));
            rig.Sync();
            guard.AssertNothingHit();
        }

        rig.Device.Writing = check;
        rig.Sync();
        guard.AssertNothingHit();
        rig.Check();
    }

    [TestMethod]
    public void GuardSeesAnOverwrittenBlock()
    {
        using var rig = new EngineRig();
        using Vnode file = rig.Create("f", EngineRig.Bytes(100_000, 0));
        rig.Sync();
        var guard = new CommitGuard(rig);
        rig.Device.Write((long)rig.DataRef(file, 0).Physical.Offset, new byte[1024]);
        Assert.IsNotEmpty(rig.Device.Faults);
        Assert.ThrowsExactly<AssertFailedException>(guard.AssertNothingHit);
    }

    private static void Step(EngineRig rig, Random random, List<string> names, string name)
    {
        int action = random.Next(8);
        string? old = names.Count > 0 ? names[random.Next(names.Count)] : null;
        if (old is null || action < 3)
        {
            rig.Create(name, EngineRig.Bytes(random.Next(1, 200_000), random.Next())).Dispose();
            names.Add(name);
            return;
        }

        if (action == 7)
        {
            rig.Unlink(old);
            names.Remove(old);
            return;
        }

        using Vnode file = rig.Open(old);
        Hammer2Error error = action switch
        {
            3 => file.TrySetSize(random.Next(250_000)),
            4 => file.TryPunchHole(random.Next(100_000), random.Next(1, 150_000)),
            _ => file.TryWrite(random.Next(200_000), EngineRig.Bytes(random.Next(1, 100_000), random.Next())),
        };
        Assert.AreEqual(Hammer2Error.None, error);
    }

    private static void RemoveEverything(EngineRig rig)
    {
        var folders = new Stack<string>([""]);
        while (folders.TryPop(out string? folder))
        {
            using Vnode directory = folder.Length == 0 ? rig.Pfs.OpenRoot() : rig.Open(folder);
            var batch = new DirectoryBatch(2000) { WithAttributes = false };
            directory.ReadDirectory(0, batch);
            for (int i = 0; i < batch.Count; i++)
            {
                if (batch[i].Type == ObjectType.Directory)
                    folders.Push($"{folder}/{System.Text.Encoding.UTF8.GetString(batch.NameOf(i))}");
                else
                    rig.Pfs.TryUnlink(directory, batch.NameOf(i));
            }
        }
    }
}
