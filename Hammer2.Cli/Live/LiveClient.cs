// The client's side: finds out whether a mount holds the volume that a verb was given, and sends the verb there. A volume is
// named by its image or by a place where it is mounted. Invariants: a volume that nobody holds is opened as ever; what the
// mount prints appears here unchanged, and its exit code is ours. May call Listing and Mounting.

using Hammer2.Cli.Listing;
using Hammer2.Cli.Mounting;
using Hammer2.Control;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Cli.Live;

/// <summary>Sends verbs to mounts.</summary>
internal static class LiveClient
{
    /// <summary>Runs the verb in the mount that holds its volume.</summary>
    /// <param name="context">The run.</param>
    /// <param name="named">The verb's first argument: image or mount point.</param>
    /// <param name="arguments">The whole command line.</param>
    /// <param name="detached">Do not wait for it.</param>
    /// <returns>Its exit code, or null when no mount holds the volume.</returns>
    public static int? TryRun(VerbContext context, string named, IReadOnlyList<string> arguments, bool detached)
    {
        if (Find(context, named, out string? label) is not { } client)
        {
            return detached
                ? throw CliException.Usage("--detach leaves work to a mount, and nobody has this volume mounted")
                : null;
        }

        using (client)
        {
            Terminal terminal = context.Terminal;
            var request = new RunRequest(arguments, Environment.CurrentDirectory, label, terminal.OutputIsTerminal, terminal.ErrorIsTerminal, detached);
            try
            {
                RunAnswer answer = client.Run(request, terminal.Output, terminal.Error, context.Stop);
                if (detached)
                    context.Say($"transaction {answer.Transaction} goes on in the mount; 'hammer2 transactions {named}' shows it");
                return answer.ExitCode;
            }
            catch (ControlException failure)
            {
                throw new CliException(ExitCode.Partial, failure.Message, failure);
            }
        }
    }

    /// <summary>Connects to the mount that holds a volume.</summary>
    /// <param name="context">The run.</param>
    /// <param name="named">Image or mount point, with or without @LABEL.</param>
    /// <param name="label">The PFS that a mount point shows, or that is named behind it; null for an image.</param>
    /// <returns>Null when no mount holds it.</returns>
    public static ControlClient? Find(VerbContext context, string named, out string? label)
    {
        MountedVolume? mount = MountAt(context, named);
        label = mount?.Label;
        int at = named.LastIndexOf('@');
        if (mount is null && at > 0 && MountAt(context, named[..at]) is { } other)
            (mount, label) = (other, named[(at + 1)..]);
        IReadOnlyList<string>? paths = mount is null ? TrySpec(named)?.Paths : OpenedImage.Spec(mount.Image).Paths;
        if (paths is null)
            return null;
        try
        {
            ControlClient? client = ControlClient.Connect(paths.Select(Path.GetFullPath), context.Stop);
            return client is null && mount is not null
                ? throw new CliException(ExitCode.CannotOpen, $"the mount at {mount.Target} does not answer; unmount it and mount again")
                : client;
        }
        catch (ControlException failure)
        {
            throw new CliException(ExitCode.CannotOpen, failure.Message, failure);
        }
    }

    // An image that cannot even be named is the verb's business.
    private static VolumeSpec? TrySpec(string named)
    {
        try
        {
            return VolumeSpec.Parse(named);
        }
        catch (Exception failure) when (failure is ArgumentException or FormatException or Hammer2Exception)
        {
            return null;
        }
    }

    private static MountedVolume? MountAt(VerbContext context, string named)
    {
        string place = OperatingSystem.IsWindows() ? named.TrimEnd('\\') : named;
        bool mayBe = OperatingSystem.IsWindows() ? place.EndsWith(':') || Directory.Exists(place) : Directory.Exists(place);
        if (!mayBe)
            return null;
        string full = place.EndsWith(':') ? place : Path.GetFullPath(place).TrimEnd(Path.DirectorySeparatorChar);
        StringComparison rule = OperatingSystem.IsWindows() ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal;
        return context.MountHost.List().FirstOrDefault(mount => string.Equals(mount.Target.TrimEnd('\\'), full, rule));
    }
}
