// The golden images as devices or files. Images are unpacked from the copies beside the tests' assembly;
// memory devices are shared by name and must not be written: take a Clone to damage one.

using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.IO.Compression;
using System.Text.Json;
using Hammer2.Engine.Devices;

namespace Hammer2.Tests.Images;

/// <summary>One golden image: its manifest and its volumes.</summary>
public sealed class GoldenImage
{
    private readonly string[] _containers;
    private readonly Lazy<JsonDocument> _manifest;
    private readonly Lazy<MemoryBlockDevice[]> _devices;

    internal GoldenImage(string name, string directory)
    {
        Name = name;
        _containers = [.. Directory.GetFiles(directory, name + ".h2s.gz"), .. Directory.GetFiles(directory, name + ".vol?.h2s.gz").Order()];
        _manifest = new Lazy<JsonDocument>(() => ReadManifest(Path.Combine(directory, name + ".manifest.json.gz")));
        _devices = new Lazy<MemoryBlockDevice[]>(() => [.. _containers.Select(ToMemory)]);
    }

    /// <summary>Name without extensions.</summary>
    public string Name { get; }

    /// <summary>The manifest's root object.</summary>
    public JsonElement Manifest => _manifest.Value.RootElement;

    /// <summary>"ok", "partial", "mount_fails" or "mount_may_fail".</summary>
    public string Expect => Manifest.GetProperty("expect").GetString()!;

    /// <summary>The label that <c>entries</c> describes.</summary>
    public string Label => Manifest.GetProperty("label").GetString()!;

    /// <summary>The volumes in memory, shared: never write to them.</summary>
    public IReadOnlyList<MemoryBlockDevice> Devices => _devices.Value;

    /// <summary>Private copies of the volumes, for tests that damage them.</summary>
    public MemoryBlockDevice[] CloneDevices() => [.. Devices.Select(d => d.Clone())];

    /// <summary>(label, entries) of every PFS that the manifest describes.</summary>
    public IEnumerable<(string Label, JsonElement Entries)> Listings()
    {
        yield return (Label, Manifest.GetProperty("entries"));
        if (!Manifest.TryGetProperty("pfs_entries", out JsonElement others))
            yield break;
        foreach (JsonProperty other in others.EnumerateObject())
            yield return (other.Name, other.Value);
    }

    /// <summary>Unpacks the volumes as sparse files.</summary>
    public string[] UnpackTo(string directory)
    {
        var paths = new List<string>();
        foreach (string container in _containers)
        {
            string path = Path.Combine(directory, Path.GetFileName(container).Replace(".h2s.gz", ".img", StringComparison.Ordinal));
            using FileStream image = File.Create(path);
            ReadContainer(container, image.SetLength, (offset, bytes) =>
            {
                image.Position = offset;
                image.Write(bytes);
            });
            paths.Add(path);
        }

        return [.. paths];
    }

    /// <inheritdoc/>
    public override string ToString() => Name;

    private static MemoryBlockDevice ToMemory(string container)
    {
        MemoryBlockDevice? device = null;
        ReadContainer(
            container,
            size => device = new MemoryBlockDevice(size, Path.GetFileName(container)),
            (offset, bytes) => device!.Write(offset, bytes));
        return device!;
    }

    private static void ReadContainer(string path, Action<long> size, Action<long, byte[]> record)
    {
        using var gzip = new GZipStream(File.OpenRead(path), CompressionMode.Decompress);
        byte[] head = new byte[24];
        gzip.ReadExactly(head);
        Assert.IsTrue(head.AsSpan(0, 8).SequenceEqual("H2SPARSE"u8), $"{path} is no sparse container");
        size(BinaryPrimitives.ReadInt64LittleEndian(head.AsSpan(16)));
        byte[] entry = new byte[12];
        while (true)
        {
            gzip.ReadExactly(entry);
            long offset = BinaryPrimitives.ReadInt64LittleEndian(entry);
            if (offset == -1)
                return;
            byte[] bytes = new byte[BinaryPrimitives.ReadInt32LittleEndian(entry.AsSpan(8))];
            gzip.ReadExactly(bytes);
            record(offset, bytes);
        }
    }

    private static JsonDocument ReadManifest(string path)
    {
        using var gzip = new GZipStream(File.OpenRead(path), CompressionMode.Decompress);
        return JsonDocument.Parse(gzip);
    }
}

/// <summary>All golden images.</summary>
public static class GoldenImages
{
    private static readonly ConcurrentDictionary<string, GoldenImage> s_images = new();

    /// <summary>The folder of the containers.</summary>
    public static string Folder => Path.Combine(AppContext.BaseDirectory, "Images");

    /// <summary>Names of all images.</summary>
    public static IReadOnlyList<string> Names { get; } =
        [.. Directory.GetFiles(Folder, "*.manifest.json.gz").Select(f => Path.GetFileName(f).Split('.')[0]).Order(StringComparer.Ordinal)];

    /// <summary>For DynamicData: one row per image.</summary>
    public static IEnumerable<object[]> Rows => Names.Select(n => new object[] { n });

    /// <summary>The image of that name.</summary>
    public static GoldenImage Get(string name) => s_images.GetOrAdd(name, static n => new GoldenImage(n, Folder));
}
