// Damaged volumes, opened for writing and worked on everywhere: at what is damaged and beside it. Damage fails what it belongs to and
// nothing else: the volume goes on, and what was written elsewhere is there after the next opening.

using System.Text;
using System.Text.Json;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Hostile;

[TestClass]
public sealed class DamagedWritableTests
{
    private const int Block = FormatLimits.LogicalBlockBytes;

    // Of the sound entries one in so many is changed; the others must stay as they are.
    private const int SoundStep = 5;
    private static readonly VolumeOptions s_writable = new() { Writable = true, CommitInterval = TimeSpan.Zero, CacheBytesMax = 1 << 20 };

    public static IEnumerable<object[]> Damaged => GoldenImages.Rows
        .Where(static row => GoldenImages.Get((string)row[0]).Expect == "partial" && ((string)row[0]).StartsWith("dmg-", StringComparison.Ordinal));

    // A whole block of a file was accepted without a look at the damaged indirect block above it. The write-out found the damage, the
    // volume turned read-only, and what others had written since the last commit was lost.
    [TestMethod]
    public void WholeBlockUnderADamagedIndirectBlockFailsAlone()
    {
        MemoryBlockDevice[] devices = GoldenImages.Get("dmg-indirect-file").CloneDevices();
        byte[] block = Noise(Block, 1);
        using (Hammer2Volume volume = Hammer2Volume.Open(devices, s_writable))
        {
            using PfsMount pfs = volume.OpenPfs("DATA");
            Put(pfs, "/before", block);
            using Vnode stone = Open(pfs, "/large/stone.dat");
            Assert.AreEqual(Hammer2Error.CheckFailed, Assert.ThrowsExactly<Hammer2Exception>(() => stone.TryWrite(2 * Block, block)).Error);
            Assert.AreEqual(Hammer2Error.CheckFailed, Assert.ThrowsExactly<Hammer2Exception>(() => stone.TryWrite(0, Noise(5 * Block, 2))).Error);
            Put(pfs, "/after", block);
            volume.Sync();
            Assert.IsTrue(volume.IsWritable);
        }

        using Hammer2Volume again = Hammer2Volume.Open(devices);
        using PfsMount reading = again.OpenPfs("DATA");
        CollectionAssert.AreEqual(block, Content(reading, "/before"));
        CollectionAssert.AreEqual(block, Content(reading, "/after"));
    }

    // Searching passes over entries outside their array's range, changing does not: the commit found that out, and the volume turned read-only.
    [TestMethod]
    public void IndexThatCanOnlyBeReadFailsTheChangeAlone()
    {
        var image = new ImageBuilder();
        ulong inside = image.NewInodeNumber(), outside = inside + 0x4000;
        image.AddInode(inside, ImageBuilder.EmbeddedInodeBlock(inside, ObjectType.File, "old"u8));
        image.AddInode(outside, ImageBuilder.EmbeddedInodeBlock(outside, ObjectType.File, "far"u8));
        image.AddName("inside", inside, ObjectType.File);
        image.RootBlockset = [image.Indirect(0, 12, [.. image.Inodes]), image.Pack(image.RootEntries, 3)[0]];
        image.EditRootInode = (ref InodeData data) => data.PfsNextInode = 0x9000;
        using Hammer2Volume volume = Hammer2Volume.Open([image.Finish()], s_writable);
        using PfsMount pfs = volume.OpenPfs(ImageBuilder.Label);
        using Vnode file = Open(pfs, "/inside");
        Assert.AreEqual(Hammer2Error.Corrupt, Assert.ThrowsExactly<Hammer2Exception>(() => file.TryWrite(0, "new"u8)).Error);
        using Vnode root = Open(pfs, "/");
        Assert.AreEqual(Hammer2Error.Corrupt, Assert.ThrowsExactly<Hammer2Exception>(() => pfs.TryUnlink(root, "inside"u8)).Error);
        CollectionAssert.AreEqual("old"u8.ToArray(), Content(pfs, "/inside"));

        // Where the index is sound everything works.
        Put(pfs, "/new", Noise(Block, 9));
        volume.Sync();
        Assert.IsTrue(volume.IsWritable);
    }

