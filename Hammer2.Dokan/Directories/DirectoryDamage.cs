// Two kinds of holes in a directory: what is corrupt stays so and the rest can be shown; what a failing device did not
// deliver may be back a moment later, and must never be taken for "not there".
// Invariant: nothing that was read past a device error is cached or shown. Calls the engine's errors only.

using Hammer2.Engine.Primitives;

namespace Hammer2.Dokan.Directories;

/// <summary>Judges the damage that a directory batch reports.</summary>
internal static class DirectoryDamage
{
    /// <summary>Throws the first failure that is not a property of the medium's contents.</summary>
    internal static void ThrowIfUnreachable(IReadOnlyList<Hammer2Exception> damage)
    {
        for (int i = 0; i < damage.Count; i++)
            ThrowIfUnreachable(damage[i].Error, damage[i].Message);
    }

    /// <summary>Throws when the error is not a property of the medium's contents.</summary>
    internal static void ThrowIfUnreachable(Hammer2Error error, string message)
    {
        if (error is Hammer2Error.Io or Hammer2Error.Closed)
            throw new Hammer2Exception(error, message);
    }
}
