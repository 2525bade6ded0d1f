// What tests with a real kernel share: a fresh mount point each, a loud skip where there is no FUSE, and no mount left behind.
// Layers: Fuse (public entry).

using System.Diagnostics;
using System.Text;
using Hammer2.Fuse;

namespace Hammer2.Tests.Fuse;

public abstract class KernelTestBase
{
    internal static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    /// <summary>An empty directory to mount on.</summary>
    protected string Target { get; private set; } = "";

    protected byte[] TargetBytes => Encoding.UTF8.GetBytes(Target);

    public TestContext TestContext { get; set; } = null!;

    [TestInitialize]
    public void MakeTarget()
    {
        if (!OperatingSystem.IsLinux() || !File.Exists("/dev/fuse"))
            Assert.Inconclusive("SKIPPED: this machine has no /dev/fuse, so nothing was mounted.");
        if (!Environment.IsPrivilegedProcess)
            Assert.Inconclusive("SKIPPED: tests of the kernel mount run as root.");
        Target = Directory.CreateTempSubdirectory("hammer2 mount ").FullName;
    }

    [TestCleanup]
    public void RemoveTarget()
    {
        if (Target.Length == 0)
            return;
        var left = FuseMount.ListMounts().Where(mount => mount.Target == Target).ToList();
        foreach (var _ in left)
            Run("umount", "-l", Target);
        Directory.Delete(Target, recursive: false);
        Assert.IsEmpty(left, "the test left a mount behind");
    }

    internal byte[] At(string path) => Encoding.UTF8.GetBytes(Target + "/" + path);

    internal static (int Status, string Output) Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEndAsync();
        // What the program left running in the background may hold its output open: that is a hang too.
        if (process.WaitForExit(Deadline) && Task.WaitAll([output, error], Deadline))
            return (process.ExitCode, output.Result + error.Result);
        process.Kill(entireProcessTree: true);
        throw new AssertFailedException($"{program} {string.Join(' ', arguments)} hangs");
    }

    /// <summary>Waits for a condition that something outside this process makes true.</summary>
    internal static bool Eventually(Func<bool> condition)
    {
        using var never = new ManualResetEventSlim();
        var clock = Stopwatch.StartNew();
        while (!condition())
        {
            if (clock.Elapsed > Deadline)
                return false;
            never.Wait(TimeSpan.FromMilliseconds(10));
        }

        return true;
    }
}
