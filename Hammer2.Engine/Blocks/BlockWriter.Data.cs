// File data: batches of logical blocks are encoded and checked on all cores, then placed in file order with one allocation,
// then written: full raw blocks straight to the medium in joined runs (R9), smaller ones through the device buffer. While one
// batch is written the next is encoded. Bounded: so many callers at once, two batches each.

using Hammer2.Engine.Buffers;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Blocks;

internal sealed partial class BlockWriter
{
    // More at once would only take more memory: each of them keeps all cores busy.
    private const int CallersMax = 4;
    private readonly int _workers;
    private readonly SemaphoreSlim _callers;
    private readonly Stack<EncodeBatch> _freeBatches = new();

    /// <summary>Encodes, checks, places and writes file blocks, and fills in their references.</summary>
    /// <param name="blocks">In the order in which they are to lie; their results are set.</param>
    /// <param name="mirrorTid">Of the references.</param>
    /// <param name="modifyTid">Of the references.</param>
    /// <param name="cache">Keep the decoded blocks readable without I/O.</param>
    /// <exception cref="Hammer2Exception">Results are undefined; blocks that were placed and not written are given back.</exception>
    internal void WriteData(Span<DataBlock> blocks, ulong mirrorTid, ulong modifyTid, bool cache = false)
    {
        _callers.Wait();
        EncodeBatch? current = null, next = null;
        try
        {
            for (Span<DataBlock> rest = blocks; !rest.IsEmpty;)
            {
                Span<DataBlock> mine = rest[..Math.Min(rest.Length, EncodeBatch.BlocksMax)];
                rest = rest[mine.Length..];
                current = next ?? Begin(mine);
                next = null;
                current.Finish();
                if (!rest.IsEmpty)
                    next = Begin(rest[..Math.Min(rest.Length, EncodeBatch.BlocksMax)]);
                Place(current, mine, mirrorTid, modifyTid, cache);
                Return(ref current);
            }
        }
        finally
        {
            // The caller's bytes are in use until the last worker is through with them.
            Return(ref current);
            Return(ref next);
            _callers.Release();
        }
    }

    private EncodeBatch Begin(ReadOnlySpan<DataBlock> blocks)
    {
        foreach (ref readonly DataBlock block in blocks)
            ThrowUnlessWritable(block.Check);
        EncodeBatch? batch;
        lock (_freeBatches)
            _freeBatches.TryPop(out batch);
        batch ??= new EncodeBatch();
        batch.Begin(blocks, _workers, hash: _dedup is not null);
        return batch;
    }

    private void Return(ref EncodeBatch? batch)
    {
        if (batch is null)
            return;
        batch.Abandon();
        lock (_freeBatches)
            _freeBatches.Push(batch);
        batch = null;
    }

    private void DisposeBatches()
    {
        lock (_freeBatches)
        {
            while (_freeBatches.TryPop(out EncodeBatch? batch))
                batch.Dispose();
        }
    }

    private void Place(EncodeBatch batch, Span<DataBlock> blocks, ulong mirrorTid, ulong modifyTid, bool cache)
    {
        for (int i = 0; i < blocks.Length; i++)
            SetReference(ref blocks[i], batch, i, mirrorTid, modifyTid);
        Share(batch, blocks);
        Allocate(batch, blocks);
        try
        {
            Store(batch, blocks);
        }
        catch
        {
            foreach (int i in batch.Fresh)
                Discard(BlockRefType.Data, blocks[i].Ref.Physical);
            throw;
        }

        for (int i = 0; i < blocks.Length && cache; i++)
        {
            if (!blocks[i].IsHole)
                _reader.Cache.Insert(blocks[i].Ref, blocks[i].Bytes);
        }
    }

    private static void SetReference(ref DataBlock block, EncodeBatch batch, int index, ulong mirrorTid, ulong modifyTid)
    {
        StoredForm form = batch.Form(index);
        block.IsHole = form.IsHole;
        block.Ref = new BlockRef
        {
            Type = BlockRefType.Data,
            Methods = (byte)((int)block.Check << MethodsCheckShift | (int)form.Method),
            KeyBits = FormatLimits.LogicalBlockRadix,
            Key = block.Key,
            MirrorTid = mirrorTid,
            ModifyTid = modifyTid,
            Check = batch.Code(index),
        };
    }

    // Finds blocks that are stored already, earlier or earlier in this batch; the others are "fresh".
    private void Share(EncodeBatch batch, Span<DataBlock> blocks)
    {
        batch.Fresh.Clear();
        batch.Repeats.Clear();
        for (int i = 0; i < blocks.Length; i++)
        {
            if (blocks[i].IsHole)
                continue;
            if (_dedup is not null && DedupTable.Allows(blocks[i].Check))
            {
                if (TryShare(batch, i, ref blocks[i]))
                    continue;
                int twin = FindTwin(batch, blocks, i);
                if (twin >= 0)
                {
                    batch.Repeats.Add((i, twin));
                    continue;
                }
            }

            batch.Fresh.Add(i);
        }
    }

