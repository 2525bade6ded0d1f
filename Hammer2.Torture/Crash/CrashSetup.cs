// The volume that a workload starts with: how it is formatted, what it contains, how it is opened. Media are in memory;
// a prepared medium is made once and shared by the workloads, which get copies.

using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Volumes;
using Hammer2.Torture.Devices;

namespace Hammer2.Torture.Crash;

/// <summary>Format and opening of a volume.</summary>
/// <param name="Name">Part of messages.</param>
/// <param name="VolumeBytes">Sizes of its volumes.</param>
internal sealed record CrashSetup(string Name, params long[] VolumeBytes)
{
    private const long AreaBytes = 8 << 20;

    /// <summary>The usual one: the smallest that has two header copies.</summary>
    internal static CrashSetup Plain { get; } = new("plain", SeveralHeaders);

    /// <summary>A size from which on a volume has more than one header copy.</summary>
    internal const long SeveralHeaders = 3L << 30;

    internal IReadOnlyList<string> Labels { get; init; } = ["DATA"];

    /// <summary>Bytes that are formatted of the only device; null = all.</summary>
    internal long? FormatBytes { get; init; }

    internal uint Version { get; init; } = 2;

    internal CompressionMethod Compression { get; init; } = CompressionMethod.Lz4;

    internal CheckMethod Check { get; init; } = CheckMethod.XxHash64;

    internal long DirtyBytesMax { get; init; } = 128 << 20;

    internal long CacheBytesMax { get; init; } = 8 << 20;

    internal bool LiveDedup { get; init; } = true;

    internal TimeSpan CommitInterval { get; init; } = TimeSpan.Zero;

    internal VolumeOptions Options(bool writable) => new()
    {
        Writable = writable,
        CacheBytesMax = CacheBytesMax,
        DirtyBytesMax = DirtyBytesMax,
        CommitInterval = CommitInterval,
        LiveDedup = LiveDedup,
        ReadAheadBlocksMax = 0,
    };

    /// <summary>Freshly formatted media.</summary>
    internal MemoryBlockDevice[] Format()
    {
        MemoryBlockDevice[] devices = [.. VolumeBytes.Select((bytes, i) => new MemoryBlockDevice(bytes, $"memory{i}"))];
        VolumeFormatter.Format(devices, new VolumeFormatOptions
        {
            Labels = Labels,
            Version = Version,
            VolumeBytes = FormatBytes,
            Compression = Compression,
            Check = Check,
            BootBytes = AreaBytes,
            AuxBytes = AreaBytes,
        });
        return devices;
    }
}
