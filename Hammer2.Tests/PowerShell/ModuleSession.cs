// A PowerShell session with the module, as a user has it: imported by its manifest from the folder that is installed, beside the real
// program. Invariants: every session has a folder of its own, which is its current directory and is gone afterwards; images in it are copies.

using System.Management.Automation;
using System.Management.Automation.Runspaces;
using Hammer2.Tests.Cli;
using Hammer2.Tests.Images;
using Microsoft.PowerShell;
using Shell = System.Management.Automation.PowerShell;

namespace Hammer2.Tests.PowerShell;

/// <summary>What a script left.</summary>
/// <param name="Objects">Its output.</param>
/// <param name="Errors">Its errors.</param>
/// <param name="Warnings">Its warnings.</param>
/// <param name="Progress">Its progress records.</param>
/// <param name="Text">What it wrote for a person.</param>
internal sealed record ScriptRun(
    IReadOnlyList<PSObject> Objects, IReadOnlyList<ErrorRecord> Errors, IReadOnlyList<string> Warnings, IReadOnlyList<ProgressRecord> Progress, string Text)
{
    /// <summary>Fails when there were errors.</summary>
    public ScriptRun Clean()
    {
        Assert.IsEmpty(Errors, string.Join('\n', Errors.Select(static error => $"{error.FullyQualifiedErrorId}: {error}")));
        return this;
    }

    /// <summary>The only object.</summary>
    public PSObject Single => Objects.Count == 1 ? Objects[0] : throw new AssertFailedException($"{Objects.Count} objects instead of one");

    /// <summary>A property of the only object.</summary>
    public object? this[string property] => Of(Single, property);

    /// <summary>A property of each object, with spaces between.</summary>
    public string All(string property) => string.Join(' ', Objects.Select(one => Of(one, property)));

    /// <summary>The only error; its id begins so.</summary>
    public ErrorRecord Error(string id)
    {
        Assert.HasCount(1, Errors, string.Join('\n', Errors));
        StringAssert.StartsWith(Errors[0].FullyQualifiedErrorId, id + ",", Errors[0].ToString());
        return Errors[0];
    }

    private static object? Of(PSObject one, string property) =>
        (one.Properties[property] ?? throw new AssertFailedException($"no property {property}: {one}")).Value;
}

/// <summary>A session.</summary>
internal sealed class ModuleSession : IDisposable
{
    private readonly CapturingHost _host = new();
    private readonly TemporaryFolder _folder = new();
    private readonly Runspace _runspace;

    public ModuleSession()
    {
        var state = InitialSessionState.CreateDefault2();
        if (OperatingSystem.IsWindows())
            state.ExecutionPolicy = ExecutionPolicy.Bypass;
        state.ThrowOnRunspaceOpenError = true;
        _runspace = RunspaceFactory.CreateRunspace(_host, state);
        _runspace.Open();
        _runspace.SessionStateProxy.Path.SetLocation(_folder.Path);
        ScriptRun import = Run($"Import-Module '{Manifest}' -ErrorAction Stop").Clean();
        Assert.IsEmpty(import.Warnings, string.Join('\n', import.Warnings));
    }

    /// <summary>The module as it is installed.</summary>
    public static string ModuleFolder { get; } = Path.Combine(AppContext.BaseDirectory, "PowerShell", "Hammer2");

    /// <summary>Its manifest.</summary>
    public static string Manifest => Path.Combine(ModuleFolder, "Hammer2.psd1");

    /// <summary>A path in the session's folder.</summary>
    public string this[string name] => _folder[name];

    /// <summary>Unpacks a golden image into the session's folder.</summary>
    public string Have(string image) => string.Join(':', GoldenImages.Get(image).UnpackTo(_folder.Path).Select(Path.GetFileName));

    /// <summary>Runs a script to its end.</summary>
    public ScriptRun Run(string script)
    {
        using Shell shell = Make(script);
        return Collect(shell, () => [.. shell.Invoke()]);
    }

    /// <summary>Runs a script and shows its output as a console does.</summary>
    public string Show(string script)
    {
        using Shell shell = Make(script).AddCommand("Out-Default");
        ScriptRun run = Collect(shell, () => [.. shell.Invoke()]);
        return run.Clean().Text;
    }

    /// <summary>Begins a script; what the last parameter does happens while it runs, with the means to stop it.</summary>
    public ScriptRun RunAside(string script, Action<Shell> meanwhile)
    {
        using Shell shell = Make(script);
        var output = new PSDataCollection<PSObject>();
        return Collect(shell, () =>
        {
            IAsyncResult run = shell.BeginInvoke<PSObject, PSObject>(null, output);
            meanwhile(shell);
            try
            {
                shell.EndInvoke(run);
            }
            catch (PipelineStoppedException)
            {
                // The test stopped it.
            }

            return [.. output];
        });
    }

    /// <summary>Texts that the Tab key offers at the end of a line.</summary>
    public IReadOnlyList<string> Complete(string line)
    {
        using Shell shell = Make("");
        shell.Commands.Clear();
        return [.. CommandCompletion.CompleteInput(line, line.Length, null, shell).CompletionMatches.Select(static match => match.CompletionText)];
    }

    /// <summary>Questions that were asked since the last call.</summary>
    public IReadOnlyList<string> TakeQuestions() => _host.TakeQuestions();

    public void Dispose()
    {
        _runspace.Dispose();
        _folder.Dispose();
    }

    private Shell Make(string script)
    {
        var shell = Shell.Create();
        shell.Runspace = _runspace;
        return shell.AddScript(script);
    }

    private ScriptRun Collect(Shell shell, Func<IReadOnlyList<PSObject>> run)
    {
        _host.TakeText();
        IReadOnlyList<PSObject> objects = run();
        return new ScriptRun(
            objects, [.. shell.Streams.Error], [.. shell.Streams.Warning.Select(static warning => warning.Message)], [.. shell.Streams.Progress], _host.TakeText());
    }
}
