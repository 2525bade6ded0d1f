// What travels between a mount and its clients: JSON-RPC over a local stream, a handful of methods, and one idea: a client
// sends a command line, the mount runs it on the volume that it holds and sends back what it would have printed. Invariants:
// ControlHello never changes its shape, so that any two versions can tell each other who they are; everything else may
// change with ControlProtocol.Version, and two sides of different versions go no further than the greeting.

using StreamJsonRpc;

namespace Hammer2.Control;

/// <summary>Facts that both sides share.</summary>
public static class ControlProtocol
{
    /// <summary>Raised with every change of the methods or of what they carry.</summary>
    public const int Version = 1;
}

/// <summary>Who answers; the first answer of every connection.</summary>
/// <param name="Protocol"><see cref="ControlProtocol.Version"/> of the mount.</param>
/// <param name="Product">Version of the program that serves it.</param>
/// <param name="ProcessId">Its process.</param>
public sealed record ControlHello(int Protocol, string Product, int ProcessId);

/// <summary>A command line to run on the mounted volume.</summary>
/// <param name="Arguments">Verb and arguments as the user typed them, without the name of the program.</param>
/// <param name="Directory">Where the user is: relative paths of this machine begin there.</param>
/// <param name="Label">The PFS that is meant; null when the arguments say so, or none is.</param>
/// <param name="OutputIsTerminal">A person looks at the output.</param>
/// <param name="ErrorIsTerminal">A progress bar may be drawn.</param>
/// <param name="Detached">It goes on when the client is gone, and the answer is its number.</param>
public sealed record RunRequest(
    IReadOnlyList<string> Arguments, string Directory, string? Label = null, bool OutputIsTerminal = false, bool ErrorIsTerminal = false, bool Detached = false);

/// <summary>What became of a command.</summary>
/// <param name="ExitCode">Of the verb; 0 when it was detached.</param>
/// <param name="Transaction">Its number.</param>
public sealed record RunAnswer(int ExitCode, long Transaction);

/// <summary>State of a transaction.</summary>
public enum TransactionState
{
    /// <summary>In the queue.</summary>
    Waiting,

    /// <summary>At work.</summary>
    Running,

    /// <summary>At work, but told to wait.</summary>
    Paused,

    /// <summary>Ended; its exit code tells how.</summary>
    Done,

    /// <summary>Stopped by its client's end, by a request, or by the end of the mount.</summary>
    Cancelled,
}

/// <summary>One transaction of a mount.</summary>
/// <param name="Number">Counted from 1.</param>
/// <param name="Command">Its command line.</param>
/// <param name="State">Where it is.</param>
/// <param name="ExitCode">Once it ended.</param>
/// <param name="Detached">Nobody waits for it.</param>
/// <param name="BegunUtc">When it came.</param>
/// <param name="EndedUtc">When it ended.</param>
/// <param name="Message">Last line that it said.</param>
public sealed record TransactionInfo(
    long Number, string Command, TransactionState State, int? ExitCode, bool Detached, DateTime BegunUtc, DateTime? EndedUtc, string Message);

/// <summary>What a mount answers.</summary>
[JsonRpcContract]
[PolyType.GenerateShape(IncludeMethods = PolyType.MethodShapeFlags.PublicInstance)]
public partial interface IControlServer
{
    /// <summary>The greeting; everything else is refused before it.</summary>
    Task<ControlHello> HelloAsync(ControlHello client);

    /// <summary>Runs a command; the answer comes when it has ended. Cancelling the call cancels the command.</summary>
    Task<RunAnswer> RunAsync(RunRequest request, CancellationToken cancellationToken);

    /// <summary>The transactions under way and those that ended lately.</summary>
    Task<IReadOnlyList<TransactionInfo>> ListAsync();

    /// <summary>Cancels a transaction, whoever began it.</summary>
    /// <returns>False when there is none of that number that has not ended.</returns>
    Task<bool> CancelAsync(long number);

    /// <summary>Makes a transaction wait, or go on.</summary>
    /// <returns>False when there is none of that number that has not ended.</returns>
    Task<bool> PauseAsync(long number, bool pause);
}

/// <summary>What a client answers: it takes what a command prints.</summary>
[JsonRpcContract]
[PolyType.GenerateShape(IncludeMethods = PolyType.MethodShapeFlags.PublicInstance)]
public partial interface IControlClient
{
    /// <summary>Bytes for standard output.</summary>
    Task OutputAsync(byte[] bytes);

    /// <summary>Text for standard error.</summary>
    Task ErrorAsync(string text);
}
