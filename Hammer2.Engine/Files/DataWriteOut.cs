// Writing waiting file data out: blocks of many files are collected into batches, encoded and written together, and
// their references put into the files' trees (R6). While a batch is written the files can be changed: a block that was
// replaced or dropped meanwhile is not installed, and its space is given back. One batch at a time; a commit's freeze
// calls Run too and so waits for the batch under way. Locks: batch lock, then one inode lock at a time.

using System.Numerics;
using System.Runtime.InteropServices;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Topology;
using Hammer2.Engine.Transactions;

namespace Hammer2.Engine.Files;

/// <summary>Writes dirty blocks of the files of one volume.</summary>
internal sealed class DataWriteOut(BlockReader reader, BlockWriter writer, FreemapAllocator freemap, TransactionIds tids, DirtyBlockPool pool)
{
    private const int BatchBlocks = 128;

    // A file's changed indirect blocks are written before a commit only when it has very many of them (2 MiB).
    private const int NodesInMemoryMax = 128;
    private readonly object _batch = new();
    private readonly object _gate = new();
    private readonly Queue<InodeSlot> _queue = new();
    private readonly List<DirtyBlock> _blocks = [];
    private readonly List<(InodeSlot Slot, int First, int Count)> _files = [];
    private DataBlock[] _data = new DataBlock[BatchBlocks];

    /// <summary>Mirror TID of what is written now.</summary>
    internal ulong OpenTid => tids.OpenTid;

    /// <summary>Told of bytes that lost a reference and may become free.</summary>
    internal Action<ulong> Replaced { get; set; } = static _ => { };

    /// <summary>True when some file has blocks in memory.</summary>
    internal bool HasWork
    {
        get
        {
            lock (_gate)
                return _queue.Count > 0;
        }
    }

    /// <summary>Says that a file may have blocks to write. The caller holds its lock exclusively.</summary>
    internal void Note(InodeSlot slot)
    {
        if (slot.Dirty is not DirtyBlocks dirty || dirty.Queued || dirty.Count == 0)
            return;
        dirty.Queued = true;
        InodeIndex.Pin(slot);
        lock (_gate)
            _queue.Enqueue(slot);
    }

    /// <summary>Lets a block go that was replaced or dropped. The caller holds the file's lock exclusively.</summary>
    internal void Drop(DirtyBlock block)
    {
        if (block.Writing)
        {
            block.Orphaned = true;
            return;
        }

        Free(block);
    }

    /// <summary>Writes everything that waited when the call began.</summary>
    /// <exception cref="Hammer2Exception">Blocks that could not be written stay in memory.</exception>
    internal void Run()
    {
        lock (_batch)
        {
            int files;
            lock (_gate)
                files = _queue.Count;
            while (files > 0 && Collect(ref files))
                WriteBatch();
        }
    }

    /// <summary>Frees the memory of a file that nobody will read again.</summary>
    internal void Abandon(InodeSlot slot)
    {
        if (slot.Dirty is not DirtyBlocks dirty)
            return;
        foreach (DirtyBlock block in dirty.InRange(0, ulong.MaxValue))
        {
            dirty.Remove(block.Key);
            Drop(block);
        }
    }

    private void Free(DirtyBlock block)
    {
        freemap.Release(SpaceClaim.OfBlock(block.Radix));
        pool.Return(block);
    }

    // Takes blocks of as many files as fit into one batch; false when the queue is empty.
    private bool Collect(ref int files)
    {
        _blocks.Clear();
        _files.Clear();
        while (_blocks.Count < BatchBlocks && files > 0)
        {
            InodeSlot? slot;
            lock (_gate)
            {
                if (!_queue.TryDequeue(out slot))
                    break;
            }

            bool rest;
            int first = _blocks.Count;
            slot.Lock.EnterWriteLock();
            try
            {
                slot.Dirty!.TakeForWriting(_blocks, BatchBlocks - first);
                rest = _blocks.Count - first < slot.Dirty.Count;
                if (!rest)
                    slot.Dirty.Queued = false;
                Describe(slot, first);
            }
            finally
            {
                slot.Lock.ExitWriteLock();
            }

            if (rest)
            {
                // The file goes on with the next batch: its blocks lie together.
                InodeIndex.Pin(slot);
                Requeue(slot);
            }
            else
            {
                files--;
            }

            _files.Add((slot, first, _blocks.Count - first));
        }

        return _files.Count > 0;
    }

