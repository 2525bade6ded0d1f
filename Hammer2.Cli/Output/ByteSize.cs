// Sizes as people type and read them: 1K = 1024 bytes. Pure functions.
// Invariant: what cannot be a size (negative, no number, beyond 2^63) is refused, never cut.
// Calls nothing.

using System.Globalization;

namespace Hammer2.Cli.Output;

/// <summary>Parsing and printing of byte counts.</summary>
internal static class ByteSize
{
    private const string Units = "BKMGTPE";

    /// <summary>Reads <c>4096</c>, <c>64K</c>, <c>1.5G</c>, <c>256MiB</c>; false when it is none of them.</summary>
    public static bool TryParse(string text, out long bytes)
    {
        bytes = 0;
        ReadOnlySpan<char> number = text.AsSpan().Trim();
        if (number.EndsWith("iB", StringComparison.OrdinalIgnoreCase) && number.Length > 2)
            number = number[..^2];
        else if (number.EndsWith("B", StringComparison.OrdinalIgnoreCase) && number.Length > 1)
            number = number[..^1];
        if (number.IsEmpty)
            return false;
        int unit = Units.IndexOf(char.ToUpperInvariant(number[^1]), StringComparison.Ordinal);
        if (unit > 0)
            number = number[..^1];
        double factor = Math.Pow(1024, Math.Max(unit, 0));
        if (!decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal value))
            return false;
        if ((double)value * factor > long.MaxValue)
            return false;
        bytes = (long)(value * (decimal)factor);
        return true;
    }

    /// <summary><c>512B</c>, <c>1.5K</c>, <c>12M</c>: three digits at most, as <c>ls -h</c> and <c>du -h</c> show.</summary>
    public static string Show(long bytes)
    {
        double value = bytes;
        int unit = 0;
        while (Math.Abs(value) >= 1023.5 && unit < Units.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        string format = unit == 0 || value >= 9.95 ? "0" : "0.0";
        return value.ToString(format, CultureInfo.InvariantCulture) + Units[unit];
    }
}
