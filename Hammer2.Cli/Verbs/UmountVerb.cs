// `hammer2 umount`: ends a mount, whichever process serves it. Invariant: only HAMMER2's own mounts are touched; the
// host sees to that. Returns when the last commit is on the medium.
// May call the mount host.

using System.CommandLine;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Mounting;
using Hammer2.Cli.Output;

namespace Hammer2.Cli.Verbs;

/// <summary>Unmounts.</summary>
internal static class UmountVerb
{
    public static VerbCommand Create()
    {
        var target = new Argument<string>("TARGET") { Description = "Where it is mounted, as 'hammer2 mounts' shows it." };
        return new VerbCommand(
            "umount",
            "End a mount.",
            OperatingSystem.IsWindows() ? "hammer2 umount H:" : "hammer2 umount /mnt/h2")
        {
            target,
        }.Runs((context, parsed) => Unmount(context, parsed.GetRequiredValue(target)));
    }

    private static VerbResult Unmount(VerbContext context, string target)
    {
        try
        {
            IReadOnlyList<MountedVolume> before = context.MountHost.List();
            context.MountHost.Unmount(target);
            // Where somebody still shows the same volume there is nothing to wait for.
            IReadOnlyList<MountedVolume> after = context.MountHost.List();
            foreach (string image in before.Except(after).Select(static mount => mount.Image).Except(after.Select(static mount => mount.Image)))
            {
                if (!ImageRelease.Wait(OpenedImage.Spec(image).Paths, context.Stop))
                    context.Say($"warning: {image} is still being written");
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or PlatformNotSupportedException)
        {
            throw new CliException(ExitCode.Partial, failure.Message, failure);
        }

        return VerbResult.Of(new UnmountedShape(target));
    }
}

/// <summary>What was unmounted.</summary>
internal sealed record UnmountedShape(string Target) : ITextShape
{
    public void WriteText(TextOutput output)
    {
        // Silence is success, as with umount(8).
    }
}
