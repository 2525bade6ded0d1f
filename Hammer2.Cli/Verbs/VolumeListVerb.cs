// `hammer2 volume-list`: which HAMMER2 volumes are on the given images and disks, partition tables
// included. Invariant: needs no valid filesystem: what cannot be opened is listed with its reason.
// May call the engine's devices and volumes.

using System.CommandLine;
using Hammer2.Cli.Listing;
using Hammer2.Cli.Output;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Volumes;

namespace Hammer2.Cli.Verbs;

/// <summary>Lists volumes and partitions.</summary>
internal static class VolumeListVerb
{
    public static VerbCommand Create()
    {
        Argument<string[]> images = new("IMAGE")
        {
            Description = "Image files, disks or partitions.",
            Arity = ArgumentArity.OneOrMore,
        };
        return new VerbCommand(
            "volume-list",
            "List partitions and the HAMMER2 volumes in them, with the numbers for --partition.",
            "hammer2 volume-list disk.img",
            OperatingSystem.IsWindows() ? @"hammer2 volume-list \\.\PhysicalDrive1" : "hammer2 volume-list /dev/sdb")
        {
            images,
        }.Runs((context, parsed) => List(context, parsed.GetRequiredValue(images)));
    }

    private static VerbResult List(VerbContext context, string[] images)
    {
        var failures = new FailureList();
        var found = new List<VolumeShape>();
        foreach (string path in images.SelectMany(image => OpenedImage.Spec(image).Paths))
        {
            try
            {
                using IBlockDevice device = FileBlockDevice.Open(path);
                found.AddRange(Scan(path, device, context.Partition));
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                if (images.Length == 1)
                    throw new CliException(ExitCode.CannotOpen, failure.Message, failure);
                failures.Add(Failure.OfVolume("cannot_open", failure.Message));
            }
        }

        if (found.Count == 0)
            failures.Add(
                Failure.OfVolume("not_hammer2", $"{string.Join(' ', images)}: no HAMMER2 volume and no partition table"));
        return new VerbResult(new VolumeTable(found))
        {
            Failures = failures,
            ExitCodeOfVerb = () => found.Exists(volume => volume.IsHammer2) ? ExitCode.Success : ExitCode.CannotOpen,
        };
    }

    private static IEnumerable<VolumeShape> Scan(string path, IBlockDevice device, int? only)
    {
        if (PartitionScanner.HasVolumeHeader(device, 0, device.Length) && only is null)
        {
            yield return Describe(path, null, device, "whole");
            yield break;
        }

        foreach (PartitionEntry partition in PartitionScanner.Scan(device))
        {
            if (only is not null && partition.Number != only)
                continue;
            // The window must not close the disk that the next partition is read from.
            var window = new PartitionWindow(new BorrowedDevice(device), partition.Offset, partition.Length, partition.Name);
            yield return Describe(path, partition, window, partition.Table);
        }
    }

    private static VolumeShape Describe(string path, PartitionEntry? partition, IBlockDevice device, string table)
    {
        var shape = new VolumeShape
        {
            Image = path,
            Partition = partition?.Number,
            Name = partition?.Name,
            Table = table,
            PartitionType = partition?.Type,
            Offset = partition?.Offset ?? 0,
            Size = device.Length,
            IsHammer2 = partition?.IsHammer2 ?? true,
        };
        if (!shape.IsHammer2)
            return shape;
        VolumeHeaderCopy? best = VolumeHeaderCopy.Newest(VolumeHeaderCopy.ReadAll(device));
        return best?.Header is not { } header
            ? shape with { Problem = "no header copy is valid; volhdr shows them" }
            : shape with
            {
                Fsid = header.FileSystemId,
                VolumeId = header.VolumeId,
                VolumeCount = Math.Max((byte)1, header.VolumeCount),
                Labels = header.VolumeCount > 1 ? null : Labels(device),
            };
    }

    private static List<string>? Labels(IBlockDevice device)
    {
        try
        {
            using Hammer2Volume volume = Hammer2Volume.Open([new BorrowedDevice(device)]);
            return [.. volume.ListPfs(out _).Select(pfs => pfs.Label)];
        }
        catch (IOException)
        {
            // The list says that a volume is here; opening it says what is wrong with it.
            return null;
        }
    }

    /// <summary>A device that stays open when its borrower is done.</summary>
    private sealed class BorrowedDevice(IBlockDevice device) : IBlockDevice
    {
        public string Name => device.Name;

        public long Length => device.Length;

        public int SectorSize => device.SectorSize;

        public void Read(long offset, Span<byte> buffer) => device.Read(offset, buffer);

        public void Write(long offset, ReadOnlySpan<byte> data) => device.Write(offset, data);

        public void Flush() => device.Flush();

        public void Dispose()
        {
            // Belongs to the lender.
        }
    }
}

/// <summary>All volumes found.</summary>
internal sealed record VolumeTable(IReadOnlyList<VolumeShape> Volumes) : ITextShape
{
    private static readonly string[] s_headings = ["IMAGE", ">NO", "NAME", "TABLE", ">SIZE", ">VOLUME", "FSID", "CONTENTS"];

    public void WriteText(TextOutput output)
    {
        if (Volumes.Count > 0)
            output.Table(s_headings, [.. Volumes.Select(volume => volume.Cells())]);
    }
}

/// <summary>A volume or partition.</summary>
internal sealed record VolumeShape
{
    public required string Image { get; init; }

    /// <summary>For <c>--partition</c>; absent when the volume is the whole image.</summary>
    public int? Partition { get; init; }

    public string? Name { get; init; }

    /// <summary>whole, gpt, mbr or disklabel64.</summary>
    public required string Table { get; init; }

    public string? PartitionType { get; init; }

    public required long Offset { get; init; }

    public required long Size { get; init; }

    public required bool IsHammer2 { get; init; }

    public Guid? Fsid { get; init; }

    public int? VolumeId { get; init; }

    public int? VolumeCount { get; init; }

    public IReadOnlyList<string>? Labels { get; init; }

    public string? Problem { get; init; }

    public string[] Cells() =>
    [
        Image,
        Partition is null ? "-" : $"{Partition}",
        Name ?? "-",
        Table,
        ByteSize.Show(Size),
        VolumeId is null ? "-" : $"{VolumeId + 1}/{VolumeCount}",
        Fsid is null ? "-" : $"{Fsid}",
        Problem ?? (IsHammer2 ? "HAMMER2" + (Labels is null ? "" : ": " + string.Join(", ", Labels)) : "-"),
    ];
}
