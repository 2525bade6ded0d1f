// Names on the medium are bytes; people and JSON want text. One rule each way, used everywhere.
// Text: valid UTF-8 as it is, every other byte and every control character as \xNN, a backslash as
// \\ , so that what `ls` prints can be pasted as a PATH again and a hostile name cannot drive the
// terminal. JSON: the plain string, or a second field with hex digits when it is not valid UTF-8.

using System.Buffers;
using System.Globalization;
using System.Text;

namespace Hammer2.Cli.Output;

/// <summary>Conversions between names of the medium and what is shown or typed.</summary>
internal static class MediaText
{
    private static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The name as a line of text can show it; <see cref="Parse"/> reverses it.</summary>
    public static string Show(ReadOnlySpan<byte> name)
    {
        var text = new StringBuilder(name.Length);
        while (!name.IsEmpty)
        {
            OperationStatus status = Rune.DecodeFromUtf8(name, out Rune rune, out int length);
            if (status != OperationStatus.Done || MustEscape(rune))
            {
                foreach (byte one in name[..length])
                    text.Append(CultureInfo.InvariantCulture, $"\\x{one:x2}");
            }
            else if (rune.Value == '\\')
            {
                text.Append(@"\\");
            }
            else
            {
                text.Append(rune.ToString());
            }

            name = name[length..];
        }

        return text.ToString();
    }

    /// <summary>The same for a name that is known to be text.</summary>
    public static string Show(string name) => Show(Encoding.UTF8.GetBytes(name));

    /// <summary>Reads what a user typed: <c>\xNN</c> is one byte, <c>\\</c> a backslash, anything else itself.</summary>
    public static byte[] Parse(string typed)
    {
        var bytes = new ArrayBufferWriter<byte>(typed.Length + 8);
        int at = 0;
        while (at < typed.Length)
        {
            if (typed[at] == '\\' && at + 1 < typed.Length && typed[at + 1] == '\\')
            {
                bytes.Write("\\"u8);
                at += 2;
            }
            else if (IsByteEscape(typed.AsSpan(at), out byte one))
            {
                bytes.Write([one]);
                at += 4;
            }
            else
            {
                int length = char.IsHighSurrogate(typed[at]) && at + 1 < typed.Length ? 2 : 1;
                bytes.Write(Encoding.UTF8.GetBytes(typed.Substring(at, length)));
                at += length;
            }
        }

        return bytes.WrittenSpan.ToArray();
    }

    /// <summary>The string for JSON, or null and the hex digits when the bytes are not valid UTF-8.</summary>
    public static (string? Text, string? Hex) Split(ReadOnlySpan<byte> name)
    {
        try
        {
            return (s_strict.GetString(name), null);
        }
        catch (DecoderFallbackException)
        {
            // Not text: the exact bytes are worth more than a replacement character.
            return (null, Convert.ToHexStringLower(name));
        }
    }

    private static bool IsByteEscape(ReadOnlySpan<char> rest, out byte value)
    {
        value = 0;
        return rest.Length >= 4 && rest.StartsWith(@"\x")
            && byte.TryParse(rest.Slice(2, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
    }

    // Control characters, and the invisible ones that reorder or hide what follows them.
    private static bool MustEscape(Rune rune) =>
        Rune.IsControl(rune) || rune.Value is >= 0x202A and <= 0x202E or >= 0x2066 and <= 0x2069 or 0x2028 or 0x2029;
}
