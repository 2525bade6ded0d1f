// Trees that go in and come out again, volumes that are full, images that somebody else has, and signals: the life of a mount as
// its user sees it.
// Layers: the hammer2 command as a process, under a real kernel.

using Hammer2.Tests.Cli;

namespace Hammer2.Tests.Kernel;

[TestClass]
public sealed class WholeTreeTests : ProgramTestBase
{
    [TestMethod]
    public void Rsync_brings_a_tree_in_and_out()
    {
        MountFor("512M", "rsync");
        // Names that are not UTF-8 are in it: only rm can take it away.
        var outside = Directory.CreateTempSubdirectory("hammer2-rsync-").FullName;
        try
        {
            InAndOut(outside, outside + "/from", outside + "/back");
        }
        finally
        {
            _ = Run("rm", "-rf", outside);
        }
    }

    [TestMethod]
    public void A_full_volume_says_so_and_can_be_emptied()
    {
        MountFor("48M");
        const string Fill = """
            mkdir keep && echo kept > keep/file
            dd if=/dev/urandom of=big bs=64K count=2000 2>err && exit 1
            grep -q 'No space left' err || { cat err; exit 2; }
            i=0; while head -c 1000 /dev/urandom > small$i 2>/dev/null && [ $i -lt 20000 ]; do i=$((i + 1)); done
            test $i -lt 20000 || exit 3
            sync -f . && test "$(cat keep/file)" = kept
            rm -f big small* && sync -f . && test "$(ls)" = "$(printf 'err\nkeep')"
            """;
        Script(Fill);
        // What was freed is found by bulkfree, which the need for it starts; then the volume has its room again.
        Script("dd if=/dev/urandom of=again bs=64K count=100 status=none && sync -f . && md5sum again > sum && md5sum -c --quiet sum");
        Image.Unmount();
        Image.Mount();
        Script("md5sum -c --quiet sum && test \"$(cat keep/file)\" = kept");
        Image.Unmount();
    }

    [TestMethod]
    public void A_second_mount_comes_from_the_process_that_has_the_volume()
    {
        MountFor("64M");
        using var other = new TemporaryFolder();
        File.WriteAllText(Path.Combine(Target, "file"), "in both");
        var (code, text) = MountedImage.Command("mount", Image.ImagePath, other.Path);
        Assert.AreEqual(0, code, text);
        Assert.AreEqual("in both", File.ReadAllText(Path.Combine(other.Path, "file")));
        (code, text) = MountedImage.Command("umount", other.Path);
        Assert.AreEqual(0, code, text);
        Assert.AreEqual("in both", File.ReadAllText(Path.Combine(Target, "file")));
        Image.Unmount();
    }

    [TestMethod]
    public void A_second_mount_is_refused_and_says_by_whom()
    {
        MountFor("64M");
        Image.Unmount();
        Image.Mount("--no-control");
        using var other = new TemporaryFolder();
        foreach (var options in (string[][])[[], ["--read-only"]])
        {
            var (code, text) = MountedImage.Command(["mount", .. options, Image.ImagePath, other.Path]);
            Assert.AreEqual(3, code, text);
            Assert.Contains("hammer2", text);
            Assert.Contains("in use", text);
        }

        Image.Unmount();
    }

    [TestMethod]
    public void A_write_protected_image_can_be_read_and_not_changed()
    {
        MountFor("64M");
        Script("echo content > file");
        Image.Unmount();
        // Root may write what the mode forbids; a filesystem that is mounted read-only it may not.
        using var view = new TemporaryFolder();
        var folder = Path.GetDirectoryName(Image.ImagePath)!;
        if (Run("sh", "-c", "mount --bind \"$1\" \"$2\" && mount -o remount,bind,ro \"$2\"", "sh", folder, view.Path).Status != 0)
            Assert.Inconclusive("SKIPPED: no bind mounts here, so no image could be write-protected against root.");
        try
        {
            var (code, text) = MountedImage.Command("mount", "--background", "--read-write", view["test.img"], Target);
            Assert.AreEqual(3, code, text);
            (code, text) = MountedImage.Command("mount", "--background", view["test.img"], Target);
            Assert.AreEqual(0, code, text);
            Assert.Contains("write-protected", text);
            Script("test $(cat file) = content && ! echo more > file && ! rm file && ! mkdir d");
            Assert.AreEqual(0, MountedImage.Command("umount", Target).Code);
            Assert.IsTrue(Eventually(() => Run("umount", view.Path).Status == 0), "the image stays in use");
        }
        finally
        {
            _ = Run("umount", "-l", view.Path);
        }
    }

    [TestMethod]
    [DataRow("TERM")]
    [DataRow("INT")]
    public void A_signal_ends_the_mount_with_everything_written(string signal)
    {
        MountFor("64M");
        Script("mkdir d; i=0; while [ $i -lt 200 ]; do echo $i > d/$i; i=$((i + 1)); done; head -c 5000000 /dev/urandom > big; md5sum big > sum");
        Image.Signal(signal);
        Image.Mount();
        Script("md5sum -c --quiet sum && test $(ls d | wc -l) = 200 && test $(cat d/199) = 199");
        Image.Unmount();
    }

    private void InAndOut(string outside, string from, string back)
    {
        const string Make = """
            cd "$1" && mkdir from && cd from
            for d in a b c d/e/f; do
                mkdir -p $d; i=0
                while [ $i -lt 250 ]; do echo "$d $i" > $d/$i; i=$((i + 1)); done
                ln $d/1 $d/hard; ln -s 2 $d/soft; ln -s /nowhere $d/broken; mkfifo $d/fifo
            done
            head -c 3000000 /dev/urandom > big; truncate -s 50M sparse; printf x | dd of=sparse bs=1 seek=30000000 conv=notrunc status=none
            chmod 4750 a/3; chown 12:34 a/4; touch -d 2001-02-03T04:05:06.789 b; : > 'name with space'; : > "$(printf 'byte\377')"
            """;
        const string Compare = """
            test -z "$(rsync -aHS --delete --checksum --dry-run --itemize-changes "$1/" "$2/" | grep -v '^\.d\.\.t\.* \./$')"
            """;
        Tell(Make, outside);
        Tell("rsync -aHS --delete \"$1/\" \"$2/\"", from, Target);
        Tell(Compare, from, Target);
        Image.Unmount();
        Image.Mount();
        Tell(Compare, from, Target);
        Tell("rsync -aHS --delete \"$1/\" \"$2/\"", Target, back);
        Tell(Compare, from, back);
        Tell("test $(du -k \"$1/sparse\" | cut -f1) -lt 1000", Target);
        Tell("rm -rf \"$1/c\" \"$1/d\" && rm \"$1/a/1\" && rsync -aHS --delete \"$1/\" \"$2/\"", from, Target);
        Tell(Compare, from, Target);
        Image.Unmount();
    }

    private static void Tell(string script, params string[] arguments)
    {
        var (status, output) = Run("sh", ["-c", script, "sh", .. arguments]);
        Assert.AreEqual(0, status, $"{script}\n{output}");
    }
}
