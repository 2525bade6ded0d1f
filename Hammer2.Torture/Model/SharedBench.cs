// Placeholder until the multi-threaded rules are in.
// See ModelBench.

namespace Hammer2.Torture.Model;

internal sealed class SharedBench : IBench
{
    public string Name => "shared";

    public string Description => "several threads";

    public void Run(BenchContext context) => ArgumentNullException.ThrowIfNull(context);
}
