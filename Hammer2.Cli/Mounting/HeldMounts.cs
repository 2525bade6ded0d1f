// Several PFSs of one volume under targets of their own, served by one process: a volume is open in one process only.
// Invariants: everything that was added is let go of in the opposite order, whatever fails in between; each mount ends by
// itself, and waiting ends with the last of them. Calls mount sessions.

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
internal sealed class HeldMounts : IDisposable
{
    private readonly Stack<IDisposable> _held = new();

    /// <summary>Takes something over.</summary>
    public T Add<T>(T held)
        where T : IDisposable
    {
        _held.Push(held);
        return held;
    }

    /// <summary>Returns when every mount has ended, or <paramref name="stop"/> was cancelled.</summary>
    public void WaitForUnmount(CancellationToken stop)
    {
        IMountSession[] sessions = [.. _held.OfType<IMountSession>().Reverse()];
        if (sessions.Length == 1)
            sessions[0].WaitForUnmount(stop);
        else
            Task.WaitAll([.. sessions.Select(session => Task.Factory.StartNew(
                () => session.WaitForUnmount(stop), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))], CancellationToken.None);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        while (_held.TryPop(out IDisposable? held))
            held.Dispose();
    }
}
