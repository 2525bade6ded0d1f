// Random operations on one file, each done to a model in memory too: what is read must be what the model has. In the manner of
// the well-known file system exercisers: cached and direct reads and writes, mappings, truncation, holes, preallocation, copies
// within the file, syncs and new opens, mixed.
// Layers: libc (Posix, BytePaths).

using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Hammer2.Tests.Fuse;

internal sealed class RandomFileOperations
{
    private const int SizeMax = 1 << 20;
    private const int LogLines = 60;

    private readonly byte[] _path;
    private readonly Random _random;
    private readonly byte[] _model = new byte[SizeMax];
    private readonly byte[] _buffer = GC.AllocateArray<byte>(SizeMax + 4096, pinned: true);
    private readonly Queue<string> _log = new();
    private readonly int _seed;
    private int _size;
    private int _cached = -1;
    private int _direct = -1;

    public RandomFileOperations(string path, int seed)
    {
        _path = Encoding.UTF8.GetBytes(path);
        _seed = seed;
        _random = new Random(seed);
    }

    /// <summary>Operations done.</summary>
    public int Operations { get; private set; }

    /// <summary>Works on the file for a time and compares all of it at the end.</summary>
    public void Run(TimeSpan time)
    {
        Open();
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed < time)
        {
            for (var i = 0; i < 100; i++)
                Step();
        }

