// Proves that a mounting process that dies without a chance to clean up leaves nothing behind: as root and as a plain user.
// Layers: Fuse, in a child process.

using System.Diagnostics;
using System.Globalization;
using Hammer2.Fuse;

namespace Hammer2.Tests.Fuse;

[TestClass]
public sealed class KilledMountTests : KernelTestBase
{
    private int _watcher;

    [TestMethod]
    public void A_killed_process_leaves_no_stale_mount()
    {
        using var host = StartHost(asNobody: false);
        Assert.AreEqual(3 << 20, File.ReadAllBytes(Target + "/file").Length);
        host.Kill();
        host.WaitForExit();
        Assert.IsTrue(Eventually(() => MountInfo.Find(Target) is null), "the mount stays in the table");
        Assert.IsEmpty(Directory.GetFileSystemEntries(Target));
    }

    [TestMethod]
    public void The_watcher_leaves_other_mounts_alone()
    {
        using var host = StartHost(asNobody: false);
        var beside = Directory.CreateDirectory(Target + "-other").FullName;
        using var other = FuseMount.Mount(new FakeFileSystem(), "other", beside, new FuseMountOptions());
        Assert.AreEqual(0, Run("mount", "-t", "tmpfs", "none", other.Target).Status);
        host.Kill();
        Assert.IsTrue(Eventually(() => MountInfo.Find(Target) is null));
        Assert.AreEqual("tmpfs", MountInfo.Find(other.Target)?.FsType);
        Assert.AreEqual(0, Run("umount", other.Target).Status);
        Assert.IsTrue(File.Exists(other.Target + "/file"));
        other.Unmount();
        Directory.Delete(other.Target);
    }

    [TestMethod]
    public void A_plain_user_mounts_through_fusermount3_and_a_kill_leaves_nothing()
    {
        RequireFusermount();
        Assert.AreEqual(0, Run("chown", "nobody", Target).Status);
        using var host = StartHost(asNobody: true);
        var shown = MountInfo.Find(Target);
        Assert.AreEqual("fuse.hammer2", shown?.FsType);
        Assert.AreEqual(MountHost.Source, shown?.Source);
        Assert.IsTrue(shown?.ReadOnly);
        Assert.AreEqual(0, AsNobody("cat", Target + "/file").Status);
        host.Kill();
        Assert.IsTrue(Eventually(() => MountInfo.Find(Target) is null), "the mount stays in the table");
    }

    [TestMethod]
    public void A_mount_whose_process_and_watcher_died_can_be_detached()
    {
        using var host = StartHost(asNobody: false);
        Assert.AreEqual(0, Run("kill", "-9", $"{_watcher}").Status);
        host.Kill();
        host.WaitForExit();
        Assert.AreEqual(MountHost.Source, MountInfo.Find(Target)?.Source, "nobody is left to clean up");
        var refusal = Assert.ThrowsExactly<FuseMountException>(
            () => FuseMount.Mount(new FakeFileSystem(), "again", Target, new FuseMountOptions()));
        Assert.Contains("umount -l", refusal.Message);
        FuseMount.UnmountTarget(Target);
        Assert.IsNull(MountInfo.Find(Target));
    }

    [TestMethod]
    public void A_plain_user_unmounts_although_a_file_is_open()
    {
        RequireFusermount();
        Assert.AreEqual(0, Run("chown", "nobody", Target).Status);
        using var host = StartHost(asNobody: true);
        const string Script = "exec 3<\"$1/file\"; echo open; sleep 1000";
        string[] command = ["--reuid=nobody", "--regid=nogroup", "--clear-groups", "sh", "-c", Script, "sh", Target];
        using var holder = Process.Start(new ProcessStartInfo("setpriv", command) { RedirectStandardOutput = true })!;
        Assert.AreEqual("open", holder.StandardOutput.ReadLine());
        host.StandardInput.WriteLine("unmount");
        Assert.IsTrue(host.WaitForExit(Deadline));
        Assert.AreEqual(0, host.ExitCode);
        Assert.IsNull(MountInfo.Find(Target));
        holder.Kill(entireProcessTree: true);
    }

    [TestMethod]
    public void A_plain_user_can_end_a_mount_with_fusermount3()
    {
        RequireFusermount();
        Assert.AreEqual(0, Run("chown", "nobody", Target).Status);
        using var host = StartHost(asNobody: true);
        Assert.AreEqual(0, AsNobody("fusermount3", "-u", Target).Status);
        Assert.IsTrue(host.WaitForExit(Deadline), "the session ends by itself");
        Assert.AreEqual(0, host.ExitCode);
    }

    private static void RequireFusermount()
    {
        if (!File.Exists("/usr/bin/fusermount3") || !File.Exists("/usr/bin/setpriv"))
            Assert.Inconclusive("SKIPPED: without fusermount3 and setpriv a plain user's mount cannot be tested.");
        const UnixFileMode Needed = UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
        if (OperatingSystem.IsWindows() || !File.GetUnixFileMode("/dev/fuse").HasFlag(Needed))
            Assert.Inconclusive("SKIPPED: /dev/fuse is closed to plain users on this machine, so their mounts cannot be tested.");
    }

    private static (int Status, string Output) AsNobody(params string[] command) =>
        Run("setpriv", ["--reuid=nobody", "--regid=nogroup", "--clear-groups", .. command]);

    private Process StartHost(bool asNobody)
    {
        var assembly = typeof(MountHost).Assembly.Location;
        var dotnet = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        string[] command = [dotnet, "exec", assembly, "--hold-mount", Target];
        if (asNobody)
            command = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", .. command];
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["DOTNET_CLI_HOME"] = Path.GetTempPath();
        var host = Process.Start(start)!;
        var greeting = host.StandardOutput.ReadLine()?.Split(' ');
        if (greeting is not ["mounted", var watcher])
            throw new AssertFailedException("the mounting process failed: " + host.StandardError.ReadToEnd());
        _watcher = int.Parse(watcher, CultureInfo.InvariantCulture);
        return host;
    }
}
