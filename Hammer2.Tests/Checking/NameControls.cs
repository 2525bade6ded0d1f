// One damage for every kind of finding of names and of the freemap, as in Controls.cs, and those that need an image of their
// own because no golden image has what they damage.

using System.Runtime.InteropServices;
using System.Text;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Topology;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Hostile;

namespace Hammer2.Tests.Checking;

/// <summary>Controls of names and the freemap, and crafted images.</summary>
internal static class NameControls
{
    private const string Base = "damage-base";

    // Nothing is leaked in it, so that a leak of ours is the only one.
    private const string Tight = "comp-lz4";
    private const ulong Unit = 3;

    internal static IEnumerable<Control> Names() =>
    [
        new("dirent-name dirent-hash", Base, e => e.EditRef(FileEntry(e), (ref r) => ImageBuilder.Area(ref r)[1] = (byte)'/')),
        new("dirent-name dirent-hash", Base, e => e.EditRef(FileEntry(e), (ref r) => ImageBuilder.Area(ref r)[1] = 0)),
        new("dirent-name-length", Base, e => e.EditRef(FileEntry(e), (ref r) => r.DirentNameLength = 70)),
        new("dirent-name-length", Base, e => e.EditRef(FileEntry(e), (ref r) => r.DirentNameLength = 0)),
        new("dirent-hash", Base, e => e.EditRef(FileEntry(e), (ref r) => ImageBuilder.Area(ref r)[1] ^= 1)),
        new("dirent-dangling orphan", Base, e => e.EditRef(FileEntry(e), (ref r) => r.DirentInode = 0x7777777)),
        new("dirent-type", Base, e => e.EditRef(FileEntry(e), (ref r) => r.DirentType = ObjectType.Socket)),
        new("dirent-root orphan", Base, e => e.EditRef(FileEntry(e), (ref r) => r.DirentInode = 1)),
        new("directory-twice orphan", Base, e => e.EditRef(FileEntry(e), (ref r) =>
            (r.DirentInode, r.DirentType) = (e.Inode(Directory(e)).InodeNumber, ObjectType.Directory))),
        new("directory-parent", Base, e => e.EditInode(Directory(e), (ref d) => d.ParentInode = 0x401)),
        new("directory-nlinks", Base, e => e.EditInode(Directory(e), (ref d) => d.LinkCount = 70)),
        new("nlinks", Base, e => e.EditInode(Controls.BigFile(e), (ref d) => d.LinkCount++)),
        new("nlinks", Base, e => e.EditInode(Controls.BigFile(e), (ref d) => d.LinkCount = 0)),
        new("nlinks-uncertain check-mismatch", Base, e => e.EditBlock(e.FirstInode(d => d.InodeNumber == 0x494), b => b[0x20] ^= 1, repair: false)),
        new("orphan stats-leaf-count", Base, e => e.EditRef(FileEntry(e), (ref r) => r = default)),
        new("orphan-unlinked stats-leaf-count", Base, e =>
        {
            RefSlot entry = FileEntry(e);
            e.EditInode(e.FirstInode(d => d.InodeNumber == entry.Ref.DirentInode), (ref d) => d.LinkCount = 0);
            e.EditRef(entry, (ref r) => r = default);
        }),
    ];

