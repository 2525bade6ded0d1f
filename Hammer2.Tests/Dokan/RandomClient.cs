// One program that does things at random in a directory of its own, asks the model what must come of each, and compares.
// Invariants: everything comes from one seed; a step costs what it touches, so that millions of them can be run: small
// writes with rare large ones, and a look at a file reads a piece of it. Nothing is put into words before something failed.

using System.Globalization;
using DokanNet;
using Hammer2.Tests.SimulatedDriver;

namespace Hammer2.Tests.Dokan;

/// <summary>A random program.</summary>
internal sealed class RandomClient(DokanVolume volume, string home, int seed)
{
    private const int OpensMax = 6;
    private const int FileBytesMax = 400_000;
    private const int PoolBytes = 1 << 18;
    private const int LargeBytesMax = 1 << 17;
    private static readonly DateTime s_someTime = new(2020, 2, 20, 2, 20, 20, DateTimeKind.Utc);

    private static readonly string[] s_names = ["a", "A", "bee", "BEE", "Sub", "sub", "deep", "file.txt", "FILE.TXT", "\u00C4rger", "\u00E4rger", "tmp"];
    private static readonly FileShare[] s_shares = [Win32Client.ShareAll, Win32Client.ShareAll, Win32Client.ShareAll, FileShare.ReadWrite, FileShare.Read, FileShare.None];
    private static readonly FileAttributes[] s_attributes = [FileAttributes.ReadOnly, FileAttributes.Hidden, FileAttributes.System, FileAttributes.Hidden | FileAttributes.System];
    private static readonly DokanNet.FileAccess[] s_accesses =
        [AllRead, AllRead | AllWrite, AllWrite, ToMove, ToMove, ToDelete, CanReadAttributes, ToList, AllRead | AllWrite | CanDelete];

    private readonly Random _random = new(seed);
    private readonly List<(SimulatedHandle Real, ModelHandle Model)> _opens = [];
    private readonly byte[] _pool = Pool(seed);
    private readonly byte[] _buffer = new byte[FileBytesMax + LargeBytesMax];
    private readonly HashSet<string> _listed = new(StringComparer.Ordinal);
    private Did _did;

    private enum Verb
    {
        Open,
        Close,
        Write,
        Append,
        Resize,
        Flush,
        Mark,
        Unmark,
        Move,
        Replace,
        SetAttributes,
        SetTime,
        Look,
        Read,
        List,
    }

    /// <summary>What the last step was; words are made of it when it failed.</summary>
    private record struct Did(Verb Verb, ModelNode? Node, string? Path, long First, long Second, string? More);

    internal NtfsModel Model { get; } = new();

    internal long Steps { get; private set; }

    /// <summary>How many were refused, as the model says.</summary>
    internal long Refused { get; private set; }

    internal string Home => home;

    /// <summary>Flushes are frequent; usually they are rare, because each is a commit.</summary>
    internal bool FlushesOften { get; init; }

    /// <summary>Closes one handle; null when none is open.</summary>
    internal Action? CloseNext => _opens.Count == 0 ? null : () => CloseOne(_opens.Count - 1);

    internal void Step()
    {
        Steps++;
        try
        {
            if (_opens.Count >= OpensMax || (_opens.Count > 0 && _random.Next(5) == 0))
                CloseOne(_random.Next(_opens.Count));
            else if (_opens.Count == 0 || _random.Next(3) == 0)
                OpenOne();
            else
                UseOne(_opens[_random.Next(_opens.Count)]);
        }
        catch (AssertFailedException failed)
        {
            throw new AssertFailedException(
                string.Create(CultureInfo.InvariantCulture, $"{home}, step {Steps}, {_did.Verb} {_did.Node?.Path}{_did.Path} {_did.First},{_did.Second} {_did.More}: {failed.Message}"), failed);
        }
    }

    internal void CloseAll()
    {
        while (_opens.Count > 0)
            CloseOne(_opens.Count - 1);
    }

    private static byte[] Pool(int seed)
    {
        // Half of it compresses.
        byte[] pool = DokanVolume.Noise(PoolBytes, seed);
        for (int i = PoolBytes / 2; i < PoolBytes; i++)
            pool[i] = pool[i % 37];
        return pool;
    }

    private string Path()
    {
        string path = @"\" + s_names[_random.Next(s_names.Length)];
        for (int more = _random.Next(3); more > 0; more--)
            path = $@"{path}\{s_names[_random.Next(s_names.Length)]}";
        return path;
    }

    /// <summary>Small numbers often, large ones rarely.</summary>
    private int Amount() => _random.Next(100) switch
    {
        0 => _random.Next(LargeBytesMax),
        < 5 => _random.Next(1 << 14),
        < 30 => _random.Next(1 << 11),
        _ => _random.Next(200),
    };

