// What is different between two PFSs of a volume that were one once: a snapshot and its PFS, or two snapshots. The indexes are
// compared first and give the inodes that changed; then the entries of those that are directories, which give the names that came
// and went; paths are built last, upwards. Nothing that both share is read, so the cost follows the changes, not the trees.
// Memory: what changed, by inode number. Numbers are never given twice in a PFS, so one number is one object on both sides.

using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Engine.Diagnostics;

/// <summary>What happened to a name or an object.</summary>
public enum PfsChangeKind
{
    /// <summary>The name is new: a new object, or another link to one.</summary>
    Added,

    /// <summary>The name is gone.</summary>
    Removed,

    /// <summary>The object has another name, here or in another directory.</summary>
    Renamed,

    /// <summary>The bytes of a file or link changed.</summary>
    ModifiedContent,

    /// <summary>Mode, owner, flags, methods, device numbers, or times that are not explained by other changes.</summary>
    ModifiedAttributes,
}

/// <summary>One difference.</summary>
/// <param name="Kind">What happened.</param>
/// <param name="Type">Kind of object.</param>
/// <param name="InodeNumber">The object.</param>
/// <param name="Path">Bytes of the path below the root, no slash at either end; of what was removed, the old one. The root's is empty.</param>
/// <param name="OldPath">Of what was renamed: where it was; otherwise null.</param>
public sealed record PfsChange(PfsChangeKind Kind, ObjectType Type, ulong InodeNumber, byte[] Path, byte[]? OldPath = null);

/// <summary>Compares two states of a PFS.</summary>
public sealed class SnapshotDiff
{
    private readonly BlockReader _reader;
    private readonly CommittedPfs _old;
    private readonly CommittedPfs _new;
    private readonly SortedDictionary<ulong, Changed> _changes = [];

    private SnapshotDiff(BlockReader reader, HeldRoots roots)
    {
        _reader = reader;
        _old = new CommittedPfs(reader, roots.Roots[0]) { KnownName = number => Hint(number, c => c.Gone) };
        _new = new CommittedPfs(reader, roots.Roots[1]) { KnownName = number => Hint(number, c => c.Come) };
    }

    /// <summary>
    /// The differences between what two PFSs contain when the enumeration begins; both may be open and busy. An object yields
    /// several when several things happened to it. In the order of inode numbers. Dispose the enumerator (foreach does): until then
    /// bulkfree leaves both states alone.
    /// </summary>
    /// <param name="volume">The volume.</param>
    /// <param name="oldLabel">Usually a snapshot.</param>
    /// <param name="newLabel">The PFS it was taken of, or a later snapshot.</param>
    /// <param name="stop">Stops it.</param>
    /// <exception cref="Hammer2Exception"><c>NoSuchPfs</c>, or something that differs cannot be read.</exception>
    public static IEnumerable<PfsChange> Compare(Hammer2Volume volume, string oldLabel, string newLabel, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(volume);
        using HeldRoots roots = volume.HoldRoots(oldLabel, newLabel);
        var diff = new SnapshotDiff(volume.Reader, roots);
        diff.Collect(stop);
        foreach (PfsChange change in diff.Results(stop))
            yield return change;
    }

    private (ulong Directory, byte[] Name)? Hint(ulong number, Func<Changed, List<(ulong Directory, byte[] Name)>> side) =>
        _changes.TryGetValue(number, out Changed? changed) && side(changed) is [var first, ..] ? first : null;

    private void Collect(CancellationToken stop)
    {
        bool entries = false;
        foreach ((BlockRef o, BlockRef n) in TreeComparison.Run(_reader, _old.Root.Blockset, _new.Root.Blockset))
        {
            stop.ThrowIfCancellationRequested();
            if ((o.Type == BlockRefType.Empty ? n.Key : o.Key) < FormatLimits.DirectoryKeyBase)
            {
                CompareInodes(o, n);
                continue;
            }

            entries = true;
            NoteEntry(FormatLimits.RootInodeNumber, o, n);
        }

        if (AttributesDiffer(_old.Root.Data, _new.Root.Data, !entries))
            Of(FormatLimits.RootInodeNumber, ObjectType.Directory).Attributes = true;
    }

    private void CompareInodes(in BlockRef o, in BlockRef n)
    {
        CommittedInode? before = o.Type == BlockRefType.Empty ? null : _old.Load(o);
        CommittedInode? after = n.Type == BlockRefType.Empty ? null : _new.Load(n);
        ulong number = before is null ? n.Key : o.Key;
        Changed changed = Of(number, (after ?? before)!.Data.Type);
        changed.Before = before?.Data;
        changed.After = after?.Data;
        if (before is null || after is null || before.Data.Type != after.Data.Type)
        {
            changed.IsOther = true;
            foreach (BlockRef entry in before?.Data.Type == ObjectType.Directory ? _old.Entries(before) : [])
                NoteEntry(number, entry, default);
            foreach (BlockRef entry in after?.Data.Type == ObjectType.Directory ? _new.Entries(after) : [])
                NoteEntry(number, default, entry);
            return;
        }

        bool below = false;
        if (after.Data.Type == ObjectType.Directory)
        {
            foreach ((BlockRef oldEntry, BlockRef newEntry) in TreeComparison.Run(_reader, before.Blockset, after.Blockset))
            {
                below = true;
                NoteEntry(number, oldEntry, newEntry);
            }
        }
        else
        {
            changed.Content = below = ContentDiffers(before, after);
        }

        changed.Attributes = AttributesDiffer(before.Data, after.Data, !below);
    }

