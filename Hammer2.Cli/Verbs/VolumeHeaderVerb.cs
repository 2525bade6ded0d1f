// `hammer2 volhdr`: every field of every header copy with the verdict on its CRCs. Invariant: works on volumes
// that cannot be opened, because it reads the devices and not the filesystem.
// May call the engine's devices and diagnostics.

using System.CommandLine;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Volumes;

namespace Hammer2.Cli.Verbs;

/// <summary>Dumps volume headers.</summary>
internal static class VolumeHeaderVerb
{
    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Volume();
        return new VerbCommand(
            "volhdr",
            "Show all fields of all copies of the volume header, and whether their CRCs are right.",
            "hammer2 volhdr disk.img",
            "hammer2 volhdr --json disk.img | jq '.headers[] | select(.in_use)'")
        {
            image,
        }.Runs((context, parsed) => Dump(context, parsed.GetRequiredValue(image)));
    }

    private static VerbResult Dump(VerbContext context, string imageName)
    {
        var headers = new List<HeaderCopyShape>();
        foreach (string path in OpenedImage.Spec(imageName).Paths)
        {
            using IBlockDevice device = Open(path, context.Partition);
            IReadOnlyList<VolumeHeaderCopy> copies = VolumeHeaderCopy.ReadAll(device);
            VolumeHeaderCopy? best = VolumeHeaderCopy.Newest(copies);
            headers.AddRange(copies.Select(copy => HeaderCopyShape.Of(device.Name, copy, copy == best)));
        }

        var failures = new FailureList();
        if (!headers.Exists(header => header.InUse))
            failures.Add(Failure.OfVolume("not_hammer2", $"{imageName}: no header copy is valid"));
        return new VerbResult(new NoHead())
        {
            Failures = failures,
            ItemsName = "headers",
            Items = headers,
            ExitCodeOfVerb = () => CodeOf(headers),
        };
    }

    // A blank copy is normal on small volumes; a wrong CRC is not; no usable copy is no volume.
    private static int CodeOf(List<HeaderCopyShape> headers)
    {
        if (!headers.Exists(header => header.InUse))
            return ExitCode.CannotOpen;
        return headers.Exists(header => header.Status != "valid" && header.Fields is not null)
            ? ExitCode.Partial
            : ExitCode.Success;
    }

    private static IBlockDevice Open(string path, int? partition)
    {
        try
        {
            return DeviceOpener.Open(path, partition);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new CliException(ExitCode.CannotOpen, failure.Message, failure);
        }
    }
}
