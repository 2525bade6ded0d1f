// Repairs what has one right answer, and leaves the rest as it is: check, plan, write, check again. Everything goes through
// the write engine into new blocks and one new commit, so the state before stays whole under an older header copy; damaged
// copies are overwritten before valid ones. The freemap comes first, in memory: nothing is allocated by a map that is known to be
// wrong, and blocks of the older states stay taken. May call all rooms above.

using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hammer2.Engine.Checking;

/// <summary>Repairs whole volumes.</summary>
public sealed partial class VolumeRepairer
{
    // One commit is usual; names that were hidden behind a repaired one, or a plan that was cut, need another.
    private const int RoundsMax = 3;
    private readonly IReadOnlyList<IBlockDevice> _devices;
    private readonly RepairOptions _options;
    private readonly IProgress<CheckProgress>? _progress;
    private readonly CancellationToken _cancel;
    private readonly ActionList _actions;
    private string? _problem;
    private long _commits;
    private long _bytesChecked;

    // The state that was found: its header is the last that is overwritten.
    private ulong _firstTid;

    private VolumeRepairer(IReadOnlyList<IBlockDevice> devices, RepairOptions options, IProgress<CheckProgress>? progress, CancellationToken cancel)
    {
        _devices = devices;
        _options = options with { Check = options.Check with { HeaderCopy = null } };
        _progress = progress;
        _cancel = cancel;
        _actions = new ActionList(options.Check.FindingsPerCodeMax);
    }

    /// <summary>Repairs volumes on devices, which stay open. Nobody else may use them meanwhile.</summary>
    /// <param name="devices">All volumes of one filesystem, in any order; writable unless it is a dry run.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Told now and then, from any thread, of each check.</param>
    /// <param name="cancel">Stops early with <see cref="OperationCanceledException"/>; nothing half done is committed.</param>
    public static RepairReport Repair(
        IReadOnlyList<IBlockDevice> devices, RepairOptions? options = null, IProgress<CheckProgress>? progress = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(devices);
        return new VolumeRepairer(devices, options ?? new RepairOptions(), progress, cancel).Run();
    }

    private RepairReport Run()
    {
        var plan = new RepairPlan(_options.StepsMax);
        CheckReport before = Check(plan);
        CheckReport after = before;
        _firstTid = before.MirrorTid;
        for (int round = 0; round < RoundsMax && after.HeaderCopy >= 0 && _problem is null; round++)
        {
            plan.Drop(_actions.WasTried, _actions.WasTried);
            VolumeMember root = VolumeSet.Open(_devices).Members[0];
            VolumeHeaderCopy[] headers = [.. DamagedHeaders(root).Where(c => !_actions.WasTried(c))];
            if (plan.IsEmpty && headers.Length == 0)
                break;
            _problem = plan.HeaderIsWrong ? "The header does not describe this volume, so nothing is written by it."
                : IsContested(root) ? "The damaged first header copy is of another filesystem than the others: which one is wanted cannot be known, so nothing is written."
                : null;
            if (_problem is not null)
                break;
            long commits = _commits;
            if (_options.DryRun)
                Announce(plan, headers);
            else
                WriteRound(plan, headers);
            if (_commits == commits)
                break;
            plan = new RepairPlan(_options.StepsMax);
            after = Check(plan);
        }

        // What the last check still shows was tried in vain, or comes to light only now.
        if (!_options.DryRun)
            plan.Drop(_actions.WasTried, _actions.WasTried);
        if (plan.IsCut || !_options.DryRun && !plan.IsEmpty)
            _problem ??= "There is more to repair than a few commits take: repair again.";
        return new RepairReport(before, after, _actions.ToList(), _actions.Done, _actions.Left, _commits, _problem);
    }

    private CheckReport Check(RepairPlan plan)
    {
        CheckReport report = VolumeChecker.Check(_devices, _options.Check, plan, _progress is null ? null : new Continued(_progress, _bytesChecked), _cancel);
        _bytesChecked += report.Totals.Bytes;
        return report;
    }

    // A volume that was formatted anew and lost its only header of that: the older filesystem would win by what is left of it.
    private static bool IsContested(VolumeMember root) => root.Copies.Any(
        c => c is { Index: 0, Header: { } first } && c.Fault is not (HeaderFault.None or HeaderFault.ForeignFilesystem) && first.FileSystemId != root.Header.FileSystemId);

    // Unreadable slots cannot be written either, and what growing left blank is not damaged.
    private static IEnumerable<VolumeHeaderCopy> DamagedHeaders(VolumeMember root) => root.Copies.Where(
        c => c.Fault is not (HeaderFault.None or HeaderFault.Unreadable) && (ulong)(c.Offset + FormatLimits.ReservedBytes) <= root.Header.VolumeSize
            && (c.Index == 0 || c.Fault != HeaderFault.NoMagic || !IsBlank(root.Device, c)));

    private static bool IsBlank(IBlockDevice device, VolumeHeaderCopy copy)
    {
        byte[] bytes = new byte[FormatLimits.VolumeHeaderBytes];
        device.Read(copy.Offset, bytes);
        return bytes.AsSpan().IndexOfAnyExcept((byte)0) < 0;
    }

    private void Announce(RepairPlan plan, VolumeHeaderCopy[] headers)
    {
        foreach (VolumeHeaderCopy copy in headers)
            _actions.Add(copy);
        foreach ((CheckCode code, long count) in plan.WholeVolume)
            _actions.Add(code, count);
        foreach (RepairStep step in InOrder(plan))
            _actions.Add(step, null);
    }

