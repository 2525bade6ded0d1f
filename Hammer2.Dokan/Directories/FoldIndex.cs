// The names of one directory by their fold: what makes look-ups without case O(1), and case pairs distinct.
// Invariants: one fold stands for exactly one entry, because the driver has one control block a fold. Of entries that
// differ only in case, the first by bytes keeps its name in every spelling; the others are shown and opened as
// stem~h2-<inode>ext (dokan-semantics F.2). Immutable once built; names are kept as medium bytes in one block, about 40
// bytes an entry. Calls the engine's directory reading, NameMapping, FoldTable.

using System.Globalization;
using System.Runtime.Versioning;
using DokanNet;
using Hammer2.Dokan.Names;
using Hammer2.Dokan.Requests;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;

namespace Hammer2.Dokan.Directories;

/// <summary>One entry as the index knows it.</summary>
internal readonly record struct FoldEntry(int Index, ulong InodeNumber, ObjectType Type);

/// <summary>The index of one directory.</summary>
[SupportedOSPlatform("windows")]
internal sealed class FoldIndex
{
    private const int EntryBytes = 32;

    private readonly struct Entry(int nameOffset, int nameLength, ulong inodeNumber, ObjectType type, int hash)
    {
        internal readonly int NameOffset = nameOffset;
        internal readonly int NameLength = nameLength;
        internal readonly ulong InodeNumber = inodeNumber;
        internal readonly int Hash = hash;
        internal readonly ObjectType Type = type;
    }

    private readonly Dictionary<int, List<int>> _pairs = [];
    private readonly Dictionary<int, string> _decorated = [];
    private readonly Dictionary<string, int> _byDecoration = new(StringComparer.Ordinal);
    private Entry[] _entries = new Entry[16];
    private byte[] _names = new byte[256];
    private int[] _buckets = new int[32];
    private int _namesLength;
    private int _count;

    private FoldIndex()
    {
    }

    /// <summary>Memory held, in bytes, for the budget of the cache.</summary>
    internal long Bytes { get; private set; }

    /// <summary>Number of entries.</summary>
    internal int Count => _count;

    /// <summary>Was a part of the directory unreadable? Then a name that is not here may still exist.</summary>
    internal bool IsDamaged { get; private set; }

    /// <summary>Are there entries that differ only in case?</summary>
    internal bool HasPairs => _pairs.Count > 0;

    /// <summary>Reads a directory. Throws Hammer2Exception when nothing of it can be read.</summary>
    internal static FoldIndex Build(Vnode directory, ref DokanFileInfo info, ref RequestTimer timer)
    {
        var index = new FoldIndex();
        var batch = new DirectoryBatch { WithAttributes = false, WithDots = false };
        ulong position = 0;
        do
        {
            directory.ReadDirectory(position, batch);
            for (int i = 0; i < batch.Count; i++)
            {
                ref readonly DirectoryRecord record = ref batch[i];
                if (record.Type != ObjectType.Whiteout)
                    index.Add(batch.NameOf(i), record.InodeNumber, record.Type);
            }

            DirectoryDamage.ThrowIfUnreachable(batch.Damage);
            index.IsDamaged |= batch.Damage.Count > 0;
            if (!batch.EndOfDirectory && batch.NextPosition == position)
                break; // A directory that does not advance is damaged; the engine promises progress, this ends the loop anyway.
            position = batch.NextPosition;
            timer.Extend(ref info);
        }
        while (!batch.EndOfDirectory);
        index.Finish();
        return index;
    }

    /// <summary>Finds the entry for a valid name in any case.</summary>
    internal bool TryFind(ReadOnlySpan<char> given, out FoldEntry found)
    {
        Span<char> shown = stackalloc char[NameMapping.NameLengthMax];
        int length = NameMapping.Canonical(given, shown);
        if (length < 0)
        {
            found = default;
            return false;
        }

        Span<char> folded = stackalloc char[NameMapping.NameLengthMax];
        folded = folded[..length];
        FoldTable.Fold(shown[..length], folded);
        int index = FindPlain(folded, string.GetHashCode(folded));
        if (index < 0 && (_byDecoration.Count == 0
            || !_byDecoration.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(folded, out index)))
        {
            found = default;
            return false;
        }

        found = new FoldEntry(index, _entries[index].InodeNumber, _entries[index].Type);
        return true;
    }

    /// <summary>The name under which Windows sees an entry of this index.</summary>
    internal string ShownName(int index) => _decorated.TryGetValue(index, out string? decorated)
        ? decorated
        : NameMapping.ToWindows(NameOf(index));

    /// <summary>The name under which Windows sees a medium name of this directory.</summary>
    internal string ShownName(ReadOnlySpan<byte> name)
    {
        string plain = NameMapping.ToWindows(name);
        if (!HasPairs)
            return plain;
        Span<char> folded = plain.Length <= NameMapping.NameLengthMax
            ? stackalloc char[NameMapping.NameLengthMax]
            : new char[plain.Length];
        folded = folded[..plain.Length];
        FoldTable.Fold(plain, folded);
        int first = FindPlain(folded, string.GetHashCode(folded));
        if (first < 0 || !_pairs.TryGetValue(first, out List<int>? pair))
            return plain;

        // Ordered by bytes, so that a directory full of one name in all its cases is not a quadratic listing.
        int low = 0;
        int high = pair.Count - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            int order = NameOf(pair[middle]).SequenceCompareTo(name);
            if (order == 0)
                return ShownName(pair[middle]);
            if (order < 0)
                low = middle + 1;
            else
                high = middle - 1;
        }

