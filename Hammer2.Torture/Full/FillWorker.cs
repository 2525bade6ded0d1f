// One thread that fills: it makes, extends, rewrites and cuts files until nothing fits any more, and knows the exact content
// of every one. Invariants: a write is accepted whole or not at all; what was accepted is there at every later look; taking
// a name away always works; the only refusal is that there is no space. A file belongs to one thread.

using System.Globalization;
using System.Text;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Torture.Model;

namespace Hammer2.Torture.Full;

/// <summary>A thread and its files.</summary>
internal sealed class FillWorker(FullVolume volume, int number, int seed)
{
    private const int PieceBytesMax = 1 << 20;
    private const int PatienceWithTiny = 3;
    private static readonly int[] s_sizes = [500, 8_000, 65_536, PieceBytesMax];
    private readonly Random _random = new(unchecked(seed * 397 + number));
    private readonly Dictionary<string, List<ContentPiece>> _files = new(StringComparer.Ordinal);
    private readonly byte[] _bytes = new byte[PieceBytesMax];
    private readonly byte[] _read = new byte[PieceBytesMax];
    private int _made;
    private long _calls;

    internal static string SharedDirectory => "shared";

    internal string Directory { get; } = string.Create(CultureInfo.InvariantCulture, $"thread{number}");

    /// <summary>Calls that came back.</summary>
    internal long Calls => Interlocked.Read(ref _calls);

    /// <summary>What it is at.</summary>
    internal string Doing { get; private set; } = "";

    internal int Files => _files.Count;

    internal long Bytes => _files.Values.Sum(LengthOf);

    /// <summary>Calls that were refused.</summary>
    internal long Refusals { get; private set; }

    /// <summary>Paths of its files.</summary>
    internal IEnumerable<string> Paths => _files.Keys;

    /// <summary>Goes on until not even tiny files fit.</summary>
    /// <param name="withSmallOnly">One filling in four has small files only.</param>
    internal void Fill(bool withSmallOnly) => FillFrom(withSmallOnly && _random.Next(4) == 0 ? 1 : s_sizes.Length - 1);

    /// <summary>Goes on with tiny files until they do not fit.</summary>
    internal void FillWithTinyFiles() => FillFrom(0);

    private void FillFrom(int largest)
    {
        // Who was refused tries something smaller next. The tiniest are always new files: a large one that is changed
        // needs a free group of 64 KiB, and there may be none although much is left for small ones.
        int refusedTiny = 0;
        while (refusedTiny < PatienceWithTiny)
        {
            int size = _random.Next(largest + 1);
            Hammer2Error error = largest > 0 && _files.Count > 0 && _random.Next(4) == 0 ? Change(size) : Make(size);
            if (error == Hammer2Error.None)
                continue;
            Refusals++;
            if (error != Hammer2Error.NoSpace)
                throw new MismatchException($"{Doing} was answered with {error}{Why(error)}");
            refusedTiny += largest == 0 ? 1 : 0;
            largest = Math.Max(0, Math.Min(largest, size) - 1);
        }
    }

    /// <summary>Removes a share of its files; not one may be refused.</summary>
    internal void Remove(double share)
    {
        foreach (string path in _files.Keys.Where(_ => _random.NextDouble() < share).ToList())
        {
            Unlink(path);
            _files.Remove(path);
        }
    }

    /// <summary>Compares every file.</summary>
    internal void Verify()
    {
        foreach ((string path, List<ContentPiece> pieces) in _files)
        {
            Doing = "reading " + path;
            using Vnode file = Open(path);
            long at = 0;
            foreach (ContentPiece piece in pieces)
            {
                Span<byte> expected = _bytes.AsSpan(0, piece.Length), seen = _read.AsSpan(0, piece.Length);
                piece.Fill(expected);
                int count = file.Read(at, seen);
                if (count != piece.Length)
                    throw new MismatchException($"{path} was accepted with {LengthOf(pieces)} bytes and ends at {at + count}");
                int same = expected.CommonPrefixLength(seen);
                if (same < piece.Length)
                    throw new MismatchException($"{path} differs at {at + same}, in {piece} at {at}");
                at += piece.Length;
            }

            if (file.GetAttributes().Size != at)
                throw new MismatchException($"{path} was accepted with {at} bytes and has {file.GetAttributes().Size}");
            Count();
        }
    }

    /// <summary>Names in a directory.</summary>
    internal static List<string> List(FullVolume volume, string directory)
    {
        using Vnode open = OpenPath(volume, directory);
        var names = new List<string>();
        var batch = new DirectoryBatch(256);
        for (ulong position = 0; ; position = batch.NextPosition)
        {
            open.ReadDirectory(position, batch);
            if (batch.Damage.Count > 0)
                throw batch.Damage[0];
            for (int i = 0; i < batch.Count; i++)
                names.Add(directory + "/" + Encoding.Latin1.GetString(batch.NameOf(i)));
            if (batch.EndOfDirectory)
                return names;
        }
    }

