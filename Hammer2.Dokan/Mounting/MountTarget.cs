// Where to mount, as the user spells it: a drive letter, "*" for the next free one, or an empty folder.
// Invariant: pure text, tested on every system; nothing is looked up here. Calls nothing.

using Hammer2.Engine.Primitives;

namespace Hammer2.Dokan.Mounting;

/// <summary>Spellings of mount points.</summary>
internal static class MountTarget
{
    /// <summary>Stands for the next free drive letter.</summary>
    internal const string NextFree = "*";

    /// <summary>First letter that is handed out: A and B belong to floppy drives, C to Windows.</summary>
    private const char FirstLetter = 'D';

    /// <summary>The mount point as the driver wants it: <c>M:\</c>, or the path of a folder without a
    /// trailing backslash.</summary>
    /// <param name="target">What the user said.</param>
    /// <param name="usedDrives">Roots in use, such as <c>C:\</c>.</param>
    internal static string Normalize(string target, IEnumerable<string> usedDrives)
    {
        string text = target.Trim();
        if (text == NextFree)
            return NextFreeDrive(usedDrives);
        if (IsDrive(text))
        {
            string root = $"{char.ToUpperInvariant(text[0])}:\\";
            if (usedDrives.Contains(root, StringComparer.OrdinalIgnoreCase))
            {
                throw new Hammer2Exception(
                    Hammer2Error.InvalidArgument,
                    $"Drive {root} is in use; choose another letter, or * for the next free one.");
            }

            return root;
        }

        return Spelled(text);
    }

    /// <summary>A mount point that exists already, spelled as the driver knows it.</summary>
    internal static string Spelled(string target)
    {
        string text = target.Trim();
        if (IsDrive(text))
            return $"{char.ToUpperInvariant(text[0])}:\\";
        if (text.Length < 4 || !char.IsAsciiLetter(text[0]) || text[1] != ':' || text[2] is not ('\\' or '/'))
        {
            throw new Hammer2Exception(
                Hammer2Error.InvalidArgument,
                $"'{target}' is no mount point: give a drive letter (M:), * for the next free one, or the full path of an " +
                "empty folder.");
        }

        return text.Replace('/', '\\').TrimEnd('\\');
    }

    /// <summary>Is it a drive letter, as <c>M</c>, <c>M:</c> or <c>M:\</c>?</summary>
    internal static bool IsDrive(string text) =>
        text.Length is >= 1 and <= 3 && char.IsAsciiLetter(text[0])
        && (text.Length < 2 || text[1] == ':')
        && (text.Length < 3 || text[2] is '\\' or '/');

    private static string NextFreeDrive(IEnumerable<string> usedDrives)
    {
        HashSet<char> used = [.. usedDrives.Where(root => root.Length > 0).Select(root => char.ToUpperInvariant(root[0]))];
        for (char letter = FirstLetter; letter <= 'Z'; letter++)
        {
            if (!used.Contains(letter))
                return $"{letter}:\\";
        }

        throw new Hammer2Exception(Hammer2Error.InvalidArgument, "No drive letter is free; mount into an empty folder instead.");
    }
}
