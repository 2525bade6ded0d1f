// R5: whatever the depth, the flusher does not nest. A tree of forty levels is written and dropped, and the depth of the stack
// is measured where the flusher calls out: it must be the same for the deepest node and the highest. Then whole commits of deep
// and wide trees run on a thread with hardly any stack.

using System.Diagnostics;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Topology;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Writing;

namespace Hammer2.Tests.Requirements;

[TestClass]
public sealed class FlatFlushTests
{
    private const int StackBytes = 128 << 10;
    private const int HighestBits = 63;
    private const int LowestBits = 22;
    private const int LeavesPerNode = 30;

    // Frames may differ by what the compiler inlines while the test runs, but not with the level.
    private const int FramesSpread = 3;
    private const byte Methods = (byte)CheckMethod.XxHash64 << 4;

    private static BlockRef Leaf(ulong key, ulong mirrorTid) => new()
    {
        Type = BlockRefType.Data,
        Methods = Methods,
        KeyBits = FormatLimits.LogicalBlockRadix,
        Key = key,
        MirrorTid = mirrorTid,
        DataOff = (ulong)WritingVolume.Area + 0x200_0000 | 16,
    };

    // On the medium: each node has thirty leaves in its upper half and the next node in its lower one.
    private static BlockRef Chain(BlockWriter writer)
    {
        BlockRef below = Leaf(0, 1);
        for (int bits = LowestBits; bits <= HighestBits; bits++)
        {
            byte[] block = new byte[32 * FormatLimits.BlockRefBytes];
            Span<BlockRef> refs = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, BlockRef>(block.AsSpan());
            refs[0] = below;
            for (int i = 1; i <= LeavesPerNode; i++)
                refs[i] = Leaf((1UL << bits - 1) + ((ulong)i << FormatLimits.LogicalBlockRadix), 1);
            below = new BlockRef { Type = BlockRefType.Indirect, Methods = Methods, KeyBits = (byte)bits, MirrorTid = 1 };
            writer.WriteMetadata(ref below, block);
        }

        return below;
    }

    [TestMethod]
    public void FlushNestsWithTheDepthOfTheTree()
    {
        using var v = new WritingVolume();
        using var writer = new BlockWriter(v.Reader, v.Buffer, v.Allocator);
        var tree = new MutableTree(TreeShape.File, [Chain(writer)], Methods);
        int levels = HighestBits - LowestBits + 1;
        for (int round = 0; round < 2; round++)
        {
            tree.Put(v.Reader, Leaf(0, 2), null);
            Assert.AreEqual(levels, tree.NodesInMemory, "the tree is not as deep as it should be");
            var frames = new List<int>();
            int before = v.Allocator.Allocated.Count;
            tree.Flush(new TreeFlush(writer, (ulong)(2 + round), (ref BlockRef _) => frames.Add(new StackTrace(false).FrameCount)));
            Assert.AreEqual(levels, v.Allocator.Allocated.Count - before, "each node is written once");
            Assert.IsGreaterThanOrEqualTo(levels * LeavesPerNode, frames.Count);
            Assert.IsLessThanOrEqualTo(FramesSpread, frames.Max() - frames.Min(), $"the stack grows with the tree: {frames.Min()} to {frames.Max()} frames");
        }

        tree.Put(v.Reader, Leaf(0, 9), null);
        var dropping = new List<int>();
        tree.DeleteRange(v.Reader, 0, ulong.MaxValue, _ => dropping.Add(new StackTrace(false).FrameCount), null);
        Assert.IsGreaterThanOrEqualTo(levels * LeavesPerNode, dropping.Count);
        Assert.IsLessThanOrEqualTo(FramesSpread, dropping.Max() - dropping.Min(), "removing nests");
    }

    [TestMethod]
    public void CommitOfDeepTreesNeedsMoreThanASmallStack()
    {
        using var rig = new EngineRig(new VolumeOptions { DirtyBytesMax = 256 << 20 });
        using Vnode sparse = rig.Create("sparse");
        var blocks = new List<long>();
        for (int bit = 16; bit < 63; bit++)
        {
            for (int i = 0; i < 12; i++)
                blocks.Add((1L << bit) + ((long)i << Math.Max(16, bit - 5)));
        }

        blocks = [.. blocks.Distinct()];
        rig.MakeDirectory("wide");
        for (int i = 0; i < 20_000; i++)
            rig.Create($"wide/{i}").Dispose();
        foreach (long at in blocks)
            Assert.AreEqual(Hammer2Error.None, sparse.TryWrite(at, BitConverter.GetBytes(at)));
        OnSmallStack(rig.Sync);
        rig.Check();
        for (int i = 0; i < 20_000; i += 2)
            rig.Unlink($"wide/{i}");
        Assert.AreEqual(Hammer2Error.None, sparse.TryPunchHole(0, 1L << 40));
        OnSmallStack(rig.Sync);
        rig.Check();
        byte[] read = new byte[8];
        foreach (long at in blocks)
        {
            sparse.Read(at, read);
            Assert.AreEqual(at < 1L << 40 ? 0 : at, BitConverter.ToInt64(read), $"0x{at:x}");
        }
    }

    private static void OnSmallStack(Action action)
    {
        Exception? thrown = null;
        var thread = new Thread(
            () =>
            {
                try
                {
                    action();
                }
                catch (Exception e)
                {
                    thrown = e;
                }
            },
            StackBytes);
        thread.Start();
        Assert.IsTrue(thread.Join(EngineRig.Patience), "the commit does not end");
        if (thrown is not null)
            throw new AssertFailedException("the commit failed", thrown);
    }
}
