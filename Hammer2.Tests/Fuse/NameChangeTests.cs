// Proves what programs see when names come and go: creation, links, renames, removal, open files without names, and that what
// the kernel keeps is never out of date.
// Layers: Fuse under a real kernel, over memory and over the engine.

using System.Text;
using Hammer2.Fuse;
using Hammer2.Fuse.Protocol;

namespace Hammer2.Tests.Fuse;

public abstract class NameChangeTests : ChangeTestBase
{
    private const uint TypeMask = 0xF000;

    [TestMethod]
    public void A_file_is_made_and_is_there_after_a_remount()
    {
        File.WriteAllText(Target + "/new", "contents");
        Directory.CreateDirectory(Target + "/dir/below");
        Assert.AreEqual(0, Posix.MakeLink("../new"u8.ToArray(), At("dir/link")));
        Remount();
        Assert.AreEqual("contents", File.ReadAllText(Target + "/dir/link"));
        Assert.AreEqual("below link", string.Join(' ', Names("dir")));
        Assert.AreEqual(1u, Status("new").LinkCount);
    }

    [TestMethod]
    public void Exclusive_creation_succeeds_once()
    {
        const int Flags = Posix.Create | Posix.Exclusive | Posix.WriteOnly;
        BytePaths.Close(OpenFile("one", Flags));
        Assert.AreEqual(-Errno.EEXIST, BytePaths.Open(At("one"), Flags));
        Assert.AreEqual(-Errno.EEXIST, BytePaths.MakeDirectory(At("one")));
        BytePaths.Close(OpenFile("one", Posix.Create | Posix.WriteOnly));
    }

    [TestMethod]
    public void Absence_that_the_kernel_remembers_ends_with_creation_and_begins_with_removal()
    {
        for (var round = 0; round < 3; round++)
        {
            Assert.AreEqual(-Errno.ENOENT, BytePaths.Status(At("name"), out _));
            File.WriteAllText(Target + "/name", "x");
            Assert.AreEqual(1ul, Status("name").Size);
            Assert.AreEqual(0, Posix.Unlink(At("name")));
            Assert.AreEqual(-Errno.ENOENT, BytePaths.Status(At("name"), out _));
            Assert.AreEqual(-Errno.ENOENT, Posix.Unlink(At("name")));
            Assert.AreEqual(0, BytePaths.MakeDirectory(At("name")));
            Assert.AreEqual(0x4000u, Status("name").Mode & TypeMask);
            Assert.AreEqual(0, Posix.RemoveDirectory(At("name")));
        }
    }

    [TestMethod]
    public void Directories_are_removed_only_when_empty()
    {
        Directory.CreateDirectory(Target + "/dir/sub");
        Assert.AreEqual(-Errno.ENOTEMPTY, Posix.RemoveDirectory(At("dir")));
        Assert.AreEqual(-Errno.EISDIR, Posix.Unlink(At("dir")));
        File.WriteAllText(Target + "/file", "");
        Assert.AreEqual(-Errno.ENOTDIR, Posix.RemoveDirectory(At("file")));
        Assert.AreEqual(0, Posix.RemoveDirectory(At("dir/sub")));
        Assert.AreEqual(0, Posix.RemoveDirectory(At("dir")));
        Assert.AreEqual(-Errno.ENOENT, BytePaths.Status(At("dir"), out _));
    }

    [TestMethod]
    public void Links_share_everything_and_count()
    {
        File.WriteAllText(Target + "/a", "1");
        Directory.CreateDirectory(Target + "/dir");
        Assert.AreEqual(0, Posix.Link(At("a"), At("dir/b")));
        Assert.AreEqual((2u, 2u), (Status("a").LinkCount, Status("dir/b").LinkCount));
        Assert.AreEqual(Status("a").Inode, Status("dir/b").Inode);
        File.AppendAllText(Target + "/dir/b", "23");
        Assert.AreEqual(3ul, Status("a").Size);
        Assert.AreEqual("123", File.ReadAllText(Target + "/a"));
        Assert.AreEqual(-Errno.EEXIST, Posix.Link(At("a"), At("dir/b")));
        Assert.AreEqual(-Errno.EPERM, Posix.Link(At("dir"), At("dir2")));
        Assert.AreEqual(0, Posix.Unlink(At("a")));
        Assert.AreEqual(1u, Status("dir/b").LinkCount);
        Remount();
        Assert.AreEqual("123", File.ReadAllText(Target + "/dir/b"));
        Assert.AreEqual(1u, Status("dir/b").LinkCount);
    }

