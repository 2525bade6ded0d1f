// How the module runs the program: progress on the way, an end when the pipeline is stopped, and where the program is looked for. The environment
// is that of the whole process, so this class runs alone.

using System.Diagnostics;
using System.Management.Automation;
using Hammer2.Tests.Cli;
using Shell = System.Management.Automation.PowerShell;

namespace Hammer2.Tests.PowerShell;

[TestClass]
[DoNotParallelize]
public sealed class RunningTests : IDisposable
{
    private const string Variable = "HAMMER2_EXE";
    private const int LargeBytes = 192 << 20;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly ModuleSession _session = new();

    public void Dispose()
    {
        Environment.SetEnvironmentVariable(Variable, null);
        _session.Dispose();
    }

    [TestMethod]
    public void ProgressIsShownAndCompleted()
    {
        _session.Have("small-mixed");
        ScriptRun run = _session.Run("Test-Hammer2Volume small-mixed.img -Mode Blocks").Clean();
        Assert.IsGreaterThanOrEqualTo(2, run.Progress.Count);
        Assert.AreEqual("hammer2 verifying", run.Progress[0].Activity);
        Assert.AreEqual(ProgressRecordType.Completed, run.Progress[^1].RecordType);
        Assert.IsEmpty(run.Warnings, "progress is no warning");
    }

    [TestMethod]
    public void TheProgramReportsProgressAsLines()
    {
        CliRun.AcquireImages();
        try
        {
            CliRun run = CliRun.Of("verify", "--json", "--progress-json", CliRun.Image("small-mixed")).Expect(0);
            string[] lines = run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.IsNotEmpty(lines);
            foreach (string line in lines)
            {
                System.Text.Json.JsonElement progress = System.Text.Json.JsonDocument.Parse(line).RootElement.GetProperty("progress");
                Assert.AreEqual("verifying", progress.GetProperty("title").GetString());
                Assert.IsGreaterThan(0L, progress.GetProperty("total").GetInt64());
                Assert.IsGreaterThanOrEqualTo(0L, progress.GetProperty("done").GetInt64());
            }

            Assert.AreEqual("", CliRun.Of("verify", "--json", CliRun.Image("small-mixed")).Expect(0).Error);
        }
        finally
        {
            CliRun.ReleaseImages();
        }
    }

    [TestMethod]
    public void ProgressLinesAreAtMostFiveASecond()
    {
        var error = new StringWriter();
        var watch = Stopwatch.StartNew();
        var terminal = new Hammer2.Cli.Terminal(Stream.Null, TextWriter.Synchronized(error)) { ProgressAsJson = true };
        Hammer2.Cli.Output.ProgressDisplay.Run(terminal, "working", static () => 1000, advance =>
        {
            Parallel.For(0, 1_000_000, _ => advance(1));
            return 0;
        });
        int lines = error.ToString().Count(static one => one == '\n');
        Assert.IsLessThanOrEqualTo(2 + (watch.ElapsedMilliseconds / 200), lines);
        StringAssert.StartsWith(error.ToString(), "{\"progress\":{\"title\":\"working\",\"done\":0,\"total\":1000}}");
    }

    [TestMethod]
    public void StoppingThePipelineStopsTheProgramAndLeavesTheVolumeWhole()
    {
        _session.Run("New-Hammer2Volume disk.img 1G").Clean();
        var random = new Random(1);
        byte[] noise = new byte[LargeBytes];
        random.NextBytes(noise);
        File.WriteAllBytes(_session["large.dat"], noise);
        var watch = new Stopwatch();
        ScriptRun run = _session.RunAside("Copy-Hammer2Item large.dat / -ToVolume disk.img", shell =>
        {
            WaitFor(shell, () => shell.Streams.Progress.Count > 0);
            watch.Start();
            shell.Stop();
            watch.Stop();
            Assert.AreEqual(PSInvocationState.Stopped, shell.InvocationStateInfo.State);
        });
        Assert.IsEmpty(run.Objects);
        Assert.IsLessThan(s_patience, watch.Elapsed);
        // Nobody has the volume open any more, it is whole, and nothing of the file is in it.
        Assert.IsTrue((bool)_session.Run("Test-Hammer2Volume disk.img -Quiet").Clean().Single.BaseObject);
        Assert.IsEmpty(_session.Run("Get-Hammer2ChildItem disk.img").Clean().Objects);
    }

