// From a path to the device that holds a volume: the whole file or disk when it carries a volume header,
// else the one partition of it that does.

using Hammer2.Engine.Devices;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Volumes;

/// <summary>Opens the device or partition behind a path.</summary>
public static class DeviceOpener
{
    /// <summary>Opens for reading, or for reading and writing with nobody else beside.</summary>
    /// <param name="path">Image, disk or partition.</param>
    /// <param name="partition">Number of the partition; null = the whole device, or its only HAMMER2 partition.</param>
    /// <param name="writable">False opens without the right to write.</param>
    /// <param name="ignoreInUse">Reads beside a writer, whose changes caches would not see; never for writing.</param>
    /// <exception cref="Hammer2Exception">
    /// <c>NotHammer2</c>, <c>InvalidArgument</c> with the partitions to choose from, <c>InUse</c> with who has it, <c>ReadOnly</c>, <c>Io</c>.
    /// </exception>
    public static IBlockDevice Open(string path, int? partition = null, bool writable = false, bool ignoreInUse = false)
    {
        IBlockDevice device = FileBlockDevice.Open(path, writable, ignoreInUse);
        try
        {
            return Select(device, path, partition);
        }
        catch
        {
            device.Dispose();
            throw;
        }
    }

    /// <summary>The device itself, or a window on one of its partitions; nothing is opened or closed.</summary>
    internal static IBlockDevice Select(IBlockDevice device, string path, int? number)
    {
        if (number is null && PartitionScanner.HasFirstVolumeHeader(device, 0, device.Length))
            return device;
        IReadOnlyList<PartitionEntry> all = PartitionScanner.Scan(device);
        if (number is int wanted)
        {
            PartitionEntry entry = all.FirstOrDefault(p => p.Number == wanted) ?? throw new Hammer2Exception(
                Hammer2Error.InvalidArgument, $"{path} has no partition {wanted}; {Describe(all)}.");
            return Window(device, path, entry);
        }

        List<PartitionEntry> hammer2 = [.. all.Where(p => p.IsHammer2)];
        return hammer2.Count switch
        {
            1 => Window(device, path, hammer2[0]),
            // The header at 0 is lost, and what has magic at 2, 4 or 6 GiB is no partition's header: then it is a copy.
            0 when PartitionScanner.HasVolumeHeader(device, 0, device.Length) => device,
            // Not partitioned either: the volume set's own message says what is wrong with the header.
            0 when all.Count == 0 => device,
            0 => throw new Hammer2Exception(Hammer2Error.NotHammer2, $"{path} has no HAMMER2 partition; {Describe(all)}."),
            _ => throw new Hammer2Exception(
                Hammer2Error.InvalidArgument, $"{path} has several HAMMER2 partitions; choose one with --partition: {Describe(hammer2)}."),
        };
    }

    private static PartitionWindow Window(IBlockDevice device, string path, PartitionEntry entry) =>
        new(device, entry.Offset, entry.Length, $"{path} ({entry.Name})");

    private static string Describe(IReadOnlyList<PartitionEntry> entries) => entries.Count == 0
        ? "it has no partition table"
        : "it has " + string.Join(", ", entries.Select(p => $"{p.Number} = {p.Name} ({p.Length >> 20} MiB{(p.IsHammer2 ? ", HAMMER2" : "")})"));
}
