// What several programs that share one directory may expect of it whoever comes first: nothing that was made is lost unless
// somebody deleted or replaced it, nothing that was deleted comes back, every file is one of those that were made, whole,
// and what is exclusive is exclusive. Files are tokens: written once while nobody else may look, known by number and index.
// Invariants: the ledger is thread-safe; Judge is called when nobody works. Calls the simulated driver only.

using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Globalization;
using DokanNet;
using Hammer2.Tests.SimulatedDriver;

namespace Hammer2.Tests.Dokan;

/// <summary>A directory that programs share, and the ledger of what they did in it.</summary>
internal sealed class SharedDirectory
{
    internal const int Names = 12;
    internal const int Folders = 3;
    private const int HeadBytes = 16;
    private const int RecordBytes = 24;
    private readonly DokanVolume _volume;
    private readonly ConcurrentDictionary<long, long> _indexes = new();
    private readonly ConcurrentDictionary<long, long> _numbers = new();
    private readonly ConcurrentDictionary<long, bool> _marked = new();
    private long _last, _replacements, _records;
    private int _inside;

    internal SharedDirectory(DokanVolume volume, string path)
    {
        _volume = volume;
        Path = path;
        volume.MakeDirectory(path);
        volume.Put($@"{path}\lock", []);
        volume.Put($@"{path}\log", []);
        Lasting = [.. Enumerable.Range(0, 6).Select(i => $"lasting {i}")];
        foreach (string name in Lasting)
            volume.Put($@"{path}\{name}", "x"u8);
    }

    internal string Path { get; }

    /// <summary>Files that nobody touches: every listing has them.</summary>
    internal string[] Lasting { get; }

    /// <summary>The bytes of a token: its number, its length, and a filling that follows from both.</summary>
    internal static byte[] Content(long number)
    {
        var bytes = new byte[HeadBytes + (int)(number * 37 % 3000)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(8), bytes.Length);
        bytes.AsSpan(HeadBytes).Fill((byte)(number * 7));
        return bytes;
    }

    internal long NextNumber() => Interlocked.Increment(ref _last);

    internal void Made(long number, long index)
    {
        if (!_numbers.TryAdd(index, number) || !_indexes.TryAdd(number, index))
            throw new AssertFailedException($"file index {index} was given twice");
    }

    /// <summary>A mark for deletion was accepted and is never taken back.</summary>
    internal void Marked(long index) => _marked[index] = true;

    internal void Replacing() => Interlocked.Increment(ref _replacements);

    /// <summary>The number of a token from all that a program read of it.</summary>
    internal long Recognize(ReadOnlySpan<byte> bytes, long index, string where)
    {
        // Who makes it has it alone, as far as the driver knows.
        if (bytes.IsEmpty && _volume.Driver.Overlaps > 0)
            return 0;
        if (bytes.Length < HeadBytes)
            throw new AssertFailedException($"{where} has {bytes.Length} bytes");
        long number = BinaryPrimitives.ReadInt64LittleEndian(bytes);
        if (number <= 0 || number > Interlocked.Read(ref _last) || !bytes.SequenceEqual(Content(number)))
            throw new AssertFailedException($"{where} holds nothing that was written in one piece");
        if (!_indexes.TryGetValue(number, out long its) || its != index)
            throw new AssertFailedException($"{where} has the bytes of file {number} and another one's index");
        return number;
    }

    /// <summary>The holder of the exclusive file comes and goes.</summary>
    internal void Inside(Action action)
    {
        if (Interlocked.Increment(ref _inside) != 1)
            throw new AssertFailedException("two programs have the exclusive file open");
        action();
        Interlocked.Decrement(ref _inside);
    }

    /// <summary>A record for the log, which everybody appends to.</summary>
    internal byte[] NextRecord()
    {
        var record = new byte[RecordBytes];
        BinaryPrimitives.WriteInt64LittleEndian(record, Interlocked.Increment(ref _records));
        record.AsSpan(8).Fill((byte)'r');
        return record;
    }

    /// <summary>Everybody is done: what is there must be what the ledger allows.</summary>
    internal void Judge(DokanVolume v)
    {
        var found = new HashSet<long>();
        Collect(v, Path, found);
        long missing = 0;
        foreach ((long number, long index) in _indexes)
        {
            bool marked = _marked.ContainsKey(index);
            if (marked && found.Contains(number))
                throw new AssertFailedException($"file {number} was deleted and is there");
            missing += marked || found.Contains(number) ? 0 : 1;
        }

        if (missing > Interlocked.Read(ref _replacements))
            throw new AssertFailedException(string.Create(CultureInfo.InvariantCulture, $"{missing} files are lost, and {_replacements} renames may have replaced one"));
        JudgeLog(v.Client.ReadAll($@"{Path}\log"));
    }

