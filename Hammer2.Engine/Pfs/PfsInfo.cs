// What the super-root says of one PFS.
// Plain data, as the medium had it when it was asked for; statistics are hints (format page, trap T18).

using Hammer2.Engine.Format;

namespace Hammer2.Engine.Pfs;

/// <summary>One PFS or snapshot of a volume.</summary>
/// <param name="Label">Its name.</param>
/// <param name="Type">Usually master.</param>
/// <param name="Subtype">Snapshot or none.</param>
/// <param name="ClusterId">UUID shared by the nodes of one cluster.</param>
/// <param name="FileSystemId">Its own UUID.</param>
/// <param name="NextInode">Next inode number as stored.</param>
/// <param name="Compression">Compression of new objects in its root.</param>
/// <param name="Check">Check method of new objects in its root.</param>
/// <param name="InodeCount">Inodes below, as the statistics say.</param>
/// <param name="DataBytes">Bytes allocated below, shared blocks counted each time.</param>
/// <param name="ModifyTid">Last modification.</param>
/// <param name="LastSnapshotTid">Modification at which the last snapshot was taken.</param>
/// <param name="CreatedUs">Change time of the root, microseconds since 1970.</param>
public sealed record PfsInfo(
    string Label,
    PfsType Type,
    PfsSubtype Subtype,
    Guid ClusterId,
    Guid FileSystemId,
    ulong NextInode,
    CompressionMethod Compression,
    CheckMethod Check,
    ulong InodeCount,
    ulong DataBytes,
    ulong ModifyTid,
    ulong LastSnapshotTid,
    long CreatedUs)
{
    /// <summary>True for snapshots.</summary>
    public bool IsSnapshot => Subtype is PfsSubtype.Snapshot or PfsSubtype.AutoSnapshot;

    /// <summary>"master", "master/snapshot": as listings print it.</summary>
    public string TypeName
    {
        get
        {
            string name = Type switch
            {
                PfsType.SuperRoot => "superroot",
                PfsType.SoftMaster => "softmaster",
                PfsType.SoftSlave => "softslave",
                _ => Enum.IsDefined(Type) ? Type.ToString().ToLowerInvariant() : $"{(int)Type} (unknown)",
            };
            return Subtype switch
            {
                PfsSubtype.None => name,
                PfsSubtype.Snapshot => name + "/snapshot",
                PfsSubtype.AutoSnapshot => name + "/autosnap",
                _ => $"{name}/{(int)Subtype} (unknown)",
            };
        }
    }
}

/// <summary>What statfs reports. Sizes in bytes.</summary>
/// <param name="TotalBytes">Usable bytes of the volume.</param>
/// <param name="FreeBytes">Free bytes of the volume.</param>
/// <param name="InodeCount">Inodes of the PFS.</param>
public readonly record struct PfsStatistics(long TotalBytes, long FreeBytes, long InodeCount);
