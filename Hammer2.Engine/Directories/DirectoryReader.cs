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
    internal Hammer2Error TryLookup(InodeChain directory, ReadOnlySpan<byte> name, out ulong inodeNumber) =>
        TryLookup(directory.Content.Data, directory.Content.Blockset, name, out inodeNumber);

    /// <summary>Finds a name in a directory given by inode number; makes no object where the directory is not open.</summary>
    internal Hammer2Error TryLookup(ulong directoryInode, ReadOnlySpan<byte> name, out ulong inodeNumber)
    {
        inodeNumber = 0;
        if (index.TryPin(directoryInode, out InodeSlot? slot))
        {
            try
            {
                using InodeLock held = InodeLock.Shared(slot!);
                return TryLookup(held.Chain, name, out inodeNumber);
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
        int live = NodeArray.Normalise(blockset, "Blockset of a directory");
        return TryLookup(data, blockset[..live], name, out inodeNumber);
    }

    private Hammer2Error TryLookup(in InodeData directory, ReadOnlySpan<BlockRef> blockset, ReadOnlySpan<byte> name, out ulong inodeNumber)
    {
        inodeNumber = 0;
        if (directory.Type != ObjectType.Directory)
            return Hammer2Error.NotADirectory;
        Hammer2Error legal = CheckName(name);
        if (legal != Hammer2Error.None)
            return legal;
        if (name.SequenceEqual("."u8) || name.SequenceEqual(".."u8))
        {
            bool up = name.Length == 2 && directory.InodeNumber != FormatLimits.RootInodeNumber;
            inodeNumber = up ? directory.ParentInode : directory.InodeNumber;
            return Hammer2Error.None;
        }

        ulong hash = DirectoryHash.Compute(name);
        ulong? next = hash;
        Hammer2Exception? failure = null;
        Span<BlockRef> refs = stackalloc BlockRef[LookupChunk];
        TreeDamage damage = t_damage ??= new TreeDamage();
        damage.Clear();
        while (next is ulong begin)
        {
            int count = BlockTree.Gather(reader, blockset, begin, hash + FormatLimits.CollisionMask, refs, damage, out next);
            for (int i = 0; i < count; i++)
            {
                try
                {
                    if (Matches(refs[i], name, out inodeNumber))
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

    /// <summary>Fills a batch with the entries after <paramref name="position"/>.</summary>
    internal void List(InodeChain directory, ulong position, DirectoryBatch batch)
    {
        if (directory.Content.Data.Type != ObjectType.Directory)
            throw new Hammer2Exception(Hammer2Error.NotADirectory, $"Inode {directory.Content.Data.InodeNumber} is not a directory.");
        batch.Clear();
        if (batch.WithDots && !AddDots(directory, position, batch))
            return;

        Span<BlockRef> refs = stackalloc BlockRef[ListChunk];
        ulong? next = position >= PositionMask ? null : FormatLimits.DirectoryKeyBase | Math.Max(position + 1, FirstPosition);
        while (next is ulong begin && !batch.IsFull)
        {
            Span<BlockRef> room = refs[..Math.Min(refs.Length, batch.Capacity - batch.Count)];
            int count = BlockTree.Gather(
                reader, directory.Content.Blockset, begin, ulong.MaxValue, room, batch.TreeDamage, out next);
            PrefetchNames(room[..count]);
            for (int i = 0; i < count; i++)
                AddEntry(room[i], batch);
        }

        batch.EndOfDirectory = next is null;
        batch.NextPosition = next is ulong key ? (key & PositionMask) - 1 : PositionMask;
        if (batch.WithAttributes)
            FetchAttributes(batch);
    }

    private static Hammer2Error CheckName(ReadOnlySpan<byte> name)
    {
        if (name.Length > FormatLimits.NameBytesMax)
            return Hammer2Error.NameTooLong;
        return name.IsEmpty || name.IndexOfAny((byte)0, (byte)'/') >= 0 ? Hammer2Error.InvalidName : Hammer2Error.None;
    }

    // False when the batch is so small that it ends between the dots.
    private bool AddDots(InodeChain directory, ulong position, DirectoryBatch batch)
    {
        ref readonly InodeData data = ref directory.Content.Data;
        if (position < DotPosition)
            batch.Add(DotPosition, data.InodeNumber, ObjectType.Directory, "."u8);
        if (position < DotDotPosition && batch.IsFull)
        {
            batch.NextPosition = DotPosition;
            if (batch.WithAttributes)
                FetchAttributes(batch);
            return false;
        }

        if (position < DotDotPosition)
        {
            bool atRoot = data.InodeNumber == FormatLimits.RootInodeNumber;
            batch.Add(DotDotPosition, atRoot ? data.InodeNumber : data.ParentInode, ObjectType.Directory, ".."u8);
        }

        return true;
    }

    private bool Matches(in BlockRef bref, ReadOnlySpan<byte> name, out ulong inodeNumber)
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

        CheckDirent(bref);
        if (bref.DirentNameLength != name.Length)
            return false;
        inodeNumber = bref.DirentInode;
        if (!bref.Physical.HasData)
            return BlockRef.CheckBytes(bref)[..name.Length].SequenceEqual(name);
        using BlockLease block = reader.GetMetadata(bref);
        return block.Data[..name.Length].SequenceEqual(name);
    }

    private void AddEntry(in BlockRef bref, DirectoryBatch batch)
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

            CheckDirent(bref);
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

    private static void CheckDirent(in BlockRef bref)
    {
        if (bref.Type != BlockRefType.Dirent)
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {bref} stands where a directory entry belongs.");
        bool inline = !bref.Physical.HasData;
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

    // In chunks: find the references, fetch the missing inode blocks together, then decode from memory.
    private void FetchAttributes(DirectoryBatch batch)
    {
        Span<BlockRef> found = stackalloc BlockRef[ListChunk];
        Span<BlockRef> toFetch = stackalloc BlockRef[ListChunk];
        Span<DirectoryRecord> records = batch.Records;
        for (int start = 0; start < records.Length; start += ListChunk)
        {
            Span<DirectoryRecord> chunk = records[start..Math.Min(start + ListChunk, records.Length)];
            int count = 0;
            for (int i = 0; i < chunk.Length; i++)
            {
                if (Find(ref chunk[i], out found[i], batch))
                    toFetch[count++] = found[i];
            }

            if (count > 1)
                reader.Prefetch(toFetch[..count], 0);
            for (int i = 0; i < chunk.Length; i++)
            {
                if (chunk[i].Error == Hammer2Error.None)
                    Decode(ref chunk[i], found[i], batch);
            }
        }
    }

    private bool Find(ref DirectoryRecord record, out BlockRef bref, DirectoryBatch batch)
    {
        bref = default;
        try
        {
            if (index.TryFind(record.InodeNumber, out bref))
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