    private void Collect(DokanVolume v, string path, HashSet<long> found)
    {
        foreach (FindFileInformation entry in v.Client.FindAll(path, "*", out _))
        {
            string name = entry.FileName.ToString();
            string below = $@"{path}\{name}";
            if (name is "." or ".." or "lock" or "log" || Lasting.Contains(name))
                continue;
            if ((entry.Attributes & FileAttributes.Directory) != 0)
            {
                Collect(v, below, found);
                continue;
            }

            byte[] bytes = v.Client.ReadAll(below);
            if (bytes.Length == 0 || !found.Add(Recognize(bytes, v.I(below).FileIndex, below)))
                throw new AssertFailedException($"{below} is empty, or there under another name too");
        }
    }

    private void JudgeLog(byte[] log)
    {
        var seen = new HashSet<long>();
        for (int at = 0; at < log.Length; at += RecordBytes)
        {
            ReadOnlySpan<byte> record = log.AsSpan(at, Math.Min(RecordBytes, log.Length - at));
            if (record.Length < RecordBytes || record[8..].ContainsAnyExcept((byte)'r') || !seen.Add(BinaryPrimitives.ReadInt64LittleEndian(record)))
                throw new AssertFailedException($"the log is torn at {at}");
        }

        if (seen.Count != _records)
            throw new AssertFailedException($"the log has {seen.Count} of {_records} records");
    }

    /// <summary>A program that works in the directory.</summary>
    internal sealed class Client(SharedDirectory shared, int seed, bool replaces)
    {
        private const int HeldMax = 3;
        private static readonly NtStatus[] s_making = [NtStatus.ObjectNameCollision, NtStatus.SharingViolation, NtStatus.DeletePending, NtStatus.ObjectPathNotFound];
        private static readonly NtStatus[] s_opening = [NtStatus.ObjectNameNotFound, NtStatus.SharingViolation, NtStatus.DeletePending, NtStatus.ObjectPathNotFound];
        private static readonly NtStatus[] s_moving =
        [
            NtStatus.ObjectNameCollision, NtStatus.AccessDenied, NtStatus.SharingViolation, NtStatus.ObjectNameNotFound,
            NtStatus.ObjectPathNotFound, NtStatus.DeletePending, NtStatus.InvalidParameter,
        ];

        private readonly Random _random = new(seed);
        private readonly DokanVolume _v = shared._volume;
        private readonly List<(SimulatedHandle Handle, long Number, string Path)> _held = [];
        private readonly byte[] _buffer = new byte[4096];
        private string _verb = "", _path = "", _target = "";

        internal long Steps { get; private set; }

        internal void Step()
        {
            Steps++;
            try
            {
                Act(_random.Next(20));
            }
            catch (AssertFailedException failed)
            {
                throw new AssertFailedException($"shared directory, {_verb} {_path} {_target}: {failed.Message}", failed);
            }
        }

        internal void CloseAll()
        {
            foreach ((SimulatedHandle handle, _, _) in _held)
                _v.Close(handle);
            _held.Clear();
        }

        private void Act(int what)
        {
            _path = Name();
            switch (what)
            {
                case < 5:
                    Make();
                    break;
                case < 9:
                    Look();
                    break;
                case < 11:
                    Delete();
                    break;
                case < 15:
                    Move();
                    break;
                case 15:
                    List();
                    break;
                case 16:
                    MakeOrRemoveFolder();
                    break;
                case 17:
                    HoldTheLock();
                    break;
                case 18:
                    Append();
                    break;
                default:
                    LookAgain();
                    break;
            }
        }

        private string Folder() => $@"{shared.Path}\{(_random.Next(2) == 0 ? "sub" : "SUB")}{_random.Next(Folders)}";

        private string Name() => $@"{(_random.Next(3) == 0 ? Folder() : shared.Path)}\{(_random.Next(2) == 0 ? "name" : "Name")} {_random.Next(Names)}";

        private static void Allow(NtStatus status, NtStatus[] legal)
        {
            if (status != NtStatus.Success && !legal.Contains(status))
                throw new AssertFailedException($"answered with {(long)status:X8}");
        }

        private SimulatedHandle? Open(string path, DokanNet.FileAccess access, NtStatus[] legal, FileShare share = Win32Client.ShareAll, CreateDisposition how = CreateDisposition.Open, bool directory = false)
        {
            OpenOutcome outcome = _v.C(path, how, access, share, directory);
            Allow(outcome.Status, legal);
            return outcome.Handle;
        }

