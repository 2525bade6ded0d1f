// `hammer2 newfs`: makes a filesystem on new or existing files, disks and partitions. Invariants: nothing that can be
// recognised is formatted over without --force; a file that this run created is removed again when it fails.
// May call Output and the engine's devices and formatter.

using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.RegularExpressions;
using Hammer2.Cli.Copying;
using Hammer2.Cli.Output;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Cli.Verbs;

/// <summary>Formats volumes.</summary>
internal static partial class NewfsVerb
{
    private const string NoLabel = "none";

    private static readonly Argument<string[]> s_images = new("IMAGE")
    {
        Description = "Image files, disks or partitions, one for each volume; a file that does not exist is created with --size.",
        Arity = ArgumentArity.OneOrMore,
    };

    private static readonly Option<long?> s_size = Size("--size", "Bytes of each volume, such as 2G; needed for files that do not exist yet.");
    private static readonly Option<long?> s_bootSize = Size("--boot-size", "Bytes of the boot area, 8M to 256M (default 64M, less on small volumes).");
    private static readonly Option<long?> s_auxSize = Size("--aux-size", "Bytes of the auxiliary area, 8M to 1G (default 256M, less on small volumes).");

    private static readonly Option<string[]> s_labels = new("--label", "-L")
    {
        Description = "Label of a PFS to make besides LOCAL, up to three times (default DATA); 'none' for LOCAL alone.",
        HelpName = "LABEL",
        Arity = ArgumentArity.OneOrMore,
        AllowMultipleArgumentsPerToken = false,
    };

    private static readonly Option<(CompressionMethod Method, int Level)?> s_compression = new("--compression")
    {
        Description = "Compression of files: none, autozero, lz4 (default) or zlib[:LEVEL].",
        HelpName = "METHOD",
        CustomParser = ParseCompression,
    };

