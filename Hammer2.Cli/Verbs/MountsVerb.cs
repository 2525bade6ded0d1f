// `hammer2 mounts`: what is mounted now, by whichever process. Invariant: opens no image.
// May call the mount host.
// On Linux the mount table answers, on Windows the state files.

using Hammer2.Cli.Mounting;
using Hammer2.Cli.Output;

namespace Hammer2.Cli.Verbs;

/// <summary>Lists mounts.</summary>
internal static class MountsVerb
{
    public static VerbCommand Create() =>
        new VerbCommand("mounts", "List the HAMMER2 mounts of this machine.", "hammer2 mounts", "hammer2 mounts --json")
            .Runs((context, _) => VerbResult.Of(new MountTable(context.MountHost.List())));
}

/// <summary>All mounts.</summary>
internal sealed record MountTable(IReadOnlyList<MountedVolume> Mounts) : ITextShape
{
    private static readonly string[] s_headings = ["TARGET", "IMAGE", "LABEL", "MODE"];

    public void WriteText(TextOutput output)
    {
        if (Mounts.Count > 0)
            output.Table(s_headings, [.. Mounts.Select(Cells)]);
    }

    private static string[] Cells(MountedVolume mount) =>
        [mount.Target, mount.Image, mount.Label ?? "-", mount.ReadOnly ? "ro" : "rw"];
}
