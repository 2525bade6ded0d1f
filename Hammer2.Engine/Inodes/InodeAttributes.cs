// What stat(2) and its relatives want to know of an object, decoded and range-checked from its inode.
// A copy: it does not change when the inode does. May call Format and Primitives.

using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Inodes;

/// <summary>Attributes of a filesystem object. Times are microseconds since 1970 (see <see cref="MediaTime"/>).</summary>
public struct InodeAttributes
{
    /// <summary>Inode number, unique in its PFS.</summary>
    public ulong InodeNumber;

    /// <summary>Kind of object.</summary>
    public ObjectType Type;

    /// <summary>Permission bits, 07777; no file type bits.</summary>
    public uint Mode;

    /// <summary>Owner.</summary>
    public uint Uid;

    /// <summary>Group.</summary>
    public uint Gid;

    /// <summary>Bytes of a file or symlink target; 0 for directories.</summary>
    public long Size;

    /// <summary>Number of names; directories have 1 in HAMMER2 whatever they contain.</summary>
    public ulong LinkCount;

    /// <summary>Change time.</summary>
    public long ChangeTimeUs;

    /// <summary>Modification time.</summary>
    public long ModifyTimeUs;

    /// <summary>Access time; 0 on most objects, since reads do not update it.</summary>
    public long AccessTimeUs;

    /// <summary>Birth time; 0 = not recorded.</summary>
    public long BirthTimeUs;

    /// <summary>BSD chflags bits.</summary>
    public uint UserFlags;

    /// <summary>Major number of a device.</summary>
    public uint DeviceMajor;

    /// <summary>Minor number of a device.</summary>
    public uint DeviceMinor;

    /// <summary>Compression of blocks written from now on.</summary>
    public CompressionMethod Compression;

    /// <summary>Level of that compression; 0 = default.</summary>
    public int CompressionLevel;

    /// <summary>Check method of blocks written from now on.</summary>
    public CheckMethod Check;

    /// <summary>Directory in which the object was created or last renamed into.</summary>
    public ulong ParentInode;

    /// <summary>Bytes of the blocks below the inode (format page 3.5); 0 when the data is in the inode.</summary>
    public long AllocatedBytes;

    /// <summary>Of an inode in memory, with what waits to be written.</summary>
    internal static InodeAttributes From(InodeSlot slot)
    {
        InodeContent content = slot.Current.Content;
        InodeAttributes attributes = From(slot.Current.Ref, content.Data);
        if (!content.Data.IsDirectData)
            attributes.AllocatedBytes = (long)Math.Min(content.Allocated, long.MaxValue);
        if (slot.Dirty is DirtyBlocks dirty)
            attributes.AllocatedBytes += (long)dirty.Count * FormatLimits.LogicalBlockBytes;
        return attributes;
    }

    internal static InodeAttributes From(in BlockRef bref, in InodeData data) => new()
    {
        InodeNumber = data.InodeNumber,
        Type = data.Type,
        Mode = data.Mode & 0xFFF,
        Uid = data.Uid,
        Gid = data.Gid,
        Size = data.Type == ObjectType.Directory ? 0 : (long)data.Size,
        LinkCount = data.LinkCount,
        ChangeTimeUs = data.ChangeTime,
        ModifyTimeUs = data.ModifyTime,
        AccessTimeUs = data.AccessTime,
        BirthTimeUs = data.BirthTime,
        UserFlags = data.UserFlags,
        DeviceMajor = data.DeviceMajor,
        DeviceMinor = data.DeviceMinor,
        Compression = (CompressionMethod)(data.CompressionSetting & 0x0F),
        CompressionLevel = data.CompressionSetting >> 4,
        Check = (CheckMethod)(data.CheckSetting & 0x0F),
        ParentInode = data.ParentInode,
        AllocatedBytes = data.IsDirectData ? 0 : (long)Math.Min(bref.DataCount, long.MaxValue),
    };
}
