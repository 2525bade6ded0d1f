// How much memory waits to be written. Writers that find the budget used up wait, outside of every lock, until
// something was written; write-out starts well before that. Thread-safe.

namespace Hammer2.Engine.Transactions;

/// <summary>Counts bytes that wait, against a limit.</summary>
internal sealed class DirtyBudget(long bytesMax)
{
    private readonly object _gate = new();
    private long _bytes;
    private bool _open;

    /// <summary>The limit.</summary>
    internal long BytesMax { get; } = bytesMax;

    /// <summary>Bytes that wait now.</summary>
    internal long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>Bytes of one kind, data or metadata, at which the background begins to write them out.</summary>
    internal long WriteOutBytes => BytesMax / 4;

    internal void Add(long bytes) => Interlocked.Add(ref _bytes, bytes);

    internal void Remove(long bytes)
    {
        if (Interlocked.Add(ref _bytes, -bytes) >= BytesMax)
            return;
        lock (_gate)
            Monitor.PulseAll(_gate);
    }

    /// <summary>Waits until there is room.</summary>
    internal void WaitForRoom()
    {
        if (Bytes < BytesMax)
            return;
        lock (_gate)
        {
            while (Bytes >= BytesMax && !_open)
                Monitor.Wait(_gate);
        }
    }

    /// <summary>Lets everybody through for ever: nothing will be written any more.</summary>
    internal void Open()
    {
        lock (_gate)
        {
            _open = true;
            Monitor.PulseAll(_gate);
        }
    }
}
