// What an operation made dirty is claimed before a write-out can take it and give the claim back, and after a commit
// nothing is claimed any more: a claim that stays makes a volume full too early.

using Hammer2.Engine.Freemap;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Transactions;

namespace Hammer2.Tests.Requirements;

[TestClass]
[DoNotParallelize]
public sealed class ClaimSettlingTests
{
    [TestMethod]
    public void ClaimsHoldWhileBlocksAreWrittenOutAllTheTime()
    {
        using var rig = new EngineRig();
        byte[] content = EngineRig.Bytes(60_000, 1);
        using Vnode file = rig.Create("f", content);
        rig.Sync();
        using var stop = new CancellationTokenSource();
        Task writer = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
                rig.WriteOut();
        });

        // A few bytes of a file whose block needs a whole group, the only one that is claimed at all.
        for (int i = 0; i < 20_000; i++)
        {
            content[i % 10] = (byte)i;
            Hammer2Error error = i % 2 == 0 ? file.TryWrite(i % 10, content.AsSpan(i % 10, 1)) : file.TryOverwrite(i % 10, content.AsSpan(i % 10, 1), out _);
            Assert.AreEqual(Hammer2Error.None, error);
        }

        stop.Cancel();
        writer.GetAwaiter().GetResult();
        rig.Sync();
        Assert.IsTrue(rig.Volume.Writer!.Freemap.Claimed.IsEmpty, $"{rig.Volume.Writer.Freemap.Claimed} are claimed for nothing");
        CollectionAssert.AreEqual(content, EngineRig.ReadAll(file));
        rig.Check();
    }

    [TestMethod]
    public void AnOperationSettlesOnceAndEndsWithoutItsClaim()
    {
        using var rig = new EngineRig();
        Committer committer = rig.Volume.Writer!.Committer;
        FreemapAllocator freemap = rig.Volume.Writer.Freemap;
        var worst = new SpaceClaim();
        worst.AddBlock(10);
        Assert.AreEqual(Hammer2Error.None, committer.TryBegin(worst, ClaimLevel.Write, out Operation operation));
        using (operation)
        {
            // More than was foreseen: claimed all the same, before anybody can give it back.
            operation.Ledger.ChargeData(16);
            operation.Settle();
            Assert.AreEqual(SpaceClaim.OfBlock(16), freemap.Claimed);
            freemap.Release(SpaceClaim.OfBlock(16));
            operation.Settle();
        }

        Assert.IsTrue(freemap.Claimed.IsEmpty, $"{freemap.Claimed} are claimed for nothing");
    }

    [TestMethod]
    public void NothingStaysClaimedAfterACommit()
    {
        using var rig = new EngineRig();
        rig.MakeDirectory("d");
        for (int i = 0; i < 300; i++)
            rig.Create($"d/{i}", EngineRig.Bytes(i * 331, i)).Dispose();
        using Vnode file = rig.Open("d/299");
        Assert.AreEqual(Hammer2Error.None, file.TrySetSize(100));
        Assert.AreEqual(Hammer2Error.None, file.TryPunchHole(10, 20));
        Assert.AreEqual(Hammer2Error.None, file.TryWrite(1 << 20, "far away"u8));
        Assert.AreEqual(Hammer2Error.None, file.TryAppend("more"u8, out _));
        for (int i = 0; i < 100; i++)
            rig.Unlink($"d/{i}");
        rig.Sync();
        Assert.IsTrue(rig.Volume.Writer!.Freemap.Claimed.IsEmpty, $"{rig.Volume.Writer.Freemap.Claimed} are claimed for nothing");
    }
}
