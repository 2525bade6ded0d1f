// What every verb is given: the terminal, the global options, the log and the mount host.
// Invariants: made once per run by Program and never changed; verbs keep no other state between runs.
// May call Mounting and Output.

using Hammer2.Cli.Mounting;
using Hammer2.Cli.Output;
using Microsoft.Extensions.Logging;

namespace Hammer2.Cli;

/// <summary>The surroundings of one run of a verb.</summary>
internal sealed class VerbContext
{
    public required Terminal Terminal { get; init; }

    public required bool Json { get; init; }

    public required bool Verbose { get; init; }

    /// <summary>Cache limit of the engine; null for its default.</summary>
    public long? CacheBytes { get; init; }

    /// <summary>Read-ahead of the engine in blocks; null for its default.</summary>
    public int? ReadAheadBlocks { get; init; }

    /// <summary>The partition to use of a whole-disk image, counted from 1; null to choose by itself.</summary>
    public int? Partition { get; init; }

    public required ILogger Logger { get; init; }

    public required IMountHost MountHost { get; init; }

    public required ResultWriter Results { get; init; }

    public CancellationToken Stop => Terminal.Stop;

    /// <summary>A message for the user that is no data.</summary>
    public void Say(string message) => Terminal.Error.WriteLine("hammer2: " + message);
}
