// Real processes on both ends of the control channel, one of which is killed without a chance to say goodbye (R3, R4): the other
// one finds out, ends what belonged to the dead one, and goes on or ends with one line. Needs FUSE; elsewhere the test says so.

using System.Diagnostics;
using Hammer2.Cli.Mounting;
using Hammer2.Tests.Cli;
using Hammer2.Tests.Fuse;
using Hammer2.Tests.Images;
using Hammer2.Tests.Kernel;

namespace Hammer2.Tests.Control;

[TestClass]
public sealed class KilledPartnerTests
{
    private const string Slowly = "64K";

    [TestMethod]
    public void AKilledClientTakesItsTransactionsWithIt()
    {
        using var mounted = new Mounted();
        for (int round = 0; round < 4; round++)
        {
            // Killed while it connects, while its command runs, and while it waits behind another one.
            using Process first = MountedImage.Start(["scrub", "--rate", Slowly, mounted.Image]);
            if (round > 0)
                Assert.IsTrue(KernelTestBase.Eventually(() => mounted.States().Contains("running")));
            using Process second = MountedImage.Start(["verify", "--rate", Slowly, mounted.Image]);
            if (round > 1)
                Assert.IsTrue(KernelTestBase.Eventually(() => mounted.States().Contains("waiting")));
            second.Kill();
            first.Kill();
            first.WaitForExit();
            second.WaitForExit();
            Assert.IsTrue(KernelTestBase.Eventually(() => !mounted.States().Any(static state => state is "running" or "waiting")), string.Join(' ', mounted.States()));
        }

        File.WriteAllText(Path.Combine(mounted.Target, "after"), "goes on");
        CliRun.Of("snapshot", mounted.Image, "goes-on").Expect(0);
        mounted.Unmount();
        Assert.AreEqual("goes on", CliRun.Of("cat", mounted.Image + "@goes-on", "/after").Expect(0).Output);
        CliRun.Of("fsck", mounted.Image).Expect(0);
    }

    [TestMethod]
    public void AKilledMountEndsTheCallsOfItsClients()
    {
        using var mounted = new Mounted();
        using Process running = MountedImage.Start(["scrub", "--rate", Slowly, mounted.Image]);
        Assert.IsTrue(KernelTestBase.Eventually(() => mounted.States().Contains("running")));
        using Process waiting = MountedImage.Start(["verify", "--rate", Slowly, mounted.Image]);
        Assert.IsTrue(KernelTestBase.Eventually(() => mounted.States().Contains("waiting")));
        mounted.Kill();
        foreach (Process client in (Process[])[running, waiting])
        {
            string error = client.StandardError.ReadToEnd();
            Assert.IsTrue(client.WaitForExit(60_000), "a client waits for a dead mount");
            Assert.AreEqual(1, client.ExitCode, error);
            StringAssert.Contains(error, "the mount ended before it answered");
        }

        // Nothing of the dead one is in the way: neither its socket nor its lock.
        Assert.IsTrue(KernelTestBase.Eventually(() => CliRun.Of("pfs-list", mounted.Image).ExitCode == 0));
        CliRun.Of("fsck", mounted.Image).Expect(0);
    }

    [TestMethod]
    public void AnUnmountEndsTheCallsOfItsClients()
    {
        using var mounted = new Mounted();
        using Process running = MountedImage.Start(["scrub", "--rate", Slowly, mounted.Image]);
        Assert.IsTrue(KernelTestBase.Eventually(() => mounted.States().Contains("running")));
        using Process waiting = MountedImage.Start(["verify", "--rate", Slowly, mounted.Image]);
        Assert.IsTrue(KernelTestBase.Eventually(() => mounted.States().Contains("waiting")));
        mounted.Unmount();
        foreach (Process client in (Process[])[running, waiting])
        {
            Assert.IsTrue(client.WaitForExit(60_000), "a client waits for a mount that is gone");
            Assert.AreNotEqual(0, client.ExitCode);
        }

        CliRun.Of("fsck", mounted.Image).Expect(0);
    }

    /// <summary>A mount in a process of its own.</summary>
    private sealed class Mounted : IDisposable
    {
        private readonly TemporaryFolder _folder = new();
        private readonly Process _process;

        internal Mounted()
        {
            if (MountHosts.ForThisSystem().WhyUnavailable() is { } problem)
                Assert.Inconclusive("not run: " + problem);
            Image = GoldenImages.Get("small-mixed").UnpackTo(_folder.Path).Single();
            Target = _folder["mnt"];
            Directory.CreateDirectory(Target);
            _process = MountedImage.Start(["mount", "--json", Image, Target]);
            Assert.IsNotNull(_process.StandardOutput.ReadLine());
        }

        internal string Image { get; }

        internal string Target { get; }

        internal string[] States() => [.. CliRun.Of("transactions", Image, "--json").Json.GetProperty("transactions").EnumerateArray()
            .Where(static transaction => !transaction.GetProperty("command").GetString()!.StartsWith("transactions", StringComparison.Ordinal))
            .Select(static transaction => transaction.GetProperty("state").GetString()!)];

        internal void Unmount()
        {
            CliRun.Of("umount", Target).Expect(0);
            Assert.IsTrue(_process.WaitForExit(60_000));
        }

        internal void Kill()
        {
            _process.Kill();
            _process.WaitForExit();
        }

        public void Dispose()
        {
            if (!_process.HasExited)
                Kill();
            _process.Dispose();
            Assert.IsTrue(KernelTestBase.Eventually(() => !CliRun.Of("mounts").Output.Contains(Target, StringComparison.Ordinal)));
            _folder.Dispose();
        }
    }
}
