// What this is: a PFS mounted on a directory of this Linux system: the front door of this assembly.
// Invariants: the mount ends once: by Unmount, Dispose, a cancelled wait, or from outside (umount); whatever ends it, the
// workers are gone or answer nothing but errors before the engine is no longer asked; what the page cache still holds is
// fetched before files are cut off. Only our own mount is ever detached: it is known by its device number. The PFS belongs to
// the caller, who closes it after the mount ended: that makes everything durable.
// Layers: Mounting, Sessions, Serving, Engine.Pfs.

using Hammer2.Engine.Pfs;
using Hammer2.Fuse.Mounting;
using Hammer2.Fuse.Protocol;
using Hammer2.Fuse.Serving;
using Hammer2.Fuse.Sessions;
using Microsoft.Extensions.Logging;

namespace Hammer2.Fuse;

/// <summary>A mounted PFS. Thread-safe.</summary>
public sealed class FuseMount : IDisposable
{
    private const int WorkersMax = 64;
    private static readonly TimeSpan s_startDeadline = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan s_busyPatience = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan s_endDeadline = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_flushDeadline = TimeSpan.FromSeconds(60);

    private readonly Lock _gate = new();
    private readonly Lock _finishGate = new();
    private readonly FuseSession _session;
    private readonly FuseDispatcher _dispatcher;
    private readonly IFuseFileSystem _fileSystem;
    private readonly ILogger _logger;
    private readonly bool _readOnly;
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly MountInfo? _info;
    private readonly MountWatcher? _watcher;
    private PfsFollower? _follower;

    private FuseMount(IFuseFileSystem fileSystem, string source, string target, FuseMountOptions options)
    {
        Target = MountPoint.Prepare(target);
        Source = source;
        _logger = options.Logger;
        _readOnly = options.ReadOnly;
        var sizes = new FuseDispatcherOptions { ReadOnly = _readOnly, WritebackCache = options.WritebackCache && !_readOnly };
        _fileSystem = fileSystem;
        _dispatcher = new FuseDispatcher(_fileSystem, sizes, _logger);
        var channel = MountPoint.Attach(Source, Target, options.AllowOther ?? MountPoint.IsPrivileged, _readOnly);
        _info = MountInfo.Find(Target) is { FsType: MountPoint.FsType } mounted ? mounted : null;
        if (_info is not null)
            _watcher = MountWatcher.TryStart(_info, _logger);
        var workers = Math.Clamp(options.Workers ?? FuseSession.DefaultWorkers, 1, WorkersMax);
        _session = new FuseSession(channel, _dispatcher, sizes, workers, _logger);
        _session.Start();
        _ = _session.Ended.ContinueWith(_ => Finish(idle: true), TaskScheduler.Default);
        AwaitStart();
        if (_info is not null && !MountPoint.TryWidenReadAhead(_info, sizes.ReadBytesMax))
            _logger.LogDebug("The readahead window of {Target} stays at the kernel's default.", Target);
        if (_info is not null && sizes.WritebackCache && !MountPoint.TryWidenWriteback(_info))
            _logger.LogDebug("The share of {Target} in the page cache stays at the kernel's default.", Target);
    }

    /// <summary>The mount point: absolute, without symlinks.</summary>
    public string Target { get; }

    /// <summary>What the mount table shows as the source.</summary>
    public string Source { get; }

    /// <summary>True if nothing can be changed through it.</summary>
    public bool IsReadOnly => _readOnly;

    /// <summary>False once the mount has ended, whoever ended it.</summary>
    public bool IsMounted => !_finished.Task.IsCompleted;

    /// <summary>The process that cleans up should this one be killed.</summary>
    internal int? WatcherProcessId => _watcher?.ProcessId;

    /// <summary>
    /// Mounts a PFS on a directory: for changes, if its volume was opened writable and nothing else is asked for. Returns when
    /// it can be used.
    /// </summary>
    /// <param name="pfs">The opened PFS; it must stay open until the mount has ended.</param>
    /// <param name="target">An existing directory; what is in it is hidden while mounted.</param>
    /// <param name="options">Choices, or null for the defaults.</param>
    /// <exception cref="FuseMountException">It cannot be mounted; the message says why and what to do.</exception>
    public static FuseMount Mount(PfsMount pfs, string target, FuseMountOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(pfs);
        options ??= new FuseMountOptions();
        if (!pfs.Volume.IsWritable)
            options = options with { ReadOnly = true };
        var owners = new FuseOwners(options.Uid, options.Gid);
        var fileSystem = new Hammer2FileSystem(pfs, owners, options.CacheTime, options.Logger)
        {
            KernelKeepsTimes = options.WritebackCache && !options.ReadOnly,
        };
        var mount = Mount(fileSystem, options.Source ?? pfs.Label, target, options);
        mount.Follow(pfs, fileSystem);
        return mount;
    }

    /// <summary>Mounts anything that answers requests; it is disposed of when the mount has ended.</summary>
    internal static FuseMount Mount(IFuseFileSystem fileSystem, string source, string target, FuseMountOptions options)
    {
        ArgumentException.ThrowIfNullOrEmpty(target);
        if (!OperatingSystem.IsLinux())
            throw new FuseMountException("FUSE mounts exist on Linux only.");
        return new FuseMount(fileSystem, source, target, options);
    }

    /// <summary>The HAMMER2 mounts that this process sees.</summary>
    public static IEnumerable<MountInfo> ListMounts() => MountInfo.ReadAll().Where(mount => mount.FsType == MountPoint.FsType);

