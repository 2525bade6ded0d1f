// What is done to a volume while it is recorded. Prior steps run before the recording, on the medium that the record begins
// with; workloads with the same setup and the same prior steps share that medium.

using System.Collections.Concurrent;
using Hammer2.Engine.Devices;
using Hammer2.Torture.Devices;

namespace Hammer2.Torture.Crash;

/// <summary>A workload.</summary>
internal sealed record CrashWorkload(string Name, CrashSetup Setup, Action<CrashRun> Run)
{
    private static readonly ConcurrentDictionary<(CrashSetup Setup, Action<CrashRun>? Prior), Lazy<MemoryBlockDevice[]>> s_prepared = new();

    /// <summary>Done and committed before; null = a fresh volume.</summary>
    internal Action<CrashRun>? Prior { get; init; }

    /// <summary>A copy of the medium that the workload starts with.</summary>
    internal MemoryBlockDevice[] Prepare() => [.. s_prepared.GetOrAdd((Setup, Prior), _ => new(Make)).Value.Select(device => device.Clone())];

    public override string ToString() => $"{Name} ({Setup.Name})";

    private MemoryBlockDevice[] Make()
    {
        MemoryBlockDevice[] devices = Setup.Format();
        if (Prior is null)
            return devices;
        using var run = new CrashRun(devices, Setup, new DeviceRecord());
        Prior(run);
        return devices;
    }
}
