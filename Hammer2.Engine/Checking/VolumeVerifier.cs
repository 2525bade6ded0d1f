// Reads and checks every block that the newest header reaches: super-root, all PFSs and snapshots, file data, freemap.
// Workers share one stack of arrays to visit; each array's blocks are read in large neighbouring pieces, checked where
// they lie and not cached. A block shared by snapshots is visited once. Bounded on hostile trees: a child outside its
// parent's range is a finding and not followed, depth is limited, and the memory of visited blocks is fixed.

using System.Runtime.InteropServices;
using System.Text;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Topology;
using Hammer2.Engine.Volumes;

namespace Hammer2.Engine.Checking;

/// <summary>Verifies a whole volume.</summary>
public sealed class VolumeVerifier
{
    /// <summary>Findings kept with their details; further ones are counted.</summary>
    public const int FindingsMax = 10_000;

    // Marks what belongs to the freemap; elsewhere nesting counts the inodes above.
    private const int FreemapNesting = -1;

    private const int VisitedMax = 1 << 20;
    private const int FreemapAttempts = 10;

    // Header, super-root, PFS root: what lies in a PFS root has two inodes above it. Volumes of very old versions nest
    // objects as deep as their directories.
    private const int ObjectNesting = 2;
    private const int InodeNestingMax = 4096;
    private readonly Hammer2Volume _volume;
    private readonly WorkStack<Visit> _work = new();
    private readonly HashSet<BlockKey> _visited = [];
    private readonly List<VerifyFinding> _findings = [];
    private readonly Counters _total = new();

    /// <summary>Prepares a verification of an opened volume.</summary>
    public VolumeVerifier(Hammer2Volume volume)
    {
        ArgumentNullException.ThrowIfNull(volume);
        _volume = volume;
    }

    /// <summary>Runs to the end.</summary>
    /// <param name="workers">Threads; 0 = one per processor.</param>
    /// <param name="progress">Told now and then, from worker threads.</param>
    /// <param name="cancel">Stops early with <see cref="OperationCanceledException"/>.</param>
    public VerifyReport Run(int workers = 0, IProgress<VerifyProgress>? progress = null, CancellationToken cancel = default)
    {
        if (_volume.Writer is { Committer.Failure: null } writer)
            return RunLive(writer, workers, progress, cancel);
        PushSuperRoot(_volume.Header.SuperRoot);
        PushFreemap();
        Walk(workers, progress, cancel);
        return Report();
    }

    // On a volume that is being written, what one commit refers to is held so that bulkfree leaves it alone. The freemap has
    // eight copies of each block that later commits write in turn: where one was read too late, it is read again.
    private VerifyReport RunLive(VolumeWriter writer, int workers, IProgress<VerifyProgress>? progress, CancellationToken cancel)
    {
        BlockRef[] held = [];
        writer.Committer.RunExclusive(frozen =>
        {
            held = frozen.SuperRoot.ToArray();
            writer.Hold(held);
        });
        try
        {
            // Now what was held is on the medium, too.
            writer.Committer.Commit();
            PushSuperRoot(held);
            Walk(workers, progress, cancel);
        }
        finally
        {
            writer.LetGo(held);
        }

        return VerifyFreemap(workers, cancel);
    }

    private VerifyReport VerifyFreemap(int workers, CancellationToken cancel)
    {
        for (int attempt = 0; attempt < FreemapAttempts; attempt++)
        {
            VolumeHeader header = _volume.Header;
            var freemap = new VolumeVerifier(_volume);
            freemap.PushFreemap();
            freemap.Walk(workers, null, cancel);
            if (freemap._total.Findings > 0 && _volume.Header.FreemapTid != header.FreemapTid)
                continue;
            _total.Add(freemap._total);
            _findings.AddRange(freemap._findings);
            return Report();
        }

        VerifyReport report = Report();
        return report with { Warnings = [.. report.Warnings, "The freemap changed faster than it could be read: it was not verified; do it when the volume is less busy."] };
    }

    private void PushSuperRoot(ReadOnlySpan<BlockRef> blockset) => PushRoot(blockset, default, "Super-root blockset");

