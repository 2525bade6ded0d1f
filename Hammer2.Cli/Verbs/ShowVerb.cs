// `hammer2 show`: every blockref below the header in use as an indented tree. Streaming: a volume of
// any size is dumped with the memory of one path. Invariant: damage is shown in its place and the dump goes on.
// May call Listing, Output and the engine's diagnostics.

using System.CommandLine;
using System.Text.Json.Serialization;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Engine.Diagnostics;
using Hammer2.Engine.Format;

namespace Hammer2.Cli.Verbs;

/// <summary>Dumps the topology.</summary>
internal static class ShowVerb
{
    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Image();
        var verify = new Option<bool>("--verify", "-v") { Description = "Read data blocks too and compare their check codes." };
        return new VerbCommand(
            "show",
            "Dump all blockrefs below the newest header as a tree; with @LABEL only that PFS.",
            "hammer2 show disk.img | less",
            "hammer2 show -v disk.img@DATA")
        {
            image, verify,
        }.Lives().Runs((context, parsed) => Show(context, parsed.GetRequiredValue(image), parsed.GetValue(verify)));
    }

    private static VerbResult Show(VerbContext context, string imageName, bool verify)
    {
        var failures = new FailureList();
        return VerbResult.Listing("blockrefs", Nodes(), failures);

        IEnumerable<ITextShape> Nodes()
        {
            string? label = OpenedImage.Spec(imageName).Label;
            using OpenedImage image = label is null
                ? OpenedImage.OpenVolume(context, imageName)
                : OpenedImage.OpenPfs(context, imageName);
            var options = new TopologyWalkOptions { VerifyData = verify, Label = label };
            foreach (TopologyNode node in TopologyWalk.Run(image.Volume, options, context.Stop))
            {
                if (node.Failure is { } failure)
                    failures.Add(Failure.OfVolume(ErrorText.Code(failure.Error), failure.Message));
                yield return new ShowNode(node);
            }
        }
    }
}

/// <summary>What an inode says of itself.</summary>
internal sealed record ShowInode(
    ulong Inum,
    string Type,
    string Mode,
    uint Uid,
    uint Gid,
    ulong Size,
    ulong Nlinks,
    ulong Iparent,
    string NameKey,
    long MtimeUs,
    long CtimeUs,
    string Check,
    string Comp,
    bool DirectData,
    bool PfsRoot,
    ulong? PfsInum,
    Guid? PfsClid,
    Guid? PfsFsid)
{
    [JsonIgnore]
    public string Text =>
        $"inum {Inum} {Type} {Mode} {Uid}:{Gid} size {Size} nlinks {Nlinks} iparent {Iparent} "
        + $"mtime {Times.Show(MtimeUs)} new {Check},{Comp}"
        + (DirectData ? " directdata" : "") + (PfsRoot ? $" pfsroot next {PfsInum} clid {PfsClid} fsid {PfsFsid}" : "");

    public static ShowInode Of(in InodeData data)
    {
        bool root = (data.OpFlags & InodeData.OpPfsRoot) != 0;
        return new ShowInode(
            data.InodeNumber,
            MethodNames.Of(data.Type),
            Modes.Octal(data.Mode),
            data.Uid,
            data.Gid,
            data.Size,
            data.LinkCount,
            data.ParentInode,
            $"0x{data.NameKey:x16}",
            data.ModifyTime,
            data.ChangeTime,
            MethodNames.Of((CheckMethod)(data.CheckSetting & 0x0F)),
            MethodNames.Of((CompressionMethod)(data.CompressionSetting & 0x0F)),
            data.IsDirectData,
            root,
            root ? data.PfsNextInode : null,
            root ? data.PfsClusterId : null,
            root ? data.PfsFileSystemId : null);
    }
}

/// <summary>A line of the dump.</summary>
internal sealed class ShowNode : ITextShape
{
    public ShowNode(TopologyNode node)
    {
        Depth = node.Depth;
        Blockref = BlockRefShape.Of(node.Ref);
        Inode = node.Inode is { } inode ? ShowInode.Of(inode) : null;
        if (node.Name is not null)
            (Name, NameHex) = MediaText.Split(node.Name);
        ShownName = node.Name is null ? null : MediaText.Show(node.Name);
        Error = node.Failure?.Message;
    }

    public int Depth { get; }

    public BlockRefShape Blockref { get; }

    public string? Name { get; }

    public string? NameHex { get; }

    public ShowInode? Inode { get; }

    public string? Error { get; }

    private string? ShownName { get; }

    public void WriteText(TextOutput output)
    {
        string indent = new(' ', Depth * 2);
        string line = indent + Blockref.Text;
        if (Blockref.DirentInum is not null)
            line += $" -> inum {Blockref.DirentInum} {Blockref.DirentType}";
        if (ShownName is not null)
            line += $" \"{ShownName}\"";
        output.Line(line);
        if (Inode is not null)
            output.Line(indent + "  " + Inode.Text);
        if (Error is not null)
            output.Line(indent + "  ERROR " + Error);
    }
}
