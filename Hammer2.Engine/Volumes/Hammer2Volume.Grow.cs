// Growing a volume while it is in use (format page 12.4). The order is what makes a power cut harmless: the file is extended and
// the header slots that come into range are wiped before anything refers to them; then, while no operation runs, the sizes change
// in memory; then one commit makes them durable, together with the leaf of the formerly last zone. Before that header the volume is
// what it was, on a device that is longer than it needs. Of several volumes the last one grows, and its size stands in a header of
// its own device: that one is durable first. Until the root volume's header follows, which alone decides, VolumeSet sees a
// last volume that claims more than the set has, and leaves the surplus alone; who opens the set for writing then finishes the growth.

using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Microsoft.Extensions.Logging;

namespace Hammer2.Engine.Volumes;

/// <summary>What <see cref="Hammer2Volume.Grow"/> did.</summary>
/// <param name="OldBytes">Size before of the volume that grew: the last one when there are several.</param>
/// <param name="NewBytes">Its size now.</param>
/// <param name="TotalBytes">Usable bytes now.</param>
/// <param name="FreeBytes">Free bytes now.</param>
public sealed record GrowReport(long OldBytes, long NewBytes, long TotalBytes, long FreeBytes);

public sealed partial class Hammer2Volume
{
    /// <summary>Makes the volume larger while it is in use; of several volumes the last. Durable when it returns.</summary>
    /// <param name="newBytes">New size of the volume that grows, rounded down to 8 MiB; an image file is extended to it. Null = all of the device.</param>
    /// <exception cref="Hammer2Exception"><c>InvalidArgument</c>: not larger, or the device is shorter; <c>ReadOnly</c>; <c>Io</c>.</exception>
    public GrowReport Grow(long? newBytes = null)
    {
        VolumeWriter writer = WriterForAdministration();
        lock (_states)
        {
            VolumeMember last = _volumes.Members[^1];
            long oldBytes = last.Length;
            long bytes = Extend(last, newBytes);
            writer.Committer.ThrowIfFailed();
            bool everyCopy = WipeHeaders(last.Device, oldBytes, bytes);
            last.Device.Flush();
            VolumeHeader? own = last.Id == 0 ? null : WriteMemberHeaders(writer.Committer.Header, last.Start, bytes);
            writer.Committer.RunExclusive(frozen => Resize(writer, frozen, bytes, own));
            writer.Committer.CommitHeader();
            writer.Committer.AmendHeader = null;

            // New places get copies as well, so that none stays blank until its turn comes; and in a set no older copy may stay, for
            // its sum of sizes is not that of the set any more, so that other systems would refuse to fall back on it.
            int copies = everyCopy || own is not null ? CopiesOf(own is null ? (ulong)bytes : _volumes.Header.VolumeSize) : 1;
            for (int copy = 1; copy < copies; copy++)
                writer.Committer.CommitHeader();
            return new GrowReport(oldBytes, bytes, TotalBytes, FreeBytes);
        }
    }

    // What a power cut left of a growth: the last volume's header is durable, the root volume's is not.
    private void FinishGrowth()
    {
        if (_volumes.UnfinishedGrowth is not long bytes)
            return;
        GrowReport report = Grow(bytes);
        _logger.LogInformation("A growth that was interrupted is finished: the last volume has {Bytes} bytes now.", report.NewBytes);
    }

    // Makes sure that the device has what is wanted, and says how much that is.
    private static long Extend(VolumeMember last, long? newBytes)
    {
        IBlockDevice device = last.Device;
        var growable = device as IGrowableDevice;
        growable?.Refresh();
        long bytes = (newBytes ?? device.Length) / FormatLimits.VolumeAlignment * FormatLimits.VolumeAlignment;
        if (bytes <= last.Length)
        {
            string volume = last.Id == 0 ? "The volume" : $"Volume {last.Id}, the last of the set and the one that can grow,";
            throw new Hammer2Exception(
                Hammer2Error.InvalidArgument,
                newBytes is null
                    ? $"{device.Name} has {device.Length} bytes and the volume {last.Length} of them: there is nothing to grow into; make the disk larger, or give a SIZE to extend an image file."
                    : $"{volume} has {last.Length} bytes; {newBytes} bytes, rounded down to 8 MiB, are not more, and volumes cannot shrink.");
        }

        if (bytes > long.MaxValue - last.Start)
            throw new Hammer2Exception(Hammer2Error.InvalidArgument, $"A filesystem has at most 2^63 - 1 bytes; {bytes} are too many.");
        if (bytes <= device.Length)
            return bytes;
        if (growable is not { CanExtend: true })
            throw new Hammer2Exception(Hammer2Error.InvalidArgument, $"{device.Name} has {device.Length} bytes, less than the {bytes} asked for; make it larger first.");
        growable.Extend(bytes);
        return bytes;
    }

