// What tests of the write path stand on: a crafted volume in memory behind a probe, with buffer, cache and reader, and an
// allocator that only counts upwards and remembers what was given back and what was shared.

using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Tests.Hostile;

namespace Hammer2.Tests.Writing;

/// <summary>A volume whose blocks can be written and read.</summary>
internal sealed class WritingVolume : IDisposable
{
    /// <summary>Nothing but the header lies below this address or above it.</summary>
    internal const long Area = 16L << 20;

    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    internal WritingVolume(long bufferBytes = 16 << 20, int sectorSize = 512, bool background = false, long cacheBytes = 8 << 20, long size = 256 << 20)
    {
        Memory = new ImageBuilder(size).Finish();
        Device = new ProbeDevice(Memory, sectorSize);
        Volumes = VolumeSet.Open([Device]);
        Cache = new BlockCache(cacheBytes);
        Buffer = new DeviceBuffer(Volumes, bufferBytes, Cache, background);
        Reader = new BlockReader(Volumes, Cache, Buffer);
        Device.Reset();
    }

    internal MemoryBlockDevice Memory { get; }

    internal ProbeDevice Device { get; }

    internal VolumeSet Volumes { get; }

    internal BlockCache Cache { get; }

    internal DeviceBuffer Buffer { get; }

    internal BlockReader Reader { get; }

    internal CountingAllocator Allocator { get; } = new();

    internal static byte[] Bytes(int length, int seed)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    internal byte[] OnMedium(long offset, int length)
    {
        byte[] bytes = new byte[length];
        Memory.Read(offset, bytes);
        return bytes;
    }

    internal byte[] Buffered(long offset, int length)
    {
        byte[] bytes = new byte[length];
        Buffer.Read(offset, bytes);
        return bytes;
    }

    public void Dispose()
    {
        Buffer.Dispose();
        Reader.Dispose();
        Volumes.Dispose();
    }
}

/// <summary>Counts upwards, data apart from the rest; small blocks packed, blocks from 16 KiB on aligned to their size.</summary>
internal sealed class CountingAllocator : IBlockAllocator
{
    private readonly object _gate = new();
    private readonly HashSet<ulong> _live = [];
    private readonly ulong[] _next = [(ulong)WritingVolume.Area, (ulong)WritingVolume.Area + (128UL << 20)];

    internal List<PhysicalOffset> Allocated { get; } = [];

    internal List<PhysicalOffset> Discarded { get; } = [];

    internal List<PhysicalOffset> Retained { get; } = [];

    internal bool RefusesToShare { get; set; }

    public PhysicalOffset Allocate(BlockRefType type, int radix, ulong key)
    {
        lock (_gate)
        {
            ulong bytes = 1UL << radix;
            ref ulong next = ref _next[type == BlockRefType.Data ? 0 : 1];
            if (radix >= 14 || (next & 0xFFFF) + bytes > 0x10000)
                next = (next + bytes - 1) / bytes * bytes;
            var at = new PhysicalOffset(next | (uint)radix);
            next += bytes;
            Allocated.Add(at);
            _live.Add(at.Raw);
            return at;
        }
    }

    /// <summary>Goes on in the next 64 KiB.</summary>
    internal void Skip()
    {
        lock (_gate)
            _next[1] = (_next[1] | 0xFFFF) + 1;
    }

    /// <summary>The address was given to somebody else.</summary>
    internal void Revive(PhysicalOffset block)
    {
        lock (_gate)
            _live.Add(block.Raw);
    }

    public void AllocateRun(BlockRefType type, ReadOnlySpan<int> radixes, Span<PhysicalOffset> result)
    {
        for (int i = 0; i < radixes.Length; i++)
            result[i] = Allocate(type, radixes[i], 0);
    }

    public void Discard(BlockRefType type, PhysicalOffset block)
    {
        lock (_gate)
        {
            Assert.IsTrue(_live.Contains(block.Raw), $"{block} is given back and was not given");
            Discarded.Add(block);
            if (!Retained.Contains(block))
                _live.Remove(block.Raw);
        }
    }

    public bool TryRetain(PhysicalOffset block)
    {
        lock (_gate)
        {
            if (RefusesToShare || !_live.Contains(block.Raw))
                return false;
            Retained.Add(block);
            return true;
        }
    }
}
