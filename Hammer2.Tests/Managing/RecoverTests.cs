// What the recover verbs find on a medium that no tree leads through any more: deleted files, overwritten versions, the volume that
// was there before. Each case is made with the write engine in memory, saved as a sparse image and searched by the command.
// Invariant of every case: the image is the same, byte for byte, after the search.

using System.Security.Cryptography;
using System.Text;
using Hammer2.Cli.Output;
using Hammer2.Engine.Checking;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Checking;
using Hammer2.Tests.Cli;
using Hammer2.Tests.Images;
using Hammer2.Tests.Requirements;
using Hammer2.Torture.Devices;

namespace Hammer2.Tests.Managing;

[TestClass]
public sealed class RecoverTests : CliTests
{
    private const long VolumeBytes = 64L << 20;

    [TestMethod]
    [DataRow("lost.bin")]
    [DataRow("/dir/lost.bin")]
    [DataRow("dir/lost.bin")]
    public void ADeletedFileIsFoundAgain(string path)
    {
        using var rig = new EngineRig(bytes: VolumeBytes);
        rig.MakeDirectory("dir");
        rig.Create("dir/lost.bin", EngineRig.Bytes(300_000, 1)).Dispose();
        rig.Create("dir/kept.bin", EngineRig.Bytes(1000, 2)).Dispose();
        rig.Sync();
        rig.Unlink("dir/lost.bin");
        rig.Sync();
        Assert.IsFalse(rig.Exists("dir/lost.bin"));
        using var search = new Search(rig.Memory);
        search.Run("recover", path).Expect(0);
        CollectionAssert.AreEqual(EngineRig.Bytes(300_000, 1), search.Bytes("lost.bin"));
        Assert.HasCount(1, search.Files);
    }

    [TestMethod]
    [DataRow("/lost.bin")]
    [DataRow("other/lost.bin")]
    [DataRow("ost.bin")]
    [DataRow("none")]
    public void WhatWasNeverThereIsNotFound(string path)
    {
        using var rig = new EngineRig(bytes: VolumeBytes);
        rig.MakeDirectory("dir");
        rig.MakeDirectory("other");
        rig.Create("dir/lost.bin", EngineRig.Bytes(300_000, 1)).Dispose();
        rig.Sync();
        using var search = new Search(rig.Memory);
        search.Run("recover", path).Expect(1).ExpectOneLine("nothing on", path);
        Assert.IsFalse(Directory.Exists(search.Target));
    }

    [TestMethod]
    public void EveryVersionGetsANameOfItsOwn()
    {
        using var rig = new EngineRig(bytes: VolumeBytes);
        using (Vnode file = rig.Create("log", "first"u8))
        {
            rig.Sync();
            Assert.AreEqual(Hammer2Error.None, file.TryWrite(0, "second"u8));
            rig.Sync();
            Assert.AreEqual(Hammer2Error.None, file.TryWrite(0, EngineRig.Bytes(200_000, 3)));
            rig.Sync();
        }

        using var search = new Search(rig.Memory);
        CliRun run = search.Run("recover", "log", "--json").Expect(0);
        var restored = run.Json.GetProperty("restored").EnumerateArray().ToList();
        Assert.AreEqual("log log.0001 log.0002", string.Join(' ', restored.Select(static r => r.GetProperty("path").GetString())));
        CollectionAssert.AreEqual(EngineRig.Bytes(200_000, 3), search.Bytes("log"), "the newest has the name itself");
        Assert.AreEqual("second", Encoding.ASCII.GetString(search.Bytes("log.0001")));
        Assert.AreEqual("first", Encoding.ASCII.GetString(search.Bytes("log.0002")));
        Assert.AreEqual(1, restored.Select(r => r.GetProperty("inum").GetUInt64()).Distinct().Count());
        Assert.AreEqual(3, restored.Select(r => r.GetProperty("tid").GetString()).Distinct().Count());
    }

