// A model that several threads may use: one lock around every call. With a race planted, one call lets go of the lock in
// its middle: the negative control of the shared bench.
// Invariant: without a planted race every call is atomic.

using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Torture.Model;

/// <summary>Calls that are not atomic, as a careless filesystem would have them.</summary>
internal enum PlantedRace
{
    None,
    Append,
    Create,
    Rename,
    Write,
    List,
}

/// <summary>A model with a lock.</summary>
internal sealed class LockedTarget(PlantedRace race = PlantedRace.None) : ITarget
{
    private readonly PlantedRace _race = race;
    private readonly ModelTarget _inner = new();
    private readonly Lock _gate = new();

    public ITargetNode OpenRoot() => Do(() => new Node(this, _inner.OpenRoot()));

    public void Sync() => Do(() => _inner.Sync());

    public void Reclaim() => Do(_inner.Reclaim);

    public void Remount() => Do(() => _inner.Remount());

    public IReadOnlyList<string> Check() => [];

    public void Dispose() => _inner.Dispose();

    private T Do<T>(Func<T> call)
    {
        lock (_gate)
            return call();
    }

    private void Do(Action call)
    {
        lock (_gate)
            call();
    }

    // Gives the others a chance in the middle of a call.
    private static void LetOthers()
    {
        for (int i = 0; i < 50; i++)
            Thread.Yield();
    }

    private sealed class Node(LockedTarget target, ITargetNode inner) : ITargetNode
    {
        public ulong InodeNumber => inner.InodeNumber;

        private PlantedRace Race => target._race;

        private ITargetNode Inner => inner;

        public InodeAttributes GetAttributes() => target.Do(inner.GetAttributes);

        public Hammer2Error TryLookup(string name, out ITargetNode? node)
        {
            lock (target._gate)
                return Wrap(inner.TryLookup(name, out ITargetNode? found), found, out node);
        }

        public Hammer2Error TryCreate(string name, NewObject what, out ITargetNode? node)
        {
            if (Race == PlantedRace.Create)
            {
                bool free = target.Do(() => inner.TryLookup(name, out ITargetNode? there) != Hammer2Error.None && there is null);
                LetOthers();
                if (free)
                    target.Do(() => inner.TryUnlink(name));
            }

            lock (target._gate)
                return Wrap(inner.TryCreate(name, what, out ITargetNode? made), made, out node);
        }

        public Hammer2Error TryLink(ITargetNode existing, string name) => target.Do(() => inner.TryLink(((Node)existing).Inner, name));

        public Hammer2Error TryUnlink(string name) => target.Do(() => inner.TryUnlink(name));

        public Hammer2Error TryRemoveDirectory(string name) => target.Do(() => inner.TryRemoveDirectory(name));

        public Hammer2Error TryRename(string name, ITargetNode to, string newName, RenameMode mode)
        {
            if (Race == PlantedRace.Rename && mode == RenameMode.Replace)
            {
                target.Do(() => ((Node)to).Inner.TryUnlink(newName));
                LetOthers();
            }

            return target.Do(() => inner.TryRename(name, ((Node)to).Inner, newName, mode));
        }

        public IReadOnlyList<TargetEntry> List(ulong position, int count, out ulong next, out bool end)
        {
            lock (target._gate)
            {
                IReadOnlyList<TargetEntry> entries = inner.List(position, count, out next, out end);
                return Race == PlantedRace.List && position != 0 && entries.Count > 1 && (next >> 16) % 8 == 0 ? [.. entries.Skip(1)] : entries;
            }
        }

        public int Read(long offset, Span<byte> buffer)
        {
            lock (target._gate)
                return inner.Read(offset, buffer);
        }

        public long? NextData(long offset) => target.Do(() => inner.NextData(offset));

        public long NextHole(long offset) => target.Do(() => inner.NextHole(offset));

        public string ReadLink() => target.Do(inner.ReadLink);

        public Hammer2Error TryWrite(long offset, ReadOnlySpan<byte> data)
        {
            if (Race != PlantedRace.Write)
            {
                lock (target._gate)
                    return inner.TryWrite(offset, data);
            }

            // Read, change, write back of whole blocks, without a lock around the three.
            long from = offset / 65536 * 65536;
            byte[] block = new byte[offset - from + data.Length];
            lock (target._gate)
                _ = inner.Read(from, block);
            LetOthers();
            data.CopyTo(block.AsSpan((int)(offset - from)));
            lock (target._gate)
                return inner.TryWrite(from, block);
        }

        public Hammer2Error TryAppend(ReadOnlySpan<byte> data, out long offset)
        {
            if (Race == PlantedRace.Append)
            {
                offset = target.Do(() => inner.GetAttributes().Size);
                LetOthers();
                return TryWrite(offset, data);
            }

            lock (target._gate)
                return inner.TryAppend(data, out offset);
        }

        public Hammer2Error TrySetSize(long size) => target.Do(() => inner.TrySetSize(size));

        public Hammer2Error TryPunchHole(long offset, long length) => target.Do(() => inner.TryPunchHole(offset, length));

        public Hammer2Error TryAllocate(long offset, long length, bool keepSize) => target.Do(() => inner.TryAllocate(offset, length, keepSize));

        public Hammer2Error TrySetAttributes(in AttributeChanges changes)
        {
            lock (target._gate)
                return inner.TrySetAttributes(changes);
        }

        public void Sync() => target.Sync();

        public void Dispose() => target.Do(inner.Dispose);

        private Hammer2Error Wrap(Hammer2Error error, ITargetNode? found, out ITargetNode? node)
        {
            node = found is null ? null : new Node(target, found);
            return error;
        }
    }
}