        private long IndexOf(SimulatedHandle handle)
        {
            _v.Driver.QueryInformation(handle, out ByHandleFileInformation information);
            return information.FileIndex;
        }

        private void Make()
        {
            _verb = "make";
            if (Open(_path, AllRead | AllWrite | CanDelete, s_making, FileShare.None, CreateDisposition.Create) is not { } handle)
                return;
            long number = shared.NextNumber();
            long index = IndexOf(handle);
            shared.Made(number, index);
            _v.W(handle, 0, Content(number));
            if (_random.Next(6) == 0)
                Mark(handle, index);
            _v.Close(handle);
        }

        private void Mark(SimulatedHandle handle, long index)
        {
            NtStatus status = _v.Driver.SetDisposition(handle, delete: true);
            if (status != NtStatus.Success)
                throw new AssertFailedException($"a deletion was answered with {(long)status:X8}");
            shared.Marked(index);
        }

        private void Look()
        {
            _verb = "look at";
            if (Open(_path, AllRead, s_opening) is not { } handle)
                return;
            long number = ReadToken(handle, _path);
            if (number > 0 && _held.Count < HeldMax && _random.Next(3) == 0)
                _held.Add((handle, number, _path));
            else
                _v.Close(handle);
        }

        private long ReadToken(SimulatedHandle handle, string path)
        {
            _v.Driver.Read(handle, 0, _buffer, out int read);
            return shared.Recognize(_buffer.AsSpan(0, read), IndexOf(handle), path);
        }

        /// <summary>A file that is open stays what it is, whatever becomes of its name.</summary>
        private void LookAgain()
        {
            _verb = "look again at";
            if (_held.Count == 0)
                return;
            int which = _random.Next(_held.Count);
            (SimulatedHandle handle, long number, string path) = _held[which];
            if (ReadToken(handle, path) != number)
                throw new AssertFailedException("the open file became another one");
            if (_random.Next(2) == 0)
                return;
            _held.RemoveAt(which);
            _v.Close(handle);
        }

        private void Delete()
        {
            _verb = "delete";
            if (Open(_path, ToMove, s_opening) is not { } handle)
                return;
            Mark(handle, IndexOf(handle));
            _v.Close(handle);
        }

        private void Move()
        {
            bool folder = _random.Next(8) == 0;
            bool replace = replaces && _random.Next(2) == 0;
            _verb = replace ? "replace by" : "move";
            (_path, _target) = folder ? (Folder(), Folder()) : (_path, Name());
            if (Open(_path, ToMove, s_opening) is not { } handle)
                return;
            NtStatus status = _v.Driver.MoveFile(handle, _target, replace);
            if (status == NtStatus.Success && replace)
                shared.Replacing();
            _v.Close(handle);
            Allow(status, s_moving);
            _target = "";
        }

        private void List()
        {
            _verb = "list";
            List<FindFileInformation> entries = _v.Client.FindAll(shared.Path, "*", out int error);
            if (error != 0)
                throw new AssertFailedException($"error {error}");
            int lasting = 0;
            foreach (FindFileInformation entry in entries)
            {
                if (entry.FileName.Span.StartsWith("lasting "))
                    lasting += entry is { Length: 1, Attributes: FileAttributes.Archive } ? 1 : 0;
            }

            if (lasting != shared.Lasting.Length)
                throw new AssertFailedException($"{lasting} of the files that nobody touches are listed");
        }

        private void MakeOrRemoveFolder()
        {
            _path = Folder();
            if (_random.Next(2) == 0)
            {
                _verb = "make folder";
                if (Open(_path, ToList, s_making, how: CreateDisposition.Create, directory: true) is { } made)
                    _v.Close(made);
                return;
            }

            _verb = "remove folder";
            if (Open(_path, ToMove, s_opening, directory: true) is not { } handle)
                return;
            NtStatus status = _v.Driver.SetDisposition(handle, delete: true);
            _v.Close(handle);
            Allow(status, [NtStatus.DirectoryNotEmpty]);
        }

        private void HoldTheLock()
        {
            _verb = "lock";
            if (Open($@"{shared.Path}\lock", AllRead | AllWrite, s_opening, FileShare.None) is not { } handle)
                return;
            shared.Inside(() => _v.Driver.QueryInformation(handle, out _));
            _v.Close(handle);
        }

        private void Append()
        {
            _verb = "append";
            if (Open($@"{shared.Path}\log", CanAppend, s_opening) is not { } handle)
                return;
            byte[] record = shared.NextRecord();
            if (_v.Driver.Append(handle, record, out int written) != NtStatus.Success || written != record.Length)
                throw new AssertFailedException("a record was not appended");
            _v.Close(handle);
        }
    }
}
