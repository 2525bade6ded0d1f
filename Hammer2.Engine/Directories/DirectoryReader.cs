// Look-up and listing of directories (format page 6). An entry is found by its hash range and compared by bytes;
// a listing walks keys in order, batch by batch, and fetches the inodes of a batch together. Names with more than
// 64 bytes live in a block of their own. Old volumes have the inode itself at the hash key; both are read.

using System.Runtime.InteropServices;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Topology;

namespace Hammer2.Engine.Directories;

/// <summary>Reads the directories of one PFS.</summary>
internal sealed class DirectoryReader(BlockReader reader, InodeIndex index)
{
    private const int LookupChunk = 8;
    private const int ListChunk = 64;
    private const ulong PositionMask = FormatLimits.DirectoryKeyBase - 1;
    private const ulong DotPosition = 1;
    private const ulong DotDotPosition = 2;

    // Bit 15 is set in every real key, which keeps the positions below it free for the dots.
    private const ulong FirstPosition = 0x8000;

    [ThreadStatic]
    private static TreeDamage? t_damage;

    /// <summary>Finds a name ("." and ".." too) in a directory.</summary>
    /// <param name="directory">The locked directory.</param>
    /// <param name="name">Exact bytes, 1 to 255.</param>
    /// <param name="inodeNumber">The target.</param>
    /// <exception cref="Hammer2Exception">The name was not found, but a part of the directory where it may be is unreadable.</exception>
    internal Hammer2Error TryLookup(InodeContent directory, ReadOnlySpan<byte> name, out ulong inodeNumber)
    {
        inodeNumber = 0;
        if (directory.Data.Type != ObjectType.Directory)
            return Hammer2Error.NotADirectory;
        if (IsDot(name, directory.Data, ref inodeNumber))
            return Hammer2Error.None;
        Hammer2Error error = TryFindEntry(directory, name, out BlockRef entry);
        inodeNumber = entry.DirentInode;
        return error;
    }

    /// <summary>Finds the entry of a name in a locked directory.</summary>
    /// <param name="directory">The locked directory.</param>
    /// <param name="name">Exact bytes, 1 to 255; not "." or "..".</param>
    /// <param name="entry">The entry; of an inode that lies in its directory only the target is set, and the type.</param>
    internal Hammer2Error TryFindEntry(InodeContent directory, ReadOnlySpan<byte> name, out BlockRef entry)
    {
        entry = default;
        if (directory.Data.Type != ObjectType.Directory)
            return Hammer2Error.NotADirectory;
        Hammer2Error legal = CheckName(name);
        return legal != Hammer2Error.None ? legal : Search(directory.Tree, default, name, out entry);
    }

    /// <summary>Finds a name in a directory given by inode number; makes no object where the directory is not open.</summary>
    /// <param name="directoryInode">The directory, not locked.</param>
    /// <param name="name">Exact bytes.</param>
    /// <param name="inodeNumber">The target.</param>
    /// <param name="type">What the entry says of it; unknown where the inode itself lies in the directory.</param>
    internal Hammer2Error TryLookup(ulong directoryInode, ReadOnlySpan<byte> name, out ulong inodeNumber, out ObjectType type)
    {
        inodeNumber = 0;
        type = ObjectType.Directory;
        if (index.TryPin(directoryInode, out InodeSlot? slot))
        {
            try
            {
                using InodeLock held = InodeLock.Shared(slot!);
                InodeContent content = held.Chain.Content;
                if (content.Data.Type == ObjectType.Directory && IsDot(name, content.Data, ref inodeNumber))
                    return Hammer2Error.None;
                return TargetOf(TryFindEntry(content, name, out BlockRef there), there, out inodeNumber, out type);
            }
            finally
            {
                index.Unpin(slot!);
            }
        }

        // An inode that nobody holds open is on the medium as it is.
        if (!index.TryFind(directoryInode, out BlockRef bref))
            return Hammer2Error.NotFound;
        using BlockLease lease = reader.GetMetadata(bref);
        ref readonly InodeData data = ref MemoryMarshal.AsRef<InodeData>(lease.Data);
        InodeContent.Validate(bref, data);
        Span<BlockRef> blockset = stackalloc BlockRef[FormatLimits.BlockSetCount];
        if (data.Type != ObjectType.Directory)
            return Hammer2Error.NotADirectory;
        lease.Data.Slice(InodeData.UnionOffset, FormatLimits.BlockSetBytes).CopyTo(MemoryMarshal.AsBytes(blockset));
        if (IsDot(name, data, ref inodeNumber))
            return Hammer2Error.None;
        Hammer2Error legal = CheckName(name);
        if (legal != Hammer2Error.None)
            return legal;
        int live = NodeArray.Normalise(blockset, "Blockset of a directory");
        return TargetOf(Search(null, blockset[..live], name, out BlockRef entry), entry, out inodeNumber, out type);
    }

