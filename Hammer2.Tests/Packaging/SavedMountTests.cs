// Saved mounts, remembered access and the service. With a host that only remembers for what the verbs decide; with the kernel's FUSE
// and processes of their own for the service: a mount that is killed comes back, one that was unmounted does not, stopping waits.
// Every class member uses settings of its own.

using System.Diagnostics;
using System.Text.Json;
using Hammer2.Cli.Saved;
using Hammer2.Tests.Cli;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Packaging;

[TestClass]
public sealed class SavedMountTests : CliTests
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(60);

    [TestMethod]
    public void Saved_mount_is_listed_replaced_and_removed()
    {
        using var folder = new TemporaryFolder();
        var saved = new SavedMounts(new SettingsFolder(folder["s"], false));
        saved.Add(new SavedMount("/a.img@DATA", "/mnt/a", ["--read-only"]));
        saved.Add(new SavedMount("/b.img", "/mnt/b", []));
        saved.Add(new SavedMount("/c.img", "/mnt/a", []));
        Assert.AreEqual("/b.img /c.img", string.Join(' ', saved.List().Select(static mount => mount.Image)));
        Assert.IsTrue(saved.Remove("/mnt/b"));
        Assert.IsFalse(saved.Remove("/mnt/b"));
        Assert.HasCount(1, saved.List());
        Assert.AreEqual("/v.img", new SavedMount("/v.img@DATA", "/x", []).Volume);
        Assert.AreEqual("/d@x/v.img", new SavedMount("/d@x/v.img", "/x", []).Volume);
    }

    [TestMethod]
    public void Writers_take_turns_and_nothing_is_lost()
    {
        using var folder = new TemporaryFolder();
        var settings = new SettingsFolder(folder["s"], false);
        Parallel.For(0, 40, i => new SavedMounts(settings).Add(new SavedMount($"/{i}.img", $"/mnt/{i}", [])));
        Assert.HasCount(40, new SavedMounts(settings).List());
    }

    [TestMethod]
    public void Damaged_list_is_an_error_and_stays_as_it_is()
    {
        using var folder = new TemporaryFolder();
        var settings = new SettingsFolder(folder["s"], false);
        Directory.CreateDirectory(settings.Path);
        File.WriteAllText(Path.Combine(settings.Path, "mounts.json"), "{ half");
        var saved = new SavedMounts(settings);
        Assert.ThrowsExactly<Hammer2.Cli.CliException>(() => saved.List());
        Assert.ThrowsExactly<Hammer2.Cli.CliException>(() => saved.Add(new SavedMount("/a", "/b", [])));
        Assert.AreEqual("{ half", File.ReadAllText(Path.Combine(settings.Path, "mounts.json")));
    }

    [TestMethod]
    public void Disk_that_was_mounted_for_changes_once_is_so_again_until_it_is_forgotten()
    {
        using var folder = new TemporaryFolder();
        string disk = GoldenImages.Get("part-gpt").UnpackTo(folder.Path).Single();
        Assert.IsTrue(IsReadOnly(disk));
        Assert.IsFalse(IsReadOnly(disk, "--read-write"));
        Assert.IsFalse(IsReadOnly(disk), "remembered");
        Assert.IsTrue(IsReadOnly(disk, "--read-only"));
        Assert.IsFalse(IsReadOnly(disk, "--automatic"));
        string id = CliRun.Of("info", "--json", disk).Expect(0).Json.GetProperty("fsid").GetString()!;
        StringAssert.Contains(CliRun.Of("saved", "list").Expect(0).Output, id);
        CliRun.Of("saved", "forget", id).Expect(0);
        Assert.IsTrue(IsReadOnly(disk));
        CliRun.Of("saved", "forget", id).Expect(1);
    }

    [TestMethod]
    public void Automatic_mount_of_an_image_is_read_only_until_it_was_mounted_for_changes()
    {
        using var folder = new TemporaryFolder();
        string image = folder["a.img"];
        CliRun.Of("newfs", "--size", "256M", image).Expect(0);
        Assert.IsTrue(IsReadOnly(image, "--automatic"));
        Assert.IsFalse(IsReadOnly(image));
        Assert.IsTrue(IsReadOnly(image, "--automatic"), "an explicit mount without --read-write decides nothing for later");
        Assert.IsFalse(IsReadOnly(image, "--read-write"));
        Assert.IsFalse(IsReadOnly(image, "--automatic"));
    }

    [TestMethod]
    public void Save_keeps_options_and_absolute_paths()
    {
        using var folder = new TemporaryFolder();
        string image = folder["a.img"];
        CliRun.Of("newfs", "--size", "256M", image).Expect(0);
        var host = new MountVerbTests.RememberingHost();
        host.Unmounted.Set();
        string target = folder["target"];
        CliRun.On(host, ["mount", "--no-control", "--save", "--read-only", "--cache", "64M", image + "@DATA", target]).Expect(0);
        SavedMount saved = SavedMounts.Of(false).List().Single(mount => mount.Target == target);
        Assert.AreEqual(image + "@DATA", saved.Image);
        Assert.AreEqual("--cache=67108864 --no-control --read-only", string.Join(' ', saved.Options.Order(StringComparer.Ordinal)));
        CliRun.Of("saved", "remove", target).Expect(0);
        CliRun.Of("saved", "remove", target).Expect(1);
        Assert.IsFalse(SavedMounts.Of(false).List().Any(mount => mount.Target == target));
    }

    [TestMethod]
    public void Log_file_has_everything_in_the_format_that_was_asked_for()
    {
        using var folder = new TemporaryFolder();
        string log = folder["deep/run.log"];
        var host = new MountVerbTests.RememberingHost();
        host.Unmounted.Set();
        CliRun.On(host, ["mount", "--no-control", "--read-only", "--log-file", log, "--log-format", "json", CliRun.Image("small-mixed"), "/t"]).Expect(0);
        Assert.IsTrue(File.Exists(log));
        foreach (string line in File.ReadLines(log))
            _ = JsonDocument.Parse(line);
        CliRun.Of("ls", "--log-file", folder.Path, CliRun.Image("small-mixed")).Expect(2).ExpectOneLine("--log-file");
        CliRun.Of("ls", "--log-format", "xml", CliRun.Image("small-mixed")).Expect(2);
    }

    [TestMethod]
    [Timeout(300_000)]
    public void Service_mounts_restarts_what_was_killed_and_stops_cleanly()
    {
        if (new Hammer2.Cli.Mounting.FuseMountHost().WhyUnavailable() is { } reason)
            Assert.Inconclusive("no FUSE here: " + reason);
        using var folder = new TemporaryFolder();
        string image = folder["a.img"];
        string target = Directory.CreateDirectory(folder["t"]).FullName;
        CliRun.Of("newfs", "--size", "256M", image).Expect(0);
        string settings = folder["settings"];
        new SavedMounts(new SettingsFolder(Path.Combine(settings, "user"), false)).Add(new SavedMount(image, target, ["--read-write"]));
        using Process service = StartService(settings);
        try
        {
            int first = WaitForMount(image, target, 0);
            File.WriteAllText(Path.Combine(target, "one.txt"), "one");
            Sync(Path.Combine(target, "one.txt"));
            using (Process mount = Process.GetProcessById(first))
                mount.Kill();
            int second = WaitForMount(image, target, first);
            Assert.AreNotEqual(first, second);
            Assert.AreEqual("one", File.ReadAllText(Path.Combine(target, "one.txt")));
            File.WriteAllText(Path.Combine(target, "two.txt"), "two");
            using (Process kill = Process.Start("kill", ["-TERM", $"{service.Id}"]))
                kill.WaitForExit();
            Assert.IsTrue(service.WaitForExit(s_deadline), "the service does not stop");
            Assert.AreEqual(0, service.ExitCode);
            Assert.AreEqual("two", CliRun.Of("cat", image, "/two.txt").Expect(0).Output);
            CliRun.Of("fsck", image).Expect(0);
            Assert.IsFalse(File.Exists(Path.Combine(target, "two.txt")), "still mounted");
        }
        finally
        {
            if (!service.HasExited)
                service.Kill(entireProcessTree: true);
            using Process clean = Process.Start("umount", ["-l", target]);
            clean.WaitForExit();
        }
    }

    [TestMethod]
    [Timeout(300_000)]
    public void Service_serves_several_saved_mounts_of_one_volume_and_adds_what_was_not_possible_at_first()
    {
        if (new Hammer2.Cli.Mounting.FuseMountHost().WhyUnavailable() is { } reason)
            Assert.Inconclusive("no FUSE here: " + reason);
        using var folder = new TemporaryFolder();
        string image = folder["a.img"], one = Directory.CreateDirectory(folder["one"]).FullName, two = folder["two"];
        CliRun.Of("newfs", "--size", "256M", "--label", "A", "--label", "B", image).Expect(0);
        string settings = folder["settings"];
        var saved = new SavedMounts(new SettingsFolder(Path.Combine(settings, "user"), false));
        saved.Add(new SavedMount(image + "@A", one, ["--read-write"]));
        saved.Add(new SavedMount(image + "@B", two, ["--read-write"]));
        using Process service = StartService(settings);
        try
        {
            int first = WaitForMount(image, one, 0);
            Directory.CreateDirectory(two);
            WaitFor(() => IsMounted(two));
            File.WriteAllText(Path.Combine(two, "b.txt"), "b");
            Sync(Path.Combine(two, "b.txt"));
            using (Process mount = Process.GetProcessById(first))
                mount.Kill();
            WaitForMount(image, one, first);
            WaitFor(() => IsMounted(two));
            Assert.AreEqual("b", File.ReadAllText(Path.Combine(two, "b.txt")));
            using (Process kill = Process.Start("kill", ["-TERM", $"{service.Id}"]))
                kill.WaitForExit();
            Assert.IsTrue(service.WaitForExit(s_deadline), "the service does not stop");
            Assert.AreEqual(0, service.ExitCode);
            Assert.IsFalse(IsMounted(one));
            Assert.IsFalse(IsMounted(two));
            Assert.AreEqual("b", CliRun.Of("cat", image + "@B", "/b.txt").Expect(0).Output);
        }
        finally
        {
            if (!service.HasExited)
                service.Kill(entireProcessTree: true);
            foreach (string target in (string[])[one, two])
            {
                using Process clean = Process.Start("umount", ["-l", target]);
                clean.WaitForExit();
            }
        }
    }

    private static void WaitFor(Func<bool> condition)
    {
        DateTime end = DateTime.UtcNow + s_deadline;
        using var never = new ManualResetEvent(false);
        while (!condition())
        {
            Assert.IsLessThan(end, DateTime.UtcNow, "it does not come to it");
            never.WaitOne(TimeSpan.FromMilliseconds(100));
        }
    }

    // fsync of the file; a file system's sync does not reach a FUSE program.
    private static void Sync(string file)
    {
        using Process sync = Process.Start("sync", [file]);
        sync.WaitForExit();
    }

    private static Process StartService(string settings)
    {
        string dotnet = Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path : "dotnet";
        var start = new ProcessStartInfo(dotnet, [Path.Combine(AppContext.BaseDirectory, "hammer2.dll"), "service", "run"]);
        start.Environment[SettingsFolder.Variable] = settings;
        return Process.Start(start)!;
    }

    // The process that serves the mount, when it is another than before and the mount answers.
    private static int WaitForMount(string image, string target, int before)
    {
        DateTime end = DateTime.UtcNow + s_deadline;
        using var never = new ManualResetEvent(false);
        while (DateTime.UtcNow < end)
        {
            foreach (string process in Directory.GetDirectories("/proc").Where(static path => int.TryParse(Path.GetFileName(path), out _)))
            {
                int id = int.Parse(Path.GetFileName(process), System.Globalization.CultureInfo.InvariantCulture);
                if (id != before && CommandOf(process) is var words && words.Contains(target) && words.Contains("mount") && IsMounted(target))
                    return id;
            }

            never.WaitOne(TimeSpan.FromMilliseconds(100));
        }

        throw new AssertFailedException($"{image} was not mounted at {target}");
    }

    private static bool IsMounted(string target)
    {
        try
        {
            return File.ReadLines("/proc/self/mounts").Any(line => line.Contains($" {target} ", StringComparison.Ordinal)) && Directory.GetFileSystemEntries(target).Length >= 0;
        }
        catch (IOException)
        {
            // The dead mount is still there.
            return false;
        }
    }

    private static string[] CommandOf(string process)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "cmdline")).Split('\0');
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static bool IsReadOnly(string image, params string[] options)
    {
        var host = new MountVerbTests.RememberingHost();
        host.Unmounted.Set();
        CliRun.On(host, ["mount", "--no-control", .. options, image, "/target"]).Expect(0);
        return host.Request!.ReadOnly;
    }
}
