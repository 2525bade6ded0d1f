// Makes sequences: random steps that mostly make sense on the tree as it is by then, and sometimes do not. What is likely
// changes from seed to seed (profiles), because bugs hide where one kind of step happens much more often than is usual.
// Deterministic by seed and model; bounded in bytes, so that no round fills its volume.

using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;

namespace Hammer2.Torture.Model;

/// <summary>How likely the kinds of steps are.</summary>
/// <param name="Name">For messages.</param>
/// <param name="Steps">Length of a sequence.</param>
/// <param name="Weights">By kind; what is missing does not happen.</param>
/// <param name="DirectoriesMax">Directories that are filled, at most.</param>
/// <param name="DepthMax">Of the tree.</param>
/// <param name="FileBytesMax">Usual highest offset.</param>
internal sealed record Profile(
    string Name, int Steps, IReadOnlyDictionary<OpKind, int> Weights, int DirectoriesMax, int DepthMax, long FileBytesMax)
{
    private static readonly Dictionary<OpKind, int> s_usual = new()
    {
        [OpKind.Create] = 30,
        [OpKind.Link] = 6,
        [OpKind.Unlink] = 14,
        [OpKind.RemoveDirectory] = 4,
        [OpKind.Rename] = 14,
        [OpKind.Open] = 10,
        [OpKind.Close] = 5,
        [OpKind.Write] = 30,
        [OpKind.Append] = 8,
        [OpKind.SetSize] = 8,
        [OpKind.PunchHole] = 5,
        [OpKind.Allocate] = 2,
        [OpKind.SetAttributes] = 8,
        [OpKind.Read] = 12,
        [OpKind.List] = 3,
        [OpKind.Scan] = 8,
        [OpKind.Lookup] = 6,
        [OpKind.Stat] = 10,
        [OpKind.ReadLink] = 1,
        [OpKind.Sync] = 3,
        [OpKind.SyncFile] = 2,
        [OpKind.Reclaim] = 1,
        [OpKind.Remount] = 1,
        [OpKind.Compare] = 1,
    };

    public static IReadOnlyList<Profile> All { get; } =
    [
        new("mixed", 1500, s_usual, 30, 8, 1 << 20),
        new("names", 3000, With((OpKind.Create, 90), (OpKind.Unlink, 60), (OpKind.Rename, 60), (OpKind.Scan, 40), (OpKind.Write, 2), (OpKind.Compare, 0)), 3, 3, 1000),
        new("directory", 6000, With((OpKind.Create, 200), (OpKind.Unlink, 20), (OpKind.Scan, 30), (OpKind.Write, 1), (OpKind.Remount, 0), (OpKind.Compare, 0), (OpKind.List, 0)), 1, 1, 1000),
        new("deep", 1200, With((OpKind.Create, 60), (OpKind.RemoveDirectory, 20)), 400, 60, 1 << 16),
        new("bytes", 1200, With((OpKind.Write, 120), (OpKind.SetSize, 40), (OpKind.PunchHole, 30), (OpKind.Read, 60), (OpKind.Append, 30), (OpKind.Create, 6), (OpKind.Unlink, 3)), 3, 2, 8 << 20),
        new("sparse", 800, With((OpKind.Write, 60), (OpKind.SetSize, 40), (OpKind.PunchHole, 40), (OpKind.Create, 6)), 3, 2, 1L << 50),
        new("commits", 800, With((OpKind.Sync, 60), (OpKind.SyncFile, 30), (OpKind.Reclaim, 15), (OpKind.Remount, 15)), 20, 6, 1 << 20),
        new("handles", 1500, With((OpKind.Open, 60), (OpKind.Close, 40), (OpKind.Unlink, 50), (OpKind.RemoveDirectory, 20), (OpKind.Write, 50)), 10, 4, 1 << 18),
    ];

    private static Dictionary<OpKind, int> With(params (OpKind Kind, int Weight)[] changes)
    {
        var weights = new Dictionary<OpKind, int>(s_usual);
        foreach ((OpKind kind, int weight) in changes)
            weights[kind] = weight;
        return weights;
    }
}

/// <summary>Makes the next step.</summary>
internal sealed class OpGenerator
{
    private const long BytesPerRoundMax = 192 << 20;
    private static readonly int[] s_lengths = [1, 7, 100, 511, 512, 513, 1023, 1024, 4096, 16384, 65535, 65536, 65537, 131072, 200_000, 1 << 20];
    private readonly Random _random;
    private readonly ModelRun _run;
    private readonly OpKind[] _kinds;
    private long _bytes;

