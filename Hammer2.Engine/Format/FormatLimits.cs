// Numbers of the format (hammer2-format.md section 1.3). Every size and offset elsewhere derives from these names.
// Bytes only: nothing in this room does I/O.

namespace Hammer2.Engine.Format;

/// <summary>Constants of the HAMMER2 format.</summary>
public static class FormatLimits
{
    /// <summary>Smallest allocation: 1 KiB.</summary>
    public const int AllocationRadixMin = 10;

    /// <summary>Largest allocation: 64 KiB.</summary>
    public const int AllocationRadixMax = 16;

    /// <summary>Bytes of the largest physical block, and of every logical file block.</summary>
    public const int BlockBytesMax = 1 << AllocationRadixMax;

    /// <summary>log2 of the logical file block (7.1).</summary>
    public const int LogicalBlockRadix = 16;

    /// <summary>Bytes of a logical file block.</summary>
    public const int LogicalBlockBytes = 1 << LogicalBlockRadix;

    /// <summary>Bytes of a blockref.</summary>
    public const int BlockRefBytes = 128;

    /// <summary>Blockrefs in a blockset (inode, volume header).</summary>
    public const int BlockSetCount = 4;

    /// <summary>Bytes of a blockset.</summary>
    public const int BlockSetBytes = BlockSetCount * BlockRefBytes;

    /// <summary>Bytes of an inode.</summary>
    public const int InodeBytes = 1024;

    /// <summary>Bytes of file data that fit into an inode.</summary>
    public const int EmbeddedBytes = 512;

    /// <summary>Bytes of a volume header.</summary>
    public const int VolumeHeaderBytes = 65536;

    /// <summary>Copies of the volume header on a volume, at most.</summary>
    public const int VolumeHeaderCopies = 4;

    /// <summary>Distance between header copies: 2 GiB.</summary>
    public const long VolumeHeaderSpacing = 1L << 31;

    /// <summary>Bytes reserved at the start of every zone.</summary>
    public const long ReservedBytes = 1L << SegmentRadix;

    /// <summary>log2 of a freemap segment, 4 MiB.</summary>
    public const int SegmentRadix = 22;

    /// <summary>log2 of a zone, 1 GiB: the range of one freemap leaf.</summary>
    public const int ZoneRadix = 30;

    /// <summary>Bytes of a zone.</summary>
    public const long ZoneBytes = 1L << ZoneRadix;

    /// <summary>Volume sizes are multiples of this: 8 MiB.</summary>
    public const long VolumeAlignment = 8L << 20;

    /// <summary>Volumes of one filesystem, at most.</summary>
    public const int VolumesMax = 64;

    /// <summary>Bytes of a file name, at most.</summary>
    public const int NameBytesMax = 255;

    /// <summary>Longest name that is stored in the blockref of its directory entry.</summary>
    public const int InlineNameBytesMax = 64;

    /// <summary>Size radix of freemap nodes and leaves.</summary>
    public const int FreemapRadix = 15;

    /// <summary>Bitmap records of a freemap leaf.</summary>
    public const int FreemapRecords = 256;

    /// <summary>Bytes per two-bit state of the freemap.</summary>
    public const int FreemapGranularity = 16384;

    /// <summary>Inode number of every PFS root directory.</summary>
    public const ulong RootInodeNumber = 1;

    /// <summary>First inode number given to a created object.</summary>
    public const ulong FirstInodeNumber = 1024;

    /// <summary>Keys at and above this are directory entries; below, inode numbers (6.1).</summary>
    public const ulong DirectoryKeyBase = 1UL << 63;

    /// <summary>Low bits of a directory key that tell equal hashes apart.</summary>
    public const ulong CollisionMask = 0x7FFF;

    /// <summary>Highest version that this engine knows.</summary>
    public const uint VersionMax = 2;
}
