// Verifying a volume that is in use: what one commit refers to is read to the end, although everything of it is removed, freed
// and written over meanwhile. The first report of the verifier is the moment at which that happens.

using Hammer2.Engine.Checking;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Torture.Crash;

namespace Hammer2.Tests.Managing;

[TestClass]
public sealed class LiveVerifyTests
{
    private const int PieceBytes = 1 << 20, Pieces = 40;
    private static readonly CrashSetup s_setup = new("live", 96L << 20);

    [TestMethod]
    public void WhatIsRemovedAndWrittenOverMeanwhileIsVerifiedAsItWas()
    {
        using Hammer2Volume volume = Hammer2Volume.Open(s_setup.Format(), s_setup.Options(writable: true));
        using PfsMount pfs = volume.OpenPfs(s_setup.Labels[0]);
        using Vnode root = pfs.OpenRoot();
        Assert.AreEqual(Pieces, Fill(pfs, root, "old"u8, Pieces));
        volume.Sync();
        var change = new AtFirstReport(() =>
        {
            Assert.AreEqual(Hammer2Error.None, pfs.TryUnlink(root, "old"u8));
            volume.Sync();
            volume.Bulkfree();
            volume.Bulkfree();
            Fill(pfs, root, "new"u8, 2 * Pieces);
            volume.Sync();
        });
        VerifyReport report = new VolumeVerifier(volume).Run(1, change);
        Assert.IsTrue(change.Happened, "the verifier was done before anything could change");
        Assert.IsEmpty(report.Findings);

        // Held for as long as it was read, and no longer.
        long before = volume.FreeBytes;
        volume.Bulkfree();
        Assert.IsGreaterThan(before + (Pieces - 1L) * PieceBytes, volume.FreeBytes);
    }

    private static int Fill(PfsMount pfs, Vnode root, ReadOnlySpan<byte> name, int pieces)
    {
        Assert.AreEqual(Hammer2Error.None, pfs.TryCreate(root, name, new NewInode { Type = ObjectType.File, Mode = 0x1A4 }, out Vnode? file));
        using (file)
        {
            byte[] piece = new byte[PieceBytes];
            var random = new Random(name[0]);
            for (int i = 0; i < pieces; i++)
            {
                random.NextBytes(piece);
                if (file!.TryWrite((long)i * PieceBytes, piece) != Hammer2Error.None)
                    return i;
            }
        }

        return pieces;
    }

    private sealed class AtFirstReport(Action action) : IProgress<VerifyProgress>
    {
        internal bool Happened { get; private set; }

        public void Report(VerifyProgress value)
        {
            if (Happened)
                return;
            Happened = true;
            action();
        }
    }
}