    public OpGenerator(int seed, Profile profile, ModelRun run)
    {
        _random = new Random(seed);
        (Profile, _run) = (profile, run);
        _kinds = [.. profile.Weights.SelectMany(static w => Enumerable.Repeat(w.Key, w.Value))];
    }

    public Profile Profile { get; }

    public Op Next()
    {
        OpKind kind = _kinds[_random.Next(_kinds.Length)];
        return kind switch
        {
            OpKind.Create => Create(),
            OpKind.Link => Link(),
            OpKind.Unlink => OnEntry(kind, static node => !node.IsDirectory),
            OpKind.RemoveDirectory => OnEntry(kind, static node => node.IsDirectory),
            OpKind.Rename => Rename(),
            OpKind.Open => new Op(kind) { At = AnyObject(), Slot = _random.Next(ModelRun.SlotCount) },
            OpKind.Close => new Op(kind) { Slot = _random.Next(ModelRun.SlotCount) },
            OpKind.Write => Write(),
            OpKind.Append => Bytes(new Op(kind) { At = File(), Length = Length() }),
            OpKind.SetSize => SetSize(),
            OpKind.PunchHole or OpKind.Read or OpKind.Allocate => Range(kind),
            OpKind.SetAttributes => SetAttributes(),
            OpKind.List => new Op(kind) { At = Directory(), Length = 1 + _random.Next(300) },
            OpKind.Scan => Scan(),
            OpKind.Lookup => Lookup(),
            OpKind.Stat or OpKind.ReadLink or OpKind.SyncFile => new Op(kind) { At = AnyObject() },
            _ => new Op(kind),
        };
    }

    private Op Create()
    {
        (int directories, int depth) = (_run.Tree.All.Count(static node => node.IsDirectory), 0);
        Ref at = Directory();
        ModelNode? parent = NodeOf(at);
        for (ModelNode? node = parent; node is { IsRoot: false, IsGone: false }; node = node.Names[0].Directory)
            depth++;
        ObjectType type = _random.Next(20) switch
        {
            < 5 when directories < Profile.DirectoriesMax && depth < Profile.DepthMax => ObjectType.Directory,
            5 => ObjectType.Symlink,
            6 => ObjectType.Fifo,
            7 when _random.Next(3) == 0 => ObjectType.CharDevice,
            7 when _random.Next(2) == 0 => ObjectType.BlockDevice,
            7 => ObjectType.Socket,
            _ => ObjectType.File,
        };
        // Deep profiles go down: the newest directory is where things happen.
        bool device = type is ObjectType.CharDevice or ObjectType.BlockDevice;
        string? target = type == ObjectType.Symlink ? SymlinkTarget() : null;
        return new Op(OpKind.Create)
        {
            At = at,
            Name = NewName(parent),
            What = new NewObject(
                type,
                (uint)_random.Next(0x1000),
                (uint)_random.Next(3) * 1000,
                _random.Next(2) == 0 ? null : (uint)_random.Next(5),
                device ? (uint)_random.Next(4096) : 0,
                device ? (uint)_random.Next(1 << 20) : 0,
                target),
        };
    }

    private Op Link() => new(OpKind.Link) { At = Directory(), To = _random.Next(10) == 0 ? Directory() : NonDirectory(), Name = NewName(null) };

    private Op OnEntry(OpKind kind, Predicate<ModelNode> wanted)
    {
        Ref at = Directory();
        return new Op(kind) { At = at, Name = Existing(NodeOf(at), _random.Next(12) == 0 ? static _ => true : wanted) };
    }

    private Op Rename()
    {
        Ref from = Directory();
        Ref to = _random.Next(2) == 0 ? from : Directory();
        RenameMode mode = _random.Next(6) switch { 0 => RenameMode.NoReplace, 1 => RenameMode.Exchange, _ => RenameMode.Replace };
        ModelNode? target = NodeOf(to);
        bool hits = mode == RenameMode.Exchange || _random.Next(3) == 0;
        return new Op(OpKind.Rename)
        {
            At = from,
            Name = Existing(NodeOf(from), static _ => true),
            To = to,
            NewName = hits ? Existing(target, static _ => true) : NewName(target),
            Mode = mode,
        };
    }

    private Op Write()
    {
        Ref at = File();
        return Bytes(new Op(OpKind.Write) { At = at, Offset = Offset(NodeOf(at)), Length = Length() });
    }

