// The one way of a block to the medium (R7, R10): the bytes are sealed, the check code is computed from the sealed bytes, a
// fresh address is taken, the device buffer gets its copy, the cache what a reader would decode, and the blockref what a
// reader needs. Old blocks are never touched here. Thread-safe. The half for file data is in BlockWriter.Data.cs.

using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Blocks;

/// <summary>Writes blocks of one volume set.</summary>
internal sealed partial class BlockWriter : IDisposable
{
    private const int MethodsCheckShift = 4;
    private readonly BlockReader _reader;
    private readonly DeviceBuffer _buffer;
    private readonly IBlockAllocator _allocator;
    private readonly DedupTable? _dedup;
    private readonly ScratchPool _scratch = new(FormatLimits.BlockBytesMax);

    /// <param name="reader">Reads through the same buffer; its cache takes what is written.</param>
    /// <param name="buffer">Takes the bytes.</param>
    /// <param name="allocator">Gives addresses.</param>
    /// <param name="dedup">Null: every block is stored.</param>
    /// <param name="workers">Threads that encode, the caller's included; 0 = one per core.</param>
    internal BlockWriter(BlockReader reader, DeviceBuffer buffer, IBlockAllocator allocator, DedupTable? dedup = null, int workers = 0)
    {
        _reader = reader;
        _buffer = buffer;
        _allocator = allocator;
        _dedup = dedup;
        _workers = workers > 0 ? workers : Environment.ProcessorCount;
        _callers = new SemaphoreSlim(CallersMax);
    }

    /// <summary>Who gives addresses.</summary>
    internal IBlockAllocator Allocator => _allocator;

    /// <summary>The table of live dedup, to be cleared before bulkfree frees blocks; null when it is switched off.</summary>
    internal DedupTable? Dedup => _dedup;

    /// <summary>Writes an inode, an array of blockrefs or the long name of a directory entry to a fresh address.</summary>
    /// <param name="bref">
    /// Type, methods, key and transaction ids are the caller's; address and check code are set. A directory entry whose name
    /// is in its reference has no block: the address becomes 0 and the name stays. The check method "none" becomes xxhash64,
    /// as in every implementation (format page 4.3).
    /// </param>
    /// <param name="block">The whole block; for a directory entry with its name in the reference, nothing.</param>
    internal void WriteMetadata(ref BlockRef bref, ReadOnlySpan<byte> block)
    {
        Invariant.Check(bref.Type is BlockRefType.Inode or BlockRefType.Indirect or BlockRefType.Dirent);
        if (block.IsEmpty)
        {
            Invariant.Check(bref.Type == BlockRefType.Dirent && bref.DirentNameLength <= FormatLimits.InlineNameBytesMax);
            bref.DataOff = 0;
            return;
        }

        int radix = BitOperations.Log2((uint)block.Length);
        Invariant.Check(block.Length == 1 << radix && BlockReader.RadixFits(bref.Type, radix));
        Invariant.Check(bref.Type != BlockRefType.Indirect || bref.Compression == CompressionMethod.None);
        CheckMethod check = bref.CheckMethod == CheckMethod.None ? CheckMethod.XxHash64 : bref.CheckMethod;
        ThrowUnlessWritable(check);

        NativeBlock scratch = _scratch.Rent();
        PhysicalOffset at = default;
        try
        {
            // Sealed: whatever happens to the caller's bytes, check code and stored bytes agree.
            Span<byte> sealedBytes = scratch.Slice(0, block.Length);
            block.CopyTo(sealedBytes);
            BlockRef written = bref;
            SetCheck(ref written, check, bref.Compression, sealedBytes);
            at = _allocator.Allocate(bref.Type, radix, bref.Key);
            Invariant.Check(at.IsLegal && at.Radix == radix);
            written.DataOff = at.Raw;
            _buffer.Write((long)at.Offset, sealedBytes);
            InsertMetadata(written, sealedBytes);
            bref = written;
        }
        catch when (at.HasData)
        {
            _allocator.Discard(bref.Type, at);
            throw;
        }
        finally
        {
            _scratch.Return(scratch);
        }
    }

    /// <summary>Gives back a block that was written since the last freeze and that nothing refers to any more (R17).</summary>
    internal void Discard(BlockRefType type, PhysicalOffset block)
    {
        if (!block.HasData)
            return;

        // A DATA block may be shared, then it stays allocated and its bytes must reach the medium.
        if (type != BlockRefType.Data || _dedup is null)
            _buffer.Drop((long)block.Offset, block.Bytes);
        _dedup?.Forget(block);
        _allocator.Discard(type, block);
    }

    public void Dispose()
    {
        _callers.Dispose();
        _scratch.Dispose();
        DisposeBatches();
    }

    private static void ThrowUnlessWritable(CheckMethod check)
    {
        if (check > CheckMethod.Sha192)
            throw new Hammer2Exception(Hammer2Error.Unsupported, $"Check method {(int)check} is not for files and directories: nothing is written with it.");
    }

    private static void SetCheck(ref BlockRef bref, CheckMethod check, CompressionMethod compression, ReadOnlySpan<byte> stored)
    {
        bref.Methods = (byte)((int)check << MethodsCheckShift | (int)compression);
        bref.Check = default;
        Checks.Compute(check, stored, CheckSpan(ref bref.Check));
    }

    private static Span<byte> CheckSpan(ref CheckArea area) =>
        MemoryMarshal.CreateSpan(ref Unsafe.As<CheckArea, byte>(ref area), CheckArea.Bytes);

    // Arrays are cached as the reader caches them: live entries only. Squeezing spoils the sealed copy, which is done with.
    private void InsertMetadata(in BlockRef bref, Span<byte> sealedBytes)
    {
        if (bref.IsNode)
        {
            Span<BlockRef> refs = MemoryMarshal.Cast<byte, BlockRef>(sealedBytes);
            sealedBytes = sealedBytes[..(NodeArray.Normalise(refs, bref) * FormatLimits.BlockRefBytes)];
        }

        _reader.Cache.Insert(bref, sealedBytes);
    }
}
