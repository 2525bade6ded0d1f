// Who may do what, as POSIX has it: search and write permission on the way, sticky directories, owners and groups, and the bits
// that a change of owner or contents clears. The kernel decides most of it, from attributes that must be right at any time.
// Layers: Fuse under a real kernel, over the engine.

using Hammer2.Fuse;
using Hammer2.Tests.Fuse;

namespace Hammer2.Tests.Kernel;

[TestClass]
public sealed class PosixPermissionTests : ChangeTestBase
{
    private const uint All = 0x1FF, Sticky = 0x200, SetGroupId = 0x400, SetUserId = 0x800, PermissionBits = 0xFFF;
    private const uint Same = uint.MaxValue;
    private static readonly FileUser s_one = new(65534, 65534), s_two = new(65533, 65533);

    internal override ChangeBacking Open() => new Hammer2Backing();

    [TestMethod]
    public void Without_write_permission_in_a_directory_nothing_changes_there()
    {
        MakeDirectory("closed", 0x1ED, s_one);
        MakeFile("closed/file", 0x1FF, s_one);
        MakeDirectory("open", All, s_one);
        MakeFile("open/file", 0x1FF, s_two);
        foreach (var (name, call) in ((string, Func<long>)[])[
                     ("open", () => BytePaths.Open(At("closed/new"), Posix.Create | Posix.WriteOnly)),
                     ("mkdir", () => BytePaths.MakeDirectory(At("closed/new"))),
                     ("mknod", () => Posix.MakeNode(At("closed/new"), 0x1180, 0)),
                     ("symlink", () => Posix.MakeLink("x"u8.ToArray(), At("closed/new"))),
                     ("link", () => Posix.Link(At("open/file"), At("closed/new"))),
                     ("rename in", () => Posix.Rename(At("open/file"), At("closed/new"))),
                     ("rename out", () => Posix.Rename(At("closed/file"), At("open/new"))),
                     ("unlink", () => Posix.Unlink(At("closed/file")))])
        {
            Assert.AreEqual(-Errno.EACCES, s_two.Do(call), name);
        }

        Assert.AreEqual(0, s_one.Do(() => Posix.Rename(At("closed/file"), At("closed/new"))));
        Assert.AreEqual(0, s_one.Do(() => Posix.Unlink(At("closed/new"))));
    }

