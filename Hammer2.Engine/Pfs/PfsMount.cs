// An opened PFS: names, inode numbers and vnodes. Everything a front end does goes through here. Thread-safe.
// Several may be open on one volume, also of one label: those share its state.

using System.Text;
using Hammer2.Engine.Blocks;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Files;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Engine.Pfs;

/// <summary>An opened PFS.</summary>
public sealed partial class PfsMount : IDisposable
{
    /// <summary>Inode number of the root directory of every PFS.</summary>
    public const ulong RootInodeNumber = FormatLimits.RootInodeNumber;

    private int _disposed;

    internal PfsMount(Hammer2Volume volume, PfsState state)
    {
        Volume = volume;
        State = state;
        Info = state.Describe();
        state.CountMount(+1);
    }

    /// <summary>The volume.</summary>
    public Hammer2Volume Volume { get; }

    /// <summary>What the super-root says of it.</summary>
    public PfsInfo Info { get; }

    /// <summary>Its label.</summary>
    public string Label => Info.Label;

    /// <summary>Number of inodes that open vnodes hold.</summary>
    public int OpenInodes => Index.OpenCount;

    internal PfsState State { get; }

    internal InodeIndex Index => State.Index;

    internal DirectoryReader Directories => State.Directories;

    internal BlockReader Reader => Volume.Reader;

    internal ReadAheadPool ReadAhead => Volume.ReadAhead;

    /// <summary>A vnode on the root directory.</summary>
    public Vnode OpenRoot()
    {
        Hammer2Error error = TryOpen(RootInodeNumber, out Vnode? vnode);
        Invariant.Check(error == Hammer2Error.None);
        return vnode!;
    }

    /// <summary>A new vnode by inode number.</summary>
    /// <returns>NotFound when the PFS has no such inode.</returns>
    /// <exception cref="Hammer2Exception">The inode is damaged.</exception>
    public Hammer2Error TryOpen(ulong inodeNumber, out Vnode? vnode)
    {
        Volume.ThrowIfClosed();
        if (State.IsGone)
            throw new Hammer2Exception(Hammer2Error.Closed, $"The PFS '{Label}' was deleted, renamed or replaced after this mount of it ended.");
        vnode = null;
        Hammer2Error error = Index.TryOpen(inodeNumber, out Inode? inode);
        if (error == Hammer2Error.None)
            vnode = new Vnode(this, inode!);
        return error;
    }

    /// <summary>As <see cref="TryOpen"/>, and also finds an object without names while another vnode keeps it.</summary>
    /// <remarks>For front ends whose system knows open objects by number and may ask for them after their last name went.</remarks>
    public Hammer2Error TryReopen(ulong inodeNumber, out Vnode? vnode)
    {
        Hammer2Error error = TryOpen(inodeNumber, out vnode);
        if (error != Hammer2Error.NotFound || !Index.TryOpenRemoved(inodeNumber, out Inode? inode))
            return error;
        vnode = new Vnode(this, inode!);
        return Hammer2Error.None;
    }

    /// <summary>Attributes by inode number; makes no vnode.</summary>
    public Hammer2Error TryGetAttributes(ulong inodeNumber, out InodeAttributes attributes)
    {
        Volume.ThrowIfClosed();
        return Index.TryGetAttributes(inodeNumber, out attributes);
    }

    /// <summary>Looks up one name ("." and ".." too) and opens what it names.</summary>
    /// <returns>NotFound: no such name. A name whose inode does not exist throws <c>Corrupt</c>.</returns>
    public Hammer2Error TryLookup(Vnode directory, ReadOnlySpan<byte> name, out Vnode? vnode)
    {
        ArgumentNullException.ThrowIfNull(directory);
        vnode = null;
        ulong missing = 0;
        while (true)
        {
            Hammer2Error error = directory.TryLookup(name, out ulong inodeNumber);
            if (error != Hammer2Error.None)
                return error;
            error = TryOpen(inodeNumber, out vnode);
            if (error != Hammer2Error.NotFound)
                return error;
            // Replaced or removed between the two steps: the name says so now. Numbers never come back.
            if (inodeNumber == missing)
                throw Dangling(name, inodeNumber);
            missing = inodeNumber;
        }
    }