    private void Requeue(InodeSlot file)
    {
        lock (_gate)
        {
            // To the front: a queue has no such end, so everything else goes round once.
            int others = _queue.Count;
            _queue.Enqueue(file);
            for (int i = 0; i < others; i++)
                _queue.Enqueue(_queue.Dequeue());
        }
    }

    // Under the file's lock: sizes and settings as they are now; the bytes stay put until the batch is written.
    private unsafe void Describe(InodeSlot slot, int first)
    {
        ref readonly InodeData data = ref slot.Current.Content.Data;
        if (_data.Length < _blocks.Count)
            Array.Resize(ref _data, _blocks.Count);
        for (int i = first; i < _blocks.Count; i++)
        {
            DirtyBlock block = _blocks[i];
            // A file may have grown past a short block without touching it: then the block stays short (7.2).
            int needed = Math.Min(block.Bytes.Length, FileReader.ExpectedBytes(block.Key, Math.Max(data.Size, block.Key + 1)));
            ref DataBlock target = ref _data[i];
            target = default;
            target.Key = block.Key;
            target.Logical = (byte*)System.Runtime.CompilerServices.Unsafe.AsPointer(ref MemoryMarshal.GetReference(block.Bytes));
            target.LogicalBytes = needed;
            target.CompressionSetting = data.CompressionSetting;
            target.Check = (CheckMethod)(data.CheckSetting & 0x0F);
            target.History = slot.Dirty!.History;
        }
    }

    private void WriteBatch()
    {
        bool written = false;
        try
        {
            writer.WriteData(_data.AsSpan(0, _blocks.Count), tids.OpenTid, tids.NextModifyTid());
            written = true;
        }
        finally
        {
            foreach ((InodeSlot slot, int first, int count) in _files)
            {
                slot.Lock.EnterWriteLock();
                try
                {
                    for (int i = first; i < first + count; i++)
                    {
                        if (written)
                            Install(slot, _blocks[i], _data[i]);
                        else
                            PutBack(_blocks[i]);
                    }

                    if (!written)
                        Note(slot);
                    else if (slot.Current.Content.Tree.NodesInMemory > NodesInMemoryMax)
                        FlushEarly(slot);
                }
                finally
                {
                    slot.Lock.ExitWriteLock();
                }

                slot.Index.Unpin(slot);
            }
        }
    }

    private void FlushEarly(InodeSlot slot)
    {
        slot.Current.Content.Tree.Flush(new TreeFlush(writer, tids.OpenTid, tids.Accept));
        slot.Dirty!.ForgetCharges();
    }

    private void PutBack(DirtyBlock block)
    {
        block.Writing = false;
        if (block.Orphaned)
            Free(block);
    }

    private void Install(InodeSlot slot, DirtyBlock block, in DataBlock data)
    {
        block.Writing = false;
        if (block.Orphaned)
        {
            if (!data.IsHole)
                writer.Discard(BlockRefType.Data, data.Ref.Physical);
            Free(block);
            return;
        }

        InodeContent content = slot.Current.Content;
        BlockRef old;
        if (data.IsHole)
        {
            old = content.Tree.Delete(reader, data.Key, null);
        }
        else
        {
            old = content.Tree.Put(reader, data.Ref, null);
            content.Allocated += (ulong)data.Ref.Physical.Bytes;
        }

        if (old.Physical.HasData)
        {
            content.Allocated -= Math.Min(content.Allocated, (ulong)old.Physical.Bytes);
            Replaced((ulong)old.Physical.Bytes);

            // Written since the last commit, or since the file lost its last name: no topology knows it.
            if (old.MirrorTid >= (slot.IsRemoved ? slot.RemovedTid : tids.OpenTid))
                writer.Discard(BlockRefType.Data, old.Physical);
        }

        bool current = slot.Dirty!.TryGet(block.Key, out DirtyBlock? now) && ReferenceEquals(now, block);
        Invariant.Check(current);
        slot.Dirty.Remove(block.Key);
        Free(block);
    }
}
