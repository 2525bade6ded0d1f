// Builds small HAMMER2 images in memory, legal ones and impossible ones: a test says which blocks exist and what
// they hold, the builder packs them, computes check codes and seals the header. It obeys the format only where
// nobody asked for the contrary. Uses the format room and the check and compression methods, nothing else of the engine.

using System.Buffers.Binary;
using System.IO.Compression;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Volumes;
using K4os.Compression.LZ4;

namespace Hammer2.Tests.Hostile;

/// <summary>Changes the fixed part of an inode before it is stored.</summary>
internal delegate void EditInode(ref InodeData data);

/// <summary>Changes a blockref before it is stored.</summary>
internal delegate void EditRef(ref BlockRef bref);

/// <summary>Writes one crafted image.</summary>
internal sealed class ImageBuilder
{
    internal const ulong FirstInode = FormatLimits.FirstInodeNumber;
    internal const ulong HeaderTid = 0x40;
    internal const string Label = "TEST";
    private const ulong AreaStart = 5UL << 20;
    private readonly long _size;
    private ulong _next = AreaStart;
    private ulong _nextInode = FirstInode;

    internal ImageBuilder(long size = 64L << 20)
    {
        _size = size;
        Device = new MemoryBlockDevice(size, "crafted");
    }

    internal MemoryBlockDevice Device { get; }

    /// <summary>Check method of blocks that do not say otherwise.</summary>
    internal CheckMethod Check { get; set; } = CheckMethod.XxHash64;

    /// <summary>Size radix of the indirect blocks that <see cref="Pack"/> makes.</summary>
    internal int IndirectRadix { get; set; } = 14;

    /// <summary>Entries of the root directory, in any order.</summary>
    internal List<BlockRef> RootEntries { get; } = [];

    /// <summary>The inode index, in any order.</summary>
    internal List<BlockRef> Inodes { get; } = [];

    /// <summary>Replaces the PFS root's blockset; null packs <see cref="RootEntries"/> and <see cref="Inodes"/>.</summary>
    internal BlockRef[]? RootBlockset { get; set; }

    internal EditRef? EditRootRef { get; set; }

    internal EditInode? EditRootInode { get; set; }

    internal EditRef? EditSuperRootRef { get; set; }

    internal ulong NewInodeNumber() => _nextInode++;

    /// <summary>Space for a block that does not cross 64 KiB.</summary>
    internal ulong Allocate(int radix)
    {
        ulong bytes = 1UL << radix;
        if ((_next & 0xFFFF) + bytes > 0x10000)
            _next = (_next + 0xFFFF) & ~0xFFFFUL;
        ulong at = _next;
        _next += bytes;
        Assert.IsLessThan((ulong)_size, _next, "the crafted image is too small");
        return at;
    }

    /// <summary>Stores a block and returns its reference.</summary>
    internal BlockRef Store(BlockRefType type, ReadOnlySpan<byte> block, ulong key, int keyBits, CheckMethod? check = null, int compression = 0)
    {
        int radix = BitOperations.Log2((uint)block.Length);
        Assert.AreEqual(block.Length, 1 << radix);
        ulong at = Allocate(radix);
        return Put(type, at, block, key, keyBits, check, compression);
    }

    /// <summary>Stores a block at a given place, for loops and overlaps.</summary>
    internal BlockRef Put(BlockRefType type, ulong at, ReadOnlySpan<byte> block, ulong key, int keyBits, CheckMethod? check = null, int compression = 0)
    {
        Device.Write((long)at, block);
        var bref = new BlockRef
        {
            Type = type,
            Methods = (byte)((int)(check ?? Check) << 4 | compression),
            KeyBits = (byte)keyBits,
            Key = key,
            MirrorTid = HeaderTid,
            ModifyTid = 7,
            DataOff = at | (uint)BitOperations.Log2((uint)block.Length),
        };
        Seal(ref bref, block);
        return bref;
    }

