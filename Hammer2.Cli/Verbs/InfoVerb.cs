// `hammer2 info`: everything worth knowing of a volume on one page. Invariant: header copies that were passed over and
// PFSs that cannot be read are said, never left out in silence.
// May call Listing, Output and the engine's volume.

using System.CommandLine;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Verbs;

/// <summary>Summarises a volume.</summary>
internal static class InfoVerb
{
    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Volume();
        return new VerbCommand(
            "info",
            "Show sizes, header copies, PFSs and warnings of a volume.",
            "hammer2 info disk.img",
            "hammer2 info vol0.img:vol1.img --json")
        {
            image,
        }.Lives().Runs((context, parsed) => Describe(context, parsed.GetRequiredValue(image)));
    }

    private static VerbResult Describe(VerbContext context, string imageName)
    {
        using OpenedImage image = OpenedImage.OpenVolume(context, imageName);
        var failures = new FailureList();
        var pfss = image.Volume.ListPfs(out IReadOnlyList<Hammer2Exception> damage);
        foreach (Hammer2Exception failure in damage)
            failures.Add(Failure.OfVolume(ErrorText.Code(failure.Error), "a PFS cannot be read: " + failure.Message));
        var header = image.Volume.Header;
        var shape = new InfoShape
        {
            Image = imageName,
            Fsid = image.Volume.FileSystemId,
            Version = header.Version,
            TotalSize = (long)Math.Min(header.LogicalSize, long.MaxValue),
            UsableBytes = image.Volume.TotalBytes,
            FreeBytes = image.Volume.FreeBytes,
            MirrorTid = $"0x{header.MirrorTid:x16}",
            Volumes = [.. image.Volume.Members.Select(Member)],
            Pfs = [.. pfss.Select(PfsShape.Of)],
            Warnings = image.Volume.Warnings,
        };
        return new VerbResult(shape) { Failures = failures };
    }

    private static InfoVolume Member(VolumeMember member)
    {
        VolumeHeaderCopy? best = VolumeHeaderCopy.Newest(member.Copies);
        return new InfoVolume(
            member.Id,
            member.Device.Name,
            member.Length,
            [.. member.Copies.Select(copy => new InfoHeader(
                copy.Index,
                HeaderCopyShape.StatusOf(copy.Fault),
                copy.Header is null ? null : $"0x{copy.Header.MirrorTid:x16}",
                copy == best))]);
    }
}

/// <summary>A header copy in short.</summary>
internal sealed record InfoHeader(int Copy, string Status, string? MirrorTid, bool InUse);

/// <summary>A volume in short.</summary>
internal sealed record InfoVolume(int Id, string Name, long Size, IReadOnlyList<InfoHeader> Headers);

/// <summary>The page of facts.</summary>
internal sealed record InfoShape : ITextShape
{
    public required string Image { get; init; }

    public required Guid Fsid { get; init; }

    public required uint Version { get; init; }

    public required long TotalSize { get; init; }

    public required long UsableBytes { get; init; }

    public required long FreeBytes { get; init; }

    public required string MirrorTid { get; init; }

    public required IReadOnlyList<InfoVolume> Volumes { get; init; }

    public required IReadOnlyList<PfsShape> Pfs { get; init; }

    public required IReadOnlyList<string> Warnings { get; init; }

    public void WriteText(TextOutput output)
    {
        output.Fact("filesystem", Fsid);
        output.Fact("version", Version);
        output.Fact("size", $"{ByteSize.Show(TotalSize)} ({TotalSize} bytes)");
        output.Fact("usable", $"{ByteSize.Show(UsableBytes)}, {ByteSize.Show(FreeBytes)} free");
        output.Fact("mirror tid", MirrorTid);
        foreach (InfoVolume volume in Volumes)
        {
            output.Fact($"volume {volume.Id}", $"{volume.Name}, {ByteSize.Show(volume.Size)}");
            foreach (InfoHeader header in volume.Headers)
            {
                string tid = header.MirrorTid is null ? "" : ", mirror tid " + header.MirrorTid;
                output.Fact($"  header {header.Copy}", header.Status + tid + (header.InUse ? ", in use" : ""));
            }
        }

        output.Line();
        output.Table(PfsShape.Headings, [.. Pfs.Select(pfs => pfs.Cells)]);
        foreach (string warning in Warnings)
            output.Line("warning: " + warning);
    }
}
