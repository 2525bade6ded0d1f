// Every verdict of every check of `hammer2 doctor`, on machines that are made up; and one run on the real one, which may find
// what it likes but must print it as documented.

using Hammer2.Cli.Doctor;
using Hammer2.Cli.Output;
using Hammer2.Cli.Verbs;

namespace Hammer2.Tests.Cli;

[TestClass]
public sealed class DoctorVerbTests
{
    [TestMethod]
    public void ASoundMachineHasNoFindings()
    {
        var sound = new Machine();
        Assert.IsTrue(DoctorChecks.All(sound, ["disk.img"]).All(static finding => finding.Verdict == Verdict.Ok && finding.Advice is null));
        Assert.AreEqual(0, DoctorVerb.Examine(sound, []).ExitCodeOfVerb());
        Assert.IsTrue(DoctorChecks.All(sound with { IsWindows = true }, []).All(static finding => finding.Verdict == Verdict.Ok));
    }

    [TestMethod]
    public void EachDefectIsNamedWithWhatToDo()
    {
        var sound = new Machine();
        Expect("kernel", Verdict.Problem, sound with { FileSystems = "nodev\tproc\n\text4\n" });
        Expect("kernel", Verdict.Warning, sound with { FileSystems = null });
        Expect("fuse-device", Verdict.Problem, sound with { NoMounting = "there is no /dev/fuse" });
        Expect("fusermount3", Verdict.Problem, sound with { Helper = null });
        Expect("fusermount3", Verdict.Problem, sound with { Helper = ("/usr/bin/fusermount3", false) });
        Expect("user_allow_other", Verdict.Warning, sound with { Configuration = "#user_allow_other\n" });
        Expect("user_allow_other", Verdict.Warning, sound with { Configuration = null });
        Expect("control-folder", Verdict.Problem, sound with { ControlProblem = "belongs to somebody else" });
        Expect("temporary-space", Verdict.Warning, sound with { Free = 1 << 20 });
        Expect("mount", Verdict.Problem, sound with { AllMounts = [new MountHealth("/mnt/x", false, null)] });
        Expect("mount-version", Verdict.Warning, sound with { AllMounts = [new MountHealth("/mnt/x", true, "0.1")] });
        Expect("mount-version", Verdict.Warning, sound with { AllMounts = [new MountHealth("/mnt/x", true, null)] });
        Expect("sparse-files", Verdict.Warning, sound with { FileSystem = "vfat" });
        Expect("service", Verdict.Warning, sound with { IsWindows = true, ServiceOfMachine = null });
        Expect("service", Verdict.Warning, sound with { IsWindows = true, ServiceOfMachine = new ServiceHealth(null, 2) });
        Expect("service", Verdict.Warning, sound with { IsWindows = true, ServiceOfMachine = new ServiceHealth("starting", 1) });
        Expect("service", Verdict.Problem, sound with { IsWindows = true, ServiceOfMachine = new ServiceHealth("stopped", 1) });
        Expect("dokan-driver", Verdict.Problem, sound with { IsWindows = true, NoMounting = "The Dokany driver is not running." });
    }

    [TestMethod]
    public void TheServiceIsAskedOnWindowsOnly()
    {
        var windows = new Machine { IsWindows = true };
        Assert.IsTrue(DoctorChecks.All(windows, []).Any(static finding => finding.Name == "service" && finding.Message.Contains("3 mounts", StringComparison.Ordinal)));
        Assert.AreEqual(Verdict.Ok, DoctorChecks.Service(windows with { ServiceOfMachine = new ServiceHealth(null, 0) }).Verdict);
        Assert.IsFalse(DoctorChecks.All(new Machine(), []).Any(static finding => finding.Name == "service"));
    }

    [TestMethod]
    [DataRow("1", "stopped")]
    [DataRow("2", "starting")]
    [DataRow("3", "stopping")]
    [DataRow("4", "running")]
    [DataRow("7", "unknown")]
    public void TheStateOfTheServiceIsReadFromItsNumber(string number, string state)
    {
        string text = $"\r\nSERVICE_NAME: Hammer2\r\n        TYP                : 10  WIN32_OWN_PROCESS\r\n        STATUS             : {number}  ANYTHING\r\n        CHECKPOINT         : 0x0\r\n";
        Assert.AreEqual(state, Hammer2.Cli.Saved.WindowsService.StateIn(text));
    }

    [TestMethod]
    public void RootNeedsLess()
    {
        var root = new Machine { IsRoot = true, Helper = null, Configuration = null };
        Assert.AreEqual(0, DoctorVerb.Examine(root, []).ExitCodeOfVerb());
        Assert.IsTrue(DoctorChecks.All(root, []).All(static finding => finding.Verdict == Verdict.Ok));
    }

    [TestMethod]
    public void ThisMachineIsExamined()
    {
        CliRun run = CliRun.Of("doctor", Path.GetTempPath() + "disk.img", "--json");
        var checks = run.Json.GetProperty("checks").EnumerateArray().ToList();
        bool problem = checks.Exists(static check => check.GetProperty("verdict").GetString() == "problem");
        run.Expect(problem ? 1 : 0);
        Assert.IsTrue(checks.Exists(static check => check.GetProperty("name").GetString() == "sparse-files"));
        CliRun.Of("doctor").Expect(problem ? 1 : 0);
    }

    private static void Expect(string name, Verdict verdict, Machine machine)
    {
        DoctorFinding finding = DoctorChecks.All(machine, ["disk.img"]).Single(found => found.Verdict != Verdict.Ok);
        Assert.AreEqual(name, finding.Name);
        Assert.AreEqual(verdict, finding.Verdict, finding.Message);
        Assert.AreEqual(verdict == Verdict.Problem ? 1 : 0, DoctorVerb.Examine(machine, []).ExitCodeOfVerb());
        if (name != "kernel" || verdict == Verdict.Problem)
            Assert.IsNotNull(finding.Advice);
    }

    private sealed record Machine : IDoctorProbe
    {
        public bool IsWindows { get; init; }

        public bool IsRoot { get; init; }

        public string OwnProduct => "1.0";

        public string? FileSystems { get; init; } = "nodev\tproc\nnodev\tfuse\n";

        public string? Configuration { get; init; } = "# comment\nuser_allow_other\n";

        public string? NoMounting { get; init; }

        public (string Path, bool IsSetUserId)? Helper { get; init; } = ("/usr/bin/fusermount3", true);

        public string? ControlProblem { get; init; }

        public ServiceHealth? ServiceOfMachine { get; init; } = new("running", 3);

        public long? Free { get; init; } = 10L << 30;

        public string? FileSystem { get; init; } = "ext4";

        public IReadOnlyList<MountHealth> AllMounts { get; init; } = [new MountHealth("/mnt/h2", true, "1.0")];

        public string? WhyNoMounting() => NoMounting;

        public bool FileExists(string path) => false;

        public string? Text(string path) => path == "/etc/fuse.conf" ? Configuration : FileSystems;

        public (string Path, bool IsSetUserId)? Program(string name) => Helper;

        public IReadOnlyList<MountHealth> Mounts() => AllMounts;

        public ServiceHealth? Service() => ServiceOfMachine;

        public string? ControlFolderProblem() => ControlProblem;

        public long? FreeBytes(string path) => Free;

        public string? FileSystemOf(string path) => FileSystem;
    }
}
