// Comparing: attributes, bytes, listings, scans that go on while the directory changes, and the whole tree. Invariants: a
// listing is complete and has nothing twice; in a scan that is exactly true of the names that were there throughout
// (R14, R15); every byte of a file is compared, holes by way of the target's own map of them.

using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;

namespace Hammer2.Torture.Model;

internal sealed partial class ModelRun
{
    private const int PieceBytes = 1 << 18;

    // The object has this number on the target's side, now and always, and nothing else has it.
    private void See(ModelNode node, ulong inodeNumber)
    {
        if (node.InodeNumber is { } known)
            Expect(known == inodeNumber, $"inode {inodeNumber} where {known} was before ({node})");
        node.InodeNumber = inodeNumber;
        if (_byInode.TryGetValue(inodeNumber, out ModelNode? other) && other != node && Tree.All.Contains(other))
            throw new MismatchException($"inode {inodeNumber} is {other} and {node}");
        _byInode[inodeNumber] = node;
    }

    private static void CompareAttributes(ModelNode node, in InodeAttributes seen)
    {
        Same(node, "type", node.Type, seen.Type);
        if (node.InodeNumber is { } number)
            Same(node, "inode number", number, seen.InodeNumber);
        if (node.IsDirectory && node.IsGone)
            return;
        Same(node, "mode", Convert.ToString((int)node.Mode, 8), Convert.ToString((int)seen.Mode, 8));
        Same(node, "uid", node.Uid, seen.Uid);
        Same(node, "gid", node.Gid, seen.Gid);
        Same(node, "flags", node.Flags, seen.UserFlags);
        Same(node, "size", node.Size, seen.Size);
        Same(node, "link count", node.IsDirectory ? 1ul : (ulong)node.Links, seen.LinkCount);
        if (node.Type is ObjectType.CharDevice or ObjectType.BlockDevice)
            Same(node, "device", (node.Major, node.Minor), (seen.DeviceMajor, seen.DeviceMinor));
        if (node.IsDirectory && !node.IsRoot)
            Same(node, "parent", node.Names[0].Directory.InodeNumber, seen.ParentInode);
        if (node.Type is ObjectType.Directory or ObjectType.File)
        {
            Same(node, "compression", node.Compression, seen.Compression);
            Same(node, "compression level", node.CompressionLevel, seen.CompressionLevel);
            Same(node, "check method", node.Check, seen.Check);
        }

        See(node, "mtime", node.Modified, seen.ModifyTimeUs);
        See(node, "ctime", node.Changed, seen.ChangeTimeUs);
        See(node, "atime", node.Accessed, seen.AccessTimeUs);
        See(node, "btime", node.Born, seen.BirthTimeUs);
    }

    private static void Same<T>(ModelNode node, string what, T expected, T seen) =>
        Expect(EqualityComparer<T>.Default.Equals(expected, seen), $"{what} of {node} is {seen}, not {expected}");

    private static void See(ModelNode node, string what, KnownTime time, long us)
    {
        string known = time.ToString();
        Expect(time.See(us), $"{what} of {node} is {us}, not {known}");
    }

    private static void CompareBytes(ModelNode node, ITargetNode target, long offset, int length)
    {
        byte[] expected = new byte[length], seen = new byte[length];
        // What is not filled must not be touched.
        Array.Fill(seen, (byte)0xA5);
        int known = node.Bytes.Read(offset, expected);
        int read = target.Read(offset, seen);
        Expect(read == known, $"{read} bytes read at {offset} of {node}, {known} are there");
        int same = expected.AsSpan(0, known).CommonPrefixLength(seen.AsSpan(0, read));
        Expect(same == read, $"byte {offset + same} of {node} is {(same < read ? seen[same] : 0)}, not {(same < read ? expected[same] : 0)}");
        Expect(!seen.AsSpan(read).ContainsAnyExcept((byte)0xA5), $"the buffer was changed behind the {read} bytes that were read");
    }

    private static void CompareAllBytes(ModelNode node, ITargetNode target)
    {
        // Where the model has something, and where the target says that it has something.
        foreach (long page in node.Bytes.NonZeroPages)
        {
            long? data = target.NextData(page);
            Expect(data is not null && data - page < Math.Min(SparseBytes.PageSize, node.Size - page), $"{node} has data at {page}, the next data is said to be at {data}");
        }

        long offset = 0;
        int pieces = 0;
        while (offset < node.Size && target.NextData(offset) is { } from && from < node.Size)
        {
            Expect(from >= offset, $"the data after {offset} of {node} is said to begin at {from}");
            long to = Math.Min(target.NextHole(from), node.Size);
            Expect(to > from, $"the hole after the data at {from} of {node} is said to begin at {to}");
            for (long left = to - from; left > 0 && pieces < 4096; left -= PieceBytes, pieces++)
                CompareBytes(node, target, to - left, (int)Math.Min(PieceBytes, left));
            offset = to;
        }

        // Around the end nothing may be left over, and holes in between must read as zeros.
        CompareBytes(node, target, Math.Max(0, node.Size - 1000), 3000);
        CompareBytes(node, target, node.Size / 2, 5000);
    }