    [TestMethod]
    public void Renames_replace_move_and_refuse()
    {
        File.WriteAllText(Target + "/a", "a");
        File.WriteAllText(Target + "/b", "b");
        Directory.CreateDirectory(Target + "/dir/sub");
        Directory.CreateDirectory(Target + "/empty");
        Assert.AreEqual(-Errno.EEXIST, Posix.Rename(At("a"), At("b"), Posix.NoReplace));
        Assert.AreEqual(-Errno.EINVAL, Posix.Rename(At("a"), At("b"), Posix.Whiteout));
        Assert.AreEqual(-Errno.EINVAL, Posix.Rename(At("dir"), At("dir/sub/inside")));
        Assert.AreEqual(-Errno.ENOTEMPTY, Posix.Rename(At("empty"), At("dir")));
        Assert.AreEqual(-Errno.EISDIR, Posix.Rename(At("a"), At("dir")));
        Assert.AreEqual(-Errno.ENOTDIR, Posix.Rename(At("dir"), At("a")));
        Assert.AreEqual(-Errno.ENOENT, Posix.Rename(At("none"), At("a")));
        Assert.AreEqual(0, Posix.Rename(At("a"), At("b")));
        Assert.AreEqual("a", File.ReadAllText(Target + "/b"));
        Assert.AreEqual(0, Posix.Rename(At("b"), At("dir/sub/c")));
        Assert.AreEqual(0, Posix.Rename(At("dir"), At("empty")));
        Assert.AreEqual("a", File.ReadAllText(Target + "/empty/sub/c"));
        Assert.AreEqual("empty", string.Join(' ', Names()));
        Remount();
        Assert.AreEqual("a", File.ReadAllText(Target + "/empty/sub/c"));
        Assert.AreEqual("empty", string.Join(' ', Names()));
    }

    [TestMethod]
    public void An_exchange_swaps_files_directories_and_their_places()
    {
        File.WriteAllText(Target + "/file", "f");
        Directory.CreateDirectory(Target + "/dir/sub");
        Assert.AreEqual(-Errno.ENOENT, Posix.Rename(At("file"), At("none"), Posix.Exchange));
        Assert.AreEqual(0, Posix.Rename(At("file"), At("dir/sub"), Posix.Exchange));
        Assert.AreEqual("f", File.ReadAllText(Target + "/dir/sub"));
        Assert.AreEqual(0x4000u, Status("file").Mode & TypeMask);
        Remount();
        Assert.AreEqual("f", File.ReadAllText(Target + "/dir/sub"));
        Assert.AreEqual("dir file", string.Join(' ', Names()));
    }

    [TestMethod]
    public void An_open_file_without_names_is_used_as_before()
    {
        File.WriteAllText(Target + "/doomed", "before");
        var descriptor = OpenFile("doomed", Posix.ReadWrite);
        var quiet = Backing.Nameless;
        Assert.AreEqual(0, Posix.Unlink(At("doomed")));
        Assert.AreEqual((0u, 6ul), (Status(descriptor).LinkCount, Status(descriptor).Size));
        Assert.AreEqual(5, Posix.Write(descriptor, "after"u8, 100_000));
        Assert.AreEqual(0, Posix.SetMode(descriptor, 0x180));
        Assert.AreEqual(0, Posix.Sync(descriptor));
        Assert.AreEqual((100_005ul, 0x8180u), (Status(descriptor).Size, Status(descriptor).Mode));
        var again = BytePaths.Open(Encoding.UTF8.GetBytes($"/proc/self/fd/{descriptor}"));
        Assert.IsGreaterThanOrEqualTo(0, again, "an open file can be opened again without a name");
        var tail = new byte[5];
        Assert.AreEqual(5, BytePaths.Read(again, tail, 100_000));
        Assert.AreEqual("after", Encoding.UTF8.GetString(tail));
        Assert.AreEqual(0, Posix.SetSize(descriptor, 3));
        Assert.AreEqual(3ul, Status(again).Size);
        BytePaths.Close(again);
        BytePaths.Close(descriptor);
        Assert.IsTrue(Eventually(() => Backing.Nameless <= quiet), "it goes with the last handle");
    }

