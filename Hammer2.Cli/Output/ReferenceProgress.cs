// Progress of a walk that counts references and knows no bytes: each stands for a block of the usual size, which is good enough
// for a bar. Invariant: a count that goes back begins anew, as the second pass of a walk does.

namespace Hammer2.Cli.Output;

/// <summary>Turns counts of references into steps of a bar.</summary>
/// <param name="advance">Takes bytes.</param>
/// <param name="references">The running count in a report.</param>
internal sealed class ReferenceProgress<T>(Action<long> advance, Func<T, long> references) : IProgress<T>
{
    private const long BlockBytes = 64 << 10;
    private long _seen;

    public void Report(T value)
    {
        long now = references(value);
        if (now < _seen)
            _seen = 0;
        advance((now - _seen) * BlockBytes);
        _seen = now;
    }
}
