// The half of the program that changes something: writing, copying, renaming, deleting, replacing, as kernel32 does it
// (dokan-semantics B.4 to B.20). Errors are Win32 numbers, 0 is success; what was opened is closed. Calls the driver only.

using DokanNet;
using FileAccess = DokanNet.FileAccess;

namespace Hammer2.Tests.SimulatedDriver;

internal sealed partial class Win32Client
{
    private const FileAccess QueryAndDelete = FileAccess.Delete | FileAccess.ReadAttributes | FileAccess.Synchronize;

    /// <summary>WriteFile at an offset.</summary>
    internal int WriteFile(SimulatedHandle handle, long offset, ReadOnlySpan<byte> bytes) =>
        Statuses.ToWin32(driver.Write(handle, offset, bytes, out _));

    /// <summary>Makes or empties a file and writes it whole (Set-Content).</summary>
    internal int WriteAll(string path, ReadOnlySpan<byte> bytes, int piece = 1 << 20)
    {
        SimulatedHandle? handle = CreateFile(path, GenericWrite, FileShare.Read, FileMode.Create, out int error);
        if (handle is null)
            return error;
        error = 0;
        for (int done = 0; done < bytes.Length && error == 0; done += piece)
            error = WriteFile(handle, done, bytes[done..Math.Min(bytes.Length, done + piece)]);
        driver.CloseHandle(handle);
        return error;
    }

    /// <summary>Appends with a handle that can do nothing else (Add-Content).</summary>
    internal int AppendAll(string path, ReadOnlySpan<byte> bytes)
    {
        SimulatedHandle? handle = CreateFile(path, FileAccess.AppendData, FileShare.ReadWrite, FileMode.OpenOrCreate, out int error);
        if (handle is null)
            return error;
        error = Statuses.ToWin32(driver.Append(handle, bytes, out _));
        driver.CloseHandle(handle);
        return error;
    }

    /// <summary>SetEndOfFile.</summary>
    internal int SetEndOfFile(SimulatedHandle handle, long length) => Statuses.ToWin32(driver.SetEndOfFile(handle, length));

    /// <summary>FlushFileBuffers.</summary>
    internal int FlushFileBuffers(SimulatedHandle handle) => Statuses.ToWin32(driver.Flush(handle));

    /// <summary>CreateDirectory.</summary>
    internal int CreateDirectory(string path, FileAttributes attributes = FileAttributes.Normal)
    {
        OpenOutcome outcome = driver.Open(new OpenRequest(
            Trim(path), CreateDisposition.Create, FileAccess.ReadData | FileAccess.Synchronize)
        { Directory = true, Attributes = attributes });
        if (outcome.Handle is not null)
            driver.CloseHandle(outcome.Handle);
        return Statuses.ToWin32(outcome.Status);
    }

    /// <summary>RemoveDirectory.</summary>
    internal int RemoveDirectory(string path)
    {
        OpenOutcome outcome = driver.Open(new OpenRequest(Trim(path), CreateDisposition.Open, QueryAndDelete) { Directory = true });
        if (outcome.Handle is null)
            return Statuses.ToWin32(outcome.Status);
        NtStatus status = driver.SetDisposition(outcome.Handle, delete: true);
        driver.CloseHandle(outcome.Handle);
        return Statuses.ToWin32(status);
    }

    /// <summary>MoveFileEx.</summary>
    internal int MoveFileEx(string path, string target, bool replace = false)
    {
        OpenOutcome outcome = driver.Open(new OpenRequest(Trim(path), CreateDisposition.Open, QueryAndDelete));
        if (outcome.Handle is null)
            return Statuses.ToWin32(outcome.Status);
        driver.QueryInformation(outcome.Handle, out _);
        NtStatus status = driver.MoveFile(outcome.Handle, Trim(target), replace);
        driver.CloseHandle(outcome.Handle);
        return Statuses.ToWin32(status);
    }

    /// <summary>SetFileAttributes. No attribute at all is sent as Normal.</summary>
    internal int SetFileAttributes(string path, FileAttributes attributes)
    {
        SimulatedHandle? handle = CreateFile(path, FileAccess.WriteAttributes, ShareAll, FileMode.Open, out int error);
        if (handle is null)
            return error;
        NtStatus status = driver.SetBasic(handle, attributes == 0 ? FileAttributes.Normal : attributes, null, null, null);
        driver.CloseHandle(handle);
        return Statuses.ToWin32(status);
    }

    /// <summary>SetFileTime on a handle: the attributes of the request are 0.</summary>
    internal int SetFileTime(SimulatedHandle handle, DateTime? created, DateTime? accessed, DateTime? written) =>
        Statuses.ToWin32(driver.SetBasic(handle, 0, created, accessed, written));

