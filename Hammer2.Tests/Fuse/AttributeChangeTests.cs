// Proves what programs see when attributes change: modes, owners, times, flags; and whose rights count: what the kernel checks,
// what it clears by itself, and what is left to the filesystem.
// Layers: Fuse under a real kernel, over memory and over the engine.

using Hammer2.Fuse;
using Hammer2.Fuse.Protocol;

namespace Hammer2.Tests.Fuse;

public abstract class AttributeChangeTests : ChangeTestBase
{
    private const uint PermissionMask = 0xFFF;
    private const uint Nobody = 65534;

    [TestMethod]
    public void Modes_owners_and_times_are_set_and_stay()
    {
        File.WriteAllText(Target + "/file", "x");
        Assert.AreEqual(0, Posix.SetMode(At("file"), 0xDC0));
        Assert.AreEqual(0xDC0u, Status("file").Mode & PermissionMask);
        Assert.AreEqual(0, Posix.SetOwner(At("file"), 12, 34));
        Assert.AreEqual(0, Posix.SetOwner(At("file"), uint.MaxValue, 35));
        Assert.AreEqual(0, Posix.SetTimes(At("file"), (1_000_000_001, 123_456_000), (1_500_000_002, 654_321_999)));
        Remount();
        var status = Status("file");
        Assert.AreEqual((12u, 35u), (status.Uid, status.Gid));
        Assert.AreEqual(1_000_000_001_123_456, status.AccessTimeUs);
        Assert.AreEqual(1_500_000_002_654_321, status.ModifyTimeUs);
    }

    [TestMethod]
    public void Times_can_be_now_or_stay()
    {
        File.WriteAllText(Target + "/file", "x");
        Assert.AreEqual(0, Posix.SetTimes(At("file"), (1000, 0), (2000, 0)));
        Assert.AreEqual(0, Posix.SetTimes(At("file"), (0, Posix.Omit), (3000, 0)));
        Assert.AreEqual((1_000_000_000, 3_000_000_000), (Status("file").AccessTimeUs, Status("file").ModifyTimeUs));
        var before = (DateTime.UtcNow - DateTime.UnixEpoch).Ticks / 10 - 1_000_000;
        Assert.AreEqual(0, Posix.SetTimes(At("file"), (0, Posix.Omit), (0, Posix.Now)));
        Assert.AreEqual(1_000_000_000, Status("file").AccessTimeUs);
        Assert.IsGreaterThan(before, Status("file").ModifyTimeUs);
        Assert.IsGreaterThan(before, Status("file").ChangeTimeUs);
        Assert.AreEqual(0, Posix.SetTimes(At("file"), (-2, 500_000_000), (-1, 0)));
        Remount();
        Assert.AreEqual((-1_500_000, -1_000_000), (Status("file").AccessTimeUs, Status("file").ModifyTimeUs));
    }

    [TestMethod]
    public void Changes_of_contents_and_names_change_the_times()
    {
        File.WriteAllText(Target + "/file", "x");
        long Touched(string what, Action act)
        {
            Assert.AreEqual(0, Posix.SetTimes(At("file"), (1000, 0), (1000, 0)));
            var changed = Status("file").ChangeTimeUs;
            Assert.IsTrue(Eventually(() => (DateTime.UtcNow - DateTime.UnixEpoch).Ticks / 10 > changed + 20_000));
            act();
            Assert.IsGreaterThan(changed, Status("file").ChangeTimeUs, $"{what} changes ctime");
            return Status("file").ModifyTimeUs;
        }

        Assert.IsGreaterThan(1_000_000_000, Touched("write", () => File.AppendAllText(Target + "/file", "y")));
        Assert.IsGreaterThan(1_000_000_000, Touched("truncate", () => Assert.AreEqual(0, Posix.SetSize(At("file"), 0))));
        Assert.AreEqual(1_000_000_000, Touched("chmod", () => Assert.AreEqual(0, Posix.SetMode(At("file"), 0x1A4))));
        Assert.AreEqual(1_000_000_000, Touched("chown", () => Assert.AreEqual(0, Posix.SetOwner(At("file"), 1, 1))));
        Assert.AreEqual(1_000_000_000, Touched("link", () => Assert.AreEqual(0, Posix.Link(At("file"), At("other")))));
        Assert.AreEqual(1_000_000_000, Touched("unlink", () => Assert.AreEqual(0, Posix.Unlink(At("other")))));
    }

    [TestMethod]
    public void The_umask_is_applied_once()
    {
        ShellOk("umask 027; touch file; mkdir dir; mkfifo fifo");
        Assert.AreEqual(0x1A0u, Status("file").Mode & PermissionMask);
        Assert.AreEqual(0x1E8u, Status("dir").Mode & PermissionMask);
        Assert.AreEqual(0x1A0u, Status("fifo").Mode & PermissionMask);
    }

