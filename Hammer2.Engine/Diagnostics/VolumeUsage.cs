// What a volume's space is used for: the plain data that a usage walk gives. All sizes are bytes. A block counts once, however many
// references lead to it, where nothing else is said.

namespace Hammer2.Engine.Diagnostics;

/// <summary>What to look for.</summary>
public sealed record UsageOptions
{
    /// <summary>PFS whose directories are added up; null = none.</summary>
    public string? DirectoriesOf { get; init; }

    /// <summary>Directories to name, the largest first.</summary>
    public int DirectoriesMax { get; init; } = 100;

    /// <summary>Memory for what was met already; where it does not suffice the report is not exact and says so.</summary>
    public long MemoryBytesMax { get; init; } = 256L << 20;
}

/// <summary>How far the walk is.</summary>
/// <param name="Label">PFS that is looked at.</param>
/// <param name="Pfs">Its number, from 0.</param>
/// <param name="PfsCount">PFSs of the volume.</param>
/// <param name="References">Block references met so far.</param>
public readonly record struct UsageProgress(string Label, int Pfs, int PfsCount, long References);

/// <summary>What the space of a volume is used for.</summary>
public sealed record VolumeUsage
{
    /// <summary>Bytes that can be allocated at all.</summary>
    public required long TotalBytes { get; init; }

    /// <summary>Bytes that are free in the freemap.</summary>
    public required long FreeBytes { get; init; }

    /// <summary>Allocated in the freemap, but nothing refers to it: what bulkfree gives back. In blocks of 16 KiB.</summary>
    public required long ReclaimableBytes { get; init; }

    /// <summary>Blocks of PFSs that are no snapshots, and of the super-root.</summary>
    public required long LiveBytes { get; init; }

    /// <summary>Blocks that only snapshots have.</summary>
    public required long SnapshotBytes { get; init; }

    /// <summary>Of both: inodes, block tables, long names.</summary>
    public required long MetadataBytes { get; init; }

    /// <summary>Of both: file data as stored.</summary>
    public required long DataBytes { get; init; }

    /// <summary>What the stored file data decodes to, without what lies in inodes.</summary>
    public required long LogicalBytes { get; init; }

    /// <summary>Stored bytes that PFSs other than snapshots would need more if no block were shared by deduplication.</summary>
    public required long DedupBytes { get; init; }

    /// <summary>Blocks that could not be read; what lies below them is not in the numbers.</summary>
    public required long Damaged { get; init; }

    /// <summary>False when memory was too short to know every block again: then some count twice.</summary>
    public required bool IsExact { get; init; }

    /// <summary>PFSs in the order in which they were walked: snapshots last.</summary>
    public required IReadOnlyList<PfsUsage> Pfses { get; init; }

    /// <summary>The largest directories with everything below them, largest first.</summary>
    public required IReadOnlyList<DirectoryUsage> Directories { get; init; }

    /// <summary>Logical bytes for one stored byte of data; 1 when there is none.</summary>
    public double CompressionRatio => DataBytes == 0 ? 1 : (double)LogicalBytes / DataBytes;
}

/// <summary>One PFS.</summary>
/// <param name="Label">Its label.</param>
/// <param name="IsSnapshot">True for snapshots.</param>
/// <param name="ReferencedBytes">What its root leads to by the statistics in it, shared blocks counted each time.</param>
/// <param name="OwnBytes">Blocks that no PFS before it in the list has.</param>
/// <param name="Inodes">Inodes by the statistics.</param>
public sealed record PfsUsage(string Label, bool IsSnapshot, long ReferencedBytes, long OwnBytes, long Inodes);

/// <summary>A directory with everything below it; a file with several names counts where its inode says.</summary>
/// <param name="Path">Bytes of the path below the root; the root's is empty.</param>
/// <param name="InodeNumber">The directory.</param>
/// <param name="ParentInode">The directory above; the root's is 0.</param>
/// <param name="StoredBytes">Blocks, those of inodes and block tables included; shared blocks count each time.</param>
/// <param name="LogicalBytes">Sizes of the files.</param>
/// <param name="Files">Objects that are no directories.</param>
/// <param name="Directories">Directories below.</param>
public sealed record DirectoryUsage(byte[] Path, ulong InodeNumber, ulong ParentInode, long StoredBytes, long LogicalBytes, long Files, long Directories);