    private Op Bytes(Op op)
    {
        _bytes += op.Length;
        DataKind data = (DataKind)_random.Next(4);
        if (_bytes > BytesPerRoundMax)
            op = op with { Length = Math.Min(op.Length, 1000) };
        return op with { Data = data, DataSeed = _random.Next() };
    }

    private Op SetSize()
    {
        Ref at = File();
        long size = NodeOf(at)?.Size ?? 0;
        long wanted = _random.Next(5) switch
        {
            0 => 0,
            1 => size / 2,
            2 => Math.Max(0, size - _random.Next(1, 100)),
            3 => size > long.MaxValue - 100_000 ? size : size + _random.Next(1, 100_000),
            _ => Offset(NodeOf(at)),
        };
        return new Op(OpKind.SetSize) { At = at, Length = wanted };
    }

    private Op Range(OpKind kind)
    {
        Ref at = File();
        long offset = Offset(NodeOf(at));
        long length = kind != OpKind.Read && _random.Next(8) == 0 ? 1 + _random.NextInt64(Profile.FileBytesMax) : Math.Max(1, Length());
        if (kind == OpKind.Allocate)
            (offset, length) = (Math.Min(offset, 64 << 20), Math.Min(length, 16 << 20));
        // Whether a hole may reach beyond the largest offset is nobody's business.
        if (kind == OpKind.PunchHole)
            length = Math.Max(1, Math.Min(length, long.MaxValue - offset));
        return new Op(kind) { At = at, Offset = Math.Min(offset, long.MaxValue - 1), Length = length, Flag = _random.Next(2) == 0 };
    }

    private Op SetAttributes()
    {
        Ref at = AnyObject();
        bool One() => _random.Next(4) == 0;
        long Time() => _random.Next(6) switch { 0 => 0, 1 => -1_000_000_123, 2 => 253402300799999999, _ => 1_600_000_000_000_000 + _random.NextInt64(1_000_000_000_000) };
        bool isFile = NodeOf(at)?.Type == ObjectType.File;
        var changes = new AttributeChanges
        {
            Mode = One() ? (uint)_random.Next(0x1000) : null,
            Uid = One() ? (uint)_random.Next() : null,
            Gid = One() ? (uint)_random.Next() : null,
            UserFlags = One() ? (uint)_random.Next(2) : null,
            AccessTimeUs = One() ? Time() : null,
            ModifyTimeUs = One() ? Time() : null,
            ChangeTimeUs = _random.Next(12) == 0 ? Time() : null,
            BirthTimeUs = _random.Next(12) == 0 ? Time() : null,
            Size = isFile && One() ? Offset(NodeOf(at)) : null,
        };
        if (NodeOf(at)?.Type is ObjectType.File or ObjectType.Directory && One())
        {
            changes = changes with
            {
                Compression = (CompressionMethod)_random.Next(4),
                CompressionLevel = _random.Next(2) == 0 ? 0 : 6,
                Check = _random.Next(3) switch { 0 => CheckMethod.Iscsi32, 1 => CheckMethod.XxHash64, _ => CheckMethod.Sha192 },
            };
        }

        return new Op(OpKind.SetAttributes) { At = at, Changes = changes };
    }

    private Op Scan()
    {
        int slot = _random.Next(ModelRun.SlotCount);
        // Scans need directories in slots; one is put there when there is none.
        return _run.InSlot(slot) is { IsDirectory: true }
            ? new Op(OpKind.Scan) { Slot = slot, Length = 1 + _random.Next(_random.Next(2) == 0 ? 5 : 100) }
            : new Op(OpKind.Open) { Slot = slot, At = Directory() };
    }

    private Op Lookup()
    {
        Ref at = _random.Next(10) == 0 ? AnyObject() : Directory();
        string name = _random.Next(6) switch { 0 => ".", 1 => "..", 2 => NewName(NodeOf(at)), _ => Existing(NodeOf(at), static _ => true) };
        return new Op(OpKind.Lookup) { At = at, Name = name };
    }

    private string SymlinkTarget() => _random.Next(20) switch
    {
        0 => "",
        1 => new string('t', 512),
        2 => new string('u', 513),
        3 => new string('v', 1 + _random.Next(4000)),
        _ => $"../target/{_random.Next(1000)}",
    };

