// The bottom of the write path against what bounds it: the codec times cores for compressible data, memory copy and the check
// for the rest. The ratios count, not the times: everything runs in one process on one machine.

using System.Diagnostics.CodeAnalysis;
using BenchmarkDotNet.Attributes;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Buffers;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using K4os.Compression.LZ4;

namespace Hammer2.Benchmarks;

/// <summary>8 MiB of file data, and small blocks, through writer and buffer to memory or to a file.</summary>
[MemoryDiagnoser]
[SuppressMessage("Design", "CA1001", Justification = "Whoever runs benchmarks calls the cleanup.")]
public unsafe class WriteBenchmarks
{
    private const int BlockBytes = FormatLimits.LogicalBlockBytes;
    private const int Blocks = 128;
    private const long Area = 64L << 20;
    private const long AreaBytes = 512L << 20;
    private readonly byte[] _stored = new byte[BlockBytes];
    private readonly DataBlock[] _data = new DataBlock[Blocks];
    private readonly CompressionHistory _history = new();
    private NativeBlock _text = null!;
    private NativeBlock _random = null!;
    private NativeBlock _copy = null!;
    private VolumeSet _volumes = null!;
    private DeviceBuffer _buffer = null!;
    private BlockReader _reader = null!;
    private BlockWriter _writer = null!;
    private string? _path;
    private long _at;

    /// <summary>True: the volume is an image file; false: memory.</summary>
    [Params(false, true)]
    public bool File { get; set; }

    /// <summary>Makes sources and volume.</summary>
    [GlobalSetup]
    public void Setup()
    {
        (_text, _random, _copy) = (new NativeBlock(Blocks * BlockBytes), new NativeBlock(Blocks * BlockBytes), new NativeBlock(Blocks * BlockBytes));
        var random = new Random(1);
        random.NextBytes(_random.Span);
        foreach (ref byte b in _text.Span)
            b = (byte)('a' + (int)(26 * random.NextDouble() * random.NextDouble() * random.NextDouble()) * (random.Next(4) == 0 ? 1 : 0));
        _volumes = VolumeSet.Open([Blank()]);
        var cache = new BlockCache(16 << 20);
        _buffer = new DeviceBuffer(_volumes, 64 << 20, cache);
        _reader = new BlockReader(_volumes, cache, _buffer);
        _writer = new BlockWriter(_reader, _buffer, new Ring());
    }

    /// <summary>Releases everything.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        _writer.Dispose();
        _buffer.Dispose();
        _reader.Dispose();
        _volumes.Dispose();
        _text.Dispose();
        _random.Dispose();
        _copy.Dispose();
        if (_path is not null)
            System.IO.File.Delete(_path);
    }

    /// <summary>One bound: 8 MiB copied.</summary>
    [Benchmark(Baseline = true)]
    public void MemoryCopy() => _random.Span.CopyTo(_copy.Span);

    /// <summary>The other bound: the codec alone, on one core.</summary>
    [Benchmark]
    public int CodecOnly()
    {
        int bytes = 0;
        for (int i = 0; i < Blocks; i++)
            bytes += LZ4Codec.Encode(_text.Slice(i * BlockBytes, BlockBytes), _stored);
        return bytes;
    }

    /// <summary>The check alone, on one core.</summary>
    [Benchmark]
    public ulong HashOnly()
    {
        ulong hash = 0;
        for (int i = 0; i < Blocks; i++)
            hash ^= Checks.XxHash(_random.Slice(i * BlockBytes, BlockBytes));
        return hash;
    }

    /// <summary>Compressible data with LZ4.</summary>
    [Benchmark]
    public void WriteLz4() => Write(_text, CompressionMethod.Lz4);

    /// <summary>Incompressible data with LZ4 switched on.</summary>
    [Benchmark]
    public void WriteLz4Incompressible() => Write(_random, CompressionMethod.Lz4);

    /// <summary>Data that is stored as it is.</summary>
    [Benchmark]
    public void WriteRaw() => Write(_random, CompressionMethod.None);

    /// <summary>8 MiB in blocks of 1 KiB through the buffer.</summary>
    [Benchmark]
    public void BufferSmallBlocks()
    {
        for (int i = 0; i < Blocks * 64; i++)
        {
            _at = (_at + 1024) % AreaBytes;
            _buffer.Write(Area + _at, _random.Slice(i * 1024, 1024));
        }
    }

    // A volume that has nothing but a header, as a temporary file or in memory.
    private IBlockDevice Blank()
    {
        using IBlockDevice image = FileBlockDevice.Open(BenchmarkImages.Unpack("bigfile"));
        IBlockDevice device = new MemoryBlockDevice(image.Length);
        if (File)
        {
            _path = Path.Combine(Path.GetTempPath(), $"hammer2-bench-write-{Environment.ProcessId}.img");
            using (FileStream file = System.IO.File.Create(_path))
                file.SetLength(image.Length);
            device = FileBlockDevice.Open(_path, writable: true);
        }

        byte[] header = new byte[FormatLimits.VolumeHeaderBytes];
        image.Read(0, header);
        device.Write(0, header);

        // Pages come into being when they are first written; that is not what is measured.
        for (long at = Area; at < Area + AreaBytes + (16 << 20); at += BlockBytes)
            device.Write(at, header);
        return device;
    }

    private void Write(NativeBlock source, CompressionMethod method)
    {
        fixed (byte* start = source.Span)
        {
            for (int i = 0; i < Blocks; i++)
            {
                _data[i] = new DataBlock
                {
                    Key = (ulong)i * BlockBytes,
                    Logical = start + i * BlockBytes,
                    LogicalBytes = BlockBytes,
                    CompressionSetting = (byte)method,
                    Check = CheckMethod.XxHash64,
                    History = _history,
                };
            }

            _writer.WriteData(_data, 1, 1);
        }
    }

    // Goes round in the area for ever.
    private sealed class Ring : IBlockAllocator
    {
        private long _next = Area;

        public PhysicalOffset Allocate(BlockRefType type, int radix, ulong key)
        {
            long bytes = 1L << radix;
            _next = (_next + bytes - 1) / bytes * bytes;
            if (_next + bytes > Area + AreaBytes)
                _next = Area;
            var at = new PhysicalOffset((ulong)_next | (uint)radix);
            _next += bytes;
            return at;
        }

        public void AllocateRun(BlockRefType type, ReadOnlySpan<int> radixes, Span<PhysicalOffset> result)
        {
            for (int i = 0; i < radixes.Length; i++)
                result[i] = Allocate(type, radixes[i], 0);
        }

        public void Discard(BlockRefType type, PhysicalOffset block) => throw new InvalidOperationException("Nothing fails here.");

        public bool TryRetain(PhysicalOffset block) => false;
    }
}
