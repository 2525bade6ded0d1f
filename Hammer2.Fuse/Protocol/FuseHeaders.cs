// What this is: the headers around every FUSE message, and the INIT exchange.
// Invariants: blittable, explicit layout, in host byte order; size and offsets are the kernel's and asserted by a test.
// Layers: data only, calls nothing.

using System.Runtime.InteropServices;

namespace Hammer2.Fuse.Protocol;

/// <summary>Starts every request.</summary>
[StructLayout(LayoutKind.Explicit, Size = 40)]
internal struct FuseInHeader
{
    /// <summary>Bytes of the whole request, header included.</summary>
    [FieldOffset(0)] public uint Length;
    [FieldOffset(4)] public FuseOpcode Opcode;
    /// <summary>Identifies the request; the reply repeats it.</summary>
    [FieldOffset(8)] public ulong Unique;
    [FieldOffset(16)] public ulong NodeId;
    [FieldOffset(24)] public uint Uid;
    [FieldOffset(28)] public uint Gid;
    [FieldOffset(32)] public uint Pid;
    /// <summary>Length of extensions at the end of the request, in units of 8 bytes.</summary>
    [FieldOffset(36)] public ushort TotalExtensionLength;
    [FieldOffset(38)] public ushort Padding;
}

/// <summary>Starts every reply.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct FuseOutHeader
{
    /// <summary>Bytes of the whole reply, header included.</summary>
    [FieldOffset(0)] public uint Length;
    /// <summary>0 or a negative errno; a failed reply has no payload.</summary>
    [FieldOffset(4)] public int Error;
    [FieldOffset(8)] public ulong Unique;
}

/// <summary>INIT request: the fields every accepted kernel sends. Newer ones append a second flag word and spare space.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct FuseInitIn
{
    [FieldOffset(0)] public uint Major;
    [FieldOffset(4)] public uint Minor;
    [FieldOffset(8)] public uint MaxReadAhead;
    [FieldOffset(12)] public FuseInitFlags Flags;
}

/// <summary>INIT reply.</summary>
[StructLayout(LayoutKind.Explicit, Size = 64)]
internal struct FuseInitOut
{
    [FieldOffset(0)] public uint Major;
    [FieldOffset(4)] public uint Minor;
    [FieldOffset(8)] public uint MaxReadAhead;
    [FieldOffset(12)] public FuseInitFlags Flags;
    /// <summary>How many readahead and other asynchronous requests may be under way.</summary>
    [FieldOffset(16)] public ushort MaxBackground;
    [FieldOffset(18)] public ushort CongestionThreshold;
    [FieldOffset(20)] public uint MaxWrite;
    /// <summary>Granularity of times in nanoseconds.</summary>
    [FieldOffset(24)] public uint TimeGranularity;
    [FieldOffset(28)] public ushort MaxPages;
    [FieldOffset(30)] public ushort MapAlignment;
    [FieldOffset(32)] public uint Flags2;
}
