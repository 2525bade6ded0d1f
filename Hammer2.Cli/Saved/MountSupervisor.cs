// The service: keeps the saved mounts mounted, and follows the file that lists them. Invariants: one SupervisedVolume for each
// volume; a volume whose saved mounts changed is ended before it is served anew; stopping waits until all of them have ended.
// Calls Microsoft.Extensions.Hosting.

using Hammer2.Cli.Mounting;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Hammer2.Cli.Saved;

/// <summary>Serves the saved mounts.</summary>
internal sealed class MountSupervisor(SavedMounts saved, IMountHost host, ILogger logger) : BackgroundService
{
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(2);

    private readonly Dictionary<string, Running> _running = new(OperatingSystem.IsWindows() ? StringComparer.OrdinalIgnoreCase : StringComparer.Ordinal);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                await FollowAsync(stoppingToken).ConfigureAwait(false);
                await Task.Delay(s_look, stoppingToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            // The way out: the service is stopping.
        }

        await Task.WhenAll(_running.Values.Select(static running => running.Work)).ConfigureAwait(false);
    }

    private async Task FollowAsync(CancellationToken stop)
    {
        IReadOnlyList<SavedMount> wanted;
        try
        {
            wanted = saved.List();
        }
        catch (CliException failure)
        {
            // What runs goes on; the file is looked at again.
            logger.LogError("{Reason}", failure.Message);
            return;
        }

        Dictionary<string, SavedMount[]> volumes = wanted.GroupBy(static mount => mount.Volume, _running.Comparer)
            .ToDictionary(static group => group.Key, static group => group.ToArray(), _running.Comparer);
        foreach ((string volume, Running running) in _running.ToList())
        {
            if (volumes.TryGetValue(volume, out SavedMount[]? now) && IsSame(now, running.Volume.Mounts))
                continue;
            await running.Stop.CancelAsync().ConfigureAwait(false);
            await running.Work.ConfigureAwait(false);
            running.Stop.Dispose();
            _running.Remove(volume);
        }

        foreach ((string volume, SavedMount[] mounts) in volumes)
        {
            if (_running.ContainsKey(volume))
                continue;
            var supervised = new SupervisedVolume(mounts, host, logger);
            var ending = CancellationTokenSource.CreateLinkedTokenSource(stop);
            _running.Add(volume, new Running(supervised, ending, ServeAsync(supervised, ending.Token)));
        }
    }

    // One volume that cannot be served is no reason to let go of the others.
    private async Task ServeAsync(SupervisedVolume volume, CancellationToken stop)
    {
        try
        {
            await Task.Run(() => volume.RunAsync(stop), CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            logger.LogError(failure, "{Volume}: supervision ended: {Reason}", volume.Mounts[0].Volume, failure.Message);
        }
    }

    private static bool IsSame(SavedMount[] one, IReadOnlyList<SavedMount> other) =>
        one.Length == other.Count && one.Zip(other).All(static pair => pair.First.IsSameAs(pair.Second));

    private sealed record Running(SupervisedVolume Volume, CancellationTokenSource Stop, Task Work);
}