    /// <summary>Computes the check code of a block into its reference.</summary>
    internal static void Seal(ref BlockRef bref, ReadOnlySpan<byte> block)
    {
        Span<byte> code = stackalloc byte[Checks.CodeBytesMax];
        int length = Checks.Compute(bref.CheckMethod, block, code);
        code[..length].CopyTo(Area(ref bref));
    }

    /// <summary>A file block: encoded, padded, stored. <paramref name="bytes"/> is the logical content.</summary>
    internal BlockRef Data(ulong key, ReadOnlySpan<byte> bytes, CompressionMethod method = CompressionMethod.None, CheckMethod? check = null, int level = 6)
    {
        byte[] encoded = method switch
        {
            CompressionMethod.Lz4 => Lz4(bytes),
            CompressionMethod.Zlib => Zlib(bytes, level),
            _ => bytes.ToArray(),
        };
        return Store(BlockRefType.Data, Padded(encoded), key, FormatLimits.LogicalBlockRadix, check, (int)method);
    }

    /// <summary>Bytes zero-padded to the smallest block that holds them.</summary>
    internal static byte[] Padded(ReadOnlySpan<byte> bytes)
    {
        byte[] block = new byte[Math.Max(1024, (int)BitOperations.RoundUpToPowerOf2((uint)bytes.Length))];
        bytes.CopyTo(block);
        return block;
    }

    /// <summary>Four bytes of length and an LZ4 block.</summary>
    internal static byte[] Lz4(ReadOnlySpan<byte> bytes)
    {
        byte[] stream = new byte[4 + LZ4Codec.MaximumOutputSize(bytes.Length)];
        int length = LZ4Codec.Encode(bytes, stream.AsSpan(4));
        BinaryPrimitives.WriteInt32LittleEndian(stream, length);
        return stream[..(4 + length)];
    }

    /// <summary>A zlib stream.</summary>
    internal static byte[] Zlib(ReadOnlySpan<byte> bytes, int level = 6)
    {
        using var into = new MemoryStream();
        using (var zlib = new ZLibStream(into, new ZLibCompressionOptions { CompressionLevel = level }, leaveOpen: true))
            zlib.Write(bytes);
        return into.ToArray();
    }

    /// <summary>An indirect block of exactly these slots; EMPTY ones are gaps.</summary>
    internal BlockRef Indirect(ulong key, int keyBits, ReadOnlySpan<BlockRef> slots, int? radix = null, CheckMethod? check = null)
    {
        byte[] block = new byte[1 << (radix ?? IndirectRadix)];
        MemoryMarshal.AsBytes(slots).CopyTo(block);
        return Store(BlockRefType.Indirect, block, key, keyBits, check);
    }

    /// <summary>The 1024 bytes of an inode with a blockset.</summary>
    internal static byte[] InodeBlock(ulong number, ObjectType type, ulong size, ReadOnlySpan<BlockRef> blockset, EditInode? edit = null)
    {
        byte[] block = new byte[FormatLimits.InodeBytes];
        Fill(block, number, type, size, 0, edit);
        MemoryMarshal.AsBytes(blockset).CopyTo(block.AsSpan(InodeData.UnionOffset));
        return block;
    }

    /// <summary>The 1024 bytes of an inode with embedded data.</summary>
    internal static byte[] EmbeddedInodeBlock(ulong number, ObjectType type, ReadOnlySpan<byte> bytes, EditInode? edit = null)
    {
        byte[] block = new byte[FormatLimits.InodeBytes];
        Fill(block, number, type, (ulong)bytes.Length, InodeData.OpDirectData, edit);
        bytes.CopyTo(block.AsSpan(InodeData.UnionOffset));
        return block;
    }

    /// <summary>Stores an inode block under its number and enters it into the index.</summary>
    internal void AddInode(ulong number, ReadOnlySpan<byte> block, EditRef? edit = null, CheckMethod? check = null)
    {
        BlockRef bref = Store(BlockRefType.Inode, block, number, 0, check);
        edit?.Invoke(ref bref);
        Inodes.Add(bref);
    }

