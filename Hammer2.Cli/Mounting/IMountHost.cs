// The border between verbs and the two ways of mounting. Invariants: verbs know only these
// interfaces; FuseMountHost and DokanMountHost are one file each; a host never writes to the console.
// May call the engine's PFS.

using Hammer2.Engine.Pfs;
using Microsoft.Extensions.Logging;

namespace Hammer2.Cli.Mounting;

/// <summary>What to mount and where.</summary>
/// <param name="ImagePaths">Absolute paths of the volumes, separated by colons, for lists.</param>
/// <param name="Pfs">The opened PFS; stays the caller's.</param>
/// <param name="Target">Directory, or drive letter on Windows.</param>
internal sealed record MountRequest(string ImagePaths, PfsMount Pfs, string Target, ILogger Logger)
{
    /// <summary>Nothing can be changed through the mount.</summary>
    public bool ReadOnly { get; init; } = true;

    /// <summary>What was chosen about a drive on Windows.</summary>
    public DriveChoices Drive { get; init; } = DriveChoices.None;

    /// <summary>The system may collect written data before it hands it over.</summary>
    public bool CollectsWrites { get; init; }
}

/// <summary>A mount that exists right now.</summary>
internal sealed record MountedVolume(string Image, string? Label, string Target, bool ReadOnly, int? ProcessId);

/// <summary>Mounting on this operating system.</summary>
internal interface IMountHost
{
    /// <summary>Null when mounting can work here, else one line that says what is missing and how to get it.</summary>
    string? WhyUnavailable();

    /// <summary>Mounts and returns when the mount answers.</summary>
    /// <exception cref="IOException">With one line for the user.</exception>
    IMountSession Mount(MountRequest request);

    /// <summary>Asks the mount at a target to end, whichever process serves it.</summary>
    void Unmount(string target);

    /// <summary>All HAMMER2 mounts of this machine that this user can see.</summary>
    IReadOnlyList<MountedVolume> List();

    /// <summary>A place to mount at for a demonstration: a new directory, or a free drive letter.</summary>
    string PickTarget();

    /// <summary>Undoes <see cref="PickTarget"/>.</summary>
    void ReleaseTarget(string target);
}

/// <summary>A mount that this process serves.</summary>
internal interface IMountSession : IDisposable
{
    /// <summary>Where it appears.</summary>
    string Target { get; }

    /// <summary>Returns when the mount has ended or <paramref name="stop"/> was cancelled.</summary>
    void WaitForUnmount(CancellationToken stop);

    /// <summary>Ends the mount.</summary>
    void Unmount();
}

/// <summary>Chooses the host.</summary>
internal static class MountHosts
{
    public static IMountHost ForThisSystem() =>
        OperatingSystem.IsWindows() ? new DokanMountHost() : new FuseMountHost();
}
