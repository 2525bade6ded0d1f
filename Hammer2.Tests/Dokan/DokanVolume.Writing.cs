// Fresh volumes that are written through the adapter, and short forms of what scripts do with them.
// Invariants: the medium is a copy of one that was formatted once; what a volume showed at the end must be on the medium,
// and the strict check must find nothing wrong there. Calls the engine, the adapter and the simulated driver.

using System.Collections.Concurrent;
using DokanNet;
using Hammer2.Dokan;
using Hammer2.Engine.Checking;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.SimulatedDriver;
using Hammer2.Torture.Crash;
using Hammer2.Torture.Devices;
using FileAccess = DokanNet.FileAccess;

namespace Hammer2.Tests.Dokan;

internal sealed partial class DokanVolume
{
    /// <summary>Room for a few hundred MB.</summary>
    internal const long UsualBytes = 1L << 30;

    /// <summary>A volume that is soon full.</summary>
    internal const long SmallBytes = 64L << 20;

    internal const string FreshLabel = "DATA";
    private const long AreaBytes = 8 << 20;
    private static readonly ConcurrentDictionary<long, MemoryBlockDevice> s_formatted = new();

    /// <summary>Is the medium checked at the end?</summary>
    internal bool IsJudged { get; set; }

    /// <summary>Options of the engine that suit tests: no commit that nobody asked for.</summary>
    internal static VolumeOptions WritingOptions { get; } = new()
    {
        Writable = true,
        CacheBytesMax = 8 << 20,
        DirtyBytesMax = 32 << 20,
        CommitInterval = TimeSpan.Zero,
        ReadAheadBlocksMax = 0,
    };

    /// <summary>A copy of a freshly formatted medium.</summary>
    internal static MemoryBlockDevice Fresh(long bytes = UsualBytes) => s_formatted.GetOrAdd(bytes, static size =>
    {
        var device = new MemoryBlockDevice(size, "fresh");
        VolumeFormatter.Format([device], new VolumeFormatOptions
        {
            Labels = [FreshLabel],
            Compression = CompressionMethod.Lz4,
            BootBytes = AreaBytes,
            AuxBytes = AreaBytes,
        });
        return device;
    }).Clone();

    /// <summary>Mounts a fresh volume for writing.</summary>
    internal static DokanVolume New(
        int threads = 4, int? seed = null, DokanMountOptions? options = null, VolumeOptions? volume = null, long bytes = UsualBytes,
        Func<IDokanOperations2, IDokanOperations2>? wrap = null, Func<IBlockDevice, IBlockDevice>? above = null, bool keepsBlocks = false,
        bool keepsNotifications = true)
    {
        IBlockDevice device = Fresh(bytes);
        return OnDevice(above is null ? device : above(device), threads, seed, options, volume, wrap, keepsBlocks, keepsNotifications);
    }

    /// <summary>Mounts a device that was formatted here for writing.</summary>
    internal static DokanVolume OnDevice(
        IBlockDevice device, int threads = 4, int? seed = null, DokanMountOptions? options = null, VolumeOptions? volume = null,
        Func<IDokanOperations2, IDokanOperations2>? wrap = null, bool keepsBlocks = false, bool keepsNotifications = true)
    {
        var simulator = new SimulatorOptions
        {
            Threads = threads,
            Seed = seed,
            WriteProtected = false,
            KeepsBlocks = keepsBlocks,
            KeepsNotifications = keepsNotifications,
        };
        DokanVolume mounted = Mount([device], FreshLabel, simulator, options, volume ?? WritingOptions, wrap);
        mounted.IsJudged = true;
        return mounted;
    }

    /// <summary>Mounts a copy of a golden image for writing.</summary>
    internal static DokanVolume Copy(string image, int threads = 4, DokanMountOptions? options = null)
    {
        Images.GoldenImage golden = Images.GoldenImages.Get(image);
        var simulator = new SimulatorOptions { Threads = threads, WriteProtected = false };
        DokanVolume mounted = Mount(golden.CloneDevices(), golden.Label, simulator, options, WritingOptions);
        mounted.IsJudged = true;
        return mounted;
    }

    /// <summary>Unmounts, checks the medium, and mounts it again: what a test asserts afterwards is on the medium.</summary>
    internal void Remount()
    {
        Dispose();
        if (_failed)
            return;
        DokanVolume next = _again();
        AppDomain.CurrentDomain.FirstChanceException -= next.NoteFailure;
        AppDomain.CurrentDomain.FirstChanceException += NoteFailure;
        (_volume, Pfs, Adapter, Driver, Client, Log, Identity) = (next._volume, next.Pfs, next.Adapter, next.Driver, next.Client, next.Log, next.Identity);
        _unmounted = false;
        Assert.AreEqual(NtStatus.Success, Driver.Mount("M:\\"));
    }

