// Changing the bytes of a locked file (format page 7.6, 7.7): small contents in the inode, everything else in logical
// blocks that wait in memory until they are written out. A block is read only where a part of it stays. Whoever calls
// holds the inode exclusively inside an operation whose claim covers what is touched.

using System.Numerics;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Files;

/// <summary>Writes file data into memory.</summary>
internal sealed class FileWriter(BlockReader reader, BlockWriter writer, DirtyBlockPool pool, DataWriteOut writeOut)
{
    private const ulong BlockMask = FormatLimits.LogicalBlockBytes - 1;

    // A root array of four references and nothing below it: such a file needs no indirect block.
    private const ulong RootOnlyBytes = FormatLimits.BlockSetCount * FormatLimits.LogicalBlockBytes;

    /// <summary>Writes a range; extends the file when it ends beyond its size.</summary>
    internal void Write(InodeSlot slot, long offset, ReadOnlySpan<byte> data, SpaceLedger ledger)
    {
        InodeContent content = slot.Current.Content;
        ulong end = (ulong)offset + (ulong)data.Length;
        ulong size = Math.Max(content.Data.Size, end);
        if (content.Embedded is not null)
        {
            if (end <= FormatLimits.EmbeddedBytes)
            {
                data.CopyTo(content.Embedded.AsSpan((int)offset));
                content.Data.Size = size;
                return;
            }

            LeaveDirectData(slot, size, ledger);
        }

        ulong oldSize = content.Data.Size;
        ClearStaleTail(slot, oldSize, (ulong)offset, ledger);

        // What can fail comes first, so that a write is there as a whole or not at all: blocks of which a part stays are loaded, and where
        // the others will be entered must be sound, since that happens when failing would fail the whole volume.
        for (ulong key = (ulong)offset & ~BlockMask; key < end; key += FormatLimits.LogicalBlockBytes)
        {
            if (!IsWhole((ulong)offset, end, key, oldSize))
                Change(slot, key, NeededBytes(key, size), whole: false, oldSize, ledger);
            else if (slot.Dirty is not DirtyBlocks dirty || !dirty.TryGet(key, out _))
                content.Tree.CheckPlace(reader, key, FormatLimits.LogicalBlockRadix);
        }

        ulong at = (ulong)offset;
        while (at < end)
        {
            ulong key = at & ~BlockMask;
            int length = (int)(Math.Min(end, key + FormatLimits.LogicalBlockBytes) - at);
            int from = (int)(at - key);
            bool whole = IsWhole((ulong)offset, end, key, oldSize);
            DirtyBlock block = Change(slot, key, NeededBytes(key, size), whole, oldSize, ledger);
            if (whole)
                block.Bytes[length..].Clear();
            data.Slice((int)(at - (ulong)offset), length).CopyTo(block.Bytes[from..]);
            at += (ulong)length;
        }

        content.Data.Size = size;
        writeOut.Note(slot);
    }

    /// <summary>Cuts or extends the file.</summary>
    internal void SetSize(InodeSlot slot, long newSize, SpaceLedger ledger)
    {
        InodeContent content = slot.Current.Content;
        ulong size = (ulong)newSize, old = content.Data.Size;
        if (content.Embedded is byte[] embedded)
        {
            if (size <= FormatLimits.EmbeddedBytes)
            {
                if (size < old)
                    embedded.AsSpan((int)size).Clear();
                content.Data.Size = size;
                return;
            }

            LeaveDirectData(slot, old, ledger);
        }

        if (size > old)
            ClearStaleTail(slot, old, size, ledger);
        else if (size < old)
            Cut(slot, size, old, ledger);
        content.Data.Size = size;
        writeOut.Note(slot);
    }

