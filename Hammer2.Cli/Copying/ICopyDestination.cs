// The border between copying a tree off an image and the file system that it lands on. Paths are
// bytes below the destination's root, '/' between names, as HostNames made them. Invariants: no
// method follows a symbolic link that the copy did not resolve itself; all failures are IOException
// or UnauthorizedAccessException with one line.

using Hammer2.Engine.Inodes;
using Microsoft.Win32.SafeHandles;

namespace Hammer2.Cli.Copying;

/// <summary>What stands at a path of the destination already.</summary>
internal enum ExistingKind
{
    None,
    Directory,
    File,
    Symlink,
    Other,
}

/// <summary>What stands at a path of the destination already.</summary>
/// <param name="MtimeUs">Modification time in microseconds since 1970.</param>
internal readonly record struct ExistingEntry(ExistingKind Kind, long Size, long MtimeUs);

/// <summary>Where a copy goes.</summary>
internal interface ICopyDestination
{
    /// <summary>The names that this system can store.</summary>
    HostNames NewNames();

    /// <summary>The full path for messages.</summary>
    string Show(byte[] path);

    ExistingEntry Look(byte[] path);

    void MakeDirectory(byte[] path);

    /// <summary>Creates a new file, only its owner may read; fails if anything stands there.</summary>
    SafeFileHandle CreateFile(byte[] path);

    /// <summary>Allows holes in the file, where that must be asked for.</summary>
    void AllowHoles(SafeFileHandle file);

    void MakeSymlink(byte[] path, byte[] target, bool targetIsDirectory);

    byte[] ReadSymlink(byte[] path);

    void MakeHardLink(byte[] existing, byte[] path);

    /// <summary>Makes a fifo, device or socket.</summary>
    /// <returns>Null, or why it cannot be done here.</returns>
    string? TryMakeSpecial(byte[] path, in InodeAttributes attributes);

    /// <summary>Owner (where allowed), mode and times, in this order.</summary>
    void SetAttributes(byte[] path, in InodeAttributes attributes);

    void Delete(byte[] path);

    void Rename(byte[] from, byte[] to);
}
