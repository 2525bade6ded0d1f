// Reading, attributes and volume queries on a read-only volume: sections J.2 and J.5 as far as they apply.
// What is expected comes from the manifests of the golden images.

using System.Security.AccessControl;
using System.Security.Cryptography;
using System.Text.Json;
using DokanNet;
using Hammer2.Tests.Images;
using Hammer2.Tests.SimulatedDriver;
using FileAccess = DokanNet.FileAccess;

namespace Hammer2.Tests.Dokan;

[TestClass]
public sealed class ReadTests
{
    private const FileAccess RA = FileAccess.ReadAttributes;
    private const FileAccess GR = Win32Client.GenericRead;
    private const string Large = "\\large\\heron.dat";

    private static JsonElement Entry(
        string image, string path) => GoldenImages.Get(image).Manifest.GetProperty("entries").EnumerateArray()
        .First(entry => entry.TryGetProperty("path", out JsonElement p) && p.GetString() == path);

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void W02_ReadingBeyondTheEnd(int threads)
    {
        using DokanVolume volume = DokanVolume.Mount("small-mixed", new SimulatorOptions { Threads = threads });
        SimulatedHandle handle = volume.MustOpen("\\hard\\one", GR);
        var buffer = new byte[100];
        Assert.AreEqual(NtStatus.EndOfFile, volume.Driver.Read(handle, 3000, buffer, out int read));
        Assert.AreEqual(0, read);
        Assert.AreEqual(NtStatus.EndOfFile, volume.Driver.Read(handle, long.MaxValue - 50, buffer, out _));
        Assert.AreEqual(NtStatus.EndOfFile, volume.Driver.Read(handle, 1L << 62, buffer, out _));
        Assert.AreEqual(NtStatus.Success, volume.Driver.Read(handle, 2950, buffer, out read));
        Assert.AreEqual(50, read, "a buffer that reaches beyond the end gets what exists");
        Assert.AreEqual(NtStatus.InvalidParameter, volume.Driver.Read(handle, -1, buffer, out _));
        volume.Driver.CloseHandle(handle);
    }

