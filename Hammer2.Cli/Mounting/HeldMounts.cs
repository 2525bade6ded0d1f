// Several PFSs of one volume under targets of their own, served by one process: a volume is open in one process only.
// Invariants: everything that was added is let go of in the opposite order, whatever fails in between; each mount ends by
// itself, also those that a client added later, and waiting ends with the last of them. Calls mount sessions.

namespace Hammer2.Cli.Mounting;

/// <summary>Another PFS of the volume, and where to show it.</summary>
internal sealed record OtherPfs(string Label, string Target)
{
    /// <summary>The values of --also.</summary>
    public static IReadOnlyList<OtherPfs> Parse(IEnumerable<string> values) => [.. values.Select(static value =>
    {
        int split = value.IndexOf('=', StringComparison.Ordinal);
        return split > 0 && split < value.Length - 1
            ? new OtherPfs(value[..split], value[(split + 1)..])
            : throw CliException.Usage($"--also wants LABEL=TARGET, not '{value}'");
    })];
}

/// <summary>Mounts of one process, and what they stand on.</summary>
internal sealed class HeldMounts(CancellationToken stop) : IDisposable
{
    private readonly object _gate = new();
    private readonly Stack<IDisposable> _held = new();
    private int _watched;
    private bool _isWaiting;
    private bool _ended;

    /// <summary>Takes something over.</summary>
    public T Add<T>(T held)
        where T : IDisposable
    {
        lock (_gate)
            _held.Push(held);
        return held;
    }

    /// <summary>Takes a mount over, at any time before the last one ended.</summary>
    /// <exception cref="CliException">It came too late; it was unmounted again.</exception>
    public IMountSession AddMount(IMountSession session)
    {
        lock (_gate)
        {
            if (!_ended)
            {
                _held.Push(session);
                if (_isWaiting)
                    Watch(session);
                return session;
            }
        }

        session.Dispose();
        throw new CliException(ExitCode.CannotOpen, "the mount that holds the volume is just ending; try again");
    }

    /// <summary>Ends every mount and takes no more; <see cref="WaitForUnmount"/> returns then.</summary>
    public void UnmountAll()
    {
        IMountSession[] sessions;
        lock (_gate)
        {
            _ended = true;
            sessions = [.. _held.OfType<IMountSession>()];
        }

        foreach (IMountSession session in sessions)
            session.Unmount();
    }

    /// <summary>Returns when every mount has ended; each does by itself, or when the process is told to stop.</summary>
    public void WaitForUnmount()
    {
        lock (_gate)
        {
            _isWaiting = true;
            foreach (IMountSession session in _held.OfType<IMountSession>())
                Watch(session);
            while (_watched > 0)
                Monitor.Wait(_gate);
            _ended = true;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
            _ended = true;
        while (_held.TryPop(out IDisposable? held))
            held.Dispose();
    }

    private void Watch(IMountSession session)
    {
        _watched++;
        Task.Factory.StartNew(() => WaitFor(session), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    private void WaitFor(IMountSession session)
    {
        try
        {
            session.WaitForUnmount(stop);
        }
        finally
        {
            lock (_gate)
            {
                _watched--;
                Monitor.PulseAll(_gate);
            }
        }
    }
}
