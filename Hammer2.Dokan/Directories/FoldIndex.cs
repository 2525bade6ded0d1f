// The names of one directory by their fold: what makes look-ups without case O(1), and case pairs distinct.
// Invariants: a name in its exact spelling finds its own entry; any other spelling finds the entry that holds the fold. Of
// entries that differ only in case, the first by bytes holds it; the others are shown as stem~h2-<inode>ext, which finds
// them too (dokan-semantics F.2). Readers take no lock: entries and names are only ever appended, a bucket is written after
// what it points to, and what is full is copied. Changes are made by one thread at a time. Case pairs do not change: whoever
// touches one builds the index anew. About 40 bytes an entry. Calls the engine's directory reading, NameMapping, FoldTable.

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
    private const int Removed = -1;

    /// <summary>Removed entries that are left in memory before the index is built anew, unless more are alive.</summary>
    private const int RemovedMax = 4096;

    private readonly struct Entry(int nameOffset, int nameLength, ulong inodeNumber, ObjectType type, int hash)
    {
        internal readonly int NameOffset = nameOffset;
        internal readonly int NameLength = nameLength;
        internal readonly ulong InodeNumber = inodeNumber;
        internal readonly int Hash = hash;
        internal readonly ObjectType Type = type;
    }

    /// <summary>What readers see: replaced as a whole when one of the arrays is full.</summary>
    private sealed record Arrays(Entry[] Entries, byte[] Names, int[] Buckets);

    private readonly Dictionary<int, List<int>> _pairs = [];
    private readonly Dictionary<int, string> _decorated = [];
    private readonly Dictionary<string, int> _byDecoration = new(StringComparer.Ordinal);
    private readonly bool _caseSensitive;
    private volatile Arrays _arrays = new(new Entry[16], new byte[256], new int[32]);
    private long _version;
    private int _namesLength;
    private int _count;
    private int _bucketsUsed;
    private int _removed;

    private FoldIndex(Vnode directory, bool caseSensitive)
    {
        Directory = directory;
        _caseSensitive = caseSensitive;
    }

    /// <summary>The directory, open as long as the index is in use, so that its version counts on.</summary>
    internal Vnode Directory { get; }

    /// <summary>The version of the directory that the index shows.</summary>
    internal long Version
    {
        get => Volatile.Read(ref _version);
        set => Volatile.Write(ref _version, value);
    }

    /// <summary>Does it show the directory as it is?</summary>
    internal bool IsCurrent => Version == Directory.NamesVersion;

    /// <summary>Memory held, in bytes, for the budget of the cache.</summary>
    internal long Bytes
    {
        get
        {
            Arrays arrays = _arrays;
            return ((long)arrays.Entries.Length * EntryBytes) + arrays.Names.Length + ((long)arrays.Buckets.Length * sizeof(int))
                + (_decorated.Count * 400L) + 512;
        }
    }

    /// <summary>Number of entries.</summary>
    internal int Count => _count - _removed;

    /// <summary>Was a part of the directory unreadable? Then a name that is not here may still exist.</summary>
    internal bool IsDamaged { get; private set; }

    /// <summary>Are there entries that differ only in case?</summary>
    internal bool HasPairs => _pairs.Count > 0;

    /// <summary>Reads a directory. Throws Hammer2Exception when nothing of it can be read.</summary>
    internal static FoldIndex Build(Vnode directory, bool caseSensitive, ref DokanFileInfo info, ref RequestTimer timer)
    {
        var index = new FoldIndex(directory, caseSensitive) { Version = directory.NamesVersion };
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

    /// <summary>Finds the entry for a valid name: in this spelling, or else in any case.</summary>
    internal bool TryFind(ReadOnlySpan<char> given, out FoldEntry found)
    {
        found = default;
        Span<byte> name = stackalloc byte[NameMapping.NameLengthMax];
        int bytes = NameMapping.ToMedium(given, name);
        if (bytes < 0)
            return false;
        Span<char> folded = stackalloc char[NameMapping.NameLengthMax];
        folded = folded[..FoldOf(name[..bytes], folded)];
        int index = FindPlain(folded, string.GetHashCode(folded));
        if (index >= 0 && HasPairs && _pairs.TryGetValue(index, out List<int>? pair))
        {
            int exact = FindInPair(pair, name[..bytes]);
            index = exact >= 0 ? exact : index;
        }

        if (index < 0 && (_byDecoration.Count == 0
            || !_byDecoration.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(folded, out index)))
        {
            return false;
        }

        ref readonly Entry entry = ref _arrays.Entries[index];
        found = new FoldEntry(index, entry.InodeNumber, entry.Type);
        return true;
    }

    /// <summary>The name under which Windows sees an entry of this index.</summary>
    internal string ShownName(int index) => _decorated.TryGetValue(index, out string? decorated)
        ? decorated
        : NameMapping.ToWindows(NameOf(index));

    /// <summary>The name under which Windows sees a medium name of this directory.</summary>
    internal string ShownName(ReadOnlySpan<byte> name)
    {
        Span<char> shown = stackalloc char[NameMapping.NameLengthMax];
        return new string(shown[..ShownName(name, shown)]);
    }

    /// <summary>As the other overload, into a buffer with room for the longest name.</summary>
    internal int ShownName(ReadOnlySpan<byte> name, Span<char> shown)
    {
        int length = NameMapping.ToWindows(name, shown);
        if (!HasPairs)
            return length;
        Span<char> folded = stackalloc char[NameMapping.NameLengthMax];
        folded = folded[..length];
        Fold(shown[..length], folded);
        int first = FindPlain(folded, string.GetHashCode(folded));
        if (first < 0 || !_pairs.TryGetValue(first, out List<int>? pair))
            return length;
        int index = FindInPair(pair, name);
        if (index < 0 || !_decorated.TryGetValue(index, out string? decorated))
            return length;
        decorated.CopyTo(shown);
        return decorated.Length;
    }

    /// <summary>The medium bytes of an entry's name.</summary>
    internal ReadOnlySpan<byte> NameOf(int index)
    {
        Arrays arrays = _arrays;
        ref readonly Entry entry = ref arrays.Entries[index];
        return arrays.Names.AsSpan(entry.NameOffset, entry.NameLength);
    }

    /// <summary>Enters a new name. By the one thread that changes the directory.</summary>
    /// <returns>False when the index cannot show it and must be built anew.</returns>
    internal bool TryAdd(ReadOnlySpan<byte> name, ulong inodeNumber, ObjectType type)
    {
        Span<char> folded = stackalloc char[NameMapping.NameLengthMax];
        folded = folded[..FoldOf(name, folded)];
        int hash = string.GetHashCode(folded);
        if (FindPlain(folded, hash) >= 0 || _byDecoration.GetAlternateLookup<ReadOnlySpan<char>>().ContainsKey(folded))
            return false;
        Insert(Append(name, inodeNumber, type, hash));
        return true;
    }

    /// <summary>Takes a name out. By the one thread that changes the directory.</summary>
    /// <returns>False when the index must be built anew.</returns>
    internal bool TryRemove(ReadOnlySpan<byte> name)
    {
        Span<char> folded = stackalloc char[NameMapping.NameLengthMax];
        folded = folded[..FoldOf(name, folded)];
        int index = FindPlain(folded, string.GetHashCode(folded));
        if (index < 0 || _pairs.ContainsKey(index) || !NameOf(index).SequenceEqual(name))
            return false;
        Volatile.Write(ref _arrays.Buckets[SlotOf(index)], Removed);
        _removed++;
        return _removed <= Math.Max(RemovedMax, _count / 2);
    }

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
        Arrays arrays = _arrays;
        Entry[] entries = arrays.Entries;
        byte[] names = arrays.Names;
        if (_count == entries.Length)
            Array.Resize(ref entries, _count * 2);
        if (_namesLength + name.Length > names.Length)
            Array.Resize(ref names, Math.Max(names.Length * 2, _namesLength + name.Length));
        name.CopyTo(names.AsSpan(_namesLength));
        entries[_count] = new Entry(_namesLength, name.Length, inodeNumber, type, hash);
        if (entries != arrays.Entries || names != arrays.Names)
            _arrays = arrays with { Entries = entries, Names = names };
        _namesLength += name.Length;
        return _count++;
    }

    private void Insert(int index)
    {
        if ((_bucketsUsed + 1) * 2 > _arrays.Buckets.Length)
            Rehash();
        Place(_arrays.Buckets, index);
        _bucketsUsed++;
    }

    private void Rehash()
    {
        int[] old = _arrays.Buckets;
        int[] buckets = new int[old.Length * 2];
        _bucketsUsed = 0;
        foreach (int stored in old)
        {
            if (stored > 0)
            {
                Place(buckets, stored - 1);
                _bucketsUsed++;
            }
        }

        _arrays = _arrays with { Buckets = buckets };
    }

    private void Place(int[] buckets, int index)
    {
        int mask = buckets.Length - 1;
        int slot = _arrays.Entries[index].Hash & mask;
        while (buckets[slot] != 0)
            slot = (slot + 1) & mask;
        Volatile.Write(ref buckets[slot], index + 1);
    }

    private int SlotOf(int index)
    {
        Arrays arrays = _arrays;
        int mask = arrays.Buckets.Length - 1;
        int slot = arrays.Entries[index].Hash & mask;
        while (arrays.Buckets[slot] != index + 1)
            slot = (slot + 1) & mask;
        return slot;
    }

    /// <summary>The entry that holds a fold undecorated, or -1.</summary>
    private int FindPlain(ReadOnlySpan<char> folded, int hash)
    {
        Span<char> candidate = stackalloc char[NameMapping.NameLengthMax];
        int[] buckets = _arrays.Buckets;
        int mask = buckets.Length - 1;
        int stored;
        for (int slot = hash & mask; (stored = Volatile.Read(ref buckets[slot])) != 0; slot = (slot + 1) & mask)
        {
            if (stored == Removed)
                continue;

            // Read after the bucket: the arrays that it was written for, or later ones, which hold the entry too.
            int index = stored - 1;
            if (_arrays.Entries[index].Hash == hash && folded.SequenceEqual(candidate[..FoldOf(NameOf(index), candidate)]))
                return index;
        }

        return -1;
    }

    /// <summary>The member of a case pair with exactly this name, or -1. Ordered by bytes, so that a directory full of one
    /// name in all its cases is not a quadratic listing.</summary>
    private int FindInPair(List<int> pair, ReadOnlySpan<byte> name)
    {
        int low = 0;
        int high = pair.Count - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            int order = NameOf(pair[middle]).SequenceCompareTo(name);
            if (order == 0)
                return pair[middle];
            if (order < 0)
                low = middle + 1;
            else
                high = middle - 1;
        }

        return -1;
    }

    private int FoldOf(ReadOnlySpan<byte> name, Span<char> folded)
    {
        int length = NameMapping.ToWindows(name, folded);
        Fold(folded[..length], folded);
        return length;
    }

    private void Fold(ReadOnlySpan<char> text, Span<char> folded)
    {
        if (!_caseSensitive)
            FoldTable.Fold(text, folded);
        else if (text != folded)
            text.CopyTo(folded);
    }

    /// <summary>Orders each case pair by bytes, lets the first keep its name and names the others.</summary>
    private void Finish()
    {
        Dictionary<int, List<int>> found = new(_pairs);
        _pairs.Clear();
        foreach ((int placed, List<int> pair) in found)
        {
            pair.Sort((left, right) => NameOf(left).SequenceCompareTo(NameOf(right)));
            _arrays.Buckets[SlotOf(placed)] = pair[0] + 1;
            _pairs.Add(pair[0], pair);
        }

        foreach (List<int> pair in _pairs.Values)
            Decorate(pair);
    }

    private void Decorate(List<int> pair)
    {
        Dictionary<ulong, int> used = [];
        foreach (int index in pair.Skip(1))
        {
            ulong inode = _arrays.Entries[index].InodeNumber;
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
