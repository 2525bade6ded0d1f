// What a mount does with the commands of its clients; implemented by the program that serves it. Invariants: Run reports all
// its failures through the output and its exit code, and returns soon after it was told to stop.

namespace Hammer2.Control;

/// <summary>Runs command lines on a mounted volume.</summary>
public interface ICommandRunner
{
    /// <summary>Exit code of a command that failed in a way that it did not explain.</summary>
    const int ExitCodeOfFailure = 1;

    /// <summary>Exit code of a command that was stopped and did not say anything else.</summary>
    const int ExitCodeOfCancelled = 130;

    /// <summary>True for commands that take so long that they run one after the other.</summary>
    bool IsLong(RunRequest request);

    /// <summary>True for commands that wait while they are paused; the others cannot be.</summary>
    bool CanPause(RunRequest request);

    /// <summary>Runs a command to its end.</summary>
    /// <returns>Its exit code.</returns>
    int Run(RunRequest request, CommandOutput output, CancellationToken cancellationToken);
}
