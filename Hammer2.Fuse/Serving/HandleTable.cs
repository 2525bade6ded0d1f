// What this is: the numbers that stand for open files and directories in the FUSE protocol.
// Invariants: a handle is never 0; finding one takes no lock and allocates nothing; a number is reused only after Remove.
// Layers: none.

namespace Hammer2.Fuse.Serving;

/// <summary>Maps handle numbers to objects.</summary>
internal sealed class HandleTable<T> where T : class
{
    private readonly Lock _gate = new();
    private readonly Stack<int> _free = new();
    private T?[] _slots = new T?[64];
    private int _used;

    /// <summary>Gives an object a number.</summary>
    public ulong Add(T item)
    {
        lock (_gate)
        {
            if (!_free.TryPop(out var slot))
            {
                slot = _used++;
                if (slot == _slots.Length)
                    Grow();
            }

            Volatile.Write(ref _slots[slot], item);
            return (ulong)slot + 1;
        }
    }

    /// <summary>The object of a number, or null.</summary>
    public T? Find(ulong handle)
    {
        var slots = Volatile.Read(ref _slots);
        return handle - 1 < (ulong)slots.Length ? Volatile.Read(ref slots[handle - 1]) : null;
    }

    /// <summary>Takes a number back and returns its object, or null.</summary>
    public T? Remove(ulong handle)
    {
        lock (_gate)
        {
            if (Find(handle) is not { } item)
                return null;
            Volatile.Write(ref _slots[handle - 1], null);
            _free.Push((int)(handle - 1));
            return item;
        }
    }

    /// <summary>Takes every object out.</summary>
    public List<T> RemoveAll()
    {
        lock (_gate)
        {
            var all = new List<T>();
            for (var slot = 0; slot < _used; slot++)
            {
                if (Remove((ulong)slot + 1) is { } item)
                    all.Add(item);
            }

            return all;
        }
    }

    private void Grow()
    {
        var larger = new T?[_slots.Length * 2];
        Array.Copy(_slots, larger, _slots.Length);
        Volatile.Write(ref _slots, larger);
    }
}
