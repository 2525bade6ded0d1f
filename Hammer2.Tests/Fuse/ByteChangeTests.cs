// Proves what programs see when contents change: writes of all kinds, mappings, holes, space, locks, durability; with the
// kernel's writeback cache and without.
// Layers: Fuse under a real kernel, over memory and over the engine.

using Hammer2.Fuse;
using Hammer2.Fuse.Protocol;

namespace Hammer2.Tests.Fuse;

public abstract class ByteChangeTests : ChangeTestBase
{
    [TestMethod]
    public void What_is_written_is_read_before_and_after_a_remount()
    {
        var data = Pattern(5_000_123, 1);
        File.WriteAllBytes(Target + "/file", data);
        CollectionAssert.AreEqual(data, File.ReadAllBytes(Target + "/file"));
        var descriptor = OpenFile("file", Posix.ReadWrite);
        foreach (var (offset, length) in ((int, int)[])[(0, 1), (65_535, 3), (1_000_000, 200_000), (4_999_999, 500)])
        {
            var piece = Pattern(length, offset);
            Assert.AreEqual(length, Posix.Write(descriptor, piece, offset));
            if (offset + length > data.Length)
                Array.Resize(ref data, offset + length);
            piece.CopyTo(data, offset);
        }

        BytePaths.Close(descriptor);
        CollectionAssert.AreEqual(data, File.ReadAllBytes(Target + "/file"));
        Remount();
        Assert.AreEqual((ulong)data.Length, Status("file").Size);
        CollectionAssert.AreEqual(data, File.ReadAllBytes(Target + "/file"));
    }

    [TestMethod]
    public void Large_writes_are_few_requests_with_data_at_a_page()
    {
        var descriptor = OpenFile("file", Posix.Create | Posix.WriteOnly);
        Assert.AreEqual(8 << 20, Posix.Write(descriptor, Pattern(8 << 20, 2), 0));
        Assert.AreEqual(0, Posix.Sync(descriptor));
        Assert.IsLessThan(Options.WritebackCache ? 24 : 9, Mount.RequestsOf(FuseOpcode.Write));
        BytePaths.Close(descriptor);
        if (Backing is MemoryBacking memory)
            Assert.AreEqual(0, memory.FileSystem.UnalignedWrites);
    }

    [TestMethod]
    public void Appending_writes_of_several_descriptors_never_overwrite_each_other()
    {
        Parallel.For(0, 4, worker =>
        {
            var descriptor = OpenFile("log", Posix.Create | Posix.WriteOnly | Posix.Append);
            var line = new byte[100];
            line.AsSpan().Fill((byte)('a' + worker));
            for (var i = 0; i < 250; i++)
                Assert.AreEqual(100, Posix.WriteHere(descriptor, line));
            BytePaths.Close(descriptor);
        });
        var all = File.ReadAllBytes(Target + "/log");
        Assert.HasCount(100_000, all);
        for (var start = 0; start < all.Length; start += 100)
            Assert.IsFalse(all.AsSpan(start, 100).ContainsAnyExcept(all[start]), $"line at {start}");
        foreach (var letter in "abcd")
            Assert.AreEqual(25_000, all.Count(b => b == letter));
    }

    [TestMethod]
    public void Truncation_cuts_and_growth_reads_as_zeros()
    {
        File.WriteAllBytes(Target + "/file", Pattern(200_000, 3));
        Assert.AreEqual(0, Posix.SetSize(At("file"), 70_001));
        Assert.AreEqual(0, Posix.SetSize(At("file"), 150_000));
        var expected = Pattern(200_000, 3)[..150_000];
        expected.AsSpan(70_001).Clear();
        CollectionAssert.AreEqual(expected, File.ReadAllBytes(Target + "/file"));
        Remount();
        CollectionAssert.AreEqual(expected, File.ReadAllBytes(Target + "/file"));
        BytePaths.Close(OpenFile("file", Posix.WriteOnly | Posix.Truncate));
        Assert.AreEqual(0ul, Status("file").Size);
        Assert.AreEqual(-Errno.EISDIR, Posix.SetSize(TargetBytes, 0));
    }

