// mount, umount, mounts and demo: with a host that only remembers, and with the real one of this system where it
// can mount (else the test says so); the command as a process of its own for --background and for a reader that
// goes away.

using System.Diagnostics;
using Hammer2.Cli.Mounting;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Cli;

[TestClass]
public sealed class MountVerbTests : CliTests
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(60);

    [TestMethod]
    public void MountPrintsWhatAndWhereAndStaysUntilUnmounted()
    {
        var host = new RememberingHost();
        host.Unmounted.Set();
        CliRun run = CliRun.On(host, ["mount", "--no-control", "--read-only", CliRun.Image("small-mixed"), "/target"]).Expect(0);
        StringAssert.Contains(run.Output, "small-mixed.img@DATA is mounted at /target, read-only");
        Assert.AreEqual("mount DATA /target; wait; dispose", string.Join("; ", host.Calls));
    }

    [TestMethod]
    public void StoppedMountEndsWithSuccess()
    {
        using var stop = new CancellationTokenSource();
        var host = new RememberingHost { WhenWaiting = stop.Cancel };
        CliRun.On(host, ["mount", "--no-control", "--read-only", CliRun.Image("small-mixed"), "/target"], stop.Token).Expect(0);
        CollectionAssert.Contains(host.Calls, "dispose");
    }

    [TestMethod]
    public void ImageFilesAreMountedForChangesAndPartitionsAreNot()
    {
        using var folder = new TemporaryFolder();
        string image = GoldenImages.Get("empty").UnpackTo(folder.Path).Single();
        string disk = GoldenImages.Get("part-gpt").UnpackTo(folder.Path).Single();
        Directory.CreateSymbolicLink(folder["link.img"], image);
        foreach (var (expected, arguments) in ((bool, string[])[])[
            (false, [image]), (true, ["--read-only", image]), (true, ["-r", image]), (false, ["--read-write", image]), (false, [folder["link.img"]]),
            (true, [disk]), (false, ["--read-write", disk])])
        {
            var host = new RememberingHost();
            host.Unmounted.Set();
            CliRun run = CliRun.On(host, ["mount", .. arguments, "/target"]).Expect(0);
            Assert.AreEqual(expected, host.Request!.ReadOnly, string.Join(' ', arguments));
            StringAssert.Contains(run.Output, expected ? ", read-only" : ", read-write");
        }
    }

    [TestMethod]
    public void ReadOnlyAndReadWriteExcludeEachOther()
    {
        var host = new RememberingHost();
        CliRun.On(host, ["mount", "-r", "-w", CliRun.Image("small-mixed"), "/target"]).Expect(2).ExpectOneLine("exclude");
    }

    [TestMethod]
    public void MountedImageIsInUseAndWhatWasWrittenIsThereAfterTheUnmount()
    {
        RequireMounting();
        using var folder = new TemporaryFolder();
        string image = GoldenImages.Get("empty").UnpackTo(folder.Path).Single();
        Directory.CreateDirectory(folder["mnt"]);
        var (code, output, error) = RunProcess("mount", "-b", image, folder["mnt"]);
        Assert.AreEqual(0, code, error);
        try
        {
            StringAssert.Contains(output, "read-write");
            CliRun.Of("fsck", image).Expect(3).ExpectOneLine("in use");
            File.WriteAllText(folder["mnt/written"], "through the mount");
            Assert.AreEqual("through the mount", CliRun.Of("cat", image, "/written").Expect(0).Output);
            Assert.IsFalse(CliRun.Of("mounts", "--json").Expect(0).Json.GetProperty("mounts").EnumerateArray()
                .Single(mount => mount.GetProperty("target").GetString() == folder["mnt"]).GetProperty("read_only").GetBoolean());
        }
        finally
        {
            CliRun.Of("umount", folder["mnt"]).Expect(0);
        }

        // The unmount is over when the name is free; the process commits and closes just after.
        Assert.IsTrue(Fuse.KernelTestBase.Eventually(() => CliRun.Of("ls", image).ExitCode == 0), "the image stays in use");
        Assert.AreEqual("through the mount", CliRun.Of("cat", image, "/written").Expect(0).Output);
    }

    [TestMethod]
    public void SeveralPfssOfAVolumeAreMountedByOneProcess()
    {
        RequireMounting();
        using var folder = new TemporaryFolder();
        string image = GoldenImages.Get("multi-pfs").UnpackTo(folder.Path).Single();
        string main = folder["main"], extra = folder["extra"];
        Directory.CreateDirectory(main);
        Directory.CreateDirectory(extra);
        var (code, output, error) = RunProcess("mount", "-b", image + "@MAIN", main, "--also", "EXTRA=" + extra);
        Assert.AreEqual(0, code, error);
        StringAssert.Contains(output, "@MAIN is mounted at " + main);
        try
        {
            File.WriteAllText(Path.Combine(main, "one"), "in MAIN");
            File.WriteAllText(Path.Combine(extra, "two"), "in EXTRA");
            Assert.IsFalse(File.Exists(Path.Combine(main, "two")));
            CliRun.Of("umount", main).Expect(0);
            File.AppendAllText(Path.Combine(extra, "two"), ", after the other was unmounted");
            CliRun.Of("fsck", image).Expect(3).ExpectOneLine("in use");
        }
        finally
        {
            CliRun.Of("umount", extra).Expect(0);
        }

        Assert.AreEqual("in MAIN", CliRun.Of("cat", image + "@MAIN", "/one").Expect(0).Output);
        Assert.AreEqual("in EXTRA, after the other was unmounted", CliRun.Of("cat", image + "@EXTRA", "/two").Expect(0).Output);
        CliRun.Of("fsck", image).Expect(0);
    }

    [TestMethod]
    public void AFailingSecondMountUndoesTheFirst()
    {
        var host = new RememberingHost();
        CliRun.On(host, ["mount", "--no-control", "--read-only", CliRun.Image("small-mixed"), "/target", "--also", "NOSUCH=/other"]).Expect(3).ExpectOneLine("NOSUCH");
        Assert.AreEqual("mount DATA /target; dispose", string.Join("; ", host.Calls));
        CliRun.On(host, ["mount", "--no-control", "--read-only", CliRun.Image("small-mixed"), "/target", "--also", "NOSUCH"]).Expect(2).ExpectOneLine("LABEL=TARGET");
    }

    [TestMethod]
    public void TerminatedMountCommits()
    {
        RequireMounting();
        using var folder = new TemporaryFolder();
        string image = GoldenImages.Get("empty").UnpackTo(folder.Path).Single();
        Directory.CreateDirectory(folder["mnt"]);
        using Process process = Start("mount", "--json", image, folder["mnt"]);
        Assert.IsNotNull(process.StandardOutput.ReadLine());
        File.WriteAllText(folder["mnt/written"], "before the signal");
        using (Process kill = Process.Start("kill", ["-TERM", $"{process.Id}"]))
            kill.WaitForExit();
        Assert.IsTrue(process.WaitForExit(s_deadline), "the mount does not end");
        Assert.AreEqual(0, process.ExitCode);
        Assert.AreEqual("before the signal", CliRun.Of("cat", image, "/written").Expect(0).Output);
    }

    [TestMethod]
    public void MountAsJsonHasItsShape()
    {
        var host = new RememberingHost();
        host.Unmounted.Set();
        var json = CliRun.On(host, ["mount", "--no-control", "--json", "--read-only", CliRun.Image("small-mixed"), "/target"]).Expect(0).Json;
        string names = string.Join(' ', json.EnumerateObject().Select(property => property.Name));
        Assert.AreEqual("image label target read_only pid also failures", names);
    }

    [TestMethod]
    public void MountWithoutDriverSaysWhatIsMissing()
    {
        var host = new RememberingHost { Problem = "there is no driver" };
        CliRun.On(host, ["mount", "--no-control", "--read-only", CliRun.Image("small-mixed"), "/target"]).Expect(3).ExpectOneLine("there is no driver");
        Assert.IsEmpty(host.Calls);
    }

    [TestMethod]
    public void FailingMountIsOneLine()
    {
        var host = new RememberingHost { Failure = new IOException("the target is taken") };
        CliRun.On(host, ["mount", "--no-control", "--read-only", CliRun.Image("small-mixed"), "/target"]).Expect(3).ExpectOneLine("the target is taken");
    }

    [TestMethod]
    public void UmountAndMountsReachTheHost()
    {
        var host = new RememberingHost();
        CliRun.On(host, ["umount", "/target"]).Expect(0);
        Assert.AreEqual("unmount /target", string.Join("; ", host.Calls));
        var mounts = CliRun.On(host, ["mounts", "--json"]).Expect(0).Json.GetProperty("mounts");
        Assert.AreEqual("/there", mounts[0].GetProperty("target").GetString());
        StringAssert.Contains(CliRun.On(host, ["mounts"]).Expect(0).Output, "/there");
    }

    [TestMethod]
    public void DemoWithoutDriverShowsTheSampleThroughTheEngine()
    {
        CliRun run = CliRun.On(new RememberingHost { Problem = "there is no driver" }, ["demo"]).Expect(0);
        StringAssert.StartsWith(run.Output, "mounting is not possible here (there is no driver)");
        StringAssert.Contains(run.Output, "├── ");
        Assert.AreEqual("", run.Error);
    }

    [TestMethod]
    public void DemoMountsShowsAndCleansUp()
    {
        using var shown = new TemporaryFolder();
        File.WriteAllText(shown["seen-by-the-system"], "x");
        var host = new RememberingHost { Picked = shown.Path };
        CliRun run = CliRun.On(host, ["demo"]).Expect(0);
        StringAssert.Contains(run.Output, "seen-by-the-system");
        Assert.AreEqual($"pick; mount DATA {shown.Path}; unmount; dispose; release", string.Join("; ", host.Calls));
    }

    [TestMethod]
    public void BackgroundMountReturnsWhenMountedAndUmountEndsIt()
    {
        RequireMounting();
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["mnt"]);
        var (code, output, error) = RunProcess("mount", "--no-control", "--background", "--read-only", CliRun.Image("small-mixed"), folder["mnt"]);
        Assert.AreEqual(0, code, error);
        try
        {
            StringAssert.Contains(output, "is mounted at " + folder["mnt"]);
            CollectionAssert.Contains(Directory.GetDirectories(folder["mnt"]).Select(Path.GetFileName).ToArray(), "deep");
            StringAssert.Contains(CliRun.Of("mounts").Expect(0).Output, folder["mnt"]);
        }
        finally
        {
            CliRun.Of("umount", folder["mnt"]).Expect(0);
        }

        Assert.IsFalse(CliRun.Of("mounts").Expect(0).Output.Contains(folder["mnt"], StringComparison.Ordinal));
        CliRun.Of("umount", folder["mnt"]).Expect(1).ExpectOneLine(folder["mnt"]);
    }

    [TestMethod]
    public void BackgroundMountThatFailsPassesTheExitCodeOn()
    {
        var (code, output, error) = RunProcess("mount", "--background", "no-such.img", "/target");
        Assert.AreEqual(3, code);
        Assert.AreEqual("", output);
        StringAssert.StartsWith(error, "hammer2: no-such.img");
    }

    [TestMethod]
    public void DemoReallyMounts()
    {
        RequireMounting();
        CliRun run = CliRun.Of("demo").Expect(0);
        StringAssert.Contains(run.Output, "is mounted at ");
        StringAssert.Contains(run.Output, "the operating system sees at ");
    }

    [TestMethod]
    public void ReaderThatGoesAwayEndsTheRunQuietly()
    {
        using Process process = Start("cat", CliRun.Image("bigfile"), "/huge/sparse-north");
        byte[] some = new byte[10];
        process.StandardOutput.BaseStream.ReadExactly(some);
        process.StandardOutput.Close();
        // 1.5 TiB are never read in this time: the run ended because nobody listens.
        Assert.IsTrue(process.WaitForExit(s_deadline), "still reading for nobody");
        Assert.AreEqual("", process.StandardError.ReadToEnd());
        Assert.AreEqual(0, process.ExitCode);
    }

    [TestMethod]
    public void StateFilesOfDeadProcessesAreDropped()
    {
        using var folder = new TemporaryFolder();
        var states = new MountStates(folder["mounts"]);
        Assert.IsEmpty(states.List());
        var mine = new MountedVolume("a.img", "DATA", "H:", true, Environment.ProcessId);
        var other = new MountedVolume("a.img", "HOME", "J:", true, Environment.ProcessId);
        states.Add(mine);
        states.Add(other);
        const string Gone =
            """{"mount":{"image":"b","target":"I:","process_id":1234567},"started_utc":"2020-01-01T00:00:00Z"}""";
        File.WriteAllText(folder["mounts/1234567.json"], Gone);
        File.WriteAllText(folder["mounts/7.json"], "no json");
        Assert.AreEqual("H: J:", string.Join(' ', states.List().Select(static mount => mount.Target).Order(StringComparer.Ordinal)));
        Assert.HasCount(2, Directory.GetFiles(folder["mounts"]));
        states.Remove(mine);
        Assert.AreEqual("J:", states.List().Single().Target);
        states.Remove(other);
        Assert.IsEmpty(states.List());
    }

    private static void RequireMounting()
    {
        if (MountHosts.ForThisSystem().WhyUnavailable() is { } problem)
            Assert.Inconclusive("not run: " + problem);
    }

    private static Process Start(params string[] args)
    {
        string program = Path.Combine(AppContext.BaseDirectory, "hammer2.dll");
        return Process.Start(
            new ProcessStartInfo("dotnet", [program, .. args]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
    }

    private static (int Code, string Output, string Error) RunProcess(params string[] args)
    {
        using Process process = Start(args);
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        Assert.IsTrue(process.WaitForExit(s_deadline), "the process does not end");
        return (process.ExitCode, output, error.Result);
    }

    internal sealed class RememberingHost : IMountHost
    {
        public List<string> Calls { get; } = [];

        public ManualResetEventSlim Unmounted { get; } = new();

        public Action? WhenWaiting { get; init; }

        public string? Problem { get; init; }

        public IOException? Failure { get; init; }

        public string Picked { get; init; } = "/picked";

        public MountRequest? Request { get; private set; }

        public string? WhyUnavailable() => Problem;

        public IMountSession Mount(MountRequest request)
        {
            if (Failure is not null)
                throw Failure;
            Request = request;
            Calls.Add($"mount {request.Pfs.Label} {request.Target}");
            return new Session(this, request.Target);
        }

        public void Unmount(string target) => Calls.Add("unmount " + target);

        public IReadOnlyList<MountedVolume> List() => [new MountedVolume("/disk.img", "DATA", "/there", true, 7)];

        public string PickTarget()
        {
            Calls.Add("pick");
            return Picked;
        }

        public void ReleaseTarget(string target) => Calls.Add("release");

        private sealed class Session(RememberingHost host, string target) : IMountSession
        {
            public string Target => target;

            public void WaitForUnmount(CancellationToken stop)
            {
                host.Calls.Add("wait");
                host.WhenWaiting?.Invoke();
                WaitHandle.WaitAny([host.Unmounted.WaitHandle, stop.WaitHandle], s_deadline);
            }

            public void Unmount() => host.Calls.Add("unmount");

            public void Dispose() => host.Calls.Add("dispose");
        }
    }
}
