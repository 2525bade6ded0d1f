// What this is: what a filesystem has to answer, in the terms of the FUSE protocol, once a request was decoded.
// Invariants: every method returns 0 or a positive errno; output arguments count only when it is 0. Methods are called from
// many workers at once. An exception is a bug or damage that was not foreseen: the dispatcher logs it and answers EIO.
// The part that changes things is in IFuseFileSystem.Changes.cs.
// Layers: Protocol; implemented over the engine in Serving, and by tests.

using Hammer2.Fuse.Protocol;

namespace Hammer2.Fuse.Sessions;

/// <summary>The operations of a filesystem. Node ids are inode numbers; handles are given out by the open methods.</summary>
internal partial interface IFuseFileSystem : IDisposable
{
    /// <summary>Finds a name. A name that does not exist is success with node id 0, so that the kernel remembers it.</summary>
    int Lookup(ulong parent, ReadOnlySpan<byte> name, ref FuseEntryOut entry);

    /// <summary>The attributes of a node.</summary>
    int GetAttributes(ulong node, ref FuseAttributesOut attributes);

    /// <summary>The attributes with the birth time.</summary>
    int GetStatx(ulong node, ref FuseStatxOut statx);

    /// <summary>The target of a symlink.</summary>
    int ReadLink(ulong node, Span<byte> target, out int length);

    /// <summary>Opens a file with the flags of open(2).</summary>
    int Open(ulong node, uint flags, ref FuseOpenOut opened);

    /// <summary>Reads from an open file; fewer bytes than asked for mean its end.</summary>
    int Read(ulong handle, ulong offset, Span<byte> buffer, out int length);

    /// <summary>
    /// Finds the next data (<see cref="FuseLSeekIn.SeekData"/>) or hole of an open file; ENXIO if there is none.
    /// </summary>
    int Seek(ulong handle, ulong offset, uint whence, out ulong found);

    /// <summary>Closes a file.</summary>
    void Release(ulong handle);

    /// <summary>Opens a directory.</summary>
    int OpenDirectory(ulong node, ref FuseOpenOut opened);

    /// <summary>Lists an open directory from a cookie, with or without attributes; no bytes mean its end.</summary>
    int ReadDirectory(ulong handle, ulong position, bool plus, Span<byte> buffer, out int length);

    /// <summary>Closes a directory.</summary>
    void ReleaseDirectory(ulong handle);

    /// <summary>Size and free space.</summary>
    int StatFs(ref FuseStatFsOut statistics);

    /// <summary>access(2), where the kernel does not decide by the mode itself.</summary>
    int Access(ulong node, uint mask);
}
