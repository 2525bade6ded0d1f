// A fresh image that a process of its own has mounted read-write: what programs see, and what can be killed. The process may
// use no more memory than MemoryMax, on the managed heap by the runtime's own limit and in all by the look at its peak at the end.
// Every end is followed by the strict check, which must find no error and no warning.
// Layers: the hammer2 command as a process and inside the test.

using System.Diagnostics;
using System.Globalization;
using Hammer2.Fuse;
using Hammer2.Tests.Cli;
using Hammer2.Tests.Fuse;

namespace Hammer2.Tests.Kernel;

/// <summary>An image, its mount point and the process between.</summary>
internal sealed class MountedImage : IDisposable
{
    /// <summary>What the mount process may ever have resident.</summary>
    public const long MemoryMax = 1500L << 20;

    private const string HeapLimit = "0x30000000";
    private readonly string _folder;
    private readonly List<string> _log = [];
    private Process? _process;

    private MountedImage(string target)
    {
        Target = target;
        _folder = Directory.CreateTempSubdirectory("hammer2-kernel-").FullName;
        ImagePath = Path.Combine(_folder, "test.img");
    }

    /// <summary>Where it is mounted.</summary>
    public string Target { get; }

    public string ImagePath { get; }

    /// <summary>Everything that the mount processes said so far.</summary>
    public string Log
    {
        get
        {
            lock (_log)
                return string.Join('\n', _log);
        }
    }

    /// <summary>Formats an image, which is not mounted yet.</summary>
    public static MountedImage Format(string target, string size)
    {
        var image = new MountedImage(target);
        CliRun.Of("newfs", "--size", size, image.ImagePath).Expect(0);
        return image;
    }

    /// <summary>Starts the process and waits until the image is mounted.</summary>
    public MountedImage Mount(params string[] options)
    {
        _process = Start(["mount", "--json", .. options, ImagePath, Target]);
        _process.ErrorDataReceived += (_, line) => Note(line.Data);
        _process.BeginErrorReadLine();
        if (_process.StandardOutput.ReadLine() is null)
        {
            _process.WaitForExit();
            Assert.Fail("it does not mount: " + Log);
        }

        return this;
    }

    /// <summary>Unmounts as umount(8) does and checks the process and the image.</summary>
    public void Unmount()
    {
        var peak = PeakBytes();
        Assert.AreEqual(0, KernelTestBase.Run("umount", Target).Status);
        Ended();
        Assert.IsLessThan(MemoryMax, peak, "the mount took too much memory");
        Check();
    }

    /// <summary>Sends a signal that ends a mount in good order.</summary>
    public void Signal(string name)
    {
        Assert.AreEqual(0, KernelTestBase.Run("kill", "-" + name, Id).Status);
        Ended();
        Check();
    }

    /// <summary>Kills the process; the mount goes with it.</summary>
    public void Kill()
    {
        _process!.Kill();
        _process.WaitForExit();
        _process.Dispose();
        _process = null;
        Assert.IsTrue(KernelTestBase.Eventually(() => MountInfo.Find(Target) is null), "the mount stays in the table");
        Check();
    }

    /// <summary>The strict check.</summary>
    public void Check()
    {
        var report = CliRun.Of("fsck", ImagePath);
        Assert.AreEqual(0, report.ExitCode, report.Output + report.Error + Log);
        Assert.Contains("clean: 0 errors, 0 warnings", report.Output);
    }

    /// <summary>Runs another hammer2 process to its end.</summary>
    public static (int Code, string Text) Command(params string[] arguments)
    {
        using var process = Start(arguments);
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        Assert.IsTrue(process.WaitForExit(KernelTestBase.Deadline), "the process does not end");
        return (process.ExitCode, output + error.Result);
    }

    public void Dispose()
    {
        if (_process is { HasExited: false })
            _process.Kill();
        _process?.WaitForExit();
        _process?.Dispose();
        if (MountInfo.Find(Target) is not null)
            _ = KernelTestBase.Run("umount", "-l", Target);
        Directory.Delete(_folder, recursive: true);
    }

    private string Id => _process!.Id.ToString(CultureInfo.InvariantCulture);

    // Peak of what was resident, as the kernel kept it.
    private long PeakBytes()
    {
        var line = File.ReadLines($"/proc/{Id}/status").First(line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) << 10;
    }

    private void Ended()
    {
        Assert.IsTrue(_process!.WaitForExit(KernelTestBase.Deadline), "the process does not end after the unmount");
        // The wait without a deadline is the one that also waits for the last line.
        _process.WaitForExit();
        Assert.AreEqual(0, _process.ExitCode, Log);
        _process.Dispose();
        _process = null;
    }

    private void Note(string? line)
    {
        lock (_log)
        {
            if (line is not null)
                _log.Add(line);
        }
    }

    /// <summary>The command as a process of its own.</summary>
    internal static Process Start(string[] arguments)
    {
        var dotnet = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        var start = new ProcessStartInfo(dotnet, [Path.Combine(AppContext.BaseDirectory, "hammer2.dll"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["DOTNET_GCHeapHardLimit"] = HeapLimit;
        return Process.Start(start)!;
    }
}

/// <summary>A mounted image per test, and programs that must be there.</summary>
public abstract class ProgramTestBase : KernelTestBase
{
    private MountedImage? _image;

    internal MountedImage Image => _image!;

    [TestCleanup]
    public void RemoveImage() => _image?.Dispose();

    /// <summary>Says loudly that a program is missing, or makes and mounts an image.</summary>
    internal MountedImage MountFor(string size, params string[] programs)
    {
        foreach (var program in programs)
        {
            if (Run("sh", "-c", "command -v " + program).Status != 0)
                Assert.Inconclusive($"SKIPPED: {program} is not installed, so nothing was tested with it.");
        }

        _image = MountedImage.Format(Target, size);
        return _image.Mount();
    }

    /// <summary>Runs a shell script in the mount; it must succeed.</summary>
    internal string Script(string text)
    {
        var (status, output) = Run("sh", "-c", "cd \"$1\" || exit 99\n" + text, "sh", Target);
        Assert.AreEqual(0, status, $"{text}\n{output}\n{Image.Log}");
        return output;
    }
}
