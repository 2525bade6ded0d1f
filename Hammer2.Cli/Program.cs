// Entry point: parses the arguments, runs one verb, and maps every way it can end to an exit code
// and at most one line for the user. Invariants: no stack trace reaches the user unless --verbose
// asks; a reader that goes away ends the run quietly; tests call Run with streams of their own.

using System.CommandLine;
using System.Runtime.InteropServices;
using Hammer2.Cli.Live;
using Hammer2.Cli.Mounting;
using Hammer2.Cli.Output;
using Hammer2.Engine.Primitives;
using Microsoft.Extensions.Logging.Abstractions;
using Serilog.Core;
using Serilog.Extensions.Logging;

namespace Hammer2.Cli;

/// <summary>The <c>hammer2</c> command.</summary>
internal static class Program
{
    public static int Main(string[] args)
    {
        using var stop = new CancellationTokenSource();
        int asked = 0;

        // The second signal gets the system's default: the way out when something does not stop.
        void Ask(PosixSignalContext signal)
        {
            signal.Cancel = Interlocked.Increment(ref asked) == 1;
            if (signal.Cancel)
                ThreadPool.UnsafeQueueUserWorkItem(static source => ((CancellationTokenSource)source!).Cancel(), stop);
        }

        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Ask);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Ask);
        using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Ask);
        Terminal terminal = Terminal.ForProcess(stop.Token);
        if (args.TakeWhile(static argument => argument != "--").Contains(GlobalOptions.StopWithInput.Name) && terminal.Input is { } input)
        {
            // What is read has no meaning; a verb that wants input of its own gets none.
            terminal = terminal with { Input = null };
            StopAtEnd(input, stop);
        }

        return Run(args, terminal);
    }

    /// <summary>Runs the command and returns its exit code; never throws.</summary>
    public static int Run(string[] args, Terminal terminal, IMountHost? mountHost = null)
    {
        bool verbose = args.Contains("--verbose");
        return Guard(terminal, verbose, () => Dispatch(args, terminal, mountHost ?? MountHosts.ForThisSystem(), verbose));
    }

    /// <summary>Runs a verb that a client sent to the process that mounts the volume; never throws.</summary>
    public static int RunLive(string[] args, Terminal terminal, IMountHost mountHost, LiveVolume live) => Guard(terminal, false, () =>
    {
        ParseResult parsed = CommandTree.Parse(args);
        if (parsed.Errors.Count > 0 || parsed.CommandResult.Command is not VerbCommand { Body: { } body, Live: not LiveUse.No })
            throw CliException.Usage("this cannot be done in a mount: " + CommandTree.ExplainErrors(parsed));
        return body(ContextOf(parsed, terminal, mountHost, NullLogger.Instance, live), parsed);
    });

    /// <summary>Runs another verb with the surroundings of this one.</summary>
    public static int RunAgain(VerbContext context, IEnumerable<string> args)
    {
        List<string> all = [.. args, .. context.EngineArguments];
        if (context.Json)
            all.Add(GlobalOptions.Json.Name);
        if (context.Verbose)
            all.Add(GlobalOptions.Verbose.Name);
        if (context.Terminal.ProgressAsJson)
            all.Add(GlobalOptions.ProgressJson.Name);
        return Run([.. all], context.Terminal, context.MountHost);
    }

    // The thread may wait for ever: it ends with the process, and must not reach what is disposed with it.
    private static void StopAtEnd(Stream input, CancellationTokenSource stop)
    {
        void Wait()
        {
            try
            {
                input.CopyTo(Stream.Null);
                stop.Cancel();
            }
            catch (Exception late) when (late is IOException or ObjectDisposedException)
            {
                // Nothing can be read any more: the verb is at its end, or the system has no input for it.
            }
        }

        new Thread(Wait) { IsBackground = true, Name = "end of input" }.Start();
    }

    private static int Guard(Terminal terminal, bool verbose, Func<int> run)
    {
        try
        {
            return run();
        }
        catch (OutputClosedException)
        {
            return ExitCode.Success;
        }
        catch (OperationCanceledException)
        {
            terminal.Error.WriteLine("hammer2: interrupted");
            return ExitCode.Interrupted;
        }
        catch (Exception failure)
        {
            return Explain(failure, terminal, verbose);
        }
    }

    private static int Dispatch(string[] args, Terminal terminal, IMountHost mountHost, bool verbose)
    {
        ParseResult parsed = CommandTree.Parse(args);
        bool ownAction = parsed.Action is not null && parsed.CommandResult.Command.Action != parsed.Action;
        if (ownAction && parsed.Errors.Count == 0 || parsed.Action is HelpWithExamples)
            return InvokeBuiltIn(parsed, terminal);
        if (parsed.Errors.Count > 0 || parsed.CommandResult.Command is not VerbCommand { Body: { } body } verb)
            throw CliException.Usage(CommandTree.ExplainErrors(parsed));
        CommandTree.RefuseUnknownOptions(parsed);
        using Logger log = RunLog.Create(terminal, verbose, verb.Name, parsed.GetValue(GlobalOptions.LogFile), parsed.GetValue(GlobalOptions.LogFormat) == "json");
        using var loggers = new SerilogLoggerFactory(log);
        VerbContext context = ContextOf(parsed, terminal, mountHost, loggers.CreateLogger("hammer2"), null);
        if (verb.Live != LiveUse.No && verb.Arguments[0] is Argument<string> volume
            && LiveClient.TryRun(context, parsed.GetRequiredValue(volume), args, verb.Live == LiveUse.Long && parsed.GetValue(GlobalOptions.Detach)) is { } exitCode)
            return exitCode;
        return body(context, parsed);
    }

    private static VerbContext ContextOf(ParseResult parsed, Terminal terminal, IMountHost mountHost, Microsoft.Extensions.Logging.ILogger logger, LiveVolume? live)
    {
        bool json = parsed.GetValue(GlobalOptions.Json);
        return new VerbContext
        {
            Terminal = terminal with { ProgressAsJson = parsed.GetValue(GlobalOptions.ProgressJson) },
            Json = json,
            Verbose = parsed.GetValue(GlobalOptions.Verbose),
            CacheBytes = parsed.GetValue(GlobalOptions.Cache),
            ReadAheadBlocks = parsed.GetValue(GlobalOptions.ReadAhead),
            Partition = parsed.GetValue(GlobalOptions.Partition),
            Logger = logger,
            MountHost = mountHost,
            Results = new ResultWriter(terminal, json),
            Live = live,
        };
    }

    // Help, --version and the completion directive write text through System.CommandLine.
    private static int InvokeBuiltIn(ParseResult parsed, Terminal terminal)
    {
        using var output = new StreamWriter(terminal.Output, leaveOpen: true) { NewLine = "\n" };
        int code = parsed.Invoke(new InvocationConfiguration
        {
            Output = output,
            Error = terminal.Error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
        });
        output.Flush();
        return code;
    }

    private static int Explain(Exception failure, Terminal terminal, bool verbose)
    {
        var (code, message) = failure switch
        {
            CliException cli => (cli.ExitCode, cli.Message),
            Hammer2Exception { Error: Hammer2Error.NoSuchPfs } engine => (ExitCode.CannotOpen, engine.Message),
            Hammer2Exception engine => (ExitCode.Partial, engine.Message),
            UnauthorizedAccessException or IOException => (ExitCode.Partial, failure.Message),
            _ => (ExitCode.Partial, $"internal error: {failure.Message} (--verbose shows where)"),
        };
        terminal.Error.WriteLine("hammer2: " + message.ReplaceLineEndings(" "));
        if (verbose)
            terminal.Error.WriteLine(failure.ToString());
        return code;
    }
}
