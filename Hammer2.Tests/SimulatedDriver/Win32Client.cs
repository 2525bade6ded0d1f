// A program on the simulated mount: the Win32 calls that programs make, turned into driver requests the way the Win32
// layer does it (rights that it adds, names that it trims, patterns that it rewrites; dokan-semantics B.21).
// Errors are Win32 numbers. What changes something is in the other half. Calls the simulated driver only.

using DokanNet;
using FileAccess = DokanNet.FileAccess;

namespace Hammer2.Tests.SimulatedDriver;

/// <summary>A Win32 program.</summary>
internal sealed partial class Win32Client(SimulatedDriver driver)
{
    internal const FileAccess GenericRead = (FileAccess)0x120089;
    internal const FileAccess GenericWrite = (FileAccess)0x120116;
    internal const FileAccess GenericExecute = (FileAccess)0x1200A0;
    internal const FileShare ShareAll = FileShare.ReadWrite | FileShare.Delete;

    /// <summary>CreateFileW. Adds Synchronize and ReadAttributes, as Win32 does.</summary>
    internal SimulatedHandle? CreateFile(
        string path, FileAccess access, FileShare share, FileMode mode, out int error, FileOptions options = FileOptions.None,
        FileAttributes attributes = FileAttributes.Normal)
    {
        CreateDisposition disposition = mode switch
        {
            FileMode.CreateNew => CreateDisposition.Create,
            FileMode.Create => CreateDisposition.OverwriteIf,
            FileMode.OpenOrCreate => CreateDisposition.OpenIf,
            FileMode.Truncate => CreateDisposition.Overwrite,
            _ => CreateDisposition.Open,
        };
        if ((options & FileOptions.DeleteOnClose) != 0)
            access |= FileAccess.Delete;
        OpenOutcome outcome = driver.Open(new OpenRequest(Trim(path), disposition, access | FileAccess.Synchronize | FileAccess.ReadAttributes)
        {
            Share = share,
            Options = options,
            Attributes = attributes,
        });
        error = Statuses.ToWin32(outcome.Status);
        if (outcome.Status == NtStatus.ObjectNameCollision && mode == FileMode.CreateNew)
            error = 80;
        if (outcome.Status == NtStatus.Success && mode is FileMode.OpenOrCreate or FileMode.Create
            && outcome.Information is CreateInformation.Opened or CreateInformation.Overwritten)
        {
            error = 183;
        }

        return outcome.Handle;
    }

    /// <summary>ReadFile at an offset; end of file is success with 0 bytes to a program that looks at both.</summary>
    internal int ReadFile(SimulatedHandle handle, long offset, Span<byte> buffer, out int error)
    {
        NtStatus status = driver.Read(handle, offset, buffer, out int read);
        error = Statuses.ToWin32(status);
        return read;
    }

    /// <summary>Copies a whole file off the drive in pieces (B.5); fails the test when that fails.</summary>
    internal byte[] ReadAll(string path, int piece = 1 << 20)
    {
        byte[] all = TryReadAll(path, piece, out int error);
        Assert.AreEqual(0, error, $"copying {path}");
        return all;
    }

    /// <summary>Copies a whole file off the drive in pieces, up to the first error.</summary>
    internal byte[] TryReadAll(string path, int piece, out int error)
    {
        SimulatedHandle? handle = CreateFile(
            path, GenericRead, FileShare.Read | FileShare.Delete, FileMode.Open, out error, FileOptions.SequentialScan);
        if (handle is null)
            return [];
        try
        {
            error = GetFileInformationByHandle(handle, out ByHandleFileInformation information);
            using var all = new MemoryStream();
            var buffer = new byte[piece];
            while (error == 0)
            {
                int read = ReadFile(handle, all.Length, buffer, out error);
                all.Write(buffer, 0, read);
            }

            const int EndOfFile = 38;
            if (error != EndOfFile)
                return all.ToArray();
            error = 0;
            Assert.AreEqual(information.Length, all.Length, $"{path} has another length than its information says");
            return all.ToArray();
        }
        finally
        {
            driver.CloseHandle(handle);
        }
    }

