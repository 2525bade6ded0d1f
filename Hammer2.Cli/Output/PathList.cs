// The value of PATH on Windows as a list: adding and removing one folder. Invariants: every other entry stays as it
// is written, in its order, also doubled and empty ones; a folder is never in the result twice on our account.
// Pure; calls nothing.

namespace Hammer2.Cli.Output;

/// <summary>Changes of a PATH value.</summary>
internal static class PathList
{
    /// <summary>With the folder at the end; unchanged if it is there already, in any case and with or without quotes or a final backslash.</summary>
    public static string Add(string path, string folder)
    {
        if (path.Split(';').Any(entry => IsSame(entry, folder)))
            return path;
        return path.Length == 0 ? folder : path.EndsWith(';') ? path + folder : path + ";" + folder;
    }

    /// <summary>Without the folder, however often it was there.</summary>
    public static string Remove(string path, string folder) =>
        string.Join(';', path.Split(';').Where(entry => !IsSame(entry, folder)));

    private static bool IsSame(string entry, string folder) =>
        Plain(entry).Equals(Plain(folder), StringComparison.OrdinalIgnoreCase);

    private static string Plain(string entry) => entry.Trim().Trim('"').TrimEnd('\\', '/');
}
