// The example in the package's README is this class's code, letter by letter: it compiles because it is here, and it runs.
// Invariant: what stands between the two marks is what the page shows.

using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Cli;

namespace Hammer2.Tests.Packaging;

[TestClass]
public class PackageReadmeTests
{
    [TestMethod]
    public void The_example_of_the_package_runs()
    {
        using var folder = new TemporaryFolder();
        var said = new StringWriter();
        Example(Path.Combine(folder.Path, "example.img"), said);
        Assert.AreEqual("14", said.ToString().Trim());
    }

    [TestMethod]
    public void The_example_of_the_package_is_the_one_that_runs()
    {
        string page = File.ReadAllText(Path.Combine(Repository.Root, "Hammer2.Engine", "README.md"));
        string shown = page.Split("```csharp\n")[1].Split("```")[0];
        string source = File.ReadAllText(Path.Combine(Repository.Root, "Hammer2.Tests", "Packaging", "PackageReadmeTests.cs"));
        string run = source.Split("        // Example begins\n")[^1].Split("        // Example ends")[0];
        Assert.AreEqual(shown, string.Concat(run.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static line => line[8..] + "\n")));
        Assert.IsLessThanOrEqualTo(10, shown.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
    }

    private static void Example(string path, TextWriter Console)
    {
        // Example begins
        using (IBlockDevice image = FileBlockDevice.Create(path, 256 << 20))
            VolumeFormatter.Format([image]);
        using Hammer2Volume volume = Hammer2Volume.Open(path, new VolumeOptions { Writable = true });
        using PfsMount pfs = volume.OpenPfs("DATA");
        using Vnode root = pfs.OpenRoot();
        pfs.TryCreate(root, "hello.txt"u8, new NewInode { Type = ObjectType.File, Mode = 0x1A4 }, out Vnode? file);
        using Vnode hello = file!;
        hello.TryWrite(0, "Hello, HAMMER2"u8);
        volume.Sync();
        Console.WriteLine(hello.GetAttributes().Size);
        // Example ends
    }
}
