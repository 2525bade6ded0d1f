// Header copies of volumes as shapes, shared by info and volhdr. Numbers that scripts compare are
// decimal; transaction ids, CRCs and offsets that people compare with dumps are hex strings.
// May call the engine's devices, diagnostics and format.

using Hammer2.Cli.Output;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Diagnostics;
using Hammer2.Engine.Format;

namespace Hammer2.Cli.Verbs;

/// <summary>A CRC and whether it is right.</summary>
internal sealed record CrcShape(string Stored, string Computed, bool Ok)
{
    public static CrcShape Of(CrcVerdict verdict) => new($"0x{verdict.Stored:x8}", $"0x{verdict.Computed:x8}", verdict.IsRight);

    public override string ToString() => Ok ? $"{Stored} ok" : $"{Stored} WRONG, computed {Computed}";
}

/// <summary>One copy of a header: the verdict in a word, and all fields when there is at least a magic.</summary>
internal sealed record HeaderCopyShape(
    string Volume, int Copy, long Offset, string Status, bool InUse, HeaderFieldsShape? Fields) : ITextShape
{
    public static HeaderCopyShape Of(string volume, VolumeHeaderCopy copy, bool inUse) =>
        new(volume, copy.Index, copy.Offset, StatusOf(copy.Fault), inUse, FieldsOf(copy));

    private static HeaderFieldsShape? FieldsOf(VolumeHeaderCopy copy) =>
        copy.Header is null ? null : HeaderFieldsShape.Of(copy.Header);

    public static string StatusOf(HeaderFault fault) => fault switch
    {
        HeaderFault.None => "valid",
        HeaderFault.NoMagic => "no magic",
        HeaderFault.ForeignByteOrder => "opposite byte order",
        HeaderFault.Sector0Crc => "CRC of sector 0 is wrong",
        HeaderFault.Sector1Crc => "CRC of sector 1 is wrong",
        HeaderFault.HeaderCrc => "CRC of the header is wrong",
        HeaderFault.Unreadable => "unreadable",
        HeaderFault.ForeignFilesystem => "of another filesystem",
        HeaderFault.BeyondVolume => "beyond the end of its volume",
        _ => fault.ToString(),
    };

    public void WriteText(TextOutput output)
    {
        output.Line($"{Volume}: header copy {Copy} at 0x{Offset:x}: {Status}{(InUse ? ", in use" : "")}");
        Fields?.WriteText(output);
        output.Line();
    }
}

/// <summary>A volume of a multi-volume filesystem and where it starts.</summary>
internal sealed record VolumeOffsetShape(int Volume, string Offset);

/// <summary>All fields of a header.</summary>
internal sealed record HeaderFieldsShape : ITextShape
{
    public required string Magic { get; init; }

    public required ulong BootBegin { get; init; }

    public required ulong BootEnd { get; init; }

    public required ulong AuxBegin { get; init; }

    public required ulong AuxEnd { get; init; }

    public required ulong VolumeSize { get; init; }

    public required uint Version { get; init; }

    public required uint Flags { get; init; }

    public required byte CopyId { get; init; }

    public required byte FreemapVersion { get; init; }

    public required byte PeerType { get; init; }

    public required byte VolumeId { get; init; }

    public required byte VolumeCount { get; init; }

    public required Guid Fsid { get; init; }

    public required Guid Fstype { get; init; }

    public required ulong AllocatorSize { get; init; }

    public required ulong AllocatorFree { get; init; }

    public required ulong AllocatorBegin { get; init; }

    public required string MirrorTid { get; init; }

    public required string FreemapTid { get; init; }

    public required string BulkfreeTid { get; init; }

    public required ulong TotalSize { get; init; }

    public required IReadOnlyList<VolumeOffsetShape> VolumeOffsets { get; init; }

    public required IReadOnlyList<BlockRefShape> SuperRoot { get; init; }

    public required IReadOnlyList<BlockRefShape> Freemap { get; init; }

    public required CrcShape CrcSector0 { get; init; }

    public required CrcShape CrcSector1 { get; init; }

    public required CrcShape CrcHeader { get; init; }

