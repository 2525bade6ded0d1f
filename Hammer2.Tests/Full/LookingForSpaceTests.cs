// A full bench with six threads saw a removal refused on a full volume: what one look for space had found was taken by other
// threads, or had been found by another thread just before, and then the look itself found nothing. Here a promise of all the
// space that is left stands for the other threads, and what looks for space is replaced.

using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Torture.Crash;

namespace Hammer2.Tests.Full;

[TestClass]
public sealed class LookingForSpaceTests
{
    private static readonly CrashSetup s_setup = new("full", 64L << 20);
    private static ClaimLevel s_level;

    private static NewInode File => new() { Type = ObjectType.File, Mode = 0x1A4 };

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void SpaceThatAnotherThreadFoundIsSeen(bool removing) =>
        Assert.AreEqual(Hammer2Error.None, Try(removing, looks: 1, answer: false, out int looked), $"after {looked} looks");

    [TestMethod]
    public void RemovalGoesOnWhenOthersTakeWhatWasFound() =>
        Assert.AreEqual(Hammer2Error.None, Try(removing: true, looks: 5, answer: true, out int looked), $"after {looked} looks");

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void LookingEnds(bool removing)
    {
        Assert.AreEqual(Hammer2Error.NoSpace, Try(removing, looks: int.MaxValue, answer: true, out int looked));
        Assert.IsInRange(1, 20, looked);
    }

    [TestMethod]
    [DataRow(false, ClaimLevel.Write)]
    [DataRow(true, ClaimLevel.Remove)]
    public void RemovalIsLookedForWhateverTheEstimate(bool looks, object level)
    {
        using Hammer2Volume volume = Hammer2Volume.Open(s_setup.Format(), s_setup.Options(writable: true));
        using PfsMount pfs = volume.OpenPfs(s_setup.Labels[0]);
        using Vnode root = pfs.OpenRoot();
        Assert.AreEqual(Hammer2Error.None, pfs.TryCreate(root, "file"u8, File, out Vnode? made));
        using (made)
            Assert.AreEqual(Hammer2Error.None, made!.TryWrite(0, new byte[200_000].Select(static (_, i) => (byte)(i * 7 + i / 256)).ToArray()));
        volume.Sync();
        // From here on little can be found, and the estimate knows that.
        volume.Writer!.Space.Run(null, CancellationToken.None);
        Assert.AreEqual(Hammer2Error.None, pfs.TryUnlink(root, "file"u8));
        volume.Sync();
        long before = volume.FreeBytes;
        Assert.AreEqual(looks, volume.Writer.Space.FindSpace((ClaimLevel)level));
        Assert.AreEqual(looks, volume.FreeBytes > before);
    }

    [TestMethod]
    public void WhoLooksForSpaceIsToldWhatFor()
    {
        _ = Try(removing: true, looks: int.MaxValue, answer: false, out _);
        Assert.AreEqual(ClaimLevel.Remove, s_level);
        _ = Try(removing: false, looks: int.MaxValue, answer: false, out _);
        Assert.AreEqual(ClaimLevel.Write, s_level);
    }

    // All space is promised away until so many looks were taken, each of which gives this answer.
    private static Hammer2Error Try(bool removing, int looks, bool answer, out int looked)
    {
        using Hammer2Volume volume = Hammer2Volume.Open(s_setup.Format(), s_setup.Options(writable: true));
        using PfsMount pfs = volume.OpenPfs(s_setup.Labels[0]);
        using Vnode root = pfs.OpenRoot();
        Assert.AreEqual(Hammer2Error.None, pfs.TryCreate(root, "file"u8, File, out Vnode? made));
        made!.Dispose();
        volume.Sync();
        SpaceClaim taken = TakeAll(volume.Writer!.Freemap);
        int count = 0;
        volume.Writer.Committer.FindSpace = level =>
        {
            s_level = level;
            if (++count == looks)
                volume.Writer.Freemap.Release(taken);
            return answer;
        };
        Hammer2Error error = removing ? pfs.TryUnlink(root, "file"u8) : pfs.TryCreate(root, "other"u8, File, out made);
        made?.Dispose();
        looked = count;
        if (count < looks)
            volume.Writer.Freemap.Release(taken);
        return error;
    }

    private static SpaceClaim TakeAll(FreemapAllocator freemap)
    {
        var taken = new SpaceClaim();
        for (int count = 1 << 12; count > 0; count >>= 1)
        {
            var claim = new SpaceClaim();
            claim.AddBlocks(14, count);
            if (freemap.TryClaim(claim, ClaimLevel.Remove))
                taken.Add(claim);
        }

        return taken;
    }
}