    /// <summary>GetFileInformationByHandle.</summary>
    internal int GetFileInformationByHandle(SimulatedHandle handle, out ByHandleFileInformation information) =>
        Statuses.ToWin32(driver.QueryInformation(handle, out information));

    /// <summary>GetFileAttributesEx: open for attributes, ask, close.</summary>
    internal int GetFileAttributes(string path, out ByHandleFileInformation information)
    {
        information = default;
        SimulatedHandle? handle = CreateFile(path, FileAccess.ReadAttributes, ShareAll, FileMode.Open, out int error);
        if (handle is null)
            return error;
        error = GetFileInformationByHandle(handle, out information);
        driver.CloseHandle(handle);
        return error;
    }

    /// <summary>FindFirstFile and FindNextFile to the end.</summary>
    /// <param name="directory">The directory.</param>
    /// <param name="typed">The pattern as a user types it.</param>
    /// <param name="error">0; 2 when nothing matches; otherwise why it failed.</param>
    internal List<FindFileInformation> FindAll(string directory, string typed, out int error)
    {
        OpenOutcome outcome = driver.Open(new OpenRequest(
            directory, CreateDisposition.Open, FileAccess.ReadData | FileAccess.Synchronize)
        { Directory = true });
        error = Statuses.ToWin32(outcome.Status);
        if (outcome.Handle is null)
            return [];
        NtStatus status = driver.List(outcome.Handle, Rewrite(typed), out List<FindFileInformation> entries);
        error = Statuses.ToWin32(status);
        driver.CloseHandle(outcome.Handle);
        return entries;
    }

    /// <summary>The names of a directory, without dots.</summary>
    internal List<string> Names(string directory, string typed = "*")
    {
        List<FindFileInformation> entries = FindAll(directory, typed, out int error);
        Assert.IsTrue(error is 0 or 2, $"listing {directory} failed with {error}");
        return [.. entries.Select(entry => entry.FileName.ToString()).Where(name => name is not "." and not "..")];
    }

    /// <summary>DeleteFile: open for Delete without Synchronize, mark, close.</summary>
    internal int DeleteFile(string path)
    {
        OpenOutcome outcome = driver.Open(new OpenRequest(
            Trim(path), CreateDisposition.Open, FileAccess.Delete | FileAccess.ReadAttributes));
        if (outcome.Handle is null)
            return Statuses.ToWin32(outcome.Status);
        NtStatus status = driver.SetDisposition(outcome.Handle, delete: true);
        driver.CloseHandle(outcome.Handle);
        return Statuses.ToWin32(status);
    }

    /// <summary>What Win32 makes of a pattern before the file system sees it.</summary>
    internal static string Rewrite(string typed)
    {
        if (typed is "*" or "*.*")
            return "*";
        char[] pattern = typed.ToCharArray();
        for (int i = 0; i < pattern.Length; i++)
        {
            bool beforeWild = i + 1 < pattern.Length && typed[i + 1] is '?' or '*';
            bool beforeDot = i + 1 < pattern.Length && typed[i + 1] == '.';
            pattern[i] = typed[i] switch
            {
                '?' => '>',
                '.' when beforeWild => '"',
                '*' when beforeDot => '<',
                _ => typed[i],
            };
        }

        string rewritten = new(pattern);
        return typed.EndsWith("*.", StringComparison.Ordinal) ? rewritten[..^1] : rewritten;
    }

    /// <summary>Win32 drops trailing dots and spaces of the last component, unless the path says <c>\\?\</c>.</summary>
    private static string Trim(string path)
    {
        const string Verbatim = "\\\\?";
        if (path.StartsWith(Verbatim, StringComparison.Ordinal))
            return path[Verbatim.Length..];
        return path.Length > 1 ? path.TrimEnd('.', ' ') : path;
    }
}
