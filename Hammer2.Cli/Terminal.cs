// What a run of the command sees of the world: where data and messages go, and whether somebody
// asked it to stop. Invariants: verbs never touch System.Console; tests run verbs in the process
// by handing in streams of their own.

namespace Hammer2.Cli;

/// <summary>Streams and the stop signal of one run.</summary>
/// <param name="Output">Raw bytes of standard output: data only.</param>
/// <param name="Error">Messages, progress and log.</param>
/// <param name="OutputIsTerminal">A person looks at the output, not a program.</param>
/// <param name="ErrorIsTerminal">A progress bar may be drawn.</param>
/// <param name="Stop">Cancelled by Ctrl+C and SIGTERM.</param>
internal sealed record Terminal(
    Stream Output,
    TextWriter Error,
    bool OutputIsTerminal = false,
    bool ErrorIsTerminal = false,
    CancellationToken Stop = default)
{
    /// <summary>Long work asks here whether it may go on; returns when it may.</summary>
    public Action WaitWhilePaused { get; init; } = static () => { };

    /// <summary>Raw bytes of standard input; null when there is none.</summary>
    public Stream? Input { get; init; }

    /// <summary>Progress goes to <see cref="Error"/> as lines of JSON, for a program that draws its own bar.</summary>
    public bool ProgressAsJson { get; init; }

    /// <summary>A program of its own, not a verb inside another one: long runs keep a log in the user's folder.</summary>
    public bool IsOwnProcess { get; init; }

    /// <summary>The process's own console.</summary>
    public static Terminal ForProcess(CancellationToken stop)
    {
        if (OperatingSystem.IsWindows())
        {
            // The console is handed UTF-8 bytes; without this it would show them in the OEM code page.
            Console.OutputEncoding = System.Text.Encoding.UTF8;
        }

        return new Terminal(
            new StandardOutput(), Console.Error, !Console.IsOutputRedirected, !Console.IsErrorRedirected, stop)
        {
            Input = Console.OpenStandardInput(),
            IsOwnProcess = true,
        };
    }
}