    /// <summary>
    /// Detaches a HAMMER2 mount, also one of another process or of one that died. If files are open it is detached lazily:
    /// the name is free at once, and the open files end with their last close. What was written before is durable then.
    /// </summary>
    /// <exception cref="FuseMountException">Nothing of HAMMER2 is mounted there, or it may not be detached.</exception>
    public static void UnmountTarget(string target)
    {
        ArgumentException.ThrowIfNullOrEmpty(target);
        var path = Path.GetFullPath(target);
        if (path.Length > 1)
            path = path.TrimEnd('/');
        if (MountInfo.Find(path) is not { FsType: MountPoint.FsType })
            path = Native.Libc.RealPath(target) ?? path;
        if (MountInfo.Find(path) is not { FsType: MountPoint.FsType })
            throw new FuseMountException($"No HAMMER2 volume is mounted on {target}. List the mounts to see where they are.");
        // The name is free before its process has closed the volume; what was written should be safe by then.
        MountPoint.TryFlush(path, s_flushDeadline);
        if (MountPoint.Detach(path, lazy: false, abort: false) is null)
            return;
        if (MountPoint.Detach(path, lazy: true, abort: false) is { } reason)
            throw new FuseMountException($"{path} cannot be unmounted: {reason}");
    }

    /// <summary>Blocks until the mount has ended. When the token is cancelled, it unmounts.</summary>
    public void WaitForUnmount(CancellationToken cancellationToken)
    {
        try
        {
            _finished.Task.Wait(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            Unmount();
        }
    }

    /// <summary>
    /// Unmounts. Files that are still open after a moment do not hold it up: the mount is detached from under them and their
    /// readers get errors. When this returns the engine is not used any more.
    /// </summary>
    public void Unmount()
    {
        lock (_gate)
        {
            if (!IsMounted)
                return;
            if (!TryDetach(lazy: false) && !_session.Ended.Wait(s_busyPatience) && !TryDetach(lazy: false))
            {
                // Cutting files off drops what programs wrote into mapped memory and what the kernel collected.
                if (!_readOnly && !MountPoint.TryFlush(Target, s_flushDeadline))
                    _logger.LogError("Not everything that was written to files open on {Target} could be fetched.", Target);
                TryDetach(lazy: true);
            }

            if (!_session.Ended.Wait(s_busyPatience) && _info is not null)
                MountPoint.TryAbort(_info);
            if (_session.Ended.Wait(s_busyPatience))
            {
                Finish(idle: true);
                return;
            }

            // The connection lives as long as somebody has a file of it open. Its workers stay and answer errors only.
            _logger.LogWarning("Files of {Target} are still open; using them fails from now on.", Target);
            var idle = _dispatcher.Refuse(s_endDeadline);
            if (!idle)
                _logger.LogError("A request on {Target} does not end.", Target);
            Finish(idle);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Unmount();

    /// <summary>How many requests of one kind the kernel sent.</summary>
    internal long RequestsOf(FuseOpcode opcode) => _dispatcher.CountOf(opcode);

    // The kernel keeps names, attributes and pages for long, since nobody else changes the volume; what another mount of this
    // process changes, or a verb that runs in it, must be told.
    private void Follow(PfsMount pfs, Hammer2FileSystem fileSystem)
    {
        var follower = pfs.Follow(change =>
        {
            fileSystem.ChangedElsewhere();
            Tell(change);
        });
        lock (_finishGate)
        {
            if (IsMounted)
                _follower = follower;
            else
                follower.Dispose();
        }
    }

    private void Tell(in PfsEvent change)
    {
        Span<byte> buffer = stackalloc byte[FuseNotification.BytesMax];
        if (change.Kind != PfsEventKind.Updated)
            Tell(FuseNotification.InvalidateEntry(change.Directory, change.Name.Span, buffer));
        Tell(FuseNotification.InvalidateInode(change.InodeNumber, buffer));
    }

    private void Tell(ReadOnlySpan<byte> message)
    {
        var errno = -_session.Notify(message);
        if (errno is not (0 or Errno.ENOENT or Errno.ENODEV))
            _logger.LogWarning("The kernel did not take a notification (errno {Errno}): {Target} may show what was before.", errno, Target);
    }

    private void AwaitStart()
    {
        if (Task.WaitAny([_dispatcher.Initialized, _session.Ended], s_startDeadline) == 0)
            return;
        Unmount();
        throw new FuseMountException(
            $"The kernel did not start the mount on {Target}. See the log; Linux 5.4 or later is needed.");
    }

    // True if the mount is gone from the mount table. Only a mount of our own device number is touched.
    private bool TryDetach(bool lazy)
    {
        if (_info is null)
            return MountPoint.Detach(Target, lazy, abort: lazy) is null;
        var mounts = MountInfo.ReadAll();
        if (mounts.FindLast(mount => mount.Device == _info.Device && mount.FsType == _info.FsType) is not { } ours)
            return true;
        if (mounts.FindLast(mount => mount.Target == ours.Target) != ours)
        {
            _logger.LogWarning("Something else is mounted over {Target}; ours stays below it, without its contents.", ours.Target);
            return false;
        }

        return MountPoint.Detach(ours.Target, lazy, abort: lazy) is null;
    }

    // Called by whoever notices the end first; the others wait here, so that nobody returns before the engine is let go.
    // Handles are closed at once only if no request can be using one.
    private void Finish(bool idle)
    {
        lock (_finishGate)
        {
            if (!IsMounted)
                return;
            _watcher?.Dispose();
            _follower?.Dispose();
            if (idle)
                _fileSystem.Dispose();
            else
                _ = _session.Ended.ContinueWith(_ => _fileSystem.Dispose(), TaskScheduler.Default);
            _finished.TrySetResult();
        }
    }
}
