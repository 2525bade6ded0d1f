// Where the hammer2 program is: what HAMMER2_EXE names, else the copy that was installed with the module, else the one on PATH. Invariant: a wrong
// HAMMER2_EXE is an error and never passed over, because somebody meant that program. Reads the environment and the disk only.

namespace Hammer2.PowerShell.Running;

/// <summary>How to start the program.</summary>
/// <param name="file">The file to start.</param>
/// <param name="first">Arguments before ours.</param>
internal sealed class ProgramLocation(string file, params string[] first)
{
    private const string Variable = "HAMMER2_EXE";

    /// <summary>The file to start.</summary>
    public string File { get; } = file;

    /// <summary>Arguments before ours: the assembly, when the program is run by dotnet.</summary>
    public IReadOnlyList<string> First { get; } = first;

    /// <summary>Finds the program.</summary>
    /// <exception cref="FileNotFoundException">With one sentence that says where to get it.</exception>
    public static ProgramLocation Find()
    {
        string? named = Environment.GetEnvironmentVariable(Variable);
        if (!string.IsNullOrEmpty(named))
        {
            return System.IO.File.Exists(named)
                ? Of(named!)
                : throw new FileNotFoundException($"{Variable} names '{named}', and there is no such file.", named);
        }

        string name = IsWindows ? "hammer2.exe" : "hammer2";
        return Folders().Select(folder => Path.Combine(folder, name)).FirstOrDefault(System.IO.File.Exists) is { } found
            ? Of(found)
            : throw new FileNotFoundException(
                $"The hammer2 program was not found: install Hammer2 for Windows (the module comes with it), or put {name} on PATH, "
                + $"or set {Variable} to its full path.",
                name);
    }

    /// <summary>The module runs on Windows; netstandard2.0 has no shorter question that 5.1 answers.</summary>
    public static bool IsWindows => Path.DirectorySeparatorChar == '\\';

    private static ProgramLocation Of(string path) => path.EndsWith(".dll", StringComparison.OrdinalIgnoreCase)
        ? new ProgramLocation("dotnet", path)
        : new ProgramLocation(path);

    // Installed, the module is PowerShell/Hammer2 in the program's folder. Relative entries of PATH mean another place in every folder.
    private static IEnumerable<string> Folders()
    {
        string module = Path.GetDirectoryName(typeof(ProgramLocation).Assembly.Location) ?? "";
        IEnumerable<string> path = (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split([Path.PathSeparator], StringSplitOptions.RemoveEmptyEntries)
            .Select(static entry => entry.Trim('"'));
        return new[] { module, Path.Combine(module, "..", "..") }.Concat(path).Where(IsUsable);
    }

    private static bool IsUsable(string folder)
    {
        try
        {
            return Path.IsPathRooted(folder);
        }
        catch (ArgumentException)
        {
            // .NET Framework refuses some characters that people have in their PATH.
            return false;
        }
    }
}
