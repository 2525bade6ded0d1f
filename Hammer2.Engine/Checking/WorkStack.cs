// A stack of work that several threads take from and put onto; everybody is done when it is empty and nobody holds an item
// that could bring more. Last in, first out, so that a tree is walked in depth and the stack stays short.

namespace Hammer2.Engine.Checking;

/// <summary>Shared work of several threads.</summary>
internal sealed class WorkStack<T>
{
    private readonly Stack<T> _items = new();
    private int _busy;
    private bool _stop;

    /// <summary>Items that nobody has taken yet; a hint.</summary>
    internal int Count => _items.Count;

    internal void Put(in T item)
    {
        lock (_items)
        {
            _items.Push(item);
            Monitor.Pulse(_items);
        }
    }

    /// <summary>Waits for an item; false when all work is done or stopped. After true comes <see cref="Done"/>.</summary>
    internal bool TryTake(out T item)
    {
        lock (_items)
        {
            while (true)
            {
                if (!_stop && _items.TryPop(out item!))
                {
                    _busy++;
                    return true;
                }

                if (_stop || _busy == 0)
                {
                    Monitor.PulseAll(_items);
                    item = default!;
                    return false;
                }

                Monitor.Wait(_items);
            }
        }
    }

    /// <summary>The item taken last by this thread is finished.</summary>
    internal void Done()
    {
        lock (_items)
        {
            _busy--;
            if (_busy == 0 && _items.Count == 0)
                Monitor.PulseAll(_items);
        }
    }

    internal void Stop()
    {
        lock (_items)
        {
            _stop = true;
            Monitor.PulseAll(_items);
        }
    }
}
