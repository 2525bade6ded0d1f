// One object of the model: attributes, bytes or entries, the names that lead to it, and how many handles hold it.
// Invariant: Links is the number of names of what is no directory; a directory has at most one name.

using Hammer2.Engine.Format;

namespace Hammer2.Torture.Model;

/// <summary>An object of the model.</summary>
internal sealed class ModelNode(int id, ObjectType type)
{
    /// <summary>Only for messages and for the model's own inode numbers.</summary>
    public int Id { get; } = id;

    public ObjectType Type { get; } = type;

    public uint Mode { get; set; }

    public uint Uid { get; set; }

    public uint Gid { get; set; }

    public uint Flags { get; set; }

    public uint Major { get; init; }

    public uint Minor { get; init; }

    public string? Target { get; init; }

    /// <summary>Null while nothing is known, as for what was there before the first operation.</summary>
    public CompressionMethod? Compression { get; set; }

    public int? CompressionLevel { get; set; }

    public CheckMethod? Check { get; set; }

    public KnownTime Modified { get; } = new();

    public KnownTime Changed { get; } = new();

    public KnownTime Accessed { get; } = new();

    public KnownTime Born { get; } = new();

    /// <summary>Of files.</summary>
    public SparseBytes Bytes { get; } = new();

    /// <summary>Of directories.</summary>
    public Dictionary<string, ModelNode> Entries { get; } = new(StringComparer.Ordinal);

    /// <summary>Where it is entered: directory and name, once for every name.</summary>
    public List<(ModelNode Directory, string Name)> Names { get; } = [];

    /// <summary>Open handles.</summary>
    public int Handles { get; set; }

    /// <summary>Number on the judged side, once it was seen.</summary>
    public ulong? InodeNumber { get; set; }

    /// <summary>Changes of <see cref="Entries"/>; tells scans what came and went meanwhile.</summary>
    public List<(string Name, bool Added)> History { get; } = [];

    public int Links => Names.Count;

    public bool IsDirectory => Type == ObjectType.Directory;

    public bool IsRoot => Id == 0;

    /// <summary>It has no name any more; the root needs none.</summary>
    public bool IsGone => !IsRoot && Names.Count == 0;

    public long Size => Type switch
    {
        ObjectType.File => Bytes.Size,
        ObjectType.Symlink => Target!.Length,
        _ => 0,
    };

    /// <summary>A path that leads here; null when there is none.</summary>
    public string? Path
    {
        get
        {
            var parts = new Stack<string>();
            for (ModelNode node = this; !node.IsRoot; node = node.Names[0].Directory)
            {
                if (node.Names.Count == 0)
                    return null;
                parts.Push(node.Names[0].Name);
            }

            return "/" + string.Join('/', parts);
        }
    }

    /// <summary>Whether this is the other directory or lies above it.</summary>
    public bool IsAtOrAbove(ModelNode other)
    {
        for (ModelNode? node = other; node is not null; node = node.Names.Count == 0 ? null : node.Names[0].Directory)
        {
            if (node == this)
                return true;
        }

        return false;
    }

    public override string ToString() => $"{Type} {Id} {Path ?? "(no name)"}";
}