    private void NoteEntry(ulong directory, in BlockRef o, in BlockRef n)
    {
        if (o.Type != BlockRefType.Empty)
            Of(o.DirentInode, o.DirentType).Gone.Add((directory, _old.NameOf(o)));
        if (n.Type != BlockRefType.Empty)
            Of(n.DirentInode, n.DirentType).Come.Add((directory, _new.NameOf(n)));
    }

    private Changed Of(ulong number, ObjectType type)
    {
        if (!_changes.TryGetValue(number, out Changed? changed))
            _changes.Add(number, changed = new Changed());
        changed.Type = type;
        return changed;
    }

    private bool ContentDiffers(CommittedInode before, CommittedInode after)
    {
        if (before.Data.Size != after.Data.Size || before.Embedded is null != after.Embedded is null)
            return true;
        if (before.Embedded is not null)
            return !before.Embedded.AsSpan().SequenceEqual(after.Embedded);
        foreach ((BlockRef o, BlockRef n) in TreeComparison.Run(_reader, before.Blockset, after.Blockset))
        {
            // The same bytes written again lie elsewhere, under the same code.
            bool same = o.Methods == n.Methods && o.Key == n.Key && o.Physical.Radix == n.Physical.Radix
                && o.CheckMethod is CheckMethod.XxHash64 or CheckMethod.Sha192 && BlockRef.CheckBytes(o).SequenceEqual(BlockRef.CheckBytes(n));
            if (!same)
                return true;
        }

        return false;
    }

    // Link counts and change times follow from other changes. So does the modification time, when what it is of changed.
    private static bool AttributesDiffer(in InodeData before, in InodeData after, bool withModifyTime) =>
        (before.Mode, before.Uid, before.Gid, before.UserFlags, before.CompressionSetting, before.CheckSetting, before.DeviceMajor)
            != (after.Mode, after.Uid, after.Gid, after.UserFlags, after.CompressionSetting, after.CheckSetting, after.DeviceMajor)
        || before.DeviceMinor != after.DeviceMinor || before.BirthTime != after.BirthTime || before.AccessTime != after.AccessTime
        || withModifyTime && before.ModifyTime != after.ModifyTime;

    private IEnumerable<PfsChange> Results(CancellationToken stop)
    {
        var unnamed = new HashSet<ulong>();
        foreach ((ulong number, Changed changed) in _changes)
        {
            stop.ThrowIfCancellationRequested();
            foreach (PfsChange change in NamesOf(number, changed))
                yield return change;
            if (!changed.Content && !changed.Attributes)
                continue;
            byte[]? path = CurrentPath(number, changed);
            if (path is null)
                unnamed.Add(number);
            else
                foreach (PfsChange change in ModificationsOf(number, changed, path))
                    yield return change;
        }

        if (unnamed.Count == 0)
            yield break;
        foreach ((ulong number, byte[] path) in _new.Search(unnamed))
        {
            foreach (PfsChange change in ModificationsOf(number, _changes[number], path))
                yield return change;
        }
    }

    private byte[]? CurrentPath(ulong number, Changed changed) => changed switch
    {
        _ when number == FormatLimits.RootInodeNumber => [],
        { Come: [var first, ..] } => _new.PathOf(first.Directory, first.Name),
        { Type: ObjectType.Directory } => _new.PathOfDirectory(number),
        { After: InodeData data } => _new.PathOf(number, data),
        _ => null,
    };

    private static IEnumerable<PfsChange> ModificationsOf(ulong number, Changed changed, byte[] path)
    {
        if (changed.Content)
            yield return new PfsChange(PfsChangeKind.ModifiedContent, changed.Type, number, path);
        if (changed.Attributes)
            yield return new PfsChange(PfsChangeKind.ModifiedAttributes, changed.Type, number, path);
    }

    // Names of one object: those that are on both sides moved only inside the directory's tree; of the rest, one that went and one
    // that came make a rename.
    private IEnumerable<PfsChange> NamesOf(ulong number, Changed changed)
    {
        for (int i = changed.Gone.Count - 1; i >= 0 && !changed.IsOther; i--)
        {
            (ulong directory, byte[] name) = changed.Gone[i];
            int twin = changed.Come.FindIndex(c => c.Directory == directory && c.Name.AsSpan().SequenceEqual(name));
            if (twin < 0)
                continue;
            changed.Gone.RemoveAt(i);
            changed.Come.RemoveAt(twin);
        }

        int renamed = changed.IsOther ? 0 : Math.Min(changed.Gone.Count, changed.Come.Count);
        ObjectType oldType = changed.Before?.Type ?? changed.Type;
        for (int i = 0; i < changed.Gone.Count; i++)
        {
            if (_old.PathOf(changed.Gone[i].Directory, changed.Gone[i].Name) is not byte[] path)
                continue;
            byte[]? newPath = i < renamed ? _new.PathOf(changed.Come[i].Directory, changed.Come[i].Name) : null;
            yield return newPath is null
                ? new PfsChange(PfsChangeKind.Removed, oldType, number, path)
                : new PfsChange(PfsChangeKind.Renamed, changed.Type, number, newPath, path);
        }

        for (int i = renamed; i < changed.Come.Count; i++)
        {
            if (_new.PathOf(changed.Come[i].Directory, changed.Come[i].Name) is byte[] path)
                yield return new PfsChange(PfsChangeKind.Added, changed.Type, number, path);
        }
    }

    /// <summary>What is known of one inode number.</summary>
    private sealed class Changed
    {
        internal readonly List<(ulong Directory, byte[] Name)> Gone = [];
        internal readonly List<(ulong Directory, byte[] Name)> Come = [];
        internal ObjectType Type;
        internal InodeData? Before;
        internal InodeData? After;

        /// <summary>It exists on one side only, or is another kind of object.</summary>
        internal bool IsOther;
        internal bool Content;
        internal bool Attributes;
    }
}
