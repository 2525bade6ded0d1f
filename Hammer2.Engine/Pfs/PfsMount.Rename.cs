// Renaming. Moves between directories exclude each other, so that what is above a directory stays put while a cycle is
// looked for; then up to four inodes are locked in the order of their numbers and both names are looked up again.

using Hammer2.Engine.Blocks;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Transactions;
using Hammer2.Engine.Volumes;

namespace Hammer2.Engine.Pfs;

public sealed partial class PfsMount
{
    /// <summary>Moves a name, within one directory or to another.</summary>
    /// <returns>NotFound, Exists, NotEmpty, IsADirectory, NotADirectory, InvalidArgument (into its own subtree), NoSpace, NotPermitted, ReadOnly.</returns>
    public Hammer2Error TryRename(Vnode from, ReadOnlySpan<byte> name, Vnode to, ReadOnlySpan<byte> newName, RenameMode mode)
    {
        ArgumentNullException.ThrowIfNull(from);
        ArgumentNullException.ThrowIfNull(to);
        Volume.ThrowIfClosed();
        if (from.Type != ObjectType.Directory || to.Type != ObjectType.Directory)
            return Hammer2Error.NotADirectory;
        if (IsDot(name) || IsDot(newName))
            return Hammer2Error.InvalidArgument;
        Hammer2Error error = DirectoryReader.CheckName(newName);
        if (error != Hammer2Error.None)
            return error;
        error = TryBegin(OperationClaims.Names(), ClaimLevel.Write, out VolumeWriter writer, out Operation operation);
        if (error != Hammer2Error.None)
            return error;
        using Operation running = operation;
        bool across = !ReferenceEquals(from.Inode.Slot, to.Inode.Slot);
        if (across)
            State.MoveGate.Enter();
        try
        {
            while (true)
            {
                error = TryRenameOnce(from, name, to, newName, mode, writer, operation.Ledger);
                if (error != Hammer2Error.Unsupported)
                    return error;
            }
        }
        finally
        {
            if (across)
                State.MoveGate.Exit();
        }
    }

    // Unsupported stands for "a name leads elsewhere by now": look both up again.
    private Hammer2Error TryRenameOnce(
        Vnode from, ReadOnlySpan<byte> name, Vnode to, ReadOnlySpan<byte> newName, RenameMode mode, VolumeWriter writer, SpaceLedger ledger)
    {
        Inode? source = null, target = null;
        try
        {
            Hammer2Error error = TryFindTarget(from, name, out source);
            if (error != Hammer2Error.None)
                return error;
            if (source is null)
                throw Dangling(name, 0);
            Hammer2Error exists = TryFindTarget(to, newName, out target);
            if (exists is not (Hammer2Error.None or Hammer2Error.NotFound))
                return exists;
            if (exists == Hammer2Error.None && target is null)
                throw Dangling(newName, 0);
            if (mode == RenameMode.Exchange && target is null)
                return Hammer2Error.NotFound;
            if (IsAbove(source, to.Inode.Slot.InodeNumber) || mode == RenameMode.Exchange && IsAbove(target!, from.Inode.Slot.InodeNumber))
                return Hammer2Error.InvalidArgument;
            if (target is not null && IsAbove(target, from.Inode.Slot.InodeNumber))
                return mode == RenameMode.NoReplace ? Hammer2Error.Exists : Hammer2Error.NotEmpty;

            using InodeLocks held = InodeLocks.Exclusive(from.Inode.Slot, to.Inode.Slot, source.Slot, target?.Slot);
            var move = new Move(from.Inode.Slot, to.Inode.Slot, source.Slot, target?.Slot);
            error = Find(move, name, newName, out BlockRef entry, out BlockRef newEntry);
            if (error != Hammer2Error.None)
                return error;
            error = CheckMove(move, mode);
            if (error != Hammer2Error.None || ReferenceEquals(move.Source, move.Target))
                return error;
            return mode == RenameMode.Exchange
                ? Exchange(move, entry, newEntry, name, newName, writer, ledger)
                : Replace(move, entry, newEntry, name, newName, writer, ledger);
        }
        finally
        {
            if (source is not null)
                Index.Close(source);
            if (target is not null)
                Index.Close(target);
        }
    }

    private Hammer2Error Find(in Move move, ReadOnlySpan<byte> name, ReadOnlySpan<byte> newName, out BlockRef entry, out BlockRef newEntry)
    {
        newEntry = default;
        Hammer2Error error = Directories.TryFindEntry(move.From.Current.Content, name, out entry);
        if (error != Hammer2Error.None)
            return error;
        if (move.To.IsRemoved)
            return Hammer2Error.NotFound;
        Hammer2Error exists = Directories.TryFindEntry(move.To.Current.Content, newName, out newEntry);
        if (exists is not (Hammer2Error.None or Hammer2Error.NotFound))
            return exists;
        ulong found = exists == Hammer2Error.None ? newEntry.DirentInode : 0;
        bool same = entry.DirentInode == move.Source.InodeNumber && found == (move.Target?.InodeNumber ?? 0);
        return same ? Hammer2Error.None : Hammer2Error.Unsupported;
    }

    private Hammer2Error CheckMove(in Move move, RenameMode mode)
    {
        if (move.Target is not null && mode == RenameMode.NoReplace)
            return Hammer2Error.Exists;
        InodeContent source = move.Source.Current.Content;
        if (BsdFlags.Forbid(move.From.Current.Content.Data.UserFlags | source.Data.UserFlags, BsdFlags.Fixed)
            || BsdFlags.Forbid(source.Data.UserFlags, BsdFlags.NoUnlink)
            || BsdFlags.Forbid(move.To.Current.Content.Data.UserFlags, BsdFlags.Immutable))
        {
            return Hammer2Error.NotPermitted;
        }

        if (move.Target is null || ReferenceEquals(move.Source, move.Target))
            return Hammer2Error.None;
        InodeContent target = move.Target.Current.Content;
        if (mode == RenameMode.Exchange)
            return BsdFlags.Forbid(target.Data.UserFlags, BsdFlags.Fixed | BsdFlags.NoUnlink) ? Hammer2Error.NotPermitted : Hammer2Error.None;
        return CheckRemovable(target, source.Data.Type == ObjectType.Directory);
    }

