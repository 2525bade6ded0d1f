// Against fragmentation: a volume is filled with small files, some are removed in a pattern that leaves as many holes as
// possible, and then it must take large files up to what is really free in one piece, and small ones up to what is free at
// all. Each claim of space looks at freemap leaves, so that this is also where a search would not end. Invariants: what is
// free is counted by the strict check; every refusal is NoSpace; every accepted byte is compared.

using System.Globalization;
using System.Text;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Torture.Model;

namespace Hammer2.Torture.Full;

/// <summary>How holes are made.</summary>
internal enum HolePattern
{
    /// <summary>Files of 1 to 64 KiB by turns, every second is removed.</summary>
    AlternatingSizes,

    /// <summary>Files of 16 KiB, of four one stays: no 64 KiB are free in one piece.</summary>
    OneOfFour,

    /// <summary>Files of 1 KiB, of sixteen one stays.</summary>
    Crumbs,

    /// <summary>Files of 64 KiB, every second is removed.</summary>
    Checkerboard,
}

/// <summary>One pattern on one volume.</summary>
internal sealed class FragmentRun(FullSettings settings, HolePattern pattern, int seed) : IDisposable
{
    /// <summary>The share of what is free beyond the reserve that must be usable, in percent.</summary>
    internal const int UsablePercent = 85;

    private const int LargeBytes = 1 << 20;
    private const int GroupBytes = FormatLimits.BlockBytesMax;
    private const int SmallBytes = FormatLimits.FreemapGranularity;

    // What trees, and claims that are generous for a moment, may take of the free space.
    private const long TreesBytesMax = 2 << 20;
    private const int RefusalsMax = 3;
    private readonly FullVolume _volume = new(settings);
    private readonly Dictionary<string, ContentPiece[]> _files = new(StringComparer.Ordinal);
    private readonly byte[] _bytes = new byte[GroupBytes];
    private readonly byte[] _read = new byte[GroupBytes];
    private int _made;

    /// <summary>What happened, in a line.</summary>
    internal string Story { get; private set; } = "";

    /// <summary>Fills, makes holes, fills the holes.</summary>
    /// <exception cref="MismatchException">Space that is there is refused, or something is lost.</exception>
    internal void Run()
    {
        long reserve = _volume.ReserveBytes;
        List<string> small = FillWith(static (n, pattern) => pattern switch
        {
            HolePattern.AlternatingSizes => 1024 << n % 7,
            HolePattern.OneOfFour => SmallBytes,
            HolePattern.Crumbs => 1024,
            _ => GroupBytes,
        });
        _volume.Remount();
        for (int i = 0; i < small.Count; i++)
        {
            if (!Stays(i))
                Remove(small[i]);
        }

        _volume.Reclaim();
        MediumSpace holes = _volume.Remount();
        List<string> large = FillWith(static (_, _) => LargeBytes);
        long largeBytes = BytesOf(large);
        Expect("large files", largeBytes, holes.FreeGroups * GroupBytes - reserve, holes);
        _volume.Volume.Sync();
        _volume.Reclaim();
        MediumSpace rest = _volume.Remount();
        long restBytes = BytesOf(FillWith(static (_, _) => SmallBytes));
        Expect("small files", restBytes, rest.FreeBytes - reserve, rest);
        _volume.Remount();
        Verify();
        Story = string.Create(
            CultureInfo.InvariantCulture,
            $"{small.Count} small files, holes of {holes.FreeBytes >> 10} KiB with {holes.FreeGroups * GroupBytes >> 10} KiB in groups took {largeBytes >> 10} KiB in large files; of the {rest.FreeBytes >> 10} KiB left {restBytes >> 10} in small ones; the reserve has {reserve >> 10}");
        foreach (string name in _files.Keys.ToList())
            Remove(name);
        _volume.Volume.Sync();
    }

    public void Dispose() => _volume.Dispose();

    private bool Stays(int index) => pattern switch
    {
        HolePattern.OneOfFour => index % 4 == 0,
        HolePattern.Crumbs => index % 16 == 0,
        _ => index % 2 == 0,
    };

    private void Expect(string what, long bytes, long usable, MediumSpace space)
    {
        if (bytes < (usable - TreesBytesMax) * UsablePercent / 100)
            throw new MismatchException($"{pattern}: {what} were refused after {bytes >> 10} KiB, but {usable >> 10} KiB could be used ({space})");
    }

    private long BytesOf(List<string> names) => names.Sum(name => _files[name].Sum(static piece => (long)piece.Length));

    private List<string> FillWith(Func<int, HolePattern, int> sizeOf)
    {
        var names = new List<string>();
        for (int refused = 0; refused < RefusalsMax;)
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"f{_made++}");
            Hammer2Error error = Make(name, sizeOf(names.Count, pattern));
            if (error == Hammer2Error.None)
                names.Add(name);
            else if (error == Hammer2Error.NoSpace)
                refused++;
            else
                throw new MismatchException($"{pattern}: {name} was answered with {error}");
        }

        return names;
    }

    private Hammer2Error Make(string name, int length)
    {
        using Vnode root = _volume.Pfs.OpenRoot();
        Hammer2Error error = _volume.Pfs.TryCreate(root, Encoding.ASCII.GetBytes(name), new NewInode { Type = ObjectType.File, Mode = 0x1A4 }, out Vnode? made);
        if (error != Hammer2Error.None)
            return error;
        using Vnode file = made!;
        var pieces = new List<ContentPiece>();
        for (int at = 0; at < length && error == Hammer2Error.None; at += GroupBytes)
        {
            var piece = new ContentPiece(ContentKind.Noise, unchecked((seed * 397 + _made) * 397 + at / GroupBytes), Math.Min(GroupBytes, length - at));
            piece.Fill(_bytes.AsSpan(0, piece.Length));
            error = file.TryWrite(at, _bytes.AsSpan(0, piece.Length));
            pieces.Add(piece);
        }

        if (error == Hammer2Error.None)
            _files.Add(name, [.. pieces]);
        else if (_volume.Pfs.TryUnlink(root, Encoding.ASCII.GetBytes(name)) is not Hammer2Error.None and var refused)
            throw new MismatchException($"{pattern}: removing {name} was answered with {refused}");
        return error;
    }

    private void Remove(string name)
    {
        using Vnode root = _volume.Pfs.OpenRoot();
        Hammer2Error error = _volume.Pfs.TryUnlink(root, Encoding.ASCII.GetBytes(name));
        if (error != Hammer2Error.None)
            throw new MismatchException($"{pattern}: removing {name} was answered with {error}");
        _files.Remove(name);
    }

    private void Verify()
    {
        foreach ((string name, ContentPiece[] pieces) in _files)
        {
            if (_volume.Pfs.TryResolve(name, out Vnode? vnode) is not Hammer2Error.None and var error)
                throw new MismatchException($"{pattern}: {name} cannot be opened: {error}");
            using Vnode file = vnode!;
            long at = 0;
            foreach (ContentPiece piece in pieces)
            {
                Span<byte> expected = _bytes.AsSpan(0, piece.Length), seen = _read.AsSpan(0, piece.Length);
                piece.Fill(expected);
                if (file.Read(at, seen) != piece.Length || !expected.SequenceEqual(seen))
                    throw new MismatchException($"{pattern}: {name} differs in {piece} at {at}");
                at += piece.Length;
            }
        }
    }
}
