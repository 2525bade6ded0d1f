// The strict, read-only check of a volume (format page 13.2): headers, every blockref and block of all PFSs and snapshots, names
// against inodes, and the freemap against what is really in use. It judges the state of one header copy. Nothing is written.
//
// Memory: five bits for every 16 KiB and what the table of segments takes (about 60 MiB for 1 TiB in use), 2 KiB for each
// 4 MiB with blocks below 16 KiB, and 80 bytes for every named inode of the largest PFS; see UsageMap and PfsScan. Time is
// linear in the metadata of all PFSs together: snapshots are walked each for their names, their common data is read once.

using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Engine.Checking;

/// <summary>Checks whole volumes.</summary>
public sealed class VolumeChecker
{
    private readonly FindingList _findings;
    private readonly CheckOptions _options;
    private readonly IProgress<CheckProgress>? _progress;
    private readonly CancellationToken _cancel;
    private readonly RepairPlan? _plan;

    private VolumeChecker(CheckOptions? options, RepairPlan? plan, IProgress<CheckProgress>? progress, CancellationToken cancel)
    {
        _options = options ?? new CheckOptions();
        _plan = plan;
        _findings = new FindingList(_options.FindingsPerCodeMax, plan);
        _progress = progress;
        _cancel = cancel;
    }

    /// <summary>Checks the medium of an opened volume; what it still holds in memory is not seen.</summary>
    public static CheckReport Check(
        Hammer2Volume volume, CheckOptions? options = null, IProgress<CheckProgress>? progress = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(volume);
        return Check([.. volume.Members.Select(m => m.Device)], options, progress, cancel);
    }

    /// <summary>Checks volumes on devices, which stay open and are only read.</summary>
    /// <param name="devices">All volumes of one filesystem, in any order.</param>
    /// <param name="options">What to check.</param>
    /// <param name="progress">Told now and then, from any thread.</param>
    /// <param name="cancel">Stops early with <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="Hammer2Exception"><c>InvalidArgument</c>: the wanted header copy is not valid.</exception>
    public static CheckReport Check(
        IReadOnlyList<IBlockDevice> devices, CheckOptions? options = null, IProgress<CheckProgress>? progress = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(devices);
        return new VolumeChecker(options, null, progress, cancel).Run(devices);
    }

    /// <summary>Checks, and makes a plan of what can be repaired.</summary>
    internal static CheckReport Check(
        IReadOnlyList<IBlockDevice> devices, CheckOptions? options, RepairPlan plan, IProgress<CheckProgress>? progress, CancellationToken cancel) =>
        new VolumeChecker(options, plan, progress, cancel).Run(devices);

    private CheckReport Run(IReadOnlyList<IBlockDevice> devices)
    {
        VolumeSet volumes;
        try
        {
            volumes = VolumeSet.Open(devices);
        }
        catch (Hammer2Exception e)
        {
            foreach (IBlockDevice device in devices)
                HeaderRules.CheckCopies(_findings, device, VolumeHeaderCopy.ReadAll(device));
            _findings.Add(CheckCodes.VolumeUnusable, default, 0UL, $"The volume cannot be opened: {e.Message}");
            return new CheckReport(-1, 0, new CheckTotals(0, 0, 0, 0, 0, 0, 0), _findings.Counts(), _findings.ToList());
        }

        VolumeHeaderCopy chosen = Choose(volumes.Members[0]);
        foreach (VolumeMember member in volumes.Members)
        {
            HeaderRules.CheckCopies(_findings, member.Device, member.Copies);
            // Fields say something of the state that they belong to: other states are judged when they are asked for.
            HeaderRules.CheckFields(_findings, member, member.Id == 0 ? chosen : VolumeHeaderCopy.Newest(member.Copies)!);
        }

        if (volumes.UnfinishedGrowth is long claimed)
        {
            VolumeMember last = volumes.Members[^1];
            _findings.Add(
                CheckCodes.HeaderGrowth, default, (ulong)last.Start,
                $"Volume {last.Id} says that it has {claimed} bytes, the filesystem uses {last.Length} of them: a growth was interrupted.");
        }

        return Run(volumes, chosen);
    }

