// One PFS of an open volume, whatever number of mounts it has: its inodes in memory, its directories, and on a writable
// volume what changes them. Lives as long as the volume, so changes survive the mount that made them. May call all rooms above.

using Hammer2.Engine.Blocks;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Files;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Topology;
using Hammer2.Engine.Volumes;

namespace Hammer2.Engine.Pfs;

/// <summary>The shared state of one PFS.</summary>
internal sealed class PfsState : IInodeReclaimer
{
    internal PfsState(Hammer2Volume volume, InodeChain root)
    {
        Index = new InodeIndex(volume.Reader, volume.TransactionIds, root);
        Directories = new DirectoryReader(volume.Reader, Index);
        Writer = volume.Writer;
        if (Writer is null)
            return;
        Index.Reclaimer = this;
        DirectoryWriter = new DirectoryWriter(volume.Reader);
        FileWriter = new FileWriter(volume.Reader, Writer.Blocks, Writer.Pool, Writer.Data);
    }

    internal InodeIndex Index { get; }

    internal DirectoryReader Directories { get; }

    /// <summary>Held by moves between directories; taken before inode locks.</summary>
    internal Lock MoveGate { get; } = new();

    /// <summary>Null on a volume that is open for reading only; then the two below are null too.</summary>
    internal VolumeWriter? Writer { get; }

    internal DirectoryWriter? DirectoryWriter { get; }

    internal FileWriter? FileWriter { get; }

    /// <summary>Mounts of this PFS that are not disposed.</summary>
    internal int Mounts => Volatile.Read(ref _mounts);

    private int _mounts;

    /// <summary>The PFS was deleted, renamed or replaced: nothing can be opened through this state any more.</summary>
    internal bool IsGone { get; set; }

    /// <summary>The label's bytes.</summary>
    internal byte[] Label => Index.Root.Current.Content.Name;

    /// <summary>What the super-root says of it, with changes that wait.</summary>
    internal PfsInfo Describe() => SuperRoot.Describe(Index.Root.Current);

    /// <summary>Who wants to know of changes; replaced as a whole.</summary>
    internal PfsFollower[] Followers => Volatile.Read(ref _followers);

    private PfsFollower[] _followers = [];

    internal void Follow(PfsFollower follower)
    {
        lock (_followGate)
            Volatile.Write(ref _followers, [.. _followers, follower]);
    }

    internal void Unfollow(PfsFollower follower)
    {
        lock (_followGate)
            Volatile.Write(ref _followers, [.. _followers.Where(other => other != follower)]);
    }

    private readonly Lock _followGate = new();

    /// <summary>A mount begins or ends.</summary>
    internal void CountMount(int change) => Interlocked.Add(ref _mounts, change);

    /// <inheritdoc/>
    public void Reclaim(InodeSlot slot)
    {
        if (Writer is null)
            return;
        Writer.Data.Abandon(slot);
        Writer.Space.Note(slot.IsRemoved ? slot.Current.Content.Allocated + 1024 : 0);
        if (slot.IsRemoved)
            slot.Current.Content.Tree.Abandon(Writer.Blocks, slot.RemovedTid);
    }
}