    [TestMethod]
    public void ADeletedTreeComesBackWithEverythingBelow()
    {
        using var rig = new EngineRig(bytes: VolumeBytes);
        rig.MakeDirectory("top");
        rig.MakeDirectory("top/sub");
        string longName = new('n', 200);
        for (int i = 0; i < 60; i++)
            rig.Create($"top/sub/file-{i}", EngineRig.Bytes(2000 + i, i)).Dispose();
        rig.Create("top/" + longName, "long"u8).Dispose();
        rig.Sync();
        for (int i = 0; i < 60; i++)
            rig.Unlink($"top/sub/file-{i}");
        rig.Unlink("top/" + longName);
        rig.Sync();
        using (Vnode root = rig.Pfs.OpenRoot(), top = rig.Open("top"))
        {
            Assert.AreEqual(Hammer2Error.None, rig.Pfs.TryRemoveDirectory(top, "sub"u8));
            Assert.AreEqual(Hammer2Error.None, rig.Pfs.TryRemoveDirectory(root, "top"u8));
        }

        rig.Sync();
        using var search = new Search(rig.Memory);
        search.Run("recover", "/top").Expect(0);
        for (int i = 0; i < 60; i++)
            CollectionAssert.AreEqual(EngineRig.Bytes(2000 + i, i), search.Bytes($"top/sub/file-{i}"));
        Assert.AreEqual("long", Encoding.ASCII.GetString(search.Bytes("top/" + longName)));

        // Only files, with that name: a directory is none.
        search.Clear();
        search.Run("recover-file", "/top").Expect(1);
        search.Run("recover-file", longName).Expect(0);
        Assert.HasCount(1, search.Files);
    }

    [TestMethod]
    public void WhatWasThereBeforeFormattingIsFound()
    {
        using var rig = new EngineRig(bytes: VolumeBytes);
        rig.MakeDirectory("old");
        rig.Create("old/letter", EngineRig.Bytes(150_000, 5)).Dispose();
        rig.Volume.Dispose();
        VolumeFormatter.Format([rig.Memory]);
        using var search = new Search(rig.Memory);
        CliRun.Of("ls", search.Image, "/old").Expect(1);
        search.Run("recover", "/old/letter").Expect(0);
        CollectionAssert.AreEqual(EngineRig.Bytes(150_000, 5), search.Bytes("letter"));
    }

    [TestMethod]
    public void NoHeaderIsNeeded()
    {
        using var rig = new EngineRig(bytes: VolumeBytes);
        rig.Create("letter", EngineRig.Bytes(150_000, 6)).Dispose();
        rig.Volume.Dispose();
        rig.Memory.Write(0, new byte[FormatLimits.ReservedBytes]);
        using var search = new Search(rig.Memory);
        CliRun.Of("ls", search.Image).Expect(3);
        StringAssert.Contains(search.Run("recover", "letter").Expect(0).Output, "no header is valid");
        CollectionAssert.AreEqual(EngineRig.Bytes(150_000, 6), search.Bytes("letter"));
    }

    [TestMethod]
    public void DamagedDataIsRestoredOnlyWhenThatIsWanted()
    {
        using var rig = new EngineRig(bytes: VolumeBytes);
        byte[] content = EngineRig.Bytes(200_000, 7);
        BlockRef second;
        using (Vnode file = rig.Create("letter", content))
        {
            rig.Sync();
            second = rig.DataRef(file, 65536);
        }

        rig.Volume.Dispose();
        rig.Memory.Write((long)second.Physical.Offset + 77, [1, 2, 3]);
        using var search = new Search(rig.Memory);
        search.Run("recover", "letter").Expect(1).ExpectOneLine("letter", "recover-relaxed");
        Assert.IsFalse(Directory.Exists(search.Target));
        CliRun run = search.Run("recover-relaxed", "letter", "--json").Expect(1).ExpectOneLine("letter", "lost");
        Assert.AreEqual(65536, run.Json.GetProperty("restored")[0].GetProperty("lost_bytes").GetInt64());
        content.AsSpan(65536, 65536).Clear();
        CollectionAssert.AreEqual(content, search.Bytes("letter"));
    }