    internal static IEnumerable<Control> Freemap() =>
    [
        new("freemap-address", Base, e =>
        {
            byte[] leaf = new byte[1 << FormatLimits.FreemapRadix];
            e.Device.Read(e.Leaf().Offset, leaf);
            e.Device.Write(41 * 65536, leaf);
            e.EditFirst(BlockRefType.FreemapLeaf, (ref r) => r.DataOff = 41 * 65536 | FormatLimits.FreemapRadix);
        }),
        new("freemap-level", Base, e => e.EditFirst(BlockRefType.FreemapLeaf, (ref r) => r.KeyBits = 31)),
        new("bref-type", Base, e => e.EditFirst(BlockRefType.FreemapLeaf, (ref r) => r.Type = BlockRefType.Indirect)),
        new("bref-methods bref-unused", Base, e => e.EditFirst(BlockRefType.FreemapLeaf, (ref r) => r.Methods = 0x30)),
        new("freemap-used-but-free freemap-free-count", Base, e => Mark(e, Used(e), FreemapState.Free)),
        new("freemap-used-but-free freemap-free-count", Base, e => e.EditFirst(BlockRefType.FreemapLeaf, (ref r) => r = default)),
        new("freemap-pending-recovery", Base, e =>
        {
            Mark(e, Used(e), FreemapState.Free);
            e.EditHeader(0x68, free => free + 16384);
            e.EditHeader(0x90, _ => 0);
        }),
        new("freemap-used-but-staged", Base, e => Mark(e, Used(e), FreemapState.PossiblyFree)),
        new("freemap-reserved-state freemap-free-count", Base, e => e.EditRecord(BlockRefType.Inode, (ref r) => SetState(ref r, 255, FreemapState.Reserved))),
        new("freemap-static", Base, e => e.EditBlock(e.Leaf(), b => MemoryMarshal.AsRef<FreemapBitmap>(b).Words[3] &= ~(1UL << 9))),
        new("freemap-linear", Base, e => e.EditRecord(BlockRefType.Data, (ref r) => r.Linear &= ~0x3C00 | 0x400)),
        new("freemap-linear", Base, e => e.EditRecord(BlockRefType.Empty, (ref r) => r.Linear = 0x400)),
        new("freemap-linear-range", Base, e => e.EditRecord(BlockRefType.Data, (ref r) => r.Linear |= 1)),
        new("freemap-linear-range", Base, e => e.EditRecord(BlockRefType.Data, (ref r) => r.Linear = -1)),
        new("freemap-linear-range", Base, e => e.EditRecord(BlockRefType.Data, (ref r) => r.Linear = 0x400001)),
        new("freemap-avail freemap-free-count", Base, e => e.EditRecord(BlockRefType.Data, (ref r) => r.Avail -= 16384)),
        new("freemap-class", Base, e => e.EditRecord(BlockRefType.Data, (ref r) => r.Class = 0x0910)),
        new("freemap-class", Base, e => e.EditRecord(BlockRefType.Data, (ref r) => r.Class = 0)),
        new("freemap-class", Base, e => e.EditRecord(BlockRefType.Empty, (ref r) => r.Class = 0x0310)),
        new("freemap-class", Base, e => e.EditBlock(e.Leaf(), b => MemoryMarshal.AsRef<FreemapBitmap>(b).Class = 0x0310)),
        new("freemap-bigmask", Base, e => e.EditFirst(BlockRefType.FreemapLeaf, (ref r) => r.FreemapBigMask = 0xFFFEFFFF)),
        new("freemap-unused", Base, e => e.EditBlock(e.Leaf(), b => b[0x30] = 1)),
        new("freemap-free-count", Base, e => e.EditHeader(0x68, free => free - 16384)),
        new("freemap-free-count", Base, e => e.EditHeader(0x68, free => free + 16384)),
        new("freemap-leaked freemap-free-count", Tight, e => e.EditRecord(BlockRefType.Data, (ref r) => SetState(ref r, 255, FreemapState.Allocated))),
        new("freemap-staged freemap-free-count", Tight, e => e.EditRecord(BlockRefType.Data, (ref r) => SetState(ref r, 255, FreemapState.PossiblyFree))),
    ];

    /// <summary>Images that are made for one kind of finding; other kinds are there too.</summary>
    internal static IEnumerable<(string Code, Func<IBlockDevice[]> Make)> Crafted() =>
    [
        ("tree-depth", () => [DeepTree()]),
        ("inode-number-range", () =>
        {
            var b = new ImageBuilder();
            b.AddInode(5, ImageBuilder.EmbeddedInodeBlock(5, ObjectType.File, "x"u8));
            b.AddName("five", 5, ObjectType.File);
            return [b.Finish()];
        }),
        ("inode-old-layout", () => [Nested(0x500)]),
        ("inode-duplicate", () => [Nested(ImageBuilder.FirstInode)]),
        ("dirent-duplicate", () => [TwoNames(1, 2)]),
        ("dirent-duplicate", () => [TwoNames(0x7FF0, 2)]),
        ("directory-cycle", () => [Cycle()]),
        ("header-growth", HalfGrown),
    ];

    // The last volume's header is that of the larger set, the root volume's is not.
    private static IBlockDevice[] HalfGrown()
    {
        MemoryBlockDevice[] small = [new(1L << 30), new(64 << 20)];
        VolumeFormatter.Format(small);
        small[1].Extend(96 << 20);
        VolumeHeader last = VolumeHeaderCopy.Newest(VolumeHeaderCopy.ReadAll(small[1]))!.Header!;
        small[1].Write(0, new VolumeHeaderBuilder(last) { VolumeSize = 96 << 20, TotalSize = (1UL << 30) + (96 << 20) }.Seal());
        return small;
    }

