// Closing: Cleanup when the last handle of an open goes, CloseFile when nothing refers to it any more and no callback of
// it runs (dokan-semantics A.2, A.3, D.1).

using DokanNet;

namespace Hammer2.Tests.SimulatedDriver;

internal sealed partial class SimulatedDriver
{
    /// <summary>CloseHandle of a program.</summary>
    internal void CloseHandle(SimulatedHandle handle)
    {
        Cleanup(handle);
        Release(handle);
    }

    /// <summary>The last handle of an open goes; mapped sections may live on.</summary>
    internal void Cleanup(SimulatedHandle handle)
    {
        FlushPages(handle.Block);
        OnPump(() => CleanupEvent(handle));
    }

    private bool CleanupEvent(SimulatedHandle handle)
    {
        if (_unmounting)
            return true;
        bool deletes;
        lock (_gate)
        {
            if (handle.CleanedUp)
            {
                Faults.Add("the test closed a handle twice");
                return false;
            }

            handle.CleanedUp = true;
            if (handle.DeleteOnClose)
                handle.Block.DeletePending = true;
            handle.Block.UncleanCount--;
            deletes = handle.Block is { DeletePending: true, UncleanCount: 0 };
        }

        using GuardedMemory text = GuardedMemory.OfText(handle.Block.Name, Faults);
        var raw = new RawFileInfo { DeletePending = deletes ? (byte)1 : (byte)0 };
        Invoke(nameof(IDokanOperations2.Cleanup), handle, raw, (ref DokanFileInfo info) =>
        {
            _adapter.Cleanup(text.Text, ref info);
            return NtStatus.Success;
        });
        lock (_gate)
        {
            handle.Block.Unshare(handle);
        }

        if (deletes)
            Notify("removed", handle.Block.Name);
        else if (handle.WroteData)
            Notify("last write", handle.Block.Name);
        return true;
    }

    /// <summary>Nothing but sections refers to the open any more: CloseFile follows when the last section and callback end.</summary>
    internal void Release(SimulatedHandle handle)
    {
        bool close;
        lock (_gate)
        {
            handle.CloseWanted = true;
            close = MayClose(handle);
        }

        if (close)
            OnPump(() => CloseFile(handle));
    }

    /// <summary>The last handles of all that a process had open; the system closes them when it dies.</summary>
    internal void EndProcess(params SimulatedHandle[] handles)
    {
        foreach (SimulatedHandle handle in handles)
            CloseHandle(handle);
    }

    /// <summary>What a program gets when a handle leads nowhere any more.</summary>
    private NtStatus Gone => _unmounting ? NtStatus.NoSuchDevice : NtStatus.InvalidHandle;

    /// <summary>Begins a callback of a handle; false when the handle is gone.</summary>
    private bool Begin(SimulatedHandle handle)
    {
        lock (_gate)
        {
            if (handle.Closed || _unmounting)
                return false;
            handle.Running++;
            return true;
        }
    }

    /// <summary>Ends a callback of a handle, and closes it when that was waited for.</summary>
    private void End(SimulatedHandle handle)
    {
        bool close;
        lock (_gate)
        {
            handle.Running--;
            close = MayClose(handle);
        }

        if (close)
            CloseFile(handle);
    }

    /// <summary>Is it time for CloseFile? Asked under the lock; says yes once.</summary>
    private bool MayClose(SimulatedHandle handle)
    {
        if (!handle.CloseWanted || handle.Running > 0 || handle.Sections > 0 || handle.Closed || _unmounting)
            return false;
        handle.Closed = true;
        return true;
    }

    private bool CloseFile(SimulatedHandle handle)
    {
        using GuardedMemory text = GuardedMemory.OfText(handle.Block.Name, Faults);
        Invoke(nameof(IDokanOperations2.CloseFile), handle, default, (ref DokanFileInfo info) =>
        {
            _adapter.CloseFile(text.Text, ref info);
            return NtStatus.Success;
        });
        FreeContext(handle);
        lock (_gate)
            CloseBlock(handle.Block);
        _handles.TryRemove(handle, out _);
        return true;
    }
}
