// Windows security identifiers (SIDs) as text and as bytes, without any Windows class, so that they are tested everywhere.
// Invariants: bytes are revision 1, count, a big-endian authority of 6 bytes, and little-endian sub-authorities.
// Calls nothing.

using System.Buffers.Binary;
using System.Globalization;

namespace Hammer2.Dokan.Security;

/// <summary>Conversions of SIDs.</summary>
internal static class SecurityIdentifierBytes
{
    internal const string LocalSystem = "S-1-5-18";
    internal const string Administrators = "S-1-5-32-544";
    internal const string AuthenticatedUsers = "S-1-5-11";
    internal const string Everyone = "S-1-1-0";

    private const int SubAuthoritiesMax = 15;

    /// <summary>The bytes of a SID such as S-1-5-18. Throws FormatException for anything else.</summary>
    internal static byte[] Parse(string text)
    {
        string[] parts = text.Split('-');
        if (parts.Length < 4 || parts.Length > 3 + SubAuthoritiesMax || parts[0] is not ("S" or "s") || parts[1] != "1"
            || !ulong.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out ulong authority)
            || authority > 0xFFFF_FFFF_FFFF)
        {
            throw new FormatException($"'{text}' is not a security identifier: expected S-1-authority-sub-...");
        }

        int count = parts.Length - 3;
        var bytes = new byte[8 + (4 * count)];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, authority);
        bytes[0] = 1;
        bytes[1] = (byte)count;
        for (int i = 0; i < count; i++)
        {
            if (!uint.TryParse(parts[3 + i], NumberStyles.None, CultureInfo.InvariantCulture, out uint sub))
                throw new FormatException($"'{text}' is not a security identifier: part {i + 4} is not a 32-bit number");
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8 + (4 * i)), sub);
        }

        return bytes;
    }

    /// <summary>The text of the SID at the beginning of some bytes, or null when there is none.</summary>
    internal static string? ToText(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 8 || bytes[0] != 1 || bytes[1] > SubAuthoritiesMax || bytes.Length < 8 + (4 * bytes[1]))
            return null;
        ulong authority = BinaryPrimitives.ReadUInt64BigEndian(bytes) & 0xFFFF_FFFF_FFFF;
        var text = new System.Text.StringBuilder("S-1-").Append(authority);
        for (int i = 0; i < bytes[1]; i++)
            text.Append('-').Append(BinaryPrimitives.ReadUInt32LittleEndian(bytes[(8 + (4 * i))..]));
        return text.ToString();
    }

    /// <summary>The group that Windows gives an account by default: the domain's group 513 for an account of a machine or
    /// a domain, the account itself for well-known ones (whose token says the same).</summary>
    internal static string PrimaryGroupOf(string user)
    {
        if (!user.StartsWith("S-1-5-21-", StringComparison.OrdinalIgnoreCase))
            return user;
        return string.Concat(user.AsSpan(0, user.LastIndexOf('-')), "-513");
    }
}