    public static HeaderFieldsShape Of(VolumeHeader header)
    {
        HeaderReport report = HeaderReport.Of(header);
        return new HeaderFieldsShape
        {
            Magic = $"0x{VolumeHeader.Magic:x16}",
            BootBegin = header.BootBegin,
            BootEnd = header.BootEnd,
            AuxBegin = header.AuxBegin,
            AuxEnd = header.AuxEnd,
            VolumeSize = header.VolumeSize,
            Version = header.Version,
            Flags = header.Flags,
            CopyId = header.CopyId,
            FreemapVersion = header.FreemapVersion,
            PeerType = header.PeerType,
            VolumeId = header.VolumeId,
            VolumeCount = header.VolumeCount,
            Fsid = header.FileSystemId,
            Fstype = header.FileSystemType,
            AllocatorSize = header.AllocatorSize,
            AllocatorFree = header.AllocatorFree,
            AllocatorBegin = header.AllocatorBegin,
            MirrorTid = $"0x{header.MirrorTid:x16}",
            FreemapTid = $"0x{header.FreemapTid:x16}",
            BulkfreeTid = $"0x{header.BulkfreeTid:x16}",
            TotalSize = header.TotalSize,
            VolumeOffsets = Offsets(header),
            SuperRoot = Refs(header.SuperRoot),
            Freemap = Refs(header.Freemap),
            CrcSector0 = CrcShape.Of(report.Sector0),
            CrcSector1 = CrcShape.Of(report.Sector1),
            CrcHeader = CrcShape.Of(report.Whole),
        };
    }

    public void WriteText(TextOutput output)
    {
        output.Fact("  magic", Magic);
        output.Fact("  version", Version);
        output.Fact("  flags", $"0x{Flags:x}, copyid {CopyId}, freemap version {FreemapVersion}, peer type {PeerType}");
        output.Fact("  volume", $"{VolumeId} of {Math.Max(1, (int)VolumeCount)}");
        output.Fact("  volume size", Bytes(VolumeSize));
        output.Fact("  total size", Bytes(TotalSize));
        output.Fact("  boot area", $"0x{BootBegin:x} .. 0x{BootEnd:x}");
        output.Fact("  aux area", $"0x{AuxBegin:x} .. 0x{AuxEnd:x}");
        output.Fact("  fsid", Fsid);
        output.Fact("  fstype", Fstype);
        output.Fact("  allocator size", Bytes(AllocatorSize));
        output.Fact("  allocator free", Bytes(AllocatorFree));
        output.Fact("  allocator begin", $"0x{AllocatorBegin:x}");
        output.Fact("  mirror tid", MirrorTid);
        output.Fact("  freemap tid", FreemapTid);
        output.Fact("  bulkfree tid", BulkfreeTid);
        foreach (VolumeOffsetShape offset in VolumeOffsets)
            output.Fact("  volume offset", $"{offset.Volume}: {offset.Offset}");
        foreach (BlockRefShape bref in SuperRoot)
            output.Fact("  super-root", bref.Text);
        foreach (BlockRefShape bref in Freemap)
            output.Fact("  freemap", bref.Text);
        output.Fact("  crc sector 0", CrcSector0);
        output.Fact("  crc sector 1", CrcSector1);
        output.Fact("  crc header", CrcHeader);
    }

    private static string Bytes(ulong bytes) => $"{bytes} ({ByteSize.Show((long)Math.Min(bytes, long.MaxValue))})";

    private static List<VolumeOffsetShape> Offsets(VolumeHeader header)
    {
        var offsets = new List<VolumeOffsetShape>();
        for (int id = 0; header.Version >= 2 && id < FormatLimits.VolumesMax; id++)
        {
            if (header.VolumeOffset(id) != ulong.MaxValue)
                offsets.Add(new VolumeOffsetShape(id, $"0x{header.VolumeOffset(id):x}"));
        }

        return offsets;
    }

    private static List<BlockRefShape> Refs(ReadOnlySpan<BlockRef> refs)
    {
        var shapes = new List<BlockRefShape>();
        foreach (ref readonly BlockRef bref in refs)
        {
            if (bref.Type != BlockRefType.Empty)
                shapes.Add(BlockRefShape.Of(bref));
        }

        return shapes;
    }
}
