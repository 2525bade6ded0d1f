// What this is: attribute, entry, statx and statfs structures of the FUSE kernel protocol.
// Invariants: blittable, explicit layout, in host byte order; size and offsets are the kernel's and asserted by a test.
// Times are signed seconds since 1970 (negative before) plus nanoseconds 0 to 999,999,999.
// Layers: data only, calls nothing.

using System.Runtime.InteropServices;

namespace Hammer2.Fuse.Protocol;

/// <summary>What stat(2) shows.</summary>
[StructLayout(LayoutKind.Explicit, Size = 88)]
internal struct FuseAttributes
{
    [FieldOffset(0)] public ulong Inode;
    [FieldOffset(8)] public ulong Size;
    /// <summary>Allocated space in units of 512 bytes.</summary>
    [FieldOffset(16)] public ulong Blocks;
    [FieldOffset(24)] public long AccessSeconds;
    [FieldOffset(32)] public long ModifySeconds;
    [FieldOffset(40)] public long ChangeSeconds;
    [FieldOffset(48)] public uint AccessNanoseconds;
    [FieldOffset(52)] public uint ModifyNanoseconds;
    [FieldOffset(56)] public uint ChangeNanoseconds;
    [FieldOffset(60)] public uint Mode;
    [FieldOffset(64)] public uint LinkCount;
    [FieldOffset(68)] public uint Uid;
    [FieldOffset(72)] public uint Gid;
    [FieldOffset(76)] public uint Device;
    [FieldOffset(80)] public uint BlockSize;
    [FieldOffset(84)] public uint Flags;
}

/// <summary>Reply to LOOKUP. Node id 0 says "no such name" and lets the kernel remember that.</summary>
[StructLayout(LayoutKind.Explicit, Size = 128)]
internal struct FuseEntryOut
{
    [FieldOffset(0)] public ulong NodeId;
    [FieldOffset(8)] public ulong Generation;
    [FieldOffset(16)] public ulong EntryValidSeconds;
    [FieldOffset(24)] public ulong AttributesValidSeconds;
    [FieldOffset(32)] public uint EntryValidNanoseconds;
    [FieldOffset(36)] public uint AttributesValidNanoseconds;
    [FieldOffset(40)] public FuseAttributes Attributes;
}

/// <summary>GETATTR request.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct FuseGetAttributesIn
{
    [FieldOffset(0)] public uint Flags;
    [FieldOffset(4)] public uint Reserved;
    [FieldOffset(8)] public ulong Handle;
}

/// <summary>Reply to GETATTR.</summary>
[StructLayout(LayoutKind.Explicit, Size = 104)]
internal struct FuseAttributesOut
{
    [FieldOffset(0)] public ulong ValidSeconds;
    [FieldOffset(8)] public uint ValidNanoseconds;
    [FieldOffset(12)] public uint Reserved;
    [FieldOffset(16)] public FuseAttributes Attributes;
}

/// <summary>STATX request.</summary>
[StructLayout(LayoutKind.Explicit, Size = 24)]
internal struct FuseStatxIn
{
    [FieldOffset(0)] public uint GetAttributesFlags;
    [FieldOffset(4)] public uint Reserved;
    [FieldOffset(8)] public ulong Handle;
    [FieldOffset(16)] public uint StatxFlags;
    [FieldOffset(20)] public uint Mask;
}

/// <summary>A time of statx.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct FuseStatxTime
{
    [FieldOffset(0)] public long Seconds;
    [FieldOffset(8)] public uint Nanoseconds;
    [FieldOffset(12)] public int Reserved;
}

/// <summary>What statx(2) shows; the tail is spare.</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
internal struct FuseStatx
{
    /// <summary>The basic fields: type, mode, nlink, uid, gid, atime, mtime, ctime, ino, size, blocks.</summary>
    public const uint MaskBasic = 0x7FF;

    /// <summary>The birth time is valid.</summary>
    public const uint MaskBirthTime = 0x800;

    [FieldOffset(0)] public uint Mask;
    [FieldOffset(4)] public uint BlockSize;
    [FieldOffset(8)] public ulong AttributeBits;
    [FieldOffset(16)] public uint LinkCount;
    [FieldOffset(20)] public uint Uid;
    [FieldOffset(24)] public uint Gid;
    [FieldOffset(28)] public ushort Mode;
    [FieldOffset(32)] public ulong Inode;
    [FieldOffset(40)] public ulong Size;
    [FieldOffset(48)] public ulong Blocks;
    [FieldOffset(56)] public ulong AttributeBitsMask;
    [FieldOffset(64)] public FuseStatxTime AccessTime;
    [FieldOffset(80)] public FuseStatxTime BirthTime;
    [FieldOffset(96)] public FuseStatxTime ChangeTime;
    [FieldOffset(112)] public FuseStatxTime ModifyTime;
    [FieldOffset(128)] public uint DeviceMajor;
    [FieldOffset(132)] public uint DeviceMinor;
    [FieldOffset(136)] public uint FileSystemMajor;
    [FieldOffset(140)] public uint FileSystemMinor;
}

/// <summary>Reply to STATX.</summary>
[StructLayout(LayoutKind.Explicit, Size = 288)]
internal struct FuseStatxOut
{
    [FieldOffset(0)] public ulong ValidSeconds;
    [FieldOffset(8)] public uint ValidNanoseconds;
    [FieldOffset(12)] public uint Flags;
    [FieldOffset(32)] public FuseStatx Statx;
}

/// <summary>Reply to STATFS.</summary>
[StructLayout(LayoutKind.Explicit, Size = 80)]
internal struct FuseStatFsOut
{
    [FieldOffset(0)] public ulong Blocks;
    [FieldOffset(8)] public ulong BlocksFree;
    [FieldOffset(16)] public ulong BlocksAvailable;
    [FieldOffset(24)] public ulong Files;
    [FieldOffset(32)] public ulong FilesFree;
    [FieldOffset(40)] public uint BlockSize;
    [FieldOffset(44)] public uint NameLengthMax;
    /// <summary>The unit of the block counts.</summary>
    [FieldOffset(48)] public uint FragmentSize;
}
