// What can be chosen when volumes are formatted. A value that is left out gets the reference implementation's
// default; VolumeFormatPlan says whether the values can be had on the devices.

using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Volumes;

/// <summary>How volumes are formatted.</summary>
public sealed record VolumeFormatOptions
{
    /// <summary>The PFS that is always there.</summary>
    public const string LocalLabel = "LOCAL";

    /// <summary>Labels of the PFSs to make besides LOCAL, none to three.</summary>
    public IReadOnlyList<string> Labels { get; init; } = ["DATA"];

    /// <summary>Format version, 1 or 2; 1 has one volume only.</summary>
    public uint Version { get; init; } = FormatLimits.VersionMax;

    /// <summary>Compression that the PFS roots hand down; null = LZ4, autozero for a PFS named BOOT.</summary>
    public CompressionMethod? Compression { get; init; }

    /// <summary>Level of zlib, 1 to 9; 0 = its default.</summary>
    public int CompressionLevel { get; init; }

    /// <summary>Check method that the PFS roots hand down.</summary>
    public CheckMethod Check { get; init; } = CheckMethod.XxHash64;

    /// <summary>Bytes of the boot area, 8 MiB to 256 MiB; null = by the size of the filesystem.</summary>
    public long? BootBytes { get; init; }

    /// <summary>Bytes of the auxiliary area, 8 MiB to 1 GiB; null = by the size of the filesystem.</summary>
    public long? AuxBytes { get; init; }

    /// <summary>Bytes to use of each device; null = all.</summary>
    public long? VolumeBytes { get; init; }

    /// <summary>Where UUIDs come from; tests give those of an existing image.</summary>
    internal Func<Guid> NewId { get; init; } = Guid.NewGuid;

    /// <summary>Time of the inodes in microseconds.</summary>
    internal long TimeUs { get; init; } = MediaTime.FromUtc(DateTime.UtcNow);
}

/// <summary>What was made.</summary>
/// <param name="FileSystemId">UUID of the filesystem.</param>
/// <param name="Version">Format version.</param>
/// <param name="VolumeBytes">Bytes of each volume, by id.</param>
/// <param name="BootBytes">Bytes of the boot area.</param>
/// <param name="AuxBytes">Bytes of the auxiliary area.</param>
/// <param name="FreeBytes">Usable bytes.</param>
/// <param name="Labels">Labels of the PFSs, LOCAL first.</param>
public sealed record VolumeFormatResult(
    Guid FileSystemId, uint Version, IReadOnlyList<long> VolumeBytes, long BootBytes, long AuxBytes, long FreeBytes, IReadOnlyList<string> Labels)
{
    /// <summary>Bytes of all volumes.</summary>
    public long TotalBytes => VolumeBytes.Sum();

    /// <summary>False for the smallest volumes: they are valid, but their last 4 MiB hold the roots, and nothing can be allocated.</summary>
    public bool HasRoomForFiles => TotalBytes >= VolumeFormatPlan.UsefulBytesMin;
}