    private ReadOnlySpan<byte> SomeBytes(int length) => _pool.AsSpan(_random.Next(PoolBytes - length), length);

    private void Expect(NtStatus expected, NtStatus found)
    {
        if (expected != found)
            throw new AssertFailedException($"{(long)found:X8} instead of {(long)expected:X8}");
        if (found != NtStatus.Success)
            Refused++;
    }

    private static void Same(long expected, long found, string what)
    {
        if (expected != found)
            throw new AssertFailedException(string.Create(CultureInfo.InvariantCulture, $"{what} is {found} instead of {expected}"));
    }

    private void OpenOne()
    {
        string path = Path();
        var disposition = (CreateDisposition)_random.Next(1, 6);
        DokanNet.FileAccess access = s_accesses[_random.Next(s_accesses.Length)];
        FileShare share = s_shares[_random.Next(s_shares.Length)];
        bool directory = _random.Next(3) == 0;
        bool onClose = !directory && _random.Next(12) == 0;
        FileAttributes attributes = _random.Next(8) == 0 ? s_attributes[_random.Next(s_attributes.Length)] : FileAttributes.Normal;
        FileOptions options = onClose ? FileOptions.DeleteOnClose : _random.Next(FlushesOften ? 10 : 2000) == 0 ? FileOptions.WriteThrough : FileOptions.None;
        if (onClose)
            access |= CanDelete;
        _did = new Did(Verb.Open, null, path, (long)disposition, (long)access, directory ? "D" : onClose ? "delete on close" : "");
        NtStatus expected = Model.Open(path, disposition, access, share, directory, onClose, attributes, out ModelHandle? model);
        OpenOutcome outcome = volume.C(home + path, disposition, access, share, directory, options, attributes);
        if (outcome.Handle is not null && model is not null)
            _opens.Add((outcome.Handle, model));
        else if (outcome.Handle is not null)
            volume.Close(outcome.Handle);
        Expect(expected, outcome.Status);
    }

    private void CloseOne(int which)
    {
        (SimulatedHandle real, ModelHandle model) = _opens[which];
        _did = new Did(Verb.Close, model.Node, null, 0, 0, null);
        _opens.RemoveAt(which);
        NtfsModel.Close(model);
        volume.Close(real);
    }

    /// <summary>Directories that are only listed may be open below one that is renamed. The driver goes on calling them by their
    /// old path, where somebody else may come to be: that is not for the model to foresee.</summary>
    private void CloseBelow(ModelNode directory)
    {
        for (int i = _opens.Count - 1; i >= 0; i--)
        {
            ModelNode? node = _opens[i].Model.Node.Parent;
            while (node is not null && node != directory)
                node = node.Parent;
            if (node == directory)
                CloseOne(i);
        }
    }

    private void UseOne((SimulatedHandle Real, ModelHandle Model) open)
    {
        (SimulatedHandle real, ModelHandle model) = open;
        ModelNode node = model.Node;
        bool writes = (model.Access & CanWrite) != 0 && !node.IsDirectory;
        bool deletes = (model.Access & CanDelete) != 0;
        switch (_random.Next(16))
        {
            case < 5 when writes:
                Write(real, model);
                break;
            case 5 when writes:
                Resize(real, node);
                break;
            case 6 when deletes:
                bool delete = _random.Next(3) > 0;
                _did = new Did(delete ? Verb.Mark : Verb.Unmark, node, null, 0, 0, null);
                Expect(NtfsModel.Mark(model, delete), volume.Driver.SetDisposition(real, delete));
                break;
            case < 10 when deletes && node.Parent is not null:
                string target = Path();
                bool replace = _random.Next(2) == 0;
                _did = new Did(replace ? Verb.Replace : Verb.Move, node, null, 0, 0, target);
                NtStatus moved = Model.Move(model, target, replace);
                Expect(moved, volume.Driver.MoveFile(real, home + target, replace));
                if (node.IsDirectory && moved == NtStatus.Success)
                    CloseBelow(node);
                break;
            case 10 or 11 when (model.Access & CanReadAttributes) != 0 && !node.IsDirectory:
                SetBasic(real, node);
                break;
            case 12 or 13 when writes && (FlushesOften || _random.Next(200) == 0):
                _did = new Did(Verb.Flush, node, null, 0, 0, null);
                Expect(NtStatus.Success, volume.Driver.Flush(real));
                break;
            default:
                Look(real, model);
                break;
        }
    }

    private void Resize(SimulatedHandle real, ModelNode node)
    {
        int length = _random.Next(3) == 0 ? Amount() : _random.Next(node.Data.Length + 300);
        length = Math.Min(length, FileBytesMax);
        _did = new Did(Verb.Resize, node, null, length, 0, null);
        Expect(NtStatus.Success, volume.Driver.SetEndOfFile(real, length));
        node.Data.Resize(length);
        node.Written = null;
    }

