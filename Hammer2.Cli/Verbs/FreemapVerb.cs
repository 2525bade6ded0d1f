// `hammer2 freemap`: the nodes and leaves of the freemap and their bitmap records. Streaming, one leaf at a time.
// Invariant: sums cover all leaves that could be read, whatever is printed of them.
// May call Listing, Output and the engine's diagnostics.

using System.CommandLine;
using System.Text.Json.Serialization;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Engine.Diagnostics;
using Hammer2.Engine.Format;

namespace Hammer2.Cli.Verbs;

/// <summary>Dumps the freemap.</summary>
internal static class FreemapVerb
{
    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Volume();
        var all = new Option<bool>("--all", "-a") { Description = "Records of untouched and of reserved segments too." };
        return new VerbCommand(
            "freemap",
            "Dump the freemap: leaves of 1 GiB with a bitmap record for each 4 MiB segment.",
            "hammer2 freemap disk.img",
            "hammer2 freemap --all --json disk.img")
        {
            image, all,
        }.Lives().Runs((context, parsed) => Dump(context, parsed.GetRequiredValue(image), parsed.GetValue(all)));
    }

    private static VerbResult Dump(VerbContext context, string imageName, bool all)
    {
        var failures = new FailureList();
        var sums = new FreemapSums();
        return new VerbResult(new NoHead()) { ItemsName = "blockrefs", Items = Nodes(), Failures = failures, Tail = () => sums };

        IEnumerable<ITextShape> Nodes()
        {
            using OpenedImage image = OpenedImage.OpenVolume(context, imageName);
            foreach (FreemapNode node in FreemapWalk.Run(image.Volume, context.Stop))
            {
                if (node.Failure is { } failure)
                    failures.Add(Failure.OfVolume(ErrorText.Code(failure.Error), failure.Message));
                sums.Add(node);
                yield return new FreemapShape(node, all);
            }
        }
    }
}

/// <summary>A record of a leaf.</summary>
internal sealed record FreemapRecordShape(
    string Segment, string Class, int Linear, uint Avail, int Free, int Reserved, int PossiblyFree, int Allocated, string Bitmap)
{
    [JsonIgnore]
    public string Text =>
        $"{Segment} class {Class} linear 0x{Linear:x} avail {Avail} "
        + $"blocks free {Free} staged {PossiblyFree} allocated {Allocated}"
        + (Reserved == 0 ? "" : $" RESERVED {Reserved}") + $" bitmap {Bitmap}";

    public static FreemapRecordShape Of(ulong segment, in FreemapBitmap record)
    {
        FreemapCounts counts = FreemapCounts.Of(record);
        var words = new string[FreemapWords.Count];
        for (int i = 0; i < words.Length; i++)
            words[i] = $"{record.Words[i]:x16}";
        return new FreemapRecordShape(
            $"0x{segment:x}",
            $"0x{record.Class:x4}",
            record.Linear,
            record.Avail,
            counts.Free,
            counts.Reserved,
            counts.PossiblyFree,
            counts.Allocated,
            string.Join('_', words));
    }
}

/// <summary>A node or leaf.</summary>
internal sealed class FreemapShape : ITextShape
{
    public FreemapShape(FreemapNode node, bool all)
    {
        Depth = node.Depth;
        Blockref = BlockRefShape.Of(node.Ref);
        Error = node.Failure?.Message;
        if (node.Ref.Type != BlockRefType.FreemapLeaf || node.Failure is not null)
            return;
        var records = new List<FreemapRecordShape>();
        for (int i = 0; i < node.Records.Length; i++)
        {
            if (all || node.Records[i].Class != 0)
                records.Add(FreemapRecordShape.Of(node.Ref.Key + ((ulong)i << FormatLimits.SegmentRadix), node.Records[i]));
        }

        Records = records;
    }

    public int Depth { get; }

    public BlockRefShape Blockref { get; }

    /// <summary>Of leaves; without --all only those that something was allocated in.</summary>
    public IReadOnlyList<FreemapRecordShape>? Records { get; }

    public string? Error { get; }

    public void WriteText(TextOutput output)
    {
        string indent = new(' ', Depth * 2);
        output.Line(indent + Blockref.Text);
        foreach (FreemapRecordShape record in Records ?? [])
            output.Line(indent + "  " + record.Text);
        if (Error is not null)
            output.Line(indent + "  ERROR " + Error);
    }
}

/// <summary>Sums over all leaves, in 16 KiB blocks.</summary>
internal sealed record FreemapSums : ITextShape
{
    public int Leaves { get; private set; }

    public long FreeBlocks { get; private set; }

    public long PossiblyFreeBlocks { get; private set; }

    public long AllocatedBlocks { get; private set; }

    public void Add(FreemapNode node)
    {
        if (node.Ref.Type == BlockRefType.FreemapLeaf)
            Leaves++;
        foreach (FreemapBitmap record in node.Records)
        {
            FreemapCounts counts = FreemapCounts.Of(record);
            FreeBlocks += counts.Free;
            PossiblyFreeBlocks += counts.PossiblyFree;
            AllocatedBlocks += counts.Allocated + counts.Reserved;
        }
    }

    public void WriteText(TextOutput output) => output.Line(
        $"{Leaves} leaves; in them {Show(FreeBlocks)} free, {Show(PossiblyFreeBlocks)} possibly free, "
        + $"{Show(AllocatedBlocks)} allocated or reserved");

    private static string Show(long blocks) => ByteSize.Show(blocks * FormatLimits.FreemapGranularity);
}
