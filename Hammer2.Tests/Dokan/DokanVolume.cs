// An image mounted through the adapter on the simulated driver: a golden one for reading, or a fresh one for writing.
// Invariants: golden devices are borrowed and never written; Dispose unmounts, and fails the test when the adapter broke a
// rule of the driver or kept an open. A fresh volume is then checked strictly and must show the same tree when it is opened
// again for reading. The other half makes fresh volumes.

using DokanNet;
using Hammer2.Dokan;
using Hammer2.Dokan.Operations;
using Hammer2.Dokan.Security;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Tests.Hostile;
using Hammer2.Tests.Images;
using Hammer2.Tests.SimulatedDriver;
using Hammer2.Torture.Crash;
using Hammer2.Torture.Devices;

namespace Hammer2.Tests.Dokan;

/// <summary>A device that can be unplugged or slow. It does not own the device below.</summary>
internal sealed class FaultDevice(IBlockDevice inner) : IBlockDevice
{
    private int _removed;
    private Action? _beforeRead;

    public string Name => inner.Name;

    public long Length => inner.Length;

    public int SectorSize => inner.SectorSize;

    /// <summary>From now on every read fails.</summary>
    public void Remove() => Volatile.Write(ref _removed, 1);

    /// <summary>Called before each read.</summary>
    public void BeforeRead(Action? action) => Volatile.Write(ref _beforeRead, action);

    public void Read(long offset, Span<byte> buffer)
    {
        Volatile.Read(ref _beforeRead)?.Invoke();
        if (Volatile.Read(ref _removed) != 0)
            throw new Hammer2Exception(Hammer2Error.Io, $"{Name} was removed");
        inner.Read(offset, buffer);
    }

    public void Write(long offset, ReadOnlySpan<byte> data) => Assert.Fail($"something wrote to {Name}");

    public void Flush()
    {
        // Nothing was written.
    }

    public void Dispose() => GC.SuppressFinalize(this);
}

/// <summary>A clock that a test moves.</summary>
internal sealed class ManualClock : TimeProvider
{
    private long _ticks;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Volatile.Read(ref _ticks);

    internal void Advance(TimeSpan time) => Interlocked.Add(ref _ticks, time.Ticks);
}

/// <summary>Who makes the requests, and the descriptor that the next change of security sets.</summary>
internal sealed class ClientIdentity
{
    internal Requestor? Asks { get; set; }

    internal byte[] Descriptor { get; set; } = [];
}

/// <summary>A mounted image.</summary>
internal sealed partial class DokanVolume : IDisposable
{
    internal const string UserSid = "S-1-5-21-1111-2222-3333-1001";

    private readonly Func<DokanVolume> _again;
    private Hammer2Volume _volume;
    private readonly int _thread = Environment.CurrentManagedThreadId;
    private bool _unmounted;
    private bool _failed;

    private DokanVolume(
        IReadOnlyList<IBlockDevice> devices, string label, SimulatorOptions simulator, DokanMountOptions options, VolumeOptions? volume,
        Func<IDokanOperations2, IDokanOperations2>? wrap)
    {
        Devices = [.. devices.OfType<FaultDevice>()];
        Media = devices;
        _again = () => new DokanVolume(devices, label, simulator, options, volume, wrap);
        _volume = Hammer2Volume.Open(devices, volume);
        Pfs = _volume.OpenPfs(label);
        ClientIdentity identity = Identity;
        Adapter = new Hammer2Operations(Pfs, options with { Logger = Log }, UserSid, SimulatedDriver.SimulatedDriver.CaptureDescriptor)
        {
            WhoAsks = (ref DokanFileInfo _) => identity.Asks,
            BytesOfSecurity = _ => identity.Descriptor,
        };
        Driver = new SimulatedDriver.SimulatedDriver(wrap is null ? Adapter : wrap(Adapter), simulator);
        Client = new Win32Client(Driver);
        AppDomain.CurrentDomain.FirstChanceException += NoteFailure;
    }

    /// <summary>The devices of a golden image.</summary>
    internal FaultDevice[] Devices { get; }

    /// <summary>The devices, whatever they are.</summary>
    internal IReadOnlyList<IBlockDevice> Media { get; }

    internal Hammer2Volume Volume => _volume;

    internal PfsMount Pfs { get; private set; }

    internal Hammer2Operations Adapter { get; private set; }

    internal SimulatedDriver.SimulatedDriver Driver { get; private set; }

    internal Win32Client Client { get; private set; }

    /// <summary>Who asks, where that counts.</summary>
    internal ClientIdentity Identity { get; private set; } = new();

    internal ListLogger Log { get; private set; } = new();