    /// <summary>CopyFile from one file of the drive to another (B.4, B.5): contents, attributes and last write.</summary>
    internal int CopyFile(string source, string target, bool failIfExists = false)
    {
        SimulatedHandle? from = CreateFile(source, GenericRead, FileShare.Read | FileShare.Delete, FileMode.Open, out int error, FileOptions.SequentialScan);
        if (from is null)
            return error;
        GetFileInformationByHandle(from, out ByHandleFileInformation information);
        const FileAccess Wanted = GenericWrite | FileAccess.ReadAttributes | FileAccess.Delete;
        SimulatedHandle? to = CreateFile(
            target, Wanted, FileShare.None, failIfExists ? FileMode.CreateNew : FileMode.Create, out error, FileOptions.SequentialScan, information.Attributes);
        if (to is null)
        {
            driver.CloseHandle(from);
            return error;
        }

        driver.QueryVolume(to);
        GetFileInformationByHandle(to, out _);
        error = SetEndOfFile(to, information.Length);
        var buffer = new byte[65536];
        for (long offset = 0; error == 0 && offset < information.Length;)
        {
            int read = ReadFile(from, offset, buffer, out error);
            if (error == 0)
                error = WriteFile(to, offset, buffer.AsSpan(0, read));
            offset += read;
        }

        if (error == 0)
            error = Statuses.ToWin32(driver.SetBasic(to, 0, null, null, information.LastWriteTime));
        else
            driver.SetDisposition(to, delete: true);
        driver.CloseHandle(to);
        driver.CloseHandle(from);
        return error;
    }

    /// <summary>ReplaceFile (B.12): the replacement takes the place, attributes and creation time of what it replaces.</summary>
    internal int ReplaceFile(string replaced, string replacement, string backup)
    {
        const FileAccess OnOld = FileAccess.ReadAttributes | FileAccess.WriteAttributes | FileAccess.Delete | FileAccess.ReadPermissions | FileAccess.Synchronize;
        const FileAccess OnNew = GenericRead | GenericWrite | FileAccess.Delete | FileAccess.ReadPermissions | FileAccess.ChangePermissions;
        OpenOutcome old = driver.Open(new OpenRequest(replaced, CreateDisposition.Open, OnOld | FileAccess.AccessSystemSecurity));
        if (old.Handle is null)
            return Statuses.ToWin32(old.Status);
        OpenOutcome fresh = driver.Open(new OpenRequest(replacement, CreateDisposition.Open, OnNew));
        if (fresh.Handle is null)
        {
            driver.CloseHandle(old.Handle);
            return Statuses.ToWin32(fresh.Status);
        }

        driver.QueryInformation(old.Handle, out ByHandleFileInformation before);
        driver.QuerySecurity(old.Handle, System.Security.AccessControl.AccessControlSections.All, 65536, out _, out _);
        driver.QueryInformation(fresh.Handle, out _);
        NtStatus status = driver.SetBasic(fresh.Handle, before.Attributes, before.CreationTime, null, null);
        if (status == NtStatus.Success)
            status = driver.SetSecurity(fresh.Handle);
        if (status == NtStatus.Success)
            status = driver.MoveFile(old.Handle, backup, replace: true);
        if (status == NtStatus.Success)
            status = driver.MoveFile(fresh.Handle, replaced, replace: true);
        driver.CloseHandle(fresh.Handle);
        driver.CloseHandle(old.Handle);
        return Statuses.ToWin32(status);
    }

    /// <summary>Removes a tree (B.10), children first, with the listing handle of each directory open over the loop.</summary>
    internal int RemoveTree(string path)
    {
        OpenOutcome listing = driver.Open(new OpenRequest(path, CreateDisposition.Open, FileAccess.ReadData | FileAccess.Synchronize) { Directory = true });
        if (listing.Handle is null)
            return Statuses.ToWin32(listing.Status);
        int error = 0;
        for (bool first = true; error == 0; first = false)
        {
            NtStatus status = driver.QueryDirectory(listing.Handle, "*", restart: first, entriesMax: 7, out List<FindFileInformation> entries);
            if (status != NtStatus.Success)
                break;
            foreach (FindFileInformation entry in entries)
            {
                string below = $"{path}\\{entry.FileName}";
                if (!entry.FileName.Span.SequenceEqual(".") && !entry.FileName.Span.SequenceEqual("..") && error == 0)
                    error = (entry.Attributes & FileAttributes.Directory) != 0 ? RemoveTree(below) : DeleteFile(below);
            }
        }

        driver.CloseHandle(listing.Handle);
        return error != 0 ? error : RemoveDirectory(path);
    }
}
