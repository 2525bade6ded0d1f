// Whether a mount may change its volume when the user did not say: image files may be changed, disks and partitions not,
// because another system may own them. Invariant: looking never changes anything, and what cannot be looked at is left to the
// opening proper, which says what is wrong. May call the engine's devices.

using System.Text;
using Hammer2.Cli.Trees;
using Hammer2.Control;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Cli.Mounting;

/// <summary>The default of a mount's access.</summary>
internal static class MountAccess
{
    private const int CurrentDirectory = -100;

    /// <summary>True if every volume is an image file of its own, neither a device nor a partition of something larger.</summary>
    public static bool AreImageFiles(VolumeSpec spec, int? partition) => spec.Paths.All(path => IsImageFile(path, partition));

    private static bool IsImageFile(string path, int? partition)
    {
        if (IsDevice(path))
            return false;
        try
        {
            using IBlockDevice device = DeviceOpener.Open(path, partition);
            return device is not PartitionWindow;
        }
        catch (Hammer2Exception)
        {
            // It is opened again at once, and then the same failure is reported.
            return true;
        }
    }

    private static bool IsDevice(string path)
    {
        if (OperatingSystem.IsWindows())
            return path.StartsWith(@"\\.\", StringComparison.Ordinal) || path.StartsWith(@"\\?\", StringComparison.Ordinal) || path.StartsWith("//./", StringComparison.Ordinal);
        byte[] name = [.. Encoding.UTF8.GetBytes(VolumeFiles.RealPath(path)), 0];
        return UnixCalls.TryStat(CurrentDirectory, name, out UnixCalls.StatxBuffer stat)
            && UnixCalls.TypeOf(stat.Mode) is ObjectType.BlockDevice or ObjectType.CharDevice;
    }
}
