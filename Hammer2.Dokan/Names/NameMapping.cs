// Names of the medium (bytes, normally UTF-8, 1 to 255 of them) and names that Windows sees (UTF-16), both ways.
// Invariants: medium to Windows is total and one-to-one, and ToMedium(ToWindows(bytes)) gives the same bytes; a shown name
// is at most as many units as the medium name has bytes. What Windows does not allow is moved to U+F000 + byte, the
// private area that Interix, Cygwin, WinFsp and WSL use as well (dokan-semantics F.3). Calls nothing.

using System.Buffers;
using System.Text;

namespace Hammer2.Dokan.Names;

/// <summary>The reversible mapping of file names.</summary>
internal static class NameMapping
{
    /// <summary>Longest name on the medium in bytes, and longest component in Windows in UTF-16 units.</summary>
    internal const int NameLengthMax = 255;

    private const char PrivateFirst = '\uF000';
    private const char PrivateLast = '\uF0FF';

    private static readonly SearchValues<char> IllegalRaw = SearchValues.Create(
        "\"*:<>?|/\\\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\u0008\u0009\u000A\u000B\u000C\u000D\u000E\u000F" +
        "\u0010\u0011\u0012\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001A\u001B\u001C\u001D\u001E\u001F");

    private static readonly SearchValues<byte> PlainBytes = SearchValues.Create(
        [.. Enumerable.Range(0, 0x80).Where(static unit => !IllegalRaw.Contains((char)unit)).Select(static unit => (byte)unit)]);

    /// <summary>Shows a medium name. The buffer holds at least as many units as the name has bytes.</summary>
    /// <returns>Number of UTF-16 units written.</returns>
    internal static int ToWindows(ReadOnlySpan<byte> name, Span<char> shown)
    {
        // Nearly all names are plain ASCII as a whole.
        int read = name.IndexOfAnyExcept(PlainBytes);
        if (read < 0)
            read = name.Length;
        int written = Encoding.Latin1.GetChars(name[..read], shown);
        while (read < name.Length)
        {
            OperationStatus status = Rune.DecodeFromUtf8(name[read..], out Rune rune, out int consumed);
            if (status != OperationStatus.Done || (rune.Value >= PrivateFirst && rune.Value <= PrivateLast))
            {
                for (int i = 0; i < consumed; i++)
                    shown[written++] = (char)(PrivateFirst + name[read + i]);
            }
            else if (rune.IsAscii)
            {
                var unit = (char)rune.Value;
                shown[written++] = IllegalRaw.Contains(unit) ? (char)(PrivateFirst + unit) : unit;
            }
            else
            {
                written += rune.EncodeToUtf16(shown[written..]);
            }

            read += consumed;
        }

        MoveEnds(shown[..written]);
        return written;
    }

    /// <summary>Shows a medium name as a string.</summary>
    internal static string ToWindows(ReadOnlySpan<byte> name)
    {
        if (name.Length > NameLengthMax)
        {
            var large = new char[name.Length];
            return new string(large, 0, ToWindows(name, large));
        }

        Span<char> shown = stackalloc char[NameLengthMax];
        return new string(shown[..ToWindows(name, shown)]);
    }

    /// <summary>Takes a Windows name back to the bytes of the medium. The buffer holds
    /// <see cref="NameLengthMax"/> bytes.</summary>
    /// <returns>Number of bytes, or -1 when no medium name can be meant (see <see cref="IsSyntaxValid"/>).</returns>
    internal static int ToMedium(ReadOnlySpan<char> shown, Span<byte> name)
    {
        if (!IsSyntaxValid(shown))
            return -1;
        int written = 0;
        int read = 0;
        while (read < shown.Length)
        {
            char unit = shown[read];
            if (unit >= PrivateFirst && unit <= PrivateLast)
            {
                // A slash or a zero byte cannot stand in a name of the medium, however it is spelled.
                byte value = (byte)(unit - PrivateFirst);
                if (value is 0 or (byte)'/' || written >= NameLengthMax)
                    return -1;
                name[written++] = value;
                read++;
                continue;
            }

            if (Rune.DecodeFromUtf16(shown[read..], out Rune rune, out int consumed) != OperationStatus.Done
                || written + rune.Utf8SequenceLength > NameLengthMax)
            {
                return -1;
            }

            written += rune.EncodeToUtf8(name[written..]);
            read += consumed;
        }

        // Spelled through the private area these two would get past the check of the raw text.
        return name[..written] is [(byte)'.'] or [(byte)'.', (byte)'.'] ? -1 : written;
    }

    /// <summary>The spelling under which the object that a caller means would be shown: decoded and mapped again.</summary>
    /// <returns>Number of units written, or -1 when the name is not valid.</returns>
    internal static int Canonical(ReadOnlySpan<char> given, Span<char> shown)
    {
        Span<byte> name = stackalloc byte[NameLengthMax];
        int length = ToMedium(given, name);
        return length < 0 ? -1 : ToWindows(name[..length], shown);
    }

    /// <summary>Could this text be a component at all? No raw illegal character, 1 to 255 units, not a dot name.</summary>
    internal static bool IsSyntaxValid(ReadOnlySpan<char> component) =>
        component.Length is > 0 and <= NameLengthMax
        && component is not ['.'] and not ['.', '.']
        && component.IndexOfAny(IllegalRaw) < 0;

    /// <summary>Moves a trailing dot or space, and the first letter of a reserved device name, to the private area.</summary>
    private static void MoveEnds(Span<char> shown)
    {
        if (shown.IsEmpty)
            return;
        ref char last = ref shown[^1];
        if (last is '.' or ' ')
            last += PrivateFirst;
        if (IsReserved(shown))
            shown[0] += PrivateFirst;
    }

    /// <summary>Is this a device name to Win32, with or without an extension?</summary>
    internal static bool IsReserved(ReadOnlySpan<char> shown)
    {
        int dot = shown.IndexOf('.');
        ReadOnlySpan<char> stem = (dot < 0 ? shown : shown[..dot]).TrimEnd(' ');
        return stem.Length switch
        {
            3 => Is(stem, "CON") || Is(stem, "PRN") || Is(stem, "AUX") || Is(stem, "NUL"),
            4 => (Is(stem[..3], "COM") || Is(stem[..3], "LPT"))
                && (char.IsAsciiDigit(stem[3]) || stem[3] is '\u00B9' or '\u00B2' or '\u00B3'),
            6 => Is(stem, "CONIN$"),
            7 => Is(stem, "CONOUT$"),
            _ => false,
        };
    }

    private static bool Is(ReadOnlySpan<char> text, ReadOnlySpan<char> upper)
    {
        for (int i = 0; i < upper.Length; i++)
        {
            char unit = text[i];
            if (char.IsAsciiLetterLower(unit))
                unit = (char)(unit - 0x20);
            if (unit != upper[i])
                return false;
        }

        return true;
    }
}