    private string NewName(ModelNode? directory)
    {
        int choice = _random.Next(40);
        if (choice < 6)
        {
            IReadOnlyList<IReadOnlyList<string>> groups = CollidingNames.Groups;
            IReadOnlyList<string> group = groups[_random.Next(Math.Min(groups.Count, 4))];
            return group[_random.Next(group.Count)];
        }

        return choice switch
        {
            6 => new string((char)('a' + _random.Next(3)), 64),
            7 => new string((char)('a' + _random.Next(3)), 65),
            8 => new string((char)('a' + _random.Next(3)), 255),
            9 => new string((char)('a' + _random.Next(26)), 66 + _random.Next(190)) + _random.Next(10),
            10 => string.Concat(Enumerable.Range(0, 1 + _random.Next(20)).Select(_ => (char)_random.Next(1, 256))).Replace('/', ':'),
            11 when _random.Next(3) == 0 => _random.Next(5) switch { 0 => "", 1 => ".", 2 => "..", 3 => "a/b", _ => "nul\0" },
            11 when _random.Next(3) == 0 => new string('x', 256),
            12 when directory is not null => Existing(directory, static _ => true),
            < 25 => $"n{_random.Next(30)}",
            _ => $"name-{_random.Next(100_000)}",
        };
    }

    private string Existing(ModelNode? directory, Predicate<ModelNode> wanted)
    {
        if (directory is null || directory.Entries.Count == 0 || _random.Next(25) == 0)
            return $"n{_random.Next(30)}";
        // Keys by number would be slow in large directories; a few tries of a random one come close enough.
        List<string> names = [.. directory.Entries.Keys.Skip(_random.Next(directory.Entries.Count)).Take(8)];
        return names.Find(name => wanted(directory.Entries[name])) ?? names[0];
    }

    private long Offset(ModelNode? file)
    {
        long size = file?.Size ?? 0;
        return _random.Next(10) switch
        {
            0 => 0,
            1 => size,
            2 => Math.Max(0, size - _random.Next(70_000)),
            3 => _random.Next(1, 20) * 65536L - _random.Next(3),
            4 => _random.Next(600),
            5 => size == 0 ? 0 : _random.NextInt64(size),
            6 when Profile.FileBytesMax > 1 << 30 && _random.Next(10) == 0 => long.MaxValue - _random.Next(200_000),
            _ => _random.NextInt64(_random.Next(2) == 0 ? Math.Min(Profile.FileBytesMax, 300_000) : Profile.FileBytesMax),
        };
    }

    private long Length() => _random.Next(4) switch
    {
        0 => s_lengths[_random.Next(s_lengths.Length)],
        1 => _random.Next(65536),
        2 when _random.Next(4) == 0 => _random.Next(1 << 20),
        _ => _random.Next(3000),
    };

    private ModelNode? NodeOf(Ref at)
    {
        if (at.Path is null)
            return _run.InSlot(at.Slot);
        ModelNode? node = _run.Tree.Root;
        foreach (string name in at.Path.Split('/', StringSplitOptions.RemoveEmptyEntries))
            node = node?.Entries.GetValueOrDefault(name);
        return node;
    }

    private Ref Directory() => Choose(static node => node.IsDirectory);

    private Ref File() => _random.Next(40) == 0 ? AnyObject() : Choose(static node => node.Type == ObjectType.File);

    private Ref NonDirectory() => Choose(static node => !node.IsDirectory);

    private Ref AnyObject() => Choose(static _ => true);

    // A slot in one of three cases, else a path; now and then one that leads nowhere.
    private Ref Choose(Predicate<ModelNode> wanted)
    {
        if (_random.Next(3) == 0)
        {
            int first = _random.Next(ModelRun.SlotCount);
            for (int i = 0; i < ModelRun.SlotCount; i++)
            {
                int slot = (first + i) % ModelRun.SlotCount;
                if (_run.InSlot(slot) is { } node && wanted(node))
                    return Ref.Of(slot);
            }
        }

        if (_random.Next(100) == 0)
            return Ref.At("/n1/nowhere");
        List<ModelNode> candidates = [];
        int start = _random.Next(_run.Tree.All.Count);
        foreach (ModelNode node in _run.Tree.All.Skip(start).Concat(_run.Tree.All.Take(start)))
        {
            if (wanted(node) && !node.IsGone)
                candidates.Add(node);
            if (candidates.Count == 3)
                break;
        }

        return candidates.Count == 0 ? Ref.At("/") : Ref.At(candidates[_random.Next(candidates.Count)].Path!);
    }
}
