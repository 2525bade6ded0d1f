// Proves that what a real kernel shows of every golden image is what its manifest says, whole or damaged, and how fast
// paths behave:
// nothing allocated per request, nothing asked twice, parallel readers right.
// Layers: Fuse and Engine under a real kernel.

using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Volumes;
using Hammer2.Fuse;
using Hammer2.Fuse.Protocol;
using Hammer2.Tests.Images;
using Microsoft.Extensions.Logging;

namespace Hammer2.Tests.Fuse;

[TestClass]
public sealed class GoldenMountTests : KernelTestBase
{
    public static IEnumerable<object[]> Mountable =>
        GoldenImages.Names.Where(name => GoldenImages.Get(name).Expect is "ok" or "partial").Select(object[] (name) => [name]);

    [TestMethod]
    [DynamicData(nameof(Mountable))]
    public void The_mount_shows_what_the_manifest_says(string name)
    {
        var image = GoldenImages.Get(name);
        using var volume = OpenVolume(image);
        using var healthy = image.Expect == "partial" ? Hammer2Volume.Open(GoldenImages.Get("damage-base").Devices) : null;
        using var undamaged = healthy?.OpenPfs(image.Label);
        foreach (var (label, entries) in image.Listings())
        {
            using var pfs = volume.OpenPfs(label);
            using var mount = FuseMount.Mount(pfs, Target);
            var differences = new MountComparer(Target, undamaged).Compare(entries);
            Assert.IsEmpty(differences, $"{name}@{label}:\n{string.Join('\n', differences)}");
        }
    }

    [TestMethod]
    public void Statfs_shows_the_space_of_the_volume()
    {
        using var volume = Open("small-mixed", out var pfs);
        using var mount = FuseMount.Mount(pfs, Target);
        var statistics = BytePaths.StatFs(TargetBytes);
        CollectionAssert.AreEqual(
            new ulong[]
            {
                65536, (ulong)volume.TotalBytes / 65536, (ulong)volume.FreeBytes / 65536, (ulong)volume.FreeBytes / 65536,
                (ulong)pfs.GetStatistics().InodeCount + (ulong)volume.FreeBytes / 1024,
            },
            statistics);
    }

    [TestMethod]
    public void Seeking_in_a_directory_neither_skips_nor_repeats()
    {
        using var volume = Open("names", out var pfs);
        using var mount = FuseMount.Mount(pfs, Target);
        foreach (var directory in Directory.GetDirectories(Target))
        {
            var path = Encoding.UTF8.GetBytes(directory);
            Assert.AreEqual(0, BytePaths.List(path, out var straight));
            Assert.AreEqual(0, BytePaths.List(path, out var seeking, seekEveryTime: true));
            CollectionAssert.AreEqual(
                straight.ConvertAll(entry => Convert.ToHexString(entry.Name)),
                seeking.ConvertAll(entry => Convert.ToHexString(entry.Name)));
        }
    }

    [TestMethod]
    public void A_directory_of_20000_is_listed_once_and_then_cached()
    {
        using var volume = Open("bigdir", out var pfs);
        using var mount = FuseMount.Mount(pfs, Target);
        var directory = Encoding.UTF8.GetBytes(Directory.GetDirectories(Target).Single());
        Assert.AreEqual(0, BytePaths.List(directory, out var first));
        Assert.HasCount(20_002, first);
        var requests = Listings(mount);
        Assert.AreEqual(0, BytePaths.List(directory, out var second));
        Assert.HasCount(20_002, second);
        Assert.AreEqual(requests, Listings(mount), "the second listing asks nothing");
    }

