// A progress bar with rate and remaining time on standard error, when that is a terminal; lines of JSON there, when the
// program at the other end draws the bar (--progress-json); else nothing at all. Invariants: the work runs on the caller's
// thread and may report from any; nothing is drawn on standard output. May call Spectre.Console.

using System.Diagnostics;
using System.Text.Json;
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
        if (terminal.ProgressAsJson)
            return work(new ProgressLines(terminal.Error, title, Math.Max(1, total())).Add);
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

/// <summary>One line for each report, at most five a second: <c>{"progress":{"title":...,"done":...,"total":...}}</c>.</summary>
internal sealed class ProgressLines
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(200);
    private readonly Lock _gate = new();
    private readonly TextWriter _error;
    private readonly string _title;
    private readonly long _total;
    private long _done;
    private long _shown;

    public ProgressLines(TextWriter error, string title, long total)
    {
        (_error, _title, _total) = (error, title, total);
        lock (_gate)
            Show();
    }

    /// <summary>Counts what was done since the last call; from any thread.</summary>
    public void Add(long done)
    {
        Interlocked.Add(ref _done, done);
        if (Stopwatch.GetElapsedTime(Interlocked.Read(ref _shown)) < s_pause)
            return;
        lock (_gate)
        {
            if (Stopwatch.GetElapsedTime(_shown) >= s_pause)
                Show();
        }
    }

    private void Show()
    {
        Interlocked.Exchange(ref _shown, Stopwatch.GetTimestamp());
        var line = new { progress = new { title = _title, done = Interlocked.Read(ref _done), total = _total } };
        _error.WriteLine(JsonSerializer.Serialize(line, ResultWriter.Shapes));
    }
}