    private static Hammer2Error TargetOf(Hammer2Error error, in BlockRef entry, out ulong inodeNumber, out ObjectType type)
    {
        inodeNumber = entry.DirentInode;
        type = entry.Type == BlockRefType.Dirent ? entry.DirentType : ObjectType.Unknown;
        return error;
    }

    private static bool IsDot(ReadOnlySpan<byte> name, in InodeData directory, ref ulong inodeNumber)
    {
        if (!name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8))
            return false;
        bool up = name.Length == 2 && directory.InodeNumber != FormatLimits.RootInodeNumber;
        inodeNumber = up ? directory.ParentInode : directory.InodeNumber;
        return true;
    }

    // In a tree in memory, or below a blockset that was read from a cached inode block.
    private Hammer2Error Search(MutableTree? tree, ReadOnlySpan<BlockRef> blockset, ReadOnlySpan<byte> name, out BlockRef entry)
    {
        entry = default;
        ulong hash = DirectoryHash.Compute(name);
        ulong last = hash + FormatLimits.CollisionMask;
        ulong? next = hash;
        Hammer2Exception? failure = null;
        Span<BlockRef> refs = stackalloc BlockRef[LookupChunk];
        TreeDamage damage = t_damage ??= new TreeDamage();
        damage.Clear();
        while (next is ulong begin)
        {
            int count = tree is null
                ? BlockTree.Gather(reader, blockset, begin, last, refs, damage, out next)
                : tree.Gather(reader, begin, last, refs, damage, out next);
            for (int i = 0; i < count; i++)
            {
                try
                {
                    if (!Matches(refs[i], tree, name, out ulong target))
                        continue;
                    entry = refs[i];
                    entry.DirentInode = target;
                    return Hammer2Error.None;
                }
                catch (Hammer2Exception e)
                {
                    // Another entry of the same hash may still be the right one.
                    failure ??= e;
                }
            }
        }

        if (damage.Count > 0)
            failure ??= damage.Failures[0];
        return failure is null ? Hammer2Error.NotFound : throw failure;
    }

    /// <summary>Fills a batch with the entries after <paramref name="position"/>; takes the directory's lock.</summary>
    internal void List(Inode directory, ulong position, DirectoryBatch batch)
    {
        using (InodeLock held = InodeLock.Shared(directory))
            ListNames(held.Chain.Content, position, batch);

        // Without the lock: inodes are locked in the order of their numbers, or not together.
        if (!batch.WithAttributes)
            return;
        FetchAttributes(batch);
        DropRemoved(directory, batch);
    }

    private void ListNames(InodeContent directory, ulong position, DirectoryBatch batch)
    {
        if (directory.Data.Type != ObjectType.Directory)
            throw new Hammer2Exception(Hammer2Error.NotADirectory, $"Inode {directory.Data.InodeNumber} is not a directory.");
        batch.Clear();
        if (batch.WithDots && !AddDots(directory, position, batch))
            return;

        Span<BlockRef> refs = stackalloc BlockRef[ListChunk];
        ulong? next = position >= PositionMask ? null : FormatLimits.DirectoryKeyBase | Math.Max(position + 1, FirstPosition);
        while (next is ulong begin && !batch.IsFull)
        {
            Span<BlockRef> room = refs[..Math.Min(refs.Length, batch.Capacity - batch.Count)];
            int count = directory.Tree.Gather(reader, begin, ulong.MaxValue, room, batch.TreeDamage, out next);
            PrefetchNames(room[..count]);
            for (int i = 0; i < count; i++)
                AddEntry(room[i], directory.Tree, batch);
        }

        batch.EndOfDirectory = next is null;
        batch.NextPosition = next is ulong key ? (key & PositionMask) - 1 : PositionMask;
    }

    // Between the names and their attributes an entry may have been removed: such a one is no damage, it is gone.
    private void DropRemoved(Inode directory, DirectoryBatch batch)
    {
        bool missing = false;
        foreach (ref readonly DirectoryRecord record in batch.Records)
            missing |= record.Error == Hammer2Error.NotFound;
        if (missing)
            DropGone(directory, batch);
    }

    private void DropGone(Inode directory, DirectoryBatch batch)
    {
        using InodeLock held = InodeLock.Shared(directory);
        MutableTree tree = held.Chain.Content.Tree;
        batch.RemoveWhere(r => r.Error == Hammer2Error.NotFound && r.Position > DotDotPosition
            && !(tree.TryFind(reader, r.Position | FormatLimits.DirectoryKeyBase, out BlockRef entry) && entry.DirentInode == r.InodeNumber));
    }

    /// <summary>Says whether a name may stand in a directory at all.</summary>
    internal static Hammer2Error CheckName(ReadOnlySpan<byte> name)
    {
        if (name.Length > FormatLimits.NameBytesMax)
            return Hammer2Error.NameTooLong;
        return name.IsEmpty || name.IndexOfAny((byte)0, (byte)'/') >= 0 ? Hammer2Error.InvalidName : Hammer2Error.None;
    }

    // False when the batch is so small that it ends between the dots.
    private static bool AddDots(InodeContent directory, ulong position, DirectoryBatch batch)
    {
        ref readonly InodeData data = ref directory.Data;
        if (position < DotPosition)
            batch.Add(DotPosition, data.InodeNumber, ObjectType.Directory, "."u8);
        if (position < DotDotPosition && batch.IsFull)
        {
            batch.NextPosition = DotPosition;
            return false;
        }

        if (position < DotDotPosition)
        {
            bool atRoot = data.InodeNumber == FormatLimits.RootInodeNumber;
            batch.Add(DotDotPosition, atRoot ? data.InodeNumber : data.ParentInode, ObjectType.Directory, ".."u8);
        }

        return true;
    }

    private bool Matches(in BlockRef bref, MutableTree? tree, ReadOnlySpan<byte> name, out ulong inodeNumber)
    {
        inodeNumber = 0;
        CheckSingleKey(bref);
        if (bref.Type == BlockRefType.Inode)
        {
            using BlockLease inode = reader.GetMetadata(bref);
            ref readonly InodeData data = ref MemoryMarshal.AsRef<InodeData>(inode.Data);
            InodeContent.Validate(bref, data);
            if (!inode.Data.Slice(InodeData.NameOffset, data.NameLength).SequenceEqual(name))
                return false;
            inodeNumber = data.InodeNumber;
            index.RememberLegacy(inodeNumber, bref);
            return true;
        }

        byte[]? waiting = WaitingName(bref, tree);
        CheckDirent(bref, waiting is not null);
        if (bref.DirentNameLength != name.Length)
            return false;
        inodeNumber = bref.DirentInode;
        if (waiting is not null)
            return name.SequenceEqual(waiting);
        if (!bref.Physical.HasData)
            return BlockRef.CheckBytes(bref)[..name.Length].SequenceEqual(name);
        using BlockLease block = reader.GetMetadata(bref);
        return block.Data[..name.Length].SequenceEqual(name);
    }

    // A long name that no commit has written yet has no block; it stands beside its entry.
    private static byte[]? WaitingName(in BlockRef bref, MutableTree? tree) =>
        tree is not null && bref.Type == BlockRefType.Dirent && !bref.Physical.HasData && bref.DirentNameLength > FormatLimits.InlineNameBytesMax
            ? tree.PendingName(bref.Key)
            : null;

    private void AddEntry(in BlockRef bref, MutableTree tree, DirectoryBatch batch)
    {
        ulong position = bref.Key & PositionMask;
        try
        {
            CheckSingleKey(bref);
            if (bref.Type == BlockRefType.Inode)
            {
                using BlockLease inode = reader.GetMetadata(bref);
                ref readonly InodeData data = ref MemoryMarshal.AsRef<InodeData>(inode.Data);
                InodeContent.Validate(bref, data);
                index.RememberLegacy(data.InodeNumber, bref);
                AddNamed(position, data.InodeNumber, data.Type, inode.Data.Slice(InodeData.NameOffset, data.NameLength), batch);
                return;
            }

            byte[]? waiting = WaitingName(bref, tree);
            CheckDirent(bref, waiting is not null);
            if (waiting is not null)
            {
                AddNamed(position, bref.DirentInode, bref.DirentType, waiting, batch);
                return;
            }

            if (!bref.Physical.HasData)
            {
                AddNamed(position, bref.DirentInode, bref.DirentType, BlockRef.CheckBytes(bref)[..bref.DirentNameLength], batch);
                return;
            }

            using BlockLease block = reader.GetMetadata(bref);
            AddNamed(position, bref.DirentInode, bref.DirentType, block.Data[..bref.DirentNameLength], batch);
        }
        catch (Hammer2Exception e)
        {
            batch.TreeDamage.Add(e);
        }
    }

    private static void AddNamed(ulong position, ulong inodeNumber, ObjectType type, ReadOnlySpan<byte> name, DirectoryBatch batch)
    {
        // A name with '/' or NUL, "." or ".." from the medium would lead programs outside the directory.
        if (CheckName(name) != Hammer2Error.None || name.SequenceEqual("."u8) || name.SequenceEqual(".."u8))
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"Directory entry of inode {inodeNumber} has an impossible name ({Convert.ToHexStringLower(name)}).");
        batch.Add(position, inodeNumber, type, name);
    }

    // An entry that claims a range of keys would be met again at every position inside it: a listing without end.
    private static void CheckSingleKey(in BlockRef bref)
    {
        if (bref.KeyBits != 0)
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {bref} stands in a directory but claims more than one key.");
    }

    private static void CheckDirent(in BlockRef bref, bool nameInMemory)
    {
        if (bref.Type != BlockRefType.Dirent)
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {bref} stands where a directory entry belongs.");
        bool inline = !bref.Physical.HasData && !nameInMemory;
        if (bref.DirentNameLength == 0 || bref.DirentNameLength > (inline ? FormatLimits.InlineNameBytesMax : FormatLimits.NameBytesMax))
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"Directory entry at key 0x{bref.Key:x} has a name length of {bref.DirentNameLength}.");
    }

    private void PrefetchNames(ReadOnlySpan<BlockRef> entries)
    {
        Span<BlockRef> blocks = stackalloc BlockRef[ListChunk];
        int count = 0;
        foreach (ref readonly BlockRef bref in entries)
        {
            if (bref.Physical.HasData)
                blocks[count++] = bref;
        }

        if (count > 1)
            reader.Prefetch(blocks[..count], 0);
    }

    // In the order of inode numbers, because neighbours share arrays of the index and regions of the medium. In chunks: find
    // the references, decode what is in memory, fetch the other inode blocks together and decode them.
    private void FetchAttributes(DirectoryBatch batch)
    {
        Span<ulong> numbers = stackalloc ulong[ListChunk];
        Span<int> wanted = stackalloc int[ListChunk];
        Span<BlockRef> found = stackalloc BlockRef[ListChunk];
        Span<DirectoryRecord> records = batch.Records;
        ReadOnlySpan<int> order = batch.OrderOfInodes();
        for (int start = 0; start < order.Length; start += ListChunk)
        {
            int count = 0;
            foreach (int i in order[start..Math.Min(start + ListChunk, order.Length)])
            {
                if (index.TryGetFromMemory(records[i].InodeNumber, out records[i].Attributes))
                    continue;
                numbers[count] = records[i].InodeNumber;
                wanted[count++] = i;
            }

            index.FindEach(numbers[..count], found[..count]);
            int missing = 0;
            for (int i = 0; i < count; i++)
            {
                ref DirectoryRecord record = ref records[wanted[i]];
                if ((found[i].Type == BlockRefType.Empty && !Find(ref record, out found[i], batch)) || TryDecodeCached(ref record, found[i], batch))
                    continue;
                found[missing] = found[i];
                wanted[missing++] = wanted[i];
            }

            DecodeMissing(records, wanted[..missing], found[..missing], batch);
        }
    }

    private void DecodeMissing(Span<DirectoryRecord> records, ReadOnlySpan<int> wanted, ReadOnlySpan<BlockRef> found, DirectoryBatch batch)
    {
        if (wanted.Length > 1)
        {
            Span<BlockRef> toFetch = stackalloc BlockRef[ListChunk];
            found.CopyTo(toFetch);
            reader.Prefetch(toFetch[..found.Length], 0);
        }

        for (int i = 0; i < wanted.Length; i++)
            Decode(ref records[wanted[i]], found[i], batch);
    }

    private bool Find(ref DirectoryRecord record, out BlockRef bref, DirectoryBatch batch)
    {
        bref = default;
        try
        {
            if (index.TryGetFromMemory(record.InodeNumber, out record.Attributes) || index.TryFind(record.InodeNumber, out bref))
                return true;
            record.Error = Hammer2Error.NotFound;
        }
        catch (Hammer2Exception e)
        {
            record.Error = e.Error;
            batch.AddInodeFailure(e);
        }

        return false;
    }

    private bool TryDecodeCached(ref DirectoryRecord record, in BlockRef bref, DirectoryBatch batch)
    {
        try
        {
            return bref.Type == BlockRefType.Empty || index.TryReadCached(bref, record.InodeNumber, out record.Attributes);
        }
        catch (Hammer2Exception e)
        {
            record.Error = e.Error;
            batch.AddInodeFailure(e);
            return true;
        }
    }

    private void Decode(ref DirectoryRecord record, in BlockRef bref, DirectoryBatch batch)
    {
        try
        {
            record.Attributes = index.ReadAttributes(bref, record.InodeNumber);
        }
        catch (Hammer2Exception e)
        {
            record.Error = e.Error;
            batch.AddInodeFailure(e);
        }
    }
}
