// Requests that change something. On a write-protected mount the driver refuses them itself; with the bypass they reach
// the adapter (dokan-semantics A.5 to A.13, A.18), and the library converts the answers as on a writable mount.

using DokanNet;

namespace Hammer2.Tests.SimulatedDriver;

internal sealed partial class SimulatedDriver
{
    private bool RefusesChanges => _options is { WriteProtected: true, BypassWriteProtection: false };

    /// <summary>WriteFile at an absolute offset.</summary>
    internal NtStatus Write(SimulatedHandle handle, long offset, ReadOnlySpan<byte> bytes, out int written, bool paging = false)
    {
        written = 0;
        if (bytes.Length == 0)
            return NtStatus.Success;
        byte[] copy = bytes.ToArray();
        int taken = 0;
        NtStatus status = Change(nameof(IDokanOperations2.WriteFile), handle, new RawFileInfo { PagingIo = paging ? (byte)1 : (byte)0 },
            (GuardedMemory name, ref DokanFileInfo info) =>
            {
                using var buffer = new GuardedMemory(copy.Length, Faults);
                copy.CopyTo(buffer.Bytes);
                return _adapter.WriteFile(name.Text, buffer.ReadOnlyBuffer, out taken, offset, ref info);
            });
        written = taken;
        return status;
    }

    /// <summary>FlushFileBuffers: "not implemented" counts as success, any error becomes "not supported".</summary>
    internal NtStatus Flush(SimulatedHandle handle)
    {
        NtStatus status = Change(nameof(IDokanOperations2.FlushFileBuffers), handle, default,
            (GuardedMemory name, ref DokanFileInfo info) => _adapter.FlushFileBuffers(name.Text, ref info));
        return status == NtStatus.Success || status == Statuses.MediaWriteProtected ? status : Statuses.NotSupported;
    }

    /// <summary>Sets or takes back "delete when the last handle goes".</summary>
    internal NtStatus SetDisposition(SimulatedHandle handle, bool delete)
    {
        if (RefusesChanges)
            return Statuses.MediaWriteProtected;
        if (handle.Block.DeletePending == delete)
            return NtStatus.Success;
        (NtStatus queried, ByHandleFileInformation found) = OnPump(() => Query(handle));
        if (queried != NtStatus.Success)
            return queried;
        if (delete && (found.Attributes & FileAttributes.ReadOnly) != 0)
            return NtStatus.CannotDelete;
        string callback = handle.IsDirectory ? nameof(IDokanOperations2.DeleteDirectory) : nameof(IDokanOperations2.DeleteFile);
        NtStatus status = Change(callback, handle, new RawFileInfo { DeletePending = delete ? (byte)1 : (byte)0 },
            (GuardedMemory name, ref DokanFileInfo info) => handle.IsDirectory
                ? _adapter.DeleteDirectory(name.Text, ref info)
                : _adapter.DeleteFile(name.Text, ref info));
        if (status == NtStatus.Success)
            handle.Block.DeletePending = delete;
        return status;
    }

    /// <summary>Basic information: attributes first, then times, and the times only if the attributes succeeded.</summary>
    internal NtStatus SetBasic(
        SimulatedHandle handle, FileAttributes attributes, DateTime? created, DateTime? accessed, DateTime? written)
    {
        NtStatus status = Change(nameof(IDokanOperations2.SetFileAttributes), handle, default,
            (GuardedMemory name, ref DokanFileInfo info) => _adapter.SetFileAttributes(name.Text, attributes, ref info));
        return status != NtStatus.Success
            ? status
            : Change(nameof(IDokanOperations2.SetFileTime), handle, default,
                (GuardedMemory name, ref DokanFileInfo info) => _adapter.SetFileTime(name.Text, created, accessed, written, ref info));
    }

    /// <summary>Sets the size.</summary>
    internal NtStatus SetEndOfFile(SimulatedHandle handle, long length) =>
        Change(nameof(IDokanOperations2.SetEndOfFile), handle, default,
            (GuardedMemory name, ref DokanFileInfo info) => _adapter.SetEndOfFile(name.Text, length, ref info));

    /// <summary>Sets the space set aside.</summary>
    internal NtStatus SetAllocationSize(SimulatedHandle handle, long length) =>
        Change(nameof(IDokanOperations2.SetAllocationSize), handle, default,
            (GuardedMemory name, ref DokanFileInfo info) => _adapter.SetAllocationSize(name.Text, length, ref info));

    /// <summary>Renames.</summary>
    internal NtStatus Rename(SimulatedHandle handle, string target, bool replace) =>
        Change(nameof(IDokanOperations2.MoveFile), handle, default, (GuardedMemory name, ref DokanFileInfo info) =>
        {
            using GuardedMemory to = GuardedMemory.OfText(target, Faults);
            return _adapter.MoveFile(name.Text, to.Text, replace, ref info);
        });

    /// <summary>Changes the security descriptor: any failure but "write-protected" becomes "invalid parameter".</summary>
    internal NtStatus SetSecurity(SimulatedHandle handle)
    {
        NtStatus status = Change(nameof(IDokanOperations2.SetFileSecurity), handle, default,
            (GuardedMemory name, ref DokanFileInfo info) => _adapter.SetFileSecurity(name.Text, null!, default, ref info));
        return status is NtStatus.Success || status == Statuses.MediaWriteProtected ? status : NtStatus.InvalidParameter;
    }

    private delegate NtStatus NamedCallback(GuardedMemory name, ref DokanFileInfo info);

    private NtStatus Change(string callback, SimulatedHandle handle, RawFileInfo raw, NamedCallback body)
    {
        if (RefusesChanges)
            return Statuses.MediaWriteProtected;
        return OnPump(() =>
        {
            if (!Begin(handle))
                return NtStatus.InvalidHandle;
            try
            {
                using GuardedMemory text = GuardedMemory.OfText(handle.Block.Name, Faults);
                return Invoke(callback, handle, raw, (ref DokanFileInfo info) => body(text, ref info));
            }
            finally
            {
                End(handle);
            }
        });
    }
}
