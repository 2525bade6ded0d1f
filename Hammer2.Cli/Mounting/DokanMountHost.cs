// Mounting on Windows through Dokan. Which mounts exist is kept in one small state file per mount
// under LocalApplicationData, because Dokan cannot say what a mount of another process shows;
// files of processes that are gone are removed when they are met.
using System.Globalization;
using System.Text.Json;
using Hammer2.Cli.Output;

namespace Hammer2.Cli.Mounting;

/// <summary>Dokan mounts.</summary>
internal sealed class DokanMountHost : IMountHost
{
    public string? WhyUnavailable() => OperatingSystem.IsWindows() ? "x" : "mounting as a drive needs Windows";

    public IMountSession Mount(MountRequest request) => throw new IOException("x");

    public void Unmount(string target)
    {
    }

    public IReadOnlyList<MountedVolume> List() => [];

    public string PickTarget() => "H:";

    public void ReleaseTarget(string target)
    {
    }
}
