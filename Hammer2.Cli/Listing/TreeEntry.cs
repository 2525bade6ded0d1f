// One entry of a PFS as verbs handle it: its path, what the directory says of it and, when the inode
// could be read, its attributes. Immutable. Invariant: the path is absolute and its last part is the name.
// May call the engine's format and inodes.

using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Primitives;

namespace Hammer2.Cli.Listing;

/// <summary>An entry met while reading directories.</summary>
internal sealed class TreeEntry
{
    /// <summary>Absolute path in bytes; "/" for the root of the PFS.</summary>
    public required byte[] Path { get; init; }

    /// <summary>Where the name starts in <see cref="Path"/>.</summary>
    public required int NameStart { get; init; }

    public required ulong InodeNumber { get; init; }

    /// <summary>From the inode, or from the directory entry when the inode is unreadable.</summary>
    public required ObjectType Type { get; init; }

    /// <summary>Why there are no attributes; <see cref="Hammer2Error.None"/> when there are.</summary>
    public Hammer2Error Error { get; init; }

    /// <summary>Valid when <see cref="Error"/> is none.</summary>
    public InodeAttributes Attributes { get; init; }

    public ReadOnlySpan<byte> Name => Path.AsSpan(NameStart);

    public bool IsReadable => Error == Hammer2Error.None;

    public bool IsDirectory => Type == ObjectType.Directory;

    public static TreeEntry Of(byte[] path, in InodeAttributes attributes) => new()
    {
        Path = path,
        NameStart = Array.LastIndexOf(path, (byte)'/') + 1,
        InodeNumber = attributes.InodeNumber,
        Type = attributes.Type,
        Attributes = attributes,
    };

    /// <summary>The path of an entry of this directory.</summary>
    public byte[] PathOf(ReadOnlySpan<byte> name)
    {
        int prefix = Path.Length == 1 ? 0 : Path.Length;
        byte[] path = new byte[prefix + 1 + name.Length];
        Path.AsSpan(0, prefix).CopyTo(path);
        path[prefix] = (byte)'/';
        name.CopyTo(path.AsSpan(prefix + 1));
        return path;
    }
}