    [TestMethod]
    public void ALaterCommandThatHasEnoughEndsTheProgram()
    {
        _session.Have("bigdir");
        ScriptRun run = _session.Run("Get-Hammer2ChildItem bigdir.img -Recurse | ForEach-Object { $_; break }").Clean();
        Assert.IsLessThanOrEqualTo(1, run.Objects.Count);
        Assert.IsTrue((bool)_session.Run("(Repair-Hammer2Volume bigdir.img -NoData).Clean").Clean().Single.BaseObject, "the listing still has the volume open");
    }

    [TestMethod]
    public void TheEndOfInputStopsTheProgram()
    {
        _session.Have("small-mixed");
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "hammer2.exe" : "hammer2"))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        if (!CliRun.Of("version", "--json").Json.GetProperty("can_mount").GetBoolean())
            Assert.Inconclusive("mounting is not possible here, and nothing else waits for its end");
        string target = OperatingSystem.IsWindows() ? "*" : Directory.CreateDirectory(_session["mnt"]).FullName;
        foreach (string argument in (string[])["mount", "--stop-with-input", "--json", "--read-only", _session["small-mixed.img"], target])
            start.ArgumentList.Add(argument);
        using Process mount = Process.Start(start)!;
        Assert.IsNotNull(mount.StandardOutput.ReadLine(), "it is mounted");
        Assert.IsFalse(mount.HasExited);
        mount.StandardInput.Close();
        Assert.IsTrue(mount.WaitForExit(s_patience), "it goes on without input");
        Assert.AreEqual(0, mount.ExitCode);
    }

    [TestMethod]
    public void TheProgramIsTheOneThatIsNamed()
    {
        _session.Have("small-mixed");
        Environment.SetEnvironmentVariable(Variable, Path.Combine(AppContext.BaseDirectory, "hammer2.dll"));
        Assert.HasCount(1, _session.Run("Get-Hammer2Volume small-mixed.img").Clean().Objects);
        Environment.SetEnvironmentVariable(Variable, _session["none"]);
        ScriptRun missing = _session.Run("'small-mixed.img', 'small-mixed.img' | Get-Hammer2Volume");
        StringAssert.Contains(missing.Error("Hammer2ProgramNotFound").ToString(), Variable, "once, not for each volume");
    }

    [TestMethod]
    public void ACopyWithoutTheProgramSaysWhereToGetIt()
    {
        string copy = Directory.CreateDirectory(Path.Combine(_session["away"], "deep", "Hammer2")).FullName;
        foreach (string file in Directory.GetFiles(ModuleSession.ModuleFolder))
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        // Two assemblies of one identity do not load side by side: the question is put to the class of a copy, in a context of its own.
        var context = new System.Runtime.Loader.AssemblyLoadContext("copy", isCollectible: true);
        string? path = Environment.GetEnvironmentVariable("PATH");
        try
        {
            Environment.SetEnvironmentVariable("PATH", _session["away"]);
            System.Reflection.MethodInfo find = context.LoadFromAssemblyPath(Path.Combine(copy, "Hammer2.PowerShell.dll"))
                .GetType("Hammer2.PowerShell.Running.ProgramLocation", throwOnError: true)!.GetMethod("Find")!;
            var wrapped = Assert.ThrowsExactly<System.Reflection.TargetInvocationException>(() => find.Invoke(null, null));
            StringAssert.Contains(wrapped.InnerException!.Message, "install Hammer2");
            File.WriteAllText(_session["away/" + (OperatingSystem.IsWindows() ? "hammer2.exe" : "hammer2")], "");
            Assert.IsNotNull(find.Invoke(null, null), "it is on PATH now, and beside the module as it is installed");
        }
        finally
        {
            Environment.SetEnvironmentVariable("PATH", path);
            context.Unload();
        }
    }

    private static void WaitFor(Shell shell, Func<bool> condition)
    {
        using var seen = new ManualResetEventSlim();
        shell.Streams.Progress.DataAdded += (_, _) => seen.Set();
        shell.InvocationStateChanged += (_, _) => seen.Set();
        Assert.IsTrue(condition() || seen.Wait(s_patience), "nothing came in time");
        Assert.IsTrue(condition(), "the command ended before it could be stopped");
    }
}
