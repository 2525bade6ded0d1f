// One workload while it runs on a recorded volume. Every step is marked in the record before it begins; after it the whole
// visible tree is kept, so that the judge knows all states that a commit may have made durable. A sync is a promise:
// what was there is there after every later cut. Paths are of the first PFS unless they begin with LABEL:.

using System.Globalization;
using System.Text;
using Hammer2.Engine.Devices;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;
using Hammer2.Torture.Devices;

namespace Hammer2.Torture.Crash;

/// <summary>The running workload.</summary>
internal sealed class CrashRun : IDisposable
{
    internal const string BeginMark = "begin ";
    internal const string PromiseMark = "promise ";
    private readonly DeviceRecord _record;
    private readonly Dictionary<string, PfsMount> _mounts = new(StringComparer.Ordinal);
    private readonly string _label;
    private readonly List<Vnode> _held = [];

    private readonly Watch _watch;
    private IReadOnlyList<Hammer2Error>? _expected;

    /// <param name="devices">Opened for writing.</param>
    /// <param name="setup">How they were formatted.</param>
    /// <param name="record">Gets the marks.</param>
    /// <param name="watch">When the tree is looked at.</param>
    /// <param name="expected">Answers of an undisturbed run; another answer ends this one.</param>
    internal CrashRun(
        IReadOnlyList<IBlockDevice> devices, CrashSetup setup, DeviceRecord record, Watch watch = Watch.AsAsked, IReadOnlyList<Hammer2Error>? expected = null)
    {
        (_record, _watch, _expected) = (record, watch, expected);
        _label = setup.Labels[0];
        Volume = Hammer2Volume.Open(devices, setup.Options(writable: true));
        if (watch != Watch.Never)
            Look();
    }

    /// <summary>When the tree is looked at.</summary>
    internal enum Watch
    {
        /// <summary>As the workload wants it.</summary>
        AsAsked,

        /// <summary>After every step, without times.</summary>
        AlwaysWithoutTimes,

        /// <summary>Never.</summary>
        Never,
    }

    /// <summary>Answers of the steps so far.</summary>
    internal List<Hammer2Error> Answers { get; } = [];

    /// <summary>Steps that were complete when a sync succeeded.</summary>
    internal int Promised { get; private set; }

    internal Hammer2Volume Volume { get; }

    /// <summary>What could be seen after each step; the first before all.</summary>
    internal List<TreeSnapshot> History { get; } = [];

    /// <summary>Answers other than None are expected.</summary>
    internal bool Tolerant { get; set; }

    /// <summary>False: nothing is looked at before the next sync; for many steps that no commit can separate.</summary>
    internal bool Watching { get; set; } = true;

    internal Random Random { get; init; } = new(1);

    /// <summary>From now on every answer is returned.</summary>
    internal void ExpectAnything() => (_expected, Tolerant) = (null, true);