    [TestMethod]
    public void Direct_writes_and_cached_ones_see_each_other()
    {
        File.WriteAllBytes(Target + "/file", Pattern(4 << 20, 4));
        var direct = OpenFile("file", Posix.ReadWrite | Posix.Direct);
        var cached = OpenFile("file", Posix.ReadWrite);
        var buffer = GC.AllocateArray<byte>(3 << 20, pinned: true);
        Assert.AreEqual(buffer.Length, BytePaths.Read(direct, buffer, 0));
        CollectionAssert.AreEqual(Pattern(4 << 20, 4)[..buffer.Length], buffer);
        var before = Mount.RequestsOf(FuseOpcode.Write);
        buffer.AsSpan().Fill(0x55);
        Assert.AreEqual(buffer.Length, Posix.Write(direct, buffer, 4096));
        Assert.IsLessThan(before + 5, Mount.RequestsOf(FuseOpcode.Write), "direct writes are large");
        var one = new byte[1];
        Assert.AreEqual(1, BytePaths.Read(cached, one, 5000));
        Assert.AreEqual(0x55, one[0]);
        Assert.AreEqual(4096, Posix.Write(cached, Filled(4096, 0x66), 8192));
        Assert.AreEqual(4096, BytePaths.Read(direct, buffer.AsSpan(0, 4096), 8192));
        Assert.AreEqual(0x66, buffer[4095]);
        BytePaths.Close(direct);
        BytePaths.Close(cached);
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(Posix.Direct)]
    public void A_shared_mapping_and_the_file_are_one(int extra)
    {
        File.WriteAllBytes(Target + "/file", Pattern(300_000, 5));
        ClientProgram.Run(Deadline, "shared", Target + "/file", $"{extra}");
        Remount();
        var data = File.ReadAllBytes(Target + "/file");
        Assert.AreEqual((0xAA, 0xBB, 0xCC), (data[100_005], data[200_704], data[299_999]));
        Assert.HasCount(300_000, data);
    }

    [TestMethod]
    public void A_private_mapping_changes_nothing()
    {
        File.WriteAllBytes(Target + "/file", Pattern(10_000, 6));
        ClientProgram.Run(Deadline, "private", Target + "/file");
        CollectionAssert.AreEqual(Pattern(10_000, 6), File.ReadAllBytes(Target + "/file"));
    }

    [TestMethod]
    public void Mapped_changes_of_an_open_file_survive_an_unmount()
    {
        File.WriteAllBytes(Target + "/file", new byte[100_000]);
        using var client = ClientProgram.Start("hold", Target + "/file");
        Assert.AreEqual("mapped", client.StandardOutput.ReadLine());
        Mount.Unmount();
        Assert.IsNull(MountInfo.Find(Target));
        client.StandardInput.WriteLine();
        Assert.IsTrue(client.WaitForExit(Deadline), "the program is not held up");
        Remount();
        Assert.IsFalse(File.ReadAllBytes(Target + "/file").AsSpan().ContainsAnyExcept((byte)7));
    }

    [TestMethod]
    public void Holes_are_made_found_and_filled()
    {
        var descriptor = OpenFile("file", Posix.Create | Posix.ReadWrite);
        Assert.AreEqual(65_536, Posix.Write(descriptor, Filled(65_536, 1), 1 << 20));
        Assert.AreEqual(0, Posix.SetSize(descriptor, 3 << 20));
        Assert.AreEqual(0, Posix.Sync(descriptor));
        if (!Options.WritebackCache)
        {
            Assert.AreEqual(1 << 20, BytePaths.Seek(descriptor, 0, Posix.Data));
            Assert.AreEqual((1 << 20) + 65_536, BytePaths.Seek(descriptor, 1 << 20, Posix.Hole));
            Assert.AreEqual(0, BytePaths.Seek(descriptor, 0, Posix.Hole));
            Assert.AreEqual(-Errno.ENXIO, BytePaths.Seek(descriptor, 2 << 20, Posix.Data));
        }

        Assert.AreEqual(0, Posix.Allocate(descriptor, Posix.PunchHole | Posix.KeepSize, (1 << 20) + 100, 1000));
        var data = File.ReadAllBytes(Target + "/file");
        Assert.AreEqual((1, 0, 0, 1), (data[(1 << 20) + 99], data[(1 << 20) + 100], data[(1 << 20) + 1099], data[(1 << 20) + 1100]));
        Assert.AreEqual(0, Posix.Allocate(descriptor, Posix.PunchHole | Posix.KeepSize, 1 << 20, 65_536));
        Assert.AreEqual(3ul << 20, Status(descriptor).Size);
        Assert.IsFalse(File.ReadAllBytes(Target + "/file").AsSpan().ContainsAnyExcept((byte)0));
        BytePaths.Close(descriptor);
        Remount();
        Assert.AreEqual(3ul << 20, Status("file").Size);
        Assert.IsFalse(File.ReadAllBytes(Target + "/file").AsSpan().ContainsAnyExcept((byte)0));
    }

