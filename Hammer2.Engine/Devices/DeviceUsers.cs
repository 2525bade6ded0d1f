// Who has a file or device: the holder of its lock, and where the system has mounted it. Only for messages and
// refusals on Linux; everything is read from the proc filesystem, and what cannot be found out is left out.

using System.Globalization;
using System.Runtime.Versioning;

namespace Hammer2.Engine.Devices;

/// <summary>Finds out who uses a file or block device.</summary>
[SupportedOSPlatform("linux")]
internal static class DeviceUsers
{
    private const string LocksFile = "/proc/locks";
    private const string MountsFile = "/proc/self/mounts";
    private const string BlockDevices = "/sys/block";

    /// <summary>"process 1234 (hammer2)", "this process", or "another process" when it cannot be found out.</summary>
    internal static string DescribeHolder(FileIdentity file)
    {
        int? holder = FindHolder(ReadLines(LocksFile), file);
        if (holder is not { } id)
            return "another process";
        if (id == Environment.ProcessId)
            return "this process";
        string name = string.Join("", ReadLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/comm")));
        return name.Length == 0 ? $"process {id}" : $"process {id} ({name})";
    }

    /// <summary>Process id of the first lock on the file in lines of /proc/locks.</summary>
    internal static int? FindHolder(IEnumerable<string> locks, FileIdentity file)
    {
        int? byInode = null;
        foreach (string line in locks)
        {
            // 3: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF; waiters have "->" after the number.
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length < 6 || words[1] != "FLOCK" || words[5].Split(':') is not [var major, var minor, var inode])
                continue;
            if (!int.TryParse(words[4], CultureInfo.InvariantCulture, out int id) || id <= 0 || inode != file.Inode.ToString(CultureInfo.InvariantCulture))
                continue;
            if (Hex(major) == file.FsMajor && Hex(minor) == file.FsMinor)
                return id;

            // Some filesystems (btrfs, overlays) show another device number here than stat does.
            byInode ??= id;
        }

        return byInode;
    }

    /// <summary>Where the block device is mounted, or null.</summary>
    /// <param name="device">The device.</param>
    /// <param name="onlyWritable">Leaves out mounts that are read-only.</param>
    internal static string? FindMountPoint(FileIdentity device, bool onlyWritable) =>
        FindMountPoint(ReadLines(MountsFile), device, onlyWritable, LinuxFile.Identify);

    internal static string? FindMountPoint(IEnumerable<string> mounts, FileIdentity device, bool onlyWritable, Func<string, FileIdentity> identify)
    {
        foreach (string line in mounts)
        {
            if (line.Split(' ') is not [var source, var target, _, var options, ..] || !source.StartsWith("/dev/", StringComparison.Ordinal))
                continue;
            if (onlyWritable && options.Split(',').Contains("ro"))
                continue;
            FileIdentity mounted = identify(Unescape(source));
            if (mounted.Kind == FileKind.BlockDevice && mounted.Major == device.Major && mounted.Minor == device.Minor)
                return Unescape(target);
        }

        return null;
    }

    /// <summary>The loop device that shows the file, such as /dev/loop0, or null.</summary>
    internal static string? FindLoopDevice(FileIdentity file)
    {
        if (!Directory.Exists(BlockDevices))
            return null;
        foreach (string device in Directory.EnumerateDirectories(BlockDevices, "loop*"))
        {
            string[] backing = ReadLines(Path.Combine(device, "loop", "backing_file"));
            if (backing.Length == 1 && LinuxFile.Identify(backing[0]) == file)
                return "/dev/" + Path.GetFileName(device);
        }

        return null;
    }

    // The mount table writes blanks and backslashes as three octal digits.
    private static string Unescape(string text) =>
        text.Replace("\\040", " ", StringComparison.Ordinal).Replace("\\011", "\t", StringComparison.Ordinal)
            .Replace("\\012", "\n", StringComparison.Ordinal).Replace("\\134", "\\", StringComparison.Ordinal);

    private static uint? Hex(string text) =>
        uint.TryParse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture, out uint value) ? value : null;

    private static string[] ReadLines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A process that is gone by now, or a system that keeps this to itself: then it is not known.
            return [];
        }
    }
}
