// The checks of `hammer2 doctor`, each a few lines: what is wrong and what to do about it. Invariants: pure but for the probe;
// a check that says nothing bad says "ok" with what it saw; only what keeps something from working is a problem.

using System.Globalization;
using Hammer2.Cli.Output;

namespace Hammer2.Cli.Doctor;

/// <summary>How bad.</summary>
internal enum Verdict
{
    Ok,
    Warning,
    Problem,
}

/// <summary>What a check found.</summary>
internal sealed record DoctorFinding(string Name, Verdict Verdict, string Message, string? Advice = null) : ITextShape
{
    public void WriteText(TextOutput output)
    {
        output.Line($"{Verdict.ToString().ToLowerInvariant(),-8} {Name}: {MediaText.Show(Message)}");
        if (Advice is not null)
            output.Line($"{"",-8} -> {Advice}");
    }
}

/// <summary>All checks.</summary>
internal static class DoctorChecks
{
    private const long FreeBytesMin = 64L << 20;
    private const string FuseConfiguration = "/etc/fuse.conf";

    /// <summary>Those for this system, in the order in which things are needed.</summary>
    public static IEnumerable<DoctorFinding> All(IDoctorProbe probe, IReadOnlyList<string> images)
    {
        if (probe.IsWindows)
        {
            yield return Driver(probe);
            yield return Service(probe);
        }
        else
        {
            yield return Kernel(probe);
            yield return Device(probe);
            yield return Helper(probe);
            yield return Others(probe);
            yield return Control(probe);
        }

        yield return Space(probe);
        foreach (MountHealth mount in probe.Mounts())
        {
            yield return Stale(mount);
            if (mount.Answers)
                yield return Version(probe, mount);
        }

        foreach (string image in images)
            yield return Sparse(probe, image);
    }

    public static DoctorFinding Kernel(IDoctorProbe probe) => probe.Text("/proc/filesystems") switch
    {
        null => new("kernel", Verdict.Warning, "/proc/filesystems cannot be read", "mount /proc, so that it can be seen what the kernel supports"),
        { } list when list.Split('\n').Any(static line => line.EndsWith("\tfuse", StringComparison.Ordinal)) => new("kernel", Verdict.Ok, "the kernel has FUSE"),
        _ => new("kernel", Verdict.Problem, "the kernel has no FUSE", "run 'modprobe fuse' as root, or use a kernel with CONFIG_FUSE_FS"),
    };

    public static DoctorFinding Device(IDoctorProbe probe) => probe.WhyNoMounting() is { } problem
        ? new("fuse-device", Verdict.Problem, problem, "as root: 'modprobe fuse' and 'chmod 666 /dev/fuse'; containers need '--device /dev/fuse --cap-add SYS_ADMIN'")
        : new("fuse-device", Verdict.Ok, "/dev/fuse can be opened");

    public static DoctorFinding Helper(IDoctorProbe probe)
    {
        const string Name = "fusermount3";
        if (probe.IsRoot)
            return new(Name, Verdict.Ok, "not needed: root mounts without it");
        return probe.Program(Name) switch
        {
            null => new(Name, Verdict.Problem, "there is no fusermount3, and only root mounts without it", "install the package fuse3"),
            (var path, false) => new(Name, Verdict.Problem, $"{path} does not run as root", $"as root: 'chown root {path}' and 'chmod u+s {path}'"),
            (var path, _) => new(Name, Verdict.Ok, path),
        };
    }

    public static DoctorFinding Others(IDoctorProbe probe)
    {
        const string Name = "user_allow_other";
        if (probe.IsRoot)
            return new(Name, Verdict.Ok, "not needed: what root mounts is open to all users");
        bool allowed = probe.Text(FuseConfiguration)?.Split('\n').Any(static line => line.Trim() == "user_allow_other") ?? false;
        return allowed
            ? new(Name, Verdict.Ok, $"{FuseConfiguration} allows mounts that other users may enter")
            : new(Name, Verdict.Warning, "mounts of this user are for this user alone, also root is kept out", $"if others should enter: add the line user_allow_other to {FuseConfiguration}");
    }

    public static DoctorFinding Control(IDoctorProbe probe) => probe.ControlFolderProblem() is { } problem
        ? new("control-folder", Verdict.Problem, problem, "remove that folder as root; until then commands cannot talk to mounts of this user")
        : new("control-folder", Verdict.Ok, "belongs to this user alone");

