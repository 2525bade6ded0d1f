// A block is read whole and true, or not at all. This is the only way from the medium to decoded bytes:
// address checked, read, check code compared, decoded, cached. Batches of neighbouring blocks are read with one
// device call. There is no way to get the bytes of a block whose check failed, but ReadUnverified says so in its name.

using System.Runtime.InteropServices;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Blocks;

/// <summary>Reads, verifies and decodes blocks of one volume set through its cache.</summary>
internal sealed class BlockReader : IBlockLoader, IDisposable
{
    private const int RegionBytes = 512 * 1024;
    private const int GapBytesMax = 32 * 1024;
    private const int BatchMax = 64;
    private readonly VolumeSet _volumes;
    private readonly BlockCache _cache;
    private readonly DeviceBuffer? _buffer;
    private readonly ScratchPool _scratch = new(FormatLimits.BlockBytesMax);
    private readonly ScratchPool _regions = new(RegionBytes);

    /// <param name="volumes">The media.</param>
    /// <param name="cache">Holds what was decoded; disposed with the reader.</param>
    /// <param name="buffer">Of a writable volume: holds what is not on the media yet.</param>
    internal BlockReader(VolumeSet volumes, BlockCache cache, DeviceBuffer? buffer = null)
    {
        _volumes = volumes;
        _cache = cache;
        _buffer = buffer;
    }

    internal CacheStatistics CacheStatistics => _cache.Statistics;

    internal VolumeSet Volumes => _volumes;

    internal BlockCache Cache => _cache;

    /// <summary>A whole metadata block, verified; of an array of blockrefs, its live entries, normalised.</summary>
    internal BlockLease GetMetadata(in BlockRef bref)
    {
        CheckAddress(bref);
        return _cache.Get(bref, bref.Physical.Bytes, this);
    }

    /// <summary>Says that the beginnings of these blocks will be asked for at once.</summary>
    internal void HintMetadata(ReadOnlySpan<BlockRef> refs, int bytes) => _cache.Hint(refs, bytes);

    /// <summary>The beginning of a metadata block, if it is in memory. What is there was found by a reference that may be followed.</summary>
    internal bool TryCopyMetadata(in BlockRef bref, Span<byte> into) => _cache.TryCopy(bref, into);

    /// <summary>A decoded file block; bytes beyond its length are zeros.</summary>
    /// <param name="bref">A DATA reference.</param>
    /// <param name="expectedBytes">Likely decoded length, from the file's size; only a hint.</param>
    internal BlockLease GetData(in BlockRef bref, int expectedBytes)
    {
        CheckAddress(bref);
        int slot = SlotBytes(bref, expectedBytes);
        try
        {
            return _cache.Get(bref, slot, this);
        }
        catch (Hammer2Exception e) when (e.Error == Hammer2Error.Corrupt && slot < FormatLimits.LogicalBlockBytes)
        {
            // The hint was too small (a block written when the file was longer), or the stream is really damaged.
            return _cache.Get(bref, FormatLimits.LogicalBlockBytes, this);
        }
    }

    /// <summary>The physical block as stored, verified but not decoded, past the cache.</summary>
    internal void ReadStored(in BlockRef bref, Span<byte> stored)
    {
        CheckAddress(bref);
        ReadUnverified(bref, stored);
        Verify(bref, stored[..bref.Physical.Bytes]);
    }

    /// <summary>The physical block as stored, whatever its check code says. For diagnostics only.</summary>
    internal void ReadUnverified(in BlockRef bref, Span<byte> stored) =>
        ReadPhysical((long)bref.Physical.Offset, stored[..bref.Physical.Bytes]);

