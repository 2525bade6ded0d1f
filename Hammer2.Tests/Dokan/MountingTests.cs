// What happens before anything is mounted: targets, versions, options, and the guard that keeps a program without the
// package from being published for Windows.

using System.Diagnostics;
using Hammer2.Dokan;
using Hammer2.Dokan.Mounting;
using Hammer2.Engine.Primitives;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class MountingTests
{
    private static readonly string[] s_used = ["C:\\", "D:\\", "F:\\"];

    [TestMethod]
    [DataRow("M", "M:\\")]
    [DataRow("m:", "M:\\")]
    [DataRow("m:\\", "M:\\")]
    [DataRow(" m:/ ", "M:\\")]
    [DataRow("*", "E:\\")]
    [DataRow("C:\\mnt\\h2\\", "C:\\mnt\\h2")]
    [DataRow("C:/mnt/h2", "C:\\mnt\\h2")]
    public void TargetsAreSpelledAsTheDriverWantsThem(string target, string expected) =>
        Assert.AreEqual(expected, MountTarget.Normalize(target, s_used));

    [TestMethod]
    [DataRow("c:")]
    [DataRow("")]
    [DataRow("MM:")]
    [DataRow("mnt\\h2")]
    [DataRow("\\\\server\\share")]
    [DataRow("1:")]
    public void OtherTargetsAreRefusedWithASentence(string target)
    {
        Hammer2Exception refusal = Assert.ThrowsExactly<Hammer2Exception>(() => MountTarget.Normalize(target, s_used));
        Assert.AreEqual(Hammer2Error.InvalidArgument, refusal.Error);
        Assert.EndsWith(".", refusal.Message);
    }

    [TestMethod]
    public void NoFreeLetterIsAnErrorAndNotALoop() => Assert.ThrowsExactly<Hammer2Exception>(
        () => MountTarget.Normalize("*", Enumerable.Range('A', 26).Select(letter => $"{(char)letter}:\\")));

    [TestMethod]
    public void VersionsAreJudgedWithAWordOnWhereToGetTheRightOne()
    {
        Assert.IsNull(DriverCheck.Complaint(231, 400));
        Assert.IsNull(DriverCheck.Complaint(240, 400));
        foreach ((int library, int driver, string word) in new[] { (231, 0, "not running"), (151, 400, "version 1"), (220, 400, "too old"), (300, 400, "version 2") })
        {
            string? complaint = DriverCheck.Complaint(library, driver);
            Assert.IsNotNull(complaint);
            Assert.Contains(word, complaint);
            Assert.Contains("https://github.com/dokan-dev/dokany/releases", complaint);
        }

        Assert.Contains("not installed", DriverCheck.NoLibrary);
    }

    [TestMethod]
    public void TheTimeLimitStaysWithinWhatTheDriverGrants()
    {
        Assert.AreEqual(TimeSpan.FromSeconds(120), new DokanMountOptions().RequestTimeout);
        Assert.AreEqual(TimeSpan.FromSeconds(15), new DokanMountOptions { RequestTimeout = TimeSpan.Zero }.RequestTimeout);
        Assert.AreEqual(TimeSpan.FromSeconds(300), new DokanMountOptions { RequestTimeout = TimeSpan.FromHours(1) }.RequestTimeout);
    }

    [TestMethod]
    public void DokanMessagesWithBracesDoNotThrow()
    {
        var log = new ListLogger();
        var dokan = new DokanLog(log);
        dokan.Warn("{0} of {1}", "one", 2);
        dokan.Error("odd {braces} {9}", "x");
        dokan.Debug("unwanted");
        Assert.AreEqual("Dokan: one of 2 / Dokan: odd {braces} {9}", string.Join(" / ", log.Lines));
    }

    [TestMethod]
    [DataRow("win-x64", "false", false)]
    [DataRow("win-arm64", "false", false)]
    [DataRow("win-x64", "true", true)]
    [DataRow("linux-x64", "false", true)]
    public void PublishingForWindowsNeedsThePackage(string runtime, string usesPackage, bool succeeds)
    {
        string? project = FindProject();
        if (project is null)
            Assert.Inconclusive("the sources are not beside the tests");
        var start = new ProcessStartInfo("dotnet")
        {
            ArgumentList = { "msbuild", project, "-nologo", "-t:CheckDokanNetPackage", $"-p:RuntimeIdentifier={runtime}", $"-p:UseDokanNetPackage={usesPackage}" },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd() + errors.Result;
        Assert.IsTrue(process.WaitForExit(TimeSpan.FromMinutes(2)));
        Assert.AreEqual(succeeds, process.ExitCode == 0, output);
        if (!succeeds)
            Assert.Contains("H2DOKAN001: Publishing for " + runtime, output);
    }

    private static string? FindProject()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            string project = Path.Combine(folder.FullName, "Hammer2.Cli", "Hammer2.Cli.csproj");
            if (File.Exists(project))
                return project;
        }

        return null;
    }
}
