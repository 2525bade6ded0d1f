// What the walk learned about one PFS: its root, its objects and its names, and what could not be read. Filled from all
// threads, then sorted once. Needs 48 bytes an inode and 32 bytes a name while the PFS is checked; names themselves are not
// kept but for those that could stand twice.

using System.Runtime.InteropServices;
using System.Text;
using Hammer2.Engine.Format;

namespace Hammer2.Engine.Checking;

/// <summary>An inode of the PFS.</summary>
internal struct InodeRecord
{
    internal readonly ulong Number;
    internal readonly ulong NominalParent;

    /// <summary>Key of the first entry that leads here, in the directory <see cref="Parent"/>.</summary>
    internal ulong EntryKey;

    internal readonly uint LinkCount;
    internal uint References;
    internal uint Subdirectories;

    /// <summary>Index of the first directory with an entry for it, or -1.</summary>
    internal int Parent;

    internal readonly ObjectType Type;
    internal byte Mark;

    internal InodeRecord(ulong number, in InodeData data)
    {
        Number = number;
        NominalParent = data.ParentInode;
        LinkCount = (uint)Math.Min(data.LinkCount, uint.MaxValue);
        Type = data.Type;
        Parent = -1;
    }
}

/// <summary>An entry: target, directory, key and type.</summary>
internal readonly record struct LinkRecord(ulong Target, ulong Directory, ulong Key, ObjectType Type);

/// <summary>A name that another one in its directory could equal.</summary>
internal readonly record struct NameRecord(ulong Directory, ulong Key, ulong NameHash);

/// <summary>What one thread found.</summary>
internal sealed class NamespacePart
{
    internal List<InodeRecord> Inodes { get; } = [];

    internal List<LinkRecord> Links { get; } = [];

    internal List<NameRecord> Crowded { get; } = [];
}

/// <summary>One PFS while it is checked.</summary>
internal sealed class PfsScan
{
    private const int LostRangesMax = 4096;
    private readonly Lock _gate = new();
    private readonly List<NamespacePart> _parts = [];
    private readonly List<(ulong Low, ulong High)> _lost = [];

    internal PfsScan(in BlockRef bref, ReadOnlySpan<byte> block)
    {
        Ref = bref;
        Root = MemoryMarshal.Read<InodeData>(block);
        Label = Encoding.UTF8.GetString(block.Slice(InodeData.NameOffset, Math.Min((int)Root.NameLength, FormatLimits.NameBytesMax)));
    }

    internal BlockRef Ref { get; }

    internal InodeData Root { get; }

    internal string Label { get; }

    /// <summary>The root's blockset as stored; empty when it makes no sense.</summary>
    internal BlockRef[] Blockset { get; set; } = [];

    /// <summary>Objects have smaller numbers than this.</summary>
    internal ulong NextInode => Root.PfsNextInode;

    internal bool IsSnapshot => Root.PfsSubtype != (byte)PfsSubtype.None;

    /// <summary>Some entries could not be read: missing references prove nothing.</summary>
    internal bool HasLostNames { get; private set; }

    internal void NamesAreLost() => HasLostNames = true;

    /// <summary>These inodes could not be read: entries that lead to them are no findings of their own.</summary>
    internal void InodesAreLost(ulong low, ulong high)
    {
        lock (_gate)
        {
            // Past the limit one range stands for all: then nothing is called dangling any more.
            if (_lost.Count >= LostRangesMax)
                (low, high) = (0, ulong.MaxValue);
            _lost.Add((low, high));
            if (_lost.Count > LostRangesMax)
                _lost.RemoveRange(0, LostRangesMax);
        }
    }

    internal bool IsLost(ulong inode) => _lost.Any(r => inode >= r.Low && inode <= r.High);

    /// <summary>A thread is done with this PFS.</summary>
    internal void Add(NamespacePart part)
    {
        lock (_gate)
            _parts.Add(part);
    }

    /// <summary>Everything that the threads found, in tables; the parts are gone afterwards.</summary>
    internal PfsTables TakeTables()
    {
        InodeRecord[] inodes = [new InodeRecord(FormatLimits.RootInodeNumber, Root), .. _parts.SelectMany(p => p.Inodes)];
        Array.Sort(inodes, static (a, b) => a.Number.CompareTo(b.Number));
        LinkRecord[] links = Gather(p => p.Links);
        NameRecord[] crowded = Gather(p => p.Crowded);
        _parts.Clear();
        return new PfsTables(inodes, links, crowded);
    }

    private T[] Gather<T>(Func<NamespacePart, List<T>> which)
    {
        T[] all = new T[_parts.Sum(p => which(p).Count)];
        int at = 0;
        foreach (NamespacePart part in _parts)
        {
            CollectionsMarshal.AsSpan(which(part)).CopyTo(all.AsSpan(at));
            at += which(part).Count;
        }

        return all;
    }
}

/// <summary>All objects and names of a PFS.</summary>
internal sealed class PfsTables(InodeRecord[] inodes, LinkRecord[] links, NameRecord[] crowded)
{
    /// <summary>By number.</summary>
    internal InodeRecord[] Inodes => inodes;

    internal LinkRecord[] Links => links;

    internal NameRecord[] Crowded => crowded;

    /// <summary>Index of an inode, or -1.</summary>
    internal int Find(ulong number)
    {
        int low = 0, high = inodes.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (inodes[middle].Number < number)
                low = middle + 1;
            else
                high = middle;
        }

        return low < inodes.Length && inodes[low].Number == number ? low : -1;
    }
}
