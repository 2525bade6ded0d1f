// A reusable buffer for a piece of a directory listing: records, names, attributes. After warm-up filling it
// allocates nothing. Positions are not indexes but keys, so a listing goes on rightly after any change (R14, R15).

using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Topology;

namespace Hammer2.Engine.Directories;

/// <summary>One entry of a listing.</summary>
public struct DirectoryRecord
{
    /// <summary>Pass it to continue after this entry. Stable for the life of the entry; 0 is the start.</summary>
    public ulong Position;

    /// <summary>Inode number of the target.</summary>
    public ulong InodeNumber;

    /// <summary>Kind of the target, as the entry says.</summary>
    public ObjectType Type;

    /// <summary>Why the attributes could not be had: NotFound = the inode does not exist; None = they are there.</summary>
    public Hammer2Error Error;

    /// <summary>Attributes, when asked for and <see cref="Error"/> is None.</summary>
    public InodeAttributes Attributes;

    internal int NameStart;
    internal int NameLength;
}

/// <summary>A piece of a directory listing.</summary>
public sealed class DirectoryBatch
{
    private readonly DirectoryRecord[] _records;
    private readonly List<Hammer2Exception> _inodeFailures = [];
    private byte[] _names;
    private ulong[] _numbers = [];
    private int[] _order = [];
    private int _nameBytes;

    /// <summary>Creates a buffer.</summary>
    /// <param name="capacity">Entries per piece, at least 1: a piece without room would never reach the end.</param>
    public DirectoryBatch(int capacity = 256)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        _records = new DirectoryRecord[capacity];
        _names = new byte[capacity * 32];
    }

    /// <summary>Fetch the attributes with the names.</summary>
    public bool WithAttributes { get; init; } = true;

    /// <summary>Begin the listing with "." and "..".</summary>
    public bool WithDots { get; init; }

    /// <summary>Entries in this piece.</summary>
    public int Count { get; private set; }

    /// <summary>Entry number <paramref name="index"/> of this piece.</summary>
    public ref readonly DirectoryRecord this[int index] => ref _records.AsSpan(0, Count)[index];

    /// <summary>True when nothing comes after this piece.</summary>
    public bool EndOfDirectory { get; internal set; }

    /// <summary>Where the next piece begins.</summary>
    public ulong NextPosition { get; internal set; }

    /// <summary>Parts of the directory that could not be read while this piece was made; names in them are missing.</summary>
    public IReadOnlyList<Hammer2Exception> Damage => TreeDamage.Failures;

    /// <summary>Why the attributes of single records are missing (the first few), for messages.</summary>
    public IReadOnlyList<Hammer2Exception> InodeFailures => _inodeFailures;

    internal TreeDamage TreeDamage { get; } = new();

    internal int Capacity => _records.Length;

    internal bool IsFull => Count == _records.Length;

    internal Span<DirectoryRecord> Records => _records.AsSpan(0, Count);

    /// <summary>The name of entry <paramref name="index"/>: 1 to 255 bytes, usually UTF-8. Valid until the batch is filled again.</summary>
    public ReadOnlySpan<byte> NameOf(int index)
    {
        ref readonly DirectoryRecord record = ref this[index];
        return _names.AsSpan(record.NameStart, record.NameLength);
    }

    internal void Clear()
    {
        Count = 0;
        _nameBytes = 0;
        EndOfDirectory = false;
        TreeDamage.Clear();
        _inodeFailures.Clear();
    }

    internal void Add(ulong position, ulong inodeNumber, ObjectType type, ReadOnlySpan<byte> name)
    {
        if (_names.Length - _nameBytes < name.Length)
            Array.Resize(ref _names, Math.Max(_names.Length * 2, _nameBytes + name.Length));
        name.CopyTo(_names.AsSpan(_nameBytes));
        _records[Count++] = new DirectoryRecord
        {
            Position = position,
            InodeNumber = inodeNumber,
            Type = type,
            NameStart = _nameBytes,
            NameLength = name.Length,
        };
        _nameBytes += name.Length;
    }

    /// <summary>The indexes of the records in the order of their inode numbers: the order of the medium, mostly.</summary>
    internal ReadOnlySpan<int> OrderOfInodes()
    {
        if (_order.Length < _records.Length)
        {
            _order = new int[_records.Length];
            _numbers = new ulong[_records.Length];
        }

        for (int i = 0; i < Count; i++)
        {
            _order[i] = i;
            _numbers[i] = _records[i].InodeNumber;
        }

        Span<int> order = _order.AsSpan(0, Count);
        _numbers.AsSpan(0, Count).Sort(order);
        return order;
    }

    internal void RemoveWhere(Predicate<DirectoryRecord> isGone)
    {
        int kept = 0;
        for (int i = 0; i < Count; i++)
        {
            if (!isGone(_records[i]))
                _records[kept++] = _records[i];
        }

        Count = kept;
    }

    internal void AddInodeFailure(Hammer2Exception failure)
    {
        if (_inodeFailures.Count < 64)
            _inodeFailures.Add(failure);
    }
}
