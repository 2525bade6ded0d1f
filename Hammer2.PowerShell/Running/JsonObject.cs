// What the program prints, as dictionaries and lists. Invariants: a property that is absent and one that is null are the same; a
// number is a long, or a double when it does not fit. A reader of our own, because Windows PowerShell loads one copy of a JSON
// library for all modules, and its ConvertFrom-Json refuses long texts. Calls nothing.

using System.Collections;
using System.Globalization;

namespace Hammer2.PowerShell.Running;

/// <summary>A JSON object.</summary>
internal sealed class JsonObject : Dictionary<string, object?>
{
    private static readonly DateTime s_epoch = new(1970, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    /// <summary>A string; empty when there is none.</summary>
    public string Text(string name) => TextOrNull(name) ?? "";

    /// <summary>A string, or null.</summary>
    public string? TextOrNull(string name) => TryGetValue(name, out object? value)
        ? Convert.ToString(value, CultureInfo.InvariantCulture)
        : null;

    /// <summary>A number; 0 when there is none.</summary>
    public long Number(string name) => NumberOrNull(name) ?? 0;

    /// <summary>A number, or null. What does not fit is the largest one.</summary>
    public long? NumberOrNull(string name) => TryGetValue(name, out object? value)
        ? value switch
        {
            long number => number,
            double large => large >= long.MaxValue ? long.MaxValue : (long)large,
            _ => null,
        }
        : null;

    /// <summary>True when it is there and true.</summary>
    public bool Flag(string name) => TryGetValue(name, out object? value) && value is true;

    /// <summary>An id.</summary>
    public Guid Id(string name) => Guid.TryParse(Text(name), out Guid id) ? id : Guid.Empty;

    /// <summary>A time that is given in microseconds since 1970; null when it is absent or beyond the calendar.</summary>
    public DateTime? Time(string name)
    {
        const long ticksPerMicrosecond = 10;
        if (NumberOrNull(name) is not { } us || us < (DateTime.MinValue - s_epoch).Ticks / ticksPerMicrosecond
            || us > (DateTime.MaxValue - s_epoch).Ticks / ticksPerMicrosecond)
            return null;
        return s_epoch.AddTicks(us * ticksPerMicrosecond);
    }

    /// <summary>The objects of an array, or none.</summary>
    public IEnumerable<JsonObject> Objects(string name) => Array(name).OfType<JsonObject>();

    /// <summary>The strings of an array, or none.</summary>
    public string[] Texts(string name) => [.. Array(name).OfType<string>()];

    /// <summary>A name or path that may be bytes: as the program shows it and takes it again.</summary>
    public string? MediaText(string name) => TextOrNull(name) is { } text
        ? Running.MediaText.Show(text)
        : TextOrNull(name + "_hex") is { } hex ? Running.MediaText.ShowHex(hex) : null;

    private IEnumerable<object?> Array(string name) =>
        TryGetValue(name, out object? value) && value is IEnumerable list and not string ? list.Cast<object?>() : [];
}
