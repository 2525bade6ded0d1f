// Finds files on a medium without its headers and trees: deleted ones, overwritten versions, what was there before the volume was
// formatted anew. One raw scan remembers what looks like inodes and the references to them found elsewhere; a reference with the
// block's check code proves an inode. Invariants: never writes; strict results have only proven inodes, and entries from proven
// arrays; nothing on the medium can make it run without end or use memory without bound.

using System.Runtime.InteropServices;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Engine.Checking;

/// <summary>How to recover.</summary>
public sealed record RecoveryOptions
{
    /// <summary>Default of <see cref="MemoryBytesMax"/>: 1 GiB.</summary>
    public const long DefaultMemoryBytes = 1L << 30;

    /// <summary>Takes inodes that no reference proves, and files with damaged blocks.</summary>
    public bool IsRelaxed { get; init; }

    /// <summary>For what the scan remembers; beyond it the oldest versions are forgotten.</summary>
    public long MemoryBytesMax { get; init; } = DefaultMemoryBytes;
}

/// <summary>A version of an object.</summary>
/// <param name="InodeNumber">Number.</param>
/// <param name="Type">What it is.</param>
/// <param name="Address">Where its inode lies.</param>
/// <param name="TransactionId">Of the latest reference that proves it; 0 when none does.</param>
public sealed record RecoveredVersion(ulong InodeNumber, ObjectType Type, ulong Address, ulong TransactionId)
{
    /// <summary>A reference with its check code was found.</summary>
    public bool IsProven { get; init; }

    /// <summary>The inode's block.</summary>
    public required ReadOnlyMemory<byte> Block { get; init; }

    /// <summary>The fixed part of the inode.</summary>
    public ref readonly InodeData Inode => ref MemoryMarshal.AsRef<InodeData>(Block.Span);

    /// <summary>Its attributes as copies want them.</summary>
    public InodeAttributes Attributes => InodeAttributes.From(default, Inode);
}

/// <summary>A name that leads to an object.</summary>
/// <param name="Name">Bytes; hostile ones too.</param>
/// <param name="InodeNumber">Of the object.</param>
/// <param name="Type">What the entry says that it is.</param>
/// <param name="Parent">Number of the directory; 0 = any.</param>
public sealed record RecoveredName(ReadOnlyMemory<byte> Name, ulong InodeNumber, ObjectType Type, ulong Parent);

/// <summary>Searches a medium for lost files.</summary>
public sealed class MediaRecovery : IDisposable
{
    private readonly RecoverySpace _space;
    private readonly RecoveryOptions _options;
    private List<SeenInode> _inodes = [];
    private List<SeenRef> _inodeRefs = [], _nodeRefs = [];
    private List<SeenName> _names = [];

    /// <param name="devices">The volumes; disposed with this.</param>
    /// <param name="options">How.</param>
    public MediaRecovery(IReadOnlyList<IBlockDevice> devices, RecoveryOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(devices);
        _options = options ?? new RecoveryOptions();
        _space = RecoverySpace.Over(devices);
    }

    /// <summary>Bytes that a scan reads.</summary>
    public long Length => _space.Length;

    /// <summary>No valid header says how the medium is laid out.</summary>
    public bool IsLayoutGuessed => _space.IsGuess;

    /// <summary>Bytes that could not be read.</summary>
    public long UnreadableBytes { get; private set; }

    /// <summary>Findings that memory was too short for.</summary>
    public long ForgottenCount { get; private set; }

    /// <summary>Opens images or disks for reading, also while they are in use and also when they hold no valid volume.</summary>
    public static MediaRecovery Open(IReadOnlyList<string> paths, int? partition, RecoveryOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(paths);
        var devices = new List<IBlockDevice>();
        try
        {
            foreach (string path in paths)
                devices.Add(OpenOne(path, partition));
            return new MediaRecovery(devices, options);
        }
        catch
        {
            foreach (IBlockDevice device in devices)
                device.Dispose();
            throw;
        }
    }

    /// <summary>Reads the medium once.</summary>
    /// <param name="path">Names of the wanted path, without slashes.</param>
    /// <param name="progress">Gets the bytes of each step.</param>
    /// <param name="stop">Ends it.</param>
    public void Scan(IReadOnlyList<byte[]> path, IProgress<long>? progress = null, CancellationToken stop = default)
    {
        var scan = new RecoveryScan(_space, path, _options.MemoryBytesMax);
        scan.Run(progress, stop);
        (_inodes, _inodeRefs, _nodeRefs) = scan.Finish();
        _names = [.. scan.Names.Where(name => _options.IsRelaxed || IsProvenEntry(name)).DistinctBy(static name => (name.Component, name.Number, name.Type))];
        (UnreadableBytes, ForgottenCount) = (scan.UnreadableBytes, scan.Dropped);
    }

