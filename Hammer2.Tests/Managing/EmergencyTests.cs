// A volume without a single free block, which no allocator could commit anything to, is emptied; and a power cut on the way does no harm.
// The volume is filled through the engine; what its last commit leaves free is then called allocated on the medium.

using System.Runtime.InteropServices;
using System.Text;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Transactions;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Requirements;

namespace Hammer2.Tests.Managing;

[TestClass]
public sealed class EmergencyTests
{
    [TestMethod]
    public void AVolumeWithoutAFreeBlockIsEmptied()
    {
        MemoryBlockDevice memory = FullToTheLastBlock(out int files);
        using (var rig = new EngineRig(memory.Clone()))
        {
            // The negative control: without the mode nothing can be removed.
            Assert.AreEqual(0L, rig.Volume.FreeBytes);
            using Vnode root = rig.Pfs.OpenRoot();
            Hammer2Error refused;
            try
            {
                refused = rig.Pfs.TryUnlink(root, "f0"u8);
            }
            catch (Hammer2Exception e)
            {
                refused = e.Error;
            }

            Assert.AreNotEqual(Hammer2Error.None, refused);
        }

        using (var rig = new EngineRig(memory))
        {
            rig.Volume.EmergencyMode = true;
            Assert.IsTrue(rig.Volume.EmergencyMode);
            using (Vnode root = rig.Pfs.OpenRoot())
            {
                Assert.AreEqual(Hammer2Error.NoSpace, rig.Pfs.TryCreate(root, "new"u8, new NewInode { Type = ObjectType.File, Mode = 0x1A4 }, out _));
                Assert.AreEqual(Hammer2Error.NoSpace, rig.Pfs.TryRename(root, "f0"u8, root, "g0"u8, RenameMode.Replace));
                using Vnode first = rig.Open("f0");
                Assert.AreEqual(Hammer2Error.NoSpace, first.TryWrite(0, "x"u8));
                Assert.AreEqual(Hammer2Error.None, first.TrySetAttributes(new AttributeChanges { Mode = 0x100 }));
                Assert.AreEqual(Hammer2Error.None, first.TrySetSize(100_000));
            }

            rig.Sync();
            rig.Check();
            for (int i = 0; i < files; i++)
            {
                rig.Unlink($"f{i}");
                if (i % 10 == 0)
                    rig.Sync();
            }

            rig.Volume.Bulkfree();
            rig.Sync();
            rig.Check();
            Assert.IsGreaterThan(30L << 20, rig.Volume.FreeBytes);
            rig.Volume.EmergencyMode = false;
            rig.Create("after", EngineRig.Bytes(10_000_000, 1)).Dispose();
            rig.Remount();
            rig.Check();
            using Vnode after = rig.Open("after");
            CollectionAssert.AreEqual(EngineRig.Bytes(10_000_000, 1), EngineRig.ReadAll(after));
        }
    }

    [TestMethod]
    public void SnapshotsOfAFullVolumeStayWhatTheyAre()
    {
        MemoryBlockDevice memory = FullToTheLastBlock(out int files, withSnapshot: true);
        using var rig = new EngineRig(memory);
        rig.Volume.EmergencyMode = true;
        for (int i = 0; i < files; i++)
            rig.Unlink($"f{i}");
        rig.Sync();
        rig.Check();
        CollectionAssert.AreEqual(EngineRig.Bytes(400_000, 0), PfsTests.Get(rig.Volume, "kept", "f0"));
        using (Hammer2Volume crashed = rig.OpenMedium())
            CollectionAssert.AreEqual(EngineRig.Bytes(400_000, 0), PfsTests.Get(crashed, "kept", "f0"));
        rig.Volume.DeletePfs("kept");
        rig.Volume.Bulkfree();
        Assert.IsGreaterThan(30L << 20, rig.Volume.FreeBytes);
        rig.Check();
    }