    public static DoctorFinding Driver(IDoctorProbe probe)
    {
        const string Name = "dokan-driver";
        if (probe.WhyNoMounting() is not { } problem)
            return new(Name, Verdict.Ok, "Dokany is there and of a version that works");
        string system = Environment.GetFolderPath(Environment.SpecialFolder.System);
        bool installed = probe.FileExists(Path.Combine(system, "drivers", "dokan2.sys"));
        return new(Name, Verdict.Problem, problem, installed ? "the driver is installed: start it with 'sc start dokan2' as administrator, or restart Windows" : "install Dokany 2.3.1 or later");
    }

    public static DoctorFinding Service(IDoctorProbe probe)
    {
        const string Name = "service";
        return probe.Service() switch
        {
            null => new(Name, Verdict.Warning, "the service manager does not answer", "look with 'sc query Hammer2' in a terminal of an administrator"),
            { State: "running" } running => new(Name, Verdict.Ok, $"running, {Count(running)}"),
            { State: null, SavedMounts: 0 } => new(Name, Verdict.Ok, "not installed, and nothing is saved for the machine"),
            { State: null } missing => new(Name, Verdict.Warning, $"not installed, {Count(missing)}", "make them at every start: 'hammer2 service install' in a terminal of an administrator"),
            { State: "starting" or "stopping" } changing => new(Name, Verdict.Warning, $"{changing.State}, {Count(changing)}", "look again in a minute"),
            { } other => new(Name, Verdict.Problem, $"{other.State}, {Count(other)}", "start it with 'sc start Hammer2' in a terminal of an administrator"),
        };

        static string Count(ServiceHealth service) => service.SavedMounts == 1 ? "1 mount is saved for the machine" : $"{service.SavedMounts} mounts are saved for the machine";
    }

    public static DoctorFinding Space(IDoctorProbe probe)
    {
        string folder = Path.GetTempPath();
        return probe.FreeBytes(folder) switch
        {
            null => new("temporary-space", Verdict.Warning, $"the free space of {folder} is unknown"),
            long free and < FreeBytesMin => new("temporary-space", Verdict.Warning, $"{ByteSize.Show(free)} are free in {folder}", "make room: mounts keep sockets and messages there"),
            long free => new("temporary-space", Verdict.Ok, $"{ByteSize.Show(free)} are free in {folder}"),
        };
    }

    public static DoctorFinding Stale(MountHealth mount) => mount.Answers
        ? new("mount", Verdict.Ok, mount.Target)
        : new("mount", Verdict.Problem, $"nobody serves {mount.Target} any more", $"hammer2 umount {mount.Target}, or 'fusermount3 -u -z {mount.Target}'");

    public static DoctorFinding Version(IDoctorProbe probe, MountHealth mount)
    {
        const string Name = "mount-version";
        if (mount.Product is null)
            return new(Name, Verdict.Warning, $"{mount.Target} answers no commands", "it was mounted with --no-control, by another user, or by another version; unmount it and mount again");
        return mount.Product == probe.OwnProduct
            ? new(Name, Verdict.Ok, $"{mount.Target}: {mount.Product}")
            : new(Name, Verdict.Warning, string.Create(CultureInfo.InvariantCulture, $"{mount.Target} is served by version {mount.Product}, this is {probe.OwnProduct}"), "unmount it and mount again");
    }

    public static DoctorFinding Sparse(IDoctorProbe probe, string image)
    {
        const string Name = "sparse-files";
        string folder = Path.GetDirectoryName(Path.GetFullPath(image)) ?? image;
        return probe.FileSystemOf(folder) switch
        {
            null => new(Name, Verdict.Warning, $"the file system of {folder} is unknown"),
            { } format when format.ToLowerInvariant() is "vfat" or "msdos" or "fat" or "fat32" or "exfat" or "hfs" or "hfsplus" =>
                new(Name, Verdict.Warning, $"{folder} is on {format}, which has no sparse files", "an image takes its whole size there at once; ext4, XFS, Btrfs, NTFS have sparse files"),
            { } format => new(Name, Verdict.Ok, $"{folder} is on {format}"),
        };
    }
}
