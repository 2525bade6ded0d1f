// Random damage to the metadata of golden images: bits, bytes, and whole fields set to interesting numbers. In half of
// the rounds the check codes above are repaired, so that the damage is reached. Then everything is asked for. Nothing
// but Hammer2Exception may come out, in bounded time, stack and memory. HAMMER2_SEED repeats, HAMMER2_FUZZ_SECONDS prolongs.

using System.Buffers.Binary;
using System.Diagnostics;
using Hammer2.Engine.Format;
using Hammer2.Tests.Images;
using Hammer2.Torture.Devices;

namespace Hammer2.Tests.Hostile;

[TestClass]
public sealed class MutationFuzzTests
{
    private const double UsualSeconds = 20;
    private static readonly string[] s_images = ["empty-labels", "names", "damage-base", "small-mixed", "multi-pfs"];

    // Offsets in a blockref and in an inode where a wrong number does most harm, with the bytes of the field.
    private static readonly (int Offset, int Bytes)[] s_refFields =
        [(0, 1), (1, 1), (3, 1), (5, 1), (8, 8), (8, 1), (15, 1), (0x10, 8), (0x18, 8), (0x20, 8), (0x20, 1), (0x22, 2), (0x30, 8), (0x38, 2), (0x3A, 1), (0x40, 8)];

    private static readonly (int Offset, int Bytes)[] s_inodeFields =
        [(0, 2), (0x50, 1), (0x51, 1), (0x58, 8), (0x60, 8), (0x60, 2), (0x68, 8), (0x70, 8), (0x80, 2), (0x83, 1), (0x85, 1), (0x87, 1), (0x100, 8)];

    private static readonly ulong[] s_numbers =
        [0, 1, 2, 3, 4, 5, 7, 0x0F, 0x10, 0x3F, 0x40, 0x41, 0xFF, 0x100, 0x1FF, 0x200, 0x201, 0x3FF, 0x400, 0x7FFF, 0x8000, 0xFFFF, 0x10000, int.MaxValue, uint.MaxValue,
        1UL << 32, 1UL << 40, (1UL << 62) + 1, long.MaxValue, 1UL << 63, ulong.MaxValue - 1, ulong.MaxValue];

    public required TestContext TestContext { get; set; }

    [TestMethod]
    public void DamagedMetadataNeverHurts()
    {
        int seed = HammerSeed.Get();
        TestContext.WriteLine($"{HammerSeed.Variable}={seed}");
        var random = new Random(seed);
        MediaMap[] maps = [.. s_images.Select(n => new MediaMap(GoldenImages.Get(n).Devices[0]))];
        double seconds = HammerSeed.Seconds(UsualSeconds);
        var clock = Stopwatch.StartNew();
        int rounds = 0, opened = 0, reached = 0;
        while (clock.Elapsed.TotalSeconds < seconds)
        {
            int roundSeed = random.Next();
            int which = rounds % s_images.Length;
            Survey survey = Round(s_images[which], maps[which], new Random(roundSeed), $"{HammerSeed.Variable}={seed}, round {rounds}, {s_images[which]}");
            rounds++;
            opened += survey.Opened ? 1 : 0;
            reached += survey.Opened && survey.Failures > 1 ? 1 : 0;
        }

        TestContext.WriteLine($"{rounds} rounds, {opened} opened, {reached} met damage");
        Assert.IsGreaterThan(rounds / 3, opened, "most damage must leave the volume readable");
        Assert.IsGreaterThan(rounds / 10, reached, "damage must be reached");
    }

    [TestMethod]
    public void MapFindsEveryMetadataBlockOfASample()
    {
        // The fuzz is worth nothing if the map misses most blocks, or repairs wrongly.
        GoldenImage image = GoldenImages.Get("small-mixed");
        var map = new MediaMap(image.Devices[0]);
        int inodes = map.All.Count(b => b.Type == BlockRefType.Inode);
        Assert.IsGreaterThanOrEqualTo(image.Manifest.GetProperty("entries").GetArrayLength(), inodes + 50, $"{inodes} inodes");
        foreach (MediaBlock block in map.Metadata.Take(40))
        {
            var device = new OverlayDevice(image.Devices[0]);
            map.Repair(device, block);
            byte[] before = new byte[FormatLimits.VolumeHeaderBytes], after = new byte[FormatLimits.VolumeHeaderBytes];
            image.Devices[0].Read(map.HeaderOffset, before);
            device.Read(map.HeaderOffset, after);
            CollectionAssert.AreEqual(before, after, $"repairing the sound block at 0x{block.Offset:x} changed the header");
        }
    }

