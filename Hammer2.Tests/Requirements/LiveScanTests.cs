// R14 and R15: a directory is listed in small pieces while others create so much that indirect blocks are made, and delete so
// much that they dissolve, with commits in between. What was there all the time is seen, once.

using System.Text;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Hostile;

namespace Hammer2.Tests.Requirements;

[TestClass]
public sealed class LiveScanTests
{
    private const int Keepers = 1500;

    // Names and how often each was seen, in one scan in pieces; "between" is called after every piece.
    private static Dictionary<string, int> Scan(Vnode directory, int piece, bool attributes, Action? between = null)
    {
        var seen = new Dictionary<string, int>();
        var batch = new DirectoryBatch(piece) { WithAttributes = attributes };
        ulong position = 0;
        do
        {
            directory.ReadDirectory(position, batch);
            Assert.IsEmpty(batch.Damage);
            for (int i = 0; i < batch.Count; i++)
            {
                string name = Encoding.UTF8.GetString(batch.NameOf(i));
                seen[name] = seen.GetValueOrDefault(name) + 1;
                Assert.AreEqual(Hammer2Error.None, batch[i].Error, name);
            }

            Assert.IsTrue(batch.EndOfDirectory || batch.NextPosition > position, "the scan does not advance");
            position = batch.NextPosition;
            between?.Invoke();
        }
        while (!batch.EndOfDirectory);
        return seen;
    }

    private static void AssertKeepersOnce(Dictionary<string, int> seen)
    {
        for (int i = 0; i < Keepers; i++)
            Assert.AreEqual(1, seen.GetValueOrDefault($"keep{i}"), $"keep{i}");
        Assert.IsTrue(seen.Values.All(n => n == 1), "an entry was listed twice");
    }

    private static EngineRig Crowded()
    {
        var rig = new EngineRig(new VolumeOptions { DirtyBytesMax = 32 << 20 });
        rig.MakeDirectory("d");
        for (int i = 0; i < Keepers; i++)
            rig.Create($"d/keep{i}").Dispose();
        return rig;
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(7)]
    [DataRow(64)]
    public void EntryIsMissedOrRepeatedWhenTheTreeSplitsUnderAScan(int piece)
    {
        using EngineRig rig = Crowded();
        using Vnode directory = rig.Open("d");
        int made = 0;
        AssertKeepersOnce(Scan(directory, piece, attributes: false, () =>
        {
            for (int i = 0; i < Math.Min(piece, 8) && made < 2 * Keepers; i++)
                rig.Create($"d/new{made++}").Dispose();
            if (made % 512 < 8)
                rig.Sync();
        }));
        Assert.IsGreaterThan(150, made);
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(7)]
    [DataRow(64)]
    public void EntryIsSkippedWhenOthersAreDeletedUnderAScan(int piece)
    {
        using EngineRig rig = Crowded();
        using Vnode directory = rig.Open("d");
        for (int i = 0; i < Keepers; i++)
            rig.Create($"d/old{i}").Dispose();
        rig.Sync();
        int gone = 0;
        AssertKeepersOnce(Scan(directory, piece, attributes: false, () =>
        {
            for (int i = 0; i < piece && gone < Keepers; i++)
                rig.Unlink($"d/old{gone++}");
            if (gone % 512 < 64)
                rig.Sync();
        }));
        Assert.IsGreaterThan(700, gone);
    }

    [TestMethod]
    public void ScansOfManyThreadsDisagreeAboutWhatIsThereAllTheTime()
    {
        int seed = HammerSeed.Get();
        using EngineRig rig = Crowded();
        using var stop = new ManualResetEventSlim();
        Task[] changers = [.. Enumerable.Range(0, 2).Select(who => Task.Factory.StartNew(
            () =>
            {
                var random = new Random(seed + who);
                for (int round = 0; !stop.IsSet; round++)
                {
                    int count = random.Next(50, 400);
                    for (int i = 0; i < count && !stop.IsSet; i++)
                        rig.Create($"d/w{who}r{round}n{i}").Dispose();
                    if (who == 0)
                        rig.Sync();
                    for (int i = 0; i < count && rig.Exists($"d/w{who}r{round}n{i}"); i++)
                        rig.Unlink($"d/w{who}r{round}n{i}");
                }
            },
            TaskCreationOptions.LongRunning))];
        Task[] scanners = [.. Enumerable.Range(0, 3).Select(who => Task.Factory.StartNew(
            () =>
            {
                using Vnode directory = rig.Open("d");
                for (int round = 0; round < 4; round++)
                    AssertKeepersOnce(Scan(directory, 3 + who * 20, attributes: who != 1));
            },
            TaskCreationOptions.LongRunning))];
        try
        {
            Assert.IsTrue(Task.WaitAll(scanners, EngineRig.Patience));
        }
        finally
        {
            stop.Set();
        }

        Assert.IsTrue(Task.WaitAll(changers, EngineRig.Patience));
        rig.Sync();
        rig.Check();
    }
}