    [TestMethod]
    public void AnInodeThatNothingProvesIsRestoredOnlyWhenThatIsWanted()
    {
        using var rig = new EngineRig(bytes: VolumeBytes);
        using (Vnode file = rig.Create("letter", "text"u8))
            rig.Sync();
        BlockRef bref = rig.InodeRef(rig.Open("letter").InodeNumber);
        rig.Volume.Dispose();
        byte[] inode = new byte[FormatLimits.InodeBytes];
        rig.Memory.Read((long)bref.Physical.Offset, inode);
        inode[InodeData.UnionOffset] = (byte)'n';
        rig.Memory.Write((long)bref.Physical.Offset, inode);
        using var search = new Search(rig.Memory);
        search.Run("recover", "letter").Expect(1);
        StringAssert.Contains(search.Run("recover-relaxed", "letter").Expect(0).Output, "unproven");
        Assert.AreEqual("next", Encoding.ASCII.GetString(search.Bytes("letter")));
    }

    [TestMethod]
    [DataRow("..")]
    [DataRow("../../evil")]
    [DataRow("/etc/evil")]
    [DataRow(".")]
    public void HostileNamesDoNotLeaveTheFolder(string name)
    {
        using var rig = new EngineRig(bytes: VolumeBytes);
        rig.MakeDirectory("dir");
        rig.Create("dir/victim", "evil"u8).Dispose();
        rig.Create("dir/good", "good"u8).Dispose();
        rig.Volume.Dispose();
        byte[] bytes = Encoding.ASCII.GetBytes(name);
        MemoryBlockDevice edited = EngineRig.Edited(rig.Memory, editor =>
        {
            RefSlot entry = editor.FirstRef(BlockRefType.Dirent, s => s.Ref.DirentNameLength == "victim".Length);
            editor.EditRef(entry, (ref r) =>
            {
                r.Key = DirectoryHash.Compute(bytes) + 1;
                r.DirentNameLength = (ushort)bytes.Length;
                r.Check = default;
                bytes.CopyTo(System.Runtime.InteropServices.MemoryMarshal.AsBytes(new Span<CheckArea>(ref r.Check)));
            });
        });
        using var search = new Search(edited);
        CliRun run = search.Run("recover", "dir").Expect(1);
        StringAssert.Contains(run.Error, "refused");
        Assert.AreEqual("good", string.Join(' ', search.Files.Select(Path.GetFileName).Where(static n => n is not "victim")));
        Assert.HasCount(0, Directory.GetFiles(search.Folder, "evil*", SearchOption.AllDirectories));
    }

    [TestMethod]
    public void AnImageInUseIsRead()
    {
        using var rig = new EngineRig(bytes: VolumeBytes);
        rig.Create("letter", "text"u8).Dispose();
        rig.Sync();
        using var search = new Search(rig.Memory);
        using Hammer2Volume writer = Hammer2Volume.Open(search.Image, new VolumeOptions { Writable = true, CommitInterval = TimeSpan.Zero });
        CliRun.Of("recover", search.Image, "letter", search.Target).Expect(0);
        Assert.AreEqual("text", Encoding.ASCII.GetString(search.Bytes("letter")));
    }

    [TestMethod]
    public void TheDestinationIsNewOrEmptyAndElsewhere()
    {
        using var rig = new EngineRig(bytes: VolumeBytes);
        using var search = new Search(rig.Memory);
        Directory.CreateDirectory(search.Target);
        File.WriteAllText(Path.Combine(search.Target, "mine"), "mine");
        CliRun.Of("recover", search.Image, "x", search.Target).Expect(2).ExpectOneLine("empty");
        CliRun.Of("recover", search.Image, "../x", search.Target + "2").Expect(2).ExpectOneLine("..");
        var host = new ChangedVolume.ListingHost([new Hammer2.Cli.Mounting.MountedVolume(search.Image, "DATA", search.Target, false, null)]);
        CliRun.On(host, ["recover", search.Image, "x", Path.Combine(search.Target, "inside")]).Expect(2).ExpectOneLine("is on the volume");
        CliRun.On(host, ["recover", search.Target, "x", search.Target + "2"]).Expect(1).ExpectOneLine("nothing on");
    }