    [TestMethod]
    public void A_replaced_open_file_stays_readable()
    {
        File.WriteAllText(Target + "/old", "old contents");
        File.WriteAllText(Target + "/new", "new");
        var descriptor = OpenFile("old", Posix.ReadOnly);
        Assert.AreEqual(0, Posix.Rename(At("new"), At("old")));
        Assert.AreEqual(0u, Status(descriptor).LinkCount);
        var data = new byte[12];
        Assert.AreEqual(12, BytePaths.Read(descriptor, data, 0));
        Assert.AreEqual("old contents", Encoding.UTF8.GetString(data));
        BytePaths.Close(descriptor);
        Assert.AreEqual("new", File.ReadAllText(Target + "/old"));
    }

    [TestMethod]
    public void A_removed_directory_that_is_still_held_answers_and_then_goes()
    {
        Directory.CreateDirectory(Target + "/dir");
        File.WriteAllText(Target + "/file", "x");
        var directory = OpenFile("dir", Posix.PathOnly);
        var file = OpenFile("file", Posix.PathOnly);
        Assert.AreEqual(0, Posix.RemoveDirectory(At("dir")));
        Assert.AreEqual(0, Posix.Unlink(At("file")));
        Assert.AreEqual((0u, 0u), (Status(directory).LinkCount, Status(file).LinkCount));
        Assert.AreEqual(0x4000u, Status(directory).Mode & TypeMask);
        Assert.AreEqual(-Errno.ENOENT, BytePaths.Open(Encoding.UTF8.GetBytes($"/proc/self/fd/{directory}/x"), Posix.Create | Posix.WriteOnly));
        BytePaths.Close(directory);
        BytePaths.Close(file);
        File.WriteAllText(Target + "/another", "x");
        Assert.AreEqual(1ul, Status("another").Size);
    }

    [TestMethod]
    public void Nothing_is_kept_for_what_is_gone()
    {
        for (var round = 0; round < 200; round++)
        {
            File.WriteAllText($"{Target}/f{round}", "x");
            Assert.AreEqual(0, Posix.Unlink(At($"f{round}")));
        }

        Assert.IsTrue(Eventually(() => Backing.Nameless <= 1), $"{Backing.Nameless} removed objects are kept");
    }

    [TestMethod]
    public void Special_files_have_their_types_and_numbers()
    {
        Assert.AreEqual(0, Posix.MakeNode(At("fifo"), 0x11A4, 0));
        Assert.AreEqual(0, Posix.MakeNode(At("socket"), 0xC1A4, 0));
        Assert.AreEqual(0, Posix.MakeNode(At("char"), 0x21A4, 0x0103));
        Assert.AreEqual(0, Posix.MakeNode(At("block"), 0x61A4, (0x12ul << 20) | 0x0802));
        Assert.AreEqual(0, Posix.MakeNode(At("plain"), 0x81A4, 0));
        Remount();
        Assert.AreEqual((0x11A4u, 0xC1A4u, 0x81A4u), (Status("fifo").Mode, Status("socket").Mode, Status("plain").Mode));
        Assert.AreEqual((0x21A4u, 1u, 3u), (Status("char").Mode, Status("char").DeviceMajor, Status("char").DeviceMinor));
        Assert.AreEqual((0x61A4u, 8u, 0x1202u), (Status("block").Mode, Status("block").DeviceMajor, Status("block").DeviceMinor));
        ShellOk("echo through > fifo & cat fifo");
    }

