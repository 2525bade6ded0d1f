// Image files as devices: what writing does when it works and when it does not, and who may have a file open
// together. Other processes are real ones; block devices and full disks are met through loop devices and a small
// memory file system where the test may make them.

using System.Diagnostics;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Cli;
using Hammer2.Tests.Images;

namespace Hammer2.Tests.Devices;

[TestClass]
public sealed class FileBlockDeviceTests : IDisposable
{
    private const int ImageBytes = 1 << 20;
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string NewImage(string name = "image.img")
    {
        using IBlockDevice device = FileBlockDevice.Create(_folder[name], ImageBytes);
        return _folder[name];
    }

    private static Hammer2Exception Refused(Hammer2Error error, Action action)
    {
        Hammer2Exception e = Assert.ThrowsExactly<Hammer2Exception>(action);
        Assert.AreEqual(error, e.Error, e.Message);
        Assert.DoesNotContain("\n", e.Message);
        return e;
    }

    private static void OnlyOnLinux()
    {
        if (!OperatingSystem.IsLinux())
            Assert.Inconclusive("needs the locks and tools of Linux");
    }

    private static int Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode;
    }

    [TestMethod]
    public void WrittenBytesAreThereAfterReopening()
    {
        string path = NewImage();
        byte[] data = [.. Enumerable.Range(0, 3000).Select(i => (byte)(i * 7 + 1))];
        using (IBlockDevice device = FileBlockDevice.Open(path, writable: true))
        {
            device.Write(12345, data);
            device.Flush();
        }

        using IBlockDevice again = FileBlockDevice.Open(path);
        byte[] read = new byte[3002];
        again.Read(12344, read);
        CollectionAssert.AreEqual((byte[])[0, .. data, 0], read);
        Assert.AreEqual(ImageBytes, new FileInfo(path).Length, "the file has its length still");
    }

    [TestMethod]
    public void WritesBesideTheDeviceAreRefused()
    {
        using IBlockDevice device = FileBlockDevice.Open(NewImage(), writable: true);
        Refused(Hammer2Error.Io, () => device.Write(ImageBytes - 1, new byte[2]));
        Refused(Hammer2Error.Io, () => device.Write(-1, new byte[1]));
        device.Write(ImageBytes - 1, new byte[1]);
    }

    [TestMethod]
    public void ReadersCannotWrite()
    {
        using IBlockDevice device = FileBlockDevice.Open(NewImage());
        Refused(Hammer2Error.ReadOnly, () => device.Write(0, new byte[1]));
        device.Flush();
    }

    [TestMethod]
    public void NothingIsWrittenAfterAFlushFailed()
    {
        string path = NewImage();
        bool fails = true;
        using IBlockDevice device = FileBlockDevice.Open(path, writable: true, ignoreInUse: false, handle =>
        {
            if (fails)
                throw new IOException("the medium is gone");
            RandomAccess.FlushToDisk(handle);
        });
        device.Write(0, [1]);
        StringAssert.Contains(Refused(Hammer2Error.Io, device.Flush).Message, "the medium is gone", StringComparison.Ordinal);
        fails = false;
        StringAssert.Contains(Refused(Hammer2Error.Io, device.Flush).Message, "open it again", StringComparison.Ordinal);
        Refused(Hammer2Error.Io, () => device.Write(0, [2]));
        byte[] read = new byte[1];
        device.Read(0, read);
        Assert.AreEqual(1, read[0], "reading goes on");
    }

    [TestMethod]
    public void FullDiskUnderASparseImageIsAClearError()
    {
        OnlyOnLinux();
        string mount = _folder["full"];
        Directory.CreateDirectory(mount);
        if (Run("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", mount) != 0)
            Assert.Inconclusive("may not mount a small file system here");
        try
        {
            using IBlockDevice device = FileBlockDevice.Create(Path.Combine(mount, "sparse.img"), ImageBytes);
            Hammer2Exception e = Refused(Hammer2Error.Io, () =>
            {
                for (int at = 0; at < ImageBytes; at += 65536)
                    device.Write(at, new byte[65536]);
            });
            StringAssert.Contains(e.Message, "no space is left", StringComparison.Ordinal);
        }
        finally
        {
            Assert.AreEqual(0, Run("umount", mount));
        }
    }

    [TestMethod]
    public void TwoReadersAreFineTwoWritersAreNot()
    {
        string path = NewImage();
        using (FileBlockDevice.Open(path))
        using (FileBlockDevice.Open(path))
        {
            StringAssert.Contains(Refused(Hammer2Error.InUse, () => FileBlockDevice.Open(path, writable: true)).Message, path, StringComparison.Ordinal);
        }

        using (FileBlockDevice.Open(path, writable: true))
        {
            string message = Refused(Hammer2Error.InUse, () => FileBlockDevice.Open(path, writable: true)).Message;
            if (OperatingSystem.IsLinux())
                StringAssert.Contains(message, "this process", StringComparison.Ordinal);
            Refused(Hammer2Error.InUse, () => FileBlockDevice.Open(path));
            Refused(Hammer2Error.InUse, () => FileBlockDevice.Open(path, writable: true, ignoreInUse: true));
            FileBlockDevice.Open(path, ignoreInUse: true).Dispose();
        }

        // What was let go is free again, also after the reader that ignored everybody.
        FileBlockDevice.Open(path, writable: true).Dispose();
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void ImageInUseByAnotherProcessIsRefusedAndSaysByWhom(bool otherWrites)
    {
        OnlyOnLinux();
        string path = NewImage();
        using var other = new Process
        {
            StartInfo = new ProcessStartInfo("flock", [otherWrites ? "--exclusive" : "--shared", "--no-fork", path, "sh", "-c", "echo ready; cat"])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
            },
        };
        try
        {
            other.Start();
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Inconclusive("the program flock is not installed");
        }

        Assert.AreEqual("ready", other.StandardOutput.ReadLine());
        string message = Refused(Hammer2Error.InUse, () => FileBlockDevice.Open(path, writable: true)).Message;
        StringAssert.Contains(message, $"process {other.Id} (", StringComparison.Ordinal);
        if (otherWrites)
            Refused(Hammer2Error.InUse, () => FileBlockDevice.Open(path));
        else
            FileBlockDevice.Open(path).Dispose();
        other.StandardInput.Close();
        other.WaitForExit();
        FileBlockDevice.Open(path, writable: true).Dispose();
    }

    [TestMethod]
    public void BlockDevicesAreClaimedFromTheSystem()
    {
        OnlyOnLinux();
        string path = NewImage();
        if (!TryLoop(path, out string loop))
            Assert.Inconclusive("may not make a loop device here");
        try
        {
            using (IBlockDevice device = FileBlockDevice.Open(loop, writable: true))
            {
                Assert.AreEqual(ImageBytes, device.Length);
                device.Write(4095, [1, 2]);
                device.Flush();
                Refused(Hammer2Error.InUse, () => FileBlockDevice.Open(loop, writable: true));
                Refused(Hammer2Error.InUse, () => FileBlockDevice.Open(loop));
            }

            StringAssert.Contains(Refused(Hammer2Error.InUse, () => FileBlockDevice.Open(path, writable: true)).Message, loop, StringComparison.Ordinal);
            FileBlockDevice.Open(path).Dispose();

            using IBlockDevice first = FileBlockDevice.Open(loop);
            using IBlockDevice second = FileBlockDevice.Open(loop);
            byte[] read = new byte[2];
            second.Read(4095, read);
            CollectionAssert.AreEqual(new byte[] { 1, 2 }, read);
        }
        finally
        {
            Run("losetup", "-d", loop);
        }

        FileBlockDevice.Open(path, writable: true).Dispose();
    }

    [TestMethod]
    public void MountedBlockDevicesAreRefused()
    {
        OnlyOnLinux();
        string path = _folder["fs.img"], mount = _folder["mnt"];
        FileBlockDevice.Create(path, 4 << 20).Dispose();
        Directory.CreateDirectory(mount);
        if (!TryRun("mkfs.ext4", "-q", "-F", path) || !TryLoop(path, out string loop))
        {
            Assert.Inconclusive("may not make a file system on a loop device here");
            return;
        }

        try
        {
            if (!TryRun("mount", loop, mount))
                Assert.Inconclusive("may not mount here");
            StringAssert.Contains(Refused(Hammer2Error.InUse, () => FileBlockDevice.Open(loop, writable: true)).Message, mount, StringComparison.Ordinal);
            Refused(Hammer2Error.InUse, () => FileBlockDevice.Open(loop));
            FileBlockDevice.Open(loop, ignoreInUse: true).Dispose();
            Run("umount", mount);
            FileBlockDevice.Open(loop, writable: true).Dispose();
        }
        finally
        {
            Run("umount", mount);
            Run("losetup", "-d", loop);
        }
    }

    [TestMethod]
    public void OddPathsAreClearErrors()
    {
        StringAssert.Contains(Refused(Hammer2Error.Io, () => FileBlockDevice.Open(_folder["absent"], writable: true)).Message, "does not exist", StringComparison.Ordinal);
        StringAssert.Contains(Refused(Hammer2Error.Io, () => FileBlockDevice.Open(_folder.Path, writable: true)).Message, "directory", StringComparison.Ordinal);
        string path = NewImage();
        Refused(Hammer2Error.Io, () => FileBlockDevice.Create(path, 1));
        Assert.AreEqual(ImageBytes, new FileInfo(path).Length, "what exists is not touched");
        Refused(Hammer2Error.Io, () => FileBlockDevice.Create(Path.Combine(_folder["absent"], "x"), 1));
        if (OperatingSystem.IsLinux())
            StringAssert.Contains(Refused(Hammer2Error.Io, () => FileBlockDevice.Open("/dev/null")).Message, "neither", StringComparison.Ordinal);
    }

    [TestMethod]
    public void WriteProtectedFilesAreReadOnlyErrors()
    {
        OnlyOnLinux();
        string mount = _folder["protected"];
        Directory.CreateDirectory(mount);
        if (Run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", mount) != 0)
            Assert.Inconclusive("may not mount here");
        try
        {
            string path = Path.Combine(mount, "image.img");
            FileBlockDevice.Create(path, ImageBytes).Dispose();
            Run("mount", "-o", "remount,ro", mount);
            StringAssert.Contains(Refused(Hammer2Error.ReadOnly, () => FileBlockDevice.Open(path, writable: true)).Message, "read-only", StringComparison.Ordinal);
            FileBlockDevice.Open(path).Dispose();
        }
        finally
        {
            Assert.AreEqual(0, Run("umount", mount));
        }
    }

    [TestMethod]
    public void OpenerPassesOnWhatIsAskedFor()
    {
        string path = GoldenImages.Get("empty-tiny").UnpackTo(_folder.Path)[0];
        using (IBlockDevice device = DeviceOpener.Open(path, null, writable: true))
        {
            device.Write(device.Length - 1, [1]);
            Refused(Hammer2Error.InUse, () => DeviceOpener.Open(path));
            DeviceOpener.Open(path, null, writable: false, ignoreInUse: true).Dispose();
        }

        using IBlockDevice reader = DeviceOpener.Open(path);
        Refused(Hammer2Error.ReadOnly, () => reader.Write(0, [1]));
    }

    private static bool TryRun(string program, params string[] arguments)
    {
        try
        {
            return Run(program, arguments) == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            // The program is not there; the caller says so.
            return false;
        }
    }

    private static bool TryLoop(string path, out string loop)
    {
        loop = "";
        try
        {
            using Process process = Process.Start(new ProcessStartInfo("losetup", ["--find", "--show", path])
            { RedirectStandardOutput = true, RedirectStandardError = true })!;
            loop = process.StandardOutput.ReadToEnd().Trim();
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            // The program is not there; the caller says so.
            return false;
        }
    }

    [TestMethod]
    public void WhoHoldsAFileForAMomentOnlyIsWaitedFor()
    {
        string path = Path.GetTempFileName();
        try
        {
            var first = FileBlockDevice.Open(path, writable: true);
            // A thread of its own: the pool's may all be busy with other tests for longer than anybody waits here.
            using var never = new ManualResetEventSlim();
            var leaving = new Thread(() =>
            {
                never.Wait(50);
                first.Dispose();
            });
            leaving.Start();
            using (FileBlockDevice.Open(path, writable: true))
                Assert.IsTrue(leaving.Join(TimeSpan.FromSeconds(10)));
        }
        finally
        {
            File.Delete(path);
        }
    }
}
