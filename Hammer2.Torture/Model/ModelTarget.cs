// The model as a target: it answers for itself. Judged against another model it must never be found wrong, and with a bug
// planted it must always be: the negative control of the bench. Invariant: apart from the planted bug it is ModelTree.

using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Torture.Model;

/// <summary>Mistakes that a filesystem could make; each is found by the bench, or the bench is broken.</summary>
internal enum PlantedBug
{
    None,
    CutLeavesOldBytes,
    AppendAtOldSize,
    PunchOneByteTooFar,
    RenameForgetsReplacedLink,
    RenameIntoOwnSubtree,
    RemovesFullDirectory,
    ListingSkipsAfterRemoval,
    ListingRepeatsLast,
    UnlinkKeepsTime,
    HoleReadsAsData,
    ReadPastEnd,
    SyncForgetsSize,
    RemountLosesMode,
    LinkCountOffAfterRemount,
    ExchangeLosesOne,
    OpenUnlinkedLosesBytes,
    NameCutAt64,
    SetAttributesIgnoresGid,
    ThrowsOnDeepPath,
}

/// <summary>A model that is judged.</summary>
internal sealed class ModelTarget(PlantedBug bug = PlantedBug.None) : ITarget
{
    private readonly PlantedBug _bug = bug;
    private readonly ModelTree _tree = new();
    private readonly HashSet<ModelNode> _damaged = [];

    public ITargetNode OpenRoot() => new Node(this, _tree.Root);

    public void Sync()
    {
        foreach (ModelNode node in _tree.All)
        {
            if (_bug == PlantedBug.SyncForgetsSize && node.Size > 70000)
                node.Bytes.SetSize(65536);
        }
    }

    public void Reclaim()
    {
        // Memory frees itself.
    }

    public void Remount()
    {
        foreach (ModelNode node in _tree.All)
        {
            if (_bug == PlantedBug.RemountLosesMode)
                node.Mode &= 0x1FF;
            if (_bug == PlantedBug.LinkCountOffAfterRemount && node.Links > 2)
                _damaged.Add(node);
        }
    }

    public IReadOnlyList<string> Check() => [];

    public void Dispose()
    {
        // Memory only.
    }

    private static TimeRange Now()
    {
        long us = MediaTime.FromUtc(DateTime.UtcNow);
        return new TimeRange(us, us);
    }

    private static Hammer2Error First(List<Hammer2Error> reasons) => reasons.Count == 0 ? Hammer2Error.None : reasons[0];

    private sealed class Node : ITargetNode
    {
        private readonly ModelTarget _target;
        private readonly ModelNode _node;
        private int _listed;

        public Node(ModelTarget target, ModelNode node)
        {
            (_target, _node) = (target, node);
            node.Handles++;
        }

        public ulong InodeNumber => (ulong)_node.Id + 1;

        private PlantedBug Bug => _target._bug;

        public InodeAttributes GetAttributes() => new()
        {
            InodeNumber = InodeNumber,
            Type = _node.Type,
            Mode = _node.Mode,
            Uid = _node.Uid,
            Gid = _node.Gid,
            Size = _node.Size,
            LinkCount = _node.IsDirectory ? 1 : (ulong)(_node.Links - (_target._damaged.Contains(_node) ? 1 : 0)),
            UserFlags = _node.Flags,
            DeviceMajor = _node.Major,
            DeviceMinor = _node.Minor,
            Compression = _node.Compression ?? default,
            CompressionLevel = _node.CompressionLevel ?? 0,
            Check = _node.Check ?? default,
            ModifyTimeUs = _node.Modified.Pick(),
            ChangeTimeUs = _node.Changed.Pick(),
            AccessTimeUs = _node.Accessed.Pick(),
            BirthTimeUs = _node.Born.Pick(),
            ParentInode = _node.Names.Count > 0 ? (ulong)_node.Names[0].Directory.Id + 1 : 0,
            AllocatedBytes = _node.Bytes.NonZeroPages.Count() * 4096L,
        };

        public Hammer2Error TryLookup(string name, out ITargetNode? node)
        {
            node = null;
            if (name is "." or "..")
                return Dots(name, out node);
            if (ModelTree.WhyNotLookup(_node, name) is { Count: > 0 } reasons)
                return reasons[0];
            node = new Node(_target, _node.Entries[name]);
            if (Bug == PlantedBug.ThrowsOnDeepPath && _node.Path?.Count(static c => c == '/') > 4)
                throw new InvalidOperationException("too deep");
            return Hammer2Error.None;
        }

