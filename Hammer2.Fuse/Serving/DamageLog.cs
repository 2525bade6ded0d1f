// What this is: one log line per damaged thing, however often programs run into it.
// Invariants: memory is bounded: after the limit nothing new is logged but the fact that the limit was reached.
// Layers: logging only.

using System.Collections.Concurrent;
using Hammer2.Engine.Primitives;
using Microsoft.Extensions.Logging;

namespace Hammer2.Fuse.Serving;

/// <summary>Reports damage once.</summary>
internal sealed class DamageLog(ILogger logger, int distinctMax = 1000)
{
    private readonly ConcurrentDictionary<string, bool> _reported = new(StringComparer.Ordinal);
    private int _distinct;

    /// <summary>Reports that something failed. Errors that are answers, not damage, are not logged.</summary>
    public void Report(string what, Hammer2Exception failure)
    {
        if (Errno.From(failure.Error) != Errno.EIO)
            return;
        var text = $"Damage: {what}: {failure.Message}";
        if (_distinct > distinctMax || !_reported.TryAdd(text, true))
            return;
        var count = Interlocked.Increment(ref _distinct);
        if (count <= distinctMax)
            logger.LogError("{Damage}", text);
        else
            logger.LogError("More than {Count} damaged objects were reported; further ones are not logged.", distinctMax);
    }
}
