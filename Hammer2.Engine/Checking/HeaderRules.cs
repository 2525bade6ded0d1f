// The rules of the volume headers (format page 2 and 13.2): every copy of every volume valid or blank, fields that fit each
// other and the device, reserved bytes zero. Judges bytes that were read before; reads nothing itself.

using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Checking;

/// <summary>Checks volume headers.</summary>
internal static class HeaderRules
{
    private const ulong AreaStart = (ulong)FormatLimits.ReservedBytes;
    private const byte PeerTypeVolume = 3;
    private const int SectorCrcsOffset = 0x1E0;

    // Byte ranges that hold nothing (format page 2.1); the unused sector CRCs are among them.
    private static readonly (int Offset, int Bytes)[] s_reserved =
        [(0x3D, 3), (0x80, 16), (0xA0, 32), (0xC8, 32), (0xE8, 248), (SectorCrcsOffset, 24), (0x400, 1024), (0xA00, 1024), (0x9000, 28668)];

    /// <summary>What is wrong with the copies of one device, besides those that are used.</summary>
    internal static void CheckCopies(FindingList findings, IBlockDevice device, IReadOnlyList<VolumeHeaderCopy> copies)
    {
        VolumeHeaderCopy? newest = VolumeHeaderCopy.Newest(copies);
        ulong end = newest?.Header!.VolumeSize ?? ulong.MaxValue;
        foreach (VolumeHeaderCopy copy in copies)
        {
            ulong offset = (ulong)copy.Offset;
            switch (copy.Fault)
            {
                case HeaderFault.None:
                case HeaderFault.NoMagic when offset >= end:
                    break;
                case HeaderFault.NoMagic when copy.Index > 0 && IsBlank(device, copy):
                    // Growing blanks the places of new copies; the first one is never blank.
                    findings.Add(CheckCodes.HeaderBlank, default, offset, $"Header copy {copy.Index} was not written yet.");
                    break;
                case HeaderFault.Unreadable:
                    findings.Add(CheckCodes.HeaderUnreadable, default, offset, $"Header copy {copy.Index} cannot be read.");
                    break;
                case HeaderFault.ForeignFilesystem:
                    findings.Add(CheckCodes.HeaderForeign, default, offset, $"Header copy {copy.Index} belongs to filesystem {copy.Header!.FileSystemId}.");
                    break;
                case HeaderFault.BeyondVolume:
                    findings.Add(CheckCodes.HeaderStale, default, offset, $"Header copy {copy.Index} lies beyond the end of the volume that it describes.");
                    break;
                default:
                    findings.Add(CheckCodes.HeaderDamaged, default, offset, $"Header copy {copy.Index} is damaged ({Reason(copy.Fault)}).");
                    break;
            }
        }

        if (newest is null)
            findings.Add(CheckCodes.HeaderNoneValid, default, 0UL, $"No header copy of the device is valid.");
    }

    /// <summary>The fields of a valid copy.</summary>
    internal static void CheckFields(FindingList findings, VolumeMember member, VolumeHeaderCopy copy)
    {
        VolumeHeader h = copy.Header!;
        ulong at = (ulong)copy.Offset;
        string where = member.Id == 0 ? $"Header copy {copy.Index}" : $"Header copy {copy.Index} of volume {member.Id}";
        CheckVersion(findings, h, at, where);
        CheckReserved(findings, h, at, where);
        if (h.Flags != 0 || h.CopyId != 0 || h.FreemapVersion != 0 || h.PeerType != PeerTypeVolume || h.BulkfreeTid != 0)
            findings.Add(CheckCodes.HeaderFields, default, at, $"{where}: flags, copy id, freemap version, peer type or bulkfree TID has a value that nobody writes.");
        if (h.FreemapTid > h.MirrorTid)
            findings.Add(CheckCodes.HeaderTids, default, at, $"{where}: freemap TID 0x{h.FreemapTid:x} is ahead of mirror TID 0x{h.MirrorTid:x}.");
        if (member.Id == 0)
            CheckAreas(findings, h, at, where);
        else
            CheckMember(findings, h, at, where);
    }

