// One open: the context that the driver hands back with every callback of a handle.
// Invariants: made complete in CreateFile and never replaced; usable from then until CloseFile, also after Cleanup,
// because paging comes later; immutable but for its place, which a rename moves, and the mark of Cleanup, so any number of
// callbacks may use it at once. Calls nothing.

using Hammer2.Dokan.Requests;
using Hammer2.Dokan.Security;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using FileAccess = DokanNet.FileAccess;

namespace Hammer2.Dokan.Opens;

/// <summary>The name by which something was opened.</summary>
/// <param name="ParentInode">The directory that holds the name; the root for the root.</param>
/// <param name="Name">The name as the medium has it; empty for the root.</param>
/// <param name="Path">The whole path as the driver spells it.</param>
internal sealed record NamePlace(ulong ParentInode, byte[] Name, string Path)
{
    /// <summary>Is it the root directory?</summary>
    internal bool IsRoot => Path.Length == 1;

    /// <summary>The last component as the driver spells it.</summary>
    internal ReadOnlySpan<char> FileName => Path.AsSpan(Path.LastIndexOf('\\') + 1);

    /// <summary>Is it the same entry of the same directory?</summary>
    internal bool IsSameEntry(NamePlace other) => ParentInode == other.ParentInode && Name.AsSpan().SequenceEqual(other.Name);
}

/// <summary>An open object.</summary>
internal sealed class OpenFile : IDisposable
{
    private volatile NamePlace _place;
    private int _cleanedUp;
    private int _archiveNoted;

    internal OpenFile(NamePlace place) => _place = place;

    /// <summary>The object; of a link that is shown as its target, the target.</summary>
    internal required Vnode Vnode { get; init; }

    /// <summary>The symbolic link that led to the object, which is what a rename or a deletion acts on; otherwise null.</summary>
    internal Vnode? Link { get; init; }

    /// <summary>What the name stands for: the link, or the object itself.</summary>
    internal Vnode Named => Link ?? Vnode;

    /// <summary>What the object is shown as.</summary>
    internal required TargetKind Kind { get; init; }

    /// <summary>The content of a link that is shown as text; otherwise null.</summary>
    internal byte[]? LinkText { get; init; }

    /// <summary>The attributes when it was opened: what is answered when fresh ones cannot be had.</summary>
    internal required InodeAttributes AtOpen { get; init; }

    /// <summary>Expanded rights of the open.</summary>
    internal FileAccess Access { get; init; }

    /// <summary>What it lets others do meanwhile.</summary>
    internal FileShare Share { get; init; }

    /// <summary>Is the object to be deleted when this open goes?</summary>
    internal bool DeleteOnClose { get; init; }

    /// <summary>Is every write to be durable before it is answered?</summary>
    internal bool WriteThrough { get; init; }

    /// <summary>Who opened it, where that counts; set before the open is known to anybody else.</summary>
    internal Requestor? Who { get; set; }

    /// <summary>Its turn among opens and marks for deletion; given by the table, under its lock.</summary>
    internal long Order { get; set; }

    /// <summary>The name by which it is known now; changed by renames, under the lock of the names.</summary>
    internal NamePlace Place
    {
        get => _place;
        set => _place = value;
    }

    /// <summary>The path by which it is known.</summary>
    internal string Path => _place.Path;

    /// <summary>Is it the root directory?</summary>
    internal bool IsRoot => _place.IsRoot;

    /// <summary>Did the last handle of this open go away?</summary>
    internal bool IsCleanedUp => Volatile.Read(ref _cleanedUp) != 0;

    /// <summary>Marks it as cleaned up; it stays usable.</summary>
    /// <returns>False when it was marked before.</returns>
    internal bool CleanUp() => Interlocked.Exchange(ref _cleanedUp, 1) == 0;

    /// <summary>True once: for the first write, which may have to set the Archive attribute again.</summary>
    internal bool IsFirstWrite() => Volatile.Read(ref _archiveNoted) == 0 && Interlocked.Exchange(ref _archiveNoted, 1) == 0;

    /// <summary>Releases the object.</summary>
    public void Dispose()
    {
        Vnode.Dispose();
        Link?.Dispose();
    }
}