    private void PushFreemap() => PushRoot(_volume.Header.Freemap, new Owner(null, 0, 0, FreemapNesting), "Freemap blockset");

    private void Walk(int workers, IProgress<VerifyProgress>? progress, CancellationToken cancel)
    {
        int count = workers > 0 ? workers : Environment.ProcessorCount;
        Exception? failure = null;
        var threads = new Thread[count];
        for (int i = 0; i < count; i++)
        {
            threads[i] = new Thread(() =>
            {
                try
                {
                    using var worker = new Worker(this, progress);
                    worker.Run(cancel);
                }
                catch (Exception e)
                {
                    Interlocked.CompareExchange(ref failure, e, null);
                    _work.Stop();
                }
            })
            { Name = $"verify {i}", IsBackground = true };
            threads[i].Start();
        }

        foreach (Thread thread in threads)
            thread.Join();
        cancel.ThrowIfCancellationRequested();
        if (failure is not null)
            throw new Hammer2Exception(Hammer2Error.Io, $"Verification stopped: {failure.Message}", failure);
    }

    private VerifyReport Report() => new(
        _total.Inodes, _total.Indirects, _total.Data, _total.Dirents, _total.Freemap, _total.Bytes, _total.Unchecked,
        _total.Findings, FindingPaths.Fill(_volume, _findings), _volume.Warnings);

    private void PushRoot(ReadOnlySpan<BlockRef> blockset, in Owner owner, string name)
    {
        BlockRef[] refs = blockset.ToArray();
        try
        {
            int live = NodeArray.Normalise(refs, name);
            _work.Put(new Visit(refs[..live], owner, 0, ulong.MaxValue, 0));
        }
        catch (Hammer2Exception e)
        {
            _total.Findings++;
            _findings.Add(new VerifyFinding(e.Error, null, 0, null, 0, name, e.Message));
        }
    }

    // Metadata that snapshots share is followed once. When the memory is full everything is followed again, which
    // costs time and changes no verdict.
    private bool FirstVisit(in BlockRef bref)
    {
        lock (_visited)
            return _visited.Count >= VisitedMax ? !_visited.Contains(new BlockKey(bref)) : _visited.Add(new BlockKey(bref));
    }

    // Nested inodes can be made to multiply; they are only followed while it is known which ones were seen.
    private bool VisitedIsFull()
    {
        lock (_visited)
            return _visited.Count >= VisitedMax;
    }

    private void Add(Counters local, List<VerifyFinding> findings, IProgress<VerifyProgress>? progress)
    {
        VerifyProgress now;
        lock (_total)
        {
            _total.Add(local);
            foreach (VerifyFinding finding in findings)
            {
                if (_findings.Count < FindingsMax)
                    _findings.Add(finding);
            }

            long expected = Math.Max(0, _volume.TotalBytes - _volume.FreeBytes);
            now = new VerifyProgress(_total.Inodes + _total.Indirects + _total.Data + _total.Freemap, _total.Bytes, expected, _total.Findings);
        }

        findings.Clear();
        progress?.Report(now);
    }

    /// <summary>Who the visited blocks belong to.</summary>
    private readonly record struct Owner(string? Pfs, ulong Inode, ulong Size, int Nesting);

    /// <summary>References to visit, with the key range that their parent grants them.</summary>
    private readonly record struct Visit(BlockRef[] Refs, Owner Owner, ulong Low, ulong High, int Depth);

    private readonly record struct Leaf(BlockRef Ref, Owner Owner) : IPlaced
    {
        public PhysicalOffset Physical => Ref.Physical;
    }

    private sealed class Counters
    {
        internal long Inodes;
        internal long Indirects;
        internal long Data;
        internal long Dirents;
        internal long Freemap;
        internal long Bytes;
        internal long Unchecked;
        internal long Findings;

        internal void Add(Counters other)
        {
            Inodes += other.Inodes;
            Indirects += other.Indirects;
            Data += other.Data;
            Dirents += other.Dirents;
            Freemap += other.Freemap;
            Bytes += other.Bytes;
            Unchecked += other.Unchecked;
            Findings += other.Findings;
            other.Clear();
        }