    /// <summary>Makes a range inside the file read as zeros.</summary>
    internal void Punch(InodeSlot slot, long offset, long length, SpaceLedger ledger)
    {
        InodeContent content = slot.Current.Content;
        ulong size = content.Data.Size;
        ulong begin = Math.Min((ulong)offset, size), end = Math.Min((ulong)offset + (ulong)length, size);
        if (begin >= end)
            return;
        if (content.Embedded is byte[] embedded)
        {
            embedded.AsSpan((int)begin, (int)(end - begin)).Clear();
            return;
        }

        ulong firstWhole = (begin + BlockMask) & ~BlockMask;
        // The last block may be dropped as a whole when the range reaches the end of the file.
        ulong afterWhole = end == size ? (end + BlockMask) & ~BlockMask : end & ~BlockMask;

        // All that can fail comes before the first change: the blocks at the ends are there, then the whole ones go, all or none.
        DirtyBlock? head = begin < firstWhole ? ChangeExisting(slot, begin & ~BlockMask, size, ledger) : null;
        DirtyBlock? tail = end > afterWhole && afterWhole >= firstWhole ? ChangeExisting(slot, afterWhole, size, ledger) : null;
        if (firstWhole < afterWhole)
            DropBlocks(slot, firstWhole, afterWhole - 1, ledger);
        if (head is not null)
            Clear(head, begin, Math.Min(end, firstWhole));
        if (tail is not null)
            Clear(tail, afterWhole, end);
        writeOut.Note(slot);
    }

    // True when nothing of the block's old content stays.
    private static bool IsWhole(ulong begin, ulong end, ulong key, ulong oldSize) =>
        begin <= key && (end >= key + FormatLimits.LogicalBlockBytes || end >= oldSize);

    private static int NeededBytes(ulong key, ulong size) =>
        FileReader.ExpectedBytes(key, Math.Max(size, key + 1));

    private void LeaveDirectData(InodeSlot slot, ulong size, SpaceLedger ledger)
    {
        InodeContent content = slot.Current.Content;
        byte[] embedded = content.LeaveDirectData();
        if (content.Data.Size == 0)
            return;
        DirtyBlock block = Change(slot, 0, NeededBytes(0, Math.Max(size, content.Data.Size)), whole: true, content.Data.Size, ledger);
        block.Bytes.Clear();
        embedded.AsSpan(0, (int)content.Data.Size).CopyTo(block.Bytes);
        writeOut.Note(slot);
    }

    // The block at a key in memory, not being written, with at least the needed bytes; loaded unless the caller
    // replaces it as a whole, and has checked its place.
    private DirtyBlock Change(InodeSlot slot, ulong key, int needed, bool whole, ulong oldSize, SpaceLedger ledger)
    {
        DirtyBlocks dirty = slot.Dirty ??= new DirtyBlocks();
        int radix = BitOperations.Log2((uint)needed);
        if (dirty.TryGet(key, out DirtyBlock? old))
        {
            if (!old!.Writing && old.Radix >= radix)
                return old;
            return Supersede(dirty, old, Math.Max(radix, old.Radix), ledger);
        }

        DirtyBlock block = pool.Rent(key, radix);
        try
        {
            if (!whole)
                Load(slot, block, oldSize);
        }
        catch
        {
            pool.Return(block);
            throw;
        }

        dirty.Set(block);
        ledger.ChargeData(block.Radix);
        if (!slot.IsRemoved && NeedsNodes(slot, key))
            dirty.ChargeNodes(key, ledger);
        return block;
    }

    // What is being written must not change under the writer, and a buffer does not grow: a copy takes its place.
    private DirtyBlock Supersede(DirtyBlocks dirty, DirtyBlock old, int radix, SpaceLedger ledger)
    {
        DirtyBlock copy = pool.Rent(old.Key, radix);
        old.Bytes.CopyTo(copy.Bytes);
        copy.Bytes[old.Bytes.Length..].Clear();
        dirty.Set(copy);
        ledger.ChargeData(radix);
        writeOut.Drop(old);
        return copy;
    }

    // Bytes beyond the old end of the file are zeros, whatever the medium has there.
    private void Load(InodeSlot slot, DirtyBlock block, ulong oldSize)
    {
        BlockRef stored = slot.Current.Content.Tree.CheckPlace(reader, block.Key, FormatLimits.LogicalBlockRadix);
        Span<byte> bytes = block.Bytes;
        if (block.Key >= oldSize || stored.Type == BlockRefType.Empty)
        {
            bytes.Clear();
            return;
        }

        FileReader.CheckData(stored);
        using BlockLease lease = reader.GetData(stored, FileReader.ExpectedBytes(block.Key, oldSize));
        ReadOnlySpan<byte> old = lease.Data[..(int)Math.Min((ulong)lease.Data.Length, oldSize - block.Key)];
        old = old[..Math.Min(old.Length, bytes.Length)];
        old.CopyTo(bytes);
        bytes[old.Length..].Clear();
    }

