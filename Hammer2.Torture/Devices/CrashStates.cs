// What a power cut may leave on the devices of a set, given what they held before and the record of what was done:
// a cut after every write, any of the unflushed writes lost, and writes torn between sectors. States share their
// pages and the recorded bytes, so making one costs a few references; each opens as devices that can be written.

using System.Collections.Immutable;
using Hammer2.Engine.Devices;

namespace Hammer2.Torture.Devices;

/// <summary>A range of recorded bytes that reached a device.</summary>
internal readonly record struct WrittenPiece(int Volume, long Offset, ReadOnlyMemory<byte> Bytes);

/// <summary>One possible content of the devices after a power cut.</summary>
internal sealed class CrashState
{
    private readonly Func<IBlockDevice[]> _open;

    internal CrashState(string description, IReadOnlyList<string> markers, Func<IBlockDevice[]> open)
    {
        Description = description;
        Markers = markers;
        _open = open;
    }

    /// <summary>Which cut this is, to be quoted when a test fails.</summary>
    internal string Description { get; }

    /// <summary>Where a write was torn; null when none was.</summary>
    internal long? TornAt { get; init; }

    /// <summary>What the test had said before the cut: all of it must be found.</summary>
    internal IReadOnlyList<string> Markers { get; }

    /// <summary>The devices; every call gives new ones, and writing to them changes no other state.</summary>
    internal IBlockDevice[] Open() => _open();

    public override string ToString() => Description;
}

/// <summary>Enumerates the states.</summary>
internal sealed class CrashStates
{
    private const int SectorBytes = 512;
    private const int PageBytes = 65536;
    private const int AllSubsetsUpTo = 4;
    private const int SubsetsPerWindow = 24;
    private const int TearsPerWrite = 4;
    private const int SingledOutPerWindow = 64;
    private readonly IReadOnlyList<IBlockDevice> _bases;
    private readonly IReadOnlyList<DeviceEvent> _events;
    private readonly int _seed;

    /// <summary>Prepares the enumeration.</summary>
    /// <param name="bases">The devices as they were before the record began, by volume; not changed meanwhile.</param>
    /// <param name="record">What was done.</param>
    /// <param name="seed">For the sampled classes; see HammerSeed.</param>
    internal CrashStates(IReadOnlyList<IBlockDevice> bases, DeviceRecord record, int seed)
    {
        _bases = bases;
        _events = record.Events;
        _seed = seed;
    }

    /// <summary>Every class of states, one after the other.</summary>
    internal IEnumerable<CrashState> All() => CutsAfterEveryWrite().Concat(LostWrites()).Concat(TornWrites());

    /// <summary>Before the first write, after every write with all before it in place, and at the end with every marker reached.</summary>
    internal IEnumerable<CrashState> CutsAfterEveryWrite()
    {
        int number = 0;
        foreach (Moment at in Moments())
        {
            if (at.Kind == MomentKind.BeforeFlush)
                continue;
            yield return at.State(at.Kind == MomentKind.End ? "cut at the end" : $"cut after write {number}", at.Applied, []);
            number++;
        }
    }

    /// <summary>At every flush (and at the end): unflushed writes lost, each alone, all, all but one, and other subsets.</summary>
    internal IEnumerable<CrashState> LostWrites()
    {
        var random = new Random(_seed);
        foreach (Moment at in Moments())
        {
            if (at.Kind is not (MomentKind.BeforeFlush or MomentKind.End))
                continue;
            int count = at.Pending.Count;
            foreach (bool[] kept in Subsets(count, random))
            {
                string lost = string.Join(',', Enumerable.Range(0, count).Where(i => !kept[i]));
                yield return at.State($"event {at.Index}: of {count} unflushed writes lost {lost}", at.Safe, [.. at.Pending.Where((_, i) => kept[i])]);
            }
        }
    }