    [TestMethod]
    public void W18_ADamagedBlockIsACrcErrorAndItsNeighboursRead()
    {
        using DokanVolume volume = DokanVolume.Mount("dmg-data");
        using DokanVolume whole = DokanVolume.Mount("damage-base");
        byte[] expected = whole.Client.ReadAll("\\large\\stone.dat");
        SimulatedHandle handle = volume.MustOpen("\\large\\stone.dat", GR);
        var block = new byte[65536];
        for (long offset = 0; offset < expected.Length; offset += block.Length)
        {
            NtStatus status = volume.Driver.Read(handle, offset, block, out int read);
            if (offset == 327680)
            {
                Assert.AreEqual(NtStatus.CrcError, status);
                Assert.AreEqual(0, read);
                continue;
            }

            Assert.AreEqual(NtStatus.Success, status);
            Assert.IsTrue(block.AsSpan(0, read).SequenceEqual(expected.AsSpan((int)offset, read)), $"at {offset}");
        }

        Assert.AreEqual(NtStatus.CrcError, volume.Driver.Read(handle, 0, new byte[1 << 20], out _), "a read that touches it");
        Assert.AreEqual(NtStatus.CrcError, volume.Driver.Read(handle, 327680 + 100, new byte[1], out _));
        volume.Driver.CloseHandle(handle);
        Assert.IsTrue(volume.Log.Lines.Any(line => line.Contains("ReadFile of \\large\\stone.dat", StringComparison.Ordinal)), "the log names the file");
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void W19_AnySizeAndOffsetGivesTheSameBytes(int threads)
    {
        using DokanVolume volume = DokanVolume.Mount("small-mixed", new SimulatorOptions { Threads = threads });
        byte[] expected = volume.Client.ReadAll(Large, 3 << 20);
        Assert.AreEqual(Entry("small-mixed", "/large/heron.dat").GetProperty("sha256").GetString(), Convert.ToHexStringLower(SHA256.HashData(expected)));
        CollectionAssert.AreEqual(expected, volume.Client.ReadAll(Large, 70_001));
        int seed = Environment.TickCount;
        Console.WriteLine($"seed {seed}");
        SimulatedHandle handle = volume.MustOpen(Large, GR);
        Parallel.For(0, threads, worker =>
        {
            var random = new Random(seed + worker);
            for (int i = 0; i < 100; i++)
            {
                var buffer = new byte[random.Next(3) switch { 0 => 1, 1 => random.Next(1, 5000), _ => random.Next(1, 3 << 20) }];
                long offset = random.NextInt64(expected.Length);
                Assert.AreEqual(NtStatus.Success, volume.Driver.Read(handle, offset, buffer, out int read));
                Assert.AreEqual(Math.Min(buffer.Length, expected.Length - offset), read, $"seed {seed}");
                Assert.IsTrue(buffer.AsSpan(0, read).SequenceEqual(expected.AsSpan((int)offset, read)), $"seed {seed}: {read} bytes at {offset}");
            }
        });
        volume.Driver.CloseHandle(handle);
    }

    [TestMethod]
    public void W22_PagingReadsNeedNoReadRightAndGoOnAfterCleanup()
    {
        using DokanVolume volume = DokanVolume.Mount("small-mixed");
        byte[] expected = volume.Client.ReadAll("\\hard\\one");
        SimulatedHandle handle = volume.MustOpen("\\hard\\one", FileAccess.Execute | RA | FileAccess.Synchronize);
        volume.Driver.MapSection(handle);
        var page = new byte[4096];
        Assert.AreEqual(NtStatus.Success, volume.Driver.Read(handle, 0, page, out int read, paging: true));
        Assert.AreEqual(3000, read);
        volume.Driver.CloseHandle(handle);
        Assert.AreEqual(1, volume.Adapter.OpenCount, "the mapped section keeps the open alive");
        page.AsSpan().Fill(0xEE);
        Assert.AreEqual(NtStatus.Success, volume.Driver.Read(handle, 0, page, out read, paging: true));
        Assert.IsTrue(page.AsSpan(0, read).SequenceEqual(expected));
        Assert.IsFalse(page.AsSpan(read).ContainsAnyExcept((byte)0), "the rest of the page is zero");
        Assert.AreEqual(NtStatus.Success, volume.Driver.QueryInformation(handle, out ByHandleFileInformation information));
        Assert.AreEqual(3000, information.Length);
        volume.Driver.UnmapSection(handle);
        Assert.AreEqual(0, volume.Adapter.OpenCount);
    }

    [TestMethod]
    [DataRow("\\modes\\m0644", FileAttributes.Archive, 4)]
    [DataRow("\\modes\\m0444", FileAttributes.Archive | FileAttributes.ReadOnly, 4)]
    [DataRow("\\modes\\m0000", FileAttributes.Archive | FileAttributes.ReadOnly, 2)]
    [DataRow("\\modes\\d0500", FileAttributes.Directory, 0)]
    [DataRow("\\special\\fifo", FileAttributes.System, 0)]
    [DataRow("\\special\\socket", FileAttributes.System, 0)]
    [DataRow("\\special\\disk", FileAttributes.System, 0)]
    [DataRow("\\links\\rel", FileAttributes.Archive, 19)]
    [DataRow("\\links\\dangling", FileAttributes.Normal, 19)]
    [DataRow("\\links\\dir", FileAttributes.Normal, 7)]
    [DataRow("\\", FileAttributes.Directory, 0)]
    public void L08_AttributesOfEachKind(string path, FileAttributes attributes, long length)
    {
        using DokanVolume volume = DokanVolume.Mount("small-mixed");
        Assert.AreEqual(0, volume.Client.GetFileAttributes(path, out ByHandleFileInformation information));
        Assert.AreEqual(attributes, information.Attributes);
        Assert.AreEqual(length, information.Length);
    }

    [TestMethod]
    public void L09_LinksShareTheirIndex()
    {
        using DokanVolume volume = DokanVolume.Mount("small-mixed");
        volume.Client.GetFileAttributes("\\hard\\one", out ByHandleFileInformation one);
        volume.Client.GetFileAttributes("\\hard\\one-again", out ByHandleFileInformation again);
        volume.Client.GetFileAttributes("\\hard\\two", out ByHandleFileInformation two);
        Assert.AreEqual(one.FileIndex, again.FileIndex);
        Assert.AreNotEqual(one.FileIndex, two.FileIndex);
        Assert.AreEqual(2, one.NumberOfLinks);
        volume.Client.GetFileAttributes("\\hard\\sub", out ByHandleFileInformation directory);
        Assert.AreEqual(1, directory.NumberOfLinks);
    }

    [TestMethod]
    [DataRow("1601", "1601-01-01T00:00:00.0000000Z")]
    [DataRow("1900", null)]
    [DataRow("1969-minus-1us", "1969-12-31T23:59:59.9999990Z")]
    [DataRow("1970-1us", "1970-01-01T00:00:00.0000010Z")]
    [DataRow("2106-next", null)]
    [DataRow("2500", null)]
    [DataRow("frac", null)]
    public void L24_TimesFarAwayAreExact(string name, string? expected)
    {
        using DokanVolume volume = DokanVolume.Mount("small-mixed");
        Assert.AreEqual(0, volume.Client.GetFileAttributes("\\times\\" + name, out ByHandleFileInformation information));
        long microseconds = Entry("small-mixed", "/times/" + name).GetProperty("mtime_us").GetInt64();
        DateTime stated = DateTime.UnixEpoch.AddTicks(microseconds * 10);
        Assert.AreEqual(stated < DateTime.FromFileTimeUtc(0) ? DateTime.FromFileTimeUtc(0) : stated, information.LastWriteTime);
        if (expected is not null)
            Assert.AreEqual(expected, information.LastWriteTime!.Value.ToString("O"));
    }

    [TestMethod]
    public void L16_L18_TheVolumeDescribesItselfBeforeMountingAndWithoutAHandle()
    {
        VolumeReport? early = null;
        using DokanVolume volume = DokanVolume.Mount("small-mixed", beforeMounted: unmounted =>
        {
            early = unmounted.Driver.QueryVolume();
            Assert.IsGreaterThan(0L, unmounted.Driver.QuerySpace().Total);
            Assert.AreEqual(0, unmounted.Client.GetFileAttributes("\\", out _));
        });
        VolumeReport report = volume.Driver.QueryVolume();
        Assert.AreEqual(report, early);
        Assert.AreEqual("NTFS", report.FileSystem);
        Assert.AreEqual("DATA (HAMMER2)", report.Label);
        Assert.AreEqual(255u, report.ComponentMax);
        Assert.AreEqual((FileSystemFeatures)0x8000E, report.Features);
        using DokanVolume again = DokanVolume.Mount("small-mixed");
        Assert.AreEqual(report.Serial, again.Driver.QueryVolume().Serial, "the serial number is the same at every mount");
        using DokanVolume other = DokanVolume.Mount("names");
        Assert.AreNotEqual(report.Serial, other.Driver.QueryVolume().Serial);
        using DokanVolume named = DokanVolume.Mount("names", options: new Hammer2.Dokan.DokanMountOptions { FileSystemName = "HAMMER2", VolumeLabel = new string('x', 100) });
        Assert.AreEqual("HAMMER2", named.Driver.QueryVolume().FileSystem);
        Assert.AreEqual(32, named.Driver.QueryVolume().Label.Length);
    }

    [TestMethod]
    public void L17_SpaceIsOrderedAndNeverFails()
    {
        using DokanVolume volume = DokanVolume.Mount("small-mixed");
        Parallel.For(0, 50, _ => Assert.IsGreaterThan(0L, volume.Driver.QuerySpace().Total));
        SpaceReport before = volume.Driver.QuerySpace();
        foreach (FaultDevice device in volume.Devices)
            device.Remove();
        Assert.AreEqual(before, volume.Driver.QuerySpace(), "also when the device is gone");
        Assert.AreEqual(before.Total, volume.Pfs.GetStatistics().TotalBytes & ~4095L);
    }

    [TestMethod]
    public void L19_SecurityIsCompleteWhateverIsAsked()
    {
        using DokanVolume volume = DokanVolume.Mount("small-mixed");
        foreach (string path in new[] { "\\many", "\\modes\\m0000", "\\special\\fifo", "\\links\\dangling" })
        {
            SimulatedHandle handle = volume.MustOpen(path, RA | FileAccess.ReadPermissions);
            byte[]? first = null;
            foreach (AccessControlSections sections in new[] { AccessControlSections.All, AccessControlSections.Owner, AccessControlSections.Group, AccessControlSections.Access, AccessControlSections.Audit })
            {
                Assert.AreEqual(NtStatus.BufferOverflow, volume.Driver.QuerySecurity(handle, sections, 0, out _, out int needed));
                Assert.AreEqual(NtStatus.Success, volume.Driver.QuerySecurity(handle, sections, needed, out byte[] descriptor, out _));
                SecurityDescriptorTests.Parsed parsed = SecurityDescriptorTests.Parse(descriptor);
                Assert.AreEqual(DokanVolume.UserSid, parsed.Owner);
                Assert.AreEqual(handle.IsDirectory ? 3 : 0, parsed.Dacl[0].Flags);
                first ??= descriptor;
                CollectionAssert.AreEqual(first, descriptor);
            }

            volume.Driver.CloseHandle(handle);
        }
    }

    [TestMethod]
    public void L23_StreamsAreNotOffered()
    {
        using DokanVolume volume = DokanVolume.Mount("small-mixed");
        RawFileInfo raw = default;
        NtStatus status = volume.Adapter.FindStreams(default, out IEnumerable<FindFileInformation> streams, ref RawFileInfo.AsInfo(ref raw));
        Assert.AreEqual(NtStatus.NotImplemented, status);
        Assert.IsFalse(streams.Any());
    }

    [TestMethod]
    public void R10_HotCallbacksAllocateNothing()
    {
        using DokanVolume volume = DokanVolume.Mount("small-mixed");
        SimulatedHandle handle = volume.MustOpen(Large, GR);
        using var memory = new GuardedMemory(65536, volume.Driver.Faults);
        using GuardedMemory name = GuardedMemory.OfText(Large, volume.Driver.Faults);
        long allocated = Allocations.Least(() =>
        {
            for (int i = 0; i < 500; i++)
                ReadAndAsk(volume, handle, name, memory, i);
        });
        Assert.AreEqual(0L, allocated, "bytes allocated by 500 reads and 500 queries");
        volume.Driver.CloseHandle(handle);
    }

    private static void ReadAndAsk(
        DokanVolume volume, SimulatedHandle handle, GuardedMemory name, GuardedMemory memory, int round)
    {
        var raw = new RawFileInfo { Context = handle.Context };
        ref DokanFileInfo info = ref RawFileInfo.AsInfo(ref raw);
        NtStatus status = volume.Adapter.ReadFile(name.Text, memory.Buffer, out int read, round % 80 * 65536L, ref info);
        if (status != NtStatus.Success || read == 0)
            Assert.Fail($"read {round}: {(long)status:X8}");
        status = volume.Adapter.GetFileInformation(name.Text, out ByHandleFileInformation information, ref info);
        if (status != NtStatus.Success || information.Length == 0)
            Assert.Fail($"query {round}: {(long)status:X8}");
    }
}