        Close();
        Check("at the end");
        Console.WriteLine($"{Operations} operations");
    }

    private void Check(string when)
    {
        Assert.AreEqual(0, BytePaths.Status(_path, out var status));
        Assert.AreEqual((ulong)_size, status.Size, $"size {when}, seed {_seed}");
        var descriptor = BytePaths.Open(_path);
        Compare(descriptor, 0, _size, when);
        BytePaths.Close(descriptor);
    }

    private void Open()
    {
        _cached = BytePaths.Open(_path, Posix.Create | Posix.ReadWrite);
        _direct = BytePaths.Open(_path, Posix.ReadWrite | Posix.Direct);
        Assert.IsGreaterThanOrEqualTo(0, Math.Min(_cached, _direct), "the file opens");
    }

    private void Close()
    {
        BytePaths.Close(_cached);
        BytePaths.Close(_direct);
    }

    private void Step()
    {
        Operations++;
        switch (_random.Next(100))
        {
            case < 20:
                Read(_cached);
                break;
            case < 28:
                Read(_direct);
                break;
            case < 45:
                Write(_cached, aligned: false);
                break;
            case < 55:
                Write(_direct, aligned: true);
                break;
            case < 65:
                MapWrite();
                break;
            case < 70:
                MapRead();
                break;
            case < 77:
                SetSize();
                break;
            case < 83:
                Zero("punch", Posix.PunchHole | Posix.KeepSize);
                break;
            case < 87:
                Zero("zero", _random.Next(2) == 0 ? Posix.ZeroRange : Posix.ZeroRange | Posix.KeepSize);
                break;
            case < 90:
                Allocate();
                break;
            case < 94:
                Copy();
                break;
            case < 97:
                Log("sync");
                Expect(0, Posix.Sync(_random.Next(2) == 0 ? _cached : _direct));
                break;
            default:
                Log("reopen");
                Close();
                Open();
                break;
        }
    }

    private (int Offset, int Length) Range(int limit)
    {
        var offset = _random.Next(limit);
        var longest = _random.Next(3) switch { 0 => 100, 1 => 70_000, _ => 300_000 };
        return (offset, 1 + _random.Next(Math.Min(longest, limit - offset)));
    }

    private void Read(int descriptor)
    {
        var (offset, length) = Range(SizeMax);
        Log($"{(descriptor == _direct ? "direct " : "")}read {offset} +{length}");
        Compare(descriptor, offset, length, "reading");
    }

    private void Compare(int descriptor, int offset, int length, string when)
    {
        var expected = Math.Clamp(_size - offset, 0, length);
        var room = _buffer.AsSpan(0, length);
        Expect(expected, BytePaths.Read(descriptor, room, offset));
        var same = room[..expected].CommonPrefixLength(_model.AsSpan(offset, expected));
        if (same != expected)
            Fail($"{when}: byte {offset + same} is {room[same]}, not {_model[offset + same]}");
    }

    private void Write(int descriptor, bool aligned)
    {
        var (offset, length) = Range(SizeMax);
        if (aligned)
        {
            offset &= ~511;
            length = Math.Min((length + 511) & ~511, SizeMax - offset);
        }

        Log($"{(aligned ? "direct " : "")}write {offset} +{length}");
        Fill(_buffer.AsSpan(0, length));
        Expect(length, Posix.Write(descriptor, _buffer.AsSpan(0, length), offset));
        Put(offset, _buffer.AsSpan(0, length));
    }

    private void MapWrite()
    {
        if (_size == 0)
            return;
        var (offset, length) = Range(_size);
        Log($"map write {offset} +{length}");
        Fill(_buffer.AsSpan(0, length));
        using var map = Posix.Map(_random.Next(2) == 0 ? _cached : _direct, _size, shared: true);
        map.Write(offset, _buffer.AsSpan(0, length));
        if (_random.Next(2) == 0)
            map.Sync();
        Put(offset, _buffer.AsSpan(0, length));
    }

    private void MapRead()
    {
        if (_size == 0)
            return;
        Log("map read");
        using var map = Posix.Map(_cached, _size, shared: _random.Next(2) == 0);
        var mapped = map.ToArray();
        var same = mapped.AsSpan().CommonPrefixLength(_model.AsSpan(0, _size));
        if (same != _size)
            Fail($"mapped byte {same} is {mapped[same]}, not {_model[same]}");
    }

    private void SetSize()
    {
        var size = _random.Next(4) == 0 ? 0 : _random.Next(SizeMax);
        Log($"size {_size} to {size}");
        Expect(0, _random.Next(2) == 0 ? Posix.SetSize(_path, size) : Posix.SetSize(_cached, size));
        if (size < _size)
            _model.AsSpan(size, _size - size).Clear();
        _size = size;
    }

    private void Zero(string what, uint mode)
    {
        var (offset, length) = Range(SizeMax);
        Log($"{what} mode {mode} {offset} +{length}");
        Expect(0, Posix.Allocate(_cached, mode, offset, length));
        _model.AsSpan(offset, length).Clear();
        if ((mode & Posix.KeepSize) == 0)
            _size = Math.Max(_size, offset + length);
    }

    private void Allocate()
    {
        var (offset, length) = Range(SizeMax);
        var keep = _random.Next(2) == 0;
        Log($"allocate {offset} +{length} keep {keep}");
        Expect(0, Posix.Allocate(_cached, keep ? Posix.KeepSize : 0, offset, length));
        if (!keep)
            _size = Math.Max(_size, offset + length);
    }

    private void Copy()
    {
        if (_size < 2)
            return;
        var (from, length) = Range(_size);
        var to = _random.Next(SizeMax - length);
        if (Math.Abs(from - to) < length)
            return;
        Log($"copy {from} to {to} +{length}");
        Expect(length, Posix.CopyRange(_cached, from, _cached, to, length));
        _model.AsSpan(from, length).CopyTo(_buffer);
        Put(to, _buffer.AsSpan(0, length));
    }

    private void Put(int offset, ReadOnlySpan<byte> data)
    {
        data.CopyTo(_model.AsSpan(offset));
        _size = Math.Max(_size, offset + data.Length);
    }

    // Sometimes zeros, sometimes repetitive, sometimes noise: what an engine stores differently.
    private void Fill(Span<byte> data)
    {
        switch (_random.Next(4))
        {
            case 0:
                data.Clear();
                break;
            case 1:
                data.Fill((byte)_random.Next(256));
                break;
            default:
                _random.NextBytes(data);
                break;
        }
    }

    private void Log(string line)
    {
        if (_log.Count == LogLines)
            _log.Dequeue();
        _log.Enqueue(string.Create(CultureInfo.InvariantCulture, $"{Operations}: {line} (size {_size})"));
    }

    private void Expect(long expected, long actual)
    {
        if (expected != actual)
            Fail($"expected {expected}, got {actual}");
    }

    private void Fail(string what) => Assert.Fail($"seed {_seed}, operation {Operations}: {what}\n{string.Join('\n', _log)}");
}
