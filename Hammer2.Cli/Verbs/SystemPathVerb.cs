// `hammer2 system-path`: puts a folder on the system PATH of Windows, or takes it off. The installer calls it, because its own
// strings are too short for a PATH. Invariants: the value keeps its registry type, and references such as %SystemRoot% stay
// unexpanded; nothing is written when nothing changes. Calls the registry.

using System.CommandLine;
using System.Runtime.Versioning;
using System.Security;
using Hammer2.Cli.Output;
using Microsoft.Win32;

namespace Hammer2.Cli.Verbs;

/// <summary>Changes the system PATH.</summary>
internal static class SystemPathVerb
{
    private const string EnvironmentKey = @"SYSTEM\CurrentControlSet\Control\Session Manager\Environment";

    public static VerbCommand Create()
    {
        var action = new Argument<string>("add|remove") { Description = "What to do." };
        action.AcceptOnlyFromAmong("add", "remove");
        var folder = new Argument<string>("FOLDER")
        {
            Description = "The folder; default is where this program is.",
            DefaultValueFactory = _ => AppContext.BaseDirectory.TrimEnd('\\'),
        };
        return new VerbCommand(
            "system-path",
            "Put the program on the system PATH of Windows, or take it off (the installer does it).",
            "hammer2 system-path add",
            @"hammer2 system-path remove C:\Tools\Hammer2")
        {
            action, folder,
        }.Runs((_, parsed) =>
        {
            if (!OperatingSystem.IsWindows())
                throw CliException.Usage("system-path changes a setting of Windows; elsewhere make a link in a folder of the PATH");
            return Change(parsed.GetRequiredValue(action) == "add", Path.GetFullPath(parsed.GetRequiredValue(folder)));
        });
    }

    [SupportedOSPlatform("windows")]
    private static VerbResult Change(bool add, string folder)
    {
        if (folder.Contains(';', StringComparison.Ordinal))
            throw CliException.Usage($"'{folder}' cannot be on a PATH: it has a semicolon");
        try
        {
            using RegistryKey key = Registry.LocalMachine.CreateSubKey(EnvironmentKey, writable: true);
            string before = key.GetValue("Path", "", RegistryValueOptions.DoNotExpandEnvironmentNames) as string ?? "";
            string after = add ? PathList.Add(before, folder) : PathList.Remove(before, folder);
            if (after != before)
                key.SetValue("Path", after, key.GetValueNames().Contains("Path", StringComparer.OrdinalIgnoreCase) ? key.GetValueKind("Path") : RegistryValueKind.ExpandString);
            return VerbResult.Of(new SystemPathShape(folder, after != before));
        }
        catch (Exception failure) when (failure is UnauthorizedAccessException or SecurityException)
        {
            throw new CliException(ExitCode.Partial, "the system PATH can be changed by administrators only", failure);
        }
    }
}

/// <summary>What became of the PATH.</summary>
internal sealed record SystemPathShape(string Folder, bool Changed) : ITextShape
{
    public void WriteText(TextOutput output)
    {
        // Silence is success.
    }
}
