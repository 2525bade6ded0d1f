// What the verbs that manage a volume share: opening it for changes, here or in the mount that holds it, and one line for a
// refusal. Invariant: what a verb did is durable before it prints anything.
// May call Listing and Output.

using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Cli.Verbs.Volumes;

/// <summary>Changes of volumes.</summary>
internal static class VolumeChange
{
    /// <summary>Opens the volume, changes it and closes it; then the result is printed.</summary>
    public static VerbResult Run(VerbContext context, string imageName, Func<Hammer2Volume, ITextShape> change)
    {
        ITextShape head;
        using (OpenedImage image = OpenedImage.OpenVolume(context, imageName, writable: true))
        {
            head = Guard(() => change(image.Volume));
            image.Volume.Sync();
        }

        return VerbResult.Of(head);
    }

    /// <summary>The PFS that is meant: of the image's name, of the mount point, or the default one.</summary>
    public static string LabelOf(VerbContext context, OpenedImage image, string imageName)
    {
        if ((context.Live?.Label ?? OpenedImage.Spec(imageName).Label) is { } label)
            return label;
        using Engine.Pfs.PfsMount pfs = image.Volume.OpenPfs();
        return pfs.Label;
    }

    /// <summary>Turns what the engine refuses into the right exit code: wrong arguments are 2, a missing PFS 3.</summary>
    public static T Guard<T>(Func<T> change)
    {
        try
        {
            return change();
        }
        catch (Hammer2Exception refused) when (refused.Error is Hammer2Error.InvalidName or Hammer2Error.NameTooLong or Hammer2Error.InvalidArgument or Hammer2Error.Exists)
        {
            throw new CliException(ExitCode.Usage, refused.Message, refused);
        }
        catch (Hammer2Exception refused) when (refused.Error is Hammer2Error.NoSuchPfs)
        {
            throw new CliException(ExitCode.CannotOpen, refused.Message, refused);
        }
    }
}

/// <summary>Nothing to print as text; JSON says what was changed.</summary>
internal sealed record SilentPfs(string Label) : ITextShape
{
    public void WriteText(TextOutput output)
    {
        // Silence is success.
    }
}