    private Hammer2Error Make(int size)
    {
        string directory = _random.Next(3) == 0 ? SharedDirectory : Directory;
        string path = string.Create(CultureInfo.InvariantCulture, $"{directory}/{number}-{_made++}");
        Doing = "making " + path;
        using Vnode parent = OpenPath(volume, directory);
        byte[] name = Encoding.ASCII.GetBytes(path[(directory.Length + 1)..]);
        Hammer2Error error = volume.Pfs.TryCreate(parent, name, new NewInode { Type = ObjectType.File, Mode = 0x1A4 }, out Vnode? made);
        Count();
        if (error != Hammer2Error.None)
            return error;
        using Vnode file = made!;
        var pieces = new List<ContentPiece>();
        _files.Add(path, pieces);
        for (int left = size == s_sizes.Length - 1 ? _random.Next(1, 5) : 1; left > 0 && error == Hammer2Error.None; left--)
            error = Append(file, pieces, size);
        // A program may keep what was accepted, or take the file away.
        if (error != Hammer2Error.None && _random.Next(2) == 0)
        {
            Unlink(path);
            _files.Remove(path);
        }

        return error;
    }

    private Hammer2Error Change(int size)
    {
        string path = _files.Keys.ElementAt(_random.Next(Math.Min(_files.Count, 200)));
        List<ContentPiece> pieces = _files[path];
        Doing = "changing " + path;
        using Vnode file = Open(path);
        switch (_random.Next(3))
        {
            case 0:
                return Append(file, pieces, size);
            case 1 when pieces.Count > 0:
                int kept = _random.Next(pieces.Count);
                Hammer2Error error = file.TrySetSize(LengthOf(pieces.Take(kept)));
                Count();
                if (error == Hammer2Error.None)
                    pieces.RemoveRange(kept, pieces.Count - kept);
                return error;
            default:
                // One call writes over the first piece, which becomes other bytes as a whole, or stays.
                if (pieces.Count == 0)
                    return Hammer2Error.None;
                ContentPiece piece = pieces[0] with { Seed = _random.Next(), Kind = Kind() };
                piece.Fill(_bytes.AsSpan(0, piece.Length));
                error = file.TryWrite(0, _bytes.AsSpan(0, piece.Length));
                Count();
                if (error == Hammer2Error.None)
                    pieces[0] = piece;
                return error;
        }
    }

    private Hammer2Error Append(Vnode file, List<ContentPiece> pieces, int size)
    {
        var piece = new ContentPiece(Kind(), _random.Next(), _random.Next(1, s_sizes[size] + 1));
        piece.Fill(_bytes.AsSpan(0, piece.Length));
        Hammer2Error error = file.TryAppend(_bytes.AsSpan(0, piece.Length), out long offset);
        Count();
        if (error != Hammer2Error.None)
            return error;
        if (offset != LengthOf(pieces))
            throw new MismatchException($"{Doing}: appended at {offset}, not at {LengthOf(pieces)}");
        pieces.Add(piece);
        return Hammer2Error.None;
    }

    // Mostly what takes space, so that a volume is full soon.
    private ContentKind Kind() => _random.Next(8) switch
    {
        0 => ContentKind.Text,
        1 => ContentKind.Gaps,
        2 => ContentKind.Shared,
        _ => ContentKind.Noise,
    };

    private void Unlink(string path)
    {
        Doing = "removing " + path;
        int slash = path.IndexOf('/', StringComparison.Ordinal);
        using Vnode parent = OpenPath(volume, path[..slash]);
        Hammer2Error error = volume.Pfs.TryUnlink(parent, Encoding.ASCII.GetBytes(path[(slash + 1)..]));
        Count();
        if (error != Hammer2Error.None)
            throw new MismatchException($"{Doing} was answered with {error}{Why(error)}");
    }

    /// <summary>What stopped a volume that takes no more changes; it belongs to the finding.</summary>
    private string Why(Hammer2Error error) =>
        error == Hammer2Error.ReadOnly && volume.Volume.Failure is { } failure ? $" since: {failure}" : "";

    private void Count() => Interlocked.Increment(ref _calls);

    private Vnode Open(string path) => OpenPath(volume, path);

    private static Vnode OpenPath(FullVolume volume, string path)
    {
        Hammer2Error error = volume.Pfs.TryResolve(path, out Vnode? vnode);
        return error == Hammer2Error.None ? vnode! : throw new MismatchException($"{path} cannot be opened: {error}");
    }

    private static long LengthOf(IEnumerable<ContentPiece> pieces) => pieces.Sum(static piece => (long)piece.Length);
}
