// The doctor's look at the real machine. Invariants: nothing is changed; a mount that hangs is given two seconds and counts as
// dead then. May call Mounting, Control and the operating system.

using System.Reflection;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Mounting;
using Hammer2.Cli.Saved;
using Hammer2.Control;

namespace Hammer2.Cli.Doctor;

/// <summary>Asks the operating system.</summary>
internal sealed class SystemProbe(IMountHost host) : IDoctorProbe
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

    public bool IsWindows => OperatingSystem.IsWindows();

    public bool IsRoot => Environment.IsPrivilegedProcess;

    public string OwnProduct => typeof(ControlHello).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    public string? WhyNoMounting() => host.WhyUnavailable();

    public bool FileExists(string path) => File.Exists(path);

    public string? Text(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // Unreadable is the answer.
            return null;
        }
    }

    public (string Path, bool IsSetUserId)? Program(string name)
    {
        string? found = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
        if (found is null)
            return null;
        string real = File.ResolveLinkTarget(found, returnFinalTarget: true)?.FullName ?? found;
        return (found, !OperatingSystem.IsWindows() && (File.GetUnixFileMode(real) & UnixFileMode.SetUser) != 0);
    }

    public IReadOnlyList<MountHealth> Mounts() => [.. host.List().Select(mount =>
    {
        Task<bool> look = Task.Run(() => Directory.Exists(mount.Target));
        bool answers = look.Wait(s_patience) && look.Result;
        return new MountHealth(mount.Target, answers, answers ? ProductOf(mount) : null);
    })];

    public ServiceHealth? Service()
    {
        if (!OperatingSystem.IsWindows())
            return null;
        try
        {
            return new ServiceHealth(WindowsService.State(), SavedMounts.Of(system: true).List().Count);
        }
        catch (Exception failure) when (failure is CliException or IOException or UnauthorizedAccessException or System.ComponentModel.Win32Exception)
        {
            // Unknown is the answer.
            return null;
        }
    }

    public string? ControlFolderProblem()
    {
        try
        {
            ControlEndpoint.OfThisProcess(["doctor"]);
            return null;
        }
        catch (Exception failure) when (failure is ControlException or IOException or UnauthorizedAccessException)
        {
            return failure.Message;
        }
    }

    public long? FreeBytes(string path) => Drive(path)?.AvailableFreeSpace;

    public string? FileSystemOf(string path) => Drive(path)?.DriveFormat;

    private static string? ProductOf(MountedVolume mount)
    {
        try
        {
            using ControlClient? client = ControlClient.Connect(OpenedImage.Spec(mount.Image).Paths.Select(Path.GetFullPath));
            return client?.Server.Product;
        }
        catch (Exception failure) when (failure is ControlException or IOException or UnauthorizedAccessException)
        {
            // The greeting of a mount of another protocol, or of another user.
            return null;
        }
    }

    private static DriveInfo? Drive(string path)
    {
        try
        {
            string full = Path.GetFullPath(path);
            return DriveInfo.GetDrives()
                .Where(drive => drive.IsReady && (full + Path.DirectorySeparatorChar).StartsWith(drive.RootDirectory.FullName.TrimEnd(Path.DirectorySeparatorChar) + Path.DirectorySeparatorChar, StringComparison.OrdinalIgnoreCase))
                .MaxBy(static drive => drive.RootDirectory.FullName.Length);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentException)
        {
            // Unknown is the answer.
            return null;
        }
    }
}
