// The blockref, 128 bytes, as it lies on the medium (format page 3). Blittable: arrays of them are
// reinterpreted in place. The embed and check areas are unions; which view is valid follows from Type.

using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Hammer2.Engine.Format;

/// <summary>The 64 bytes of the check union: check code, inline name of a directory entry, or freemap hints.</summary>
[InlineArray(Bytes)]
public struct CheckArea
{
    /// <summary>Size of the area in bytes.</summary>
    public const int Bytes = 64;

    [SuppressMessage("CodeQuality", "IDE0044", Justification = "An inline array's element field must not be readonly.")]
    private byte _first;
}

/// <summary>A block reference: type, methods, key range, transaction ids, address and check of one block.</summary>
[StructLayout(LayoutKind.Explicit, Size = FormatLimits.BlockRefBytes)]
public struct BlockRef
{
    /// <summary>What the reference points to.</summary>
    [FieldOffset(0x00)] public BlockRefType Type;

    /// <summary>Low nibble compression, high nibble check method.</summary>
    [FieldOffset(0x01)] public byte Methods;

    /// <summary>Written as 0xFF by newfs, 0 by the kernel; no meaning.</summary>
    [FieldOffset(0x02)] public byte CopyId;

    /// <summary>log2 of the key range.</summary>
    [FieldOffset(0x03)] public byte KeyBits;

    /// <summary>Written as size radix by newfs, 0 by the kernel; no meaning.</summary>
    [FieldOffset(0x04)] public byte VRadix;

    /// <summary>0x01 PFS root, 0x04 modified in place in an emergency.</summary>
    [FieldOffset(0x05)] public byte Flags;

    /// <summary>Leaves below, saturating at 65535; a hint.</summary>
    [FieldOffset(0x06)] public ushort LeafCount;

    /// <summary>First key of the range.</summary>
    [FieldOffset(0x08)] public ulong Key;

    /// <summary>Media transaction of the last change of the block or anything below.</summary>
    [FieldOffset(0x10)] public ulong MirrorTid;

    /// <summary>Logical transaction of the last change.</summary>
    [FieldOffset(0x18)] public ulong ModifyTid;

    /// <summary>Offset and size radix of the physical block.</summary>
    [FieldOffset(0x20)] public ulong DataOff;

    /// <summary>Always 0 in practice.</summary>
    [FieldOffset(0x28)] public ulong UpdateTid;

    /// <summary>INODE, INDIRECT: bytes allocated below.</summary>
    [FieldOffset(0x30)] public ulong DataCount;

    /// <summary>INODE, INDIRECT: inodes below.</summary>
    [FieldOffset(0x38)] public ulong InodeCount;

    /// <summary>DIRENT: inode number of the target.</summary>
    [FieldOffset(0x30)] public ulong DirentInode;

    /// <summary>DIRENT: bytes of the name.</summary>
    [FieldOffset(0x38)] public ushort DirentNameLength;

    /// <summary>DIRENT: object type of the target.</summary>
    [FieldOffset(0x3A)] public ObjectType DirentType;

    /// <summary>Check code, inline name, or freemap hints.</summary>
    [FieldOffset(0x40)] public CheckArea Check;

    /// <summary>iscsi32, freemap: the CRC.</summary>
    [FieldOffset(0x40)] public uint Check32;

    /// <summary>xxhash64: the hash.</summary>
    [FieldOffset(0x40)] public ulong Check64;

    /// <summary>Freemap types: bit r set means an allocation of radix r might succeed.</summary>
    [FieldOffset(0x44)] public uint FreemapBigMask;

    /// <summary>Freemap types: written at creation, never updated (trap T16).</summary>
    [FieldOffset(0x48)] public ulong FreemapAvail;

    /// <summary>Flag bit: the inode is a PFS root.</summary>
    public const byte FlagPfsRoot = 0x01;

    /// <summary>Flag bit: modified in place in emergency mode.</summary>
    public const byte FlagEmergency = 0x04;

    /// <summary>Address of the block.</summary>
    public readonly PhysicalOffset Physical => new(DataOff);

    /// <summary>Compression method; only meaningful on DATA (trap T3).</summary>
    public readonly CompressionMethod Compression => (CompressionMethod)(Methods & 0x0F);

    /// <summary>Check method.</summary>
    public readonly CheckMethod CheckMethod => (CheckMethod)(Methods >> 4);

    /// <summary>Last key of the range, inclusive. KeyBits above 63 cover everything from Key on.</summary>
    public readonly ulong LastKey => KeyBits >= 64 ? ulong.MaxValue : Key | ((1UL << KeyBits) - 1);

    /// <summary>True for arrays of blockrefs.</summary>
    public readonly bool IsNode => Type is BlockRefType.Indirect or BlockRefType.FreemapNode;

    /// <summary>The check area as bytes, of a blockref that stays where it is.</summary>
    public static ReadOnlySpan<byte> CheckBytes(in BlockRef bref) =>
        MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<CheckArea, byte>(ref Unsafe.AsRef(in bref.Check)), CheckArea.Bytes);

    /// <summary>Type, key, address and methods in one short line for messages.</summary>
    public override readonly string ToString() =>
        $"{MethodNames.Of(Type)} key 0x{Key:x}/{KeyBits} at {Physical} check {MethodNames.Of(CheckMethod)}";
}
