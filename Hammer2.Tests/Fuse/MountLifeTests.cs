// Proves how a mount begins and ends with a real kernel: shown right in the mount table, ended by us, from outside, with files
// open, and refused with a useful sentence. The filesystem behind it is a fake: the engine is not what is tested here.
// Layers: Fuse (all of it but Serving).

using System.Diagnostics;
using Hammer2.Fuse;
using Hammer2.Fuse.Protocol;

namespace Hammer2.Tests.Fuse;

// It counts descriptors of the process.
[TestClass]
[DoNotParallelize]
public sealed class MountLifeTests : KernelTestBase, IDisposable
{
    private readonly FakeFileSystem _fileSystem = new();

    public void Dispose() => _fileSystem.Dispose();

    [TestMethod]
    public void The_mount_table_shows_what_is_mounted()
    {
        using (var mount = Start("/img/a b,c.img@DATA"))
        {
            Assert.IsTrue(mount.IsMounted);
            var shown = FuseMount.ListMounts().Single(m => m.Target == Target);
            Assert.AreEqual("/img/a b,c.img@DATA", shown.Source);
            Assert.AreEqual("fuse.hammer2", shown.FsType);
            Assert.IsTrue(shown.ReadOnly);
            foreach (var option in (string[])["ro", "nosuid", "nodev", "default_permissions", "allow_other"])
                Assert.Contains(option, shown.Options.Split(','));
        }

        Assert.IsFalse(FuseMount.ListMounts().Any(m => m.Target == Target));
        Assert.IsTrue(_fileSystem.Disposed);
    }

    [TestMethod]
    public void Data_arrives_and_a_second_read_comes_from_the_page_cache()
    {
        using var mount = Start();
        var data = File.ReadAllBytes(Target + "/file");
        Assert.HasCount(FakeFileSystem.FileBytes, data);
        for (var i = 0; i < data.Length; i++)
        {
            if (data[i] != FakeFileSystem.PatternAt((ulong)i))
                Assert.Fail($"byte {i} is wrong");
        }

        var reads = mount.RequestsOf(FuseOpcode.Read);
        Assert.IsLessThan(30, reads, "reads are large: 3 MiB in few requests");
        Assert.HasCount(FakeFileSystem.FileBytes, File.ReadAllBytes(Target + "/file"));
        Assert.AreEqual(reads, mount.RequestsOf(FuseOpcode.Read), "the second read asks nothing");
    }

    [TestMethod]
    public void Names_and_their_absence_are_remembered_by_the_kernel()
    {
        using var mount = Start();
        for (var i = 0; i < 10; i++)
        {
            Assert.IsTrue(File.Exists(Target + "/file"));
            Assert.IsFalse(File.Exists(Target + "/nothing"));
        }

        Assert.AreEqual(2, mount.RequestsOf(FuseOpcode.Lookup));
    }

    [TestMethod]
    public void An_exception_in_the_filesystem_is_an_io_error_and_the_mount_lives_on()
    {
        using var mount = Start();
        var descriptor = BytePaths.Open(At("throws"));
        for (var i = 0; i < 100; i++)
            Assert.AreEqual(-Errno.EIO, BytePaths.Read(descriptor, new byte[100], i * 4096));
        BytePaths.Close(descriptor);
        Assert.AreEqual(3, File.ReadAllBytes(Target + "/file").Length >> 20);
    }

    [TestMethod]
    public void Writing_is_refused_as_read_only()
    {
        using var mount = Start();
        Assert.AreEqual(-Errno.EROFS, BytePaths.Open(At("file"), 1));
        Assert.AreEqual(-Errno.EROFS, BytePaths.Open(At("file"), 2));
        Assert.AreEqual(-Errno.EROFS, BytePaths.Open(At("new"), 0x42));
        Assert.AreEqual(-Errno.EROFS, BytePaths.MakeDirectory(At("dir")));
    }

    [TestMethod]
    public void An_unmount_from_outside_ends_the_session()
    {
        using var mount = Start();
        var watcher = mount.WatcherProcessId!.Value;
        Assert.AreEqual(0, Run("umount", Target).Status);
        mount.WaitForUnmount(new CancellationTokenSource(Deadline).Token);
        Assert.IsFalse(mount.IsMounted);
        Assert.IsTrue(_fileSystem.Disposed);
        Assert.IsTrue(Eventually(() => !IsRunning(watcher)), "the watcher goes away");
    }

