// Reading, attributes and security of a handle (dokan-semantics A.4, A.7, A.15).
// Part of the simulated driver: what the adapter reports is checked against the buffers that it was given.

using System.Security.AccessControl;
using DokanNet;

namespace Hammer2.Tests.SimulatedDriver;

internal sealed partial class SimulatedDriver
{
    [ThreadStatic]
    private static byte[]? t_descriptor;

    /// <summary>Stands in for the Windows security classes: keeps the bytes for the event that runs on this thread.</summary>
    internal static FileSystemSecurity? CaptureDescriptor(byte[] descriptor, bool isDirectory)
    {
        t_descriptor = descriptor;
        return null;
    }

    /// <summary>ReadFile at an absolute offset.</summary>
    internal NtStatus Read(SimulatedHandle handle, long offset, Span<byte> buffer, out int read, bool paging = false)
    {
        read = 0;
        if (buffer.Length == 0)
            return NtStatus.Success;
        if (handle.IsDirectory)
            return NtStatus.InvalidParameter;
        if (!paging)
            FlushPages(handle.Block);
        int length = buffer.Length;
        (NtStatus status, byte[] bytes) = OnPump(() => ReadEvent(handle, offset, length, paging));
        bytes.CopyTo(buffer);
        buffer[bytes.Length..].Clear();
        read = bytes.Length;
        return status;
    }

    private (NtStatus Status, byte[] Bytes) ReadEvent(SimulatedHandle handle, long offset, int length, bool paging)
    {
        if (!Begin(handle))
            return (Gone, []);
        try
        {
            using GuardedMemory text = GuardedMemory.OfText(handle.Block.Name, Faults);
            using var buffer = new GuardedMemory(length, Faults);
            int got = 0;
            var raw = new RawFileInfo { PagingIo = paging ? (byte)1 : (byte)0, SynchronousIo = 1 };
            NtStatus status = Invoke(
                nameof(IDokanOperations2.ReadFile), handle, raw,
                (ref DokanFileInfo info) => _adapter.ReadFile(text.Text, buffer.Buffer, out got, offset, ref info));
            if (got < 0 || got > length)
                Faults.Add($"ReadFile: {got} bytes of a buffer of {length} were reported");
            if (status != NtStatus.Success)
            {
                if (got != 0)
                    Faults.Add($"ReadFile: {got} bytes were reported beside an error");
                return (status, []);
            }

            return got <= 0 ? (NtStatus.EndOfFile, []) : (status, buffer.Bytes[..Math.Min(got, length)].ToArray());
        }
        finally
        {
            End(handle);
        }
    }

    /// <summary>Any information class: a failure always becomes "invalid parameter".</summary>
    internal NtStatus QueryInformation(SimulatedHandle handle, out ByHandleFileInformation information)
    {
        (NtStatus status, ByHandleFileInformation found) = OnPump(() =>
        {
            if (!Begin(handle))
                return (Gone, default);
            try
            {
                return Query(handle);
            }
            finally
            {
                End(handle);
            }
        });
        information = found;
        return status;
    }

    private (NtStatus Status, ByHandleFileInformation Found) Query(SimulatedHandle handle)
    {
        using GuardedMemory text = GuardedMemory.OfText(handle.Block.Name, Faults);
        ByHandleFileInformation found = default;
        NtStatus status = Invoke(
            nameof(IDokanOperations2.GetFileInformation), handle, default,
            (ref DokanFileInfo info) => _adapter.GetFileInformation(text.Text, out found, ref info));
        string name = handle.Block.Name;
        if (status != NtStatus.Success)
        {
            if (!_unmounting)
                Faults.Add($"GetFileInformation of {name} failed with {(long)status:X8}; programs see an invalid parameter");
            return (NtStatus.InvalidParameter, default);
        }

        if (found.FileIndex == 0)
            Faults.Add($"GetFileInformation of {name}: file index 0");
        if (found.NumberOfLinks < 1)
            Faults.Add($"GetFileInformation of {name}: {found.NumberOfLinks} links");
        if (((found.Attributes & FileAttributes.Directory) != 0) != handle.IsDirectory)
            Faults.Add($"GetFileInformation of {name}: attributes {found.Attributes} do not fit IsDirectory {handle.IsDirectory}");
        JudgeRecord(name, found.Attributes, found.Length, found.CreationTime, found.LastAccessTime, found.LastWriteTime);
        return (status, found);
    }

    /// <summary>The descriptor as bytes; BufferOverflow and the needed length when the buffer is too small.</summary>
    internal NtStatus QuerySecurity(
        SimulatedHandle handle, AccessControlSections sections, int bufferLength, out byte[] descriptor, out int needed)
    {
        (NtStatus status, byte[] bytes) = OnPump(() =>
        {
            using GuardedMemory text = GuardedMemory.OfText(handle.Block.Name, Faults);
            t_descriptor = null;
            NtStatus answer = Invoke(
                nameof(IDokanOperations2.GetFileSecurity), handle, default,
                (ref DokanFileInfo info) => _adapter.GetFileSecurity(text.Text, out _, sections, ref info), mayBeUnimplemented: true);
            return (answer, t_descriptor ?? []);
        });
        descriptor = bytes;
        needed = bytes.Length;
        if (status != NtStatus.Success || needed <= bufferLength)
            return status;
        descriptor = [];
        return NtStatus.BufferOverflow;
    }

    /// <summary>What holds for a record, whether it comes from a listing or from a handle.</summary>
    private void JudgeRecord(
        string name, FileAttributes attributes, long length, DateTime? created, DateTime? accessed, DateTime? written)
    {
        const FileAttributes Promises = FileAttributes.ReparsePoint | FileAttributes.SparseFile | FileAttributes.Compressed | FileAttributes.Encrypted;
        if (attributes == 0)
            Faults.Add($"{name}: attributes 0");
        if ((attributes & Promises) != 0)
            Faults.Add($"{name}: attributes {attributes} promise requests that fail");
        if ((attributes & FileAttributes.Normal) != 0 && attributes != FileAttributes.Normal)
            Faults.Add($"{name}: Normal beside other attributes");
        if ((attributes & (FileAttributes.Directory | FileAttributes.ReadOnly)) == (FileAttributes.Directory | FileAttributes.ReadOnly))
            Faults.Add($"{name}: a ReadOnly directory");
        if (length < 0)
            Faults.Add($"{name}: length {length}");
        foreach (DateTime? time in new[] { created, accessed, written })
        {
            if (time is { } given && (given.Kind != DateTimeKind.Utc || given.Year < 1601))
                Faults.Add($"{name}: time {given:O} is not UTC or before 1601");
        }
    }
}
