// Enumerations of the medium: blockref types, object types, compression and check methods, PFS types.
// Values are the stored ones. Unknown values are representable; who decodes one refuses it by name and number.

namespace Hammer2.Engine.Format;

/// <summary>Type of a blockref (format page 3.1).</summary>
public enum BlockRefType : byte
{
    /// <summary>Free slot.</summary>
    Empty = 0,

    /// <summary>1 KiB inode.</summary>
    Inode = 1,

    /// <summary>Array of blockrefs.</summary>
    Indirect = 2,

    /// <summary>File data.</summary>
    Data = 3,

    /// <summary>Directory entry.</summary>
    Dirent = 4,

    /// <summary>Array of blockrefs of the freemap.</summary>
    FreemapNode = 5,

    /// <summary>256 bitmap records of one zone.</summary>
    FreemapLeaf = 6,

    /// <summary>Marker in the headers of volumes other than the root volume.</summary>
    Invalid = 7,
}

/// <summary>Type of a filesystem object, in inodes and directory entries (format page 5.3).</summary>
public enum ObjectType : byte
{
    /// <summary>Not known.</summary>
    Unknown = 0,

    /// <summary>Directory.</summary>
    Directory = 1,

    /// <summary>Regular file.</summary>
    File = 2,

    /// <summary>Named pipe.</summary>
    Fifo = 4,

    /// <summary>Character device.</summary>
    CharDevice = 5,

    /// <summary>Block device.</summary>
    BlockDevice = 6,

    /// <summary>Symbolic link.</summary>
    Symlink = 7,

    /// <summary>Socket.</summary>
    Socket = 9,

    /// <summary>Whiteout of a union mount.</summary>
    Whiteout = 10,
}

/// <summary>Compression method: low nibble of a blockref's methods and of an inode's setting (3.2, 5.7).</summary>
public enum CompressionMethod : byte
{
    /// <summary>Stored as is.</summary>
    None = 0,

    /// <summary>Stored as is, but blocks of zeros become holes.</summary>
    AutoZero = 1,

    /// <summary>LZ4 block behind a 4-byte length.</summary>
    Lz4 = 2,

    /// <summary>zlib stream.</summary>
    Zlib = 3,
}

/// <summary>Check method: high nibble of a blockref's methods (3.2).</summary>
public enum CheckMethod : byte
{
    /// <summary>No check; overwriting in place is allowed.</summary>
    None = 0,

    /// <summary>No check; still copy-on-write.</summary>
    Disabled = 1,

    /// <summary>CRC-32C.</summary>
    Iscsi32 = 2,

    /// <summary>XXH64 with HAMMER2's seed.</summary>
    XxHash64 = 3,

    /// <summary>SHA-256 folded to 192 bits.</summary>
    Sha192 = 4,

    /// <summary>CRC-32C in the layout of freemap blockrefs.</summary>
    Freemap = 5,
}

/// <summary>Type of a PFS (format page 11.2).</summary>
public enum PfsType : byte
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>Cache.</summary>
    Cache = 1,

    /// <summary>Slave.</summary>
    Slave = 3,

    /// <summary>Soft slave.</summary>
    SoftSlave = 4,

    /// <summary>Soft master.</summary>
    SoftMaster = 5,

    /// <summary>Master: what single-node volumes use.</summary>
    Master = 6,

    /// <summary>The super-root itself.</summary>
    SuperRoot = 8,

    /// <summary>Dummy.</summary>
    Dummy = 9,
}

/// <summary>Subtype of a PFS.</summary>
public enum PfsSubtype : byte
{
    /// <summary>Ordinary PFS.</summary>
    None = 0,

    /// <summary>Snapshot.</summary>
    Snapshot = 1,

    /// <summary>Automatic snapshot.</summary>
    AutoSnapshot = 2,
}

/// <summary>Names of the enumerations as commands and manifests print them.</summary>
public static class MethodNames
{
    /// <summary>"xxhash64", or "6 (unknown)".</summary>
    public static string Of(CheckMethod method) => method switch
    {
        CheckMethod.None => "none",
        CheckMethod.Disabled => "disabled",
        CheckMethod.Iscsi32 => "iscsi32",
        CheckMethod.XxHash64 => "xxhash64",
        CheckMethod.Sha192 => "sha192",
        CheckMethod.Freemap => "freemap",
        _ => $"{(int)method} (unknown)",
    };

    /// <summary>"lz4", or "9 (unknown)".</summary>
    public static string Of(CompressionMethod method) => method switch
    {
        CompressionMethod.None => "none",
        CompressionMethod.AutoZero => "autozero",
        CompressionMethod.Lz4 => "lz4",
        CompressionMethod.Zlib => "zlib",
        _ => $"{(int)method} (unknown)",
    };

    /// <summary>"indirect", or "9 (unknown)".</summary>
    public static string Of(BlockRefType type) => type switch
    {
        BlockRefType.Empty => "empty",
        BlockRefType.Inode => "inode",
        BlockRefType.Indirect => "indirect",
        BlockRefType.Data => "data",
        BlockRefType.Dirent => "dirent",
        BlockRefType.FreemapNode => "freemap-node",
        BlockRefType.FreemapLeaf => "freemap-leaf",
        BlockRefType.Invalid => "invalid",
        _ => $"{(int)type} (unknown)",
    };

    /// <summary>"dir", or "3 (unknown)".</summary>
    public static string Of(ObjectType type) => type switch
    {
        ObjectType.Directory => "dir",
        ObjectType.File => "file",
        ObjectType.Fifo => "fifo",
        ObjectType.CharDevice => "chardev",
        ObjectType.BlockDevice => "blockdev",
        ObjectType.Symlink => "symlink",
        ObjectType.Socket => "socket",
        ObjectType.Whiteout => "whiteout",
        _ => $"{(int)type} (unknown)",
    };

    /// <summary>True for the object types of format page 5.3 that may stand in an inode.</summary>
    public static bool IsKnown(ObjectType type) => type is ObjectType.Directory or ObjectType.File or ObjectType.Fifo
        or ObjectType.CharDevice or ObjectType.BlockDevice or ObjectType.Symlink or ObjectType.Socket or ObjectType.Whiteout;
}
