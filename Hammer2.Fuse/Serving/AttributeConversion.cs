// What this is: engine attributes in the terms of the FUSE protocol.
// Invariants: pure functions; times before 1970 are floored, so nanoseconds are never negative; device numbers are packed as
// the kernel unpacks them (12 bits major, 20 bits minor).
// Layers: Engine (Inodes, Format), Protocol.

using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Fuse.Protocol;

namespace Hammer2.Fuse.Serving;

/// <summary>Converts attributes.</summary>
internal static class AttributeConversion
{
    /// <summary>st_blksize: HAMMER2's logical block.</summary>
    public const uint BlockBytes = 65536;

    private const long MicrosecondsPerSecond = 1_000_000;
    private const long SecondsMax = long.MaxValue / MicrosecondsPerSecond - 1;
    private const int TypeShift = 12;
    private const uint PermissionMask = 0xFFF;

    /// <summary>The type part of st_mode, shifted down, as directory records want it; 0 for what Linux has no type for.</summary>
    public static uint DirentType(ObjectType type) => type switch
    {
        ObjectType.Fifo => 1,
        ObjectType.CharDevice => 2,
        ObjectType.Directory => 4,
        ObjectType.BlockDevice => 6,
        ObjectType.File => 8,
        ObjectType.Symlink => 10,
        ObjectType.Socket => 12,
        // BSD's whiteouts and whatever a later version adds: shown as an empty regular file rather than hidden.
        _ => 8,
    };

    /// <summary>The type that a mode says, or null.</summary>
    public static ObjectType? TypeOf(uint mode) => (mode >> TypeShift) switch
    {
        // mknod(2): no type means a regular file.
        0 or 8 => ObjectType.File,
        1 => ObjectType.Fifo,
        2 => ObjectType.CharDevice,
        4 => ObjectType.Directory,
        6 => ObjectType.BlockDevice,
        10 => ObjectType.Symlink,
        12 => ObjectType.Socket,
        _ => null,
    };

    /// <summary>st_mode.</summary>
    public static uint Mode(in InodeAttributes from) => (DirentType(from.Type) << TypeShift) | (from.Mode & PermissionMask);

    /// <summary>st_rdev as the kernel decodes it; numbers that Linux cannot express are cut.</summary>
    public static uint Device(uint major, uint minor) => (minor & 0xFF) | ((major & 0xFFF) << 8) | ((minor & 0xFFF00) << 12);

    /// <summary>Undoes <see cref="Device"/>.</summary>
    public static (uint Major, uint Minor) DeviceOf(uint device) =>
        ((device >> 8) & 0xFFF, (device & 0xFF) | ((device >> 12) & 0xFFF00));

    /// <summary>Undoes <see cref="Split"/>; a time beyond the medium's range becomes the last one in it.</summary>
    public static long Join(long seconds, uint nanoseconds)
    {
        var limited = Math.Clamp(seconds, -SecondsMax, SecondsMax);
        return limited * MicrosecondsPerSecond + (limited == seconds ? nanoseconds / 1000 : 0);
    }

    /// <summary>Splits microseconds since 1970.</summary>
    public static (long Seconds, uint Nanoseconds) Split(long microseconds)
    {
        var seconds = Math.DivRem(microseconds, MicrosecondsPerSecond, out var rest);
        if (rest < 0)
        {
            seconds--;
            rest += MicrosecondsPerSecond;
        }

        return (seconds, (uint)rest * 1000);
    }

    /// <summary>Fills what stat shows.</summary>
    public static void Fill(in InodeAttributes from, in FuseOwners owners, ref FuseAttributes to)
    {
        to.Inode = from.InodeNumber;
        to.Size = (ulong)from.Size;
        to.Blocks = (ulong)from.AllocatedBytes / 512;
        (to.AccessSeconds, to.AccessNanoseconds) = Split(AccessTimeOf(from));
        (to.ModifySeconds, to.ModifyNanoseconds) = Split(from.ModifyTimeUs);
        (to.ChangeSeconds, to.ChangeNanoseconds) = Split(from.ChangeTimeUs);
        to.Mode = Mode(from);
        to.LinkCount = LinkCountOf(from);
        to.Uid = owners.Uid ?? from.Uid;
        to.Gid = owners.Gid ?? from.Gid;
        to.Device = Device(from.DeviceMajor, from.DeviceMinor);
        to.BlockSize = BlockBytes;
    }

    /// <summary>Fills what statx shows: the same and the birth time.</summary>
    public static void Fill(in InodeAttributes from, in FuseOwners owners, ref FuseStatx to)
    {
        to.Mask = FuseStatx.MaskBasic;
        to.BlockSize = BlockBytes;
        to.LinkCount = LinkCountOf(from);
        to.Uid = owners.Uid ?? from.Uid;
        to.Gid = owners.Gid ?? from.Gid;
        to.Mode = (ushort)Mode(from);
        to.Inode = from.InodeNumber;
        to.Size = (ulong)from.Size;
        to.Blocks = (ulong)from.AllocatedBytes / 512;
        (to.AccessTime.Seconds, to.AccessTime.Nanoseconds) = Split(AccessTimeOf(from));
        (to.ChangeTime.Seconds, to.ChangeTime.Nanoseconds) = Split(from.ChangeTimeUs);
        (to.ModifyTime.Seconds, to.ModifyTime.Nanoseconds) = Split(from.ModifyTimeUs);
        to.DeviceMajor = from.DeviceMajor;
        to.DeviceMinor = from.DeviceMinor;
        if (from.BirthTimeUs == 0)
            return;
        to.Mask |= FuseStatx.MaskBirthTime;
        (to.BirthTime.Seconds, to.BirthTime.Nanoseconds) = Split(from.BirthTimeUs);
    }

    // HAMMER2 does not keep access times up to date and often leaves the field 0; DragonFly shows the modification time.
    private static long AccessTimeOf(in InodeAttributes from) => from.AccessTimeUs == 0 ? from.ModifyTimeUs : from.AccessTimeUs;

    private static uint LinkCountOf(in InodeAttributes from) => (uint)Math.Min(from.LinkCount, uint.MaxValue);
}

/// <summary>Owners shown instead of those on the medium; null leaves the medium's.</summary>
internal readonly record struct FuseOwners(uint? Uid, uint? Gid);
