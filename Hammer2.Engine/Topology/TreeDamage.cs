// What a walk met and passed over because its caller asked to go on: failures of single subtrees.
// Bounded: a tree of nothing but damage fills a counter, not the memory.

using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Topology;

/// <summary>Collects the failures of a walk; keeps the first few, counts all.</summary>
internal sealed class TreeDamage
{
    private const int KeptMax = 64;
    private readonly List<Hammer2Exception> _kept = [];

    internal int Count { get; private set; }

    internal IReadOnlyList<Hammer2Exception> Failures => _kept;

    internal void Add(Hammer2Exception failure)
    {
        Count++;
        if (_kept.Count < KeptMax)
            _kept.Add(failure);
    }

    internal void Clear()
    {
        Count = 0;
        _kept.Clear();
    }
}
