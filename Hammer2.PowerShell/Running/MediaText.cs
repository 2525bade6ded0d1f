// Names of the volume as the program takes and prints them in text: \xNN for a byte that is not UTF-8 or that would drive the terminal, \\ for
// a backslash, everything else itself. JSON has plain strings, or the bytes in hexadecimal. Invariant: what is shown here can be given to the
// program as a PATH again. Calls nothing.

using System.Globalization;
using System.Text;

namespace Hammer2.PowerShell.Running;

/// <summary>From JSON's spelling of names to that of arguments.</summary>
internal static class MediaText
{
    /// <summary>A name that is text.</summary>
    public static string Show(string name)
    {
        var shown = new StringBuilder(name.Length);
        foreach (char one in name)
        {
            if (one == '\\')
                shown.Append(@"\\");
            else if (MustEscape(one))
                AppendBytes(shown, Encoding.UTF8.GetBytes(one.ToString()));
            else
                shown.Append(one);
        }

        return shown.ToString();
    }

    /// <summary>A name whose bytes are not UTF-8: ASCII as it is, every other byte escaped.</summary>
    public static string ShowHex(string hex)
    {
        var shown = new StringBuilder(hex.Length);
        for (int at = 0; at + 1 < hex.Length; at += 2)
        {
            byte one = byte.Parse(hex.Substring(at, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            if (one == (byte)'\\')
                shown.Append(@"\\");
            else if (one is >= 0x20 and < 0x7F)
                shown.Append((char)one);
            else
                AppendBytes(shown, [one]);
        }

        return shown.ToString();
    }

    private static void AppendBytes(StringBuilder shown, byte[] bytes)
    {
        foreach (byte one in bytes)
            shown.Append(@"\x").Append(one.ToString("x2", CultureInfo.InvariantCulture));
    }

    // Control characters, and the invisible ones that reorder or hide what follows them.
    private static bool MustEscape(char one) =>
        char.IsControl(one) || one is (>= '\u202A' and <= '\u202E') or (>= '\u2066' and <= '\u2069') or '\u2028' or '\u2029';
}
