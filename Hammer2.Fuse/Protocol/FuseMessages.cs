// What this is: the requests and replies of files and directories in the FUSE kernel protocol.
// Invariants: blittable, explicit layout, in host byte order; size and offsets are the kernel's and asserted by a test.
// Layers: data only, calls nothing.

using System.Runtime.InteropServices;

namespace Hammer2.Fuse.Protocol;

/// <summary>FORGET request; it has no reply.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal struct FuseForgetIn
{
    [FieldOffset(0)] public ulong LookupCount;
}

/// <summary>OPEN and OPENDIR request.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal struct FuseOpenIn
{
    /// <summary>The flags of open(2).</summary>
    [FieldOffset(0)] public uint Flags;
    [FieldOffset(4)] public uint FuseFlags;
}

/// <summary>Reply to OPEN and OPENDIR.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct FuseOpenOut
{
    [FieldOffset(0)] public ulong Handle;
    [FieldOffset(8)] public FuseOpenFlags Flags;
    [FieldOffset(12)] public int BackingId;
}

/// <summary>READ, READDIR and READDIRPLUS request. The reply is the bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 40)]
internal struct FuseReadIn
{
    [FieldOffset(0)] public ulong Handle;
    /// <summary>Byte offset, or the position cookie of a directory.</summary>
    [FieldOffset(8)] public ulong Offset;
    [FieldOffset(16)] public uint Size;
    [FieldOffset(20)] public uint ReadFlags;
    [FieldOffset(24)] public ulong LockOwner;
    [FieldOffset(32)] public uint Flags;
    [FieldOffset(36)] public uint Padding;
}

/// <summary>RELEASE and RELEASEDIR request.</summary>
[StructLayout(LayoutKind.Explicit, Size = 24)]
internal struct FuseReleaseIn
{
    [FieldOffset(0)] public ulong Handle;
    [FieldOffset(8)] public uint Flags;
    [FieldOffset(12)] public uint ReleaseFlags;
    [FieldOffset(16)] public ulong LockOwner;
}

/// <summary>LSEEK request, for holes only: the kernel does the rest of lseek(2) itself.</summary>
[StructLayout(LayoutKind.Explicit, Size = 24)]
internal struct FuseLSeekIn
{
    /// <summary><see cref="Whence"/>: the next byte that is stored.</summary>
    public const uint SeekData = 3;

    /// <summary><see cref="Whence"/>: the next byte in a hole; the end of the file is one.</summary>
    public const uint SeekHole = 4;

    [FieldOffset(0)] public ulong Handle;
    [FieldOffset(8)] public ulong Offset;
    [FieldOffset(16)] public uint Whence;
    [FieldOffset(20)] public uint Padding;
}

/// <summary>Reply to LSEEK.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal struct FuseLSeekOut
{
    [FieldOffset(0)] public ulong Offset;
}

/// <summary>ACCESS request.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal struct FuseAccessIn
{
    /// <summary>R_OK 4, W_OK 2, X_OK 1.</summary>
    [FieldOffset(0)] public uint Mask;
    [FieldOffset(4)] public uint Padding;
}

/// <summary>A record of a READDIR reply; the name follows, padded to 8 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 24)]
internal struct FuseDirent
{
    [FieldOffset(0)] public ulong Inode;
    /// <summary>The cookie that continues after this record.</summary>
    [FieldOffset(8)] public ulong Offset;
    [FieldOffset(16)] public uint NameLength;
    /// <summary>The type bits of the mode, shifted down by 12.</summary>
    [FieldOffset(20)] public uint Type;
}

/// <summary>
/// A record of a READDIRPLUS reply; the name follows, padded to 8 bytes. An entry with node id 0 gives the name only.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 152)]
internal struct FuseDirentPlus
{
    [FieldOffset(0)] public FuseEntryOut Entry;
    [FieldOffset(128)] public FuseDirent Dirent;
}