    private static int FindTwin(EncodeBatch batch, ReadOnlySpan<DataBlock> blocks, int index)
    {
        foreach (int earlier in batch.Fresh)
        {
            if (batch.Hash(earlier) == batch.Hash(index) && blocks[earlier].Ref.Methods == blocks[index].Ref.Methods
                && batch.Stored(earlier).SequenceEqual(batch.Stored(index)))
                return earlier;
        }

        return -1;
    }

    private bool TryShare(EncodeBatch batch, int index, ref DataBlock block)
    {
        StoredForm form = batch.Form(index);
        if (!_dedup!.TryFind(batch.Hash(index), form.Radix, form.Method, block.Check, out PhysicalOffset candidate))
            return false;

        // Retained first: from then on it is not given back. Asked again: then it was not given back before, either.
        if (!_allocator.TryRetain(candidate)
            || !_dedup.TryFind(batch.Hash(index), form.Radix, form.Method, block.Check, out PhysicalOffset again)
            || again != candidate || !HoldsSameBytes(candidate, batch.Stored(index)))
            return false;
        block.Ref.DataOff = candidate.Raw;
        return true;
    }

    private bool HoldsSameBytes(PhysicalOffset candidate, ReadOnlySpan<byte> stored)
    {
        NativeBlock scratch = _scratch.Rent();
        try
        {
            Span<byte> there = scratch.Slice(0, stored.Length);
            _buffer.Read((long)candidate.Offset, there);
            return there.SequenceEqual(stored);
        }
        catch (Hammer2Exception)
        {
            // What cannot be read is not shared; storing the block again needs nothing from there.
            return false;
        }
        finally
        {
            _scratch.Return(scratch);
        }
    }

    private void Allocate(EncodeBatch batch, Span<DataBlock> blocks)
    {
        int count = batch.Fresh.Count;
        if (count == 0)
            return;
        Span<int> radixes = stackalloc int[EncodeBatch.BlocksMax];
        Span<PhysicalOffset> places = stackalloc PhysicalOffset[EncodeBatch.BlocksMax];
        for (int i = 0; i < count; i++)
            radixes[i] = batch.Form(batch.Fresh[i]).Radix;
        _allocator.AllocateRun(BlockRefType.Data, radixes[..count], places[..count]);
        for (int i = 0; i < count; i++)
        {
            Invariant.Check(places[i].IsLegal && places[i].Radix == radixes[i]);
            blocks[batch.Fresh[i]].Ref.DataOff = places[i].Raw;
        }

        foreach ((int block, int twin) in batch.Repeats)
        {
            Invariant.Check(_allocator.TryRetain(blocks[twin].Ref.Physical));
            blocks[block].Ref.DataOff = blocks[twin].Ref.DataOff;
        }
    }

    private void Store(EncodeBatch batch, Span<DataBlock> blocks)
    {
        List<int> fresh = batch.Fresh;
        for (int i = 0; i < fresh.Count; i++)
        {
            PhysicalOffset at = blocks[fresh[i]].Ref.Physical;
            if (at.Bytes < FormatLimits.BlockBytesMax)
                _buffer.Write((long)at.Offset, batch.Stored(fresh[i]));
            else
                i += StoreRun(batch, blocks, i) - 1;
        }

        foreach (int i in fresh)
        {
            PhysicalOffset at = blocks[i].Ref.Physical;
            if (_dedup is not null && DedupTable.Allows(blocks[i].Check))
                _dedup.Add(batch.Hash(i), at, batch.Form(i).Method, blocks[i].Check);
        }
    }

    // Writes the full block at this place of the list and those that follow it on the medium; returns how many.
    private unsafe int StoreRun(EncodeBatch batch, ReadOnlySpan<DataBlock> blocks, int from)
    {
        List<int> fresh = batch.Fresh;
        ref readonly DataBlock first = ref blocks[fresh[from]];
        ulong start = first.Ref.Physical.Offset;
        int count = 1;
        bool together = true;
        for (; from + count < fresh.Count && count < EncodeBatch.RunBlocksMax; count++)
        {
            ref readonly DataBlock block = ref blocks[fresh[from + count]];
            int before = count * FormatLimits.BlockBytesMax;
            if (block.Ref.Physical.Bytes < FormatLimits.BlockBytesMax || block.Ref.Physical.Offset != start + (ulong)before)
                break;
            together &= block.Logical == first.Logical + before;
        }

        int bytes = count * FormatLimits.BlockBytesMax;
        if (together)
        {
            _buffer.WriteDirect((long)start, new ReadOnlySpan<byte>(first.Logical, bytes));
            return count;
        }

        Span<byte> staging = batch.RunStaging(bytes);
        for (int i = 0; i < count; i++)
            blocks[fresh[from + i]].Bytes.CopyTo(staging[(i * FormatLimits.BlockBytesMax)..]);
        _buffer.WriteDirect((long)start, staging);
        return count;
    }
}
