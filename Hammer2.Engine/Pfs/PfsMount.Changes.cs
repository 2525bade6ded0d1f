// The changing half of a PFS: names come and go here. Expected outcomes are return values; what the device or the
// medium does wrong is an exception. Every call is one operation of the commit gate: a commit has all of it or nothing.
// Inodes are looked up first and locked afterwards, in the order of their numbers; what was found is then looked up
// again, and the call starts over when it changed meanwhile.

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
    /// <summary>Bytes of a symlink's target, at most.</summary>
    public const int SymlinkBytesMax = 65535;

    private const ulong LinkCountMax = 1UL << 31;

    /// <summary>Makes a new object under a new name and opens it.</summary>
    /// <returns>Exists, NotADirectory, NotFound (the directory was removed), NameTooLong, InvalidName, NoSpace, NotPermitted, ReadOnly.</returns>
    public Hammer2Error TryCreate(Vnode directory, ReadOnlySpan<byte> name, in NewInode what, out Vnode? vnode)
    {
        vnode = null;
        Hammer2Error error = CheckNewName(directory, name);
        if (error == Hammer2Error.None)
            error = CheckNew(what);
        if (error != Hammer2Error.None)
            return error;
        SpaceClaim worst = OperationClaims.Names();
        worst.Add(OperationClaims.Data(0, what.SymlinkTarget.Length, what.SymlinkTarget.Length));
        error = TryBegin(worst, ClaimLevel.Write, out VolumeWriter writer, out Operation operation);
        if (error != Hammer2Error.None)
            return error;
        using Operation running = operation;
        using InodeLock held = InodeLock.Exclusive(directory.Inode);
        InodeContent parent = held.Chain.Content;
        error = CheckFree(directory.Inode.Slot, parent, name);
        if (error != Hammer2Error.None)
            return error;

        Index.MarkDirty(directory.Inode.Slot, operation.Ledger);
        InodeData data = NewData(parent, what);
        byte methods = MethodsBelow(parent);
        Inode inode = Index.Create(data, methods, operation.Ledger);
        try
        {
            error = State.DirectoryWriter!.TryAdd(
                parent, name, inode.Slot.InodeNumber, what.Type, writer.OpenTid, writer.NextModifyTid(), operation.Ledger);
            if (error == Hammer2Error.None && what.Type == ObjectType.Symlink)
                WriteTarget(inode, what.SymlinkTarget, operation);
        }
        catch
        {
            Forget(inode);
            throw;
        }

        if (error != Hammer2Error.None)
        {
            Forget(inode);
            return error;
        }

        Touch(directory.Inode.Slot, data.ModifyTime);
        CountSubdirectory(parent, what.Type, +1);
        Announce(PfsEventKind.Added, directory.InodeNumber, name, inode.Slot.InodeNumber, what.Type);
        vnode = new Vnode(this, inode);
        return Hammer2Error.None;
    }

    /// <summary>Gives an object another name.</summary>
    /// <returns>As <see cref="TryCreate"/>; NotPermitted for directories, TooManyLinks.</returns>
    public Hammer2Error TryLink(Vnode target, Vnode directory, ReadOnlySpan<byte> name)
    {
        ArgumentNullException.ThrowIfNull(target);
        Hammer2Error error = CheckNewName(directory, name);
        if (error != Hammer2Error.None)
            return error;
        if (target.Type == ObjectType.Directory)
            return Hammer2Error.NotPermitted;
        error = TryBegin(OperationClaims.Names(), ClaimLevel.Write, out VolumeWriter writer, out Operation operation);
        if (error != Hammer2Error.None)
            return error;
        using Operation running = operation;
        InodeSlot slot = target.Inode.Slot;
        using InodeLocks held = InodeLocks.Exclusive(directory.Inode.Slot, slot);
        InodeContent parent = directory.Inode.Slot.Current.Content;
        error = CheckFree(directory.Inode.Slot, parent, name);
        if (error != Hammer2Error.None)
            return error;
        ref InodeData data = ref slot.Current.Content.Data;
        if (slot.IsRemoved)
            return Hammer2Error.NotFound;
        if (BsdFlags.Forbid(data.UserFlags, BsdFlags.Fixed))
            return Hammer2Error.NotPermitted;
        if (data.LinkCount >= LinkCountMax)
            return Hammer2Error.TooManyLinks;
        Index.MarkDirty(directory.Inode.Slot, operation.Ledger);
        Index.MarkDirty(slot, operation.Ledger);
        error = State.DirectoryWriter!.TryAdd(
            parent, name, slot.InodeNumber, data.Type, writer.OpenTid, writer.NextModifyTid(), operation.Ledger);
        if (error != Hammer2Error.None)
            return error;
        long now = MediaTime.Now();
        data.LinkCount++;
        data.ChangeTime = now;
        Touch(directory.Inode.Slot, now);
        Announce(PfsEventKind.Added, directory.InodeNumber, name, slot.InodeNumber, data.Type);
        return Hammer2Error.None;
    }

    /// <summary>Removes a name of something that is not a directory; the object goes with its last name and last handle.</summary>
    /// <returns>NotFound, IsADirectory, NotPermitted, ReadOnly.</returns>
    public Hammer2Error TryUnlink(Vnode directory, ReadOnlySpan<byte> name) => TryRemove(directory, name, isDirectory: false);

    /// <summary>Removes an empty directory.</summary>
    /// <returns>NotFound, NotADirectory, NotEmpty, InvalidArgument ("."), NotPermitted, ReadOnly.</returns>
    public Hammer2Error TryRemoveDirectory(Vnode directory, ReadOnlySpan<byte> name)
    {
        if (name.SequenceEqual("."u8))
            return Hammer2Error.InvalidArgument;
        return name.SequenceEqual(".."u8) ? Hammer2Error.NotEmpty : TryRemove(directory, name, isDirectory: true);
    }

    /// <summary>Removes a name if it still leads to an object that the caller has open: a file or link, or an empty directory.</summary>
    /// <returns>NotFound (also when the name leads elsewhere by now), NotEmpty, NotPermitted, ReadOnly.</returns>
    public Hammer2Error TryRemoveName(Vnode directory, ReadOnlySpan<byte> name, Vnode target)
    {
        ArgumentNullException.ThrowIfNull(target);
        return TryRemove(directory, name, target.Type == ObjectType.Directory, target.InodeNumber);
    }

    private Hammer2Error TryRemove(Vnode directory, ReadOnlySpan<byte> name, bool isDirectory, ulong only = 0)
    {
        ArgumentNullException.ThrowIfNull(directory);
        Volume.ThrowIfClosed();
        if (IsDot(name))
            return Hammer2Error.IsADirectory;
        Hammer2Error error = TryBegin(OperationClaims.Names(), ClaimLevel.Remove, out VolumeWriter writer, out Operation operation);
        if (error != Hammer2Error.None)
            return error;
        using Operation running = operation;
        while (true)
        {
            error = TryFindTarget(directory, name, out Inode? target);
            if (error != Hammer2Error.None)
                return error;
            try
            {
                // What is checked here is checked again under the locks: the entry must still lead to this target.
                if (only != 0 && target?.Slot.InodeNumber != only)
                    return Hammer2Error.NotFound;
                error = TryRemoveLocked(directory.Inode.Slot, name, target, isDirectory, writer, operation.Ledger);
                if (error != Hammer2Error.Unsupported)
                    return error;
            }
            finally
            {
                if (target is not null)
                    Index.Close(target);
            }
        }
    }

    // Unsupported stands for "the name leads elsewhere by now": look it up again.
    private Hammer2Error TryRemoveLocked(
        InodeSlot directory, ReadOnlySpan<byte> name, Inode? target, bool isDirectory, VolumeWriter writer, SpaceLedger ledger)
    {
        using InodeLocks held = InodeLocks.Exclusive(directory, target?.Slot);
        InodeContent parent = directory.Current.Content;
        Hammer2Error error = Directories.TryFindEntry(parent, name, out BlockRef entry);
        if (error != Hammer2Error.None)
            return error;
        if (target is null ? !Index.IsRemoved(entry.DirentInode) && Index.TryFind(entry.DirentInode, out _) : entry.DirentInode != target.Slot.InodeNumber)
            return Hammer2Error.Unsupported;
        if (BsdFlags.Forbid(parent.Data.UserFlags, BsdFlags.Fixed))
            return Hammer2Error.NotPermitted;
        if (target is not null)
        {
            error = CheckRemovable(target.Slot.Current.Content, isDirectory);
            if (error != Hammer2Error.None)
                return error;
        }
        else if (isDirectory != (entry.DirentType == ObjectType.Directory))
        {
            return isDirectory ? Hammer2Error.NotADirectory : Hammer2Error.IsADirectory;
        }

        long now = MediaTime.Now();
        Index.MarkDirty(directory, ledger);
        if (target is not null)
            Index.MarkDirty(target.Slot, ledger);
        State.DirectoryWriter!.Remove(parent, entry, ledger);
        if (target is not null)
            DropName(target.Slot, now, writer.OpenTid);
        Touch(directory, now);
        CountSubdirectory(parent, entry.DirentType, -1);
        Announce(PfsEventKind.Removed, directory.InodeNumber, name, entry.DirentInode, entry.DirentType);
        return Hammer2Error.None;
    }

    private Hammer2Error CheckRemovable(InodeContent target, bool isDirectory)
    {
        if (isDirectory != (target.Data.Type == ObjectType.Directory))
            return isDirectory ? Hammer2Error.NotADirectory : Hammer2Error.IsADirectory;
        if (BsdFlags.Forbid(target.Data.UserFlags, BsdFlags.Fixed | BsdFlags.NoUnlink))
            return Hammer2Error.NotPermitted;
        return isDirectory && !State.DirectoryWriter!.IsEmpty(target) ? Hammer2Error.NotEmpty : Hammer2Error.None;
    }

    // One name less; without any the inode leaves the index with the next commit, and only handles reach it (R8).
    private static void DropName(InodeSlot slot, long now, ulong openTid)
    {
        ref InodeData data = ref slot.Current.Content.Data;
        data.ChangeTime = now;
        data.LinkCount = data.Type == ObjectType.Directory || data.LinkCount == 0 ? 0 : data.LinkCount - 1;
        if (data.LinkCount > 0)
            return;
        slot.RemovedTid = openTid;
        slot.IsRemoved = true;
    }

    // The inode that a name leads to, opened; null for an entry whose inode does not exist any more, which can be removed too.
    private Hammer2Error TryFindTarget(Vnode directory, ReadOnlySpan<byte> name, out Inode? target)
    {
        target = null;
        while (true)
        {
            BlockRef entry;
            using (InodeLock held = InodeLock.Shared(directory.Inode))
            {
                Hammer2Error error = Directories.TryFindEntry(held.Chain.Content, name, out entry);
                if (error != Hammer2Error.None)
                    return error;

                // An inode is removed under the lock of the directory that has its last name. A name that it has all
                // the same is there because the volume's link counts are wrong, and stays, however often one looks.
                if (Index.IsRemoved(entry.DirentInode))
                    return Hammer2Error.None;
            }

            if (Index.TryOpen(entry.DirentInode, out target) == Hammer2Error.None || !Index.IsRemoved(entry.DirentInode))
                return Hammer2Error.None;
        }
    }

    private Hammer2Error TryBegin(in SpaceClaim worst, ClaimLevel level, out VolumeWriter writer, out Operation operation)
    {
        operation = default;
        writer = State.Writer!;
        return writer is null ? Hammer2Error.ReadOnly : writer.Committer.TryBegin(worst, level, out operation);
    }

    private Hammer2Error CheckNewName(Vnode directory, ReadOnlySpan<byte> name)
    {
        ArgumentNullException.ThrowIfNull(directory);
        Volume.ThrowIfClosed();
        if (directory.Type != ObjectType.Directory)
            return Hammer2Error.NotADirectory;
        return IsDot(name) ? Hammer2Error.Exists : DirectoryReader.CheckName(name);
    }

    private static Hammer2Error CheckNew(in NewInode what) => what.Type switch
    {
        ObjectType.Symlink => what.SymlinkTarget.Length switch
        {
            0 => Hammer2Error.InvalidArgument,
            > SymlinkBytesMax => Hammer2Error.NameTooLong,
            _ => what.SymlinkTarget.Contains((byte)0) ? Hammer2Error.InvalidArgument : Hammer2Error.None,
        },
        ObjectType.Directory or ObjectType.File or ObjectType.Fifo or ObjectType.CharDevice or ObjectType.BlockDevice or ObjectType.Socket =>
            what.SymlinkTarget.IsEmpty ? Hammer2Error.None : Hammer2Error.InvalidArgument,
        _ => Hammer2Error.InvalidArgument,
    };

    private Hammer2Error CheckFree(InodeSlot directory, InodeContent parent, ReadOnlySpan<byte> name)
    {
        if (directory.IsRemoved)
            return Hammer2Error.NotFound;
        Hammer2Error error = Directories.TryFindEntry(parent, name, out _);
        if (error != Hammer2Error.NotFound)
            return error == Hammer2Error.None ? Hammer2Error.Exists : error;
        return BsdFlags.Forbid(parent.Data.UserFlags, BsdFlags.Immutable) ? Hammer2Error.NotPermitted : Hammer2Error.None;
    }

    private static InodeData NewData(InodeContent parent, in NewInode what)
    {
        long now = MediaTime.Now();
        return new InodeData
        {
            Type = what.Type,
            Mode = what.Mode & 0xFFF,
            Uid = what.Uid,
            Gid = what.Gid ?? parent.Data.Gid,
            DeviceMajor = what.DeviceMajor,
            DeviceMinor = what.DeviceMinor,
            UserFlags = what.UserFlags,
            ChangeTime = now,
            ModifyTime = now,
            BirthTime = what.BirthTimeUs ?? now,
            LinkCount = 1,
            ParentInode = parent.Data.InodeNumber,
            CompressionSetting = parent.Data.CompressionSetting,
            CheckSetting = parent.Data.CheckSetting,
        };
    }

    // What the reference to a new inode says: the settings of its directory, but metadata is never without a check (4.3).
    private static byte MethodsBelow(InodeContent parent)
    {
        int check = parent.Data.CheckSetting & 0x0F;
        if (check == (int)CheckMethod.None)
            check = (int)CheckMethod.XxHash64;
        return (byte)(check << 4 | parent.Data.CompressionSetting & 0x0F);
    }

    // The last that the operation makes dirty; settled under the lock, since a write-out may take the block from then on.
    private void WriteTarget(Inode inode, ReadOnlySpan<byte> target, in Operation operation)
    {
        using InodeLock held = InodeLock.Exclusive(inode);
        State.FileWriter!.Write(inode.Slot, 0, target, operation.Ledger);
        operation.Settle();
    }

    // A new object whose name could not be made: nobody has seen it, and no commit will.
    private void Forget(Inode inode)
    {
        using (InodeLock held = InodeLock.Exclusive(inode))
        {
            held.Chain.Content.Data.LinkCount = 0;
            inode.Slot.IsRemoved = true;
        }

        Index.Close(inode);
    }

    // A directory whose names changed; it was marked dirty before.
    private static void Touch(InodeSlot directory, long now)
    {
        Invariant.Check(directory.IsDirty);
        directory.NamesChanged();
        ref InodeData data = ref directory.Current.Content.Data;
        data.ModifyTime = now;
        data.ChangeTime = now;
    }

    // DragonFly leaves 1 in every directory; where another system counts subdirectories, the count goes on (5.4).
    private static void CountSubdirectory(InodeContent parent, ObjectType type, int change)
    {
        if (type == ObjectType.Directory && parent.Data.LinkCount > 1)
            parent.Data.LinkCount = (ulong)Math.Max(2, (long)parent.Data.LinkCount + change);
    }

    private static bool IsDot(ReadOnlySpan<byte> name) => name.SequenceEqual("."u8) || name.SequenceEqual(".."u8);
}
