// The saved mounts of one volume, served by a child process: started, watched, started again after a crash, ended. A volume is open
// in one process, so its first mount is the child and the others are added to it. Invariants: a child that was asked to end is
// waited for, because its last commit is the user's data; a mount that its user ended stays ended until the service starts again;
// the pause after a failure doubles up to a minute and begins anew after a minute of service. Calls the mount host.

using System.ComponentModel;
using System.Diagnostics;
using Hammer2.Cli.Mounting;
using Microsoft.Extensions.Logging;

namespace Hammer2.Cli.Saved;

/// <summary>One volume under supervision.</summary>
internal sealed class SupervisedVolume(IReadOnlyList<SavedMount> mounts, IMountHost host, ILogger logger)
{
    /// <summary>Exit code of a mount that ended because its medium is not the same any more.</summary>
    public const int MediumChanged = ExitCode.Partial;

    private static readonly TimeSpan s_pauseMin = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_pauseMax = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_endLimit = TimeSpan.FromMinutes(4);
    private static readonly TimeSpan s_occupiedPause = TimeSpan.FromSeconds(5);

    public IReadOnlyList<SavedMount> Mounts => mounts;

    /// <summary>Serves until told to stop, or until the user has unmounted.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        TimeSpan pause = s_pauseMin;
        try
        {
            while (true)
            {
                stop.ThrowIfCancellationRequested();
                await WaitForTargetAsync(stop).ConfigureAwait(false);
                long begun = Stopwatch.GetTimestamp();
                int code = await ServeOnceAsync(stop).ConfigureAwait(false);
                if (stop.IsCancellationRequested)
                    return;
                if (code == ExitCode.Success)
                {
                    logger.LogInformation("{Volume}: unmounted; it stays so until the service is started again", mounts[0].Volume);
                    return;
                }

                if (Stopwatch.GetElapsedTime(begun) >= s_pauseMax)
                    pause = s_pauseMin;
                logger.LogWarning("{Volume}: the mount ended with code {Code}; again in {Pause} s", mounts[0].Volume, code, pause.TotalSeconds);
                await Task.Delay(pause, stop).ConfigureAwait(false);
                pause = pause * 2 < s_pauseMax ? pause * 2 : s_pauseMax;
            }
        }
        catch (OperationCanceledException)
        {
            // Told to stop while nothing was mounted.
        }
    }

    private async Task<int> ServeOnceAsync(CancellationToken stop)
    {
        using Process? child = TryStart(mounts[0]);
        if (child is null)
            return ExitCode.CannotOpen;
        Task errors = RelayAsync(child.StandardError, LogLevel.Warning), output = Task.CompletedTask, others = Task.CompletedTask;
        using var served = CancellationTokenSource.CreateLinkedTokenSource(stop);
        try
        {
            if (await child.StandardOutput.ReadLineAsync(stop).ConfigureAwait(false) is { } mounted)
            {
                logger.LogInformation("{Line}", mounted);
                others = Task.WhenAll(mounts.Skip(1).Select(other => AddUntilThereAsync(other, served.Token)));
            }

            output = RelayAsync(child.StandardOutput, LogLevel.Debug);
            await child.WaitForExitAsync(stop).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await EndAsync(child, mounts).ConfigureAwait(false);
            logger.LogInformation("{Volume}: unmounted", mounts[0].Volume);
        }
        finally
        {
            await served.CancelAsync().ConfigureAwait(false);
            await others.ConfigureAwait(false);
        }

        await Task.WhenAll(errors, output).ConfigureAwait(false);
        return child.ExitCode;
    }

    // A further mount that cannot be made, because its directory is missing for example, is tried again as long as the volume is served.
    private async Task AddUntilThereAsync(SavedMount mount, CancellationToken stop)
    {
        TimeSpan pause = s_pauseMin;
        try
        {
            while (await AddAsync(mount, stop).ConfigureAwait(false) is var code && code != ExitCode.Success)
            {
                logger.LogWarning("{Target}: not mounted, code {Code}; again in {Pause} s", mount.Target, code, pause.TotalSeconds);
                await Task.Delay(pause, stop).ConfigureAwait(false);
                pause = pause * 2 < s_pauseMax ? pause * 2 : s_pauseMax;
            }
        }
        catch (OperationCanceledException)
        {
            // The volume is let go of.
        }
    }

    private async Task<int> AddAsync(SavedMount mount, CancellationToken stop)
    {
        using Process? added = TryStart(mount);
        if (added is null)
            return ExitCode.CannotOpen;
        Task relayed = Task.WhenAll(RelayAsync(added.StandardOutput, LogLevel.Information), RelayAsync(added.StandardError, LogLevel.Warning));
        try
        {
            await added.WaitForExitAsync(stop).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // Left alone it would open the volume itself as soon as the process that has it is gone, and nobody would watch it.
            await EndAsync(added, [mount]).ConfigureAwait(false);
            throw;
        }

        await relayed.ConfigureAwait(false);
        return added.ExitCode;
    }

    // Null when the system has no process to spare: a failure like any other, after which it is tried again.
    private Process? TryStart(SavedMount mount)
    {
        try
        {
            Process? child = Process.Start(SelfProcess.With(mount.AsArguments("--automatic")));
            child?.StandardInput.Close();
            return child;
        }
        catch (Exception failure) when (failure is IOException or Win32Exception)
        {
            logger.LogError("{Target}: the mount's process could not be started: {Reason}", mount.Target, failure.Message);
            return null;
        }
    }

    private async Task EndAsync(Process child, IEnumerable<SavedMount> served)
    {
        if (!SelfProcess.AskToEnd(child))
        {
            foreach (SavedMount mount in served)
                TryUnmount(mount.Target);
        }

        using var limit = new CancellationTokenSource(s_endLimit);
        try
        {
            await child.WaitForExitAsync(limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            logger.LogError("{Volume}: its process {Id} does not end; it is left alone, since it may still be writing", mounts[0].Volume, child.Id);
            throw;
        }
    }

    // A mount whose process was killed leaves a place that answers nobody. One that answers belongs to somebody: its end is waited for.
    private async Task WaitForTargetAsync(CancellationToken stop)
    {
        foreach (SavedMount mount in mounts)
        {
            bool told = false;
            while (host.List().Any(other => other.Target == mount.Target))
            {
                if (!Answers(mount.Target))
                {
                    logger.LogInformation("{Target}: what a dead mount left is removed", mount.Target);
                    TryUnmount(mount.Target);
                    break;
                }

                if (!told)
                    logger.LogWarning("{Target}: mounted by another process; waiting for its end", mount.Target);
                told = true;
                await Task.Delay(s_occupiedPause, stop).ConfigureAwait(false);
            }
        }
    }

    private static bool Answers(string target)
    {
        try
        {
            _ = Directory.EnumerateFileSystemEntries(target).Any();
            return true;
        }
        catch (UnauthorizedAccessException)
        {
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private void TryUnmount(string target)
    {
        try
        {
            host.Unmount(target);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or PlatformNotSupportedException)
        {
            logger.LogWarning("{Target}: {Reason}", target, failure.Message);
        }
    }

    private async Task RelayAsync(StreamReader lines, LogLevel level)
    {
        while (await lines.ReadLineAsync().ConfigureAwait(false) is { } line)
            logger.Log(level, "{Line}", line);
    }
}
