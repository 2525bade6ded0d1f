// Starting this program again with other arguments, and telling such a child to end. Invariant: the child is the same program,
// also when it runs as `dotnet hammer2.dll`. Calls libc on Unix.

using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Hammer2.Cli.Mounting;

/// <summary>Children that are this program.</summary>
internal static partial class SelfProcess
{
    private const int Terminate = 15;

    /// <summary>How to start it; standard output and error are redirected, input is closed by the caller.</summary>
    public static ProcessStartInfo With(IEnumerable<string> arguments)
    {
        string self = Environment.ProcessPath ?? throw new IOException("the path of this program is unknown");
        var start = new ProcessStartInfo(self)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            CreateNoWindow = true,
        };
        // Run as `dotnet hammer2.dll`: the program is the first argument.
        if (Path.GetFileNameWithoutExtension(self).Equals("dotnet", StringComparison.OrdinalIgnoreCase))
            start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "hammer2.dll"));
        foreach (string argument in arguments)
            start.ArgumentList.Add(argument);
        return start;
    }

    /// <summary>Asks a child to end, where the system has a way; false where it has not.</summary>
    public static bool AskToEnd(Process child) => !OperatingSystem.IsWindows() && Kill(child.Id, Terminate) == 0;

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);
}
