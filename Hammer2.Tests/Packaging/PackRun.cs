// Making packages from a test, once for each system however many tests look at them, and running the programs that this needs.
// Invariants: what Pack.proj says is in the message of a failure; everything has a deadline; a program that is not installed makes a
// test inconclusive with its name. Calls installer/Pack.proj.

using System.Collections.Concurrent;
using System.Diagnostics;

namespace Hammer2.Tests.Packaging;

/// <summary>Runs programs and the packing.</summary>
internal static class PackRun
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromMinutes(12);
    private static readonly ConcurrentDictionary<string, Lazy<string>> s_packed = new();

    /// <summary>Packs with these targets, or says how that went before.</summary>
    public static void Pack(string runtime, string targets, params string[] properties) =>
        _ = s_packed.GetOrAdd($"{runtime} {targets}", _ => new Lazy<string>(() => PackNow(runtime, targets, properties))).Value;

    /// <summary>Packs in any case.</summary>
    public static string PackNow(string runtime, string targets, params string[] properties)
    {
        var environment = new Dictionary<string, string?> { ["MSBUILDDISABLENODEREUSE"] = "1", ["MSBuildSDKsPath"] = null, ["MSBUILD_EXE_PATH"] = null };
        var (code, text) = Run("dotnet", ["msbuild", "installer/Pack.proj", $"-t:{targets}", $"-p:Runtime={runtime}", "-v:minimal", "-nologo", .. properties], environment);
        Assert.AreEqual(0, code, text);
        return text;
    }

    /// <summary>The only file in artifacts/ that matches.</summary>
    public static string Artifact(string pattern) => Directory.GetFiles(Path.Combine(Repository.Root, "artifacts"), pattern).Single();

    /// <summary>Runs a program in the repository's folder.</summary>
    public static (int Code, string Text) Run(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string?>? environment = null)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = Repository.Root,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        foreach ((string name, string? value) in environment ?? new Dictionary<string, string?>())
            start.Environment[name] = value;
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> error = process.StandardError.ReadToEndAsync();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(s_deadline))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{program} does not end");
        }

        return (process.ExitCode, output.Result + error.Result);
    }

    /// <summary>Ends the test as skipped when a program is missing.</summary>
    public static void Require(params string[] programs)
    {
        string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        foreach (string program in programs)
        {
            if (!folders.Any(folder => File.Exists(Path.Combine(folder, program))))
                Assert.Inconclusive($"SKIPPED: {program} is not installed, so the package was not tried.");
        }
    }
}