    private static readonly Option<CheckMethod?> s_check = new("--check")
    {
        Description = "Check codes of files: none, disabled, iscsi32, xxhash64 (default) or sha192.",
        HelpName = "METHOD",
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            for (CheckMethod method = CheckMethod.None; method <= CheckMethod.Sha192; method++)
            {
                if (MethodNames.Of(method) == text)
                    return method;
            }

            result.AddError($"--check wants none, disabled, iscsi32, xxhash64 or sha192, not '{text}'.");
            return null;
        },
    };

    private static readonly Option<uint?> s_version = new("--version")
    {
        Description = "Format version: 2 (default), or 1 for old systems (one volume only).",
        HelpName = "1|2",
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (text is "1" or "2")
                return text == "1" ? 1u : 2u;
            result.AddError($"--version wants 1 or 2, not '{text}'.");
            return null;
        },
    };

    private static readonly Option<bool> s_force = new("--force")
    {
        Description = "Format even where something is recognised that would be lost.",
    };

    private static readonly Option<string?> s_from = new("--from")
    {
        Description = "Fill the first PFS from this directory: files, holes, links, times, owners; a new image gets a fitting size.",
        HelpName = "DIR",
    };

    public static VerbCommand Create() => new VerbCommand(
        "newfs",
        "Make a filesystem on an image file, disk or partition; several make one filesystem of several volumes.",
        "hammer2 newfs disk.img --size 2G",
        "hammer2 newfs /dev/sdb1 -L HOME",
        "hammer2 newfs disk.img --from ./tree --compression lz4",
        "hammer2 newfs disk.img --partition 2 --force",
        "hammer2 newfs vol0.img vol1.img --size 4G -L DATA --compression zlib:6")
    {
        s_images, s_size, s_labels, s_compression, s_check, s_bootSize, s_auxSize, s_version, s_from, s_force,
    }.Runs(Format);

    private static VerbResult Format(VerbContext context, ParseResult parsed)
    {
        string[] paths = parsed.GetRequiredValue(s_images);
        if (paths.Any(string.IsNullOrWhiteSpace))
            throw CliException.Usage("an image has an empty name");
        if (context.Partition is not null && paths.Length > 1)
            throw CliException.Usage("--partition goes with one image only");
        VolumeFormatOptions options = Options(paths, parsed);
        string? from = parsed.GetValue(s_from);
        if (from is not null)
            CheckSource(from);
        if (from is not null && options.VolumeBytes is null && paths.Length == 1 && !File.Exists(paths[0]))
            options = options with { VolumeBytes = SizeFor(from, context.Stop) };
        var failures = new FailureList();
        var devices = new List<IBlockDevice>();
        var created = new List<string>();
        bool done = false;
        try
        {
            foreach (string path in paths)
                devices.Add(Open(path, context.Partition, options.VolumeBytes, created));
            if (!parsed.GetValue(s_force))
                RefuseContents(devices);
            VolumeFormatResult result = VolumeFormatter.Format(devices, options);
            if (!result.HasRoomForFiles)
                context.Say($"{paths[0]} is too small to hold files; use at least 32M");
            NewfsShape shape = NewfsShape.Of(paths, result);
            if (from is not null)
                shape = shape with { Copied = Fill(context, from, devices, result.Labels[^1] == VolumeFormatOptions.LocalLabel ? result.Labels[0] : result.Labels[1], paths, failures) };
            done = true;
            return new VerbResult(shape) { Failures = failures };
        }
        catch (Hammer2Exception e) when (e.Error is Hammer2Error.InvalidArgument or Hammer2Error.Unsupported)
        {
            throw new CliException(ExitCode.Usage, e.Message, e);
        }
        finally
        {
            foreach (IBlockDevice device in devices)
                device.Dispose();
            if (!done)
                created.ForEach(File.Delete);
        }
    }

    private static VolumeFormatOptions Options(string[] paths, ParseResult parsed)
    {
        string[] labels = parsed.GetValue(s_labels) is { Length: > 0 } given ? given : [DefaultLabel(paths[0])];
        if (labels.Contains(NoLabel) && labels.Length > 1)
            throw CliException.Usage("'-L none' goes with no other label");
        (CompressionMethod Method, int Level)? compression = parsed.GetValue(s_compression);
        return new VolumeFormatOptions
        {
            Labels = labels.Contains(NoLabel) ? [] : labels,
            Version = parsed.GetValue(s_version) ?? FormatLimits.VersionMax,
            Compression = compression?.Method,
            CompressionLevel = compression?.Level ?? 0,
            Check = parsed.GetValue(s_check) ?? CheckMethod.XxHash64,
            BootBytes = parsed.GetValue(s_bootSize),
            AuxBytes = parsed.GetValue(s_auxSize),
            VolumeBytes = parsed.GetValue(s_size),
        };
    }

    /// <summary>The reference's rule for BSD partitions, whose last letter says what they are for; DATA for everything else.</summary>
    internal static string DefaultLabel(string path)
    {
        if (!BsdPartition().IsMatch(path))
            return "DATA";
        return path[^1] switch
        {
            'a' => "BOOT",
            'd' => "ROOT",
            _ => "DATA",
        };
    }

    [GeneratedRegex(@"^/dev/.*[0-9][a-p]$")]
    private static partial Regex BsdPartition();

    private static IBlockDevice Open(string path, int? partition, long? size, List<string> created)
    {
        bool isDevicePath = path.StartsWith(@"\\.\", StringComparison.Ordinal)
            || (path.StartsWith("/dev/", StringComparison.Ordinal) && !path.StartsWith("/dev/shm/", StringComparison.Ordinal));
        try
        {
            if (File.Exists(path) || Directory.Exists(path) || isDevicePath)
                return partition is null ? FileBlockDevice.Open(path, writable: true) : DeviceOpener.Open(path, partition, writable: true);
            if (partition is not null)
                throw CliException.Usage($"{path} does not exist, so it has no partition {partition}");
            if (size is not { } bytes)
                throw CliException.Usage($"{path} does not exist; give its size to create it, such as --size 2G");
            IBlockDevice device = FileBlockDevice.Create(path, bytes);
            created.Add(path);
            return device;
        }
        catch (Hammer2Exception e) when (e.Error != Hammer2Error.InvalidArgument)
        {
            throw new CliException(ExitCode.CannotOpen, e.Message, e);
        }
    }

    private static void RefuseContents(List<IBlockDevice> devices)
    {
        foreach (IBlockDevice device in devices)
        {
            if (ContentScanner.Recognise(device) is { } found)
                throw CliException.Usage($"{device.Name} holds {found}, which would be lost; --force formats it nevertheless");
        }
    }

    private static (CompressionMethod Method, int Level)? ParseCompression(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        string[] parts = text.Split(':');
        for (CompressionMethod method = CompressionMethod.None; method <= CompressionMethod.Zlib; method++)
        {
            if (parts[0] != MethodNames.Of(method))
                continue;
            if (parts.Length == 1)
                return (method, 0);
            if (parts.Length == 2 && method == CompressionMethod.Zlib && parts[1].Length == 1 && parts[1][0] is >= '1' and <= '9')
                return (method, parts[1][0] - '0');
        }

        result.AddError($"--compression wants none, autozero, lz4, zlib or zlib:1 to zlib:9, not '{text}'.");
        return null;
    }

    private static Option<long?> Size(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "SIZE",
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (ByteSize.TryParse(text, out long bytes) && bytes > 0)
                return bytes;
            result.AddError($"{name} wants a size, such as 64M or 2G, not '{text}'.");
            return null;
        },
    };
}

/// <summary>One volume that was made.</summary>
internal sealed record NewVolumeShape(int Id, string Image, long Size);

/// <summary>What was made.</summary>
internal sealed record NewfsShape(
    Guid Fsid, uint Version, long TotalSize, long FreeBytes, long BootSize, long AuxSize, IReadOnlyList<string> Labels, IReadOnlyList<NewVolumeShape> Volumes)
    : ITextShape
{
    /// <summary>With --from: what was copied.</summary>
    public CopySummary? Copied { get; init; }

    public static NewfsShape Of(string[] images, VolumeFormatResult result) => new(
        result.FileSystemId,
        result.Version,
        result.TotalBytes,
        result.FreeBytes,
        result.BootBytes,
        result.AuxBytes,
        result.Labels,
        [.. images.Select((image, id) => new NewVolumeShape(id, image, result.VolumeBytes[id]))]);

    public void WriteText(TextOutput output)
    {
        foreach (NewVolumeShape volume in Volumes)
            output.Line($"volume {volume.Id}: {MediaText.Show(volume.Image)}, {ByteSize.Show(volume.Size)}");
        output.Line($"HAMMER2 version {Version}, {ByteSize.Show(TotalSize)}, {ByteSize.Show(FreeBytes)} free, boot area {ByteSize.Show(BootSize)}, auxiliary area {ByteSize.Show(AuxSize)}");
        output.Line($"fsid {Fsid}");
        output.Line("PFSs: " + string.Join(", ", Labels.Select(MediaText.Show)));
        Copied?.WriteText(output);
    }
}
