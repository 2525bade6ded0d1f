// The engine as a target: a volume on a device in memory, opened for writing through the public interface. The settings
// come from the round's seed, so that small caches, small dirty budgets and other methods are all visited. Invariant: a
// remount goes through the closed medium; nothing survives in memory.

using System.Text;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Torture.Model;

/// <summary>How the engine is opened in one round.</summary>
internal sealed record EngineSettings(long CacheBytes, long DirtyBytes, TimeSpan CommitInterval, int ReadAhead)
{
    public static EngineSettings From(int seed)
    {
        var random = new Random(seed);
        long[] caches = [1 << 20, 4 << 20, 256 << 20];
        long[] dirty = [1 << 20, 8 << 20, 128 << 20];
        return new EngineSettings(
            caches[random.Next(3)],
            dirty[random.Next(3)],
            random.Next(3) == 0 ? TimeSpan.FromMilliseconds(50) : TimeSpan.Zero,
            random.Next(2) * 32);
    }
}

/// <summary>The engine.</summary>
internal sealed class EngineTarget : ITarget
{
    private readonly MemoryBlockDevice _medium;
    private readonly EngineSettings _settings;
    private readonly string? _label;
    private Hammer2Volume? _volume;
    private PfsMount? _pfs;

    /// <param name="medium">A formatted volume; stays the caller's and is changed.</param>
    /// <param name="settings">How to open it.</param>
    /// <param name="label">Which PFS; null for the default one.</param>
    public EngineTarget(MemoryBlockDevice medium, EngineSettings settings, string? label = null)
    {
        (_medium, _settings, _label) = (medium, settings, label);
        Open();
    }

    public PfsMount Pfs => _pfs!;

    public Hammer2Volume Volume => _volume!;

    public ITargetNode OpenRoot() => new Node(_pfs!.OpenRoot());

    public void Sync() => _volume!.Sync();

    public void Reclaim() => _volume!.Bulkfree();

    public void Remount()
    {
        Close();
        Open();
    }

    public IReadOnlyList<string> Check() => MediumCheck.Problems(_medium);

    public void Dispose() => Close();

    private void Open()
    {
        _volume = Hammer2Volume.Open([_medium], new VolumeOptions
        {
            Writable = true,
            CacheBytesMax = _settings.CacheBytes,
            DirtyBytesMax = _settings.DirtyBytes,
            CommitInterval = _settings.CommitInterval,
            ReadAheadBlocksMax = _settings.ReadAhead,
        });
        _pfs = _volume.OpenPfs(_label);
    }

    private void Close()
    {
        _pfs?.Dispose();
        _volume?.Dispose();
        (_pfs, _volume) = (null, null);
    }

    private static byte[] BytesOf(string name) => Encoding.Latin1.GetBytes(name);

    private sealed class Node(Vnode vnode) : ITargetNode
    {
        public ulong InodeNumber => vnode.InodeNumber;

        private Vnode Vnode => vnode;

        public InodeAttributes GetAttributes() => vnode.GetAttributes();

        public Hammer2Error TryLookup(string name, out ITargetNode? node) =>
            Wrap(vnode.Pfs.TryLookup(vnode, BytesOf(name), out Vnode? found), found, out node);

        public Hammer2Error TryCreate(string name, NewObject what, out ITargetNode? node)
        {
            var inode = new NewInode
            {
                Type = what.Type,
                Mode = what.Mode,
                Uid = what.Uid,
                Gid = what.Gid,
                DeviceMajor = what.Major,
                DeviceMinor = what.Minor,
                SymlinkTarget = what.Target is null ? default : BytesOf(what.Target),
            };
            return Wrap(vnode.Pfs.TryCreate(vnode, BytesOf(name), inode, out Vnode? made), made, out node);
        }

        public Hammer2Error TryLink(ITargetNode existing, string name) => vnode.Pfs.TryLink(((Node)existing).Vnode, vnode, BytesOf(name));

        public Hammer2Error TryUnlink(string name) => vnode.Pfs.TryUnlink(vnode, BytesOf(name));

        public Hammer2Error TryRemoveDirectory(string name) => vnode.Pfs.TryRemoveDirectory(vnode, BytesOf(name));

        public Hammer2Error TryRename(string name, ITargetNode to, string newName, RenameMode mode) =>
            vnode.Pfs.TryRename(vnode, BytesOf(name), ((Node)to).Vnode, BytesOf(newName), mode);

        public IReadOnlyList<TargetEntry> List(ulong position, int count, out ulong next, out bool end)
        {
            var batch = new DirectoryBatch(count) { WithAttributes = count % 2 == 0 };
            vnode.ReadDirectory(position, batch);
            if (batch.Damage.Count > 0)
                throw batch.Damage[0];
            (next, end) = (batch.NextPosition, batch.EndOfDirectory);
            var entries = new List<TargetEntry>(batch.Count);
            for (int i = 0; i < batch.Count; i++)
            {
                if (batch.WithAttributes && batch[i].Error != Hammer2Error.None)
                    throw new Hammer2Exception(batch[i].Error, "a listed entry has no inode");
                entries.Add(new TargetEntry(Encoding.Latin1.GetString(batch.NameOf(i)), batch[i].InodeNumber, batch[i].Type));
            }

            return entries;
        }

        public int Read(long offset, Span<byte> buffer) => vnode.Read(offset, buffer);

        public long? NextData(long offset) => vnode.NextData(offset);

        public long NextHole(long offset) => vnode.NextHole(offset);

        public string ReadLink() => Encoding.Latin1.GetString(vnode.ReadLink());

        public Hammer2Error TryWrite(long offset, ReadOnlySpan<byte> data) => vnode.TryWrite(offset, data);

        public Hammer2Error TryAppend(ReadOnlySpan<byte> data, out long offset) => vnode.TryAppend(data, out offset);

        public Hammer2Error TrySetSize(long size) => vnode.TrySetSize(size);

        public Hammer2Error TryPunchHole(long offset, long length) => vnode.TryPunchHole(offset, length);

        public Hammer2Error TryAllocate(long offset, long length, bool keepSize) => vnode.TryAllocate(offset, length, keepSize);

        public Hammer2Error TrySetAttributes(in AttributeChanges changes) => vnode.TrySetAttributes(changes);

        public void Sync() => vnode.Sync();

        public void Dispose() => vnode.Dispose();

        private static Hammer2Error Wrap(Hammer2Error error, Vnode? found, out ITargetNode? node)
        {
            node = found is null ? null : new Node(found);
            return error;
        }
    }
}
