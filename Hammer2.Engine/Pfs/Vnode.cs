// One open handle on a filesystem object: what front ends read through. Each open has its own vnode with its own
// inode view; several vnodes of one inode share the chain below. Thread-safe: any number of calls at once on one
// vnode; each takes the inode lock, which fixes the view up first. Dispose it once, when no call is running.

using Hammer2.Engine.Directories;
using Hammer2.Engine.Files;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Primitives;

namespace Hammer2.Engine.Pfs;

/// <summary>An open file, directory, symlink or special file.</summary>
public sealed partial class Vnode : IDisposable
{
    private const int SymlinkBytesMax = 65535;
    private readonly Inode _inode;
    private readonly ReadAhead _readAhead;
    private int _disposed;

    internal Vnode(PfsMount pfs, Inode inode)
    {
        Pfs = pfs;
        _inode = inode;
        _readAhead = new ReadAhead(pfs.ReadAhead);
    }

    /// <summary>The PFS it belongs to.</summary>
    public PfsMount Pfs { get; }

    /// <summary>Inode number.</summary>
    public ulong InodeNumber => _inode.Slot.InodeNumber;

    /// <summary>The fixed part of the inode as memory has it, and the reference to its block on the medium.</summary>
    public InodeData GetInodeData(out BlockRef bref)
    {
        using InodeLock held = InodeLock.Shared(_inode);
        bref = held.Chain.Ref;
        return held.Chain.Content.Data;
    }

    /// <summary>Kind of object; never changes.</summary>
    public ObjectType Type => _inode.Slot.Type;

    /// <summary>
    /// Of a directory: a number that changes whenever one of its names comes, goes or leads elsewhere, as long as somebody has
    /// the directory open. For caches of names.
    /// </summary>
    public long NamesVersion => _inode.Slot.NamesVersion;

    internal Inode Inode => _inode;

    /// <summary>The attributes as they are now.</summary>
    public InodeAttributes GetAttributes()
    {
        ThrowIfClosed();
        using InodeLock held = InodeLock.Shared(_inode);
        return InodeAttributes.From(_inode.Slot);
    }

    /// <summary>Reads file data, or the bytes of a symlink target.</summary>
    /// <param name="offset">First byte, not negative.</param>
    /// <param name="buffer">Filled from the start.</param>
    /// <returns>Bytes read; fewer than asked only at the end of the file, 0 beyond it.</returns>
    /// <exception cref="Hammer2Exception">A byte of the range cannot be had: <c>CheckFailed</c>, <c>Corrupt</c>, <c>Io</c>.</exception>
    public int Read(long offset, Span<byte> buffer)
    {
        ThrowIfClosed();
        if (Type is not (ObjectType.File or ObjectType.Symlink))
        {
            Hammer2Error error = Type == ObjectType.Directory ? Hammer2Error.IsADirectory : Hammer2Error.InvalidArgument;
            throw new Hammer2Exception(error, $"Inode {InodeNumber} is a {MethodNames.Of(Type)} and has no bytes to read.");
        }

        using InodeLock held = InodeLock.Shared(_inode);
        _readAhead.Note(held.Chain.Content, offset, buffer.Length);
        int read = FileReader.Read(Pfs.Reader, held.Chain.Content, _inode.Slot.Dirty, offset, buffer);
        Pfs.Volume.Counters.Read(read);
        return read;
    }

    /// <summary>The target of a symlink as stored, without NUL.</summary>
    public byte[] ReadLink()
    {
        ThrowIfClosed();
        if (Type != ObjectType.Symlink)
            throw new Hammer2Exception(Hammer2Error.NotASymlink, $"Inode {InodeNumber} is a {MethodNames.Of(Type)}, not a symlink.");
        using InodeLock held = InodeLock.Shared(_inode);
        ulong size = held.Chain.Content.Data.Size;
        if (size > SymlinkBytesMax)
            throw new Hammer2Exception(Hammer2Error.Corrupt, $"Symlink inode {InodeNumber} claims a target of {size} bytes.");
        byte[] target = new byte[size];
        FileReader.Read(Pfs.Reader, held.Chain.Content, _inode.Slot.Dirty, 0, target);
        return target;
    }

    /// <summary>Fills the batch with the entries after a position; 0 starts the listing.</summary>
    /// <exception cref="Hammer2Exception"><c>NotADirectory</c>. Damaged parts do not throw: see <see cref="DirectoryBatch.Damage"/>.</exception>
    public void ReadDirectory(ulong position, DirectoryBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ThrowIfClosed();
        Pfs.Directories.List(_inode, position, batch);
    }

    /// <summary>First byte at or after <paramref name="offset"/> that is stored, or null when only a hole follows.</summary>
    public long? NextData(long offset)
    {
        ThrowIfClosed();
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        using InodeLock held = InodeLock.Shared(_inode);
        return FileReader.NextData(Pfs.Reader, held.Chain.Content, _inode.Slot.Dirty, offset);
    }

    /// <summary>First byte at or after <paramref name="offset"/> that lies in a hole; the end of the file counts as one.</summary>
    public long NextHole(long offset)
    {
        ThrowIfClosed();
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        using InodeLock held = InodeLock.Shared(_inode);
        return FileReader.NextHole(Pfs.Reader, held.Chain.Content, _inode.Slot.Dirty, offset);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
            Pfs.Index.Close(_inode);
    }

    internal Hammer2Error TryLookup(ReadOnlySpan<byte> name, out ulong inodeNumber)
    {
        ThrowIfClosed();
        using InodeLock held = InodeLock.Shared(_inode);
        return Pfs.Directories.TryLookup(held.Chain.Content, name, out inodeNumber);
    }

    private void ThrowIfClosed()
    {
        if (Volatile.Read(ref _disposed) != 0)
            throw new Hammer2Exception(Hammer2Error.Closed, $"The handle on inode {InodeNumber} is closed.");
    }
}
