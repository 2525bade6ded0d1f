// Listings (dokan-semantics A.8, B.21). The library takes a snapshot at the first query of a handle, so a listing is
// collected whole inside the callback: every error can then still become the status.
// Invariants: an exact name is one look-up; nothing that matches nothing fails; "." and ".." come with real times, never
// in the root; sizes, times and attributes equal those of a handle on the same object. No name stands there twice, whatever
// its case and whatever is renamed while the directory is read.
// Damage: the library can pass on names or an error, not both. By default the readable names are listed and the damage is
// logged, because that is what someone who rescues data needs; with FailDamagedListings the listing fails, because a tool
// that mirrors would take the missing names for deleted ones. A device error always fails the listing.

using DokanNet;
using Hammer2.Dokan.Directories;
using Hammer2.Dokan.Names;
using Hammer2.Dokan.Opens;
using Hammer2.Dokan.Requests;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using LTRData.Extensions.Native.Memory;
using Microsoft.Extensions.Logging;

namespace Hammer2.Dokan.Operations;

internal sealed partial class Hammer2Operations
{
    /// <summary>Entries that are read at once, at most: their inodes are visited in the order of the medium, and the more there
    /// are, the more of them are neighbours.</summary>
    private const int ListingBatch = 8192;

    /// <summary>How often a directory is read whose names change in case meanwhile.</summary>
    private const int ListingAttempts = 3;

    /// <inheritdoc />
    public NtStatus FindFilesWithPattern(
        ReadOnlyNativeMemory<char> fileNamePtr, ReadOnlyNativeMemory<char> searchPatternPtr,
        out IEnumerable<FindFileInformation> files, ref DokanFileInfo info)
    {
        ReadOnlySpan<char> pattern = searchPatternPtr.IsNull ? [] : searchPatternPtr.Span;
        return Find(nameof(FindFilesWithPattern), fileNamePtr, pattern, out files, ref info);
    }

    /// <inheritdoc />
    public NtStatus FindFiles(
        ReadOnlyNativeMemory<char> fileNamePtr, out IEnumerable<FindFileInformation> files, ref DokanFileInfo info) =>
        Find(nameof(FindFiles), fileNamePtr, [], out files, ref info);

    /// <inheritdoc />
    /// <remarks>Never called without the option for streams, which must stay off: the proxy of this package version hands
    /// the native library a wrong pointer for a non-empty list (dokan-semantics A.17).</remarks>
    public NtStatus FindStreams(
        ReadOnlyNativeMemory<char> fileNamePtr, out IEnumerable<FindFileInformation> streams, ref DokanFileInfo info)
    {
        streams = [];
        return NtStatus.NotImplemented;
    }

    private NtStatus Find(
        string callback, ReadOnlyNativeMemory<char> fileName, ReadOnlySpan<char> pattern,
        out IEnumerable<FindFileInformation> files, ref DokanFileInfo info)
    {
        files = [];
        if (!_gate.TryEnter())
            return NtStatus.NoSuchDevice;
        try
        {
            if (OpenOf(ref info) is not { } open)
                return NtStatus.InvalidHandle;
            if (open.Kind != TargetKind.Directory)
                return NtStatus.InvalidParameter;
            var timer = new RequestTimer(_clock);
            if (!NamePattern.IsAll(pattern) && !NamePattern.HasWildcards(pattern))
                return FindOne(open, pattern, out files, ref info, ref timer);
            files = FindMany(open, pattern, ref info, ref timer);
            return NtStatus.Success;
        }
        catch (Exception thrown)
        {
            files = [];
            return Fault(callback, fileName, thrown);
        }
        finally
        {
            _gate.Exit();
        }
    }

    private NtStatus FindOne(
        OpenFile directory, ReadOnlySpan<char> name, out IEnumerable<FindFileInformation> files, ref DokanFileInfo info, ref RequestTimer timer)
    {
        files = [];
        if (!NameMapping.IsSyntaxValid(name))
            return NtStatus.Success;
        ulong parent = directory.Vnode.InodeNumber;
        NtStatus status = _paths.Step(parent, name, isLast: true, ref info, ref timer, out ResolvedPath entry);
        if (status != NtStatus.Success)
            return status == NtStatus.ObjectNameNotFound ? NtStatus.Success : status;
        Hammer2Error error = TryGetAttributes(entry.InodeNumber, out InodeAttributes attributes);
        string shown = _indexes.Peek(parent)?.ShownName(entry.Name) ?? NameMapping.ToWindows(entry.Name);
        files = [Describe(parent, shown.AsMemory(), entry.Type, entry.InodeNumber, error, attributes)];
        return NtStatus.Success;
    }

