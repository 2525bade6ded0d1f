// Programs made to break filesystems, in short: fio writes by every way the kernel has and reads back what it wrote; stress-ng
// mixes system calls that meet in the same directories and files, and verifies them. The process that serves the mount must
// stay small meanwhile, and the image clean.
// Layers: the hammer2 command as a process, under a real kernel.

namespace Hammer2.Tests.Kernel;

[TestClass]
public sealed class LoadTests : ProgramTestBase
{
    private const string FioJobs = """
        [global]
        verify=crc32c
        verify_fatal=1
        size=16m
        [sequential]
        stonewall
        rw=write
        bs=64k
        ioengine=psync
        [random]
        stonewall
        rw=randwrite
        bs=4k
        size=8m
        numjobs=3
        ioengine=psync
        [direct]
        stonewall
        rw=randwrite
        bs=16k
        direct=1
        ioengine=psync
        numjobs=2
        [mapped]
        stonewall
        rw=randwrite
        bs=4k
        size=8m
        ioengine=mmap
        [synced]
        stonewall
        rw=randwrite
        bs=8k
        size=2m
        fsync=16
        ioengine=psync
        numjobs=2
        [odd]
        stonewall
        rw=randrw
        bsrange=1k-96k
        bs_unaligned=1
        ioengine=psync
        numjobs=2
        """;

    [TestMethod]
    public void Fio_reads_back_what_it_wrote_by_every_way()
    {
        MountFor("1G", "fio");
        var jobs = Path.GetTempFileName();
        try
        {
            File.WriteAllText(jobs, FioJobs);
            var (status, output) = Run("fio", "--directory", Target, jobs);
            Assert.AreEqual(0, status, output + Image.Log);
        }
        finally
        {
            File.Delete(jobs);
        }

        Image.Unmount();
    }

    [TestMethod]
    [DataRow("iomix 2")]
    [DataRow("dentry 1", "rename 1", "link 1", "dirmany 1", "mknod 1", "symlink 1", "touch 1")]
    [DataRow("fpunch 1", "fallocate 1", "copy-file 1", "seek 1", "sync-file 1", "lockofd 1", "chmod 1", "utime 1")]
    [DataRow("chdir 2")]
    public void Stress_finds_nothing_wrong_and_the_mount_stays_small(params string[] stressors)
    {
        MountFor("2G", "stress-ng");
        string[] what = [.. stressors.SelectMany(stressor => ("--" + stressor).Split(' '))];
        var (status, output) = Run("stress-ng", [.. what, "--timeout", "4s", "--verify", "--temp-path", Target]);
        Assert.AreEqual(0, status, output + Image.Log);
        Image.Unmount();
    }
}