    // A header of an older, larger filesystem in a place that was out of range would beat ours (format page, trap T8).
    private static bool WipeHeaders(IBlockDevice device, long oldBytes, long newBytes)
    {
        bool found = false;
        byte[] there = new byte[FormatLimits.VolumeHeaderBytes];
        for (int copy = 0; copy < FormatLimits.VolumeHeaderCopies; copy++)
        {
            long at = copy * FormatLimits.VolumeHeaderSpacing;
            if (at < oldBytes || at >= newBytes)
                continue;
            found = true;
            device.Read(at, there);
            if (!there.AsSpan().ContainsAnyExcept((byte)0))
                continue;
            there.AsSpan().Clear();
            device.Write(at, there);
        }

        return found;
    }

    // The headers of all volumes but the root volume, which nobody else ever writes. They change in their first sector only, which
    // carries its own CRC, so that each copy is the old one or the new one whatever a power cut leaves. Returns the last volume's.
    private VolumeHeader WriteMemberHeaders(VolumeHeader root, long lastStart, long bytes)
    {
        VolumeHeader? own = null;
        foreach (VolumeMember member in _volumes.Members.Skip(1))
        {
            // From the medium: an attempt that failed half-way has left a later one than was found at opening.
            VolumeHeader before = VolumeHeaderCopy.Newest(VolumeHeaderCopy.ReadAll(member.Device))?.Header ?? member.Header;
            own = new VolumeHeaderBuilder(before)
            {
                MirrorTid = before.MirrorTid + 1,
                FreemapTid = before.MirrorTid + 1,
                VolumeSize = (ulong)(member.Start == lastStart ? bytes : member.Length),
                TotalSize = (ulong)(lastStart + bytes),
                AllocatorSize = UsableBytes(root, lastStart + bytes),
            }.ToHeader();
            for (int copy = 0; copy < CopiesOf(own.VolumeSize); copy++)
                member.Device.Write(copy * FormatLimits.VolumeHeaderSpacing, own.Bytes);
        }

        _volumes.Flush();
        return own!;
    }

    private static int CopiesOf(ulong volumeBytes)
    {
        int copies = 1;
        while (copies < FormatLimits.VolumeHeaderCopies && (ulong)(copies * FormatLimits.VolumeHeaderSpacing + FormatLimits.ReservedBytes) <= volumeBytes)
            copies++;
        return copies;
    }

    private static ulong UsableBytes(VolumeHeader root, long total)
    {
        ulong zones = ((ulong)total + (ulong)FormatLimits.ZoneBytes - 1) >> FormatLimits.ZoneRadix;
        return (ulong)total - zones * (ulong)FormatLimits.ReservedBytes - (root.AuxEnd - root.BootBegin);
    }

    // While no operation runs: from here on the next header has the new sizes, and what is allocated may lie behind the old end.
    private void Resize(VolumeWriter writer, VolumeHeader frozen, long bytes, VolumeHeader? own)
    {
        _volumes.Grow(bytes, own);
        ulong total = (ulong)_volumes.Length;
        ulong usable = UsableBytes(frozen, _volumes.Length);
        writer.Freemap.Grow(total, usable);
        writer.Committer.AmendHeader = header =>
        {
            if (own is null)
                header.VolumeSize = (ulong)bytes;
            header.TotalSize = header.Version >= 2 ? total : 0;
            header.AllocatorSize = usable;
        };
    }
}
