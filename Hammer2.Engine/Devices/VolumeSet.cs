// 1..64 volumes as one address space (format page 2.6). Construction checks every rule that ties the headers
// to each other and to the devices; afterwards an address either belongs to exactly one volume or is refused.
// Owns the devices.

using System.Runtime.ExceptionServices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Devices;

/// <summary>One volume of a set.</summary>
/// <param name="Id">Volume number; 0 is the root volume.</param>
/// <param name="Device">Where its bytes are.</param>
/// <param name="Start">First address of it in the logical space.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Header">Its newest valid header.</param>
/// <param name="Copies">All header copies of the device.</param>
public sealed record VolumeMember(
    int Id, IBlockDevice Device, long Start, long Length, VolumeHeader Header, IReadOnlyList<VolumeHeaderCopy> Copies);

/// <summary>All volumes of one filesystem.</summary>
public sealed class VolumeSet : IDisposable
{
    private readonly VolumeMember[] _members;

    private VolumeSet(VolumeMember[] members, IReadOnlyList<string> warnings)
    {
        _members = members;
        Warnings = warnings;
        Length = members[^1].Start + members[^1].Length;
    }

    /// <summary>Members by id.</summary>
    public IReadOnlyList<VolumeMember> Members => _members;

    /// <summary>The root volume's header: the one that counts.</summary>
    public VolumeHeader Header => _members[0].Header;

    /// <summary>Bytes of the logical address space.</summary>
    public long Length { get; private set; }

    /// <summary>What was passed over or looks odd, one sentence each.</summary>
    public IReadOnlyList<string> Warnings { get; }

    /// <summary>Reads and checks the headers of all devices and joins them; on failure the devices stay open.</summary>
    /// <exception cref="Hammer2Exception"><c>NotHammer2</c>, <c>Unsupported</c> or <c>Corrupt</c>.</exception>
    public static VolumeSet Open(IReadOnlyList<IBlockDevice> devices)
    {
        ArgumentNullException.ThrowIfNull(devices);
        if (devices.Count is 0 or > FormatLimits.VolumesMax)
            throw new Hammer2Exception(Hammer2Error.InvalidArgument, $"A filesystem has 1 to 64 volumes, not {devices.Count}.");

        var warnings = new List<string>();
        var members = new List<VolumeMember>();
        foreach (IBlockDevice device in devices)
            members.Add(Probe(device, warnings));
        members.Sort((a, b) => a.Id.CompareTo(b.Id));
        CheckSet(members, warnings);
        return new VolumeSet([.. members], warnings);
    }

    /// <summary>Fills the buffer from a logical address; the range must lie in one volume.</summary>
    public void Read(long offset, Span<byte> buffer)
    {
        VolumeMember member = MemberOf(offset, buffer.Length);
        member.Device.Read(offset - member.Start, buffer);
    }

    /// <summary>Writes to a logical address; the range must lie in one volume. Durable only after <see cref="Flush"/>.</summary>
    public void Write(long logicalOffset, ReadOnlySpan<byte> data)
    {
        VolumeMember member = MemberOf(logicalOffset, data.Length);
        member.Device.Write(logicalOffset - member.Start, data);
    }

    /// <summary>Flushes every volume's device: all of them are tried, then the first failure is thrown.</summary>
    public void Flush()
    {
        ExceptionDispatchInfo? first = null;
        foreach (VolumeMember member in _members)
        {
            try
            {
                member.Device.Flush();
            }
            catch (Exception e)
            {
                first ??= ExceptionDispatchInfo.Capture(e);
            }
        }

        first?.Throw();
    }

    /// <summary>True when the range lies inside one volume.</summary>
    public bool Contains(ulong offset, int length) => Find(offset, length) is not null;

