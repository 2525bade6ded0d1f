// Does the planned steps of one PFS with the means of the write engine: each step is one operation of the commit gate, so a
// commit has all of it or nothing. Nothing is trusted that the plan says of the medium: every entry and inode is looked up again,
// and what is not as expected is left and reported. Times of directories stay: a repair is no change of the tree.

using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Transactions;
using Hammer2.Engine.Volumes;

namespace Hammer2.Engine.Checking;

/// <summary>Repairs one PFS of a writable volume.</summary>
internal sealed partial class PfsRepairer
{
    private readonly Hammer2Volume _volume;
    private readonly VolumeWriter _writer;
    private readonly PfsState _pfs;

    internal PfsRepairer(Hammer2Volume volume, ulong rootKey)
    {
        _volume = volume;
        _writer = volume.Writer!;
        _pfs = volume.StateAt(rootKey);
    }

    private InodeIndex Index => _pfs.Index;

    /// <summary>Does one step.</summary>
    /// <exception cref="Hammer2Exception">It could not be done; nothing was changed by it.</exception>
    internal void Do(RepairStep step)
    {
        SpaceClaim claim = OperationClaims.Names();
        Hammer2Error error = _writer.Committer.TryBegin(claim, ClaimLevel.Remove, out Operation operation);
        if (error != Hammer2Error.None)
            throw new Hammer2Exception(error, error == Hammer2Error.NoSpace ? "There is no free space to write the repair into." : "The volume takes no more changes.");
        using Operation running = operation;
        SpaceLedger ledger = running.Ledger;
        switch (step.Kind)
        {
            case RepairKind.RaiseNextInode:
                RaiseNextInode(step.Value, ledger);
                break;
            case RepairKind.RemoveEntry:
                RemoveEntry(step.Place, ledger);
                break;
            case RepairKind.RetypeEntry:
                RetypeEntry(step.Place, (ObjectType)step.Value, ledger);
                break;
            case RepairKind.RenameEntry:
                RenameEntry(step.Place, ledger);
                break;
            case RepairKind.Rescue:
                Rescue(step.Place.Inode, (ObjectType)step.Value, ledger);
                break;
            default:
                ChangeInode(step, ledger);
                break;
        }
    }

    private void RaiseNextInode(ulong number, SpaceLedger ledger)
    {
        Index.RaiseNextInode(number);
        Index.MarkDirty(Index.Root, ledger);
    }

    private void RemoveEntry(in Place place, SpaceLedger ledger) => InDirectory(place.Inode, place.EntryKey, (InodeSlot slot, in BlockRef entry) =>
    {
        Index.MarkDirty(slot, ledger);
        _pfs.DirectoryWriter!.Remove(slot.Current.Content, entry, ledger);
    });

    private void RetypeEntry(in Place place, ObjectType type, SpaceLedger ledger) => InDirectory(place.Inode, place.EntryKey, (InodeSlot slot, in BlockRef entry) =>
    {
        Index.MarkDirty(slot, ledger);
        _pfs.DirectoryWriter!.Retarget(slot.Current.Content, entry, entry.DirentInode, type, _writer.OpenTid, _writer.NextModifyTid(), ledger);
    });

    // A possible name goes to where its hash says; one that is taken gets the inode number behind it, an impossible one is replaced by that.
    private void RenameEntry(in Place place, SpaceLedger ledger) => InDirectory(place.Inode, place.EntryKey, (InodeSlot slot, in BlockRef entry) =>
    {
        InodeContent directory = slot.Current.Content;
        byte[]? name = NameOf(directory, entry);
        if (name is null && (entry.DirentInode == FormatLimits.RootInodeNumber || !Index.TryFind(entry.DirentInode, out _)))
        {
            Index.MarkDirty(slot, ledger);
            _pfs.DirectoryWriter!.Remove(directory, entry, ledger);
            return;
        }

        string number = entry.DirentInode.ToString(CultureInfo.InvariantCulture);
        byte[] wanted = name ?? Encoding.ASCII.GetBytes("#" + number);
        Hammer2Error found = _pfs.Directories.TryFindEntry(directory, wanted, out BlockRef other);
        if (found == Hammer2Error.None && other.Key == entry.Key && other.Type == BlockRefType.Dirent)
            return;
        if (found == Hammer2Error.None)
            wanted = FreeName(directory, wanted, number);
        Index.MarkDirty(slot, ledger);
        _pfs.DirectoryWriter!.Remove(directory, entry, ledger);
        AddEntry(directory, wanted, entry.DirentInode, entry.DirentType, ledger);
    });

