// What every verb is given: the terminal, the global options, the log and the mount host.
// Invariants: made once per run by Program and never changed; verbs keep no other state between runs.
// May call Mounting and Output.

using System.Globalization;
using Hammer2.Cli.Live;
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

    /// <summary>How the engine is to be used, as the options that say so: for another run of this program.</summary>
    public IEnumerable<string> EngineArguments
    {
        get
        {
            if (CacheBytes is { } cache)
                yield return string.Create(CultureInfo.InvariantCulture, $"{GlobalOptions.Cache.Name}={cache}");
            if (ReadAheadBlocks is { } blocks)
                yield return string.Create(CultureInfo.InvariantCulture, $"{GlobalOptions.ReadAhead.Name}={blocks}");
            if (Partition is { } partition)
                yield return string.Create(CultureInfo.InvariantCulture, $"{GlobalOptions.Partition.Name}={partition}");
        }
    }

    public required ILogger Logger { get; init; }

    public required IMountHost MountHost { get; init; }

    public required ResultWriter Results { get; init; }

    /// <summary>The volume of this process, when the verb runs in the process that mounts it; else null.</summary>
    public LiveVolume? Live { get; init; }

    public CancellationToken Stop => Terminal.Stop;

    /// <summary>A path of this machine as the user meant it, also when the verb runs in a mount far from where the user is.</summary>
    public string HostPath(string path) => Live is null ? path : Path.GetFullPath(path, Live.Directory);

    /// <summary>A message for the user that is no data.</summary>
    public void Say(string message) => Terminal.Error.WriteLine("hammer2: " + message);
}
