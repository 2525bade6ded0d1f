// `hammer2 mount`: shows a PFS as a directory or drive. In the foreground it stays until Ctrl+C, SIGTERM or
// umount; in the background it starts itself again, waits for one line from that process, and leaves it. Invariant:
// the first line on stdout means that the mount answers. May call Listing, Mounting and Output.

using System.CommandLine;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Mounting;
using Hammer2.Cli.Output;

namespace Hammer2.Cli.Verbs;

/// <summary>Mounts.</summary>
internal static class MountVerb
{
    public static VerbCommand Create()
    {
        Argument<string> image = GlobalOptions.Image();
        var target = new Argument<string>("TARGET")
        {
            Description = OperatingSystem.IsWindows()
                ? "A drive letter such as H:, * for the next free one, or an empty folder."
                : "An existing directory.",
        };
        var readOnly = new Option<bool>("--read-only", "-r") { Description = "Mount for reading; at present every mount is." };
        var background = new Option<bool>("--background", "-b") { Description = "Return when it is mounted; umount ends it." };
        var child = new Option<bool>(BackgroundMount.ChildOption) { Hidden = true };
        string place = OperatingSystem.IsWindows() ? "H:" : "/mnt/h2";
        return new VerbCommand(
            "mount",
            "Show a PFS as a directory or drive.",
            $"hammer2 mount disk.img@DATA {place}",
            $"hammer2 mount --background disk.img {place}",
            $"hammer2 mount vol0.img:vol1.img@MV {place}")
        {
            image, target, readOnly, background, child,
        }.RunsRaw((context, parsed) =>
        {
            string imageName = parsed.GetRequiredValue(image);
            string where = parsed.GetRequiredValue(target);
            if (parsed.GetValue(background))
                return BackgroundMount.Start(context, imageName, where);
            return Serve(context, imageName, where, parsed.GetValue(child));
        });
    }

    private static int Serve(VerbContext context, string imageName, string target, bool isChild)
    {
        // The shell's Ctrl+C is for the shell's foreground program: a mount in the background leaves its session first.
        if (isChild)
            BackgroundMount.LeaveSession();
        if (context.MountHost.WhyUnavailable() is { } problem)
            throw new CliException(ExitCode.CannotOpen, "mounting is not possible here: " + problem);
        using OpenedImage image = OpenedImage.OpenPfs(context, imageName);
        string paths = string.Join(':', OpenedImage.Spec(imageName).Paths.Select(Path.GetFullPath));
        using IMountSession session = Mount(context, new MountRequest(paths, image.Pfs, target, context.Logger));
        context.Results.Write(VerbResult.Of(new MountedShape(
            paths, image.Pfs.Label, session.Target, true, Environment.ProcessId, !isChild && !context.Json)));
        foreach (string warning in image.Volume.Warnings)
            context.Say("warning: " + warning);
        if (isChild)
            BackgroundMount.LetGoOfParent();
        session.WaitForUnmount(context.Stop);
        return ExitCode.Success;
    }

    /// <summary>Mounts, with failures as one line for the user.</summary>
    internal static IMountSession Mount(VerbContext context, MountRequest request)
    {
        try
        {
            return context.MountHost.Mount(request);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or PlatformNotSupportedException)
        {
            throw new CliException(ExitCode.CannotOpen, failure.Message, failure);
        }
    }
}

/// <summary>What is mounted and where.</summary>
internal sealed record MountedShape(string Image, string Label, string Target, bool ReadOnly, int Pid, bool Explains) : ITextShape
{
    [System.Text.Json.Serialization.JsonIgnore]
    public bool Explains { get; init; } = Explains;

    public void WriteText(TextOutput output)
    {
        output.Line($"{Image}@{Label} is mounted at {Target}, read-only");
        if (Explains)
            output.Line($"Ctrl+C or 'hammer2 umount {Target}' ends it");
    }
}
