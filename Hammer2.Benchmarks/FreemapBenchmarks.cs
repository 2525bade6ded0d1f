// Allocating space: one block at a time, runs as a file write takes them, on an empty volume and on one that is fragmented
// and nearly full. The volume lies in memory; what is measured is the search. Calls the freemap room alone.

using System.Buffers.Binary;
using BenchmarkDotNet.Attributes;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Freemap;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hammer2.Benchmarks;

/// <summary>The freemap allocator.</summary>
[MemoryDiagnoser]
public class FreemapBenchmarks
{
    private const int RunBlocks = 16;
    private const long VolumeBytes = 16L << 30;
    private const int Percent = 100;
    private readonly PhysicalOffset[] _run = new PhysicalOffset[RunBlocks];
    private readonly int[] _radixes = [.. Enumerable.Repeat(FormatLimits.AllocationRadixMax, RunBlocks)];
    private FreemapAllocator _empty = null!;
    private FreemapAllocator _fragmented = null!;

    /// <summary>Makes an empty volume, and one of which 95 % are used in random places.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _empty = NewVolume();
        _fragmented = NewVolume();
        var random = new Random(1);
        var blocks = new List<PhysicalOffset>();
        for (long bytes = 0; bytes < VolumeBytes / Percent * 97; bytes += FormatLimits.BlockBytesMax)
            blocks.Add(_fragmented.Allocate(BlockRefType.Data, FormatLimits.AllocationRadixMax, 0));
        foreach (PhysicalOffset block in blocks)
        {
            if (random.Next(Percent) < 3)
                _fragmented.Discard(BlockRefType.Data, block);
        }
    }

    /// <summary>A 64 KiB block taken and given back.</summary>
    [Benchmark]
    public void Block() => TakeAndGive(_empty, BlockRefType.Data, FormatLimits.AllocationRadixMax);

    /// <summary>An inode taken and given back.</summary>
    [Benchmark]
    public void Fragment() => TakeAndGive(_empty, BlockRefType.Inode, FormatLimits.AllocationRadixMin);

    /// <summary>A claim and its release.</summary>
    [Benchmark]
    public bool Claim()
    {
        SpaceClaim claim = SpaceClaim.OfBlock(FormatLimits.AllocationRadixMax);
        bool accepted = _empty.TryClaim(claim, ClaimLevel.Write);
        _empty.Release(claim);
        return accepted;
    }

    /// <summary>1 MiB of a file taken and given back, time per block.</summary>
    [Benchmark(OperationsPerInvoke = RunBlocks)]
    public void Run()
    {
        _empty.AllocateRun(BlockRefType.Data, _radixes, _run);
        GiveBack(_empty);
    }

    /// <summary>The same on the fragmented volume: every block lies somewhere else.</summary>
    [Benchmark(OperationsPerInvoke = RunBlocks)]
    public void FragmentedRun()
    {
        _fragmented.AllocateRun(BlockRefType.Data, _radixes, _run);
        GiveBack(_fragmented);
    }

    private static void TakeAndGive(FreemapAllocator allocator, BlockRefType type, int radix)
    {
        PhysicalOffset block = allocator.Allocate(type, radix, 0);
        allocator.Discard(type, block);
    }

    private void GiveBack(FreemapAllocator allocator)
    {
        foreach (PhysicalOffset block in _run)
            allocator.Discard(BlockRefType.Data, block);
    }

    private static FreemapAllocator NewVolume()
    {
        byte[] header = new byte[FormatLimits.VolumeHeaderBytes];
        Span<byte> h = header;
        BinaryPrimitives.WriteUInt64LittleEndian(h, VolumeHeader.Magic);
        BinaryPrimitives.WriteInt64LittleEndian(h[0x28..], VolumeBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(h[0x30..], 2);
        h[0x3C] = 1;
        VolumeHeader.HammerType.TryWriteBytes(h[0x50..]);
        BinaryPrimitives.WriteInt64LittleEndian(h[0x60..], VolumeBytes);
        BinaryPrimitives.WriteInt64LittleEndian(h[0x68..], VolumeBytes);
        BinaryPrimitives.WriteInt64LittleEndian(h[0x70..], FormatLimits.ReservedBytes);
        BinaryPrimitives.WriteInt64LittleEndian(h[0xC0..], VolumeBytes);
        h.Slice(VolumeHeader.VolumeOffsetsOffset + sizeof(ulong), (FormatLimits.VolumesMax - 1) * sizeof(ulong)).Fill(byte.MaxValue);
        VolumeHeader.Seal(h);
        var device = new MemoryBlockDevice(VolumeBytes);
        device.Write(0, header);
        var volumes = VolumeSet.Open([device]);
        return new FreemapAllocator(new BlockReader(volumes, new BlockCache(1 << 20)), volumes.Header, NullLogger.Instance, 64L << 20);
    }
}
