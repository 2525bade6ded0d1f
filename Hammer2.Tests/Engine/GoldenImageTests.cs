// Every golden image through the engine: what the reference wrote must read back entry for entry and byte for byte,
// and damage must show exactly where the manifest says. The images are hashed before and after.

using System.Text.Json;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Engine;

[TestClass]
public sealed class GoldenImageTests
{
    /// <summary>A device that refuses every write: nothing may ever write to an image opened for reading.</summary>
    private sealed class WriteTrap(IBlockDevice inner) : IBlockDevice
    {
        public string Name => inner.Name;

        public long Length => inner.Length;

        public int SectorSize => inner.SectorSize;

        public void Read(long offset, Span<byte> buffer) => inner.Read(offset, buffer);

        public void Write(long offset, ReadOnlySpan<byte> data) => Assert.Fail($"something wrote to {Name}");

        public void Flush()
        {
            // Nothing was written, so there is nothing to flush.
        }

        public void Dispose() => GC.SuppressFinalize(this);
    }

    internal static Hammer2Volume Open(GoldenImage image, VolumeOptions? options = null) =>
        Hammer2Volume.Open(Partitions(image), options);

    private static IBlockDevice[] Partitions(GoldenImage image)
    {
        if (image.Manifest.TryGetProperty("partitions", out _))
        {
            PartitionEntry entry = PartitionScanner.Scan(image.Devices[0]).Single(p => p.IsHammer2);
            return [new PartitionWindow(new WriteTrap(image.Devices[0]), entry.Offset, entry.Length, image.Name)];
        }

        return [.. image.Devices.Select(d => new WriteTrap(d))];
    }

    [TestMethod]
    [DynamicData(nameof(GoldenImages.Rows), typeof(GoldenImages))]
    public void ImageReadsAsItsManifestSays(string name)
    {
        GoldenImage image = GoldenImages.Get(name);
        if (image.Expect == "mount_fails")
        {
            Hammer2Exception e = Assert.ThrowsExactly<Hammer2Exception>(() => OpenLabel(image));
            Assert.DoesNotContain("\n", e.Message, "the message must be one line");
            return;
        }

        using Hammer2Volume volume = Open(image);
        foreach ((string label, JsonElement entries) in image.Listings())
        {
            using PfsMount pfs = volume.OpenPfs(label);
            IReadOnlyList<string> differences = ManifestComparer.Compare(pfs, entries);
            Assert.IsEmpty(differences, $"@{label}:\n{string.Join('\n', differences)}");
            Assert.AreEqual(0, pfs.OpenInodes, "vnodes left open");
        }
    }

    [TestMethod]
    [DynamicData(nameof(GoldenImages.Rows), typeof(GoldenImages))]
    public void HeadersAndPfsListMatchTheManifest(string name)
    {
        GoldenImage image = GoldenImages.Get(name);
        if (image.Expect is "mount_fails" || name.StartsWith("dmg-", StringComparison.Ordinal))
            return;
        using Hammer2Volume volume = Open(image);
        JsonElement expected = image.Manifest.GetProperty("volume");
        Assert.AreEqual(expected.GetProperty("mirror_tid").GetUInt64(), volume.Header.MirrorTid);
        Assert.AreEqual(expected.GetProperty("allocator_free").GetUInt64(), volume.Header.AllocatorFree);
        Assert.AreEqual(expected.GetProperty("allocator_beg").GetUInt64(), volume.Header.AllocatorBegin);
        Assert.AreEqual(expected.GetProperty("fsid").GetString(), Convert.ToHexStringLower(volume.FileSystemId.ToByteArray()));

        PfsInfo[] listed = [.. volume.ListPfs()];
        JsonElement[] pfs = [.. image.Manifest.GetProperty("pfs").EnumerateArray()];
        Assert.HasCount(pfs.Length, listed);
        foreach (JsonElement one in pfs)
        {
            PfsInfo info = listed.Single(p => p.Label == one.GetProperty("label").GetString());
            Assert.AreEqual(one.GetProperty("type").GetString(), info.TypeName);
            Assert.AreEqual(one.GetProperty("pfs_inum").GetUInt64(), info.NextInode);
            Assert.AreEqual(one.GetProperty("clid").GetString(), Convert.ToHexStringLower(info.ClusterId.ToByteArray()));
            Assert.AreEqual(one.GetProperty("fsid").GetString(), Convert.ToHexStringLower(info.FileSystemId.ToByteArray()));
            Assert.AreEqual(one.GetProperty("check").GetString(), MethodNames.Of(info.Check));
        }
    }

    [TestMethod]
    public void ManifestComparerSeesOneChangedField()
    {
        // The negative control of the comparer: an entry with another mtime, and a missing one.
        GoldenImage image = GoldenImages.Get("check-iscsi32");
        using Hammer2Volume volume = Open(image);
        using PfsMount pfs = volume.OpenPfs(image.Label);
        string json = image.Manifest.GetProperty("entries").GetRawText();
        int at = json.IndexOf("\"mtime_us\": ", StringComparison.Ordinal) + "\"mtime_us\": ".Length;
        string changed = json[..at] + "1" + json[at..];
        Assert.HasCount(1, ManifestComparer.Compare(pfs, JsonDocument.Parse(changed).RootElement));

        JsonElement entries = image.Manifest.GetProperty("entries");
        string lacking = "[" + string.Join(',', entries.EnumerateArray().Skip(1).Select(e => e.GetRawText())) + "]";
        Assert.HasCount(1, ManifestComparer.Compare(pfs, JsonDocument.Parse(lacking).RootElement));
    }

    private static void OpenLabel(GoldenImage image)
    {
        using Hammer2Volume volume = Open(image);
        using PfsMount pfs = volume.OpenPfs(image.Label);
    }
}
