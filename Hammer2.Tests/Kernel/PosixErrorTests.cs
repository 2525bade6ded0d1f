// Which error a call gives, as POSIX has it: for paths that are too long, lead through files, through nothing or in circles; for
// names that exist; for every pair of types in a rename; for directories where files are wanted and the other way round.
// Layers: Fuse under a real kernel, over the engine.

using System.Text;
using Hammer2.Fuse;
using Hammer2.Tests.Fuse;

namespace Hammer2.Tests.Kernel;

[TestClass]
public sealed class PosixErrorTests : ChangeTestBase
{
    private const int ELOOP = 40, EBUSY = 16, ENXIO = 6, EINVAL = 22, EBADF = 9;
    private const int Directory_ = 0x10000, NoFollow = 0x20000, NonBlocking = 0x800;
    private const uint Fifo = 0x1000, Socket = 0xC000, CharDevice = 0x2000, BlockDevice = 0x6000, Permissions = 0x1A4;

    private static readonly string[] s_types = ["file", "dir", "fifo", "block", "char", "socket", "symlink"];

    internal override ChangeBacking Open() => new Hammer2Backing();

    [TestMethod]
    public void Every_call_refuses_a_path_that_is_wrong_on_the_way()
    {
        Make("file", "file");
        Make("file", "plain");
        Assert.AreEqual(0, Posix.MakeLink("loop2"u8.ToArray(), At("loop1")));
        Assert.AreEqual(0, Posix.MakeLink("loop1"u8.ToArray(), At("loop2")));
        var tooLong = new string('x', 256);
        foreach (var (path, errno) in ((string, int)[])[
                     (tooLong, Errno.ENAMETOOLONG), (tooLong + "/below", Errno.ENAMETOOLONG), ("plain/below", Errno.ENOTDIR),
                     ("missing/below", Errno.ENOENT), ("loop1/below", ELOOP), (PathOf(5000), Errno.ENAMETOOLONG)])
        {
            foreach (var (name, call) in CallsOn(path))
                Assert.AreEqual(-errno, call(), $"{name} of {path[..Math.Min(20, path.Length)]}");
        }
    }

    [TestMethod]
    public void Calls_that_follow_a_symlink_at_the_end_meet_its_loop_and_its_void()
    {
        Assert.AreEqual(0, Posix.MakeLink("self"u8.ToArray(), At("self")));
        Assert.AreEqual(0, Posix.MakeLink("nothing"u8.ToArray(), At("void")));
        foreach (var (path, errno) in ((string, int)[])[("self", ELOOP), ("void", Errno.ENOENT)])
        {
            Assert.AreEqual(-errno, BytePaths.Open(At(path)), path);
            Assert.AreEqual(-errno, Posix.SetMode(At(path), Permissions), path);
            Assert.AreEqual(-errno, Posix.SetSize(At(path), 1), path);
            Assert.AreEqual(-ELOOP, BytePaths.Open(At(path), NoFollow), path);
            Assert.AreEqual(-Errno.EEXIST, BytePaths.Open(At(path), Posix.Create | Posix.Exclusive | Posix.WriteOnly), path);
            Assert.AreEqual(0, Posix.SetOwner(At(path), 5, 6), "the link itself");
        }

        BytePaths.Close(OpenFile("void", Posix.Create | Posix.WriteOnly));
        Assert.AreEqual(0ul, Status("nothing").Size, "creation through a link makes its target");
    }

    [TestMethod]
    public void Whatever_exists_is_not_made_again()
    {
        Make("file", "source");
        foreach (var type in s_types)
        {
            Make(type, "there");
            Assert.AreEqual(-Errno.EEXIST, BytePaths.Open(At("there"), Posix.Create | Posix.Exclusive | Posix.WriteOnly), type);
            Assert.AreEqual(-Errno.EEXIST, BytePaths.MakeDirectory(At("there")), type);
            Assert.AreEqual(-Errno.EEXIST, Posix.MakeNode(At("there"), Fifo | Permissions, 0), type);
            Assert.AreEqual(-Errno.EEXIST, Posix.MakeLink("x"u8.ToArray(), At("there")), type);
            Assert.AreEqual(-Errno.EEXIST, Posix.Link(At("source"), At("there")), type);
            Remove("there");
        }
    }