    [TestMethod]
    public void RepairedDamageIsReachedAndUnrepairedIsNot()
    {
        GoldenImage image = GoldenImages.Get("damage-base");
        var map = new MediaMap(image.Devices[0]);
        MediaBlock inode = map.Metadata.Last(b => b.Type == BlockRefType.Inode && b.References[0].Holder is { Type: BlockRefType.Indirect });
        var device = new OverlayDevice(image.Devices[0]);
        device.Write(inode.Offset + 0x54, [0x49, 0x01]);
        int failures = Survey.Of([device]).Failures;
        Assert.IsGreaterThan(Survey.Of([new OverlayDevice(image.Devices[0])]).Failures, failures);
        map.Repair(device, inode);
        Assert.IsLessThan(failures, Survey.Of([device]).Failures);
    }

    private static Survey Round(string name, MediaMap map, Random random, string what)
    {
        var device = new OverlayDevice(GoldenImages.Get(name).Devices[0]);
        bool repair = random.Next(2) == 0;
        for (int n = random.Next(1, 4); n > 0; n--)
        {
            MediaBlock block = random.Next(12) == 0 ? map.All[random.Next(map.All.Count)] : map.Metadata[random.Next(map.Metadata.Count)];
            Mutate(device, block, random);
            if (repair)
                map.Repair(device, block);
        }

        if (random.Next(10) == 0)
        {
            device.Write(map.HeaderOffset + random.Next(8, 0x1000), [(byte)random.Next(256)]);
            map.SealHeader(device);
        }

        Survey? survey = null;
        Bounded.Run(what, () => survey = Survey.Of([device]), seconds: 60, allocationMax: 256L << 20);
        return survey!;
    }

    internal static void Mutate(OverlayDevice device, MediaBlock block, Random random)
    {
        byte[] bytes = new byte[block.Bytes];
        device.Read(block.Offset, bytes);
        switch (random.Next(6))
        {
            case 0:
                bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
                break;
            case 1:
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
                break;
            case 2 when block.Type == BlockRefType.Inode:
                Set(bytes, 0, s_inodeFields[random.Next(s_inodeFields.Length)], random);
                break;
            case 3:
                MoveSlots(bytes, block.Type, random);
                break;
            default:
                Set(bytes, SlotOf(bytes, block.Type, random), s_refFields[random.Next(s_refFields.Length)], random);
                break;
        }

        device.Write(block.Offset, bytes);
    }

    // A slot that is in use, if one is met soon: most are empty.
    private static int SlotOf(byte[] bytes, BlockRefType type, Random random)
    {
        int first = type == BlockRefType.Inode ? InodeData.UnionOffset : 0;
        int count = (bytes.Length - first) / FormatLimits.BlockRefBytes;
        int slot = 0;
        for (int n = 0; n < 20; n++)
        {
            slot = first + random.Next(count) * FormatLimits.BlockRefBytes;
            if (bytes[slot] != 0)
                break;
        }

        return slot;
    }

    private static void MoveSlots(byte[] bytes, BlockRefType type, Random random)
    {
        Span<byte> from = bytes.AsSpan(SlotOf(bytes, type, random), FormatLimits.BlockRefBytes);
        Span<byte> to = bytes.AsSpan(SlotOf(bytes, type, random), FormatLimits.BlockRefBytes);
        if (random.Next(3) == 0)
            to.Clear();
        else
            from.CopyTo(to);
    }

    private static void Set(byte[] bytes, int start, (int Offset, int Bytes) field, Random random)
    {
        ulong number = random.Next(4) == 0 ? (ulong)random.NextInt64() : s_numbers[random.Next(s_numbers.Length)];
        Span<byte> value = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(value, number);
        value[..field.Bytes].CopyTo(bytes.AsSpan(start + field.Offset));
    }
}
