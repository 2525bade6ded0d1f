// Formatting against the images that the reference implementation's newfs made: given the same UUIDs and the same
// time, every byte must be the same, reserve, boot and auxiliary area, inodes, and all header copies.

using System.Runtime.InteropServices;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Formatting;

[TestClass]
public sealed class GoldenFormatTests
{
    private const int Chunk = 1 << 20;

    [TestMethod]
    [DataRow("empty", 2u, "DATA")]
    [DataRow("empty-v1", 1u, "OLD")]
    [DataRow("empty-tiny", 2u, "TINY")]
    [DataRow("empty-root", 2u, "ROOT")]
    [DataRow("empty-nolabel", 2u, "")]
    [DataRow("empty-labels", 2u, "SYS,HOME,long-*")]
    [DataRow("multi-volume-empty", 2u, "MV2")]
    public void EveryByteIsTheReferences(string name, uint version, string labels)
    {
        GoldenImage golden = GoldenImages.Get(name);
        MemoryBlockDevice[] made = [.. golden.Devices.Select(d => new MemoryBlockDevice(d.Length))];
        VolumeFormatOptions options = OptionsOf(golden, version, labels);
        VolumeFormatResult result = VolumeFormatter.Format(made, options);
        Assert.AreEqual(golden.Manifest.GetProperty("volume").GetProperty("allocator_free").GetInt64(), result.FreeBytes);

        for (int v = 0; v < made.Length; v++)
        {
            VolumeHeader header = HeaderOf(golden.Devices[v]);
            long statics = v == 0 ? (long)header.AuxEnd + 2 * FormatLimits.BlockBytesMax : FormatLimits.ReservedBytes;
            Same(golden.Devices[v], made[v], 0, Math.Min(statics, made[v].Length), $"volume {v}");
            for (int copy = 1; copy < FormatLimits.VolumeHeaderCopies; copy++)
                Same(golden.Devices[v], made[v], copy * FormatLimits.VolumeHeaderSpacing, Chunk, $"volume {v}, header {copy}");
            Same(golden.Devices[v], made[v], made[v].Length - Chunk, Chunk, $"end of volume {v}");
        }
    }

    [TestMethod]
    public void ComparisonSeesOneBit()
    {
        // The negative control of the comparison above.
        GoldenImage golden = GoldenImages.Get("empty-tiny");
        MemoryBlockDevice copy = golden.CloneDevices()[0];
        copy.Write(0x1400000 + 1024, [(byte)3]);
        Assert.ThrowsExactly<AssertFailedException>(() => Same(golden.Devices[0], copy, 0, copy.Length, "copy"));
    }

    /// <summary>UUIDs and time of the image, in the order in which the formatter asks for them.</summary>
    private static VolumeFormatOptions OptionsOf(GoldenImage golden, uint version, string labels)
    {
        VolumeHeader header = HeaderOf(golden.Devices[0]);
        int count = (int)((header.AllocatorBegin - header.AuxEnd) / FormatLimits.InodeBytes);
        byte[] block = new byte[count * FormatLimits.InodeBytes];
        golden.Devices[0].Read((long)header.AuxEnd, block);
        InodeData[] inodes = [.. Enumerable.Range(0, count).Select(i => MemoryMarshal.Read<InodeData>(block.AsSpan(i * FormatLimits.InodeBytes)))];
        var ids = new Queue<Guid>(inodes.Skip(1).Append(inodes[0]).SelectMany(i => new[] { i.PfsClusterId, i.PfsFileSystemId }).Append(header.FileSystemId));
        string[] names = [.. labels.Split(',', StringSplitOptions.RemoveEmptyEntries).Select((l, i) => l.EndsWith('*') ? NameOf(block, i + 2) : l)];
        return new VolumeFormatOptions { Version = version, Labels = names, NewId = ids.Dequeue, TimeUs = inodes[0].ChangeTime };
    }

    private static string NameOf(byte[] block, int inode)
    {
        ReadOnlySpan<byte> bytes = block.AsSpan(inode * FormatLimits.InodeBytes, FormatLimits.InodeBytes);
        int length = MemoryMarshal.Read<InodeData>(bytes).NameLength;
        return System.Text.Encoding.UTF8.GetString(bytes.Slice(InodeData.NameOffset, length));
    }

    private static VolumeHeader HeaderOf(MemoryBlockDevice device) => VolumeHeaderCopy.ReadAll(device)[0].Header!;

    private static void Same(MemoryBlockDevice expected, MemoryBlockDevice actual, long from, long length, string what)
    {
        byte[] a = new byte[Chunk], b = new byte[Chunk];
        long end = Math.Min(from + length, expected.Length);
        for (long at = from; at < end; at += Chunk)
        {
            int part = (int)Math.Min(Chunk, end - at);
            expected.Read(at, a.AsSpan(0, part));
            actual.Read(at, b.AsSpan(0, part));
            int same = a.AsSpan(0, part).CommonPrefixLength(b.AsSpan(0, part));
            Assert.AreEqual(part, same, $"{what}: byte 0x{at + same:x} is {b[Math.Min(same, part - 1)]:x2}, not {a[Math.Min(same, part - 1)]:x2}");
        }
    }
}
