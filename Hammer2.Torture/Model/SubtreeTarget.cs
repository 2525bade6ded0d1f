// A directory of a target as a target of its own, so that a thread can run an exact sequence in it while others work
// beside it. Remounting and checking belong to the whole and are not done here.
// Calls only the inner target.

using Hammer2.Engine.Primitives;

namespace Hammer2.Torture.Model;

/// <summary>A subtree.</summary>
internal sealed class SubtreeTarget(ITarget inner, string name) : ITarget
{
    public ITargetNode OpenRoot()
    {
        using ITargetNode root = inner.OpenRoot();
        Hammer2Error error = root.TryLookup(name, out ITargetNode? node);
        return node ?? throw new MismatchException($"lookup of {name} answered {error}");
    }

    public void Sync() => inner.Sync();

    public void Reclaim() => inner.Reclaim();

    public void Remount() => throw new InvalidOperationException("a part is not remounted");

    public IReadOnlyList<string> Check() => [];

    public void Dispose()
    {
        // The whole is the caller's.
    }
}
