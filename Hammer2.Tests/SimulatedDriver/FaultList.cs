// Rules that the adapter broke, as sentences. A test that ends with a fault in the list fails; a negative control looks
// for the sentence that it provoked. Thread-safe. Calls nothing.

namespace Hammer2.Tests.SimulatedDriver;

/// <summary>Collected faults.</summary>
internal sealed class FaultList
{
    private readonly Lock _gate = new();
    private readonly List<string> _faults = [];

    internal void Add(string fault)
    {
        lock (_gate)
            _faults.Add(fault);
    }

    internal IReadOnlyList<string> All
    {
        get
        {
            lock (_gate)
                return [.. _faults];
        }
    }

    internal void AssertNone()
    {
        IReadOnlyList<string> faults = All;
        if (faults.Count > 0)
            Assert.Fail($"the adapter broke {faults.Count} rules: {string.Join("; ", faults.Take(10))}");
    }
}
