// The long form of the conformance test: pjdfstest itself, when a built copy is there (its program `pjdfstest` beside its folder
// `tests`). HAMMER2_PJDFSTEST names the folder; it takes some minutes and needs prove. What may fail is listed with its reason.
// Layers: the hammer2 command as a process, under a real kernel.

using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Hammer2.Tests.Kernel;

[TestClass]
public sealed partial class PjdfstestTests : ProgramTestBase
{
    private const string Variable = "HAMMER2_PJDFSTEST";

    // Directories have one link on the medium, whatever subdirectories they have, as on btrfs; POSIX leaves it open.
    private static readonly string[] s_expected = ["rename/24.t: 4-5, 8-9"];

    [TestMethod]
    public void Pjdfstest_fails_nowhere_but_where_the_format_differs()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } folder)
        {
            Assert.Inconclusive($"SKIPPED: {Variable} names no built copy of pjdfstest; the short form ran instead.");
            return;
        }

        MountFor("2G", "prove");
        // Its scripts take a working directory without spaces. And the run takes longer than a program of the other tests may.
        const string Line = """
            link="$(mktemp -d)" && ln -s "$2" "$link/mount" && cd "$link/mount" && prove -r "$1/tests" 2>&1
            cd / && rm -r "$link"
            """;
        var start = new ProcessStartInfo("sh", ["-c", Line, "sh", Path.GetFullPath(folder), Target]) { RedirectStandardOutput = true };
        using var run = Process.Start(start)!;
        var reading = run.StandardOutput.ReadToEndAsync();
        Assert.IsTrue(run.WaitForExit(TimeSpan.FromMinutes(30)), "pjdfstest hangs");
        var output = reading.Result;
        TestContext.WriteLine(output);
        string[] failed = [.. FailedTests().Matches(output).Select(match => $"{match.Groups[1].Value}: {match.Groups[2].Value.Trim()}")];
        CollectionAssert.AreEquivalent(s_expected, failed, output);
        Image.Unmount();
    }

    [GeneratedRegex(@"tests/(\S+)\s+\(Wstat:[^\n]*\n\s+Failed tests?:\s+([^\n]+)")]
    private static partial Regex FailedTests();
}
