// The working pieces of a tree copy: a directory that is being copied, a file that waits for a worker, a worker's buffer.
// Invariants: a frame's nodes live until the walker and every queued file of it have let go; names come sorted in chunks,
// so that a copy of one tree is the same whenever it is made, and a directory of any size needs bounded memory.

using System.Buffers;
using Hammer2.Cli.Trees;
using Hammer2.Engine.Inodes;

namespace Hammer2.Cli.Copying;

/// <summary>A directory on both sides.</summary>
internal sealed class CopyFrame
{
    private const int NamesSortedMax = 65536;
    private readonly bool _owns;
    private IEnumerator<byte[]>? _names;
    private int _holders = 1;

    public CopyFrame(IFileNode source, IFileNode target, byte[] path, byte[] targetPath, in InodeAttributes attributes, bool owns)
    {
        (Source, Target, Path, TargetPath, Attributes, _owns) = (source, target, path, targetPath, attributes, owns);
    }

    public IFileNode Source { get; }

    public IFileNode Target { get; }

    /// <summary>Of the source, for messages.</summary>
    public byte[] Path { get; }

    /// <summary>Below the root of the target's tree.</summary>
    public byte[] TargetPath { get; }

    public InodeAttributes Attributes { get; }

    /// <summary>The copy of the directory gets the source's attributes.</summary>
    public bool HasAttributes => Attributes.Type != default;

    /// <summary>The next name, null after the last.</summary>
    public byte[]? Next()
    {
        _names ??= Names().GetEnumerator();
        return _names.MoveNext() ? _names.Current : null;
    }

    public byte[] PathTo(byte[] name) => Join(Path, name);

    public byte[] TargetPathTo(byte[] name) => Join(TargetPath, name);

    public void Hold() => Interlocked.Increment(ref _holders);

    public void Release()
    {
        if (Interlocked.Decrement(ref _holders) != 0)
            return;
        _names?.Dispose();
        if (!_owns)
            return;
        Source.Dispose();
        Target.Dispose();
    }

    private static byte[] Join(byte[] path, byte[] name) => path is [] or [.., (byte)'/'] ? [.. path, .. name] : [.. path, (byte)'/', .. name];

    private IEnumerable<byte[]> Names()
    {
        var chunk = new List<byte[]>();
        using IEnumerator<ListedName> listing = Source.ReadDirectory().GetEnumerator();
        bool more = true;
        while (more)
        {
            chunk.Clear();
            while (chunk.Count < NamesSortedMax && (more = listing.MoveNext()))
                chunk.Add(listing.Current.Name);
            chunk.Sort(static (a, b) => a.AsSpan().SequenceCompareTo(b));
            foreach (byte[] name in chunk)
                yield return name;
        }
    }
}

/// <summary>A file that was created and waits for its bytes.</summary>
internal sealed class FileJob(CopyFrame frame, byte[] name, byte[] targetName, IFileNode target, in InodeAttributes attributes)
{
    public CopyFrame Frame => frame;

    public byte[] Name => name;

    public byte[] TargetName => targetName;

    public IFileNode Target => target;

    public InodeAttributes Attributes { get; } = attributes;

    /// <summary>Of the source, for messages.</summary>
    public byte[] Path => frame.PathTo(name);

    /// <summary>The queue is done with it.</summary>
    public void Drop()
    {
        target.Dispose();
        frame.Release();
    }
}

/// <summary>The names of a file that has several.</summary>
/// <param name="Mark">The first copy; null when it was not made.</param>
/// <param name="FirstPath">The first name met, for messages.</param>
internal sealed record HardLinks(NodeMark? Mark, byte[] FirstPath)
{
    /// <summary>Names not met yet, as the source counts them.</summary>
    public ulong NamesLeft { get; set; }
}

/// <summary>A worker's buffer.</summary>
internal sealed class CopyBuffer : IDisposable
{
    public byte[] Bytes { get; } = ArrayPool<byte>.Shared.Rent(1 << 20);

    public void Dispose() => ArrayPool<byte>.Shared.Return(Bytes);
}
