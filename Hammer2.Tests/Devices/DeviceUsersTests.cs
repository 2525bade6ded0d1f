// Finding out who has a device: crafted lines of the lock table and of the mount table.
// Only text goes in, so these tests need neither locks nor mounts.

using System.Runtime.Versioning;
using Hammer2.Engine.Devices;

namespace Hammer2.Tests.Devices;

[TestClass]
[SupportedOSPlatform("linux")]
public sealed class DeviceUsersTests
{
    private static readonly FileIdentity s_file = new(FileKind.Regular, 8, 0x11, 5678, 0, 0);
    private static readonly FileIdentity s_disk = new(FileKind.BlockDevice, 0, 6, 99, 7, 3);

    [TestMethod]
    [DataRow("1: FLOCK  ADVISORY  WRITE 1234 08:11:5678 0 EOF", 1234)]
    [DataRow("1: FLOCK  ADVISORY  READ 1234 08:11:5678 0 EOF", 1234)]
    [DataRow("1: FLOCK  ADVISORY  WRITE 1234 00:2a:5678 0 EOF", 1234)]
    [DataRow("1: FLOCK  ADVISORY  WRITE 1 00:2a:5678 0 EOF\n2: FLOCK  ADVISORY  WRITE 2 08:11:5678 0 EOF", 2)]
    [DataRow("1: FLOCK  ADVISORY  WRITE 1234 08:11:567 0 EOF", null)]
    [DataRow("1: POSIX  ADVISORY  WRITE 1234 08:11:5678 0 EOF", null)]
    [DataRow("1: FLOCK  ADVISORY  WRITE -1 08:11:5678 0 EOF", null)]
    [DataRow("1: -> FLOCK  ADVISORY  WRITE 1234 08:11:5678 0 EOF", null)]
    [DataRow("rubbish", null)]
    [DataRow("", null)]
    public void HolderOfALock(string locks, int? expected) =>
        Assert.AreEqual(expected, DeviceUsers.FindHolder(locks.Split('\n'), s_file));

    [TestMethod]
    [DataRow("/dev/loop3 /mnt/a\\040b ext4 rw,relatime 0 0", false, "/mnt/a b")]
    [DataRow("/dev/loop3 /mnt ext4 ro,relatime 0 0", false, "/mnt")]
    [DataRow("/dev/loop3 /mnt ext4 ro,relatime 0 0", true, null)]
    [DataRow("/dev/loop3 /mnt ext4 rw,errors=remount-ro 0 0", true, "/mnt")]
    [DataRow("/dev/loop4 /mnt ext4 rw 0 0", false, null)]
    [DataRow("proc /proc proc rw 0 0", false, null)]
    [DataRow("rubbish", false, null)]
    public void MountPointOfADevice(string mounts, bool onlyWritable, string? expected) =>
        Assert.AreEqual(expected, DeviceUsers.FindMountPoint(
            mounts.Split('\n'), s_disk, onlyWritable, path => path == "/dev/loop3" ? s_disk : s_disk with { Minor = 4 }));
}