    [TestMethod]
    public void A_seek_for_data_sees_what_was_just_written()
    {
        var descriptor = OpenFile("file", Posix.Create | Posix.ReadWrite);
        Assert.AreEqual(0, Posix.SetSize(descriptor, 4 << 20));
        Assert.AreEqual(100, Posix.Write(descriptor, Filled(100, 9), 2 << 20));
        var found = BytePaths.Seek(descriptor, 0, Posix.Data);
        Assert.IsTrue(found is >= 0 and <= 2 << 20, $"data is at 2 MiB, not after {found}");
        BytePaths.Close(descriptor);
    }

    [TestMethod]
    public void Fallocate_extends_zeroes_and_refuses()
    {
        var descriptor = OpenFile("file", Posix.Create | Posix.ReadWrite);
        Assert.AreEqual(0, Posix.Allocate(descriptor, 0, 0, 100_000));
        Assert.AreEqual(100_000ul, Status(descriptor).Size);
        Assert.AreEqual(0, Posix.Allocate(descriptor, Posix.KeepSize, 100_000, 100_000));
        Assert.AreEqual(100_000ul, Status(descriptor).Size);
        Assert.AreEqual(100_000, Posix.Write(descriptor, Filled(100_000, 3), 0));
        Assert.AreEqual(0, Posix.Allocate(descriptor, Posix.ZeroRange, 50_000, 100_000));
        Assert.AreEqual(150_000ul, Status(descriptor).Size);
        Assert.AreEqual(0, Posix.Allocate(descriptor, Posix.ZeroRange | Posix.KeepSize, 10, 10));
        var data = File.ReadAllBytes(Target + "/file");
        Assert.AreEqual((3, 0, 3, 3, 0, 0), (data[9], data[19], data[20], data[49_999], data[50_000], data[149_999]));
        Assert.AreEqual(-Errno.EOPNOTSUPP, Posix.Allocate(descriptor, Posix.CollapseRange, 0, 4096));
        BytePaths.Close(descriptor);
    }

    [TestMethod]
    public void Copying_between_files_moves_no_byte_through_the_program()
    {
        File.WriteAllBytes(Target + "/from", Pattern(3_000_001, 8));
        var from = OpenFile("from", Posix.ReadOnly);
        var to = OpenFile("to", Posix.Create | Posix.ReadWrite);
        var writes = Mount.RequestsOf(FuseOpcode.Write);
        var copied = 0L;
        while (copied < 3_000_001)
        {
            var count = Posix.CopyRange(from, copied, to, copied + 10, 1 << 30);
            Assert.IsGreaterThan(0, count);
            copied += count;
        }

        Assert.AreEqual(0, Posix.CopyRange(from, 3_000_001, to, 0, 100));
        Assert.AreEqual(writes, Mount.RequestsOf(FuseOpcode.Write));
        CollectionAssert.AreEqual(Pattern(3_000_001, 8), File.ReadAllBytes(Target + "/to")[10..]);
        BytePaths.Close(from);
        BytePaths.Close(to);
    }

    [TestMethod]
    public void Syncs_reach_the_filesystem()
    {
        var descriptor = OpenFile("file", Posix.Create | Posix.WriteOnly);
        Assert.AreEqual(4, Posix.Write(descriptor, "data"u8, 0));
        Assert.AreEqual(0, Posix.Sync(descriptor));
        Assert.AreEqual(0, Posix.SyncFileSystem(descriptor));
        BytePaths.Close(descriptor);
        var directory = BytePaths.Open(TargetBytes);
        Assert.AreEqual(0, Posix.Sync(directory));
        BytePaths.Close(directory);
        Assert.AreEqual(1, Mount.RequestsOf(FuseOpcode.FSync));
        Assert.AreEqual(1, Mount.RequestsOf(FuseOpcode.FSyncDirectory));
        if (Backing is MemoryBacking memory)
            Assert.AreEqual(2, memory.FileSystem.Syncs);
    }

