// The exit codes of the command and the two exceptions that carry one of them to Program.
// Invariants: every failure of a verb is one of these codes; docs/cli.md lists them; no other
// number leaves the process.

namespace Hammer2.Cli;

/// <summary>What the process returns. Scripts rely on the numbers.</summary>
internal static class ExitCode
{
    /// <summary>Everything that was asked for was done.</summary>
    public const int Success = 0;

    /// <summary>Something could not be read, a check failed, or a copy is partial.</summary>
    public const int Partial = 1;

    /// <summary>Wrong arguments; one line on stderr says what to do.</summary>
    public const int Usage = 2;

    /// <summary>The image is not a HAMMER2 volume, or cannot be opened at all.</summary>
    public const int CannotOpen = 3;

    /// <summary>Stopped by Ctrl+C or SIGTERM.</summary>
    public const int Interrupted = 130;
}

/// <summary>Ends a verb with one line for the user and an exit code.</summary>
internal sealed class CliException(int exitCode, string message, Exception? inner = null) : Exception(message, inner)
{
    public int ExitCode { get; } = exitCode;

    public static CliException Usage(string message) => new(Cli.ExitCode.Usage, message);
}

/// <summary>The reader of standard output went away (<c>| head</c>): nothing is left to say.</summary>
internal sealed class OutputClosedException : Exception
{
    public OutputClosedException()
        : base("standard output was closed by its reader")
    {
    }
}
