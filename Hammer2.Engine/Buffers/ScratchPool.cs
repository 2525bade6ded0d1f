// Scratch memory for reading physical blocks before they are decoded. A rented piece belongs to one thread
// until it is returned; the pool keeps at most as many as threads ever read at once.

using System.Collections.Concurrent;

namespace Hammer2.Engine.Buffers;

internal sealed class ScratchPool(int bytes) : IDisposable
{
    private readonly ConcurrentBag<NativeBlock> _free = [];

    internal NativeBlock Rent() => _free.TryTake(out NativeBlock? block) ? block : new NativeBlock(bytes);

    internal void Return(NativeBlock block) => _free.Add(block);

    public void Dispose()
    {
        while (_free.TryTake(out NativeBlock? block))
            block.Dispose();
    }
}
