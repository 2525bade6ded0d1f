// Proves that lines of the kernel's mount table are understood, with escapes, missing and unknown optional fields.
// Layers: Fuse.MountInfo.

using Hammer2.Fuse;

namespace Hammer2.Tests.Fuse;

[TestClass]
public sealed class MountInfoTests
{
    [TestMethod]
    public void A_hammer2_mount_is_decoded()
    {
        const string Line = @"812 29 0:61 / /mnt/a\040b\134c\011d ro,nosuid,nodev,relatime shared:5 - fuse.hammer2 /img/x\040y.img ro,user_id=0";
        Assert.IsTrue(MountInfo.TryParse(Line, out var mount));
        Assert.AreEqual("/img/x y.img", mount.Source);
        Assert.AreEqual("/mnt/a b\\c\td", mount.Target);
        Assert.AreEqual("fuse.hammer2", mount.FsType);
        Assert.IsTrue(mount.ReadOnly);
        Assert.AreEqual("ro,nosuid,nodev,relatime,ro,user_id=0", mount.Options);
        Assert.AreEqual("0:61", mount.Device);
        Assert.AreEqual(61, mount.DeviceMinor);
    }

    [TestMethod]
    public void Optional_fields_may_be_missing_or_many()
    {
        Assert.IsTrue(MountInfo.TryParse("1 2 8:1 / / rw - ext4 /dev/sda1 rw", out var none));
        Assert.AreEqual("ext4", none.FsType);
        Assert.IsFalse(none.ReadOnly);
        Assert.IsTrue(MountInfo.TryParse("1 2 8:1 / /x rw shared:1 master:2 propagate_from:3 unbindable - ext4 none rw", out var many));
        Assert.AreEqual("/x", many.Target);
    }

    [TestMethod]
    public void A_dash_as_mount_point_is_not_the_separator()
    {
        Assert.IsTrue(MountInfo.TryParse("1 2 8:1 / - rw - ext4 - rw", out var mount));
        Assert.AreEqual("-", mount.Target);
        Assert.AreEqual("-", mount.Source);
    }

    [TestMethod]
    public void Nonsense_is_left_out()
    {
        foreach (var line in (string[])["", "1 2 3", "1 2 8:1 / /x rw", "1 2 8:1 / /x rw -", "1 2 8:1 / /x rw - ext4 src"])
            Assert.IsFalse(MountInfo.TryParse(line, out _), line);
    }

    [TestMethod]
    public void Escapes_stand_for_bytes_of_utf8()
    {
        Assert.AreEqual("ä x", MountInfo.Unescape(@"\303\244\040x"));
        Assert.AreEqual("ä\\ 𝄞", MountInfo.Unescape(@"ä\134\040𝄞"));
        Assert.AreEqual(@"\04", MountInfo.Unescape(@"\04"));
        Assert.AreEqual(@"a\9", MountInfo.Unescape(@"a\9"));
        Assert.AreEqual(@"\400", MountInfo.Unescape(@"\400"));
    }
}