    /// <summary>Looks up one name in a directory given by inode number and returns attributes; makes no vnode.</summary>
    public Hammer2Error TryLookup(ulong directoryInode, ReadOnlySpan<byte> name, out InodeAttributes attributes)
    {
        attributes = default;
        Volume.ThrowIfClosed();
        ulong missing = 0;
        while (true)
        {
            Hammer2Error error = Directories.TryLookup(directoryInode, name, out ulong inodeNumber, out _);
            if (error != Hammer2Error.None)
                return error;
            error = Index.TryGetAttributes(inodeNumber, out attributes);
            if (error != Hammer2Error.NotFound)
                return error;
            // As above.
            if (inodeNumber == missing)
                throw Dangling(name, inodeNumber);
            missing = inodeNumber;
        }
    }

    /// <summary>Looks up one name in a directory given by inode number, and nothing but the name: the inode may be missing or damaged.</summary>
    public Hammer2Error TryLookup(ulong directoryInode, ReadOnlySpan<byte> name, out ulong inodeNumber, out ObjectType type)
    {
        Volume.ThrowIfClosed();
        Hammer2Error error = Directories.TryLookup(directoryInode, name, out inodeNumber, out type);
        if (error != Hammer2Error.None || type != ObjectType.Unknown)
            return error;
        error = Index.TryGetAttributes(inodeNumber, out InodeAttributes attributes);
        type = attributes.Type;
        return error;
    }

    /// <summary>The inodes that are in memory now: open, or changed since the last commit. Each counts the look itself as a view.</summary>
    public IReadOnlyList<InodeInMemory> ListMemory()
    {
        Volume.ThrowIfClosed();
        var list = new List<InodeInMemory>();
        Index.VisitMemory(slot => list.Add(new InodeInMemory(
            slot.InodeNumber, slot.Type, slot.Views, slot.IsDirty, slot.IsRemoved, slot.InIndex, slot.Generation, slot.Current.Ref,
            slot.Current.Content.Tree.IsDirty, slot.Dirty?.Count ?? 0)));
        return list;
    }

    /// <summary>Opens a path of '/'-separated components from the root; symlinks are not followed.</summary>
    public Hammer2Error TryResolve(ReadOnlySpan<byte> path, out Vnode? vnode)
    {
        Vnode current = OpenRoot();
        while (true)
        {
            path = path.TrimStart((byte)'/');
            if (path.IsEmpty)
            {
                vnode = current;
                return Hammer2Error.None;
            }

            int length = path.IndexOf((byte)'/');
            ReadOnlySpan<byte> name = length < 0 ? path : path[..length];
            path = path[name.Length..];
            using Vnode directory = current;
            Hammer2Error error = TryLookup(directory, name, out vnode);
            if (error != Hammer2Error.None)
                return error;
            current = vnode!;
        }
    }

    /// <summary>Opens a path given as text; see the overload with bytes.</summary>
    public Hammer2Error TryResolve(string path, out Vnode? vnode) => TryResolve(Encoding.UTF8.GetBytes(path), out vnode);

    /// <summary>Space and inode counts, as statfs wants them.</summary>
    public PfsStatistics GetStatistics() =>
        new(Volume.TotalBytes, Volume.FreeBytes, (long)Math.Min(Index.Root.Current.Ref.InodeCount, long.MaxValue));

    /// <inheritdoc/>
    public void Dispose()
    {
        // Vnodes hold what is to be released. That nobody has the PFS open any more is all that ends here.
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
            State.CountMount(-1);
    }

    private static Hammer2Exception Dangling(ReadOnlySpan<byte> name, ulong inodeNumber) =>
        new(Hammer2Error.Corrupt, $"The name '{Encoding.UTF8.GetString(name)}' refers to inode {inodeNumber}, which does not exist.");
}
