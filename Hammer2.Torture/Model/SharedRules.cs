// What several threads may do to the same directories and files at once such that every answer can still be judged. Each
// rule states its own promise. Invariants: a rule's steps may run on any number of threads; what one thread alone owns
// (its names, its stripes, its records) is compared exactly at once, the rest when all threads have ended.

using System.Buffers.Binary;
using System.Globalization;
using Hammer2.Engine.Format;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;

namespace Hammer2.Torture.Model;

/// <summary>A way to share.</summary>
internal abstract class SharedRule(int threads)
{
    protected int Threads => threads;

    /// <summary>Makes what is shared, before the threads begin.</summary>
    public abstract void Prepare(ITargetNode home);

    /// <summary>One step of one thread.</summary>
    public abstract void Step(ITargetNode home, int thread, Random random);

    /// <summary>Judges what is there when all threads have ended; called again after a remount.</summary>
    public abstract void Verify(ITargetNode home);

    protected static void Expect(bool condition, string otherwise)
    {
        if (!condition)
            throw new MismatchException(otherwise);
    }

    protected static void Succeed(Hammer2Error error, string what) => Expect(error == Hammer2Error.None, $"{what} answered {error}");

    protected static ITargetNode Look(ITargetNode directory, string name)
    {
        Hammer2Error error = directory.TryLookup(name, out ITargetNode? node);
        Succeed(error, $"lookup of {name}");
        return node!;
    }

    protected static void Make(ITargetNode directory, string name, ObjectType type = ObjectType.File)
    {
        Succeed(directory.TryCreate(name, new NewObject(type, 0x1FF, 0, null), out ITargetNode? node), $"create of {name}");
        node!.Dispose();
    }

    protected static List<TargetEntry> ListAll(ITargetNode directory, int pieceSize)
    {
        var all = new List<TargetEntry>();
        ulong position = 0;
        for (bool end = false; !end;)
            all.AddRange(directory.List(position, pieceSize, out position, out end));
        return all;
    }
}

/// <summary>One directory, names of every thread's own and names that stay. A scan sees what stays exactly once, a thread's
/// own names exactly, and no name twice that was there once.</summary>
internal sealed class SharedDirectoryRule(int threads) : SharedRule(threads)
{
    private const int Permanent = 300;
    private const int OwnMax = 200;
    private readonly HashSet<string>[] _own = [.. Enumerable.Range(0, threads).Select(static _ => new HashSet<string>(StringComparer.Ordinal))];

    public override void Prepare(ITargetNode home)
    {
        for (int i = 0; i < Permanent; i++)
            Make(home, NameOf("stays", i));
    }

    public override void Step(ITargetNode home, int thread, Random random)
    {
        HashSet<string> own = _own[thread];
        string name = NameOf($"t{thread}", random.Next(OwnMax));
        int choice = random.Next(20);
        if (choice == 0)
            Scan(home, thread, random);
        else if (choice < 4 && own.Count > 0)
            Rename(home, own, name, random);
        else if (own.Remove(name))
            Succeed(home.TryUnlink(name), $"unlink of {name}");
        else if (own.Add(name))
            Make(home, name);
    }

    public override void Verify(ITargetNode home)
    {
        HashSet<string> expected = [.. Enumerable.Range(0, Permanent).Select(static i => NameOf("stays", i)), .. _own.SelectMany(static o => o)];
        List<string> seen = [.. ListAll(home, 17).Select(static entry => entry.Name)];
        Expect(seen.Count == seen.Distinct().Count(), "a name is listed twice");
        Expect(expected.SetEquals(seen), $"listed {seen.Count} names, {expected.Count} are there: {string.Join(' ', expected.Except(seen).Concat(seen.Except(expected)).Take(5))}");
    }

    // Some names are long, so that their entries have a block of their own.
    private static string NameOf(string owner, int number) =>
        number % 7 == 0 ? $"{owner}-{number}-".PadRight(100 + number % 150, 'l') : $"{owner}-{number}";

