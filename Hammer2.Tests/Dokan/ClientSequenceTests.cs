// Sequences of real clients (section B) on a read-only volume: the answers and the final state, with one pulling thread,
// with four, and with a random order of events.

using DokanNet;
using Hammer2.Tests.SimulatedDriver;
using FileAccess = DokanNet.FileAccess;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class ClientSequenceTests
{
    private const FileAccess RA = FileAccess.ReadAttributes;
    private const FileAccess RD = FileAccess.ReadData;
    private const FileAccess RC = FileAccess.ReadPermissions;
    private const FileAccess SY = FileAccess.Synchronize;
    private const FileAccess GR = Win32Client.GenericRead;
    private const FileAccess GX = Win32Client.GenericExecute;

    private static DokanVolume Mount(int threads) =>
        DokanVolume.Mount("small-mixed", new SimulatorOptions { Threads = threads, Seed = threads });

    private static NtStatus Probe(DokanVolume volume, string name, FileAccess access = RA) =>
        volume.Try(name, CreateDisposition.Open, access);

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void B01_FirstContactOfTheShell(int threads)
    {
        using DokanVolume volume = Mount(threads);
        Parallel.For(0, threads, _ =>
        {
            SimulatedHandle root = volume.MustOpen("\\", SY);
            volume.Driver.QueryVolume(root);
            volume.Driver.QuerySpace(root);
            volume.Driver.CloseHandle(root);
        });
        foreach (string name in new[] { "\\autorun.inf", "\\AutoRun.inf", "\\desktop.ini", "\\$RECYCLE.BIN", "\\System Volume Information" })
            Assert.AreEqual(NtStatus.ObjectNameNotFound, Probe(volume, name), name);
        Assert.AreEqual(NtStatus.ObjectNameNotFound, Probe(volume, "\\autorun.inf", RD | RC | SY));
        Assert.AreEqual(NtStatus.ObjectPathNotFound, Probe(volume, "\\System Volume Information\\IndexerVolumeGuid"));
        Assert.AreEqual(Statuses.MediaWriteProtected, volume.Try("\\System Volume Information", CreateDisposition.Create, RD, directory: true));
        SimulatedHandle watched = volume.MustOpen("\\", RD | SY);
        Assert.IsTrue(watched.IsDirectory);
        Assert.AreEqual(NtStatus.Success, Probe(volume, "\\many"));
        volume.Driver.CloseHandle(watched);
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void B02_Dir(int threads)
    {
        using DokanVolume volume = Mount(threads);
        SimulatedHandle root = volume.MustOpen("\\", RA | SY);
        Assert.AreNotEqual(0u, volume.Driver.QueryVolume(root).Serial);
        volume.Driver.CloseHandle(root);
        Assert.AreEqual(0, volume.Client.GetFileAttributes("\\many", out ByHandleFileInformation information));
        Assert.AreEqual(FileAttributes.Directory, information.Attributes);
        List<FindFileInformation> entries = volume.Client.FindAll("\\many", "*.*", out int error);
        Assert.AreEqual(0, error);
        Assert.HasCount(122, entries);
        Assert.AreEqual(". ..", $"{entries[0].FileName} {entries[1].FileName}");
        volume.Driver.QuerySpace();
        Assert.IsEmpty(volume.Client.FindAll("\\", "nofile.txt", out error));
        Assert.AreEqual(2, error, "File not found");
        volume.Client.FindAll("\\nothing", "*", out error);
        Assert.AreEqual(2, error);
        volume.Client.FindAll("\\modes\\m0644", "*", out error);
        Assert.AreEqual(267, error, "a file is no directory");
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void B03_ExplorerOpensAFolder(int threads)
    {
        using DokanVolume volume = Mount(threads);
        for (int i = 0; i < 3; i++)
            Assert.AreEqual(0, volume.Client.GetFileAttributes("\\many", out _));
        SimulatedHandle watched = volume.MustOpen("\\many", RD | SY);
        List<FindFileInformation> entries = volume.Client.FindAll("\\many", "*", out _);
        Assert.AreEqual(NtStatus.ObjectNameNotFound, Probe(volume, "\\many\\desktop.ini", GR));
        Parallel.ForEach(entries.Skip(2).Take(20), entry =>
        {
            string path = "\\many\\" + entry.FileName;
            SimulatedHandle file = volume.MustOpen(path, GR | GX);
            Assert.AreEqual(NtStatus.Success, volume.Driver.QueryInformation(file, out ByHandleFileInformation information));
            Assert.AreEqual(entry.Attributes, information.Attributes, "else Explorer refreshes in a loop");
            volume.Driver.MapSection(file);
            NtStatus status = volume.Driver.Read(file, 0, new byte[4096], out int read, paging: true);
            Assert.AreEqual(information.Length == 0 ? NtStatus.EndOfFile : NtStatus.Success, status);
            Assert.AreEqual(Math.Min(4096, information.Length), read);
            volume.Driver.CloseHandle(file);
            volume.Driver.UnmapSection(file);
        });
        Assert.AreEqual(NtStatus.ObjectNameNotFound, Probe(volume, "\\many\\Thumbs.db"));
        SimulatedHandle properties = volume.MustOpen("\\many\\amber-106.c", RC | RA);
        Assert.AreEqual(NtStatus.BufferOverflow, volume.Driver.QuerySecurity(properties, System.Security.AccessControl.AccessControlSections.All, 16, out _, out _));
        volume.Driver.QueryVolume(properties);
        volume.Driver.CloseHandle(properties);
        volume.Driver.CloseHandle(watched);
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void B05_CopyOffTheDrive(int threads)
    {
        using DokanVolume volume = Mount(threads);
        List<string> names = volume.Client.Names("\\sizes");
        Assert.IsGreaterThan(10, names.Count);
        Parallel.ForEach(names, name =>
        {
            byte[] whole = volume.Client.ReadAll("\\sizes\\" + name);
            CollectionAssert.AreEqual(whole, volume.Client.ReadAll("\\sizes\\" + name, 4099), name);
            Assert.AreEqual(NtStatus.InvalidParameter, Probe(volume, $"\\sizes\\{name}:Zone.Identifier"), "streams stay in the driver");
        });
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void B17_AProgramRunsFromTheDrive(int threads)
    {
        using DokanVolume volume = Mount(threads);
        const string Program = "\\large\\grove.dat";
        byte[] expected = volume.Client.ReadAll(Program);
        SimulatedHandle image = volume.MustOpen(Program, GX | RD | RA | SY);
        Assert.AreEqual(NtStatus.Success, volume.Driver.QueryInformation(image, out ByHandleFileInformation information));
        volume.Driver.MapSection(image);
        volume.Driver.QueryVolume(image);
        foreach (string beside in new[] { ".manifest", ".config" })
            Assert.AreEqual(NtStatus.ObjectNameNotFound, Probe(volume, Program + beside));
        volume.Driver.CloseHandle(image);
        Parallel.For(0, 50, i =>
        {
            var page = new byte[4096];
            long offset = i * 65536L % (information.Length & ~4095L);
            Assert.AreEqual(NtStatus.Success, volume.Driver.Read(image, offset, page, out int read, paging: true));
            Assert.IsTrue(page.AsSpan(0, read).SequenceEqual(expected.AsSpan((int)offset, read)));
        });
        Assert.AreEqual(19, volume.Client.DeleteFile(Program), "write-protected");
        volume.Driver.UnmapSection(image);
        Assert.AreEqual(0, volume.Adapter.OpenCount);
    }

    [TestMethod]
    public void R07_ManyClientsAtOnceSeeTheSameVolume()
    {
        int seed = Environment.TickCount;
        Console.WriteLine($"seed {seed}");
        using DokanVolume volume = DokanVolume.Mount("small-mixed", new SimulatorOptions { Threads = 8, Seed = seed });
        string[] directories = ["\\", "\\many", "\\sizes", "\\modes", "\\links", "\\hard", "\\special", "\\times"];
        Dictionary<string, string> model = directories.ToDictionary(name => name, name => string.Join('|', volume.Client.Names(name)));
        byte[] content = volume.Client.ReadAll("\\large\\heron.dat");
        Parallel.For(0, 8, worker =>
        {
            var random = new Random(seed + worker);
            for (int i = 0; i < 40; i++)
            {
                string directory = directories[random.Next(directories.Length)];
                Assert.AreEqual(model[directory], string.Join('|', volume.Client.Names(directory)), $"seed {seed}");
                SimulatedHandle file = volume.MustOpen("\\large\\heron.dat", GR);
                var buffer = new byte[random.Next(1, 200_000)];
                long offset = random.NextInt64(content.Length);
                volume.Driver.Read(file, offset, buffer, out int read, paging: random.Next(2) == 0);
                Assert.IsTrue(buffer.AsSpan(0, read).SequenceEqual(content.AsSpan((int)offset, read)), $"seed {seed}");
                volume.Driver.CloseHandle(file);
                volume.Driver.QuerySpace();
            }
        });
    }
}