    [TestMethod]
    [DataRow(false, "vol2/straddle")]
    [DataRow(true, "vol2/straddle")]
    [DataRow(true, "grow")]
    public void ASetIsSearchedInAnyOrderAndWithoutHeaders(bool blank, string path)
    {
        byte[] expected = CliRun.Of("cat", CliRun.Image("multi-volume") + "@MV", "/" + path).Expect(0).OutputBytes;
        IBlockDevice[] three = [.. GoldenImages.Get("multi-volume").Devices.Select(static device => new OverlayDevice(device))];
        if (!blank)
        {
            CollectionAssert.AreEqual(expected, Restored([three[2], three[0], three[1]], path, out bool fromHeaders));
            Assert.IsFalse(fromHeaders);
            return;
        }

        foreach (IBlockDevice device in three)
        {
            for (int copy = 0; copy * FormatLimits.VolumeHeaderSpacing < device.Length; copy++)
                device.Write(copy * FormatLimits.VolumeHeaderSpacing, new byte[FormatLimits.VolumeHeaderBytes]);
        }

        CollectionAssert.AreEqual(expected, Restored(three, path, out bool guessed));
        Assert.IsTrue(guessed);
    }

    [TestMethod]
    public void WhatLiesOnOtherVolumesThanTheMissingOneIsFound()
    {
        MemoryBlockDevice[] two = [new(1L << 30), new(1L << 30)];
        VolumeFormatter.Format(two);
        using (Hammer2Volume volume = Hammer2Volume.Open(two, new VolumeOptions { Writable = true }))
            PfsTests.Put(volume, "DATA", "letter", EngineRig.Bytes(150_000, 4));
        CollectionAssert.AreEqual(EngineRig.Bytes(150_000, 4), Restored([two[0]], "letter", out bool guessed));
        Assert.IsFalse(guessed);
    }

    // A sector that cannot be read took the 64 KiB around it along: 60 inodes that were readable.
    [TestMethod]
    public void WhatLiesBesideAnUnreadableSectorIsFound()
    {
        using var rig = new EngineRig(bytes: VolumeBytes);
        var at = new SortedDictionary<ulong, string>();
        for (int i = 0; i < 24; i++)
            rig.Create($"file-{i}", EngineRig.Bytes(100 + i, i)).Dispose();
        rig.Sync();
        for (int i = 0; i < 24; i++)
        {
            using Vnode file = rig.Open($"file-{i}");
            at.Add(rig.InodeRef(file.InodeNumber).Physical.Offset, $"file-{i}");
        }

        rig.Volume.Dispose();
        long sector = (long)at.Keys.First() & ~4095L;
        string[] lost = [.. at.Where(pair => ((long)pair.Key & ~4095L) == sector).Select(static pair => pair.Value)];
        string[] beside = [.. at.Where(pair => ((long)pair.Key & ~4095L) != sector && ((long)pair.Key & ~65535L) == (sector & ~65535L)).Select(static pair => pair.Value)];
        Assert.IsNotEmpty(beside);
        foreach (string name in beside)
        {
            byte[] bytes = Restored([new BadSector(rig.Memory, sector)], name, out _);
            CollectionAssert.AreEqual(EngineRig.Bytes(bytes.Length, bytes.Length - 100), bytes);
        }

        using var recovery = new MediaRecovery([new BadSector(rig.Memory, sector)]);
        byte[][] names = [Encoding.ASCII.GetBytes(lost[0])];
        recovery.Scan(names);
        Assert.AreEqual(4096L, recovery.UnreadableBytes);
        foreach (RecoveredName found in recovery.Find(names, isAbsolute: false))
            Assert.IsEmpty(recovery.Versions(found));
    }