    /// <summary>What a path led to, at any time.</summary>
    /// <param name="path">As for <see cref="Scan"/>; empty: the roots of all PFSs.</param>
    /// <param name="isAbsolute">From the root of a PFS; else the tail of a path.</param>
    /// <param name="stop">Ends it.</param>
    public IReadOnlyList<RecoveredName> Find(IReadOnlyList<byte[]> path, bool isAbsolute, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (path.Count == 0)
            return [new RecoveredName(ReadOnlyMemory<byte>.Empty, FormatLimits.RootInodeNumber, ObjectType.Directory, 0)];
        int last = path.Count - 1;
        HashSet<ulong>? parents = null;
        if (isAbsolute)
            parents = [FormatLimits.RootInodeNumber];
        for (int i = 0; i < last; i++)
            parents = Step(path[i], i, parents, stop).Where(static name => name.Type == ObjectType.Directory).Select(static name => name.InodeNumber).ToHashSet();
        return [.. Step(path[last], last, parents, stop)
            .DistinctBy(static name => (name.InodeNumber, name.Type)).OrderBy(static name => name.InodeNumber)];
    }

    /// <summary>The entries that a directory had at any time, each once.</summary>
    public IReadOnlyList<RecoveredName> Entries(ulong directory, CancellationToken stop = default)
    {
        var found = new List<RecoveredName>();
        var known = new HashSet<(string, ulong, ObjectType)>();
        var walked = new HashSet<SeenRef>();
        byte[] stored = new byte[FormatLimits.InodeBytes];
        foreach (RecoveredVersion version in AllVersions(directory, ObjectType.Directory))
        {
            foreach (FoundLeaf leaf in RecoveryEntries.Walk(_space, version.Block.ToArray(), BlockRefType.Dirent, walked, stop))
            {
                if (leaf.IsLost || leaf.Ref.Key < FormatLimits.DirectoryKeyBase || !RecoveryEntries.TryName(_space, leaf.Ref, stored, out ReadOnlySpan<byte> name))
                    continue;
                if (known.Add((System.Text.Encoding.Latin1.GetString(name), leaf.Ref.DirentInode, leaf.Ref.DirentType)))
                    found.Add(new RecoveredName(name.ToArray(), leaf.Ref.DirentInode, leaf.Ref.DirentType, directory));
            }
        }

        return found;
    }

    /// <summary>The versions of the object that a name leads to, newest first; those of equal content once.</summary>
    public IReadOnlyList<RecoveredVersion> Versions(RecoveredName name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var all = AllVersions(name.InodeNumber, name.Type).ToList();

        // Several PFSs count their inodes alike; of a name with one link the inode knows the directory.
        if (name.Parent != 0 && all.Exists(version => version.Inode.ParentInode == name.Parent))
            all.RemoveAll(version => version.Inode.ParentInode != name.Parent && version.Inode.LinkCount <= 1);
        return [.. all
            .OrderByDescending(static version => version.IsProven).ThenByDescending(static version => version.TransactionId).ThenByDescending(static version => version.Inode.ChangeTime)
            .DistinctBy(static version => (version.Inode.Size, Convert.ToHexString(version.Block.Span[InodeData.UnionOffset..])))];
    }

    /// <summary>Reads a file's bytes.</summary>
    /// <param name="version">A file or symbolic link.</param>
    /// <param name="write">Gets offset and bytes in ascending order; what it does not get are holes.</param>
    /// <param name="stop">Ends it.</param>
    /// <returns>The ranges that are lost; when strict, at most the first.</returns>
    public IReadOnlyList<(long Offset, long Length)> Read(RecoveredVersion version, RecoveredBytes write, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(version);
        ArgumentNullException.ThrowIfNull(write);
        return new RecoveredContent(_space, (long)version.Inode.Size, _options.IsRelaxed).Read(version.Block.ToArray(), write, stop);
    }

    /// <inheritdoc/>
    public void Dispose() => _space.Dispose();

    // A disk that was partitioned anew over a volume: then the whole of it is looked at.
    private static IBlockDevice OpenOne(string path, int? partition)
    {
        try
        {
            return DeviceOpener.Open(path, partition, ignoreInUse: true);
        }
        catch (Hammer2Exception failure) when (failure.Error == Hammer2Error.NotHammer2 && partition is null)
        {
            return FileBlockDevice.Open(path, writable: false, ignoreInUse: true);
        }
    }

