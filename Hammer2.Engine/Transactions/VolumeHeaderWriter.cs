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
    private int _slot;

    internal VolumeHeaderWriter(VolumeSet volumes)
    {
        _volumes = volumes;
        VolumeMember root = volumes.Members[0];
        _device = root.Device;
        Current = root.Header;
        _slot = VolumeHeaderCopy.Newest(root.Copies)!.Index;
    }

    /// <summary>The header written last, or found at opening.</summary>
    internal VolumeHeader Current { get; private set; }

    /// <summary>Writes the header into the next slot and flushes every volume.</summary>
    internal void Write(VolumeHeader header)
    {
        Invariant.Check(header.MirrorTid > Current.MirrorTid);
        Invariant.Check(header.FreemapTid <= header.MirrorTid);
        int slot = _slot + 1;
        if (slot >= FormatLimits.VolumeHeaderCopies
            || (ulong)(slot * FormatLimits.VolumeHeaderSpacing + FormatLimits.ReservedBytes) > header.VolumeSize)
        {
            slot = 0;
        }

        _device.Write(slot * FormatLimits.VolumeHeaderSpacing, header.Bytes);
        _volumes.Flush();
        _slot = slot;
        Current = header;
    }

    /// <summary>Reads the header slots again and compares the newest with the one written last.</summary>
    /// <exception cref="Hammer2Exception"><c>InUse</c>: someone else has changed the volume.</exception>
    internal void ThrowIfChanged()
    {
        VolumeHeaderCopy? newest = VolumeHeaderCopy.Newest(VolumeHeaderCopy.ReadAll(_device));
        if (newest is not null && newest.Index == _slot && newest.Header!.Bytes.SequenceEqual(Current.Bytes))
            return;
        throw new Hammer2Exception(
            Hammer2Error.InUse,
            $"{_device.Name} was changed by another system while this one paused; nothing more is written here: unmount and mount again.");
    }
}