    /// <summary>Bytes that do not compress.</summary>
    internal static byte[] Noise(int length, int seed)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    /// <summary>Bytes that do.</summary>
    internal static byte[] Text(int length, int seed)
    {
        byte[] line = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"line {seed} of a text that repeats itself. "));
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++)
            bytes[i] = line[i % line.Length];
        return bytes;
    }

    /// <summary>Runs one step.</summary>
    internal Hammer2Error Step(Func<Hammer2Error> action)
    {
        _record.Mark(BeginMark + History.Count.ToString(CultureInfo.InvariantCulture));
        Hammer2Error error = action();
        if (_expected is not null ? error != _expected[Answers.Count] : error != Hammer2Error.None && !Tolerant)
            throw new StepRefusedException(error);
        Answers.Add(error);
        if (Watching || _watch == Watch.AlwaysWithoutTimes)
            Look();
        return error;
    }

    /// <summary>A promise.</summary>
    internal void Sync()
    {
        if (!Watching && _watch == Watch.AsAsked)
            Look();
        Volume.Sync();
        Promised = Answers.Count;
        _record.Mark(PromiseMark + (History.Count - 1).ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>A promise through one file.</summary>
    internal void SyncFile(string path)
    {
        using Vnode file = Open(path);
        file.Sync();
        Promised = Answers.Count;
        _record.Mark(PromiseMark + (History.Count - 1).ToString(CultureInfo.InvariantCulture));
    }

    internal Hammer2Error Create(string path, ObjectType type = ObjectType.File, byte[]? target = null, bool hold = false) => Step(() =>
    {
        Hammer2Error error = TryParent(path, out Vnode? parent, out byte[] name);
        if (error != Hammer2Error.None)
            return error;
        using Vnode directory = parent!;
        error = directory.Pfs.TryCreate(directory, name, new NewInode { Type = type, Mode = 0x1ED, Uid = 7, SymlinkTarget = target }, out Vnode? made);
        if (made is not null && hold)
            _held.Add(made);
        else
            made?.Dispose();
        return error;
    });

    internal Hammer2Error MakeDirectory(string path) => Create(path, ObjectType.Directory);

    internal Hammer2Error Write(string path, long offset, byte[] data) => On(path, file => file.TryWrite(offset, data));

    internal Hammer2Error Append(string path, byte[] data) => On(path, file => file.TryAppend(data, out _));

    /// <summary>Create and one write; two steps.</summary>
    internal void Put(string path, byte[] data)
    {
        Create(path);
        Write(path, 0, data);
    }

    internal Hammer2Error SetSize(string path, long size) => On(path, file => file.TrySetSize(size));

    internal Hammer2Error Punch(string path, long offset, long length) => On(path, file => file.TryPunchHole(offset, length));

    internal Hammer2Error Allocate(string path, long offset, long length, bool keepSize) => On(path, file => file.TryAllocate(offset, length, keepSize));

    internal Hammer2Error Set(string path, AttributeChanges changes) => On(path, file => file.TrySetAttributes(changes));

    internal Hammer2Error Link(string existing, string path) => On(existing, file =>
    {
        Hammer2Error error = TryParent(path, out Vnode? parent, out byte[] name);
        if (error != Hammer2Error.None)
            return error;
        using Vnode directory = parent!;
        return directory.Pfs.TryLink(file, directory, name);
    });

    internal Hammer2Error Unlink(string path) => Step(() => OnName(path, (directory, name) => directory.Pfs.TryUnlink(directory, name)));

    internal Hammer2Error RemoveDirectory(string path) => Step(() => OnName(path, (directory, name) => directory.Pfs.TryRemoveDirectory(directory, name)));

    internal Hammer2Error Rename(string path, string newPath, RenameMode mode = RenameMode.Replace) => Step(() => OnName(
        path,
        (from, name) => OnName(newPath, (to, newName) => from.Pfs.TryRename(from, name, to, newName, mode))));

    /// <summary>Keeps a handle until the run ends or <see cref="LetGo"/>.</summary>
    internal bool Hold(string path)
    {
        Hammer2Error error = TryOpen(path, out Vnode? vnode);
        if (error != Hammer2Error.None)
            return Tolerant ? false : throw new CrashFailureException($"{path} cannot be opened: {error}");
        _held.Add(vnode!);
        return true;
    }

    /// <summary>Something with the handle that was taken last.</summary>
    internal Hammer2Error WithHeld(Func<Vnode, Hammer2Error> action) => Step(() => action(_held[^1]));

    internal void LetGo() => Step(() =>
    {
        foreach (Vnode vnode in _held)
            vnode.Dispose();
        _held.Clear();
        return Hammer2Error.None;
    });

    public void Dispose()
    {
        foreach (Vnode vnode in _held)
            vnode.Dispose();
        _held.Clear();
        Volume.Dispose();
    }

    private void Look()
    {
        if (_watch != Watch.Never)
            History.Add(TreeSnapshot.Of(Volume, _watch == Watch.AsAsked));
    }

    private Hammer2Error On(string path, Func<Vnode, Hammer2Error> action) => Step(() =>
    {
        Hammer2Error error = TryOpen(path, out Vnode? vnode);
        if (error != Hammer2Error.None)
            return error;
        using Vnode open = vnode!;
        return action(open);
    });

    private Hammer2Error OnName(string path, Func<Vnode, byte[], Hammer2Error> action)
    {
        Hammer2Error error = TryParent(path, out Vnode? parent, out byte[] name);
        if (error != Hammer2Error.None)
            return error;
        using Vnode directory = parent!;
        return action(directory, name);
    }

    private Vnode Open(string path) =>
        TryOpen(path, out Vnode? vnode) == Hammer2Error.None ? vnode! : throw new CrashFailureException($"{path} cannot be opened");

    private Hammer2Error TryOpen(string path, out Vnode? vnode)
    {
        PfsMount pfs = Pfs(ref path);
        return pfs.TryResolve(Encoding.Latin1.GetBytes(path), out vnode);
    }

    private Hammer2Error TryParent(string path, out Vnode? directory, out byte[] name)
    {
        int slash = path.LastIndexOf('/');
        name = Encoding.Latin1.GetBytes(path[(slash + 1)..]);
        Hammer2Error error = TryOpen(path[..(slash + 1)], out directory);
        if (error == Hammer2Error.None && directory!.Type != ObjectType.Directory)
        {
            directory.Dispose();
            directory = null;
            return Hammer2Error.NotADirectory;
        }

        return error;
    }

    private PfsMount Pfs(ref string path)
    {
        int colon = path.IndexOf(':', StringComparison.Ordinal);
        string label = colon < 0 ? _label : path[..colon];
        path = path[(colon + 1)..];
        if (!_mounts.TryGetValue(label, out PfsMount? pfs))
            _mounts.Add(label, pfs = Volume.OpenPfs(label));
        return pfs;
    }
}

/// <summary>A step was answered otherwise than expected.</summary>
internal sealed class StepRefusedException(Hammer2Error error) : Exception($"a step was answered with {error}")
{
    /// <summary>The answer.</summary>
    internal Hammer2Error Error => error;
}

/// <summary>The bench found something.</summary>
internal sealed class CrashFailureException(string message, Exception? inner = null) : Exception(message, inner);
