// Reads the four header copies of one device and chooses among them (format page 2.3, 2.4): magic and three
// CRCs must be right, the copy must lie inside the volume that it describes, and all copies must belong to
// one filesystem; the largest mirror TID wins. What was passed over is kept with its reason, for warnings and volhdr.
// A volume below 2 GiB has one slot only, so that a torn write leaves no valid copy: for those this engine keeps a spare
// in a reserved slot that nobody uses, and looks at it only when the one copy is damaged and of the same commit.

using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Devices;

/// <summary>One place where a header copy may lie, and what was found there.</summary>
/// <param name="Index">0..3; the copy lies at Index * 2 GiB. 4 is the spare of a volume that has one slot only.</param>
/// <param name="Fault">What is wrong with it.</param>
/// <param name="Header">The header, when there is at least the magic.</param>
public sealed record VolumeHeaderCopy(int Index, HeaderFault Fault, VolumeHeader? Header)
{
    /// <summary>Index of the spare.</summary>
    public const int SpareIndex = FormatLimits.VolumeHeaderCopies;

    /// <summary>Where the spare lies: the last slot of the first reserved segment (format page 1.4).</summary>
    public const long SpareOffset = FormatLimits.ReservedBytes - FormatLimits.VolumeHeaderBytes;

    /// <summary>Offset on the device in bytes.</summary>
    public long Offset => Index == SpareIndex ? SpareOffset : Index * FormatLimits.VolumeHeaderSpacing;

    /// <summary>True for volumes with one header slot.</summary>
    public static bool HasSpare(ulong volumeSize) =>
        volumeSize < (ulong)(FormatLimits.VolumeHeaderSpacing + FormatLimits.ReservedBytes);

    /// <summary>Reads all copies that fit on the device.</summary>
    public static IReadOnlyList<VolumeHeaderCopy> ReadAll(IBlockDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        var copies = new List<VolumeHeaderCopy>();
        for (int i = 0; i < FormatLimits.VolumeHeaderCopies; i++)
        {
            long offset = i * FormatLimits.VolumeHeaderSpacing;
            if (offset > device.Length - FormatLimits.VolumeHeaderBytes)
                break;
            copies.Add(ReadOne(device, i, offset));
        }

        copies = MarkForeign(copies);
        if (Spare(device, copies) is { } spare)
            copies.Add(spare);
        return copies;
    }

    /// <summary>The copy to use, or null when none is valid.</summary>
    public static VolumeHeaderCopy? Newest(IReadOnlyList<VolumeHeaderCopy> copies)
    {
        ArgumentNullException.ThrowIfNull(copies);
        VolumeHeaderCopy? best = null;
        foreach (VolumeHeaderCopy copy in copies)
        {
            if (copy.Fault == HeaderFault.None && (best is null || copy.Header!.MirrorTid > best.Header!.MirrorTid))
                best = copy;
        }

        return best;
    }

    // The spare counts when the write of its own commit was torn: sector 0 of the damaged copy is of this commit or of
    // the one before, whose volume may have been smaller. Whatever another system has committed since then makes it worthless.
    private static VolumeHeaderCopy? Spare(IBlockDevice device, List<VolumeHeaderCopy> copies)
    {
        if (copies.Count == 0 || copies.Exists(c => c.Fault == HeaderFault.None) || copies[0].Header is not { } torn
            || !HasSpare(torn.VolumeSize) || device.Length < FormatLimits.ReservedBytes)
        {
            return null;
        }

        VolumeHeaderCopy spare = ReadOne(device, SpareIndex, SpareOffset);
        bool belongs = spare.Fault == HeaderFault.None && spare.Header!.FileSystemId == torn.FileSystemId
            && spare.Header.VolumeSize >= torn.VolumeSize && spare.Header.MirrorTid - torn.MirrorTid <= 1;
        return belongs ? spare : null;
    }

    private static VolumeHeaderCopy ReadOne(IBlockDevice device, int index, long offset)
    {
        byte[] bytes = new byte[FormatLimits.VolumeHeaderBytes];
        try
        {
            device.Read(offset, bytes);
        }
        catch (Hammer2Exception e) when (e.Error == Hammer2Error.Io)
        {
            return new VolumeHeaderCopy(index, HeaderFault.Unreadable, null);
        }

        HeaderFault fault = VolumeHeader.Parse(bytes, out VolumeHeader? header);
        if (fault == HeaderFault.None && (ulong)offset >= header!.VolumeSize)
            fault = HeaderFault.BeyondVolume;
        return new VolumeHeaderCopy(index, fault, header);
    }

    // A disk that was formatted anew with a smaller filesystem still carries the old headers at 2, 4 and 6 GiB,
    // often with a larger mirror TID (trap T8). Copy 0 decides if it is valid, else the filesystem with most copies.
    private static List<VolumeHeaderCopy> MarkForeign(List<VolumeHeaderCopy> copies)
    {
        var valid = copies.Where(c => c.Fault == HeaderFault.None).ToList();
        if (valid.Count == 0)
            return copies;
        Guid home = valid[0].Index == 0
            ? valid[0].Header!.FileSystemId
            : valid.GroupBy(c => c.Header!.FileSystemId).OrderByDescending(g => g.Count()).First().Key;
        return copies
            .Select(c => c.Fault == HeaderFault.None && c.Header!.FileSystemId != home ? c with { Fault = HeaderFault.ForeignFilesystem } : c)
            .ToList();
    }
}