    [TestMethod]
    public void Renames_of_every_type_onto_every_type()
    {
        foreach (var from in s_types)
        {
            foreach (var to in s_types)
            {
                Make(from, "from");
                Make(to, "to");
                var source = Status("from");
                var expected = from == to || (from != "dir" && to != "dir") ? 0 : from == "dir" ? -Errno.ENOTDIR : -Errno.EISDIR;
                Assert.AreEqual(expected, Posix.Rename(At("from"), At("to")), $"{from} onto {to}");
                if (expected == 0)
                {
                    Assert.AreEqual((source.Inode, source.Mode, source.LinkCount), (Status("to").Inode, Status("to").Mode, Status("to").LinkCount));
                    Assert.AreEqual(-Errno.ENOENT, BytePaths.Status(At("from"), out _));
                }
                else
                {
                    Remove("from");
                }

                Remove("to");
            }
        }
    }

    [TestMethod]
    public void Removals_and_renames_at_the_edges()
    {
        Make("dir", "dir");
        Make("dir", "dir/sub");
        Make("file", "dir/sub/file");
        Make("file", "file");
        Assert.AreEqual(-EINVAL, Posix.RemoveDirectory(At("dir/.")));
        Assert.AreEqual(-Errno.ENOTEMPTY, Posix.RemoveDirectory(At("dir/sub/..")));
        Assert.AreEqual(-Errno.ENOTEMPTY, Posix.RemoveDirectory(At("dir")));
        Assert.AreEqual(-EBUSY, Posix.RemoveDirectory(TargetBytes));
        Assert.AreEqual(-Errno.EISDIR, Posix.Unlink(At("dir")));
        Assert.AreEqual(-Errno.ENOTDIR, Posix.Unlink(At("file/")));
        Assert.AreEqual(-EINVAL, Posix.Rename(At("dir"), At("dir/sub/new")));
        Assert.AreEqual(-Errno.ENOTEMPTY, Posix.Rename(At("dir/sub"), At("dir")));
        Assert.AreEqual(-EBUSY, Posix.Rename(At("dir/."), At("new")));
        Assert.AreEqual(-EBUSY, Posix.Rename(At("dir/sub/.."), At("new")));
        Assert.AreEqual(-Errno.EPERM, Posix.Link(At("dir"), At("new")));
        Assert.AreEqual(0, Posix.Rename(At("dir"), At("dir")), "onto itself");
        Assert.AreEqual(0, Posix.Link(At("file"), At("other")));
        Assert.AreEqual(0, Posix.Rename(At("file"), At("other")), "two names of one file");
        Assert.AreEqual((2u, 2u), (Status("file").LinkCount, Status("other").LinkCount), "both names stay");
        Assert.AreEqual(-18, Posix.Link(Encoding.UTF8.GetBytes("/proc/self/status"), At("new")), "EXDEV");
    }

    [TestMethod]
    public void Opens_and_truncations_of_the_wrong_thing()
    {
        Make("dir", "dir");
        Make("file", "file");
        Make("fifo", "fifo");
        Make("socket", "socket");
        Assert.AreEqual(-Errno.EISDIR, BytePaths.Open(At("dir"), Posix.WriteOnly));
        Assert.AreEqual(-Errno.EISDIR, BytePaths.Open(At("dir"), Posix.ReadWrite));
        Assert.AreEqual(-Errno.EISDIR, BytePaths.Open(At("dir"), Posix.Create | Posix.WriteOnly));
        Assert.AreEqual(-Errno.ENOTDIR, BytePaths.Open(At("file"), Directory_));
        Assert.AreEqual(-Errno.ENOTDIR, BytePaths.Open(At("file/")));
        Assert.AreEqual(-ENXIO, BytePaths.Open(At("fifo"), NonBlocking | Posix.WriteOnly));
        Assert.AreEqual(-ENXIO, BytePaths.Open(At("socket")));
        Assert.AreEqual(-Errno.EISDIR, Posix.SetSize(At("dir"), 0));
        Assert.AreEqual(-EINVAL, Posix.SetSize(At("file"), -1));
        Assert.AreEqual(-EINVAL, Posix.SetSize(At("fifo"), 0));
        var reading = OpenFile("file", Posix.ReadOnly);
        Assert.AreEqual(-EINVAL, Posix.SetSize(reading, 0));
        Assert.AreEqual(-EBADF, Posix.Write(reading, "x"u8, 0));
        Assert.AreEqual(-EBADF, Posix.Allocate(reading, 0, 0, 1));
        BytePaths.Close(reading);
        var writing = OpenFile("file", Posix.WriteOnly);
        Assert.AreEqual(-EBADF, BytePaths.Read(writing, new byte[1], 0));
        Assert.AreEqual(-EINVAL, Posix.Write(writing, "x"u8, -1));
        Assert.AreEqual(-EINVAL, Posix.Allocate(writing, 0, 0, 0));
        BytePaths.Close(writing);
    }