        return plain;
    }

    /// <summary>The medium bytes of an entry's name.</summary>
    internal ReadOnlySpan<byte> NameOf(int index) =>
        _names.AsSpan(_entries[index].NameOffset, _entries[index].NameLength);

    private void Add(ReadOnlySpan<byte> name, ulong inodeNumber, ObjectType type)
    {
        if (name.IsEmpty || name.Length > NameMapping.NameLengthMax)
        {
            IsDamaged = true;
            return;
        }

        Span<char> folded = stackalloc char[NameMapping.NameLengthMax];
        folded = folded[..FoldOf(name, folded)];
        int hash = string.GetHashCode(folded);
        int first = FindPlain(folded, hash);
        int index = Append(name, inodeNumber, type, hash);
        if (first < 0)
            Insert(index);
        else if (_pairs.TryGetValue(first, out List<int>? pair))
            pair.Add(index);
        else
            _pairs.Add(first, [first, index]);
    }

    private int Append(ReadOnlySpan<byte> name, ulong inodeNumber, ObjectType type, int hash)
    {
        if (_count == _entries.Length)
            Array.Resize(ref _entries, _count * 2);
        if (_namesLength + name.Length > _names.Length)
            Array.Resize(ref _names, Math.Max(_names.Length * 2, _namesLength + name.Length));
        name.CopyTo(_names.AsSpan(_namesLength));
        _entries[_count] = new Entry(_namesLength, name.Length, inodeNumber, type, hash);
        _namesLength += name.Length;
        return _count++;
    }

    private void Insert(int index)
    {
        if ((_count * 2) > _buckets.Length)
            Rehash();
        Place(index);
    }

    private void Rehash()
    {
        int[] old = _buckets;
        _buckets = new int[old.Length * 2];
        foreach (int stored in old)
        {
            if (stored != 0)
                Place(stored - 1);
        }
    }

    private void Place(int index)
    {
        int mask = _buckets.Length - 1;
        int slot = _entries[index].Hash & mask;
        while (_buckets[slot] != 0)
            slot = (slot + 1) & mask;
        _buckets[slot] = index + 1;
    }

    private int SlotOf(int index)
    {
        int mask = _buckets.Length - 1;
        int slot = _entries[index].Hash & mask;
        while (_buckets[slot] != index + 1)
            slot = (slot + 1) & mask;
        return slot;
    }

    /// <summary>The entry that holds a fold undecorated, or -1.</summary>
    private int FindPlain(ReadOnlySpan<char> folded, int hash)
    {
        Span<char> candidate = stackalloc char[NameMapping.NameLengthMax];
        int mask = _buckets.Length - 1;
        for (int slot = hash & mask; _buckets[slot] != 0; slot = (slot + 1) & mask)
        {
            int index = _buckets[slot] - 1;
            if (_entries[index].Hash == hash
                && folded.SequenceEqual(candidate[..FoldOf(NameOf(index), candidate)]))
            {
                return index;
            }
        }

        return -1;
    }

    private static int FoldOf(ReadOnlySpan<byte> name, Span<char> folded)
    {
        int length = NameMapping.ToWindows(name, folded);
        FoldTable.Fold(folded[..length], folded);
        return length;
    }

    /// <summary>Orders each case pair by bytes, lets the first keep its name and names the others.</summary>
    private void Finish()
    {
        Dictionary<int, List<int>> found = new(_pairs);
        _pairs.Clear();
        foreach ((int placed, List<int> pair) in found)
        {
            pair.Sort((left, right) => NameOf(left).SequenceCompareTo(NameOf(right)));
            _buckets[SlotOf(placed)] = pair[0] + 1;
            _pairs.Add(pair[0], pair);
        }

        foreach (List<int> pair in _pairs.Values)
            Decorate(pair);
        Bytes = ((long)_entries.Length * EntryBytes) + _names.Length + ((long)_buckets.Length * sizeof(int))
            + _decorated.Values.Sum(name => 160L + (4L * name.Length)) + 512;
    }

    private void Decorate(List<int> pair)
    {
        Dictionary<ulong, int> used = [];
        foreach (int index in pair.Skip(1))
        {
            ulong inode = _entries[index].InodeNumber;
            int number = used.GetValueOrDefault(inode);
            string name;
            string fold;
            do
            {
                name = CaseDecoration.Decorate(NameMapping.ToWindows(NameOf(index)), inode, number++);
                fold = string.Create(name.Length, name, static (span, text) => FoldTable.Fold(text, span));
            }
            while (FindPlain(fold, string.GetHashCode(fold)) >= 0 || _byDecoration.ContainsKey(fold));
            used[inode] = number;
            _decorated.Add(index, name);
            _byDecoration.Add(fold, index);
        }
    }
}
