// Options of a mount on Windows: plain data, also on other systems. Calls OwnerMap.
// Values out of range are brought into it; the defaults are those of a mount without options.

using Hammer2.Dokan.Security;
using Microsoft.Extensions.Logging;

namespace Hammer2.Dokan;

/// <summary>How to mount.</summary>
public sealed record DokanMountOptions
{
    /// <summary>Smallest and largest time that the driver grants a request.</summary>
    private static readonly TimeSpan s_requestTimeoutMin = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan s_requestTimeoutMax = TimeSpan.FromSeconds(300);

    private readonly TimeSpan _requestTimeout = TimeSpan.FromSeconds(120);

    /// <summary>The name of the file system that programs are told. Many insist on NTFS; identity must not rely on it.</summary>
    public string FileSystemName { get; init; } = "NTFS";

    /// <summary>The volume label, cut at 32 units; by default the PFS label followed by "(HAMMER2)".</summary>
    public string? VolumeLabel { get; init; }

    /// <summary>Whose rights count. Read-only volumes are read-only whatever it says.</summary>
    public RightsMode Rights { get; init; }

    /// <summary>With <see cref="RightsMode.Posix"/>: which Windows account is which owner.</summary>
    public OwnerMap Owners { get; init; } = OwnerMap.Empty;

    /// <summary>Names that differ in case are different names. Programs that change the case of names will fail.</summary>
    public bool CaseSensitive { get; init; }

    /// <summary>Show names that begin with a dot as Hidden.</summary>
    public bool HideDotFiles { get; init; }

    /// <summary>Fail the listing of a directory of which a part is damaged, rather than listing the readable names and
    /// logging the damage. For mirroring tools, which would take the missing names for deleted ones.</summary>
    public bool FailDamagedListings { get; init; }

    /// <summary>Memory for the name indexes of directories, in bytes.</summary>
    public long NameIndexBytesMax { get; init; } = 64L << 20;

    /// <summary>How long the driver lets a request take, 15 s to 300 s.</summary>
    public TimeSpan RequestTimeout
    {
        get => _requestTimeout;
        init => _requestTimeout = value < s_requestTimeoutMin ? s_requestTimeoutMin
            : value > s_requestTimeoutMax ? s_requestTimeoutMax
            : value;
    }

    /// <summary>Where messages go; nowhere by default. It must never write to the mounted volume itself.</summary>
    public ILogger? Logger { get; init; }

    /// <summary>The clock by which slow requests are noticed.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;
}

/// <summary>Whose rights count on a mount.</summary>
public enum RightsMode
{
    /// <summary>Everything belongs to the user who mounted, who may do everything.</summary>
    User,

    /// <summary>Owners and modes of the medium count.</summary>
    Posix,

    /// <summary>As <see cref="User"/>, but nothing can be changed.</summary>
    DenyWrite,
}
