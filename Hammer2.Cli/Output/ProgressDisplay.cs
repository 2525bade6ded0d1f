// A progress bar with rate and remaining time on standard error, when that is a terminal; else nothing at
// all. Invariants: the work runs on the caller's thread and may report from any; nothing is drawn on standard output.
// May call Spectre.Console.

using Spectre.Console;

namespace Hammer2.Cli.Output;

/// <summary>Runs work under a progress bar.</summary>
internal static class ProgressDisplay
{
    /// <param name="terminal">Where to draw.</param>
    /// <param name="title">One word.</param>
    /// <param name="total">Counts the bytes to do; only called when a bar is drawn.</param>
    /// <param name="work">Is handed what takes the number of bytes done since the last call.</param>
    public static T Run<T>(Terminal terminal, string title, Func<long> total, Func<Action<long>, T> work)
    {
        if (!terminal.ErrorIsTerminal)
            return work(static _ => { });
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(terminal.Error) });
        return console.Progress()
            .AutoClear(true)
            .HideCompleted(false)
            .Columns(
                new TaskDescriptionColumn(),
                new ProgressBarColumn(),
                new PercentageColumn(),
                new DownloadedColumn(),
                new TransferSpeedColumn(),
                new RemainingTimeColumn())
            .Start(display =>
            {
                ProgressTask task = display.AddTask(title, maxValue: Math.Max(1, total()));
                return work(done => task.Increment(done));
            });
    }
}
