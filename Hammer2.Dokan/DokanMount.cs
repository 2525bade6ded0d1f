// A PFS mounted on Windows: what the command line holds from mount to unmount.
// Invariants: the DokanInstance is held in a field (a collected one would unmount at random); unmounting is done by the
// caller's thread, never by a callback; the PFS stays the caller's. Calls DokanNet and the operations.

using System.Runtime.Versioning;
using DokanNet;
using Hammer2.Dokan.Mounting;
using Hammer2.Dokan.Operations;
using Hammer2.Dokan.Security;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hammer2.Dokan;

/// <summary>A mounted PFS.</summary>
[SupportedOSPlatform("windows")]
public sealed class DokanMount : IDisposable
{
    private const int SectorBytes = 512;
    private const int AllocationUnitBytes = 4096;
    private const uint PollMs = 500;
    private static readonly TimeSpan s_mountedPatience = TimeSpan.FromSeconds(10);

    private readonly DokanNet.Dokan _library;
    private readonly DokanInstance _instance;
    private readonly Hammer2Operations _operations;
    private readonly string _requested;
    private readonly PfsFollower _follower;
    private int _unmounted;

    private DokanMount(DokanNet.Dokan library, DokanInstance instance, Hammer2Operations operations, string requested, PfsMount pfs, ILogger log)
    {
        _library = library;
        _instance = instance;
        _operations = operations;
        _requested = requested;
        _follower = pfs.Follow(new ChangeNotifier(pfs, MountPoint, new InstanceNotifications(instance), log).Deliver);
    }

    /// <summary>Where the volume is: what Windows gave, which may be another letter than the one asked for.</summary>
    public string MountPoint => _operations.MountPoint ?? _requested;

    /// <summary>Mounts a PFS; with changes if its volume was opened for them and the options do not deny them.</summary>
    /// <param name="pfs">The PFS; it must outlive the mount and is closed by the caller.</param>
    /// <param name="target">A drive letter (<c>M:</c>), <c>*</c> for the next free one, or the full path of an empty
    /// folder.</param>
    /// <param name="options">Options.</param>
    /// <returns>The mount, when Windows shows the volume.</returns>
    /// <exception cref="Hammer2Exception">No driver, wrong version, or the mount point cannot be used; the message says
    /// what to do.</exception>
    public static DokanMount Mount(PfsMount pfs, string target, DokanMountOptions options)
    {
        ArgumentNullException.ThrowIfNull(pfs);
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(options);
        string mountPoint = MountTarget.Normalize(target, Environment.GetLogicalDrives());
        DokanNet.Dokan library = Load(options);
        Hammer2Operations? operations = null;
        try
        {
            operations = new Hammer2Operations(pfs, options, WindowsSecurity.CurrentUserSid(), WindowsSecurity.FromBytes);
            DokanInstance instance = Build(library, operations, mountPoint, options);
            operations.WaitForMounted(s_mountedPatience);
            return new DokanMount(library, instance, operations, mountPoint, pfs, options.Logger ?? NullLogger.Instance);
        }
        catch (DokanException refused)
        {
            operations?.Dispose();
            library.Dispose();
            throw new Hammer2Exception(
                Hammer2Error.Unsupported,
                $"Mounting at {mountPoint} failed: {refused.Message} ({refused.ErrorStatus}).",
                refused);
        }
        catch
        {
            operations?.Dispose();
            library.Dispose();
            throw;
        }
    }

    /// <summary>Unmounts whatever Dokan volume is at a mount point, also one of another process.</summary>
    /// <exception cref="Hammer2Exception">Nothing is mounted there, or there is no driver.</exception>
    public static void UnmountTarget(string target)
    {
        ArgumentNullException.ThrowIfNull(target);
        string mountPoint = MountTarget.Spelled(target);
        using DokanNet.Dokan library = Load(new DokanMountOptions());
        if (!library.RemoveMountPoint(mountPoint))
            throw new Hammer2Exception(Hammer2Error.NotFound, $"Nothing that Dokan mounted is at {mountPoint}.");
    }

    /// <summary>Waits until the volume is unmounted, by whomever.</summary>
    /// <returns>True when it is; false when the wait was given up, with the volume still mounted.</returns>
    public bool WaitForUnmount(CancellationToken cancellation)
    {
        while (!cancellation.IsCancellationRequested)
        {
            if (_instance.WaitForFileSystemClosed(PollMs) == 0)
                return true;
        }

        return false;
    }

    /// <summary>Unmounts and waits until it is done. Harmless when it was done before.</summary>
    public void Unmount()
    {
        if (Interlocked.Exchange(ref _unmounted, 1) != 0)
            return;
        _follower.Dispose();
        _instance.Dispose();
        _library.Dispose();
        _operations.Dispose();
    }

    /// <inheritdoc />
    public void Dispose() => Unmount();

    private static DokanNet.Dokan Load(DokanMountOptions options)
    {
        DokanNet.Dokan? library = null;
        try
        {
            library = new DokanNet.Dokan(new DokanLog(options.Logger ?? NullLogger.Instance));
            string? complaint = DriverCheck.Complaint(library.Version, library.DriverVersion);
            if (complaint is not null)
                throw new Hammer2Exception(Hammer2Error.Unsupported, complaint);
            return library;
        }
        catch (DllNotFoundException missing)
        {
            throw new Hammer2Exception(Hammer2Error.Unsupported, DriverCheck.NoLibrary, missing);
        }
        catch
        {
            library?.Dispose();
            throw;
        }
    }

    private static DokanOptions OptionsOf(Hammer2Operations operations, DokanMountOptions options)
    {
        DokanOptions flags = DokanOptions.FixedDrive | DokanOptions.MountManager;
        if (!operations.IsWritable)
            flags |= DokanOptions.WriteProtection;
        if (options.CaseSensitive)
            flags |= DokanOptions.CaseSensitive;
        return flags;
    }

    private static DokanInstance Build(
        DokanNet.Dokan library, Hammer2Operations operations, string mountPoint, DokanMountOptions options)
    {
        DokanInstanceBuilder builder = new DokanInstanceBuilder(library)
            .ConfigureLogger(() => new DokanLog(options.Logger ?? NullLogger.Instance))
            .ConfigureOptions(settings =>
            {
                settings.MountPoint = mountPoint;
                settings.Options = OptionsOf(operations, options);
                settings.TimeOut = options.RequestTimeout;
                settings.SectorSize = SectorBytes;
                settings.AllocationUnitSize = AllocationUnitBytes;
            });
        return builder.Build(operations);
    }

    private sealed class InstanceNotifications(DokanInstance instance) : INotifications
    {
        public bool Created(string path, bool isDirectory) => instance.NotifyCreate(path, isDirectory);

        public bool Deleted(string path, bool isDirectory) => instance.NotifyDelete(path, isDirectory);

        public bool Updated(string path) => instance.NotifyUpdate(path);
    }
}
