// Sizes as people read them: three digits and a unit, as the program prints them. Public because the views of the objects call it.
// Calls nothing.

using System.Globalization;

namespace Hammer2.PowerShell;

/// <summary>Sizes as text.</summary>
public static class ByteText
{
    private const string Units = "BKMGTPE";

    /// <summary>512B, 1.5K, 12M; nothing for null.</summary>
    /// <param name="bytes">The size.</param>
    public static string Show(long? bytes)
    {
        if (bytes is not { } size)
            return "";
        double value = size;
        int unit = 0;
        while (Math.Abs(value) >= 1023.5 && unit < Units.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        return value.ToString(unit == 0 || value >= 9.95 ? "0" : "0.0", CultureInfo.InvariantCulture) + Units[unit];
    }
}