    private static void Rename(ITargetNode home, HashSet<string> own, string to, Random random)
    {
        string from = own.ElementAt(random.Next(own.Count));
        if (from == to)
            return;
        Succeed(home.TryRename(from, home, to, RenameMode.Replace), $"rename of {from} to {to}");
        own.Remove(from);
        own.Add(to);
    }

    private void Scan(ITargetNode home, int thread, Random random)
    {
        List<string> seen = [.. ListAll(home, 1 + random.Next(40)).Select(static entry => entry.Name)];
        Dictionary<string, int> times = seen.GroupBy(static name => name).ToDictionary(static g => g.Key, static g => g.Count());
        for (int i = 0; i < Permanent; i++)
            Expect(times.GetValueOrDefault(NameOf("stays", i)) == 1, $"{NameOf("stays", i)} was there throughout and was seen {times.GetValueOrDefault(NameOf("stays", i))} times");
        string mine = $"t{thread}-";
        HashSet<string> mineSeen = [.. seen.Where(name => name.StartsWith(mine, StringComparison.Ordinal))];
        Expect(mineSeen.SetEquals(_own[thread]), $"thread {thread} sees {mineSeen.Count} of its own {_own[thread].Count} names");
        foreach (string name in _own[thread])
            Expect(times[name] == 1, $"{name} was seen {times[name]} times");
    }
}

/// <summary>One file in stripes; each thread writes and reads its own, in blocks that all share.</summary>
internal sealed class StripedFileRule(int threads) : SharedRule(threads)
{
    private const string Name = "striped";
    private const int StripeBytes = 3000;
    private const int Rows = 60;
    private readonly int[,] _versions = new int[Rows, threads];

    public override void Prepare(ITargetNode home) => Make(home, Name);

    public override void Step(ITargetNode home, int thread, Random random)
    {
        using ITargetNode file = Look(home, Name);
        int row = random.Next(Rows);
        if (random.Next(2) == 0)
        {
            int version = _versions[row, thread] + 1;
            Succeed(file.TryWrite(OffsetOf(row, thread), Stripe(row, thread, version)), "write of a stripe");
            _versions[row, thread] = version;
        }
        else
        {
            Compare(file, row, thread);
        }
    }

    public override void Verify(ITargetNode home)
    {
        using ITargetNode file = Look(home, Name);
        for (int row = 0; row < Rows; row++)
        {
            for (int thread = 0; thread < Threads; thread++)
                Compare(file, row, thread);
        }
    }

    private long OffsetOf(int row, int thread) => ((long)row * Threads + thread) * StripeBytes;

    private static byte[] Stripe(int row, int thread, int version)
    {
        byte[] bytes = new byte[StripeBytes];
        if (version > 0)
            new Random(HashCode.Combine(row, thread, version)).NextBytes(bytes.AsSpan(0, version % 2 == 0 ? StripeBytes : 100));
        return bytes;
    }

    private void Compare(ITargetNode file, int row, int thread)
    {
        byte[] seen = new byte[StripeBytes];
        int read = file.Read(OffsetOf(row, thread), seen);
        int version = _versions[row, thread];
        Expect(version == 0 || read == StripeBytes, $"stripe {row} of thread {thread}: {read} bytes");
        Expect(seen.AsSpan().SequenceEqual(Stripe(row, thread, version)), $"stripe {row} of thread {thread} is not version {version}");
    }
}

/// <summary>One file that all append to: no record is lost, torn or out of its thread's order.</summary>
internal sealed class AppendRule(int threads) : SharedRule(threads)
{
    private const string Name = "log";
    private const int RecordBytes = 96;
    private readonly int[] _written = new int[threads];

    public override void Prepare(ITargetNode home) => Make(home, Name);

