// Fresh volumes for the rounds of a bench. Invariant: a volume is a function of its seed: settings of the engine, and the
// methods that the root passes on to everything below it.
// Media are sparse and in memory.

using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;

namespace Hammer2.Torture.Model;

/// <summary>Makes engine targets.</summary>
internal static class EngineTargets
{
    private static readonly CompressionMethod[] s_compressions = [CompressionMethod.Lz4, CompressionMethod.None, CompressionMethod.AutoZero, CompressionMethod.Zlib];

    public static EngineTarget Fresh(int seed)
    {
        var target = new EngineTarget(MediumCheck.NewMedium(), EngineSettings.From(seed));
        using Vnode root = target.Pfs.OpenRoot();
        root.TrySetAttributes(new AttributeChanges { Compression = s_compressions[seed / 8 % 4] });
        return target;
    }
}
