// Mounting on Windows through Dokan. What is mounted is kept in one small state file per mount under
// LocalApplicationData, because Dokan cannot say what a mount of another process shows; files of
// processes that are gone are removed when they are met.

using System.Runtime.Versioning;
using Hammer2.Dokan;

namespace Hammer2.Cli.Mounting;

/// <summary>Dokan mounts.</summary>
internal sealed class DokanMountHost : IMountHost
{
    private const string Library = "dokan2.dll";

    public string? WhyUnavailable()
    {
        if (!OperatingSystem.IsWindows())
            return "mounting as a drive needs Windows";
        string path = Path.Combine(Environment.SystemDirectory, Library);
        return File.Exists(path)
            ? null
            : "Dokany is not installed; get version 2.3.1 or later from https://github.com/dokan-dev/dokany/releases";
    }

    public IMountSession Mount(MountRequest request)
    {
        if (!OperatingSystem.IsWindows())
            throw new PlatformNotSupportedException(WhyUnavailable());
        DokanMountOptions options = Options(request.Drive) with { Logger = request.Logger };
        return new Session(DokanMount.Mount(request.Pfs, request.Target, options), request);
    }

    public void Unmount(string target)
    {
        if (!OperatingSystem.IsWindows())
            throw new PlatformNotSupportedException(WhyUnavailable());
        DokanMount.UnmountTarget(target);
    }

    public IReadOnlyList<MountedVolume> List() => MountStates.InUserProfile().List();

    public string PickTarget() => "*";

    public void ReleaseTarget(string target)
    {
        // A drive letter needs no cleaning up.
    }

    private static DokanMountOptions Options(DriveChoices drive)
    {
        try
        {
            return drive.ToOptions();
        }
        catch (FormatException wrong)
        {
            throw new IOException(wrong.Message, wrong);
        }
    }

    [SupportedOSPlatform("windows")]
    private sealed class Session : IMountSession
    {
        private readonly DokanMount _mount;
        private readonly MountStates _states = MountStates.InUserProfile();
        private readonly MountedVolume _state;

        public Session(DokanMount mount, MountRequest request)
        {
            _mount = mount;
            _state = new MountedVolume(
                request.ImagePaths, request.Pfs.Label, mount.MountPoint, request.ReadOnly, Environment.ProcessId);
            _states.Add(_state);
        }

        public string Target => _mount.MountPoint;

        public void WaitForUnmount(CancellationToken stop)
        {
            _mount.WaitForUnmount(stop);
            Unmount();
        }

        public void Unmount()
        {
            _mount.Unmount();
            _states.Remove(_state);
        }

        public void Dispose() => Unmount();
    }
}
