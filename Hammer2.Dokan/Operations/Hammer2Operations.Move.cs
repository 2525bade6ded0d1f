// Renaming (dokan-semantics A.12, D.3, D.4).
// Invariants: under the lock of the names, so that everything looked at stays until it is done; atomic on the medium, the
// old target stays until the new one is there; all opens of the renamed name live on under the new one; a file that
// replaces another takes over its owner, mode and creation time, as programs expect that save by replacing.

using DokanNet;
using Hammer2.Dokan.Directories;
using Hammer2.Dokan.Names;
using Hammer2.Dokan.Opens;
using Hammer2.Dokan.Requests;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using LTRData.Extensions.Native.Memory;

namespace Hammer2.Dokan.Operations;

internal sealed partial class Hammer2Operations
{
    /// <inheritdoc />
    public NtStatus MoveFile(
        ReadOnlyNativeMemory<char> oldNamePtr, ReadOnlyNativeMemory<char> newNamePtr, bool replace, ref DokanFileInfo info)
    {
        if (!_gate.TryEnter())
            return NtStatus.NoSuchDevice;
        try
        {
            if (OpenOf(ref info) is not { } open)
                return NtStatus.InvalidHandle;
            if (!_isWritable)
                return Status.MediaWriteProtected;
            if (newNamePtr.IsNull)
                return NtStatus.ObjectNameInvalid;
            lock (_names)
                return Move(open, newNamePtr.Span, replace, ref info);
        }
        catch (Exception thrown)
        {
            return Fault(nameof(MoveFile), oldNamePtr, thrown);
        }
        finally
        {
            _gate.Exit();
        }
    }

    private NtStatus Move(OpenFile open, ReadOnlySpan<char> newPath, bool replace, ref DokanFileInfo info)
    {
        if (open.IsRoot || _opens.IsDeletePending(open.Named.InodeNumber))
            return NtStatus.AccessDenied;
        var timer = new RequestTimer(_clock);
        NtStatus status = _paths.Resolve(newPath, ref info, ref timer, out ResolvedPath target);
        bool exists = status == NtStatus.Success;
        if (!exists && status != NtStatus.ObjectNameNotFound)
            return status;
        if (target.IsRoot)
            return replace ? NtStatus.AccessDenied : NtStatus.ObjectNameCollision;
        Span<byte> buffer = stackalloc byte[NameMapping.NameLengthMax];
        ReadOnlySpan<char> component = newPath[(newPath.LastIndexOf('\\') + 1)..];
        byte[] name = buffer[..NameMapping.ToMedium(component, buffer)].ToArray();
        var to = new NamePlace(target.ParentInode, name, newPath.ToString());
        bool isItself = exists && open.Place.IsSameEntry(new NamePlace(target.ParentInode, target.Name, to.Path));
        if (exists && !isItself)
        {
            status = CheckReplacing(open, target, replace);
            if (status != NtStatus.Success)
                return status;
            if (target.InodeNumber == open.Named.InodeNumber)
                return JoinLinks(open, to with { Name = target.Name });
        }

        if (isItself && open.Place.IsSameEntry(to))
            return NtStatus.Success;
        if (_opens.IsDeletePending(target.ParentInode))
            return NtStatus.DeletePending;
        if (!isItself && open.Kind == TargetKind.Directory)
        {
            // Asked first: the driver holds the directory of the target open, which lies below in this case.
            if (IsAtOrBelow(target.ParentInode, open.Vnode.InodeNumber))
                return NtStatus.InvalidParameter;
            if (HasOpensBelow(open.Vnode.InodeNumber))
                return NtStatus.AccessDenied;
        }

        return exists && !isItself ? Replace(open, to, target) : Rename(open, to, tunnels: !isItself && IsFile(open));
    }

    private static bool IsFile(OpenFile open) => open.Named.Type == ObjectType.File;

