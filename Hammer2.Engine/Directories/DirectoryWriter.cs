// Changing the entries of a locked directory (format page 6.3, 6.4): where a new entry goes among those of the same
// hash, and how its name is stored. Entries are values in the directory's tree; the inode they name is not touched.

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Topology;

namespace Hammer2.Engine.Directories;

/// <summary>Adds and removes directory entries.</summary>
internal sealed class DirectoryWriter(BlockReader reader)
{
    private const int ScanChunk = 16;

    /// <summary>Adds an entry for a name that the directory does not have.</summary>
    /// <param name="directory">Locked exclusively.</param>
    /// <param name="name">1 to 255 bytes.</param>
    /// <param name="inodeNumber">The target.</param>
    /// <param name="type">Its kind.</param>
    /// <param name="mirrorTid">Of the commit to come.</param>
    /// <param name="modifyTid">Of this operation.</param>
    /// <param name="ledger">Charged for what gets dirty.</param>
    /// <returns>NoSpace when 32768 names share the hash.</returns>
    internal Hammer2Error TryAdd(
        InodeContent directory, ReadOnlySpan<byte> name, ulong inodeNumber, ObjectType type, ulong mirrorTid, ulong modifyTid, SpaceLedger ledger)
    {
        if (!TryFindFreeKey(directory.Tree, DirectoryHash.Compute(name), out ulong key))
            return Hammer2Error.NoSpace;
        var entry = new BlockRef
        {
            Type = BlockRefType.Dirent,
            Key = key,
            MirrorTid = mirrorTid,
            ModifyTid = modifyTid,
            DirentInode = inodeNumber,
            DirentNameLength = (ushort)name.Length,
            DirentType = type,
        };
        byte[]? block = null;
        if (name.Length <= FormatLimits.InlineNameBytesMax)
            name.CopyTo(MemoryMarshal.CreateSpan(ref Unsafe.As<CheckArea, byte>(ref entry.Check), CheckArea.Bytes));
        else
            block = name.ToArray();
        directory.Tree.Insert(reader, entry, block, ledger);
        return Hammer2Error.None;
    }

    /// <summary>Reads what removing or changing an entry needs, so that neither can fail in this operation.</summary>
    internal void Prepare(InodeContent directory, in BlockRef entry, SpaceLedger ledger) => directory.Tree.MakeRoom(reader, entry.Key, ledger);

    /// <summary>Removes an entry that was found in this directory under the same lock.</summary>
    internal void Remove(InodeContent directory, in BlockRef entry, SpaceLedger ledger)
    {
        BlockRef removed = directory.Tree.Delete(reader, entry.Key, ledger);
        Invariant.Check(removed.Type == BlockRefType.Dirent);
    }

    /// <summary>Lets an entry name another inode; its name and key stay.</summary>
    internal void Retarget(InodeContent directory, BlockRef entry, ulong inodeNumber, ObjectType type, ulong mirrorTid, ulong modifyTid, SpaceLedger ledger)
    {
        byte[]? name = directory.Tree.PendingName(entry.Key);
        entry.DirentInode = inodeNumber;
        entry.DirentType = type;
        entry.MirrorTid = mirrorTid;
        entry.ModifyTid = modifyTid;
        directory.Tree.Change(reader, entry, name, ledger);
    }

    /// <summary>True when the directory has no entry.</summary>
    internal bool IsEmpty(InodeContent directory)
    {
        Span<BlockRef> one = stackalloc BlockRef[1];
        return directory.Tree.Gather(reader, FormatLimits.DirectoryKeyBase, ulong.MaxValue, one, null, out _) == 0;
    }

    // The walk of 6.3: the first gap among the taken keys; after the last of them one more is left out, so that the
    // first entry of a hash stands at hash + 1.
    internal bool TryFindFreeKey(MutableTree tree, ulong hash, out ulong key)
    {
        key = hash;
        Span<BlockRef> taken = stackalloc BlockRef[ScanChunk];
        ulong? next = hash;
        while (next is ulong begin)
        {
            int count = tree.Gather(reader, begin, hash | FormatLimits.CollisionMask, taken, null, out next);
            for (int i = 0; i < count; i++)
            {
                if (taken[i].Key > key)
                    return true;
                key = taken[i].Key + 1;
            }
        }

        key++;
        if (key <= (hash | FormatLimits.CollisionMask))
            return true;
        key--;
        return key <= (hash | FormatLimits.CollisionMask);
    }
}
