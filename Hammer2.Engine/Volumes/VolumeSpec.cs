// How people name a volume: PATH[:PATH...][@LABEL]. A drive letter's colon does not separate, nor do the colons
// and at signs of a path that exists as written, nor the at signs and slashes of a label behind volumes that exist.

using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Volumes;

/// <summary>Paths of the volumes of one filesystem, and a PFS label.</summary>
/// <param name="Paths">One path per volume; the order does not matter.</param>
/// <param name="Label">PFS label, or null when none was given.</param>
public sealed record VolumeSpec(IReadOnlyList<string> Paths, string? Label)
{
    /// <summary>Parses <c>a.img:b.img@LABEL</c>.</summary>
    /// <exception cref="Hammer2Exception"><c>InvalidArgument</c> with what is wrong.</exception>
    public static VolumeSpec Parse(string text) => Parse(text, File.Exists);

    internal static VolumeSpec Parse(string text, Func<string, bool> exists)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (exists(text))
            return new VolumeSpec([text], null);

        if (WithOddLabel(text, exists) is { } odd)
            return odd;
        string? label = null;
        string paths = text;
        int at = text.LastIndexOf('@');

        // Labels are names and names have no slashes: an at sign before one belongs to a path.
        if (at >= 0 && text.AsSpan(at).IndexOfAny('/', '\\') < 0)
        {
            label = text[(at + 1)..];
            paths = text[..at];
            if (label.Length == 0)
                throw new Hammer2Exception(Hammer2Error.InvalidArgument, $"'{text}' ends with '@'; give a PFS label after it or leave it out.");
        }

        List<string> parts = exists(paths) ? [paths] : Split(paths);
        if (parts.Count == 0 || parts.Any(string.IsNullOrEmpty))
            throw new Hammer2Exception(Hammer2Error.InvalidArgument, $"'{text}' names no volume; use IMAGE[:IMAGE...][@LABEL].");
        return new VolumeSpec(parts, label);
    }

    /// <inheritdoc/>
    public override string ToString() => string.Join(':', Paths) + (Label is null ? "" : "@" + Label);

    // Other implementations allow every byte in a label. One with an at sign or a slash is meant when only then all volumes exist.
    private static VolumeSpec? WithOddLabel(string text, Func<string, bool> exists)
    {
        VolumeSpec? found = null;
        for (int at = text.LastIndexOf('@'); at > 0; at = text.LastIndexOf('@', at - 1))
        {
            string label = text[(at + 1)..];
            string paths = text[..at];
            List<string> parts = exists(paths) ? [paths] : Split(paths);
            if (label.Length == 0 || !parts.TrueForAll(part => part.Length > 0 && exists(part)))
                continue;
            if (found is not null)
                return null;
            found = new VolumeSpec(parts, label);
        }

        return found;
    }

    private static List<string> Split(string paths)
    {
        var parts = new List<string>();
        int start = 0;
        for (int i = 0; i < paths.Length; i++)
        {
            if (paths[i] != ':' || IsDriveColon(paths, start, i))
                continue;
            parts.Add(paths[start..i]);
            start = i + 1;
        }

        parts.Add(paths[start..]);
        return parts;
    }

    // "C:\x", "C:/x", and the same behind the \\.\ and \\?\ prefixes, where also "\\.\X:" alone is a device.
    private static bool IsDriveColon(string paths, int start, int colon)
    {
        int letter = start;
        ReadOnlySpan<char> part = paths.AsSpan(start);
        bool raw = part.StartsWith(@"\\.\") || part.StartsWith(@"\\?\");
        if (raw)
            letter += 4;
        if (colon != letter + 1 || !char.IsAsciiLetter(paths[letter]))
            return false;
        bool followedBySlash = colon + 1 < paths.Length && paths[colon + 1] is '\\' or '/';
        return followedBySlash || raw;
    }
}

/// <summary>How a volume is opened.</summary>
public sealed record VolumeOptions
{
    /// <summary>Default cache budget: 256 MiB.</summary>
    public const long DefaultCacheBytes = 256L << 20;

    /// <summary>Default of <see cref="DirtyBytesMax"/>: 128 MiB.</summary>
    public const long DefaultDirtyBytes = 128L << 20;

    /// <summary>Bytes of decoded blocks to keep.</summary>
    public long CacheBytesMax { get; init; } = DefaultCacheBytes;

    /// <summary>Blocks of 64 KiB that a sequential reader is kept ahead; 0 switches read-ahead off.</summary>
    public int ReadAheadBlocksMax { get; init; } = 32;

    /// <summary>Number of the partition to open (as <c>PartitionScanner</c> counts); null = the only HAMMER2 one.</summary>
    public int? Partition { get; init; }

    /// <summary>Open for reading and writing. False opens the devices without the right to write.</summary>
    public bool Writable { get; init; }

    /// <summary>Bytes of file data that may wait in memory; writers wait, not grow, beyond it.</summary>
    public long DirtyBytesMax { get; init; } = DefaultDirtyBytes;

    /// <summary>Changes are committed at least so often; <see cref="TimeSpan.Zero"/> = only when asked, and at the dirty limit.</summary>
    public TimeSpan CommitInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Store equal blocks once while writing (format page 16).</summary>
    public bool LiveDedup { get; init; } = true;

    /// <summary>
    /// Opened by a repair: damage that ordinary writers refuse is accepted, nothing runs in the background, and the
    /// one who opened it sees to the freemap and to every commit.
    /// </summary>
    internal bool ForRepair { get; init; }

    /// <summary>Where warnings go; null = nowhere.</summary>
    public Microsoft.Extensions.Logging.ILogger? Logger { get; init; }
}
