// An opened HAMMER2 filesystem: its volumes, cache and PFSs. The root object of the library. Opened for reading
// it never writes: the devices below are opened without the right to. Opened for writing it commits when asked, at
// intervals and when it is disposed. Thread-safe; dispose it after its vnodes.

using System.Text;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Files;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Topology;
using Hammer2.Engine.Transactions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hammer2.Engine.Volumes;

/// <summary>An opened HAMMER2 filesystem.</summary>
public sealed partial class Hammer2Volume : IDisposable
{
    private static readonly string[] s_defaultLabels = ["DATA", "ROOT", "BOOT"];
    private const string LocalLabel = "LOCAL";
    private readonly VolumeSet _volumes;
    private readonly ILogger _logger;
    private readonly SuperRoot _superRoot;
    private readonly string? _label;
    private readonly List<PfsState> _states = [];
    private int _disposed;

    private Hammer2Volume(VolumeSet volumes, VolumeOptions options, string? label)
    {
        _volumes = volumes;
        _label = label;
        _logger = options.Logger ?? NullLogger.Instance;
        TransactionIds = new TransactionIds(volumes.Header.MirrorTid, _logger);
        var cache = new BlockCache(options.CacheBytesMax);
        DeviceBuffer? buffer = options.Writable ? new DeviceBuffer(volumes, VolumeWriter.BufferBytes(options), cache) : null;
        Reader = new BlockReader(volumes, cache, buffer);
        ReadAhead = new ReadAheadPool(Reader, options.ReadAheadBlocksMax);
        foreach (string warning in volumes.Warnings)
            _logger.LogWarning("{Warning}", warning);
        try
        {
            _superRoot = new SuperRoot(Reader, TransactionIds, volumes.Header);
            if (buffer is null)
                return;
            VolumeHeaderWriter.ThrowIfNewerMayExist(volumes);
            Writer = new VolumeWriter(volumes, Reader, buffer, _superRoot, TransactionIds, options, _logger);
            Writer.Committer.Counters = Counters;
            if (options.ForRepair)
            {
                Writer.Committer.FindSpace = null;
                return;
            }

            Recovery.Run(Reader, volumes.Header, Writer.Freemap, _logger);
            Writer.Committer.Start(options.CommitInterval);
            FinishGrowth();
        }
        catch
        {
            Writer?.Dispose();
            buffer?.Dispose();
            Reader.Dispose();
            throw;
        }
    }

    /// <summary>The header in use: the newest valid copy of the root volume.</summary>
    public VolumeHeader Header => Writer?.Committer.Header ?? _volumes.Header;

    /// <summary>The volumes with all their header copies.</summary>
    public IReadOnlyList<VolumeMember> Members => _volumes.Members;

    /// <summary>What was passed over at opening, one sentence each.</summary>
    public IReadOnlyList<string> Warnings => _volumes.Warnings;

    /// <summary>UUID of the filesystem.</summary>
    public Guid FileSystemId => Header.FileSystemId;

    /// <summary>Usable bytes (statfs).</summary>
    public long TotalBytes => (long)Math.Min(Header.AllocatorSize, long.MaxValue);

    /// <summary>Free bytes (statfs), never more than <see cref="TotalBytes"/>.</summary>
    public long FreeBytes => Math.Min(Writer?.Freemap.FreeBytes ?? (long)Math.Min(Header.AllocatorFree, long.MaxValue), TotalBytes);

    /// <summary>Counters of the block cache.</summary>
    public CacheStatistics CacheStatistics => Reader.CacheStatistics;

    /// <summary>References whose transaction ids were out of range and overridden since opening.</summary>
    public int OverriddenTransactionIds => TransactionIds.Overridden;

    /// <summary>True while changes are accepted: opened writable, and no write failed since.</summary>
    public bool IsWritable => Writer is not null && Writer.Committer.Failure is null;

    /// <summary>Why changes are no longer accepted, when a write failed; null otherwise.</summary>
    public Hammer2Exception? Failure => Writer?.Committer.Failure;

    /// <summary>Commits that reached the medium since opening.</summary>
    public long Commits => Writer?.Committer.Commits ?? 0;

    internal BlockReader Reader { get; }

    internal TransactionIds TransactionIds { get; }

    /// <summary>The writing half; null when the volume is open for reading only.</summary>
    internal VolumeWriter? Writer { get; }

    internal ReadAheadPool ReadAhead { get; }

    internal VolumeSet VolumeSet => _volumes;

    /// <summary>Opens images, disks or partitions named as <c>PATH[:PATH...][@LABEL]</c>.</summary>
    /// <exception cref="Hammer2Exception">One line that says what is wrong and what to do.</exception>
    public static Hammer2Volume Open(string spec, VolumeOptions? options = null) => Open(VolumeSpec.Parse(spec), options);

    /// <summary>Opens images, disks or partitions.</summary>
    public static Hammer2Volume Open(VolumeSpec spec, VolumeOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(spec);
        options ??= new VolumeOptions();
        var devices = new List<IBlockDevice>();
        try
        {
            foreach (string path in spec.Paths)
                devices.Add(DeviceOpener.Open(path, options.Partition, options.Writable));
            return Open(devices, options, spec.Label);
        }
        catch
        {
            foreach (IBlockDevice device in devices)
                device.Dispose();
            throw;
        }
    }

    /// <summary>Opens volumes on devices that the caller made; on success they belong to the volume.</summary>
    public static Hammer2Volume Open(IReadOnlyList<IBlockDevice> devices, VolumeOptions? options = null) =>
        Open(devices, options ?? new VolumeOptions(), null);

