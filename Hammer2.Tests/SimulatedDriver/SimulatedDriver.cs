// The Dokan driver and its user library, played for one adapter, strictly after dokan-semantics J.0. What the driver
// decides is decided here and never asked of the adapter; what the library makes of an answer is made here.
// Invariants: each callback runs on a pulling thread with its own copy of the file information; rules that the adapter
// breaks go to Faults, and Dispose fails the test when there are any, or when a context was left behind.
// Partial by concern: Create, Close, Use, Find, Volume, Change, Move, Sections. Calls the adapter's IDokanOperations2.

using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.InteropServices;
using DokanNet;
using LTRData.Extensions.Native.Memory;

namespace Hammer2.Tests.SimulatedDriver;

/// <summary>How the simulator behaves.</summary>
internal sealed record SimulatorOptions
{
    /// <summary>Pulling threads; 0 lets every program run its own requests.</summary>
    internal int Threads { get; init; } = 4;

    /// <summary>Draws the order of waiting events at random from this seed.</summary>
    internal int? Seed { get; init; }

    /// <summary>The mount is write-protected.</summary>
    internal bool WriteProtected { get; init; } = true;

    /// <summary>The driver lets everything through on a write-protected mount, so that the adapter's own answers are seen.</summary>
    internal bool BypassWriteProtection { get; init; }

    /// <summary>Blocks of closed files are used again, as by the driver until it collects them.</summary>
    internal bool KeepsBlocks { get; init; }

    /// <summary>What watchers would hear is kept. A run of millions of requests has nobody who reads it.</summary>
    internal bool KeepsNotifications { get; init; } = true;
}

/// <summary>A simulated mount.</summary>
internal sealed partial class SimulatedDriver : IDisposable
{
    /// <summary>One call of the adapter.</summary>
    internal delegate NtStatus Callback(ref DokanFileInfo info);

    private static readonly ConcurrentDictionary<ulong, SimulatedDriver> s_events = new();
    private static ulong s_lastEvent;

    private readonly IDokanOperations2 _adapter;
    private readonly SimulatorOptions _options;
    private readonly EventPump _pump;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, ControlBlock> _blocks = new(StringComparer.OrdinalIgnoreCase);
    private readonly ConcurrentDictionary<SimulatedHandle, byte> _handles = new(ReferenceEqualityComparer.Instance);
    private volatile bool _unmounting;
    private int _timeoutResets;
    private int _overlaps;

    static SimulatedDriver()
    {
        RawFileInfo.CheckLayout();
        ListenForTimeoutResets();
    }

    internal SimulatedDriver(IDokanOperations2 adapter, SimulatorOptions? options = null)
    {
        _adapter = adapter;
        _options = options ?? new SimulatorOptions();
        _pump = new EventPump(_options.Threads, _options.Seed);
    }

    /// <summary>Rules that the adapter broke.</summary>
    internal FaultList Faults { get; } = new();

    /// <summary>Answers in the adapter's place, for tests of what the library makes of an answer.</summary>
    internal Func<OpenRequest, NtStatus?>? InjectCreate { get; set; }

    /// <summary>What the driver tells those who watch directories.</summary>
    internal ConcurrentQueue<string> Notifications { get; } = new();

    /// <summary>
    /// How often a rename ended after somebody had opened the new name already: the file has two blocks then, and the driver
    /// does not check opens through one against opens through the other.
    /// </summary>
    internal int Overlaps => Volatile.Read(ref _overlaps);

    /// <summary>How often the adapter asked for more time.</summary>
    internal int TimeoutResets => Volatile.Read(ref _timeoutResets);

    /// <summary>Can requests for more time be seen? Only with our declarations, not with the real package.</summary>
    internal static bool SeesTimeoutResets { get; private set; }

    /// <summary>Calls of each callback.</summary>
    internal ConcurrentDictionary<string, int> Calls { get; } = new();

    /// <summary>Opens that the driver knows.</summary>
    internal int OpenCount => _handles.Count;

    /// <summary>Runs one of the driver's actions on a pulling thread.</summary>
    internal T OnPump<T>(Func<T> action) => _pump.Run(action);

    /// <summary>Queues one of the driver's actions.</summary>
    internal Task<T> Post<T>(Func<T> action) => _pump.Post(action);

    /// <summary>The volume has arrived at a mount point.</summary>
    internal NtStatus Mount(string mountPoint) => OnPump(() =>
    {
        using GuardedMemory text = GuardedMemory.OfText(mountPoint, Faults);
        return Invoke(nameof(IDokanOperations2.Mounted), null, default, (ref DokanFileInfo info) => _adapter.Mounted(text.Text, ref info));
    });

