// PFSs, snapshots and mounts as objects. Invariants: an object never changes; Image, Label and Target are spelled as the commands take them.
// Calls Running's JSON.

using Hammer2.PowerShell.Running;

namespace Hammer2.PowerShell;

/// <summary>A PFS or snapshot.</summary>
public sealed class Hammer2Pfs
{
    internal Hammer2Pfs(string image, JsonObject json)
    {
        Image = image;
        Label = json.Text("label");
        Type = json.Text("type");
        IsSnapshot = json.Flag("snapshot");
        ClusterId = json.Id("clid");
        Id = json.Id("fsid");
        Inodes = json.Number("inodes");
        DataBytes = json.Number("data_bytes");
        Check = json.Text("check");
        Compression = json.Text("comp");
        ModifyTid = json.Text("modify_tid");
        ChangeTimeUtc = json.Time("ctime_us");
    }

    /// <summary>The volume, as it was named.</summary>
    public string Image { get; }

    /// <summary>Its name.</summary>
    public string Label { get; }

    /// <summary>Role, such as master.</summary>
    public string Type { get; }

    /// <summary>True for snapshots.</summary>
    public bool IsSnapshot { get; }

    /// <summary>Id of its cluster.</summary>
    public Guid ClusterId { get; }

    /// <summary>Its own id.</summary>
    public Guid Id { get; }

    /// <summary>Number of inodes.</summary>
    public long Inodes { get; }

    /// <summary>Bytes of its blocks, as stored.</summary>
    public long DataBytes { get; }

    /// <summary>How new blocks are checked.</summary>
    public string Check { get; }

    /// <summary>How new blocks are compressed.</summary>
    public string Compression { get; }

    /// <summary>Its last transaction.</summary>
    public string ModifyTid { get; }

    /// <summary>When it changed.</summary>
    public DateTime? ChangeTimeUtc { get; }

    /// <inheritdoc/>
    public override string ToString() => Label;
}

/// <summary>A snapshot that was taken.</summary>
public sealed class Hammer2Snapshot
{
    internal Hammer2Snapshot(string image, JsonObject json)
    {
        Image = image;
        Label = json.Text("snapshot");
        Source = json.Text("label");
    }

    /// <summary>The volume, as it was named.</summary>
    public string Image { get; }

    /// <summary>Name of the snapshot.</summary>
    public string Label { get; }

    /// <summary>The PFS that it shows.</summary>
    public string Source { get; }
}

/// <summary>A PFS that has the content of a snapshot now.</summary>
public sealed class Hammer2RestoreResult
{
    internal Hammer2RestoreResult(string image, JsonObject json)
    {
        Image = image;
        Label = json.Text("label");
        Snapshot = json.Text("snapshot");
        Previous = json.TextOrNull("previous");
    }

    /// <summary>The volume, as it was named.</summary>
    public string Image { get; }

    /// <summary>The PFS.</summary>
    public string Label { get; }

    /// <summary>What it was restored from.</summary>
    public string Snapshot { get; }

    /// <summary>The snapshot with what it contained before; null when that was dropped.</summary>
    public string? Previous { get; }
}

/// <summary>A mount.</summary>
public sealed class Hammer2Mount
{
    internal Hammer2Mount(JsonObject json)
        : this(json, json)
    {
    }

    internal Hammer2Mount(JsonObject json, JsonObject place)
    {
        Image = json.Text("image");
        Label = place.TextOrNull("label");
        Target = place.Text("target");
        ReadOnly = json.Flag("read_only");
        ProcessId = (int?)(json.NumberOrNull("process_id") ?? json.NumberOrNull("pid"));
    }

    /// <summary>The volume.</summary>
    public string Image { get; }

    /// <summary>The PFS.</summary>
    public string? Label { get; }

    /// <summary>Directory or drive.</summary>
    public string Target { get; }

    /// <summary>Nothing can be changed through it.</summary>
    public bool ReadOnly { get; }

    /// <summary>The process that serves it, when that is known.</summary>
    public int? ProcessId { get; }
}
