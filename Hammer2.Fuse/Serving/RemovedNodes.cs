// What this is: the objects that lost their last name while the kernel still knows them.
// Invariants: each is kept open by one vnode from before its name goes until the kernel forgets it, so that it can still be
// asked for its attributes, changed and opened by its number (working directories, /proc/self/fd, late time stamps). The
// kernel looked an object up before it removes it, so it does forget each of them in time.
// Layers: Engine.Pfs.

using System.Collections.Concurrent;
using Hammer2.Engine.Pfs;

namespace Hammer2.Fuse.Serving;

/// <summary>Keeps vnodes of objects without names.</summary>
internal sealed class RemovedNodes
{
    private readonly ConcurrentDictionary<ulong, Vnode> _kept = new();
    private int _count;

    /// <summary>How many are kept.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Keeps the vnode, which belongs to this table from now on, if its object has no name any more; else closes it.</summary>
    public void Take(Vnode vnode)
    {
        if (vnode.GetAttributes().LinkCount == 0 && _kept.TryAdd(vnode.InodeNumber, vnode))
            Interlocked.Increment(ref _count);
        else
            vnode.Dispose();
    }

    /// <summary>The kernel forgot a node.</summary>
    public void Forget(ulong node)
    {
        // Nearly always: only removed objects are here.
        if (Count == 0 || !_kept.TryRemove(node, out var vnode))
            return;
        Interlocked.Decrement(ref _count);
        vnode.Dispose();
    }

    /// <summary>Lets all of them go.</summary>
    public void ForgetAll()
    {
        foreach (var node in _kept.Keys)
            Forget(node);
    }
}
