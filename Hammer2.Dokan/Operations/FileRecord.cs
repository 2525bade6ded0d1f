// Attributes of inodes as Windows wants to see them (dokan-semantics E.1, G.3, G.4).
// Invariants: a listing and a handle query give equal values for the same object; attributes are never zero; times are UTC
// between 1601 and 9999; sizes are exact. No allocation. Calls MediaTime and WindowsAttributes.

using DokanNet;
using Hammer2.Dokan.Opens;
using Hammer2.Dokan.Requests;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Primitives;

namespace Hammer2.Dokan.Operations;

/// <summary>Windows' view of an inode.</summary>
internal readonly struct FileRecord
{
    /// <summary>Windows counts time from here; anything earlier would be shown as no time at all.</summary>
    private static readonly DateTime s_firstTime = DateTime.FromFileTimeUtc(0);

    private FileRecord(FileAttributes attributes, long length, in InodeAttributes inode, in RememberedFacts remembered)
    {
        Attributes = attributes;
        Length = length;
        CreationTime = Time(inode.BirthTimeUs != 0 ? inode.BirthTimeUs : Earliest(inode), remembered.CreationTicks);
        LastWriteTime = Time(inode.ModifyTimeUs, remembered.WriteTicks);
        LastAccessTime = inode.AccessTimeUs != 0 ? Time(inode.AccessTimeUs, remembered.AccessTicks) : LastWriteTime;
        FileIndex = (long)inode.InodeNumber;
        LinkCount = inode.Type == ObjectType.Directory ? 1 : (int)Math.Clamp(inode.LinkCount, 1, int.MaxValue);
    }

    internal FileAttributes Attributes { get; }

    internal long Length { get; }

    internal DateTime CreationTime { get; }

    internal DateTime LastWriteTime { get; }

    internal DateTime LastAccessTime { get; }

    internal long FileIndex { get; }

    internal int LinkCount { get; }

    /// <summary>The view of an object. A link shown as text has the length of its text.</summary>
    internal static FileRecord Of(TargetKind kind, in InodeAttributes inode, in RememberedFacts remembered, bool hidden)
    {
        FileAttributes attributes = AttributesOf(kind, inode) | remembered.Attributes;
        if (hidden)
            attributes |= FileAttributes.Hidden;
        if (attributes == 0)
            attributes = FileAttributes.Normal;
        long length = kind is TargetKind.File or TargetKind.LinkText ? Math.Max(0, inode.Size) : 0;
        return new FileRecord(attributes, length, inode, remembered);
    }

    /// <summary>What the medium says of an object's attributes; may be none.</summary>
    internal static FileAttributes AttributesOf(TargetKind kind, in InodeAttributes inode) => WindowsAttributes.Stored(inode) | kind switch
    {
        TargetKind.Directory => FileAttributes.Directory,
        TargetKind.Special => FileAttributes.System,
        _ => default,
    };

    /// <summary>What a type is shown as. A symbolic link is text unless its target is known.</summary>
    internal static TargetKind KindOf(ObjectType type) => type switch
    {
        ObjectType.Directory => TargetKind.Directory,
        ObjectType.File => TargetKind.File,
        ObjectType.Symlink => TargetKind.LinkText,
        _ => TargetKind.Special,
    };

    /// <summary>As the answer to a handle query.</summary>
    internal ByHandleFileInformation ToHandleInformation() => new()
    {
        Attributes = Attributes,
        CreationTime = CreationTime,
        LastAccessTime = LastAccessTime,
        LastWriteTime = LastWriteTime,
        Length = Length,
        NumberOfLinks = LinkCount,
        FileIndex = FileIndex,
    };

    /// <summary>As an entry of a listing.</summary>
    internal FindFileInformation ToFindInformation(ReadOnlyMemory<char> name) => new()
    {
        FileName = name,
        Attributes = Attributes,
        CreationTime = CreationTime,
        LastAccessTime = LastAccessTime,
        LastWriteTime = LastWriteTime,
        Length = Length,
    };

    private static DateTime Time(long microseconds, long exactTicks)
    {
        DateTime time = RememberedFacts.Exact(exactTicks, MediaTime.ToUtc(microseconds));
        return time < s_firstTime ? s_firstTime : time;
    }

    private static long Earliest(in InodeAttributes inode)
    {
        long earliest = Math.Min(inode.ModifyTimeUs, inode.ChangeTimeUs);
        return inode.AccessTimeUs != 0 ? Math.Min(earliest, inode.AccessTimeUs) : earliest;
    }
}