    /// <summary>A file of stored blocks with a name in the root directory; more than four references are packed.</summary>
    internal ulong AddFile(string name, ulong size, IReadOnlyList<BlockRef> data, EditInode? edit = null)
    {
        ulong number = NewInodeNumber();
        AddInode(number, InodeBlock(number, ObjectType.File, size, Pack(data, 4), edit));
        AddName(name, number, ObjectType.File);
        return number;
    }

    /// <summary>A file with embedded bytes and a name in the root directory.</summary>
    internal ulong AddEmbedded(string name, ReadOnlySpan<byte> bytes, EditInode? edit = null)
    {
        ulong number = NewInodeNumber();
        AddInode(number, EmbeddedInodeBlock(number, ObjectType.File, bytes, edit));
        AddName(name, number, ObjectType.File);
        return number;
    }

    /// <summary>A directory of these entries with a name in the root directory.</summary>
    internal ulong AddDirectory(string name, IReadOnlyList<BlockRef> entries, EditInode? edit = null)
    {
        ulong number = NewInodeNumber();
        AddInode(number, InodeBlock(number, ObjectType.Directory, 0, Pack(entries, 4), edit));
        AddName(name, number, ObjectType.Directory);
        return number;
    }

    /// <summary>A name in the root directory.</summary>
    internal void AddName(string name, ulong number, ObjectType type) => RootEntries.Add(Dirent(Encoding.UTF8.GetBytes(name), number, type));

    /// <summary>A directory entry; its key is hash + 1 unless given.</summary>
    internal BlockRef Dirent(ReadOnlySpan<byte> name, ulong number, ObjectType type, ulong? key = null, CheckMethod? check = null)
    {
        ulong at = key ?? DirectoryHash.Compute(name) + 1;
        BlockRef bref;
        if (name.Length <= FormatLimits.InlineNameBytesMax)
        {
            bref = new BlockRef { Type = BlockRefType.Dirent, Methods = (byte)((int)(check ?? Check) << 4), Key = at, MirrorTid = HeaderTid };
            name.CopyTo(Area(ref bref));
        }
        else
        {
            byte[] block = new byte[1024];
            name.CopyTo(block);
            bref = Store(BlockRefType.Dirent, block, at, 0, check);
        }

        bref.DirentInode = number;
        bref.DirentNameLength = (ushort)name.Length;
        bref.DirentType = type;
        return bref;
    }

    /// <summary>References sorted and put into indirect blocks until at most <paramref name="slots"/> are left.</summary>
    internal BlockRef[] Pack(IReadOnlyList<BlockRef> refs, int slots)
    {
        BlockRef[] sorted = [.. refs.OrderBy(r => r.Key)];
        return sorted.Length <= slots ? sorted : Split(sorted, slots);
    }

    /// <summary>Writes PFS root, super-root and all header copies.</summary>
    internal MemoryBlockDevice Finish()
    {
        BlockRef[] blockset = RootBlockset ?? Pack([.. Inodes, .. RootEntries], 4);
        byte[] block = InodeBlock(1, ObjectType.Directory, 0, blockset, (ref InodeData d) =>
        {
            d.OpFlags = InodeData.OpPfsRoot;
            d.PfsType = (byte)PfsType.Master;
            d.NameLength = (ushort)Label.Length;
            EditRootInode?.Invoke(ref d);
        });
        block.AsSpan(InodeData.NameOffset, InodeData.NameFieldBytes).Clear();
        Encoding.ASCII.GetBytes(Label, block.AsSpan(InodeData.NameOffset));
        BlockRef root = Store(BlockRefType.Inode, block, DirectoryHash.Compute(Encoding.ASCII.GetBytes(Label)), 0);
        root.Flags = BlockRef.FlagPfsRoot;
        EditRootRef?.Invoke(ref root);
        return Finish([root]);
    }

    /// <summary>Writes a super-root over these PFS roots, and all header copies.</summary>
    internal MemoryBlockDevice Finish(BlockRef[] pfsRoots)
    {
        BlockRef superRoot = Store(BlockRefType.Inode, InodeBlock(0, ObjectType.Directory, 0, Pack(pfsRoots, 4)), 0, 0);
        EditSuperRootRef?.Invoke(ref superRoot);
        WriteHeader([superRoot]);
        return Device;
    }