    [TestMethod]
    public void Locks_exclude_other_descriptors_and_programs()
    {
        var first = OpenFile("file", Posix.Create | Posix.ReadWrite);
        var second = OpenFile("file", Posix.ReadWrite);
        Assert.AreEqual(0, Posix.Lock(first, 2));
        Assert.AreEqual(-Errno.EAGAIN, Posix.Lock(second, 1));
        Assert.AreNotEqual(0, Shell("flock -n file true").Status);
        Assert.AreEqual(0, Posix.Lock(first, 8));
        ShellOk("flock -n file true");
        Assert.AreEqual(0, Posix.LockRange(first, 0, 100));
        Assert.AreEqual(-Errno.EAGAIN, Posix.LockRange(second, 50, 100));
        Assert.AreEqual(0, Posix.LockRange(second, 100, 100));
        Assert.AreEqual(0, Posix.LockRange(first, 0, 100, release: true));
        Assert.AreEqual(0, Posix.LockRange(second, 50, 100));
        BytePaths.Close(first);
        BytePaths.Close(second);
        Assert.AreEqual(0, Mount.RequestsOf(FuseOpcode.SetLock) + Mount.RequestsOf(FuseOpcode.SetLockWait), "the kernel does it alone");
    }

    [TestMethod]
    public void Random_operations_leave_what_a_model_says()
    {
        var seconds = Hostile.HammerSeed.Seconds(3);
        ClientProgram.Run(Deadline + TimeSpan.FromSeconds(seconds), "random", Target + "/file", $"{Hostile.HammerSeed.Get()}", $"{seconds:F1}");
        var before = File.ReadAllBytes(Target + "/file");
        Remount();
        CollectionAssert.AreEqual(before, File.ReadAllBytes(Target + "/file"));
    }

    private static byte[] Filled(int length, byte value)
    {
        var data = new byte[length];
        data.AsSpan().Fill(value);
        return data;
    }
}

[TestClass]
public sealed class MemoryByteChangeTests : ByteChangeTests
{
    internal override ChangeBacking Open() => new MemoryBacking();

    [TestMethod]
    public void A_full_volume_is_reported_by_the_write_itself()
    {
        ((MemoryBacking)Backing).FileSystem.BytesMax = 1 << 20;
        var descriptor = OpenFile("file", Posix.Create | Posix.WriteOnly);
        Assert.AreEqual(1 << 20, Posix.Write(descriptor, new byte[1 << 20], 0));
        Assert.AreEqual(-Errno.ENOSPC, Posix.Write(descriptor, new byte[1], 1 << 20));
        Assert.AreEqual(-Errno.ENOSPC, Posix.Allocate(descriptor, 0, 1 << 20, 1 << 20));
        Assert.AreEqual(1ul << 20, Status(descriptor).Size);
        BytePaths.Close(descriptor);
    }
}

/// <summary>The random operations find a fault that is there.</summary>
[TestClass]
public sealed class RandomFileOperationsControl : KernelTestBase
{
    [TestMethod]
    public void A_filesystem_that_forgets_to_zero_is_caught()
    {
        using var fileSystem = new MemoryFileSystem { ForgetsToZero = true };
        using var mount = FuseMount.Mount(fileSystem, "faulty", Target, new FuseMountOptions());
        using var client = ClientProgram.Start("random", Target + "/file", $"{Hostile.HammerSeed.Get()}", "20");
        var complaint = client.StandardError.ReadToEndAsync();
        Assert.IsTrue(client.WaitForExit(Deadline));
        Assert.AreEqual(1, client.ExitCode);
        Assert.Contains("seed", complaint.Result);
    }
}

[TestClass]
public sealed class MemoryWritebackByteChangeTests : ByteChangeTests
{
    internal override FuseMountOptions Options => new() { WritebackCache = true };

    internal override ChangeBacking Open() => new MemoryBacking();
}

[TestClass]
public sealed class Hammer2ByteChangeTests : ByteChangeTests
{
    internal override ChangeBacking Open() => new Hammer2Backing();
}

[TestClass]
public sealed class Hammer2WritebackByteChangeTests : ByteChangeTests
{
    internal override FuseMountOptions Options => new() { WritebackCache = true };

    internal override ChangeBacking Open() => new Hammer2Backing();
}
