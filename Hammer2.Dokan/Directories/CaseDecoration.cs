// The names of entries that lost a case pair: stem~h2-<inode hex>ext (dokan-semantics F.2).
// Invariants: a decorated name fits 255 UTF-16 units and 255 bytes of the medium, and is its own canonical spelling, so
// that the ordinary look-up finds it. Calls NameMapping.

using System.Globalization;
using Hammer2.Dokan.Names;

namespace Hammer2.Dokan.Directories;

/// <summary>Makes decorated names.</summary>
internal static class CaseDecoration
{
    /// <summary>Decorates a shown name. The number tells apart several names of one inode: 0 is left out.</summary>
    internal static string Decorate(string shown, ulong inodeNumber, int number)
    {
        int dot = shown.LastIndexOf('.');
        if (dot <= 0)
            dot = shown.Length;
        string mark = number == 0
            ? string.Create(CultureInfo.InvariantCulture, $"~h2-{inodeNumber:x}")
            : string.Create(CultureInfo.InvariantCulture, $"~h2-{inodeNumber:x}-{number}");
        string stem = shown[..dot];
        string extension = shown[dot..];
        Span<char> canonical = stackalloc char[NameMapping.NameLengthMax];
        while (true)
        {
            string name = stem + mark + extension;
            int length = NameMapping.Canonical(name, canonical);
            if (length > 0)
                return new string(canonical[..length]);
            if (stem.Length > 1)
                stem = Shorten(stem);
            else if (extension.Length > 1)
                extension = Shorten(extension);
            else
                return name; // Only a name with a slash or a zero byte gets here; no look-up can mean it.
        }
    }

    /// <summary>Takes the last character away, never half of one.</summary>
    private static string Shorten(string text) =>
        text[..^(text.Length > 1 && char.IsLowSurrogate(text[^1]) && char.IsHighSurrogate(text[^2]) ? 2 : 1)];
}