    // What one opening put beside the freemap is known to the next, and not overwritten by it.
    [TestMethod]
    public void TheSpaceBesideTheFreemapIsUsedOnlyOnce()
    {
        MemoryBlockDevice memory = FullToTheLastBlock(out int files);
        for (int round = 0; round < 6; round++)
        {
            using (var rig = new EngineRig(memory))
            {
                rig.Volume.EmergencyMode = true;
                for (int i = 0; i < files; i++)
                {
                    using Vnode file = rig.Open($"f{i}");
                    Assert.AreEqual(Hammer2Error.None, file.TrySetAttributes(new AttributeChanges { Uid = (uint)round }));
                }

                rig.Sync();
                rig.Check();
            }

            // Nothing may become free in the usual way: the freemap is full again.
            Exhaust(memory);
        }

        using var last = new EngineRig(memory);
        for (int i = 0; i < files; i++)
        {
            using Vnode file = last.Open($"f{i}");
            Assert.AreEqual(5u, file.GetAttributes().Uid);
        }
    }

    [TestMethod]
    public void AVolumeOpenedForReadingHasNoSuchMode()
    {
        using Hammer2Volume reading = Hammer2Volume.Open([EngineRig.Formatted(64 << 20)]);
        Assert.IsFalse(reading.EmergencyMode);
        PfsTests.Refused(Hammer2Error.ReadOnly, () => reading.EmergencyMode = true);
    }

    /// <summary>Files take what they can get, then what only removing may use, and what a commit leaves is called allocated.</summary>
    internal static MemoryBlockDevice FullToTheLastBlock(out int files, bool withSnapshot = false)
    {
        MemoryBlockDevice memory = EngineRig.Formatted(64 << 20);
        using (var rig = new EngineRig(memory))
        {
            using Vnode root = rig.Pfs.OpenRoot();
            for (files = 0; ; files++)
            {
                Hammer2Error error = rig.Pfs.TryCreate(root, Encoding.ASCII.GetBytes($"f{files}"), new NewInode { Type = ObjectType.File, Mode = 0x1A4 }, out Vnode? file);
                if (error == Hammer2Error.None)
                    error = file!.TryWrite(0, EngineRig.Bytes(400_000, files));
                file?.Dispose();
                if (error == Hammer2Error.None)
                    continue;
                Assert.AreEqual(Hammer2Error.NoSpace, error);
                break;
            }

            if (rig.Exists($"f{files}"))
                files++;
            if (withSnapshot)
                rig.Volume.Snapshot("DATA", "kept");
            using Vnode more = rig.Open("f1");
            for (long offset = 400_000; TryWriteIntoReserve(rig, more, offset); offset += 65536)
            {
            }
        }

        Exhaust(memory);
        return memory;
    }

    private static bool TryWriteIntoReserve(EngineRig rig, Vnode file, long offset)
    {
        SpaceClaim claim = OperationClaims.Data(offset, 65536, offset + 65536);
        if (rig.Volume.Writer!.Committer.TryBegin(claim, ClaimLevel.Remove, out Operation operation) != Hammer2Error.None)
            return false;
        using Operation running = operation;
        using InodeLock held = InodeLock.Exclusive(file.Inode);
        rig.Pfs.Index.MarkDirty(file.Inode.Slot, operation.Ledger);
        rig.Pfs.State.FileWriter!.Write(file.Inode.Slot, offset, EngineRig.Bytes(65536, (int)(offset / 65536)), operation.Ledger);
        operation.Settle();
        return true;
    }

    // Calls every block allocated, and leaves no block open for fragments.
    private static void Exhaust(MemoryBlockDevice memory)
    {
        VolumeHeader header;
        using (Hammer2Volume volume = Hammer2Volume.Open([memory.Clone()]))
            header = volume.Header;
        var builder = new VolumeHeaderBuilder(header) { AllocatorFree = 0 };
        ref BlockRef bref = ref builder.Freemap[0];
        byte[] leaf = new byte[bref.Physical.Bytes];
        memory.Read((long)bref.Physical.Offset, leaf);
        foreach (ref FreemapBitmap record in MemoryMarshal.Cast<byte, FreemapBitmap>(leaf.AsSpan()))
        {
            for (int i = 0; i < FreemapWords.Count; i++)
                record.Words[i] = ulong.MaxValue;
            record.Avail = 0;
            record.Linear = FreemapGeometry.SegmentBytes;
        }

        memory.Write((long)bref.Physical.Offset, leaf);
        bref.Check32 = Crc32C.Compute(leaf);
        bref.FreemapBigMask = uint.MaxValue;
        byte[] bytes = builder.Seal();
        memory.Write(0, bytes);
        memory.Write(VolumeHeaderCopy.SpareOffset, bytes);
    }
}
