// Requests that change something. On a write-protected mount the driver refuses them itself; with the bypass they reach
// the adapter (dokan-semantics A.5 to A.13, A.18), and the library converts the answers as on a writable mount.

using System.Security.AccessControl;
using DokanNet;

namespace Hammer2.Tests.SimulatedDriver;

internal sealed partial class SimulatedDriver
{
    private bool RefusesChanges => _options is { WriteProtected: true, BypassWriteProtection: false };

    /// <summary>WriteFile at an absolute offset. Mapped pages of the range are written back first and then dropped.</summary>
    internal NtStatus Write(SimulatedHandle handle, long offset, ReadOnlySpan<byte> bytes, out int written, bool paging = false)
    {
        if (!paging && bytes.Length > 0)
        {
            FlushPages(handle.Block);
            handle.Block.Pages.Purge(offset, bytes.Length);
        }

        return WriteEvent(handle, offset, bytes, out written, paging, toEnd: false);
    }

    /// <summary>WriteFile to the end, wherever that is: the adapter gets the offset -1 and a flag.</summary>
    internal NtStatus Append(SimulatedHandle handle, ReadOnlySpan<byte> bytes, out int written)
    {
        FlushPages(handle.Block);
        return WriteEvent(handle, -1, bytes, out written, paging: false, toEnd: true);
    }

    private NtStatus WriteEvent(
        SimulatedHandle handle, long offset, ReadOnlySpan<byte> bytes, out int written, bool paging, bool toEnd)
    {
        written = 0;
        if (bytes.Length == 0)
            return NtStatus.Success;
        byte[] copy = bytes.ToArray();
        int taken = 0;
        var raw = new RawFileInfo { PagingIo = paging ? (byte)1 : (byte)0, WriteToEndOfFile = toEnd ? (byte)1 : (byte)0 };
        NtStatus status = Change(nameof(IDokanOperations2.WriteFile), handle, raw, (GuardedMemory name, ref DokanFileInfo info) =>
        {
            using var buffer = new GuardedMemory(copy.Length, Faults);
            copy.CopyTo(buffer.Bytes);
            NtStatus answer = _adapter.WriteFile(name.Text, buffer.ReadOnlyBuffer, out taken, offset, ref info);
            if (!copy.AsSpan().SequenceEqual(buffer.Bytes))
                Faults.Add("WriteFile changed the buffer of the program");
            return answer;
        });
        bool wrong = status != NtStatus.Success ? taken != 0 : paging ? taken < 0 || taken > copy.Length : taken != copy.Length;
        if (wrong)
            Faults.Add($"WriteFile: {taken} of {copy.Length} bytes were reported with {(long)status:X8}");
        if (status == NtStatus.Success && !paging)
            handle.WroteData = true;
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
        lock (_gate)
        {
            if (handle.Block.DeletePending == delete)
                return NtStatus.Success;
        }

        return OnPump(() => DispositionEvent(handle, delete));
    }

    /// <summary>The library asks for the attributes and refuses what is read-only; the driver refuses running programs.</summary>
    private NtStatus DispositionEvent(SimulatedHandle handle, bool delete)
    {
        if (!Begin(handle))
            return Gone;
        try
        {
            (NtStatus queried, ByHandleFileInformation found) = Query(handle);
            if (queried != NtStatus.Success)
                return queried;
            if (delete && (found.Attributes & FileAttributes.ReadOnly) != 0)
                return NtStatus.CannotDelete;
            string callback = handle.IsDirectory ? nameof(IDokanOperations2.DeleteDirectory) : nameof(IDokanOperations2.DeleteFile);
            using GuardedMemory text = GuardedMemory.OfText(handle.Block.Name, Faults);
            var raw = new RawFileInfo { DeletePending = delete ? (byte)1 : (byte)0 };
            NtStatus status = Invoke(callback, handle, raw, (ref DokanFileInfo info) => handle.IsDirectory
                ? _adapter.DeleteDirectory(text.Text, ref info)
                : _adapter.DeleteFile(text.Text, ref info));
            if (!delete && status != NtStatus.Success)
                Faults.Add($"{callback}: taking a deletion back was refused");
            if (status != NtStatus.Success)
                return status;
            lock (_gate)
            {
                if (delete && handle.Block.ImageSections > 0)
                    return NtStatus.CannotDelete;
                handle.Block.DeletePending = delete;
                return NtStatus.Success;
            }
        }
        finally
        {
            End(handle);
        }
    }

    /// <summary>Basic information: attributes first, then times, and the times only if the attributes succeeded.</summary>
    internal NtStatus SetBasic(
        SimulatedHandle handle, FileAttributes attributes, DateTime? created, DateTime? accessed, DateTime? written)
    {
        NtStatus status = Change(nameof(IDokanOperations2.SetFileAttributes), handle, default,
            (GuardedMemory name, ref DokanFileInfo info) => _adapter.SetFileAttributes(name.Text, attributes, ref info));
        if (status != NtStatus.Success)
            return status;

        // DokanNet hands times over as local ones.
        status = Change(nameof(IDokanOperations2.SetFileTime), handle, default, (GuardedMemory name, ref DokanFileInfo info) =>
            _adapter.SetFileTime(name.Text, created?.ToLocalTime(), accessed?.ToLocalTime(), written?.ToLocalTime(), ref info));
        if (status == NtStatus.Success)
            Notify("attributes", handle.Block.Name);
        return status;
    }

    /// <summary>Sets the size.</summary>
    internal NtStatus SetEndOfFile(SimulatedHandle handle, long length) =>
        Resize(nameof(IDokanOperations2.SetEndOfFile), handle, length,
            (GuardedMemory name, ref DokanFileInfo info) => _adapter.SetEndOfFile(name.Text, length, ref info));

    /// <summary>Sets the space set aside.</summary>
    internal NtStatus SetAllocationSize(SimulatedHandle handle, long length) =>
        Resize(nameof(IDokanOperations2.SetAllocationSize), handle, length,
            (GuardedMemory name, ref DokanFileInfo info) => _adapter.SetAllocationSize(name.Text, length, ref info));

    /// <summary>A mapped file is not cut below its view; that is the driver's to refuse.</summary>
    private NtStatus Resize(string callback, SimulatedHandle handle, long length, NamedCallback body)
    {
        lock (_gate)
        {
            if (length < handle.Block.MappedLength)
                return Statuses.UserMappedFile;
        }

        FlushPages(handle.Block);
        NtStatus status = Change(callback, handle, default, body);
        if (status == NtStatus.Success)
            Notify("size", handle.Block.Name);
        return status;
    }

    /// <summary>Changes the security descriptor: any failure but "write-protected" becomes "invalid parameter".</summary>
    internal NtStatus SetSecurity(SimulatedHandle handle, AccessControlSections sections = default)
    {
        NtStatus status = Change(nameof(IDokanOperations2.SetFileSecurity), handle, default,
            (GuardedMemory name, ref DokanFileInfo info) => _adapter.SetFileSecurity(name.Text, null!, sections, ref info));
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
                return Gone;
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
