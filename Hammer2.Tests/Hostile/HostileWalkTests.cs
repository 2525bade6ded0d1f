// Trees made to multiply, for the walks that follow every reference: raw dumps of topology and freemap, and verification.
// Each must end soon, whatever the product of the slots on a path is.

using System.Runtime.InteropServices;
using Hammer2.Engine.Checking;
using Hammer2.Engine.Diagnostics;
using Hammer2.Engine.Format;
using Hammer2.Engine.Volumes;

namespace Hammer2.Tests.Hostile;

[TestClass]
public sealed class HostileWalkTests
{
    private static void WalksEnd(ImageBuilder image, bool hasFindings = true)
    {
        Bounded.Run("walks", () =>
        {
            using Hammer2Volume volume = Hammer2Volume.Open([image.Device], new VolumeOptions { CacheBytesMax = 1 << 20 });
            Assert.IsLessThan(200_000, TopologyWalk.Run(volume).Take(200_000).Count(), "topology");
            Assert.IsLessThan(200_000, FreemapWalk.Run(volume).Take(200_000).Count(), "freemap");
            VerifyReport report = new VolumeVerifier(volume).Run(workers: 2);
            Assert.AreEqual(hasFindings, report.Findings.Count > 0, "what the verification says");
        }, allocationMax: 1L << 30);
    }

    private static BlockRef[] Repeated(BlockRef bref, int count, Func<int, ulong>? key = null)
    {
        var slots = new BlockRef[count];
        for (int i = 0; i < count; i++)
        {
            slots[i] = bref;
            slots[i].Key = key is null ? bref.Key : key(i);
        }

        return slots;
    }

    [TestMethod]
    public void EqualSlotsDoNotMultiply()
    {
        var image = new ImageBuilder();
        BlockRef level = image.Data(0, CraftedTreeTests.Text(65536, 1));
        for (int depth = 0; depth < 20; depth++)
            level = image.Indirect(0, 40, Repeated(level, 128));
        image.AddFile("f", 65536, [level]);
        image.Finish();
        WalksEnd(image);
    }

    [TestMethod]
    public void InodesInsideInodesDoNotMultiply()
    {
        var image = new ImageBuilder();
        BlockRef inner = image.Store(BlockRefType.Inode, ImageBuilder.EmbeddedInodeBlock(5000, ObjectType.File, "x"u8), 1UL << 63, 0);
        for (ulong depth = 0; depth < 50; depth++)
        {
            BlockRef[] blockset = Repeated(inner, 4, i => (1UL << 63) + (ulong)i);
            inner = image.Store(BlockRefType.Inode, ImageBuilder.InodeBlock(4000 + depth, ObjectType.Directory, 0, blockset), 1UL << 63, 0);
        }

        image.AddDirectory("d", [inner]);
        image.Finish();

        // Every block is sound, and seen once.
        WalksEnd(image, hasFindings: false);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void FreemapNodesDoNotMultiply(bool loop)
    {
        var image = new ImageBuilder();
        BlockRef level = image.Store(BlockRefType.FreemapLeaf, new byte[32768], 0, 30, CheckMethod.Disabled);
        byte[] block = new byte[32768];
        for (int depth = 0; depth < 5; depth++)
        {
            ulong at = image.Allocate(15);
            if (loop && depth == 0)
                level = new BlockRef { Type = BlockRefType.FreemapNode, Methods = 0x10, KeyBits = 62, DataOff = at | 15 };
            MemoryMarshal.AsBytes<BlockRef>(Repeated(level, 256)).CopyTo(block);
            level = image.Put(BlockRefType.FreemapNode, at, block, 0, 62, CheckMethod.Disabled);
        }

        image.AddEmbedded("f", "x"u8);
        image.Finish();
        VolumeHeaderEdit(image, h => MemoryMarshal.AsBytes<BlockRef>(new[] { level }).CopyTo(h.AsSpan(VolumeHeader.FreemapOffset)));
        WalksEnd(image);
    }

    private static void VolumeHeaderEdit(ImageBuilder image, Action<byte[]> edit)
    {
        byte[] header = new byte[FormatLimits.VolumeHeaderBytes];
        image.Device.Read(0, header);
        edit(header);
        VolumeHeader.Seal(header);
        image.Device.Write(0, header);
    }
}