    [TestMethod]
    public void UnreadableDataIsLostDataAndNothingElse()
    {
        using var rig = new EngineRig(bytes: VolumeBytes);
        byte[] content = EngineRig.Bytes(200_000, 7);
        long second;
        using (Vnode file = rig.Create("letter", content))
        {
            rig.Sync();
            second = (long)rig.DataRef(file, 65536).Physical.Offset;
        }

        rig.Volume.Dispose();
        byte[][] names = ["letter"u8.ToArray()];
        using var strict = new MediaRecovery([new BadSector(rig.Memory, second + 8192)]);
        strict.Scan(names);
        Assert.HasCount(1, strict.Read(strict.Versions(strict.Find(names, true).Single())[0], static (_, _) => { }));
        using var relaxed = new MediaRecovery([new BadSector(rig.Memory, second + 8192)], new RecoveryOptions { IsRelaxed = true });
        relaxed.Scan(names);
        byte[] bytes = new byte[4 * 65536];
        var lost = relaxed.Read(relaxed.Versions(relaxed.Find(names, true).Single())[0], (offset, piece) => piece.CopyTo(bytes.AsSpan((int)offset)));
        Assert.AreEqual((65536L, 65536L), lost.Single());
        content.AsSpan(65536, 65536).Clear();
        CollectionAssert.AreEqual(content, bytes[..content.Length]);
    }

    [TestMethod]
    public void StoppedBeforeAnythingWasRestoredItLeavesNoFolder()
    {
        using var rig = new EngineRig(bytes: VolumeBytes);
        rig.Create("letter", EngineRig.Bytes(150_000, 6)).Dispose();
        rig.Volume.Dispose();
        using var search = new Search(rig.Memory);
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        CliRun run = CliRun.On(null, ["recover", search.Image, "letter", search.Target], stop.Token).Expect(130);
        Assert.DoesNotContain("   at ", run.Error);
        Assert.IsFalse(Directory.Exists(search.Target));
        search.Run("recover", "letter").Expect(0);
    }

    [TestMethod]
    public void StoppedInTheMiddleItLeavesWholeFilesOnly()
    {
        using var rig = new EngineRig(bytes: VolumeBytes);
        byte[] first = EngineRig.Bytes(150_000, 6);
        rig.Create("a-first", first).Dispose();
        long inTheMiddle;
        using (Vnode second = rig.Create("second", EngineRig.Bytes(400_000, 8)))
        {
            rig.Sync();
            inTheMiddle = (long)rig.DataRef(second, 3 * 65536).Physical.Offset;
        }

        rig.Volume.Dispose();
        using var folder = new TemporaryFolder();
        using var stop = new CancellationTokenSource();
        var device = new StopsAt(rig.Memory, inTheMiddle, stop);
        using var recovery = new MediaRecovery([device]);
        recovery.Scan([]);
        device.IsArmed = true;
        var failures = new FailureList();
        string target = Directory.CreateDirectory(folder["restored"]).FullName;
        Hammer2.Cli.Copying.ICopyDestination destination = OperatingSystem.IsWindows()
            ? new Hammer2.Cli.Copying.WindowsDestination(target) : new Hammer2.Cli.Copying.UnixDestination(target);
        var tree = new Hammer2.Cli.Copying.RecoveredTree(recovery, destination, filesOnly: false, relaxed: false, failures, stop.Token);
        Assert.Throws<OperationCanceledException>(() => tree.Run(recovery.Find([], true), "root"u8.ToArray()).ToList());
        string[] files = [.. Directory.GetFiles(target, "*", SearchOption.AllDirectories)];
        Assert.DoesNotContain("second", files.Select(Path.GetFileName));
        foreach (string file in files)
            CollectionAssert.AreEqual(first, File.ReadAllBytes(file), file);
    }