    [TestMethod]
    public void Names_are_bytes_up_to_255()
    {
        byte[] strange = [.. At(""), 0xFF, 0xFE, (byte)'\n', 0xC3];
        BytePaths.Close(BytePaths.Open(strange, Posix.Create | Posix.WriteOnly));
        Assert.AreEqual(0, BytePaths.Status(strange, out _));
        Assert.AreEqual(0, BytePaths.List(TargetBytes, out var names));
        Assert.IsTrue(names.Exists(entry => entry.Name.AsSpan().SequenceEqual((ReadOnlySpan<byte>)[0xFF, 0xFE, (byte)'\n', 0xC3])));
        var longest = new string('n', 255);
        File.WriteAllText($"{Target}/{longest}", "x");
        Assert.AreEqual(-Errno.ENAMETOOLONG, BytePaths.Open(At(longest + "n"), Posix.Create | Posix.WriteOnly));
        Assert.AreEqual(-Errno.ENAMETOOLONG, BytePaths.MakeDirectory(At(longest + "n")));
        Assert.AreEqual(-Errno.ENAMETOOLONG, Posix.Rename(At(longest), At(longest + "n")));
        Remount();
        Assert.AreEqual(1ul, Status(longest).Size);
    }

    [TestMethod]
    public void A_listing_that_the_kernel_keeps_is_renewed_by_changes()
    {
        Assert.IsEmpty(Names());
        for (var i = 0; i < 50; i++)
        {
            File.WriteAllText($"{Target}/f{i:00}", "");
            Assert.HasCount(i + 1, Names());
        }

        var requests = Mount.RequestsOf(FuseOpcode.ReadDirectory) + Mount.RequestsOf(FuseOpcode.ReadDirectoryPlus);
        Assert.HasCount(50, Names());
        Assert.HasCount(50, Names());
        Assert.IsLessThan(requests + 5, Mount.RequestsOf(FuseOpcode.ReadDirectory) + Mount.RequestsOf(FuseOpcode.ReadDirectoryPlus));
        Assert.AreEqual(0, Posix.Unlink(At("f07")));
        Assert.AreEqual(0, Posix.Rename(At("f08"), At("renamed")));
        Assert.IsFalse(Names().Contains("f07") || Names().Contains("f08"));
        Assert.IsTrue(Names().Contains("renamed"));
    }

    [TestMethod]
    public void A_directory_changes_its_times_with_its_names()
    {
        Directory.CreateDirectory(Target + "/dir");
        Assert.AreEqual(0, Posix.SetTimes(At("dir"), (1000, 0), (1000, 0)));
        Assert.AreEqual(1_000_000_000, Status("dir").ModifyTimeUs);
        File.WriteAllText(Target + "/dir/f", "");
        Assert.IsGreaterThan(1_000_000_000, Status("dir").ModifyTimeUs);
        Assert.AreEqual(0, Posix.SetTimes(At("dir"), (1000, 0), (1000, 0)));
        Assert.AreEqual(0, Posix.Unlink(At("dir/f")));
        Assert.IsGreaterThan(1_000_000_000, Status("dir").ModifyTimeUs);
    }

    [TestMethod]
    public void A_big_tree_is_listed_with_attributes_and_removed_while_it_is_listed()
    {
        ShellOk("mkdir many && cd many && seq -w 2000 | xargs touch && seq -w 5 | xargs mkdir");
        Assert.HasCount(2005, Names("many"));
        ShellOk("test $(ls -l many | grep -c ^-) = 2000");
        ShellOk("for i in 0100 0200 1999; do echo grown > many/$i; done; test $(ls -l many | awk '$5 == 6' | wc -l) = 3");
        ShellOk("rm -rf many && test ! -e many");
    }

    [TestMethod]
    public void Threads_create_and_remove_in_one_directory()
    {
        Parallel.For(0, 4, worker =>
        {
            for (var i = 0; i < 100; i++)
            {
                var path = $"{Target}/w{worker}-{i}";
                File.WriteAllText(path, path);
                Assert.AreEqual(path, File.ReadAllText(path));
                if (i % 2 == 0)
                    File.Delete(path);
                else
                    File.Move(path, path + "-kept");
            }
        });
        Assert.HasCount(200, Names());
        Remount();
        Assert.HasCount(200, Names());
    }
}

[TestClass]
public sealed class MemoryNameChangeTests : NameChangeTests
{
    internal override ChangeBacking Open() => new MemoryBacking();
}

[TestClass]
public sealed class Hammer2NameChangeTests : NameChangeTests
{
    internal override ChangeBacking Open() => new Hammer2Backing();
}
