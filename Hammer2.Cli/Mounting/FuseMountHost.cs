// Mounting on Linux through FUSE. Invariants: the mount table is the only list of mounts, nothing is kept on the
// side; the source shown there is PATH[:PATH...]@LABEL with absolute paths, so that the volume is known from any
// directory. May call Hammer2.Fuse.

using Hammer2.Fuse;

namespace Hammer2.Cli.Mounting;

/// <summary>FUSE mounts.</summary>
internal sealed class FuseMountHost : IMountHost
{
    private const string Device = "/dev/fuse";

    public string? WhyUnavailable()
    {
        if (!OperatingSystem.IsLinux())
            return "mounting works on Linux (FUSE) and Windows (Dokan) only";
        if (!File.Exists(Device))
            return $"there is no {Device}; load the fuse module, or give the container the device";
        try
        {
            using var probe = new FileStream(Device, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, 1);
            return null;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return $"{Device} cannot be opened: {failure.Message}";
        }
    }

    public IMountSession Mount(MountRequest request) => new Session(FuseMount.Mount(
        request.Pfs,
        request.Target,
        new FuseMountOptions
        {
            Source = SourceOf(request),
            Logger = request.Logger,
            ReadOnly = request.ReadOnly,
            WritebackCache = request.CollectsWrites,
        }));

    public void Unmount(string target) => FuseMount.UnmountTarget(target);

    public IReadOnlyList<MountedVolume> List()
    {
        if (!OperatingSystem.IsLinux())
            return [];
        return [.. FuseMount.ListMounts().Select(mount =>
        {
            int at = mount.Source.LastIndexOf('@');
            return new MountedVolume(
                at < 0 ? mount.Source : mount.Source[..at],
                at < 0 ? null : mount.Source[(at + 1)..],
                mount.Target,
                mount.ReadOnly,
                null);
        })];
    }

    public string PickTarget() => Directory.CreateTempSubdirectory("hammer2-demo-").FullName;

    public void ReleaseTarget(string target) => Directory.Delete(target);

    // What the mount table shows: enough to know the volume from any directory.
    private static string SourceOf(MountRequest request) => request.ImagePaths + "@" + request.Pfs.Label;

    private sealed class Session(FuseMount mount) : IMountSession
    {
        public string Target => mount.Target;

        public void WaitForUnmount(CancellationToken stop) => mount.WaitForUnmount(stop);

        public void Unmount() => mount.Unmount();

        public void Dispose() => mount.Dispose();
    }
}
