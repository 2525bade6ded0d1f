// The medium of a Windows drive as Linux shows it: mounted through the kernel, for reading, while no drive is mounted.
// Invariant: no mount and no directory is left behind. Layers: Engine and Fuse (public entries).

using Hammer2.Engine.Devices;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Volumes;
using Hammer2.Fuse;

namespace Hammer2.Tests.Dokan;

/// <summary>A look from the other side.</summary>
internal static class LinuxView
{
    /// <summary>Can this process mount?</summary>
    internal static bool IsPossible => OperatingSystem.IsLinux() && File.Exists("/dev/fuse") && Environment.IsPrivilegedProcess;

    /// <summary>Mounts a medium for reading and runs a comparison with the path of the mount.</summary>
    internal static void Run(IReadOnlyList<IBlockDevice> media, string label, Action<string> comparison)
    {
        string target = Directory.CreateTempSubdirectory("hammer2 drive ").FullName;
        try
        {
            using Hammer2Volume volume = Hammer2Volume.Open(media, DokanVolume.WritingOptions with { Writable = false });
            using PfsMount pfs = volume.OpenPfs(label);
            using FuseMount mount = FuseMount.Mount(pfs, target);
            comparison(target);
        }
        finally
        {
            Directory.Delete(target, recursive: false);
        }
    }
}
