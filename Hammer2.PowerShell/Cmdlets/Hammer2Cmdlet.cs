// What all commands share: they run the program, show its progress, and turn what went wrong into warnings and error records. Invariants: only the
// pipeline's thread writes; a failure has an ErrorId that begins with Hammer2 and never ends the pipeline, except that there is no program to run.
// Calls Running.

using System.ComponentModel;
using System.Management.Automation;
using Hammer2.PowerShell.Running;

namespace Hammer2.PowerShell;

/// <summary>Base of all commands.</summary>
public abstract class Hammer2Cmdlet : PSCmdlet
{
    private const int ProgressActivity = 0x4832;
    private const int ExitUsage = 2;
    private const int ExitCannotOpen = 3;
    private const int ExitInterrupted = 130;
    private const string ProgressMark = "{\"progress\":";

    private readonly object _gate = new();
    private ProgramRun? _run;
    private bool _stopping;

    private protected Hammer2Cmdlet()
    {
    }

    /// <inheritdoc/>
    protected override void StopProcessing()
    {
        lock (_gate)
        {
            _stopping = true;
            _run?.Stop();
        }
    }

    /// <summary>Where relative paths begin.</summary>
    private protected string CurrentDirectory => SessionState.Path.CurrentFileSystemLocation.ProviderPath;

    /// <summary>Runs the program to its end and reports what went wrong.</summary>
    /// <param name="line">Verb and arguments.</param>
    /// <param name="subject">What error records name.</param>
    /// <param name="verdict">Code 1 with an answer is a verdict and no failure.</param>
    /// <param name="items">The array whose objects are handed out while they come.</param>
    /// <param name="item">Takes them, on this thread.</param>
    /// <returns>What it printed; null when that was nothing.</returns>
    private protected JsonObject? Run(VerbLine line, object? subject, bool verdict = false, string? items = null, Action<JsonObject>? item = null)
    {
        WriteVerbose("hammer2 " + CommandLine.Of(line.Arguments));
        var lines = new List<string>();
        bool progress = false;
        using ProgramRun run = Start(line, items);
        foreach (object said in run.Read())
        {
            if (said is JsonObject one)
                item?.Invoke(one);
            else if (said is string text && text.StartsWith(ProgressMark, StringComparison.Ordinal))
                progress |= ShowProgress(text);
            else if (said is string message && message.Length > 0)
                lines.Add(message);
        }

        if (progress)
            WriteProgress(new ProgressRecord(ProgressActivity, "hammer2", "done") { RecordType = ProgressRecordType.Completed });
        lock (_gate)
        {
            _run = null;
            if (_stopping)
                return null;
        }

        Report(run, lines, subject, verdict);
        return run.Answer;
    }

    /// <summary>A path of this machine as PowerShell means it: with its drives, its ~ and its own current directory.</summary>
    private protected string HostPath(string path)
    {
        bool drive = ProgramLocation.IsWindows && (path == "*" || (path.Length == 2 && path[1] == ':'));
        return drive ? path : Resolve(path) ?? path;
    }

    /// <summary>A volume's name that holds wherever the session goes; what is no single file stays as it is.</summary>
    private protected string ImageName(string image)
    {
        if (Existing(image) is { } path)
            return path;
        int at = image.LastIndexOf('@');
        return at > 0 && Existing(image.Substring(0, at)) is { } before ? before + image.Substring(at) : image;
    }

    /// <summary>The volume alone, for objects that carry the label beside it; what stands behind a slash is part of a file's name.</summary>
    private protected static string WithoutLabel(string image)
    {
        int at = image.LastIndexOf('@');
        return at > 0 && image.IndexOf('/', at) < 0 && image.IndexOf('\\', at) < 0 && !File.Exists(image) ? image.Substring(0, at) : image;
    }

    /// <summary>IMAGE@LABEL.</summary>
    private protected static string Spec(string image, string? label) => string.IsNullOrEmpty(label) ? image : image + "@" + label;

    /// <summary>An error that is found before the program runs.</summary>
    private protected void WriteProblem(string id, ErrorCategory category, string message, object? subject) =>
        WriteError(new ErrorRecord(new InvalidOperationException(message), "Hammer2" + id, category, subject));

    private string? Existing(string image) =>
        Resolve(image) is { } path && (File.Exists(path) || Directory.Exists(path)) ? path : null;

    private string? Resolve(string path)
    {
        try
        {
            return GetUnresolvedProviderPathFromPSPath(path);
        }
        catch (Exception other) when (other is ItemNotFoundException or SessionStateException or RuntimeException or NotSupportedException or ArgumentException)
        {
            // No path of PowerShell's: several volumes with colons between, a device of Windows.
            return null;
        }
    }

    private ProgramRun Start(VerbLine line, string? items)
    {
        try
        {
            var location = ProgramLocation.Find();
            lock (_gate)
            {
                if (_stopping)
                    throw new PipelineStoppedException();
                return _run = ProgramRun.Start(location, line, CurrentDirectory, items);
            }
        }
        catch (FileNotFoundException missing)
        {
            ThrowTerminatingError(new ErrorRecord(missing, "Hammer2ProgramNotFound", ErrorCategory.ObjectNotFound, missing.FileName));
            throw;
        }
        catch (Win32Exception failure)
        {
            ThrowTerminatingError(new ErrorRecord(failure, "Hammer2ProgramNotStarted", ErrorCategory.ResourceUnavailable, null));
            throw;
        }
    }