    public override void Step(ITargetNode home, int thread, Random random)
    {
        using ITargetNode file = Look(home, Name);
        byte[] record = Record(thread, _written[thread]);
        Succeed(file.TryAppend(record, out long offset), "append");
        _written[thread]++;
        byte[] seen = new byte[RecordBytes];
        Expect(file.Read(offset, seen) == RecordBytes && seen.AsSpan().SequenceEqual(record), $"the record appended at {offset} is not there");
    }

    public override void Verify(ITargetNode home)
    {
        using ITargetNode file = Look(home, Name);
        int[] met = new int[Threads];
        byte[] seen = new byte[RecordBytes];
        Expect(file.GetAttributes().Size == _written.Sum() * (long)RecordBytes, $"{file.GetAttributes().Size} bytes of {_written.Sum()} records");
        for (long offset = 0; file.Read(offset, seen) == RecordBytes; offset += RecordBytes)
        {
            int thread = BinaryPrimitives.ReadInt32LittleEndian(seen);
            Expect(thread >= 0 && thread < Threads && seen.AsSpan().SequenceEqual(Record(thread, met[thread])), $"the record at {offset} is torn or out of order");
            met[thread]++;
        }
    }

    private static byte[] Record(int thread, int number)
    {
        byte[] record = new byte[RecordBytes];
        new Random(HashCode.Combine(thread, number)).NextBytes(record);
        BinaryPrimitives.WriteInt32LittleEndian(record, thread);
        return record;
    }
}

/// <summary>A lock file around an unprotected counter: create is exclusive, so no increment is lost.</summary>
internal sealed class LockFileRule(int threads) : SharedRule(threads)
{
    private const string LockName = "lock", CounterName = "counter";
    private int _increments;

    public override void Prepare(ITargetNode home)
    {
        Make(home, CounterName);
        using ITargetNode counter = Look(home, CounterName);
        Succeed(counter.TryWrite(0, new byte[4]), "write of the counter");
    }

    public override void Step(ITargetNode home, int thread, Random random)
    {
        Hammer2Error error = home.TryCreate(LockName, new NewObject(ObjectType.File, 0x180, 0, null), out ITargetNode? held);
        if (error != Hammer2Error.None)
        {
            Expect(error == Hammer2Error.Exists, $"create of the lock answered {error}");
            return;
        }

        held!.Dispose();
        using (ITargetNode counter = Look(home, CounterName))
        {
            byte[] value = new byte[4];
            Expect(counter.Read(0, value) == 4, "the counter is short");
            Thread.Yield();
            BinaryPrimitives.WriteInt32LittleEndian(value, BinaryPrimitives.ReadInt32LittleEndian(value) + 1);
            Succeed(counter.TryWrite(0, value), "write of the counter");
        }

        Interlocked.Increment(ref _increments);
        Succeed(home.TryUnlink(LockName), "unlink of the lock by its holder");
    }

    public override void Verify(ITargetNode home)
    {
        using ITargetNode counter = Look(home, CounterName);
        byte[] value = new byte[4];
        counter.Read(0, value);
        Expect(BinaryPrimitives.ReadInt32LittleEndian(value) == _increments, $"the counter is {BinaryPrimitives.ReadInt32LittleEndian(value)} after {_increments} increments");
    }
}

/// <summary>A file that is replaced by rename: it is always there, and always whole.</summary>
internal sealed class ReplaceRule(int threads) : SharedRule(threads)
{
    private const string Name = "current";
    private const int Bytes = 70_000;

    public override void Prepare(ITargetNode home) => Publish(home, 0, 1);

    public override void Step(ITargetNode home, int thread, Random random)
    {
        if (random.Next(3) == 0)
            Publish(home, thread, random.Next(1, 256));
        else
            Verify(home);
    }

