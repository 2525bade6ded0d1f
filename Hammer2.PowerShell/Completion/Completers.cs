// Tab completion of labels, snapshots, mounts and paths: the program is asked, about the volume that stands on the line. Invariants: completion never fails
// and never waits long, it offers nothing instead; what it offers is quoted where PowerShell needs that. Calls Running.

using System.Collections;
using System.ComponentModel;
using System.Management.Automation;
using System.Management.Automation.Language;
using Hammer2.PowerShell.Running;
using Shell = System.Management.Automation.PowerShell;

namespace Hammer2.PowerShell.Completion;

/// <summary>Base of the completions.</summary>
public abstract class Hammer2Completer : IArgumentCompleter
{
    private const int PatienceMilliseconds = 5000;
    private static readonly string[] s_volumeParameters = ["Image", "FromVolume", "ToVolume"];
    private static readonly char[] s_needQuotes = [' ', '\t', '\'', '"', '`', '$', '(', ')', '{', '}', ';', ',', '|', '&', '<', '>', '@', '#'];

    private protected Hammer2Completer()
    {
    }

    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        string word = wordToComplete.Trim('\'', '"');
        try
        {
            return [.. Offers(word, fakeBoundParameters).Where(offer => offer.StartsWith(word, StringComparison.OrdinalIgnoreCase)).Select(Quoted)];
        }
        catch (Exception nothing) when (nothing is IOException or Win32Exception or RuntimeException or InvalidOperationException)
        {
            // A line that is not finished, a volume that is not there, no program: there is nothing to offer.
            return [];
        }
    }

    private protected abstract IEnumerable<string> Offers(string word, IDictionary bound);

    /// <summary>The volume on the line; null when there is none yet.</summary>
    private protected static string? VolumeOf(IDictionary bound) =>
        s_volumeParameters.Select(name => bound[name]).Where(static value => value is not null).Select(static value => $"{value}").FirstOrDefault();

    /// <summary>The program's answer; null when it failed or took too long.</summary>
    private protected static JsonObject? Ask(VerbLine line)
    {
        using var shell = Shell.Create(RunspaceMode.CurrentRunspace);
        string directory = $"{shell.AddScript("$ExecutionContext.SessionState.Path.CurrentFileSystemLocation.ProviderPath").Invoke().FirstOrDefault()}";
        using ProgramRun run = ProgramRun.Start(ProgramLocation.Find(), line, directory, null);
        using var late = new Timer(_ => run.Stop(), null, PatienceMilliseconds, Timeout.Infinite);
        foreach (object said in run.Read())
            continue;
        return run.Answer;
    }

    private static CompletionResult Quoted(string offer)
    {
        string text = offer.Length > 0 && offer.IndexOfAny(s_needQuotes) < 0 ? offer : "'" + offer.Replace("'", "''") + "'";
        return new CompletionResult(text, offer, CompletionResultType.ParameterValue, offer);
    }
}

/// <summary>Labels of PFSs and snapshots.</summary>
public sealed class LabelCompleter : Hammer2Completer
{
    private protected override IEnumerable<string> Offers(string word, IDictionary bound) =>
        VolumeOf(bound) is { } image ? Labels(new VerbLine("pfs-list").Names(image)) : [];

    internal static IEnumerable<string> Labels(VerbLine line) => Ask(line)?.Objects("pfs").Select(static pfs => pfs.Text("label")) ?? [];
}

/// <summary>Names of snapshots.</summary>
public sealed class SnapshotCompleter : Hammer2Completer
{
    private protected override IEnumerable<string> Offers(string word, IDictionary bound)
    {
        if (VolumeOf(bound) is not { } image)
            return [];
        int at = image.LastIndexOf('@');
        return LabelCompleter.Labels(new VerbLine("snapshot", "list").Names(at > 0 ? image.Substring(0, at) : image));
    }
}

/// <summary>Places where something is mounted.</summary>
public sealed class MountCompleter : Hammer2Completer
{
    private protected override IEnumerable<string> Offers(string word, IDictionary bound) =>
        Ask(new VerbLine("mounts"))?.Objects("mounts").Select(static mount => mount.Text("target")) ?? [];
}

/// <summary>Paths in a PFS.</summary>
public sealed class PathCompleter : Hammer2Completer
{
    private protected override IEnumerable<string> Offers(string word, IDictionary bound)
    {
        if (VolumeOf(bound) is not { } image)
            return [];
        string pfs = bound["Label"] is { } label ? $"{image}@{label}" : image;
        string directory = word.Substring(0, word.LastIndexOf('/') + 1);
        JsonObject? answer = Ask(new VerbLine("ls").Names(pfs, directory.Length == 0 ? "/" : directory));
        return answer?.Objects("entries").Select(entry => directory + entry.MediaText("name") + (entry.Text("type") == "dir" ? "/" : "")) ?? [];
    }
}