    [TestMethod]
    public void Parallel_readers_get_right_bytes()
    {
        var files = GoldenImages.Get("small-mixed").Manifest.GetProperty("entries").EnumerateArray()
            .Where(entry => entry.GetProperty("type").GetString() == "file" && entry.TryGetProperty("path", out _))
            .Select(entry => (Path: entry.GetProperty("path").GetString()!, Hash: entry.GetProperty("sha256").GetString()!)).ToArray();
        using var volume = Open("small-mixed", out var pfs);
        using var mount = FuseMount.Mount(pfs, Target, new FuseMountOptions { CacheTime = TimeSpan.Zero });
        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 8 }, reader =>
        {
            for (var i = 0; i < files.Length; i++)
            {
                var (path, hash) = files[(i * 7 + reader * 31) % files.Length];
                var data = File.ReadAllBytes(Target + path);
                Assert.AreEqual(hash, Convert.ToHexStringLower(SHA256.HashData(data)), path);
            }
        });
    }

    [TestMethod]
    public void The_birth_time_is_shown_by_statx()
    {
        using var volume = Open("small-mixed", out var pfs);
        using var mount = FuseMount.Mount(pfs, Target);
        var checkedAny = false;
        foreach (var path in Directory.GetFileSystemEntries(Target))
        {
            Assert.AreEqual(0, BytePaths.Status(Encoding.UTF8.GetBytes(path), out var status));
            Assert.AreEqual(0, (int)pfs.TryGetAttributes(status.Inode, out var attributes));
            Assert.AreEqual(attributes.BirthTimeUs == 0 ? null : attributes.BirthTimeUs, status.BirthTimeUs);
            Assert.AreEqual((ulong)attributes.AllocatedBytes / 512, status.Blocks);
            checkedAny = true;
        }

        Assert.IsTrue(checkedAny);
        Assert.IsGreaterThan(0, mount.RequestsOf(FuseOpcode.Statx));
    }

    [TestMethod]
    public void Owners_can_be_replaced()
    {
        using var volume = Open("small-mixed", out var pfs);
        using var mount = FuseMount.Mount(pfs, Target, new FuseMountOptions { Uid = 1234, Gid = 77 });
        foreach (var path in Directory.GetFileSystemEntries(Target + "/owners"))
        {
            Assert.AreEqual(0, BytePaths.Status(Encoding.UTF8.GetBytes(path), out var status));
            Assert.AreEqual((1234u, 77u), (status.Uid, status.Gid));
        }
    }

    [TestMethod]
    public void Names_too_long_and_extended_attributes_get_the_right_errors()
    {
        using var volume = Open("small-mixed", out var pfs);
        using var mount = FuseMount.Mount(pfs, Target);
        Assert.AreEqual(-Errno.ENAMETOOLONG, BytePaths.Status(At(new string('x', 256)), out _));
        Assert.AreEqual(-Errno.ENOENT, BytePaths.Status(At(new string('x', 255)), out _));
        Assert.AreEqual(-Errno.ENOENT, BytePaths.Status(At("nothing"), out _));
        Assert.AreEqual(-Errno.EROFS, BytePaths.MakeDirectory(At("new")));
    }

    [TestMethod]
    public void A_damaged_thing_is_logged_once()
    {
        using var volume = Open("dmg-dirent-missing", out var pfs);
        var log = new CountingLogger();
        var lost = GoldenImages.Get("dmg-dirent-missing").Manifest.GetProperty("entries").EnumerateArray()
            .Single(entry => entry.TryGetProperty("damaged", out _)).GetProperty("path").GetString()!;
        using var mount = FuseMount.Mount(pfs, Target, new FuseMountOptions { Logger = log });
        for (var i = 0; i < 5; i++)
            Assert.AreEqual(-Errno.EIO, BytePaths.Status(At(lost[1..]), out _));
        Assert.HasCount(1, log.Lines);
        Assert.Contains("does not exist", log.Lines[0]);
    }

    private static long Listings(FuseMount mount) =>
        mount.RequestsOf(FuseOpcode.ReadDirectory) + mount.RequestsOf(FuseOpcode.ReadDirectoryPlus);

    internal static Hammer2Volume OpenVolume(GoldenImage image)
    {
        if (!image.Manifest.TryGetProperty("partitions", out _))
            return Hammer2Volume.Open(image.Devices);
        var partition = PartitionScanner.Scan(image.Devices[0]).Single(entry => entry.IsHammer2);
        return Hammer2Volume.Open([new PartitionWindow(image.Devices[0], partition.Offset, partition.Length, image.Name)]);
    }

    private static Hammer2Volume Open(string name, out PfsMount pfs)
    {
        var image = GoldenImages.Get(name);
        var volume = OpenVolume(image);
        pfs = volume.OpenPfs(image.Label);
        return volume;
    }

    private sealed class CountingLogger : ILogger
    {
        public List<string> Lines { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel))
                return;
            lock (Lines)
                Lines.Add(formatter(state, exception));
        }
    }
}