        private void Clear() => (Inodes, Indirects, Data, Dirents, Freemap, Bytes, Unchecked, Findings) = (0, 0, 0, 0, 0, 0, 0, 0);
    }

    private sealed class Worker(VolumeVerifier verifier, IProgress<VerifyProgress>? progress) : IDisposable
    {
        private const long ReportBytes = 1 << 20;
        private readonly RegionReader _region = new(verifier._volume.VolumeSet);
        private readonly NativeBlock _decoded = new(FormatLimits.LogicalBlockBytes);

        // Apart from the region: arrays are read while the inodes of a region are still being looked at.
        private readonly NativeBlock _node = new(FormatLimits.BlockBytesMax);
        private readonly BlockReader _reader = verifier._volume.Reader;
        private readonly Counters _counters = new();
        private readonly List<VerifyFinding> _found = [];
        private List<Leaf> _leaves = [];
        private List<Leaf> _next = [];

        public void Dispose()
        {
            _region.Dispose();
            _decoded.Dispose();
            _node.Dispose();
        }

        internal void Run(CancellationToken cancel)
        {
            while (verifier._work.TryTake(out Visit visit))
            {
                if (cancel.IsCancellationRequested)
                    verifier._work.Stop();
                else
                    Process(visit, cancel);
                if (_counters.Bytes > ReportBytes || _found.Count > 0)
                    verifier.Add(_counters, _found, progress);
                verifier._work.Done();
            }

            verifier.Add(_counters, _found, progress);
        }

        // A visit is an array of references. Leaves of one array, and the first blocks of the inodes among them,
        // are gathered into batches, because they lie together on the medium; arrays below go onto the stack.
        private void Process(in Visit visit, CancellationToken cancel)
        {
            Collect(visit.Refs, visit.Owner, visit.Low, visit.High, visit.Depth);
            while (_next.Count > 0 && !cancel.IsCancellationRequested)
            {
                (_leaves, _next) = (_next, _leaves);
                _next.Clear();
                _leaves.Sort(static (a, b) => a.Ref.DataOff.CompareTo(b.Ref.DataOff));
                CheckLeaves(CollectionsMarshal.AsSpan(_leaves));
            }

            _next.Clear();
        }

        private void Collect(ReadOnlySpan<BlockRef> refs, in Owner owner, ulong low, ulong high, int depth)
        {
            foreach (ref readonly BlockRef bref in refs)
            {
                if (bref.Key < low || bref.LastKey > high)
                    Find(Hammer2Error.Corrupt, bref, owner, $"Blockref {bref} lies outside the key range of its parent.");
                else if (IsFreemapType(bref.Type) != (owner.Nesting == FreemapNesting))
                    Find(Hammer2Error.Corrupt, bref, owner, $"Blockref {bref} stands in a tree where its type does not belong.");
                else if (bref.IsNode)
                    Descend(bref, owner, depth);
                else if (bref.Type == BlockRefType.Dirent && !bref.Physical.HasData)
                    _counters.Dirents++;
                else if (HasLegalAddress(bref, owner))
                    _next.Add(new Leaf(bref, owner));
            }
        }

        private static bool IsFreemapType(BlockRefType type) => type is BlockRefType.FreemapNode or BlockRefType.FreemapLeaf;

        private void Descend(in BlockRef bref, in Owner owner, int depth)
        {
            if (depth >= BlockTree.DepthMax)
            {
                Find(Hammer2Error.Corrupt, bref, owner, $"Blockref {bref}: more than {BlockTree.DepthMax} levels of indirect blocks.");
                return;
            }

            if (!verifier.FirstVisit(bref))
                return;
            try
            {
                _reader.CheckAddress(bref);
                Span<byte> block = _node.Slice(0, bref.Physical.Bytes);
                _reader.ReadStored(bref, block);
                Count(bref);
                BlockRef[] children = MemoryMarshal.Cast<byte, BlockRef>(block).ToArray();
                int live = NodeArray.Normalise(children, bref);
                verifier._work.Put(new Visit(children[..live], owner, bref.Key, bref.LastKey, depth + 1));
            }
            catch (Hammer2Exception e)
            {
                Find(e.Error, bref, owner, e.Message);
            }
        }

