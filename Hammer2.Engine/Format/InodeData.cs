// The fixed part of an inode: its first 256 bytes (format page 5.1). The file name (0x100..0x1FF) and the
// union of embedded data and blockset (0x200..0x3FF) follow it and are read as spans by whoever needs them.

using System.Runtime.InteropServices;

namespace Hammer2.Engine.Format;

/// <summary>The first 256 bytes of an inode block.</summary>
[StructLayout(LayoutKind.Explicit, Size = Bytes)]
public struct InodeData
{
    /// <summary>Bytes of this part.</summary>
    public const int Bytes = 0x100;

    /// <summary>Offset of the file name inside the inode block.</summary>
    public const int NameOffset = 0x100;

    /// <summary>Bytes of the name field.</summary>
    public const int NameFieldBytes = 256;

    /// <summary>Offset of the embedded data or blockset inside the inode block.</summary>
    public const int UnionOffset = 0x200;

    /// <summary>OpFlags bit: the union holds the file's bytes.</summary>
    public const byte OpDirectData = 0x01;

    /// <summary>OpFlags bit: the inode is a PFS root.</summary>
    public const byte OpPfsRoot = 0x02;

    /// <summary>1.</summary>
    [FieldOffset(0x000)] public ushort Version;

    /// <summary>PFS roots: <see cref="Format.PfsSubtype"/>.</summary>
    [FieldOffset(0x003)] public byte PfsSubtype;

    /// <summary>BSD chflags bits.</summary>
    [FieldOffset(0x004)] public uint UserFlags;

    /// <summary>Device major number.</summary>
    [FieldOffset(0x008)] public uint DeviceMajor;

    /// <summary>Device minor number.</summary>
    [FieldOffset(0x00C)] public uint DeviceMinor;

    /// <summary>Change time, microseconds.</summary>
    [FieldOffset(0x010)] public long ChangeTime;

    /// <summary>Modification time, microseconds.</summary>
    [FieldOffset(0x018)] public long ModifyTime;

    /// <summary>Access time, microseconds; not updated by reads.</summary>
    [FieldOffset(0x020)] public long AccessTime;

    /// <summary>Birth time, microseconds; 0 on inodes made at run time.</summary>
    [FieldOffset(0x028)] public long BirthTime;

    /// <summary>Owner: last four bytes of the owner UUID.</summary>
    [FieldOffset(0x03C)] public uint Uid;

    /// <summary>Group: last four bytes of the group UUID.</summary>
    [FieldOffset(0x04C)] public uint Gid;

    /// <summary>Object type.</summary>
    [FieldOffset(0x050)] public ObjectType Type;

    /// <summary>Direct data, PFS root.</summary>
    [FieldOffset(0x051)] public byte OpFlags;

    /// <summary>0.</summary>
    [FieldOffset(0x052)] public ushort CapFlags;

    /// <summary>Permission bits (07777).</summary>
    [FieldOffset(0x054)] public uint Mode;

    /// <summary>Inode number.</summary>
    [FieldOffset(0x058)] public ulong InodeNumber;

    /// <summary>Size in bytes; 0 for directories.</summary>
    [FieldOffset(0x060)] public ulong Size;

    /// <summary>Link count.</summary>
    [FieldOffset(0x068)] public ulong LinkCount;

    /// <summary>Inode number of the nominal parent directory.</summary>
    [FieldOffset(0x070)] public ulong ParentInode;

    /// <summary>Key under which the inode is stored.</summary>
    [FieldOffset(0x078)] public ulong NameKey;

    /// <summary>Bytes of the name.</summary>
    [FieldOffset(0x080)] public ushort NameLength;

    /// <summary>0.</summary>
    [FieldOffset(0x082)] public byte CopyCount;

    /// <summary>Low nibble compression method for new blocks, high nibble level.</summary>
    [FieldOffset(0x083)] public byte CompressionSetting;

    /// <summary>Low nibble check method for new blocks.</summary>
    [FieldOffset(0x085)] public byte CheckSetting;

    /// <summary>PFS root: number of masters.</summary>
    [FieldOffset(0x086)] public byte PfsMasters;

    /// <summary>PFS root: <see cref="Format.PfsType"/>.</summary>
    [FieldOffset(0x087)] public byte PfsType;

    /// <summary>PFS root: next inode number.</summary>
    [FieldOffset(0x088)] public ulong PfsNextInode;

    /// <summary>PFS root: cluster UUID.</summary>
    [FieldOffset(0x090)] public Guid PfsClusterId;

    /// <summary>PFS root: unique UUID.</summary>
    [FieldOffset(0x0A0)] public Guid PfsFileSystemId;

    /// <summary>Data quota; stored, not enforced.</summary>
    [FieldOffset(0x0B0)] public ulong DataQuota;

    /// <summary>Inode quota; stored, not enforced.</summary>
    [FieldOffset(0x0C0)] public ulong InodeQuota;

    /// <summary>PFS root: modify TID of the last snapshot.</summary>
    [FieldOffset(0x0D0)] public ulong PfsLastSnapshotTid;

    /// <summary>0.</summary>
    [FieldOffset(0x0E0)] public ulong DecryptCheck;

    /// <summary>True when the file's bytes are in the inode.</summary>
    public readonly bool IsDirectData => (OpFlags & OpDirectData) != 0;
}
