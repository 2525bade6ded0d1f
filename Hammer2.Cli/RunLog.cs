// The log of one run: warnings (or everything, with --verbose) on stderr, everything in a file when one is asked for, and for mounts
// and the service always in a rolling file of the user, which is what one attaches to a report. Invariants: data never goes there,
// only what the engine says about its work; the files are bounded in size and number. Calls Serilog.

using Serilog;
using Serilog.Core;
using Serilog.Events;
using Serilog.Formatting;
using Serilog.Formatting.Compact;
using Serilog.Formatting.Display;

namespace Hammer2.Cli;

/// <summary>Makes the log.</summary>
internal static class RunLog
{
    private const long FileBytesMax = 10 << 20;
    private const int FilesMax = 7;
    private const string Line = "{Timestamp:yyyy-MM-dd HH:mm:ss.fff zzz} [{Level:u3}] {Message:lj}{NewLine}{Exception}";

    /// <summary>Where the logs of mounts and of the service are; null when this user has no folder.</summary>
    public static string? DefaultFolder =>
        Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify) is { Length: > 0 } root
            ? Path.Combine(root, OperatingSystem.IsWindows() ? "Hammer2" : "hammer2", "logs")
            : null;

    // A mount runs for days and should tell of damage when it meets it; other verbs report failures themselves.
    public static Logger Create(Terminal terminal, bool verbose, string verb, string? file, bool json)
    {
        bool runsLong = verb is "mount" or "service";
        LogEventLevel level = verbose ? LogEventLevel.Debug : verb == "service" ? LogEventLevel.Information : runsLong ? LogEventLevel.Warning : LogEventLevel.Fatal;
        LoggerConfiguration log = new LoggerConfiguration()
            .MinimumLevel.Is(level)
            .WriteTo.Sink(new LineSink(terminal.Error), level);
        if (file is not null)
        {
            Refuse(file);
            log.MinimumLevel.Debug().WriteTo.File(Format(json), file, fileSizeLimitBytes: FileBytesMax, rollOnFileSizeLimit: true, retainedFileCountLimit: FilesMax, shared: true);
        }
        else if (runsLong && terminal.IsOwnProcess && DefaultFolder is { } folder)
        {
            log.MinimumLevel.Debug().WriteTo.File(
                Format(json), Path.Combine(folder, $"{verb}-.log"), rollingInterval: RollingInterval.Day, fileSizeLimitBytes: FileBytesMax,
                rollOnFileSizeLimit: true, retainedFileCountLimit: FilesMax, shared: true);
        }

        return log.CreateLogger();
    }

    private static ITextFormatter Format(bool json) =>
        json ? new CompactJsonFormatter() : new MessageTemplateTextFormatter(Line, System.Globalization.CultureInfo.InvariantCulture);

    // The sink itself would pass over a file that it cannot write.
    private static void Refuse(string file)
    {
        try
        {
            if (Path.GetDirectoryName(Path.GetFullPath(file)) is { } folder)
                Directory.CreateDirectory(folder);
            using var probe = new FileStream(file, FileMode.Append, FileAccess.Write, FileShare.ReadWrite);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw CliException.Usage($"--log-file: {failure.Message}");
        }
    }

    /// <summary>Log lines on the terminal's own error writer, so that tests see them too.</summary>
    private sealed class LineSink(TextWriter error) : ILogEventSink
    {
        private readonly Lock _gate = new();

        public void Emit(LogEvent logEvent)
        {
            string line = $"{logEvent.Timestamp:HH:mm:ss} {logEvent.Level.ToString().ToLowerInvariant()}: "
                + logEvent.RenderMessage(null);
            lock (_gate)
            {
                error.WriteLine(line);
                if (logEvent.Exception is not null)
                    error.WriteLine(logEvent.Exception);
            }
        }
    }
}