    [TestMethod]
    [DynamicData(nameof(Damaged))]
    public void DamageFailsOnlyWhatItBelongsTo(string name)
    {
        GoldenImage image = GoldenImages.Get(name);
        MemoryBlockDevice[] devices = image.CloneDevices();
        JsonElement[] entries = [.. image.Manifest.GetProperty("entries").EnumerateArray()];
        var changed = new HashSet<ulong>();
        var failures = new List<string>();
        byte[] block = Noise(Block, 3);
        using (Hammer2Volume volume = Hammer2Volume.Open(devices, s_writable))
        {
            using PfsMount pfs = volume.OpenPfs(image.Label);
            for (int i = 0; i < entries.Length; i++)
            {
                bool damaged = entries[i].TryGetProperty("damaged", out _);
                if (!damaged && i % SoundStep != 0)
                    continue;
                changed.Add(entries[i].GetProperty("inum").GetUInt64());
                Work(pfs, Convert.FromHexString(ManifestComparer.KeyOf(entries[i])), damaged, failures);
                volume.Sync();
            }

            Assert.IsNull(volume.Failure);
            if (name != "dmg-freemap-leaf" && !IsDamaged(entries[0]))
                Put(pfs, "/beside", block);
            volume.Sync();
        }

        Assert.IsEmpty(failures, string.Join('\n', failures.Take(20)));
        using Hammer2Volume again = Hammer2Volume.Open(devices);
        using PfsMount reading = again.OpenPfs(image.Label);
        if (name != "dmg-freemap-leaf" && !IsDamaged(entries[0]))
            CollectionAssert.AreEqual(block, Content(reading, "/beside"));
        foreach (JsonElement entry in entries.Where(e => !IsDamaged(e) && e.GetProperty("type").GetString() == "file" && !changed.Contains(e.GetProperty("inum").GetUInt64())))
        {
            byte[] path = Convert.FromHexString(ManifestComparer.KeyOf(entry));
            if (entry.GetProperty("sha256").GetString() is not string hash)
                continue;
            Assert.AreEqual(Hammer2Error.None, reading.TryResolve(path, out Vnode? vnode), Encoding.UTF8.GetString(path));
            using Vnode file = vnode!;
            byte[] bytes = new byte[file.GetAttributes().Size];
            file.Read(0, bytes);
            Assert.AreEqual(hash, Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes)), Encoding.UTF8.GetString(path));
        }
    }

    private static bool IsDamaged(JsonElement entry) => entry.TryGetProperty("damaged", out _);

    // Everything that can be done to an object; of a damaged one every step may fail, each for itself.
    private static void Work(PfsMount pfs, byte[] path, bool damaged, List<string> failures)
    {
        string shown = Encoding.UTF8.GetString(path);
        Vnode? vnode = null;
        Try("open", () => pfs.TryResolve(path, out vnode));
        using Vnode? open = vnode;
        if (open is null)
            return;
        Try("mode", () => open.TrySetAttributes(new AttributeChanges { Mode = 0x1B6 }));
        if (open.Type == ObjectType.File)
        {
            Try("whole block", () => open.TryWrite(0, Noise(Block, 4)));
            Try("part", () => open.TryWrite(Block + 77, "part of a block"u8));
            Try("append", () => open.TryAppend(Noise(2 * Block, 5), out _));
            Try("punch", () => open.TryPunchHole(5, 5 * Block));
            Try("extend", () => open.TrySetSize(9_000_000));
            Try("cut", () => open.TrySetSize(Block + 3));
            Try("empty", () => open.TrySetSize(0));
        }
        else if (open.Type == ObjectType.Directory)
        {
            Vnode? made = null;
            Try("create", () => pfs.TryCreate(open, "made here"u8, new NewInode { Type = ObjectType.File, Mode = 0x1B6 }, out made));
            using Vnode? file = made;
            if (file is null)
                return;
            Try("write", () => file.TryWrite(0, Noise(100_000, 6)));
            Try("link", () => pfs.TryLink(file, open, "linked here"u8));
            Try("rename", () => pfs.TryRename(open, "made here"u8, open, "renamed here"u8, RenameMode.Replace));
            Try("unlink", () => pfs.TryUnlink(open, "linked here"u8));
            Try("remove", () => pfs.TryUnlink(open, "renamed here"u8));
        }

        void Try(string what, Func<Hammer2Error> step)
        {
            try
            {
                Hammer2Error error = step();
                if (error is not (Hammer2Error.None or Hammer2Error.NoSpace) && !damaged)
                    failures.Add($"{what} of {shown}: {error}");
            }
            catch (Hammer2Exception e)
            {
                if (!damaged && !e.Message.Contains("freemap", StringComparison.OrdinalIgnoreCase))
                    failures.Add($"{what} of {shown}: {e.Message}");
            }
        }
    }

    private static byte[] Noise(int length, int seed)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static Vnode Open(PfsMount pfs, string path)
    {
        Assert.AreEqual(Hammer2Error.None, pfs.TryResolve(path, out Vnode? vnode), path);
        return vnode!;
    }

    private static void Put(PfsMount pfs, string path, byte[] content)
    {
        using Vnode root = Open(pfs, "/");
        Assert.AreEqual(Hammer2Error.None, pfs.TryCreate(root, Encoding.UTF8.GetBytes(path[1..]), new NewInode { Type = ObjectType.File, Mode = 0x1B6 }, out Vnode? made));
        using Vnode file = made!;
        Assert.AreEqual(Hammer2Error.None, file.TryWrite(0, content));
    }

    private static byte[] Content(PfsMount pfs, string path)
    {
        using Vnode file = Open(pfs, path);
        byte[] bytes = new byte[file.GetAttributes().Size];
        Assert.AreEqual(bytes.Length, file.Read(0, bytes));
        return bytes;
    }
}
