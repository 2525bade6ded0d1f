// The options record of a mount in DokanNet 2.3.0.3, declared anew: plain data.
// Invariant: equal to the published list (Hammer2.Tests/Dokan/dokannet-api.txt); a test compares them. Calls nothing.

namespace DokanNet.Native;

#pragma warning disable CA1707, CA1819 // The names and shapes are those of the package.

/// <summary>Options of a mount.</summary>
public sealed class DOKAN_OPTIONS
{
    /// <summary>Version of the interface, 200 for 2.0.0.</summary>
    public ushort Version { get; set; }

    /// <summary>One thread for everything.</summary>
    public bool SingleThread { get; set; }

    /// <summary>Flags.</summary>
    public DokanOptions Options { get; set; }

    /// <summary>Free for the file system.</summary>
    public ulong GlobalContext { get; set; }

    /// <summary>Drive letter or folder.</summary>
    public string? MountPoint { get; set; }

    /// <summary>Name of a network share.</summary>
    public string? UNCName { get; set; }

    /// <summary>How long a request may take.</summary>
    public TimeSpan TimeOut { get; set; }

    /// <summary>Unit of space shown, in bytes.</summary>
    public int AllocationUnitSize { get; set; }

    /// <summary>Alignment asked of unbuffered programs, in bytes.</summary>
    public int SectorSize { get; set; }

    /// <summary>Length of the descriptor of the volume device.</summary>
    public int VolumeSecurityDescriptorLength { get; set; }

    /// <summary>Descriptor of the volume device.</summary>
    public byte[]? VolumeSecurityDescriptor { get; set; }
}