    private static bool NeedsNodes(InodeSlot slot, ulong key)
    {
        InodeContent content = slot.Current.Content;
        ReadOnlySpan<BlockRef> root = content.Tree.Root.Refs;
        return key >= RootOnlyBytes || content.Data.Size > RootOnlyBytes
            || !root.IsEmpty && (root[0].IsNode || root[^1].LastKey >= RootOnlyBytes);
    }

    // When a file grows past its old end, stored bytes beyond that end must not come to light. Our own blocks have
    // zeros there, those of others should: the block is only changed where it has not.
    private void ClearStaleTail(InodeSlot slot, ulong oldSize, ulong newEnd, SpaceLedger ledger)
    {
        int inside = (int)(oldSize & BlockMask);
        ulong key = oldSize - (ulong)inside;
        if (inside == 0 || newEnd <= oldSize || slot.Dirty is DirtyBlocks dirty && dirty.TryGet(key, out _))
            return;
        BlockRef bref = default;
        if (slot.Current.Content.Tree.Gather(reader, key, key, new Span<BlockRef>(ref bref), null, out _) == 0)
            return;
        FileReader.CheckData(bref);
        using (BlockLease lease = reader.GetData(bref, FormatLimits.LogicalBlockBytes))
        {
            if (lease.Data.Length <= inside || BlockEncoder.IsZero(lease.Data[inside..]))
                return;
        }

        Change(slot, key, NeededBytes(key, oldSize), whole: false, oldSize, ledger);
    }

    private void Cut(InodeSlot slot, ulong size, ulong old, SpaceLedger ledger)
    {
        // The block that straddles the new end gets its zeros and its new size (R10), but only when the others could be dropped.
        ulong firstWhole = (size + BlockMask) & ~BlockMask;
        DirtyBlock? straddling = size < firstWhole ? ChangeExisting(slot, size & ~BlockMask, old, ledger) : null;
        if (firstWhole < old)
            DropBlocks(slot, firstWhole, ulong.MaxValue >> 1, ledger);
        if (straddling is not null)
            Clear(straddling, size, firstWhole);
    }

    // The block at a key, to be changed in part; null where there is a hole.
    private DirtyBlock? ChangeExisting(InodeSlot slot, ulong key, ulong size, SpaceLedger ledger) =>
        Exists(slot, key) ? Change(slot, key, NeededBytes(key, size), whole: false, size, ledger) : null;

    private static void Clear(DirtyBlock block, ulong begin, ulong end)
    {
        int from = (int)(begin - block.Key), to = Math.Min((int)(end - block.Key), block.Bytes.Length);
        if (from < to)
            block.Bytes[from..to].Clear();
    }

    private bool Exists(InodeSlot slot, ulong key) =>
        slot.Dirty is DirtyBlocks dirty && dirty.TryGet(key, out _) || slot.Current.Content.Tree.TryFind(reader, key, out _);

    private void DropBlocks(InodeSlot slot, ulong first, ulong last, SpaceLedger ledger)
    {
        InodeContent content = slot.Current.Content;
        ulong open = writeOut.OpenTid;
        content.Tree.DeleteRange(
            reader,
            first,
            last,
            gone =>
            {
                ulong bytes = (ulong)gone.Physical.Bytes + (gone.IsNode ? gone.DataCount : 0);
                content.Allocated -= Math.Min(content.Allocated, bytes);
                writeOut.Replaced(bytes);
                if (gone.Type == BlockRefType.Data && gone.MirrorTid >= (slot.IsRemoved ? slot.RemovedTid : open))
                    writer.Discard(gone.Type, gone.Physical);
            },
            ledger);
        if (slot.Dirty is not DirtyBlocks dirty || dirty.Count == 0)
            return;
        foreach (DirtyBlock block in dirty.InRange(first, last))
        {
            dirty.Remove(block.Key);
            writeOut.Drop(block);
        }
    }
}
