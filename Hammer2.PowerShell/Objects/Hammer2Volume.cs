// What the commands say of volumes: the objects, with the names that their properties have in PowerShell. Invariants: an object never changes; Image and
// Label are spelled as the commands take them, so that any object can be piped into any command. Calls Running's JSON.

using Hammer2.PowerShell.Running;

namespace Hammer2.PowerShell;

/// <summary>A volume.</summary>
public sealed class Hammer2Volume
{
    internal Hammer2Volume(string image, JsonObject json)
    {
        Image = image;
        Id = json.Id("fsid");
        Version = (int)json.Number("version");
        TotalSize = json.Number("total_size");
        UsableBytes = json.Number("usable_bytes");
        FreeBytes = json.Number("free_bytes");
        MirrorTid = json.Text("mirror_tid");
        Pfs = [.. json.Objects("pfs").Select(pfs => new Hammer2Pfs(image, pfs))];
        Members = [.. json.Objects("volumes").Select(static member => new Hammer2VolumeMember(member))];
        Warnings = json.Texts("warnings");
    }

    /// <summary>How it was named.</summary>
    public string Image { get; }

    /// <summary>Id of the filesystem.</summary>
    public Guid Id { get; }

    /// <summary>Format version.</summary>
    public int Version { get; }

    /// <summary>Bytes of all its volumes.</summary>
    public long TotalSize { get; }

    /// <summary>Bytes that files can take.</summary>
    public long UsableBytes { get; }

    /// <summary>Bytes that are free.</summary>
    public long FreeBytes { get; }

    /// <summary>Bytes that are not free.</summary>
    public long UsedBytes => UsableBytes - FreeBytes;

    /// <summary>Transaction of the newest header.</summary>
    public string MirrorTid { get; }

    /// <summary>Its PFSs and snapshots.</summary>
    public IReadOnlyList<Hammer2Pfs> Pfs { get; }

    /// <summary>Files or disks that it consists of.</summary>
    public IReadOnlyList<Hammer2VolumeMember> Members { get; }

    /// <summary>What is not as it should be.</summary>
    public IReadOnlyList<string> Warnings { get; }
}

/// <summary>A file or disk of a volume.</summary>
public sealed class Hammer2VolumeMember
{
    internal Hammer2VolumeMember(JsonObject json)
    {
        Id = (int)json.Number("id");
        Name = json.TextOrNull("name") ?? json.Text("image");
        Size = json.Number("size");
    }

    /// <summary>Number in the volume.</summary>
    public int Id { get; }

    /// <summary>File or device.</summary>
    public string Name { get; }

    /// <summary>Its bytes.</summary>
    public long Size { get; }

    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>A volume that was made.</summary>
public sealed class Hammer2NewVolume
{
    internal Hammer2NewVolume(string image, JsonObject json)
    {
        Image = image;
        Id = json.Id("fsid");
        Version = (int)json.Number("version");
        TotalSize = json.Number("total_size");
        FreeBytes = json.Number("free_bytes");
        Labels = json.Texts("labels");
        Members = [.. json.Objects("volumes").Select(static member => new Hammer2VolumeMember(member))];
        Copied = json.TryGetValue("copied", out object? copied) && copied is JsonObject counts ? new Hammer2CopyResult(counts) : null;
    }

    /// <summary>How to name it.</summary>
    public string Image { get; }

    /// <summary>Id of the filesystem.</summary>
    public Guid Id { get; }

    /// <summary>Format version.</summary>
    public int Version { get; }

    /// <summary>Bytes of all its volumes.</summary>
    public long TotalSize { get; }

    /// <summary>Bytes that are free.</summary>
    public long FreeBytes { get; }

    /// <summary>Its PFSs.</summary>
    public IReadOnlyList<string> Labels { get; }

    /// <summary>Files or disks that it consists of.</summary>
    public IReadOnlyList<Hammer2VolumeMember> Members { get; }

    /// <summary>What was copied into it; null without -From.</summary>
    public Hammer2CopyResult? Copied { get; }
}

/// <summary>A volume that became larger.</summary>
public sealed class Hammer2ResizedVolume
{
    internal Hammer2ResizedVolume(string image, JsonObject json)
    {
        Image = image;
        OldSize = json.Number("old_bytes");
        NewSize = json.Number("new_bytes");
        UsableBytes = json.Number("total_bytes");
        FreeBytes = json.Number("free_bytes");
    }

    /// <summary>How it was named.</summary>
    public string Image { get; }

    /// <summary>Bytes before.</summary>
    public long OldSize { get; }

    /// <summary>Bytes now.</summary>
    public long NewSize { get; }

    /// <summary>Bytes that files can take.</summary>
    public long UsableBytes { get; }

    /// <summary>Bytes that are free.</summary>
    public long FreeBytes { get; }
}

/// <summary>What giving back space brought.</summary>
public sealed class Hammer2OptimizeResult
{
    internal Hammer2OptimizeResult(string image, JsonObject json)
    {
        Image = image;
        FreedBytes = json.Number("freed_bytes");
        CorrectedBlocks = json.Number("corrected_blocks");
        Rounds = (int)json.Number("rounds");
        FreeBytes = json.Number("free_bytes");
        UsableBytes = json.Number("total_bytes");
    }

    /// <summary>How it was named.</summary>
    public string Image { get; }

    /// <summary>Bytes that became free.</summary>
    public long FreedBytes { get; }

    /// <summary>Blocks in use that were marked free by mistake.</summary>
    public long CorrectedBlocks { get; }

    /// <summary>How often the volume was gone through.</summary>
    public int Rounds { get; }

    /// <summary>Bytes that are free now.</summary>
    public long FreeBytes { get; }

    /// <summary>Bytes that files can take.</summary>
    public long UsableBytes { get; }
}