    [TestMethod]
    public void New_objects_belong_to_their_maker_and_in_set_group_id_directories_to_its_group()
    {
        Directory.CreateDirectory(Target + "/open");
        Assert.AreEqual(0, Posix.SetMode(At("open"), 0x1FF));
        ShellOk("touch open/file && mkdir open/dir && ln -s x open/link", "nobody");
        foreach (var name in (string[])["open/file", "open/dir", "open/link"])
            Assert.AreEqual((Nobody, Nobody), (Status(name).Uid, Status(name).Gid), name);
        Assert.AreEqual(0, Posix.SetOwner(At("open"), 0, 77));
        Assert.AreEqual(0, Posix.SetMode(At("open"), 0x5FF));
        ShellOk("touch open/file2 && mkdir open/dir2 && mkfifo open/fifo2", "nobody");
        foreach (var name in (string[])["open/file2", "open/dir2", "open/fifo2"])
            Assert.AreEqual((Nobody, 77u), (Status(name).Uid, Status(name).Gid), name);
        Assert.AreEqual(0x400u, Status("open/dir2").Mode & 0x400, "a directory inherits the bit too");
        Assert.AreEqual(0u, Status("open/file2").Mode & 0x400);
    }

    [TestMethod]
    public void Set_user_id_is_cleared_when_others_write_truncate_or_chown()
    {
        Directory.CreateDirectory(Target + "/dir");
        foreach (var (line, user) in ((string, string?)[])[("printf x >> dir/file", "nobody"), ("truncate -s 1 dir/file", "nobody"),
                     ("printf x | dd of=dir/file conv=notrunc oflag=direct status=none", "nobody"), (": > dir/file", "nobody"), ("chown 5 dir/file", null)])
        {
            File.WriteAllText(Target + "/dir/file", "longer");
            Assert.AreEqual(0, Posix.SetMode(At("dir/file"), 0xDFF));
            ShellOk(line, user);
            Assert.AreEqual(0x1FFu, Status("dir/file").Mode & PermissionMask, line);
            Remount();
            Assert.AreEqual(0x1FFu, Status("dir/file").Mode & PermissionMask, line + ", remounted");
        }
    }

    [TestMethod]
    public void Permissions_are_the_kernels_and_sticky_directories_protect()
    {
        File.WriteAllText(Target + "/secret", "x");
        Assert.AreEqual(0, Posix.SetMode(At("secret"), 0x180));
        Assert.AreNotEqual(0, Shell("cat secret", "nobody").Status);
        Assert.AreNotEqual(0, Shell("touch new", "nobody").Status);
        Assert.AreNotEqual(0, Shell("chmod 777 secret", "nobody").Status);
        Directory.CreateDirectory(Target + "/tmp");
        Assert.AreEqual(0, Posix.SetMode(At("tmp"), 0x3FF));
        File.WriteAllText(Target + "/tmp/roots", "x");
        Assert.AreNotEqual(0, Shell("rm -f tmp/roots", "nobody").Status);
        Assert.AreNotEqual(0, Shell("mv tmp/roots tmp/mine", "nobody").Status);
        ShellOk("touch tmp/mine && mv tmp/mine tmp/other && rm tmp/other", "nobody");
        Assert.AreEqual(1ul, Status("tmp/roots").Size);
    }

    [TestMethod]
    public void Copies_with_all_attributes_do_not_complain()
    {
        ShellOk("mkdir a && echo x > a/f && ln -s f a/l && ln a/f a/h && mkfifo a/p && chmod 2750 a && touch -d 2001-02-03T04:05:06 a/f");
        var (status, output) = Shell("cp -a a b && mv a c && diff -r --no-dereference b/f c/f");
        Assert.AreEqual((0, ""), (status, output));
        Assert.AreEqual(Status("c/f").ModifyTimeUs, Status("b/f").ModifyTimeUs);
        Assert.AreEqual(Status("b/f").Inode, Status("b/h").Inode);
        Assert.AreEqual(-Errno.EOPNOTSUPP, Posix.SetAttribute(At("b/f"), "user.x", [1]));
        Assert.AreEqual(-Errno.EOPNOTSUPP, Posix.SetAttribute(At("b/f"), "user.x", [1]));
        Assert.IsLessThan(2, Mount.RequestsOf(FuseOpcode.SetXattr));
    }

    [TestMethod]
    public void Flags_of_chattr_are_kept()
    {
        var descriptor = OpenFile("file", Posix.Create | Posix.ReadWrite);
        Assert.AreEqual(0, Posix.GetFlags(descriptor));
        Assert.AreEqual(0, Posix.SetFlags(descriptor, 0x40));
        Assert.AreEqual(0x40, Posix.GetFlags(descriptor));
        Assert.AreEqual(0, Posix.SetFlags(descriptor, 0));
        Assert.AreEqual(0, Posix.GetFlags(descriptor));
        BytePaths.Close(descriptor);
        var directory = BytePaths.Open(TargetBytes);
        Assert.AreEqual(0, Posix.GetFlags(directory));
        BytePaths.Close(directory);
    }