    private void AddEntry(InodeContent directory, byte[] name, ulong inode, ObjectType type, SpaceLedger ledger)
    {
        Hammer2Error error = _pfs.DirectoryWriter!.TryAdd(directory, name, inode, type, _writer.OpenTid, _writer.NextModifyTid(), ledger);
        if (error != Hammer2Error.None)
            throw new Hammer2Exception(error, "The directory has no room for another name of that hash.");
    }

    // The name when it is a possible one; the walk has seen that it can be read.
    private byte[]? NameOf(InodeContent directory, in BlockRef entry)
    {
        int length = entry.DirentNameLength;
        if (length is 0 or > FormatLimits.NameBytesMax || entry.Physical.HasData == (length <= FormatLimits.InlineNameBytesMax))
            return null;
        byte[]? name = directory.Tree.PendingName(entry.Key);
        if (name is null && entry.Physical.HasData)
        {
            using BlockLease lease = _volume.Reader.GetMetadata(entry);
            name = lease.Data[..length].ToArray();
        }

        name ??= BlockRef.CheckBytes(entry)[..length].ToArray();
        bool dots = name.AsSpan().SequenceEqual("."u8) || name.AsSpan().SequenceEqual(".."u8);
        return !dots && DirectoryReader.CheckName(name) == Hammer2Error.None ? name : null;
    }

    // name~number, cut to what a name may have, and counted on until it is free.
    private byte[] FreeName(InodeContent directory, byte[] name, string number)
    {
        for (int n = 1; ; n++)
        {
            byte[] suffix = Encoding.ASCII.GetBytes(n == 1 ? "~" + number : string.Create(CultureInfo.InvariantCulture, $"~{number}~{n}"));
            byte[] candidate = [.. name.AsSpan(0, Math.Min(name.Length, FormatLimits.NameBytesMax - suffix.Length)), .. suffix];
            if (_pfs.Directories.TryFindEntry(directory, candidate, out _) == Hammer2Error.NotFound)
                return candidate;
        }
    }

    private void InDirectory(ulong number, ulong key, EntryChange change)
    {
        Inode inode = Open(number);
        try
        {
            using InodeLock held = InodeLock.Exclusive(inode);
            InodeContent directory = inode.Slot.Current.Content;
            if (directory.Data.Type != ObjectType.Directory)
                throw new Hammer2Exception(Hammer2Error.NotADirectory, $"Inode {number} is no directory.");

            // An earlier step may have taken the entry away.
            if (!directory.Tree.TryFind(_volume.Reader, key, out BlockRef entry) || entry.Key != key)
                return;
            if (entry.Type != BlockRefType.Dirent)
                throw new Hammer2Exception(Hammer2Error.Unsupported, $"The inode lies in its directory {number}, as very old volumes have it.");
            change(inode.Slot, entry);
        }
        finally
        {
            Index.Close(inode);
        }
    }

    private Inode Open(ulong number)
    {
        Hammer2Error error = Index.TryOpen(number, out Inode? inode);
        return error == Hammer2Error.None ? inode! : throw new Hammer2Exception(error, $"There is no inode {number}.");
    }

    private delegate void EntryChange(InodeSlot directory, in BlockRef entry);
}
