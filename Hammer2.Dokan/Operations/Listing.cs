// The answer to a listing: its entries and their names, as the library wants to walk through them.
// Invariants: nothing in it grows beyond what the collector treats as small, so that a listing of any length costs the young
// generation only; what was added does not change. Calls FoldTable.

using System.Collections;
using System.Runtime.CompilerServices;
using DokanNet;
using Hammer2.Dokan.Names;

namespace Hammer2.Dokan.Operations;

/// <summary>Collects the entries of one listing.</summary>
internal sealed class Listing : IEnumerable<FindFileInformation>
{
    private const int PieceBytes = 64 * 1024;
    private const int FirstEntries = 32;
    private static readonly int s_entriesMax = PieceBytes / Unsafe.SizeOf<FindFileInformation>();
    private readonly List<FindFileInformation[]> _pieces = [];
    private FindFileInformation[] _last = [];
    private int _used;
    private char[] _names = [];
    private int _namesUsed;

    /// <summary>Number of entries.</summary>
    internal int Count { get; private set; }

    /// <summary>Adds an entry.</summary>
    internal void Add(in FindFileInformation entry)
    {
        if (_used == _last.Length)
        {
            _pieces.Add(_last = new FindFileInformation[Math.Clamp(2 * _used, FirstEntries, s_entriesMax)]);
            _used = 0;
        }

        _last[_used++] = entry;
        Count++;
    }

    /// <summary>Keeps a name: many share an array.</summary>
    internal ReadOnlyMemory<char> Keep(ReadOnlySpan<char> name)
    {
        if (_names.Length - _namesUsed < name.Length)
        {
            _names = new char[Math.Max(Math.Clamp(2 * _names.Length, 1024, PieceBytes / sizeof(char)), name.Length)];
            _namesUsed = 0;
        }

        Memory<char> kept = _names.AsMemory(_namesUsed, name.Length);
        name.CopyTo(kept.Span);
        _namesUsed += name.Length;
        return kept;
    }

    /// <summary>Is there a name that stands here twice?</summary>
    internal bool HasTwins(bool caseSensitive)
    {
        var seen = new HashSet<ReadOnlyMemory<char>>(Count, new Names(caseSensitive));
        foreach (FindFileInformation entry in this)
        {
            if (!seen.Add(entry.FileName))
                return true;
        }

        return false;
    }

    /// <summary>The listing with each name once. What was met last is what the name means now.</summary>
    internal Listing WithoutTwins(bool caseSensitive)
    {
        var last = new Dictionary<ReadOnlyMemory<char>, int>(Count, new Names(caseSensitive));
        int position = 0;
        foreach (FindFileInformation entry in this)
            last[entry.FileName] = position++;
        var kept = new Listing();
        position = 0;
        foreach (FindFileInformation entry in this)
        {
            if (last[entry.FileName] == position++)
                kept.Add(entry);
        }

        return kept;
    }

    /// <summary>Names as Windows tells them apart.</summary>
    private sealed class Names(bool caseSensitive) : IEqualityComparer<ReadOnlyMemory<char>>
    {
        public bool Equals(ReadOnlyMemory<char> x, ReadOnlyMemory<char> y) =>
            caseSensitive ? x.Span.SequenceEqual(y.Span) : FoldTable.Same(x.Span, y.Span);

        public int GetHashCode(ReadOnlyMemory<char> name)
        {
            Span<char> folded = stackalloc char[NameMapping.NameLengthMax];
            folded = folded[..name.Length];
            if (caseSensitive)
                name.Span.CopyTo(folded);
            else
                FoldTable.Fold(name.Span, folded);
            return string.GetHashCode(folded);
        }
    }

    /// <inheritdoc />
    public IEnumerator<FindFileInformation> GetEnumerator()
    {
        int left = Count;
        foreach (FindFileInformation[] piece in _pieces)
        {
            int count = Math.Min(left, piece.Length);
            left -= count;
            for (int i = 0; i < count; i++)
                yield return piece[i];
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