    private static MediaBlock Directory(ImageEditor e) => e.FirstInode(d => d.Type == ObjectType.Directory && d.ParentInode == 1);

    // The name of a file with one name, in a full directory.
    private static RefSlot FileEntry(ImageEditor e) => e.FirstRef(
        BlockRefType.Dirent,
        s => s.Holder!.Type == BlockRefType.Indirect && !s.Ref.Physical.HasData && s.Ref.DirentType == ObjectType.File && s.Ref.DirentNameLength > 4
            && e.Inode(e.FirstInode(d => d.InodeNumber == s.Ref.DirentInode)).LinkCount == 1);

    private static ulong Used(ImageEditor e) => (ulong)Controls.BigFile(e).Offset;

    private static void Mark(ImageEditor e, ulong block, FreemapState state) => e.EditBlock(e.Leaf(), bytes =>
        SetState(ref MemoryMarshal.Cast<byte, FreemapBitmap>(bytes)[(int)(block >> FormatLimits.SegmentRadix)], (int)(block >> 14) & 255, state));

    // Keeps the available bytes in step, so that only the state is wrong.
    private static void SetState(ref FreemapBitmap record, int unit, FreemapState state)
    {
        bool wasFree = record.StateOf(unit) == FreemapState.Free;
        ref ulong word = ref record.Words[unit >> 5];
        int shift = 2 * (unit & 31);
        word = word & ~(Unit << shift) | (ulong)state << shift;
        if (wasFree != (state == FreemapState.Free))
            record.Avail = wasFree ? record.Avail - FormatLimits.FreemapGranularity : record.Avail + FormatLimits.FreemapGranularity;
    }

    private static MemoryBlockDevice DeepTree()
    {
        var b = new ImageBuilder { IndirectRadix = 12 };
        BlockRef below = b.Data(0, new byte[100]);
        for (int i = 0; i < BlockTree.DepthMax + 2; i++)
            below = b.Indirect(0, 40, [below]);
        b.AddFile("deep", 100, [below]);
        return b.Finish();
    }

    private static MemoryBlockDevice Nested(ulong number)
    {
        var b = new ImageBuilder();
        b.AddEmbedded("plain", "x"u8);
        byte[] name = Encoding.ASCII.GetBytes("nested");
        ulong key = DirectoryHash.Compute(name);
        byte[] block = ImageBuilder.EmbeddedInodeBlock(number, ObjectType.File, "y"u8, (ref d) => (d.NameKey, d.NameLength) = (key, (ushort)name.Length));
        block.AsSpan(InodeData.NameOffset, InodeData.NameFieldBytes).Clear();
        name.CopyTo(block, InodeData.NameOffset);
        b.RootEntries.Add(b.Store(BlockRefType.Inode, block, key, 0));
        return b.Finish();
    }

    // Many other entries between the two, so that they come into different arrays.
    private static MemoryBlockDevice TwoNames(ulong distance, ulong links)
    {
        var b = new ImageBuilder { IndirectRadix = 12 };
        ulong number = b.NewInodeNumber();
        b.AddInode(number, ImageBuilder.EmbeddedInodeBlock(number, ObjectType.File, "x"u8, (ref d) => d.LinkCount = links));
        ulong hash = DirectoryHash.Compute("twin"u8);
        b.RootEntries.Add(b.Dirent("twin"u8, number, ObjectType.File, hash));
        b.RootEntries.Add(b.Dirent("twin"u8, number, ObjectType.File, hash + distance));
        for (ulong i = 2; distance > 2 && i < 200; i++)
            b.RootEntries.Add(b.Dirent("other"u8, number, ObjectType.File, hash + i * 100));
        return b.Finish();
    }

    private static MemoryBlockDevice Cycle()
    {
        var b = new ImageBuilder();
        ulong first = b.NewInodeNumber(), second = b.NewInodeNumber();
        b.AddInode(first, ImageBuilder.InodeBlock(first, ObjectType.Directory, 0, [b.Dirent("down"u8, second, ObjectType.Directory)]));
        b.AddInode(second, ImageBuilder.InodeBlock(second, ObjectType.Directory, 0, [b.Dirent("up"u8, first, ObjectType.Directory)]));
        return b.Finish();
    }
}
