// One medium, two systems: what programs did on the Windows drive is what a Linux mount shows, and the other way round.
// Layers: everything under a real kernel and the simulated driver.

using Hammer2.Engine.Devices;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Volumes;
using Hammer2.Fuse;
using Hammer2.Tests.Fuse;
using Hammer2.Tests.Hostile;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class LinuxMountTests : KernelTestBase
{
    [TestMethod]
    public void R14_LinuxShowsWhatProgramsDidOnTheDrive()
    {
        int seed = HammerSeed.Get();
        MemoryBlockDevice memory = DokanVolume.Fresh();
        NtfsModel model;
        using (DokanVolume v = DokanVolume.OnDevice(memory, threads: 0))
        {
            v.MakeDirectory(@"\home");
            var client = new RandomClient(v, @"\home", seed);
            model = client.Model;
            while (client.Steps < 20_000)
                client.Step();
            client.CloseAll();
        }

        LinuxView.Run([memory], DokanVolume.FreshLabel, target => ModelComparison.OnSystem(target + "/home", model));
        Open(model, model.Root.Children.Values.First());
        Assert.ThrowsExactly<AssertFailedException>(
            () => LinuxView.Run([memory], DokanVolume.FreshLabel, target => ModelComparison.OnSystem(target + "/home", model)), "and a difference is noticed");

        static void Open(NtfsModel model, ModelNode node) => model.Root.Children.Remove(node.Name);
    }

    [TestMethod]
    public void R14_TheDriveShowsWhatLinuxWrote()
    {
        MemoryBlockDevice memory = DokanVolume.Fresh();
        byte[] data = DokanVolume.Noise(200_000, 5);
        using (Hammer2Volume volume = Hammer2Volume.Open([memory], DokanVolume.WritingOptions))
        using (PfsMount pfs = volume.OpenPfs(DokanVolume.FreshLabel))
        using (FuseMount.Mount(pfs, Target))
        {
            Directory.CreateDirectory($"{Target}/d");
            File.WriteAllBytes($"{Target}/d/a:b", data);
            File.WriteAllText($"{Target}/Makefile", "upper");
            File.WriteAllText($"{Target}/makefile", "lower");
            File.CreateSymbolicLink($"{Target}/link", "d/a:b");
            File.SetUnixFileMode($"{Target}/d/a:b", UnixFileMode.UserRead);
        }

        using DokanVolume v = DokanVolume.OnDevice(memory);
        CollectionAssert.AreEqual(data, v.Client.ReadAll("\\d\\a\uF03Ab"));
        CollectionAssert.AreEqual(data, v.Client.ReadAll(@"\link"));
        Assert.IsTrue((v.I("\\d\\a\uF03Ab").Attributes & FileAttributes.ReadOnly) != 0);
        Assert.HasCount(4, v.Client.Names(@"\"));
        CollectionAssert.AreEqual("upper"u8.ToArray(), v.Client.ReadAll(@"\Makefile"));
    }
}