    [TestMethod]
    public void Cancelling_the_wait_unmounts()
    {
        using var mount = Start();
        using var cancellation = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));
        mount.WaitForUnmount(cancellation.Token);
        Assert.IsFalse(mount.IsMounted);
        Assert.IsNull(MountInfo.Find(Target));
    }

    [TestMethod]
    public void Open_files_do_not_hold_up_an_unmount()
    {
        var mount = Start();
        var descriptor = BytePaths.Open(At("file"));
        Assert.AreEqual(100, BytePaths.Read(descriptor, new byte[100], 0));
        mount.Unmount();
        Assert.IsNull(MountInfo.Find(Target));
        Assert.IsTrue(_fileSystem.Disposed, "the engine is free");
        Assert.IsLessThan(0, BytePaths.Read(descriptor, new byte[100], 2 << 20));
        BytePaths.Close(descriptor);
        mount.Dispose();
    }

    [TestMethod]
    public void A_request_under_way_ends_before_the_filesystem_is_let_go()
    {
        var mount = Start();
        var descriptor = BytePaths.Open(At("slow"));
        var read = Task.Run(() => BytePaths.Read(descriptor, new byte[4096], 0));
        Assert.IsTrue(_fileSystem.SlowArrived.Wait(Deadline));
        var unmount = Task.Run(mount.Unmount);
        Assert.IsTrue(read.Wait(Deadline), "the reader does not wait for the slow filesystem");
        Assert.IsLessThan(0, read.Result);
        Assert.IsFalse(_fileSystem.Disposed, "a request is still under way");
        _fileSystem.Gate.Set();
        Assert.IsTrue(unmount.Wait(Deadline));
        Assert.IsTrue(_fileSystem.Disposed);
        BytePaths.Close(descriptor);
    }

    [TestMethod]
    public void A_file_system_unmounted_lazily_from_outside_serves_its_open_files_and_then_ends()
    {
        using var mount = Start();
        var descriptor = BytePaths.Open(At("file"));
        Assert.AreEqual(0, Run("umount", "-l", Target).Status);
        Assert.AreEqual(100, BytePaths.Read(descriptor, new byte[100], 2 << 20));
        Assert.IsTrue(mount.IsMounted);
        BytePaths.Close(descriptor);
        mount.WaitForUnmount(new CancellationTokenSource(Deadline).Token);
        Assert.IsFalse(mount.IsMounted);
    }

    [TestMethod]
    public void Another_process_can_unmount_by_target()
    {
        using var mount = Start();
        FuseMount.UnmountTarget(Target + "/");
        mount.WaitForUnmount(new CancellationTokenSource(Deadline).Token);
        Assert.IsFalse(mount.IsMounted);
        var failure = Assert.ThrowsExactly<FuseMountException>(() => FuseMount.UnmountTarget(Target));
        Assert.Contains("No HAMMER2 volume is mounted", failure.Message);
    }

    [TestMethod]
    public void A_mount_over_ours_is_not_detached_in_its_place()
    {
        var mount = Start();
        Assert.AreEqual(0, Run("mount", "-t", "tmpfs", "none", Target).Status);
        mount.Unmount();
        Assert.IsFalse(mount.IsMounted);
        Assert.AreEqual("tmpfs", MountInfo.Find(Target)?.FsType);
        Assert.AreEqual(0, Run("umount", Target).Status);
        Assert.AreEqual(0, Run("umount", "-l", Target).Status);
    }

    [TestMethod]
    public void Bad_targets_are_refused_with_a_sentence()
    {
        Assert.Contains("does not exist", Refusal(Target + "/none"));
        var file = Path.GetTempFileName();
        Assert.Contains("not a directory", Refusal(file));
        File.Delete(file);
        using var mount = Start();
        Assert.Contains("already mounted", Refusal(Target));
    }

    [TestMethod]
    public void A_directory_with_contents_can_be_mounted_on()
    {
        File.WriteAllText(Target + "/hidden", "x");
        using (var mount = Start())
            Assert.IsFalse(File.Exists(Target + "/hidden"));
        Assert.IsTrue(File.Exists(Target + "/hidden"));
        File.Delete(Target + "/hidden");
    }

    [TestMethod]
    public void Mounting_and_unmounting_many_times_leaks_no_descriptor()
    {
        Cycle(5);
        var before = Directory.GetFiles("/proc/self/fd").Length;
        Cycle(20);
        Assert.IsLessThan(before + 10, Directory.GetFiles("/proc/self/fd").Length);
    }

    private void Cycle(int times)
    {
        for (var i = 0; i < times; i++)
        {
            using var mount = Start();
            Assert.IsTrue(File.Exists(Target + "/file"));
        }
    }

    private FuseMount Start(string source = "fake") => FuseMount.Mount(_fileSystem, source, Target, new FuseMountOptions { ReadOnly = true });

    private string Refusal(string target) => Assert.ThrowsExactly<FuseMountException>(
        () => FuseMount.Mount(_fileSystem, "fake", target, new FuseMountOptions())).Message;

    private static bool IsRunning(int process)
    {
        try
        {
            using var found = Process.GetProcessById(process);
            return !found.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