    /// <summary>Loads the blocks that are not cached, neighbours with one device call. Failures stay unreported.</summary>
    /// <param name="refs">INODE, DIRENT or DATA references, at most 64; reordered.</param>
    /// <param name="expectedBytes">Likely decoded length of DATA.</param>
    internal void Prefetch(Span<BlockRef> refs, int expectedBytes)
    {
        Invariant.Check(refs.Length <= BatchMax);
        int missing = 0;
        foreach (ref BlockRef bref in refs)
        {
            if (IsReadable(bref) && !_cache.Contains(bref))
                refs[missing++] = bref;
        }

        refs = refs[..missing];
        refs.Sort(static (a, b) => a.DataOff.CompareTo(b.DataOff));
        while (!refs.IsEmpty)
        {
            int count = GroupLength(refs);
            if (count == 1)
                _cache.Prefetch(refs[0], SlotBytes(refs[0], expectedBytes), this);
            else
                PrefetchGroup(refs[..count], expectedBytes);
            refs = refs[count..];
        }
    }

    /// <inheritdoc/>
    public int Load(in BlockRef bref, Span<byte> slot)
    {
        int stored = bref.Physical.Bytes;
        if (!IsCompressed(bref))
        {
            ReadPhysical((long)bref.Physical.Offset, slot[..stored]);
            return Decode(bref, slot[..stored], slot);
        }

        NativeBlock scratch = _scratch.Rent();
        try
        {
            Span<byte> raw = scratch.Slice(0, stored);
            ReadPhysical((long)bref.Physical.Offset, raw);
            return Decode(bref, raw, slot);
        }
        finally
        {
            _scratch.Return(scratch);
        }
    }