    private static IOrderedEnumerable<RepairStep> InOrder(RepairPlan plan) => plan.Steps
        .OrderBy(s => s.Place.Pfs!.Ref.Key).ThenBy(s => s.Kind).ThenBy(s => s.Place.Inode).ThenBy(s => s.Place.EntryKey).ThenBy(s => s.Value).ThenBy(s => s.Code.Index);

    private void WriteRound(RepairPlan plan, VolumeHeaderCopy[] headers)
    {
        Hammer2Volume? volume = null;
        bool finished = false;
        try
        {
            _actions.BeginRound();
            volume = Hammer2Volume.Open(
                [.. _devices.Select(d => new BorrowedDevice(d))],
                new VolumeOptions { Writable = true, ForRepair = true, CommitInterval = TimeSpan.Zero, LiveDedup = false, Logger = _options.Logger });
            volume.Writer!.Committer.SpareValidHeaders(headers.Select(c => c.Index), _firstTid);
            volume.Writer.Committer.AmendHeader = Amend;
            WriteFreemap(volume, plan);
            WriteSteps(volume, plan);
            foreach (VolumeHeaderCopy copy in headers)
                _actions.Add(copy);
            _cancel.ThrowIfCancellationRequested();
            if (plan.CountsFree || plan.AmendsHeader)
                volume.Writer.Committer.CommitHeader();
            else
                volume.Writer.Committer.Commit();
            while (volume.Writer.Committer.DamagedHeaders > 0)
                volume.Writer.Committer.CommitHeader();
            finished = true;
        }
        catch (Exception e) when (e is Hammer2Exception or InvariantException)
        {
            _problem = $"The repair could not be written: {e.Message}";
            _actions.FailRound();
        }
        finally
        {
            _commits += volume?.Commits ?? 0;

            // What was not committed on purpose is not committed by closing either.
            if (!finished)
                volume?.Writer?.Committer.Latch(new Hammer2Exception(Hammer2Error.Closed, "The repair was stopped."));
            volume?.Dispose();
        }
    }

    private void WriteFreemap(Hammer2Volume volume, RepairPlan plan)
    {
        FreemapAllocator freemap = volume.Writer!.Freemap;
        bool lags = volume.Header.FreemapTid != volume.Header.MirrorTid;
        bool begun = true, sound = true;
        if (plan.RebuildsFreemap || lags)
        {
            Rebuild(volume, allIsRead =>
            {
                // Of a map that hides or leaks space nothing is lost, and without all of the trees it could not be put right.
                sound = allIsRead;
                begun = sound || lags || plan.MarksFreemap;
                foreach (long zone in begun ? plan.Zones : [])
                    freemap.Renew(zone);
                return begun;
            });
        }

        if (begun && (plan.RebuildsFreemap || plan.CountsFree || lags))
            freemap.Recount();
        foreach ((CheckCode code, long count) in plan.WholeVolume)
            _actions.Add(code, count, sound, begun);
    }

    private void Rebuild(Hammer2Volume volume, Func<bool, bool> begin)
    {
        BlockRef[][] older = [.. volume.Members[0].Copies
            .Where(c => c.Fault == HeaderFault.None && c.Header!.MirrorTid < volume.Header.MirrorTid).Select(c => c.Header!.SuperRoot.ToArray())];
        using var rebuild = new Bulkfree(volume.Reader, volume.Header.SuperRoot, volume.Writer!.Freemap, _options.Logger ?? NullLogger.Instance, new BulkfreeOptions
        {
            OlderSuperRoots = older,
            Commit = volume.Writer.Committer.Commit,
        });
        rebuild.Rebuild(begin, _cancel);
    }

    private void WriteSteps(Hammer2Volume volume, RepairPlan plan)
    {
        foreach (IGrouping<ulong, RepairStep> group in InOrder(plan).GroupBy(s => s.Place.Pfs!.Ref.Key))
        {
            PfsRepairer? pfs = null;
            foreach (RepairStep step in group)
            {
                _cancel.ThrowIfCancellationRequested();
                try
                {
                    pfs ??= new PfsRepairer(volume, group.Key);
                    pfs.Do(step);
                    _actions.Add(step, null);
                }
                catch (Hammer2Exception e)
                {
                    _actions.Add(step, e.Message);
                }

                // Nobody else commits: when half of the memory for changes is in use it is time.
                if (volume.Writer!.Committer.Budget.Bytes > volume.Writer.Committer.Budget.BytesMax / 2)
                    volume.Writer.Committer.Commit();
            }
        }
    }

    // Fields that follow from others (format page 2.1, 1.4). Slots without a reference are zero.
    private static void Amend(VolumeHeaderBuilder header)
    {
        if (header.Version == 1)
        {
            (header.VolumeId, header.VolumeCount, header.TotalSize) = (0, 0, 0);
            for (int i = 0; i < FormatLimits.VolumesMax; i++)
                header.SetVolumeOffset(i, 0);
        }

        ulong size = header.Version == 1 ? header.VolumeSize : header.TotalSize;
        ulong zones = (size + (ulong)FormatLimits.ZoneBytes - 1) >> FormatLimits.ZoneRadix;
        header.AllocatorSize = size - zones * (ulong)FormatLimits.ReservedBytes - (header.AuxEnd - header.BootBegin);
        foreach (ref BlockRef slot in header.SuperRoot)
        {
            if (slot.Type == BlockRefType.Empty)
                slot = default;
        }
    }
}
