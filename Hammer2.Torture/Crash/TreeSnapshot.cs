// What a volume shows at one moment: every name of every PFS with all attributes and a hash of the bytes, as lines. Two
// volumes show the same when their lines are the same. Only through the public interface, as a program would see it.

using System.Globalization;
using System.IO.Hashing;
using System.Text;
using Hammer2.Engine.Directories;
using Hammer2.Engine.Format;
using Hammer2.Engine.Inodes;
using Hammer2.Engine.Pfs;
using Hammer2.Engine.Primitives;
using Hammer2.Engine.Volumes;

namespace Hammer2.Torture.Crash;

/// <summary>The visible content of a volume.</summary>
internal sealed class TreeSnapshot
{
    private const int ChunkBytes = 1 << 18;
    private readonly SortedDictionary<string, string> _lines = new(StringComparer.Ordinal);

    private readonly bool _withTimes;

    private TreeSnapshot(bool withTimes) => _withTimes = withTimes;

    /// <summary>Names by path, with what is known of each; paths begin with the label.</summary>
    internal IReadOnlyDictionary<string, string> Lines => _lines;

    /// <summary>Equal for equal content.</summary>
    internal UInt128 Digest { get; private set; }

    /// <summary>Reads everything.</summary>
    /// <param name="volume">Of all its PFSs.</param>
    /// <param name="withTimes">False: two runs of the same workload show the same.</param>
    /// <exception cref="Hammer2Exception">Something cannot be read.</exception>
    internal static TreeSnapshot Of(Hammer2Volume volume, bool withTimes = true)
    {
        var snapshot = new TreeSnapshot(withTimes);
        IReadOnlyList<PfsInfo> all = volume.ListPfs(out IReadOnlyList<Hammer2Exception> failures);
        if (failures.Count > 0)
            throw failures[0];
        byte[] chunk = new byte[ChunkBytes];
        foreach (PfsInfo info in all)
        {
            using PfsMount pfs = volume.OpenPfs(info.Label);
            snapshot.Walk(pfs, info.Label, chunk);
        }

        var hash = new XxHash128();
        foreach ((string path, string line) in snapshot._lines)
        {
            hash.Append(Encoding.UTF8.GetBytes(path));
            hash.Append(Encoding.UTF8.GetBytes(line));
        }

        snapshot.Digest = hash.GetCurrentHashAsUInt128();
        return snapshot;
    }

    /// <summary>What is different, at most a few lines; empty when nothing is.</summary>
    internal string DifferenceTo(TreeSnapshot other, Func<string, bool>? ignored = null)
    {
        var text = new List<string>();
        foreach (string path in _lines.Keys.Union(other._lines.Keys).Order(StringComparer.Ordinal))
        {
            _lines.TryGetValue(path, out string? mine);
            other._lines.TryGetValue(path, out string? theirs);
            if (mine != theirs && ignored?.Invoke(path) != true)
                text.Add($"  {path}\n    {mine ?? "(absent)"}\n    {theirs ?? "(absent)"}");
        }

        return string.Join('\n', text.Take(12)) + (text.Count > 12 ? $"\n  and {text.Count - 12} more" : "");
    }

    private void Walk(PfsMount pfs, string label, byte[] chunk)
    {
        var work = new Stack<(ulong Inode, string Path)>();
        work.Push((PfsMount.RootInodeNumber, label + ":/"));
        while (work.TryPop(out (ulong Inode, string Path) item))
        {
            Hammer2Error error = pfs.TryOpen(item.Inode, out Vnode? vnode);
            if (error != Hammer2Error.None)
                throw new Hammer2Exception(error, $"{item.Path} has no inode {item.Inode}: {error}");
            using Vnode open = vnode!;
            if (!_lines.TryAdd(item.Path, Describe(open, chunk)))
                throw new Hammer2Exception(Hammer2Error.Corrupt, $"{item.Path} is listed twice");
            if (open.Type != ObjectType.Directory)
                continue;
            string below = item.Path.EndsWith('/') ? item.Path : item.Path + "/";
            var batch = new DirectoryBatch(64);
            for (ulong position = 0; ; position = batch.NextPosition)
            {
                open.ReadDirectory(position, batch);
                if (batch.Damage.Count > 0)
                    throw batch.Damage[0];
                for (int i = 0; i < batch.Count; i++)
                    work.Push((batch[i].InodeNumber, below + Encoding.Latin1.GetString(batch.NameOf(i))));
                if (batch.EndOfDirectory)
                    break;
            }
        }
    }

    private string Describe(Vnode vnode, byte[] chunk)
    {
        InodeAttributes a = vnode.GetAttributes();
        string content = a.Type switch
        {
            ObjectType.File => HashOf(vnode, a.Size, chunk),
            ObjectType.Symlink => Convert.ToHexString(XxHash64.Hash(vnode.ReadLink())),
            _ => "",
        };
        string times = _withTimes
            ? string.Create(CultureInfo.InvariantCulture, $" c {a.ChangeTimeUs} m {a.ModifyTimeUs} a {a.AccessTimeUs} b {a.BirthTimeUs}")
            : "";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{a.Type} {a.InodeNumber} mode {a.Mode:x} {a.Uid}:{a.Gid} size {a.Size} links {a.LinkCount}{times} flags {a.UserFlags:x} dev {a.DeviceMajor}:{a.DeviceMinor} {a.Compression}:{a.CompressionLevel} {a.Check} {content}");
    }

    private static string HashOf(Vnode vnode, long size, byte[] chunk)
    {
        var hash = new XxHash64();
        for (long at = 0; at < size;)
        {
            int read = vnode.Read(at, chunk);
            if (read == 0)
                throw new Hammer2Exception(Hammer2Error.Corrupt, $"inode {vnode.InodeNumber} ends at {at} of {size}");
            hash.Append(chunk.AsSpan(0, read));
            at += read;
        }

        return Convert.ToHexString(hash.GetCurrentHash());
    }
}