        public Hammer2Error TryCreate(string name, NewObject what, out ITargetNode? node)
        {
            node = null;
            string stored = Bug == PlantedBug.NameCutAt64 && name.Length is > 64 and <= 255 ? name[..64] : name;
            if (ModelTree.WhyNotCreate(_node, stored, what) is { Count: > 0 } reasons)
                return reasons[0];
            ModelNode made = _target._tree.Create(_node, stored, what, Now());
            made.Born.Set(made.Born.Pick());
            made.Accessed.Set(0);
            node = new Node(_target, made);
            return Hammer2Error.None;
        }

        public Hammer2Error TryLink(ITargetNode existing, string name)
        {
            ModelNode target = ((Node)existing)._node;
            Hammer2Error error = First(ModelTree.WhyNotLink(target, _node, name));
            if (error == Hammer2Error.None)
                ModelTree.Link(target, _node, name, Now());
            return error;
        }

        public Hammer2Error TryUnlink(string name)
        {
            Hammer2Error error = First(ModelTree.WhyNotUnlink(_node, name));
            if (error != Hammer2Error.None)
                return error;
            ModelNode node = _node.Entries[name];
            long changed = node.Changed.Pick();
            _target._tree.Unlink(_node, name, Now());
            if (Bug == PlantedBug.UnlinkKeepsTime)
                _node.Modified.Set(changed);
            if (Bug == PlantedBug.OpenUnlinkedLosesBytes && node.IsGone)
                node.Bytes.Clear(0, node.Size);
            return error;
        }

        public Hammer2Error TryRemoveDirectory(string name)
        {
            List<Hammer2Error> reasons = ModelTree.WhyNotRemoveDirectory(_node, name);
            if (Bug == PlantedBug.RemovesFullDirectory)
                reasons.Remove(Hammer2Error.NotEmpty);
            if (reasons.Count > 0)
                return reasons[0];
            _target._tree.RemoveDirectory(_node, name, Now());
            return Hammer2Error.None;
        }

        public Hammer2Error TryRename(string name, ITargetNode to, string newName, RenameMode mode)
        {
            ModelNode directory = ((Node)to)._node;
            List<Hammer2Error> reasons = ModelTree.WhyNotRename(_node, name, directory, newName, mode);
            if (Bug == PlantedBug.RenameIntoOwnSubtree && reasons.Contains(Hammer2Error.InvalidArgument) && reasons.Count == 1)
                return Hammer2Error.None;
            if (reasons.Count > 0)
                return reasons[0];
            ModelNode? replaced = directory.Entries.GetValueOrDefault(newName);
            _target._tree.Rename(_node, name, directory, newName, mode, Now());
            if (Bug == PlantedBug.RenameForgetsReplacedLink && replaced is { Links: > 0 } && mode == RenameMode.Replace)
                _target._damaged.Add(replaced);
            if (Bug == PlantedBug.ExchangeLosesOne && mode == RenameMode.Exchange && _node.Entries.TryGetValue(name, out ModelNode? moved) && !moved.IsDirectory && directory != _node)
                _target._tree.Unlink(_node, name, Now());
            return Hammer2Error.None;
        }

        public IReadOnlyList<TargetEntry> List(ulong position, int count, out ulong next, out bool end)
        {
            if (!_node.IsDirectory)
                throw new Hammer2Exception(Hammer2Error.NotADirectory, "no directory");
            // Positions are ids of objects and names that never move, as keys of a real directory are.
            List<(ulong Position, string Name, ModelNode Node)> all = [.. _node.Entries
                .Select(static e => (PositionOf(e.Key), e.Key, e.Value)).OrderBy(static e => e.Item1)];
            int from = all.FindIndex(e => e.Position > position);
            if (Bug == PlantedBug.ListingSkipsAfterRemoval && position != 0)
                from = _listed <= all.Count ? _listed : -1;
            List<(ulong Position, string Name, ModelNode Node)> piece = from < 0 ? [] : all.GetRange(from, Math.Min(count, all.Count - from));
            _listed = (position == 0 ? 0 : _listed) + piece.Count;
            end = from < 0 || from + piece.Count == all.Count;
            next = piece.Count == 0 ? position : piece[^1].Position;
            List<TargetEntry> entries = [.. piece.Select(static e => new TargetEntry(e.Name, (ulong)e.Node.Id + 1, e.Node.Type))];
            if (Bug == PlantedBug.ListingRepeatsLast && entries.Count > 5 && end)
                entries.Add(entries[^1]);
            return entries;
        }