        private void CheckLeaves(ReadOnlySpan<Leaf> leaves)
        {
            while (!leaves.IsEmpty)
            {
                int count = _region.Load(leaves);
                foreach (ref readonly Leaf leaf in leaves[..count])
                    CheckLeaf(leaf);
                leaves = leaves[count..];
            }
        }

        private bool HasLegalAddress(in BlockRef bref, in Owner owner)
        {
            try
            {
                _reader.CheckAddress(bref);
                return true;
            }
            catch (Hammer2Exception e)
            {
                Find(e.Error, bref, owner, e.Message);
                return false;
            }
        }

        private void CheckLeaf(in Leaf leaf)
        {
            try
            {
                ReadOnlySpan<byte> block = _region.Get(leaf.Physical);
                if (!Checks.Matches(leaf.Ref, block))
                    throw new Hammer2Exception(Hammer2Error.CheckFailed, $"Check code of blockref {leaf.Ref} differs: the block is damaged.");
                Count(leaf.Ref);
                CheckContents(leaf, block);
            }
            catch (Hammer2Exception e)
            {
                Find(e.Error, leaf.Ref, leaf.Owner, e.Message);
            }
        }

        private void CheckContents(in Leaf leaf, ReadOnlySpan<byte> block)
        {
            switch (leaf.Ref.Type)
            {
                case BlockRefType.Inode:
                    CheckInode(leaf, block);
                    break;
                case BlockRefType.Data when leaf.Ref.Compression == CompressionMethod.Lz4:
                    if (!Compression.IsSoundLz4(block))
                        throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {leaf.Ref}: the lz4 stream is damaged.");
                    break;
                case BlockRefType.Data when leaf.Ref.Compression == CompressionMethod.Zlib:
                    if (Compression.Decode(CompressionMethod.Zlib, block, _decoded.Span) < 0)
                        throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {leaf.Ref}: the zlib stream is damaged.");
                    break;
                default:
                    break;
            }
        }

        private void CheckInode(in Leaf leaf, ReadOnlySpan<byte> block)
        {
            InodeContent content = InodeContent.Decode(leaf.Ref, block);
            if (leaf.Owner.Nesting >= InodeNestingMax || leaf.Owner.Nesting > ObjectNesting && verifier.VisitedIsFull())
                throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {leaf.Ref}: inodes nested deeper than {InodeNestingMax}, or too many of them.");
            bool pfsRoot = leaf.Owner.Nesting == 1;
            string? pfs = pfsRoot ? Encoding.UTF8.GetString(content.Name) : leaf.Owner.Pfs;
            var owner = new Owner(pfs, content.Data.InodeNumber, content.Data.Size, leaf.Owner.Nesting + 1);
            if (content.Tree.Root.Count > 0 && verifier.FirstVisit(leaf.Ref))
                Collect(content.Tree.Root.Refs, owner, 0, ulong.MaxValue, 0);
        }

        private void Count(in BlockRef bref)
        {
            _counters.Bytes += bref.Physical.Bytes;
            if (bref.CheckMethod is CheckMethod.None or CheckMethod.Disabled)
                _counters.Unchecked++;
            switch (bref.Type)
            {
                case BlockRefType.Inode:
                    _counters.Inodes++;
                    break;
                case BlockRefType.Indirect:
                    _counters.Indirects++;
                    break;
                case BlockRefType.Data:
                    _counters.Data++;
                    break;
                case BlockRefType.Dirent:
                    _counters.Dirents++;
                    break;
                default:
                    _counters.Freemap++;
                    break;
            }
        }

        private void Find(Hammer2Error error, in BlockRef bref, in Owner owner, string message)
        {
            _counters.Findings++;
            ulong inode = bref.Type == BlockRefType.Inode && owner.Nesting >= 2 ? bref.Key : owner.Inode;
            _found.Add(new VerifyFinding(error, owner.Pfs, inode, null, bref.Physical.Offset, bref.ToString(), message));
        }
    }
}