    /// <summary>Each write torn: only its first or its last sectors arrived, with what was written before or with all of its window.</summary>
    internal IEnumerable<CrashState> TornWrites()
    {
        var random = new Random(_seed);
        foreach (Moment at in Moments())
        {
            if (at.Kind is not (MomentKind.BeforeFlush or MomentKind.End))
                continue;
            foreach (int i in SingledOut(at.Pending.Count, random))
            {
                WrittenPiece whole = at.Pending[i];
                foreach (int cut in Tears(whole.Bytes.Length, random))
                {
                    WrittenPiece first = whole with { Bytes = whole.Bytes[..cut] };
                    WrittenPiece last = whole with { Bytes = whole.Bytes[cut..], Offset = whole.Offset + cut };
                    List<WrittenPiece> before = at.Pending.GetRange(0, i);
                    List<WrittenPiece> after = at.Pending.GetRange(i + 1, at.Pending.Count - i - 1);
                    string where = $"event {at.Index}: unflushed write {i} at 0x{whole.Offset:x} torn at {cut} of {whole.Bytes.Length},";
                    yield return at.State($"{where} first part, nothing after", at.Safe, [.. before, first], whole.Offset);
                    yield return at.State($"{where} last part, nothing after", at.Safe, [.. before, last], whole.Offset);
                    if (after.Count == 0)
                        continue;
                    yield return at.State($"{where} first part, all others", at.Safe, [.. before, first, .. after], whole.Offset);
                    yield return at.State($"{where} last part, all others", at.Safe, [.. before, last, .. after], whole.Offset);
                }
            }
        }
    }

    // Walks the record. What a finished flush covers goes into pages that all later states share.
    private IEnumerable<Moment> Moments()
    {
        var safe = new ImmutableDictionary<long, byte[]>[_bases.Count];
        Array.Fill(safe, ImmutableDictionary<long, byte[]>.Empty);
        var applied = (ImmutableDictionary<long, byte[]>[])safe.Clone();
        var pending = new List<(int Index, WrittenPiece Piece)>();
        var markers = ImmutableList<string>.Empty;
        Moment At(MomentKind kind, int index) => new(
            this, kind, index, [.. applied], [.. safe], kind == MomentKind.AfterWrite ? [] : [.. pending.Select(p => p.Piece)], markers);

        yield return At(MomentKind.Start, 0);
        for (int i = 0; i < _events.Count; i++)
        {
            DeviceEvent e = _events[i];
            switch (e.Kind)
            {
                case DeviceEventKind.Write:
                    var written = new WrittenPiece(e.Volume, e.Offset, e.Bytes);
                    pending.Add((i, written));
                    applied[e.Volume] = Apply(applied[e.Volume], e.Volume, written);
                    yield return At(MomentKind.AfterWrite, i);
                    break;
                case DeviceEventKind.FlushBegin when pending.Exists(p => p.Piece.Volume == e.Volume):
                    yield return At(MomentKind.BeforeFlush, i);
                    break;
                case DeviceEventKind.FlushEnd:
                    foreach ((_, WrittenPiece piece) in pending.Where(p => Covers(e, p.Index, p.Piece)))
                        safe[e.Volume] = Apply(safe[e.Volume], e.Volume, piece);
                    pending.RemoveAll(p => Covers(e, p.Index, p.Piece));
                    break;
                case DeviceEventKind.Marker:
                    markers = markers.Add(e.Text);
                    break;
            }
        }

        yield return At(MomentKind.End, _events.Count);
    }

    private static bool Covers(DeviceEvent flushEnd, int index, WrittenPiece piece) =>
        piece.Volume == flushEnd.Volume && index < flushEnd.BeginIndex;

    private ImmutableDictionary<long, byte[]> Apply(ImmutableDictionary<long, byte[]> pages, int volume, WrittenPiece piece)
    {
        long offset = piece.Offset;
        ReadOnlySpan<byte> rest = piece.Bytes.Span;
        while (!rest.IsEmpty)
        {
            long page = offset / PageBytes;
            int at = (int)(offset % PageBytes);
            int part = Math.Min(rest.Length, PageBytes - at);
            byte[] bytes = new byte[PageBytes];
            if (pages.TryGetValue(page, out byte[]? old))
                old.CopyTo(bytes, 0);
            else if (part < PageBytes)
                _bases[volume].Read(page * PageBytes, bytes.AsSpan(0, (int)Math.Min(PageBytes, _bases[volume].Length - page * PageBytes)));
            rest[..part].CopyTo(bytes.AsSpan(at));
            pages = pages.SetItem(page, bytes);
            rest = rest[part..];
            offset += part;
        }

        return pages;
    }

    private static IEnumerable<bool[]> Subsets(int count, Random random)
    {
        if (count <= AllSubsetsUpTo)
        {
            for (int mask = 0; mask < (1 << count) - 1; mask++)
                yield return [.. Enumerable.Range(0, count).Select(i => (mask >> i & 1) != 0)];
            yield break;
        }

        yield return new bool[count];
        foreach (int i in SingledOut(count, random))
        {
            yield return [.. Enumerable.Range(0, count).Select(n => n != i)];
            yield return [.. Enumerable.Range(0, count).Select(n => n == i)];
        }

        for (int n = 0; n < SubsetsPerWindow; n++)
        {
            int percent = random.Next(5, 96);
            yield return [.. Enumerable.Range(0, count).Select(_ => random.Next(100) < percent)];
        }
    }