    internal static DokanVolume Mount(
        string image, SimulatorOptions? simulator = null, DokanMountOptions? options = null, VolumeOptions? volume = null,
        Func<IDokanOperations2, IDokanOperations2>? wrap = null, Action<DokanVolume>? beforeMounted = null)
    {
        GoldenImage golden = GoldenImages.Get(image);
        FaultDevice[] devices = [.. golden.Devices.Select(device => new FaultDevice(device))];
        return Mount(devices, golden.Label, simulator, options, volume, wrap, beforeMounted);
    }

    /// <summary>Mounts a volume that a test made itself.</summary>
    internal static DokanVolume Mount(ImageBuilder image) =>
        Mount([new FaultDevice(image.Finish())], ImageBuilder.Label, new SimulatorOptions { BypassWriteProtection = true });

    private static DokanVolume Mount(
        IReadOnlyList<IBlockDevice> devices, string label, SimulatorOptions? simulator, DokanMountOptions? options = null,
        VolumeOptions? volume = null, Func<IDokanOperations2, IDokanOperations2>? wrap = null,
        Action<DokanVolume>? beforeMounted = null)
    {
        var mounted = new DokanVolume(
            devices, label, simulator ?? new SimulatorOptions(), options ?? new DokanMountOptions(), volume, wrap);
        beforeMounted?.Invoke(mounted);
        Assert.AreEqual(NtStatus.Success, mounted.Driver.Mount("M:\\"));
        return mounted;
    }

    /// <summary>A mount whose driver lets everything through, so that the adapter's own answers are seen.</summary>
    internal static DokanVolume MountBypassed(string image, int threads = 4) =>
        Mount(image, new SimulatorOptions { BypassWriteProtection = true, Threads = threads });

    /// <summary>Opens with native rights; the outcome carries the adapter's own status.</summary>
    internal OpenOutcome Open(
        string name, CreateDisposition disposition, DokanNet.FileAccess access, bool directory = false, FileOptions options = FileOptions.None, FileAttributes attributes = FileAttributes.Normal) =>
        Driver.Open(new OpenRequest(name, disposition, access) { Directory = directory, Options = options, Attributes = attributes });

    /// <summary>Opens and closes; the status that the program gets.</summary>
    internal NtStatus Try(
        string name, CreateDisposition disposition, DokanNet.FileAccess access, bool directory = false, FileOptions options = FileOptions.None)
    {
        OpenOutcome outcome = Open(name, disposition, access, directory, options);
        if (outcome.Handle is not null)
            Driver.CloseHandle(outcome.Handle);
        return outcome.Status;
    }

    /// <summary>Opens; fails the test when that fails.</summary>
    internal SimulatedHandle MustOpen(string name, DokanNet.FileAccess access, bool directory = false)
    {
        OpenOutcome outcome = Open(name, CreateDisposition.Open, access, directory);
        Assert.AreEqual(NtStatus.Success, outcome.Status, $"open of {name}: {(long)outcome.Status:X8}");
        return outcome.Handle!;
    }

    internal void Unmount()
    {
        _unmounted = true;
        NtStatus status = Driver.Unmount();
        if (_volume.Failure is null)
            Assert.AreEqual(NtStatus.Success, status);
    }

    /// <summary>The test failed on another thread: the end is not judged.</summary>
    internal void GiveUp() => _failed = true;

    /// <summary>A test that failed already leaves handles open; saying so as well would hide why it failed.</summary>
    private void NoteFailure(object? sender, System.Runtime.ExceptionServices.FirstChanceExceptionEventArgs args) =>
        _failed |= args.Exception is AssertFailedException && Environment.CurrentManagedThreadId == _thread;

    public void Dispose()
    {
        AppDomain.CurrentDomain.FirstChanceException -= NoteFailure;
        bool closedAll = Driver.OpenCount == 0 || _unmounted;
        int left = Adapter.OpenCount;
        bool goes = false;
        TreeSnapshot? shown = null;
        try
        {
            if (!_unmounted)
                Unmount();
            if (_failed)
                return;
            Driver.Dispose();
            Assert.IsTrue(closedAll, "the test left handles open");
            if (Driver.OpenCount == 0)
                Assert.AreEqual(0, left, "the adapter kept opens that were closed");
            Assert.AreEqual(0, Adapter.OpenCount, "the adapter kept opens after Unmounted");
            if (_volume.Failure is null)
                Assert.AreEqual(0, Pfs.OpenInodes, "the engine has inodes that nobody closed");
            goes = true;
            if (IsJudged)
                shown = TreeSnapshot.Of(_volume);
        }
        finally
        {
            Adapter.Dispose();
            Pfs.Dispose();
            _volume.Dispose();
        }

        if (goes && shown is not null)
            JudgeMedium(shown);
    }
}