    private bool ShowProgress(string line)
    {
        if (JsonReader.Parse(line) is not { } read || !read.TryGetValue("progress", out object? value) || value is not JsonObject progress)
            return false;
        long done = progress.Number("done");
        long total = Math.Max(1, progress.Number("total"));
        WriteProgress(new ProgressRecord(ProgressActivity, "hammer2 " + progress.Text("title"), ByteText.Show(done) + " of " + ByteText.Show(total))
        {
            PercentComplete = (int)Math.Max(0, Math.Min(100, 100.0 * done / total)),
        });
        return true;
    }

    // A failure in the answer has its line on standard error too: it is reported once, by the record that says more.
    private void Report(ProgramRun run, List<string> lines, object? subject, bool verdict)
    {
        JsonObject[] failures = run.Answer is { } answer ? [.. answer.Objects("failures")] : [];
        foreach (JsonObject failure in failures)
        {
            string message = failure.Text("message");
            lines.Remove(lines.FirstOrDefault(line => line.EndsWith(message, StringComparison.Ordinal)));
            string? path = failure.MediaText("path");
            string code = failure.Text("code");
            var error = new InvalidOperationException(path is null ? message : path + ": " + message);
            WriteError(new ErrorRecord(error, "Hammer2" + FailureKinds.Id(code), FailureKinds.Category(code), path ?? subject));
        }

        bool failed = run.ExitCode != 0 && failures.Length == 0 && !(verdict && run.ExitCode == 1 && run.Answer is not null);
        if (failed)
            WriteError(ErrorOf(run.ExitCode, lines, subject));
        else if (run.ExitCode == 0 && run.Malformed is { } malformed)
            WriteProblem("BadAnswer", ErrorCategory.ProtocolError, "The program's answer was not understood: " + malformed, subject);
        foreach (string line in failed ? [] : lines)
            WriteWarning(WithoutPrefix(WithoutPrefix(line, "hammer2: "), "warning: "));
    }

    private static ErrorRecord ErrorOf(int exitCode, List<string> lines, object? subject)
    {
        string message = lines.Count == 0
            ? $"The program ended with code {exitCode} and said nothing."
            : string.Join(" ", lines.Select(static line => WithoutPrefix(line, "hammer2: ")));
        (string id, ErrorCategory category) = exitCode switch
        {
            1 => ("Failed", ErrorCategory.NotSpecified),
            ExitUsage => ("Arguments", ErrorCategory.InvalidArgument),
            ExitCannotOpen => ("CannotOpen", ErrorCategory.OpenError),
            ExitInterrupted => ("Interrupted", ErrorCategory.OperationStopped),
            _ => ("Crashed", ErrorCategory.FromStdErr),
        };
        return new ErrorRecord(new InvalidOperationException(message), "Hammer2" + id, category, subject);
    }

    private static string WithoutPrefix(string line, string prefix) =>
        line.StartsWith(prefix, StringComparison.Ordinal) ? line.Substring(prefix.Length) : line;
}

/// <summary>Base of the commands about one volume.</summary>
public abstract class Hammer2VolumeCmdlet : Hammer2Cmdlet
{
    private protected Hammer2VolumeCmdlet()
    {
    }

    /// <summary>The volume: an image file, a disk or partition, several of them with colons between, or the place where it is mounted. With @LABEL behind it, a PFS of it.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("FullName")]
    [ValidateNotNullOrEmpty]
    public string Image { get; set; } = "";

    /// <summary>Which partition of a whole disk to use, if several hold HAMMER2.</summary>
    [Parameter]
    public int? Partition { get; set; }

    /// <summary>The name that objects carry.</summary>
    private protected string FullImage => ImageName(Image);

    /// <summary>The beginning of every command line about a volume.</summary>
    private protected VerbLine Verb(params string[] verb) => new VerbLine(verb).Option("--partition", Partition);

    /// <summary>Lists PFSs whose labels match; a label without wildcards that is not there is an error.</summary>
    private protected void WritePfs(VerbLine line, string[]? labels)
    {
        string image = FullImage;
        if (Run(line.Names(image), image) is not { } answer)
            return;
        Hammer2Pfs[] all = [.. answer.Objects("pfs").Select(pfs => new Hammer2Pfs(WithoutLabel(image), pfs))];
        foreach (string label in labels ?? ["*"])
        {
            var pattern = new WildcardPattern(label, WildcardOptions.None);
            Hammer2Pfs[] found = [.. all.Where(pfs => pfs.Label == label || pattern.IsMatch(pfs.Label))];
            if (found.Length == 0 && !WildcardPattern.ContainsWildcardCharacters(label))
                WriteProblem("PfsNotFound", ErrorCategory.ObjectNotFound, $"There is no '{label}' in {image}; there are: {string.Join(", ", all.Select(static pfs => pfs.Label))}", label);
            WriteObject(found, enumerateCollection: true);
        }
    }
}