    /// <summary>Checks that the reference may be followed at all.</summary>
    /// <exception cref="Hammer2Exception"><c>Corrupt</c>, <c>Unsupported</c> or <c>Io</c> (outside the volume).</exception>
    internal void CheckAddress(in BlockRef bref)
    {
        PhysicalOffset at = bref.Physical;
        if (!at.IsLegal || !RadixFits(bref.Type, at.Radix))
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"Blockref {bref}: address or size is not legal for its type.");
        if (!Checks.IsKnown(bref.CheckMethod))
            throw new Hammer2Exception(Hammer2Error.Unsupported, $"Blockref {bref}: check method {(int)bref.CheckMethod} is unknown.");
        if (bref.Type == BlockRefType.Data && bref.Compression is not (CompressionMethod.None or CompressionMethod.Lz4 or CompressionMethod.Zlib))
            throw new Hammer2Exception(Hammer2Error.Unsupported, $"Blockref {bref}: compression method {(int)bref.Compression} is unknown for stored data.");
        if (!_volumes.Contains(at.Offset, at.Bytes))
            throw new Hammer2Exception(Hammer2Error.Io, $"Blockref {bref} points outside the volume, which ends at 0x{_volumes.Length:x}.");
    }

    public void Dispose()
    {
        _cache.Dispose();
        _scratch.Dispose();
        _regions.Dispose();
    }

    private void ReadPhysical(long offset, Span<byte> bytes)
    {
        if (_buffer is not null)
            _buffer.Read(offset, bytes);
        else
            _volumes.Read(offset, bytes);
    }

    internal static bool RadixFits(BlockRefType type, int radix) => type switch
    {
        BlockRefType.Inode => radix == FormatLimits.AllocationRadixMin,
        BlockRefType.Dirent => radix == FormatLimits.AllocationRadixMin,
        BlockRefType.Indirect => radix is 12 or 14 or 16,
        BlockRefType.FreemapNode or BlockRefType.FreemapLeaf => radix == FormatLimits.FreemapRadix,
        BlockRefType.Data => true,
        _ => false,
    };

    private static bool IsCompressed(in BlockRef bref) =>
        bref.Type == BlockRefType.Data && bref.Compression != CompressionMethod.None;

    private static int SlotBytes(in BlockRef bref, int expectedBytes) => IsCompressed(bref)
        ? Math.Clamp(expectedBytes, 1 << FormatLimits.AllocationRadixMin, FormatLimits.LogicalBlockBytes)
        : bref.Physical.Bytes;

    private static void Verify(in BlockRef bref, ReadOnlySpan<byte> stored)
    {
        if (!Checks.Matches(bref, stored))
            throw new Hammer2Exception(Hammer2Error.CheckFailed, $"Check code of blockref {bref} differs: the block is damaged.");
    }

    private static int Decode(in BlockRef bref, ReadOnlySpan<byte> stored, Span<byte> slot)
    {
        Verify(bref, stored);
        if (IsCompressed(bref))
        {
            int length = Compression.Decode(bref.Compression, stored, slot);
            return length >= 0 ? length : throw new Hammer2Exception(
                Hammer2Error.Corrupt, $"Blockref {bref}: the {MethodNames.Of(bref.Compression)} stream is damaged.");
        }

        // Prefetched groups are decoded from their region, single blocks where they were read.
        if (!stored.Overlaps(slot))
            stored.CopyTo(slot);
        if (!bref.IsNode)
            return stored.Length;
        Span<BlockRef> refs = MemoryMarshal.Cast<byte, BlockRef>(slot[..stored.Length]);
        return NodeArray.Normalise(refs, bref) * FormatLimits.BlockRefBytes;
    }

    private bool IsReadable(in BlockRef bref)
    {
        try
        {
            CheckAddress(bref);
            return true;
        }
        catch (Hammer2Exception)
        {
            // Whoever really needs this block meets the same refusal and reports it with its path.
            return false;
        }
    }

    private int GroupLength(ReadOnlySpan<BlockRef> refs)
    {
        ulong start = refs[0].Physical.Offset;
        ulong end = start + (ulong)refs[0].Physical.Bytes;
        int count = 1;
        while (count < refs.Length)
        {
            ulong next = refs[count].Physical.Offset;
            ulong nextEnd = Math.Max(end, next + (ulong)refs[count].Physical.Bytes);
            if (next > end + GapBytesMax || nextEnd - start > RegionBytes || !_volumes.Contains(start, (int)(nextEnd - start)))
                break;
            end = nextEnd;
            count++;
        }

        return count;
    }

    private void PrefetchGroup(ReadOnlySpan<BlockRef> refs, int expectedBytes)
    {
        ulong start = refs[0].Physical.Offset;
        ulong end = start;
        foreach (ref readonly BlockRef bref in refs)
            end = Math.Max(end, bref.Physical.Offset + (ulong)bref.Physical.Bytes);

        NativeBlock region = _regions.Rent();
        RegionLoader loader = RegionLoader.Rent(region, start);
        try
        {
            ReadPhysical((long)start, region.Slice(0, (int)(end - start)));
            foreach (ref readonly BlockRef bref in refs)
                _cache.Prefetch(bref, SlotBytes(bref, expectedBytes), loader);
        }
        catch (Hammer2Exception e) when (e.Error == Hammer2Error.Io)
        {
            // One bad sector in the region must not fail its neighbours: they are read one by one when wanted.
            return;
        }
        finally
        {
            RegionLoader.Return(loader);
            _regions.Return(region);
        }
    }

    // Decodes blocks out of a region that was read before; one per thread, so that prefetching allocates nothing.
    private sealed class RegionLoader : IBlockLoader
    {
        [ThreadStatic]
        private static RegionLoader? t_free;
        private NativeBlock? _region;
        private ulong _start;

        internal static RegionLoader Rent(NativeBlock region, ulong start)
        {
            RegionLoader loader = t_free ?? new RegionLoader();
            t_free = null;
            loader._region = region;
            loader._start = start;
            return loader;
        }

        internal static void Return(RegionLoader loader)
        {
            loader._region = null;
            t_free = loader;
        }

        public int Load(in BlockRef bref, Span<byte> slot) =>
            Decode(bref, _region!.Slice((int)(bref.Physical.Offset - _start), bref.Physical.Bytes), slot);
    }
}
