// Counts the callbacks that run, so that Unmounted can wait for them and refuse new ones (dokan-semantics A.16).
// Invariants: entering and leaving cost one atomic operation each, on memory that threads hardly share, and allocate nothing;
// once closed nobody enters; the last one to leave a closed gate signals. Calls nothing.
// The count is a sum of several. Who enters adds to one of them and then looks whether the gate is closed, so whoever closes it
// and then adds up misses nobody; what he may miss are those who leave meanwhile, and they add up themselves.

using System.Runtime.InteropServices;

namespace Hammer2.Dokan.Opens;

/// <summary>The gate of a mount.</summary>
internal sealed class OperationGate : IDisposable
{
    private const int Counts = 16;

    // Two cache lines for each: processors fetch lines in pairs.
    [StructLayout(LayoutKind.Explicit, Size = 128)]
    private struct Padded
    {
        [FieldOffset(64)]
        internal int Value;
    }

    private readonly ManualResetEventSlim _drained = new(initialState: false);
    private readonly Padded[] _inside = new Padded[Counts];
    private volatile bool _closed;

    /// <summary>Is the gate closed?</summary>
    internal bool IsClosed => _closed;

    private ref int Mine => ref _inside[Environment.CurrentManagedThreadId & (Counts - 1)].Value;

    /// <summary>Enters; false when closed.</summary>
    internal bool TryEnter()
    {
        Interlocked.Increment(ref Mine);
        if (!_closed)
            return true;
        Exit();
        return false;
    }

    /// <summary>Leaves; on the thread that entered.</summary>
    internal void Exit()
    {
        Interlocked.Decrement(ref Mine);
        if (_closed)
            SignalIfEmpty();
    }

    /// <summary>Closes the gate and waits until everybody left.</summary>
    /// <returns>False when somebody was still inside at the end of the time.</returns>
    internal bool Close(TimeSpan patience)
    {
        _closed = true;
        Interlocked.MemoryBarrier();
        SignalIfEmpty();
        return _drained.Wait(patience);
    }

    /// <inheritdoc />
    public void Dispose() => _drained.Dispose();

    private void SignalIfEmpty()
    {
        int inside = 0;
        foreach (ref Padded count in _inside.AsSpan())
            inside += Volatile.Read(ref count.Value);
        if (inside == 0)
            _drained.Set();
    }
}
