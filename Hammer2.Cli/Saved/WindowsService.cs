// The entry of `hammer2 service` with Windows, as sc.exe tells it: for the verb and for the doctor. Invariant: asking changes
// nothing. Calls sc.exe.

using System.Diagnostics;

namespace Hammer2.Cli.Saved;

/// <summary>The service manager's word.</summary>
internal static class WindowsService
{
    /// <summary>Name of the service.</summary>
    public const string Name = "Hammer2";

    /// <summary>Its state; null when it is not installed.</summary>
    public static string? State()
    {
        var (code, text) = Ask("query", Name);
        return code == 0 ? StateIn(text) : null;
    }

    /// <summary>The state in what <c>sc query</c> printed.</summary>
    internal static string StateIn(string text)
    {
        // "        STATE              : 4  RUNNING"; the number is the same in every language.
        string? line = text.Split('\n').Select(static line => line.Trim()).FirstOrDefault(static line => line.Contains(": ", StringComparison.Ordinal)
            && line.Split(':')[1].Trim() is [>= '1' and <= '7', ' ', ' ', ..]);
        return line?.Split(':')[1].Trim()[0] switch
        {
            '1' => "stopped",
            '2' => "starting",
            '3' => "stopping",
            '4' => "running",
            _ => "unknown",
        };
    }

    /// <summary>Runs sc.exe.</summary>
    public static (int Code, string Text) Ask(params string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(Environment.SystemDirectory, "sc.exe"), arguments)
        {
            RedirectStandardOutput = true,
            UseShellExecute = false,
            CreateNoWindow = true,
        };
        using Process process = Process.Start(start) ?? throw new IOException("sc.exe could not be started");
        string text = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, text);
    }
}