    public override void Verify(ITargetNode home)
    {
        using ITargetNode file = Look(home, Name);
        byte[] seen = new byte[Bytes + 1];
        int read = file.Read(0, seen);
        Expect(read == Bytes && !seen.AsSpan(1, Bytes - 1).ContainsAnyExcept(seen[0]), $"{Name} has {read} bytes and is not one whole version");
    }

    private static void Publish(ITargetNode home, int thread, int version)
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"new-{thread}");
        Succeed(home.TryCreate(name, new NewObject(ObjectType.File, 0x1A4, 0, null), out ITargetNode? file), $"create of {name}");
        byte[] bytes = new byte[Bytes];
        Array.Fill(bytes, (byte)version);
        using (file)
            Succeed(file!.TryWrite(0, bytes), "write of a version");
        Succeed(home.TryRename(name, home, Name, RenameMode.Replace), "rename of a version");
    }
}

/// <summary>Tokens that any thread moves between directories, also directories into one another: none is lost or doubled,
/// and no directory ends up below itself.</summary>
internal sealed class TokenRule(int threads) : SharedRule(threads)
{
    private const int Tokens = 20, Directories = 6;

    public override void Prepare(ITargetNode home)
    {
        for (int i = 0; i < Directories; i++)
            Make(home, $"d{i}", ObjectType.Directory);
        using ITargetNode first = Look(home, "d0");
        for (int i = 0; i < Tokens; i++)
            Make(first, $"token{i}");
    }

    public override void Step(ITargetNode home, int thread, Random random)
    {
        List<ITargetNode> places = Places(home);
        try
        {
            ITargetNode from = places[random.Next(places.Count)], to = places[random.Next(places.Count)];
            string name = random.Next(4) == 0 ? $"d{random.Next(Directories)}" : $"token{random.Next(Tokens)}";
            RenameMode mode = random.Next(5) == 0 ? RenameMode.Exchange : RenameMode.NoReplace;
            string other = mode == RenameMode.Exchange ? $"token{random.Next(Tokens)}" : name;
            Hammer2Error error = from.TryRename(name, to, other, mode);
            Expect(
                error is Hammer2Error.None or Hammer2Error.NotFound or Hammer2Error.Exists or Hammer2Error.InvalidArgument or Hammer2Error.NotEmpty,
                $"rename of {name} answered {error}");
        }
        finally
        {
            foreach (ITargetNode place in places)
                place.Dispose();
        }
    }

    public override void Verify(ITargetNode home)
    {
        var found = new List<string>();
        var left = new Stack<ITargetNode>();
        left.Push(Look(home, "."));
        int directories = 0;
        while (left.TryPop(out ITargetNode? directory))
        {
            using (directory)
            {
                Expect(directories++ <= Directories, "a directory is reached twice");
                foreach (TargetEntry entry in ListAll(directory, 5))
                {
                    if (entry.Type == ObjectType.Directory)
                        left.Push(Look(directory, entry.Name));
                    else
                        found.Add(entry.Name);
                }
            }
        }

        Expect(directories == Directories + 1, $"{directories - 1} of {Directories} directories are left");
        Expect(found.Count == Tokens && found.Distinct().Count() == Tokens, $"{found.Count} tokens, {found.Distinct().Count()} different, of {Tokens}");
    }

    // The directories that can be reached now; others move them meanwhile.
    private static List<ITargetNode> Places(ITargetNode home)
    {
        var places = new List<ITargetNode> { Look(home, ".") };
        for (int at = 0; at < places.Count && places.Count <= Directories; at++)
        {
            foreach (TargetEntry entry in ListAll(places[at], 50).Where(static entry => entry.Type == ObjectType.Directory))
            {
                if (places[at].TryLookup(entry.Name, out ITargetNode? below) != Hammer2Error.None || below is null)
                    continue;

                // Since it was listed, the name may have been exchanged with that of a file.
                if (below.GetAttributes().Type == ObjectType.Directory)
                    places.Add(below);
                else
                    below.Dispose();
            }
        }

        return places;
    }
}