    private Hammer2Error Replace(
        in Move move, in BlockRef entry, in BlockRef newEntry, ReadOnlySpan<byte> name, ReadOnlySpan<byte> newName, VolumeWriter writer, SpaceLedger ledger)
    {
        InodeContent from = move.From.Current.Content, to = move.To.Current.Content;
        ref InodeData source = ref move.Source.Current.Content.Data;
        ulong tid = writer.NextModifyTid();
        Index.MarkDirty(move.From, ledger);
        Index.MarkDirty(move.To, ledger);
        Index.MarkDirty(move.Source, ledger);

        // Two entries change: the way to the second one is in memory before the first is touched.
        State.DirectoryWriter!.Prepare(from, entry, ledger);
        if (move.Target is not null)
        {
            Index.MarkDirty(move.Target, ledger);
            State.DirectoryWriter.Retarget(to, newEntry, source.InodeNumber, source.Type, writer.OpenTid, tid, ledger);
        }
        else
        {
            Hammer2Error error = State.DirectoryWriter.TryAdd(to, newName, source.InodeNumber, source.Type, writer.OpenTid, tid, ledger);
            if (error != Hammer2Error.None)
                return error;
        }

        State.DirectoryWriter.Remove(from, entry, ledger);
        long now = MediaTime.Now();
        if (move.Target is not null)
        {
            CountSubdirectory(to, move.Target.Current.Content.Data.Type, -1);
            DropName(move.Target, now, writer.OpenTid);
        }

        CountSubdirectory(from, source.Type, -1);
        CountSubdirectory(to, source.Type, +1);
        source.ParentInode = move.To.InodeNumber;
        source.ChangeTime = now;
        Touch(move.From, now);
        if (!ReferenceEquals(move.From, move.To))
            Touch(move.To, now);
        if (move.Target is not null)
            Announce(PfsEventKind.Removed, move.To.InodeNumber, newName, move.Target.InodeNumber, source.Type);
        Announce(PfsEventKind.Removed, move.From.InodeNumber, name, move.Source.InodeNumber, source.Type);
        Announce(PfsEventKind.Added, move.To.InodeNumber, newName, move.Source.InodeNumber, source.Type);
        return Hammer2Error.None;
    }

    private Hammer2Error Exchange(
        in Move move, in BlockRef entry, in BlockRef newEntry, ReadOnlySpan<byte> name, ReadOnlySpan<byte> newName, VolumeWriter writer, SpaceLedger ledger)
    {
        InodeContent from = move.From.Current.Content, to = move.To.Current.Content;
        ref InodeData source = ref move.Source.Current.Content.Data;
        ref InodeData target = ref move.Target!.Current.Content.Data;
        ulong tid = writer.NextModifyTid();
        Index.MarkDirty(move.From, ledger);
        Index.MarkDirty(move.To, ledger);
        Index.MarkDirty(move.Source, ledger);
        Index.MarkDirty(move.Target, ledger);

        // As in Replace: the second change must not fail.
        State.DirectoryWriter!.Prepare(to, newEntry, ledger);
        State.DirectoryWriter.Retarget(from, entry, target.InodeNumber, target.Type, writer.OpenTid, tid, ledger);
        State.DirectoryWriter.Retarget(to, newEntry, source.InodeNumber, source.Type, writer.OpenTid, tid, ledger);
        CountSubdirectory(from, source.Type, -1);
        CountSubdirectory(from, target.Type, +1);
        CountSubdirectory(to, target.Type, -1);
        CountSubdirectory(to, source.Type, +1);
        long now = MediaTime.Now();
        source.ParentInode = move.To.InodeNumber;
        target.ParentInode = move.From.InodeNumber;
        source.ChangeTime = now;
        target.ChangeTime = now;
        Touch(move.From, now);
        if (!ReferenceEquals(move.From, move.To))
            Touch(move.To, now);
        Announce(PfsEventKind.Removed, move.From.InodeNumber, name, move.Source.InodeNumber, source.Type);
        Announce(PfsEventKind.Removed, move.To.InodeNumber, newName, move.Target.InodeNumber, target.Type);
        Announce(PfsEventKind.Added, move.From.InodeNumber, name, move.Target.InodeNumber, target.Type);
        Announce(PfsEventKind.Added, move.To.InodeNumber, newName, move.Source.InodeNumber, source.Type);
        return Hammer2Error.None;
    }

    // True when a directory is the given one or lies above it. The move gate keeps the way up from changing; it ends at
    // the root, or where a damaged volume leads round in a circle.
    private bool IsAbove(Inode above, ulong inodeNumber)
    {
        if (above.Slot.Current.Content.Data.Type != ObjectType.Directory)
            return false;
        var passed = new HashSet<ulong>();
        ulong at = inodeNumber;
        while (at != above.Slot.InodeNumber)
        {
            if (at == RootInodeNumber || !passed.Add(at) || Index.TryGetAttributes(at, out InodeAttributes attributes) != Hammer2Error.None)
                return false;
            at = attributes.ParentInode;
        }

        return true;
    }

    private readonly record struct Move(InodeSlot From, InodeSlot To, InodeSlot Source, InodeSlot? Target);
}