    private static byte[] Restored(IReadOnlyList<IBlockDevice> devices, string path, out bool guessed)
    {
        byte[][] names = [.. path.Split('/').Select(Encoding.ASCII.GetBytes)];
        using var recovery = new MediaRecovery([.. devices.Select(static device => new Borrowed(device))]);
        recovery.Scan(names);
        RecoveredVersion version = recovery.Versions(recovery.Find(names, isAbsolute: true).Single())[0];
        byte[] bytes = new byte[(long)version.Inode.Size + FormatLimits.BlockBytesMax];
        Assert.IsEmpty(recovery.Read(version, (offset, piece) => piece.CopyTo(bytes.AsSpan((int)offset))));
        guessed = recovery.IsLayoutGuessed;
        return bytes[..(int)version.Inode.Size];
    }

    /// <summary>Stays open when the recovery is done.</summary>
    private class Borrowed(IBlockDevice below) : IBlockDevice
    {
        public string Name => below.Name;

        public long Length => below.Length;

        public int SectorSize => below.SectorSize;

        public virtual void Read(long offset, Span<byte> buffer) => below.Read(offset, buffer);

        public void Write(long offset, ReadOnlySpan<byte> data) => throw new InvalidOperationException("a recovery writes nothing");

        public void Flush() => throw new InvalidOperationException("a recovery writes nothing");

        public void Dispose()
        {
            // Whoever lent it goes on with it.
        }
    }

    /// <summary>Has 4 KiB that cannot be read.</summary>
    private sealed class BadSector(IBlockDevice below, long at) : Borrowed(below)
    {
        public override void Read(long offset, Span<byte> buffer)
        {
            if (offset < at + 4096 && offset + buffer.Length > at)
                throw new Hammer2Exception(Hammer2Error.Io, "a sector cannot be read");
            base.Read(offset, buffer);
        }
    }

    /// <summary>Presses Ctrl+C when one block is read.</summary>
    private sealed class StopsAt(IBlockDevice below, long at, CancellationTokenSource stop) : Borrowed(below)
    {
        internal bool IsArmed { get; set; }

        public override void Read(long offset, Span<byte> buffer)
        {
            if (IsArmed && offset <= at && offset + buffer.Length > at)
                stop.Cancel();
            base.Read(offset, buffer);
        }
    }

    /// <summary>An image, and a folder to restore into.</summary>
    private sealed class Search : IDisposable
    {
        private readonly string _folder = Directory.CreateTempSubdirectory("hammer2-recover-").FullName;
        private readonly byte[] _digest;

        public Search(MemoryBlockDevice memory)
        {
            using (FileStream file = File.Create(Image))
            {
                file.SetLength(memory.Length);
                byte[] piece = new byte[1 << 20];
                for (long at = 0; at < memory.Length; at += piece.Length)
                {
                    memory.Read(at, piece);
                    if (!piece.AsSpan().ContainsAnyExcept((byte)0))
                        continue;
                    file.Position = at;
                    file.Write(piece);
                }
            }

            _digest = Digest();
            Directory.CreateDirectory(Path.GetDirectoryName(Target)!);
        }

        public string Folder => _folder;

        public string Image => Path.Combine(_folder, "disk.img");

        public string Target => Path.Combine(_folder, "a", "b", "restored");

        public string[] Files => Directory.GetFiles(Target, "*", SearchOption.AllDirectories);

        public CliRun Run(string verb, string path, params string[] more)
        {
            CliRun run = CliRun.Of([verb, Image, path, Target, .. more]);
            CollectionAssert.AreEqual(_digest, Digest(), "the image was changed");
            return run;
        }

        public byte[] Bytes(string name) => File.ReadAllBytes(Path.Combine(Target, name));

        public void Clear()
        {
            if (Directory.Exists(Target))
                Directory.Delete(Target, recursive: true);
        }

        public void Dispose() => Directory.Delete(_folder, recursive: true);

        private byte[] Digest()
        {
            using FileStream file = File.OpenRead(Image);
            return SHA256.HashData(file);
        }
    }
}
