// One open: the context that the driver hands back with every callback of a handle.
// Invariants: made complete in CreateFile and never replaced; usable from then until CloseFile, also after Cleanup,
// because paging comes later; immutable but for the mark of Cleanup, so any number of callbacks may use it at once.
// Calls nothing.

using Hammer2.Dokan.Requests;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;

namespace Hammer2.Dokan.Opens;

/// <summary>An open object.</summary>
internal sealed class OpenFile : IDisposable
{
    private int _cleanedUp;

    /// <summary>The object; of a link that is shown as its target, the target.</summary>
    internal required Vnode Vnode { get; init; }

    /// <summary>What the object is shown as.</summary>
    internal required TargetKind Kind { get; init; }

    /// <summary>The content of a link that is shown as text; otherwise null.</summary>
    internal byte[]? LinkText { get; init; }

    /// <summary>The attributes when it was opened: what is answered when fresh ones cannot be had.</summary>
    internal required InodeAttributes AtOpen { get; init; }

    /// <summary>The directory that holds the name by which it was opened; the root for the root.</summary>
    internal required ulong ParentInode { get; init; }

    /// <summary>The path by which it was opened, as the driver spelled it.</summary>
    internal required string Path { get; init; }

    /// <summary>Is it shown Hidden for its name?</summary>
    internal bool IsHidden { get; init; }

    /// <summary>Is it the root directory?</summary>
    internal bool IsRoot => Path.Length == 1;

    /// <summary>Did the last handle of this open go away?</summary>
    internal bool IsCleanedUp => Volatile.Read(ref _cleanedUp) != 0;

    /// <summary>Marks it as cleaned up; it stays usable.</summary>
    /// <returns>False when it was marked before.</returns>
    internal bool CleanUp() => Interlocked.Exchange(ref _cleanedUp, 1) == 0;

    /// <summary>Releases the object.</summary>
    public void Dispose() => Vnode.Dispose();
}
