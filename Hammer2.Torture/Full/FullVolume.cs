// The volume that is filled: small, in memory, opened and closed again and again. Invariants: after each close the strict
// check must be clean; what the trees refer to is counted by the check, not by the engine that is judged.

using System.Globalization;
using System.Numerics;
using Hammer2.Engine.Checking;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Torture.Model;
using MediumUsage = Hammer2.Engine.Checking.UsageMap;

namespace Hammer2.Torture.Full;

/// <summary>How a volume is made and opened.</summary>
internal sealed record FullSettings
{
    internal required IReadOnlyList<long> VolumeBytes { get; init; }

    internal int Threads { get; init; } = 1;

    internal long CacheBytes { get; init; } = 16 << 20;

    internal long DirtyBytes { get; init; } = 32 << 20;

    internal TimeSpan CommitInterval { get; init; } = TimeSpan.Zero;

    internal bool LiveDedup { get; init; } = true;

    internal CompressionMethod Compression { get; init; } = CompressionMethod.Lz4;

    /// <summary>Between the engine and the media; for tests of the bench.</summary>
    internal Func<IBlockDevice, IBlockDevice> Above { get; init; } = static device => device;

    /// <summary>Gives space back; for tests of the bench.</summary>
    internal Action<Hammer2Volume> Reclaim { get; init; } = static volume => volume.Bulkfree();

    /// <summary>Called after each opening; for tests of the bench.</summary>
    internal Action<Hammer2Volume> Opened { get; init; } = static _ => { };

    /// <summary>Settings of a seed.</summary>
    internal static FullSettings From(int seed)
    {
        var random = new Random(seed);
        long[][] sizes = [[64L << 20], [96L << 20], [200L << 20], [1L << 30, 64L << 20]];
        CompressionMethod[] methods = [CompressionMethod.Lz4, CompressionMethod.Lz4, CompressionMethod.Zlib, CompressionMethod.AutoZero, CompressionMethod.None];
        return new FullSettings
        {
            VolumeBytes = sizes[random.Next(sizes.Length)],
            Threads = random.Next(2, 7),
            CacheBytes = 1L << random.Next(20, 26),
            DirtyBytes = 1L << random.Next(20, 27),
            CommitInterval = random.Next(3) == 0 ? TimeSpan.FromMilliseconds(100) : TimeSpan.Zero,
            LiveDedup = random.Next(4) != 0,
            Compression = methods[random.Next(methods.Length)],
        };
    }

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{string.Join('+', VolumeBytes.Select(static bytes => bytes >> 20))} MiB, {Threads} threads, cache {CacheBytes >> 20} MiB, dirty {DirtyBytes >> 20} MiB, {Compression}{(LiveDedup ? "" : ", no dedup")}{(CommitInterval > TimeSpan.Zero ? ", commits by time" : "")}");
}

/// <summary>Space on the medium, as the check found it.</summary>
/// <param name="UsedBytes">Of blocks that something refers to, in units of 16 KiB.</param>
/// <param name="FreeBytes">The rest of what can be allocated.</param>
/// <param name="FreeGroups">Aligned 64 KiB of it in which nothing is used.</param>
internal readonly record struct MediumSpace(long UsedBytes, long FreeBytes, long FreeGroups);

/// <summary>The volume.</summary>
internal sealed class FullVolume : IDisposable
{
    private const long AreaBytes = 8 << 20;
    private const int UnitBytes = FormatLimits.FreemapGranularity;
    private const ulong GroupStarts = 0x1111111111111111;
    private readonly FullSettings _settings;
    private readonly MemoryBlockDevice[] _media;
    private Hammer2Volume? _volume;
    private PfsMount? _pfs;

    internal FullVolume(FullSettings settings)
    {
        _settings = settings;
        _media = [.. settings.VolumeBytes.Select(static (bytes, i) => new MemoryBlockDevice(bytes, $"memory{i}"))];
        VolumeFormatter.Format(_media, new VolumeFormatOptions { Compression = settings.Compression, BootBytes = AreaBytes, AuxBytes = AreaBytes });
        Open();
    }

    internal Hammer2Volume Volume => _volume!;

    internal PfsMount Pfs => _pfs!;

    internal long ReserveBytes => Volume.Writer!.Freemap.ReserveBytes;

    internal long AllocatableBytes => Volume.Writer!.Freemap.AllocatableBytes;

    internal void Open()
    {
        _volume = Hammer2Volume.Open([.. _media.Select(_settings.Above)], new VolumeOptions
        {
            Writable = true,
            CacheBytesMax = _settings.CacheBytes,
            DirtyBytesMax = _settings.DirtyBytes,
            CommitInterval = _settings.CommitInterval,
            LiveDedup = _settings.LiveDedup,
        });
        _settings.Opened(_volume);
        _pfs = _volume.OpenPfs();
    }

    /// <summary>Closes, checks the medium strictly, and opens again.</summary>
    /// <exception cref="MismatchException">The check complains.</exception>
    internal MediumSpace Remount()
    {
        long allocatable = AllocatableBytes;
        var begin = (long)Volume.Header.AllocatorBegin;
        Close();
        CheckReport report = VolumeChecker.Check([.. _media], new CheckOptions { Workers = 2 });
        if (report.Errors + report.Warnings > 0)
            throw new MismatchException($"the check of the medium says: {string.Join("; ", report.Findings.Take(5))}");
        Open();
        return SpaceOf(report.Usage!, begin, allocatable);
    }

    /// <summary>Gives back what nothing refers to, durably.</summary>
    internal void Reclaim()
    {
        _settings.Reclaim(Volume);
        Volume.Sync();
    }

    public void Dispose() => Close();

    private static MediumSpace SpaceOf(MediumUsage usage, long begin, long allocatable)
    {
        long used = 0, groups = 0;
        foreach ((ulong number, MediumUsage.SegmentUse segment) in usage.Segments)
        {
            // What lies before the allocator is not its space.
            if ((long)number * FreemapGeometry.SegmentBytes < begin)
                continue;
            for (int word = 0; word < MediumUsage.UnitsPerSegment / 64; word++)
            {
                ulong units = segment.UsedWord(word);
                used += BitOperations.PopCount(units);
                ulong pairs = units | units >> 1;
                groups += BitOperations.PopCount((pairs | pairs >> 2) & GroupStarts);
            }
        }

        return new MediumSpace(used * UnitBytes, allocatable - used * UnitBytes, allocatable / FormatLimits.BlockBytesMax - groups);
    }

    private void Close()
    {
        _pfs?.Dispose();
        _volume?.Dispose();
        (_pfs, _volume) = (null, null);
    }
}
