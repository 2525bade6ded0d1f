// What callers say when they change something: the shape of a new object, the kind of a rename, new attributes.
// Plain values; nothing here acts. May call Format.

using Hammer2.Engine.Format;

namespace Hammer2.Engine.Pfs;

/// <summary>What <see cref="PfsMount.TryCreate"/> makes.</summary>
public readonly ref struct NewInode
{
    /// <summary>Kind of object.</summary>
    public ObjectType Type { get; init; }

    /// <summary>Permission bits, 07777.</summary>
    public uint Mode { get; init; }

    /// <summary>Owner.</summary>
    public uint Uid { get; init; }

    /// <summary>Group; null = that of the directory, as BSD does it.</summary>
    public uint? Gid { get; init; }

    /// <summary>Major number of a device.</summary>
    public uint DeviceMajor { get; init; }

    /// <summary>Minor number of a device.</summary>
    public uint DeviceMinor { get; init; }

    /// <summary>BSD chflags bits.</summary>
    public uint UserFlags { get; init; }

    /// <summary>Birth time in microseconds since 1970; null = now.</summary>
    public long? BirthTimeUs { get; init; }

    /// <summary>Target of a symlink: 1 to 65535 bytes, no NUL.</summary>
    public ReadOnlySpan<byte> SymlinkTarget { get; init; }
}

/// <summary>What a rename does with a target name that exists.</summary>
public enum RenameMode
{
    /// <summary>Replaces it, as rename(2) does.</summary>
    Replace,

    /// <summary>Fails with <c>Exists</c>.</summary>
    NoReplace,

    /// <summary>Swaps the two; both must exist.</summary>
    Exchange,
}

/// <summary>Attributes to set; null leaves one as it is. Times are microseconds since 1970.</summary>
public readonly record struct AttributeChanges
{
    /// <summary>Permission bits, 07777.</summary>
    public uint? Mode { get; init; }

    /// <summary>Owner.</summary>
    public uint? Uid { get; init; }

    /// <summary>Group.</summary>
    public uint? Gid { get; init; }

    /// <summary>BSD chflags bits.</summary>
    public uint? UserFlags { get; init; }

    /// <summary>Access time.</summary>
    public long? AccessTimeUs { get; init; }

    /// <summary>Modification time.</summary>
    public long? ModifyTimeUs { get; init; }

    /// <summary>Change time; null = now, when anything else is set.</summary>
    public long? ChangeTimeUs { get; init; }

    /// <summary>Birth time.</summary>
    public long? BirthTimeUs { get; init; }

    /// <summary>Compression of blocks written from now on.</summary>
    public CompressionMethod? Compression { get; init; }

    /// <summary>Level of that compression.</summary>
    public int? CompressionLevel { get; init; }

    /// <summary>Check method of blocks written from now on.</summary>
    public CheckMethod? Check { get; init; }

    /// <summary>New size of a file.</summary>
    public long? Size { get; init; }
}
