// What this is: the requests and replies that change something, in the FUSE kernel protocol.
// Invariants: blittable, explicit layout, in host byte order; size and offsets are the kernel's and asserted by a test.
// Names and data follow the structure in the request.
// Layers: data only, calls nothing.

using System.Runtime.InteropServices;

namespace Hammer2.Fuse.Protocol;

/// <summary>Which fields of a SETATTR request count.</summary>
[Flags]
internal enum FuseSetAttributesFlags : uint
{
    None = 0,
    Mode = 1u << 0,
    Uid = 1u << 1,
    Gid = 1u << 2,
    Size = 1u << 3,
    AccessTime = 1u << 4,
    ModifyTime = 1u << 5,
    Handle = 1u << 6,
    AccessTimeNow = 1u << 7,
    ModifyTimeNow = 1u << 8,
    LockOwner = 1u << 9,
    ChangeTime = 1u << 10,
}

/// <summary>SETATTR request; the reply is a <see cref="FuseAttributesOut"/>.</summary>
[StructLayout(LayoutKind.Explicit, Size = 88)]
internal struct FuseSetAttributesIn
{
    [FieldOffset(0)] public FuseSetAttributesFlags Valid;
    [FieldOffset(8)] public ulong Handle;
    [FieldOffset(16)] public ulong Size;
    [FieldOffset(24)] public ulong LockOwner;
    [FieldOffset(32)] public long AccessSeconds;
    [FieldOffset(40)] public long ModifySeconds;
    [FieldOffset(48)] public long ChangeSeconds;
    [FieldOffset(56)] public uint AccessNanoseconds;
    [FieldOffset(60)] public uint ModifyNanoseconds;
    [FieldOffset(64)] public uint ChangeNanoseconds;
    [FieldOffset(68)] public uint Mode;
    [FieldOffset(76)] public uint Uid;
    [FieldOffset(80)] public uint Gid;
}

/// <summary>MKNOD request; the name follows.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct FuseMakeNodeIn
{
    /// <summary>Type and permissions; the umask of the caller is taken off already.</summary>
    [FieldOffset(0)] public uint Mode;
    [FieldOffset(4)] public uint Device;
    [FieldOffset(8)] public uint Mask;
}

/// <summary>MKDIR request; the name follows.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal struct FuseMakeDirectoryIn
{
    [FieldOffset(0)] public uint Mode;
    [FieldOffset(4)] public uint Mask;
}

/// <summary>RENAME request; the old and the new name follow.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal struct FuseRenameIn
{
    [FieldOffset(0)] public ulong NewDirectory;
}

/// <summary>RENAME2 request; the old and the new name follow.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct FuseRename2In
{
    /// <summary><see cref="Flags"/>: fail if the new name exists.</summary>
    public const uint NoReplace = 1;

    /// <summary><see cref="Flags"/>: swap the two.</summary>
    public const uint Exchange = 2;

    [FieldOffset(0)] public ulong NewDirectory;
    [FieldOffset(8)] public uint Flags;
}

/// <summary>LINK request; the new name follows.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal struct FuseLinkIn
{
    [FieldOffset(0)] public ulong OldNode;
}

/// <summary>CREATE request; the name follows.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct FuseCreateIn
{
    [FieldOffset(0)] public uint Flags;
    [FieldOffset(4)] public uint Mode;
    [FieldOffset(8)] public uint Mask;
    [FieldOffset(12)] public uint FuseFlags;
}

/// <summary>Reply to CREATE: a lookup and an open in one.</summary>
[StructLayout(LayoutKind.Explicit, Size = 144)]
internal struct FuseCreateOut
{
    [FieldOffset(0)] public FuseEntryOut Entry;
    [FieldOffset(128)] public FuseOpenOut Opened;
}

/// <summary>WRITE request; the data follows.</summary>
[StructLayout(LayoutKind.Explicit, Size = 40)]
internal struct FuseWriteIn
{
    [FieldOffset(0)] public ulong Handle;
    /// <summary>Always where the data goes, also for files opened with O_APPEND: the kernel knows the size.</summary>
    [FieldOffset(8)] public ulong Offset;
    [FieldOffset(16)] public uint Size;
    [FieldOffset(20)] public uint WriteFlags;
    [FieldOffset(24)] public ulong LockOwner;
    [FieldOffset(32)] public uint Flags;
}

