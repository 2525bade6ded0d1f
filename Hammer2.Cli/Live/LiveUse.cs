// How a verb behaves on a volume that one of our mounts holds: a fact of the verb, used by the client to
// decide where to run it and by the mount to decide how.

namespace Hammer2.Cli.Live;

/// <summary>Running in the process that has the volume mounted.</summary>
internal enum LiveUse
{
    /// <summary>Never: it opens the volume itself, or works through the mount's files.</summary>
    No,

    /// <summary>At once, beside others.</summary>
    Short,

    /// <summary>In the queue of long transactions, one after the other.</summary>
    Long,
}
