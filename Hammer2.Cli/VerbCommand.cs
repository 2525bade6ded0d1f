// A verb as System.CommandLine sees it: name, arguments, what it runs and the examples that its help
// shows. Invariants: every verb has at least one example (a test asks); a verb's function returns a
// VerbResult, or the exit code itself when it wrote raw bytes.

using System.CommandLine;
using Hammer2.Cli.Live;
using Hammer2.Cli.Output;

namespace Hammer2.Cli;

/// <summary>One verb of the command.</summary>
internal sealed class VerbCommand : Command
{
    public VerbCommand(string name, string description, params string[] examples)
        : base(name, description)
    {
        Examples = examples;
    }

    /// <summary>Shown at the end of <c>--help</c>; complete command lines.</summary>
    public IReadOnlyList<string> Examples { get; }

    /// <summary>Whether it can run in the process that has the volume mounted.</summary>
    public LiveUse Live { get; private set; } = LiveUse.No;

    /// <summary>True for long work that waits while somebody pauses it.</summary>
    public bool CanPause { get; private set; }

    /// <summary>What runs; set by <see cref="Runs(Func{VerbContext, ParseResult, VerbResult})"/>.</summary>
    public Func<VerbContext, ParseResult, int>? Body { get; private set; }

    /// <summary>On a mounted volume the verb runs in the mount. Its first argument names the volume.</summary>
    public VerbCommand Lives(LiveUse use = LiveUse.Short)
    {
        Live = use;
        if (use == LiveUse.Long)
            Add(GlobalOptions.Detach);
        return this;
    }

    /// <summary>The verb asks between its steps whether it may go on.</summary>
    public VerbCommand Pauses()
    {
        CanPause = true;
        return this;
    }

    /// <summary>The verb returns results, which the one writer prints.</summary>
    public VerbCommand Runs(Func<VerbContext, ParseResult, VerbResult> verb) =>
        RunsRaw((context, parsed) => context.Results.Write(verb(context, parsed)));

    /// <summary>The verb writes bytes of its own and returns an exit code.</summary>
    public VerbCommand RunsRaw(Func<VerbContext, ParseResult, int> verb)
    {
        Body = verb;
        // Program runs the body; without an action of its own, a verb that has verbs below it would want one of those.
        SetAction(static _ => ExitCode.Success);
        return this;
    }
}