    /// <summary>The volume that holds the whole range.</summary>
    /// <exception cref="Hammer2Exception"><c>Io</c>: outside every volume.</exception>
    public VolumeMember MemberOf(long offset, int length) =>
        Find((ulong)offset, length) ?? throw new Hammer2Exception(
            Hammer2Error.Io, $"Address 0x{offset:x} ({length} bytes) lies outside the volume, which ends at 0x{Length:x}.");

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (VolumeMember member in _members)
            member.Device.Dispose();
    }

    /// <summary>
    /// What the last volume's own header says, when that is more than the set has: a growth was interrupted after this header was
    /// written and before the root volume's, which decides. Null otherwise.
    /// </summary>
    internal long? UnfinishedGrowth =>
        _members.Length > 1 && (long)_members[^1].Header.VolumeSize > _members[^1].Length ? (long)_members[^1].Header.VolumeSize : null;

    /// <summary>The last volume got longer; the device has the bytes. <paramref name="header"/> is its own header, when it is not the root volume.</summary>
    internal void Grow(long bytes, VolumeHeader? header)
    {
        VolumeMember last = _members[^1];
        Invariant.Check(bytes > last.Length && bytes <= last.Device.Length);
        _members[^1] = last with { Length = bytes, Header = header ?? last.Header };
        Length = last.Start + bytes;
    }

    private VolumeMember? Find(ulong offset, int length)
    {
        foreach (VolumeMember member in _members)
        {
            if (offset >= (ulong)member.Start && offset - (ulong)member.Start < (ulong)member.Length)
                return offset - (ulong)member.Start <= (ulong)(member.Length - length) ? member : null;
        }

        return null;
    }

    private static VolumeMember Probe(IBlockDevice device, List<string> warnings)
    {
        IReadOnlyList<VolumeHeaderCopy> copies = VolumeHeaderCopy.ReadAll(device);
        VolumeHeaderCopy? best = VolumeHeaderCopy.Newest(copies);
        if (best is null)
            throw NoHeader(device, copies);
        foreach (VolumeHeaderCopy copy in copies)
        {
            // A blank slot is normal: newfs fills only the copies that lie inside the volume.
            if (copy.Fault != HeaderFault.None && !(copy.Fault == HeaderFault.NoMagic && (ulong)copy.Offset >= best.Header!.VolumeSize))
                warnings.Add($"{device.Name}: header copy {copy.Index} at 0x{copy.Offset:x} passed over ({Reason(copy)}); using copy {best.Index}.");
        }

        VolumeHeader header = best.Header!;
        CheckVersion(device, header);
        if (header.FileSystemType != VolumeHeader.HammerType)
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"{device.Name}: file system type {header.FileSystemType} is not HAMMER2's.");
        if (header.VolumeSize == 0 || header.VolumeSize > long.MaxValue || header.VolumeSize % FormatLimits.VolumeAlignment != 0)
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"{device.Name}: volume size 0x{header.VolumeSize:x} is not a multiple of 8 MiB.");
        if (header.VolumeSize > (ulong)device.Length)
        {
            throw new Hammer2Exception(
                Hammer2Error.Corrupt,
                $"{device.Name} is cut short: the volume has {header.VolumeSize} bytes, the device {device.Length}; copy the image again.");
        }

        long start = header.Version >= 2 && header.VolumeId < FormatLimits.VolumesMax ? (long)header.VolumeOffset(header.VolumeId) : 0;
        return new VolumeMember(header.VolumeId, device, start, (long)header.VolumeSize, header, copies);
    }

    private static string Reason(VolumeHeaderCopy copy) => copy.Fault switch
    {
        HeaderFault.NoMagic => "no magic",
        HeaderFault.ForeignByteOrder => "opposite byte order",
        HeaderFault.Sector0Crc => "CRC of sector 0 differs",
        HeaderFault.Sector1Crc => "CRC of sector 1 differs",
        HeaderFault.HeaderCrc => "header CRC differs",
        HeaderFault.Unreadable => "cannot be read",
        HeaderFault.ForeignFilesystem => $"belongs to another filesystem, {copy.Header!.FileSystemId}",
        HeaderFault.BeyondVolume => "lies beyond the end of its volume",
        _ => copy.Fault.ToString(),
    };

    private static Hammer2Exception NoHeader(IBlockDevice device, IReadOnlyList<VolumeHeaderCopy> copies)
    {
        if (copies.Any(c => c.Fault == HeaderFault.ForeignByteOrder))
            return new Hammer2Exception(Hammer2Error.Unsupported, $"{device.Name}: written by a machine of the opposite byte order, which no system mounts.");
        var damaged = copies.Where(c => c.Header is not null || c.Fault == HeaderFault.Unreadable).ToList();
        return damaged.Count == 0
            ? new Hammer2Exception(Hammer2Error.NotHammer2, $"{device.Name} holds no HAMMER2 volume: no header magic was found.")
            : new Hammer2Exception(
                Hammer2Error.Corrupt,
                $"{device.Name}: no header copy is valid ({string.Join("; ", damaged.Select(c => $"copy {c.Index}: {Reason(c)}"))}).");
    }

    private static void CheckVersion(IBlockDevice device, VolumeHeader header)
    {
        if (header.Version is 0 or > FormatLimits.VersionMax)
            throw new Hammer2Exception(Hammer2Error.Unsupported, $"{device.Name}: format version {header.Version} is unknown; versions 1 and 2 are supported.");
    }

    private static void CheckSet(List<VolumeMember> members, List<string> warnings)
    {
        VolumeMember root = members[0];
        if (root.Header.Version == 1)
        {
            CheckVersion1(members, warnings);
            return;
        }

        if (members.Count != root.Header.VolumeCount)
        {
            throw new Hammer2Exception(
                Hammer2Error.InvalidArgument,
                $"The filesystem has {root.Header.VolumeCount} volumes, {members.Count} given ({string.Join(", ", members.Select(m => $"id {m.Id}"))}); name all as A:B:C.");
        }

        ulong expectedStart = 0;
        for (int i = 0; i < members.Count; i++)
        {
            VolumeMember m = members[i];
            if (m.Id != i)
                throw new Hammer2Exception(Hammer2Error.InvalidArgument, $"Volume {i} of the set is missing or given twice.");
            if (m.Header.FileSystemId != root.Header.FileSystemId || m.Header.Version != root.Header.Version || m.Header.VolumeCount != root.Header.VolumeCount)
                throw new Hammer2Exception(Hammer2Error.InvalidArgument, $"{m.Device.Name} belongs to another filesystem ({m.Header.FileSystemId}) than {root.Device.Name}.");
            bool last = i == members.Count - 1;
            if (root.Header.VolumeOffset(i) != expectedStart || (ulong)m.Start != expectedStart || !last && m.Length % FormatLimits.ZoneBytes != 0)
                throw new Hammer2Exception(Hammer2Error.Corrupt, $"{m.Device.Name}: offset or size of volume {i} do not fit the set.");
            expectedStart += (ulong)m.Length;
            if (expectedStart > long.MaxValue)
                throw new Hammer2Exception(Hammer2Error.Corrupt, "The volumes add up to more than 2^63 bytes.");
        }

        // The root volume's header decides. A last volume that claims more was being grown (Hammer2Volume.Grow), and nothing is there yet.
        VolumeMember end = members[^1];
        ulong total = root.Header.TotalSize;
        bool wasGrowing = members.Count > 1 && end.Header.TotalSize == expectedStart && total > (ulong)end.Start && total < expectedStart;
        if (wasGrowing && total % FormatLimits.VolumeAlignment == 0)
        {
            warnings.Add(
                $"{end.Device.Name}: its header says {end.Length} bytes, of which the filesystem uses {total - (ulong)end.Start}; "
                + "growing it was interrupted. Opening the filesystem for writing finishes it; until then other systems refuse it.");
            members[^1] = end with { Length = (long)(total - (ulong)end.Start) };
            return;
        }

        if (total != expectedStart)
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"The header says {root.Header.TotalSize} bytes in all, the volumes have {expectedStart}.");
    }

    private static void CheckVersion1(List<VolumeMember> members, List<string> warnings)
    {
        VolumeHeader header = members[0].Header;
        if (members.Count != 1 || header.VolumeId != 0)
            throw new Hammer2Exception(Hammer2Error.InvalidArgument, "A version 1 filesystem has exactly one volume.");
        if (header.TotalSize != 0 || header.VolumeCount != 0)
        {
            // growfs of the reference leaves this behind (format page 12.4, bug B3) and then refuses its own volume.
            warnings.Add($"{members[0].Device.Name}: version 1 with total_size {header.TotalSize}, which must be 0 there; ignored.");
        }
    }
}