        public int Read(long offset, Span<byte> buffer)
        {
            int read = _node.Bytes.Read(offset, buffer);
            if (Bug != PlantedBug.ReadPastEnd || read == buffer.Length || offset >= _node.Size || offset < 65536)
                return read;
            buffer[read] = 0;
            return read + 1;
        }

        public long? NextData(long offset)
        {
            foreach (long page in _node.Bytes.NonZeroPages)
            {
                if (page >= offset - offset % SparseBytes.PageSize)
                    return Math.Max(page, offset) < _node.Size ? Math.Max(page, offset) : null;
            }

            return null;
        }

        public long NextHole(long offset)
        {
            HashSet<long> pages = [.. _node.Bytes.NonZeroPages];
            if (Bug == PlantedBug.HoleReadsAsData && pages.Count > 1)
                return offset;
            while (offset < _node.Size && pages.Contains(offset - offset % SparseBytes.PageSize))
                offset = Math.Min(offset - offset % SparseBytes.PageSize, _node.Size - SparseBytes.PageSize) + SparseBytes.PageSize;
            return offset;
        }

        public string ReadLink() => _node.Target ?? throw new Hammer2Exception(Hammer2Error.NotASymlink, "no symlink");

        public Hammer2Error TryWrite(long offset, ReadOnlySpan<byte> data)
        {
            Hammer2Error error = First(ModelTree.WhyNotFile(_node, offset, data.Length));
            if (error == Hammer2Error.None)
                ModelTree.Write(_node, offset, data, Now());
            return error;
        }

        public Hammer2Error TryAppend(ReadOnlySpan<byte> data, out long offset)
        {
            offset = _node.Size;
            if (Bug == PlantedBug.AppendAtOldSize && offset > 100000)
                offset -= offset % 65536;
            return TryWrite(offset, data);
        }

        public Hammer2Error TrySetSize(long size)
        {
            Hammer2Error error = First(ModelTree.WhyNotFile(_node, size, 0));
            if (error != Hammer2Error.None)
                return error;
            bool leaves = Bug == PlantedBug.CutLeavesOldBytes && size < _node.Size && size % 4096 != 0;
            byte[] old = new byte[Math.Min(100, leaves ? _node.Size - size : 0)];
            _node.Bytes.Read(size, old);
            ModelTree.SetSize(_node, size, Now());
            if (leaves)
            {
                _node.Bytes.Write(size, old);
                _node.Bytes.SetSizeKeepingBytes(size);
            }

            return error;
        }

        public Hammer2Error TryPunchHole(long offset, long length)
        {
            Hammer2Error error = First(ModelTree.WhyNotFile(_node, offset, length));
            if (error == Hammer2Error.None)
                ModelTree.PunchHole(_node, offset, length + (Bug == PlantedBug.PunchOneByteTooFar && length > 1000 ? 1 : 0), Now());
            return error;
        }

        public Hammer2Error TryAllocate(long offset, long length, bool keepSize)
        {
            Hammer2Error error = First(ModelTree.WhyNotFile(_node, offset, length));
            if (error == Hammer2Error.None)
                ModelTree.Allocate(_node, offset, length, keepSize, Now());
            return error;
        }

        public Hammer2Error TrySetAttributes(in AttributeChanges changes)
        {
            Hammer2Error error = First(ModelTree.WhyNotSetAttributes(_node, changes));
            if (error == Hammer2Error.None)
                ModelTree.SetAttributes(_node, Bug == PlantedBug.SetAttributesIgnoresGid ? changes with { Gid = null } : changes, Now());
            return error;
        }

        public void Sync() => _target.Sync();

        public void Dispose()
        {
            _node.Handles--;
            _target._tree.Forget(_node);
        }

        private static ulong PositionOf(string name)
        {
            ulong hash = 14695981039346656037;
            foreach (char c in name)
                hash = (hash ^ c) * 1099511628211;
            return hash | 1;
        }

        private Hammer2Error Dots(string name, out ITargetNode? node)
        {
            node = null;
            if (!_node.IsDirectory)
                return Hammer2Error.NotADirectory;
            ModelNode above = name == "." || _node.IsRoot || _node.IsGone ? _node : _node.Names[0].Directory;
            node = new Node(_target, above);
            return Hammer2Error.None;
        }
    }

}