    private void SetBasic(SimulatedHandle real, ModelNode node)
    {
        if (_random.Next(2) == 0)
        {
            DateTime time = s_someTime.AddMicroseconds(_random.Next());
            _did = new Did(Verb.SetTime, node, null, time.Ticks, 0, null);
            Expect(NtStatus.Success, volume.Driver.SetBasic(real, 0, null, null, time));
            node.Written = time;
            return;
        }

        FileAttributes attributes = _random.Next(3) == 0 ? s_attributes[_random.Next(s_attributes.Length)] : FileAttributes.Archive;
        _did = new Did(Verb.SetAttributes, node, null, (long)attributes, 0, null);
        Expect(NtStatus.Success, volume.Driver.SetBasic(real, attributes, null, null, null));
        node.Attributes = attributes & NtfsModel.Known;
    }

    private void Write(SimulatedHandle real, ModelHandle model)
    {
        ModelNode node = model.Node;
        int length = node.Data.Length;
        ReadOnlySpan<byte> bytes = SomeBytes(1 + Amount());
        bool append = _random.Next(4) == 0 && length < FileBytesMax;
        int offset = append ? length : Math.Min(FileBytesMax, _random.Next(10) == 0 ? length + Amount() : _random.Next(length + 1));
        bool paging = !append && _random.Next(4) == 0;
        _did = new Did(append ? Verb.Append : Verb.Write, node, null, offset, bytes.Length, paging ? "paging" : "");
        NtStatus status = append
            ? volume.Driver.Append(real, bytes, out int written)
            : volume.Driver.Write(real, offset, bytes, out written, paging);
        Expect(NtStatus.Success, status);
        int expected = paging ? Math.Clamp(length - offset, 0, bytes.Length) : bytes.Length;
        Same(expected, written, "the count of bytes");
        node.Written = null;
        if (expected > 0)
            node.Data.Write(offset, bytes[..expected]);
    }

    private void Look(SimulatedHandle real, ModelHandle model)
    {
        ModelNode node = model.Node;
        _did = new Did(Verb.Look, node, null, 0, 0, null);
        Expect(NtStatus.Success, volume.Driver.QueryInformation(real, out ByHandleFileInformation information));
        Same(node.IsDirectory ? 0 : node.Data.Length, information.Length, "the length");
        Same((long)node.Attributes, (long)(information.Attributes & NtfsModel.Known), "what is set of the attributes");
        if (node.Written is { } written)
            Same(written.Ticks, information.LastWriteTime.GetValueOrDefault().Ticks, "the time of the last write");
        if ((model.Access & CanRead) == 0)
            return;
        if (node.IsDirectory)
            List(real, node);
        else
            Read(real, node);
    }

    private void List(SimulatedHandle real, ModelNode node)
    {
        _did = new Did(Verb.List, node, null, 0, 0, null);
        volume.Driver.QueryDirectory(real, "*", restart: true, 1000, out List<FindFileInformation> entries);
        _listed.Clear();
        foreach (FindFileInformation entry in entries)
        {
            string name = entry.FileName.ToString();
            if (name is "." or "..")
                continue;
            _listed.Add(name);
            if (!node.Children.TryGetValue(name, out ModelNode? child) || child.Name != name)
                throw new AssertFailedException($"'{name}' is listed");
            Same(child.IsDirectory ? 0 : child.Data.Length, entry.Length, $"the listed length of {name}");
            Same((long)child.Attributes, (long)(entry.Attributes & NtfsModel.Known), $"what is listed of the attributes of {name}");
        }

        Same(node.Children.Count, _listed.Count, "the count of names");
    }

    private void Read(SimulatedHandle real, ModelNode node)
    {
        bool whole = _random.Next(50) == 0;
        int offset = whole ? 0 : _random.Next(node.Data.Length + 20);
        int count = whole ? node.Data.Length + 1 : Math.Max(1, Amount());
        _did = new Did(Verb.Read, node, null, offset, count, null);
        Span<byte> bytes = _buffer.AsSpan(0, Math.Min(count, _buffer.Length));
        NtStatus status = volume.Driver.Read(real, offset, bytes, out int read, paging: _random.Next(2) == 0);
        ReadOnlySpan<byte> expected = node.Data.Range(offset, bytes.Length);
        Expect(expected.IsEmpty ? NtStatus.EndOfFile : NtStatus.Success, status);
        if (!expected.SequenceEqual(bytes[..read]))
            throw new AssertFailedException($"other bytes; {read} instead of {expected.Length}, the first at {offset + expected.CommonPrefixLength(bytes[..read])}");
    }
}
