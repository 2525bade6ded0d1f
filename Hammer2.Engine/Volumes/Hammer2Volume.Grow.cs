// Growing a volume while it is in use (format page 12.4). The order is what makes a power cut harmless: the file is extended and
// the header slots that come into range are wiped before anything refers to them; then, while no operation runs, the sizes change
// in memory; then one commit makes them durable, together with the leaf of the formerly last zone. Before that header the volume is
// what it was, on a device that is longer than it needs.

using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Volumes;

/// <summary>What <see cref="Hammer2Volume.Grow"/> did.</summary>
/// <param name="OldBytes">Size of the volume before.</param>
/// <param name="NewBytes">Size of the volume now.</param>
/// <param name="TotalBytes">Usable bytes now.</param>
/// <param name="FreeBytes">Free bytes now.</param>
public sealed record GrowReport(long OldBytes, long NewBytes, long TotalBytes, long FreeBytes);

public sealed partial class Hammer2Volume
{
    /// <summary>Makes the volume larger while it is in use. Durable when it returns.</summary>
    /// <param name="newBytes">New size, rounded down to 8 MiB; an image file is extended to it. Null = all of the device.</param>
    /// <exception cref="Hammer2Exception">
    /// <c>InvalidArgument</c>: not larger, or the device is shorter; <c>Unsupported</c>: several volumes; <c>ReadOnly</c>; <c>Io</c>.
    /// </exception>
    public GrowReport Grow(long? newBytes = null)
    {
        VolumeWriter writer = WriterForAdministration();
        if (_volumes.Members.Count > 1)
        {
            throw new Hammer2Exception(
                Hammer2Error.Unsupported,
                $"The filesystem has {_volumes.Members.Count} volumes and cannot grow: the headers of two devices would have to change in the same moment.");
        }

        lock (_states)
        {
            IBlockDevice device = _volumes.Members[0].Device;
            long oldBytes = _volumes.Members[0].Length;
            long bytes = Extend(device, oldBytes, newBytes);
            writer.Committer.ThrowIfFailed();
            bool hasNewSlots = WipeHeaders(device, oldBytes, bytes);
            device.Flush();
            writer.Committer.RunExclusive(frozen => Resize(writer, frozen, bytes));
            writer.Committer.CommitHeader();
            writer.Committer.AmendHeader = null;

            // The new places get copies as well, so that none stays blank until its turn comes.
            for (int copy = 1; hasNewSlots && copy < FormatLimits.VolumeHeaderCopies; copy++)
                writer.Committer.CommitHeader();
            return new GrowReport(oldBytes, bytes, TotalBytes, FreeBytes);
        }
    }

    // Makes sure that the device has what is wanted, and says how much that is.
    private static long Extend(IBlockDevice device, long oldBytes, long? newBytes)
    {
        var growable = device as IGrowableDevice;
        growable?.Refresh();
        long bytes = (newBytes ?? device.Length) / FormatLimits.VolumeAlignment * FormatLimits.VolumeAlignment;
        if (bytes <= oldBytes)
        {
            throw new Hammer2Exception(
                Hammer2Error.InvalidArgument,
                newBytes is null
                    ? $"{device.Name} has {device.Length} bytes and the volume {oldBytes} of them: there is nothing to grow into."
                    : $"The volume has {oldBytes} bytes; {newBytes} bytes, rounded down to 8 MiB, are not more, and volumes cannot shrink.");
        }

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

    // While no operation runs: from here on the next header has the new sizes, and what is allocated may lie behind the old end.
    private void Resize(VolumeWriter writer, VolumeHeader frozen, long bytes)
    {
        ulong zones = ((ulong)bytes + (ulong)FormatLimits.ZoneBytes - 1) >> FormatLimits.ZoneRadix;
        ulong usable = (ulong)bytes - zones * (ulong)FormatLimits.ReservedBytes - (frozen.AuxEnd - frozen.BootBegin);
        _volumes.Grow(bytes);
        writer.Freemap.Grow((ulong)bytes, usable);
        writer.Committer.AmendHeader = header =>
        {
            header.VolumeSize = (ulong)bytes;
            header.TotalSize = header.Version >= 2 ? (ulong)bytes : 0;
            header.AllocatorSize = usable;
        };
    }
}
