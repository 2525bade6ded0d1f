// Sizes and places of a filesystem before anything is written (format page 12.1): which part of each device is used,
// boot and auxiliary area, what remains. Everything that can be refused is refused here, with what to do instead.

using System.Text;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Volumes;

/// <summary>Where things will lie.</summary>
internal sealed record VolumeFormatPlan
{
    internal const long UsefulBytesMin = 32L << 20;
    private const long Align = FormatLimits.VolumeAlignment;
    private const long BootBytesDefault = 64L << 20;
    private const long BootBytesMax = 256L << 20;
    private const long AuxBytesDefault = 256L << 20;
    private const long AuxBytesMax = 1L << 30;

    // Boot and auxiliary area get at most a twentieth of the filesystem by default.
    private const int AreaFraction = 20;

    /// <summary>Bytes of each volume.</summary>
    internal required IReadOnlyList<long> VolumeBytes { get; init; }

    internal required long BootBytes { get; init; }

    internal required long AuxBytes { get; init; }

    /// <summary>Labels as bytes, LOCAL first.</summary>
    internal required IReadOnlyList<byte[]> Labels { get; init; }

    internal long TotalBytes => VolumeBytes.Sum();

    internal static long BootBegin => FormatLimits.ReservedBytes;

    internal long AuxBegin => BootBegin + BootBytes;

    /// <summary>Where the root inodes lie.</summary>
    internal long InodesAt => AuxBegin + AuxBytes;

    internal long UsableBytes =>
        TotalBytes - (TotalBytes + FormatLimits.ZoneBytes - 1) / FormatLimits.ZoneBytes * FormatLimits.ReservedBytes - BootBytes - AuxBytes;

    /// <summary>Computes and checks.</summary>
    /// <param name="devices">Name and length of each device.</param>
    /// <param name="options">What is wanted.</param>
    /// <exception cref="Hammer2Exception"><c>InvalidArgument</c> or <c>Unsupported</c>.</exception>
    internal static VolumeFormatPlan Make(IReadOnlyList<(string Name, long Length)> devices, VolumeFormatOptions options)
    {
        if (options.Version is not (1 or 2))
            throw new Hammer2Exception(Hammer2Error.Unsupported, $"Format version {options.Version} cannot be made; 1 and 2 can.");
        if (devices.Count is 0 or > FormatLimits.VolumesMax)
            throw Refuse($"A filesystem has 1 to {FormatLimits.VolumesMax} volumes, not {devices.Count}.");
        if (options.Version == 1 && devices.Count > 1)
            throw Refuse("A version 1 filesystem has exactly one volume; use version 2 for several.");
        CheckMethods(options);

        var volumes = new List<long>();
        long total = 0;
        for (int i = 0; i < devices.Count; i++)
        {
            long bytes = BytesOf(devices[i], options.VolumeBytes, isLast: i == devices.Count - 1, isOnly: devices.Count == 1);
            if (bytes > long.MaxValue - total)
                throw Refuse("The volumes add up to more than 2^63 bytes.");
            total += bytes;
            volumes.Add(bytes);
        }

        var plan = new VolumeFormatPlan
        {
            VolumeBytes = volumes,
            BootBytes = AreaBytes("boot", options.BootBytes, BootBytesDefault, BootBytesMax, total),
            AuxBytes = AreaBytes("auxiliary", options.AuxBytes, AuxBytesDefault, AuxBytesMax, total),
            Labels = LabelsOf(options),
        };
        if (plan.InodesAt >= FormatLimits.ZoneBytes)
            throw Refuse($"Boot area ({plan.BootBytes >> 20} MiB) and auxiliary area ({plan.AuxBytes >> 20} MiB) must lie in the first GiB; make them smaller.");
        if (plan.UsableBytes < 0 || plan.InodesAt + FormatLimits.BlockBytesMax > volumes[0])
            throw Refuse($"{devices[0].Name} is too small: {total >> 20} MiB leave nothing after reserve, boot and auxiliary area; at least 24 MiB are needed, 32 MiB to hold files.");
        return plan;
    }

    private static Hammer2Exception Refuse(string message) => new(Hammer2Error.InvalidArgument, message);

    private static long BytesOf((string Name, long Length) device, long? wanted, bool isLast, bool isOnly)
    {
        if (wanted > device.Length)
            throw Refuse($"{device.Name} has {device.Length} bytes, less than the {wanted} asked for.");
        long unit = isLast ? Align : FormatLimits.ZoneBytes;
        long bytes = (wanted ?? device.Length) / unit * unit;
        if (bytes > 0)
            return bytes;
        throw Refuse(isOnly
            ? $"{device.Name} is too small: it has {device.Length} bytes; at least 24 MiB are needed, 32 MiB to hold files."
            : isLast ? $"{device.Name} is too small: the last volume needs at least 8 MiB." : $"{device.Name} is too small: every volume but the last needs at least 1 GiB.");
    }

    private static long AreaBytes(string name, long? wanted, long usual, long max, long total)
    {
        if (wanted is { } bytes)
        {
            return bytes >= Align && bytes <= max && bytes % Align == 0
                ? bytes
                : throw Refuse($"The {name} area must have 8 MiB to {max >> 20} MiB in steps of 8 MiB, not {bytes} bytes.");
        }

        long area = usual;
        while (area > Align && area > total / AreaFraction)
            area /= 2;
        return area;
    }

    private static void CheckMethods(VolumeFormatOptions options)
    {
        if (options.Compression is { } compression && compression > CompressionMethod.Zlib)
            throw Refuse($"Compression method {MethodNames.Of(compression)} cannot be set on a directory.");
        if (options.CompressionLevel is < 0 or > 9 || options.CompressionLevel != 0 && options.Compression != CompressionMethod.Zlib)
            throw Refuse("Only zlib has levels, from 1 to 9.");
        if (options.Check > CheckMethod.Sha192)
            throw Refuse($"Check method {MethodNames.Of(options.Check)} cannot be set on a directory.");
    }

    private static List<byte[]> LabelsOf(VolumeFormatOptions options)
    {
        var labels = new List<byte[]> { Encoding.UTF8.GetBytes(VolumeFormatOptions.LocalLabel) };
        foreach (string label in options.Labels)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(label);
            if (bytes.Length is 0 or > FormatLimits.NameBytesMax)
                throw Refuse($"A label has 1 to {FormatLimits.NameBytesMax} bytes, not {bytes.Length}.");
            if (label.AsSpan().ContainsAny("/\\@\0"))
                throw Refuse($"The label '{label}' could not be named as IMAGE@LABEL; leave out slashes, backslashes, '@' and NUL.");
            if (label == VolumeFormatOptions.LocalLabel)
                throw Refuse("The PFS LOCAL is always made; give other labels only.");
            if (labels.Exists(l => l.AsSpan().SequenceEqual(bytes)))
                throw Refuse($"The label '{label}' is given twice.");
            labels.Add(bytes);
        }

        if (labels.Count > FormatLimits.BlockSetCount)
            throw Refuse($"At most {FormatLimits.BlockSetCount - 1} PFSs fit besides LOCAL while formatting, not {labels.Count - 1}; create the others afterwards.");
        return labels;
    }
}