    private VolumeHeaderCopy Choose(VolumeMember root)
    {
        if (_options.HeaderCopy is not int wanted)
            return VolumeHeaderCopy.Newest(root.Copies)!;
        return root.Copies.FirstOrDefault(c => c.Index == wanted && c.Fault == HeaderFault.None) ?? throw new Hammer2Exception(
            Hammer2Error.InvalidArgument,
            $"Header copy {wanted} is not valid; valid are {string.Join(", ", root.Copies.Where(c => c.Fault == HeaderFault.None).Select(c => c.Index))}.");
    }

    private CheckReport Run(VolumeSet volumes, VolumeHeaderCopy chosen)
    {
        VolumeHeader header = chosen.Header!;
        var walk = new CheckWalk(volumes, header, _findings, _options, _progress, _cancel);
        var headerRef = new BlockRef { MirrorTid = header.MirrorTid };
        walk.Run(headerRef, header.SuperRoot.ToArray(), new TreeContext(null, TreeKind.Header, 0, 0, 0, false));
        if (walk.SuperRoot is not { } superRoot)
            _findings.Add(CheckCodes.SuperRootMissing, default, (ulong)chosen.Offset, $"Header copy {chosen.Index} leads to no super-root.");
        else
            walk.Run(superRoot.Ref, superRoot.Blockset, new TreeContext(null, TreeKind.SuperRoot, 0, 0, 0, false));
        if (header.SuperRoot.ToArray().Count(b => b.Type != BlockRefType.Empty) > 1 || header.SuperRoot.ToArray().Any(b => b.Type != BlockRefType.Empty && b.Key != 0))
            _findings.Add(CheckCodes.SuperRootFields, default, (ulong)chosen.Offset, $"The super-root blockset holds more than one inode with key 0.");

        CheckIdentities(walk.Pfs);
        foreach (PfsScan pfs in walk.Pfs)
            CheckPfs(walk, pfs);
        _plan?.EnterFreemap(header);
        int leaves = new FreemapCheck(_findings, volumes, header, walk.Usage).Run(_cancel);
        CheckCounters totals = walk.Totals;
        return new CheckReport(
            chosen.Index, header.MirrorTid,
            new CheckTotals(walk.Pfs.Count, totals.Inodes, totals.Dirents, totals.Indirects, totals.DataBlocks, totals.Bytes, leaves),
            _findings.Counts(), _findings.ToList())
        {
            Usage = walk.Usage,
        };
    }

    private void CheckPfs(CheckWalk walk, PfsScan pfs)
    {
        // The root's own block belongs to this tree too: nothing below may lead back to it.
        walk.Usage.NextTree();
        walk.Usage.Claim(pfs.Ref.Physical, metadata: true, committed: false);
        walk.Run(pfs.Ref, pfs.Blockset, new TreeContext(pfs, TreeKind.PfsRoot, FormatLimits.RootInodeNumber, 0, 0, false));
        PfsTables tables = pfs.TakeTables();
        new NamespaceCheck(_findings, pfs, tables).Run();
        FindingNames.Fill(walk.Volumes, pfs, tables, _findings.Of(pfs));
        if (_plan is null)
            return;
        new NamespacePlan(_plan, pfs, tables).Decide();
        FindingNames.Fill(walk.Volumes, pfs, tables, _plan.WithPaths(pfs));
    }

    private void CheckIdentities(List<PfsScan> all)
    {
        var labels = new Dictionary<string, PfsScan>(StringComparer.Ordinal);
        var ids = new Dictionary<Guid, PfsScan>();
        foreach (PfsScan pfs in all)
        {
            var place = new Place(pfs, FormatLimits.RootInodeNumber);
            if (!labels.TryAdd(pfs.Label, pfs))
                _findings.Add(CheckCodes.PfsDuplicateLabel, place, pfs.Ref, $"Another PFS has the same label.");
            if (!ids.TryAdd(pfs.Root.PfsClusterId, pfs) | !ids.TryAdd(pfs.Root.PfsFileSystemId, pfs))
                _findings.Add(CheckCodes.PfsDuplicateId, place, pfs.Ref, $"Another PFS has the same cluster or filesystem id.");
        }
    }
}
