// Where space went, as objects: of a volume, of its PFSs, of directories and files. Invariants: an object never changes; Image, Label and Path are spelled
// as the commands take them. Calls Running's JSON.

using Hammer2.PowerShell.Running;

namespace Hammer2.PowerShell;

/// <summary>What a file or directory takes.</summary>
public sealed class Hammer2Usage
{
    internal Hammer2Usage(string image, string? label, JsonObject json)
    {
        Image = image;
        Label = label;
        Path = json.MediaText("path") ?? "";
        Allocated = json.NumberOrNull("allocated") ?? json.Number("stored_bytes");
        Apparent = json.NumberOrNull("apparent") ?? json.Number("logical_bytes");
    }

    /// <summary>The volume, as it was named.</summary>
    public string Image { get; }

    /// <summary>The PFS, when it was named.</summary>
    public string? Label { get; }

    /// <summary>Where it is in the PFS.</summary>
    public string Path { get; }

    /// <summary>Bytes on the medium, compressed as stored.</summary>
    public long Allocated { get; }

    /// <summary>Bytes that programs see.</summary>
    public long Apparent { get; }
}

/// <summary>Where the space of a volume went.</summary>
public sealed class Hammer2VolumeUsage
{
    internal Hammer2VolumeUsage(string image, JsonObject json)
    {
        Image = image;
        Label = json.Text("label");
        UsableBytes = json.Number("total_bytes");
        FreeBytes = json.Number("free_bytes");
        LiveBytes = json.Number("live_bytes");
        SnapshotBytes = json.Number("snapshot_bytes");
        ReclaimableBytes = json.Number("reclaimable_bytes");
        MetadataBytes = json.Number("metadata_bytes");
        DataBytes = json.Number("data_bytes");
        LogicalBytes = json.Number("logical_bytes");
        CompressionRatio = json.TryGetValue("compression_ratio", out object? ratio) ? Convert.ToDouble(ratio, System.Globalization.CultureInfo.InvariantCulture) : null;
        DedupBytes = json.Number("dedup_bytes");
        Exact = json.Flag("exact");
        Pfs = [.. json.Objects("pfs").Select(pfs => new Hammer2PfsUsage(image, pfs))];
        Directories = [.. json.Objects("directories").Select(directory => new Hammer2Usage(image, Label, directory))];
    }

    /// <summary>The volume, as it was named.</summary>
    public string Image { get; }

    /// <summary>The PFS whose directories are named.</summary>
    public string Label { get; }

    /// <summary>Bytes that files can take.</summary>
    public long UsableBytes { get; }

    /// <summary>Bytes that are free.</summary>
    public long FreeBytes { get; }

    /// <summary>Bytes that PFSs refer to.</summary>
    public long LiveBytes { get; }

    /// <summary>Bytes that only snapshots refer to.</summary>
    public long SnapshotBytes { get; }

    /// <summary>Bytes that Optimize-Hammer2Volume would give back.</summary>
    public long ReclaimableBytes { get; }

    /// <summary>Bytes of trees and inodes.</summary>
    public long MetadataBytes { get; }

    /// <summary>Bytes of file contents, as stored.</summary>
    public long DataBytes { get; }

    /// <summary>The same before compression.</summary>
    public long LogicalBytes { get; }

    /// <summary>One by the other.</summary>
    public double? CompressionRatio { get; }

    /// <summary>Bytes that deduplication saved.</summary>
    public long DedupBytes { get; }

    /// <summary>Nothing had to be estimated.</summary>
    public bool Exact { get; }

    /// <summary>Each PFS and snapshot.</summary>
    public IReadOnlyList<Hammer2PfsUsage> Pfs { get; }

    /// <summary>The largest directories.</summary>
    public IReadOnlyList<Hammer2Usage> Directories { get; }
}

/// <summary>What a PFS or snapshot takes.</summary>
public sealed class Hammer2PfsUsage
{
    internal Hammer2PfsUsage(string image, JsonObject json)
    {
        Image = image;
        Label = json.Text("label");
        IsSnapshot = json.Flag("snapshot");
        ReferencedBytes = json.Number("referenced_bytes");
        OwnBytes = json.Number("own_bytes");
        Inodes = json.Number("inodes");
    }

    /// <summary>The volume, as it was named.</summary>
    public string Image { get; }

    /// <summary>Its name.</summary>
    public string Label { get; }

    /// <summary>True for snapshots.</summary>
    public bool IsSnapshot { get; }

    /// <summary>Bytes that it refers to.</summary>
    public long ReferencedBytes { get; }

    /// <summary>Bytes that nothing else refers to.</summary>
    public long OwnBytes { get; }

    /// <summary>Number of inodes.</summary>
    public long Inodes { get; }
}