    /// <summary>Every PFS whose root can be read; damaged ones are reported through <paramref name="failures"/>.</summary>
    public IReadOnlyList<PfsInfo> ListPfs(out IReadOnlyList<Hammer2Exception> failures)
    {
        ThrowIfClosed();
        var damage = new TreeDamage();
        List<InodeChain> roots = _superRoot.List(damage);
        failures = damage.Failures;
        return [.. roots.Select(SuperRoot.Describe).OrderBy(p => p.Label, StringComparer.Ordinal)];
    }

    /// <summary>Every PFS whose root can be read; damaged ones are logged.</summary>
    public IReadOnlyList<PfsInfo> ListPfs()
    {
        IReadOnlyList<PfsInfo> list = ListPfs(out IReadOnlyList<Hammer2Exception> failures);
        foreach (Hammer2Exception failure in failures)
            _logger.LogWarning("A PFS cannot be read: {Message}", failure.Message);
        return list;
    }

    /// <summary>Opens a PFS.</summary>
    /// <param name="label">Its label; null = the label of the opened name, else the only PFS besides LOCAL, else DATA, ROOT or BOOT.</param>
    /// <exception cref="Hammer2Exception"><c>NoSuchPfs</c> with the labels that exist, or the PFS root is damaged.</exception>
    public PfsMount OpenPfs(string? label = null)
    {
        ThrowIfClosed();
        label ??= _label ?? DefaultLabel();
        lock (_states)
        {
            if (FindState(Encoding.UTF8.GetBytes(label)) is PfsState state)
                return new PfsMount(this, state);
        }

        throw NoSuchPfs(label);
    }

    /// <summary>Makes everything durable that was changed so far in any PFS of the volume.</summary>
    /// <exception cref="Hammer2Exception">It could not be done; nothing is lost from memory, the volume takes no more changes.</exception>
    public void Sync()
    {
        ThrowIfClosed();
        Writer?.Committer.Commit();
    }

    /// <summary>Gives back the space of everything that no PFS or snapshot refers to any more; other work goes on meanwhile.</summary>
    /// <param name="progress">Told now and then; may be null.</param>
    /// <param name="stop">Stops it; what was freed until then stays free.</param>
    /// <returns>The sums of both passes. When a block could not be read nothing was freed, and the report says so.</returns>
    /// <exception cref="Hammer2Exception"><c>ReadOnly</c>, or the device failed.</exception>
    public Freemap.BulkfreeReport Bulkfree(IProgress<Freemap.BulkfreeProgress>? progress = null, CancellationToken stop = default)
    {
        ThrowIfClosed();
        return Writer is null
            ? throw new Hammer2Exception(Hammer2Error.ReadOnly, "The volume is open for reading only; open it for writing to free space.")
            : Writer.Space.Run(progress, stop);
    }

    /// <summary>Looks whether another system has changed the volume meanwhile; for use after the machine slept.</summary>
    /// <returns>False when it has: then nothing is written any more, see <see cref="Failure"/>.</returns>
    public bool CheckMedium()
    {
        ThrowIfClosed();
        return Writer is null || Writer.Committer.CheckMedium();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        try
        {
            if (IsWritable)
                Writer!.Committer.Commit();
        }
        finally
        {
            ReadAhead.Drain();
            Writer?.Dispose();
            Reader.Dispose();
            _volumes.Dispose();
        }
    }

    // The caller holds the lock of the states.
    private PfsState? FindState(byte[] label)
    {
        PfsState? state = _states.Find(s => s.Label.AsSpan().SequenceEqual(label));
        if (state is not null)
            return state;
        InodeChain? root = _superRoot.Find(label);
        return root is null ? null : AddState(root);
    }

    private Hammer2Exception NoSuchPfs(string label) => new(
        Hammer2Error.NoSuchPfs, $"There is no PFS '{label}' here; choose one of: {string.Join(", ", ListPfs().Select(p => p.Label))}.");

    /// <summary>The PFS whose root has this key in the super-root, whatever its label is.</summary>
    /// <exception cref="Hammer2Exception"><c>NoSuchPfs</c>, or its root cannot be read.</exception>
    internal PfsState StateAt(ulong key)
    {
        lock (_states)
        {
            return _states.Find(s => s.Index.Root.Current.Ref.Key == key) ?? AddState(_superRoot.Find(key)
                ?? throw new Hammer2Exception(Hammer2Error.NoSuchPfs, $"There is no PFS with key 0x{key:x}."));
        }
    }

    private PfsState AddState(InodeChain root)
    {
        var state = new PfsState(this, root);
        _states.Add(state);
        Writer?.Add(state);
        return state;
    }

    internal void ThrowIfClosed()
    {
        if (Volatile.Read(ref _disposed) != 0)
            throw new Hammer2Exception(Hammer2Error.Closed, "The volume is closed.");
    }

    private static Hammer2Volume Open(IReadOnlyList<IBlockDevice> devices, VolumeOptions options, string? label) =>
        new(VolumeSet.Open(devices), options, label);

    private string DefaultLabel()
    {
        List<string> labels = [.. ListPfs(out IReadOnlyList<Hammer2Exception> failures).Select(p => p.Label)];
        List<string> others = [.. labels.Where(l => l != LocalLabel)];
        if (others.Count == 1)
            return others[0];
        string? usual = s_defaultLabels.FirstOrDefault(others.Contains);
        if (usual is not null)
            return usual;
        if (others.Count == 0 && failures.Count > 0)
            throw failures[0];
        if (others.Count == 0 && labels.Count == 1)
            return labels[0];
        throw new Hammer2Exception(Hammer2Error.NoSuchPfs, $"Several PFSs are here; name one as @LABEL: {string.Join(", ", labels)}.");
    }
}
