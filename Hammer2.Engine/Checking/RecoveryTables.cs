// What a raw scan remembers: inodes by what they look like, and the references that prove them. Plain records, sorted
// once. Invariant: a table never has more than its share of entries; when it is full equal ones are joined first, then the
// older half goes, and the table says so.

using System.Runtime.InteropServices;
using Hammer2.Engine.Format;

namespace Hammer2.Engine.Checking;

/// <summary>A block that looks like an inode; the hash is XXH64 of its 1 KiB.</summary>
internal readonly record struct SeenInode(ulong Number, ulong Offset, ulong Parent, ulong Hash, ulong ChangeTime, ObjectType Type) : IComparable<SeenInode>
{
    public int CompareTo(SeenInode other) =>
        Number != other.Number ? Number.CompareTo(other.Number) : Offset.CompareTo(other.Offset);
}

/// <summary>A reference to an inode or to an array of directory entries, wherever it was found.</summary>
internal readonly record struct SeenRef(ulong DataOff, byte Methods, ulong Check0, ulong Check1, ulong Check2, ulong Key, ulong MirrorTid) : IComparable<SeenRef>
{
    internal static SeenRef Of(in BlockRef bref)
    {
        ReadOnlySpan<ulong> check = MemoryMarshal.Cast<byte, ulong>(BlockRef.CheckBytes(bref));
        bool wide = bref.CheckMethod == CheckMethod.Sha192;
        ulong first = bref.CheckMethod switch
        {
            CheckMethod.None or CheckMethod.Disabled => 0,
            CheckMethod.Iscsi32 or CheckMethod.Freemap => bref.Check32,
            _ => check[0],
        };
        return new SeenRef(bref.DataOff, bref.Methods, first, wide ? check[1] : 0, wide ? check[2] : 0, bref.Key, bref.MirrorTid);
    }

    internal BlockRef ToBlockRef(BlockRefType type)
    {
        var bref = new BlockRef { Type = type, Methods = Methods, DataOff = DataOff, Key = Key, MirrorTid = MirrorTid };
        Span<ulong> check = MemoryMarshal.Cast<CheckArea, ulong>(MemoryMarshal.CreateSpan(ref bref.Check, 1));
        (check[0], check[1], check[2]) = (Check0, Check1, Check2);
        return bref;
    }

    public int CompareTo(SeenRef other)
    {
        int order = DataOff.CompareTo(other.DataOff);
        if (order == 0)
            order = Check0.CompareTo(other.Check0);
        return order != 0 ? order : MirrorTid.CompareTo(other.MirrorTid);
    }
}

/// <summary>A directory entry with one of the wanted names, and the address at which it lies.</summary>
internal sealed record SeenName(int Component, ulong Number, ObjectType Type, ulong Offset);

/// <summary>Entries of a scan, bounded.</summary>
/// <param name="most">Entries to keep at most.</param>
/// <param name="age">Larger is newer.</param>
internal sealed class RecoveryTable<T>(int most, Func<T, ulong> age)
    where T : struct, IComparable<T>
{
    private const int FirstCompaction = 1 << 16;
    private readonly List<T> _entries = [];
    private int _compactAt = Math.Min(FirstCompaction, most);
    private ulong _floor;

    /// <summary>Entries that were too old for the memory.</summary>
    internal long Dropped { get; private set; }

    internal void Add(in T entry)
    {
        if (_floor > 0 && age(entry) < _floor)
        {
            Dropped++;
            return;
        }

        if (_entries.Count >= _compactAt)
            Compact();
        _entries.Add(entry);
    }

    /// <summary>All entries in their order, each once.</summary>
    internal List<T> Finish()
    {
        SortUnique();
        return _entries;
    }

    private void Compact()
    {
        SortUnique();
        if (_entries.Count > most / 2)
        {
            ulong[] ages = [.. _entries.Select(age)];
            Array.Sort(ages);
            _floor = Math.Max(1, ages[^(most / 4 + 1)]);
            Dropped += _entries.RemoveAll(entry => age(entry) < _floor);
            int surplus = _entries.Count - most / 2;
            if (surplus > 0)
            {
                // All of one age: then any will do.
                _entries.RemoveRange(most / 2, surplus);
                Dropped += surplus;
            }
        }

        _compactAt = (int)Math.Min(most, Math.Max(FirstCompaction, 2L * _entries.Count));
    }

    private void SortUnique()
    {
        _entries.Sort();
        int kept = 0;
        for (int i = 0; i < _entries.Count; i++)
        {
            if (kept == 0 || !_entries[i].Equals(_entries[kept - 1]))
                _entries[kept++] = _entries[i];
        }

        _entries.RemoveRange(kept, _entries.Count - kept);
    }
}