    private Listing FindMany(OpenFile directory, ReadOnlySpan<char> pattern, ref DokanFileInfo info, ref RequestTimer timer)
    {
        for (int attempt = 1; ; attempt++)
        {
            long names = directory.Vnode.NamesVersion;
            var found = new Listing();
            Collect(directory, pattern, found, ref info, ref timer);

            // A directory is read in the order of hashes. What became of one name by another case of it, or was removed and made
            // anew in another case, may have been met in both places.
            if (directory.Vnode.NamesVersion == names || !found.HasTwins(_caseSensitive))
                return found;
            if (attempt == ListingAttempts)
                return found.WithoutTwins(_caseSensitive);
        }
    }

    private void Collect(OpenFile directory, ReadOnlySpan<char> pattern, Listing found, ref DokanFileInfo info, ref RequestTimer timer)
    {
        bool all = NamePattern.IsAll(pattern);
        if (all && !directory.IsRoot)
            AddDots(directory, found);
        ulong parent = directory.Vnode.InodeNumber;
        FoldIndex index = _indexes.Get(parent, ref info, ref timer);
        int before = found.Count;
        Hammer2Exception? hole = null;
        var batch = new DirectoryBatch(Math.Clamp(index.Count + 1, 16, ListingBatch));
        Span<char> shown = stackalloc char[NameMapping.NameLengthMax];
        ulong position = 0;
        do
        {
            directory.Vnode.ReadDirectory(position, batch);
            for (int i = 0; i < batch.Count; i++)
            {
                ref readonly DirectoryRecord record = ref batch[i];
                if (record.Type == ObjectType.Whiteout)
                    continue;
                DirectoryDamage.ThrowIfUnreachable(record.Error, "the attributes of an entry cannot be read");
                ReadOnlySpan<char> name = shown[..index.ShownName(batch.NameOf(i), shown)];
                if (all || NamePattern.Matches(pattern, name))
                    found.Add(Describe(parent, found.Keep(name), record.Type, record.InodeNumber, record.Error, record.Attributes));
            }

            DirectoryDamage.ThrowIfUnreachable(batch.Damage);
            foreach (Hammer2Exception damage in batch.Damage)
            {
                hole = damage;
                _log.LogError("Listing of {Path} is incomplete: {Message}", directory.Path, damage.Message);
            }

            if (!batch.EndOfDirectory && batch.NextPosition == position)
                break;
            position = batch.NextPosition;
            timer.Extend(ref info);
        }
        while (!batch.EndOfDirectory);
        if (hole is not null && (_failDamagedListings || (all && found.Count == before)))
            throw new Hammer2Exception(Hammer2Error.Corrupt, hole.Message, hole);
    }

    private void AddDots(OpenFile directory, Listing found)
    {
        InodeAttributes self = AttributesOf(directory);
        if (TryGetAttributes(directory.Place.ParentInode, out InodeAttributes parent) != Hammer2Error.None)
            parent = self;
        found.Add(FileRecord.Of(TargetKind.Directory, self, Remembered(self.InodeNumber), hidden: false).ToFindInformation(".".AsMemory()));
        found.Add(FileRecord.Of(TargetKind.Directory, parent, Remembered(parent.InodeNumber), hidden: false).ToFindInformation("..".AsMemory()));
    }

    /// <summary>One entry of a listing. An object whose inode cannot be read is listed by its name and type alone.</summary>
    private FindFileInformation Describe(
        ulong directory, ReadOnlyMemory<char> name, ObjectType type, ulong inodeNumber, Hammer2Error error, in InodeAttributes attributes)
    {
        bool hidden = IsHidden(name.Span);
        if (error != Hammer2Error.None)
        {
            var unknown = new InodeAttributes { Type = type, Mode = WindowsAttributes.AnyWriteBit };
            return new FindFileInformation
            {
                FileName = name,
                Attributes = FileRecord.Of(FileRecord.KindOf(type), unknown, default, hidden).Attributes,
            };
        }

        if (attributes.Type == ObjectType.Symlink && TryFollow(directory, inodeNumber, out InodeAttributes target))
            return FileRecord.Of(TargetKind.File, target, Remembered(target.InodeNumber), hidden).ToFindInformation(name);
        return FileRecord.Of(FileRecord.KindOf(attributes.Type), attributes, Remembered(inodeNumber), hidden).ToFindInformation(name);
    }

    private bool TryFollow(ulong directory, ulong linkInode, out InodeAttributes target)
    {
        target = default;
        try
        {
            return _links.TryReadText(linkInode, out byte[] text) == Hammer2Error.None
                && _links.TryFollow(directory, text, out target);
        }
        catch (Hammer2Exception damaged) when (damaged.Error != Hammer2Error.Closed)
        {
            // Listed as text; opening it says what is wrong.
            return false;
        }
    }

    private Hammer2Error TryGetAttributes(ulong inodeNumber, out InodeAttributes attributes)
    {
        try
        {
            return _pfs.TryGetAttributes(inodeNumber, out attributes);
        }
        catch (Hammer2Exception damaged) when (damaged.Error is Hammer2Error.CheckFailed or Hammer2Error.Corrupt)
        {
            attributes = default;
            return damaged.Error;
        }
    }
}
