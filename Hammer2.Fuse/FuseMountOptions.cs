// What this is: what a host may choose about a FUSE mount, and how mounting reports failure.
// Layers: data only.

using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hammer2.Fuse;

/// <summary>Choices for <see cref="FuseMount.Mount"/>.</summary>
public sealed record FuseMountOptions
{
    /// <summary>What the mount table shows as the source: the volume. Null: the label of the PFS.</summary>
    public string? Source { get; init; }

    /// <summary>
    /// Whether other users may enter. Null: yes if mounted by root, else no (needs user_allow_other in /etc/fuse.conf).
    /// </summary>
    public bool? AllowOther { get; init; }

    /// <summary>Nothing can be changed. A volume that was not opened writable is always mounted so.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>
    /// Lets the kernel collect written data in its page cache and send it later in large pieces. Small writes are faster, but a
    /// volume that is full says so only at fsync or close, and holes in files that are being written are not shown.
    /// </summary>
    public bool WritebackCache { get; init; }

    /// <summary>Shows this owner for everything instead of the owners on the medium.</summary>
    public uint? Uid { get; init; }

    /// <summary>Shows this group for everything instead of the groups on the medium.</summary>
    public uint? Gid { get; init; }

    /// <summary>
    /// How long the kernel may keep names and attributes. Nobody else changes a mounted volume, so this is long.
    /// </summary>
    public TimeSpan CacheTime { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Worker threads, 1 to 64. Null: the number of processors and two, at most 16.</summary>
    public int? Workers { get; init; }

    /// <summary>Where damage and failures are reported.</summary>
    public ILogger Logger { get; init; } = NullLogger.Instance;
}

/// <summary>Mounting or unmounting failed. The message is one line and says what to do.</summary>
public sealed class FuseMountException(string message, Exception? inner = null) : IOException(message, inner);
