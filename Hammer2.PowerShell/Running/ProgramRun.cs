// One run of the program as a child process. Two threads read its streams, the cmdlet's thread takes what they found, since only that one may
// write objects. Invariants: the child is told to stop by the end of its standard input, on every system alike, also when this process dies; it is killed
// only when it does not stop in time; after Dispose it is gone. Calls the other files of this folder.

using System.Collections.Concurrent;
using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace Hammer2.PowerShell.Running;

/// <summary>A child process and what it says.</summary>
internal sealed class ProgramRun : IDisposable
{
    private const int StopMilliseconds = 15000;
    private const int LeftProcessMilliseconds = 2000;
    private const int ItemsAhead = 1024;

    private readonly BlockingCollection<object> _said = new(ItemsAhead);
    private readonly CancellationTokenSource _unheard = new();
    private readonly Process _process;
    private int _stopped;

    private ProgramRun(Process process) => _process = process;

    /// <summary>What it printed; null when that was nothing, or nothing whole.</summary>
    public JsonObject? Answer { get; private set; }

    /// <summary>Why there is no whole answer.</summary>
    public string? Malformed { get; private set; }

    /// <summary>Once everything was read.</summary>
    public int ExitCode
    {
        get
        {
            _process.WaitForExit();
            return _process.ExitCode;
        }
    }

    /// <summary>Starts the program.</summary>
    /// <param name="program">Which.</param>
    /// <param name="line">With what.</param>
    /// <param name="directory">Where relative paths begin.</param>
    /// <param name="items">The array whose objects <see cref="Read"/> hands out; null for none.</param>
    /// <exception cref="Win32Exception">It cannot be started.</exception>
    public static ProgramRun Start(ProgramLocation program, VerbLine line, string directory, string? items)
    {
        var start = new ProcessStartInfo(program.File, CommandLine.Of(program.First.Concat(line.Arguments)))
        {
            UseShellExecute = false,
            CreateNoWindow = true,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = new UTF8Encoding(false),
            StandardErrorEncoding = new UTF8Encoding(false),
            WorkingDirectory = directory,
        };
        var run = new ProgramRun(Process.Start(start) ?? throw new Win32Exception("the program did not start"));
        Thread output = Begin("output", () => run.ReadOutput(items));
        Thread error = Begin("errors", run.ReadErrors);
        Begin("end", () => run.WaitForEnd(output, error, line.LeavesProcess));
        return run;
    }

    /// <summary>Items (<see cref="JsonObject"/>) and lines of standard error (strings) as they come, until the program has ended.</summary>
    public IEnumerable<object> Read() => _said.GetConsumingEnumerable();

    /// <summary>Asks the program to stop, and sees to it; from any thread.</summary>
    public void Stop()
    {
        if (Interlocked.Exchange(ref _stopped, 1) != 0)
            return;
        _unheard.Cancel();
        try
        {
            _process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended by itself meanwhile.
        }

        Begin("stop", KillWhenLate);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            Stop();
            _process.WaitForExit();
        }

        // The process object stays for the threads that may still look at it; it is collected with them.
        _unheard.Cancel();
    }

    private static Thread Begin(string name, Action action)
    {
        var thread = new Thread(() => action()) { IsBackground = true, Name = "hammer2 " + name };
        thread.Start();
        return thread;
    }

    private void KillWhenLate()
    {
        if (_process.WaitForExit(StopMilliseconds))
            return;
        try
        {
            _process.Kill();
        }
        catch (Exception gone) when (gone is InvalidOperationException or Win32Exception)
        {
            // It ended between the two calls.
        }
    }

    private void ReadOutput(string? items)
    {
        TextReader output = _process.StandardOutput;
        try
        {
            Answer = new JsonReader(output).ReadAnswer(items, Say);
        }
        catch (Exception broken) when (broken is FormatException or IOException)
        {
            Malformed = broken.Message;
        }

        Drain(output);
    }

    private void ReadErrors()
    {
        try
        {
            while (_process.StandardError.ReadLine() is { } line)
                Say(line);
        }
        catch (IOException)
        {
            // The pipe broke with the program; its exit code tells what happened.
        }
    }

    // A program that nobody reads would wait for ever with a full pipe.
    private static void Drain(TextReader output)
    {
        try
        {
            var rest = new char[4096];
            while (output.Read(rest, 0, rest.Length) > 0)
                continue;
        }
        catch (IOException)
        {
            // As above.
        }
    }

    private void Say(object said)
    {
        try
        {
            if (!_unheard.IsCancellationRequested)
                _said.Add(said, _unheard.Token);
        }
        catch (Exception unheard) when (unheard is OperationCanceledException or InvalidOperationException)
        {
            // Nobody listens any more: the stream is still read to its end.
        }
    }

    // On Windows a process that a verb left behind holds copies of our pipes, so that they do not end with the verb.
    private void WaitForEnd(Thread output, Thread error, bool leavesProcess)
    {
        _process.WaitForExit();
        if (leavesProcess)
        {
            output.Join(LeftProcessMilliseconds);
            error.Join(LeftProcessMilliseconds);
        }
        else
        {
            output.Join();
            error.Join();
        }

        _said.CompleteAdding();
    }
}