    /// <summary>May the object of the target name be replaced?</summary>
    private NtStatus CheckReplacing(OpenFile open, in ResolvedPath target, bool replace)
    {
        if (!replace)
            return NtStatus.ObjectNameCollision;
        if (target.InodeNumber == open.Named.InodeNumber)
            return NtStatus.Success;
        if (target.Type == ObjectType.Directory || open.Named.Type == ObjectType.Directory || _opens.IsOpen(target.InodeNumber))
            return NtStatus.AccessDenied;
        Hammer2Error error = TryGetAttributes(target.InodeNumber, out InodeAttributes attributes);
        if (error != Hammer2Error.None)
            return ErrorStatus.OfOpening(error);
        return (WindowsAttributes.Stored(attributes) & FileAttributes.ReadOnly) != 0 || !MayTakeName(open, target.ParentInode, attributes)
            ? NtStatus.AccessDenied
            : NtStatus.Success;
    }

    /// <summary>The target is another name of the same object: one of the two goes.</summary>
    private NtStatus JoinLinks(OpenFile open, NamePlace to)
    {
        NamePlace from = open.Place;
        Hammer2Error error = RemoveName(from, open.Named);
        if (error != Hammer2Error.None)
            return StatusOfMove(error);
        MovePlaces(open, from, to);
        return NtStatus.Success;
    }

    /// <summary>Gives the object a name that nothing has, or another spelling of its own.</summary>
    private NtStatus Rename(OpenFile open, NamePlace to, bool tunnels)
    {
        NamePlace from = open.Place;
        InodeAttributes before = open.Named.GetAttributes();
        TunneledFacts facts = default;
        bool takesOver = tunnels && _tunnel.TryTake(to.ParentInode, to.Name, out facts);
        if (takesOver)
            TakeOver(open.Named, facts);
        Hammer2Error error = MoveEntry(from, to, open.Named, RenameMode.NoReplace, replacedName: null);
        if (error != Hammer2Error.None)
        {
            if (takesOver)
                GiveBack(open.Named, before);
            return StatusOfMove(error);
        }

        if (tunnels)
            _tunnel.Remember(from.ParentInode, from.Name, TunneledFacts.Of(before));
        MovePlaces(open, from, to);
        return NtStatus.Success;
    }

    /// <summary>Puts the object in the place of another file.</summary>
    private NtStatus Replace(OpenFile open, NamePlace to, in ResolvedPath target)
    {
        if (TryGetAttributes(target.InodeNumber, out InodeAttributes old) != Hammer2Error.None)
            return Status.FileCorruptError;
        NamePlace from = open.Place;
        InodeAttributes before = open.Named.GetAttributes();
        bool takesOver = IsFile(open) && old.Type == ObjectType.File;
        if (takesOver)
            TakeOver(open.Named, TunneledFacts.Of(old));

        // First onto the name as it is, so that there is no moment without it; then its spelling.
        NamePlace replaced = to with { Name = target.Name };
        Hammer2Error error = MoveEntry(from, replaced, open.Named, RenameMode.Replace, target.Name);
        if (error != Hammer2Error.None)
        {
            if (takesOver)
                GiveBack(open.Named, before);
            return StatusOfMove(error);
        }

        if (!target.Name.AsSpan().SequenceEqual(to.Name)
            && MoveEntry(replaced, to, open.Named, RenameMode.NoReplace, replacedName: null) != Hammer2Error.None)
        {
            to = replaced;
        }

        MovePlaces(open, from, to);
        return NtStatus.Success;
    }

    /// <summary>One rename of the engine, and the indexes of the directories after it.</summary>
    private Hammer2Error MoveEntry(NamePlace from, NamePlace to, Vnode target, RenameMode mode, byte[]? replacedName)
    {
        // A file that was removed while it was open has no name; the one that it had may be another file's by now.
        Hammer2Error error = _pfs.TryLookup(from.ParentInode, from.Name, out InodeAttributes now);
        if (error != Hammer2Error.None || now.InodeNumber != target.InodeNumber)
            return error != Hammer2Error.None ? error : Hammer2Error.NotFound;
        if (!TryOpenVnode(from.ParentInode, out Vnode? source))
            return Hammer2Error.NotFound;
        using Vnode sourceHeld = source!;
        if (!TryOpenVnode(to.ParentInode, out Vnode? destination))
            return Hammer2Error.NotFound;
        using Vnode destinationHeld = destination!;
        bool across = from.ParentInode != to.ParentInode;
        using FoldIndexCache.DirectoryChange leaving = _indexes.Change(from.ParentInode);
        using FoldIndexCache.DirectoryChange coming = across ? _indexes.Change(to.ParentInode) : leaving;
        error = _pfs.TryRename(source!, from.Name, destination!, to.Name, mode);
        if (error != Hammer2Error.None)
            return error;
        leaving.Removed(from.Name);
        if (replacedName is not null)
            coming.Removed(replacedName);
        coming.Added(to.Name, target.InodeNumber, target.Type);
        leaving.Complete();
        if (across)
            coming.Complete();
        NoteNameChange();
        return Hammer2Error.None;
    }

