// Writing the volume header: one copy per commit, each time into the next slot of the root volume (format page 2.5),
// so that a torn write leaves the copy before it. The caller has made everything durable that the header refers to;
// Write makes the header durable too. Also looks whether someone else has written headers meanwhile.

using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Transactions;

/// <summary>Writes header copies in rotation.</summary>
internal sealed class VolumeHeaderWriter
{
    private readonly VolumeSet _volumes;
    private readonly IBlockDevice _device;
    private readonly Queue<int> _damaged = new();
    private int _slot;
    private ulong? _keptTid;

    internal VolumeHeaderWriter(VolumeSet volumes)
    {
        _volumes = volumes;
        VolumeMember root = volumes.Members[0];
        _device = root.Device;
        Current = root.Header;
        _slot = VolumeHeaderCopy.Newest(root.Copies)!.Index;
        if (_slot != VolumeHeaderCopy.SpareIndex)
            return;

        // The only copy was torn and the spare is in use: the copy is made whole before anything else is written.
        _slot = 0;
        _device.Write(0, Current.Bytes);
        _volumes.Flush();
    }

    /// <summary>The header written last, or found at opening.</summary>
    internal VolumeHeader Current { get; private set; }

    /// <summary>Writes the spare of a volume with one header slot; the barrier before <see cref="Write"/> makes it durable.</summary>
    internal void WriteSpare(VolumeHeader header)
    {
        if (VolumeHeaderCopy.HasSpare(header.VolumeSize))
            _device.Write(VolumeHeaderCopy.SpareOffset, header.Bytes);
    }

    /// <summary>Slots that are still to be replaced, after <see cref="SpareValidCopies"/>.</summary>
    internal int DamagedSlots => _damaged.Count;

    /// <summary>For a repair: writes into damaged slots first, then over the oldest copies, and over that of one commit only when there is no other.</summary>
    internal void SpareValidCopies(IEnumerable<int> damaged, ulong keptTid)
    {
        _keptTid = keptTid;
        foreach (int slot in damaged)
            _damaged.Enqueue(slot);
    }

    /// <summary>Writes the header into the next slot and flushes every volume.</summary>
    internal void Write(VolumeHeader header)
    {
        Invariant.Check(header.MirrorTid > Current.MirrorTid);
        Invariant.Check(header.FreemapTid <= header.MirrorTid);
        int slot = _keptTid is ulong kept ? SparingSlot(kept, header) : SlotAfter(_slot, header);
        _device.Write(slot * FormatLimits.VolumeHeaderSpacing, header.Bytes);
        _volumes.Flush();
        _slot = slot;
        Current = header;
    }

    /// <summary>Makes sure that the header in use is the newest: the copy after it could be read, if only as damaged.</summary>
    /// <exception cref="Hammer2Exception"><c>Io</c>: whoever writes on from an older header destroys what the newer one refers to.</exception>
    internal static void ThrowIfNewerMayExist(VolumeSet volumes)
    {
        VolumeMember root = volumes.Members[0];
        int newest = VolumeHeaderCopy.Newest(root.Copies)!.Index;
        int next = newest == VolumeHeaderCopy.SpareIndex ? 0 : SlotAfter(newest, root.Header);
        VolumeHeaderCopy? copy = root.Copies.FirstOrDefault(c => c.Index == next);
        if (copy?.Fault == HeaderFault.Unreadable)
        {
            throw new Hammer2Exception(
                Hammer2Error.Io,
                $"{root.Device.Name}: header copy {next} at 0x{copy.Offset:x} cannot be read and may be the newest; open the volume for reading only.");
        }
    }

    private static int SlotAfter(int slot, VolumeHeader header)
    {
        slot++;
        return Fits(slot, header) ? slot : 0;
    }

    private static bool Fits(int slot, VolumeHeader header) =>
        slot < FormatLimits.VolumeHeaderCopies
        && (ulong)(slot * FormatLimits.VolumeHeaderSpacing + FormatLimits.ReservedBytes) <= header.VolumeSize;

    // A damaged slot, else one that was never written, else the oldest copy; the kept one last.
    private int SparingSlot(ulong keptTid, VolumeHeader header)
    {
        if (_damaged.TryDequeue(out int damaged))
            return damaged;
        return VolumeHeaderCopy.ReadAll(_device)
            .Where(c => Fits(c.Index, header) && c.Fault != HeaderFault.Unreadable)
            .OrderBy(c => c.Fault != HeaderFault.None ? 0 : c.Header!.MirrorTid == keptTid ? ulong.MaxValue : c.Header.MirrorTid)
            .Select(c => c.Index)
            .FirstOrDefault();
    }

    /// <summary>Reads the header slots again and compares the newest with the one written last.</summary>
    /// <exception cref="Hammer2Exception"><c>InUse</c>: someone else has changed the volume.</exception>
    internal void ThrowIfChanged()
    {
        IReadOnlyList<VolumeHeaderCopy> copies = VolumeHeaderCopy.ReadAll(_device);
        if (copies.FirstOrDefault(c => c.Index == _slot && c.Fault == HeaderFault.Unreadable) is { } unreadable)
            throw new Hammer2Exception(Hammer2Error.Io, $"{_device.Name}: header copy {unreadable.Index} cannot be read any more.");
        VolumeHeaderCopy? newest = VolumeHeaderCopy.Newest(copies);
        if (newest is not null && newest.Index == _slot && newest.Header!.Bytes.SequenceEqual(Current.Bytes))
            return;
        throw new Hammer2Exception(
            Hammer2Error.InUse,
            $"{_device.Name} was changed by another system while this one paused; nothing more is written here: unmount and mount again.");
    }
}
