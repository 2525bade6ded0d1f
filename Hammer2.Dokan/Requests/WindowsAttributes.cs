// Windows attributes and where the medium keeps them (docs/windows.md, "Attributes on the medium").
// ReadOnly of a file is the absence of every write bit of its mode. Hidden, System and a cleared Archive are bits of the
// inode's user flags that no BSD gives another meaning on HAMMER2: UF_HIDDEN as FreeBSD and macOS number it, and two of
// the settable bits that DragonFly leaves unused. Files that BSD wrote have none of them and show as Archive.
// Invariant: bits that are not ours are never changed. Calls the engine's attributes only.

using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;

namespace Hammer2.Dokan.Requests;

/// <summary>Translation of attributes.</summary>
internal static class WindowsAttributes
{
    /// <summary>The user flag for Hidden.</summary>
    internal const uint HiddenFlag = 0x8000;

    /// <summary>The user flag for System.</summary>
    internal const uint SystemFlag = 0x4000;

    /// <summary>The user flag for "Archive was taken away": backed up since the last write.</summary>
    internal const uint ArchivedFlag = 0x2000;

    /// <summary>What a program can set and clear; the rest of a request is ignored.</summary>
    internal const FileAttributes Settable =
        FileAttributes.ReadOnly | FileAttributes.Hidden | FileAttributes.System | FileAttributes.Archive | Transient;

    /// <summary>What is remembered for the time of the mount only.</summary>
    internal const FileAttributes Transient =
        FileAttributes.NotContentIndexed | FileAttributes.Temporary | FileAttributes.Offline;

    /// <summary>Octal 0222: the right to write of anybody.</summary>
    internal const uint AnyWriteBit = 0x92;

    /// <summary>Octal 0200: the owner's right to write.</summary>
    internal const uint OwnerWriteBit = 0x80;

    private const uint OwnFlags = HiddenFlag | SystemFlag | ArchivedFlag;

    /// <summary>What the medium says; without Directory and Normal.</summary>
    internal static FileAttributes Stored(in InodeAttributes inode)
    {
        FileAttributes attributes = 0;
        if ((inode.UserFlags & HiddenFlag) != 0)
            attributes |= FileAttributes.Hidden;
        if ((inode.UserFlags & SystemFlag) != 0)
            attributes |= FileAttributes.System;
        if (inode.Type == ObjectType.File)
        {
            if ((inode.UserFlags & ArchivedFlag) == 0)
                attributes |= FileAttributes.Archive;
            if ((inode.Mode & AnyWriteBit) == 0)
                attributes |= FileAttributes.ReadOnly;
        }

        return attributes;
    }

    /// <summary>The user flags for a set of attributes, with all other bits of <paramref name="flags"/> kept.</summary>
    internal static uint FlagsFor(uint flags, FileAttributes attributes, bool isFile)
    {
        flags &= ~OwnFlags;
        if ((attributes & FileAttributes.Hidden) != 0)
            flags |= HiddenFlag;
        if ((attributes & FileAttributes.System) != 0)
            flags |= SystemFlag;
        if (isFile && (attributes & FileAttributes.Archive) == 0)
            flags |= ArchivedFlag;
        return flags;
    }

    /// <summary>The mode of a file for a set of attributes: ReadOnly takes every write bit, its absence gives the owner's.</summary>
    internal static uint ModeFor(uint mode, FileAttributes attributes)
    {
        if ((attributes & FileAttributes.ReadOnly) != 0)
            return mode & ~AnyWriteBit;
        return (mode & AnyWriteBit) != 0 ? mode : mode | OwnerWriteBit;
    }

    /// <summary>The change that makes an object carry these attributes, or null when it does already.</summary>
    internal static AttributeChanges? Change(in InodeAttributes inode, FileAttributes wanted)
    {
        bool isFile = inode.Type == ObjectType.File;
        uint flags = FlagsFor(inode.UserFlags, wanted, isFile);
        uint mode = isFile ? ModeFor(inode.Mode, wanted) : inode.Mode;
        if (flags == inode.UserFlags && mode == inode.Mode)
            return null;
        return new AttributeChanges
        {
            UserFlags = flags == inode.UserFlags ? null : flags,
            Mode = mode == inode.Mode ? null : mode,
        };
    }
}
