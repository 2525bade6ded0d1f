// Which times a call changes, as POSIX has it: of the object, of its directory, of both directories of a move; and that a call
// that fails changes none. Read through the kernel's cache and again after a remount.
// Layers: Fuse under a real kernel, over the engine.

using Hammer2.Fuse;
using Hammer2.Tests.Fuse;

namespace Hammer2.Tests.Kernel;

[TestClass]
public sealed class PosixTimeTests : ChangeTestBase
{
    [Flags]
    private enum Changed
    {
        None = 0,
        Modify = 1,
        Change = 2,
        Both = 3,
    }

    internal override ChangeBacking Open() => new Hammer2Backing();

    [TestMethod]
    public void Calls_change_the_times_of_what_they_change()
    {
        Assert.AreEqual(0, BytePaths.MakeDirectory(At("d")));
        Assert.AreEqual(0, BytePaths.MakeDirectory(At("e")));
        File.WriteAllText(Target + "/d/f", "0123456789");
        var open = OpenFile("d/f", Posix.ReadWrite);
        Expect("chmod", () => Posix.SetMode(At("d/f"), 0x180), ("d/f", Changed.Change), ("d", Changed.None));
        Expect("fchmod", () => Posix.SetMode(open, 0x1A4), ("d/f", Changed.Change), ("d", Changed.None));
        Expect("chown", () => Posix.SetOwner(At("d/f"), 3, 4), ("d/f", Changed.Change), ("d", Changed.None));
        Expect("utimensat", () => Posix.SetTimes(At("d/f"), (0, Posix.Now), (0, Posix.Omit)), ("d/f", Changed.Change));
        Expect("write", () => Posix.Write(open, "x"u8, 3) - 1, ("d/f", Changed.Both), ("d", Changed.None));
        Expect("truncate", () => Posix.SetSize(At("d/f"), 5), ("d/f", Changed.Both), ("d", Changed.None));
        Expect("ftruncate", () => Posix.SetSize(open, 50_000), ("d/f", Changed.Both));
        Expect("punch", () => Posix.Allocate(open, Posix.PunchHole | Posix.KeepSize, 0, 100), ("d/f", Changed.Both));
        Expect("fallocate", () => Posix.Allocate(open, 0, 0, 200_000), ("d/f", Changed.Both));
        Expect("open truncating", () => Close(BytePaths.Open(At("d/f"), Posix.WriteOnly | Posix.Truncate)), ("d/f", Changed.Both), ("d", Changed.None));
        Expect("link", () => Posix.Link(At("d/f"), At("e/g")), ("d/f", Changed.Change), ("d", Changed.None), ("e", Changed.Both));
        Expect("unlink", () => Posix.Unlink(At("e/g")), ("d/f", Changed.Change), ("d", Changed.None), ("e", Changed.Both));
        Expect("rename", () => Posix.Rename(At("d/f"), At("e/f")), ("d", Changed.Both), ("e", Changed.Both));
        Expect("rename back", () => Posix.Rename(At("e/f"), At("d/f")), ("d", Changed.Both), ("e", Changed.Both));
        Expect("creation", () => Close(BytePaths.Open(At("d/n"), Posix.Create | Posix.WriteOnly)), ("d", Changed.Both), ("d/f", Changed.None));
        Expect("mkdir", () => BytePaths.MakeDirectory(At("d/s")), ("d", Changed.Both));
        Expect("mkdir below", () => BytePaths.MakeDirectory(At("d/s/t")), ("d/s", Changed.Both), ("d", Changed.None));
        Expect("rmdir", () => Posix.RemoveDirectory(At("d/s/t")), ("d/s", Changed.Both), ("d", Changed.None));
        Expect("symlink", () => Posix.MakeLink("f"u8.ToArray(), At("d/l")), ("d", Changed.Both));
        Expect("mknod", () => Posix.MakeNode(At("d/p"), 0x1180, 0), ("d", Changed.Both));
        Expect("replacement", () => Posix.Rename(At("d/n"), At("d/p")), ("d", Changed.Both));
        BytePaths.Close(open);
    }

    [TestMethod]
    public void Calls_that_fail_or_only_read_change_nothing()
    {
        var user = new FileUser(65534, 65534);
        Assert.AreEqual(0, BytePaths.MakeDirectory(At("d")));
        Assert.AreEqual(0, BytePaths.MakeDirectory(At("d/full")));
        File.WriteAllText(Target + "/d/full/f", "x");
        File.WriteAllText(Target + "/d/f", "x");
        (string, Changed)[] nothing = [("d", Changed.None), ("d/f", Changed.None), ("d/full", Changed.None)];
        Expect("chmod", () => user.Do(() => Posix.SetMode(At("d/f"), 0)) + Errno.EPERM, nothing);
        Expect("chown", () => user.Do(() => Posix.SetOwner(At("d/f"), 1, 1)) + Errno.EPERM, nothing);
        Expect("truncate", () => user.Do(() => Posix.SetSize(At("d/f"), 0)) + Errno.EACCES, nothing);
        Expect("unlink", () => user.Do(() => Posix.Unlink(At("d/f"))) + Errno.EACCES, nothing);
        Expect("creation", () => user.Do(() => BytePaths.Open(At("d/n"), Posix.Create | Posix.WriteOnly)) + Errno.EACCES, nothing);
        Expect("mkdir", () => BytePaths.MakeDirectory(At("d/f")) + Errno.EEXIST, nothing);
        Expect("link", () => Posix.Link(At("d/f"), At("d/full")) + Errno.EEXIST, nothing);
        Expect("rmdir", () => Posix.RemoveDirectory(At("d/full")) + Errno.ENOTEMPTY, nothing);
        Expect("rename", () => Posix.Rename(At("d/f"), At("d/full")) + Errno.EISDIR, nothing);
        Expect("open", () => Close(BytePaths.Open(At("d/f"), Posix.ReadWrite)), nothing);
        Expect("listing", () => BytePaths.List(At("d"), out _), nothing);
        Expect("empty write", () => Empty("d/f"), nothing);
    }

    private long Empty(string path)
    {
        var descriptor = OpenFile(path, Posix.WriteOnly);
        var written = Posix.Write(descriptor, [], 100);
        BytePaths.Close(descriptor);
        return written;
    }

    private static long Close(int descriptor)
    {
        if (descriptor >= 0)
            BytePaths.Close(descriptor);
        return Math.Min(0, descriptor);
    }

    // The call must return 0, and change exactly these times.
    private void Expect(string name, Func<long> call, params (string Path, Changed Times)[] expected)
    {
        var before = expected.Select(one => Status(one.Path)).ToArray();
        var start = DateTime.UtcNow;
        Assert.IsTrue(Eventually(() => DateTime.UtcNow - start > TimeSpan.FromMilliseconds(2)));
        Assert.AreEqual(0, call(), name);
        for (var i = 0; i < expected.Length; i++)
        {
            var after = Status(expected[i].Path);
            var times = (after.ModifyTimeUs > before[i].ModifyTimeUs ? Changed.Modify : 0)
                | (after.ChangeTimeUs > before[i].ChangeTimeUs ? Changed.Change : 0);
            Assert.AreEqual(expected[i].Times, times, $"{name}: {expected[i].Path}");
        }
    }
}
