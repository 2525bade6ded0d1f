// What this is: the operations of a filesystem that change something.
// Invariants: as in IFuseFileSystem.cs: 0 or a positive errno, called from many workers at once. Whatever a filesystem does
// not implement answers as a read-only one does. When a method returns, its change is what every later request sees.
// Layers: Protocol.

using Hammer2.Fuse.Protocol;

namespace Hammer2.Fuse.Sessions;

/// <summary>On whose behalf something is made.</summary>
internal readonly record struct FuseCaller(uint Uid, uint Gid);

internal partial interface IFuseFileSystem
{
    /// <summary>Sets attributes; the answer has all of them.</summary>
    int SetAttributes(ulong node, in FuseSetAttributesIn change, ref FuseAttributesOut attributes) => Errno.EROFS;

    /// <summary>Makes a file and opens it with the flags of open(2).</summary>
    int Create(FuseCaller caller, ulong parent, ReadOnlySpan<byte> name, in FuseCreateIn create, ref FuseCreateOut created) => Errno.EROFS;

    /// <summary>Makes a special file, or a regular one without opening it.</summary>
    int MakeNode(FuseCaller caller, ulong parent, ReadOnlySpan<byte> name, uint mode, uint device, ref FuseEntryOut entry) => Errno.EROFS;

    /// <summary>Makes a directory.</summary>
    int MakeDirectory(FuseCaller caller, ulong parent, ReadOnlySpan<byte> name, uint mode, ref FuseEntryOut entry) => Errno.EROFS;

    /// <summary>Makes a symlink.</summary>
    int MakeLink(FuseCaller caller, ulong parent, ReadOnlySpan<byte> name, ReadOnlySpan<byte> target, ref FuseEntryOut entry) => Errno.EROFS;

    /// <summary>Gives a node another name.</summary>
    int Link(ulong node, ulong parent, ReadOnlySpan<byte> name, ref FuseEntryOut entry) => Errno.EROFS;

    /// <summary>Removes a name of something that is no directory.</summary>
    int Unlink(ulong parent, ReadOnlySpan<byte> name) => Errno.EROFS;

    /// <summary>Removes an empty directory.</summary>
    int RemoveDirectory(ulong parent, ReadOnlySpan<byte> name) => Errno.EROFS;

    /// <summary>Moves a name; flags as in <see cref="FuseRename2In"/>.</summary>
    int Rename(ulong parent, ReadOnlySpan<byte> name, ulong newParent, ReadOnlySpan<byte> newName, uint flags) => Errno.EROFS;

    /// <summary>Writes all of the data into an open file, or fails.</summary>
    int Write(ulong handle, ulong offset, ReadOnlySpan<byte> data) => Errno.EROFS;

    /// <summary>Preallocates, punches holes, zeroes; mode as in <see cref="FuseFAllocateIn"/>.</summary>
    int Allocate(ulong handle, ulong offset, ulong length, uint mode) => Errno.EROFS;

    /// <summary>Copies between open files. Fewer bytes than asked for are allowed, none means the end of the source.</summary>
    /// <param name="copy">From where to where.</param>
    /// <param name="scratch">Memory to use.</param>
    /// <param name="copied">Bytes copied.</param>
    int CopyRange(in FuseCopyFileRangeIn copy, Span<byte> scratch, out ulong copied)
    {
        copied = 0;
        return Errno.EROFS;
    }

    /// <summary>Returns when an open file or directory is durable.</summary>
    int Sync(ulong handle, bool isDirectory) => 0;

    /// <summary>Returns when everything is durable.</summary>
    int SyncAll() => 0;

    /// <summary>The flags of chattr(1): FS_IMMUTABLE_FL and the like.</summary>
    int GetFlags(ulong node, out uint flags)
    {
        flags = 0;
        return Errno.ENOTTY;
    }

    /// <summary>Sets the flags of chattr(1).</summary>
    int SetFlags(ulong node, uint flags) => Errno.ENOTTY;

    /// <summary>The kernel does not know a node any more.</summary>
    void Forget(ulong node)
    {
        // A filesystem that keeps nothing for nodes has nothing to do.
    }
}
