// Names: look-up, attributes and listing in a directory of 20,000 entries.
// All from a warm cache: what is measured is the engine and not the disk. Calls the engine alone.

using BenchmarkDotNet.Attributes;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Volumes;

namespace Hammer2.Benchmarks;

/// <summary>Cached metadata of the image "bigdir".</summary>
[MemoryDiagnoser]
public class DirectoryBenchmarks
{
    private readonly DirectoryBatch _batch = new(1024);
    private readonly DirectoryBatch _namesOnly = new(1024) { WithAttributes = false };
    private Hammer2Volume _volume = null!;
    private PfsMount _pfs = null!;
    private Vnode _directory = null!;
    private byte[] _name = [];
    private ulong _child;

    /// <summary>Opens the image and finds its large directory.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _volume = Hammer2Volume.Open(BenchmarkImages.Unpack("bigdir"));
        _pfs = _volume.OpenPfs();
        _directory = _pfs.OpenRoot();
        while (true)
        {
            _directory.ReadDirectory(0, _batch);
            if (_batch.Count > 100)
                break;
            _ = _pfs.TryOpen(_batch[0].InodeNumber, out Vnode? below);
            _directory.Dispose();
            _directory = below!;
        }

        _name = _batch.NameOf(500).ToArray();
        _child = _batch[500].InodeNumber;
    }

    /// <summary>Closes the volume.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        _directory.Dispose();
        _volume.Dispose();
    }

    /// <summary>One name to attributes, the directory open.</summary>
    [Benchmark]
    public InodeAttributes Lookup()
    {
        _ = _pfs.TryLookup(_directory.InodeNumber, _name, out InodeAttributes attributes);
        return attributes;
    }

    /// <summary>Attributes by inode number.</summary>
    [Benchmark]
    public InodeAttributes Attributes()
    {
        _ = _pfs.TryGetAttributes(_child, out InodeAttributes attributes);
        return attributes;
    }

    /// <summary>Open, attributes, close.</summary>
    [Benchmark]
    public long OpenInfoClose()
    {
        _ = _pfs.TryOpen(_child, out Vnode? vnode);
        using (vnode)
            return vnode!.GetAttributes().Size;
    }

    /// <summary>All 20,000 entries with attributes; per operation, so divide.</summary>
    [Benchmark]
    public int ListWithAttributes() => List(_batch);

    /// <summary>All 20,000 names.</summary>
    [Benchmark]
    public int ListNames() => List(_namesOnly);

    private int List(DirectoryBatch batch)
    {
        int count = 0;
        ulong position = 0;
        do
        {
            _directory.ReadDirectory(position, batch);
            count += batch.Count;
            position = batch.NextPosition;
        }
        while (!batch.EndOfDirectory);
        return count;
    }
}
