// What the writing verbs change: a PFS opened directly, the same PFS behind its mount, or the host's own files. One set of
// calls, so that a verb is written once and a copy goes between any two. Names are bytes. Invariants: no call follows a
// symbolic link; expected outcomes are return values, everything else is an IOException with one line.
// May call the engine's PFS for its plain types.

using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Trees;

/// <summary>What an opened node is for; systems that need rights at opening ask.</summary>
internal enum NodeUse
{
    /// <summary>Attributes and names.</summary>
    Look,

    /// <summary>The bytes of a file, too.</summary>
    Read,

    /// <summary>Writing the bytes of a file.</summary>
    Write,
}

/// <summary>Tells whether two nodes are one object.</summary>
internal readonly record struct NodeIdentity(ulong Device, ulong Inode);

/// <summary>Finds a node again: by its number, or by its path where that is the only way.</summary>
internal readonly record struct NodeMark(ulong Inode, byte[]? Path);

/// <summary>A name that a directory lists.</summary>
internal readonly record struct ListedName(byte[] Name, ObjectType Type);

/// <summary>A tree of files.</summary>
internal interface IFileTree : IDisposable
{
    /// <summary>Objects keep any owner and mode that they are given; else only root's do.</summary>
    bool KeepsOwners { get; }

    /// <summary>The owner that a new object gets when nothing else is asked for; null = that of its directory.</summary>
    uint? DefaultOwner { get; }

    IFileNode OpenRoot();

    /// <summary>How <see cref="TryReopen"/> finds the node again; small, since a copy keeps one for every hard-linked file.</summary>
    /// <param name="node">An open node.</param>
    /// <param name="path">Its path below the root; not called where nodes have numbers.</param>
    NodeMark MarkOf(IFileNode node, Func<byte[]> path);

    Hammer2Error TryReopen(NodeMark mark, out IFileNode? node);

    /// <summary>Makes everything durable that was changed.</summary>
    void Commit();
}

/// <summary>An open object of a tree. Used by one thread at a time, except that a directory may be used by several.</summary>
internal interface IFileNode : IDisposable
{
    NodeIdentity Identity { get; }

    ObjectType Type { get; }

    InodeAttributes GetAttributes();

    /// <summary>Bytes of a file; fewer than asked only at its end.</summary>
    int Read(long offset, Span<byte> buffer);

    /// <summary>First stored byte at or after the offset; null when only a hole follows.</summary>
    long? NextData(long offset);

    /// <summary>First byte at or after the offset that lies in a hole; the end of the file counts as one.</summary>
    long NextHole(long offset);

    byte[] ReadLink();

    /// <summary>Names of a directory without "." and "..", in its own order.</summary>
    IEnumerable<ListedName> ReadDirectory();

    /// <summary>Attributes and identity of an entry; opens nothing.</summary>
    Hammer2Error TryGetAttributes(ReadOnlySpan<byte> name, out InodeAttributes attributes, out NodeIdentity identity);

    Hammer2Error TryLookup(ReadOnlySpan<byte> name, NodeUse use, out IFileNode? node);

    Hammer2Error TryCreate(ReadOnlySpan<byte> name, in NewInode what, out IFileNode? node);

    Hammer2Error TryLink(IFileNode existing, ReadOnlySpan<byte> name);

    Hammer2Error TryUnlink(ReadOnlySpan<byte> name);

    Hammer2Error TryRemoveDirectory(ReadOnlySpan<byte> name);

    Hammer2Error TryRename(ReadOnlySpan<byte> name, IFileNode to, ReadOnlySpan<byte> newName, RenameMode mode);

    Hammer2Error TryWrite(long offset, ReadOnlySpan<byte> data);

    /// <summary>Writes at the end, wherever that is by then.</summary>
    Hammer2Error TryAppend(ReadOnlySpan<byte> data);

    Hammer2Error TrySetSize(long size);

    /// <summary>Owner, mode and times in an order that leaves all of them set; size and methods are not for this call.</summary>
    Hammer2Error TrySetAttributes(in AttributeChanges changes);
}
