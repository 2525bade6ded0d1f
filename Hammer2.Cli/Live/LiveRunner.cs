// The mount's side: a client's command line becomes a run of the verb on the mounted volume, with the client's streams.
// Invariants: only verbs that say that they can live are run; a verb's failure is explained to the client as it would be on
// its own terminal, and never ends the mount.

using System.CommandLine;
using Hammer2.Cli.Mounting;
using Hammer2.Control;
using Hammer2.Engine.Volumes;

namespace Hammer2.Cli.Live;

/// <summary>Runs verbs for clients.</summary>
/// <param name="volume">The mounted volume.</param>
/// <param name="paths">Absolute paths of its files, separated by colons.</param>
/// <param name="mounts">Mounts of this process.</param>
/// <param name="host">Mounts further PFSs.</param>
internal sealed class LiveRunner(Hammer2Volume volume, string paths, HeldMounts mounts, IMountHost host) : ICommandRunner
{
    public bool IsLong(RunRequest request) =>
        CommandTree.Parse([.. request.Arguments]).CommandResult.Command is VerbCommand { Live: LiveUse.Long };

    public bool CanPause(RunRequest request) =>
        CommandTree.Parse([.. request.Arguments]).CommandResult.Command is VerbCommand { CanPause: true };

    public int Run(RunRequest request, CommandOutput output, CancellationToken cancellationToken)
    {
        string[] arguments = [.. request.Arguments];
        var terminal = new Terminal(output.Output, output.Error, request.OutputIsTerminal, request.ErrorIsTerminal, cancellationToken) { WaitWhilePaused = output.WaitWhilePaused };
        return Program.RunLive(arguments, terminal, host, new LiveVolume(volume, paths, mounts, request.Directory, request.Label));
    }
}