    private void List(Handle at, int count)
    {
        if (!at.Node.IsDirectory)
            return;
        var names = new HashSet<string>(StringComparer.Ordinal);
        ulong position = 0;
        bool end = false;
        for (int pieces = 0; !end; pieces++)
        {
            Expect(pieces <= at.Node.Entries.Count / Math.Max(count, 1) + 2, "the listing does not end");
            foreach (TargetEntry entry in at.Target.List(position, count, out position, out end))
            {
                Expect(names.Add(entry.Name), $"{Op.Show(entry.Name)} is listed twice");
                Expect(at.Node.Entries.TryGetValue(entry.Name, out ModelNode? node), $"{Op.Show(entry.Name)} is listed and does not exist");
                Expect(node!.Type == entry.Type, $"{Op.Show(entry.Name)} is listed as {entry.Type}, it is a {node.Type}");
                See(node, entry.InodeNumber);
            }
        }

        string? missing = at.Node.Entries.Keys.FirstOrDefault(name => !names.Contains(name));
        Expect(missing is null, $"{Op.Show(missing ?? "")} is not listed; {names.Count} of {at.Node.Entries.Count} are");
    }

    // One more piece of a scan that other steps change things under; at the end it is judged and begins anew.
    private void Scan(Op op)
    {
        if (_slots[op.Slot] is not { Node.IsDirectory: true } handle)
            return;
        ModelNode directory = handle.Node;
        ScanState scan = handle.Scan ??= new ScanState([.. directory.Entries.Keys], directory.History.Count);
        IReadOnlyList<TargetEntry> piece = handle.Target.List(scan.Position, (int)op.Length, out ulong next, out bool end);
        foreach (TargetEntry entry in piece)
            scan.Seen[entry.Name] = scan.Seen.GetValueOrDefault(entry.Name) + 1;
        Expect(next >= scan.Position, "a position went back");
        (scan.Position, scan.IsOver) = (next, end);
        if (!scan.IsOver)
            return;
        handle.Scan = null;
        HashSet<string> changed = [.. directory.History.Skip(scan.HistoryStart).Select(static change => change.Name)];
        foreach (string name in scan.AtStart.Where(name => !changed.Contains(name)))
        {
            int times = scan.Seen.GetValueOrDefault(name);
            Expect(times == 1, $"{Op.Show(name)} was there throughout the scan and was seen {times} times");
        }

        string? wrong = scan.Seen.Keys.FirstOrDefault(name => !changed.Contains(name) && !scan.AtStart.Contains(name));
        Expect(wrong is null, $"{Op.Show(wrong ?? "")} was seen and was never there");
        foreach ((string name, int times) in scan.Seen)
        {
            int added = directory.History.Skip(scan.HistoryStart).Count(change => change.Added && change.Name == name);
            Expect(times <= added + (scan.AtStart.Contains(name) ? 1 : 0), $"{Op.Show(name)} was seen {times} times");
        }
    }

    private void CompareTree(bool afterRemount)
    {
        var left = new Stack<ModelNode>([Tree.Root]);
        var met = new HashSet<ModelNode>();
        while (left.TryPop(out ModelNode? node))
        {
            if (!met.Add(node))
                continue;
            using Handle? handle = Reach(Ref.At(node.Path!));
            Expect(handle is not null, $"{node} cannot be reached");
            CompareOne(handle!, afterRemount);
            foreach (ModelNode below in node.Entries.Values)
                left.Push(below);
        }

        foreach (Handle? held in _slots)
        {
            if (held is { Node.IsGone: true })
                CompareOne(held, afterRemount);
        }
    }

    private void CompareOne(Handle handle, bool afterRemount)
    {
        ModelNode node = handle.Node;
        InodeAttributes seen = handle.Target.GetAttributes();
        CompareAttributes(node, seen);
        switch (node.Type)
        {
            case ObjectType.Directory:
                List(handle, 1 + node.Entries.Count % 100);
                foreach (string name in node.Entries.Keys)
                    Lookup(new Op(OpKind.Lookup) { Name = name }, handle);
                break;
            case ObjectType.Symlink:
                Expect(handle.Target.ReadLink() == node.Target, $"another link text of {node}");
                break;
            case ObjectType.File:
                CompareAllBytes(node, handle.Target);
                if (afterRemount)
                    CompareAllocation(node, seen.AllocatedBytes);
                break;
        }
    }

    // Blocks are 64 KiB at most and only where something is; indirect blocks come on top. One more may be there for a file
    // that grew out of its inode.
    private static void CompareAllocation(ModelNode node, long allocated)
    {
        long blocks = node.Bytes.WrittenBlocks;
        long most = (blocks + 1) * (FormatLimits.LogicalBlockBytes + 8 * 65536L);
        Expect(allocated >= 0 && allocated <= most, $"{allocated} bytes allocated for {blocks} blocks of {node}");
        Expect(!node.Bytes.NonZeroPages.Any() || node.Size <= FormatLimits.EmbeddedBytes || allocated > 0, $"nothing allocated for {blocks} blocks of {node}");
    }

    /// <summary>A listing that is read piece by piece.</summary>
    private sealed class ScanState(HashSet<string> atStart, int historyStart)
    {
        public HashSet<string> AtStart => atStart;

        public int HistoryStart => historyStart;

        public Dictionary<string, int> Seen { get; } = new(StringComparer.Ordinal);

        public ulong Position { get; set; }

        public bool IsOver { get; set; }
    }
}
