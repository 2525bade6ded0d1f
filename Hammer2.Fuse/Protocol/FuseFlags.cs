// What this is: the flag words and limits of the FUSE kernel protocol that this front end uses.
// Invariants: values are the kernel's; only flags that are offered, asked for or tested somewhere are listed.
// Layers: data only, calls nothing.

namespace Hammer2.Fuse.Protocol;

/// <summary>Capabilities exchanged in INIT (bits 0 to 31; the second word of newer kernels is not needed).</summary>
[Flags]
internal enum FuseInitFlags : uint
{
    None = 0,

    /// <summary>Several reads of one file may be under way at once.</summary>
    AsyncRead = 1u << 0,

    /// <summary>LOOKUP of "." and ".." by node works, so the mount can be exported and opened by file handle.</summary>
    ExportSupport = 1u << 4,

    /// <summary>A WRITE may be larger than one page.</summary>
    BigWrites = 1u << 5,

    /// <summary>READDIRPLUS is understood.</summary>
    ReadDirectoryPlus = 1u << 13,

    /// <summary>The kernel chooses between READDIR and READDIRPLUS by what the reader does with the names.</summary>
    ReadDirectoryPlusAuto = 1u << 14,

    /// <summary>Direct reads and writes of one program may run in parallel.</summary>
    AsyncDirect = 1u << 15,

    /// <summary>The kernel collects written data in its page cache and owns size and times of the files meanwhile.</summary>
    WritebackCache = 1u << 16,

    /// <summary>Lookups and listings of one directory may run in parallel.</summary>
    ParallelDirectoryOperations = 1u << 18,

    /// <summary>An aborted connection reads as ECONNABORTED, which tells it from an unmount.</summary>
    AbortError = 1u << 21,

    /// <summary>The <c>max_pages</c> field of the INIT reply is valid.</summary>
    MaxPages = 1u << 22,

    /// <summary>Symlink targets are kept in the page cache.</summary>
    CacheSymlinks = 1u << 23,
}

/// <summary>Flags of an OPEN or OPENDIR reply.</summary>
[Flags]
internal enum FuseOpenFlags : uint
{
    None = 0,

    /// <summary>Pages cached by an earlier open stay valid.</summary>
    KeepCache = 1u << 1,

    /// <summary>The kernel may keep the listing of this directory.</summary>
    CacheDirectory = 1u << 3,

    /// <summary>No FLUSH on close.</summary>
    NoFlush = 1u << 5,
}

/// <summary>Limits and fixed numbers of the protocol.</summary>
internal static class FuseProtocol
{
    /// <summary>The only major version.</summary>
    public const uint Major = 7;

    /// <summary>The minor version spoken here: the newest whose structures this front end knows.</summary>
    public const uint Minor = 40;

    /// <summary>The oldest minor version accepted (Linux 5.4).</summary>
    public const uint MinorOldest = 31;

    /// <summary>Node id of the root of every mount.</summary>
    public const ulong RootNode = 1;

    /// <summary>Longest name the kernel sends.</summary>
    public const int NameLengthMax = 1024;

    /// <summary><c>fh</c> of a GETATTR request is valid.</summary>
    public const uint GetAttributesByHandle = 1;

    /// <summary>Directory records are padded to this many bytes.</summary>
    public const int DirentAlignment = 8;
}