    // All of them, or of many the first, the last and a sample.
    private static IEnumerable<int> SingledOut(int count, Random random)
    {
        if (count <= SingledOutPerWindow)
            return Enumerable.Range(0, count);
        var chosen = new SortedSet<int> { 0, count - 1 };
        while (chosen.Count < SingledOutPerWindow)
            chosen.Add(random.Next(count));
        return chosen;
    }

    private static IEnumerable<int> Tears(int length, Random random)
    {
        int sectors = (length + SectorBytes - 1) / SectorBytes;
        if (sectors <= TearsPerWrite)
            return Enumerable.Range(1, Math.Max(0, sectors - 1)).Select(n => n * SectorBytes);
        return new HashSet<int> { SectorBytes, sectors / 2 * SectorBytes, (sectors - 1) * SectorBytes, random.Next(1, sectors) * SectorBytes };
    }

    private enum MomentKind
    {
        Start,
        AfterWrite,
        BeforeFlush,
        End,
    }

    /// <summary>A point in the record: pages with everything written so far, pages with what was flushed, and the rest in order.</summary>
    private sealed record Moment(
        CrashStates Owner, MomentKind Kind, int Index, ImmutableDictionary<long, byte[]>[] Applied, ImmutableDictionary<long, byte[]>[] Safe,
        List<WrittenPiece> Pending, ImmutableList<string> Markers)
    {
        internal CrashState State(
            string description, ImmutableDictionary<long, byte[]>[] pages, IReadOnlyList<WrittenPiece> arrived, long? tornAt = null) => new(
            description, Markers,
            () => [.. Owner._bases.Select((b, v) => new OverlayDevice(new CrashedDevice(b, pages[v], [.. arrived.Where(p => p.Volume == v)])))])
            {
                TornAt = tornAt,
            };
    }

    /// <summary>The base, the flushed pages over it, the pieces that arrived over those.</summary>
    private sealed class CrashedDevice(IBlockDevice below, ImmutableDictionary<long, byte[]> pages, WrittenPiece[] pieces) : IBlockDevice
    {
        private readonly Lazy<ILookup<long, WrittenPiece>> _piecesByPage = new(() => pieces
            .SelectMany(p => Pages(p.Offset, p.Bytes.Length).Select(page => (page, p)))
            .ToLookup(x => x.page, x => x.p));

        public string Name => below.Name;

        public long Length => below.Length;

        public int SectorSize => below.SectorSize;

        public void Read(long offset, Span<byte> buffer)
        {
            below.Read(offset, buffer);
            foreach (long page in Pages(offset, buffer.Length))
            {
                if (pages.TryGetValue(page, out byte[]? bytes))
                    Lay(bytes.AsSpan(0, (int)Math.Min(PageBytes, Length - page * PageBytes)), page * PageBytes, buffer, offset);

                foreach (WrittenPiece piece in _piecesByPage.Value[page])
                    LayInPage(piece, page, buffer, offset);
            }
        }

        public void Write(long offset, ReadOnlySpan<byte> data) => throw new NotSupportedException("written through an overlay");

        public void Flush()
        {
            // Nothing is ever written here.
        }

        public void Dispose()
        {
            // The base is shared and stays open.
        }

        private static IEnumerable<long> Pages(long offset, int length)
        {
            for (long page = offset / PageBytes; page * PageBytes < offset + length; page++)
                yield return page;
        }

        private static void LayInPage(WrittenPiece piece, long page, Span<byte> buffer, long offset)
        {
            long start = Math.Max(piece.Offset, page * PageBytes);
            long end = Math.Min(piece.Offset + piece.Bytes.Length, (page + 1) * PageBytes);
            Lay(piece.Bytes.Span.Slice((int)(start - piece.Offset), (int)(end - start)), start, buffer, offset);
        }

        private static void Lay(ReadOnlySpan<byte> bytes, long at, Span<byte> buffer, long offset)
        {
            long start = Math.Max(at, offset);
            long end = Math.Min(at + bytes.Length, offset + buffer.Length);
            if (start < end)
                bytes.Slice((int)(start - at), (int)(end - start)).CopyTo(buffer[(int)(start - offset)..]);
        }
    }
}