    /// <summary>All opens under the old name live on under the new one, as in the driver.</summary>
    private void MovePlaces(OpenFile renamed, NamePlace from, NamePlace to)
    {
        foreach (OpenFile open in _opens.OpensOf(renamed.Named.InodeNumber))
        {
            if (open.Named.InodeNumber == renamed.Named.InodeNumber && open.Place.IsSameEntry(from))
                open.Place = to;
        }

        renamed.Place = to;
        _opens.Renamed(renamed, from.Path);
    }

    private static void TakeOver(Vnode file, in TunneledFacts facts)
    {
        InodeAttributes own = file.GetAttributes();
        bool keepsReadOnly = (own.Mode & WindowsAttributes.AnyWriteBit) == 0;
        uint mode = keepsReadOnly ? facts.Mode & ~WindowsAttributes.AnyWriteBit : facts.Mode | WindowsAttributes.OwnerWriteBit;
        if (own.Uid == facts.Uid && own.Gid == facts.Gid)
            mode |= own.Mode & TunneledFacts.BecomesOwner;
        file.TrySetAttributes(new AttributeChanges
        {
            Uid = facts.Uid,
            Gid = facts.Gid,
            Mode = mode,
            BirthTimeUs = facts.BirthTimeUs != 0 ? facts.BirthTimeUs : null,
        });
    }

    /// <summary>The rename for which a file took over something did not happen.</summary>
    private static void GiveBack(Vnode file, in InodeAttributes before) => file.TrySetAttributes(new AttributeChanges
    {
        Uid = before.Uid,
        Gid = before.Gid,
        Mode = before.Mode,
        BirthTimeUs = before.BirthTimeUs,
    });

    /// <summary>
    /// Is something below a directory open that a rename would leave with a wrong path in the driver? Directories that are
    /// only watched or listed do not count, nor do handles on the directory itself.
    /// </summary>
    private bool HasOpensBelow(ulong directory)
    {
        var above = new Dictionary<ulong, bool> { [directory] = true, [PfsMount.RootInodeNumber] = false };
        foreach (OpenFile open in _opens.All)
        {
            bool counts = !open.IsCleanedUp && (open.Kind != TargetKind.Directory || AccessMask.WantsChange(open.Access));
            if (counts && open.Named.InodeNumber != directory && IsBelow(open.Place.ParentInode, above))
                return true;
        }

        return false;
    }

    private bool IsAtOrBelow(ulong inode, ulong directory) =>
        IsBelow(inode, new Dictionary<ulong, bool> { [directory] = true, [PfsMount.RootInodeNumber] = false });

    /// <summary>Walks up from a directory; what was found on the way is kept in <paramref name="known"/>.</summary>
    private bool IsBelow(ulong inode, Dictionary<ulong, bool> known)
    {
        List<ulong> passed = [];
        bool result = false;
        while (!known.TryGetValue(inode, out result))
        {
            passed.Add(inode);
            known[inode] = false; // Ends the walk on a damaged volume that leads round in a circle.
            if (TryGetAttributes(inode, out InodeAttributes attributes) != Hammer2Error.None)
                break;
            inode = attributes.ParentInode;
        }

        foreach (ulong one in passed)
            known[one] = result;
        return result;
    }

    private static NtStatus StatusOfMove(Hammer2Error error) => error switch
    {
        Hammer2Error.NotPermitted or Hammer2Error.NotEmpty or Hammer2Error.IsADirectory => NtStatus.AccessDenied,
        _ => ErrorStatus.Of(error),
    };
}
