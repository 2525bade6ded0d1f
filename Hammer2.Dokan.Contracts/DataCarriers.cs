// The structures that DokanNet 2.3.0.3 passes between its proxy and an adapter, declared anew.
// Invariant: DokanFileInfo has the published layout (sequential, pack 4, 44 bytes); Context is a GC handle whose
// replacement frees the old one at once, as the real one does, so that a misuse shows in tests too.
// Calls nothing.

using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using System.Security.Principal;
using Microsoft.Win32.SafeHandles;

namespace DokanNet;

#pragma warning disable CA1822 // The shapes are those of the package.

/// <summary>What a handle query yields.</summary>
public struct ByHandleFileInformation
{
    /// <summary>A record with one link; <c>default</c> has none.</summary>
    public ByHandleFileInformation()
    {
        NumberOfLinks = 1;
    }

    /// <summary>File attributes; zero is not a valid answer.</summary>
    public FileAttributes Attributes { get; set; }

    /// <summary>Creation time, UTC.</summary>
    public DateTime? CreationTime { get; set; }

    /// <summary>Last access time, UTC.</summary>
    public DateTime? LastAccessTime { get; set; }

    /// <summary>Last write time, UTC.</summary>
    public DateTime? LastWriteTime { get; set; }

    /// <summary>Size in bytes.</summary>
    public long Length { get; set; }

    /// <summary>Number of names.</summary>
    public int NumberOfLinks { get; set; }

    /// <summary>Identity of the object on its volume, not zero.</summary>
    public long FileIndex { get; set; }
}

/// <summary>One entry of a listing.</summary>
public struct FindFileInformation
{
    /// <summary>The name, without its path.</summary>
    public ReadOnlyMemory<char> FileName { get; set; }

    /// <summary>The 8.3 name, which the library drops.</summary>
    public ReadOnlyMemory<char> ShortFileName { get; set; }

    /// <summary>File attributes.</summary>
    public FileAttributes Attributes { get; set; }

    /// <summary>Creation time, UTC.</summary>
    public DateTime? CreationTime { get; set; }

    /// <summary>Last access time, UTC.</summary>
    public DateTime? LastAccessTime { get; set; }

    /// <summary>Last write time, UTC.</summary>
    public DateTime? LastWriteTime { get; set; }

    /// <summary>Size in bytes.</summary>
    public long Length { get; set; }

    /// <inheritdoc />
    public override readonly string ToString() => FileName.ToString();
}

/// <summary>What comes with each request: the context of the handle and the flags of the event.</summary>
[SupportedOSPlatform("windows")]
[StructLayout(LayoutKind.Sequential, Pack = 4)]
public struct DokanFileInfo
{
#pragma warning disable CS0169, CS0649, IDE0051, IDE0044, CA1823 // The native library fills these; the order is the layout.
    private ulong context;
    private readonly ulong dokanContext;
    private readonly nint dokanOptions;
    private readonly nint processingContext;
    private readonly uint processId;
    private byte isDirectory;
    private byte deletePending;
    private readonly byte pagingIo;
    private readonly byte synchronousIo;
    private readonly byte noCache;
    private readonly byte writeToEndOfFile;
#pragma warning restore CS0169, CS0649, IDE0051, IDE0044, CA1823

    /// <summary>The adapter's object of the handle. Assigning frees the handle of the previous one.</summary>
    public object? Context
    {
        readonly get => context == 0 ? null : GCHandle.FromIntPtr((nint)context).Target;
        set
        {
            if (context != 0)
            {
                GCHandle.FromIntPtr((nint)context).Free();
                context = 0;
            }

            if (value is not null)
                context = (ulong)GCHandle.ToIntPtr(GCHandle.Alloc(value));
        }
    }

    /// <summary>The process that asks; 4 is the system.</summary>
    public readonly int ProcessId => (int)processId;

    /// <summary>The object is a directory, or on entry of CreateFile: must be one.</summary>
    public bool IsDirectory
    {
        readonly get => isDirectory != 0;
        set => isDirectory = value ? (byte)1 : (byte)0;
    }

    /// <summary>The file is to be deleted.</summary>
    public bool DeletePending
    {
        readonly get => deletePending != 0;
        set => deletePending = value ? (byte)1 : (byte)0;
    }

    /// <summary>The transfer is one of mapped pages.</summary>
    public readonly bool PagingIo => pagingIo != 0;

    /// <summary>The handle is synchronous.</summary>
    public readonly bool SynchronousIo => synchronousIo != 0;

    /// <summary>The transfer must not be cached.</summary>
    public readonly bool NoCache => noCache != 0;

    /// <summary>Append, whatever the offset says.</summary>
    public readonly bool WriteToEndOfFile => writeToEndOfFile != 0;

    /// <summary>Who asks; only while CreateFile runs.</summary>
    public readonly WindowsIdentity GetRequestor() => throw ContractsOnly.Refusal();

    /// <summary>The token of who asks; only while CreateFile runs.</summary>
    public readonly SafeAccessTokenHandle GetRequestorToken() => throw ContractsOnly.Refusal();

    /// <summary>Sets the remaining time of this request. Without a driver there is no limit: a simulator may listen.</summary>
    public readonly bool TryResetTimeout(int milliseconds) =>
        ContractsOnly.ResetTimeout?.Invoke(dokanContext, milliseconds) ?? false;

    /// <inheritdoc />
    public override readonly string ToString() =>
        $"{{Context={Context}, DeletePending={DeletePending}, IsDirectory={IsDirectory}, PagingIo={PagingIo}, " +
        $"ProcessId={ProcessId}}}";
}