    [TestMethod]
    public void The_mount_table_says_that_it_can_be_changed()
    {
        var shown = FuseMount.ListMounts().Single(m => m.Target == Target);
        Assert.IsFalse(shown.ReadOnly);
        Assert.IsTrue(shown.Options.Split(',').Contains("rw"));
        Assert.IsFalse(Mount.IsReadOnly);
    }

    [TestMethod]
    public void Free_space_is_live()
    {
        var before = BytePaths.StatFs(TargetBytes);
        File.WriteAllBytes(Target + "/file", Pattern(8 << 20, 11));
        BytePaths.Close(SyncedFile());
        var after = BytePaths.StatFs(TargetBytes);
        Assert.IsLessThan(before[2] - 100, after[2]);
    }

    private int SyncedFile()
    {
        var descriptor = OpenFile("file", Posix.ReadWrite);
        Assert.AreEqual(0, Posix.Sync(descriptor));
        return descriptor;
    }
}

[TestClass]
public sealed class MemoryAttributeChangeTests : AttributeChangeTests
{
    internal override ChangeBacking Open() => new MemoryBacking();
}

[TestClass]
public sealed class MemoryWritebackAttributeChangeTests : AttributeChangeTests
{
    internal override FuseMountOptions Options => new() { WritebackCache = true };

    internal override ChangeBacking Open() => new MemoryBacking();
}

[TestClass]
public sealed class Hammer2AttributeChangeTests : AttributeChangeTests
{
    internal override ChangeBacking Open() => new Hammer2Backing();

    [TestMethod]
    public void Immutable_files_refuse_and_append_only_files_grow()
    {
        File.WriteAllText(Target + "/file", "x");
        var descriptor = OpenFile("file", Posix.ReadOnly);
        Assert.AreEqual(0, Posix.SetFlags(descriptor, 0x10));
        Assert.AreEqual(-Errno.EPERM, BytePaths.Open(At("file"), Posix.WriteOnly));
        Assert.AreEqual(-Errno.EPERM, Posix.Unlink(At("file")));
        Assert.AreEqual(-Errno.EPERM, Posix.Rename(At("file"), At("other")));
        Assert.AreEqual(-Errno.EPERM, Posix.SetMode(At("file"), 0x180));
        Assert.AreEqual(0, Posix.SetFlags(descriptor, 0x20));
        Assert.AreEqual(-Errno.EPERM, BytePaths.Open(At("file"), Posix.WriteOnly));
        File.AppendAllText(Target + "/log-of-it", "x");
        ShellOk("printf y >> file && test $(cat file) = xy");
        Assert.AreEqual(-Errno.EPERM, Posix.SetSize(At("file"), 0));
        Assert.AreEqual(0, Posix.SetFlags(descriptor, 0));
        BytePaths.Close(descriptor);
        Assert.AreEqual(0, Posix.Unlink(At("file")));
    }
}

[TestClass]
public sealed class Hammer2WritebackAttributeChangeTests : AttributeChangeTests
{
    internal override FuseMountOptions Options => new() { WritebackCache = true };

    internal override ChangeBacking Open() => new Hammer2Backing();

    // The kernel does not ask for times that it keeps itself. Truncating to the size that a file has changed them in the engine
    // nevertheless, so that after the next mount every such file had other times than programs had seen.
    [TestMethod]
    public void Times_are_those_that_programs_saw_after_every_kind_of_change()
    {
        (string Name, Action<byte[]> Act)[] changes =
        [
            ("same", path => Assert.AreEqual(0, Posix.SetSize(path, 5000))),
            ("less", path => Assert.AreEqual(0, Posix.SetSize(path, 100))),
            ("more", path => Assert.AreEqual(0, Posix.SetSize(path, 9000))),
        ];
        foreach (var (name, _) in changes)
            File.WriteAllBytes($"{Target}/{name}", new byte[5000]);
        Remount();
        var seen = new Dictionary<string, (long Modified, long Changed)>();
        foreach (var (name, act) in changes)
        {
            var before = Status(name).ChangeTimeUs;
            Assert.IsTrue(Eventually(() => (DateTime.UtcNow - DateTime.UnixEpoch).Ticks / 10 > before + 20_000));
            act(At(name));
        }

        foreach (var (name, _) in changes)
            seen[name] = (Status(name).ModifyTimeUs, Status(name).ChangeTimeUs);
        Remount();
        foreach (var (name, _) in changes)
            Assert.AreEqual(seen[name], (Status(name).ModifyTimeUs, Status(name).ChangeTimeUs), name);
    }
}
