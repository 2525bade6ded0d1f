// `hammer2 pfs-list`: the PFSs and snapshots of a volume, which are the labels that other verbs take. Invariant: a
// damaged PFS root hides only itself and is reported.
// May call Listing, Output and the engine's volume.

using System.CommandLine;
using System.Text.Json.Serialization;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Verbs;

/// <summary>Lists PFSs.</summary>
internal static class PfsListVerb
{
    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Volume();
        return new VerbCommand(
            "pfs-list",
            "List the PFSs and snapshots of a volume: the labels for IMAGE@LABEL.",
            "hammer2 pfs-list disk.img",
            "hammer2 pfs-list --json disk.img")
        {
            image,
        }.Lives().Runs((context, parsed) => List(context, parsed.GetRequiredValue(image)));
    }

    private static VerbResult List(VerbContext context, string imageName)
    {
        using OpenedImage image = OpenedImage.OpenVolume(context, imageName);
        var failures = new FailureList();
        var pfss = image.Volume.ListPfs(out IReadOnlyList<Hammer2Exception> damage);
        foreach (Hammer2Exception failure in damage)
            failures.Add(Failure.OfVolume(ErrorText.Code(failure.Error), "a PFS cannot be read: " + failure.Message));
        return new VerbResult(new PfsTable([.. pfss.Select(PfsShape.Of)])) { Failures = failures };
    }
}

/// <summary>All PFSs.</summary>
internal sealed record PfsTable(IReadOnlyList<PfsShape> Pfs) : ITextShape
{
    public void WriteText(TextOutput output) => output.Table(PfsShape.Headings, [.. Pfs.Select(pfs => pfs.Cells)]);
}

/// <summary>A PFS.</summary>
internal sealed record PfsShape(
    string Label,
    string Type,
    bool Snapshot,
    Guid Clid,
    Guid Fsid,
    ulong PfsInum,
    ulong Inodes,
    ulong DataBytes,
    string Check,
    string Comp,
    string ModifyTid,
    long CtimeUs)
{
    [JsonIgnore]
    public static IReadOnlyList<string> Headings { get; } = ["PFS", "TYPE", ">INODES", ">DATA", "CHANGED (UTC)", "FSID"];

    [JsonIgnore]
    public string[] Cells =>
    [
        MediaText.Show(Label),
        Type,
        $"{Inodes}",
        ByteSize.Show((long)Math.Min(DataBytes, long.MaxValue)),
        Times.Show(CtimeUs),
        $"{Fsid}",
    ];

    public static PfsShape Of(PfsInfo info) => new(
        info.Label,
        info.TypeName,
        info.IsSnapshot,
        info.ClusterId,
        info.FileSystemId,
        info.NextInode,
        info.InodeCount,
        info.DataBytes,
        MethodNames.Of(info.Check),
        MethodNames.Of(info.Compression),
        $"0x{info.ModifyTid:x}",
        info.CreatedUs);
}