    [TestMethod]
    public void Symlinks_have_targets_of_1_to_4095_bytes()
    {
        Assert.AreEqual(-Errno.ENOENT, Posix.MakeLink([], At("link")));
        Assert.AreEqual(-Errno.ENAMETOOLONG, Posix.MakeLink(Encoding.ASCII.GetBytes(PathOf(4096)), At("link")));
        foreach (var length in (int[])[1, 511, 512, 513, 1024, 4095])
        {
            var target = Encoding.ASCII.GetBytes(PathOf(length));
            Assert.AreEqual(0, Posix.MakeLink(target, At($"link{length}")));
            Assert.AreEqual((0xA1FFu, (ulong)length), (Status($"link{length}").Mode, Status($"link{length}").Size));
        }

        Remount();
        foreach (var length in (int[])[1, 511, 512, 513, 1024, 4095])
        {
            Assert.AreEqual(0, BytePaths.ReadLink(At($"link{length}"), out var target));
            Assert.AreEqual(PathOf(length), Encoding.ASCII.GetString(target));
        }

        Make("file", "file");
        Assert.AreEqual(-EINVAL, BytePaths.ReadLink(At("file"), out _));
    }

    // A relative path of many short names.
    private static string PathOf(int length) => string.Concat(Enumerable.Repeat("abcd/", length / 5 + 1))[..length];

    private (string Name, Func<long> Call)[] CallsOn(string path) =>
    [
        ("open", () => BytePaths.Open(At(path))),
        ("creation", () => BytePaths.Open(At(path == "missing" ? "missing/x" : path), Posix.Create | Posix.WriteOnly)),
        ("stat", () => BytePaths.Status(At(path), out _)),
        ("mkdir", () => BytePaths.MakeDirectory(At(path))),
        ("mknod", () => Posix.MakeNode(At(path), Fifo | Permissions, 0)),
        ("symlink", () => Posix.MakeLink("x"u8.ToArray(), At(path))),
        ("link from", () => Posix.Link(At(path), At("new"))),
        ("link to", () => Posix.Link(At("file"), At(path))),
        ("rename from", () => Posix.Rename(At(path), At("new"))),
        ("rename to", () => Posix.Rename(At("file"), At(path))),
        ("unlink", () => Posix.Unlink(At(path))),
        ("rmdir", () => Posix.RemoveDirectory(At(path))),
        ("readlink", () => BytePaths.ReadLink(At(path), out _)),
        ("truncate", () => Posix.SetSize(At(path), 0)),
        ("chmod", () => Posix.SetMode(At(path), Permissions)),
        ("lchown", () => Posix.SetOwner(At(path), 1, 1)),
        ("utimensat", () => Posix.SetTimes(At(path), (1, 0), (1, 0))),
    ];

    private void Make(string type, string path) => Assert.AreEqual(
        0,
        type switch
        {
            "dir" => BytePaths.MakeDirectory(At(path)),
            "symlink" => Posix.MakeLink("target"u8.ToArray(), At(path)),
            "fifo" => Posix.MakeNode(At(path), Fifo | Permissions, 0),
            "socket" => Posix.MakeNode(At(path), Socket | Permissions, 0),
            "char" => Posix.MakeNode(At(path), CharDevice | Permissions, 0x0102),
            "block" => Posix.MakeNode(At(path), BlockDevice | Permissions, 0x0102),
            _ => Posix.MakeNode(At(path), 0x8000 | Permissions, 0),
        },
        $"making {type} {path}");

    private void Remove(string path)
    {
        if (Posix.Unlink(At(path)) != 0)
            Assert.AreEqual(0, Posix.RemoveDirectory(At(path)), path);
    }
}
