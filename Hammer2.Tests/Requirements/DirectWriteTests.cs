// R9: whole blocks go straight to the medium, past the device buffer; whatever buffer or cache holds of an earlier block at
// that address must not come back. Addresses are used again at once here because their files are removed uncommitted.
// R10: a block that gets another size has a new address, size and check code in the reference above it.

using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Tests.Requirements;

[TestClass]
public sealed class DirectWriteTests
{
    private const int BlockBytes = FormatLimits.LogicalBlockBytes;

    [TestMethod]
    public void CachedBlockIsReturnedAfterItsAddressWasReused()
    {
        using var rig = new EngineRig();
        using Vnode root = rig.Pfs.OpenRoot();

        // Without check codes the references to two blocks at one address look the same: only invalidation tells them apart.
        Assert.AreEqual(Hammer2Error.None, root.TrySetAttributes(new AttributeChanges { Check = CheckMethod.Disabled, Compression = CompressionMethod.None }));
        var seen = new HashSet<ulong>();
        int reused = 0;
        for (int round = 0; round < 40; round++)
        {
            byte[] content = EngineRig.Bytes(3 * BlockBytes, round);
            using Vnode file = rig.Create($"f{round}", content);
            rig.WriteOut();
            reused += seen.Add(rig.DataRef(file, 0).DataOff) ? 0 : 1;
            CollectionAssert.AreEqual(content, EngineRig.ReadAll(file), $"round {round}: bytes of an earlier block came out of the cache");
            rig.Unlink($"f{round}");
            file.Dispose();
            rig.Sync();
        }

        Assert.IsGreaterThan(10, reused, "no address was used again: nothing was tested");
    }

    [TestMethod]
    public void StaleFragmentOverwritesADirectWrite()
    {
        using var rig = new EngineRig();
        int overlaps = 0;
        for (int round = 0; round < 10; round++)
        {
            // Fragments stay in the device buffer; their 64 KiB are then written directly by another file.
            var small = new List<(ulong Start, ulong End)>();
            var open = new List<Vnode>();
            for (int i = 0; i < 64; i++)
                open.Add(rig.Create($"r{round}s{i}", EngineRig.Bytes(4000, i + round * 100)));
            rig.WriteOut();
            foreach (Vnode file in open)
            {
                PhysicalOffset at = rig.DataRef(file, 0).Physical;
                small.Add((at.Offset, at.Offset + (ulong)at.Bytes));
            }

            // Cut before a commit their blocks are given back at once; their bytes still wait, since dedup might share them.
            foreach (Vnode file in open)
            {
                Assert.AreEqual(Hammer2Error.None, file.TrySetSize(0));
                file.Dispose();
            }

            byte[] content = EngineRig.Bytes(8 * BlockBytes, 5000 + round);
            using Vnode large = rig.Create($"large{round}", content);
            rig.WriteOut();
            for (ulong key = 0; key < 8 * BlockBytes; key += BlockBytes)
            {
                ulong start = rig.DataRef(large, key).Physical.Offset;
                overlaps += small.Any(s => s.Start < start + BlockBytes && start < s.End) ? 1 : 0;
            }

            rig.Sync();
            rig.Volume.Reader.Cache.Clear();
            CollectionAssert.AreEqual(content, EngineRig.ReadAll(large));
        }

        Assert.IsGreaterThan(0, overlaps, "no fragment's place was used by a direct write: nothing was tested");
        rig.Check();
    }

    [TestMethod]
    [DataRow(CheckMethod.XxHash64)]
    [DataRow(CheckMethod.Iscsi32)]
    [DataRow(CheckMethod.Sha192)]
    public void ResizedBlockKeepsItsOldCheckCode(CheckMethod check)
    {
        using var rig = new EngineRig();
        byte[] content = EngineRig.Bytes(2 * BlockBytes, 7);
        using Vnode file = rig.Create("f");
        Assert.AreEqual(Hammer2Error.None, file.TrySetAttributes(new AttributeChanges { Check = check, Compression = CompressionMethod.None }));
        Assert.AreEqual(Hammer2Error.None, file.TryWrite(0, content));
        rig.Sync();
        BlockRef old = rig.DataRef(file, BlockBytes);
        Assert.AreEqual(16, old.Physical.Radix);

        // Down to a fragment, up to another size, and to sizes of one radix: always what the medium holds, padded with zeros.
        foreach ((int size, int radix) in ((int, int)[])[(BlockBytes + 5000, 13), (BlockBytes + 5001, 13), (BlockBytes + 30_000, 15), (BlockBytes + 1, 10)])
        {
            bool grows = size > file.GetAttributes().Size;
            Assert.AreEqual(Hammer2Error.None, file.TrySetSize(size));
            if (grows)
                Assert.AreEqual(Hammer2Error.None, file.TryWrite(BlockBytes, content.AsSpan(BlockBytes, size - BlockBytes)));
            rig.Sync();
            BlockRef bref = rig.DataRef(file, BlockBytes);
            Assert.AreEqual(radix, bref.Physical.Radix, $"size {size}");
            Assert.AreNotEqual(old.DataOff, bref.DataOff);
            Assert.IsFalse(BlockRef.CheckBytes(bref).SequenceEqual(BlockRef.CheckBytes(old)), $"size {size}: the check code is that of the old block");
            byte[] stored = new byte[bref.Physical.Bytes];
            rig.Memory.Read((long)bref.Physical.Offset, stored);
            Assert.IsTrue(Checks.Matches(bref, stored), $"size {size}");
            byte[] expected = new byte[stored.Length];
            content.AsSpan(BlockBytes, size - BlockBytes).CopyTo(expected);
            CollectionAssert.AreEqual(expected, stored, $"size {size}");
            rig.Check();
            old = bref;
        }
    }
}