/// <summary>Reply to WRITE and COPY_FILE_RANGE.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal struct FuseWriteOut
{
    [FieldOffset(0)] public uint Size;
}

/// <summary>FSYNC and FSYNCDIR request.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct FuseFSyncIn
{
    [FieldOffset(0)] public ulong Handle;
    [FieldOffset(8)] public uint SyncFlags;
}

/// <summary>FALLOCATE request.</summary>
[StructLayout(LayoutKind.Explicit, Size = 32)]
internal struct FuseFAllocateIn
{
    /// <summary><see cref="Mode"/>: the size of the file stays.</summary>
    public const uint KeepSize = 1;

    /// <summary><see cref="Mode"/>: the range becomes a hole.</summary>
    public const uint PunchHole = 2;

    /// <summary><see cref="Mode"/>: the range reads as zeros.</summary>
    public const uint ZeroRange = 0x10;

    [FieldOffset(0)] public ulong Handle;
    [FieldOffset(8)] public ulong Offset;
    [FieldOffset(16)] public ulong Length;
    [FieldOffset(24)] public uint Mode;
}

/// <summary>COPY_FILE_RANGE request; the node in the header is the source.</summary>
[StructLayout(LayoutKind.Explicit, Size = 56)]
internal struct FuseCopyFileRangeIn
{
    [FieldOffset(0)] public ulong HandleIn;
    [FieldOffset(8)] public ulong OffsetIn;
    [FieldOffset(16)] public ulong NodeOut;
    [FieldOffset(24)] public ulong HandleOut;
    [FieldOffset(32)] public ulong OffsetOut;
    [FieldOffset(40)] public ulong Length;
    [FieldOffset(48)] public ulong Flags;
}

/// <summary>Reply to COPY_FILE_RANGE_64.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal struct FuseCopyFileRangeOut
{
    [FieldOffset(0)] public ulong Copied;
}

/// <summary>IOCTL request; its input data follows.</summary>
[StructLayout(LayoutKind.Explicit, Size = 32)]
internal struct FuseIoControlIn
{
    /// <summary>FS_IOC_GETFLAGS of 64-bit and 32-bit programs.</summary>
    public const uint GetFlags = 0x80086601, GetFlags32 = 0x80046601;

    /// <summary>FS_IOC_SETFLAGS of 64-bit and 32-bit programs.</summary>
    public const uint SetFlags = 0x40086602, SetFlags32 = 0x40046602;

    /// <summary>FS_IOC_FSGETXATTR, which the kernel itself asks before it sets flags.</summary>
    public const uint GetAttributes = 0x801C581F;

    [FieldOffset(0)] public ulong Handle;
    [FieldOffset(8)] public uint Flags;
    [FieldOffset(12)] public uint Command;
    [FieldOffset(16)] public ulong Argument;
    [FieldOffset(24)] public uint InSize;
    [FieldOffset(28)] public uint OutSize;
}

/// <summary>Reply to IOCTL, with room for the output data of those that are known.</summary>
[StructLayout(LayoutKind.Explicit, Size = 48)]
internal struct FuseIoControlOut
{
    /// <summary>Length without output data.</summary>
    public const int HeadBytes = 16;

    [FieldOffset(0)] public int Result;
    [FieldOffset(4)] public uint Flags;
    [FieldOffset(8)] public uint InVectors;
    [FieldOffset(12)] public uint OutVectors;
    [FieldOffset(16)] public ulong Value;
    [FieldOffset(16)] public FuseExtendedFlags Extended;
}

/// <summary>What FS_IOC_FSGETXATTR tells; all but the flags is about other filesystems.</summary>
[StructLayout(LayoutKind.Explicit, Size = 28)]
internal struct FuseExtendedFlags
{
    [FieldOffset(0)] public uint Flags;

    /// <summary>Immutable, append-only and no-dump, which have other bits here.</summary>
    public static uint FromFlags(uint flags) => ((flags & 0x10) >> 1) | ((flags & 0x20) >> 1) | ((flags & 0x40) << 1);
}

/// <summary>BATCH_FORGET request; as many <see cref="FuseForgetOne"/> follow. It has no reply.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal struct FuseBatchForgetIn
{
    [FieldOffset(0)] public uint Count;
}

/// <summary>A node of a BATCH_FORGET.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct FuseForgetOne
{
    [FieldOffset(0)] public ulong NodeId;
    [FieldOffset(8)] public ulong LookupCount;
}
