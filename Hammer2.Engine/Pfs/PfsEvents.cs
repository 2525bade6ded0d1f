// What other mounts of one PFS learn of each other's changes: one PFS may be shown under several drive letters or directories of a process, and
// verbs that run beside a mount change it through a mount of their own, while the systems above keep what they once saw. Invariants: a mount
// never hears of its own changes; announcing is done inside the operation, under its locks, and only puts into a queue; a follower is called
// without locks, on a thread of its own, in the order of the changes. Nothing here touches the medium.

using Hammer2.Engine.Directories;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Pfs;

/// <summary>What happened.</summary>
public enum PfsEventKind
{
    /// <summary>A name is there now.</summary>
    Added,

    /// <summary>A name is gone.</summary>
    Removed,

    /// <summary>Content or attributes of an inode are others.</summary>
    Updated,
}

/// <summary>A change that another mount of the same PFS made.</summary>
/// <param name="Kind">What happened.</param>
/// <param name="Directory">Inode number of the directory of the name; 0 for <see cref="PfsEventKind.Updated"/>.</param>
/// <param name="Name">The name's bytes; empty for <see cref="PfsEventKind.Updated"/>.</param>
/// <param name="InodeNumber">What it leads or led to, or what is updated.</param>
/// <param name="Type">Kind of that object; unknown for <see cref="PfsEventKind.Updated"/>.</param>
public readonly record struct PfsEvent(PfsEventKind Kind, ulong Directory, ReadOnlyMemory<byte> Name, ulong InodeNumber, ObjectType Type);

/// <summary>Delivers what other mounts of a PFS change. Dispose ends it and waits for a delivery under way; what waits then is dropped.</summary>
public sealed class PfsFollower : IDisposable
{
    // A delivery is short, but goes through the system, where something may hold it up that waits for the end of the mount.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);
    private readonly PfsState _state;
    private readonly Action<PfsEvent> _deliver;
    private readonly object _gate = new();
    private readonly Queue<PfsEvent> _waiting = new();
    private readonly HashSet<ulong> _updated = [];
    private readonly Thread _thread;
    private bool _ended;

    internal PfsFollower(PfsMount mount, Action<PfsEvent> deliver)
    {
        Mount = mount;
        _state = mount.State;
        _deliver = deliver;
        _thread = new Thread(Run) { IsBackground = true, Name = "hammer2 changes" };
        _thread.Start();
        _state.Follow(this);
    }

    /// <summary>Whose own changes are left out.</summary>
    internal PfsMount Mount { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        _state.Unfollow(this);
        lock (_gate)
        {
            _ended = true;
            _waiting.Clear();
            Monitor.PulseAll(_gate);
        }

        _thread.Join(s_patience);
    }

    // Many updates of one inode that were not delivered yet are one.
    internal void Enter(in PfsEvent change)
    {
        lock (_gate)
        {
            if (_ended || change.Kind == PfsEventKind.Updated && !_updated.Add(change.InodeNumber))
                return;
            _waiting.Enqueue(change);
            Monitor.Pulse(_gate);
        }
    }

    private void Run()
    {
        while (TryTake(out PfsEvent change))
            _deliver(change);
    }

    private bool TryTake(out PfsEvent change)
    {
        lock (_gate)
        {
            while (!_waiting.TryDequeue(out change))
            {
                if (_ended)
                    return false;
                Monitor.Wait(_gate);
            }

            if (change.Kind == PfsEventKind.Updated)
                _updated.Remove(change.InodeNumber);
            return true;
        }
    }
}

public sealed partial class PfsMount
{
    /// <summary>Tells what other mounts of this PFS change, until the result is disposed.</summary>
    /// <param name="deliver">Called on a thread of its own, one change after the other; must not throw.</param>
    public PfsFollower Follow(Action<PfsEvent> deliver)
    {
        ArgumentNullException.ThrowIfNull(deliver);
        Volume.ThrowIfClosed();
        return new PfsFollower(this, deliver);
    }

    /// <summary>
    /// Path of an object by the directories above it, as they are now: the names from the root down. Null where there is none: it lost its
    /// last name, or a directory on the way cannot be read. Looks through each directory on the way.
    /// </summary>
    public IReadOnlyList<byte[]>? TryFindPath(ulong inodeNumber)
    {
        var names = new List<byte[]>();
        var passed = new HashSet<ulong>();
        try
        {
            for (ulong at = inodeNumber; at != RootInodeNumber;)
            {
                if (!passed.Add(at) || TryGetAttributes(at, out InodeAttributes attributes) != Hammer2Error.None
                    || NameIn(attributes.ParentInode, at) is not byte[] name)
                {
                    return null;
                }

                names.Add(name);
                at = attributes.ParentInode;
            }
        }
        catch (Hammer2Exception)
        {
            // Damaged on the way: as far as anyone can tell it has no path.
            return null;
        }

        names.Reverse();
        return names;
    }

    /// <summary>Tells the other mounts that an inode is another now.</summary>
    internal void Announce(ulong inodeNumber)
    {
        if (State.Followers.Length > 0)
            Announce(new PfsEvent(PfsEventKind.Updated, 0, default, inodeNumber, ObjectType.Unknown));
    }

    private void Announce(PfsEventKind kind, ulong directory, ReadOnlySpan<byte> name, ulong inodeNumber, ObjectType type)
    {
        PfsFollower[] followers = State.Followers;
        if (followers.Length > 1 || followers.Length == 1 && followers[0].Mount != this)
            Announce(new PfsEvent(kind, directory, name.ToArray(), inodeNumber, type));
    }

    private void Announce(in PfsEvent change)
    {
        foreach (PfsFollower follower in State.Followers)
        {
            if (follower.Mount != this)
                follower.Enter(change);
        }
    }

    private byte[]? NameIn(ulong directory, ulong inodeNumber)
    {
        if (TryOpen(directory, out Vnode? vnode) != Hammer2Error.None)
            return null;
        using Vnode open = vnode!;
        if (open.Type != ObjectType.Directory)
            return null;
        var batch = new DirectoryBatch(PathBatch);
        for (ulong position = 0; ; position = batch.NextPosition)
        {
            open.ReadDirectory(position, batch);
            for (int i = 0; i < batch.Count; i++)
            {
                if (batch[i].InodeNumber == inodeNumber)
                    return batch.NameOf(i).ToArray();
            }

            if (batch.EndOfDirectory)
                return null;
        }
    }

    private const int PathBatch = 256;
}