    /// <summary>The volume goes: no Cleanup, no CloseFile, and no callback starts afterwards.</summary>
    internal NtStatus Unmount()
    {
        _unmounting = true;
        return OnPump(() => Invoke(
            nameof(IDokanOperations2.Unmounted), null, default, (ref DokanFileInfo info) => _adapter.Unmounted(ref info), duringUnmount: true));
    }

    /// <summary>Calls the adapter once and judges what it did.</summary>
    internal NtStatus Invoke(
        string name, SimulatedHandle? handle, RawFileInfo raw, Callback body, bool mayBeUnimplemented = false,
        bool duringUnmount = false)
    {
        if (_unmounting && !duringUnmount)
            return NtStatus.NoSuchDevice;
        Calls.AddOrUpdate(name, 1, static (_, count) => count + 1);
        raw.EventId = Interlocked.Increment(ref s_lastEvent);
        raw.Options = -1;
        raw.ProcessId = 1234;
        if (handle is not null)
        {
            raw.Context = handle.Context;
            raw.IsDirectory = handle.IsDirectory ? (byte)1 : (byte)0;
        }

        s_events[raw.EventId] = this;
        NtStatus status;
        try
        {
            status = body(ref RawFileInfo.AsInfo(ref raw));
        }
        catch (Exception escaped)
        {
            Faults.Add($"{name}: {escaped.GetType().Name} left the callback: {escaped.Message}");
            status = NtStatus.Unsuccessful;
        }
        finally
        {
            s_events.TryRemove(raw.EventId, out _);
        }

        JudgeStatus(name, status, mayBeUnimplemented);
        if (handle is not null)
            WriteBack(name, handle, raw);
        else if (raw.Context != 0)
            Faults.Add($"{name}: a context was set on an event without a handle");
        return status;
    }

    /// <summary>Ends the mount. Fails when a rule was broken or an open was left behind.</summary>
    public void Dispose()
    {
        bool left = false;
        foreach (SimulatedHandle handle in _handles.Keys)
        {
            left |= !_unmounting && !handle.Closed;
            FreeContext(handle);
        }

        _pump.Dispose();
        if (left)
            Faults.Add("a test ended with open handles and without unmounting");
        Faults.AssertNone();
    }

    private void Notify(string what, string name)
    {
        if (_options.KeepsNotifications)
            Notifications.Enqueue($"{what} {name}");
    }

    private static void FreeContext(SimulatedHandle handle)
    {
        if (handle.Context == 0)
            return;
        GCHandle.FromIntPtr((nint)handle.Context).Free();
        handle.Context = 0;
    }

    private void WriteBack(string name, SimulatedHandle handle, in RawFileInfo raw)
    {
        if (raw.Context != handle.Context)
        {
            Faults.Add($"{name}: the context changed after CreateFile");
            handle.Context = raw.Context;
        }

        if ((raw.IsDirectory != 0) != handle.IsDirectory)
            Faults.Add($"{name}: IsDirectory changed after CreateFile");
    }

    private void JudgeStatus(string name, NtStatus status, bool mayBeUnimplemented)
    {
        if (status == NtStatus.Pending)
            Faults.Add($"{name}: Pending was answered");
        if (status == NtStatus.NotImplemented && !mayBeUnimplemented)
            Faults.Add($"{name}: NotImplemented was answered");
        if ((ulong)status > uint.MaxValue || (status != NtStatus.Success && (ulong)status < 0xC0000000 && status != NtStatus.BufferOverflow))
            Faults.Add($"{name}: {(long)status:X8} is neither success nor an error");
    }

    /// <summary>Hears the adapter's requests for more time through the declarations' hook, found by name because the real
    /// package has none.</summary>
    private static void ListenForTimeoutResets()
    {
        PropertyInfo? hook = typeof(DokanFileInfo).Assembly.GetType("DokanNet.ContractsOnly")?
            .GetProperty("ResetTimeout", BindingFlags.Static | BindingFlags.NonPublic);
        if (hook is null)
            return;
        SeesTimeoutResets = true;
        hook.SetValue(null, (Func<ulong, int, bool>)OnTimeoutReset);
    }

    private static bool OnTimeoutReset(ulong eventId, int milliseconds)
    {
        if (!s_events.TryGetValue(eventId, out SimulatedDriver? driver))
            return false;
        if (milliseconds is <= 0 or > 300_000)
            driver.Faults.Add($"{milliseconds} ms more were asked for; the driver grants up to 300000");
        Interlocked.Increment(ref driver._timeoutResets);
        return true;
    }
}
