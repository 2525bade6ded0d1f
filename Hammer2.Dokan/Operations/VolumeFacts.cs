// What the volume says of itself (dokan-semantics E.3, E.4).
// Invariants: label of at most 32 UTF-16 units; serial number folded from the PFS's own UUID, stable and never zero;
// only features whose requests really work; space numbers ordered and not negative. Calls nothing.

using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using DokanNet;

namespace Hammer2.Dokan.Operations;

/// <summary>The answers to volume queries.</summary>
[SupportedOSPlatform("windows")]
internal sealed class VolumeFacts
{
    internal const uint ComponentLengthMax = 255;
    internal const int LabelLengthMax = 32;

    /// <summary>Named streams, reparse points, sparse files and hard links are left out: each would promise requests
    /// that fail.</summary>
    private const FileSystemFeatures Always =
        FileSystemFeatures.CasePreservedNames | FileSystemFeatures.UnicodeOnDisk | FileSystemFeatures.PersistentAcls;

    private const string Suffix = " (HAMMER2)";
    private readonly Lock _gate = new();
    private long _totalBytes;
    private long _freeBytes;

    internal VolumeFacts(string pfsLabel, Guid fileSystemId, DokanMountOptions options, bool isWritable)
    {
        Features = Always;
        if (!isWritable)
            Features |= FileSystemFeatures.ReadOnlyVolume;
        if (options.CaseSensitive)
            Features |= FileSystemFeatures.CaseSensitiveSearch;

        // The file system name says NTFS for the sake of programs that insist on it, so the label says the truth.
        Label = options.VolumeLabel is { } chosen
            ? Cut(chosen, LabelLengthMax)
            : Cut(pfsLabel, LabelLengthMax - Suffix.Length) + Suffix;
        FileSystemName = options.FileSystemName;
        SerialNumber = SerialOf(fileSystemId);
    }

    internal FileSystemFeatures Features { get; }

    internal string Label { get; }

    internal string FileSystemName { get; }

    internal uint SerialNumber { get; }

    /// <summary>Total and free bytes as last remembered.</summary>
    internal (long Total, long Free) Space
    {
        get
        {
            lock (_gate)
                return (_totalBytes, _freeBytes);
        }
    }

    /// <summary>Takes new numbers, put in order.</summary>
    internal void RememberSpace(long totalBytes, long freeBytes)
    {
        lock (_gate)
        {
            _totalBytes = Math.Max(0, totalBytes);
            _freeBytes = Math.Clamp(freeBytes, 0, _totalBytes);
        }
    }

    /// <summary>Folds a UUID to 32 bits, never zero: a zero would make DokanNet invent one that differs each run.</summary>
    internal static uint SerialOf(Guid id)
    {
        Span<byte> bytes = stackalloc byte[16];
        id.TryWriteBytes(bytes);
        uint serial = 0;
        foreach (uint word in MemoryMarshal.Cast<byte, uint>(bytes))
            serial ^= word;
        return serial == 0 ? 1 : serial;
    }

    private static string Cut(string text, int length)
    {
        if (text.Length <= length)
            return text;
        return text[..(char.IsHighSurrogate(text[length - 1]) ? length - 1 : length)];
    }
}
