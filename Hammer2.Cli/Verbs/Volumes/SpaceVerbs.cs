// `hammer2 bulkfree`, `cleanup` and `growfs`: the directives about space. Invariants: bulkfree frees nothing when any block could not
// be read, and says so with code 1; what was freed or grown before an interruption stays. May call Listing, Live and Output.

using System.CommandLine;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Live;
using Hammer2.Cli.Mounting;
using Hammer2.Cli.Output;
using Hammer2.Engine.Freemap;
using Hammer2.Engine.Volumes;

namespace Hammer2.Cli.Verbs.Volumes;

/// <summary>Verbs about space.</summary>
internal static class SpaceVerbs
{
    // A round frees what the one before it staged; more than a few mean that somebody deletes all the time.
    private const int RoundsMax = 8;

    public static IEnumerable<VerbCommand> Create() => [BulkfreeVerb(), CleanupVerb(), GrowVerb()];

    private static VerbCommand BulkfreeVerb()
    {
        Argument<string> image = GlobalOptions.Volume();
        var stable = new Option<bool>("--until-stable") { Description = "Go on until a round frees nothing more." };
        return new VerbCommand(
            "bulkfree",
            "Give back the space of everything that no PFS or snapshot refers to any more.",
            "hammer2 bulkfree disk.img",
            "hammer2 bulkfree --detach /mnt/h2")
        {
            image, stable,
        }.Lives(LiveUse.Long).Runs((context, parsed) => Bulkfree(context, parsed.GetRequiredValue(image), parsed.GetValue(stable)));
    }

    private static VerbResult Bulkfree(VerbContext context, string imageName, bool untilStable)
    {
        var failures = new FailureList();
        using OpenedImage image = OpenedImage.OpenVolume(context, imageName, writable: true);
        int rounds = 0;
        long freed = 0;
        BulkfreeReport report;
        do
        {
            report = ProgressDisplay.Run(
                context.Terminal,
                "bulkfree",
                () => 2 * (image.Volume.TotalBytes - image.Volume.FreeBytes),
                advance => image.Volume.Bulkfree(new ReferenceProgress<BulkfreeProgress>(advance, static report => report.References), context.Stop));
            freed += report.FreedBytes;
            rounds++;
        }
        while (untilStable && report.Damaged == 0 && report.FreedBlocks > 0 && rounds < RoundsMax);
        foreach (Engine.Primitives.Hammer2Exception failure in report.Failures)
            failures.Add(Failure.OfVolume(ErrorText.Code(failure.Error), failure.Message));
        if (report.Damaged > 0)
            failures.Add(Failure.OfVolume("damaged", $"{report.Damaged} blocks could not be read, so nothing could be proved free; run 'hammer2 fsck'"));
        return new VerbResult(new FreedShape(freed, report.CorrectedBlocks, rounds, image.Volume.FreeBytes, image.Volume.TotalBytes)) { Failures = failures };
    }

    private static VerbCommand CleanupVerb()
    {
        var volumes = new Argument<string[]>("VOLUME") { Description = "Images or mount points; every mounted volume when left out.", Arity = ArgumentArity.ZeroOrMore };
        return new VerbCommand("cleanup", "Run bulkfree on every mounted volume, or on those given.", "hammer2 cleanup", "hammer2 cleanup disk.img")
        {
            volumes,
        }.RunsRaw((context, parsed) => Cleanup(context, parsed.GetValue(volumes) ?? []));
    }

    private static int Cleanup(VerbContext context, string[] volumes)
    {
        if (volumes.Length == 0)
            volumes = [.. context.MountHost.List().Where(static mount => !mount.ReadOnly).DistinctBy(static mount => mount.Image).Select(static mount => mount.Target)];
        int worst = ExitCode.Success;
        foreach (string volume in volumes)
        {
            if (!context.Json)
                context.Terminal.Output.Write(System.Text.Encoding.UTF8.GetBytes($"{MediaText.Show(volume)}: "));
            worst = Math.Max(worst, Program.RunAgain(context, ["bulkfree", volume]));
        }

        return worst;
    }

    private static VerbCommand GrowVerb()
    {
        Argument<string> image = GlobalOptions.Volume();
        var size = new Argument<long?>("SIZE")
        {
            Description = "New size, such as 20G, rounded down to 8M, of the volume or of the last of several; an image file is extended to it. All of the device when left out.",
            Arity = ArgumentArity.ZeroOrOne,
            CustomParser = result =>
            {
                if (result.Tokens.Count == 0)
                    return null;
                if (ByteSize.TryParse(result.Tokens[0].Value, out long bytes) && bytes > 0)
                    return bytes;
                result.AddError($"growfs wants a size such as 512M or 20G, not '{result.Tokens[0].Value}'");
                return null;
            },
        };
        return new VerbCommand(
            "growfs",
            "Make a volume larger, also while it is mounted.",
            "hammer2 growfs disk.img 20G",
            "hammer2 growfs /mnt/h2")
        {
            image, size,
        }.Lives(LiveUse.Long).Runs((context, parsed) => VolumeChange.Run(
            context, parsed.GetRequiredValue(image), volume => GrownShape.Of(volume.Grow(parsed.GetValue(size)))));
    }
}

/// <summary>What bulkfree did.</summary>
internal sealed record FreedShape(long FreedBytes, long CorrectedBlocks, int Rounds, long FreeBytes, long TotalBytes) : ITextShape
{
    public void WriteText(TextOutput output)
    {
        output.Line($"{ByteSize.Show(FreedBytes)} became free, {ByteSize.Show(FreeBytes)} of {ByteSize.Show(TotalBytes)} are free now");
        if (CorrectedBlocks > 0)
            output.Line($"{CorrectedBlocks} blocks in use were marked free: the freemap was damaged and is put right");
    }
}

/// <summary>What growfs did.</summary>
internal sealed record GrownShape(long OldBytes, long NewBytes, long TotalBytes, long FreeBytes) : ITextShape
{
    public static GrownShape Of(GrowReport report) => new(report.OldBytes, report.NewBytes, report.TotalBytes, report.FreeBytes);

    public void WriteText(TextOutput output) =>
        output.Line($"grown from {ByteSize.Show(OldBytes)} to {ByteSize.Show(NewBytes)}, {ByteSize.Show(FreeBytes)} of {ByteSize.Show(TotalBytes)} are free");
}
