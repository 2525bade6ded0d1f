// Arguments on their way into a child process: what the module writes as one line, the system's own rules (on Unix those of .NET, through a real
// process; on Windows CommandLineToArgvW) take apart into the same arguments.

using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Hammer2.Tests.PowerShell;

[TestClass]
public sealed partial class QuotingTests
{
    private const string Drawn = "ab \\\\\"\t'";

    private static readonly Func<IEnumerable<string>, string> s_quote = Assembly.LoadFrom(Path.Combine(ModuleSession.ModuleFolder, "Hammer2.PowerShell.dll"))
        .GetType("Hammer2.PowerShell.Running.CommandLine", throwOnError: true)!
        .GetMethod("Of")!.CreateDelegate<Func<IEnumerable<string>, string>>();

    [TestMethod]
    [DataRow("plain", "plain")]
    [DataRow("", "\"\"")]
    [DataRow("a b", "\"a b\"")]
    [DataRow("C:\\dir\\", "C:\\dir\\")]
    [DataRow("C:\\my dir\\", "\"C:\\my dir\\\\\"")]
    [DataRow("say \"hi\"", "\"say \\\"hi\\\"\"")]
    [DataRow("back\\\"slash", "\"back\\\\\\\"slash\"")]
    [DataRow("'single'", "'single'")]
    public void KnownForms(string argument, string expected) => Assert.AreEqual(expected, s_quote([argument]));

    [TestMethod]
    public void EveryArgumentArrivesAsItWas()
    {
        string[] hard =
        [
            "", " ", "\t", "a b", "\"", "\"\"", "\\", "\\\\", "\\\"", "\\\\\"", "a\\", "a b\\", "a b\\\\", "\"a\" b", "'", "a'b c", "$HOME", "%PATH%", "*",
            "a\nb", "ä ö", "\\\\.\\PhysicalDrive1", "C:\\Program Files\\x\\", "-x", "--", "a=\"b c\"", "^&|<>",
        ];
        var random = new Random(1);
        string[] drawn = [.. Enumerable.Range(0, 500).Select(_ => string.Concat(Enumerable.Range(0, random.Next(12)).Select(_ => Drawn[random.Next(Drawn.Length)])))];
        string[] all = [.. hard, .. drawn];
        CollectionAssert.AreEqual(all, Arrive(all));
    }

    private static string[] Arrive(string[] arguments) => OperatingSystem.IsWindows() ? ByWindows(s_quote(["program.exe", .. arguments])) : ByUnix(arguments);

    private static string[] ByUnix(string[] arguments)
    {
        var start = new ProcessStartInfo("/bin/sh", s_quote(["-c", "for a do printf '%s\\0' \"$a\"; done", "sh", .. arguments])) { RedirectStandardOutput = true };
        using Process shell = Process.Start(start)!;
        string[] arrived = shell.StandardOutput.ReadToEnd().Split('\0');
        shell.WaitForExit();
        return arrived[..^1];
    }

    private static string[] ByWindows(string line)
    {
        IntPtr arguments = CommandLineToArgv(line, out int count);
        try
        {
            return [.. Enumerable.Range(1, count - 1).Select(at => Marshal.PtrToStringUni(Marshal.ReadIntPtr(arguments, at * IntPtr.Size))!)];
        }
        finally
        {
            Marshal.FreeHGlobal(arguments);
        }
    }

    [LibraryImport("shell32", EntryPoint = "CommandLineToArgvW", StringMarshalling = StringMarshalling.Utf16, SetLastError = true)]
    private static partial IntPtr CommandLineToArgv(string line, out int count);
}
