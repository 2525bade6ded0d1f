// Reading through the engine against what bounds it: memory copy for cached data, the codec and the hash for cold data.
// The ratios count, not the times: both sides run in one process on one machine.

using BenchmarkDotNet.Attributes;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Volumes;
using K4os.Compression.LZ4;

namespace Hammer2.Benchmarks;

/// <summary>64 KiB reads of a 144 MiB LZ4 file.</summary>
[MemoryDiagnoser]
public class ReadBenchmarks
{
    private const int BlockBytes = 65536;
    private readonly byte[] _buffer = new byte[BlockBytes];
    private readonly byte[] _source = new byte[BlockBytes];
    private readonly byte[] _stored = new byte[BlockBytes];
    private Hammer2Volume _cached = null!;
    private Hammer2Volume _cold = null!;
    private Vnode _cachedFile = null!;
    private Vnode _coldFile = null!;
    private int _storedBytes;
    private long _size;
    private long _at;

    /// <summary>Opens the image twice: with a cache that holds the file, and with one that never does.</summary>
    [GlobalSetup]
    public void Setup()
    {
        string path = BenchmarkImages.Unpack("bigfile");
        _cached = Hammer2Volume.Open(path, new VolumeOptions { ReadAheadBlocksMax = 0 });
        _cold = Hammer2Volume.Open(path, new VolumeOptions { ReadAheadBlocksMax = 0, CacheBytesMax = 1 << 20 });
        _cachedFile = BenchmarkImages.OpenLargest(_cached.OpenPfs("DATA"), 1L << 30);
        _coldFile = BenchmarkImages.OpenLargest(_cold.OpenPfs("DATA"), 1L << 30);
        _size = _cachedFile.GetAttributes().Size;
        for (long at = 0; at < _size; at += BlockBytes)
            _ = _cachedFile.Read(at, _buffer);
        _ = _cachedFile.Read(0, _source);
        _storedBytes = LZ4Codec.Encode(_source, _stored);
    }

    /// <summary>Closes the volumes.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        _cachedFile.Dispose();
        _coldFile.Dispose();
        _cached.Dispose();
        _cold.Dispose();
    }

    /// <summary>The bound of cached reads.</summary>
    [Benchmark(Baseline = true)]
    public void MemoryCopy() => _source.AsSpan().CopyTo(_buffer);

    /// <summary>A cached block, always the same.</summary>
    [Benchmark]
    public int CachedRead() => _cachedFile.Read(0, _buffer);

    /// <summary>A cached block, sequentially through 144 MiB.</summary>
    [Benchmark]
    public int CachedSequentialRead() => _cachedFile.Read(Next(), _buffer);

    /// <summary>A block that has to be read, verified and decoded.</summary>
    [Benchmark]
    public int ColdRead() => _coldFile.Read(Next(), _buffer);

    /// <summary>The codec alone, on the file's first block.</summary>
    [Benchmark]
    public int DecodeOnly() => LZ4Codec.Decode(_stored.AsSpan(0, _storedBytes), _buffer);

    /// <summary>The hash alone, over that block as stored.</summary>
    [Benchmark]
    public ulong HashOnly() => Checks.XxHash(_stored.AsSpan(0, _storedBytes));

    private long Next()
    {
        _at += BlockBytes;
        if (_at >= _size)
            _at = 0;
        return _at;
    }
}
