// Methods as people write them for directories and files (format page 14: setcomp, setcheck). Text only; what is legal on the
// medium is wider, since other systems store levels that mean the default.

using System.Globalization;

namespace Hammer2.Engine.Format;

/// <summary>Reads the names of methods.</summary>
public static class MethodSettings
{
    /// <summary>Lowest level of zlib that can be asked for.</summary>
    public const int ZlibLevelMin = 6;

    /// <summary>Highest level of zlib.</summary>
    public const int ZlibLevelMax = 9;

    /// <summary>True when this level goes with this method; 0 is the default.</summary>
    public static bool IsLegal(CompressionMethod method, int level) =>
        method <= CompressionMethod.Zlib && (level == 0 || method == CompressionMethod.Zlib && level is >= ZlibLevelMin and <= ZlibLevelMax);

    /// <summary>Reads <c>none</c>, <c>autozero</c>, <c>lz4</c>, <c>zlib</c>, <c>zlib:6</c> to <c>zlib:9</c>, <c>default</c> (lz4), <c>disabled</c> (autozero), or a number.</summary>
    public static bool TryParseCompression(string text, out CompressionMethod method, out int level)
    {
        ArgumentNullException.ThrowIfNull(text);
        (method, level) = (default, 0);
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        string name = colon < 0 ? text : text[..colon];
        if (colon >= 0 && (!int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out level) || level == 0))
            return false;
        CompressionMethod? found = name.ToLowerInvariant() switch
        {
            "none" => CompressionMethod.None,
            "autozero" or "disabled" => CompressionMethod.AutoZero,
            "lz4" or "default" => CompressionMethod.Lz4,
            "zlib" => CompressionMethod.Zlib,
            _ => byte.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out byte number) ? (CompressionMethod)number : null,
        };
        method = found ?? default;
        return found is not null && IsLegal(method, level);
    }

    /// <summary>Reads <c>none</c>, <c>disabled</c>, <c>crc32</c> (also <c>iscsi32</c>), <c>xxhash64</c>, <c>sha192</c>, <c>default</c> (xxhash64).</summary>
    public static bool TryParseCheck(string text, out CheckMethod method)
    {
        ArgumentNullException.ThrowIfNull(text);
        CheckMethod? found = text.ToLowerInvariant() switch
        {
            "none" => CheckMethod.None,
            "disabled" => CheckMethod.Disabled,
            "crc32" or "iscsi32" => CheckMethod.Iscsi32,
            "xxhash64" or "default" => CheckMethod.XxHash64,
            "sha192" => CheckMethod.Sha192,
            _ => null,
        };
        method = found ?? default;
        return found is not null;
    }
}
