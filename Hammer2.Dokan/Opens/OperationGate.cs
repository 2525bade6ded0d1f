// Counts the callbacks that run, so that Unmounted can wait for them and refuse new ones (dokan-semantics A.16).
// Invariants: entering and leaving cost one atomic operation each and allocate nothing; once closed nobody enters; the last
// one to leave a closed gate signals. Calls nothing.

namespace Hammer2.Dokan.Opens;

/// <summary>The gate of a mount.</summary>
internal sealed class OperationGate : IDisposable
{
    private const int Closed = int.MinValue;
    private readonly ManualResetEventSlim _drained = new(initialState: false);
    private int _state;

    /// <summary>Is the gate closed?</summary>
    internal bool IsClosed => Volatile.Read(ref _state) < 0;

    /// <summary>Enters; false when closed.</summary>
    internal bool TryEnter()
    {
        int state = Volatile.Read(ref _state);
        while (state >= 0)
        {
            int seen = Interlocked.CompareExchange(ref _state, state + 1, state);
            if (seen == state)
                return true;
            state = seen;
        }

        return false;
    }

    /// <summary>Leaves.</summary>
    internal void Exit()
    {
        if (Interlocked.Decrement(ref _state) == Closed)
            _drained.Set();
    }

    /// <summary>Closes the gate and waits until everybody left.</summary>
    /// <returns>False when somebody was still inside at the end of the time.</returns>
    internal bool Close(TimeSpan patience)
    {
        if (Interlocked.Or(ref _state, Closed) is 0 or Closed)
            _drained.Set();
        return _drained.Wait(patience);
    }

    /// <inheritdoc />
    public void Dispose() => _drained.Dispose();
}