    private static void CheckVersion(FindingList findings, VolumeHeader h, ulong at, string where)
    {
        if (h.Version == 1)
        {
            bool zero = h.VolumeId == 0 && h.VolumeCount == 0 && h.TotalSize == 0
                && h.Bytes.Slice(VolumeHeader.VolumeOffsetsOffset, FormatLimits.VolumesMax * sizeof(ulong)).IndexOfAnyExcept((byte)0) < 0;
            if (!zero)
                findings.Add(CheckCodes.HeaderVersionFields, default, at, $"{where}: version 1 with volume id, count, total size or offsets that are not 0.");
            return;
        }

        bool sound = h.VolumeCount is > 0 and <= FormatLimits.VolumesMax && h.VolumeId < h.VolumeCount;
        for (int i = 0; sound && i < FormatLimits.VolumesMax; i++)
            sound = (h.VolumeOffset(i) != ulong.MaxValue) == (i < h.VolumeCount);
        if (!sound)
            findings.Add(CheckCodes.HeaderVersionFields, default, at, $"{where}: {h.VolumeCount} volumes do not agree with the table of volume offsets.");
    }

    private static void CheckReserved(FindingList findings, VolumeHeader h, ulong at, string where)
    {
        foreach ((int offset, int bytes) in s_reserved)
        {
            if (h.Bytes.Slice(offset, bytes).IndexOfAnyExcept((byte)0) >= 0)
                findings.Add(CheckCodes.HeaderReserved, default, at, $"{where}: reserved bytes from 0x{offset:x} on are not zero.");
        }
    }

    private static void CheckAreas(FindingList findings, VolumeHeader h, ulong at, string where)
    {
        bool ordered = h.BootBegin == AreaStart && h.BootBegin <= h.BootEnd && h.BootEnd == h.AuxBegin && h.AuxBegin <= h.AuxEnd
            && h.AuxEnd <= h.AllocatorBegin && h.AllocatorBegin <= h.VolumeSize && h.AllocatorBegin % (1 << FormatLimits.AllocationRadixMin) == 0;
        if (!ordered)
        {
            findings.Add(
                CheckCodes.HeaderAreas, default, at,
                $"{where}: boot area 0x{h.BootBegin:x}..0x{h.BootEnd:x}, aux area 0x{h.AuxBegin:x}..0x{h.AuxEnd:x} and allocator begin 0x{h.AllocatorBegin:x} do not follow each other.");
            return;
        }

        ulong zones = (h.LogicalSize + (ulong)FormatLimits.ZoneBytes - 1) >> FormatLimits.ZoneRadix;
        ulong usable = h.LogicalSize - zones * (ulong)FormatLimits.ReservedBytes - (h.AuxEnd - h.BootBegin);
        if (h.AllocatorSize != usable)
            findings.Add(CheckCodes.HeaderSizes, default, at, $"{where}: allocator size is {h.AllocatorSize}, {usable} bytes are usable.");
        if (h.AllocatorFree > h.AllocatorSize)
            findings.Add(CheckCodes.HeaderSizes, default, at, $"{where}: {h.AllocatorFree} free bytes of {h.AllocatorSize}.");
    }

    // Volumes other than the root volume: no areas, and four INVALID markers where the super-root would be.
    private static void CheckMember(FindingList findings, VolumeHeader h, ulong at, string where)
    {
        bool blank = (h.BootBegin | h.BootEnd | h.AuxBegin | h.AuxEnd | h.AllocatorFree | h.AllocatorBegin) == 0;
        foreach (ref readonly BlockRef bref in h.SuperRoot)
        {
            BlockRef marker = bref;
            blank &= marker.Type == BlockRefType.Invalid;
            marker.Type = BlockRefType.Empty;
            blank &= BlockRefRules.IsZero(marker);
        }

        if (!blank)
            findings.Add(CheckCodes.HeaderFields, default, at, $"{where}: areas or a super-root in a volume that is not the root volume.");
    }

    private static bool IsBlank(IBlockDevice device, VolumeHeaderCopy copy)
    {
        byte[] bytes = new byte[FormatLimits.VolumeHeaderBytes];
        try
        {
            device.Read(copy.Offset, bytes);
        }
        catch (Hammer2Exception)
        {
            // It was readable a moment ago; what cannot be read is not blank.
            return false;
        }

        return bytes.AsSpan().IndexOfAnyExcept((byte)0) < 0;
    }

    private static string Reason(HeaderFault fault) => fault switch
    {
        HeaderFault.NoMagic => "no magic",
        HeaderFault.ForeignByteOrder => "opposite byte order",
        HeaderFault.Sector0Crc => "CRC of sector 0 differs",
        HeaderFault.Sector1Crc => "CRC of sector 1 differs",
        _ => "header CRC differs",
    };
}