    /// <summary>Runs assertions now, and once more on the medium mounted anew.</summary>
    internal void Twice(Action<DokanVolume> assertions)
    {
        assertions(this);
        Remount();
        assertions(this);
    }

    /// <summary>Opens as a script says; the adapter's answer is in the outcome.</summary>
    internal OpenOutcome C(
        string name, CreateDisposition disposition, FileAccess access, FileShare share = Win32Client.ShareAll, bool directory = false,
        FileOptions options = FileOptions.None, FileAttributes attributes = FileAttributes.Normal) =>
        Driver.Open(new OpenRequest(name, disposition, access) { Share = share, Directory = directory, Options = options, Attributes = attributes });

    /// <summary>Opens as a script says, and expects a status of the program.</summary>
    internal SimulatedHandle Ok(
        string name, CreateDisposition disposition, FileAccess access, FileShare share = Win32Client.ShareAll, bool directory = false,
        FileOptions options = FileOptions.None, FileAttributes attributes = FileAttributes.Normal)
    {
        OpenOutcome outcome = C(name, disposition, access, share, directory, options, attributes);
        Assert.AreEqual(NtStatus.Success, outcome.Status, $"{disposition} {name}: {(long)outcome.Status:X8}");
        return outcome.Handle!;
    }

    /// <summary>Opens as a script says, and expects a refusal.</summary>
    internal void No(
        NtStatus expected, string name, CreateDisposition disposition, FileAccess access, FileShare share = Win32Client.ShareAll,
        bool directory = false, FileOptions options = FileOptions.None, FileAttributes attributes = FileAttributes.Normal)
    {
        OpenOutcome outcome = C(name, disposition, access, share, directory, options, attributes);
        if (outcome.Handle is not null)
            Driver.CloseHandle(outcome.Handle);
        Assert.AreEqual((long)expected, (long)outcome.Status, $"{disposition} {name}: {(long)outcome.Status:X8} instead of {(long)expected:X8}");
    }

    internal void Close(params SimulatedHandle[] handles)
    {
        foreach (SimulatedHandle handle in handles)
            Driver.CloseHandle(handle);
    }

    /// <summary>What the handle says of itself.</summary>
    internal ByHandleFileInformation I(SimulatedHandle handle)
    {
        Assert.AreEqual(NtStatus.Success, Driver.QueryInformation(handle, out ByHandleFileInformation information));
        return information;
    }

    /// <summary>What a path says of itself.</summary>
    internal ByHandleFileInformation I(string path)
    {
        Assert.AreEqual(0, Client.GetFileAttributes(path, out ByHandleFileInformation information), path);
        return information;
    }

    internal void W(SimulatedHandle handle, long offset, ReadOnlySpan<byte> bytes) =>
        Assert.AreEqual(NtStatus.Success, Driver.Write(handle, offset, bytes, out _));

    /// <summary>Makes a file with content.</summary>
    internal void Put(string path, ReadOnlySpan<byte> bytes, FileAttributes attributes = FileAttributes.Normal)
    {
        SimulatedHandle handle = Ok(path, CreateDisposition.Create, Win32Client.GenericWrite, attributes: attributes);
        if (!bytes.IsEmpty)
            W(handle, 0, bytes);
        Close(handle);
    }

    internal void MakeDirectory(params string[] paths)
    {
        foreach (string path in paths)
            Close(Ok(path, CreateDisposition.Create, FileAccess.ReadData | FileAccess.Synchronize, directory: true));
    }

    internal bool Exists(string path) => Client.GetFileAttributes(path, out _) == 0;

    /// <summary>A second name for a file, which only the engine can make.</summary>
    internal void Link(string existing, string name)
    {
        Assert.AreEqual(Hammer2Error.None, Pfs.TryResolve(existing.Replace('\\', '/'), out Vnode? target));
        using Vnode open = target!;
        using Vnode root = Pfs.OpenRoot();
        Assert.AreEqual(Hammer2Error.None, Pfs.TryLink(open, root, System.Text.Encoding.UTF8.GetBytes(name)));
    }

    /// <summary>Bytes that do not compress.</summary>
    internal static byte[] Noise(int length, int seed) => CrashRun.Noise(length, seed);

    private void JudgeMedium(TreeSnapshot shown)
    {
        CheckReport report = VolumeChecker.Check(Media, new CheckOptions { Workers = 1 });
        Assert.IsTrue(report.Errors == 0 && report.Warnings == 0, $"the strict check says: {report}");
        using Hammer2Volume again = Hammer2Volume.Open(Media, WritingOptions with { Writable = false });
        Assert.AreEqual("", shown.DifferenceTo(TreeSnapshot.Of(again)), "what was shown is not what is on the medium");
    }
}