    // One name further down. Entries do not say where they belong, their objects do: the parent that an inode names, and the
    // directory's own tree, for objects with several names.
    private List<RecoveredName> Step(byte[] name, int component, HashSet<ulong>? parents, CancellationToken stop)
    {
        var found = new List<RecoveredName>();
        foreach (SeenName seen in _names)
        {
            if (seen.Component != component)
                continue;
            if (parents is null)
            {
                found.Add(new RecoveredName(name, seen.Number, seen.Type, 0));
                continue;
            }

            foreach (ulong parent in AllVersions(seen.Number, seen.Type).Select(static version => version.Inode.ParentInode).Distinct())
            {
                if (parents.Contains(parent) || parent == 0 && parents.Contains(FormatLimits.RootInodeNumber))
                    found.Add(new RecoveredName(name, seen.Number, seen.Type, parent));
            }
        }

        foreach (ulong parent in parents ?? [])
            found.AddRange(Entries(parent, stop).Where(entry => entry.Name.Span.SequenceEqual(name)));
        return found;
    }

    private IEnumerable<RecoveredVersion> AllVersions(ulong number, ObjectType type)
    {
        for (int i = FirstOf(number); i < _inodes.Count && _inodes[i].Number == number; i++)
        {
            SeenInode seen = _inodes[i];
            if (seen.Type != type || Reread(seen) is not { } block)
                continue;
            (bool proven, ulong tid) = Proof(seen, block);
            if (proven || _options.IsRelaxed)
                yield return new RecoveredVersion(number, type, seen.Offset, tid) { IsProven = proven, Block = block };
        }
    }

    // The medium may be in use: what changed since the scan is no longer what was found.
    private byte[]? Reread(SeenInode seen)
    {
        byte[] block = new byte[FormatLimits.InodeBytes];
        try
        {
            _space.Read(seen.Offset, block);
        }
        catch (Hammer2Exception)
        {
            // Unreadable by now, as if it had not been found.
            return null;
        }

        return Checks.XxHash(block) == seen.Hash ? block : null;
    }

    private (bool Proven, ulong Tid) Proof(SeenInode seen, byte[] block)
    {
        ulong at = seen.Offset | FormatLimits.AllocationRadixMin;
        bool proven = false;
        ulong tid = 0;
        for (int i = FirstTo(_inodeRefs, at); i < _inodeRefs.Count && _inodeRefs[i].DataOff == at; i++)
        {
            SeenRef reference = _inodeRefs[i];
            bool key = reference.Key == seen.Number || reference.Key >= FormatLimits.DirectoryKeyBase;
            if (!key || !Checks.Matches(reference.ToBlockRef(BlockRefType.Inode), block))
                continue;
            proven = true;
            tid = Math.Max(tid, reference.MirrorTid);
        }

        return (proven, tid);
    }

    // An entry is as good as the block that it lies in: a proven inode, or an array that a reference has the check code of.
    private bool IsProvenEntry(SeenName name)
    {
        byte[] block = new byte[FormatLimits.BlockBytesMax];
        ulong page = name.Offset & ~(ulong)(FormatLimits.BlockBytesMax - 1);
        int first = FirstTo(_nodeRefs, page);
        for (int i = first; i < _nodeRefs.Count && _nodeRefs[i].DataOff < page + FormatLimits.BlockBytesMax; i++)
        {
            BlockRef bref = _nodeRefs[i].ToBlockRef(BlockRefType.Indirect);
            if (name.Offset >= bref.Physical.Offset && name.Offset < bref.Physical.Offset + (ulong)bref.Physical.Bytes && _space.TryRead(bref, block))
                return true;
        }

        ulong unit = name.Offset & ~(ulong)(FormatLimits.InodeBytes - 1) | FormatLimits.AllocationRadixMin;
        for (int i = FirstTo(_inodeRefs, unit); i < _inodeRefs.Count && _inodeRefs[i].DataOff == unit; i++)
        {
            if (_space.TryRead(_inodeRefs[i].ToBlockRef(BlockRefType.Inode), block))
                return true;
        }

        return false;
    }

    private int FirstOf(ulong number)
    {
        int low = 0, high = _inodes.Count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_inodes[middle].Number < number)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }

    private static int FirstTo(List<SeenRef> refs, ulong dataOff)
    {
        int low = 0, high = refs.Count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (refs[middle].DataOff < dataOff)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }
}