    [TestMethod]
    public void Without_search_permission_nothing_below_can_be_named()
    {
        MakeDirectory("dir", 0x1A4, s_one);
        MakeFile("dir/file", All, s_two);
        foreach (var call in (Func<long>[])[
                     () => BytePaths.Status(At("dir/file"), out _), () => BytePaths.Open(At("dir/file")), () => Posix.SetSize(At("dir/file"), 0),
                     () => Posix.SetMode(At("dir/file"), All), () => Posix.Unlink(At("dir/file")), () => Posix.Link(At("dir/file"), At("new"))])
            Assert.AreEqual(-Errno.EACCES, s_two.Do(call));
        Assert.AreEqual(0, Posix.SetMode(At("dir"), 0x1ED));
        Assert.AreEqual(0, s_two.Do(() => BytePaths.Status(At("dir/file"), out _)), "at once, whatever the kernel had cached");
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void In_sticky_directories_only_owners_remove_and_rename(bool isDirectory)
    {
        var nobody = new FileUser(1000, 1000);
        MakeDirectory("sticky", All | Sticky, s_one);
        MakeDirectory("free", All, s_one);
        foreach (var (user, may) in ((FileUser, bool)[])[(s_one, true), (s_two, true), (nobody, false)])
        {
            Assert.AreEqual(0, s_two.Do(() => Make("sticky/thing")));
            var expected = may ? 0 : -Errno.EPERM;
            // A directory that moves changes its "..", which needs the right to write it.
            var move = isDirectory && user == s_one ? -Errno.EACCES : expected;
            Assert.AreEqual(move, user.Do(() => Posix.Rename(At("sticky/thing"), At("free/thing"))), $"{user} moves it out");
            if (move == 0)
                Assert.AreEqual(0, Posix.Rename(At("free/thing"), At("sticky/thing")));
            Assert.AreEqual(expected, user.Do(() => Posix.Rename(At("sticky/thing"), At("sticky/renamed"))), $"{user} renames it");
            if (may)
                Assert.AreEqual(0, Posix.Rename(At("sticky/renamed"), At("sticky/thing")));
            Assert.AreEqual(0, user.Do(() => Make("free/other")));
            Assert.AreEqual(expected, user.Do(() => Posix.Rename(At("free/other"), At("sticky/thing"))), $"{user} replaces it");
            if (!may)
                Assert.AreEqual(0, Remove("free/other"));
            Assert.AreEqual(user == s_two && may ? -Errno.EPERM : expected, StickyRemoval(user), $"{user} removes it");
            _ = Remove("sticky/thing");
        }

        long Make(string path) => isDirectory ? BytePaths.MakeDirectory(At(path)) : Posix.MakeNode(At(path), 0x81FF, 0);
        long Remove(string path) => isDirectory ? Posix.RemoveDirectory(At(path)) : Posix.Unlink(At(path));

        // What replaced the thing belongs to the user who did it; for the second user it is given to a third first.
        long StickyRemoval(FileUser user)
        {
            if (user == s_two)
                Assert.AreEqual(0, Posix.SetOwner(At("sticky/thing"), 1001, 1001));
            return user.Do(() => Remove("sticky/thing"));
        }
    }

    [TestMethod]
    public void Only_owners_change_modes_and_only_root_gives_away()
    {
        MakeFile("file", 0x1FF, s_one);
        Assert.AreEqual(-Errno.EPERM, s_two.Do(() => Posix.SetMode(At("file"), 0x180)));
        Assert.AreEqual(0, s_one.Do(() => Posix.SetMode(At("file"), 0x180)));
        Assert.AreEqual(-Errno.EPERM, s_one.Do(() => Posix.SetOwner(At("file"), s_two.Uid, Same)));
        Assert.AreEqual(-Errno.EPERM, s_one.Do(() => Posix.SetOwner(At("file"), Same, s_two.Gid)), "a group that is not one's own");
        Assert.AreEqual(0, Posix.SetOwner(At("file"), s_one.Uid, s_two.Gid));
        Assert.AreEqual(0, s_one.Do(() => Posix.SetOwner(At("file"), s_one.Uid, s_one.Gid)));
        Assert.AreEqual(-Errno.EPERM, s_two.Do(() => Posix.SetOwner(At("file"), Same, s_two.Gid)));
        Assert.AreEqual((s_one.Uid, s_one.Gid), (Status("file").Uid, Status("file").Gid));
    }

    [TestMethod]
    public void Bits_that_give_rights_are_cleared()
    {
        MakeFile("file", SetUserId | SetGroupId | 0x1ED, s_one);
        Assert.AreEqual(0, s_one.Do(() => Posix.SetOwner(At("file"), Same, s_one.Gid)), "chown by the owner clears both");
        Assert.AreEqual(0x1EDu, Status("file").Mode & PermissionBits);
        MakeFile("foreign", 0x1ED, new FileUser(s_one.Uid, s_two.Gid));
        Assert.AreEqual(0, s_one.Do(() => Posix.SetMode(At("foreign"), SetGroupId | 0x1ED)));
        Assert.AreEqual(0x1EDu, Status("foreign").Mode & PermissionBits, "set-group-id for a group that one is not in");
        MakeFile("written", SetUserId | SetGroupId | All, s_one);
        Assert.AreEqual(1, s_two.Do(() => WriteTo("written")));
        Assert.AreEqual(All, Status("written").Mode & PermissionBits, "a write clears both");
        MakeFile("cut", SetUserId | All, s_one);
        Assert.AreEqual(0, s_two.Do(() => Posix.SetSize(At("cut"), 10)));
        Assert.AreEqual(All, Status("cut").Mode & PermissionBits);
        MakeFile("roots", SetUserId | All, s_one);
        Assert.AreEqual(1, WriteTo("roots"));
        Assert.AreEqual(SetUserId | All, Status("roots").Mode & PermissionBits, "root's writes leave them");
        Remount();
        Assert.AreEqual((0x1EDu, All), (Status("file").Mode & PermissionBits, Status("written").Mode & PermissionBits));
    }

    [TestMethod]
    public void Times_are_set_by_owners_and_now_by_writers()
    {
        MakeFile("file", 0x1B6, s_one);
        Assert.AreEqual(-Errno.EPERM, s_two.Do(() => Posix.SetTimes(At("file"), (1, 0), (1, 0))));
        Assert.AreEqual(0, s_two.Do(() => Posix.SetTimes(At("file"), (0, Posix.Now), (0, Posix.Now))), "who may write");
        Assert.AreEqual(-Errno.EPERM, s_two.Do(() => Posix.SetTimes(At("file"), (0, Posix.Now), (0, Posix.Omit))));
        Assert.AreEqual(0, Posix.SetMode(At("file"), 0x1A4));
        Assert.AreEqual(-Errno.EACCES, s_two.Do(() => Posix.SetTimes(At("file"), (0, Posix.Now), (0, Posix.Now))));
        Assert.AreEqual(0, s_one.Do(() => Posix.SetTimes(At("file"), (-5, 0), (1L << 33, 123_456_789))));
        Remount();
        Assert.AreEqual((-5_000_000L, (1L << 33) * 1_000_000 + 123_456), (Status("file").AccessTimeUs, Status("file").ModifyTimeUs));
        Assert.AreEqual(-Errno.EINVAL, Posix.SetTimes(At("file"), (0, 1_000_000_000), (0, 0)));
    }

    private long WriteTo(string path)
    {
        var descriptor = BytePaths.Open(At(path), Posix.WriteOnly);
        if (descriptor < 0)
            return descriptor;
        var written = Posix.Write(descriptor, "x"u8, 0);
        BytePaths.Close(descriptor);
        return written;
    }

    private void MakeFile(string path, uint mode, FileUser owner)
    {
        Assert.AreEqual(0, Posix.MakeNode(At(path), 0x8180, 0));
        Assert.AreEqual(0, Posix.SetOwner(At(path), owner.Uid, owner.Gid));
        Assert.AreEqual(0, Posix.SetMode(At(path), mode));
    }

    private void MakeDirectory(string path, uint mode, FileUser owner)
    {
        Assert.AreEqual(0, BytePaths.MakeDirectory(At(path)));
        Assert.AreEqual(0, Posix.SetOwner(At(path), owner.Uid, owner.Gid));
        Assert.AreEqual(0, Posix.SetMode(At(path), mode));
    }
}
