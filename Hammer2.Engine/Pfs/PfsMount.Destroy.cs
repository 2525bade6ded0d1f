// Tools for broken trees: a name without regard to its object, an object without regard to its names (format page 14, "destroy"
// and "destroy-inum"). They leave what a strict check complains about, by design: the other half is the caller's. Nothing below
// the inode is read, and the inode itself need not be readable.

using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Transactions;
using Hammer2.Engine.Volumes;

namespace Hammer2.Engine.Pfs;

public sealed partial class PfsMount
{
    /// <summary>Removes a directory entry and nothing else: the object keeps its link count, and exists without the name.</summary>
    /// <returns>NotFound, NotADirectory, InvalidName, NameTooLong, Unsupported (very old volumes), NoSpace, ReadOnly.</returns>
    /// <exception cref="Hammer2Exception">The name was not found, but a part of the directory where it may be cannot be read.</exception>
    public Hammer2Error TryDestroyName(Vnode directory, ReadOnlySpan<byte> name)
    {
        ArgumentNullException.ThrowIfNull(directory);
        Volume.ThrowIfClosed();
        if (IsDot(name))
            return Hammer2Error.InvalidName;
        Hammer2Error error = TryBegin(OperationClaims.Names(), ClaimLevel.Remove, out VolumeWriter _, out Operation operation);
        if (error != Hammer2Error.None)
            return error;
        using Operation running = operation;
        using InodeLock held = InodeLock.Exclusive(directory.Inode);
        InodeContent parent = held.Chain.Content;
        error = Directories.TryFindEntry(parent, name, out BlockRef entry);
        if (error != Hammer2Error.None)
            return error;
        if (entry.Type != BlockRefType.Dirent)
            return Hammer2Error.Unsupported;
        Index.MarkDirty(directory.Inode.Slot, operation.Ledger);
        State.DirectoryWriter!.Remove(parent, entry, operation.Ledger);
        Touch(directory.Inode.Slot, MediaTime.Now());
        Announce(PfsEventKind.Removed, directory.InodeNumber, name, entry.DirentInode, entry.DirentType);
        return Hammer2Error.None;
    }

    /// <summary>Removes an inode from the index and nothing else: its names stay and lead nowhere. Who has it open can use it on.</summary>
    /// <returns>NotFound, InvalidArgument (the root, or no inode number), Unsupported (very old volumes), NoSpace, ReadOnly.</returns>
    public Hammer2Error TryDestroyInode(ulong inodeNumber)
    {
        Volume.ThrowIfClosed();
        if (inodeNumber is <= FormatLimits.RootInodeNumber or >= FormatLimits.DirectoryKeyBase)
            return Hammer2Error.InvalidArgument;
        Hammer2Error error = TryBegin(OperationClaims.Names(), ClaimLevel.Remove, out VolumeWriter writer, out Operation operation);
        if (error != Hammer2Error.None)
            return error;
        using Operation running = operation;
        while (true)
        {
            if (Index.TryPin(inodeNumber, out InodeSlot? slot))
            {
                try
                {
                    return Destroy(slot!, writer, operation);
                }
                finally
                {
                    Index.Unpin(slot!);
                }
            }

            error = Index.TryTakeOut(inodeNumber, operation.Ledger, out BlockRef taken);
            if (error == Hammer2Error.None)
            {
                writer.Space.Note(taken.DataCount);
                Announce(inodeNumber);
            }

            if (error != Hammer2Error.InUse)
                return error;
        }
    }

    // In memory: as if the last name had gone (R8), but for the names.
    private Hammer2Error Destroy(InodeSlot slot, VolumeWriter writer, in Operation operation)
    {
        using InodeLock held = InodeLock.Exclusive(slot);
        if (slot.IsRemoved)
            return Hammer2Error.NotFound;
        if (slot.IsLegacy)
            return Hammer2Error.Unsupported;
        Index.MarkDirty(slot, operation.Ledger);
        slot.RemovedTid = writer.OpenTid;
        slot.IsRemoved = true;
        Announce(slot.InodeNumber);
        return Hammer2Error.None;
    }
}
