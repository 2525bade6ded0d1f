// What this is: a line of /proc/self/mountinfo, decoded.
// Invariants: octal escapes (space, tab, newline, backslash, hash) are undone in every text; lines that do not parse
// are left out.
// Layers: the proc filesystem only.

using System.Globalization;
using System.Text;

namespace Hammer2.Fuse;

/// <summary>A mount that this process sees.</summary>
/// <param name="Source">What is mounted, as the filesystem names it; for HAMMER2 the volume.</param>
/// <param name="Target">Absolute path of the mount point.</param>
/// <param name="FsType">Filesystem type with its subtype: <c>fuse.hammer2</c>.</param>
/// <param name="ReadOnly">True if the mount or its filesystem is read-only.</param>
/// <param name="Options">Mount options, then options of the filesystem, separated by commas.</param>
public sealed record MountInfo(string Source, string Target, string FsType, bool ReadOnly, string Options)
{
    /// <summary>Device number of the filesystem as <c>major:minor</c>.</summary>
    public string Device { get; private init; } = "";

    /// <summary>Every mount of this process's namespace, in the order they were made.</summary>
    internal static List<MountInfo> ReadAll()
    {
        var mounts = new List<MountInfo>();
        foreach (var line in File.ReadLines("/proc/self/mountinfo", Encoding.UTF8))
        {
            if (TryParse(line, out var mount))
                mounts.Add(mount);
        }

        return mounts;
    }

    /// <summary>The topmost mount on a path, or null.</summary>
    internal static MountInfo? Find(string target) => ReadAll().FindLast(mount => mount.Target == target);

    /// <summary>
    /// Parses: id, parent id, major:minor, root, mount point, mount options, optional fields, "-", type, source, super options.
    /// </summary>
    internal static bool TryParse(string line, out MountInfo mount)
    {
        mount = null!;
        var fields = line.Split(' ');
        var separator = Array.IndexOf(fields, "-", 6 < fields.Length ? 6 : 0);
        if (separator < 6 || fields.Length < separator + 4)
            return false;
        var options = fields[5];
        var superOptions = fields[separator + 3];
        mount = new MountInfo(
            Unescape(fields[separator + 2]),
            Unescape(fields[4]),
            Unescape(fields[separator + 1]),
            HasReadOnly(options) || HasReadOnly(superOptions),
            Unescape(options + "," + superOptions))
        { Device = fields[2] };
        return true;
    }

    /// <summary>
    /// Turns <c>\040</c> into a space, and so on. Escapes stand for bytes, so the text is decoded again as UTF-8.
    /// </summary>
    internal static string Unescape(string text)
    {
        if (!text.Contains('\\', StringComparison.Ordinal))
            return text;
        var bytes = new List<byte>(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\' && i + 3 < text.Length && IsOctal(text.AsSpan(i + 1, 3)))
            {
                bytes.Add((byte)((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0')));
                i += 3;
                continue;
            }

            var length = char.IsHighSurrogate(text[i]) && i + 1 < text.Length ? 2 : 1;
            bytes.AddRange(Encoding.UTF8.GetBytes(text.Substring(i, length)));
            i += length - 1;
        }

        return Encoding.UTF8.GetString(bytes.ToArray());
    }

    /// <summary>The minor device number, which names the connection in sysfs.</summary>
    internal int? DeviceMinor =>
        Device.Split(':') is [_, var minor] && int.TryParse(minor, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static bool IsOctal(ReadOnlySpan<char> digits) =>
        digits[0] is >= '0' and <= '3' && digits[1] is >= '0' and <= '7' && digits[2] is >= '0' and <= '7';

    private static bool HasReadOnly(string options) => options.Split(',').Contains("ro");
}
