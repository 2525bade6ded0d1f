// A reader-writer lock for what is read by everybody all the time and changed seldom: readers of different threads do not even
// share memory. Each thread reads under one of several locks; a writer takes all of them, in order. Rules are those of
// ReaderWriterLockSlim without recursion. Calls nothing.

namespace Hammer2.Engine.Primitives;

/// <summary>A reader-writer lock that is cheap to read under and dear to write under.</summary>
internal sealed class ManyReadersLock
{
    private const int Parts = 8;
    private readonly ReaderWriterLockSlim[] _parts = [.. Enumerable.Range(0, Parts).Select(static _ => new ReaderWriterLockSlim())];

    private ReaderWriterLockSlim Mine => _parts[Environment.CurrentManagedThreadId & (Parts - 1)];

    internal void EnterReadLock() => Mine.EnterReadLock();

    internal void ExitReadLock() => Mine.ExitReadLock();

    internal void EnterWriteLock()
    {
        foreach (ReaderWriterLockSlim part in _parts)
            part.EnterWriteLock();
    }

    internal void ExitWriteLock()
    {
        for (int i = _parts.Length - 1; i >= 0; i--)
            _parts[i].ExitWriteLock();
    }
}