    /// <summary>Writes all header copies over this super-root blockset.</summary>
    internal void WriteHeader(ReadOnlySpan<BlockRef> superRoot)
    {
        byte[] header = new byte[FormatLimits.VolumeHeaderBytes];
        Span<byte> h = header;
        BinaryPrimitives.WriteUInt64LittleEndian(h, VolumeHeader.Magic);
        BinaryPrimitives.WriteInt64LittleEndian(h[0x28..], _size);
        BinaryPrimitives.WriteUInt32LittleEndian(h[0x30..], 2);
        h[0x3A] = 3;
        h[0x3C] = 1;
        new Guid("0fa1afe1-0000-4000-8000-0000000000aa").TryWriteBytes(h[0x40..]);
        VolumeHeader.HammerType.TryWriteBytes(h[0x50..]);
        BinaryPrimitives.WriteInt64LittleEndian(h[0x60..], _size);
        BinaryPrimitives.WriteUInt64LittleEndian(h[0x70..], AreaStart);
        BinaryPrimitives.WriteUInt64LittleEndian(h[0x78..], HeaderTid);
        BinaryPrimitives.WriteUInt64LittleEndian(h[0x90..], HeaderTid);
        BinaryPrimitives.WriteInt64LittleEndian(h[0xC0..], _size);
        h.Slice(VolumeHeader.VolumeOffsetsOffset + 8, 63 * 8).Fill(0xFF);
        MemoryMarshal.AsBytes(superRoot).CopyTo(h[VolumeHeader.SuperRootOffset..]);
        VolumeHeader.Seal(h);
        for (long at = 0; at < _size; at += FormatLimits.VolumeHeaderSpacing)
            Device.Write(at, header);
    }

    /// <summary>Finishes the image if need be and opens it.</summary>
    internal Hammer2Volume Open(VolumeOptions? options = null) => Hammer2Volume.Open([Finish()], options ?? new VolumeOptions { CacheBytesMax = 1 << 20 });

    /// <summary>The check area of a reference for writing.</summary>
    internal static Span<byte> Area(ref BlockRef bref) => MemoryMarshal.AsBytes(new Span<BlockRef>(ref bref))[0x40..];

    private static void Fill(byte[] block, ulong number, ObjectType type, ulong size, byte flags, EditInode? edit)
    {
        byte[] name = Encoding.ASCII.GetBytes($"0x{number:x16}");
        name.CopyTo(block, InodeData.NameOffset);
        ref InodeData data = ref MemoryMarshal.AsRef<InodeData>(block.AsSpan());
        data.Version = 1;
        data.Type = type;
        data.OpFlags = flags;
        data.Mode = type == ObjectType.Directory ? 0x1EDu : 0x1A4u;
        data.InodeNumber = number;
        data.Size = size;
        data.LinkCount = 1;
        data.ParentInode = 1;
        data.NameKey = number;
        data.NameLength = (ushort)name.Length;
        data.CompressionSetting = (byte)CompressionMethod.Lz4;
        data.CheckSetting = (byte)CheckMethod.XxHash64;
        edit?.Invoke(ref data);
    }

    // Cuts the smallest aligned range that holds everything into as many equal parts as there are slots.
    private BlockRef[] Split(BlockRef[] sorted, int slots)
    {
        ulong difference = sorted[0].Key ^ sorted[^1].LastKey;
        int bits = 64 - BitOperations.LeadingZeroCount(difference);
        int part = Math.Max(bits - BitOperations.Log2((uint)slots), 0);
        var result = new List<BlockRef>();
        foreach (IGrouping<ulong, BlockRef> group in sorted.GroupBy(r => part == 64 ? 0 : r.Key >> part))
        {
            BlockRef[] inside = [.. group];
            int capacity = (1 << IndirectRadix) / FormatLimits.BlockRefBytes;
            if (inside.Length == 1)
                result.Add(inside[0]);
            else
                result.Add(Indirect(group.Key << part, part, Pack(inside, capacity)));
        }

        return [.. result];
    }
}
